"""Where mail comes from: one module for each layout, and the table of layouts.

A source of mail is a tree of files: a folder, a file alone, or an archive (`open_tree`). To add a layout, write a
module with a function `take` that finds its stores in a folder of a tree (see `Layout`), and add its row to `SOURCES`.
The configuration accepts the row's name as ``parse.format``, and ``auto`` finds the stores of every layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from enron_triage.errors import UsageError
from enron_triage.mail.message_ref import MessageRef
from enron_triage.mail.sources import enron, files, maildir, mbox, stores
from enron_triage.mail.sources.opening import open_tree
from enron_triage.mail.sources.stores import Layout
from enron_triage.mail.sources.tree import Tree

__all__ = ["AUTO", "SOURCES", "Source", "Tree", "find_source", "open_tree"]

AUTO = "auto"


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One layout of mail, or several of them. Listing it reads no more of a message than tells that it is one.

    Attributes
    ----------
    matches : callable
        ``matches(tree) -> bool``: whether a tree has this layout as a whole, so that no other is looked for.
    mailboxes : callable
        ``mailboxes(tree) -> Iterator[tuple[str, Iterator[MessageRef]]]``: the name of each mailbox and its messages,
        by mailbox and then by path. Raises `UsageError` if the tree cannot be read in this layout.
    needs_grouping : callable
        ``needs_grouping(tree) -> bool``: whether the messages come in an order of their own, as those of an archive
        do, so that a mailbox may be listed in several pieces. The parse stage then sorts the records.
    layout : Layout or None
        How to find the stores of the layout among those of others, for one that can be mixed with others.
    in_file : bool
        Whether a file that is no archive may hold it.
    """

    matches: Callable[[Tree], bool]
    mailboxes: Callable[[Tree], Iterator[tuple[str, Iterator[MessageRef]]]]
    needs_grouping: Callable[[Tree], bool] = lambda tree: False
    layout: Layout | None = None
    in_file: bool = True


def _of_stores(layouts: dict[str, Layout], layout: Layout | None = None, *, in_file: bool = True) -> Source:
    return Source(
        matches=lambda tree: False,
        mailboxes=lambda tree: stores.mailboxes(tree, layouts),
        needs_grouping=lambda tree: tree.is_streamed,
        layout=layout,
        in_file=in_file,
    )


def _store_layout(name: str, layout: Layout, *, in_file: bool = True) -> Source:
    return _of_stores({name: layout}, layout, in_file=in_file)


# From the most general layout to the most special one: of a file that several claim, the last of them gets it.
SOURCES: dict[str, Source] = {
    "files": _store_layout("files", Layout(take=files.take, files=stores.listed)),
    "mbox": _store_layout("mbox", Layout(take=mbox.take, files=stores.listed, cut=mbox.cut)),
    "maildir": _store_layout("maildir", Layout(take=maildir.take, files=maildir.files), in_file=False),
    "enron": Source(
        matches=enron.matches, mailboxes=enron.mailboxes, needs_grouping=enron.needs_grouping, in_file=False
    ),
}


def find_source(tree: Tree, name: str = AUTO) -> tuple[str, Source]:
    """The layout in which a corpus is read.

    Parameters
    ----------
    tree : Tree
        The files.
    name : str
        A key of `SOURCES`, or ``auto`` to tell the layout by the files.

    Returns
    -------
    name : str
        The key of `SOURCES`, or several of them, joined by ``+``, where a tree mixes layouts.
    source : Source
        Its row, or one that reads all of them.

    Raises
    ------
    UsageError
        If the tree cannot be listed, or is a file that cannot hold the layout.
    """
    if name != AUTO:
        if tree.is_file and not SOURCES[name].in_file:
            raise UsageError(
                f"{tree.path}: is a file, but a folder is expected; set parse.format=mbox if it is an mbox"
            )
        return name, SOURCES[name]
    whole = next((name for name in reversed(SOURCES) if SOURCES[name].matches(tree)), None)
    if whole is not None:
        return whole, SOURCES[whole]
    layouts = {name: source.layout for name, source in reversed(SOURCES.items()) if source.layout is not None}
    found = {store.layout for store in stores.find_stores(tree, layouts)}
    return "+".join(name for name in SOURCES if name in found) or next(iter(SOURCES)), _of_stores(layouts)
