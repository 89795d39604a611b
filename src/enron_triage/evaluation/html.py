"""The report as one HTML page, with its plots inside."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from enron_triage.evaluation import plots
from enron_triage.evaluation.reading import TrainingHistory
from enron_triage.evaluation.record_sets import RecordSet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
body { font-family: sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { border: 1px solid #ccc; padding: .2rem .6rem; text-align: right; }
td:first-child, th:first-child, td:last-child { text-align: left; }
figure { display: inline-block; margin: .5rem; }
img { max-width: 100%; }
"""


def html_page(results: str, sets: Sequence[RecordSet], histories: Mapping[str, TrainingHistory]) -> str:
    """The page; the same content gives the same text.

    Parameters
    ----------
    results : str
        The results in Markdown: headings, tables, paragraphs.
    sets : sequence of RecordSet
        The evaluations to draw, side by side only those on the same records.
    histories : mapping of str to TrainingHistory
        Each training stage, for its learning curves.

    Returns
    -------
    str
        HTML that refers to no other file.
    """
    parts = ["<h1>Report</h1>", *_blocks(results)]
    for records in sets:
        parts += _comparison(records)
    for name, history in histories.items():
        parts.append(f"<h3>Training: {html.escape(name)}</h3>")
        parts.append(_image(plots.learning_curves_figure(history.epochs, name)))
    for records in sets:
        for name, evaluation in records.policies.items():
            parts.append(f"<h3>{html.escape(f'{name} on {evaluation.split}')}</h3>")
            parts.append(_image(plots.confusion_figure(np.array(evaluation.confusion_matrix), "confusion")))
            parts.append(_image(plots.reliability_figure(evaluation.reliability, "reliability")))
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>enron_triage: report</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _comparison(records: RecordSet) -> list[str]:
    """The plots that show all policies on the same records at once."""
    policies = records.policies
    f1 = {name: {action: row.f1 for action, row in each.per_class.items()} for name, each in policies.items()}
    accuracies = {name: [mailbox.accuracy for mailbox in each.per_mailbox.values()] for name, each in policies.items()}
    return [
        f"<h3>Policies side by side, on {html.escape(records.title)}</h3>",
        _image(plots.f1_figure(f1, "F1 by action")),
        _image(plots.mailbox_figure(accuracies, "accuracy by mailbox")),
    ]


def _image(figure: Figure) -> str:
    encoded = base64.b64encode(plots.as_svg(figure)).decode()
    return f'<figure><img alt="" src="data:image/svg+xml;base64,{encoded}"></figure>'


def _blocks(markdown: str) -> Iterator[str]:
    """The headings, tables and paragraphs of the report's own Markdown as HTML."""
    for block in markdown.split("\n\n"):
        if block.startswith("#"):
            level, _, title = block.partition(" ")
            yield f"<h{len(level)}>{_inline(title)}</h{len(level)}>"
        elif block.startswith("|"):
            rows = [[_inline(cell.strip()) for cell in line.strip("|").split("|")] for line in block.splitlines()]
            head = "".join(f"<th>{cell}</th>" for cell in rows[0])
            lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows[2:])
            yield f"<table>\n<tr>{head}</tr>\n{lines}</table>"
        else:
            yield f"<p>{_inline(block)}</p>"


def _inline(text: str) -> str:
    """Bold and code."""
    for mark, tag in (("**", "b"), ("`", "code")):
        pieces = (html.escape(text) if mark == "**" else text).split(mark)
        text = "".join(f"<{tag}>{piece}</{tag}>" if index % 2 else piece for index, piece in enumerate(pieces))
    return text
