"""The files of judgements that the configuration names."""

from __future__ import annotations

from pathlib import Path

from enron_triage.config.schema import Config
from enron_triage.config.training import PairsConfig

JUDGEMENTS = "judgements"  # in place of a path: what `triage annotate` writes


def judgement_file(config: Config) -> Path:
    """The file that ``triage annotate`` writes unless it is given another.

    Parameters
    ----------
    config : Config
        The whole configuration.
    """
    return config.data / "judgements.jsonl"


def preference_file(config: Config, section: PairsConfig) -> Path | None:
    """The file of judged pairs that a stage trains on.

    Parameters
    ----------
    config : Config
        The whole configuration.
    section : PairsConfig
        The section of a stage that trains on preference pairs.

    Returns
    -------
    Path or None
        None if the pairs are made from the labels.
    """
    if section.preferences in ("labels", "synthetic"):
        return None
    return judgement_file(config) if section.preferences == JUDGEMENTS else Path(section.preferences)


def evaluated_judgements(config: Config) -> Path | None:
    """The file of judgements that ``evaluate.judgements`` names.

    Parameters
    ----------
    config : Config
        The whole configuration.

    Returns
    -------
    Path or None
        None if it names none.
    """
    named = config.evaluate.judgements
    if not named:
        return None
    return judgement_file(config) if named == JUDGEMENTS else Path(named)
