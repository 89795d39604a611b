"""The sources of a configuration before merging, for commands that add their own keys below them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from enron_triage.config.merging import Sources, read_sources
from enron_triage.config.schema import Config


class ConfigSources(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a command line that give its configuration, as they were given.

    Attributes
    ----------
    files : tuple of Path
        Of ``--config``; a later one wins.
    overrides : tuple of str
        Of ``--set``: ``key.path=value``.
    top_level : dict
        Of the options that are keys of their own, such as ``--data-dir``; None where one was not given.
    """

    files: tuple[Path, ...] = ()
    overrides: tuple[str, ...] = ()
    top_level: dict[str, Any] = {}

    def below(self, files: Sequence[Path], overrides: Sequence[str]) -> ConfigSources:
        """The same options over other ones.

        Parameters
        ----------
        files : sequence of Path
            They come before the files of ``--config``.
        overrides : sequence of str
            They win over every file, but not over ``--set``.
        """
        files, overrides = (*files, *self.files), (*overrides, *self.overrides)
        return msgspec.structs.replace(self, files=files, overrides=overrides)

    def read(self, *overrides: str) -> Sources:
        """What was given, every file read once.

        Parameters
        ----------
        *overrides
            Further ones, which win over those of ``--set``.
        """
        return read_sources(self.files, (*self.overrides, *overrides), **self.top_level)

    def load(self, *overrides: str) -> Config:
        """The checked configuration: see `load.load_config`.

        Parameters
        ----------
        *overrides
            Further ones, which win over those of ``--set``.
        """
        return self.read(*overrides).load()
