"""The scripts that compare run from the labelled messages to their tables, with what needs no extra."""

import importlib
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from enron_triage import pipeline
from enron_triage.config.load import load_config
from enron_triage.policy import probability_metrics
from enron_triage.records import ACTION_NAMES

pytestmark = pytest.mark.slow  # other processes, or a whole pipeline

SCRIPTS = Path(__file__).parents[1] / "scripts"
SMALL = ["sft.epochs=1", "model.hidden=[8]", "model.ensemble=1", "model.boosting=2", "workers=1", "device=cpu"]
CHEAP = ["majority", "calendar", "sender habit", "TF-IDF + logistic regression"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder with the labelled messages of a small demo corpus, and splits."""
    folder = tmp_path_factory.mktemp("peers")
    small = ["download.source=demo", "download.demo.mailboxes=10", "download.demo.messages=900"]
    stages = "pipeline.stages=[download, parse, label, split]"
    pipeline.run(load_config([], [*small, *SMALL, stages], data_dir=str(folder)))
    return folder


def run(script, *arguments):
    overrides = [word for setting in SMALL for word in ("--set", setting)]
    command = [sys.executable, str(SCRIPTS / script), *overrides, *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_policy_and_peers_stand_in_one_table_with_their_paired_differences(data, tmp_path):
    done = run(
        *("compare_peers.py", "--data-dir", str(data), "--split-seeds", "1", "2"),
        *("--json", str(tmp_path / "all.json"), "--peers", *CHEAP),
    )
    assert done.returncode == 0, done.stderr
    rows = {line.split("|")[1].strip(): line for line in done.stdout.splitlines() if line.startswith("| ")}
    assert {"policy", *CHEAP, "Policy minus"} <= rows.keys()
    results = json.loads((tmp_path / "all.json").read_text())["results"]
    assert all(len(runs) == 2 for runs in results.values())
    for runs in results.values():
        assert all(0 <= scores[name] <= 1 for scores in runs for name in ("accuracy", "reply_auc", "ece"))
    assert results["majority"][0]["reply_auc"] == 0.5
    difference = sum(a["ece"] - b["ece"] for a, b in zip(results["policy"], results["majority"], strict=True)) / 2
    assert f"{difference:+.4f}" in done.stdout.split("Policy minus")[1]


def test_what_is_missing_is_one_line(tmp_path):
    done = run("compare_peers.py", "--data-dir", str(tmp_path))
    assert done.returncode == 2
    assert "emails_labeled.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_everybody_is_tested_once_and_what_is_stored_is_not_trained_again(data, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    overrides = [word for setting in SMALL for word in ("--set", setting)]
    found = tmp_path / "all.json"

    def cross_validate(*models):
        options = ["--data-dir", str(data), "--folds", "3", "--json", str(found), "--models", *models]
        monkeypatch.setattr(sys, "argv", ["cross_validate.py", *overrides, *options])
        importlib.import_module("cross_validate").main()
        return json.loads(found.read_text())

    results = cross_validate("policy", "majority", "sender habit")
    assert results["majority"]["Macro-F1"] < results["sender habit"]["Macro-F1"]
    assert all(set(of["F1 by action, tuned"]) == set(ACTION_NAMES) for of in results.values())
    difference = results["majority"]["difference"]["Log loss"]
    low, high = difference["interval"]
    assert low < difference["value"] < high
    least, most = difference["without_one_person"]
    assert least < difference["value"] < most
    assert difference["value"] == pytest.approx(results["policy"]["Log loss"] - results["majority"]["Log loss"])
    assert f"{difference['value']:+.4f} [{low:+.4f}, {high:+.4f}]" in capsys.readouterr().out
    stored = {path: path.stat().st_mtime_ns for path in (data / "cross_validation").rglob("*.npz")}
    assert len(stored) == 3 * len(results)
    assert cross_validate("policy", "majority", "calendar")["policy"] == results["policy"]
    assert {path: path.stat().st_mtime_ns for path in stored} == stored


def test_in_every_fold_train_val_and_test_are_different_people(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    assign = importlib.import_module("cross_validate").assign
    folds = [assign(11, 4, fold, seed=3) for fold in range(4)]
    assert sum((split == 2).astype(int) for split in folds).tolist() == [1] * 11
    assert all(set(split.tolist()) == {0, 1, 2} for split in folds)
    assert (folds[0] != assign(11, 4, 0, seed=4)).any()


def test_weighted_average_precision_counts_a_message_as_often_as_its_weight_says(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    weighted = importlib.import_module("cross_validate").weighted_average_precision
    generator = np.random.default_rng(0)
    positive, score = generator.random(60) < 0.3, generator.integers(0, 9, 60) / 9
    weights = generator.integers(0, 4, (3, 60))
    expected = [
        probability_metrics.average_precision(np.repeat(positive, weight), np.repeat(score, weight))
        for weight in weights
    ]
    np.testing.assert_allclose(weighted(positive, score, weights), expected)


def test_the_learning_curve_has_a_row_for_each_number_of_mailboxes(data):
    done = run("learning_curve.py", "--data-dir", str(data), "--mailboxes", "2", "4")
    assert done.returncode == 0, done.stderr
    rows = [line.split("|") for line in done.stdout.splitlines()[2:]]
    assert [int(row[1]) for row in rows] == [2, 4]
    assert int(rows[0][2]) < int(rows[1][2])


def test_refined_policies_stand_beside_their_start_and_the_simple_alternative(data, tmp_path):
    small = [word for name in ("dpo", "grpo") for word in ("--set", f"{name}.epochs=1")]
    done = run(
        *("compare_refined.py", "--data-dir", str(data), "--checkpoint-dir", str(tmp_path / "checkpoints")),
        *("--seeds", "1", *small),
    )
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()[2:]]
    names = [row[0] for row in rows]
    assert names[0] == "SFT"
    assert "SFT + GRPO exact" in names
    assert "SFT focal + balanced + DPO (dpo.yaml)" in names
    for row in rows:
        reward, alternative, gain = (float(row[i].split(" ")[0]) for i in (8, 9, 10))
        assert gain == pytest.approx(reward - alternative, abs=2e-4)
        assert row[11].startswith("beats the alternative in ")
    assert len({row[9] for row in rows if row[0].startswith("SFT focal")}) == 1  # one start, one alternative


def test_a_few_preferences_are_set_against_none_and_against_labels(data, tmp_path):
    overrides = [*SMALL, "features.groups=[metadata]"]
    config = load_config([], overrides, data_dir=str(data), checkpoint_dir=str(tmp_path))
    pipeline.run_stage("sft", config)
    script = [sys.executable, str(SCRIPTS / "adapt_mailbox.py"), "--data-dir", str(data), "--split", "val"]
    options = ["--checkpoint", str(tmp_path / "best_sft.pt"), "--pairs", "10", "--later", "5", "--steps", "5"]
    done = subprocess.run([*script, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()[2:]]
    assert [row[2] for row in rows] == ["none", "preferences (DPO)", "labels (SFT)"]
    assert len({row[1] for row in rows}) == 1
    assert int(rows[0][1]) >= 1
    assert len({row[5] for row in rows}) == 3  # each has a log loss of its own


def test_a_simulated_wish_is_followed_the_more_the_more_it_was_judged(data, tmp_path):
    config = load_config([], SMALL, data_dir=str(data), checkpoint_dir=str(tmp_path))
    pipeline.run_stage("sft", config)
    done = run(
        *("simulate_annotator.py", "--config", "dpo_judgements", "--data-dir", str(data)),
        *("--checkpoint-dir", str(tmp_path), "--judgements", "10", "200", "--seeds", "2", "--error", "0"),
        *("--set", "dpo.learning_rate=0.01"),
    )
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()[2:]]
    assert [row[:2] for row in rows] == [
        ["none", "0"],
        *(["uncertain", "10"], ["uncertain", "200"]),
        *(["random", "10"], ["random", "200"]),
    ]
    deleted = [float(row[2].split()[0]) for row in rows]
    assert deleted[0] > deleted[2]
    assert deleted[0] > deleted[4]
    assert float(rows[0][7]) == 1.0


def test_the_benchmark_sets_every_stage_against_the_floor(tiny_corpus, tmp_path):
    archive = tmp_path / "mail.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tiny_corpus, "maildir")
    options = ["--source", str(tiny_corpus), "--archive", str(archive), "--repeats", "1", "--workers", "1"]
    script = [sys.executable, str(SCRIPTS / "benchmark.py")]
    done = subprocess.run(
        [*script, *options, "--scaling", "--shares", "0.5", "3", "--json", str(tmp_path / "b.json")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "b.json").read_text())
    measured = figures["stages"]
    stages = {"parse", "label", "split", "features"}
    archived = {"stream archive", "parse archive"}
    assert set(measured) - {"mail-parser", "fast-mail-parser"} == {"floor", "email package"} | stages | archived
    files = sum(path.is_file() for path in tiny_corpus.rglob("*"))
    for name, values in measured.items():
        assert values["messages_per_second"] * values["seconds"] == pytest.approx(values["messages"])
        assert values["messages"] == files or name == "features"
        assert values["peak_megabytes"] > 5
        floor = measured["stream archive" if name in archived else "floor"]["seconds"]
        assert values["times_the_floor"] == pytest.approx(values["seconds"] / floor)
        assert f"| {name} | {values['seconds']:.2f} |" in done.stdout
    scaling = figures["scaling"]
    assert list(scaling) == ["0.5", "3"]
    # A split needs three mailboxes, which are all that there are.
    assert [scaling[share]["parse"]["messages"] for share in ("0.5", "3")] == [files, 3 * files]
    assert all(set(of) == stages for of in scaling.values())
    # Three times the corpus is no corpus of copies: what was added is labelled, too.
    assert scaling["3"]["features"]["messages"] > 2.5 * scaling["0.5"]["features"]["messages"]
    for option, message in (("--source", "no such folder"), ("--archive", "no such file")):
        missing = subprocess.run(
            [*script, "--source", str(tiny_corpus), option, "nowhere"], capture_output=True, text=True
        )
        assert missing.returncode == 2
        assert f"nowhere: {message}" in missing.stderr


def test_the_fast_paths_are_checked_against_the_email_package(tiny_corpus, tmp_path):
    script = [sys.executable, str(SCRIPTS / "check_fast_paths.py")]
    done = subprocess.run([*script, str(tiny_corpus)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    read, fast = (
        int(number.replace(",", "")) for number in re.findall(r"([\d,]+) (?:messages|by the fast r)", done.stdout)
    )
    assert read >= fast > 0
    assert "\n0 differ\n" in done.stdout
    missing = subprocess.run([*script, "nowhere"], capture_output=True, text=True)
    assert missing.returncode == 2
    assert "nowhere: no such file or folder" in missing.stderr


def test_the_nearest_collapse_is_what_an_optimiser_finds(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    least_divergence = importlib.import_module("nearest_collapse").least_divergence
    generator = np.random.default_rng(0)
    for p in generator.dirichlet(np.full(5, 0.7), 5):
        constraints = [
            {"type": "eq", "fun": lambda q: q.sum() - 1},
            {"type": "ineq", "fun": lambda q: np.delete(q[1] - q, 1)},
        ]
        found = minimize(
            lambda q, p=p: (q * np.log(q / p)).sum(),
            np.full(5, 0.2),
            bounds=[(1e-9, 1)] * 5,
            constraints=constraints,
            options={"ftol": 1e-12, "maxiter": 500},
        )
        least = float(least_divergence(torch.tensor(np.log(p))[None], 1))
        assert least == pytest.approx(found.fun, abs=1e-5)
