"""Listing folders of message files, for the layouts that keep each message in a file of its own."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from enron_triage.errors import UsageError, cause_of
from enron_triage.mail.message_ref import MessageRef, json_safe

logger = logging.getLogger(__name__)

_MAX_NAMED = 3  # files in a warning


def list_folder(path: Path) -> tuple[list[Path], list[Path]]:
    """List a folder without following links.

    Parameters
    ----------
    path : Path
        The folder.

    Returns
    -------
    folders : list of Path
        The folders in it, by name.
    files : list of Path
        The files, links and devices in it, by name.

    Raises
    ------
    UsageError
        If it is a file, or cannot be listed.
    """
    if path.is_file():
        raise UsageError(f"{path}: is a file, but a folder is expected; set parse.format=mbox if it is an mbox")
    try:
        children = sorted(path.iterdir())
        folders = [child for child in children if child.is_dir() and not child.is_symlink()]
    except OSError as error:
        raise UsageError(f"{path}: cannot be listed: {cause_of(error)}") from None
    return folders, sorted(set(children) - set(folders))


def list_messages(root: Path, path: str, folder: str = "") -> Iterator[MessageRef]:
    """List every file below a folder, in the order of their paths; a link or a device is listed, not followed.

    Parameters
    ----------
    root : Path
        The folder on the disk.
    path : str
        The path of `root` in the records.
    folder : str
        The mail folder of the files in `root`; those of its folders are added to it.

    Yields
    ------
    MessageRef
        One for each file.

    Raises
    ------
    OSError
        If a folder cannot be listed.
    """
    # A stack, as folders may be nested deeper than Python's recursion limit.
    waiting = _entries(root, path, folder)
    while waiting:
        entry, path, folder = waiting.pop()
        path = f"{path}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            waiting += _entries(entry, path, f"{folder}/{entry.name}" if folder else entry.name)
        else:
            yield MessageRef(json_safe(path), json_safe(folder), entry.path)


def warn_of_files(root: Path, files: list[Path], advice: str) -> None:
    """Warn, in the log, of files between the mailboxes, which are not read; says nothing if there are none.

    Parameters
    ----------
    root : Path
        The corpus, to begin the message with.
    files : list of Path
        The files; the first few are named and the rest counted.
    advice : str
        What the user can do about them.
    """
    if files:
        names = ", ".join([json_safe(file.name) for file in files[:_MAX_NAMED]] + ["..."] * (len(files) > _MAX_NAMED))
        logger.warning("%s: files next to the mailboxes are not read: %d (%s); %s", root, len(files), names, advice)


def _entries(root: Path | os.DirEntry[str], path: str, folder: str) -> list[tuple[os.DirEntry[str], str, str]]:
    """The entries of a folder in reverse order, each with the folder's path and name in the records."""
    with os.scandir(root) as entries:
        return [(entry, path, folder) for entry in sorted(entries, key=lambda entry: entry.name, reverse=True)]
