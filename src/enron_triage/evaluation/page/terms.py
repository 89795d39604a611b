"""Definitions of the terms in the report, shown where the terms are used."""

from __future__ import annotations

from collections.abc import Iterable

_TERMS = {
    "F1": "the harmonic mean of precision (how much of what was predicted is right) and recall (how much of what the "
    "owner did was predicted); 1 is perfect.",
    "macro-F1": "the mean F1 of the actions that occur, each counting the same however rare it is.",
    "accuracy": "the share of messages for which the predicted action is the one that the owner took.",
    "balanced accuracy": "the mean recall of the actions that occur, each counting the same however rare it is.",
    "mean reward": "minus the mean cost of a decision, by rewards.costs of the configuration; 0 is best.",
    "cost": "what a decision costs on average, by rewards.costs of the configuration; a right decision costs nothing.",
    "reply AUC": "how often a message that was answered has a higher probability of an answer than one that was not; "
    "0.5 is chance.",
    "reply AUC among all received": "the same, with the messages on which the owner did nothing counted as not "
    "answered.",
    "reply average precision": "the mean precision over the messages that were answered, the likeliest first.",
    "calibration error": "by how much the probability of the predicted action misses the share that is right "
    "(expected calibration error, 15 bins); 0 is best.",
    "calibration error of the plain logits": "the same before calibration.",
    "interval": "95% interval for other mailboxes like these, by the jackknife over mailboxes.",
    "not told apart": "the interval of the difference, both policies on the same resampled mailboxes, includes 0.",
    "baseline": "what needs no learning: majority always takes the commonest action, prior draws actions by their "
    "shares in training, untrained is the network before training; subject_rule, for labels by folder, goes by sender "
    "and subject.",
    "alternative": "the simple alternative: the probabilities of SFT, and for each message the action of least "
    "expected cost.",
    "collapsed": "one action takes over 95% of the decisions, but under 90% of the labels.",
    "confidence": "the probability of the predicted action, after calibration.",
    "KL": "how far the policy has moved from the one that it began with (Kullback-Leibler divergence, nats).",
    "entropy": "how undecided the policy is on average (nats).",
    "best epoch": "the one that is kept, chosen on validation.",
}


def terms(*names: str) -> dict[str, str]:
    """The meaning of terms.

    Parameters
    ----------
    names : str
        The terms, in the order to show them in; one without an entry is left out.
    """
    return {name: _TERMS[name] for name in dict.fromkeys(names) if name in _TERMS}


def terms_of(labels: Iterable[str]) -> dict[str, str]:
    """The meaning of the metrics of a table, with what is needed to read its intervals.

    Parameters
    ----------
    labels : iterable of str
        The names of the metrics for people.
    """
    return terms(*labels, "interval", "not told apart")
