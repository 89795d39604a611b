"""One stage under one configuration: its files, its settings, and whether it has been run.

The table of the stages is in `pipeline`, which also gives a stage its `StageRun`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from enron_triage.config.paths import other_checkpoints
from enron_triage.config.schema import Config
from enron_triage.errors import ArtifactError, UsageError
from enron_triage.runtime import provenance, ranks
from enron_triage.runtime.code_digest import module_digests
from enron_triage.runtime.locks import locked
from enron_triage.runtime.settings import changed_settings, replaced_settings

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
    lock : Place, optional
        The lock that a process holds while it writes the outputs; by default that of the folder of the run for a
        training stage, that of the data's folder for another one.
    number : int, optional
        The number in the names of a training stage's files, such as ``stage_1.pt``.
    policy : bool
        Whether the stage makes a policy, which ``triage run`` evaluates.
    origin : callable, optional
        Where the mail comes from that the stage reads, by the configuration; None where the inputs tell. Artifacts
        that were made from other mail are not replaced without ``overwrite``.
    code : callable, optional
        The module whose code, with that below it, decides the outputs; None if no code does. By default, that of `run`.
    distributed : bool
        Whether ``torchrun`` may start it as several processes.
    stored : str, optional
        The function that reads the result of an earlier run, for ``triage run`` to show where the stage is up to date.
    example : str
        A call, for the help of the command.
    """

    help: str
    run: str
    inputs: dict[str, Place]
    outputs: dict[str, Place]
    settings: tuple[Setting, ...]
    lock: Place | None = None
    number: int | None = None
    policy: bool = False
    origin: Callable[[Config], str | None] | None = None
    code: Callable[[Config], str | None] | None = None
    distributed: bool = False
    stored: str | None = None
    example: str = ""


class Result(msgspec.Struct, kw_only=True):
    """What a stage tells its caller.

    Attributes
    ----------
    stage : str
        The name of the stage.
    table : str
        For people: what ``triage <stage>`` prints.
    problem : str
        What went wrong although there is a result, in one line: it is printed after it, and the exit status is 1.
    verbatim : bool
        Whether `table` is the text of a file, such as YAML, which is printed as it is on a terminal, too.
    data : dict
        For programs: what ``--json`` prints.
    """

    stage: str
    table: str
    data: dict[str, Any]
    problem: str = ""
    verbatim: bool = False


class StageRun:
    """One stage under one configuration: its files, its settings, and whether it has been run.

    Parameters
    ----------
    name : str
        The name of the stage.
    config : Config
        The whole configuration.
    stages : mapping of str to Stage
        The table of the stages, which also tells what other stages make.
    """

    def __init__(self, name: str, config: Config, stages: Mapping[str, Stage]) -> None:
        self.name = name
        self.config = config
        self.stages = stages
        self.stage = stages[name]
        self.inputs = _places(self.stage.inputs, config)
        self.outputs = _places(self.stage.outputs, config)
        keys = (key(config) if callable(key) else key for key in self.stage.settings)
        self.settings = config.settings(key for key in keys if key is not None)

    @property
    def title(self) -> str:
        """The name of the stage; of an evaluation, also what is evaluated on what."""
        evaluated = self.config.evaluate
        return f"evaluate {evaluated.checkpoint} on {evaluated.split}" if self.name == "evaluate" else self.name

    @property
    def code(self) -> dict[str, str]:
        """The digests of the modules that decide the outputs."""
        module = self.stage.code(self.config) if self.stage.code else self.stage.run.partition(":")[0]
        return module_digests(module) if module is not None else {}

    @property
    def origin(self) -> str:
        """Where the mail comes from in the first place; empty if nothing tells."""
        named = self.stage.origin(self.config) if self.stage.origin else None
        metas = (provenance.read_meta(path) for path in self.inputs.values())
        return named or next((meta.origin for meta in metas if meta and meta.origin), "")

    def reasons_to_run(self) -> list[str]:
        """Why the outputs are not what this stage makes of these inputs and settings; empty if they are."""
        inputs, outputs = self.inputs.values(), self.outputs.values()
        return provenance.differences(self.name, self.settings, inputs, outputs, self.code)

    def is_up_to_date(self) -> bool:
        """Whether the outputs are what this stage makes of these inputs and settings."""
        return not self.reasons_to_run()

    def refuse_to_replace(self) -> None:
        """Refuse to replace what somebody may still want, unless the configuration says ``overwrite``.

        That is mail, and records, from another source; a policy that was trained with other settings or on other mail;
        and mail that the program has not fetched.

        Raises
        ------
        UsageError
            If an output is one of these; the message says how to keep both.
        """
        if self.config.overwrite:
            return
        for path in self.outputs.values():
            reason = self._reason_to_keep(path)
            if reason is not None:
                keep = "--set run=NAME" if self.stage.number else "--data-dir DIR"
                raise UsageError(f"{path}: {reason}; keep both with {keep}, or replace it with --overwrite")

    def _reason_to_keep(self, path: Path) -> str | None:
        meta, is_training = provenance.read_meta(path), self.stage.number is not None
        if meta is None and path.is_dir() and any(path.iterdir()):
            return f"is there already, and `triage {self.name}` did not make it"
        if meta is None and is_training and path.exists() and not any(path.parent.glob(f"{self.name}_epoch_*.pt")):
            return "is there already, and nothing tells that it was trained here"
        if meta is None or meta.stage != self.name or not path.exists():
            return None
        if (is_training or self.stage.origin) and not provenance.is_same_origin(meta.origin, self.origin):
            return f"made from {meta.origin}, not from {self.origin}"
        if not is_training:
            return None
        can_extend = any(path.parent.glob(f"{self.name}_epoch_*.pt"))
        changed = replaced_settings(meta.settings, self.settings, can_extend=can_extend)
        return f"trained with other settings ({'; '.join(changed[:3])})" if changed else None

    @contextmanager
    def track(self) -> Iterator[dict[str, Any]]:
        """Run the block as the stage's work, then write the metadata beside each output.

        Yields a dictionary that the block fills with its counts. The inputs' states are taken before the work begins,
        so that a change in the meantime makes the outputs out of date. Warns, in the log, of an input that was made
        with other settings than the configuration's.

        Raises
        ------
        UsageError
            If an input is missing, or damaged; if an output must not be replaced; if another process is writing it.
        """
        for path in self.inputs.values():
            if not path.exists():
                raise self._missing(path)
        self.refuse_to_replace()
        with self._locked():
            self.refuse_to_replace()  # another process may have written in the meantime
            yield from self._tracked()

    def _missing(self, path: Path) -> UsageError:
        others = other_checkpoints(path, Path(self.config.checkpoint_dir)) if path.suffix == ".pt" else ""
        if others:
            return UsageError(f"{path}: no such file; {others}")
        missing = ArtifactError(path, "no such file or folder", remedy="{command} first")
        return advised(missing, self.stages, but=self.name)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the outputs, in rank 0."""
        if ranks.rank() > 0:
            yield
            return
        usual = "{checkpoints}/.lock" if self.stage.number else "{data}/.lock"
        lock = _places({"lock": self.stage.lock or usual}, self.config)["lock"]
        option = "--set run=NAME" if self.stage.number else "--data-dir DIR"
        with locked(lock, next(iter(self.outputs.values())), f"work in another folder ({option})"):
            yield

    def _tracked(self) -> Iterator[dict[str, Any]]:
        started = time.perf_counter()
        states, code = provenance.input_states(self.inputs.values()), self.code
        for path in self.inputs.values():
            self._warn_of_other_settings(path, states[str(path)])
        counts: dict[str, Any] = {}
        try:
            yield counts
        except ArtifactError as error:
            raise advised(error, self.stages) from error
        if ranks.rank() > 0:
            return
        provenance.write_meta(
            self.outputs.values(),
            stage=self.name,
            settings=self.settings,
            inputs=states,
            counts=counts,
            seconds=time.perf_counter() - started,
            code=code,
            origin=self.origin,
            run=self.config.run or "",
        )

    def _warn_of_other_settings(self, path: Path, state: provenance.FileState) -> None:
        meta = provenance.read_meta(path)
        maker = self.stages.get(meta.stage) if meta else None
        if meta is None or maker is None or maker.number is not None:  # a checkpoint brings its own settings along
            return
        if state.sha256 != meta.artifact.sha256:
            logger.warning("%s: edited since `triage %s` made it; run that again to undo it", path, meta.stage)
        changed = changed_settings(meta.settings, StageRun(meta.stage, self.config, self.stages).settings)
        if changed:
            logger.warning(
                "%s: made with other settings than the configuration's (%s); run `triage %s` to make it again",
                path,
                "; ".join(changed[:3]),
                meta.stage,
            )


def advised(error: ArtifactError, stages: Mapping[str, Stage], but: str = "") -> ArtifactError:
    """The error with the command that makes its artifact, where a stage does.

    Parameters
    ----------
    error : ArtifactError
        What is wrong with which artifact.
    stages : mapping of str to Stage
        The table of the stages.
    but : str
        A stage that cannot make it: the one that needs it.
    """
    for name, stage in stages.items():
        if name != but and any(
            isinstance(place, str) and Path(place).name == error.path.name for place in stage.outputs.values()
        ):
            return error.with_command(f"run `triage {name}`")
    return error


def _places(places: dict[str, Place], config: Config) -> dict[str, Path]:
    """The paths of a row's inputs or outputs, by name, without those that do not apply."""
    folders = {"data": config.data, "checkpoints": config.checkpoints}
    found = {
        name: place(config) if callable(place) else Path(place.format_map(folders)) for name, place in places.items()
    }
    return {name: path for name, path in found.items() if path is not None}
