"""The report as one HTML page that holds its pictures."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from enron_triage.evaluation import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from enron_triage.evaluation.report import EvaluatedCheckpoint

_STYLE = """
body { font-family: sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { border: 1px solid #ccc; padding: .2rem .6rem; text-align: right; }
td:first-child, th:first-child, td:last-child { text-align: left; }
figure { display: inline-block; margin: .5rem; }
img { max-width: 100%; }
"""


def html_page(
    results: str, policies: Sequence[EvaluatedCheckpoint], histories: Mapping[str, Sequence[Mapping[str, Any]]]
) -> str:
    """The page.

    Parameters
    ----------
    results : str
        Markdown: headings, tables, paragraphs.
    policies : sequence of EvaluatedCheckpoint
    histories : mapping of str to sequence
        The metrics of each training stage, epoch by epoch.
    """
    shown = {f"{policy.name} on {policy.shown['split']}": policy.shown for policy in policies}
    parts = ["<h1>Report</h1>", *_blocks(results)]
    if shown:
        parts.append("<h3>Policies side by side</h3>")
        f1 = plots.f1_figure({name: values["per_class"] for name, values in shown.items()}, "F1 by action")
        accuracies = {
            name: [mailbox["accuracy"] for mailbox in values["per_mailbox"].values()] for name, values in shown.items()
        }
        parts += [_image(f1), _image(plots.mailbox_figure(accuracies, "accuracy by mailbox"))]
    for name, history in histories.items():
        parts.append(f"<h3>Training: {html.escape(name)}</h3>")
        parts.append(_image(plots.learning_curves_figure(history, name)))
    for name, values in shown.items():
        parts.append(f"<h3>{html.escape(name)}</h3>")
        parts.append(_image(plots.confusion_figure(np.array(values["confusion_matrix"]), "confusion")))
        parts.append(_image(plots.reliability_figure(values["reliability"], "reliability")))
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>enron_triage: report</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body>\n</html>\n"
    )


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
