"""The configuration: one schema for every file in ``configs/``, with the defaults.

Files are merged in order, then the ``--set`` options, and the result is checked before any work
starts. An unknown key or a wrong type is refused with the key's path and what is allowed.
"""

from __future__ import annotations

import datetime
import difflib
import os
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from enron_triage.errors import UsageError
from enron_triage.records import Scheme

Duration = Annotated[str, msgspec.Meta(pattern=r"^\d+(\.\d+)?[smhd]$")]
PositiveInt = Annotated[int, msgspec.Meta(ge=1)]
NonNegativeInt = Annotated[int, msgspec.Meta(ge=0)]
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]
NonNegativeFloat = Annotated[float, msgspec.Meta(ge=0)]
Fraction = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Stage = Literal["download", "parse", "label", "split", "sft", "evaluate"]
FeatureGroupName = Literal["metadata", "history"]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
SelectionMetric = Literal["macro_f1", "accuracy", "balanced_accuracy", "loss"]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Section(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A part of the configuration; refuses keys that it does not know."""


class PipelineConfig(Section, frozen=True):
    """What ``triage run`` chains."""

    stages: Annotated[tuple[Stage, ...], msgspec.Meta(min_length=1)] = (
        "download",
        "parse",
        "label",
        "split",
        "sft",
        "evaluate",
    )


class DemoConfig(Section, frozen=True):
    """The synthetic corpus that ``download.source: demo`` writes."""

    mailboxes: Annotated[int, msgspec.Meta(ge=1, le=500)] = 24
    messages: Annotated[int, msgspec.Meta(ge=30)] = 12_000


class DownloadConfig(Section, frozen=True):
    """Where the raw archive comes from."""

    source: str = "cmu"  # cmu | demo | a URL | a local .tar, .tar.gz, .tar.xz
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    demo: DemoConfig = DemoConfig()


class ParseConfig(Section, frozen=True):
    """What is parsed."""

    source: str | None = None  # a folder or an mbox; none: <data_dir>/maildir
    format: Literal["auto", "enron", "maildir", "mbox"] = "auto"
    limit: PositiveInt | None = None  # only the first files, for a quick look


class FoldersConfig(Section, frozen=True):
    """Names of folders (and Gmail labels) by role, lower-case. Any other is a filing folder."""

    sent: tuple[str, ...] = (
        "sent",
        "sent_items",
        "_sent_mail",
        "_sent",
        "sent mail",
        "sent messages",
        "sent items",
    )
    deleted: tuple[str, ...] = (
        "deleted_items",
        "connect_deletes",
        "trash",
        "deleted items",
        "deleted messages",
        "bin",
    )
    junk: tuple[str, ...] = ("junk", "junk_file", "junk_e-mail", "junk e-mail", "spam", "bulk mail")
    inbox: tuple[str, ...] = ("inbox", "notes_inbox", "")  # "": a Maildir's own cur/new
    drafts: tuple[str, ...] = ("drafts", "_drafts", "draft")
    # Made by the mail system, or no mail: a copy there says nothing about what the owner did.
    system: tuple[str, ...] = (
        "all_documents",
        "discussion_threads",
        "calendar",
        "contacts",
        "tasks",
        "to_do",
        "notes",
        "journal",
        "outbox",
        "sync_issues",
        "conflicts",
    )


class LabelConfig(Section, frozen=True):
    """What counts as which action."""

    scheme: Scheme = "received"
    reply_now_within: Duration = "1h"  # the reference log's threshold
    link_window: Duration = "30d"
    action_lag: Duration = "7d"  # filing and deleting leave no time stamp: when they count as history
    dates: tuple[datetime.date, datetime.date] = (datetime.date(1997, 1, 1), datetime.date(2003, 1, 1))
    folders: FoldersConfig = FoldersConfig()


class SplitConfig(Section, frozen=True):
    """How labelled messages become train, val and test."""

    by: Literal["user", "time"] = "user"
    ratios: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.75, 0.125, 0.125)
    seed: int | None = None


class FeaturesConfig(Section, frozen=True):
    """What the policy sees of a message."""

    groups: Annotated[tuple[FeatureGroupName, ...], msgspec.Meta(min_length=1)] = ("metadata", "history")


class ModelConfig(Section, frozen=True):
    """The policy: an MLP over normalised features."""

    hidden: Annotated[tuple[PositiveInt, ...], msgspec.Meta(min_length=1)] = (256, 128)
    dropout: Fraction = 0.2


class TrainingConfig(Section, frozen=True):
    """What every training stage has: see `training.loop.train`."""

    epochs: PositiveInt = 30
    batch_size: PositiveInt = 512
    learning_rate: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 1e-2
    warmup: Fraction = 0.05  # the share of all steps
    gradient_clip: PositiveFloat = 1.0
    patience: PositiveInt = 6  # epochs without improvement before stopping
    select_by: SelectionMetric = "macro_f1"
    keep_checkpoints: PositiveInt = 3
    resume: bool = True  # continue a run that was killed; false starts over
    seed: int | None = None


class SftConfig(TrainingConfig, frozen=True):
    """Supervised fine-tuning (stage 1)."""

    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    focal_gamma: NonNegativeFloat = 2.0
    class_weights: Literal["none", "inverse", "power", "effective"] = "none"
    class_weights_power: PositiveFloat = 0.5  # power: 1 / count ** this
    class_weights_beta: Fraction = 0.999  # effective: (1 - beta) / (1 - beta ** count)
    sampler: Literal["none", "balanced"] = "none"


class EvaluateConfig(Section, frozen=True):
    """What is evaluated on what."""

    checkpoint: str = "best_sft"  # a name below checkpoint_dir, or a path
    split: str = "test"  # a split's name, or the path of labelled records
    bootstrap: PositiveInt = 1000  # resamples of the mailboxes, for the intervals


class Config(Section, frozen=True):
    """The whole configuration."""

    seed: int = 42
    device: DeviceName = "auto"
    data_dir: str = "data"
    checkpoint_dir: str = "checkpoints"
    run: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][\w.-]*$")] | None = None
    workers: Literal["auto"] | PositiveInt = "auto"
    pipeline: PipelineConfig = PipelineConfig()
    download: DownloadConfig = DownloadConfig()
    parse: ParseConfig = ParseConfig()
    label: LabelConfig = LabelConfig()
    split: SplitConfig = SplitConfig()
    features: FeaturesConfig = FeaturesConfig()
    model: ModelConfig = ModelConfig()
    sft: SftConfig = SftConfig()
    evaluate: EvaluateConfig = EvaluateConfig()

    @property
    def data(self) -> Path:
        """The folder of the data artifacts."""
        return Path(self.data_dir)

    @property
    def checkpoints(self) -> Path:
        """The folder of this run's checkpoints."""
        return Path(self.checkpoint_dir, self.run or "")

    @property
    def evaluations(self) -> Path:
        """The folder of this run's evaluations."""
        return Path(self.data_dir, "eval", self.run or "")

    @property
    def split_seed(self) -> int:
        """``split.seed``, or the seed of the whole run."""
        return self.seed if self.split.seed is None else self.split.seed

    @property
    def sft_seed(self) -> int:
        """``sft.seed``, or the seed of the whole run."""
        return self.seed if self.sft.seed is None else self.sft.seed

    @property
    def worker_count(self) -> int:
        """How many processes the data stages use."""
        if self.workers != "auto":
            return self.workers
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def seconds(duration: str) -> int:
    """Seconds of a duration such as ``90s``, ``5m``, ``1h`` or ``30d``.

    >>> seconds("1h"), seconds("30d"), seconds("1.5m")
    (3600, 2592000, 90)
    """
    return round(float(duration[:-1]) * _SECONDS[duration[-1]])


def load_config(files: Sequence[Path] = (), overrides: Iterable[str] = (), **top_level: Any) -> Config:
    """Merge files, overrides and top-level options over the defaults, and check the result.

    Parameters
    ----------
    files : sequence of Path
        YAML files; later ones win.
    overrides : iterable of str
        ``key.path=value``, the value in YAML; win over files.
    **top_level
        Keys of `Config` that win over everything; None is left out.

    Raises
    ------
    UsageError
        A file that cannot be read, an unknown key, a wrong type.
    """
    merged: dict[str, Any] = {}
    for file in files:
        _merge(merged, _read_yaml(file))
    for override in overrides:
        _merge(merged, _parse_override(override))
    merged.update({key: value for key, value in top_level.items() if value is not None})
    return check_config(merged)


def check_config(values: Mapping[str, Any]) -> Config:
    """Turn nested plain values into a checked `Config`.

    Raises
    ------
    UsageError
        With the key's path and the allowed values.
    """
    _refuse_unknown_keys(Config, values, ())
    try:
        config = msgspec.convert(values, Config)
    except msgspec.ValidationError as error:
        raise UsageError(_explain(str(error))) from error
    if config.label.dates[0] >= config.label.dates[1]:
        raise UsageError("configuration: label.dates: the first date must come before the second")
    if config.label.scheme == "folder" and "history" in config.features.groups:
        raise UsageError(
            "configuration: features.groups: the folder scheme has no history; "
            "use --set 'features.groups=[metadata]' or --set label.scheme=received"
        )
    return config


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"configuration {file}: no such file") from None
    except IsADirectoryError:
        raise UsageError(f"configuration {file}: is a folder; name a YAML file") from None
    except UnicodeDecodeError:
        raise UsageError(f"configuration {file}: is not UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"configuration {file}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"configuration {file}: not valid YAML: {' '.join(str(error).split())}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UsageError(f"configuration {file}: must hold keys and values, not a {type(values).__name__}")
    return values


def _parse_override(override: str) -> dict[str, Any]:
    key, equals, text = override.partition("=")
    if not equals or not re.fullmatch(r"\w+(\.\w+)*", key):
        raise UsageError(f"--set {override}: must read key.path=value, e.g. sft.epochs=5")
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"--set {override}: not a YAML value: {' '.join(str(error).split())}") from None
    for part in reversed(key.split(".")):
        value = {part: value}
    return typing.cast("dict[str, Any]", value)


def _merge(base: dict[str, Any], top: Mapping[str, Any]) -> None:
    for key, value in top.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def _refuse_unknown_keys(section: type, values: Mapping[str, Any], path: tuple[str, ...]) -> None:
    fields = typing.get_type_hints(section)
    for key, value in values.items():
        where = ".".join((*path, str(key)))
        if key not in section.__struct_fields__:  # type: ignore[attr-defined]
            close = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            allowed = ", ".join(section.__struct_fields__)  # type: ignore[attr-defined]
            raise UsageError(f"configuration: {where}: unknown key; {hint}allowed here: {allowed}")
        if isinstance(fields[key], type) and issubclass(fields[key], Section):
            if not isinstance(value, Mapping):
                raise UsageError(f"configuration: {where}: must be a section of keys and values")
            _refuse_unknown_keys(fields[key], value, (*path, str(key)))


def _explain(error: str) -> str:
    """Reword msgspec's message: the key's path first, the allowed values of a choice last."""
    message, _, path = error.partition(" - at `$.")
    key = path.rstrip("`")
    text = message.replace("`", "").replace(", got", " but got")
    choices = _choices(key)
    return f"configuration: {key}: {text}" + (f"; allowed: {', '.join(choices)}" if choices else "")


def _choices(key: str) -> list[str]:
    """The literal values that a key allows; empty where it allows more than those."""
    hint: Any = Config
    for part in re.sub(r"\[[^\]]*\]", "", key).split("."):
        if not (isinstance(hint, type) and issubclass(hint, Section)):
            return []
        hint = typing.get_type_hints(hint).get(part)
    return [str(choice) for choice in _literals(hint)]


def _literals(hint: Any) -> Iterable[Any]:
    if typing.get_origin(hint) is Literal:
        yield from typing.get_args(hint)
    elif typing.get_origin(hint) in (tuple, Annotated, typing.Union, types.UnionType):
        for argument in typing.get_args(hint):
            yield from _literals(argument)
