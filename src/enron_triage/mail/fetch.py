"""Fetching a large file over HTTP: retried, and resumed where a transfer broke off."""

from __future__ import annotations

import gzip
import http.client
import logging
import re
import shutil
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

import msgspec
import urllib3

from enron_triage.errors import TriageError, UsageError
from enron_triage.mail.http_pool import SlowHeadersError, pool_manager
from enron_triage.runtime import artifacts
from enron_triage.runtime.progress import progress_bar

logger = logging.getLogger(__name__)

_TRIES = 6
_BLOCK = 1 << 14  # bytes: at most this much is lost when a transfer breaks off
_TIMEOUT = urllib3.Timeout(connect=20, read=60)  # seconds
_ONCE = urllib3.Retry(0)  # `fetch` itself tries again, so that it can resume from the part
_REDIRECTIONS = 5
# What urllib3 puts before the cause: <...HTTPSConnection object at ...>:, HTTPSConnectionPool(host=..., port=443):
_CONNECTION = re.compile(r"^\S*HTTPS?Connection.*?[)>]: ")
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
_LEAST_RATE, _RATE_WITHIN = 1000, 60.0  # bytes a second, over so many seconds; less would take weeks
_MAX_SHOWN = 100  # characters of what a server says
_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", re.ASCII)
_GZIP, _GZIP_NAMES, _GZIP_SUFFIXES = b"\x1f\x8b", ("gzip", "x-gzip"), (".gz", ".tgz")


class Remote(msgspec.Struct, frozen=True):
    """What a server says about a file: enough to tell whether two parts belong to the same one.

    Attributes
    ----------
    url : str
        Where the file was fetched from.
    size : int or None
        The bytes of the whole file; None if the server does not say.
    validator : str
        The file's strong ETag, else its Last-Modified date, else empty (RFC 9110, section 8.8).
    decoded : bool
        Whether the server had compressed the file, which is not compressed here any more.
    """

    url: str
    size: int | None
    validator: str
    decoded: bool = False


def fetch(url: str, target: Path, *, wait: Callable[[float], None] = time.sleep) -> None:
    """Fetch a URL to a file, resuming from ``<target>.part`` where an earlier try broke off.

    Parameters
    ----------
    url : str
        The ``http`` or ``https`` address of the file.
    target : Path
        The file to write; it is replaced when the transfer is complete. If it is there and the server
        describes the same file as before, nothing is fetched.
    wait : callable
        Takes seconds; called between two tries, for 1, 2, 4, ... seconds.

    Raises
    ------
    UsageError
        If this is not a URL, or the server says that there is no such file.
    TriageError
        If the server cannot be reached, breaks off or is too slow every time, or sends what cannot be used.
    """
    _check_url(url)
    cause = ""
    with pool_manager(_TIMEOUT, _ONCE) as pool:
        for attempt in range(_TRIES):
            if attempt:
                logger.warning("%s: %s; trying again", url, cause)
                wait(2 ** (attempt - 1))
            try:
                return _fetch_once(pool, url, target)
            except (http.client.HTTPException, ValueError) as failed:  # as for redirections to what is not a URL
                raise _unusable(url, f"what cannot be used ({failed})") from None
            except (urllib3.exceptions.HTTPError, _BrokenOffError, SlowHeadersError) as failed:
                cause = _shown(_cause(failed))
    raise TriageError(
        f"{url}: not fetched after {_TRIES} tries ({cause}); run the same command to resume from {_part(target)}"
    )


def _check_url(url: str) -> None:
    try:
        if not urllib3.util.parse_url(url).host:
            raise UsageError(f"{url}: not a URL (it names no host); check download.source")
    except (urllib3.exceptions.LocationValueError, ValueError) as invalid:
        raise UsageError(f"{url}: not a URL ({invalid}); check download.source") from None


def _unusable(url: str, sent: str) -> TriageError:
    return TriageError(f"{url}: the server sends {_shown(sent)}; download the file in another way, and give its path")


def _shown(text: str) -> str:
    """The beginning of a text that a server may have chosen."""
    return text if len(text) <= 2 * _MAX_SHOWN else f"{text[: 2 * _MAX_SHOWN]}..."


class _BrokenOffError(Exception):
    """A transfer that may be tried again."""


def _cause(error: Exception) -> str:
    """What went wrong, without the connection that urllib3 repeats at every level."""
    if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason is not None:
        error = error.reason
    if isinstance(error, urllib3.exceptions.ProtocolError):  # (what happened, the error beneath)
        return str(error.args[0]).rstrip(".")
    return _CONNECTION.sub("", str(error))


def _fetch_once(pool: urllib3.PoolManager, url: str, target: Path) -> None:
    part = _part(target)
    known = _read_description(part)
    have = part.stat().st_size if part.exists() and known is not None and known.url == url else 0
    headers = {"Accept-Encoding": "identity"}
    if have and known is not None and known.validator:
        # If-Range: a file that has changed meanwhile comes whole instead of spliced (RFC 9110, 13.1.5).
        headers |= {"Range": f"bytes={have}-", "If-Range": known.validator}
    response = _ask(pool, url, headers)
    try:
        if response.status in _TEMPORARY:
            raise _BrokenOffError(f"the server answered {response.status}")
        if response.status == 416:  # the part is longer than the file: start over
            artifacts.remove(part)
            raise _BrokenOffError("the server has less than was fetched before")
        if response.status not in (200, 206):
            reason = (response.reason or "")[:_MAX_SHOWN]
            raise UsageError(f"{url}: the server answered {response.status} {reason}; check download.source")
        encoding = _encoding(url, response)
        if response.status == 200:
            have = 0
        elif known is None or not _goes_on(response, known, have):
            artifacts.remove(part)
            raise _BrokenOffError("the server sent another range, or of another file, than was asked for")
        remote = known if have and known is not None else _describe(url, response)
        if _is_fetched(target, remote):
            logger.info("%s: already downloaded", target)
            return
        _receive(response, remote, part, have)
    finally:
        response.close()
    if encoding and _undo_gzip(url, part, target):
        artifacts.write_json(description_path(part), msgspec.structs.replace(remote, decoded=True))
    part.replace(target)
    description_path(part).replace(description_path(target))


def _ask(pool: urllib3.PoolManager, url: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
    """Ask for a file, wherever the server says that it is; the caller closes the response."""
    for _ in range(_REDIRECTIONS + 1):
        response = pool.request(
            "GET", url, headers=headers, preload_content=False, enforce_content_length=True, redirect=False
        )
        location = response.get_redirect_location()
        if not location:
            return response
        response.close()
        url = urljoin(url, location)
    raise _BrokenOffError(f"the server redirects more than {_REDIRECTIONS} times")


def _goes_on(response: urllib3.BaseHTTPResponse, known: Remote, have: int) -> bool:
    """Whether a partial answer is the rest of the file that a part is of (RFC 9110, 15.3.7)."""
    found = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if found is None or int(found[1]) != have or _validator(response) != known.validator:
        return False
    return found[2] == "*" or known.size is None or int(found[2]) == known.size


def _receive(response: urllib3.BaseHTTPResponse, remote: Remote, part: Path, have: int) -> None:
    part.parent.mkdir(parents=True, exist_ok=True)
    artifacts.write_json(description_path(part), remote)
    with (
        part.open("ab" if have else "wb") as file,
        progress_bar(description=part.name, total=remote.size, unit="B") as bar,
    ):
        bar.update(have)
        since, came = time.monotonic(), 0
        # Many servers declare a .tar.gz as "Content-Encoding: x-gzip"; decoded, it fits neither its size nor its hash.
        while block := response.read1(_BLOCK, decode_content=False):
            file.write(block)
            bar.update(len(block))
            came += len(block)
            passed = time.monotonic() - since
            if passed > _RATE_WITHIN:
                if came < _LEAST_RATE * passed:
                    raise _BrokenOffError(f"the server sends less than {_LEAST_RATE:,} bytes a second")
                since, came = time.monotonic(), 0
    size = part.stat().st_size
    if remote.size is not None and size != remote.size:
        raise _BrokenOffError(f"{size:,} of {remote.size:,} bytes came")


def _encoding(url: str, response: urllib3.BaseHTTPResponse) -> str:
    """The encoding that a server has applied although none was asked for; empty if it is that of the archive itself."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("", "identity", *_GZIP_NAMES):
        return encoding if encoding in _GZIP_NAMES else ""
    raise _unusable(url, f"the file in an encoding that was not asked for ({encoding[:_MAX_SHOWN]})")


def _undo_gzip(url: str, part: Path, target: Path) -> bool:
    """Undo gzip that is the server's: where the name of the file does not tell of it, or the file has it twice."""
    plain = part.with_name(f"{part.name}.plain")
    try:
        with gzip.open(part) as packed:
            if target.name.lower().endswith(_GZIP_SUFFIXES) and packed.read(len(_GZIP)) != _GZIP:
                return False
            packed.seek(0)
            with plain.open("wb") as file:
                shutil.copyfileobj(packed, file)
        plain.replace(part)
        return True
    except (gzip.BadGzipFile, EOFError, zlib.error):
        artifacts.remove(part)
        raise _unusable(url, "a file that is not encoded as it says (gzip)") from None
    finally:
        artifacts.remove(plain)


def _describe(url: str, response: urllib3.BaseHTTPResponse) -> Remote:
    length = response.headers.get("Content-Length", "").strip()
    if length and not _LENGTH.fullmatch(length):
        raise _unusable(url, f"a Content-Length that is not a number ({length[:_MAX_SHOWN]})")
    return Remote(url, int(length) if length else None, _validator(response))


def _validator(response: urllib3.BaseHTTPResponse) -> str:
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


def _is_fetched(target: Path, remote: Remote) -> bool:
    """Whether the finished file is the one that the server describes now."""
    known = _read_description(target)
    if known is None or not remote.validator or not target.is_file():
        return False
    if msgspec.structs.replace(known, decoded=False) != remote:
        return False
    return known.decoded or remote.size is None or target.stat().st_size == remote.size


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def description_path(path: Path) -> Path:
    """Where the server's description of a fetched file is kept.

    Parameters
    ----------
    path : Path
        The fetched file, or a part of it.

    Returns
    -------
    Path
        A JSON file next to it.
    """
    return path.with_name(f"{path.name}.remote.json")


def _read_description(path: Path) -> Remote | None:
    try:
        return msgspec.json.decode(description_path(path).read_bytes(), type=Remote)
    except (OSError, msgspec.DecodeError):
        return None
