"""How to install an optional extra, in the words of the installation that runs."""

from __future__ import annotations

import importlib.metadata
import json
import shlex
from pathlib import Path
from urllib.parse import unquote, urlsplit

_NAME = "enron-triage"
_CHECKOUT = Path(__file__).resolve().parents[3]


def install_command(extra: str, root: Path = _CHECKOUT) -> str:
    """The command that adds an extra to this installation, in backquotes.

    Parameters
    ----------
    extra : str
        The name of the extra, such as ``annotate``.
    root : Path
        The folder above ``src``, if the package runs from a checkout.

    Returns
    -------
    str
        For a checkout ``pip install -e``; for what was installed from a folder, a file or a URL, that again (PEP 610);
        else by the name of the package.
    """
    if (root / "pyproject.toml").is_file() and (root / "src").is_dir():
        return _from_folder(root, extra, "-e ")
    try:
        known = json.loads(importlib.metadata.distribution(_NAME).read_text("direct_url.json") or "{}")
    except (importlib.metadata.PackageNotFoundError, ValueError):
        known = {}
    url = known.get("url", "")
    folder = Path(unquote(urlsplit(url).path))
    if "dir_info" in known:
        if folder.is_dir():
            return _from_folder(folder, extra)
        url = ""  # the folder is gone
    if "vcs_info" in known:
        url = f"{known['vcs_info']['vcs']}+{url}@{known['vcs_info']['commit_id']}"
    target = shlex.quote(f"{_NAME}[{extra}] @ {url}" if url else f"{_NAME}[{extra}]")
    return f"`pip install {target}`"


def _from_folder(folder: Path, extra: str, option: str = "") -> str:
    """The installation from a checkout, with the versions that it was tested with."""
    is_here = folder == Path.cwd()
    constraints = Path("constraints.txt") if is_here else folder / "constraints.txt"
    tested = f" -c {shlex.quote(str(constraints))}" if constraints.is_file() else ""
    target = shlex.quote(f"{'.' if is_here else folder}[{extra}]")
    return f"`pip install {option}{target}{tested}`"
