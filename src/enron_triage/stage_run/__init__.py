"""One stage with one configuration: its files, its settings, and whether it has been run.

The table of the stages is in `pipeline`, which also gives a stage its `StageRun`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from enron_triage.config.paths import other_checkpoints
from enron_triage.config.schema import Config
from enron_triage.errors import ArtifactError, UsageError
from enron_triage.runtime import input_changes, provenance, ranks
from enron_triage.runtime.code_digest import module_digests
from enron_triage.runtime.locks import locked
from enron_triage.runtime.settings import changed_settings, replaced_settings
from enron_triage.runtime.together import finish_renames, finish_renames_in, held_together, is_unfinished
from enron_triage.stage_run.advice import advised
from enron_triage.stage_run.stage import Place, Result, Setting, Stage, places

__all__ = ["Place", "Result", "Setting", "Stage", "StageRun", "advised"]

logger = logging.getLogger(__name__)


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
        self.inputs = places(self.stage.inputs, config)
        self.outputs = places(self.stage.outputs, config)
        keys = (key(config) if callable(key) else key for key in self.stage.settings)
        self.settings = config.settings(key for key in keys if key is not None)

    @property
    def title(self) -> str:
        """The name of the stage; of an evaluation, also what is evaluated on what."""
        if self.name != "evaluate":
            return self.name
        named, split = self.config.evaluate.checkpoint, self.config.evaluate.split
        return f"evaluate {named if isinstance(named, str) else ' + '.join(named)} on {split}"

    @property
    def code(self) -> dict[str, str]:
        """The digests of the modules that decide the outputs."""
        module = self.stage.code(self.config) if self.stage.code else self.stage.run.partition(":")[0]
        return module_digests(module) if module is not None else {}

    @property
    def origin(self) -> str:
        """Where the mail comes from in the first place; empty if nothing tells."""
        metas = (provenance.read_meta(path) for path in self.inputs.values())
        known = next((meta.origin for meta in metas if meta and meta.origin), "")  # also of fetched mail that is named
        return known or (self.stage.origin(self.config) if self.stage.origin else None) or ""

    def reasons_to_run(self) -> list[str]:
        """Why the outputs are not what this stage makes of these inputs and settings; empty if they are."""
        inputs, outputs = self.inputs.values(), self.outputs.values()
        unfinished = [path for path in outputs if is_unfinished(path)]
        if unfinished:
            return [f"{path}: the program ended while this file was being replaced" for path in unfinished]
        return provenance.differences(self.name, self.settings, inputs, outputs, self.code)

    def finish_interrupted(self) -> None:
        """Put in place what an interrupted process has left whole of the inputs and outputs: see `together`."""
        for path in {*self.inputs.values(), *self.outputs.values()}:
            finish_renames(path)

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
            return f"exists already, and was not made by `triage {self.name}`"
        if meta is None and is_training and path.exists() and not any(path.parent.glob(f"{self.name}_epoch_*.pt")):
            return "exists already, and nothing shows that it was trained here"
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

        Yields a dictionary that the block fills with its counts. The outputs are put in place together, with their
        metadata, when the block ends. The inputs' states are taken before the work begins, and compared after it: see
        `input_changes`. Warns, in the log, of an input that was made with other settings than the configuration's.

        Raises
        ------
        UsageError
            If an input is missing, or damaged, or not of the same run as another; if an output must not be replaced;
            if another process is writing it.
        TriageError
            If an artifact changed while it was read.
        """
        if ranks.rank() == 0:
            self.finish_interrupted()
        for name, path in self.inputs.items():
            if not path.exists():
                raise self._missing(name, path)
        self.refuse_to_replace()
        with self._locked():
            self.refuse_to_replace()  # another process may have written in the meantime
            yield from self._tracked()

    def _missing(self, name: str, path: Path) -> UsageError:
        others = other_checkpoints(path, Path(self.config.checkpoint_dir)) if path.suffix == ".pt" else ""
        if others:
            return UsageError(f"{path}: no such file; {others}")
        otherwise = "give the right path"
        if name in ("preferences", "judgements"):
            otherwise += "; `triage annotate` writes such a file"
        missing = ArtifactError(path, "no such file or folder", remedy="{command} first", otherwise=otherwise)
        known = advised(missing, self.stages, but=self.name)
        return known if known is not missing else UsageError(str(missing))  # this stage itself is no advice

    @property
    def _lock(self) -> Path:
        usual = "{checkpoints}/.lock" if self.stage.number else "{data}/.lock"
        return places({"lock": self.stage.lock or usual}, self.config)["lock"]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the outputs, in rank 0."""
        if ranks.rank() > 0:
            yield
            return
        option = "--set run=NAME" if self.stage.number else "--data-dir DIR"
        with locked(self._lock, next(iter(self.outputs.values())), f"work in another folder ({option})"):
            finish_renames_in(self._lock)
            yield

    def _tracked(self) -> Iterator[dict[str, Any]]:
        started = time.perf_counter()
        inputs, code = self.inputs.values(), self.code
        states = provenance.input_states(inputs)
        try:
            input_changes.refuse_mixture(inputs, states)
            for path in inputs:
                self._warn_of_other_settings(path, states[str(path)])
            counts: dict[str, Any] = {}
            if ranks.rank() > 0:
                yield counts
                return
            outputs = list(self.outputs.values())
            with held_together([*outputs, *map(provenance.meta_path, outputs)], self._lock) as content:
                yield counts
                if self.stage.number is None:  # a training stage has read them long ago: see `run_training`
                    states = input_changes.after_reading(states)
                provenance.write_meta(
                    outputs,
                    stage=self.name,
                    settings=self.settings,
                    inputs=states,
                    counts=counts,
                    seconds=time.perf_counter() - started,
                    code=code,
                    origin=self.origin,
                    run=self.config.run or "",
                    content=content,
                )
        except ArtifactError as error:
            raise advised(error, self.stages) from error

    def _warn_of_other_settings(self, path: Path, state: provenance.FileState) -> None:
        meta = provenance.read_meta(path)
        maker = self.stages.get(meta.stage) if meta else None
        if meta is None or maker is None or maker.number is not None:  # a checkpoint brings its own settings along
            return
        if state.sha256 != meta.artifact.sha256:
            logger.warning("%s: edited since `triage %s` made it; run that again to undo the edit", path, meta.stage)
        makes = StageRun(meta.stage, self.config, self.stages)
        if path == self.config.mail and self.config.parse.source is not None:
            return  # mail that was named: what `triage download` would fetch does not matter
        changed = changed_settings(meta.settings, makes.settings)
        if changed:
            again = f"run `triage {meta.stage}` to make it again"
            logger.warning(
                "%s: made with other settings than the configuration's (%s); %s",
                path,
                "; ".join(changed[:3]),
                again if path in makes.outputs.values() else "give those settings, too, if that is not intended",
            )
