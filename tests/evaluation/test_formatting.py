import pytest

from enron_triage.evaluation.formatting import evaluation_table
from enron_triage.records import ACTION_NAMES


@pytest.fixture
def lines_of(new_evaluation):
    return lambda **changes: evaluation_table(new_evaluation(**changes)).split("\n")


def row(lines, name):
    return next(line.split() for line in lines if line.startswith(f"{name} "))


def test_the_table_says_what_was_evaluated(lines_of):
    assert lines_of()[0] == "best_sft on test (scheme received): 12,345 messages, 19 mailboxes, decided by argmax"


def test_the_table_has_the_policy_and_its_baselines(lines_of):
    lines = lines_of()
    f1 = (1 + 0 + 2 / 3 + 2 / 3) / 4
    assert row(lines, "policy") == ["policy", "0.6667", "0.6250", f"{f1:.4f}", "-0.3333"]
    (other,) = (line.split() for line in lines if line.startswith("  by "))
    assert other[:3] == ["by", "prior", "1.0000"]
    assert row(lines, "majority") == ["majority", "0.3333", "0.2500", "0.1250", "-0.6667"]


def test_the_table_has_a_row_for_each_action_and_a_dash_for_what_is_undefined(lines_of):
    lines = lines_of()
    assert row(lines, "archive") == ["archive", "0.5000", "1.0000", "0.6667", "0.7500", "2", "66.7%"]
    assert row(lines, "forward") == ["forward", "-", "-", "-", "-", "0", "0.0%"]
    widths = {len(line) for line in lines if line.split()[:1] and line.split()[0] in ACTION_NAMES}
    assert len(widths) == 1  # the columns stand in line


def test_the_table_has_the_reply_and_the_calibration_lines(lines_of):
    text = "\n".join(lines_of())
    assert "needs a reply: AUC 0.8125, average precision -, AUC among all received 0.7000" in text
    assert "calibration error 0.0500 (of the plain logits 0.1000; temperature 1.23)" in text
    assert "after 1-49 earlier actions: 12 messages, accuracy 0.5000, macro-F1 0.2500, reply AUC -" in text
    assert "after 0 earlier actions" not in text
    assert "accuracy: 95% interval over mailboxes 0.5000 to 0.7500" in text
    assert "reply_auc: 95%" not in text


def test_a_collapse_is_named_beside_the_policy_only(lines_of, new_evaluation):
    assert row(lines_of(collapsed=True), "policy")[-1] == "collapsed"
    lines = lines_of()
    assert new_evaluation().baselines["majority"].collapsed
    assert "collapsed" not in "\n".join(lines)


def test_the_leak_is_named_under_the_folder_scheme_only(lines_of):
    assert "labels of scheme folder leak" in lines_of(scheme="folder")[-1]
    assert "leak" not in "\n".join(lines_of())


def test_a_policy_that_is_no_better_than_the_simple_alternative_is_reported_so(lines_of, new_bayes_baseline):
    worse = new_bayes_baseline(mean_reward=-0.25, gain=-0.0833, beats_baseline=False)
    text = "\n".join(lines_of(bayes_baseline=worse))
    assert "mean reward -0.3333; the calibrated probabilities of best_sft with the action of highest" in text
    assert "so the policy is NOT better than the simple alternative (by -0.0833)" in text
    better = new_bayes_baseline(gain=0.01, interval=[-0.01, 0.02], beats_baseline=True)
    text = "\n".join(lines_of(bayes_baseline=better))
    assert "the policy is better than" in text
    assert "by +0.0100, 95% interval over mailboxes -0.0100 to +0.0200)" in text
    assert "alternative" not in "\n".join(lines_of())
