"""Which stores of a tree are the folders of one mailbox.

A folder that every mailbox has, such as one of sent mail, tells that the folders beside it belong to the same one.
Where no name is known, folders of message files are one mailbox, and Maildirs and mbox files are one each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from enron_triage.mail.sources.names import is_container, is_role, server_path
from enron_triage.mail.sources.store import Store
from enron_triage.mail.sources.tree import Tree

_INBOX = "INBOX"


class Folder(msgspec.Struct, frozen=True):
    """A store with the name of its folder in the mailbox.

    Attributes
    ----------
    store : Store
        The store.
    name : str
        The folder's path in the mailbox, joined by ``/``; empty at its top.
    """

    store: Store
    name: str


class Mailbox(msgspec.Struct):
    """The folders of one mailbox.

    Attributes
    ----------
    user : str
        Its name.
    prefix : str
        What the paths of its records begin with; empty, or the name of the tree.
    folders : list of Folder
        In the order of their paths.
    """

    user: str
    prefix: str
    folders: list[Folder]

    def record_path(self, path: str) -> str:
        """The path that the record of a file gets.

        Parameters
        ----------
        path : str
            The file in the tree.
        """
        return self.prefix + path


class _Node:
    """A folder of stores."""

    def __init__(self, place: tuple[str, ...]) -> None:
        self.place = place
        self.below: dict[str, _Node] = {}
        self.stores: list[Store] = []

    def names(self) -> Iterator[str]:
        """The names of the folders in it, through containers."""
        for name, node in self.below.items():
            yield name
            if is_container(name):
                yield from node.below

    def nodes(self) -> Iterator[_Node]:
        """It, and every folder below."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += reversed(node.below.values())


def group(tree: Tree, stores: list[Store]) -> list[Mailbox]:
    """Put the stores of a tree together to mailboxes.

    Parameters
    ----------
    tree : Tree
        The tree.
    stores : list of Store
        The stores that were found in it.

    Returns
    -------
    list of Mailbox
        In the order of their names, which are all different.
    """
    marked = _marked_places(tree, stores)
    waiting = [_nested(stores)]
    roots: list[tuple[tuple[str, ...], list[Store], bool]] = []
    while waiting:
        node = waiting.pop()
        if node.place in marked or _is_mailbox(node):
            roots.append((node.place, [store for each in node.nodes() for store in each.stores], node.place in marked))
            continue
        if node.stores:
            roots.append((node.place, node.stores, False))
        waiting += node.below.values()
    names = Counter(place[-1] if place else tree.name for place, _, _ in roots)
    found = []
    for place, inside, is_marked in roots:
        name = place[-1] if place else tree.name
        if names[name] > 1:  # two mailboxes must not become one
            name = "/".join(place) or f"{name} (top)"
        prefix = tree.record_prefix() if len(roots) == 1 and not place else ""
        found.append(Mailbox(name, prefix, list(_folders(place, inside, is_marked))))
    return sorted(found, key=lambda mailbox: mailbox.user)


def _nested(stores: Iterable[Store]) -> _Node:
    root = _Node(())
    for store in stores:
        node = root
        for number, name in enumerate(store.place, 1):
            node = node.below.setdefault(name, _Node(store.place[:number]))
        node.stores.append(store)
    return root


def _is_mailbox(node: _Node) -> bool:
    """Whether the stores in and below a folder are one mailbox."""
    if any(map(is_role, node.names())) or any(store.layout == "maildir" for store in node.stores):
        return True
    if any(is_role(name) for below in node.below.values() for name in below.names()):
        return False
    leaves = [store for below in node.below.values() for store in below.stores]
    return bool(node.stores) or any(not store.is_alone for store in leaves)


def _marked_places(tree: Tree, stores: Iterable[Store]) -> set[tuple[str, ...]]:
    """The places that are a person's mail by what lies there: a profile of Thunderbird, an export of Google's."""
    found = set()
    seen: set[str] = set()
    for store in stores:
        parts = store.path.split("/") if store.path else []
        for number in range(len(parts) + 1):
            path = "/".join(parts[:number])
            if path not in seen and len(store.place) >= number:
                seen.add(path)
                if _is_marked(tree, path, parts[number - 1] if number else tree.name):
                    found.add(store.place[:number])
    return found


def _is_marked(tree: Tree, path: str, name: str) -> bool:
    if name == "Takeout" or (not path and tree.path.resolve().parent.name == "Takeout"):
        return True
    listing = tree.listing(path)
    if "prefs.js" in listing.files or "ImapMail" in listing.folders:
        return True
    accounts = listing.folders if name in ("Mail", "ImapMail") else ()
    return any(
        file.endswith(".msf") for account in accounts for file in tree.listing(f"{path}/{account}".strip("/")).files
    )


def _folders(root: tuple[str, ...], stores: list[Store], is_marked: bool) -> Iterator[Folder]:
    """Name the folders of a mailbox; in a profile, what all of them lie below does not count."""
    depth = len(root)
    if is_marked:
        while len({store.place[: depth + 1] for store in stores}) == 1 and all(
            len(store.place) > depth + 1 for store in stores
        ):
            depth += 1
    # On some servers every folder lies in INBOX, which is then no part of its name.
    in_inbox = any(
        len(store.place) > depth + 1 and store.place[depth] == _INBOX and is_role(store.place[depth + 1])
        for store in stores
    )
    for store in sorted(stores, key=lambda store: store.place):
        components = _components(store, store.place[depth:])
        yield Folder(store, "/".join(components[1:] if in_inbox and components[:1] == (_INBOX,) else components))


def _components(store: Store, place: tuple[str, ...]) -> tuple[str, ...]:
    """The components of a folder's path; those of a Maildir may be parted by dots, or begin with one."""
    if not place:
        return place
    if store.layout != "maildir":
        return (*server_path(place[0]), *place[1:])
    first, nested = place[0], tuple(name.removeprefix(".") for name in place[1:])
    if first.startswith("."):  # Maildir++
        return (*first.removeprefix(".").removeprefix(f"{_INBOX}.").split("."), *nested)
    return (*server_path(first), *nested)
