"""The members of a tar stream (POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar's variants).

The usual header, a plain file's, is read here, because `tarfile` takes as long for it as parsing the message does. Any
other header goes to `tarfile`, and what it cannot read is damage: by itself, it takes a damaged header for the end
of the archive.
"""

from __future__ import annotations

import bz2
import gzip
import io
import logging
import lzma
import tarfile
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any, BinaryIO

import msgspec

logger = logging.getLogger(__name__)

# What a damaged or hostile archive raises; the last three are what `tarfile` makes of hostile headers.
DAMAGE = (
    *(tarfile.TarError, EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile),
    *(ValueError, OverflowError, RecursionError),
)
_OPENERS: dict[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"\xfd7zXZ": lzma.open,
    b"BZh": bz2.open,
}
_READ = 1 << 20  # bytes at a time
_AHEAD = 4  # such blocks, which a thread decompresses in advance
_BLOCK = tarfile.BLOCKSIZE
_END = bytes(_BLOCK)
_EXTENSIONS = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_MAX_EXTENSION = 1 << 20  # bytes before one member
_MAX_EXTENSIONS = 16  # headers before one member
_PLAIN_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_ADLER_BASE = 65521


class Member(msgspec.Struct):
    """A member of an archive.

    Attributes
    ----------
    name : str
        Its path as the archive has it; bytes that are not UTF-8 are surrogates.
    content : bytes or None
        The content of a plain file; None of anything else, and of a file that is too large.
    size : int
        The size that the header gives.
    is_folder : bool
        Whether it is a folder.
    is_file : bool
        Whether it is a plain file: not a link, not a device, not sparse.
    """

    name: str
    content: bytes | None
    size: int
    is_folder: bool
    is_file: bool


def read_members(file: BinaryIO, max_bytes: int) -> Iterator[Member]:
    """Read a tar archive, compressed or not, as a stream to its very end.

    Warns, in the log, of what follows the archive's end in the same file.

    Parameters
    ----------
    file : BinaryIO
        The archive, opened.
    max_bytes : int
        The content of a larger file is not read; nothing can follow such a member.

    Yields
    ------
    Member
        One for each member, in the archive's order.

    Raises
    ------
    One of `DAMAGE`
        If a header is damaged, or the file ends before the archive's end marker of two blocks of zeros.
    """
    magic = file.read(6)
    file.seek(0)
    opener = next((opener for start, opener in _OPENERS.items() if magic.startswith(start)), None)
    with closing(_read_ahead(opener(file)) if opener else _blocks(file)) as blocks:
        stream = _Buffer(blocks)
        extensions = _Extensions()
        while (header := stream.read(_BLOCK)) != _END:
            plain = None if extensions.pending else _plain_file(header)
            if plain is None:
                member = extensions.member(header, stream)
                if member is None:
                    continue
            else:
                name, size = plain
                member = Member(name, None, size, is_folder=False, is_file=True)
            if member.is_file:
                if member.size > max_bytes:
                    yield member
                    raise tarfile.ReadError("too large")
                member.content = stream.read(member.size)
                stream.read(-member.size % _BLOCK)
            yield member
        _check_end(stream, extensions)


def _check_end(stream: _Buffer, extensions: _Extensions) -> None:
    """Check what follows the first block of zeros, to the end of the file, so that its checksums are verified."""
    rest = stream.read_some()
    if extensions.pending or rest[:_BLOCK].strip(b"\0"):  # a block of zeros in the place of a header is damage
        raise tarfile.ReadError("a block of zeros that is not the end")
    if len(rest) < _BLOCK:
        logger.warning("the archive lacks the second half of its end marker; all before that was read")
    behind = 0
    while rest:
        behind = behind + len(rest) if behind or rest.strip(b"\0") else 0
        rest = stream.read_some()
    if behind:
        logger.warning("the archive is followed by about %d bytes that are not part of it; they were not read", behind)


class _Buffer:
    """Reads so many bytes from blocks of any size."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._block = b""
        self._at = 0

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes; raises `EOFError` where there are fewer."""
        start, stop = self._at, self._at + size
        if stop <= len(self._block):
            self._at = stop
            return self._block[start:stop]
        parts = [self._block[start:]]
        missing = size - len(parts[0])
        while missing > 0:
            self._block = next(self._blocks, b"")
            if not self._block:
                raise EOFError
            self._at = min(missing, len(self._block))
            parts.append(self._block[: self._at])
            missing -= self._at
        return b"".join(parts)

    def read_some(self) -> bytes:
        """What comes next, at least a tar block unless the file ends; empty at the end of the file."""
        rest = self._block[self._at :]
        self._block, self._at = b"", 0
        while len(rest) < _BLOCK and (more := next(self._blocks, b"")):
            rest += more
        return rest


class _Extensions:
    """The headers that extend the one after them, such as by a name that is longer than a header holds."""

    def __init__(self) -> None:
        self.pending: list[bytes] = []

    def member(self, header: bytes, stream: _Buffer) -> Member | None:
        """The member that a header begins; None if it extends the one after it."""
        info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        is_global = info.type == tarfile.XGLTYPE
        if is_global or info.type in _EXTENSIONS:
            if info.size > _MAX_EXTENSION or len(self.pending) >= _MAX_EXTENSIONS:
                raise tarfile.ReadError("an unreasonably long header extension")
            extension = header + stream.read(info.size + -info.size % _BLOCK)
            if is_global:
                _check_global(extension)
            else:
                self.pending.append(extension)
            return None
        if self.pending:
            with tarfile.open(fileobj=io.BytesIO(b"".join([*self.pending, header, _END])), mode="r:") as tar:
                extended = tar.next()
            self.pending.clear()
            if extended is None:
                raise tarfile.ReadError("a header without a member")
            info = extended
        if info.size < 0:
            raise tarfile.ReadError("a negative size")
        is_file = info.type in _PLAIN_FILES and info.sparse is None
        return Member(info.name, None, info.size, is_folder=info.isdir(), is_file=is_file)


def _check_global(extension: bytes) -> None:
    """Refuse a global header that would change what members are called or hold; comments and times do not."""
    with tarfile.open(fileobj=io.BytesIO(extension + tarfile.TarInfo("x").tobuf() + _END), mode="r:") as tar:
        decisive = [key for key in tar.pax_headers if key in ("path", "size", "linkpath") or key.startswith("GNU.")]
    if decisive:
        raise tarfile.ReadError("a global header names members")


def _plain_file(header: bytes) -> tuple[str, int] | None:
    """Name and size, where the header is the usual one of a plain file and not damaged; else None."""
    if header[257:262] != b"ustar" or header[156] not in b"0\0" or header[345]:  # no prefix
        return None
    name, size, checksum = (
        header[start:stop].partition(b"\0")[0] for start, stop in ((0, 100), (124, 136), (148, 156))
    )
    size, checksum = size.strip(), checksum.strip()
    if not (name and size.isdigit() and checksum.isdigit()) or name.endswith(b"/"):
        return None
    # The sum of the bytes with the checksum itself as spaces. Adler-32 holds the sum of all bytes, and 1, in its lower
    # half: no other function of the standard library adds them up as fast.
    total = int(checksum, 8) + sum(header[148:156]) - 8 * ord(" ")
    if total + 1 >= _ADLER_BASE or zlib.adler32(header) & 0xFFFF != total + 1:
        return None
    return name.decode("utf-8", "surrogateescape"), int(size, 8)


def _blocks(file: BinaryIO) -> Generator[bytes, None, None]:
    while block := file.read(_READ):
        yield block


def _next_block(block: Future[bytes]) -> bytes:
    try:
        return block.result()
    except OSError as error:
        if error.errno is None and not isinstance(error, gzip.BadGzipFile):  # what `bz2` says of damage
            raise tarfile.ReadError("damaged compression") from None
        raise


def _read_ahead(file: BinaryIO) -> Generator[bytes, None, None]:
    """The blocks of a compressed file; a thread decompresses the next ones meanwhile, as zlib and lzma hold no lock."""
    with ThreadPoolExecutor(1, thread_name_prefix="decompress") as thread:
        ahead = deque(thread.submit(file.read, _READ) for _ in range(_AHEAD))
        try:
            while block := _next_block(ahead.popleft()):
                ahead.append(thread.submit(file.read, _READ))
                yield block
        finally:
            thread.shutdown(wait=False, cancel_futures=True)
