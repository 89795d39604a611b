import io
import resource
import tarfile

import pytest

from enron_triage.errors import TriageError, UsageError
from enron_triage.mail.archive import new_folder, unpack


def add(tar, name, content=b"mail", **attributes):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for key, value in attributes.items():
        setattr(member, key, value)
    tar.addfile(member, io.BytesIO(content) if member.isfile() else None)


def archive(path, *members, mode="w:gz"):
    with tarfile.open(path, mode) as tar:
        for name, attributes in members:
            add(tar, name, **attributes)
    return path


@pytest.fixture
def target(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(("suffix", "mode"), [("tar", "w"), ("tar.gz", "w:gz"), ("tar.xz", "w:xz")])
@pytest.mark.parametrize("top", ["maildir/", "./maildir/", ""])
def test_files_land_below_the_target_without_the_archives_top_folder(tmp_path, target, suffix, mode, top):
    path = archive(
        tmp_path / f"mail.{suffix}", (f"{top}a/inbox/1.", {}), (f"{top}a/sent/2.", {"content": b"x"}), mode=mode
    )
    unpacked = unpack(path, target)
    assert files(target) == {"a/inbox/1.": b"mail", "a/sent/2.": b"x"}
    assert (unpacked.files, unpacked.size) == (2, 5)


def test_permissions_of_the_archive_are_ignored(tmp_path, target):
    unpack(archive(tmp_path / "m.tar.gz", ("a/1.", {"mode": 0o6777, "uid": 0})), target)
    assert (target / "a" / "1.").stat().st_mode & 0o7111 == 0


@pytest.mark.parametrize(
    ("name", "attributes", "message"),
    [
        ("../evil", {}, "would be written outside"),
        ("maildir/../../evil", {}, "would be written outside"),
        ("/etc/evil", {}, "would be written outside"),
        ("a/..\\..\\evil", {}, "would be written outside"),
        ("a/link", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "is a link, a device or sparse"),
        ("a/hard", {"type": tarfile.LNKTYPE, "linkname": "a/1."}, "is a link, a device or sparse"),
        ("a/fifo", {"type": tarfile.FIFOTYPE}, "is a link, a device or sparse"),
        ("a/sparse", {"type": tarfile.GNUTYPE_SPARSE}, "is a link, a device or sparse"),
        ("a/null", {"type": tarfile.CHRTYPE}, "is a link, a device or sparse"),
        ("a/1.", {}, "appears twice"),
        ("a/1./below", {}, "is below a file"),
        ("a", {}, "appears twice"),
        ("a/" * 1500 + "1.", {}, "is more than 100 folders deep"),
    ],
)
def test_hostile_members_are_refused_by_name(tmp_path, target, name, attributes, message):
    path = archive(tmp_path / "evil.tar.gz", ("a/1.", {}), (name, attributes))
    with pytest.raises(TriageError, match=message):
        unpack(path, target)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_truncated_archive_is_refused(tmp_path, target, mode, share):
    noise = bytes(range(256)) * 40
    path = archive(tmp_path / "m.tar", *[(f"a/{n}.", {"content": noise[n:]}) for n in range(50)], mode=mode)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(TriageError, match="truncated or damaged; fetch it again"):
        unpack(path, target)


def test_what_is_no_archive_is_refused(tmp_path, target):
    path = tmp_path / "m.tar.gz"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(TriageError, match="truncated or damaged"):
        unpack(path, target)


def test_an_archive_without_files_is_refused(tmp_path, target):
    with pytest.raises(UsageError, match="holds no file"):
        unpack(archive(tmp_path / "m.tar.gz", ("maildir", {"type": tarfile.DIRTYPE})), target)


def test_a_full_disk_is_an_error_and_not_a_short_file(tmp_path, target):
    path = archive(tmp_path / "m.tar.gz", ("a/1.", {"content": b"x" * 5000}))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # the first write is short, as on a full disk
    try:
        with pytest.raises(OSError, match="too large"):
            unpack(path, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_new_folder_replaces_the_old_one_only_when_complete(tmp_path):
    folder = tmp_path / "maildir"
    folder.mkdir()
    (folder / "old").write_text("old")

    def fill(error):
        with new_folder(folder) as partial:
            (partial / "new").write_text("new")
            if error:
                raise error

    for error in (TriageError("no"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            fill(error)
        assert files(folder) == {"old": b"old"}
    fill(None)
    assert files(folder) == {"new": b"new"}
    assert [path.name for path in tmp_path.iterdir()] == ["maildir"]


def test_what_a_killed_run_left_is_cleared_away(tmp_path):
    (tmp_path / ".maildir.partial" / "a").mkdir(parents=True)
    with new_folder(tmp_path / "maildir") as partial:
        assert list(partial.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["maildir"]
