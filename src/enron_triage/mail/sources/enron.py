"""The Enron layout: ``<owner>/<folder>/<file>``, a file for each message; as a folder, or in a tar archive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from enron_triage.mail.archive import is_archive
from enron_triage.mail.message_ref import MessageRef
from enron_triage.mail.sources import enron_archive
from enron_triage.mail.sources.folders import list_folder, list_messages, warn_of_files


def matches(path: Path) -> bool:
    """Whether a path is a folder or a tar archive.

    Parameters
    ----------
    path : Path
        A folder or file of mail.

    Returns
    -------
    bool
        True for any folder: the other layouts of folders are special cases of it.
    """
    return path.is_dir() or is_archive(path)


def needs_grouping(path: Path) -> bool:
    """Whether the messages come in an order of their own.

    Parameters
    ----------
    path : Path
        A folder, or a tar archive.

    Returns
    -------
    bool
        True for an archive, whose files are not sorted.
    """
    return is_archive(path)


def mailboxes(path: Path) -> Iterator[tuple[str, Iterator[MessageRef]]]:
    """List the mailboxes: the folders at the top. Warns, in the log, of files next to them, which are not read.

    Parameters
    ----------
    path : Path
        The folder of mailboxes, or a tar archive of it.

    Yields
    ------
    user : str
        The name of a mailbox.
    refs : iterator of MessageRef
        Every file in it.

    Raises
    ------
    UsageError
        If it is another file, or cannot be listed.
    """
    if is_archive(path):
        yield from enron_archive.mailboxes(path)
        return
    folders, files = list_folder(path)
    warn_of_files(path, files, "a mailbox is a folder of its own")
    for folder in folders:
        yield folder.name, list_messages(folder, folder.name)
