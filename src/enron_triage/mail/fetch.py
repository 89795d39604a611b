"""Fetching a large file over HTTP: retried, and resumed where a transfer broke off."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import urllib3

from enron_triage.errors import TriageError, UsageError
from enron_triage.runtime import artifacts
from enron_triage.runtime.progress import progress_bar

logger = logging.getLogger(__name__)

_TRIES = 6
_BLOCK = 1 << 14  # bytes: at most this much is lost when a transfer breaks off
_TIMEOUT = urllib3.Timeout(connect=20, read=60)  # seconds
# `fetch` itself tries again, so that it can resume from the part; total would count a redirect as a failure.
_REDIRECTS_ONLY = urllib3.Retry(total=None, connect=0, read=0, status=0, other=0, redirect=5)
# What urllib3 puts before the cause: <...HTTPSConnection object at ...>:, HTTPSConnectionPool(host=..., port=443):
_CONNECTION = re.compile(r"^\S*HTTPS?Connection.*?[)>]: ")
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})


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
    """

    url: str
    size: int | None
    validator: str


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
        If the server cannot be reached or breaks off every time.
    """
    cause = ""
    with urllib3.PoolManager(timeout=_TIMEOUT, retries=_REDIRECTS_ONLY) as pool:
        for attempt in range(_TRIES):
            if attempt:
                logger.warning("%s: %s; trying again", url, cause)
                wait(2 ** (attempt - 1))
            try:
                return _fetch_once(pool, url, target)
            except urllib3.exceptions.LocationValueError as invalid:
                raise UsageError(f"{url}: not a URL ({invalid}); check download.source") from None
            except (urllib3.exceptions.HTTPError, _BrokenOffError) as failed:
                cause = _cause(failed)
    raise TriageError(
        f"{url}: not fetched after {_TRIES} tries ({cause}); run the same command to resume from {_part(target)}"
    )


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
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            artifacts.remove(part)
            raise _BrokenOffError("the server sent another range than was asked for")
        remote = _describe(url, response, have)
        if _is_fetched(target, remote):
            logger.info("%s: already here", target)
            return
        _receive(response, remote, part, have)
    finally:
        response.close()
    part.replace(target)
    description_path(part).replace(description_path(target))


def _receive(response: urllib3.BaseHTTPResponse, remote: Remote, part: Path, have: int) -> None:
    part.parent.mkdir(parents=True, exist_ok=True)
    artifacts.write_json(description_path(part), remote)
    with (
        part.open("ab" if have else "wb") as file,
        progress_bar(description=part.name, total=remote.size, unit="B") as bar,
    ):
        bar.update(have)
        # Many servers declare a .tar.gz as "Content-Encoding: x-gzip"; decoded, it fits neither its size nor its hash.
        for block in response.stream(_BLOCK, decode_content=False):
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
