"""The Enron layout: ``<owner>/<folder>/<file>``, a file for each message; as a folder, or in a tar archive."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from enron_triage.mail.message_ref import MessageRef
from enron_triage.mail.sources import enron_archive
from enron_triage.mail.sources.folders import list_folder, list_messages, warn_of_files
from enron_triage.mail.sources.names import is_role
from enron_triage.mail.sources.tree import Tree

_TOP = "maildir"  # the folder that the CMU archive packs its mailboxes in
_MESSAGE = re.compile(r"\d+\.")  # how the messages of this corpus are named, and no others
_PEEKED = 20  # files of an archive


def matches(tree: Tree) -> bool:
    """Whether a folder or tar archive is a corpus of this layout: its first files are named ``1.`` and so on.

    Parameters
    ----------
    tree : Tree
        The files.

    Returns
    -------
    bool
        True if the top folders are mailboxes; not for one mailbox alone, whose top folders are an inbox and so on.
    """
    for path in islice(_first_files(tree), _PEEKED):
        *folders, file = path.removeprefix(f"{_TOP}/").split("/")
        if _MESSAGE.fullmatch(file) and folders:
            return tree.is_streamed or not any(map(is_role, tree.listing("").folders))
    return False


def needs_grouping(tree: Tree) -> bool:
    """Whether the messages come in an order of their own.

    Parameters
    ----------
    tree : Tree
        A folder, or a tar archive.

    Returns
    -------
    bool
        True for an archive, whose files are not sorted.
    """
    return tree.is_streamed


def mailboxes(tree: Tree) -> Iterator[tuple[str, Iterator[MessageRef]]]:
    """List the mailboxes: the folders at the top. Warns, in the log, of files next to them, which are not read.

    Parameters
    ----------
    tree : Tree
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
    if tree.is_streamed:
        yield from enron_archive.mailboxes(tree.path)
        return
    folders, files = list_folder(tree.path)
    warn_of_files(tree.path, files, "a mailbox is a folder of its own")
    for file in files:
        tree.unread.add(file.name)
    for folder in folders:
        yield folder.name, list_messages(folder, folder.name)


def _first_files(tree: Tree) -> Iterator[str]:
    """The first file below each folder of the top, or the first files of an archive."""
    if tree.is_streamed:
        yield from (path for path, _ in tree.stream())
        return
    for top in tree.listing("").folders:
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            listing = tree.listing(folder)
            if listing.files:
                yield f"{folder}/{listing.files[0]}"
                break
            waiting += [f"{folder}/{name}" for name in reversed(listing.folders)]
