"""One store: a folder of a mailbox, where it lies in a tree, and which files hold its messages."""

from __future__ import annotations

import msgspec


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """A place that holds the messages of one folder.

    Attributes
    ----------
    layout : str
        The name of the layout that knows how to read it.
    path : str
        The folder in the tree.
    place : tuple of str
        The components of the folder's path, without what mail programs append to the names.
    files : tuple of str
        The names of its files, where the layout does not list them later.
    is_alone : bool
        Whether it may as well be a mailbox of its own, as a Maildir or an mbox may be, if nothing tells that it belongs
        to the others beside it.
    """

    layout: str
    path: str
    place: tuple[str, ...]
    files: tuple[str, ...] = ()
    is_alone: bool = False
