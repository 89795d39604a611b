"""Maildirs (https://cr.yp.to/proto/maildir.html): folders ``cur`` and ``new``, with a file for each message.

Mail programs part the levels of folders in their own ways: Maildir++ (Courier, dovecot) has ``.Folder.Sub`` beside
``cur``; others nest plain folders, or folders that begin with a dot (mbsync). Thunderbird's have no ``new``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from enron_triage.mail.sources.mbox import place
from enron_triage.mail.sources.store import Store
from enron_triage.mail.sources.tree import Listing, Tree

_PARTS = ("cur", "new", "tmp")
_FLAGS = re.compile(r"[:;!]2,[A-Za-z]*$")
_UNFINISHED = "an unfinished delivery in a Maildir's tmp"


def take(tree: Tree, path: str, listing: Listing) -> tuple[list[Store], Listing]:
    """Find the Maildir in a folder.

    Parameters
    ----------
    tree : Tree
        The tree.
    path : str
        The folder.
    listing : Listing
        What is in it.

    Returns
    -------
    stores : list of Store
        The Maildir, if it is one.
    rest : Listing
        What is left.
    """
    if "cur" not in listing.folders or not ({"new", "tmp"} & set(listing.folders) or _has_flags(tree, path)):
        return [], listing
    store = Store(layout="maildir", path=path, place=place(path.split("/") if path else []), is_alone=True)
    return [store], Listing(tuple(name for name in listing.folders if name not in _PARTS), listing.files)


def _has_flags(tree: Tree, path: str) -> bool:
    """Whether the files in ``cur`` are named as in a Maildir; an archive may lack the empty folders."""
    return any(map(_FLAGS.search, tree.listing(f"{path}/cur" if path else "cur").files))


def files(tree: Tree, store: Store) -> Iterator[tuple[str, str]]:
    """List the files of a Maildir.

    Parameters
    ----------
    tree : Tree
        The tree.
    store : Store
        The Maildir.

    Yields
    ------
    path : str
        A file.
    problem : str
        Why it must not be read: those in ``tmp`` are half delivered.
    """
    for part in filter(tree.listing(store.path).folders.__contains__, _PARTS):
        waiting = [f"{store.path}/{part}" if store.path else part]
        while waiting:
            folder = waiting.pop()
            listing = tree.listing(folder)
            waiting += [f"{folder}/{name}" for name in reversed(listing.folders)]
            for name in listing.files:
                yield f"{folder}/{name}", _UNFINISHED if part == "tmp" else ""
