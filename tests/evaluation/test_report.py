"""The report: what it says of several policies, and that it leaves people's words alone."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from enron_triage.config.load import load_config
from enron_triage.errors import UsageError
from enron_triage.evaluation import report
from enron_triage.evaluation.score import decision_metrics
from enron_triage.policy.metrics import reliability
from enron_triage.records import ACTION_NAMES

COSTS = tuple(tuple(float(row != column) for column in range(5)) for row in range(5))
TARGETS = np.array([0, 1, 1, 3, 3, 3, 4, 4])
LATER = np.full(8, 1)
GOOD = np.array([0, 1, 3, 3, 3, 3, 4, 3])


def evaluation(checkpoint, split, predictions, beaten=True, **changes):
    values = decision_metrics(TARGETS, predictions, COSTS)
    for name in ACTION_NAMES:
        values["per_class"][name]["auc"] = None
    alternative = {"checkpoint": "best_sft", "mean_reward": -0.3, "gain": 0.05 if beaten else -0.05}
    return {
        "checkpoint": checkpoint,
        "stage": checkpoint.removeprefix("best_"),
        "split": split,
        "scheme": "received",
        **values,
        "reply_auc": 0.9,
        "ece_calibrated": 0.02,
        "alternative": {**alternative, "interval": None, "beaten": beaten},
        "reliability": reliability(np.full((8, 5), 0.2), TARGETS),
        "per_mailbox": {"owner-a": {"count": 8, "accuracy": values["accuracy"], "macro_f1": values["macro_f1"]}},
        **changes,
    }


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


@pytest.fixture
def config():
    folder = Path("data/eval")
    write(folder / "best_sft.test.json", evaluation("best_sft", "test", GOOD))
    write(folder / "best_sft.val.json", evaluation("best_sft", "val", TARGETS))
    write(folder / "best_grpo.test.json", evaluation("best_grpo", "test", GOOD, beaten=False))
    write(
        folder / "synthetic" / "best_dpo.test.json",
        evaluation("best_dpo", "test", LATER, beaten=False, scheme="folder"),
    )
    write(folder / "best_sft.test.json.meta.json", {})
    history = [
        {
            "epoch": n,
            "train_loss": 1 / n,
            "val_loss": 1.0,
            "accuracy": 0.5,
            "macro_f1": 0.4,
            "mean_reward": -0.3,
            "best_epoch": 1,
        }
        | {"predicted_share": dict.fromkeys(ACTION_NAMES, 0.2), "kl": 0.1, "entropy": 1.0, "collapsed": n == 2}
        for n in (1, 2)
    ]
    files = Path("checkpoints/synthetic")
    files.mkdir(parents=True)
    (files / "stage_4_metrics.jsonl").write_text("\n".join(map(json.dumps, history)) + "\n")
    return load_config([], [])


def row(markdown, name):
    (line,) = [line for line in markdown.splitlines() if line.startswith(f"| {name} |")][:1]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_comparison_has_a_row_for_each_policy_in_the_order_of_the_stages(config):
    markdown = report.run(config).table
    names = [
        line.split(" | ")[0].strip("| ")
        for line in markdown.splitlines()
        if re.match(r"\| (best|synthetic/best)", line)
    ]
    assert names == ["best_sft", "best_grpo", "synthetic/best_dpo"]
    assert row(markdown, "best_sft")[1:3] == ["1.0000", "0.7500"]  # accuracy on val and test
    assert row(markdown, "best_grpo")[1] == "-"
    assert row(markdown, "best_sft")[7:9] == ["-0.2500", "-0.3000"]
    assert "#### best_sft, on test" in markdown
    assert "| reply_later | 1.0000 | 0.5000 | 0.6667 | - | 2 | 12.5% |" in markdown


def test_what_must_not_be_overlooked_stands_in_the_notes(config):
    markdown = report.run(config).table
    assert row(markdown, "best_sft")[-1] == ""
    assert row(markdown, "best_grpo")[-1] == "reward not above the simple alternative's (-0.0500)"
    notes = row(markdown, "synthetic/best_dpo")[-1]
    assert "**collapsed** to `reply_later` on test" in notes
    assert "leaking labels" in notes
    assert report.LEAK_NOTE in markdown
    assert row(markdown, "synthetic/stage_4")[1:] == [
        *("2", "1", "0.5000", "0.4000", "-0.3000", "0.1000", "-", "**in 1 of 2 epochs**")
    ]


class Page(HTMLParser):
    """What a browser would make of the page, as far as the test asks."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.rows, self.references = [], [], 0, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag not in ("meta", "img"):
            self.open.append(tag)
        if tag == "img":
            self.images.append(values["src"])
        self.rows += tag == "tr"
        self.references += [values[name] for name in ("href", "src") if name in values]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_holds_all_that_it_shows(config):
    result = report.run(config)
    page = Page(Path(result.data["html"]).read_text())
    assert page.open == []
    assert len(page.images) == 2 + 1 + 2 * 3  # F1 and mailboxes, one stage's curves, two pictures for each policy
    assert all(reference.startswith("data:image/svg+xml;base64,") for reference in page.references)
    pictures = [base64.b64decode(image.partition(",")[2]).decode() for image in page.images]
    assert all("<svg" in picture for picture in pictures)
    assert any("predicted on validation" in picture for picture in pictures)
    assert page.rows == 4 + 3 * 6 + 2
    before = Path(result.data["html"]).read_bytes()
    report.run(config)
    assert Path(result.data["html"]).read_bytes() == before


def test_the_log_changes_between_the_markers_only(config):
    report.LOG.write_text("# Mine\n\nwritten by hand\n")
    report.run(config, log=True)
    first = report.LOG.read_text()
    assert first.startswith("# Mine\n\nwritten by hand\n\n" + report.BEGIN + "\n### Results")
    report.LOG.write_text(first.replace("### Results", "### Old results") + "\nwritten later: \\1 \\g<0>\n")
    report.run(config, log=True)
    assert report.LOG.read_text() == first + "\nwritten later: \\1 \\g<0>\n"


@pytest.mark.parametrize(
    "text", [f"{report.BEGIN}\n", f"{report.END}\n{report.BEGIN}\n", f"{report.BEGIN}{report.END}" * 2]
)
def test_damaged_markers_are_refused_and_nothing_is_lost(config, text):
    report.LOG.write_text(text)
    with pytest.raises(UsageError, match=r"TRAINING_LOG\.md: needs one"):
        report.run(config, log=True)
    assert report.LOG.read_text() == text


def test_the_logs_own_bytes_stay_as_they_are(config):
    report.LOG.write_bytes("# Mine ± 1\r\n\r\nby hand\r\n".encode())
    report.run(config, log=True)
    assert report.LOG.read_bytes().startswith("# Mine ± 1\r\n\r\nby hand".encode())
    report.LOG.write_bytes(b"M\xfcller\n")
    with pytest.raises(UsageError, match=r"TRAINING_LOG\.md: not UTF-8"):
        report.run(config, log=True)
    assert report.LOG.read_bytes() == b"M\xfcller\n"


def test_without_an_evaluation_the_stage_that_makes_one_is_named():
    with pytest.raises(UsageError, match=r"eval: holds no evaluation; run `triage evaluate` first"):
        report.run(load_config([], []))


def test_what_is_no_evaluation_is_left_out_with_a_warning(config, caplog):
    Path("data/eval/notes.json").write_text("{}")
    Path("data/eval/broken.json").write_text("{")
    write(Path("data/eval/best_sft.test.old.json"), evaluation("best_sft", "test", LATER))
    Path("checkpoints/stage_3_metrics.jsonl").write_text('{"epoch": 2, "best_epoch": 9}\n')
    Path("checkpoints/stage_1_metrics.jsonl").write_text("no json\n")
    result = report.run(config)
    assert len(result.data["policies"]) == 3
    assert result.data["policies"]["best_sft"]["test"]["accuracy"] == 0.75
    assert "best_sft.test.old.json: a second evaluation of best_sft on test" in caplog.text
    assert "stage_3_metrics.jsonl: not what training writes" in caplog.text
    assert "notes.json: no evaluation of this version" in caplog.text
    assert "broken.json" in caplog.text
    assert "stage_1_metrics.jsonl: not what training writes" in caplog.text
