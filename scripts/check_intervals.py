#!/usr/bin/env python3
"""Measure by simulation how often 95% intervals over mailboxes cover the true value.

    triage evaluate --set evaluate.split=data/emails_labeled.json --set decision.rule=thresholds
    python scripts/check_intervals.py data/eval/best_sft.emails_labeled.json

The mailboxes of an evaluation serve as the whole population, whose metric is known. Samples of mailboxes are drawn with
replacement; the interval of each sample either contains the population's metric or does not. Three intervals are
compared: that of `enron_triage.policy.intervals`, the same with one degree of freedom fewer than there are mailboxes,
and the percentile interval of a bootstrap over mailboxes. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from enron_triage.policy import intervals, metrics
from enron_triage.policy.metrics import FloatArray, IntArray

METRICS = {"accuracy": metrics.accuracy, "macro-F1": metrics.macro_f1}
METHODS = ("jackknife, effective mailboxes", "jackknife, all mailboxes", "percentile bootstrap")
RESAMPLES = 1000  # of the bootstrap


def main() -> None:
    """Read the options, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("evaluation", type=Path, help="an evaluation of many mailboxes, written by `triage evaluate`")
    parser.add_argument("--mailboxes", type=int, nargs="+", default=[10, 14, 30], help="the sizes of the samples")
    parser.add_argument("--samples", type=int, default=1000, help="number of samples of each size")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    confusions = np.array(list(json.loads(arguments.evaluation.read_bytes())["mailbox_confusion"].values()))
    generator = np.random.default_rng(arguments.seed)
    print(f"Population: {len(confusions)} mailboxes, {confusions.sum():,} messages.", end="\n\n")
    print("| Mailboxes | Metric | Interval | Covers | Width, median |\n|---|---|---|---|---|")
    for size in arguments.mailboxes:
        for metric, rows in simulate(confusions, size, arguments.samples, generator).items():
            for method, (covered, width) in rows.items():
                print(f"| {size} | {metric} | {method} | {covered:.3f} | {width:.3f} |")


def simulate(
    population: IntArray, size: int, samples: int, generator: np.random.Generator
) -> dict[str, dict[str, tuple[float, float]]]:
    """Draw samples of mailboxes; return the share of intervals that contain the true value, and their median width.

    Parameters
    ----------
    population : array of int, shape (mailboxes, actions, actions)
        The confusion matrix of every mailbox.
    size : int >= 10
        How many mailboxes a sample has.
    samples : int >= 1
        How many samples are drawn.
    generator : numpy.random.Generator
        What they are drawn with.
    """
    found = {metric: {method: np.empty((samples, 2)) for method in METHODS} for metric in METRICS}
    for sample in range(samples):
        drawn = population[generator.integers(0, len(population), size)]
        resampled = generator.multinomial(size, np.full(size, 1 / size), size=RESAMPLES)
        for name in METRICS:

            def statistic(counts: IntArray, drawn: IntArray = drawn, name: str = name) -> FloatArray:
                return METRICS[name](np.tensordot(counts, drawn, axes=1))

            sizes = drawn.sum(axis=(1, 2))
            ends = (
                intervals.jackknife_interval(sizes, statistic, share=True),
                intervals.jackknife_interval(np.ones_like(sizes), statistic, share=True),
                np.quantile(statistic(resampled), [0.025, 0.975]),
            )
            for method, interval in zip(METHODS, ends, strict=True):
                found[name][method][sample] = np.nan if interval is None else interval
    return {
        name: {method: _covered(ends, float(METRICS[name](population.sum(axis=0)))) for method, ends in rows.items()}
        for name, rows in found.items()
    }


def _covered(ends: FloatArray, truth: float) -> tuple[float, float]:
    """The share of the intervals that contain a value, and their median width."""
    inside = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
    return float(inside.mean()), float(np.nanmedian(ends[:, 1] - ends[:, 0]))


if __name__ == "__main__":
    main()
