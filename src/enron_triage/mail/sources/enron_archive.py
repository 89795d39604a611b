"""An Enron tree in a tar archive, read as a stream and never unpacked."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import msgspec

from enron_triage.errors import UsageError
from enron_triage.mail.archive import archived_files
from enron_triage.mail.message_ref import MAX_BYTES, TOO_LARGE, MessageRef, json_safe
from enron_triage.mail.sources.folders import warn_of_files
from enron_triage.runtime.artifacts import open_input


def mailboxes(path: Path) -> Iterator[tuple[str, Iterator[MessageRef]]]:
    """List the mailboxes of an archive, in its own order.

    Parameters
    ----------
    path : Path
        The tar archive.

    Yields
    ------
    user : str
        The name of a mailbox; one that is in several places of the archive comes as often.
    refs : iterator of MessageRef
        The messages that follow each other there, with their content.

    Raises
    ------
    UsageError
        If it holds Maildirs.
    TriageError
        If it is damaged or hostile; see `archived_files`.
    """
    yield from groupby(_messages(path), key=lambda ref: ref.path.partition("/")[0])


def _messages(archive: Path) -> Iterator[MessageRef]:
    """The messages of an archive as they stream by; warns of files next to the mailboxes."""
    other_files: list[Path] = []
    with open_input(archive) as stream:
        for name, content in archived_files(archive, stream):
            user, *parts = name.split("/")
            if user == "cur" or parts[:-1] == ["cur"]:
                raise UsageError(f"{archive}: holds Maildirs; unpack it with --set download.source={archive}")
            if not parts:
                other_files.append(Path(name))
                continue
            ref = MessageRef(json_safe(name), json_safe("/".join(parts[:-1])), "", content=content)
            # A worker would not read what is too large, so it is not sent there.
            yield ref if len(content) <= MAX_BYTES else msgspec.structs.replace(ref, content=b"", problem=TOO_LARGE)
    warn_of_files(archive, other_files, "a mailbox is a folder of its own")
