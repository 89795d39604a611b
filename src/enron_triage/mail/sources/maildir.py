"""Maildirs, each a mailbox, with their Maildir++ subfolders (https://cr.yp.to/proto/maildir.html)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from enron_triage.mail.message_ref import MessageRef
from enron_triage.mail.sources.folders import list_folder, list_messages, warn_of_files

_UNFINISHED = "an unfinished delivery in a Maildir's tmp"


def is_maildir(path: Path) -> bool:
    """Whether a folder is a Maildir: it holds the folders ``cur`` and ``new``.

    Parameters
    ----------
    path : Path
        A folder, or anything else, which is not a Maildir.

    Returns
    -------
    bool
        True for a Maildir.
    """
    return (path / "cur").is_dir() and (path / "new").is_dir()


def matches(path: Path) -> bool:
    """Whether a path is a Maildir, or a folder that holds one.

    Parameters
    ----------
    path : Path
        A folder or file of mail.

    Returns
    -------
    bool
        True for Maildirs.

    Raises
    ------
    UsageError
        If the folder cannot be listed.
    """
    return path.is_dir() and (is_maildir(path) or any(map(is_maildir, list_folder(path)[0])))


def mailboxes(path: Path) -> Iterator[tuple[str, Iterator[MessageRef]]]:
    """List one Maildir, or each of a folder's. Warns, in the log, of mbox files next to them, which are not read.

    Parameters
    ----------
    path : Path
        A Maildir, or a folder of Maildirs; its other folders are passed over.

    Yields
    ------
    user : str
        The name of a Maildir's folder.
    refs : iterator of MessageRef
        Its messages, folder by folder.

    Raises
    ------
    UsageError
        If it is a file, or cannot be listed.
    """
    folders, files = list_folder(path)
    warn_of_files(path, [file for file in files if file.suffix == ".mbox"], "parse.format=mbox reads them")
    for root in [path] if is_maildir(path) else filter(is_maildir, folders):
        yield root.resolve().name, list_maildir(root)  # resolve() gives "." and ".." their names


def list_maildir(root: Path) -> Iterator[MessageRef]:
    """List one Maildir and its subfolders (``.Folder.Sub``, or ``.INBOX.Folder.Sub``).

    Parameters
    ----------
    root : Path
        The Maildir.

    Yields
    ------
    MessageRef
        One for each file in ``cur``, ``new`` and ``tmp``. Those in ``tmp`` are half delivered, so their references
        say that they must not be read.

    Raises
    ------
    UsageError
        If it cannot be listed.
    """
    name = root.resolve().name
    boxes = [("", root)] + [
        (child.name[1:].removeprefix("INBOX.").replace(".", "/"), child)
        for child in list_folder(root)[0]
        if child.name.startswith(".") and is_maildir(child)
    ]
    for folder, box in boxes:
        for part in ("cur", "new", "tmp"):
            if (box / part).is_dir():
                path = (Path(name) / box.relative_to(root) / part).as_posix()
                for ref in list_messages(box / part, path, folder):
                    if part == "tmp":
                        ref.problem = _UNFINISHED
                    yield ref
