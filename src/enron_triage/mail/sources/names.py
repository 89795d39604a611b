"""What folder names say about which folders belong to one mailbox."""

from __future__ import annotations

import re
from functools import cache

from enron_triage.config.data import FoldersConfig
from enron_triage.mail.folder_roles import FolderRoles

# Folders that hold the folders of a provider: https://support.google.com/mail/answer/78892
_CONTAINERS = {"[gmail]", "[google mail]"}
# Where a name is a path: offlineimap and backup programs write the server's "/" as another sign.
_SERVER_PATH = re.compile(r"(?:INBOX\.|(\[(?:Gmail|Google Mail)\])[._])(?=.)", re.IGNORECASE)
_SPECIAL = frozenset({"sent", "deleted", "junk", "inbox", "drafts"})


@cache
def _roles() -> FolderRoles:
    return FolderRoles(FoldersConfig())


def server_path(name: str) -> tuple[str, ...]:
    """The components of a name that is a path on the server, written with another sign than a slash.

    Parameters
    ----------
    name : str
        One component of a folder's path, as it is stored, without a dot before it.

    Returns
    -------
    tuple of str
        The folders below the inbox for ``INBOX.Archive.2023``, the folder of Gmail's for ``[Gmail].Sent Mail``; for any
        other name the name alone.

    Examples
    --------
    >>> server_path("INBOX.Archive.2023"), server_path("[Gmail].Sent Mail"), server_path("v1.2")
    (('Archive', '2023'), ('[Gmail]', 'Sent Mail'), ('v1.2',))
    """
    above = _SERVER_PATH.match(name)
    if above is None:
        return (name,)
    below = name[above.end() :]
    return (above[1], below) if above[1] else tuple(part for part in below.split(".") if part) or (name,)


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
    plain = "/".join(server_path(name.removeprefix(".")))
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
