"""The demo corpus: an invented company's mail, in the layout of the CMU archive.

    triage download --set download.source=demo

Owners have habits: whom they answer, how fast, what they file, forward and delete. What an owner
does with a message follows from the sender's relation to the owner, from the owner's own habits
with this kind of mail, this sender and this topic, from a direct question, and from noise: so that
metadata tell something, history tells more, and words a little more again. The calendar tells
nothing. Copies in ``all_documents`` and ``discussion_threads`` do not depend on the action.
"""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from itertools import cycle
from pathlib import Path
from random import Random

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
from enron_triage.mail.demo.people import CHOICES, LEANINGS, Choice, Kind, Owner, make_owners

_ZONE = timezone(timedelta(hours=-6))
_FIRST_DAY = datetime(2000, 1, 3, tzinfo=_ZONE)
_WEEKS = 78
_MAIL_SHARE: dict[Kind, float] = {
    "boss": 0.14,
    "colleague": 0.3,
    "customer": 0.16,
    "friend": 0.08,
    "newsletter": 0.14,
    "alert": 0.1,
    "broadcast": 0.08,
}
_SHARPNESS = 2.2  # of the choice among the scores: with it, some 80% of the actions are foreseeable
_ENCODINGS: tuple[Encoding, ...] = ("quoted_printable", "latin1", "windows", "encoded_subject", "multipart", "html")
_MAX_TURNS = 4
_REPORT = "Weekly status report"  # one subject for many messages: only what a reply quotes tells which it answers
_LISTED = 2000  # recipients of a broadcast named in X-To only


class _Corpus:
    """Files by mailbox and folder, and the numbers that go up while it is written."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.files: dict[str, list[bytes]] = defaultdict(list)
        self.count = 0

    def put(self, owner: Owner, folder: str, mail: Mail) -> None:
        self.count += 1
        message_id = f"{self.count}.{self.random.randrange(10**12)}"
        path = f"{owner.mailbox}/{folder}"
        self.files[path].append(render(mail, message_id=message_id, folder=folder, owner=owner.mailbox))


def write_demo(root: Path, seed: int = 42, mailboxes: int = 24, messages: int = 12_000) -> int:
    """Write the corpus.

    Parameters
    ----------
    root : Path
        The new ``maildir``.
    seed : int
        The same seed gives the same bytes.
    mailboxes : int >= 1
    messages : int
        About so many files are written.

    Returns
    -------
    int
        The number of files.
    """
    random = Random(seed)
    owners = make_owners(mailboxes, random)
    by_address = {person.address: owner for owner in owners for person in owner.aliases}
    corpus = _Corpus(random)
    for owner in cycle(owners):
        if corpus.count >= messages:
            break
        _start_conversation(corpus, owner, owners, by_address)
    _add_odd_dates(corpus, owners)
    for folder, contents in sorted(corpus.files.items()):
        random.shuffle(contents)  # file numbers carry no order
        (root / folder).mkdir(parents=True)
        for number, content in enumerate(contents, 1):
            (root / folder / f"{number}.").write_bytes(content)
    return corpus.count


def _start_conversation(corpus: _Corpus, owner: Owner, owners: list[Owner], by_address: dict[str, Owner]) -> None:
    """One new message to an owner, and whatever follows from it."""
    random = corpus.random
    kind = random.choices(list(_MAIL_SHARE), list(_MAIL_SHARE.values()))[0]
    topic = random.choice(list(wording.TOPICS))
    moment = _business_time(random)
    if kind == "broadcast":
        sender = Person("Office", "Chairman", f"announcements@{wording.COMPANY}")
        readers = random.sample(owners, min(len(owners), random.randint(2, 6)))
        listed = _LISTED if random.random() < 0.01 else 0
    else:
        sender, readers, listed = random.choice(owner.contacts[kind]), [owner], 0
    asks = kind in ("boss", "colleague", "customer", "friend") and random.random() < 0.45
    is_report = kind == "boss" and random.random() < 0.3
    mail = Mail(
        sender=sender,
        to=[random.choice(reader.aliases) for reader in readers],
        cc=random.sample(owner.contacts["colleague"], random.choice([0, 0, 0, 1, 3])) if kind != "newsletter" else [],
        subject=_REPORT if is_report else wording.subject(topic, random),
        text=wording.body(
            topic, kind, asks=asks, urgent=asks and random.random() < 0.2,
            names=(owner.person.given.capitalize(), sender.given.capitalize()), random=random,
        ),
        moment=moment,
        encoding=_encoding_of(sender, random),
        listed=listed,
    )  # fmt: skip
    for reader in readers:
        _receive(corpus, reader, mail, kind, topic, asks, by_address, turn=1)


def _receive(
    corpus: _Corpus,
    owner: Owner,
    mail: Mail,
    kind: Kind,
    topic: str,
    asks: bool,
    by_address: dict[str, Owner],
    turn: int,
) -> None:
    """A message reaches an owner, who does something with it."""
    random = corpus.random
    choice = _choose(owner, mail, kind, topic, asks, random)
    folder = {
        "archive": _filing_folder(owner, topic),
        "delete": "deleted_items/old" if random.random() < 0.1 else "deleted_items",
    }.get(choice, random.choice(["inbox", "inbox", "notes_inbox"]))
    corpus.put(owner, folder, mail)
    for copies, share in (("all_documents", 0.25), ("discussion_threads", 0.1)):
        if random.random() < share:
            corpus.put(owner, copies, mail)
    if choice not in ("reply", "forward"):
        return
    urgency = 0.3 if asks else 1.0
    delay = timedelta(minutes=max(1.0, owner.minutes * urgency * math.exp(random.gauss(0, 1.1))))
    sent = _answer(owner, mail, mail.moment + delay, choice, topic, random)
    for sent_folder in owner.sent_folders[: random.choice([1, 1, 2])]:
        corpus.put(owner, sent_folder, sent)
    reader = by_address.get(sent.to[0].address)
    if reader is not None and reader is not owner and turn < _MAX_TURNS:
        _receive(corpus, reader, sent, "colleague", topic, random.random() < 0.3, by_address, turn + 1)


def _choose(owner: Owner, mail: Mail, kind: Kind, topic: str, asks: bool, random: Random) -> Choice:
    none = [0.0] * len(CHOICES)
    causes = [
        LEANINGS[kind],
        owner.habits[kind],
        owner.habits[topic],
        owner.habits.get(mail.sender.address, none),
        (1.2, 0.2, 0.0, -0.6, 0.0) if asks else none,
        (-0.6, 0.0, 0.2, 0.2, 0.4) if len(mail.to) + len(mail.cc) > 2 else none,
    ]
    scores = [sum(values) for values in zip(*causes, strict=True)]
    return random.choices(CHOICES, [math.exp(_SHARPNESS * score) for score in scores])[0]


def _answer(owner: Owner, mail: Mail, moment: datetime, choice: Choice, topic: str, random: Random) -> Mail:
    """The owner's reply or forward, quoting in the manner of the owner's program."""
    me = random.choice(owner.aliases)
    words = wording.answer(topic, owner.person.given.capitalize(), random)
    subject, bare = mail.subject, mail.subject.removeprefix("Re: ").removeprefix("RE: ").removeprefix("FW: ")
    to = [mail.sender] if choice == "reply" else [random.choice(owner.contacts["colleague"])]
    if choice == "reply":
        subject = f"{'RE' if owner.manner == 'outlook' else 'Re'}: {bare}"
        how = random.random()
        quoted = "" if how < 0.25 else quote_plainly(mail) if how < 0.35 else quote(mail, owner.manner, random)
    elif owner.manner == "outlook":
        subject, quoted = f"FW: {bare}", quote(mail, "outlook", random)
    else:
        quoted = f"\n{forward_mark(me, moment)}{quote(mail, 'notes', random)}"
    return Mail(sender=me, to=to, cc=[], subject=subject, text=words + quoted, moment=moment)


def _filing_folder(owner: Owner, topic: str) -> str:
    return f"{topic}_files" if f"{topic}_files" in owner.filing else "projects/alpha"


def _business_time(random: Random) -> datetime:
    day = _FIRST_DAY + timedelta(
        weeks=random.randrange(_WEEKS), days=random.choices(range(7), [9, 9, 9, 9, 8, 1, 1])[0]
    )
    hour = min(max(random.gauss(13, 3), 0), 23.9)
    return day + timedelta(seconds=round(hour * 3600))


def _encoding_of(sender: Person, random: Random) -> Encoding:
    """A sender's program writes in one way; a few have one of the odd ones."""
    odd = sum(map(ord, sender.address)) % 25
    return _ENCODINGS[odd] if odd < len(_ENCODINGS) and random.random() < 0.8 else "plain"


def _add_odd_dates(corpus: _Corpus, owners: list[Owner]) -> None:
    """Mail of broken clocks: dated 1979 or 2044."""
    for index, year in enumerate((1979, 2044)):
        owner = owners[index % len(owners)]
        sender = owner.contacts["friend"][0]
        text = wording.paragraph("leisure", 2, corpus.random)
        moment = _FIRST_DAY.replace(year=year)
        mail = Mail(sender=sender, to=[owner.person], cc=[], subject="Old times", text=text, moment=moment)
        corpus.put(owner, "inbox", mail)
