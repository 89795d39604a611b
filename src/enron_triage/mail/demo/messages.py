"""The messages of the demo corpus as bytes, in the manner of the CMU archive, quirks included.

Folded headers, ``X-To`` lists of thousands of recipients, addresses without a domain,
``/O=COMPANY/OU=NA/CN=...`` names, dates of 1979 and 2044, quoted-printable bodies, latin-1 and
Windows-1252 bytes (also under a us-ascii claim), encoded subjects, multipart and HTML-only mail.
"""

from __future__ import annotations

import quopri
from datetime import datetime
from email.header import Header
from email.utils import format_datetime
from random import Random
from typing import Literal

import msgspec

Manner = Literal["outlook", "notes"]
Encoding = Literal["plain", "quoted_printable", "latin1", "windows", "encoded_subject", "multipart", "html"]


class Person(msgspec.Struct, frozen=True):
    """Somebody who writes or reads mail."""

    given: str
    surname: str
    address: str

    @property
    def name(self) -> str:
        """Given name and surname."""
        return f"{self.given.capitalize()} {self.surname.capitalize()}"


class Mail(msgspec.Struct, kw_only=True):
    r"""One message, before it lies in a folder.

    Attributes
    ----------
    text : str
        The whole body, quotations included; lines end in ``\n``.
    encoding : str
        Which of the corpus's ways to write the body.
    listed : int
        Recipients named in X-To only, as on mail to distribution lists.
    """

    sender: Person
    to: list[Person]
    cc: list[Person]
    subject: str
    text: str
    moment: datetime
    encoding: Encoding = "plain"
    listed: int = 0


def render(mail: Mail, *, message_id: str, folder: str, owner: str) -> bytes:
    """The bytes of one copy of a message.

    Parameters
    ----------
    mail : Mail
    message_id : str
        Every copy has its own, as in the archive.
    folder, owner : str
        Where it lies; stands in the X headers.
    """
    content_type, transfer, body = _encode(mail)
    subject = Header(f"{mail.subject} – café", "utf-8").encode() if mail.encoding == "encoded_subject" else mail.subject
    recipients = [_exchange_name(person) for person in mail.to] + [f"List Member {n}" for n in range(mail.listed)]
    headers = [
        ("Message-ID", f"<{message_id}.JavaMail.demo@example>"),
        ("Date", f"{format_datetime(mail.moment)} (CST)"),
        ("From", mail.sender.address),
        ("To", _fold([person.address for person in mail.to])),
        ("Subject", subject),
        ("Cc", _fold([person.address for person in mail.cc])),
        ("Mime-Version", "1.0"),
        ("Content-Type", content_type),
        ("Content-Transfer-Encoding", transfer),
        ("X-From", _exchange_name(mail.sender)),
        ("X-To", ", ".join(recipients)),
        ("X-cc", ", ".join(_exchange_name(person) for person in mail.cc)),
        ("X-bcc", ""),
        ("X-Folder", f"\\{owner.capitalize()}\\{folder.replace('/', chr(92))}"),
        ("X-Origin", owner.upper()),
        ("X-FileName", f"{owner}.nsf"),
    ]
    lines = [f"{name}: {value}" for name, value in headers if value or name.startswith("X-")]
    return "\r\n".join(lines).encode("ascii", "replace") + b"\r\n\r\n" + body.replace(b"\n", b"\r\n")


def quote(original: Mail, manner: Manner, random: Random) -> str:
    """An original under an answer, with its header in the manner of Outlook or of Notes."""
    when, sender = original.moment, original.sender
    to = ", ".join(person.name for person in original.to[:5])
    if manner == "outlook":
        header = (
            f" -----Original Message-----\nFrom: \t{sender.surname.capitalize()}, {sender.given.capitalize()}  \n"
            f"Sent:\t{when:%A, %B %d, %Y %I:%M %p}\nTo:\t{to}\nSubject:\t{original.subject}\n\n"
        )
    else:
        below = f"To: {to}\ncc:  \nSubject: {original.subject}\n\n"
        header = random.choice(
            (
                f"{sender.name}@BOREALIS\n{when:%m/%d/%Y %I:%M %p}\n{below}",
                f"\tFrom:  {sender.name}                           {when:%m/%d/%Y %I:%M %p}\n\t\n\n{below}",
                f'"{sender.name}" <{sender.address}> on {when:%m/%d/%Y %I:%M:%S %p}\n{below}',
            )
        )
    return f"\n\n{header}{original.text}"


def forward_mark(owner: Person, moment: datetime) -> str:
    """The line that Notes puts above what it forwards; the subject stays as it was."""
    by = f"Forwarded by {owner.name}/HOU/BOREALIS on {moment:%m/%d/%Y} \n{moment:%I:%M %p}"
    return f"---------------------- {by} ---------------------------"


def quote_plainly(original: Mail) -> str:
    """An original under an answer as Internet mail programs quote it, without its header."""
    return "\n\n" + "".join(f"> {line}\n" for line in original.text.splitlines())


def _encode(mail: Mail) -> tuple[str, str, bytes]:
    text = mail.text
    match mail.encoding:
        case "quoted_printable":
            return (
                "text/plain; charset=ISO-8859-1",
                "quoted-printable",
                quopri.encodestring(f"{text}à bientôt\n".encode("latin-1")),
            )
        case "latin1":
            return "text/plain; charset=iso-8859-1", "8bit", f"{text}à bientôt\n".encode("latin-1")
        case "windows":  # bytes that the charset it claims does not have
            return "text/plain; charset=us-ascii", "7bit", f"{text}“so long” – and thanks\n".encode("cp1252")
        case "multipart":
            html = f"<html><body><p>{text}</p></body></html>\n"
            parts = [
                f"--frontier\nContent-Type: text/{kind}\n\n{part}" for kind, part in (("plain", text), ("html", html))
            ]
            return (
                'multipart/alternative; boundary="frontier"',
                "7bit",
                ("\n".join(parts) + "\n--frontier--\n").encode(),
            )
        case "html":
            rows = "".join(f"<p>{line}</p>\n" for line in text.splitlines() if line)
            return (
                "text/html; charset=us-ascii",
                "7bit",
                f"<html><style>p {{}}</style><body>\n{rows}</body></html>\n".encode(),
            )
        case _:
            return "text/plain; charset=us-ascii", "7bit", text.encode("ascii", "replace")


def _fold(addresses: list[str]) -> str:
    lines = [", ".join(addresses[i : i + 3]) for i in range(0, len(addresses), 3)]
    return ", \r\n\t".join(lines)


def _exchange_name(person: Person) -> str:
    if person.address.endswith("borealis-power.example"):
        return (
            f"{person.surname.capitalize()}, {person.given.capitalize()} "
            f"</O=BOREALIS/OU=NA/CN=RECIPIENTS/CN={person.given[:1].upper()}{person.surname.upper()}>"
        )
    return person.name
