"""The stage ``download``: the raw archive to ``data/maildir``.

    triage download --set download.source=enron_mail_20150507.tar.gz

The source is ``cmu``, a URL, a local archive, or ``demo``. What comes over HTTP is kept beside the
maildir and not fetched again while the server's description of it (size, ETag, date) is the same; a
transfer that breaks off goes on where it was.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import msgspec
import urllib3

from enron_triage import artifacts
from enron_triage.config import Config
from enron_triage.corpus.archive import Unpacked, new_folder, unpack
from enron_triage.corpus.demo import write_demo
from enron_triage.errors import TriageError, UsageError
from enron_triage.progress import progress_bar
from enron_triage.stages import Result, plan

logger = logging.getLogger(__name__)

CMU = "https://www.cs.cmu.edu/~enron/enron_mail_20150507.tar.gz"

_TRIES = 6
_BLOCK = 1 << 14  # bytes: at most so much is lost when a transfer breaks off
_TIMEOUT = urllib3.Timeout(connect=20, read=60)  # seconds
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})


class Remote(msgspec.Struct, frozen=True):
    """What a server says of a file: enough to tell whether two parts belong to the same one.

    Attributes
    ----------
    url : str
    size : int or None
        Of the whole file; None if the server does not say.
    validator : str
        Its ETag, else its Last-Modified date, else empty.
    """

    url: str
    size: int | None
    validator: str


def run(config: Config) -> Result:
    """Obtain ``download.source`` and unpack it to ``<data_dir>/maildir``.

    Raises
    ------
    UsageError
        If the source does not exist.
    TriageError
        If it cannot be fetched, is not what its hash says, or is damaged.
    """
    stage = plan("download", config)
    source, target = config.download.source, stage.outputs[0]
    if source != "demo" and "://" not in source and source != "cmu" and not Path(source).is_file():
        raise UsageError(
            f"{source}: no such archive; download.source is cmu, demo, a URL, or a .tar, .tar.gz or .tar.xz"
        )
    started = time.perf_counter()
    with stage.recorded() as counts:
        try:
            if source == "demo":
                unpacked = _write_demo(config, target)
            else:
                archive = _obtain(source, config)
                check_hash(archive, config.download.sha256)
                with new_folder(target) as folder:
                    unpacked = unpack(archive, folder)
        except OSError as error:
            raise TriageError(f"{target}: cannot be written: {error.strerror or error}") from error
        mailboxes = sum(1 for child in target.iterdir() if child.is_dir())
        counts.update(files=unpacked.files, bytes=unpacked.size, mailboxes=mailboxes)
    table = (
        f"{source}: {unpacked.files:,} files, {unpacked.size:,} bytes, {mailboxes} mailboxes "
        f"in {time.perf_counter() - started:.1f} s -> {target}"
    )
    return Result(stage="download", table=table, data=dict(counts, source=source))


def fetch(url: str, target: Path, *, wait: Callable[[float], None] = time.sleep) -> None:
    """Fetch a URL to a file, going on from ``<target>.part`` where an earlier try broke off.

    Parameters
    ----------
    url : str
    target : Path
        Replaced when the transfer is complete. If it is there and the server describes the same
        file as before, nothing is fetched.
    wait : callable
        Takes seconds; called between two tries, for 1, 2, 4, ... seconds.

    Raises
    ------
    UsageError
        If the server says that there is no such file.
    TriageError
        If the server cannot be reached or breaks off every time.
    """
    error: Exception | None = None
    with urllib3.PoolManager(timeout=_TIMEOUT, retries=urllib3.Retry(0, redirect=5)) as pool:
        for attempt in range(_TRIES):
            if attempt:
                logger.warning("%s: %s; trying again", url, error)
                wait(2 ** (attempt - 1))
            try:
                return _fetch_once(pool, url, target)
            except (urllib3.exceptions.HTTPError, _BrokenOffError) as failed:
                error = failed
    raise TriageError(
        f"{url}: not fetched after {_TRIES} tries ({error}); run the same command to go on from {_part(target)}"
    )


def check_hash(archive: Path, expected: str | None) -> None:
    """Refuse an archive whose SHA-256 is not the expected one.

    Raises
    ------
    TriageError
    """
    if expected is None:
        return
    with artifacts.open_input(archive) as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected.lower():
        raise TriageError(
            f"{archive}: its SHA-256 is {found}, download.sha256 says {expected.lower()}; delete it and fetch it again"
        )


class _BrokenOffError(Exception):
    """A transfer that may be tried again."""


def _write_demo(config: Config, target: Path) -> Unpacked:
    demo = config.download.demo
    with new_folder(target) as folder:
        write_demo(folder, config.seed, demo.mailboxes, demo.messages)
        files = [path for path in folder.rglob("*") if path.is_file()]
        return Unpacked(len(files), sum(path.stat().st_size for path in files))


def _obtain(source: str, config: Config) -> Path:
    """The archive as a local file."""
    url = CMU if source == "cmu" else source
    if "://" not in url:
        return Path(url)
    if urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"{url}: only http and https are fetched; name a local file by its path")
    name = PurePosixPath(unquote(urlsplit(url).path)).name or "archive"
    target = config.data / name
    if name.startswith(".") or target.is_dir():
        raise UsageError(f"{url}: does not end in the name of an archive")
    fetch(url, target)
    return target


def _fetch_once(pool: urllib3.PoolManager, url: str, target: Path) -> None:
    part = _part(target)
    known = _read_description(part)
    have = part.stat().st_size if part.exists() and known is not None and known.url == url else 0
    headers = {"Accept-Encoding": "identity"}
    if have and known is not None and known.validator:
        # If-Range: a file that has changed meanwhile comes whole instead of spliced (RFC 9110, 13.1.5).
        headers |= {"Range": f"bytes={have}-", "If-Range": known.validator}
    response = pool.request("GET", url, headers=headers, preload_content=False, enforce_content_length=True)
    try:
        if response.status in _TEMPORARY:
            raise _BrokenOffError(f"the server answered {response.status}")
        if response.status == 416:  # the part is longer than the file: start over
            artifacts.remove(part)
            raise _BrokenOffError("the server has less than was fetched before")
        if response.status not in (200, 206):
            raise UsageError(
                f"{url}: the server answered {response.status} {response.reason or ''}; check download.source"
            )
        if response.status == 200:
            have = 0
        remote = _describe(url, response, have)
        if _is_fetched(target, remote):
            logger.info("%s: already here", target)
            return
        _receive(response, remote, part, have)
    finally:
        response.close()
    part.replace(target)
    _description(part).replace(_description(target))


def _receive(response: urllib3.BaseHTTPResponse, remote: Remote, part: Path, have: int) -> None:
    part.parent.mkdir(parents=True, exist_ok=True)
    artifacts.write_json(_description(part), remote)
    with (
        part.open("ab" if have else "wb") as file,
        progress_bar(description=part.name, total=remote.size, unit="B") as bar,
    ):
        bar.update(have)
        for block in response.stream(_BLOCK):
            file.write(block)
            bar.update(len(block))
    size = part.stat().st_size
    if remote.size is not None and size != remote.size:
        raise _BrokenOffError(f"{size:,} of {remote.size:,} bytes came")


def _describe(url: str, response: urllib3.BaseHTTPResponse, have: int) -> Remote:
    length = response.headers.get("Content-Length", "")
    size = int(length) + have if length.isdigit() else None
    strong_tag = response.headers.get("ETag", "")
    validator = (
        strong_tag if strong_tag and not strong_tag.startswith("W/") else response.headers.get("Last-Modified", "")
    )
    return Remote(url, size, validator)


def _is_fetched(target: Path, remote: Remote) -> bool:
    """Whether the finished file is the one that the server describes now."""
    return (
        bool(remote.validator)
        and target.is_file()
        and _read_description(target) == remote
        and (remote.size is None or target.stat().st_size == remote.size)
    )


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _description(path: Path) -> Path:
    return path.with_name(f"{path.name}.remote.json")


def _read_description(path: Path) -> Remote | None:
    try:
        return msgspec.json.decode(_description(path).read_bytes(), type=Remote)
    except (OSError, msgspec.DecodeError):
        return None
