"""The label scheme ``folder``: every file by the folder that directly holds it.

It reproduces the reference log, and it leaks: the label of sent mail is a function of the first letters of its subject.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from enron_triage.config.data import LabelConfig
from enron_triage.config.types import seconds
from enron_triage.labels.labeled import Labeled
from enron_triage.labels.owner import owner_addresses
from enron_triage.mail.message_ids import id_key
from enron_triage.records import ACTION_INDEX, Action, Email, Evidence, LabeledEmail

IntArray = npt.NDArray[np.int64]

# The reference log's names. They are not configurable, because its counts depend on them.
_SENT = frozenset({"sent", "sent_items", "_sent_mail", "_sent"})
_DELETED = frozenset({"deleted_items", "connect_deletes"})
_UNLABELED = frozenset({"inbox", "notes_inbox", "junk", "junk_file", "all_documents", "discussion_threads"})
_REPLY_PREFIXES = ("re:",)
_FORWARD_PREFIXES = ("fw:", "fwd:", "forwarded:")


def label_by_folder(emails: Sequence[Email], config: LabelConfig) -> Labeled:
    """Label every file of a mailbox by its folder, copies included.

    Parameters
    ----------
    emails : sequence of Email
        Every record of the mailbox; the labels keep their order.
    config : LabelConfig
        The section ``label``; only ``reply_now_within`` matters here.

    Returns
    -------
    Labeled
        The records with an action. A file in a folder without a label, or sent without a reply or forward prefix, is
        dropped.
    """
    arrivals = {id_key(email.message_id): email.timestamp for email in emails if email.message_id}
    records = []
    dropped: Counter[str] = Counter()
    for email in emails:
        # The log's program read headers without decoding them; its counts depend on it.
        action = folder_action(email.folder, email.raw_subject or email.subject)
        if action is None:
            dropped["unlabeled_folder_or_subject"] += 1
            continue
        response_seconds = _response_seconds(email, arrivals) if action is Action.REPLY_LATER else None
        if response_seconds is not None and response_seconds <= seconds(config.reply_now_within):
            action = Action.REPLY_NOW
        record = LabeledEmail(
            **msgspec.structs.asdict(email),
            action=action,
            response_seconds=response_seconds,
            evidence=Evidence(rule=f"folder:{_innermost(email.folder)}", sent_path=None, folders=[email.folder]),
            history=None,
            scheme="folder",
        )
        records.append(record)
    return Labeled(records=records, dropped=dropped)


def folder_action(folder: str, subject: str) -> Action | None:
    """The reference log's label of a file; an answer within the hour is for the caller to find.

    Parameters
    ----------
    folder : str
        The path of the folder that holds the file, of which the last component counts.
    subject : str
        The Subject header as it was sent, which decides for sent mail.

    Returns
    -------
    Action or None
        None if the file is not labelled.

    Examples
    --------
    >>> folder_action("deleted_items", "hello"), folder_action("sent", "Re: hello")
    (<Action.DELETE: 'delete'>, <Action.REPLY_LATER: 'reply_later'>)
    """
    if is_sent_folder(folder):
        return subject_action(subject)
    name = _innermost(folder).lower()
    if name in _DELETED:
        return Action.DELETE
    return None if name in _UNLABELED else Action.ARCHIVE


def is_sent_folder(folder: str) -> bool:
    """Whether the reference log takes the files that a folder directly holds for sent mail.

    Parameters
    ----------
    folder : str
        The path of the folder.
    """
    return _innermost(folder).lower() in _SENT


def subject_action(subject: str) -> Action | None:
    """The reference log's label of a sent message: the prefix of its subject decides.

    Parameters
    ----------
    subject : str
        The Subject header as it was sent.

    Returns
    -------
    Action or None
        None if the subject begins with neither a reply nor a forward prefix.
    """
    subject = subject.strip().lower()
    if subject.startswith(_REPLY_PREFIXES):
        return Action.REPLY_LATER
    return Action.FORWARD if subject.startswith(_FORWARD_PREFIXES) else None


def subject_rule(records: Iterable[LabeledEmail]) -> IntArray:
    """The baseline that reads the labels of this scheme off sender and subject.

    For a message from the owner the prefix of the subject decides; every other message is predicted as ``delete``. That
    so simple a rule does well shows how much the scheme leaks.

    Parameters
    ----------
    records : iterable of LabeledEmail
        Labelled messages of any mailboxes; their labels are not looked at.

    Returns
    -------
    array of int, shape (records,)
        The predicted class indices.
    """
    seen = [(r.user, r.sender, r.raw_subject or r.subject, is_sent_folder(r.folder)) for r in records]
    sent: dict[str, list[str]] = {}
    for user, sender, _, is_sent in seen:
        if is_sent:
            sent.setdefault(user, []).append(sender)
    owners = {user: owner_addresses(senders) for user, senders in sent.items()}
    actions = [
        (subject_action(subject) if sender in owners.get(user, ()) else None) or Action.DELETE
        for user, sender, subject, _ in seen
    ]
    return np.array([ACTION_INDEX[action] for action in actions], dtype=np.int64)


def _response_seconds(reply: Email, arrivals: Mapping[str, int | None]) -> int | None:
    """Seconds from the message that the reply's threading headers name; None without such a message, or a date."""
    parents = reply.in_reply_to.split() or reply.references[-1:]
    arrival = next((arrivals[id_key(parent)] for parent in parents if id_key(parent) in arrivals), None)
    if arrival is None or reply.timestamp is None:
        return None
    return max(reply.timestamp - arrival, 0)  # clocks differ


def _innermost(folder: str) -> str:
    return folder.rpartition("/")[2]
