"""A person's own export, from an mbox with threading headers to an evaluated policy."""

import json
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import numpy as np
import pytest

from enron_triage import pipeline
from enron_triage.config.load import load_config
from enron_triage.policy.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow  # other processes, or a whole pipeline

OWN_MAIL = Path(__file__).parents[1] / "configs" / "own_mail.yaml"
OWNER = "me@home.example"
START = datetime(2023, 1, 2, 9, 0, tzinfo=UTC)
DAYS = 600

# What the owner does with each sender's mail, and the label that Gmail then shows.
HABITS = {
    "boss@work.example": ("reply_now", "Inbox,Important"),
    "friend@home.example": ("reply_later", "Inbox"),
    "news@shop.example": ("delete", "Trash"),
    "bank@money.example": ("archive", "Receipts"),
    "crew@work.example": ("forward", "Inbox"),
    "spam@spam.example": (None, "Spam"),
    "list@club.example": (None, "Inbox,Unread"),
}


def message(sender, to, subject, moment, labels, message_id, **headers):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Date"] = format_datetime(moment)
    mail["Message-ID"] = message_id
    mail["X-Gmail-Labels"] = labels
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    # The subjects all read alike on purpose: only the threading headers tell which was answered.
    mail.set_content(f"Hello, this is about {subject}.\nFrom the start of a line it goes on.\n")
    return mail


def mailbox(known, count=DAYS, apart=timedelta(days=1)):
    """The messages of the export; fills in the action by Message-ID."""
    for day in range(count):
        sender, (action, labels) = list(HABITS.items())[day % len(HABITS)]
        arrival = START + day * apart
        message_id = f"<{day}@{sender.partition('@')[2]}>"
        yield message(sender, OWNER, "news", arrival, labels, message_id)
        known[message_id] = action
        delay = {"reply_now": timedelta(minutes=59), "reply_later": timedelta(hours=5), "forward": timedelta(hours=1)}
        if action in delay:
            subject = "Fwd: news" if action == "forward" else "Re: news"
            to = "other@work.example" if action == "forward" else sender
            yield message(
                f"Me <{OWNER}>",
                to,
                subject,
                arrival + delay[action],
                "Sent",
                f"<s{day}@home.example>",
                In_Reply_To=message_id,
                References=message_id,
            )


def write_export(path, mails):
    with path.open("wb") as file:
        for mail in mails:
            body = mail.as_bytes().replace(b"\nFrom the start", b"\n>From the start")
            file.write(b"From 1756@xxx Mon Jan 02 09:00:00 +0000 2023\n" + body + b"\n")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("own")
    export = root / "All mail.mbox"
    known: dict[str, str | None] = {}
    write_export(export, mailbox(known))
    config = load_config(
        [OWN_MAIL],
        [f"parse.source={export}", "sft.epochs=3", "workers=1", "device=cpu"],
        data_dir=str(root / "data"),
        checkpoint_dir=str(root / "checkpoints"),
    )
    return root, known, pipeline.run(config)


def test_an_own_mbox_gives_an_evaluated_policy(run):
    root, _, result = run
    evaluation = json.loads((root / "data" / "eval" / "best_sft.test.json").read_text())
    assert result.data["stages"]["evaluate"]["count"] == evaluation["count"] > 40
    assert evaluation["mailboxes"] == 1
    assert evaluation["intervals"]["accuracy"] is None  # one mailbox is no sample of people
    assert evaluation["reply_auc_received"] is not None


def test_reply_now_labels_are_exactly_the_known_ones(run):
    root, known, _ = run
    labeled = json.loads((root / "data" / "emails_labeled.json").read_text())
    assert {r["message_id"]: r["action"] for r in labeled} == {i: a for i, a in known.items() if a}
    assert {r["user"] for r in labeled} == {"All mail"}
    assert {r["response_seconds"] for r in labeled if r["action"] == "reply_now"} == {59 * 60}
    assert {r["evidence"]["rule"] for r in labeled if r["action"].startswith("reply")} == {"reply:threading_headers"}


def test_spam_is_dropped_and_unread_mail_took_no_action(run):
    root, _, _ = run
    unacted = json.loads((root / "data" / "emails_unacted.json").read_text())
    assert {r["sender"] for r in unacted} == {"list@club.example"}
    senders = {r["sender"] for r in json.loads((root / "data" / "emails_labeled.json").read_text())}
    assert "spam@spam.example" not in senders
    assert OWNER not in senders


def test_the_splits_follow_each_other_in_time_with_a_gap_of_the_link_window(run):
    root, _, _ = run
    times = {
        name: [r["timestamp"] for r in json.loads((root / "data" / f"{name}.json").read_text())]
        for name in ("train", "val", "test")
    }
    window = 30 * 86400
    assert max(times["train"]) + window < min(times["val"]) + 86400
    assert max(times["val"]) + window < min(times["test"]) + 86400
    assert times["test"] == sorted(times["test"])


def test_from_lines_in_bodies_are_unquoted(run):
    root, _, _ = run
    bodies = [r["body"] for r in json.loads((root / "data" / "emails.json").read_text())]
    assert all("\nFrom the start of a line" in body for body in bodies)


def test_two_months_of_own_mail_are_enough_to_go_on_from_a_policy_trained_on_other_mail(run, tmp_path, caplog):
    trained = run[0] / "checkpoints" / "best_sft.pt"
    export = tmp_path / "Short.mbox"
    write_export(export, mailbox({}, count=140, apart=timedelta(days=60) / 140))
    config = load_config(
        [OWN_MAIL],
        [
            f"parse.source={export}",
            f"sft.init={trained}",
            "sft.epochs=2",
            "pipeline.stages=[parse, label, split, sft]",
            "workers=1",
            "device=cpu",
        ],
        data_dir=str(tmp_path / "data"),
        checkpoint_dir=str(tmp_path / "checkpoints"),
    )
    result = pipeline.run(config)
    assert "too short to leave out label.link_window (30 days)" in caplog.text
    figures = result.data["stages"]["sft"]
    assert figures["train"] >= 50
    assert figures["val"] >= 10
    assert figures["before"]["val_loss"] > 0
    assert figures["improved"] == (figures["validation"]["val_loss"] < figures["before"]["val_loss"])
    calibration = load_checkpoint(tmp_path / "checkpoints" / "best_sft.pt").calibration
    assert 0.3 < calibration.temperature < 3
    assert calibration.probabilities(np.eye(5) * 1e4).min() > 0
