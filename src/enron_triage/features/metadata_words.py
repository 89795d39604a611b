"""The words and phrases that the feature group ``metadata`` counts, chosen by reading business mail."""

from __future__ import annotations

import re

FREE_MAIL = frozenset(
    f"{name}.com" for name in "hotmail yahoo aol gmail msn excite juno earthlink netscape mindspring".split()
)
AUTOMATED = re.compile(
    r"no-?reply|do-?not-?reply|admin|daemon|newsletter|news|announce|alert|notif|subscri|info|support|service|"
    r"list|mailer|robot|webmaster|postmaster|update|system|office|survey|marketing|sales|offers?"
)
PERSON = re.compile(r"[a-z]+\.+(?:[a-z]\.+)?[a-z]+")
URGENT = frozenset("urgent asap immediately immediate deadline today tonight important priority rush overdue".split())
REQUEST = frozenset("please need request requested review approve approval confirm advise respond require send".split())
THANKS = frozenset("thanks thank thx appreciate appreciated grateful".split())
MEETING = frozenset(
    "meeting meet schedule scheduled calendar conference appointment lunch agenda invite invitation attend".split()
)
FIRST = frozenset("i me my i'm i'll i've i'd we our us".split())
SECOND = frozenset("you your yours you're you'll".split())
WORD_KINDS: dict[str, frozenset[str]] = {
    "urgent": URGENT,
    "request": REQUEST,
    "thanks": THANKS,
    "meeting": MEETING,
    "first": FIRST,
    "second": SECOND,
}
KINDS = {word: kind for kind, words in WORD_KINDS.items() for word in words}
GREETING = frozenset("hi hello hey dear good morning afternoon greetings".split())
EVERYONE = frozenset("all team everyone everybody folks guys colleagues gentlemen ladies group".split())
PHRASES: dict[str, tuple[str, ...]] = {
    "asks you": (
        "can you",
        "could you",
        "would you",
        "will you",
        "do you",
        "did you",
        "are you",
        "have you",
        "if you",
    ),
    "asks": ("let me know", "call me", "give me a call", "get back to me", "your thoughts", "what do you think"),
    "informs": ("fyi", "for your information"),
    "newsletter": (
        "unsubscribe",
        "click here",
        "subscription",
        "to be removed",
        "opt out",
        "privacy policy",
        "newsletter",
    ),
    "automation": (
        "do not reply",
        "automatically",
        "auto-generated",
        "this message was sent",
        "out of the office",
    ),
    "disclaimer": ("confidential", "intended recipient", "privileged", "copyright", "all rights reserved"),
    "attachment": ("attached", "attachment", "<<", ".doc", ".xls", ".pdf", ".ppt"),
    "links": ("http://", "https://", "www."),
}
