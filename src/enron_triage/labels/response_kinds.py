"""Whether a sent message replies to another message, or forwards it."""

from __future__ import annotations

from typing import Literal

from enron_triage.mail.quotations import begins_with_a_forward, own_text
from enron_triage.mail.quotes import is_forwarded
from enron_triage.mail.subjects import read_subject
from enron_triage.records import Email

ResponseKind = Literal["reply", "forward"]


def response_kind(message: Email) -> ResponseKind | None:
    """Whether a sent message is a reply, a forward, or neither (None).

    Parameters
    ----------
    message : Email
        A sent message. What a program sent for the owner is neither.
    """
    if message.automatic:
        return None
    if message.forwarded_ids:
        return "forward"
    mark = read_subject(message.subject).mark
    if mark == "forward" or (mark == "either" and is_forwarded(message.body)):
        return "forward"
    if mark is not None or message.in_reply_to:
        return "reply"
    return "forward" if is_forwarded(message.body) else None


def kind_of_link(message: Email, kind: ResponseKind, original: Email, *, is_to_sender: bool) -> ResponseKind:
    """How a sent message responds to its original, now that this is known.

    A reply that does not go to the sender of its original is a forward if it says so, or may be one. What is called a
    forward, goes back to the sender alone and says something of its own is a reply.

    Parameters
    ----------
    message : Email
        The sent message.
    kind : {"reply", "forward"}
        What `response_kind` says of it.
    original : Email
        The message that it responds to.
    is_to_sender : bool
        Whether some recipient may be the sender of the original, by a name or an address.
    """
    if message.forwarded_ids:
        return kind
    if kind == "forward":
        goes_back = {*message.to, *message.cc, *message.bcc} == {original.sender}
        return "reply" if goes_back and own_text(message.body).strip() else kind
    if is_to_sender:
        return kind
    mark = read_subject(message.subject).mark  # "Re:" may be that of the message that is passed on
    says_so = begins_with_a_forward if mark == "reply" else is_forwarded
    return "forward" if mark == "either" or says_so(message.body) else kind
