"""Finding the messages of a corpus: an Enron tree, also in an archive, Maildirs or mbox files.

A corpus is listed as `Batch` objects, each some messages of one mailbox: the unit of work of the
parse stage. Listing reads folders, of an mbox where its messages begin, and a whole archive as it
streams by; no message is parsed.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path

import msgspec

from enron_triage.errors import UsageError
from enron_triage.mail.archive import archived_files, is_archive
from enron_triage.mail.message_ref import MAX_BYTES, TOO_LARGE, Batch, MessageRef
from enron_triage.runtime.artifacts import open_input

logger = logging.getLogger(__name__)

Format = str

_BATCH = 500  # messages: some 30 ms of work, and a few MB of results
_BATCH_BYTES = 4 * 2**20  # of messages that are held in memory
# The separator line of an mbox (RFC 4155): an address, and a date that ends in the year (and zone).
_FROM_LINE = re.compile(rb"From \S.*\d{4}( [+-]\d{4})?\r?\n?")
_FROM = b"From "
# What a compressed file begins with.
_COMPRESSED = {b"\x1f\x8b": "gzip", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip", b"BZh": "bzip2"}


def detect_format(source: Path) -> Format:
    """Tell the three layouts apart by their files.

    Raises
    ------
    UsageError
        If there is nothing at `source`.
    """
    if is_archive(source):
        return "enron"
    if source.is_file():
        return "mbox"
    if not source.is_dir():
        raise UsageError(f"{source}: no such file or folder; run `triage download` or set parse.source")
    if _is_maildir(source) or any(_is_maildir(child) for child in _folders(source)):
        return "maildir"
    if any(child.suffix == ".mbox" and child.is_file() for child in source.iterdir()):
        return "mbox"
    return "enron"


def list_batches(source: Path, layout: Format, limit: int | None = None) -> Iterator[Batch]:
    """List a corpus in a fixed order: by mailbox, then by path; an archive in its own order.

    Warns, in the log, of files beside the mailboxes, which are not read.

    Parameters
    ----------
    source : Path
        The folder of mailboxes, an archive of one, one Maildir, or one mbox.
    layout : {"enron", "maildir", "mbox"}
    limit : int, optional
        Stop after that many messages.

    Raises
    ------
    UsageError
        If `source` cannot be read as this layout.
    """
    left = limit
    for user, items in _mailboxes(source, layout):
        listed = items if left is None else islice(items, left)
        while chunk := _chunk(listed):
            left = None if left is None else left - len(chunk)
            yield Batch(_printable(user), chunk)
        if left == 0:
            return


def _chunk(items: Iterator[MessageRef]) -> list[MessageRef]:
    """The next items, as many as make a batch."""
    chunk: list[MessageRef] = []
    size = 0
    for item in islice(items, _BATCH):
        chunk.append(item)
        size += len(item.content or b"")
        if size >= _BATCH_BYTES:
            break
    return chunk


def mailbox_items(source: Path) -> Iterator[MessageRef]:
    """List the messages of one mailbox: a Maildir, an mbox, any folder of message files, or a single message.

    Raises
    ------
    UsageError
        If there is nothing at `source`, or it cannot be read.
    """
    if source.is_dir():
        name = source.resolve().name
        return _maildir_items(source, name) if _is_maildir(source) else _tree_items(source, name, "")
    try:
        with source.open("rb") as file:
            beginning = file.read(len(_FROM))
    except FileNotFoundError:
        raise UsageError(f"{source}: no such file or folder") from None
    except OSError as error:
        raise UsageError(f"{source}: cannot be read: {error.strerror}") from None
    return _mbox_items(source) if beginning == _FROM else iter([MessageRef(_printable(str(source)), "", str(source))])


def _mailboxes(source: Path, layout: Format) -> Iterator[tuple[str, Iterator[MessageRef]]]:
    if layout == "mbox":
        files = [source] if source.is_file() else sorted(p for p in source.glob("*.mbox") if p.is_file())
        for file in files:
            yield file.name.removesuffix(".mbox"), _mbox_items(file)
        return
    if is_archive(source) and layout == "enron":
        # A mailbox that stands in several places comes up as often.
        yield from groupby(_archived_items(source), key=lambda item: item.path.partition("/")[0])
        return
    if source.is_file():
        raise UsageError(f"{source}: is a file where a folder belongs; set parse.format=mbox if it is an mbox")
    folders, beside = _listing(source)
    if layout == "maildir":
        _warn_of_files(source, [file for file in beside if file.suffix == ".mbox"], "parse.format=mbox reads them")
        single = _is_maildir(source)
        for root in [source] if single else [child for child in folders if _is_maildir(child)]:
            # resolve() gives "." and ".." their names
            yield root.resolve().name, _maildir_items(root, root.resolve().name)
        return
    _warn_of_files(source, beside, "a mailbox is a folder of its own")
    for owner in folders:
        yield owner.name, _tree_items(owner, owner.name, "")


def _archived_items(archive: Path) -> Iterator[MessageRef]:
    """The messages of an archive of mailboxes, as they stream by; warns of files beside the mailboxes."""
    beside: list[Path] = []
    with open_input(archive) as stream:
        for name, content in archived_files(archive, stream):
            owner, *parts = name.split("/")
            if owner == "cur" or parts[:-1] == ["cur"]:
                raise UsageError(f"{archive}: holds Maildirs; unpack it with --set download.source={archive}")
            if not parts:
                beside.append(Path(name))
                continue
            item = MessageRef(_printable(name), _printable("/".join(parts[:-1])), "", content=content)
            # What is too large is not sent to a worker, who would not read it.
            yield item if len(content) <= MAX_BYTES else msgspec.structs.replace(item, content=b"", problem=TOO_LARGE)
    _warn_of_files(archive, beside, "a mailbox is a folder of its own")


def _warn_of_files(source: Path, files: list[Path], advice: str) -> None:
    if files:
        names = ", ".join(_printable(file.name) for file in files[:3])
        more = ", ..." if len(files) > 3 else ""
        logger.warning(
            "%s: files beside the mailboxes are not read: %d (%s); %s", source, len(files), names + more, advice
        )


def _listing(root: Path) -> tuple[list[Path], list[Path]]:
    """The folders in a folder, and its files and links."""
    try:
        children = sorted(root.iterdir())
        folders = [child for child in children if child.is_dir() and not child.is_symlink()]
    except OSError as error:
        raise UsageError(f"{root}: cannot be listed: {error.strerror}") from None
    return folders, sorted(set(children) - set(folders))


def _folders(root: Path) -> list[Path]:
    return _listing(root)[0]


def _is_maildir(folder: Path) -> bool:
    return (folder / "cur").is_dir() and (folder / "new").is_dir()


def _tree_items(folder: Path, path: str, name: str) -> Iterator[MessageRef]:
    """Every file below a mailbox, folder by folder; a link or a device is listed, not followed."""
    # A stack, as folders may be nested deeper than Python's recursion goes.
    waiting = _entries(folder, path, name)
    while waiting:
        entry, path, name = waiting.pop()
        path = f"{path}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            waiting += _entries(entry, path, f"{name}/{entry.name}" if name else entry.name)
        else:
            yield MessageRef(_printable(path), _printable(name), entry.path)


def _entries(folder: Path | os.DirEntry[str], path: str, name: str) -> list[tuple[os.DirEntry[str], str, str]]:
    """What lies in a folder, in reverse order, each with the paths of the folder."""
    with os.scandir(folder) as entries:
        return [(entry, path, name) for entry in sorted(entries, key=lambda entry: entry.name, reverse=True)]


def _maildir_items(root: Path, name: str) -> Iterator[MessageRef]:
    """A Maildir and its Maildir++ subfolders (``.Folder.Sub``, or ``.INBOX.Folder.Sub``).

    Files in ``tmp`` are listed too, but must not be read: they are half delivered.
    """
    boxes = [("", root)] + [
        (child.name[1:].removeprefix("INBOX.").replace(".", "/"), child)
        for child in _folders(root)
        if child.name.startswith(".") and _is_maildir(child)
    ]
    for folder, box in boxes:
        for part in ("cur", "new", "tmp"):
            if (box / part).is_dir():
                path = (Path(name) / box.relative_to(root) / part).as_posix()
                for item in _tree_items(box / part, path, folder):
                    if part == "tmp":
                        item.problem = "an unfinished delivery in a Maildir's tmp"
                    yield item


def _mbox_items(file: Path) -> Iterator[MessageRef]:
    """The messages of an mbox: each begins with a From line at the top or after a blank line."""
    try:
        mbox = file.open("rb")
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
    with mbox:
        index, start, offset, after_blank = 0, -1, 0, True
        for line in mbox:
            if after_blank and line.startswith(_FROM) and _FROM_LINE.fullmatch(line):
                if start >= 0:
                    yield MessageRef(f"{_printable(file.name)}#{index}", "", str(file), start, offset)
                    index += 1
                start = offset + len(line)
            elif start < 0 and line.strip():
                raise UsageError(f"{file}: {_no_mbox(line)}")
            after_blank = not line.strip()
            offset += len(line)
        if start >= 0:
            yield MessageRef(f"{_printable(file.name)}#{index}", "", str(file), start, offset)


def _no_mbox(line: bytes) -> str:
    """Why a file that has this line first is no mbox."""
    for signature, name in _COMPRESSED.items():
        if line.startswith(signature):
            return f"compressed with {name}; unpack it and name the mbox that comes out"
    return "not an mbox: it does not begin with a `From ` line"


def _printable(name: str) -> str:
    """A file name as text that JSON can hold: bytes that are not UTF-8 become question marks."""
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "replace")
