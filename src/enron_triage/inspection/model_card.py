"""A model card in Markdown, in the form that the Hugging Face Hub reads.

The sections follow Mitchell et al. 2019, "Model Cards for Model Reporting"; the front matter is YAML with ``tags``,
``metrics`` and a ``model-index``. A card holds counts and digests of the mail, and no word of it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from ruamel.yaml import YAML

from enron_triage.config.nested import flatten
from enron_triage.errors import UsageError
from enron_triage.evaluation.result import Evaluation
from enron_triage.inspection.facts import Facts, settings_of_stages
from enron_triage.inspection.reproduce import reproduction, to_yaml
from enron_triage.inspection.text import metrics_in_words
from enron_triage.policy.origin import InputFile, Origin
from enron_triage.runtime import artifacts

_SOURCES = {"cmu": "CMU Enron archive", "demo": "built-in demo corpus (invented mail)"}
_USES = """\
Predicting what a mailbox's owner will do with an incoming message (`reply_now`, `reply_later`, `forward`, `archive`,
`delete`), as a hint to that person: `triage predict`.

Not for deciding about people, and not for acting on mail without its owner: a wrong `delete` hides a message. What is
learned are habits, those of the mailboxes below; for other people's mail, evaluate first (`triage evaluate`)."""


def evaluations_of(sha256: str, folder: Path) -> list[Evaluation]:
    """The evaluations of one checkpoint, recognised by its content.

    Parameters
    ----------
    sha256 : str
        The SHA-256 of the checkpoint's file.
    folder : Path
        The folder of the evaluations of all runs.

    Returns
    -------
    list of Evaluation
        Those on ``test`` first; files of another form are passed over.
    """
    found = []
    for path in sorted(folder.rglob("*.json")):
        try:
            evaluation = artifacts.read_json(path, Evaluation)
        except UsageError:
            continue
        if evaluation.source.checkpoint_sha256 == sha256:
            found.append(evaluation)
    return sorted(found, key=lambda evaluation: evaluation.split != "test")


def model_card(facts: Facts, evaluations: Sequence[Evaluation]) -> str:
    """The model card of a checkpoint.

    Parameters
    ----------
    facts : Facts
        The checkpoint.
    evaluations : sequence of Evaluation
        Its evaluations, if there are any.

    Returns
    -------
    str
        Markdown without a newline at the end.
    """
    lines = [
        "---",
        _front_matter(facts, evaluations),
        "---",
        "",
        f"# {facts.path.stem}",
        "",
        *_details(facts),
        *("", "## Intended uses and limits", "", _USES),
        *("", "## Training data", "", *_training_data(facts.origin)),
        *("", "## Training procedure", "", *_procedure(facts)),
        *("", "## Evaluation", "", *_evaluation(facts, evaluations)),
        *("", "## Caveats", "", *_caveats(facts, evaluations)),
        *("", "## How to reproduce", "", *_how_to_reproduce(facts)),
    ]
    return "\n".join(lines)


def _front_matter(facts: Facts, evaluations: Sequence[Evaluation]) -> str:
    content = {
        "license": "unknown",  # the mail's owner decides
        "library_name": "enron_triage",
        "pipeline_tag": "text-classification",
        "tags": ["email", "text-classification", "enron_triage", facts.checkpoint.stage],
        "metrics": ["accuracy", "f1"],
        "model-index": [{"name": facts.path.stem, "results": list(_results(facts, evaluations))}],
    }
    text = io.StringIO()
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(content, text)
    return text.getvalue().rstrip("\n")


def _results(facts: Facts, evaluations: Sequence[Evaluation]) -> Iterator[dict[str, Any]]:
    metrics = facts.checkpoint.metrics
    measured = [(each.split, each.accuracy, each.macro_f1) for each in evaluations]
    if metrics is not None:
        measured.append(("validation", metrics.validation.accuracy, metrics.validation.macro_f1))
    for split, accuracy, macro_f1 in measured:
        yield {
            "task": {"type": "text-classification", "name": "what the owner does with a message"},
            "dataset": {"type": "mail", "name": _corpus(facts.origin), "split": split},
            "metrics": [
                {"type": "accuracy", "value": round(accuracy, 4)},
                {"type": "f1", "name": "macro-F1", "value": round(macro_f1, 4)},
            ],
        }


def _corpus(origin: Origin) -> str:
    if "download" not in origin.data_stages:
        return "mail of its owners"
    source = origin.config["download"]["source"]
    return _SOURCES.get(source, "mail archive")


def _details(facts: Facts) -> Iterator[str]:
    checkpoint, origin = facts.checkpoint, facts.origin
    model = checkpoint.model
    trees = f" and {model.trees} gradient-boosted trees" if model.trees else ""
    versions = ", ".join(f"{name} {value}" for name, value in origin.versions.items())
    yield "## Model details"
    yield ""
    yield f"- Trained by: `triage {checkpoint.stage}`, epoch {checkpoint.epoch}, label scheme `{checkpoint.scheme}`"
    yield f"- Form: {model.ensemble} networks{trees} on {model.inputs} features; {facts.parameters:,} parameters"
    yield f"- Features: {', '.join(checkpoint.features.settings.groups)}"
    yield f"- Decision rule: `{checkpoint.decision.rule}`; temperature {checkpoint.calibration.temperature:.3f}"
    yield f"- Made with: {versions or 'unknown versions'}; commit {origin.commit or 'unknown'}"
    yield f"- SHA-256 of the file: `{facts.sha256}`"


def _training_data(origin: Origin) -> Iterator[str]:
    if not origin.stage:
        yield "Unknown: the checkpoint does not record it."
        return
    yield f"{_corpus(origin).capitalize() if origin.data_stages else 'Unknown origin'}; by action:"
    yield ""
    actions = list(origin.data["train"].actions)
    yield from _table(
        ["", "messages", "mailboxes", *actions],
        [[name, *_counts(file)] for name, file in origin.data.items() if file.messages is not None],
    )
    yield ""
    yield from (f"- {name}: SHA-256 `{file.sha256}`" for name, file in origin.data.items())


def _counts(file: InputFile) -> list[str]:
    return [f"{count:,}" for count in (file.messages or 0, file.mailboxes or 0, *file.actions.values())]


def _procedure(facts: Facts) -> Iterator[str]:
    origin = facts.origin
    if not origin.stage:
        yield "Unknown: the checkpoint does not record it."
        return
    if origin.command:
        yield from (f"    {origin.command}", "")
    for name, parent in origin.parents.items():
        yield f"It began with a checkpoint of `triage {parent.stage}` ({name}, SHA-256 `{origin.data[name].sha256}`)."
        yield ""
    settings = flatten(settings_of_stages([origin.stage], origin.config))
    yield from _table(["setting", "value"], [[f"`{key}`", f"`{_value(value)}`"] for key, value in settings.items()])


def _value(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _evaluation(facts: Facts, evaluations: Sequence[Evaluation]) -> Iterator[str]:
    metrics = facts.checkpoint.metrics
    if metrics is not None:
        words = metrics_in_words(metrics.validation)
        yield f"On validation, on which the epoch and the decision rules were chosen (epoch {metrics.epoch}):"
        yield ""
        yield from _table(list(words), [[f"{value:.4f}" for value in words.values()]])
    for each in evaluations:
        yield ""
        size = f"{each.count:,} messages of {each.mailboxes:,} mailboxes"
        yield f"On {each.split}, {size}, decided by `{each.decision_rule}`:"
        yield ""
        figures = {
            "accuracy": each.accuracy,
            "balanced accuracy": each.balanced_accuracy,
            "macro-F1": each.macro_f1,
            "mean reward": each.mean_reward,
        }
        rows = [["policy", *(f"{value:.4f}" for value in figures.values())]]
        for name, row in each.baselines.items():
            values = (row.accuracy, row.balanced_accuracy, row.macro_f1, row.mean_reward)
            rows.append([f"baseline: {name}", *(f"{value:.4f}" for value in values)])
        yield from _table(["", *figures], rows)
        for name, interval in each.intervals.items():
            if interval is not None:
                yield f"\n{name}: 95% interval over mailboxes {interval[0]:.4f} to {interval[1]:.4f}"
    if not evaluations:
        yield from ("", "Not evaluated on test: no evaluation of this checkpoint was found.")


def _caveats(facts: Facts, evaluations: Sequence[Evaluation]) -> Iterator[str]:
    notes = [*facts.notes]
    if any(each.collapsed for each in evaluations) and not any("collapsed" in note for note in notes):
        notes.append("The policy has collapsed: nearly all its decisions are one action.")
    notes += [
        f"{each.split} has only {each.mailboxes} mailboxes: no intervals."
        for each in evaluations
        if each.mailboxes < 10
    ]
    notes.append("What people do with mail depends on who they are: the figures are those of the mailboxes above.")
    yield from (f"- {note}" for note in notes)


def _how_to_reproduce(facts: Facts) -> Iterator[str]:
    try:
        text = to_yaml(facts, reproduction(facts))
    except UsageError as error:
        yield f"It cannot be reproduced from the checkpoint alone: {error}."
        return
    yield "    triage run --config again.yaml"
    yield ""
    yield "where `again.yaml` is what `triage inspect CHECKPOINT --config` prints:"
    yield from ("", "```yaml", text, "```")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for row in (heads, ["---"] * len(heads), *rows):
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
