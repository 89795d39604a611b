"""What the names of folders say of where they belong: which are the folders of one mailbox."""

from __future__ import annotations

import re
from functools import cache

from enron_triage.config.data import FoldersConfig

# Folders that hold the folders of a provider: https://support.google.com/mail/answer/78892
_CONTAINERS = {"[gmail]", "[google mail]"}
_ROLES = ("sent", "deleted", "junk", "inbox", "drafts")
_PADDING = re.compile(r"[\s_-]+")


@cache
def _known() -> frozenset[str]:
    folders = FoldersConfig()
    return frozenset(_plain(name) for role in _ROLES for name in getattr(folders, role) if name)


def is_role(name: str) -> bool:
    """Whether a folder of this name is one that every mailbox has, such as an inbox or a folder of sent mail.

    Parameters
    ----------
    name : str
        One component of a folder's path, as it is stored.

    Returns
    -------
    bool
        True for the names in ``label.folders``, without regard to case, spaces, hyphens and underscores.
    """
    return _plain(name.removeprefix(".").removeprefix("INBOX.")) in _known()


def is_container(name: str) -> bool:
    """Whether a folder of this name holds folders that belong beside it.

    Parameters
    ----------
    name : str
        One component of a folder's path, as it is stored.

    Returns
    -------
    bool
        True for ``[Gmail]`` and its like.
    """
    return name.removeprefix(".").casefold() in _CONTAINERS


def _plain(name: str) -> str:
    return _PADDING.sub(" ", name).strip().casefold()


def folder_role(folder: str, folders: FoldersConfig) -> str:
    """The role of a folder: that of its first component, from the top, that has one, as for the labels.

    Parameters
    ----------
    folder : str
        The path of the folder, joined by ``/``.
    folders : FoldersConfig
        The names of the folders that have each role.

    Returns
    -------
    str
        A key of ``label.folders``, or ``filing``.
    """
    roles = {_plain(name): role for role in (*_ROLES, "system") for name in getattr(folders, role)}
    return next((roles[name] for name in map(_plain, folder.split("/")) if name in roles), "filing")
