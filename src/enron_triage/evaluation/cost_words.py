"""What a policy's wrong decisions cost, in words, and which decision rule would cost less."""

from __future__ import annotations

import shlex

from enron_triage.config.keys import yaml_text
from enron_triage.config.training import EvaluateConfig
from enron_triage.evaluation.result import BayesBaseline, Evaluation, Interval

_BAYES_RULE = "expected_reward"
_SAME = 1e-9  # a difference of costs below this is rounding


def cost_paragraphs(evaluation: Evaluation) -> list[str]:
    """What the policy's decisions cost, which rule would cost least, and what refining earned.

    Parameters
    ----------
    evaluation : Evaluation
        What ``triage evaluate`` found.

    Returns
    -------
    list of str
        Paragraphs, each on one line.
    """
    costs = evaluation.source.costs
    wrong = [cost for row, line in enumerate(costs or ()) for column, cost in enumerate(line) if row != column]
    price = ""
    if wrong:
        most = f" to {max(wrong):g}" if max(wrong) > min(wrong) else ""
        price = f"By rewards.costs, a wrong decision costs {min(wrong):g}{most}. "
    return [
        f"{price}As the policy decides, mistakes cost {_cost(evaluation.mean_reward)} a message on average (the mean "
        "reward is minus this).",
        *_cheapest_rule(evaluation),
        *_refined(evaluation),
    ]


def cheaper_rule(evaluation: Evaluation) -> tuple[str, float] | None:
    """The decision rule that would have cost least on the same probabilities.

    Parameters
    ----------
    evaluation : Evaluation
        What ``triage evaluate`` found.

    Returns
    -------
    (str, float) or None
        The rule, and by how much a message it costs less; None if the policy's own costs least.
    """
    rule = max(evaluation.decisions, key=lambda name: evaluation.decisions[name].mean_reward, default=None)
    if rule is None:
        return None
    saved = evaluation.decisions[rule].mean_reward - evaluation.mean_reward
    return (rule, saved) if saved > _SAME else None


def cheaper_command(evaluation: Evaluation) -> str:
    """The command that evaluates the same policy on the same records by the rule that costs least.

    Parameters
    ----------
    evaluation : Evaluation
        What ``triage evaluate`` found.

    Returns
    -------
    str
        What it is for, and the command in backquotes; empty if the policy's own rule costs least.
    """
    cheaper = cheaper_rule(evaluation)
    if cheaper is None:
        return ""
    defaults, run = EvaluateConfig(), evaluation.source.run
    name = f"{run}/{evaluation.checkpoint}" if run else evaluation.checkpoint
    if evaluation.source.members:
        name = yaml_text(evaluation.source.members)
    options = [f"evaluate.checkpoint={name}"] if name != defaults.checkpoint else []
    options += [f"evaluate.split={evaluation.split}"] if evaluation.split != defaults.split else []
    options += [f"decision.rule={cheaper[0]}"]
    command = " ".join(["triage evaluate", *(f"--set {shlex.quote(option)}" for option in options)])
    return f"to decide by the rule {cheaper[0]}: `{command}`"


def refined_from(evaluation: Evaluation) -> BayesBaseline | None:
    """The comparison of a refined policy with what it was refined from.

    Parameters
    ----------
    evaluation : Evaluation
        What ``triage evaluate`` found.

    Returns
    -------
    BayesBaseline or None
        None for a policy of SFT itself, whose simple alternative is one of its own decision rules, and where the
        SFT policy is not known.
    """
    return evaluation.bayes_baseline if evaluation.stage != "sft" else None


def gain_words(gain: float, interval: Interval | None, than: str = "") -> str:
    """Whether a difference of mean rewards is more than chance.

    Parameters
    ----------
    gain : float
        The one policy's mean reward less the other's.
    interval : [low, high] or None
        Its 95% interval over mailboxes.
    than : str
        What the other one is, if that has to be said.

    Returns
    -------
    str
        Such as ``costs 0.0833 less (95% interval -0.0200 to 0.1000: not told apart)``.
    """
    words = f"costs {abs(gain):.4f} {'less' if gain > 0 else 'more'}" if abs(gain) > _SAME else "costs the same"
    words += f" {'than' if abs(gain) > _SAME else 'as'} {than}" if than else ""
    if interval is None:
        return f"{words} (no interval: fewer than 10 mailboxes)"
    low, high = interval if gain > 0 else (0.0 - interval[1], 0.0 - interval[0])  # and never -0.0000
    told = ": not told apart" if low <= 0 <= high else ""
    return f"{words} (95% interval {low:.4f} to {high:.4f}{told})"


def _cheapest_rule(evaluation: Evaluation) -> list[str]:
    cheaper = cheaper_rule(evaluation)
    if cheaper is None:
        return [f"No other rule on these probabilities costs less than its own, {evaluation.decision_rule}."]
    rule, saved = cheaper
    baseline = evaluation.bayes_baseline
    known = rule == _BAYES_RULE and evaluation.stage == "sft" and baseline is not None
    interval = [-bound for bound in reversed(baseline.interval)] if known and baseline and baseline.interval else None
    words = gain_words(saved, interval) if known else f"costs {saved:.4f} less"
    return [f"On the same probabilities, the decision rule {rule} {words}."]


def _refined(evaluation: Evaluation) -> list[str]:
    baseline = refined_from(evaluation)
    if baseline is None:
        return []
    return [
        f"Was refining worth it? The simple alternative is {baseline.checkpoint}, from which it was refined, with the "
        f"decision rule {_BAYES_RULE}: {_cost(baseline.mean_reward)} a message. Compared with it, this policy "
        f"{gain_words(baseline.gain, baseline.interval)}."
    ]


def _cost(mean_reward: float) -> str:
    return f"{-mean_reward + 0.0:.4f}"  # and never -0.0000
