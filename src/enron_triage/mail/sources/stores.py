"""Stores: the places in a tree that contain messages, found by the layouts and combined into mailboxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby

import msgspec

from enron_triage.errors import TriageError
from enron_triage.mail.message_ref import MAX_BYTES, MessageRef, json_safe
from enron_triage.mail.sources import grouping
from enron_triage.mail.sources.expanding import DAMAGED, expanded
from enron_triage.mail.sources.store import Store
from enron_triage.mail.sources.tree import Listing, Tree, held_message

_MAX_FOLDERS = 1_000_000  # of one tree


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """A way to store the messages of a folder.

    Attributes
    ----------
    take : callable
        ``take(tree, path, listing) -> (stores, rest)``: the stores in one folder of a tree, and what is left of it.
    files : callable
        ``files(tree, store) -> Iterator[(path, problem)]``: the files of a store, and why one must not be read.
    cut : callable or None
        ``cut(stream, record_path, folder, file) -> Iterator[MessageRef]``: the messages of a file that holds several.
    """

    take: Callable[[Tree, str, Listing], tuple[list[Store], Listing]]
    files: Callable[[Tree, Store], Iterator[tuple[str, str]]]
    cut: Callable[..., Iterator[MessageRef]] | None = None


def listed(tree: Tree, store: Store) -> Iterator[tuple[str, str]]:
    """The files that a store names; the usual `Layout.files`.

    Parameters
    ----------
    tree : Tree
        The tree.
    store : Store
        The store.

    Yields
    ------
    path : str
        A file.
    problem : str
        Nothing.
    """
    for file in store.files:
        yield f"{store.path}/{file}" if store.path else file, ""


def find_stores(tree: Tree, layouts: Mapping[str, Layout]) -> list[Store]:
    """Find every store of a tree; the files that are in none are counted in `Tree.unread`.

    Parameters
    ----------
    tree : Tree
        The tree.
    layouts : dict of str to Layout
        What to look for. Where several claim a file, the first of them gets it.

    Returns
    -------
    list of Store
        In the order of their paths.

    Raises
    ------
    UsageError
        If the tree cannot be listed.
    """
    if tuple(layouts) not in tree.found:
        tree.found[tuple(layouts)] = _search(tree, layouts)
    return tree.found[tuple(layouts)]


def _search(tree: Tree, layouts: Mapping[str, Layout]) -> list[Store]:
    found: list[Store] = []
    waiting = [""]
    seen = 0
    while waiting:
        path = waiting.pop()
        listing = tree.listing(path)
        seen += 1
        if seen > _MAX_FOLDERS:
            raise TriageError(f"{tree.path}: holds more than {_MAX_FOLDERS:,} folders; name the one with the mail")
        for layout in layouts.values():
            stores, listing = layout.take(tree, path, listing)
            found += stores
        for file in listing.files:
            tree.unread.add(file, tree.kind(f"{path}/{file}" if path else file))
        waiting += [f"{path}/{name}" if path else name for name in reversed(listing.folders)]
    return found


def mailboxes(tree: Tree, layouts: Mapping[str, Layout]) -> Iterator[tuple[str, Iterator[MessageRef]]]:
    """List the mailboxes of a tree; counts their messages by folder in `Tree.folders`.

    Parameters
    ----------
    tree : Tree
        The tree.
    layouts : dict of str to Layout
        The layouts to read.

    Yields
    ------
    user : str
        The name of a mailbox. Of an archive that is read as it streams by, one comes as often as it is in its order.
    refs : iterator of MessageRef
        Its messages.

    Raises
    ------
    UsageError
        If the tree cannot be read.
    TriageError
        If it is damaged or hostile.
    """
    found = grouping.group(tree, find_stores(tree, layouts))
    if tree.is_streamed:
        for user, pairs in groupby(_streamed(tree, layouts, found), key=lambda pair: pair[0]):
            yield user, _counted(tree, user, (ref for _, ref in pairs))
        return
    for mailbox in found:
        refs = (ref for folder in mailbox.folders for ref in _read(tree, layouts[folder.store.layout], mailbox, folder))
        yield mailbox.user, _counted(tree, mailbox.user, refs)


def _read(tree: Tree, layout: Layout, mailbox: grouping.Mailbox, folder: grouping.Folder) -> Iterator[MessageRef]:
    """The messages of one store."""
    name = json_safe(folder.name)
    for path, problem in layout.files(tree, folder.store):
        record_path = json_safe(mailbox.record_path(path))
        if layout.cut:
            with tree.read(path) as content:
                file = "" if tree.is_compressed(path) else tree.disk_file(path)
                yield from layout.cut(content, record_path, name, file)
        elif problem:
            yield MessageRef(record_path, name, tree.disk_file(path), problem=problem)
        else:
            yield tree.message(path, record_path, name)


def _streamed(
    tree: Tree, layouts: Mapping[str, Layout], found: list[grouping.Mailbox]
) -> Iterator[tuple[str, MessageRef]]:
    """The messages of a streamed archive, in its own order, each with the name of its mailbox."""
    wanted = {
        path: (mailbox, folder, problem)
        for mailbox in found
        for folder in mailbox.folders
        for path, problem in layouts[folder.store.layout].files(tree, folder.store)
    }
    for path, stored in tree.stream():
        mailbox, folder, problem = wanted.get(path, (None, None, ""))
        if mailbox is None or folder is None:
            continue
        layout, record_path = layouts[folder.store.layout], json_safe(mailbox.record_path(path))
        name = json_safe(folder.name)
        try:
            with expanded(stored, f"{tree.path}/{path}") as content:
                if problem:
                    yield mailbox.user, MessageRef(record_path, name, "", problem=problem)
                elif layout.cut:
                    for ref in layout.cut(content, record_path, name):
                        yield mailbox.user, ref
                else:
                    yield mailbox.user, held_message(content.read(MAX_BYTES + 1), record_path, name)
        except (*DAMAGED, OSError) as error:
            raise TriageError(f"{tree.path}/{path}: truncated or damaged ({type(error).__name__})") from None


def _counted(tree: Tree, user: str, refs: Iterator[MessageRef]) -> Iterator[MessageRef]:
    counts = tree.folders.setdefault(user, Counter())
    for ref in refs:
        counts[ref.folder] += 1
        yield ref
