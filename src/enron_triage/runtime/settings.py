"""Comparing the settings that an artifact was made with and the current ones."""

from __future__ import annotations

from typing import Any

from enron_triage.config.nested import flatten

# Settings that earlier metadata record under another name.
_RENAMED = {
    "scheme": "label.scheme",
    "link_window": "label.link_window",
    "costs": "rewards.costs",
    "rule": "decision.rule",
}

# More epochs extend a run; all of these are of training stages.
_EXTENDED_BY = ("sft.epochs", "reward_model.epochs", "dpo.epochs", "grpo.epochs")


def changed_settings(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Compare two sets of settings.

    Parameters
    ----------
    before, now : dict
        The earlier and the present settings, as nested plain values.

    Returns
    -------
    list of str
        The dotted path of each setting that differs, with both values; a setting that is missing counts as None.

    Examples
    --------
    >>> changed_settings({"sft": {"epochs": 8, "seed": 1}}, {"sft": {"epochs": 3, "seed": 1}})
    ['sft.epochs was 8, is 3']
    """
    flat_before = {_RENAMED.get(key, key): value for key, value in flatten(before).items()}
    flat_now = flatten(now)
    keys = dict.fromkeys([*flat_before, *flat_now])
    return [
        f"{key} was {flat_before.get(key)!r}, is {flat_now.get(key)!r}"
        for key in keys
        if flat_before.get(key) != flat_now.get(key)
    ]


def replaced_settings(before: dict[str, Any], now: dict[str, Any], *, can_extend: bool = True) -> list[str]:
    """What makes a policy another one than that which is there.

    Parameters
    ----------
    before, now : dict
        The settings by which the policy was trained, and the present ones, as nested plain values.
    can_extend : bool
        Whether the run's epochs are there to go on from; without them, more epochs train another policy.

    Returns
    -------
    list of str
        As `changed_settings`, without what does not make another policy: the device, more epochs (which extend the
        run), and settings that an older program did not have.

    Examples
    --------
    >>> replaced_settings({"sft": {"epochs": 8, "seed": 1}}, {"sft": {"epochs": 9, "seed": 2}})
    ['sft.seed was 1, is 2']
    """
    flat_before, flat_now = flatten(before), flatten(now)
    kept = {
        key: value
        for key, value in flat_now.items()
        if key != "device" and not (can_extend and key in _EXTENDED_BY and value > flat_before.get(key, value))
    }
    known = {_RENAMED.get(key, key): value for key, value in flat_before.items()}
    return changed_settings(
        {key: value for key, value in known.items() if key in kept},
        {key: value for key, value in kept.items() if key in known},
    )
