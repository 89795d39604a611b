"""What the names of folders say of where they belong: which are the folders of one mailbox."""

from __future__ import annotations

from functools import cache

from enron_triage.config.data import FoldersConfig
from enron_triage.mail.folder_roles import FolderRoles

# Folders that hold the folders of a provider: https://support.google.com/mail/answer/78892
_CONTAINERS = {"[gmail]", "[google mail]"}
_SPECIAL = frozenset({"sent", "deleted", "junk", "inbox", "drafts"})


@cache
def _roles() -> FolderRoles:
    return FolderRoles(FoldersConfig())


def is_role(name: str) -> bool:
    """Whether a folder of this name is one that every mailbox has, such as an inbox or a folder of sent mail.

    Parameters
    ----------
    name : str
        One component of a folder's path, as it is stored.

    Returns
    -------
    bool
        True for the names that mail programs give these folders, in any language.
    """
    plain = name.removeprefix(".").removeprefix("INBOX.")
    return bool(plain) and _roles().of_folder(plain) in _SPECIAL


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
