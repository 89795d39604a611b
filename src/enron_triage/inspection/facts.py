"""The facts about a checkpoint file, for any output format."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from enron_triage.config.nested import changed, flatten, merge
from enron_triage.config.schema import Config
from enron_triage.labels.sample_size import sample_note
from enron_triage.labels.schemes import SCHEMES
from enron_triage.policy.checkpoint import Checkpoint, load_checkpoint
from enron_triage.policy.origin import Origin, section_of, stage_settings
from enron_triage.runtime.file_states import file_state


class Facts(msgspec.Struct, kw_only=True):
    """A checkpoint with what its file tells.

    Attributes
    ----------
    path : Path
        The file.
    sha256 : str
        The SHA-256 of its content.
    size : int
        Its bytes.
    checkpoint : Checkpoint
        Its content.
    """

    path: Path
    sha256: str
    size: int
    checkpoint: Checkpoint

    @classmethod
    def of(cls, path: Path) -> Facts:
        """Read a checkpoint.

        Parameters
        ----------
        path : Path
            The file.

        Raises
        ------
        UsageError
            If it is missing, damaged, or of another version of the program.
        """
        checkpoint = load_checkpoint(path)
        return cls(path=path, sha256=file_state(path).sha256, size=os.path.getsize(path), checkpoint=checkpoint)

    @property
    def origin(self) -> Origin:
        """How it was made."""
        return self.checkpoint.origin

    @property
    def parameters(self) -> int:
        """How many numbers its weights hold."""
        return sum(tensor.numel() for tensor in self.checkpoint.weights.values())

    @property
    def epochs(self) -> int | None:
        """How many epochs the training was to have; None where that is not known."""
        if not self.origin.stage:
            return None
        epochs: int = self.origin.config[section_of(self.origin.stage)]["epochs"]
        return epochs

    @property
    def differing(self) -> dict[str, Any]:
        """The settings of the data and the training that differ from the defaults, by their dotted paths."""
        if not self.origin.stage:
            return {}
        return flatten(differing_settings([*self.origin.data_stages, self.origin.stage], self.origin.config))

    @property
    def notes(self) -> list[str]:
        """What to keep in mind of its figures: labels that leak, small samples, a collapse."""
        notes = [SCHEMES[self.checkpoint.scheme].leak_note or ""]
        validation = self.origin.data.get("val")
        if validation is not None and validation.messages is not None:
            notes.append(sample_note(validation.messages) or "")
        if self.checkpoint.metrics is not None and self.checkpoint.metrics.validation.collapsed:
            notes.append("The policy has collapsed: nearly all its decisions are one action.")
        return list(filter(None, notes))


def settings_of_stages(stages: Sequence[str], values: dict[str, Any]) -> dict[str, Any]:
    """The settings that decide what some stages make, as nested plain values.

    Parameters
    ----------
    stages : sequence of str
        Their names.
    values : dict
        A configuration as nested plain values; what it lacks has its default.

    Raises
    ------
    UsageError
        If this version of the program does not know a stage or a setting.
    """
    settings: dict[str, Any] = {}
    for stage in stages:
        merge(settings, stage_settings(stage, values))
    return settings


def differing_settings(stages: Sequence[str], values: dict[str, Any]) -> dict[str, Any]:
    """The settings of some stages that differ from the defaults, nested, in the order of the configuration.

    Parameters
    ----------
    stages : sequence of str
        The names of the stages.
    values : dict
        A configuration as nested plain values.

    Raises
    ------
    UsageError
        If this version of the program does not know a stage or a setting.
    """
    found = changed(settings_of_stages(stages, values), settings_of_stages(stages, {}))
    return _in_order(found, Config().settings(Config.__struct_fields__))


def wrapped(text: str, indent: str, width: int = 80) -> list[str]:
    """A text in lines of a terminal.

    Parameters
    ----------
    text : str
        One paragraph; a word that is longer than a line stays whole.
    indent : str
        What the lines after the first begin with.
    width : int
        The longest line.
    """
    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _in_order(values: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    ordered = {key: values[key] for key in like if key in values} | values
    return {
        key: _in_order(value, like[key]) if isinstance(value, dict) and isinstance(like.get(key), dict) else value
        for key, value in ordered.items()
    }
