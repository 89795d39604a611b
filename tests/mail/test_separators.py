import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.mail.sources.mbox import cut
from enron_triage.mail.sources.separators import Separators, begins_mbox

DATED = b"From jane@x.example Mon May 14 16:39:00 2001"
GIT = b"From 5d0c2f4be1a97f3c5501d2f0a6be7c9d8e1f2a3b Mon Sep 17 00:00:00 2001"
STYLES = [
    DATED,
    b"From - Mon May 14 16:39:00 2001",
    b"From 1756@xxx Mon Jan 02 09:00:00 +0000 2023",
    b"From jane@x.example Mon May 14 16:39:00 2001 -0700",
    b"From jane@x.example Mon May 14 16:39:00 2001 (MEST)",
    b"From jane@x.example  Mon May  4 16:39 2001",
    b"From jane@x.example 2001-05-14T16:39:00Z",
    b"From jane@x.example Mon, 14 May 2001 16:39:00 +0200",
    b'From "Jane Doe" Mon May 14 16:39:00 2001',
    b"From jane@x.example",
    b"From nobody",
    b"From ",
    GIT,
]


def mail(number, text=b"Text"):
    return b"From: jane@x.example\nDate: Mon, 14 May 2001 16:39:0%d -0700\nSubject: %d\n\n%s\n" % (number, number, text)


def join(messages, lines, blank=b"\n", end=b"\n"):
    return b"".join(line + b"\n" + message + blank for line, message in zip(lines, messages, strict=True)).replace(
        b"\n", end
    )


def messages_of(content):
    return [ref.content for ref in cut(io.BytesIO(content), "a.mbox", "")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b"\r\r\n"])
@pytest.mark.parametrize("blank", [b"\n", b""])
@pytest.mark.parametrize("line", STYLES)
def test_a_separator_is_a_from_line_above_a_header_whatever_stands_in_it(line, blank, end):
    messages = [mail(number) for number in range(3)]
    found = messages_of(join(messages, [line] * 3, blank, end))
    assert found == [(message + blank).replace(b"\n", end) for message in messages]


def test_the_separators_of_one_file_may_differ():
    lines = [line for line in STYLES if line != GIT]
    for turned in (lines, lines[::-1]):
        messages = [mail(number % 10) for number in range(len(turned))]
        assert messages_of(join(messages, turned)) == [message + b"\n" for message in messages]


@pytest.mark.parametrize("top", [b"\xef\xbb\xbf", b"\n\n", b"\xef\xbb\xbf\r\n"])
def test_a_byte_order_mark_and_blank_lines_may_stand_at_the_top(top):
    content = top + join([mail(1), mail(2)], [DATED] * 2)
    assert begins_mbox(content)
    assert messages_of(content) == [mail(1) + b"\n", mail(2) + b"\n"]


@pytest.mark.parametrize("odd", [b">" + DATED, b">>" + DATED, b">From \n>" + DATED])
def test_other_separators_may_stand_below_one(odd):
    messages = [odd + b"\n" + mail(number) for number in range(3)]
    assert [found.count(b"Subject: ") for found in messages_of(join(messages, [DATED] * 3))] == [1, 1, 1]


@pytest.mark.parametrize("line", [DATED, b"From ", b"From jane@x.example"])
@pytest.mark.parametrize(
    "text",
    [
        b"As was said.\n\nFrom what I read it was founded in 1898\nand goes on.",
        b"As was said.\n\nFrom Monday, 6 November 2023\nwe open at ten.",
        b"A separator is\n\n" + DATED + b"\nand looks so.",
        b"A separator is\n\n" + DATED + b"\nSubject: this one\nis none.\nNor is it\nhere.",
        b"Old mail had\nFrom \nand then\nTo\n",
        b"It goes on:\nFrom here\nTo: nobody, in fact.\nThe end.",
        b"Places:\n\nFrom here\nTo: there\n\nThe end.",
        b"From the desk of Jane\nRe: the hall\nDate: tomorrow\n\nSee you.",
        b"> " + DATED + b"\n> From: jane@x.example\n> Date: Mon, 14 May 2001 16:39:00 -0700\n",
        b" " + DATED + b"\n From: jane@x.example\n Date: Mon, 14 May 2001 16:39:00 -0700\n",
        b">" + DATED + b"\nFrom: jane@x.example\nDate: Mon, 14 May 2001 16:39:00 -0700\n",
        b"The patch:\n\n" + GIT + b"\nFrom: jane@x.example\nDate: Mon, 14 May 2001 16:39:00 -0700\nSubject: x\n\n---\n",
    ],
)
def test_a_from_in_a_text_begins_no_message(line, text):
    messages = [mail(1), mail(2, text), mail(3)]
    assert [found.count(b"\nSubject: ") for found in messages_of(join(messages, [line] * 3))][::2] == [1, 1]
    assert len(messages_of(join(messages, [line] * 3))) == 3


def attached(boundary, declared=None, end=b"--"):
    inner = join([mail(7), mail(8)], [DATED] * 2)
    return (
        b"From: jane@x.example\nSubject: attached\nContent-Type: multipart/mixed;\n boundary="
        + (declared or boundary)
        + b"\n\n--%s\n\nSee below.\n--%s\nContent-Type: application/mbox\n\n" % (boundary, boundary)
        + inner
        + b"--%s%s\n" % (boundary, end)
    )


def test_an_attached_mbox_is_part_of_its_message(caplog):
    messages = [mail(1), attached(b"b0undary"), mail(2)]
    content = join(messages, [DATED] * 3)
    assert messages_of(content) == [message + b"\n" for message in messages]
    first = content.index(DATED, content.index(b"application/mbox"))
    assert caplog.messages == [
        "a.mbox: 2 lines look like the beginning of a message, but belong to the text of one "
        f"(the first at byte {first})"
    ]


def test_a_truncated_multipart_does_not_swallow_the_next_message():
    truncated = attached(b"b0undary").partition(b"--b0undary\nContent-Type: application/mbox")[0]
    messages = [truncated, mail(2), attached(b"b0undary"), mail(3)]  # the whole message comes again further down
    assert messages_of(join(messages, [DATED] * 4)) == [message + b"\n" for message in messages]


def test_lines_that_were_not_taken_are_counted_in_one_warning(caplog):
    text = b"One\n\n" + DATED + b"\nand two\n\n" + DATED + b"\nin one message. From here on, nothing."
    messages_of(join([mail(1), mail(2, text)], [DATED] * 2))
    (message,) = caplog.messages
    assert "2 lines look like the beginning of a message" in message


def test_a_message_is_found_wherever_the_blocks_end(monkeypatch):
    messages = [mail(number % 10, b"x" * (37 * number % 101)) for number in range(40)]
    content = join(messages, [DATED, b"From "] * 20)
    for size in (1, 7, 100, 1000):
        monkeypatch.setattr("enron_triage.mail.sources.separators._BLOCK", size)
        assert messages_of(content) == [message + b"\n" for message in messages]


LINES = [
    *STYLES,
    b"Subject: x",
    b"Date: y",
    b"",
    b" ",
    b"text",
    b">From z",
    b"\xef\xbb\xbf",
    b"--b0undary",
    b"--b0undary--",
]
LINES += [b"Content-Type: multipart/mixed; boundary=b0undary", b"From", b"\0"]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from([b"\n", b"\r\n", b"\r", b""])), max_size=30),
    st.sampled_from([1, 5, 64, 1 << 20]),
)
def test_no_byte_is_lost_and_the_blocks_do_not_matter(lines, size):
    content = DATED + b"\n" + b"".join(line + end for line, end in lines)
    whole, cut_up = Separators(), Separators()
    parts = list(whole.parts(io.BytesIO(content)))
    assert b"".join(part.content for part in parts) == content
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("enron_triage.mail.sources.separators._BLOCK", size)
        again = list(cut_up.parts(io.BytesIO(content)))
    taken = [part.content for part in parts if part.is_separator]
    assert [part.content for part in again if part.is_separator] == taken
    assert cut_up.not_taken == whole.not_taken


@pytest.mark.parametrize("endless", [b"x", b"\0", b"From ", b">From "])
def test_a_line_without_end_is_never_held_whole(endless):
    content = join([mail(1)], [DATED]) + endless * (3 * 2**20 // len(endless)) + b"\n\n" + join([mail(2)], [DATED])
    parts = list(Separators().parts(io.BytesIO(content)))
    assert b"".join(part.content for part in parts) == content
    assert max(len(part.content) for part in parts) <= 2 * 2**20
    assert sum(part.is_separator for part in parts) == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda n: join([mail(1)], [DATED]) + b"x" * (2000 * n),
        lambda n: join([mail(1)], [DATED]) + b"From " * (400 * n),
        lambda n: join([mail(1)], [DATED]) + b"From \nX: y\n" * (200 * n),
        lambda n: join([mail(1)], [DATED]) + (DATED + b"\n") * (50 * n),
        lambda n: join([mail(1)], [DATED]) + b"\n" * (2000 * n) + DATED,
    ],
)
def test_the_cost_grows_with_the_size(assert_linear, make):
    assert_linear(messages_of, make, 40)
