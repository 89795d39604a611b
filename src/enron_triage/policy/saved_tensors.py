"""Reads the files of ``torch.save`` without torch, which takes longer to import than a thousand predictions.

Such a file is a zip archive without compression: ``data.pkl`` is a pickle in which a tensor names its storage, and
``data/0``, ``data/1``, ... are the storages' bytes (torch/serialization.py). As with torch's ``weights_only=True``, the
pickle may hold plain values and tensors; whatever else it names is refused, so that a foreign file cannot run code.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import IO, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
ByteOrder = Literal["big", "little"]

_TYPES = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


class _StorageType(NamedTuple):
    code: str  # as numpy spells it


class _Storage(NamedTuple):
    content: bytes
    dtype: np.dtype[np.generic]


def read_saved(file: IO[bytes]) -> Any:
    """The value in a file of ``torch.save``, with arrays in place of tensors.

    Parameters
    ----------
    file : binary file
        The file, which can be sought in.

    Raises
    ------
    Exception
        Whatever pickle and zipfile raise for a damaged file; `pickle.UnpicklingError` for one that holds more than
        plain values and tensors.
    """
    with zipfile.ZipFile(file) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise pickle.UnpicklingError("not a file of torch.save")
        folder = pickles[0].removesuffix("data.pkl")

        def content(name: str) -> bytes:
            entry = archive.getinfo(folder + name)
            if entry.compress_type != zipfile.ZIP_STORED:  # it could expand to any size
                raise pickle.UnpicklingError("a compressed entry")
            return archive.read(entry)

        big = f"{folder}byteorder" in archive.namelist() and content("byteorder") == b"big"
        with archive.open(pickles[0]) as stream:
            return _Unpickler(stream, content, "big" if big else "little").load()


class _Unpickler(pickle.Unpickler):
    """Reads plain values and tensors.

    Parameters
    ----------
    file : binary file
        The pickle.
    content : callable
        Gives the bytes of an entry of the archive.
    byte_order : str
        Of the storages.
    """

    def __init__(self, file: IO[bytes], content: Callable[[str], bytes], byte_order: ByteOrder) -> None:
        super().__init__(file)
        self._content = content
        self._byte_order = byte_order
        self._storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What a name in the pickle stands for."""
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in _TYPES:
            return _StorageType(_TYPES[name])
        raise pickle.UnpicklingError(f"{module}.{name} is not a plain value")

    def persistent_load(self, pid: Any) -> _Storage:
        """The storage that a tensor names."""
        kind, storage_type, key, _, _ = pid
        if kind != "storage" or not isinstance(storage_type, _StorageType):
            raise pickle.UnpicklingError("no storage of a known type")
        if key not in self._storages:
            dtype = np.dtype(storage_type.code).newbyteorder(self._byte_order)
            self._storages[key] = _Storage(self._content(f"data/{key}"), dtype)
        return self._storages[key]


def _rebuild_tensor(storage: object, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Array:
    """A tensor as an array in the storage's memory; numpy refuses what would reach beyond it."""
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError("a tensor without a storage")
    if 0 in size:
        return np.empty(size, dtype=storage.dtype)
    item = storage.dtype.itemsize
    strides = tuple(step * item for step in stride)
    return np.ndarray(tuple(size), storage.dtype, storage.content, offset * item, strides)
