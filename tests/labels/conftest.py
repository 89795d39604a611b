"""Small mail of one mailbox, for the tests of the schemes and of the stage."""

import pytest

OWNER = "owner@home.example"


@pytest.fixture(scope="session")
def message(new_email):
    """A function that makes a message that reached the owner at a moment; no two of them are copies."""

    def make(at, folder="inbox", sender="jane@x.example", subject="gas", **fields):
        identity = f"{sender}/{at}/{subject}"
        own = {"path": f"owner-a/{folder}/{identity}", "fingerprint": identity, "raw_sha256": identity, "date": None}
        basic = {"timestamp": at, "folder": folder, "sender": sender, "subject": subject, "to": [OWNER]}
        return new_email(**own | basic | fields)

    return make


@pytest.fixture(scope="session")
def sent(message):
    """A function that makes a message that the owner sent at a moment."""

    def make(at, subject="Re: gas", to=("jane@x.example",), folder="sent", **fields):
        return message(at, folder, OWNER, subject, to=list(to), **fields)

    return make
