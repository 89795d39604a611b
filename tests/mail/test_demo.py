import email
from collections import Counter

import msgspec
import pytest

from enron_triage.config.data import LabelConfig
from enron_triage.labels.label import label_mailbox
from enron_triage.mail.batches import Batch, make_batches, parse_batch
from enron_triage.mail.demo.corpus import write_demo
from enron_triage.mail.sources import SOURCES, open_tree
from enron_triage.records import Email

pytestmark = pytest.mark.slow  # trains, or draws


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo") / "maildir"
    return root, write_demo(root, seed=42, mailboxes=24, messages=12_000)


@pytest.fixture(scope="module")
def raw(corpus):
    return {str(path.relative_to(corpus[0])): path.read_bytes() for path in corpus[0].rglob("*.")}


def contents(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.")) if path.is_file()}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_demo(tmp_path / name, seed=seed, mailboxes=3, messages=150)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


def test_the_number_of_mailboxes_and_messages_is_as_asked_for(corpus, raw):
    root, count = corpus
    assert count == len(raw)
    assert 11_000 <= count <= 13_000
    assert len(list(root.iterdir())) == 24


def test_every_quirk_of_the_archive_occurs(raw):
    everything = b"\n".join(raw.values())
    for mark in (
        b", \r\n\t",  # folded headers
        b"/O=BOREALIS/OU=NA/CN=RECIPIENTS/CN=",
        b"From: operations-desk\r\n",  # an address without a domain
        b" 1979 ",
        b" 2044 ",
        b"quoted-printable",
        b"charset=iso-8859-1",
        b"Subject: =?utf-8?",
        b"multipart/alternative",
        b"text/html",
        b" -----Original Message-----",
        b"Forwarded by ",
        b"newsletter@",
    ):
        assert mark in everything, mark
    windows = [content for content in raw.values() if b"us-ascii" in content and b"\x93so long\x94" in content]
    assert windows  # bytes that the claimed charset does not have
    longest = max(email.message_from_bytes(content)["X-To"].count(",") for content in raw.values())
    assert longest >= 2000
    folders = {path.partition("/")[2].rpartition("/")[0] for path in raw}
    assert {"deleted_items/old", "projects/alpha", "all_documents", "discussion_threads"} <= folders
    bodies = Counter(content.partition(b"\r\n\r\n")[2] for content in raw.values())
    assert max(bodies.values()) > 2  # copies within a mailbox, and broadcasts to several


def test_some_owners_write_from_several_addresses(raw):
    senders = {}
    for path, content in raw.items():
        if path.split("/")[1] in ("sent", "sent_items", "_sent_mail"):
            senders.setdefault(path.split("/")[0], set()).add(email.message_from_bytes(content)["From"])
    assert {len(addresses) for addresses in senders.values()} == {1, 2}


def test_actions_follow_from_their_causes(corpus):
    root, _ = corpus
    actions = {"newsletter": Counter(), "colleague": Counter()}
    by_owner = {}
    for batch in make_batches(SOURCES["enron"].mailboxes(open_tree(root))):
        by_owner.setdefault(batch.user, []).extend(batch.refs)
    for owner, refs in by_owner.items():
        parsed = parse_batch(Batch(owner, refs))
        emails = [msgspec.json.decode(line, type=Email) for line in parsed.records.split(b",\n")]
        for record in label_mailbox(emails, LabelConfig()).records:
            if record.action is not None:
                kind = "newsletter" if record.sender.startswith("newsletter@") else "colleague"
                actions[kind][record.action] += 1
    share = {kind: {action: n / counts.total() for action, n in counts.items()} for kind, counts in actions.items()}
    assert share["newsletter"]["delete"] > 0.5 > share["colleague"]["delete"]
    assert set(share["colleague"]) == {"reply_now", "reply_later", "forward", "archive", "delete"}
    assert "reply_now" not in share["newsletter"]
