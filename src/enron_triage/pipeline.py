"""The table of contents: what each stage reads and writes, which settings decide its outcome, where its code is.

    triage run --config configs/demo.yaml
    triage status --config configs/demo.yaml

A stage is a function ``run(config) -> Result`` in the module that its row names. The row names it as a string, so that
nothing is imported before it is needed: the data stages and ``--help`` do without torch. To add a stage, write its
module and add its row; the command line, ``triage run``, ``triage status`` and the advice in errors follow from it.
"""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from enron_triage.config import paths
from enron_triage.config.schema import Config
from enron_triage.errors import ArtifactError
from enron_triage.runtime import provenance, ranks

logger = logging.getLogger(__name__)

# A file or folder: a pattern over the folders of the configuration, or a function that gives None where there is none.
Place = str | Callable[[Config], Path | None]
# A setting: a key of the configuration, or a function that gives None where it does not decide anything.
Setting = str | Callable[[Config], str | None]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table.

    Attributes
    ----------
    help : str
        What ``triage --help`` says of the stage.
    run : str
        Where its function is: ``module:function``.
    inputs, outputs : dict of str to Place
        What it reads and writes, by the names under which its code asks for them.
    settings : tuple of Setting
        The keys of the configuration that decide the outputs; those of a section are all of its keys.
    number : int, optional
        The number in the names of a training stage's files, such as ``stage_1.pt``.
    distributed : bool
        Whether ``torchrun`` may start it as several processes.
    stored : str, optional
        The function that reads the result of an earlier run, for ``triage run`` to show where the stage is up to date.
    """

    help: str
    run: str
    inputs: dict[str, Place]
    outputs: dict[str, Place]
    settings: tuple[Setting, ...]
    number: int | None = None
    distributed: bool = False
    stored: str | None = None


SPLITS: dict[str, Place] = {"train": "{data}/train.json", "val": "{data}/val.json", "test": "{data}/test.json"}
TRAINED_ON: dict[str, Place] = {"train": "{data}/train.json", "val": "{data}/val.json"}

STAGES: dict[str, Stage] = {
    "download": Stage(
        help="Fetch the raw archive (or write the demo corpus) and unpack it to data/maildir.",
        run="enron_triage.mail.download:run",
        inputs={"archive": paths.local_archive},
        outputs={"mail": "{data}/maildir"},
        settings=("download", lambda config: "seed" if config.download.source == "demo" else None),
    ),
    "parse": Stage(
        help="Parse raw mail to data/emails.json.",
        run="enron_triage.mail.parse:run",
        inputs={"mail": lambda config: config.mail},
        outputs={"emails": "{data}/emails.json", "errors": "{data}/parse_errors.json"},
        settings=("parse",),
    ),
    "label": Stage(
        help="Label each message with what its owner did: data/emails_labeled.json.",
        run="enron_triage.labels.label:run",
        inputs={"emails": "{data}/emails.json"},
        outputs={"labeled": "{data}/emails_labeled.json", "unacted": "{data}/emails_unacted.json"},
        settings=("label",),
    ),
    "split": Stage(
        help="Split the labelled messages into train, val and test.",
        run="enron_triage.labels.split:run",
        inputs={"labeled": "{data}/emails_labeled.json"},
        outputs={**SPLITS, "metadata": "{data}/split_metadata.json"},
        settings=(
            "split",
            "label.scheme",
            lambda config: "label.link_window" if config.split.by == "time" else None,
        ),
    ),
    "sft": Stage(
        help="Train the policy by supervised fine-tuning: checkpoints/best_sft.pt.",
        run="enron_triage.training.sft:run",
        number=1,
        inputs=TRAINED_ON,
        outputs={"last": "{checkpoints}/stage_1.pt", "best": "{checkpoints}/best_sft.pt"},
        settings=("sft", "model", "features", "decision", "rewards.costs", "label.scheme", "device"),
        distributed=True,
    ),
    "reward": Stage(
        help="Train a reward model on preference pairs: checkpoints/best_reward.pt.",
        run="enron_triage.training.reward:run",
        number=2,
        inputs={
            **TRAINED_ON,
            "init": lambda config: paths.named_checkpoint(config, config.reward_model.init),
            "preferences": lambda config: paths.preference_file(config.reward_model),
        },
        outputs={"last": "{checkpoints}/stage_2.pt", "best": "{checkpoints}/best_reward.pt"},
        settings=("reward_model", "rewards", "decision", "label.scheme", "device"),
        distributed=True,
    ),
    "dpo": Stage(
        help="Refine the policy by preference pairs: checkpoints/best_dpo.pt.",
        run="enron_triage.training.dpo:run",
        number=4,
        inputs={
            **TRAINED_ON,
            "init": lambda config: paths.named_checkpoint(config, config.dpo.init),
            "preferences": lambda config: paths.preference_file(config.dpo),
        },
        outputs={"last": "{checkpoints}/stage_4.pt", "best": "{checkpoints}/best_dpo.pt"},
        settings=("dpo", "rewards", "decision", "label.scheme", "device"),
        distributed=True,
    ),
    "grpo": Stage(
        help="Refine the policy by rewards: checkpoints/best_grpo.pt.",
        run="enron_triage.training.grpo:run",
        number=3,
        inputs={
            **TRAINED_ON,
            "init": lambda config: paths.named_checkpoint(config, config.grpo.init),
            "reward_model": paths.reward_model,
        },
        outputs={"last": "{checkpoints}/stage_3.pt", "best": "{checkpoints}/best_grpo.pt"},
        settings=("grpo", "rewards", "decision", "label.scheme", "label.reply_now_within", "device"),
        distributed=True,
    ),
    "evaluate": Stage(
        help="Evaluate a checkpoint on a split: data/eval/*.json.",
        run="enron_triage.evaluation.evaluate:run",
        stored="enron_triage.evaluation.evaluate:stored",
        inputs={
            "checkpoint": paths.evaluated_checkpoint,
            "records": paths.evaluated_records,
            "metadata": lambda config: config.data / "split_metadata.json" if paths.evaluated_split(config) else None,
            "unacted": lambda config: config.data / "emails_unacted.json" if paths.evaluated_split(config) else None,
        },
        outputs={
            "evaluation": paths.evaluation,
            "picture": lambda config: paths.evaluation(config).with_suffix(".png"),
        },
        settings=("evaluate.bootstrap", "decision.rule", "rewards.costs", "seed", "label.scheme", "device"),
    ),
}


class Result(msgspec.Struct, kw_only=True):
    """What a stage tells its caller.

    Attributes
    ----------
    stage : str
        The name of the stage.
    table : str
        For people: what ``triage <stage>`` prints.
    data : dict
        For programs: what ``--json`` prints.
    """

    stage: str
    table: str
    data: dict[str, Any]


class StageRun:
    """One stage under one configuration: its files, its settings, and whether it has been run.

    Parameters
    ----------
    name : str
        A key of `STAGES`.
    config : Config
        The whole configuration.
    """

    def __init__(self, name: str, config: Config) -> None:
        self.name = name
        self.config = config
        self.stage = STAGES[name]
        self.inputs = _places(self.stage.inputs, config)
        self.outputs = _places(self.stage.outputs, config)
        keys = (key(config) if callable(key) else key for key in self.stage.settings)
        self.settings = config.settings(key for key in keys if key is not None)

    def reasons_to_run(self) -> list[str]:
        """Why the outputs are not what this stage makes of these inputs and settings; empty if they are."""
        return provenance.differences(self.name, self.settings, self.inputs.values(), self.outputs.values())

    def is_up_to_date(self) -> bool:
        """Whether the outputs are what this stage makes of these inputs and settings."""
        return not self.reasons_to_run()

    @contextmanager
    def track(self) -> Iterator[dict[str, Any]]:
        """Run the block as the stage's work, then write the metadata beside each output.

        Yields a dictionary that the block fills with its counts. The inputs' states are taken before the work begins,
        so that a change in the meantime makes the outputs out of date. Warns, in the log, of an input that was made
        with other settings than the configuration's.

        Raises
        ------
        UsageError
            If an input is missing, or damaged.
        """
        for path in self.inputs.values():
            if not path.exists():
                raise advised(ArtifactError(path, "no such file or folder", remedy="{command} first"))
        started = time.perf_counter()
        states = provenance.input_states(self.inputs.values())
        for path in self.inputs.values():
            self._warn_of_other_settings(path, states[str(path)])
        counts: dict[str, Any] = {}
        try:
            yield counts
        except ArtifactError as error:
            raise advised(error) from None
        if ranks.rank() > 0:
            return
        provenance.write_meta(
            self.outputs.values(),
            stage=self.name,
            settings=self.settings,
            inputs=states,
            counts=counts,
            seconds=time.perf_counter() - started,
        )

    def _warn_of_other_settings(self, path: Path, state: provenance.FileState) -> None:
        meta = provenance.read_meta(path)
        maker = STAGES.get(meta.stage) if meta else None
        if meta is None or maker is None or maker.number is not None:  # a checkpoint brings its own settings along
            return
        if state.sha256 != meta.artifact.sha256:
            logger.warning("%s: edited since `triage %s` made it; run that again to undo it", path, meta.stage)
        changed = provenance.changed_settings(meta.settings, StageRun(meta.stage, self.config).settings)
        if changed:
            logger.warning(
                "%s: made with other settings than the configuration's (%s); run `triage %s` to make it again",
                path,
                "; ".join(changed[:3]),
                meta.stage,
            )


def run_stage(name: str, config: Config) -> Result:
    """Run one stage, whether it is up to date or not.

    Parameters
    ----------
    name : str
        A key of `STAGES`.
    config : Config
        The whole configuration.
    """
    result: Result = _function(STAGES[name].run)(config)
    return result


def run(config: Config) -> Result:
    """Run the stages of ``pipeline.stages`` in order, skipping those that are up to date.

    Parameters
    ----------
    config : Config
        The whole configuration.

    Raises
    ------
    TriageError
        Whatever a stage raises; the work of the stages before it is kept.
    """
    results: list[Result] = []
    for name in config.pipeline.stages:
        if StageRun(name, config).is_up_to_date():
            logger.info("%s: up to date", name)
            stored = STAGES[name].stored
            result = _function(stored)(config) if stored else None
            results.append(result or Result(stage=name, table=f"{name}: up to date", data={}))
        else:
            logger.info("%s: running", name)
            results.append(run_stage(name, config))
            if name != config.pipeline.stages[-1]:  # whose table is the result
                logger.info("%s", results[-1].table)
    done = {result.stage: result.data or "up to date" for result in results}
    return Result(stage="run", table=results[-1].table, data={"stages": done})


def status(config: Config) -> Result:
    """What `run` would do, stage by stage, and why; nothing is run.

    Parameters
    ----------
    config : Config
        The whole configuration.
    """
    stages: dict[str, Any] = {}
    lines: list[str] = []
    made_again: dict[Path, str] = {}  # by the stages before
    for name in config.pipeline.stages:
        stage = StageRun(name, config)
        after = sorted({made_again[path] for path in stage.inputs.values() if path in made_again})
        reasons = stage.reasons_to_run()
        if reasons:
            made_again |= dict.fromkeys(stage.outputs.values(), name)
        stages[name] = {"up_to_date": not reasons, "reasons": reasons, "after": after}
        unless = f", unless {', '.join(after)} changes its input" if after else ""
        lines += [f"{name}: would run"] if reasons else [f"{name}: up to date{unless}"]
        lines += [f"  {reason}" for reason in reasons]
    return Result(stage="status", table="\n".join(lines), data={"stages": stages})


def produced_by(path: Path) -> str | None:
    """The stage that makes an artifact of this name; None if no row of the table names it.

    Parameters
    ----------
    path : Path
        An artifact, in any folder.

    Examples
    --------
    >>> produced_by(Path("elsewhere/emails_labeled.json"))
    'label'
    """
    for name, stage in STAGES.items():
        if any(isinstance(place, str) and Path(place).name == path.name for place in stage.outputs.values()):
            return name
    return None


def advised(error: ArtifactError) -> ArtifactError:
    """The error with the command that makes its artifact, where a stage does.

    Parameters
    ----------
    error : ArtifactError
        What is wrong with which artifact.
    """
    maker = produced_by(error.path)
    return error if maker is None else error.with_command(f"run `triage {maker}`")


def _places(places: dict[str, Place], config: Config) -> dict[str, Path]:
    """The paths of a row's inputs or outputs, by name, without those that do not apply."""
    folders = {"data": config.data, "checkpoints": config.checkpoints}
    found = {
        name: place(config) if callable(place) else Path(place.format_map(folders)) for name, place in places.items()
    }
    return {name: path for name, path in found.items() if path is not None}


def _function(reference: str) -> Callable[[Config], Any]:
    """The function that a row names as ``module:function``."""
    module, _, name = reference.partition(":")
    function: Callable[[Config], Any] = getattr(importlib.import_module(module), name)
    return function
