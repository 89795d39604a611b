"""The roles of folders, which say what the owner did with the messages in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from enron_triage.config.data import FoldersConfig
from enron_triage.mail.folder_names import Role, fold, is_gmail_view, special_role
from enron_triage.mail.modified_utf7 import decode_modified_utf7
from enron_triage.records import Email

_CONFIGURED: tuple[Role, ...] = ("sent", "deleted", "junk", "inbox", "drafts", "system")
# A message has several Gmail labels at once: the first of these roles that one of them has decides.
_GMAIL_PRECEDENCE: tuple[Role, ...] = ("deleted", "junk", "sent", "drafts", "inbox", "system")
_GMAIL = frozenset({"gmail", "googlemail"})  # "[Gmail]", "[Google Mail]", folded
# What programs add to a name: "Sent Items (This computer only)", "Trash (2)"; pine and mutt keep sent mail by month.
_ADDED = re.compile(r"(?<=\S)\s*\([^()]*\)$")
_WORD = re.compile(r"[^\W_]+")
_MAX_BEFORE = 2  # words before the usual name of a trash
_LONGEST = 100  # characters of a name that is looked at for what was added
_MONTH = re.compile(r"(?<=\w)[\s._-]*(?:[\s._-][a-z]{3}[\s._-])?(?:19|20)\d\d(?:[\s._-]?\d\d)?$", re.IGNORECASE)


class FolderRoles:
    """Looks up the role of a folder, or of a message's Gmail labels.

    Parameters
    ----------
    folders : FoldersConfig
        The names of the folders that have each role. A role whose names are the built-in ones has the names that
        programs give in other languages, too. A folder that has no role by its name is a filing folder.
    """

    def __init__(self, folders: FoldersConfig) -> None:
        builtin = FoldersConfig()
        self._replaced = {role for role in _CONFIGURED if getattr(folders, role) != getattr(builtin, role)}
        # Names that the configuration changes come last, so that they win where a name stands under two roles.
        by_weight = sorted(_CONFIGURED, key=self._replaced.__contains__)
        self._configured = {_key(name): role for role in by_weight for name in getattr(folders, role)}
        self._by_path: dict[str, Role] = {}  # a mailbox has many messages and few folders

    def of_folder(self, folder: str) -> Role:
        """The role of a folder: that of its first component, from the top, that has one.

        Parameters
        ----------
        folder : str
            The path of the folder, joined by ``/``, in any case; as people read it, or in modified UTF-7.

        Returns
        -------
        str
            The role; ``filing`` if no component has one. An inbox at the top counts only for what lies directly in it:
            people file below it, and some servers keep every folder there.
        """
        role = self._by_path.get(folder)
        if role is None:
            role = self._by_path[folder] = self._find_role(folder)
        return role

    def of_message(self, message: Email) -> Role:
        """The role of the place of one copy: that of its Gmail labels if it has any, else that of its folder.

        Parameters
        ----------
        message : Email
            One copy. Gmail labels without Inbox, Trash, Spam, Sent and Drafts mean that it is archived: ``filing``.
        """
        return self.of_labels(message.labels) if message.labels else self.of_folder(message.folder)

    def of_labels(self, labels: Iterable[str]) -> Role:
        """The role of the place of a message by its Gmail labels.

        Parameters
        ----------
        labels : iterable of str
            The labels, which a person may have named like a folder of another language; each counts as a whole.
        """
        roles = {self._role_of(label, is_gmail=True) for label in labels if not is_gmail_view(label)}
        return next((role for role in _GMAIL_PRECEDENCE if role in roles), "filing")

    def _find_role(self, folder: str) -> Role:
        whole = self._configured.get(_key(folder))
        if whole is not None:
            return whole
        found = self._roles_along(folder)
        index, role = next(found, (0, "filing"))
        if role != "inbox" or index == folder.count("/"):
            return role
        below: Role = next((special for _, special in found), "filing")
        return below if index == 0 or below == "filing" else role

    def _roles_along(self, folder: str) -> Iterator[tuple[int, Role]]:
        """The components that have a role, from the top: which, and the role."""
        above = ""
        for index, name in enumerate(folder.split("/")):
            role = self._role_of(name, is_gmail=fold(above) in _GMAIL)
            if role is not None:
                yield index, role
            above = name

    def _role_of(self, name: str, *, is_gmail: bool) -> Role | None:
        role = self._role_of_plain(name, is_gmail=is_gmail)
        if role is not None or len(name) > _LONGEST:
            return role
        if name.endswith(")"):
            role = self._role_of_plain(_ADDED.sub("", name), is_gmail=is_gmail)
        if role is None and name[-1:].isdigit() and self._role_of_plain(_MONTH.sub("", name), is_gmail=False) == "sent":
            role = "sent"
        if role is None and not is_gmail and self._is_trash_by_words(name):
            role = "deleted"
        return role

    def _is_trash_by_words(self, name: str) -> bool:
        """Whether a person's own name for a trash holds a usual one: "2_trash", "eesi_deleted_documents".

        A number may stand before it, or a word or two if it has several words itself: "Bin" alone is many things.
        """
        words = _WORD.findall(decode_modified_utf7(name))
        start = next((index for index, word in enumerate(words) if not word.isdigit()), len(words))
        if start and self._role_of_plain(" ".join(words[start:]), is_gmail=False) == "deleted":
            return True
        starts = range(start + 1, min(start + _MAX_BEFORE, len(words) - 2) + 1)
        return any(self._role_of_plain(" ".join(words[at:]), is_gmail=False) == "deleted" for at in starts)

    def _role_of_plain(self, name: str, *, is_gmail: bool) -> Role | None:
        role = self._configured.get(_key(name))
        if role is None:
            builtin = special_role(name, is_gmail=is_gmail)
            role = None if builtin in self._replaced else builtin
        return role


def _key(name: str) -> str:
    """What a configured name, or a path of names, is looked up by."""
    key = "/".join(fold(part) for part in name.split("/"))
    return key if key.strip("/") else name  # "" is the top; a name without a letter is only itself
