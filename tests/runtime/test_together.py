"""What a stage makes is put in place as one, wherever the process is killed."""

import json
import os
import threading
from pathlib import Path

import pytest

from enron_triage.errors import TriageError, UsageError
from enron_triage.runtime.atomic import atomic_open, temporary_path
from enron_triage.runtime.json_files import open_input
from enron_triage.runtime.locks import locked
from enron_triage.runtime.together import finish_renames, held_together, is_unfinished, journal_of


class KilledError(BaseException):
    """Stands for the end of the process: nothing that follows is run but clean-up, which is taken away, too."""


@pytest.fixture
def paths(tmp_path):
    """Three files of an earlier run."""
    found = [tmp_path / name for name in ("a.json", "b.json", "c.json")]
    for path in found:
        path.write_text("old")
    return found


def write_together(paths, lock):
    with held_together(paths, lock):
        for path in paths:
            with atomic_open(path) as file:
                file.write(b"new")


@pytest.fixture
def killed_at(monkeypatch):
    """Let a function run until it has renamed a number of files; whether it was killed."""

    def kill(number, work):
        left = iter(range(number, -1, -1))
        replace, unlink = os.replace, os.unlink

        def until(*args, **options):
            if next(left, 0) == 0:
                patch.setattr(os, "unlink", lambda *args, **options: None)  # a killed process cleans nothing up
                raise KilledError
            replace(*args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", until)
            try:
                work()
            except KilledError:
                return True
            finally:
                patch.setattr(os, "unlink", unlink)
        return False

    return kill


def test_nothing_appears_before_all_is_whole(paths, tmp_path):
    with held_together(paths, tmp_path / ".lock") as content:
        with atomic_open(paths[0]) as file:
            file.write(b"new")
        assert (paths[0].read_text(), content(paths[0]).read_text(), content(paths[1])) == ("old", "new", paths[1])
        with atomic_open(tmp_path / "another") as file:  # which is none of these
            file.write(b"at once")
        assert (tmp_path / "another").read_text() == "at once"
    assert [path.read_text() for path in paths] == ["new", "old", "old"]
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_work_that_fails_leaves_the_old_files_and_nothing_else(paths, tmp_path, error):
    with pytest.raises(error), held_together(paths, tmp_path / ".lock"):
        with atomic_open(paths[0]) as file:
            file.write(b"new")
        raise error
    assert [path.read_text() for path in paths] == ["old"] * 3
    assert sorted(os.listdir(tmp_path)) == ["a.json", "b.json", "c.json"]


def test_whoever_reads_after_a_kill_finds_files_of_one_run(paths, tmp_path, killed_at):
    lock, seen = tmp_path / ".lock", []
    for number in range(10):
        for path in paths:
            path.write_text("old")
        if not killed_at(number, lambda: write_together(paths, lock)):
            break
        contents = []
        for path in reversed(paths):
            with open_input(path) as file:
                contents.append(file.read().decode())
        assert len(set(contents)) == 1
        assert not is_unfinished(paths[0])
        seen.append(contents[0])
    assert seen == ["old", "new", "new", "new"]  # before the journal; between the renames


def test_renames_are_not_finished_while_another_process_is_at_it(paths, tmp_path, killed_at):
    lock = tmp_path / ".lock"
    assert killed_at(2, lambda: write_together(paths, lock))
    with locked(lock, lock, ""), pytest.raises(UsageError, match="is writing it"):
        open_input(paths[1])
    with open_input(paths[1]) as file:
        assert file.read() == b"new"


def test_a_rename_that_fails_is_done_by_the_next_process(paths, tmp_path):
    paths[1].unlink()
    paths[1].mkdir()
    temporary_path(paths[1]).write_text("new")
    journal_of(tmp_path / ".lock").write_text(json.dumps({"names": ["b.json"]}))
    with pytest.raises(TriageError, match=r"b\.json: cannot be written"):
        finish_renames(paths[1])
    paths[1].rmdir()
    finish_renames(paths[1])
    assert paths[1].read_text() == "new"


@pytest.mark.parametrize("journal", ["{", '{"names": ["../secret"]}', '{"names": ["/etc/x"]}', '{"names": [""]}'])
def test_a_journal_that_the_program_did_not_write_is_refused(paths, journal):
    lock = paths[0].with_name(".lock")
    journal_of(lock).write_text(journal)
    with pytest.raises(UsageError, match="not a list of files to put in place"):
        open_input(paths[0])
    assert Path(journal_of(lock)).exists()


def test_what_threads_put_in_place_is_kept_apart(tmp_path):
    folders = [tmp_path / name for name in ("a", "b")]
    entered, left = threading.Barrier(2), threading.Event()

    def work(folder, is_first):
        path = folder / "x.json"
        with held_together([path, folder / "y.json"], folder / ".lock"):
            entered.wait(5)
            if not is_first:
                left.wait(5)
            for name in ("x.json", "y.json"):
                with atomic_open(folder / name) as file:
                    file.write(b"new")
            appeared.append(path.exists())
        left.set()

    appeared = []
    threads = [threading.Thread(target=work, args=(folder, number == 0)) for number, folder in enumerate(folders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert appeared == [False, False]
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json")) == [
        f"{folder}/{name}.json" for folder in "ab" for name in "xy"
    ]
    with atomic_open(folders[0] / "x.json") as file:
        file.write(b"later")
    assert (folders[0] / "x.json").read_bytes() == b"later"
