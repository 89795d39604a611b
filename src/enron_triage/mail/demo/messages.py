"""The messages of the demo corpus as bytes, with the quirks of the CMU archive.

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

QuoteStyle = Literal["outlook", "notes"]
Encoding = Literal["plain", "quoted_printable", "latin1", "windows", "encoded_subject", "multipart", "html"]


class Person(msgspec.Struct, frozen=True):
    """Somebody who writes or reads mail.

    Attributes
    ----------
    given, surname : str
        The two parts of the name, in lower case.
    address : str
        The mail address; may have no domain.
    """

    given: str
    surname: str
    address: str

    @property
    def name(self) -> str:
        """Given name and surname."""
        return f"{self.given.capitalize()} {self.surname.capitalize()}"


class Mail(msgspec.Struct, kw_only=True):
    r"""One message, before it is put into folders.

    Attributes
    ----------
    sender : Person
        The author.
    to, cc : list of Person
        The recipients.
    subject : str
        The subject, not encoded.
    text : str
        The whole body, quotations included; lines end in ``\n``.
    sent_at : datetime
        When the message was sent, with an offset.
    encoding : str
        How the message is written to bytes.
    listed : int
        The number of recipients named in X-To only, as on mail to distribution lists.
    """

    sender: Person
    to: list[Person]
    cc: list[Person]
    subject: str
    text: str
    sent_at: datetime
    encoding: Encoding = "plain"
    listed: int = 0


def render(mail: Mail, *, message_id: str, folder: str, owner: str) -> bytes:
    """Write one copy of a message to bytes.

    Parameters
    ----------
    mail : Mail
        The message.
    message_id : str
        The Message-ID of this copy: every copy has its own, as in the archive.
    folder, owner : str
        Where the copy is kept, which the X headers name.

    Returns
    -------
    bytes
        Headers and body, with CRLF line ends.
    """
    content_type, transfer, body = _encode(mail)
    subject = Header(f"{mail.subject} – café", "utf-8").encode() if mail.encoding == "encoded_subject" else mail.subject
    recipients = [_exchange_name(person) for person in mail.to] + [f"List Member {n}" for n in range(mail.listed)]
    headers = [
        ("Message-ID", f"<{message_id}.JavaMail.demo@example>"),
        ("Date", f"{format_datetime(mail.sent_at)} (CST)"),
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


def quote(original: Mail, quote_style: QuoteStyle, random: Random) -> str:
    """Quote an original under an answer, with its header.

    Parameters
    ----------
    original : Mail
        The message to quote.
    quote_style : str
        Whether the header is written as Outlook or as Notes writes it.
    random : Random
        Chooses among the forms that Notes has.

    Returns
    -------
    str
        The header and the whole text, to append to an answer.
    """
    when, sender = original.sent_at, original.sender
    to = ", ".join(person.name for person in original.to[:5])
    if quote_style == "outlook":
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


def forward_mark(owner: Person, sent_at: datetime) -> str:
    """The line that Notes puts above a forwarded message, whose subject does not change.

    Parameters
    ----------
    owner : Person
        The person who forwards it.
    sent_at : datetime
        When it is forwarded.

    Returns
    -------
    str
        The line, wrapped in the date as Notes wraps it.
    """
    by = f"Forwarded by {owner.name}/HOU/BOREALIS on {sent_at:%m/%d/%Y} \n{sent_at:%I:%M %p}"
    return f"---------------------- {by} ---------------------------"


def quote_plainly(original: Mail) -> str:
    """Quote an original under an answer as Internet mail programs do, without its header.

    Parameters
    ----------
    original : Mail
        The message to quote.

    Returns
    -------
    str
        The text with a mark before each line, to append to an answer.
    """
    return "\n\n" + "".join(f"> {line}\n" for line in original.text.splitlines())


def _encode(mail: Mail) -> tuple[str, str, bytes]:
    """The Content-Type, the Content-Transfer-Encoding and the body."""
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
                f"--frontier\nContent-Type: text/{subtype}\n\n{part}"
                for subtype, part in (("plain", text), ("html", html))
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
