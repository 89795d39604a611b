"""Words to buckets: the same whatever surrounds a message, blind to dates, calm before hostile text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.features.text import NUM_BUCKETS, SEGMENTS, buckets_of, extract, words
from enron_triage.mail.body import BodyParts, split_body


@pytest.fixture(scope="module")
def bag(new_email):
    """The buckets of one message."""

    def make(**fields):
        email = new_email(**fields)
        buckets, lengths = extract([email], [split_body(email)])
        assert lengths.tolist() == [len(buckets)]
        return buckets.tolist()

    return make


def test_each_message_has_its_own_buckets_each_once_and_in_order(new_email):
    emails = [new_email(subject=f"plan {name}", body="send it " * 3, sender="") for name in ("one", "two", "")]
    parts = [split_body(email) for email in emails]
    buckets, lengths = extract(emails, parts)
    assert buckets.dtype == np.int32
    assert buckets.min() >= 0
    assert buckets.max() < NUM_BUCKETS
    start = 0
    for email, split, length in zip(emails, parts, lengths, strict=True):
        alone, _ = extract([email], [split])
        assert buckets[start : start + length].tolist() == alone.tolist() == sorted(set(alone.tolist()))
        start += length
    assert [values.tolist() for values in extract([], [])] == [[], []]


SCRAPS = st.sampled_from(
    ["10", "a1", "may", "March", "jan", "?", "why? ", "\xff", "\0", "\ud800", "don't ", "-- \n", "x " * 310]
)
TEXTS = st.lists(st.one_of(SCRAPS, st.text(max_size=3), st.sampled_from(" \n.")), max_size=20).map("".join)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS, st.sampled_from(["", "march", "7.example", "x.example"])), max_size=4))
def test_messages_hashed_together_have_the_buckets_of_their_words(new_email, messages):
    emails = [new_email(subject=subject, sender=f"jane@{domain}") for subject, _, _, domain in messages]
    bodies = [BodyParts(new, "Jane 0", quoted) for _, new, quoted, _ in messages]
    found, lengths = extract(emails, bodies)
    expected = [
        sorted({b for segment, seen in enumerate(words(email, body)) for _, b in buckets_of(segment, seen)})
        for email, body in zip(emails, bodies, strict=True)
    ]
    assert lengths.tolist() == [len(buckets) for buckets in expected]
    assert found.tolist() == [bucket for buckets in expected for bucket in buckets]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("due 12 March 2001 at 5", "due 7 April 1999 at 11"),
        ("on 10/22/2001, 8:30", "on 1/2/99, 12:15"),
        ("JAN sept 2000", "feb Dec 1"),
    ],
)
def test_dates_and_numbers_are_all_the_same(bag, one, other):
    assert bag(body=one) == bag(body=other)


def test_words_count_without_case_and_apart_from_each_other(bag):
    assert bag(body="Please SEND it") == bag(body="please send it")
    assert bag(body="please send it") != bag(body="send please it")  # pairs have an order
    assert set(bag(body="please", subject="")) < set(bag(body="please send", subject=""))
    assert bag(body="why?") != bag(body="why")
    assert bag(body="don't") != bag(body="don t")


def test_the_same_word_has_another_bucket_in_every_segment():
    seen = [buckets_of(segment, [b"budget"])[0][1] for segment in range(len(SEGMENTS))]
    assert len(set(seen)) == len(SEGMENTS)


def test_quoted_text_is_seen_apart_and_has_no_pairs(bag):
    quoted = "-----Original Message-----\nred herring\n"
    alone, with_quote = set(bag(body="yes\n")), set(bag(body="yes\n" + quoted))
    assert alone < with_quote
    assert set(bag(body="red herring\n")) & with_quote == set(bag(body="")) & with_quote  # the domain alone


def test_the_names_of_the_buckets_are_those_of_the_message(bag, new_email):
    fields = {"subject": "plan B", "body": "send the plan\n\nJane", "sender_name": "Jane Roe"}
    email = new_email(**fields)
    named = {
        bucket: word
        for segment, found in enumerate(words(email, split_body(email)))
        for word, bucket in buckets_of(segment, found)
    }
    assert sorted(named) == bag(**fields)
    assert {b"plan", b"plan b", b"send the", b"jane", b"x.example"} <= set(named.values())


@settings(max_examples=80)
@given(st.text(st.characters(exclude_categories=()), max_size=300), st.text(max_size=50))
def test_any_text_whatever_has_buckets(new_email, body, subject):
    email = new_email(body=body, subject=subject, sender=body[:20])
    buckets, lengths = extract([email], [split_body(email)])
    assert lengths[0] == len(buckets)


@pytest.mark.parametrize("unit", ["word ", "\n", "From: ", "--\n", "\u00e9"])
def test_a_hostile_text_takes_no_time(unit, new_email, assert_linear):
    def make(size):
        return new_email(body=unit * size, subject=unit * (size // 50))

    assert_linear(lambda email: extract([email], [split_body(email)]), make, 100_000)
