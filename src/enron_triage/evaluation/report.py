"""``triage report``: the evaluations and the course of training, side by side.

    triage report --log

Reads every evaluation below ``data/eval/`` and every ``stage_N_metrics.jsonl`` below the checkpoints' folder; writes
``data/eval/report.md`` and ``report.html``, which holds its pictures; with ``--log`` it also puts the results into
``TRAINING_LOG.md``, between two markers, and leaves the rest of that file alone.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import msgspec

from enron_triage.config.schema import Config
from enron_triage.errors import UsageError
from enron_triage.evaluation import html
from enron_triage.pipeline import Result
from enron_triage.records import ACTION_NAMES
from enron_triage.runtime import artifacts

logger = logging.getLogger(__name__)

LOG = Path("TRAINING_LOG.md")
BEGIN, END = "<!-- triage report: begin -->", "<!-- triage report: end -->"
LEAK_NOTE = (
    "The labels of scheme `folder` leak: a rule on sender and subject reads them off sent mail (see the README)."
)

Evaluation = dict[str, Any]
_REQUIRED = {
    *("checkpoint", "stage", "split", "scheme", "accuracy", "macro_f1", "reply_auc", "ece_calibrated", "mean_reward"),
    *("per_class", "confusion_matrix", "predicted_share", "collapsed", "per_mailbox", "alternative", "reliability"),
}
_REQUIRED_OF_AN_EPOCH = {"epoch", "best_epoch", "collapsed", "predicted_share"}
_ORDER = ("sft", "reward", "grpo", "dpo")


class EvaluatedCheckpoint(msgspec.Struct, kw_only=True):
    """A checkpoint with its evaluations.

    Attributes
    ----------
    name : str
        ``<run>/<checkpoint>``, or the checkpoint's name.
    evaluations : dict of str to dict
        By split.
    """

    name: str
    evaluations: dict[str, Evaluation]

    @property
    def shown(self) -> Evaluation:
        """The evaluation on test, or the first there is."""
        return self.evaluations.get("test") or next(iter(self.evaluations.values()))


def run(config: Config, *, log: bool = False) -> Result:
    """Write the report.

    Parameters
    ----------
    config : Config
    log : bool
        Whether to put the results section into ``TRAINING_LOG.md`` of the working folder.

    Raises
    ------
    UsageError
        If there is no evaluation, or the log's markers are damaged.
    """
    folder = config.data / "eval"
    policies = read_evaluations(folder)
    if not policies:
        raise UsageError(f"{folder}: holds no evaluation; run `triage evaluate` first")
    histories = read_histories(Path(config.checkpoint_dir))
    results = f"{markdown(policies)}\n\n{training_table(histories)}".rstrip()
    if log:
        _write_log(results)
    with artifacts.atomic_open(folder / "report.md") as file:
        file.write(f"# Report\n\n{results}\n".encode())
    with artifacts.atomic_open(folder / "report.html") as file:
        file.write(html.html_page(results, policies, histories).encode())
    data = {
        "policies": {
            policy.name: {split: _summary(values) for split, values in policy.evaluations.items()}
            for policy in policies
        },
        "histories": sorted(histories),
        "markdown": str(folder / "report.md"),
        "html": str(folder / "report.html"),
    }
    written = f"-> {data['markdown']}, {data['html']}" + (f", {LOG}" if log else "")
    return Result(stage="report", table=f"{results}\n\n{written}", data=data)


def read_evaluations(folder: Path) -> list[EvaluatedCheckpoint]:
    """The evaluations below a folder, by policy; what is none is left out, with a warning."""
    found: dict[str, EvaluatedCheckpoint] = {}
    for path in sorted(folder.rglob("*.json"), key=lambda path: (len(path.name), path)):  # the plain name first
        if path.name.endswith(".meta.json"):
            continue
        try:
            evaluation = artifacts.read_json(path, dict)
        except UsageError as error:
            logger.warning("left out: %s", error)
            continue
        if not evaluation.keys() >= _REQUIRED:
            logger.warning("left out: %s: no evaluation of this version; run `triage evaluate` again", path)
            continue
        parent = path.parent.relative_to(folder)
        name = (parent / evaluation["checkpoint"]).as_posix()
        evaluations = found.setdefault(name, EvaluatedCheckpoint(name=name, evaluations={})).evaluations
        if evaluation["split"] in evaluations:
            logger.warning("left out: %s: a second evaluation of %s on %s", path, name, evaluation["split"])
            continue
        evaluations[evaluation["split"]] = evaluation

    def key(policy: EvaluatedCheckpoint) -> tuple[int, str]:
        stage = policy.shown["stage"]
        return _ORDER.index(stage) if stage in _ORDER else len(_ORDER), policy.name

    return sorted(found.values(), key=key)


def read_histories(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The metrics of every training stage below a folder, epoch by epoch, by ``<run>/stage_N``."""
    histories = {}
    for path in sorted(folder.rglob("stage_*_metrics.jsonl")):
        name = path.relative_to(folder).as_posix().removesuffix("_metrics.jsonl")
        try:
            lines = [msgspec.json.decode(line, type=dict) for line in path.read_bytes().splitlines()]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            logger.warning("left out: %s: not what training writes (%s)", path, error)
            continue
        whole = all(line.keys() >= _REQUIRED_OF_AN_EPOCH for line in lines)
        if not (lines and whole and 1 <= lines[-1]["best_epoch"] <= len(lines)):
            logger.warning("left out: %s: not what training writes; train again", path)
            continue
        histories[name] = lines
    return histories


def markdown(policies: list[EvaluatedCheckpoint]) -> str:
    """The comparison as Markdown: a table of the policies, then one of the actions for each, on test.

    Where a policy was not evaluated on test, the split of its first evaluation stands in.
    """
    lines = [
        "### Results",
        "",
        "| Stage | Val accuracy | Test accuracy | Val macro-F1 | Test macro-F1 | Test reply AUC | Test calibration "
        "error | Test mean reward | Simple alternative's | Notes |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for policy in policies:
        val, test = (policy.evaluations.get(split, {}) for split in ("val", "test"))
        values = [source.get(key) for key in ("accuracy", "macro_f1") for source in (val, test)]
        values += [test.get(key) for key in ("reply_auc", "ece_calibrated", "mean_reward")]
        values.append((test.get("alternative") or {}).get("mean_reward"))
        cells = [policy.name, *map(_cell, values), "; ".join(_notes(policy))]
        lines.append(f"| {' | '.join(cells)} |")
    if any(policy.shown["scheme"] == "folder" for policy in policies):
        lines += ["", LEAK_NOTE]
    for policy in policies:
        shown = policy.shown
        lines += [
            "",
            f"#### {policy.name}, on {shown['split']}",
            "",
            "| Action | Precision | Recall | F1 | AUC | Support | Predicted |",
            "|---|---|---|---|---|---|---|",
        ]
        for action in ACTION_NAMES:
            values = shown["per_class"][action]
            cells = [_cell(values[key]) for key in ("precision", "recall", "f1", "auc")]
            share = f"{shown['predicted_share'][action]:.1%}"
            lines.append(f"| {action} | {' | '.join(cells)} | {values['support']:,} | {share} |")
    return "\n".join(lines)


def training_table(histories: dict[str, list[dict[str, Any]]]) -> str:
    """How each training went, by its best epoch on validation; empty without any."""
    if not histories:
        return ""
    lines = [
        "### Training",
        "",
        "| Stage | Epochs | Best | Val accuracy | Val macro-F1 | Val mean reward | KL | Preference accuracy "
        "| Collapsed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, history in histories.items():
        best = history[history[-1]["best_epoch"] - 1]
        keys = ("accuracy", "macro_f1", "mean_reward", "kl", "preference_accuracy")
        collapsed = sum(metrics["collapsed"] for metrics in history)
        cells = [str(len(history)), str(best["epoch"]), *(_cell(best.get(key)) for key in keys)]
        cells.append(f"**in {collapsed} of {len(history)} epochs**" if collapsed else "no")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _notes(policy: EvaluatedCheckpoint) -> list[str]:
    """What must not be overlooked: collapse, leaking labels, no gain over the simple alternative."""
    notes = []
    for split, evaluation in policy.evaluations.items():
        if evaluation["collapsed"]:
            shares = evaluation["predicted_share"]
            notes.append(f"**collapsed** to `{max(shares, key=shares.__getitem__)}` on {split}")
    shown = policy.shown
    if shown["scheme"] == "folder":
        notes.append("leaking labels")
    alternative = shown["alternative"]
    if alternative is not None and not alternative["beaten"]:
        notes.append(f"reward not above the simple alternative's ({alternative['gain']:+.4f})")
    return notes


def _summary(evaluation: Evaluation) -> dict[str, Any]:
    names = ("accuracy", "macro_f1", "reply_auc", "ece_calibrated", "mean_reward", "collapsed", "alternative")
    return {name: evaluation[name] for name in names}


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _write_log(results: str) -> None:
    """Put the results between the markers; without any, at the end; nothing else of the file changes.

    Raises
    ------
    UsageError
        If only one of the markers is there, or one of them twice, or the file is not UTF-8.
    """
    section = f"{BEGIN}\n{results}\n{END}"
    try:
        text = LOG.read_bytes().decode() if LOG.exists() else "# Training log\n"
    except UnicodeDecodeError:
        raise UsageError(f"{LOG}: not UTF-8; convert it first") from None
    if (text.count(BEGIN), text.count(END)) == (0, 0):
        text = f"{text.rstrip()}\n\n{section}\n"
    elif (text.count(BEGIN), text.count(END)) == (1, 1) and text.index(BEGIN) < text.index(END):
        text = re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda match: section, text, flags=re.DOTALL)
    else:
        raise UsageError(f"{LOG}: needs one `{BEGIN}` with one `{END}` after it, or neither; put them right by hand")
    with artifacts.atomic_open(LOG) as file:
        file.write(text.encode())
