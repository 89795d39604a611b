"""The roles of folders, which say what the owner did with the messages in them."""

from __future__ import annotations

from typing import Literal

from enron_triage.config.data import FoldersConfig
from enron_triage.records import Email

Role = Literal["sent", "deleted", "junk", "inbox", "drafts", "system", "filing"]

_CONFIGURED: tuple[Role, ...] = ("sent", "deleted", "junk", "inbox", "drafts", "system")
# A message has several Gmail labels at once: the first of these roles that one of them has decides.
_GMAIL_PRECEDENCE: tuple[Role, ...] = ("deleted", "junk", "sent", "drafts", "inbox")


class FolderRoles:
    """Looks up the role of a folder, or of a message's Gmail labels.

    Parameters
    ----------
    folders : FoldersConfig
        The names of the folders that have each role; a folder that it does not name is a filing folder.
    """

    def __init__(self, folders: FoldersConfig) -> None:
        self._roles: dict[str, Role] = {name.lower(): role for role in _CONFIGURED for name in getattr(folders, role)}
        self._by_path: dict[str, Role] = {}  # a mailbox has many messages and few folders

    def of_folder(self, folder: str) -> Role:
        """The role of a folder: that of its first component, from the top, that has one.

        Parameters
        ----------
        folder : str
            The path of the folder, joined by ``/``, in any case.
        """
        role = self._by_path.get(folder)
        if role is None:
            known = (self._roles[name] for name in folder.lower().split("/") if name in self._roles)
            role = self._by_path[folder] = next(known, "filing")
        return role

    def of_message(self, message: Email) -> Role:
        """The role of the place of one copy: that of its Gmail labels if it has any, else that of its folder.

        Parameters
        ----------
        message : Email
            One copy. Gmail labels without Inbox, Trash, Spam, Sent and Drafts mean that it is archived: ``filing``.
        """
        if not message.labels:
            return self.of_folder(message.folder)
        roles = {self._roles.get(label.lower()) for label in message.labels}
        return next((role for role in _GMAIL_PRECEDENCE if role in roles), "filing")
