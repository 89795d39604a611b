"""The report as one HTML page: the main result first, then a ranking, charts, and collapsed details.

`lead`, `tables`, `pictures` and `making` say what it holds; the templates beside them say how it looks. It refers to no
other file and runs no script.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enron_triage.evaluation.judged_words import JUDGED_READING, judged_notes, judged_sentence
from enron_triage.evaluation.page import pictures, tables
from enron_triage.evaluation.page.lead import lead_of, set_name, source_of
from enron_triage.evaluation.page.making import making_of
from enron_triage.evaluation.page.terms import terms, terms_of
from enron_triage.evaluation.page.training_pictures import training_picture
from enron_triage.evaluation.ranking import METRICS, Ranking
from enron_triage.evaluation.ranking_words import rule_notes, several_sets
from enron_triage.evaluation.reading import LEAKING, EvaluatedCheckpoint, TrainingHistory, training_of
from enron_triage.labels.schemes import SCHEMES
from enron_triage.records import ACTION_NAMES

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"
_BESIDE = ("accuracy", "macro_f1", "reply_auc")  # the metrics of the first table, besides the one that ranks


def html_page(
    rankings: Sequence[Ranking],
    histories: Mapping[str, TrainingHistory],
    checkpoints: Sequence[EvaluatedCheckpoint],
    command: str,
) -> str:
    """The page; the same content gives the same text.

    Parameters
    ----------
    rankings : sequence of Ranking
        One for each set of records, in the order to show them in.
    histories : mapping of str to TrainingHistory
        Each training stage, for its learning curves.
    checkpoints : sequence of EvaluatedCheckpoint
        The policies with their evaluations, for how they were made.
    command : str
        The command that makes the report; empty where the package is used as a library.

    Returns
    -------
    str
        HTML that refers to no other file.
    """
    best = rankings[0].policies[0].name if rankings else ""
    first = next((training_of(each) for each in checkpoints if each.name == best), "")
    drawn = {name: training_picture(name, history) for name, history in histories.items()}
    return (
        _environment()
        .get_template("report.html")
        .render(
            several=several_sets([ranking.records for ranking in rankings]),
            sets=[_set(ranking, number) for number, ranking in enumerate(rankings, 1)],
            judged=tables.judged_table(checkpoints),
            judged_reading=JUDGED_READING,
            judged_notes=judged_notes(checkpoints),
            training=tables.training_table(histories) if histories else None,
            histories=[drawn[name] for name in sorted(drawn, key=lambda name: name.removesuffix(LEAKING) != first)],
            making=making_of(checkpoints, command),
            actions=ACTION_NAMES,
        )
    )


def _set(ranking: Ranking, number: int) -> dict[str, Any]:
    """What the page shows of a set of records."""
    beside = [name for name in _BESIDE if name != ranking.sort][:2]
    labels = [METRICS[name].label for name in (ranking.sort, *beside)]
    kinds = {row.kind for row in ranking.rows}
    best = ranking.policies[0].name
    policies = {row.name: ranking.records.policies[row.name] for row in ranking.policies}
    return {
        "id": f"set-{number}",
        "name": set_name(ranking),
        "leaks": SCHEMES[ranking.records.scheme].leak_note is not None,
        "source": source_of(ranking),
        "lead": lead_of(ranking),
        "labels": labels,
        "rows": tables.ranked_rows(ranking, beside),
        "terms": terms_of(labels)
        | terms(*(kind for kind in ("baseline", "alternative") if kind in kinds), "collapsed"),
        "pictures": [*pictures.pictures_of(ranking), pictures.reliability_picture(best, policies[best])],
        "left_out": pictures.left_out(ranking),
        "best": best,
        "confusion": tables.confusion_rows(policies[best]),
        "metrics": tables.metric_table(ranking),
        "metric_terms": terms(*(metric.label for metric in METRICS.values())),
        "settings": tables.settings_table(ranking),
        "unknown": tables.unknown_training(ranking),
        "policies": [
            {
                "name": name,
                "collapsed": evaluation.collapsed,
                "notes": rule_notes(evaluation),
                "judged": list(filter(None, map(judged_sentence, (evaluation, ranking.records.validation.get(name))))),
                "actions": tables.action_table(name, evaluation),
                "confusion": tables.confusion_rows(evaluation),
                "reliability": pictures.reliability_picture(name, evaluation),
                "first": name == best,
            }
            for name, evaluation in policies.items()
        ],
    }


@functools.cache
def _environment() -> Environment:
    """The templates; whatever they show is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # takes a moment to import

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["breakable"] = _breakable
    return environment


def _breakable(text: str) -> Markup:
    """A name that may break after a separator, so that a narrow column holds it."""
    from markupsafe import Markup, escape

    parts = re.split(r"(?<=[/_,=])", str(text))
    return Markup("<wbr>").join(escape(part) for part in parts)
