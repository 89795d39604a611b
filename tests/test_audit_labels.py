"""The audit of labels: a sample of known probabilities, what a reader sees, and the error rates."""

import importlib
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from builders import new_email, new_record, write_records
from scipy.stats import binomtest

from enron_triage.errors import UsageError
from enron_triage.records import Action, Evidence
from enron_triage.runtime import artifacts

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
sys.path.insert(0, str(SCRIPTS))  # as for a script that is run
rates_of = importlib.import_module("error_rates")
audit = importlib.import_module("audit_labels")

SIZES = [400, 100, 30, 5, 1]
MAILBOX = np.repeat(np.arange(len(SIZES)), SIZES)
ARRIVAL = 989888400


# The sample


def test_a_message_is_drawn_the_more_probably_the_smaller_its_mailbox():
    probability = rates_of.inclusion_probabilities(MAILBOX, 40)
    first = probability[np.unique(MAILBOX, return_index=True)[1]]
    assert probability.sum() == pytest.approx(40)
    assert first[:4] / first[0] == pytest.approx(np.sqrt(400 / np.array(SIZES[:4])))
    assert (probability <= 1).all()
    assert (rates_of.inclusion_probabilities(MAILBOX, 999) == 1).all()


def test_what_would_be_drawn_more_than_once_is_drawn_for_sure():
    probability = rates_of.inclusion_probabilities(np.array([0] * 900 + [1]), 40)
    assert probability[-1] == 1
    assert probability[:-1] == pytest.approx(39 / 900)


def test_messages_are_drawn_as_often_as_their_probabilities_say():
    probability, rng = rates_of.inclusion_probabilities(MAILBOX, 40), np.random.default_rng(0)
    drawn = [rates_of.draw(MAILBOX, probability, rng) for _ in range(600)]
    assert {len(sample) for sample in drawn} == {40}
    assert all(len(set(sample)) == len(sample) for sample in drawn)
    share = np.bincount(np.concatenate(drawn), minlength=len(MAILBOX)) / 600
    assert np.abs(share - probability).max() < 5 * np.sqrt(0.25 / 600)
    in_first = [(MAILBOX[sample] == 0).sum() for sample in drawn]
    expected = probability[MAILBOX == 0].sum()
    assert {int(np.floor(expected)), int(np.ceil(expected))} >= set(in_first)


# The error rates


def test_the_error_rate_is_that_of_all_messages_whatever_was_drawn():
    rate, low, high = rates_of.error_rate(np.array([0.1, 0.1, 0.5, 0.5]), [True, False, False, False])
    assert rate == pytest.approx(10 / 24)
    assert 0 < low < rate < high < 1
    assert rates_of.error_rate(np.array([]), []) is None


@pytest.mark.parametrize("errors", [0, 1, 7, 60])
def test_with_equal_probabilities_the_interval_is_that_of_clopper_and_pearson(errors):
    rate, low, high = rates_of.error_rate(np.full(60, 0.2), [n < errors for n in range(60)])
    exact = binomtest(errors, 60).proportion_ci(method="exact")
    assert rate == errors / 60
    if errors in {0, 60}:
        assert (low, high) == pytest.approx((exact.low, exact.high))
    else:  # the variance of a sample is divided by the number less one: a little wider
        assert low <= exact.low < rate < exact.high <= high
        assert (high - low) == pytest.approx(exact.high - exact.low, rel=0.03)


def test_the_interval_covers_the_rate_of_all_messages():
    rng = np.random.default_rng(1)
    mailbox = np.repeat(np.arange(40), rng.geometric(0.01, 40))
    wrong = rng.random(len(mailbox)) < rng.beta(0.5, 9, 40)[mailbox]  # mailboxes differ much
    probability = rates_of.inclusion_probabilities(mailbox, 60)
    covered = 0
    for _ in range(400):
        sample = rates_of.draw(mailbox, probability, rng)
        _, low, high = rates_of.error_rate(probability[sample], wrong[sample])
        covered += low <= wrong.mean() <= high
    assert covered / 400 >= 0.93


# The judgements


def labelled(path, **fields):
    return new_record(path=path, fingerprint=path, user=path.partition("/")[0], **fields)


@pytest.fixture
def data(tmp_path):
    """A mailbox with an answered, a deleted and a filed message, and an answer that was not linked."""
    answer = new_email(
        path="owner-a/sent/1.",
        folder="sent",
        fingerprint="answer",
        sender="owner@x.example",
        to=["jane@x.example"],
        subject="Re: gas",
        body="Yes.",
        timestamp=ARRIVAL + 7200,
    )
    late = msgspec.structs.replace(answer, path="owner-a/sent/2.", fingerprint="late", body="Once more.")
    messages = [
        new_email(
            path=f"owner-a/inbox/{n}.", fingerprint=f"owner-a/inbox/{n}.", subject="gas", body=f"\x1b[31mText {n}"
        )
        for n in range(3)
    ]
    evidence = Evidence(rule="reply:quoted_header", sent_path=answer.path, folders=["inbox"])
    records = [
        labelled("owner-a/inbox/0.", action=Action.REPLY_LATER, response_seconds=7200, evidence=evidence),
        labelled("owner-a/inbox/1.", action=Action.DELETE),
        labelled("owner-a/inbox/2.", action=Action.ARCHIVE),
    ]
    write_records(tmp_path / "emails.json", [*messages, answer, late])
    write_records(tmp_path / "emails_labeled.json", records)
    write_records(tmp_path / "emails_unacted.json", [])
    return tmp_path


def drawn(data, per_action=5):
    return audit.sample(data / "emails_labeled.json", per_action, seed=0)


def test_the_sample_holds_references_and_no_text(data):
    path = data / "audit.jsonl"
    audit.write(path, drawn(data))
    assert {(j.path, j.action) for j in audit.read(path)} == {
        ("owner-a/inbox/0.", "reply_later"),
        ("owner-a/inbox/1.", "delete"),
        ("owner-a/inbox/2.", "archive"),
    }
    assert b"Text" not in path.read_bytes()
    assert b"gas" not in path.read_bytes()
    assert audit.sample(data / "emails_labeled.json", 5, seed=0) == drawn(data)


def test_a_reader_sees_the_message_its_answer_and_what_else_may_answer_it(data):
    reader = audit.Reader(data, drawn(data))
    shown = {j.action: reader.show(j) for j in drawn(data)}
    assert "Text 0" in shown["reply_later"]
    assert "-- counts as its answer:" in shown["reply_later"]
    assert "| Yes." in shown["reply_later"]
    assert "after 2.0 hours" in shown["reply_later"]
    assert "counts as its answer" not in shown["delete"]
    assert "\x1b" not in "".join(shown.values())  # mail does not command the terminal


def test_other_mail_of_the_owner_is_shown_where_the_owner_is_known(data):
    owners = {"owner-a": {"addresses": ["owner@x.example"]}}
    assert audit.owners({"owners": owners}, "owner-a") == {"owner@x.example"}
    assert audit.owners({}, "owner-a") == frozenset()
    rows = list(artifacts.read_records(data / "emails_labeled.json", audit.Labelled))
    emails = list(artifacts.read_records(data / "emails.json", type(new_email())))
    shown = audit.MailboxEvidence(emails, rows, frozenset({"owner@x.example"})).show(rows[1])
    assert "-- other mail of the owner that may answer it:" in shown
    assert "answers owner-a/inbox/0." in shown
    assert "Once more." in shown


def test_each_verdict_is_stored_at_once(data, monkeypatch, capsys):
    path = data / "audit.jsonl"
    audit.write(path, drawn(data))
    answers = iter(["x", "w", "now", "archive", "moved", "r", "", "q"])
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    audit.judge(path, data)
    first, second, third = audit.read(path)
    assert (first.verdict, first.right_action, first.note) == ("wrong", "archive", "moved")
    assert (second.verdict, second.right_action, third.verdict) == ("right", None, None)
    assert "3 of 3" in capsys.readouterr().out


def judged(action, verdict, right_action=None, probability=0.5, path="m"):
    return audit.Judgement(
        user="a",
        path=path,
        fingerprint=path,
        action=action,
        rule="",
        probability=probability,
        verdict=verdict,
        right_action=right_action,
    )


def test_rates_leave_out_what_is_unclear_and_say_what_wrong_labels_should_be():
    judgements = [judged("delete", "right")] * 6 + [judged("delete", "wrong", "archive")] * 2
    judgements += [judged("delete", "unclear")] * 2 + [judged("archive", None)]
    figures = audit.rates(judgements)
    row = figures["delete"]
    assert (row["judged"], row["right"], row["wrong"], row["unclear"]) == (10, 6, 2, 2)
    assert row["error_rate"] == pytest.approx(0.25)
    assert row["unclear_as_errors"] == pytest.approx(0.4)
    assert row["wrong_as"] == {"archive": 2}
    assert figures["archive"]["error_rate"] is None
    assert figures["all"]["judged"] == 10
    assert "| delete | 10 | 6 | 2 | 2 | 25.0% |" in "\n".join(audit.table(figures))


def test_judgements_hold_for_labels_that_were_made_again():
    judgements = [
        judged("reply_now", "wrong", "reply_later", path="mended"),
        judged("reply_now", "wrong", "reply_later", path="still wrong"),
        judged("reply_now", "right", path="spoilt"),
        judged("reply_now", "wrong", path="changed, nobody knows to what"),
        judged("reply_now", "right", path="gone"),
    ]
    actions = ["reply_later", "reply_now", "archive", "delete"]
    labels = {("a", j.fingerprint): action for j, action in zip(judgements, actions, strict=False)}
    row = audit.rates(judgements, labels)["reply_now"]
    assert (row["right"], row["wrong"], row["unclear"]) == (1, 2, 2)


@pytest.mark.parametrize("line", ['{"user": "a"}', "[", '{"verdict": "maybe"}'])
def test_a_damaged_line_is_named(tmp_path, line):
    path = tmp_path / "audit.jsonl"
    path.write_text(f"\n{line}\n")
    with pytest.raises(UsageError, match="line 2"):
        audit.read(path)
    with pytest.raises(UsageError, match="command sample"):
        audit.read(tmp_path / "missing.jsonl")


def test_the_commands_work_together_and_overwrite_no_judgements(data, monkeypatch, capsys):
    path = str(data / "audit.jsonl")
    command = ["audit_labels.py", "sample", path, "--data-dir", str(data)]
    monkeypatch.setattr(sys, "argv", command)
    audit.main()
    with pytest.raises(SystemExit) as stopped:
        audit.main()
    assert stopped.value.code == 2
    assert "may hold judgements" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["audit_labels.py", "show", path, "--data-dir", str(data), "--last", "1"])
    audit.main()
    assert "===== 1 of 3" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["audit_labels.py", "rates", path, "--data-dir", str(data)])
    audit.main()
    assert "| all | 0 |" in capsys.readouterr().out
