"""Hostile and damaged archives, through download and parse, under limits."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import shutil
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Literal

from fuzzing.children import Outcome, run_forked
from fuzzing.findings import Findings, Trial
from fuzzing.mutations import mutated
from fuzzing.pipelines import fresh_copy, good_mail, leftovers, run_stage

Files = list[tuple[str, bytes]]
SECONDS = 2.0  # beyond what the whole archive needs
MEMORY = 200 * 2**20
_GOOD = 60  # messages of an archive
_COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": functools.partial(gzip.compress, compresslevel=1, mtime=0),
    "tar.xz": functools.partial(lzma.compress, preset=0),
    "tar.bz2": functools.partial(bz2.compress, compresslevel=1),
}
_NAMES = (
    *("../../outside/evil", "/tmp/outside/evil", "a/../../../outside/evil", "..", ".", "", "a//b", "./a/./b", "~/a"),
    *("a\x1b[31m\x07/b", "a\nb/c", "a\\..\\b", "C:\\a", "a" * 300, "a/" * 300 + "b", "\udce9/a", "a\u202eb/c", "con"),
    *("mail/x\0y", ".maildir.partial", ".lock", "emails.json", "mail", "mail/abbott-k/inbox/1.", "İ/ı", "a /b "),
)
_TYPES = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE)
_DAMAGES = ("none", "names", "links", "sizes", "truncated", "bits", "bytes", "joined", "inner", "hostile mail", "zeros")


def campaign(findings: Findings, work: Path, seed: int, count: int) -> None:
    """Try many archives, as far as they have not been tried.

    Parameters
    ----------
    findings : Findings
        Where results are kept.
    work : Path
        A folder for the work.
    seed : int
        The seed.
    count : int
        How many archives.
    """
    mail = work / "good" / "mail"
    good = [(str(path.relative_to(mail.parent)), path.read_bytes()) for path in good_mail(mail)]
    needed: dict[str, Outcome] = {}
    for kind_number, kind in enumerate(kinds := [*_COMPRESSED, "zip", "mbox"]):
        steps = len(range(kind_number, count, len(kinds)))
        for number in findings.left("archives", kind, seed, steps):
            needed = needed or _needed(work, good)
            findings.add(_try(work, good, kind, seed, number, needed))


def _needed(work: Path, good: Files) -> dict[str, Outcome]:
    """What a good archive needs."""
    folder = work / "alone_archive"
    fresh_copy(work / "good", folder)
    (folder / "good.tar").write_bytes(_tar(Random(0), good, "none"))
    return {
        "download": run_forked(lambda: run_stage("download", "download.source=good.tar"), folder),
        "parse": run_forked(lambda: run_stage("parse", "parse.source=good.tar"), folder),
    }


def _try(work: Path, good: Files, kind: str, seed: int, number: int, needed: dict[str, Outcome]) -> Trial:
    random = Random(f"archive {kind} {seed} {number}")
    around = work / "around"
    folder = around / "work"
    shutil.rmtree(around, ignore_errors=True)
    folder.mkdir(parents=True)
    damage = random.choice(_DAMAGES)
    archive = folder / f"archive.{kind}"
    archive.write_bytes(_archive(random, random.sample(good, _GOOD), kind, damage))
    trial = Trial(campaign="archives", subject=kind, number=number, seed=seed, tried=1, kinds={damage: 1})
    size = archive.stat().st_size
    for stage, setting in (("parse", "parse.source"), ("download", "download.source")):
        outcome = run_forked(functools.partial(run_stage, stage, f"{setting}={archive.name}"), folder)
        trial.failures += [f"{damage}: {stage}: {failure}" for failure in _broken(outcome, needed[stage], damage, kind)]
        more = max(0.0, outcome.seconds - needed[stage].seconds)
        if more > trial.slowest:
            trial.slowest, trial.what = more, f"({stage}, {damage}, {size:,} bytes)"
        trial.peak = max(trial.peak, outcome.peak - needed[stage].peak)
        if left := [name for name in leftovers(folder) if "maildir" not in Path(name).parts]:
            trial.failures.append(f"{damage}: {stage}: left over: {left[:3]}")
        outside = [str(path) for path in around.iterdir() if path.name not in ("work", "work.log", "work.result")]
        if outside or Path("/tmp/outside").exists():
            trial.failures.append(f"{damage}: {stage}: wrote outside: {outside}")
    return trial


def _broken(outcome: Outcome, needed: Outcome, damage: str, kind: str) -> Iterator[str]:
    if outcome.crash:
        yield outcome.crash
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in outcome.refused):
        yield f"not one line that a terminal can show: {outcome.refused!r}"
    if any((ord(character) < 32 and character not in "\n\t") or character == "\u202e" for character in outcome.log):
        yield f"control characters in the log: {outcome.log[:200]!r}"
    if outcome.seconds > needed.seconds + SECONDS:
        yield f"{outcome.seconds:.1f} s, a good one takes {needed.seconds:.1f} s"
    if outcome.peak > needed.peak + MEMORY:
        yield f"{outcome.peak >> 20} MiB, a good one takes {needed.peak >> 20} MiB"
    counts: dict[str, Any] = outcome.result or {}
    if "records" in counts and counts["records"] + counts["errors"] != counts["files"]:
        yield f"{counts['records']} records and {counts['errors']} errors of {counts['files']} files"
    if damage == "none" and counts.get("records", counts.get("files")) != _GOOD and (kind.startswith("tar") or counts):
        yield f"{counts} of {_GOOD} messages; {outcome.refused}"


def _archive(random: Random, files: Files, kind: str, damage: str) -> bytes:
    if damage == "hostile mail":
        files = [(name, mutated(random, content)[1] if random.random() < 0.2 else content) for name, content in files]
    if damage == "inner":
        inner = _archive(random, files[:5], random.choice((*_COMPRESSED, "zip", "mbox")), "none")
        files = [*files, (f"mail/abbott-k/inbox/{random.choice(('a.zip', 'b.gz', 'c', 'd.tar.gz'))}", inner)]
    if kind == "zip":
        content = _zip(random, files, damage)
    elif kind == "mbox":
        content = _mbox(random, files, damage)
    else:
        content = _tar(random, files, damage)
    if damage in ("bits", "bytes") and random.random() < 0.5:  # below the compression
        content = _damaged(random, content, damage)
        return _COMPRESSED.get(kind, bytes)(content)
    content = _COMPRESSED.get(kind, bytes)(content)
    return _damaged(random, content, damage)


def _damaged(random: Random, content: bytes, damage: str) -> bytes:
    if damage == "truncated":
        return content[: random.randrange(len(content))]
    if damage == "joined":
        return content + random.choice((content, b"\0" * 10_000, b"x" * 100, content[:1000]))
    changed = bytearray(content)
    if damage == "bits":
        for _ in range(random.choice((1, 1, 3, 50))):
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    if damage in ("bytes", "zeros"):
        place, length = random.randrange(len(changed)), random.choice((1, 100, 512, 5000))
        new = bytes(length) if damage == "zeros" else random.randbytes(random.choice((0, length)))
        changed[place : place + length] = new
    return bytes(changed)


def _tar(random: Random, files: Files, damage: str) -> bytes:
    buffer = io.BytesIO()
    form: Literal[1, 2] = random.choice((1, 2))  # GNU's, pax
    for number, (name, content) in enumerate(files):
        member = tarfile.TarInfo(name)
        member.size = len(content)
        if number == 3 and damage == "names":
            member.name = random.choice(_NAMES)
        if number == 3 and damage == "links":
            member.type, member.size = random.choice(_TYPES), 0
            member.linkname = random.choice(("../../outside", "/etc/passwd", files[0][0], "mail", member.name))
        if number == 3 and damage == "sizes":
            member.size = random.choice((2**20, 2**33, 2**62, len(content) - 1, 0))
            if form == tarfile.PAX_FORMAT and random.random() < 0.5:
                member.pax_headers = {"size": random.choice(("-1", "9" * 4000, "x", str(2**40), "²"))}
        buffer.write(member.tobuf(form, "utf-8", "surrogateescape"))
        buffer.write(content + bytes(-len(content) % 512))
    return buffer.getvalue() + bytes(1024)


def _zip(random: Random, files: Files, damage: str) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", random.choice((0, 8, 12, 14))) as archive:
        warnings.simplefilter("ignore")
        for number, (name, content) in enumerate(files):
            if number == 3 and damage == "names":
                name = random.choice(_NAMES).encode("utf-8", "replace").decode()
            member = zipfile.ZipInfo(name or "empty")
            member.compress_type = archive.compression
            if number == 3 and damage == "links":
                member.external_attr = 0o120777 << 16
                content = random.choice((b"../../outside", b"/etc/passwd", b"x" * 10_000))
            if number == 3 and damage == "sizes":
                content = bytes(random.choice((2**20, 70 * 2**20)))
            archive.writestr(member, content)
    packed = bytearray(buffer.getvalue())
    if damage == "sizes" and random.random() < 0.5:  # what the directory claims
        at = packed.rfind(b"PK\x01\x02") + random.choice((8, 10, 16, 20, 24, 28, 30, 42))
        packed[at : at + 4] = random.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\1\0\0\0"))
    return bytes(packed)


def _mbox(random: Random, files: Files, damage: str) -> bytes:
    lines = {
        "names": b"From " + random.choice(_NAMES).encode("utf-8", "replace") + b"\n",
        "links": b"From a@b.example Mon May 14 18:00:00 2001\nFrom a@b.example Mon May 14 18:00:00 2001\n\n",
        "sizes": random.choice((b"From ", b">", b"a ", b"From - ")) * (2**21 // 5),
    }
    parts = [b"From a@b.example Mon May 14 18:00:00 2001\n" + mboxed(content) + b"\n" for _, content in files]
    parts.insert(3, lines.get(damage, b""))
    return b"".join(parts)


def mboxed(content: bytes) -> bytes:
    """A message as an mbox holds it, its ``From `` lines quoted.

    Parameters
    ----------
    content : bytes
        The message.
    """
    return b"\n".join(b">" + line if line.startswith(b"From ") else line for line in content.split(b"\n"))
