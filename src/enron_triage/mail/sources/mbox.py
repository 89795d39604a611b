"""mbox files (RFC 4155): messages one after the other, each below a ``From `` line. See `separators`."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import BinaryIO

from enron_triage.errors import UsageError
from enron_triage.mail.message_ref import MAX_BYTES, TOO_LARGE, MessageRef, json_safe
from enron_triage.mail.sources.separators import Separators
from enron_triage.mail.sources.store import Store
from enron_triage.mail.sources.tree import Listing, Tree

logger = logging.getLogger(__name__)

# Of compressed files and archives; mbox files; folders of Thunderbird, Apple Mail and KMail that hold further ones.
_ENDINGS = (".gz", ".xz", ".bz2", ".zip", ".mbox", ".mbx", ".sbd", ".imapmbox", ".directory")
_PART_OF_TAKEOUT = re.compile(r"(takeout-\d{8}T\d{6}Z)(?:-\d+)+")  # Google parts a large export into several archives


def take(tree: Tree, path: str, listing: Listing) -> tuple[list[Store], Listing]:
    """Find the mbox files in a folder, by their content.

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
        One for each.
    rest : Listing
        What is left.
    """
    found = [file for file in listing.files if tree.kind(f"{path}/{file}" if path else file) == "mbox"]
    folders = path.split("/") if path else []
    stores = [
        Store(layout="mbox", path=path, files=(file,), place=place([*folders, file]), is_alone=True)
        if file != "mbox"
        else Store(layout="mbox", path=path, files=(file,), place=place(folders))
        for file in found
    ]
    return stores, Listing(listing.folders, tuple(file for file in listing.files if file not in set(found)))


def place(components: list[str]) -> tuple[str, ...]:
    """The folder that a path of an mbox means, without what mail programs append to the names.

    Parameters
    ----------
    components : list of str
        The components of the path.

    Returns
    -------
    tuple of str
        They, without ``.mbox``, ``.sbd`` (Thunderbird) and their like.
    """
    return tuple(_plain(component) for component in components)


def _plain(name: str) -> str:
    for ending in _ENDINGS:
        if name.lower().endswith(ending) and len(name) > len(ending):
            name = name[: -len(ending)]
            if ending == ".directory":  # KMail's begin with a dot
                name = name.removeprefix(".")
    return _PART_OF_TAKEOUT.sub(r"\1", name)


def cut(stream: BinaryIO, record_path: str, folder: str, file: str = "") -> Iterator[MessageRef]:
    """Cut an mbox into its messages; warns of lines that look like separators and were not taken for one.

    Parameters
    ----------
    stream : binary file
        The mbox, from its beginning.
    record_path : str
        The path of the mbox in the records.
    folder : str
        The mail folder that the records get.
    file : str
        The file on the disk that the references name; without it, they hold the messages themselves.

    Yields
    ------
    MessageRef
        One for each message; its path is ``<mbox>#<index>``, counted from 0.

    Raises
    ------
    UsageError
        If it is not an mbox.
    """
    separators = Separators()
    index, start, offset = -1, 0, 0
    held: list[bytes] = []
    name = json_safe(record_path)

    def message() -> MessageRef:
        path = f"{name}#{index}"
        if file:
            return MessageRef(path, json_safe(folder), file, start, offset)
        if offset - start > MAX_BYTES:
            return MessageRef(path, json_safe(folder), "", content=b"", problem=TOO_LARGE)
        return MessageRef(path, json_safe(folder), "", 0, offset - start, content=b"".join(held))

    for content, is_separator in separators.parts(stream):
        if is_separator:
            if index >= 0:
                yield message()
            index, start = index + 1, offset + len(content)
            held.clear()
        elif index < 0:
            if content.removeprefix(b"\xef\xbb\xbf").strip():
                raise UsageError(f"{record_path}: not an mbox: it does not begin with a `From ` line")
        elif not file and offset - start <= MAX_BYTES:
            held.append(content)
        offset += len(content)
    if index >= 0:
        yield message()
    if separators.not_taken:
        logger.warning(
            "%s: %d lines look like the beginning of a message, but belong to the text of one (the first at byte %d)",
            *(record_path, separators.not_taken, separators.first_not_taken),
        )
