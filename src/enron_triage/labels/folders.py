"""The folders of a mailbox by role: what the label stage reports, and whether the mailbox can be labelled."""

from __future__ import annotations

import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from enron_triage.config.data import FoldersConfig
from enron_triage.mail.folder_names import Role, is_gmail_view
from enron_triage.mail.folder_roles import FolderRoles
from enron_triage.mail.modified_utf7 import decode_modified_utf7
from enron_triage.records import Email

_MOST_LISTED = 20  # folders in a message
_LEAST_SHARE = 0.8  # of a folder's messages from one sender, from which it may be one of sent mail
_LEAST_MESSAGES = 2
_LONGEST_SHOWN = 60  # characters of a name


class FolderCount(msgspec.Struct, frozen=True, order=True):
    """How many messages a folder holds, or a Gmail label marks.

    Attributes
    ----------
    role : str
        The role of the folder or label.
    name : str
        Its name as people read it; empty for the top of a Maildir.
    messages : int
        The number of files in it, copies included.
    leading_share : float
        The share of them that one sender sent, the most of any.
    """

    role: Role
    name: str
    messages: int
    leading_share: float = 0.0


class MailboxFolders(msgspec.Struct, frozen=True):
    """The folders of one mailbox, or its Gmail labels.

    Attributes
    ----------
    folders : list of FolderCount
        Sorted by role and name.
    roles : dict of str to int
        How many messages are in a folder of each role; by the label that decides, if they have several.
    is_flagged : bool
        Whether a mail program noted on any message what was done with it.
    """

    folders: list[FolderCount]
    roles: dict[Role, int]
    is_flagged: bool

    @classmethod
    def of(cls, emails: Iterable[Email], config: FoldersConfig) -> MailboxFolders:
        """Count the messages of one mailbox by folder.

        Parameters
        ----------
        emails : iterable of Email
            Every record of the mailbox.
        config : FoldersConfig
            The section ``label.folders``.
        """
        emails = list(emails)
        roles = FolderRoles(config)
        senders: dict[tuple[Role, str], Counter[str]] = defaultdict(Counter)
        for email in emails:
            if email.labels:
                for label in [name for name in email.labels if not is_gmail_view(name)] or email.labels:
                    senders[roles.of_labels([label]), label][email.sender] += 1
            else:
                senders[roles.of_folder(email.folder), decode_modified_utf7(email.folder)][email.sender] += 1
        return cls(
            folders=sorted(_count(role, name, counts) for (role, name), counts in senders.items()),
            roles=dict(sorted(Counter(roles.of_message(email) for email in emails).items())),
            is_flagged=any(email.flags for email in emails),
        )

    def why_not_labeled(self, config: FoldersConfig) -> str | None:
        """Why the mailbox must not be labelled by these folders.

        Parameters
        ----------
        config : FoldersConfig
            The section ``label.folders``. That ``sent`` is empty says that the owner's sent mail is not there.

        Returns
        -------
        str or None
            What is wrong, the folders with their counts, and what to set; None if nothing is wrong.
        """
        if "sent" not in self.roles and config.sent:
            problem = "no folder of sent mail is known, so answered mail would count as unanswered"
            setting = f"label.folders.sent={json.dumps([self._likely_sent() or 'NAME'], ensure_ascii=False)}"
            remedy = f"name that folder, such as --set {shlex.quote(setting)}, or [] if there is none"
            if len(self.folders) == 1:
                remedy = f"give the whole mailbox, including sent mail, as parse.source; or {remedy}"
            return f"{problem}; {remedy}; it has {self._listed()}"
        if len(self.roles) == 1 and not self.is_flagged:
            (role,) = self.roles
            problem = f"all its folders count as {role}, so nothing shows what was done with a message"
            return f"{problem}; name them in label.folders.sent, .deleted, .inbox, ...; it has {self._listed()}"
        return None

    def _likely_sent(self) -> str | None:
        """The filing folder whose messages come from one sender, as those of a folder of sent mail do."""
        likely = [
            folder
            for folder in self.folders
            if folder.role == "filing" and folder.messages >= _LEAST_MESSAGES and folder.leading_share >= _LEAST_SHARE
        ]
        return max(likely, key=lambda folder: folder.messages).name if likely else None

    def _listed(self) -> str:
        """The folders with their counts and roles, the fullest first."""
        by_size = sorted(self.folders, key=lambda folder: (-folder.messages, folder.name))
        listed = [f"{shown_name(folder.name)} {folder.messages:,} ({folder.role})" for folder in by_size[:_MOST_LISTED]]
        if len(by_size) > _MOST_LISTED:
            listed.append(f"{len(by_size) - _MOST_LISTED:,} more")
        return ", ".join(listed)


def folder_rows(mailboxes: Sequence[MailboxFolders]) -> Iterator[tuple[str, int]]:
    """What to show of the folders: each of them for one mailbox, a sum for each role for several.

    Parameters
    ----------
    mailboxes : sequence of MailboxFolders
        The mailboxes that were labelled.

    Yields
    ------
    text : str
        The role and the whole name of the folder, or the role and in how many mailboxes it is.
    messages : int
        How many messages are there.
    """
    if len(mailboxes) == 1:
        folders = mailboxes[0].folders
        shown = set(sorted(folders, key=lambda folder: -folder.messages)[:_MOST_LISTED])
        for folder in folders:
            if folder in shown:
                yield f"{folder.role}: {folder.name or '(top)'}", folder.messages
        if len(folders) > len(shown):
            yield f"{len(folders) - len(shown):,} more", sum(folder.messages for folder in set(folders) - shown)
        return
    messages: Counter[Role] = Counter()
    present: Counter[Role] = Counter()
    for mailbox in mailboxes:
        messages.update(mailbox.roles)
        present.update(mailbox.roles.keys())
    for role in sorted(messages):
        yield f"{role}, in {present[role]} mailboxes", messages[role]


def _count(role: Role, name: str, senders: Counter[str]) -> FolderCount:
    ((sender, most),) = senders.most_common(1)
    return FolderCount(role, name, senders.total(), most / senders.total() if sender else 0.0)


def shown_name(name: str, most: int = _LONGEST_SHOWN) -> str:
    """The name of a folder or label for the terminal; whoever sent or moved the mail may have chosen it.

    Parameters
    ----------
    name : str
        The name; an empty one is the top of the mailbox.
    most : int
        How many characters there is room for; a longer name is shortened in the middle.

    Examples
    --------
    >>> shown_name("Projects/2019/Bridges/Offers", 20)
    'Projects.../Offers'
    """
    text = "".join(sign if sign.isprintable() else "?" for sign in name) or "(top)"
    if len(text) <= most:
        return text
    end = (most - 3) // 2
    return f"{text[: most - 3 - end]}...{text[-end:]}"
