"""The demo corpus: an invented company's mail, in the layout of the CMU archive.

    triage download --set download.source=demo

Owners have habits: whom they answer, how fast, what they file, forward and delete. What an owner
does with a message follows from the sender's relation to the owner, from the owner's own habits
with mail of this relation, this sender and this topic, from a direct question, and from noise: so that
metadata predict something, history more, and words a little more still. The calendar predicts
nothing. Copies in ``all_documents`` and ``discussion_threads`` do not depend on the action.
"""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from itertools import cycle
from pathlib import Path
from random import Random

import msgspec

from enron_triage.mail.demo import wording
from enron_triage.mail.demo.messages import (
    Encoding,
    Mail,
    Person,
    forward_mark,
    quote,
    quote_plainly,
    render,
)
from enron_triage.mail.demo.people import BASE_SCORES, OUTCOMES, Outcome, Owner, Relation, make_owners

_ZONE = timezone(timedelta(hours=-6))
_FIRST_DAY = datetime(2000, 1, 3, tzinfo=_ZONE)
_WEEKS = 78
_MAIL_SHARE: dict[Relation, float] = {
    "boss": 0.14,
    "colleague": 0.3,
    "customer": 0.16,
    "friend": 0.08,
    "newsletter": 0.14,
    "alert": 0.1,
    "broadcast": 0.08,
}
_INVERSE_TEMPERATURE = 2.2  # of the softmax over the scores: makes some 80% of the actions predictable
_ENCODINGS: tuple[Encoding, ...] = ("quoted_printable", "latin1", "windows", "encoded_subject", "multipart", "html")
_MAX_TURNS = 4
_REPORT = "Weekly status report"  # one subject for many messages: only what a reply quotes tells which it answers
_LISTED_RECIPIENTS = 2000  # recipients of a broadcast named in X-To only


class _Incoming(msgspec.Struct, frozen=True):
    """A message that reaches an owner, and what decides the owner's response to it."""

    mail: Mail
    relation: Relation
    topic: str
    asks_question: bool


class _Corpus:
    """The owners and their files by mailbox and folder, as far as they are written."""

    def __init__(self, owners: list[Owner], random: Random) -> None:
        self.random = random
        self.owners = owners
        self.owner_of = {person.address: owner for owner in owners for person in owner.aliases}
        self.files: dict[str, list[bytes]] = defaultdict(list)
        self.count = 0

    def add(self, owner: Owner, folder: str, mail: Mail) -> None:
        self.count += 1
        message_id = f"{self.count}.{self.random.randrange(10**12)}"
        path = f"{owner.mailbox}/{folder}"
        self.files[path].append(render(mail, message_id=message_id, folder=folder, owner=owner.mailbox))


def write_demo(root: Path, seed: int = 42, mailboxes: int = 24, messages: int = 12_000) -> int:
    """Write the corpus.

    Parameters
    ----------
    root : Path
        The folder of mailboxes, which must be empty or missing.
    seed : int
        Seeds every choice: the same seed gives the same bytes.
    mailboxes : int
        The number of owners, at least 1.
    messages : int
        About how many files to write.

    Returns
    -------
    int
        How many files were written.
    """
    random = Random(seed)
    corpus = _Corpus(make_owners(mailboxes, random), random)
    for owner in cycle(corpus.owners):
        if corpus.count >= messages:
            break
        _start_conversation(corpus, owner)
    _add_odd_dates(corpus)
    for folder, contents in sorted(corpus.files.items()):
        random.shuffle(contents)  # file numbers must not tell the order
        (root / folder).mkdir(parents=True)
        for number, content in enumerate(contents, 1):
            with open(f"{root}/{folder}/{number}.", "xb") as file:  # a Path for each takes as long again
                file.write(content)
    return corpus.count


def _start_conversation(corpus: _Corpus, owner: Owner) -> None:
    """Write a new message to an owner, and whatever follows from it."""
    random = corpus.random
    relation = random.choices(list(_MAIL_SHARE), list(_MAIL_SHARE.values()))[0]
    topic = random.choice(list(wording.TOPICS))
    sent_at = _business_time(random)
    if relation == "broadcast":
        sender = Person("Office", "Chairman", f"announcements@{wording.COMPANY}")
        readers = random.sample(corpus.owners, min(len(corpus.owners), random.randint(2, 6)))
        listed = _LISTED_RECIPIENTS if random.random() < 0.01 else 0
    else:
        sender, readers, listed = random.choice(owner.contacts[relation]), [owner], 0
    colleagues = owner.contacts["colleague"]
    asks_question = relation in ("boss", "colleague", "customer", "friend") and random.random() < 0.45
    is_report = relation == "boss" and random.random() < 0.3
    mail = Mail(
        sender=sender,
        to=[random.choice(reader.aliases) for reader in readers],
        cc=[] if relation == "newsletter" else random.sample(colleagues, random.choice([0, 0, 0, 1, 3])),
        subject=_REPORT if is_report else wording.subject(topic, random),
        text=wording.body(
            topic, relation, asks_question=asks_question, urgent=asks_question and random.random() < 0.2,
            names=(owner.person.given.capitalize(), sender.given.capitalize()), random=random,
        ),
        sent_at=sent_at,
        encoding=_encoding_of(sender, random),
        listed=listed,
    )  # fmt: skip
    for reader in readers:
        _receive(corpus, reader, _Incoming(mail, relation, topic, asks_question), turn=1)


def _receive(corpus: _Corpus, owner: Owner, incoming: _Incoming, turn: int) -> None:
    """Write a message to an owner's mailbox, the owner's response, and whatever follows from that."""
    random, mail, topic = corpus.random, incoming.mail, incoming.topic
    outcome = _draw_outcome(owner, incoming, random)
    folder = {
        "archive": _filing_folder(owner, topic),
        "delete": "deleted_items/old" if random.random() < 0.1 else "deleted_items",
    }.get(outcome, random.choice(["inbox", "inbox", "notes_inbox"]))
    corpus.add(owner, folder, mail)
    for copies, share in (("all_documents", 0.25), ("discussion_threads", 0.1)):
        if random.random() < share:
            corpus.add(owner, copies, mail)
    if outcome not in ("reply", "forward"):
        return
    urgency = 0.3 if incoming.asks_question else 1.0
    delay = timedelta(minutes=max(1.0, owner.minutes * urgency * math.exp(random.gauss(0, 1.1))))
    sent = _respond(owner, mail, mail.sent_at + delay, outcome, topic, random)
    for sent_folder in owner.sent_folders[: random.choice([1, 1, 2])]:
        corpus.add(owner, sent_folder, sent)
    reader = corpus.owner_of.get(sent.to[0].address)
    if reader is not None and reader is not owner and turn < _MAX_TURNS:
        _receive(corpus, reader, _Incoming(sent, "colleague", topic, random.random() < 0.3), turn + 1)


def _draw_outcome(owner: Owner, incoming: _Incoming, random: Random) -> Outcome:
    """What the owner does with a message, drawn from a softmax over the sums of the scores."""
    mail = incoming.mail
    none = [0.0] * len(OUTCOMES)
    scores_by_cause = [
        BASE_SCORES[incoming.relation],
        owner.habits[incoming.relation],
        owner.habits[incoming.topic],
        owner.habits.get(mail.sender.address, none),
        (1.2, 0.2, 0.0, -0.6, 0.0) if incoming.asks_question else none,
        (-0.6, 0.0, 0.2, 0.2, 0.4) if len(mail.to) + len(mail.cc) > 2 else none,
    ]
    scores = [sum(values) for values in zip(*scores_by_cause, strict=True)]
    return random.choices(OUTCOMES, [math.exp(_INVERSE_TEMPERATURE * score) for score in scores])[0]


def _respond(owner: Owner, mail: Mail, sent_at: datetime, outcome: Outcome, topic: str, random: Random) -> Mail:
    """The owner's reply or forward, which quotes as the owner's mail program does."""
    author = random.choice(owner.aliases)
    text = wording.answer(topic, owner.person.given.capitalize(), random)
    subject, bare = mail.subject, mail.subject.removeprefix("Re: ").removeprefix("RE: ").removeprefix("FW: ")
    to = [mail.sender] if outcome == "reply" else [random.choice(owner.contacts["colleague"])]
    if outcome == "reply":
        subject = f"{'RE' if owner.quote_style == 'outlook' else 'Re'}: {bare}"
        draw = random.random()
        quoted = "" if draw < 0.25 else quote_plainly(mail) if draw < 0.35 else quote(mail, owner.quote_style, random)
    elif owner.quote_style == "outlook":
        subject, quoted = f"FW: {bare}", quote(mail, "outlook", random)
    else:
        quoted = f"\n{forward_mark(author, sent_at)}{quote(mail, 'notes', random)}"
    return Mail(sender=author, to=to, cc=[], subject=subject, text=text + quoted, sent_at=sent_at)


def _filing_folder(owner: Owner, topic: str) -> str:
    return f"{topic}_files" if f"{topic}_files" in owner.filing else "projects/alpha"


def _business_time(random: Random) -> datetime:
    day = _FIRST_DAY + timedelta(
        weeks=random.randrange(_WEEKS), days=random.choices(range(7), [9, 9, 9, 9, 8, 1, 1])[0]
    )
    hour = min(max(random.gauss(13, 3), 0), 23.9)
    return day + timedelta(seconds=round(hour * 3600))


def _encoding_of(sender: Person, random: Random) -> Encoding:
    """The encoding of a sender's mail program: plain for most, mostly one of the odd ones for a few."""
    odd = sum(map(ord, sender.address)) % 25
    return _ENCODINGS[odd] if odd < len(_ENCODINGS) and random.random() < 0.8 else "plain"


def _add_odd_dates(corpus: _Corpus) -> None:
    """Write mail from computers with wrong clocks, dated 1979 and 2044."""
    for index, year in enumerate((1979, 2044)):
        owner = corpus.owners[index % len(corpus.owners)]
        sender = owner.contacts["friend"][0]
        text = wording.paragraph("leisure", 2, corpus.random)
        sent_at = _FIRST_DAY.replace(year=year)
        mail = Mail(sender=sender, to=[owner.person], cc=[], subject="Old times", text=text, sent_at=sent_at)
        corpus.add(owner, "inbox", mail)
