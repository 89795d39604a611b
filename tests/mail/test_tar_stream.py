import bz2
import contextlib
import gzip
import io
import lzma
import random
import tarfile

import pytest

from enron_triage.mail.tar_stream import DAMAGE, read_members

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
MAX = 1 << 20


def pack(members, form=tarfile.GNU_FORMAT, **options):
    """The bytes of an archive of (name, content, attributes), end marker included."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form, **options) as tar:
        for name, content, attributes in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in attributes.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content) if info.isfile() else None)
    return file.getvalue()


def read(raw):
    return [(member.name, member.content) for member in read_members(io.BytesIO(raw), MAX)]


def plain(count):
    return [(f"a/inbox/{n}.", f"mail {n}".encode() * (n % 300), {}) for n in range(count)]


def refused(raw):
    with pytest.raises(DAMAGE):
        read(raw)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("wrap", [bytes, gzip.compress, lzma.compress, bz2.compress])
def test_members_are_those_that_tarfile_reads(form, wrap):
    odd = [
        ("b", b"", {"type": tarfile.DIRTYPE}),
        ("b/" + "long/" * 30 + "1.", b"x" * 513, {}),
        ("b/é.", b"y" * 512, {}),
        ("b/contiguous", b"z", {"type": tarfile.CONTTYPE}),
        ("b/old", b"v7", {"type": tarfile.AREGTYPE}),
        ("b/times", b"t", {"mtime": 8**12, "uid": 8**8}) if form != tarfile.USTAR_FORMAT else ("b/t", b"", {}),
    ]
    raw = pack(plain(40) + odd + plain(3)[1:], form)
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        expected = [(info.name, tar.extractfile(info).read() if info.isfile() else None) for info in tar]
    assert read(wrap(raw)) == expected


def test_links_devices_and_sparse_files_have_no_content():
    kinds = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.GNUTYPE_SPARSE, b"?"]
    for kind in kinds:
        (member,) = read_members(io.BytesIO(pack([("a/x", b"", {"type": kind})])), MAX)
        assert (member.content, member.is_file, member.is_folder) == (None, False, False)


def test_a_large_file_is_not_read():
    members = read_members(io.BytesIO(pack([("a", b"x" * (MAX + 1), {})])), MAX)
    assert next(members).content is None


@pytest.mark.parametrize("place", [0, 1, 5, 9])
@pytest.mark.parametrize("at", [0, 124, 148, 156, 257, 500])
def test_a_damaged_header_is_damage_wherever_it_is(place, at):
    """tarfile takes it for the end of the archive, without a word, unless it is the first."""
    raw = bytearray(pack([(f"a/{n}.", b"mail", {}) for n in range(10)]))
    raw[place * 1024 + at] ^= 0x55
    refused(bytes(raw))


@pytest.mark.parametrize("place", [0, 5, 9])
def test_a_header_of_zeros_is_damage_unless_another_follows(place):
    raw = bytearray(pack([(f"a/{n}.", b"mail", {}) for n in range(10)]))
    raw[place * 1024 : place * 1024 + 512] = bytes(512)
    refused(bytes(raw))


@pytest.mark.parametrize("wrap", [bytes, gzip.compress, lzma.compress, bz2.compress])
def test_an_archive_that_is_cut_off_is_damage_at_every_block(wrap):
    raw = pack(plain(8)).rstrip(b"\0")
    whole = -(-len(raw) // 512) * 512
    raw = raw.ljust(whole, b"\0")
    for end in (*range(0, whole + 1, 512), whole - 3):
        refused(wrap(raw[:end]))


@pytest.mark.parametrize("wrap", [gzip.compress, lzma.compress, bz2.compress])
def test_damage_of_the_compressed_file_behind_the_archive_is_noticed(wrap):
    raw = wrap(pack(plain(8)))
    refused(raw[:-3])
    refused(raw[:-6] + bytes([raw[-6] ^ 1]) + raw[-5:])


def test_half_an_end_marker_and_what_follows_a_whole_one_are_said(caplog):
    archive = pack(plain(3)).rstrip(b"\0")
    archive = archive.ljust(-(-len(archive) // 512) * 512, b"\0")
    assert read(archive + bytes(512)) == read(archive + bytes(1024))
    assert "lacks the second half of its end marker" in caplog.text
    caplog.clear()
    assert len(read(archive + bytes(1024))) == 3
    assert not caplog.text
    assert len(read(archive + bytes(1024) + archive + bytes(1024))) == 3
    assert "followed by about" in caplog.text


@pytest.mark.parametrize("headers", [{"path": "evil"}, {"size": "5"}, {"GNU.sparse.name": "evil"}])
def test_a_global_header_may_not_name_members(headers):
    refused(pack(plain(2), tarfile.PAX_FORMAT, pax_headers=headers))
    assert read(pack(plain(2), tarfile.PAX_FORMAT, pax_headers={"comment": "fine"})) == read(pack(plain(2)))


@pytest.mark.parametrize("size", ["-512", "1e9", "9" * 30])
def test_a_size_that_no_file_has_is_refused(size):
    raw = pack([("a", b"mail", {"pax_headers": {"size": size}})], tarfile.PAX_FORMAT)
    with pytest.raises(DAMAGE):
        read(raw)


def test_endless_extensions_are_refused():
    extension = tarfile.TarInfo("././@LongLink")
    extension.type, extension.size = tarfile.GNUTYPE_LONGNAME, 2
    refused((extension.tobuf() + b"a\0".ljust(512, b"\0")) * 100 + pack(plain(1)))
    extension.size = 1 << 40
    refused(extension.tobuf() + bytes(5000))


def test_random_damage_gives_the_same_members_or_is_refused():
    rng = random.Random(5)
    raw = pack(plain(12))
    whole = [member.name for member in read_members(io.BytesIO(raw), MAX)]
    for _ in range(300):
        damaged = bytearray(raw)
        damaged[rng.randrange(len(raw) - 10_240)] = rng.randrange(256)
        with contextlib.suppress(DAMAGE):
            assert [name for name, _ in read(bytes(damaged))] == whole
