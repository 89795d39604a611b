"""Artifacts of a small corpus, pinned: the same mail and settings give the same bytes, whatever moves in the code.

A change that is meant to change them runs ``python tests/test_golden.py`` and says in its commit what changed and why.
"""

import hashlib
import json
import tempfile
from pathlib import Path

import pytest

from enron_triage import pipeline
from enron_triage.config.load import load_config
from enron_triage.policy.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow  # trains, or draws

MAIL = Path(__file__).with_name("golden") / "mail.tar.xz"  # 6 mailboxes of the demo corpus, as it was written once
GOLDEN = Path(__file__).with_name("golden") / "artifacts.json"
ARTIFACTS = ("emails.json", "parse_errors.json", "emails_labeled.json", "emails_unacted.json")
SPLITS = ("train.json", "val.json", "test.json", "split_metadata.json")
# No dropout and no trees: their draws and splits may differ between processors.
SETTINGS = (
    "pipeline.stages=[parse, label, split, sft]",
    "workers=1",
    "device=cpu",
    "model.hidden=[8]",
    "model.ensemble=1",
    "model.dropout=0",
    "model.boosting=0",
    "sft.epochs=1",
    "sft.batch_size=32",
    "features.text.epochs=1",
)
TOLERANCE = 1e-4


def artifacts_of(scheme, folder):
    """Digests of the data artifacts, and a summary of the weights after one epoch."""
    groups = "[metadata, text]" if scheme == "folder" else "[metadata, history, text]"
    overrides = [*SETTINGS, f"parse.source={MAIL}", f"label.scheme={scheme}", f"features.groups={groups}"]
    pipeline.run(load_config([], overrides, data_dir=str(folder / "data"), checkpoint_dir=str(folder / "checkpoints")))
    digests = {
        name: hashlib.sha256((folder / "data" / name).read_bytes()).hexdigest() for name in (*ARTIFACTS, *SPLITS)
    }
    return {"digests": digests, "weights": summary(load_checkpoint(folder / "checkpoints" / "stage_1.pt").weights)}


def summary(weights):
    """The mean, the root mean square and the first values of each tensor."""
    return {
        name: [float(values.double().mean()), float(values.double().square().mean().sqrt()), *first(values)]
        for name, values in weights.items()
    }


def first(values):
    return [float(value) for value in values.flatten()[:6]]


@pytest.mark.parametrize("scheme", ["received", "folder"])
def test_the_artifacts_of_a_small_corpus_are_what_they_were(scheme, tmp_path):
    golden = json.loads(GOLDEN.read_text())[scheme]
    found = artifacts_of(scheme, tmp_path)
    assert found["digests"] == golden["digests"]
    assert found["weights"].keys() == golden["weights"].keys()
    for name, values in golden["weights"].items():
        assert found["weights"][name] == pytest.approx(values, abs=TOLERANCE), name


if __name__ == "__main__":
    made = {}
    for each in ("received", "folder"):
        with tempfile.TemporaryDirectory() as temporary:
            made[each] = artifacts_of(each, Path(temporary))
    GOLDEN.write_text(json.dumps(made, indent=1) + "\n")
    print(f"-> {GOLDEN}")
