"""The stage ``download``: the raw archive to ``data/maildir``.

    triage download --set download.source=enron_mail_20150507.tar.gz

The source is ``cmu``, a URL, a local archive, or ``demo``. What is fetched over HTTP is kept next to
the maildir and not fetched again while the server's description of it (size, ETag, date) is the same; a
transfer that breaks off is resumed.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from enron_triage.config.schema import Config
from enron_triage.errors import TriageError, UsageError
from enron_triage.mail.archive import Unpacked, new_folder, unpack
from enron_triage.mail.demo.corpus import write_demo
from enron_triage.mail.fetch import description_path, fetch
from enron_triage.pipeline import stage_run
from enron_triage.runtime import artifacts
from enron_triage.stage_run import Result

CMU = "https://www.cs.cmu.edu/~enron/enron_mail_20150507.tar.gz"


def run(config: Config) -> Result:
    """Obtain ``download.source`` and unpack it to ``<data_dir>/maildir``.

    Parameters
    ----------
    config : Config
        The whole configuration; the section ``download`` decides, and ``seed`` for the demo corpus.

    Returns
    -------
    Result
        How many files, bytes and mailboxes there are.

    Raises
    ------
    UsageError
        If the source does not exist.
    TriageError
        If it cannot be fetched, is not what its hash says, or is damaged.
    """
    stage = stage_run("download", config)
    source, target = config.download.source, stage.outputs["mail"]
    if source != "demo" and "://" not in source and source != "cmu" and not Path(source).is_file():
        raise UsageError(
            f"{source}: no such archive; download.source must be cmu, demo, a URL, or a .tar, .tar.gz or .tar.xz"
        )
    started = time.perf_counter()
    with stage.track() as counts:
        try:
            archive = None if source == "demo" else _obtain(source, config)
            with new_folder(target) as folder:
                unpacked = _write_demo(config, folder) if archive is None else unpack(archive, folder)
                mailboxes = sum(1 for child in folder.iterdir() if child.is_dir())
        except OSError as error:
            raise artifacts.not_written(target, error) from error
        counts.update(files=unpacked.files, bytes=unpacked.size, mailboxes=mailboxes)
    table = (
        f"{source}: {unpacked.files:,} files, {unpacked.size:,} bytes, {mailboxes} mailboxes "
        f"in {time.perf_counter() - started:.1f} s -> {target}"
    )
    return Result(stage="download", table=table, data=dict(counts, source=source))


def check_hash(archive: Path, expected: str | None) -> None:
    """Refuse an archive whose SHA-256 is not the expected one.

    Parameters
    ----------
    archive : Path
        The archive.
    expected : str or None
        The hash in hexadecimal digits; None accepts any archive.

    Raises
    ------
    TriageError
        If the hash is another one.
    """
    if expected is not None and (found := sha256_of(archive)) != expected.lower():
        raise TriageError(
            f"{archive}: its SHA-256 is {found}, download.sha256 says {expected.lower()}; "
            "fetch it again or correct the hash"
        )


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file.

    Parameters
    ----------
    file : Path
        The file, which must be readable.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    with artifacts.open_input(file) as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _write_demo(config: Config, folder: Path) -> Unpacked:
    demo = config.download.demo
    count = write_demo(folder, demo.seed, demo.mailboxes, demo.messages)
    sizes = (os.path.getsize(f"{root}/{name}") for root, _, names in os.walk(folder) for name in names)
    return Unpacked(count, sum(sizes))


def _obtain(source: str, config: Config) -> Path:
    """The archive as a local file."""
    url = CMU if source == "cmu" else source
    if "://" not in url:
        check_hash(Path(url), config.download.sha256)
        return Path(url)
    if urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"{url}: only http and https URLs can be fetched; give the path of a local file")
    name = PurePosixPath(unquote(urlsplit(url).path)).name or "archive"
    target = config.data / name
    if name.startswith(".") or target.is_dir():
        raise UsageError(f"{url}: does not end in the name of an archive")
    if config.download.sha256 is not None and target.is_file() and sha256_of(target) == config.download.sha256.lower():
        return target  # without asking the server, which may be out of reach
    fetch(url, target)
    try:
        check_hash(target, config.download.sha256)
    except TriageError:
        # The next run would not fetch a kept file again, and would fail as this one did.
        artifacts.remove(target)
        artifacts.remove(description_path(target))
        raise
    return target
