"""Open a path as a tree of files; refuse formats that only their own program can read."""

from __future__ import annotations

from pathlib import Path

from enron_triage.errors import UsageError
from enron_triage.mail.sources.disk import DirectoryTree, FileTree
from enron_triage.mail.sources.tarred import TarTree
from enron_triage.mail.sources.tree import Tree
from enron_triage.mail.sources.zipped import ZipTree

_READPST = (
    "convert it with `readpst -D -r -o FOLDER {path}` (package pst-utils; -D keeps what was deleted) and name FOLDER"
)
_OLM = (
    "an archive of Outlook for Mac, which only Outlook reads: import it there and drag its folders to the desktop, "
    "which exports an .mbox for each, or convert it to mbox files with a converter for .olm"
)
_MSG = (
    "a message saved by Outlook, or another file of Microsoft Office: convert messages to .eml with "
    "`msgconvert {path}` (libemail-outlook-message-perl) or the Python package extract-msg"
)
_ADVICE: dict[str, str] = {
    "pst": f"an Outlook store: {_READPST}",
    "olm": _OLM,
    "ole": _MSG,
    "dbx": "a folder of Outlook Express: convert it to .eml files with `undbx {path} FOLDER` and name FOLDER",
    "nsf": "a Notes database: select its messages in Notes, export them as .eml files into a folder, and name that",
    "damaged": "truncated or damaged; fetch it again",
    "zstd": "compressed with Zstandard: expand it with `zstd -d {path}`",
}
_IN_FOLDER = {
    "tar": "a tar archive in a folder: name the archive itself, or unpack it",
    "zip": "a zip archive among other mail, or damaged: name it itself, or unpack it",
}


def open_tree(path: Path) -> Tree:
    """Open a source of mail.

    Parameters
    ----------
    path : Path
        A folder, a file of mail, or a zip or tar archive, compressed or not, under any name.

    Returns
    -------
    Tree
        The files in it.

    Raises
    ------
    UsageError
        If there is nothing at the path, it cannot be read, or is to be converted first.
    TriageError
        If it is an archive that is damaged or hostile.
    """
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder; run `triage download` or set parse.source")
    if path.is_dir():
        return DirectoryTree(path)
    if not path.is_file():
        raise UsageError(f"{path}: a pipe or a device; save it as a file, or give `triage predict` the path -")
    tree = FileTree(path)
    kind = "olm" if path.suffix.lower() == ".olm" else tree.kind(path.name)
    if kind in _ADVICE:
        raise UsageError(f"{path}: {conversion(kind, str(path))}")
    if kind == "zip":
        return ZipTree(path)
    return TarTree(path) if kind == "tar" or _has_name_of_tar(path) else tree


def conversion(kind: str, path: str) -> str:
    """What a file is that must be converted before its mail can be read, and how to do that.

    Parameters
    ----------
    kind : str
        What it is.
    path : str
        The path to show in the command.

    Returns
    -------
    str
        One clause; empty for a kind that no converter is known for.
    """
    return (_ADVICE | _IN_FOLDER).get(kind, "").format(path=path)


def _has_name_of_tar(path: Path) -> bool:
    """Whether a damaged or empty file should be a tar archive, so that the error says so."""
    return path.name.lower().endswith((".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2"))
