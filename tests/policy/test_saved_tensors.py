"""Files of torch.save are read without torch as torch reads them; whatever else they hold is refused."""

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from enron_triage.policy.saved_tensors import read_saved


def saved(value):
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return file


@pytest.mark.parametrize("name", ["float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"])
def test_a_tensor_of_any_type_is_the_same_array(name):
    tensor = (torch.arange(6).view(2, 3) % 2).to(getattr(torch, name))
    array = read_saved(saved(tensor))
    assert array.dtype == tensor.numpy().dtype
    np.testing.assert_array_equal(array, tensor.numpy())


def test_views_scalars_empty_tensors_and_plain_values_come_back():
    base = torch.arange(12.0)
    value = {
        "view": base.view(3, 4).T[1:],
        "part": base[5:7],
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "expanded": torch.ones(1).expand(4),
        "parameter": OrderedDict(weight=torch.ones(2)),
        "plain": [1, 2.5, "text", None, True, (3,), {"deep": [[]]}],
    }
    found = read_saved(saved(value))
    for name in ("view", "part", "scalar", "empty", "expanded"):
        np.testing.assert_array_equal(found[name], value[name].numpy())
    np.testing.assert_array_equal(found["parameter"]["weight"], np.ones(2))
    assert found["plain"] == value["plain"]


class Bomb:
    def __init__(self, path, call):
        self.path, self.call = path, call

    def __reduce__(self):
        return self.call, (self.path,)


@pytest.mark.parametrize("call", [Path.touch, eval, getattr, torch.load])
def test_what_would_run_code_is_refused(tmp_path, call):
    with pytest.raises(pickle.UnpicklingError, match="is not a plain value"):
        read_saved(saved({"weights": Bomb(tmp_path / "exploded", call)}))
    assert not (tmp_path / "exploded").exists()


def rewritten(content, change, **options):
    """The archive with its pickle changed."""
    file = io.BytesIO()
    with zipfile.ZipFile(content) as old, zipfile.ZipFile(file, "w", **options) as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(data) if name.endswith("data.pkl") else data)
    file.seek(0)
    return file


def test_a_tensor_that_reaches_beyond_its_storage_is_refused():
    # BININT1 offset, the sizes and strides: the tuple of sizes (3,) becomes (9,)
    longer = rewritten(saved(torch.arange(3.0)), lambda data: data.replace(b"K\x03\x85", b"K\x09\x85"))
    with pytest.raises((ValueError, TypeError)):
        read_saved(longer)


def test_a_compressed_or_foreign_archive_is_refused():
    packed = rewritten(saved(torch.arange(3.0)), lambda data: data, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(pickle.UnpicklingError, match="compressed"):
        read_saved(packed)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("letter.txt", "hello")
    with pytest.raises(pickle.UnpicklingError, match="not a file of torch"):
        read_saved(file)
