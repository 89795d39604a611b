#!/usr/bin/env python3
"""Time the stages, and compare them with a floor and with other parsers and models.

    python scripts/benchmark.py --source path/to/maildir --archive mail.tar.xz --scaling --training --json figures.json

Each measurement runs in its own process, ``--repeats`` times, alternating with the others; the median is reported. The
floor is the time that one core needs to open, read, decode (latin-1), encode (JSON) and write every file without
parsing it. For an archive, it is the time to read every member with ``tarfile``. Peak memory is the proportional set
size of all processes of a measurement, sampled every 50 ms (Linux). The parsers and models of the extra ``peers`` are
measured if they are installed.
"""

from __future__ import annotations

import argparse
import contextlib
import email
import email.policy
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import msgspec

SAMPLE_SECONDS = 0.05
SHARES = (1 / 8, 1 / 4, 1 / 2, 1, 2)  # of the corpus
TOKEN = b" zzcopy%d"  # added to the messages of each further copy of the corpus, so that they are others
STAGES = ("parse", "label", "split")
SPLITS = ("train", "val", "test")
Figures = dict[str, Any]


class Measurement(NamedTuple):
    """A command to time, the number of messages that it processes, and the measurement to compare it with."""

    command: list[str]
    count: Callable[[], int]
    floor: str = "floor"


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--source", type=Path, required=True, help="mail in the layout maildir/<owner>/<folder...>/<file>"
    )
    parser.add_argument("--archive", type=Path, help="the same as a .tar.gz or .tar.xz, parsed without unpacking")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--scaling", action="store_true", help="also run the data stages on parts and multiples of the corpus"
    )
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="the parts or multiples of the corpus")
    parser.add_argument("--training", action="store_true", help="also compare training with scikit-learn and LightGBM")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--only", choices=tuple(PLAIN), help=argparse.SUPPRESS)  # how this script calls itself
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        PLAIN[arguments.only](arguments.source, arguments.output)
        return
    if not arguments.source.is_dir():
        parser.error(f"--source {arguments.source}: no such folder")
    if any(share <= 0 or (share > 1 and share % 1) for share in arguments.shares):
        parser.error("--shares: parts of the corpus between 0 and 1, or whole multiples")
    if arguments.archive and not arguments.archive.is_file():
        parser.error(f"--archive {arguments.archive}: no such file")
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures["stages"] = measure(measurements(arguments, folder), arguments.repeats)
        print("\n".join(table(figures["stages"])))
        if arguments.training:
            _run(_itself("training", folder, folder / "training.json"))
            figures["training"] = json.loads((folder / "training.json").read_text())
            print("\n".join(["", *training_table(figures["training"])]))
    if arguments.scaling:
        figures["scaling"] = scaling(arguments)
        print("\n".join(["", *scaling_table(figures["scaling"])]))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def measurements(arguments: argparse.Namespace, folder: Path) -> dict[str, Measurement]:
    """All measurements by name; the stages write their artifacts to `folder`."""
    messages = sum(1 for _ in _files(arguments.source))
    parsers = ["floor", "email package"] + [name for name in PEERS if importlib.util.find_spec(PEERS[name])]
    found = {
        name: Measurement(_itself(name, arguments.source, folder / "parsed"), lambda: messages) for name in parsers
    }
    found |= _stages(arguments.source, folder, arguments.workers, messages)
    if arguments.archive:
        command = _itself("stream archive", arguments.archive, folder / "parsed")
        found["stream archive"] = Measurement(command, lambda: messages, "stream archive")
        command = _triage("parse", arguments.archive, folder / "archive", arguments.workers)
        found["parse archive"] = Measurement(command, lambda: messages, "stream archive")
    return found


def measure(commands: dict[str, Measurement], repeats: int) -> Figures:
    """Median seconds, peak memory, messages/s and the ratio to the floor of every measurement."""
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, measurement in commands.items():
            runs[name].append(_run(measurement.command))
    seconds = {name: median(seconds for seconds, _ in found) for name, found in runs.items()}
    return {
        name: {
            "seconds": seconds[name],
            "peak_megabytes": max(peak for _, peak in runs[name]),
            "messages": measurement.count(),
            "messages_per_second": measurement.count() / seconds[name],
            "times_the_floor": seconds[name] / seconds[measurement.floor] if measurement.floor in seconds else None,
        }
        for name, measurement in commands.items()
    }


def table(measured: Figures) -> Iterator[str]:
    """The figures as Markdown."""
    yield "| Measurement | Seconds | Messages/s | Peak MB | Times the floor |"
    yield "|---|---|---|---|---|"
    for name, of in measured.items():
        rates = f"{of['seconds']:.2f} | {of['messages_per_second']:,.0f} | {of['peak_megabytes']:,.0f}"
        yield f"| {name} | {rates} | {of['times_the_floor']:.2f} |"


def scaling(arguments: argparse.Namespace) -> Figures:
    """Time the data stages on parts and multiples of the corpus, once each."""
    found = {}
    for share in sorted(arguments.shares):
        with tempfile.TemporaryDirectory() as name:
            corpus = Path(name, "corpus")
            messages = _write_share(arguments.source, corpus, share)
            found[f"{share:g}"] = measure(_stages(corpus, Path(name), arguments.workers, messages), 1)
    return found


def scaling_table(measured: Figures) -> Iterator[str]:
    """Time and memory by corpus size, and the cost of an additional message in the last doubling, as Markdown."""
    names = list(next(iter(measured.values())))
    yield f"| Corpus | Messages | {' | '.join(f'{name}: s, MB' for name in names)} |"
    yield f"|{'---|' * (len(names) + 2)}"
    for share, of in measured.items():
        cells = [f"{of[name]['seconds']:.1f}, {of[name]['peak_megabytes']:.0f}" for name in names]
        yield f"| {share} | {of['parse']['messages']:,} | {' | '.join(cells)} |"
    first, last = (list(measured.values())[place] for place in (-2, -1))
    cells = []
    for name in names:
        more = last[name]["messages"] - first[name]["messages"]
        microseconds = (last[name]["seconds"] - first[name]["seconds"]) / more * 1e6
        size = (last[name]["peak_megabytes"] - first[name]["peak_megabytes"]) / more * 1e6
        cells.append(f"{microseconds:.0f} µs, {size:.0f} B")
    yield f"| a message more | | {' | '.join(cells)} |"


def training_table(measured: Figures) -> Iterator[str]:
    """Seconds and quality on validation, as Markdown."""
    yield "| Training on the same matrix | Seconds | Times SGD | Validation log loss | Accuracy |"
    yield "|---|---|---|---|---|"
    for name, of in measured.items():
        ratio = of["seconds"] / measured["SGD"]["seconds"]
        quality = " | ".join(f"{of[key]:.4f}" if key in of else "" for key in ("log_loss", "accuracy"))
        yield f"| {name} | {of['seconds']:.2f} | {ratio:.2f} | {quality} |"


def _stages(source: Path, folder: Path, workers: int, messages: int) -> dict[str, Measurement]:
    """The data stages and feature extraction, in order, from `source` to `folder`."""
    found = {stage: Measurement(_triage(stage, source, folder, workers), lambda: messages) for stage in STAGES}
    splits = [folder / f"{split}.json" for split in SPLITS]
    command = [*_itself("features", folder, folder / "features"), "--workers", str(workers)]
    return found | {
        "features": Measurement(command, lambda: sum(path.read_bytes().count(b"\n") - 2 for path in splits))
    }


def _itself(name: str, source: Path, output: Path) -> list[str]:
    return [sys.executable, __file__, "--source", str(source), "--only", name, "--output", str(output)]


def _triage(stage: str, source: Path, folder: Path, workers: int) -> list[str]:
    settings = ["--set", f"parse.source={source}", "--set", f"workers={workers}"]
    return [sys.executable, "-m", "enron_triage", stage, "-q", *settings, "--data-dir", str(folder)]


def _write_share(source: Path, corpus: Path, share: float) -> int:
    """Copy some mailboxes, or all several times (with other names and an added token); return the message count."""
    owners = sorted(path for path in source.iterdir() if path.is_dir())
    messages = 0
    every = min(round(1 / share), len(owners) // 3) if share < 1 else 1  # a split needs three mailboxes
    for owner in owners[:: max(every, 1)]:
        for file in _files(owner):
            messages += _place(Path(file), corpus / Path(file).relative_to(source))
    for copy in range(1, round(share)):
        for owner in owners:
            messages += _write_copy(owner, corpus / f"{owner.name}-{copy}", TOKEN % copy)
    return messages


def _write_copy(owner: Path, target: Path, token: bytes) -> int:
    """Write a copy of a mailbox, with a token at the end of each subject (the beginning marks replies) and body."""
    messages = 0
    for file in _files(owner):
        head, colon, rest = Path(file).read_bytes().partition(b"Subject:")
        subject, line_end, rest = rest.partition(b"\n")
        subject = subject.rstrip(b"\r") + token if colon else subject
        other = target / Path(file).relative_to(owner)
        other.parent.mkdir(parents=True, exist_ok=True)
        messages += bool(other.write_bytes(head + colon + subject + line_end + rest + token))
    return messages


def _place(file: Path, target: Path) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except OSError:  # on another file system
        shutil.copyfile(file, target)
    return 1


def _floor(source: Path, output: Path) -> None:
    """Open, read, decode, encode, write."""
    encode = msgspec.json.Encoder().encode
    with output.open("wb") as file:
        for path in _files(source):
            with open(path, "rb") as message:
                file.write(encode({"path": path, "body": message.read().decode("latin-1")}))


def _email_package(source: Path, output: Path) -> None:
    """The standard library's parser in a plain loop: headers and text."""
    encode = msgspec.json.Encoder().encode
    with output.open("wb") as file:
        for path in _files(source):
            with open(path, "rb") as raw:
                message = email.message_from_binary_file(raw, policy=email.policy.compat32)
            headers = {name.lower(): str(value) for name, value in message.items()}
            body = message.get_payload(decode=True) or b""
            assert isinstance(body, bytes)
            file.write(encode({"path": path, "headers": headers, "body": body.decode("latin-1")}))


def _mail_parser(source: Path, output: Path) -> None:
    import mailparser

    encode = msgspec.json.Encoder().encode
    with output.open("wb") as file:
        for path in _files(source):
            mail = mailparser.parse_from_bytes(Path(path).read_bytes())
            file.write(encode({"path": path, "headers": mail.headers, "body": mail.body}))


def _fast_mail_parser(source: Path, output: Path) -> None:
    import fast_mail_parser

    encode = msgspec.json.Encoder().encode
    with output.open("wb") as file:
        for path in _files(source):
            with contextlib.suppress(fast_mail_parser.ParseError):
                mail = fast_mail_parser.parse_email(Path(path).read_bytes())
                file.write(encode({"path": path, "headers": mail.headers, "body": mail.text_plain}))


def _stream_archive(source: Path, output: Path) -> None:
    """Read every member of an archive; nothing is written."""
    with tarfile.open(source, "r|*") as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is not None:
                content.read()
            tar.members.clear()


def _features(source: Path, output: Path) -> None:
    """Extract the features of the splits; `source` is the data folder."""
    from enron_triage.config.training import FeaturesConfig
    from enron_triage.features.dataset import load_dataset

    shutil.rmtree(output, ignore_errors=True)
    workers = int(sys.argv[sys.argv.index("--workers") + 1])
    for split in SPLITS:
        load_dataset(source / f"{split}.json", FeaturesConfig(), cache=output, workers=workers)


def _training(source: Path, output: Path) -> None:
    """Train the policy and its peers on the same matrix; `source` is the data folder."""
    import torch
    from sklearn.linear_model import SGDClassifier
    from sklearn.metrics import accuracy_score, log_loss

    from enron_triage.config.load import load_config
    from enron_triage.features.dataset import load_dataset
    from enron_triage.features.transform import FeatureTransform
    from enron_triage.policy.boosting import fit_trees
    from enron_triage.training.files import TrainingFiles
    from enron_triage.training.sft import SftObjective
    from enron_triage.training.trainer import Trainer

    config = load_config([], [], data_dir=str(source), checkpoint_dir=str(source))
    rounds, power, seed = config.model.boosting, config.sft.mailbox_weights_power, config.seed_of(config.sft)
    train, val = (
        load_dataset(source / f"{split}.json", config.features, cache=source / "features", workers=1)
        for split in ("train", "val")
    )
    found: Figures = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        result = work()
        found[name] = {"seconds": time.perf_counter() - started}
        return result

    transform, features = timed(
        "scores of the text",
        lambda: FeatureTransform.fit_transform(train, config.features, mailbox_weights_power=power, seed=seed),
    )
    matrix, val_matrix = features.numpy(), transform.transform(val).numpy()
    targets, weights, truth = train.targets.numpy(), train.sample_weight(power).numpy(), val.targets.numpy()

    def peer(name: str, model: Any) -> None:
        timed(name, lambda: model.fit(matrix, targets, sample_weight=weights))
        probabilities = model.predict_proba(val_matrix)
        found[name] |= {
            "log_loss": log_loss(truth, probabilities, labels=model.classes_),
            "accuracy": accuracy_score(truth, model.classes_[probabilities.argmax(axis=1)]),
        }

    peer("SGD", SGDClassifier(loss="log_loss", max_iter=config.sft.epochs, tol=None, n_jobs=-1, random_state=0))
    if importlib.util.find_spec("lightgbm"):
        from lightgbm import LGBMClassifier

        settings = {"n_estimators": rounds, "learning_rate": 0.05, "num_leaves": 31, "min_child_samples": 40}
        peer("LightGBM", LGBMClassifier(**settings, reg_lambda=5.0, colsample_bytree=0.5, verbose=-1, random_state=0))
    timed("the policy's trees", lambda: fit_trees(matrix, targets, weights, iterations=rounds, seed=seed))
    objective = SftObjective(config, train, val, torch.device("cpu"))
    files = TrainingFiles(output.parent, "sft", 1)
    trainer = Trainer(objective, config.sft, files, seed=seed, run_fingerprint="")
    history = timed("the policy's networks", lambda: trainer.train(resume=False))
    best = history[history[-1].best_epoch - 1].validation
    found["the policy's networks"] |= {"log_loss": best.val_loss, "accuracy": best.accuracy}
    found["of them, an epoch"] = {"seconds": median(epoch.seconds for epoch in history)}
    output.write_text(json.dumps(found))


PEERS = {"mail-parser": "mailparser", "fast-mail-parser": "fast_mail_parser"}
PLAIN: dict[str, Callable[[Path, Path], None]] = {
    "floor": _floor,
    "email package": _email_package,
    "mail-parser": _mail_parser,
    "fast-mail-parser": _fast_mail_parser,
    "stream archive": _stream_archive,
    "features": _features,
    "training": _training,
}


def _files(source: Path) -> Iterator[str]:
    for folder, _, names in os.walk(source):
        for name in names:
            yield f"{folder}/{name}"


def _run(command: list[str]) -> tuple[float, float]:
    """Seconds and peak memory in MB of a command with all its processes."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True)
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, sum(_proportional_set_size(pid) for pid in _session(process.pid)))
            time.sleep(SAMPLE_SECONDS)
        seconds = time.perf_counter() - started
        stderr.seek(0)
        errors = stderr.read().decode()
    if process.returncode:
        sys.exit(f"benchmark.py: {' '.join(command)} failed: {errors.strip()}")
    return seconds, peak / 1000


def _session(leader: int) -> list[int]:
    """The processes of a session."""
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            if os.getsid(int(entry)) == leader:
                found.append(int(entry))
    return found


def _proportional_set_size(pid: int) -> int:
    """The proportional set size of a process in kB; 0 if it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


if __name__ == "__main__":
    main()
