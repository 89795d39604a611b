import shlex

import msgspec
import numpy as np
import pytest

from enron_triage.evaluation.cost_words import cheaper_command
from enron_triage.evaluation.formatting import evaluation_table
from enron_triage.evaluation.score import decision_metrics
from enron_triage.records import ACTION_NAMES

COSTS = tuple(tuple(float(row != column) for column in range(5)) for row in range(5))


@pytest.fixture
def lines_of(new_evaluation):
    return lambda **changes: evaluation_table(new_evaluation(**changes)).split("\n")


def row(lines, name):
    return next(line.split() for line in lines if line.startswith(f"{name} "))


def test_the_table_says_what_was_evaluated(lines_of):
    assert lines_of()[:2] == [
        "best_sft on test: 12,345 messages in 19 mailboxes",
        "labels by the scheme received, decisions by the rule argmax",
    ]


def test_the_table_has_the_policy_and_its_baselines(lines_of):
    lines = lines_of()
    f1 = (1 + 0 + 2 / 3 + 2 / 3) / 4
    assert row(lines, "policy") == ["policy", "0.6667", "0.6250", f"{f1:.4f}", "-0.3333"]
    assert row(lines, "  prior")[:2] == ["prior", "1.0000"]
    assert row(lines, "  majority") == ["majority", "0.3333", "0.2500", "0.1250", "-0.6667"]


def test_the_table_has_a_row_for_each_action_and_a_dash_for_what_is_undefined(lines_of):
    lines = lines_of()
    assert row(lines, "archive") == ["archive", "0.5000", "1.0000", "0.6667", "0.7500", "2", "66.7%"]
    assert row(lines, "forward") == ["forward", "-", "-", "-", "-", "0", "0.0%"]
    widths = {len(line) for line in lines if line.split()[:1] and line.split()[0] in ACTION_NAMES}
    assert len(widths) == 1  # the columns stand in line


def test_the_table_has_the_reply_and_the_calibration_lines(lines_of):
    text = "\n".join(lines_of())
    assert "needs a reply: AUC 0.8125\n  average precision -; AUC among all received messages 0.7000" in text
    assert "calibration error 0.0500 (of the plain logits 0.1000; temperature 1.23)" in text
    assert row(text.split("\n"), "1-49") == ["1-49", "12", "0.5000", "0.2500", "-"]
    assert not any(line.startswith("0 ") for line in text.split("\n"))
    assert "AUC 0.8125 (95% interval 0.7000 to 0.9000)" in "\n".join(lines_of(intervals={"reply_auc": [0.7, 0.9]}))


def test_the_intervals_stand_below_the_policys_figures(lines_of):
    lines = lines_of()
    at = next(index for index, line in enumerate(lines) if line.startswith("policy "))
    assert lines[at + 1].split() == ["95%", "interval,", "low", "0.5000", "-", "-", "-"]
    assert lines[at + 2].split() == ["95%", "interval,", "high", "0.7500", "-", "-", "-"]
    assert "95%" not in "\n".join(lines_of(intervals={"accuracy": None}))


def test_what_it_is_comes_first_then_the_policy_beside_baselines_then_actions(lines_of):
    text = " ".join(" ".join(lines_of(notes=["only 7 messages"])).split())
    order = ["on test", "Note: only 7 messages", "policy ", "majority", "archive ", "mistakes cost", "needs a reply"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_no_line_is_wider_than_80_columns(lines_of, new_bayes_baseline, new_evaluation):
    source = new_evaluation().source
    lines = lines_of(
        source=msgspec.structs.replace(source, run="a_run_with_a_longer_name"),
        notes=[
            "only 3 mailboxes (under 10): no intervals, and results for other people may be quite different",
            "x " * 100,
        ],
        scheme="folder",
        collapsed=True,
        intervals={
            name: [-0.1, 0.9] for name in ("accuracy", "balanced_accuracy", "macro_f1", "mean_reward", "reply_auc")
        },
        bayes_baseline=new_bayes_baseline(interval=[-0.1, 0.2]),
        stage="grpo",
        split="val",
    )
    assert max(map(len, lines)) <= 80


def test_a_collapse_is_named_beside_the_policy_only(lines_of, new_evaluation):
    assert row(lines_of(collapsed=True), "policy")[-1] == "collapsed"
    lines = lines_of()
    assert new_evaluation().baselines["majority"].collapsed
    assert "collapsed" not in "\n".join(lines)


def test_the_leak_is_named_under_the_folder_scheme_only(lines_of):
    assert "The labels of scheme folder leak" in "\n".join(lines_of(scheme="folder"))
    assert "leak" not in "\n".join(lines_of())


def costs_of(lines):
    """The paragraph about costs, its lines joined."""
    text = "\n".join(lines)
    start = text.index("By rewards.costs")
    return " ".join(text[start : text.index("\n\n", start)].split())


def test_the_cost_is_given_in_words_with_the_cheapest_rule_and_its_command(lines_of):
    text = costs_of(lines_of())
    assert "a wrong decision costs 1. As the policy decides, mistakes cost 0.3333 a message on average" in text
    assert text.endswith("the decision rule prior costs 0.3333 less.")
    assert "NOT" not in text


def test_the_command_names_what_was_evaluated(new_evaluation):
    source = msgspec.structs.replace(new_evaluation().source, run="a")
    text = cheaper_command(new_evaluation(source=source, split="my mail.json", checkpoint="best_dpo"))
    words, command, end = text.split("`")
    assert (words, end) == ("to decide by the rule prior: ", "")
    assert shlex.split(command) == [
        *("triage", "evaluate", "--set", "evaluate.checkpoint=a/best_dpo", "--set", "evaluate.split=my mail.json"),
        *("--set", "decision.rule=prior"),
    ]


def test_the_command_names_every_policy_of_an_ensemble(new_evaluation):
    source = msgspec.structs.replace(new_evaluation().source, members=["a/best_sft", "b/best_sft"])
    text = cheaper_command(new_evaluation(source=source, checkpoint="ensemble-01234567"))
    assert "--set 'evaluate.checkpoint=[a/best_sft, b/best_sft]'" in text


def test_a_policy_that_decides_by_the_cheapest_rule_is_told_so(lines_of, new_evaluation):
    own = {"argmax": new_evaluation().decisions["argmax"]}
    text = costs_of(lines_of(decisions=own))
    assert text.endswith("No other rule on these probabilities costs less than its own, argmax.")
    assert cheaper_command(new_evaluation(decisions=own)) == ""


def test_the_gain_of_the_bayes_rule_has_the_interval_that_the_evaluation_holds(lines_of, new_bayes_baseline):
    decisions = decision_metrics(np.array([0, 1]), np.array([0, 1]), COSTS)
    baseline = new_bayes_baseline(mean_reward=0.0, gain=-0.3333, interval=[-0.4, 0.1], beats_baseline=False)
    text = costs_of(lines_of(decisions={"expected_reward": decisions}, bayes_baseline=baseline))
    assert "rule expected_reward costs 0.3333 less (95% interval -0.1000 to 0.4000: not told apart)" in text


@pytest.mark.parametrize(
    ("gain", "interval", "words"),
    [
        (0.01, [-0.01, 0.02], "costs 0.0100 less (95% interval -0.0100 to 0.0200: not told apart)."),
        (0.01, [0.005, 0.02], "costs 0.0100 less (95% interval 0.0050 to 0.0200)."),
        (-0.0833, [-0.1, -0.05], "costs 0.0833 more (95% interval 0.0500 to 0.1000)."),
        (-0.0833, None, "costs 0.0833 more (no interval: fewer than 10 mailboxes)."),
        (0.0, [0.0, 0.0], "costs the same (95% interval 0.0000 to 0.0000: not told apart)."),
    ],
)
def test_a_refined_policy_is_told_whether_refining_earned_anything(lines_of, new_bayes_baseline, gain, interval, words):
    baseline = new_bayes_baseline(mean_reward=-0.25, gain=gain, interval=interval)
    text = costs_of(lines_of(bayes_baseline=baseline, stage="grpo"))
    assert "The simple alternative is best_sft, from which it was refined, with the decision rule" in text
    assert text.endswith(f"expected_reward: 0.2500 a message. Compared with it, this policy {words}")
    assert "refin" not in costs_of(lines_of(bayes_baseline=baseline, stage="sft"))
