"""The settings in which the policies on one set of records differ."""

from __future__ import annotations

from typing import Any

import msgspec

from enron_triage.config.nested import flatten
from enron_triage.evaluation.record_sets import RecordSet
from enron_triage.evaluation.result import Evaluation

_EVALUATION = "evaluate: "


def differing_settings(records: RecordSet) -> dict[str, dict[str, Any]]:
    """The settings that differ, of training and of the evaluation.

    A setting that only some policies have, as those of a stage, counts only if it differs among these.

    Parameters
    ----------
    records : RecordSet
        The evaluations.

    Returns
    -------
    dict of str to dict of str to Any
        The values of each setting by policy; a policy that lacks the setting is missing. The keys are dotted;
        those of the evaluation begin with ``evaluate: ``.
    """
    values: dict[str, dict[str, Any]] = {}
    for name, evaluation in records.policies.items():
        for key, value in _settings_of(evaluation).items():
            values.setdefault(key, {})[name] = value
    return {key: by_policy for key, by_policy in values.items() if len(set(map(in_words, by_policy.values()))) > 1}


def in_words(value: Any) -> str:
    """A setting's value as one would write it in the configuration.

    Parameters
    ----------
    value : Any
        A plain value.
    """
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _settings_of(evaluation: Evaluation) -> dict[str, Any]:
    source = evaluation.source
    settings = {"stage": evaluation.stage, "decision rule": evaluation.decision_rule}
    settings |= flatten(source.training) | flatten(source.settings, _EVALUATION)
    settings.pop(f"{_EVALUATION}decision.rule", None)  # null where the policy's own rule decided
    return settings
