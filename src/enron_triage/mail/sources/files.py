"""Folders of message files: .eml, Apple Mail's .emlx, MH, and what readpst -S writes."""

from __future__ import annotations

import re

from enron_triage.mail.sources.mbox import place
from enron_triage.mail.sources.store import Store
from enron_triage.mail.sources.tree import Listing, Tree

# readpst -S writes the attachments of the message 7 as 7-name; so does its option for .eml files.
_ATTACHMENT = re.compile(r"(\d+)-.+")
_REMOVED = re.compile(r"[,#]\d+")  # what MH's rmm leaves of a message


def take(tree: Tree, path: str, listing: Listing) -> tuple[list[Store], Listing]:
    """Find the message files in a folder, by their content, or by their names where there is none.

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
        One that holds all of them, if there are any.
    rest : Listing
        What is left.
    """
    names = set(listing.files)
    found = tuple(file for file in listing.files if _is_message(tree, path, file, names))
    if not found:
        return [], listing
    store = Store(layout="files", path=path, files=found, place=_place(path.split("/") if path else []))
    taken = set(found)
    return [store], Listing(listing.folders, tuple(file for file in listing.files if file not in taken))


def _is_message(tree: Tree, path: str, file: str, names: set[str]) -> bool:
    attachment = _ATTACHMENT.fullmatch(file)
    if _REMOVED.fullmatch(file) or (attachment and {attachment[1], f"{attachment[1]}.eml"} & names):
        return False
    kind = tree.kind(f"{path}/{file}" if path else file)
    # One that is empty, or damaged, is listed, so that it becomes an entry of parse_errors.json.
    return kind == "message" or (kind in ("empty", "other") and file.lower().endswith((".eml", ".emlx")))


def _place(components: list[str]) -> tuple[str, ...]:
    """The folder that a path means; Apple Mail keeps the messages of X.mbox in X.mbox/<UUID>/Data/1/2/Messages."""
    if components[-1:] == ["Messages"] and any(name.endswith("mbox") for name in components):
        last = max(number for number, name in enumerate(components) if name.endswith("mbox"))
        components = components[: last + 1]
    return place(components)
