import pytest

from enron_triage.mail import batches, parts
from enron_triage.mail.batches import (
    Batch,
    ParsedBatch,
    group_by_mailbox,
    killed_batch,
    make_batches,
    parse_batch,
    parse_batches,
    single_messages,
)
from enron_triage.mail.message import parse_message
from enron_triage.mail.message_ref import MessageRef
from enron_triage.runtime import time_limit


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


def parsed(paths, span=True):
    records = b",\n".join(b'{"path":"%s"}' % path.encode() for path in paths)
    return ParsedBatch("a", records, len(paths), [], (paths[0], paths[-1]) if span and paths else None)


@pytest.mark.parametrize(
    "found",
    [
        [parsed(["a/1", "a/2"]), parsed(["a/3", "a/b/1"])],  # in order: nothing is sorted
        [parsed(["a/3"]), parsed(["a/1", "a/2"]), parsed(["a/b/1"])],
        [parsed(["a/1", "a/3"]), parsed(["a/2", "a/b/1"])],
        [parsed(["a/2", "a/1"], span=False), parsed(["a/3", "a/b/1"])],
        [parsed(["a/1", "a/2"]), parsed([], span=False), parsed(["a/3", "a/b/1"])],
    ],
)
def test_batches_are_grouped_by_path_in_whatever_order_they_come(tmp_path, found):
    (whole,) = group_by_mailbox(found, tmp_path)
    assert (whole.records, whole.count) == (parsed(["a/1", "a/2", "a/3", "a/b/1"]).records, 4)


def test_a_batch_of_an_archive_tells_whether_it_is_in_order():
    def span(*paths, content=b"Subject: a\n\nb"):
        return parse_batch(Batch("a", [MessageRef(path, "", "", content=content) for path in paths])).span

    assert span("a/1", "a/b/1") == ("a/1", "a/b/1")
    assert span("a-b/1", "a/1") is None  # "a" comes before "a-b", although "-" comes before "/"
    assert span("a/1", "a/1", content=None) is None


def test_the_messages_of_an_mbox_are_bounded_by_their_bytes(monkeypatch):
    monkeypatch.setattr(batches, "_BATCH_BYTES", 10)
    parts = [MessageRef(f"a#{n}", "", "a", start=n * 6, stop=n * 6 + 6) for n in range(4)]
    assert [len(batch.refs) for batch in make_batches([("a", iter(parts))])] == [2, 2]


def test_large_files_become_no_more_than_a_worker_can_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "_MOST_RECORDS", 10_000)
    refs = [MessageRef(f"a/{n}.", "", str(tmp_path / str(n))) for n in range(6)]
    for ref in refs:
        (tmp_path / ref.file).write_bytes(b"Subject: a\n\n" + b"b" * 8000)
    found = list(parse_batches(make_batches([("a", iter(refs))]), 1))
    assert [batch.count for batch in found] == [2, 2, 2]


def test_a_message_that_is_read_without_end_is_an_entry_and_the_others_are_read(monkeypatch):
    def parse(raw, **places):
        while b"hostile" in raw:
            try:
                pass
            except Exception:
                continue
        return parse_message(raw, **places)

    monkeypatch.setattr(batches, "parse_message", parse)
    monkeypatch.setattr(batches, "SECONDS", 0.03)
    monkeypatch.setattr(time_limit, "_TICK", 0.01)
    contents = [b"Subject: a\n\nb", b"Subject: hostile\n\nb", b"Subject: c\n\nd"]
    refs = [MessageRef(f"a/{n}.", "", "", content=content) for n, content in enumerate(contents)]
    found = parse_batch(Batch("a", refs))
    assert found.count == 2
    assert [(error.path, error.error) for error in found.errors] == [("a/1.", "took more than 0.03 s to read")]


def test_a_message_that_takes_all_memory_is_an_entry_and_the_others_are_read(monkeypatch):
    def parse(raw, **places):
        if b"hostile" in raw:
            bytearray(2**29)
        return parse_message(raw, **places)

    monkeypatch.setattr(batches, "parse_message", parse)
    monkeypatch.setattr(batches, "MEMORY", 2**27)
    contents = [b"Subject: a\n\nb", b"Subject: hostile\n\nb", b"Subject: c\n\nd"]
    found = parse_batch(Batch("a", [MessageRef(f"a/{n}.", "", "", content=raw) for n, raw in enumerate(contents)]))
    assert found.count == 2
    assert [(error.path, error.error) for error in found.errors] == [
        ("a/1.", "took more than 128 MiB of memory to read")
    ]


def test_a_text_that_would_become_many_times_as_much_json_is_an_entry(monkeypatch):
    monkeypatch.setattr(parts, "MAX_TEXT", 1000)
    refs = [MessageRef(f"a/{n}.", "", "", content=b"Subject: a\n\n" + b"\0" * n) for n in (900, 1100)]
    found = parse_batch(Batch("a", refs))
    assert (found.count, [error.path for error in found.errors]) == (1, ["a/1100."])


def test_markup_that_is_longer_than_any_mail_is_an_entry(monkeypatch):
    monkeypatch.setattr(parts, "MAX_TEXT", 1000)
    head = b"Subject: a\nContent-Type: text/html\n\n"
    refs = [MessageRef(f"a/{n}.", "", "", content=head + b"<br>" * n + b"hello") for n in (200, 300)]
    found = parse_batch(Batch("a", refs))
    assert (found.count, [error.path for error in found.errors]) == (1, ["a/300."])
    assert found.errors[0].error.startswith("ValueError: a text of more than")


def test_a_batch_whose_records_become_too_much_is_read_in_several_steps(monkeypatch):
    monkeypatch.setattr(batches, "_MOST_RECORDS", 1000)
    content = b"Subject: a\n\n" + b"\0" * 200  # six times as much in JSON
    refs = [MessageRef(f"a/{n}.", "", "", content=content) for n in range(5)]
    found = list(parse_batches([Batch("a", refs), Batch("b", refs[:1])], 1))
    assert [(batch.user, batch.count) for batch in found] == [("a", 1)] * 5 + [("b", 1)]
    assert [batch.span for batch in found[:2]] == [("a/0.", "a/0."), ("a/1.", "a/1.")]


def test_a_message_that_ends_its_process_is_an_entry(tmp_path, monkeypatch):
    refs = [MessageRef(f"a/{n}.", "", "", content=b"Subject: a\n\n") for n in range(2)]
    assert [batch.refs for batch in single_messages(Batch("a", refs))] == [refs[:1], refs[1:]]
    (error,) = killed_batch(Batch("a", refs[1:])).errors
    assert (error.path, error.error) == ("a/1.", "ended the process that read it (too much time or memory)")
