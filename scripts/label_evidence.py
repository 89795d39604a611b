"""Show the evidence that a person needs to judge a label, as text for a terminal. Used by ``audit_labels.py``."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from enron_triage.labels.response_kinds import response_kind
from enron_triage.mail.subjects import conversation_subject
from enron_triage.records import Email, Evidence

_MAX_LINES, _MAX_WIDTH, _MAX_ADDRESSES, _MAX_OTHERS = 40, 150, 6, 4
_NEAR, _FAR = 3 * 86400, 30 * 86400  # seconds after a message in which other sent mail may answer it


class Labelled(msgspec.Struct):
    """The fields of a labelled record that explain its label; reading the others would take time.

    Attributes
    ----------
    user, path, fingerprint : str
        As in `Email`.
    action : str or None
        The label; None if the owner did nothing with the message.
    response_seconds : int or None
        Seconds from the arrival to the reply.
    evidence : Evidence
        Why the message has this label.
    """

    user: str
    path: str
    fingerprint: str
    action: str | None
    response_seconds: int | None
    evidence: Evidence


class MailboxEvidence:
    """The mail of one mailbox, organised for the questions asked when a label is judged.

    Parameters
    ----------
    emails : sequence of Email
        Every record of the mailbox.
    labelled : sequence of Labelled
        The labels of the mailbox.
    owner : frozenset of str
        The owner's addresses.
    """

    def __init__(self, emails: Sequence[Email], labelled: Sequence[Labelled], owner: frozenset[str]) -> None:
        self._owner = owner
        self._by_path = {email.path: email for email in emails}
        self._answered = {label.evidence.sent_path: label.path for label in labelled if label.evidence.sent_path}
        self._senders: dict[str, Counter[str]] = defaultdict(Counter)
        sent: dict[str, Email] = {}
        for email in emails:
            self._senders[email.folder][email.sender] += 1
            if email.sender in owner and email.timestamp is not None and response_kind(email):
                sent.setdefault(email.fingerprint, email)
        self._responses = sorted(sent.values(), key=lambda email: (email.timestamp, email.path))

    def show(self, label: Labelled) -> str:
        """A message, the folders of its copies, the response that was found, and other possible responses.

        Parameters
        ----------
        label : Labelled
            The label that is to be judged.
        """
        email = self._by_path[label.path]
        taken = "" if label.response_seconds is None else f", after {_duration(label.response_seconds)}"
        lines = [f"label {label.action or 'unacted'} by {label.evidence.rule}{taken}"]
        for folder in label.evidence.folders:
            senders = self._senders[folder]
            lines.append(
                f"  in {folder or '(top)'}: {senders.total():,} messages, {senders[email.sender]:,} of this sender"
            )
        lines += ["", *self._message(email)]
        sent = self._by_path.get(label.evidence.sent_path or "")
        if sent is not None:
            lines += ["", "-- counts as its answer:", *self._message(sent)]
        others = [other for other in self._may_answer(email) if other is not sent][:_MAX_OTHERS]
        if others:
            lines += ["", "-- other mail of the owner that may answer it:"]
            lines += [self._in_a_line(other, email) for other in others]
        return "\n".join(map(_printable, lines))

    def _message(self, email: Email) -> Iterator[str]:
        yield f"{email.date}  [{email.folder}]  {email.path}"
        yield f"From: {email.sender_name} <{email.sender}>{self._mark(email.sender)}"
        for name, addresses in (("To", email.to), ("Cc", email.cc), ("Bcc", email.bcc)):
            if addresses:
                shown = [address for address in addresses if address in self._owner]
                shown += [address for address in addresses if address not in self._owner]
                more = f" and {len(shown) - _MAX_ADDRESSES} more" if len(shown) > _MAX_ADDRESSES else ""
                yield f"{name}: {', '.join(a + self._mark(a) for a in shown[:_MAX_ADDRESSES])}{more}"
        yield f"Subject: {email.subject}"
        written = [line for line in email.body.split("\n") if line.strip()]
        yield from ("  | " + line for line in written[:_MAX_LINES])
        if len(written) > _MAX_LINES:
            yield f"  | ({len(written) - _MAX_LINES} more lines)"

    def _mark(self, address: str) -> str:
        return " (owner)" if address in self._owner else ""

    def _may_answer(self, email: Email) -> list[Email]:
        """Responses of the owner in the same conversation, and those to the sender soon after."""
        if email.timestamp is None:
            return []
        subject = conversation_subject(email.subject)
        same, near = [], []
        for response in self._responses:
            assert response.timestamp is not None
            late = response.timestamp - email.timestamp
            if -_NEAR <= late <= _FAR and conversation_subject(response.subject) == subject:
                same.append(response)
            elif 0 <= late <= _NEAR and email.sender in (*response.to, *response.cc):
                near.append(response)
        return same + near

    def _in_a_line(self, response: Email, email: Email) -> str:
        late = (response.timestamp or 0) - (email.timestamp or 0)
        linked = self._answered.get(response.path)
        about = "answers nothing that is here" if linked is None else f"answers {linked}"
        text = " / ".join(line.strip() for line in response.body.split("\n") if line.strip())[:400]
        return f"{_duration(late)} later, to {', '.join(response.to[:3])}: {response.subject} ({about})\n  | {text}"


def _duration(seconds: int) -> str:
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if abs(seconds) >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds} seconds"


def owners(counts: Mapping[str, object], user: str) -> frozenset[str]:
    """The addresses of a mailbox's owner, as recorded by ``label``.

    Parameters
    ----------
    counts : mapping
        The counts beside ``emails_labeled.json``.
    user : str
        The name of the mailbox.
    """
    decisions = counts.get("owners")
    decision = decisions.get(user) if isinstance(decisions, dict) else None
    return frozenset(decision["addresses"]) if isinstance(decision, dict) else frozenset()


def _printable(text: str) -> str:
    """A text that is safe to show in a terminal: mail may contain control sequences."""
    lines = []
    for line in text.split("\n"):
        shown = "".join(
            " " if unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else letter for letter in line
        )
        lines.append(shown[:_MAX_WIDTH] if line.startswith("  | ") and len(lines) == 0 else shown[: _MAX_WIDTH * 4])
    return "\n".join(lines)
