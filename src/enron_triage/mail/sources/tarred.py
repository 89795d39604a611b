"""A tar archive, plain or compressed, as a tree of files; it is streamed once to list it and once to read it."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from enron_triage.errors import TriageError, UsageError, cause_of
from enron_triage.mail.sources.content import HEAD, Kind, kind_of
from enron_triage.mail.sources.expanding import DAMAGED, expanded
from enron_triage.mail.sources.tree import Listing, Tree
from enron_triage.mail.sources.zipped import listings, member_path

_BLOCK = 1 << 20  # bytes
_KEPT = 1 << 16  # bytes before the end; tarfile reads less ahead


class TarTree(Tree):
    """The files of a tar archive, which can only be read in their own order.

    Parameters
    ----------
    path : Path
        The archive.

    Raises
    ------
    UsageError
        If it cannot be opened.
    TriageError
        If it is truncated, damaged or hostile.
    """

    is_streamed = True

    def __init__(self, path: Path) -> None:
        super().__init__(path, path.name.partition(".tar")[0].removesuffix(".tgz"))
        self._listings: dict[str, Listing] | None = None
        self._folders: set[str] = set()

    def listing(self, path: str) -> Listing:
        """See `Tree.listing`; the first call reads the whole archive."""
        if self._listings is None:
            for name, content in self._files():
                if name in self._kinds:
                    raise TriageError(f"{self.path}: {name!r} appears twice; refused")
                self._kinds[name] = self._kind_of(name, content)
            self._listings = listings(self.path, self._kinds, self._folders)
        return self._listings.get(path, Listing())

    def open(self, path: str) -> BinaryIO:
        """A streamed archive has no way to open one file; see `stream`."""
        raise OSError("cannot be read out of the archive's order")

    def stream(self) -> Iterator[tuple[str, BinaryIO]]:
        """Read the files in the archive's own order.

        Yields
        ------
        path : str
            A file.
        content : binary file
            What is in it; to be read before the next one is asked for.

        Raises
        ------
        TriageError
            If the archive is truncated, damaged or hostile.
        """
        yield from self._files(counted=False)

    def _kind_of(self, name: str, content: BinaryIO) -> Kind:
        """What a file is, or what is in it, if it is compressed."""
        try:
            with expanded(content, f"{self.path}/{name}") as inner:
                return kind_of(inner.read(HEAD))
        except (*DAMAGED, OSError):
            return "other"

    def _files(self, counted: bool = True) -> Iterator[tuple[str, BinaryIO]]:
        with self._opened() as stream, tarfile.open(fileobj=stream, mode="r|") as tar:  # type: ignore[call-overload]
            for member in tar:
                if member.isfile() and not member.issparse():
                    yield member_path(self.path, member.name), cast(BinaryIO, tar.extractfile(member))
                elif member.isdir():
                    self._folders.add(member_path(self.path, member.name))
                elif counted:
                    self.unread.add(member.name)
                tar.members.clear()  # tarfile would keep every header of the archive in memory
            if not stream.is_complete(tar.offset):
                raise TriageError(f"{self.path}: truncated or damaged; fetch it again")

    @contextmanager
    def _opened(self) -> Iterator[_Tail]:
        try:
            with self.path.open("rb") as file, expanded(file, str(self.path)) as content:
                yield _Tail(content)
        except DAMAGED as error:
            problem = f"truncated or damaged; fetch it again ({type(error).__name__})"
            raise TriageError(f"{self.path}: {problem}") from None
        except OSError as error:
            raise UsageError(f"{self.path}: cannot be read: {cause_of(error)}") from None


class _Tail:
    """A tar stream that knows whether it ends as a tar does: tarfile takes a truncated or damaged one for complete."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._last = b""
        self._count = 0

    def read(self, size: int) -> bytes:
        block = self._stream.read(size)
        self._last = (self._last + block)[-_KEPT:]
        self._count += len(block)
        return block

    def is_complete(self, offset: int) -> bool:
        """Whether a block of zeros stands where tarfile stopped; reads what is left, so that checksums are verified."""
        begin = offset - (self._count - len(self._last))
        ends_well = begin >= 0 and self._last[begin : begin + tarfile.BLOCKSIZE] == bytes(tarfile.BLOCKSIZE)
        while self._stream.read(_BLOCK):
            pass
        return ends_well
