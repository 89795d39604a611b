import pytest

from enron_triage.mail import batches
from enron_triage.mail.batches import make_batches
from enron_triage.mail.message_ref import MessageRef


def mailboxes(**sizes):
    """Mailboxes of so many messages each."""
    for user, size in sizes.items():
        yield user, iter([MessageRef(f"{user}/{n}.", "", "") for n in range(size)])


def test_batches_are_bounded_and_hold_one_mailbox(monkeypatch):
    monkeypatch.setattr(batches, "_BATCH", 4)
    sizes = [(batch.user, len(batch.refs)) for batch in make_batches(mailboxes(a=6, b=6))]
    assert sizes == [("a", 4), ("a", 2), ("b", 4), ("b", 2)]


def test_messages_in_memory_are_bounded_by_their_bytes(monkeypatch):
    monkeypatch.setattr(batches, "_BATCH_BYTES", 10)
    refs = [MessageRef(f"a/{n}.", "", "", content=b"x" * size) for n, size in enumerate([4, 4, 4, 20, 1])]
    assert [len(batch.refs) for batch in make_batches([("a", iter(refs))])] == [3, 1, 1]


@pytest.mark.parametrize("limit", [1, 3, 4, 6, 7, 8, 12, 13])
def test_the_limit_takes_the_first_messages(monkeypatch, limit):
    monkeypatch.setattr(batches, "_BATCH", 4)
    everything = [ref.path for batch in make_batches(mailboxes(a=6, empty=0, b=6)) for ref in batch.refs]
    limited = [ref.path for batch in make_batches(mailboxes(a=6, empty=0, b=6), limit) for ref in batch.refs]
    assert len(everything) == 12
    assert limited == everything[:limit]


def test_nothing_is_listed_beyond_the_limit():
    def endless():
        yield from mailboxes(a=3)
        raise AssertionError("a mailbox beyond the limit was listed")

    assert [len(batch.refs) for batch in make_batches(endless(), 3)] == [3]
