#!/usr/bin/env python3
"""Draw the pictures of the documentation as SVG: ``docs/images/*.svg``.

    python scripts/draw_documentation.py

The stages come from the table of stages. The figures come from ``docs/images/figures.json``, which names the command
for each. The prediction comes from ``docs/images/prediction.json``, a line of output of ``triage predict`` for a
message of the demo corpus.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from enron_triage.pipeline import STAGES

IMAGES = Path(__file__).parents[1] / "docs" / "images"
FIGURES: dict[str, Any] = json.loads((IMAGES / "figures.json").read_text("utf-8"))

INK, GREY, LINE = "#1c2733", "#5b6875", "#c3ccd5"
BLUE, ORANGE, GREEN, PALE = "#2f6db5", "#c8642a", "#3c8560", "#e8f0f9"
# Where each stage stands in the picture, in columns and rows.
PLACES = {
    "download": (0, 1),
    "parse": (1, 1),
    "label": (2, 1),
    "split": (3, 1),
    "sft": (4, 1),
    "reward": (4, 2),
    "dpo": (5, 0),
    "grpo": (5, 2),
    "evaluate": (6, 1),
}
_BOX_WIDTH, _BOX_HEIGHT = 1.1, 0.8
MADE = {
    "download": "maildir/",
    "parse": "emails.json",
    "label": "emails_labeled.json",
    "split": "train.json val.json\ntest.json",
    "sft": "best_sft.pt",
    "reward": "best_reward.pt",
    "dpo": "best_dpo.pt",
    "grpo": "best_grpo.pt",
    "evaluate": "eval/*.json",
}
EDGES = [
    *(("download", "parse"), ("parse", "label"), ("label", "split"), ("split", "sft")),
    *(("sft", "dpo"), ("sft", "grpo"), ("sft", "evaluate"), ("reward", "grpo"), ("dpo", "evaluate")),
    *(("grpo", "evaluate"), ("sft", "reward")),
]


def main() -> None:
    """Draw them all."""
    mpl.rcParams |= {"svg.fonttype": "path", "svg.hashsalt": "enron_triage", "font.size": 10, "text.color": INK}
    mpl.rcParams |= {"axes.labelcolor": INK, "axes.edgecolor": LINE, "xtick.color": GREY, "ytick.color": GREY}
    mpl.rcParams |= {"axes.spines.top": False, "axes.spines.right": False}
    for draw in (draw_stages, draw_timeline, draw_f1_by_action, draw_reliability, draw_dpo_collapse, draw_prediction):
        figure = draw()
        path = IMAGES / f"{draw.__name__.removeprefix('draw_')}.svg"
        figure.savefig(path, metadata={"Date": None, "Creator": None}, bbox_inches="tight", facecolor="white")


def draw_stages() -> Figure:
    """The stages, and the files that each one makes."""
    assert set(PLACES) == set(STAGES) == set(MADE), "give every stage of the pipeline a place"
    figure, axes = _blank(9.9, 3.5)
    for name, (_, row) in PLACES.items():
        _box(axes, *_centre(name), f"$\\bf{{{name}}}$\n{MADE[name]}", "white" if row == 1 else PALE)
    for start, end in EDGES:
        (x0, y0), (x1, y1) = _centre(start), _centre(end)
        if x0 == x1:
            _arrow(axes, (x0, y0 + _BOX_HEIGHT / 2), (x1, y1 - _BOX_HEIGHT / 2))
        else:
            _arrow(axes, (x0 + _BOX_WIDTH / 2 + 0.05, y0), (x1 - _BOX_WIDTH / 2 - 0.05, y1))
    axes.text(_centre("parse")[0], _centre("grpo")[1], "data stages:\nfolder data/", ha="center", color=GREY)
    axes.text(
        _centre("evaluate")[0], _centre("grpo")[1], "training stages:\nfolder checkpoints/", ha="center", color=GREY
    )
    x, y = _centre("dpo")
    axes.text(x - 2.2, y, "people's judgements:\npreferences.jsonl", ha="center", va="center", color=GREY)
    _arrow(axes, (x - 1.35, y), (x - _BOX_WIDTH / 2 - 0.05, y), style="--")
    axes.set_xlim(-0.7, 9.3)
    axes.set_ylim(-0.55, 3.0)
    return figure


def draw_timeline() -> Figure:
    """What is known of a message, and when."""
    figure, axes = _blank(9.5, 2.6)
    axes.annotate("", (10.2, 1.5), (0, 1.5), arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.4})
    axes.text(10.2, 1.2, "time", ha="right", color=GREY)
    events = [
        (1.2, "message arrives", BLUE),
        (2.6, "owner files it\n(no time stamp)", GREY),
        (4.4, "owner replies:\nknown at once", GREEN),
        (8.4, "the filing enters\nthe history", ORANGE),
    ]
    for x, text, colour in events:
        axes.plot([x], [1.5], "o", color=colour, ms=9)
        axes.text(x, 1.78, text, ha="center", va="bottom", color=colour)
    _span(axes, 1.2, 4.4, 0.95, "response time: reply_now up to label.reply_now_within (1 hour), else reply_later")
    _span(axes, 1.2, 8.4, 0.35, "label.action_lag (7 days)")
    axes.text(0.3, 1.2, "its history:\nonly what was\nknown by then", ha="center", va="top", color=BLUE)
    axes.fill_between([-0.5, 1.2], 1.3, 1.7, color=PALE, zorder=0)
    axes.set_xlim(-0.6, 10.3)
    axes.set_ylim(-0.1, 2.5)
    return figure


def draw_f1_by_action() -> Figure:
    """The F1 of each action, for the policy and the models it is compared with."""
    data = FIGURES["f1_by_action"]
    figure = Figure(figsize=(8.2, 3.6))
    axes = figure.add_subplot()
    colours = (BLUE, GREEN, ORANGE, LINE)
    for place, ((model, scores), colour) in enumerate(zip(data["models"].items(), colours, strict=True)):
        positions = [action + (place - 1.5) * 0.2 for action in range(len(scores))]
        means, deviations = zip(*scores, strict=True)
        spread = {"ecolor": GREY, "elinewidth": 1}
        axes.bar(positions, means, 0.19, yerr=deviations, color=colour, label=model, error_kw=spread)
    axes.set_xticks(range(len(data["actions"])), data["actions"])
    axes.set_ylim(0, 1)
    axes.set_ylabel("F1 on test, 15 folds: mean ± sd")
    axes.legend(frameon=False, loc="upper left")
    return figure


def draw_reliability() -> Figure:
    """How often the most probable action was right, by its probability."""
    data = FIGURES["reliability"]
    figure = Figure(figsize=(6.2, 4.2))
    axes, counts = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1], "hspace": 0.12})
    confidence, accuracy, count = zip(*data["bins"], strict=True)
    axes.plot([0, 1], [0, 1], "--", color=LINE, label="perfect")
    axes.plot(confidence[1:], accuracy[1:], "o-", color=BLUE, label=f"policy (error {data['calibration_error']:.3f})")
    axes.set_ylabel("share correct")
    axes.legend(frameon=False, loc="upper left")
    counts.bar(confidence, count, 0.05, color=LINE)
    counts.set_ylabel("messages")
    counts.set_xlabel("probability of the most probable action")
    counts.set_xlim(0.2, 1)
    axes.set_ylim(0.2, 1)
    return figure


def draw_dpo_collapse() -> Figure:
    """DPO on preferences that contradict the labels, epoch by epoch."""
    data = FIGURES["dpo_collapse"]
    figure = Figure(figsize=(7.6, 3.5))
    axes = figure.add_subplot()
    lines = {
        "preference_accuracy": ("preference accuracy", GREEN, "-"),
        "reply_later_share": ("predicted as reply_later", ORANGE, "--"),
        "accuracy": ("accuracy", BLUE, "-"),
        "macro_f1": ("macro-F1", BLUE, ":"),
    }
    heights = {"preference_accuracy": 1.06, "reply_later_share": 0.90, "accuracy": 0.42, "macro_f1": 0.18}
    for key, (label, colour, style) in lines.items():
        values = [float("nan") if value is None else value for value in data[key]]
        axes.plot(data["epoch"], values, style, color=colour, marker="o", ms=4)
        axes.text(6.1, heights[key], label, color=colour, va="center")
    axes.set_xlabel("epoch (0: initial policy)")
    axes.set_ylabel("share, on validation")
    axes.set_xlim(-0.2, 8.6)
    axes.set_xticks(data["epoch"])
    axes.set_ylim(0, 1.12)
    return figure


def draw_prediction() -> Figure:
    """A message of the demo corpus, and its prediction by `triage predict`."""
    data = json.loads((IMAGES / "prediction.json").read_text("utf-8"))
    figure, axes = _blank(9.8, 3.4)
    axes.add_patch(FancyBboxPatch((0, 0), 4.4, 3.6, boxstyle="round,pad=0.08", fc="white", ec=LINE))
    lines = [line for part in data["message"] for line in textwrap.wrap(part, 54) or [""]]
    axes.text(0.08, 3.55, "\n".join(lines), va="top", family="monospace", fontsize=8, linespacing=1.4)
    for row, (action, share) in enumerate(data["prediction"]["probabilities"].items()):
        y, chosen = 3.35 - row * 0.34, action == data["prediction"]["action"]
        axes.text(5.95, y, action, ha="right", va="center", weight="bold" if chosen else "normal")
        axes.barh(y, 2.6 * share, 0.22, left=6.1, color=BLUE if chosen else LINE)
        axes.text(6.17 + 2.6 * share, y, f"{share:.2f}", va="center", color=GREY)
    axes.text(4.8, 1.5, "reasons:", weight="bold")
    for row, reason in enumerate(data["prediction"]["reasons"]):
        name = reason["feature"] + (f" “{reason['value']}”" if "value" in reason else "")
        axes.text(4.8, 1.2 - row * 0.43, f"{reason['contribution']:+.2f}  {name}", va="center")
        meaning = textwrap.shorten(reason["meaning"], 78, placeholder=" ...")
        axes.text(5.38, 1.02 - row * 0.43, meaning, va="center", color=GREY, fontsize=8)
    axes.set_xlim(-0.15, 10.2)
    axes.set_ylim(-0.15, 3.75)
    return figure


def _blank(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    return figure, axes


def _centre(stage: str) -> tuple[float, float]:
    column, row = PLACES[stage]
    return column * 1.43, row * 1.22


def _box(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    corner = (x - _BOX_WIDTH / 2, y - _BOX_HEIGHT / 2)
    shape = {"boxstyle": "round,pad=0.04", "fc": colour, "ec": BLUE, "lw": 1.2}
    axes.add_patch(FancyBboxPatch(corner, _BOX_WIDTH, _BOX_HEIGHT, **shape))
    axes.text(x, y, text, ha="center", va="center", fontsize=7.5, linespacing=1.4)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], style: str = "-") -> None:
    gap = {"shrinkA": 4, "shrinkB": 4, "mutation_scale": 12}
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", color=GREY, lw=1.1, ls=style, **gap))


def _span(axes: Axes, start: float, end: float, y: float, text: str) -> None:
    axes.annotate("", (end, y), (start, y), arrowprops={"arrowstyle": "<->", "color": GREY, "lw": 1})
    axes.text(start + 0.1, y - 0.08, text, ha="left", va="top", color=GREY, fontsize=9)


if __name__ == "__main__":
    main()
