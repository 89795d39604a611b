#!/usr/bin/env python
"""Audit the labels of the scheme ``received``: a person checks a sample, from which error rates are estimated.

    python scripts/audit_labels.py sample audit.jsonl --data-dir data [--per-action 60] [--seed 0]
    python scripts/audit_labels.py judge audit.jsonl --data-dir data       shows each label, asks, and stores the answer
    python scripts/audit_labels.py show audit.jsonl --data-dir data [--first 1] [--last 20]     without asking
    python scripts/audit_labels.py rates audit.jsonl [--data-dir data] [--json]

The file has one line for each label. It identifies the message and contains the verdict, but no text of the message.
Instead of answering questions, a person may edit the file: ``verdict`` is ``right``, ``wrong`` or ``unclear``;
``right_action`` is an action, ``unacted``, or ``absent`` if the message is not received mail; ``note`` is a comment.
With ``--data-dir``, ``rates`` also compares the verdicts with the current labels.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from error_rates import draw, error_rate, inclusion_probabilities
from label_evidence import Labelled, MailboxEvidence, owners

from enron_triage.errors import TriageError, UsageError
from enron_triage.records import ACTION_NAMES, Email
from enron_triage.runtime import artifacts, provenance

Verdict = Literal["right", "wrong", "unclear"]
RightAction = Literal["reply_now", "reply_later", "forward", "archive", "delete", "unacted", "absent"]
_ANSWERS: dict[str, Verdict] = {"r": "right", "w": "wrong", "u": "unclear"}
_OUTCOMES = (*ACTION_NAMES, "unacted", "absent")


class Judgement(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A person's judgement of one label.

    Attributes
    ----------
    user, path, fingerprint : str
        Which message it is, as in `Email`.
    action, rule : str
        The label that was judged, and the rule that gave it.
    probability : float, 0 < probability <= 1
        How probable it was for this message to be drawn.
    verdict : {"right", "wrong", "unclear"} or None
        Whether a careful reader agrees with the label; None while it is not judged.
    right_action : str or None
        The label that it should have, if it is wrong and that is known.
    note : str
        What the reader wants to remember.
    """

    user: str
    path: str
    fingerprint: str
    action: str
    rule: str
    probability: float
    verdict: Verdict | None = None
    right_action: RightAction | None = None
    note: str = ""


def sample(source: Path, per_action: int, seed: int) -> list[Judgement]:
    """Draw labels of each action to be judged, in random order.

    Parameters
    ----------
    source : Path
        ``emails_labeled.json``.
    per_action : int >= 1
        How many labels of each action are drawn.
    seed : int
        Seed of the draw.

    Raises
    ------
    UsageError
        If the file is missing, damaged, or made with another scheme.
    """
    rng = np.random.default_rng(seed)
    rows: dict[str, list[Labelled]] = defaultdict(list)
    for row in artifacts.read_records(source, Labelled):
        rows[row.action or "unacted"].append(row)
    drawn: list[Judgement] = []
    for action in (name for name in ACTION_NAMES if name in rows):
        users = {user: index for index, user in enumerate(sorted({row.user for row in rows[action]}))}
        mailbox = np.array([users[row.user] for row in rows[action]])
        probability = inclusion_probabilities(mailbox, per_action)
        drawn += [
            _to_judge(rows[action][index], float(probability[index])) for index in draw(mailbox, probability, rng)
        ]
    return [drawn[index] for index in rng.permutation(len(drawn))]


def _to_judge(row: Labelled, probability: float) -> Judgement:
    return Judgement(
        user=row.user,
        path=row.path,
        fingerprint=row.fingerprint,
        action=row.action or "unacted",
        rule=row.evidence.rule,
        probability=probability,
    )


def read(path: Path) -> list[Judgement]:
    """Read a file of judgements.

    Parameters
    ----------
    path : Path
        JSON Lines, as ``sample`` wrote it and a person filled it in.

    Raises
    ------
    UsageError
        If it is missing, or a line is no judgement.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; make it with the command sample") from error
    judgements = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                judgements.append(msgspec.json.decode(line, type=Judgement))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise UsageError(f"{path}, line {number}: {error}") from error
    return judgements


def write(path: Path, judgements: Sequence[Judgement]) -> None:
    """Write a file of judgements, completely or not at all.

    Parameters
    ----------
    path : Path
        Where to.
    judgements : sequence of Judgement
        A line each.
    """
    with artifacts.atomic_open(path) as file:
        file.writelines(msgspec.json.encode(judgement) + b"\n" for judgement in judgements)


class Reader:
    """Shows labels with the evidence for and against them; holds one mailbox at a time.

    Parameters
    ----------
    data : Path
        The folder of ``emails.json`` and ``emails_labeled.json``.
    judgements : sequence of Judgement
        What is to be shown.
    """

    def __init__(self, data: Path, judgements: Sequence[Judgement]) -> None:
        self._data = data
        self._counts = provenance.read_meta(data / "emails_labeled.json")
        self._spans = {span.user: span for span in artifacts.mailbox_spans(data / "emails.json")}
        wanted = {judgement.user for judgement in judgements}
        self._labelled: dict[str, list[Labelled]] = defaultdict(list)
        for row in artifacts.read_records(data / "emails_labeled.json", Labelled):
            if row.user in wanted:
                self._labelled[row.user].append(row)
        self._mailbox: tuple[str, MailboxEvidence] | None = None

    def show(self, judgement: Judgement) -> str:
        """A label and the mail that it concerns, as text.

        Parameters
        ----------
        judgement : Judgement
            The label.

        Raises
        ------
        UsageError
            If the message is no longer there.
        """
        user = judgement.user
        label = next((row for row in self._labelled[user] if row.fingerprint == judgement.fingerprint), None)
        if label is None or user not in self._spans:
            raise UsageError(f"{judgement.path}: is not labelled in {self._data}; draw a new sample")
        if self._mailbox is None or self._mailbox[0] != user:
            emails = list(artifacts.read_span(self._data / "emails.json", self._spans[user], Email))
            addresses = owners(self._counts.counts if self._counts else {}, user)
            self._mailbox = user, MailboxEvidence(emails, self._labelled[user], addresses)
        return self._mailbox[1].show(label)


def judge(path: Path, data: Path) -> None:
    """Show each label that has not been judged yet, ask for the verdict, and store it immediately.

    Parameters
    ----------
    path : Path
        The file of judgements.
    data : Path
        The folder of the data.
    """
    judgements = read(path)
    reader = Reader(data, judgements)
    for number, judgement in enumerate(judgements, 1):
        if judgement.verdict is None:
            print(f"\n===== {number} of {len(judgements)}\n{reader.show(judgement)}\n")
            answer = _ask("[r]ight, [w]rong, [u]nclear, [s]kip, [q]uit: ", (*_ANSWERS, "s", "q"))
            if answer == "q":
                return
            if answer != "s":
                judgement.verdict = _ANSWERS[answer]
                if answer == "w":
                    right = _ask(f"what it should be ({', '.join(_OUTCOMES)}; empty: not known): ", (*_OUTCOMES, ""))
                    judgement.right_action = msgspec.convert(right or None, RightAction | None)
                judgement.note = input("note (not the message's words): ").strip()
                write(path, judgements)


def _ask(question: str, allowed: Sequence[str]) -> str:
    while (answer := input(question).strip()) not in allowed:
        pass
    return answer


def rates(judgements: Sequence[Judgement], labels: dict[tuple[str, str], str] | None = None) -> dict[str, Any]:
    """The error rate of each action, and of all actions together.

    Parameters
    ----------
    judgements : sequence of Judgement
        Those without a verdict do not count.
    labels : dict, optional
        The labels that are there now, by mailbox and fingerprint: they are compared with what was judged, in place of
        the labels of then.

    Returns
    -------
    dict
        By action, and ``all``: how many were judged, right, wrong and unclear; ``error_rate``, ``low`` and ``high``
        without the unclear ones; ``unclear_as_errors``, a rate. ``wrong_as`` counts what wrong labels should be.
    """
    judged = [judgement for judgement in judgements if judgement.verdict is not None]
    verdicts = [_verdict(judgement, labels) for judgement in judged]
    figures = {}
    for action in (*ACTION_NAMES, "all"):
        chosen = [
            (judgement, verdict)
            for judgement, verdict in zip(judged, verdicts, strict=True)
            if action in (judgement.action, "all")
        ]
        figures[action] = _figures(chosen)
    return figures


def _verdict(judgement: Judgement, labels: dict[tuple[str, str], str] | None) -> Verdict:
    """The verdict on the current label of the message: a changed label is right if it is the action given as right."""
    assert judgement.verdict is not None
    if labels is None:
        return judgement.verdict
    now = labels.get((judgement.user, judgement.fingerprint), "absent")
    if now == judgement.action:
        return judgement.verdict
    if now == judgement.right_action:
        return "right"
    # Another copy of the message may be the one that is kept; or nobody knows what the label should be.
    if now == "absent" or (judgement.right_action is None and judgement.verdict != "right"):
        return "unclear"
    return "wrong"


def _figures(chosen: Sequence[tuple[Judgement, Verdict]]) -> dict[str, Any]:
    known = [(judgement, verdict) for judgement, verdict in chosen if verdict != "unclear"]
    rate = error_rate(np.array([j.probability for j, _ in known]), [verdict == "wrong" for _, verdict in known])
    worst = error_rate(np.array([j.probability for j, _ in chosen]), [verdict != "right" for _, verdict in chosen])
    wrong = [judgement.right_action or "not known" for judgement, verdict in chosen if verdict == "wrong"]
    return {
        "judged": len(chosen),
        **{name: sum(verdict == name for _, verdict in chosen) for name in ("right", "wrong", "unclear")},
        **dict(zip(("error_rate", "low", "high"), rate or (None, None, None), strict=True)),
        "unclear_as_errors": worst[0] if worst else None,
        "wrong_as": {name: wrong.count(name) for name in sorted(set(wrong))},
    }


def table(figures: dict[str, Any]) -> Iterator[str]:
    """The figures as a Markdown table.

    Parameters
    ----------
    figures : dict
        What `rates` returns.
    """
    yield "| label | judged | right | wrong | unclear | error rate | 95% interval | unclear as errors | should be |"
    yield "|---" * 9 + "|"
    for action, row in figures.items():
        rate, interval, worst = "-", "-", "-"
        if row["error_rate"] is not None:
            rate, interval = f"{row['error_rate']:.1%}", f"{row['low']:.1%} to {row['high']:.1%}"
        if row["unclear_as_errors"] is not None:
            worst = f"{row['unclear_as_errors']:.1%}"
        should = ", ".join(f"{name} {count}" for name, count in row["wrong_as"].items())
        counts = " | ".join(str(row[name]) for name in ("judged", "right", "wrong", "unclear"))
        yield f"| {action} | {counts} | {rate} | {interval} | {worst} | {should} |"


def _current(data: Path) -> dict[tuple[str, str], str]:
    labels = {}
    for name in ("emails_labeled.json", "emails_unacted.json"):
        for row in artifacts.read_records(data / name, Labelled):
            labels[row.user, row.fingerprint] = row.action or "unacted"
    return labels


def main() -> None:
    """Run the audit from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("sample", "judge", "show", "rates"):
        command = commands.add_parser(name)
        command.add_argument("file", type=Path, help="the judgements, JSON Lines")
        command.add_argument("--data-dir", type=Path, default=None if name == "rates" else Path("data"))
        if name == "sample":
            command.add_argument("--per-action", type=int, default=60, help="number of labels of each action")
            command.add_argument("--seed", type=int, default=0)
        elif name == "show":
            command.add_argument("--first", type=int, default=1, help="the number of the first label shown")
            command.add_argument(
                "--last", type=int, default=None, help="the number of the last label shown; by default all"
            )
        elif name == "rates":
            command.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    try:
        _run(options)
    except TriageError as error:
        print(f"audit_labels: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except (EOFError, KeyboardInterrupt):
        sys.exit(130)  # what was judged is stored


def _run(options: argparse.Namespace) -> None:
    if options.command == "sample":
        if options.per_action < 1:
            raise UsageError("--per-action must be 1 or more")
        if options.file.exists():
            raise UsageError(f"{options.file}: exists, and may hold judgements; name another file")
        drawn = sample(options.data_dir / "emails_labeled.json", options.per_action, options.seed)
        write(options.file, drawn)
        print(f"{len(drawn)} labels to judge in {options.file}")
    elif options.command == "judge":
        judge(options.file, options.data_dir)
    elif options.command == "show":
        judgements = read(options.file)
        reader = Reader(options.data_dir, judgements)
        for number, judgement in list(enumerate(judgements, 1))[options.first - 1 : options.last]:
            print(f"\n===== {number} of {len(judgements)}\n{reader.show(judgement)}")
    else:
        figures = rates(read(options.file), _current(options.data_dir) if options.data_dir else None)
        print(json.dumps(figures, indent=2) if options.json else "\n".join(table(figures)))


if __name__ == "__main__":
    main()
