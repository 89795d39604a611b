"""What a folder says: its role, the owner's addresses, and the label of the ``folder`` scheme."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from enron_triage.config.data import FoldersConfig
from enron_triage.records import Action, Email

Role = Literal["sent", "deleted", "junk", "inbox", "drafts", "system", "filing"]

_OWNER_MESSAGES = 2  # an address is the owner's from this many sent messages on,
_OWNER_SHARE = 0.02  # and this share of them: assistants and misfiled mail stay out

# The ``folder`` scheme is the reference log's, whose names are fixed.
_LOG_SENT = frozenset({"sent", "sent_items", "_sent_mail", "_sent"})
_LOG_DELETED = frozenset({"deleted_items", "connect_deletes"})
_LOG_UNLABELED = frozenset({"inbox", "notes_inbox", "junk", "junk_file", "all_documents", "discussion_threads"})
_LOG_REPLY = ("re:",)
_LOG_FORWARD = ("fw:", "fwd:", "forwarded:")

# Of Gmail's labels the first of these that a message bears decides, since they overlap there.
_GMAIL_ORDER: tuple[Role, ...] = ("deleted", "junk", "sent", "drafts", "inbox")


class FolderRoles:
    """Looks up the role of a folder, or of a message's Gmail labels."""

    def __init__(self, folders: FoldersConfig) -> None:
        roles: tuple[Role, ...] = ("sent", "deleted", "junk", "inbox", "drafts", "system")
        self._roles: dict[str, Role] = {name.lower(): role for role in roles for name in getattr(folders, role)}
        self._seen: dict[str, Role] = {}

    def of_folder(self, folder: str) -> Role:
        """The role of a folder path: that of its first component, from the top, that has one."""
        role: Role | None = self._seen.get(folder)
        if role is None:
            components = folder.lower().split("/")
            role = self._seen[folder] = next(
                (self._roles[part] for part in components if part in self._roles), "filing"
            )
        return role

    def of_message(self, message: Email) -> Role:
        """The role of the place where a copy lies: its labels where it has some, else its folder.

        Neither Inbox, Trash, Spam, Sent nor Drafts among the labels means archived: a filing
        folder.
        """
        if not message.labels:
            return self.of_folder(message.folder)
        roles = {self._roles.get(label.lower()) for label in message.labels}
        return next((role for role in _GMAIL_ORDER if role in roles), "filing")


def owner_addresses(senders_of_sent_mail: Iterable[str]) -> frozenset[str]:
    """The owner's addresses: those on at least 2, and at least 2%, of the sent messages.

    Parameters
    ----------
    senders_of_sent_mail : iterable of str
        The From address of every message in the mailbox's sent folders.
    """
    counts = Counter(sender for sender in senders_of_sent_mail if sender)
    least = max(_OWNER_MESSAGES, _OWNER_SHARE * counts.total())
    return frozenset(address for address, count in counts.items() if count >= least)


def folder_action(folder: str, subject: str) -> Action | None:
    """The reference log's label: read off the folder that a message lies directly in.

    It leaks: on sent mail it is a function of the subject's first letters. Kept to reproduce the
    log's results. An answer within the hour, where threading headers prove one, is the caller's to
    find.

    >>> folder_action("deleted_items", "hello"), folder_action("sent", "Re: hello")
    (<Action.DELETE: 'delete'>, <Action.REPLY_LATER: 'reply_later'>)
    """
    if is_sent_folder(folder):
        return subject_action(subject)
    name = folder.rpartition("/")[2].lower()
    if name in _LOG_DELETED:
        return Action.DELETE
    return None if name in _LOG_UNLABELED else Action.ARCHIVE


def is_sent_folder(folder: str) -> bool:
    """Whether the log's scheme takes what lies directly in a folder for sent mail."""
    return folder.rpartition("/")[2].lower() in _LOG_SENT


def subject_action(subject: str) -> Action | None:
    """What the log's scheme makes of a sent message: its subject's prefix decides."""
    subject = subject.strip().lower()
    if subject.startswith(_LOG_REPLY):
        return Action.REPLY_LATER
    return Action.FORWARD if subject.startswith(_LOG_FORWARD) else None
