"""New mail in, actions out: the same as ``evaluate``'s, from every kind of place, never from the future."""

import datetime
import io
import json
import mailbox as stdlib_mailbox
import os
import random
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from enron_triage import pipeline
from enron_triage.config.data import FoldersConfig
from enron_triage.config.load import load_config
from enron_triage.errors import TriageError, UsageError
from enron_triage.features.dataset import extract_dataset, load_dataset
from enron_triage.mail import batches, reading
from enron_triage.mail.reading import read_mailbox, read_messages
from enron_triage.policy.attribution import integrated_gradients
from enron_triage.policy.checkpoint import load_checkpoint
from enron_triage.policy.decisions import RULES, DecisionRule
from enron_triage.policy.inference import DevicePolicy, predict_logits
from enron_triage.predict import Triage, parallel, run
from enron_triage.records import Email, LabeledEmail
from enron_triage.runtime import time_limit
from enron_triage.runtime.workers import map_ordered

pytestmark = pytest.mark.slow  # trains, or draws

SMALL = [
    "sft.epochs=2",
    "model.hidden=[16]",
    "model.ensemble=2",
    "model.boosting=5",
    "model.dropout=0.0",
    "workers=1",
    "device=cpu",
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small policy, trained on the demo corpus: its folder and configuration."""
    folder = tmp_path_factory.mktemp("trained")
    config = load_config(
        [],
        [*SMALL, "download.source=demo", "download.demo.mailboxes=10", "download.demo.messages=1500"],
        data_dir=str(folder / "data"),
        checkpoint_dir=str(folder / "checkpoints"),
    )
    pipeline.run(config)
    return folder, config


@pytest.fixture(scope="module")
def triage(trained):
    return Triage.load(trained[0] / "checkpoints" / "best_sft.pt")


@pytest.fixture(scope="module")
def test_records(trained):
    """The labelled messages of the first test mailbox, and the mailbox's folder."""
    folder, _ = trained
    records = msgspec.json.decode((folder / "data" / "test.json").read_bytes(), type=list[LabeledEmail])
    user = records[0].user
    return [record for record in records if record.user == user], folder / "data" / "maildir" / user


@pytest.fixture
def predicted(trained):
    """What the command prints for some paths."""

    def predict(*paths, **options):
        output = io.BytesIO()
        settings = {"mailbox": None, "owner": [], "reasons": 0} | options
        run(trained[1], [str(path) for path in paths], output=output, **settings)
        return [json.loads(line) for line in output.getvalue().splitlines()]

    return predict


def raw_message(subject="budget", sender="jane@x.example", body="Can you send it today?", **headers):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, "me@home.example", subject
    mail["Date"] = "Mon, 14 May 2001 18:00:00 -0700"
    for name, value in headers.items():
        del mail[name]
        mail[name] = value
    mail.set_content(body)
    return mail


def test_on_a_test_mailbox_the_probabilities_are_those_of_evaluate(trained, test_records, predicted):
    folder, _ = trained
    records, root = test_records
    checkpoint = load_checkpoint(folder / "checkpoints" / "best_sft.pt")
    transform = checkpoint.features
    dataset = load_dataset(folder / "data" / "test.json", transform.settings, cache=folder / "cache", workers=1)
    logits = predict_logits(checkpoint.policy(torch.device("cpu")), transform.transform(dataset)).numpy()
    of_mailbox = (dataset.mailbox == dataset.mailboxes.index(records[0].user)).numpy()
    expected = checkpoint.calibration.probabilities(logits[of_mailbox])
    found = {line["path"]: line for line in predicted(root, mailbox=root)}
    for record, row in zip(records, expected, strict=True):
        assert list(found[record.path]["probabilities"].values()) == pytest.approx(row.tolist(), abs=2e-6)


def test_the_command_and_the_python_interface_agree(triage, test_records, predicted):
    _, root = test_records
    known = read_mailbox(root, 1)
    emails = [email for email in read_messages([str(root)]) if isinstance(email, Email)]
    in_python = [p for p in triage.predict(emails, mailbox=known, reasons=2) if p is not None]
    printed = predicted(root, mailbox=root, reasons=2)
    assert printed == [json.loads(msgspec.json.encode(prediction)) for prediction in in_python]
    assert len(printed) > 50


def test_a_line_holds_action_probabilities_and_reasons(predicted, tmp_path):
    (tmp_path / "new.eml").write_bytes(raw_message().as_bytes())
    (line,) = predicted(tmp_path / "new.eml", reasons=3)
    assert line["action"] == max(line["probabilities"], key=line["probabilities"].get)
    assert sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    reply = line["probabilities"]["reply_now"] + line["probabilities"]["reply_later"]
    assert line["needs_reply"] == pytest.approx(reply, abs=2e-6)
    strengths = [abs(reason["contribution"]) for reason in line["reasons"]]
    assert len(strengths) == 3
    assert strengths == sorted(strengths, reverse=True)
    assert all(reason["meaning"] for reason in line["reasons"])


def test_nothing_that_comes_later_changes_a_prediction(triage, test_records):
    records, root = test_records
    known = read_mailbox(root, 1)
    rng = random.Random(1)
    for record in rng.sample(records, 8):
        (email,) = (e for e in known if e.path == record.path)
        earlier = [e for e in known if e.timestamp is not None and e.timestamp < email.timestamp]
        owner = {e.sender for e in known if e.folder == "sent"}
        with_all = triage.predict([email], mailbox=known, owner=owner)
        assert triage.predict([email], mailbox=earlier, owner=owner) == with_all


def test_folders_that_the_configuration_names_count_in_place_of_the_checkpoints(trained, triage, test_records):
    records, mailbox = test_records
    email = msgspec.convert(msgspec.to_builtins(records[-1]), Email, strict=False)
    usual = read_mailbox(mailbox, 1)
    renamed = [
        msgspec.structs.replace(e, folder="Päckchen" if e.folder in FoldersConfig().sent else e.folder) for e in usual
    ]
    named = Triage.load(trained[0] / "checkpoints" / "best_sft.pt", folders=FoldersConfig(sent=("päckchen",)))
    expected = triage.predict([email], mailbox=usual)
    assert named.predict([email], mailbox=renamed) == expected
    assert triage.predict([email], mailbox=renamed) != expected


def test_without_a_mailbox_each_message_stands_alone(predicted, tmp_path):
    for number, subject in enumerate(("budget", "re: budget", "lunch")):
        (tmp_path / f"{number}.eml").write_bytes(raw_message(subject).as_bytes())
    together = predicted(*(tmp_path / f"{n}.eml" for n in range(3)))
    for number, found in enumerate(together):
        (alone,) = predicted(tmp_path / f"{number}.eml")
        # Matrix products of one row and of three may differ in the last digit.
        assert found["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-5)
        assert (found["path"], found["action"]) == (alone["path"], alone["action"])


def test_an_mbox_a_maildir_a_folder_and_the_standard_input_give_the_same(predicted, tmp_path, monkeypatch):
    box = stdlib_mailbox.mbox(tmp_path / "new.mbox")
    maildir = stdlib_mailbox.Maildir(tmp_path / "Maildir")
    (tmp_path / "folder").mkdir()
    for number in range(3):
        mail = raw_message(f"subject {number}")
        box.add(mail)
        maildir.add(mail)
        (tmp_path / "folder" / f"{number}.eml").write_bytes(mail.as_bytes())
    box.close()

    def results(*paths):
        return sorted(str(line["probabilities"]) for line in predicted(*paths))

    expected = results(tmp_path / "new.mbox")
    assert len(expected) == 3
    assert results(tmp_path / "Maildir") == expected
    assert results(tmp_path / "folder") == expected
    stdin = io.TextIOWrapper(io.BytesIO((tmp_path / "new.mbox").read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    lines = predicted("-")
    assert sorted(str(line["probabilities"]) for line in lines) == expected
    assert [line["path"] for line in lines] == ["-#0", "-#1", "-#2"]


def test_a_message_that_the_mailbox_holds_is_named_as_it_was_asked_for(triage, test_records):
    records, root = test_records
    known = read_mailbox(root, 1)
    (email,) = (e for e in known if e.path == records[5].path)
    asked = msgspec.structs.replace(email, path="new.mbox#0", message_id="<other@x.example>")
    (named,), (expected,) = triage.predict([asked], mailbox=known), triage.predict([email], mailbox=known)
    assert (named.path, named.message_id) == ("new.mbox#0", "<other@x.example>")
    assert named.probabilities == expected.probabilities


def test_what_the_owner_sent_gets_no_prediction(triage):
    mine, other = (raw_message(sender=sender).as_bytes() for sender in ("Me@Home.example", "jane@x.example"))
    first, second = triage.predict([mine, other], owner=["me@home.example"])
    assert first is None
    assert second is not None


def test_mail_without_a_usable_date_counts_as_new(triage, test_records):
    _, root = test_records
    known = read_mailbox(root, 1)
    latest = max(email.timestamp for email in known if email.timestamp)
    undated = raw_message(Date="yesterday").as_bytes()
    ancient = raw_message(Date="Mon, 1 Jan 1900 00:00:00 +0000").as_bytes()
    (expected,) = triage.predict([undated], mailbox=known)
    assert expected is not None
    (broken,) = triage.predict([ancient], mailbox=known)
    assert broken is not None  # its hour is a feature, so the numbers differ
    dated = msgspec.structs.replace(
        next(e for e in known if e.timestamp == latest), timestamp=None, date=None, fingerprint="new", path="new"
    )
    assert triage.predict([dated], mailbox=known)[0] is not None


def test_mail_of_another_decade_than_the_training_mail_has_a_history(triage, test_records):
    _, root = test_records
    shift = 25 * 365 * 86400
    moved = [
        msgspec.structs.replace(email, timestamp=email.timestamp + shift)
        for email in read_mailbox(root, 1)
        if email.timestamp is not None
    ]
    emails = moved[-20:]
    with_past = triage.predict(emails, mailbox=moved)
    without = triage.predict(emails)
    assert [p and p.probabilities for p in with_past] != [p and p.probabilities for p in without]


def test_integrated_gradients_add_up_to_the_change_of_the_log_probability(trained, test_records):
    folder, _ = trained
    checkpoint = load_checkpoint(folder / "checkpoints" / "best_sft.pt")
    policy = checkpoint.policy(torch.device("cpu"))
    transform = checkpoint.features
    features = transform.transform(extract_dataset(test_records[0][:40], transform.settings))
    actions = policy(features).argmax(dim=1)
    attributions, _ = integrated_gradients(policy, features, actions)
    with torch.no_grad():
        at_end = torch.log_softmax(policy.network_logits(features), dim=1).gather(1, actions[:, None]).squeeze(1)
        at_start = (
            torch.log_softmax(policy.network_logits(torch.zeros_like(features)), dim=1)
            .gather(1, actions[:, None])
            .squeeze(1)
        )
    change, total = (at_end - at_start).numpy(), attributions.sum(dim=1).numpy()
    np.testing.assert_allclose(total, change, atol=0.01)
    assert np.median(np.abs(total - change) / np.abs(change)) < 0.002


def test_a_message_that_cannot_be_read_costs_a_line_and_not_the_rest(predicted, tmp_path, caplog):
    caplog.set_level("INFO", logger="enron_triage")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "good.eml").write_bytes(raw_message().as_bytes())
    (folder / "empty.eml").write_bytes(b"")
    assert [Path(line["path"]).name for line in predicted(folder)] == ["good.eml"]
    assert "no --mailbox: nothing is known of the owner's earlier mail" in caplog.text
    assert "empty.eml: ValueError: empty" in caplog.text
    assert caplog.text.count("--mailbox") == 1
    with pytest.raises(TriageError, match="no message to predict"):
        predicted(folder / "empty.eml")


def test_what_is_missing_is_named(predicted, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"nowhere\.eml: no such file or folder"):
        predicted(tmp_path / "nowhere.eml")
    (tmp_path / "new.eml").write_bytes(raw_message().as_bytes())
    with pytest.raises(UsageError, match="none: no such file or folder"):
        predicted(tmp_path / "new.eml", mailbox=tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="empty: contains no mail"):
        predicted(tmp_path / "new.eml", mailbox=tmp_path / "empty")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(UsageError, match="standard input is empty"):
        predicted("-")


class Endless(io.RawIOBase):
    """A pipe that says the same for ever."""

    def __init__(self, line):
        self.line = line

    def readable(self):
        return True

    def readinto(self, buffer):
        buffer[:] = (self.line * (len(buffer) // len(self.line) + 1))[: len(buffer)]
        return len(buffer)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"y\n", "longer than 2 MiB, the limit for one message; give a file instead"),
        (b"Subject: a\n\nb", "longer than 2 MiB, the limit for one message; give a file instead"),
        (b"From a@x.example Mon Mar  5 12:00:00 2001\nFrom: a\n\nb\n\n", "longer than 3 MiB, the limit for an mbox"),
    ],
)
def test_a_standard_input_without_end_is_refused(predicted, monkeypatch, line, says):
    monkeypatch.setattr(reading, "MAX_BYTES", 2 * 2**20)
    monkeypatch.setattr(reading, "_MAX_INPUT", 3 * 2**20)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Endless(line))))
    with pytest.raises(UsageError, match=f"-: the standard input is {says}"):
        predicted("-")


def test_a_message_that_is_read_without_end_is_named_and_the_others_are_read(tmp_path, monkeypatch):
    def never_ends(raw, **places):
        while b"hostile" in raw:
            try:
                pass
            except Exception:
                continue
        return parse(raw, **places)

    parse = reading.parse_message
    monkeypatch.setattr(reading, "parse_message", never_ends)
    monkeypatch.setattr(reading, "SECONDS", 0.03)
    monkeypatch.setattr(time_limit, "_TICK", 0.01)
    paths = [tmp_path / f"{name}.eml" for name in ("a", "hostile", "b")]
    for path in paths:
        path.write_bytes(raw_message(path.stem).as_bytes())
    first, stuck, last = read_messages(map(str, paths))
    assert (first.subject, last.subject) == ("a", "b")
    assert stuck.path == str(paths[1])
    assert stuck.error.startswith("took more than")


def written_while_read(monkeypatch, change):
    whole = batches.parse_batch

    def parse(batch):
        change()
        return whole(batch)

    monkeypatch.setattr(batches, "parse_batch", parse)


def test_a_mailbox_that_is_written_while_it_is_read_is_refused(tmp_path, monkeypatch):
    box = stdlib_mailbox.mbox(tmp_path / "old.mbox")
    box.add(raw_message())
    box.close()
    assert len(read_mailbox(tmp_path / "old.mbox", 1)) == 1
    written_while_read(monkeypatch, lambda: (tmp_path / "old.mbox").write_bytes(b"From "))
    with pytest.raises(TriageError, match=r"old\.mbox: changed while it was read; run the same command again"):
        read_mailbox(tmp_path / "old.mbox", 1)


def test_mail_that_comes_into_a_mailbox_while_it_is_read_is_said(tmp_path, monkeypatch, caplog):
    maildir = stdlib_mailbox.Maildir(tmp_path / "Maildir")
    maildir.add(raw_message("one"))
    written_while_read(monkeypatch, lambda: maildir.add(raw_message("two")))
    assert [email.subject for email in read_mailbox(tmp_path / "Maildir", 1)] == ["one"]
    assert "mail came or went while it was read" in caplog.text


def test_a_file_of_new_mail_that_is_written_while_it_is_read_is_named(tmp_path, monkeypatch):
    box = stdlib_mailbox.mbox(tmp_path / "new.mbox")
    for number in range(2):
        box.add(raw_message(str(number)))
    box.close()
    messages = read_messages([str(tmp_path / "new.mbox")])
    assert next(messages).subject == "0"
    (tmp_path / "new.mbox").write_bytes(b"From ")
    with pytest.raises(TriageError, match=r"new\.mbox: changed while it was read"):
        list(messages)


def test_the_command_and_the_library_predict_and_explain_without_torch(trained, tmp_path):
    """In a process in which whatever takes long to import cannot be imported."""
    (tmp_path / "new.eml").write_bytes(raw_message().as_bytes())
    program = """if 1:
        import sys
        for name in ("torch", "sklearn", "scipy", "lightgbm", "pandas", "matplotlib"):
            sys.modules[name] = None
        from pathlib import Path
        from enron_triage import Triage, cli
        (prediction,) = Triage.load(sys.argv[1]).predict([Path("new.eml").read_bytes()], reasons=2)
        assert len(prediction.reasons) == 2
        sys.argv = ["triage", "predict", "--checkpoint", sys.argv[1], "new.eml"]
        cli.main()
    """
    checkpoint = str(trained[0] / "checkpoints" / "best_sft.pt")
    ran = subprocess.run([sys.executable, "-c", program, checkpoint], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert len(json.loads(ran.stdout)["reasons"]) == 3


def test_several_processes_predict_the_same_lines(trained, test_records, monkeypatch):
    _, root = test_records
    config, names = trained[1], {"mailbox": None, "owner": [], "reasons": 1}

    def lines(workers, **options):
        output = io.BytesIO()
        run(msgspec.structs.replace(config, workers=workers), [str(root)], output=output, **names | options)
        return output.getvalue()

    alone, with_mailbox = lines(2), lines(2, mailbox=root)
    used = []
    monkeypatch.setattr(parallel, "_PARALLEL_FROM", 0)
    monkeypatch.setattr(parallel, "_BATCH", 50)
    monkeypatch.setattr(parallel, "map_ordered", lambda *of: used.append(of[2]) or map_ordered(*of))
    assert lines(2) == alone
    assert lines(1, mailbox=root) == with_mailbox != alone
    assert used == [2, 1]


def test_a_checkpoint_that_changes_meanwhile_is_not_mixed_with_what_it_was(trained, tmp_path):
    path = tmp_path / "best_sft.pt"
    path.write_bytes((trained[0] / "checkpoints" / "best_sft.pt").read_bytes())
    predictor = parallel.Predictor.of([path], "cpu", None, 0)
    assert predictor.triage().scheme == "received"
    os.utime(path, ns=(1, 1))
    with pytest.raises(UsageError, match=r"best_sft\.pt: changed while it was in use; run the same command again"):
        predictor.triage()


@pytest.mark.parametrize(
    "date", ["Mon, 1 Jan 0001 00:00:00 +0000", "Mon, 1 Jan 1900 00:00:00 +0000", "Fri, 31 Dec 9999 23:59:59 +0000", "?"]
)
def test_a_message_of_any_date_is_predicted_for(triage, test_records, date):
    known = read_mailbox(test_records[1], 1)
    raw = raw_message(Date=date).as_bytes()
    for mailbox in ([], known):
        (prediction,) = triage.predict([raw], mailbox=mailbox)
        assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_a_message_from_before_the_mailbox_has_the_history_of_nobody(triage, test_records):
    known = read_mailbox(test_records[1], 1)
    range_begins = datetime.datetime(1997, 1, 1, tzinfo=datetime.UTC).timestamp()  # what is earlier counts as undated
    first = min(email.timestamp for email in known if (email.timestamp or 0) > range_begins)
    new = msgspec.structs.replace(known[0], timestamp=first - 86400, fingerprint="new", sender="jane@x.example")
    (record,) = triage.records([new], mailbox=known)
    assert record.history.owner.counts == [0] * 5
    assert record.history.sent == record.history.received == 0


def test_a_policy_in_torch_predicts_and_explains_the_same(trained, test_records):
    """As on a GPU: what computes differs, what comes of it does not."""
    path = trained[0] / "checkpoints" / "best_sft.pt"
    checkpoint = load_checkpoint(path)
    cpu = torch.device("cpu")
    in_torch = Triage(checkpoint.trained, DevicePolicy(checkpoint.policy(cpu), cpu))
    raw = [raw_message(body=f"Can you send {n} of them? {'yes ' * n}").as_bytes() for n in range(20)]
    records = test_records[0][:50]
    np.testing.assert_allclose(
        Triage.load(path).log_probabilities(records), in_torch.log_probabilities(records), atol=1e-5
    )
    for here, there in zip(
        Triage.load(path).predict(raw, reasons=1000), in_torch.predict(raw, reasons=1000), strict=True
    ):
        assert here.action == there.action
        of_here, of_there = ({r.feature: r.contribution for r in p.reasons} for p in (here, there))
        assert of_here == pytest.approx(of_there, abs=2e-4)


def test_a_rule_that_the_checkpoint_was_not_trained_with_is_refused_at_once(trained, monkeypatch):
    monkeypatch.setitem(RULES, "newer", DecisionRule(fit=lambda data: data.class_prior))
    with pytest.raises(UsageError, match="the checkpoint has no fitted rule newer; train again with `triage sft`"):
        Triage.load(trained[0] / "checkpoints" / "best_sft.pt", rule="newer")
