import math

import numpy as np
import pytest

from enron_triage.errors import UsageError
from enron_triage.features.history import RAW_COLUMNS, extract
from enron_triage.features.history_features import COLUMNS, transform
from enron_triage.records import ACTION_NAMES, Action, ActionCounts

POPULATION = np.array([0.1, 0.2, 0.1, 0.4, 0.2], dtype=np.float32)
SCOPES = ("owner", "domain", "sender", "series", "recipient", "conversation")
DAY = 86400


@pytest.fixture(scope="module")
def raw_columns(new_record, new_history):
    """The raw columns of a message whose history has given fields."""
    return lambda **fields: dict(
        zip(RAW_COLUMNS, extract([new_record(history=new_history(**fields))])[0].tolist(), strict=True)
    )


@pytest.fixture(scope="module")
def features(new_record, new_history):
    """The columns of a message whose history has given fields."""

    def make(**fields):
        raw = extract([new_record(history=new_history(**fields))])
        return dict(zip(COLUMNS, transform(raw, POPULATION)[0].tolist(), strict=True))

    return make


def rates(values, scope, kind="rate"):
    return [values[f"{scope}_{action}_{kind}"] for action in ACTION_NAMES]


def smoothed(taken, wider, strength):
    """Shares of the actions, and `strength` more that are distributed as the wider rates."""
    return [(n + strength * rate) / (sum(taken) + strength) for n, rate in zip(taken, wider, strict=True)]


# Raw columns


def test_the_raw_columns_are_the_records(raw_columns):
    pasts = {
        scope: ActionCounts(counts=[5 * i + j for j in range(5)], recent=[i + j / 10 for j in range(5)])
        for i, scope in enumerate(SCOPES)
    }
    raw = raw_columns(**pasts, sent=7, since_sent=0, conversation_started=False, from_own_domain=True)
    for scope, past in pasts.items():
        assert [raw[f"{scope}_{action}_count"] for action in ACTION_NAMES] == past.counts
        assert [raw[f"{scope}_{action}_recent"] for action in ACTION_NAMES] == pytest.approx(past.recent)
    assert (raw["sent"], raw["since_sent"], raw["conversation_started"], raw["from_own_domain"]) == (7, 0, 0, 1)


def test_what_is_unknown_is_minus_one_in_the_raw_columns(raw_columns):
    unknown = {name for name, value in raw_columns().items() if value == -1}
    assert unknown == {
        *("last_sender_action", "recipient_field", "recipient_position", "conversation_started"),
        *("since_sent", "since_sent_to_sender", "since_received_from_sender", "response_to_sender", "response"),
        *("since_conversation_sent", "since_conversation_received"),
    }
    assert set(raw_columns().values()) == {-1, 0}


def test_there_is_a_row_for_each_record(new_record):
    assert extract([new_record()] * 3).shape == (3, len(RAW_COLUMNS))
    assert extract([]).shape == (0, len(RAW_COLUMNS))


def test_the_history_is_refused_where_there_is_none(new_record):
    with pytest.raises(UsageError, match=r"owner-a/inbox/1\.: has no history \(scheme folder\); leave history out"):
        extract([new_record(history=None, scheme="folder")])


# Rates


def test_rates_are_smoothed_towards_the_wider_scopes(features):
    taken = {
        "owner": [2, 0, 0, 4, 4],
        "domain": [2, 0, 0, 1, 0],
        "sender": [2, 0, 0, 0, 0],
        "series": [1, 0, 0, 0, 0],
        "recipient": [0, 0, 1, 0, 2],
        "conversation": [0, 3, 0, 0, 0],
    }
    got = features(**{scope: ActionCounts(counts=counts, recent=[0.0] * 5) for scope, counts in taken.items()})
    # by hand: five earlier actions that are distributed as the wider rate
    owner = [(2 + 0.5) / 15, 1 / 15, 0.5 / 15, (4 + 2) / 15, (4 + 1) / 15]
    domain = [(2 + 5 * owner[0]) / 8, 5 * owner[1] / 8, 5 * owner[2] / 8, (1 + 5 * owner[3]) / 8, 5 * owner[4] / 8]
    sender = [(2 + 5 * domain[0]) / 7, *(5 * rate / 7 for rate in domain[1:])]
    series = [(1 + 5 * sender[0]) / 6, *(5 * rate / 6 for rate in sender[1:])]
    assert rates(got, "owner") == pytest.approx(owner)
    assert rates(got, "domain") == pytest.approx(domain)
    assert rates(got, "sender") == pytest.approx(sender)
    assert rates(got, "series") == pytest.approx(series)
    assert rates(got, "recipient") == pytest.approx(smoothed(taken["recipient"], owner, 5))
    assert rates(got, "conversation") == pytest.approx(smoothed(taken["conversation"], sender, 5))
    for scope in SCOPES:
        assert sum(rates(got, scope)) == pytest.approx(1)
        assert rates(got, scope, "recent_rate") == pytest.approx(POPULATION.tolist())


def test_recent_rates_are_smoothed_by_less(features):
    owner, sender = [0, 0, 0, 0.5, 1.5], [0, 0, 0, 0, 0.25]
    got = features(owner=ActionCounts(counts=[0] * 5, recent=owner), sender=ActionCounts(counts=[0] * 5, recent=sender))
    owner = smoothed(owner, POPULATION.tolist(), 2)
    assert owner == pytest.approx([0.05, 0.1, 0.05, 0.325, 0.475])
    assert rates(got, "owner", "recent_rate") == pytest.approx(owner)
    assert rates(got, "domain", "recent_rate") == pytest.approx(owner)
    assert rates(got, "sender", "recent_rate") == pytest.approx(smoothed(sender, owner, 2))
    assert rates(got, "sender") == pytest.approx(POPULATION.tolist())


def test_a_new_owner_is_an_average_one(features):
    got = features()
    for scope in SCOPES:
        for kind in ("rate", "recent_rate"):
            assert rates(got, scope, kind) == pytest.approx(POPULATION.tolist())
    others = {name: value for name, value in got.items() if not name.endswith("_rate") and value}
    assert others == {
        "owner_unlisted": 1,
        "conversation_is_new": 1,
        "owner_answered": pytest.approx(0.1),
        "sender_answered": pytest.approx(0.1),
        "sender_acted_on": pytest.approx(0.5),
    }


def test_confidence_grows_with_the_actions_and_saturates(features):
    got = features(sender=ActionCounts(counts=[1, 0, 0, 4, 0], recent=[0.5, 0, 0, 1.5, 0]), owner=[0, 0, 0, 0, 10**6])
    assert (got["sender_actions"], got["sender_recent_actions"]) == (0.5, 0.5)
    assert (got["domain_actions"], got["domain_recent_actions"]) == (0, 0)
    assert got["owner_actions"] == pytest.approx(1, abs=1e-5)


# Flags and numbers


def test_the_last_action_and_the_field_are_told_apart(features):
    for index, action in enumerate(Action):
        got = features(last_sender_action=action)
        assert [got[f"last_was_{name}"] for name in ACTION_NAMES] == [float(i == index) for i in range(5)]
    for field in ("to", "cc", "bcc"):
        got = features(recipient_field=field, recipient_position=3)
        places = [got[name] for name in ("owner_in_to", "owner_in_cc", "owner_in_bcc", "owner_unlisted")]
        assert places == [field == "to", field == "cc", field == "bcc", 0]
        assert got["owner_position"] == pytest.approx(math.log(4))
    assert features(addressed_by_name=True)["owner_named"] == 1
    assert features(from_own_domain=True)["from_own_domain"] == 1


def test_mail_to_and_from_a_sender_counts_in_logarithms_and_shares(features):
    got = features(
        sent=15,
        sent_to_sender=3,
        sent_to_domain=7,
        received=35,
        received_from_sender=4,
        received_from_domain=20,
        received_in_series=1,
        sender_recipients=12,
    )
    logs = {"sent_to_sender": 4, "sent_to_domain": 8, "received_from_sender": 5}
    logs |= {"received_in_series": 2, "sender_recipients": 1 + 12 / 4}
    for name, value in logs.items():
        assert got[name] == pytest.approx(math.log(value)), name
    shares = {"sent_to_sender": 3 / 20, "received_from_sender": 4 / 40, "received_from_domain": 20 / 40}
    for name, value in shares.items():
        assert got[f"{name}_share"] == pytest.approx(value), name


def test_the_shares_answered_are_the_senders_smoothed_towards_the_owners(features):
    got = features(owner=[3, 4, 5, 6, 0], sender=[1, 1, 1, 0, 0], received=45, received_from_sender=8)
    assert got["owner_answered"] == pytest.approx(7.5 / 50)
    assert got["sender_answered"] == pytest.approx((2 + 2 * 7.5 / 50) / 10)
    assert got["sender_acted_on"] == pytest.approx((3 + 2 * 20.5 / 50) / 10)


@pytest.mark.parametrize(
    ("field", "column", "longest"),
    [
        ("since_sent_to_sender", "sent_to_sender_recency", 730 * DAY),
        ("since_received_from_sender", "received_from_sender_recency", 730 * DAY),
        ("since_conversation_sent", "conversation_sent_recency", 730 * DAY),
        ("since_conversation_received", "conversation_received_recency", 730 * DAY),
        ("since_sent", "sent_recency", 30 * DAY),
        ("response_to_sender", "response_to_sender", 30 * DAY),
        ("response", "response", 30 * DAY),
    ],
)
def test_a_recency_falls_from_1_at_once_to_0_long_ago_and_is_0_for_never(features, field, column, longest):
    assert features(**{field: 0})[column] == 1
    assert features(**{field: 3599})[column] == pytest.approx(1 - math.log(3600) / math.log(longest + 1), abs=1e-6)
    assert features(**{field: round(math.sqrt(longest + 1)) - 1})[column] == pytest.approx(0.5, abs=1e-4)
    assert features(**{field: longest})[column] == pytest.approx(0, abs=1e-6)
    assert features(**{field: 3 * longest})[column] == 0
    assert features()[column] == 0


def test_a_conversation_is_new_or_somebodys(features):
    for started, new, own in ((None, 1, 0), (False, 0, 0), (True, 0, 1)):
        got = features(conversation_started=started)
        assert (got["conversation_is_new"], got["conversation_started"]) == (new, own)
    got = features(conversation_sent=2, conversation_received=6)
    assert got["conversation_sent"] == pytest.approx(math.log(3))
    assert got["conversation_received"] == pytest.approx(math.log(7))


@pytest.mark.parametrize(
    ("since_sent", "since_received", "due"), [(None, None, 0), (None, 5, 0), (5, None, 1), (5, 6, 1), (6, 5, 0)]
)
def test_an_answer_is_due_where_the_owner_wrote_last(features, since_sent, since_received, due):
    got = features(since_conversation_sent=since_sent, since_conversation_received=since_received)
    assert got["conversation_answer_due"] == due


def test_the_latest_mail_counts_in_logarithms(features):
    fields = {"sent_last_hour": 1, "sent_last_day": 3, "received_last_hour": 5, "received_last_day": 7}
    got = features(**fields)
    for name, value in fields.items():
        assert got[name] == pytest.approx(math.log1p(value))


def test_the_hour_is_compared_with_an_even_day(features):
    assert features(sent=48, sent_this_hour=2)["sent_this_hour"] == 0
    assert features(sent=48, sent_this_hour=11)["sent_this_hour"] == pytest.approx(math.log(4))
    assert features(sent=48, sent_this_hour=0)["sent_this_hour"] == pytest.approx(-math.log(3))


# All of them


def test_no_column_grows_with_the_age_of_the_mailbox_alone(features):
    def aged(years):
        """An owner of even habits, who hears from a sender for the third time."""
        return features(
            owner=ActionCounts(counts=[100 * years * n for n in (1, 2, 1, 3, 3)], recent=[8, 16, 8, 24, 24]),
            sender=[1, 0, 0, 1, 0],
            sent=2400 * years,
            sent_this_hour=200 * years,
            received=5000 * years,
            received_from_sender=2,
            since_received_from_sender=DAY,
            since_sent=60,
            response=1800,
        )

    young, old, older = aged(1), aged(10), aged(1000)
    for name in COLUMNS:
        assert old[name] == pytest.approx(young[name], abs=0.02), name
        assert older[name] == pytest.approx(old[name], abs=0.005), name


def test_each_column_has_a_meaning_and_a_value(new_record):
    derived = transform(extract([new_record()] * 3), POPULATION)
    assert derived.shape == (3, len(COLUMNS))
    assert derived.dtype == np.float32
    assert np.isfinite(derived).all()
    assert all(COLUMNS.values())
