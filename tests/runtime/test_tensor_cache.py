import logging
import os
import threading

import filelock
import pytest
import torch

from enron_triage.runtime import artifacts, tensor_cache
from enron_triage.runtime.tensor_cache import cached, read

VALUE = {"numbers": torch.arange(4.0), "names": ["a", "b"]}


class Maker:
    """Makes a value, and counts how often."""

    def __init__(self, value=VALUE):
        self.value, self.calls = value, 0

    def __call__(self):
        self.calls += 1
        return self.value


def get(path, make, keep=5):
    return cached(path, make, lambda content: content["numbers"], what="the numbers", keep=keep)


def test_a_value_is_made_once_and_read_from_then_on(tmp_path, caplog):
    make, path = Maker(), tmp_path / "features" / "numbers-1.pt"
    with caplog.at_level(logging.DEBUG, "enron_triage"):
        assert torch.equal(get(path, make), VALUE["numbers"])
        assert not caplog.records
        assert torch.equal(get(path, make), VALUE["numbers"])
    assert make.calls == 1
    assert [record.getMessage() for record in caplog.records] == [f"the numbers: from the cache ({path})"]
    assert [file.name for file in path.parent.iterdir()] == ["numbers-1.pt"]


@pytest.mark.parametrize("damage", ["cut", "empty", "foreign"])
def test_a_damaged_file_is_made_again_with_one_warning(tmp_path, caplog, damage):
    make, path = Maker(), tmp_path / "numbers-1.pt"
    get(path, make)
    whole = path.read_bytes()
    if damage == "foreign":
        torch.save({"other": 1}, path)
    else:
        path.write_bytes(whole[:100] if damage == "cut" else b"")
    assert torch.equal(get(path, make), VALUE["numbers"])
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.startswith(f"{path}: cannot be used")
    assert make.calls == 2
    assert path.read_bytes() == whole


def test_who_comes_while_another_makes_it_waits_and_reads(tmp_path, caplog):
    path, started, go_on = tmp_path / "numbers-1.pt", threading.Event(), threading.Event()
    second = Maker()

    def slow():
        started.set()
        assert go_on.wait(60)
        return VALUE

    class LetGo(logging.Handler):
        def emit(self, record):
            if "another process is computing it; waiting" in record.getMessage():
                go_on.set()

    found = []
    logger, handler = logging.getLogger(tensor_cache.__name__), LetGo()
    logger.addHandler(handler)
    try:
        with caplog.at_level(logging.INFO):
            first = threading.Thread(target=lambda: found.append(get(path, slow)))
            first.start()
            assert started.wait(60)
            found.append(get(path, second))
            first.join()
    finally:
        logger.removeHandler(handler)
    assert second.calls == 0
    assert all(torch.equal(value, VALUE["numbers"]) for value in found)
    assert len(found) == 2


def test_an_interrupted_maker_leaves_nothing(tmp_path):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(tmp_path / "numbers-1.pt", interrupted)
    assert get(tmp_path / "numbers-1.pt", make := Maker()) is not None
    assert make.calls == 1
    assert [file.name for file in tmp_path.iterdir()] == ["numbers-1.pt"]


def test_the_lock_of_a_process_that_was_killed_behind_its_work_goes_away(tmp_path):
    path = tmp_path / "numbers-1.pt"
    get(path, Maker())
    abandoned = tmp_path / ".numbers-1.pt.lock"
    abandoned.touch()
    assert torch.equal(get(path, Maker()), VALUE["numbers"])
    assert [file.name for file in tmp_path.iterdir()] == ["numbers-1.pt"]


def test_the_lock_of_a_process_at_work_stays(tmp_path):
    path = tmp_path / "numbers-1.pt"
    get(path, Maker())
    with filelock.FileLock(tmp_path / ".numbers-1.pt.lock"):
        assert torch.equal(get(path, Maker()), VALUE["numbers"])
        assert (tmp_path / ".numbers-1.pt.lock").exists()


def test_the_files_used_last_are_kept(tmp_path):
    (tmp_path / "other-1.pt").write_bytes(b"")
    for number in range(3):
        get(tmp_path / f"numbers-{number}.pt", Maker(), keep=3)
        os.utime(tmp_path / f"numbers-{number}.pt", (number, number))
    get(tmp_path / "numbers-0.pt", Maker(), keep=3)  # used again
    get(tmp_path / "numbers-3.pt", Maker(), keep=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "numbers-0.pt",
        "numbers-2.pt",
        "numbers-3.pt",
        "other-1.pt",
    ]


def test_a_cache_that_cannot_be_written_costs_a_warning(tmp_path, caplog, monkeypatch):
    def refuse(path):
        raise artifacts.not_written(path, OSError(28, "No space left on device"))

    monkeypatch.setattr(artifacts, "atomic_open", refuse)
    assert torch.equal(get(tmp_path / "numbers-1.pt", Maker()), VALUE["numbers"])
    assert "not cached: " in caplog.text
    assert read(tmp_path / "numbers-1.pt", dict, what="the numbers") is None


def test_a_folder_that_cannot_be_made_costs_no_training(tmp_path):
    (tmp_path / "features").write_text("a file")
    assert torch.equal(get(tmp_path / "features" / "numbers-1.pt", Maker()), VALUE["numbers"])
