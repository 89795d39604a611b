#!/usr/bin/env python3
"""Compare the policy with its peers (other models) by cross-validation over people.

    pip install -e '.[peers]' -c constraints.txt
    python scripts/cross_validate.py --config enron --data-dir DATA --folds 5 --repetitions 1

Each person is tested once, with models that were trained on other people. Needs ``emails_labeled.json``; the models
that use the sentence encoder also need ``--vectors`` (see ``sentence_vectors.py``). In each fold, about 15% of the
other people are used for validation: to select the policy, to calibrate every model and to tune its thresholds. The
predictions of each model for each fold are stored in ``<data-dir>/cross_validation/``. A run that was stopped
therefore continues, and additional models or repetitions take only their own time.

Metrics are computed on the messages of all people together and averaged over the repetitions. Differences are paired.
Their 95% intervals are jackknife intervals over people (`intervals.jackknife_interval`). They show how much the result
would change with other people to test on, but not with other people to train on, for which there is no unbiased
estimate (Bengio and Grandvalet 2004). ``without_one_person`` in the JSON file is the range of the difference when one
person, whoever it is, is left out: it shows whether a single person decides.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from peers import Mail, check_packages
from peers_more import MORE_PEERS

from enron_triage.cli.advice import explained
from enron_triage.config.load import load_config
from enron_triage.config.schema import Config
from enron_triage.config.sources import ConfigSources
from enron_triage.errors import TriageError, UsageError
from enron_triage.features.dataset import Dataset, load_dataset
from enron_triage.labels.assignment import drop_copies
from enron_triage.labels.columns import read_columns
from enron_triage.labels.owner_report import people_of
from enron_triage.mail.body import split_body
from enron_triage.policy import intervals, metrics, probability_metrics
from enron_triage.policy.calibration import Calibration
from enron_triage.policy.checkpoint import load_checkpoint
from enron_triage.policy.decisions import Decision
from enron_triage.policy.inference import choose_device, predict_logits
from enron_triage.records import ACTION_NAMES, LabeledEmail
from enron_triage.runtime import artifacts, provenance
from enron_triage.runtime.code_digest import code_digest
from enron_triage.training import sft
from enron_triage.training.files import TrainingFiles
from enron_triage.training.trainer import Trainer

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
POLICY = "policy"
VAL_SHARE = 0.15  # of the people who are not tested
TRAIN, VAL, TEST = range(3)
BY_ACTION = "F1 by action, tuned"


class Corpus(msgspec.Struct):
    """All labelled messages, and the people they belong to.

    Attributes
    ----------
    mail : Mail
        The messages in the order of the artifact.
    person, message, timestamp : arrays of int, shape (messages,)
        The person by number; equal numbers for copies of one message; the time of arrival.
    """

    mail: Mail
    person: IntArray
    message: IntArray
    timestamp: IntArray


class Judged(msgspec.Struct):
    """A model's predictions for all messages, each from the fold that tests it.

    Attributes
    ----------
    log_p : array, shape (messages, actions)
        Calibrated log-probabilities.
    tuned : array of int, shape (messages,)
        Decisions by the thresholds tuned on validation.
    fold : array of int, shape (messages,)
        The fold that tests each message.
    seconds : array, shape (folds, 2)
        Wall and processor time of training, fold by fold.
    """

    log_p: FloatArray
    tuned: IntArray
    fold: IntArray
    seconds: FloatArray


def main() -> None:
    """Read the options, train what is missing, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", type=Path, action="append", default=[])
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--data-dir")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--models", nargs="+", choices=[POLICY, *MORE_PEERS], default=[POLICY, *MORE_PEERS])
    parser.add_argument("--vectors", type=Path, help="the output of sentence_vectors.py")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    try:
        check_packages(MORE_PEERS[name] for name in arguments.models if name != POLICY)
        config = load_config(arguments.config, arguments.overrides, data_dir=arguments.data_dir)
        corpus = read_corpus(config, arguments.vectors)
        repetitions = [
            judge(config, corpus, arguments.models, arguments.folds, number) for number in range(arguments.repetitions)
        ]
        results = compare(corpus, {name: [each[name] for each in repetitions] for name in arguments.models})
        if arguments.json:
            artifacts.write_json(arguments.json, results)
        print("\n".join(table(results)))
    except ImportError as error:
        _fail(f"needs {error.name}; run `pip install -e '.[peers]' -c constraints.txt`", 2)
    except TriageError as error:
        given = ConfigSources(
            files=tuple(arguments.config),
            overrides=tuple(arguments.overrides),
            top_level={"data_dir": arguments.data_dir},
        )
        _fail(str(explained(error, given)), error.exit_status)


def _fail(message: str, status: int) -> None:
    print(f"cross_validate.py: {message}", file=sys.stderr)
    sys.exit(status)


def read_corpus(config: Config, vectors: Path | None) -> Corpus:
    """Read the labelled messages and extract their features.

    Parameters
    ----------
    config : Config
        Where they are, and the feature groups.
    vectors : Path, optional
        The vectors of a sentence encoder, by user and fingerprint.
    """
    path = config.data / "emails_labeled.json"
    columns = read_columns(path)
    dataset = load_dataset(path, config.features, cache=config.data / "features", workers=config.pool)
    records, texts = [], []
    for record in artifacts.read_records(path, LabeledEmail):
        texts.append(f"{record.subject}\n{split_body(record).new}")
        record.body = ""  # nobody needs it any more
        records.append(record)
    meta = provenance.read_meta(path)
    people = people_of(columns.mailboxes, meta.counts.get("owners", {}) if meta else {})
    person = np.unique(np.asarray(people)[columns.mailbox], return_inverse=True)[1]
    mail = Mail(records, dataset, texts, None if vectors is None else _read_vectors(vectors, records))
    return Corpus(mail, person, columns.message, columns.timestamp)


def _read_vectors(path: Path, records: Sequence[LabeledEmail]) -> FloatArray:
    with np.load(path) as content:
        row = {key: index for index, key in enumerate(content["keys"].tolist())}
        try:
            rows = [row[f"{record.user} {record.fingerprint}"] for record in records]
        except KeyError as error:
            raise UsageError(f"{path}: lacks the message {error.args[0]}; run sentence_vectors.py again") from None
        return np.asarray(content["vectors"][rows], dtype=np.float32)


def assign(people: int, folds: int, fold: int, seed: int) -> IntArray:
    """The split of each person in one fold.

    Parameters
    ----------
    people : int
        How many there are.
    folds : int >= 2
        How many folds: over all of them, everybody is in test once.
    fold : int, 0 <= fold < folds
        Which one.
    seed : int
        Of the random order; each repetition has another.
    """
    order = np.random.default_rng(seed).permutation(people)
    tested = np.array_split(order, folds)[fold]
    others = np.roll(order, -int(np.flatnonzero(order == tested[-1])[0]) - 1)[: people - len(tested)]
    split = np.full(people, TRAIN)
    split[tested] = TEST
    split[others[: max(round(VAL_SHARE * len(others)), 1)]] = VAL
    return split


def judge(config: Config, corpus: Corpus, models: Sequence[str], folds: int, repetition: int) -> dict[str, Judged]:
    """The predictions of every model for all messages, in one repetition; stored results are not computed again.

    Parameters
    ----------
    config : Config
        The configuration of the policy, and where results are stored.
    corpus : Corpus
        The messages.
    models : sequence of str
        Their names.
    folds, repetition : int
        How many folds; and the number of the repetition, which seeds their order.
    """
    count = len(corpus.person)
    tested_by = np.zeros(count, np.int64)
    judged = {
        name: Judged(np.zeros((count, len(ACTION_NAMES))), np.zeros(count, np.int64), tested_by, np.zeros((folds, 2)))
        for name in models
    }
    for fold in range(folds):
        people = assign(int(corpus.person.max()) + 1, folds, fold, config.seed + repetition)
        split = drop_copies(corpus.message, people[corpus.person])
        rows = [_in_time_order(corpus, split == number) for number in (TRAIN, VAL, TEST)]
        tested_by[rows[TEST]] = fold
        folder = config.data / "cross_validation" / f"{folds}-folds-{repetition}-{fold}"
        for name in models:
            path = folder / f"{hashlib.sha256(name.encode()).hexdigest()[:12]}.npz"
            found = _stored(
                path, _key(config, name, corpus, rows), lambda n=name, r=rows, f=folder: _train(config, n, corpus, r, f)
            )
            judged[name].log_p[rows[TEST]], judged[name].tuned[rows[TEST]] = found["log_p"], found["tuned"]
            judged[name].seconds[fold] = found["seconds"]
            print(f"repetition {repetition}, fold {fold}: {name}", file=sys.stderr, flush=True)
    return judged


def _in_time_order(corpus: Corpus, wanted: npt.NDArray[np.bool_]) -> IntArray:
    rows = np.flatnonzero(wanted)
    return rows[np.argsort(corpus.timestamp[rows], kind="stable")]


def _key(config: Config, name: str, corpus: Corpus, rows: Sequence[IntArray]) -> str:
    """A digest of what a stored result depends on."""
    digest = hashlib.sha256(name.encode())
    for part in (*rows, corpus.mail.targets):
        digest.update(part.tobytes())
    decisive = [config.features, config.decision, config.rewards, config.seed]
    decisive += [config.model, config.sft, code_digest(sft.__name__)] if name == POLICY else []
    digest.update(msgspec.json.encode(decisive))
    return digest.hexdigest()


def _stored(path: Path, key: str, make: Callable[[], dict[str, FloatArray]]) -> dict[str, FloatArray]:
    """Read a result from its file, or compute and store it."""
    if path.exists():
        with np.load(path) as content:
            if str(content["key"]) == key:
                return {name: content[name] for name in ("log_p", "tuned", "seconds")}
    result = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    with artifacts.atomic_open(path) as file:
        np.savez(file, key=np.array(key), **result)
    return result


def _train(config: Config, name: str, corpus: Corpus, rows: Sequence[IntArray], folder: Path) -> dict[str, FloatArray]:
    """Train a model on one fold, and predict for the fold's test messages."""
    train, val, test = (_select(corpus.mail, part) for part in rows)
    started = time.perf_counter(), time.process_time()
    if name == POLICY:
        log_p, decision, seconds = _policy(config, train.dataset, val.dataset, test.dataset, folder)
    else:
        peer = MORE_PEERS[name](train, val, config.seed)
        seconds = time.perf_counter() - started[0], time.process_time() - started[1]
        val_logits = peer.logits(val)
        calibration = Calibration.fit(val_logits, val.targets, peer.shift)
        shares = np.bincount(train.targets, minlength=len(ACTION_NAMES)) / len(train.targets)
        decision = Decision.fit(
            config.decision, config.rewards.costs, shares, calibration.log_probabilities(val_logits), val.targets
        )
        log_p = calibration.log_probabilities(peer.logits(test))
    return {"log_p": log_p, "tuned": decision.decide(log_p, "thresholds"), "seconds": np.array(seconds)}


def _select(mail: Mail, rows: IntArray) -> Mail:
    """A subset of the messages."""
    index, whole = torch.from_numpy(rows), mail.dataset
    mailboxes, mailbox = np.unique(whole.mailbox[index].numpy(), return_inverse=True)
    dataset = Dataset(
        raw={name: values[index] for name, values in whole.raw.items()},
        targets=whole.targets[index],
        response_seconds=whole.response_seconds[index],
        mailbox=torch.from_numpy(mailbox),
        mailboxes=[whole.mailboxes[number] for number in mailboxes],
        scheme=whole.scheme,
    )
    vectors = None if mail.vectors is None else mail.vectors[rows]
    return Mail([mail.records[row] for row in rows], dataset, [mail.texts[row] for row in rows], vectors)


def _policy(
    config: Config, train: Dataset, val: Dataset, test: Dataset, folder: Path
) -> tuple[FloatArray, Decision, tuple[float, float]]:
    """Train the policy as the stage sft does; return its log-probabilities, its rules, and the time taken."""
    config = msgspec.structs.replace(config, data_dir=str(folder), checkpoint_dir=str(folder / "checkpoints"))
    files = TrainingFiles.of_stage("sft", config)
    started = time.perf_counter(), time.process_time()
    objective = sft.SftObjective(config, train, val, choose_device(config.device))
    Trainer(objective, config.sft, files, seed=config.seed_of(config.sft), run_fingerprint="").train(resume=False)
    seconds = time.perf_counter() - started[0], time.process_time() - started[1]
    checkpoint = load_checkpoint(files.best)
    logits = predict_logits(checkpoint.policy(torch.device("cpu")), checkpoint.features.transform(test))
    return checkpoint.calibration.log_probabilities(logits.numpy()), checkpoint.decision, seconds


Statistic = Callable[[IntArray], FloatArray]  # takes how often each person counts, shape (weightings, people)


def statistics(corpus: Corpus, judged: Judged) -> dict[str, Statistic]:
    """Each metric as a function of the weight of each person.

    Parameters
    ----------
    corpus : Corpus
        The messages.
    judged : Judged
        What a model says of them.
    """
    targets, person = corpus.mail.targets, corpus.person
    count = int(person.max()) + 1
    answered = probability_metrics.needs_reply(targets)
    score = probability_metrics.reply_probability(np.exp(judged.log_p))
    losses = -judged.log_p[np.arange(len(targets)), targets]
    loss_sums, sizes = np.bincount(person, losses, count), np.bincount(person, minlength=count)
    plain, tuned = (_confusions(targets, found, person) for found in (judged.log_p.argmax(axis=1), judged.tuned))
    return {
        "Accuracy": lambda counts: metrics.accuracy(np.tensordot(counts, plain, axes=1)),
        "Macro-F1": lambda counts: metrics.macro_f1(np.tensordot(counts, plain, axes=1)),
        "Macro-F1, tuned": lambda counts: metrics.macro_f1(np.tensordot(counts, tuned, axes=1)),
        "Reply AUC": lambda counts: intervals.weighted_roc_auc(answered, score, counts[:, person]),
        "Reply AP": lambda counts: weighted_average_precision(answered, score, counts[:, person]),
        "Log loss": lambda counts: (counts @ loss_sums) / (counts @ sizes),
    }


def _confusions(targets: IntArray, found: IntArray, person: IntArray) -> IntArray:
    """The confusion matrix of each person, or of each fold."""
    classes = len(ACTION_NAMES)
    counts = np.bincount((person * classes + targets) * classes + found, minlength=(person.max() + 1) * classes**2)
    return counts.reshape(-1, classes, classes)


def weighted_average_precision(is_positive: npt.NDArray[np.bool_], score: FloatArray, weights: IntArray) -> FloatArray:
    """Average precision for many weightings of the same messages: see `probability_metrics.average_precision`.

    Parameters
    ----------
    is_positive : array of bool, shape (messages,)
        Which messages are positive.
    score : array, shape (messages,)
        The score of each message.
    weights : array of int, shape (weightings, messages)
        How often each message counts.
    """
    order = np.argsort(-score, kind="stable")
    starts = np.unique(-score[order], return_index=True)[1]
    found = np.empty(len(weights))
    for row, weight in enumerate(weights):
        positives = np.add.reduceat(np.where(is_positive, weight, 0)[order], starts).astype(float)
        all_so_far = np.cumsum(np.add.reduceat(weight[order], starts))
        precision = np.cumsum(positives) / np.maximum(all_so_far, 1)
        found[row] = (positives * precision).sum() / positives.sum() if positives.any() else np.nan
    return found


def compare(corpus: Corpus, results: dict[str, list[Judged]]) -> dict[str, dict[str, object]]:
    """The metrics of every model, and the policy's difference from it with an interval.

    Parameters
    ----------
    corpus : Corpus
        The messages.
    results : dict of str to list of Judged
        By model, one for each repetition.
    """
    sizes = np.bincount(corpus.person)
    everybody = np.ones((1, len(sizes)), dtype=np.int64)
    known = {name: [statistics(corpus, run) for run in runs] for name, runs in results.items()}
    rows: dict[str, dict[str, object]] = {}
    for name, runs in results.items():
        probabilities = [np.exp(run.log_p) for run in runs]
        row: dict[str, object] = {metric: float(_mean(known[name], metric)(everybody)[0]) for metric in known[name][0]}
        row["Calibration error"] = float(
            np.mean([probability_metrics.expected_calibration_error(p, corpus.mail.targets) for p in probabilities])
        )
        row[BY_ACTION] = f1_by_action(corpus.mail.targets, runs)
        row["seconds"], row["processor seconds"] = np.mean([run.seconds for run in runs], axis=(0, 1)).tolist()
        if POLICY in results and name != POLICY:
            row["difference"] = {
                metric: _difference(sizes, _mean(known[POLICY], metric), _mean(known[name], metric))
                for metric in known[name][0]
            }
        rows[name] = row
    return rows


def f1_by_action(targets: IntArray, runs: Sequence[Judged]) -> dict[str, list[float]]:
    """The F1 of each action with tuned thresholds: mean and standard deviation over the folds of all repetitions.

    Folds that neither contain nor predict an action do not count for it.

    Parameters
    ----------
    targets : array of int, shape (messages,)
        The index of each message's action.
    runs : sequence of Judged
        A model's predictions, one for each repetition.
    """
    folds = [metrics.precision_recall_f1(_confusions(targets, run.tuned, run.fold))[2] for run in runs]
    scores = np.ma.masked_invalid(np.concatenate(folds))
    means, deviations = (values.filled(np.nan).tolist() for values in (scores.mean(axis=0), scores.std(axis=0, ddof=1)))
    return {name: [mean, sd] for name, mean, sd in zip(ACTION_NAMES, means, deviations, strict=True)}


def _mean(runs: Sequence[dict[str, Statistic]], metric: str) -> Statistic:
    """The mean of a metric over repetitions."""
    return lambda counts: np.mean([run[metric](counts) for run in runs], axis=0)


def _difference(sizes: IntArray, first: Statistic, second: Statistic) -> dict[str, object]:
    def difference(counts: IntArray) -> FloatArray:
        return first(counts) - second(counts)

    everybody = np.ones((1, len(sizes)), dtype=np.int64)
    without_one = difference(1 - np.eye(len(sizes), dtype=np.int64))
    return {
        "value": float(difference(everybody)[0]),
        "interval": intervals.jackknife_interval(sizes, difference),
        "without_one_person": [float(without_one.min()), float(without_one.max())],
    }


def table(results: dict[str, dict[str, object]]) -> Iterator[str]:
    """The metrics, the F1 of each action and the differences, as Markdown.

    Parameters
    ----------
    results : dict
        As `compare` gives them.
    """
    columns = [column for column in next(iter(results.values())) if column not in ("difference", BY_ACTION)]
    yield "| Model | " + " | ".join(columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for name, row in results.items():
        yield (
            f"| {name} | " + " | ".join(f"{row[c]:.0f}" if "seconds" in c else f"{row[c]:.4f}" for c in columns) + " |"
        )
    yield ""
    yield f"| {BY_ACTION} | " + " | ".join(ACTION_NAMES) + " |"
    yield "|---" * (len(ACTION_NAMES) + 1) + "|"
    for name, row in results.items():
        yield f"| {name} | " + " | ".join(f"{mean:.4f} ± {sd:.4f}" for mean, sd in row[BY_ACTION].values()) + " |"
    with_difference = {name: row["difference"] for name, row in results.items() if "difference" in row}
    if not with_difference:
        return
    compared = list(next(iter(with_difference.values())))
    yield ""
    yield "| Policy minus | " + " | ".join(f"{metric} [95%]" for metric in compared) + " |"
    yield "|---" * (len(compared) + 1) + "|"
    for name, row in with_difference.items():
        yield f"| {name} | " + " | ".join(_cell(row[metric]) for metric in compared) + " |"


def _cell(difference: dict[str, object]) -> str:
    ends = difference["interval"]
    return f"{difference['value']:+.4f}" + ("" if ends is None else f" [{ends[0]:+.4f}, {ends[1]:+.4f}]")


if __name__ == "__main__":
    main()
