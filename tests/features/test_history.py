import math

import numpy as np
import pytest

from enron_triage.actions import ACTION_NAMES, Action
from enron_triage.errors import UsageError
from enron_triage.features.history import COLUMNS, RAW_COLUMNS, derive, extract
from enron_triage.records import Evidence, History, LabeledEmail

POPULATION = np.array([0.1, 0.2, 0.1, 0.4, 0.2], dtype=np.float32)


def message(history, scheme="received"):
    return LabeledEmail(
        path="owner-a/inbox/1.",
        user="owner-a",
        folder="inbox",
        labels=[],
        message_id="",
        date=None,
        timestamp=None,
        sender="jane@x.example",
        sender_name="",
        to=[],
        cc=[],
        bcc=[],
        subject="",
        raw_subject=None,
        body="",
        in_reply_to="",
        references=[],
        fingerprint="f",
        raw_sha256="s",
        action=None,
        response_seconds=None,
        evidence=Evidence(rule="", sent_path=None, folders=[]),
        history=history,
        scheme=scheme,
    )


def history(sender, domain, owner, sent=0, last=None):
    return History(
        sender_actions=sender, domain_actions=domain, owner_actions=owner, sent_to_sender=sent, last_sender_action=last
    )


def features(of):
    raw = extract([message(of)])
    return dict(zip(COLUMNS, derive(raw, POPULATION)[0].tolist(), strict=True))


def rates(values, scope):
    return [values[f"{scope}_{action}_rate"] for action in ACTION_NAMES]


def test_the_raw_counts_are_the_records():
    of = history([1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12, 13, 14, 15], 16, Action.ARCHIVE)
    raw = extract([message(of), message(history([0] * 5, [0] * 5, [0] * 5))])
    assert raw[0].tolist() == [*range(1, 17), 3]
    assert raw[1].tolist() == [0] * 16 + [-1]
    assert raw.shape == (2, len(RAW_COLUMNS))
    assert extract([]).shape == (0, len(RAW_COLUMNS))
    assert list(RAW_COLUMNS)[5] == "domain_reply_now_count"


def test_rates_are_smoothed_from_the_sender_to_the_domain_to_the_owner_to_the_population():
    got = features(history([2, 0, 0, 0, 0], [2, 0, 0, 1, 0], [2, 0, 0, 4, 4], 3, Action.REPLY_NOW))
    # five earlier actions that are distributed as the wider rate, by hand
    owner = [(2 + 0.5) / 15, 1 / 15, 0.5 / 15, (4 + 2) / 15, (4 + 1) / 15]
    domain = [(2 + 5 * owner[0]) / 8, 5 * owner[1] / 8, 5 * owner[2] / 8, (1 + 5 * owner[3]) / 8, 5 * owner[4] / 8]
    sender = [(2 + 5 * domain[0]) / 7, *(5 * rate / 7 for rate in domain[1:])]
    assert rates(got, "owner") == pytest.approx(owner)
    assert rates(got, "domain") == pytest.approx(domain)
    assert rates(got, "sender") == pytest.approx(sender)
    assert sum(rates(got, "sender")) == pytest.approx(1)
    assert got["sender_actions"] == pytest.approx(math.log(3))
    assert got["domain_actions"] == pytest.approx(math.log(4))
    assert got["owner_actions"] == pytest.approx(math.log(11))
    assert got["sent_to_sender"] == pytest.approx(math.log(4))
    assert [got[f"last_was_{action}"] for action in ACTION_NAMES] == [1, 0, 0, 0, 0]


def test_a_new_owner_is_an_average_one():
    got = features(history([0] * 5, [0] * 5, [0] * 5))
    for scope in ("sender", "domain", "owner"):
        assert rates(got, scope) == pytest.approx(POPULATION.tolist())
    others = [value for name, value in got.items() if not name.endswith("_rate")]
    assert others == [0] * 9


def test_each_column_has_a_meaning_and_a_value():
    derived = derive(extract([message(history([0] * 5, [0] * 5, [0] * 5))] * 3), POPULATION)
    assert derived.shape == (3, len(COLUMNS))
    assert derived.dtype == np.float32
    assert all(COLUMNS.values())


def test_the_history_is_refused_where_there_is_none():
    with pytest.raises(UsageError, match=r"owner-a/inbox/1\.: has no history \(scheme folder\); leave history out"):
        extract([message(None, "folder")])
