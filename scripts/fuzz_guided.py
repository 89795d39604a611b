#!/usr/bin/env python3
"""Search for hostile mail by coverage (atheris, libFuzzer): mutate what reaches new code of parsing and labelling.

    pip install atheris==3.0.0
    python scripts/fuzz_guided.py /tmp/guided -max_total_time=600 -timeout=5 -rss_limit_mb=2000

The first argument is a folder: the messages that reached something new are kept in ``corpus`` there, and the same
command continues from them. A message that leads to anything but a record or an entry of ``parse_errors.json``, or that
takes longer than ``-timeout``, is kept next to it as ``crash-*`` or ``timeout-*``. All other arguments are libFuzzer's
(``-help=1``). Half of the mutations are libFuzzer's own, half are those of `fuzzing.mutations`. `fuzz.py` runs whole
stages.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import atheris
import msgspec

with atheris.instrument_imports(include=["enron_triage.mail", "enron_triage.labels"]):
    from enron_triage.labels.label import label_mailbox
    from enron_triage.mail.message import parse_message

from fuzzing.mutations import mutated

from enron_triage.config.data import LabelConfig
from enron_triage.mail.demo.corpus import write_demo

_SEEDS = 300  # messages of the demo corpus to begin with
_LARGEST = 2**16  # bytes: coverage is found in small messages, and `fuzz.py` tries large ones
_SETTINGS = LabelConfig(owner={"owner": ["owner@x.example"]})


def main() -> None:
    """Write the first messages, and give the rest to libFuzzer."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    work = Path(sys.argv[1]).resolve()
    corpus = work / "corpus"
    if not corpus.exists():
        write_demo(work / "demo", 1, 3, 200)
        corpus.mkdir()
        for number, path in enumerate(sorted(path for path in (work / "demo").rglob("*") if path.is_file())[:_SEEDS]):
            (corpus / f"demo-{number}").write_bytes(path.read_bytes())
    arguments = [sys.argv[0], str(corpus), f"-artifact_prefix={work}/", f"-max_len={_LARGEST}", *sys.argv[2:]]
    atheris.Setup(arguments, try_message, custom_mutator=mutate)
    atheris.Fuzz()


def try_message(raw: bytes) -> None:
    """Parse a message, then label a mailbox in which the owner received it and answered it with its own text.

    Parameters
    ----------
    raw : bytes
        The message.
    """
    try:
        received = parse_message(raw, path="owner/inbox/1.", user="owner", folder="inbox")
    except ValueError:  # an entry of parse_errors.json
        return
    answer = msgspec.structs.replace(
        received,
        path="owner/sent/1.",
        folder="sent",
        sender="owner@x.example",
        subject=f"Re: {received.subject}",
        timestamp=None if received.timestamp is None else received.timestamp + 60,
        fingerprint=f"{received.fingerprint} answer",
    )
    label_mailbox([received, answer], _SETTINGS)


def mutate(raw: bytes, largest: int, seed: int) -> bytes:
    """Damage a message.

    Parameters
    ----------
    raw : bytes
        The message.
    largest : int
        The most bytes that it may have then.
    seed : int
        Decides what is done.
    """
    random = Random(seed)
    if random.random() < 0.5:
        return bytes(atheris.Mutate(raw, largest))
    return mutated(random, raw)[1][:largest]


if __name__ == "__main__":
    main()
