import json
import logging
import subprocess
import sys

import msgspec
import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn import metrics as sklearn

from enron_triage.config.load import load_config
from enron_triage.config.paths import SPLITS
from enron_triage.config.training import FeaturesConfig, RewardsConfig
from enron_triage.errors import UsageError
from enron_triage.evaluation import evaluate, stored
from enron_triage.evaluation.score import score
from enron_triage.features.dataset import Dataset, load_dataset
from enron_triage.features.history import RAW_COLUMNS
from enron_triage.features.transform import FeatureTransform
from enron_triage.labels.split_metadata import SplitMetadata
from enron_triage.pipeline import stage_run
from enron_triage.policy.calibration import Calibration
from enron_triage.policy.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from enron_triage.policy.decisions import Decision
from enron_triage.policy.inference import predict_logits
from enron_triage.policy.network import PolicySpec, new_policy
from enron_triage.records import ACTION_INDEX, ACTION_NAMES, ACTIONS, Action, LabeledEmail
from enron_triage.runtime import artifacts

pytestmark = pytest.mark.slow  # trains, or draws

GROUPS = ("metadata", "history")
OFFSETS = {rule: [0.0] * 5 for rule in ("argmax", "prior", "thresholds")}
FIELDS = {  # what the design promises of every evaluation
    *("checkpoint", "split", "scheme", "count", "mailboxes", "accuracy", "balanced_accuracy", "macro_f1"),
    *("per_class", "confusion_matrix", "reply_auc", "reply_average_precision", "reply_auc_received", "ece"),
    *("ece_calibrated", "predicted_share", "collapsed", "intervals", "per_mailbox", "mailbox_mean", "baselines"),
    *("messages_per_second", "decision_rule", "decisions", "by_earlier_actions", "mean_reward", "alternative"),
    "reliability",
}


@pytest.fixture(scope="session")
def message(new_record, new_history):
    def make(number, action, user="owner-a", **changes):
        values = {
            "path": f"{user}/inbox/{number}.",
            "user": user,
            "timestamp": 989888400 + number,
            "sender": f"p{number % 7}@x.example",
            "subject": "plan?" if number % 2 else "PLAN 12",
            "body": "please " * (number % 11),
            "fingerprint": str(number),
            "action": action,
            "history": new_history(
                owner=[number % 3, 2, 1, number % 4, 1],
                domain=[number % 3, 0, 1, number % 4, 1],
                sender=[number % 3, 0, 0, number % 4, 1],
                sent=number % 2,
                sent_to_sender=number % 2,
            ),
        }
        return new_record(**{**values, **changes})

    return make


def write(path, records):
    with artifacts.record_writer(path) as writer:
        for record in records:
            writer.write(msgspec.json.encode(record))


@pytest.fixture(scope="session")
def labelled(message):
    def make(count, seed, users=("owner-c", "owner-d"), **changes):
        generator = np.random.default_rng(seed)
        drawn = [
            (ACTIONS[int(generator.integers(5))], users[int(generator.integers(len(users)))]) for _ in range(count)
        ]
        return [message(int(generator.integers(200)), action, user, **changes) for action, user in drawn]

    return make


def write_metadata(data, **changes):
    none = {name: {} for name in SPLITS}
    values = {
        "seed": 1,
        "by": "user",
        "scheme": "received",
        "ratios": (0.5, 0.25, 0.25),
        "mailboxes": {"train": ["owner-a"], "val": ["owner-b"], "test": ["owner-c", "owner-d"]},
        "until": None,
        "counts": dict.fromkeys(SPLITS, 0),
        "actions_before": none,
        "actions": none,
        "dropped": none,
    }
    artifacts.write_json(data / "split_metadata.json", SplitMetadata(**{**values, **changes}))


def write_checkpoint(folder, fields, groups=GROUPS, scheme="received", **changes):
    """A policy with random weights, and train's normalisation."""
    train = load_dataset(folder / "data" / "train.json", FeaturesConfig(groups=groups), cache=folder / "own", workers=1)
    settings = FeaturesConfig(groups=groups)
    transform, _ = FeatureTransform.fit_transform(train, settings, mailbox_weights_power=0.0, seed=1)
    model = PolicySpec(inputs=len(transform.columns), hidden=(8,), dropout=0.1)
    policy = new_policy(model, seed=99)
    values = fields(
        len(transform.columns),
        scheme=scheme,
        seed=4,
        model=model,
        weights={name: 2 * weight for name, weight in policy.state_dict().items()},
        features=transform,
        class_prior=transform.class_prior.tolist(),
        calibration=Calibration(temperature=1.8),
        decision=Decision(rule="argmax", offsets=OFFSETS, costs=RewardsConfig().costs),
    )
    save_checkpoint(folder / "checkpoints" / "best_sft.pt", Checkpoint(**{**values, **changes}))


@pytest.fixture
def folder(tmp_path, labelled, message, checkpoint_fields):
    data = tmp_path / "data"
    train = [message(number, ACTIONS[min(number % 9, 4)]) for number in range(45)]
    write(data / "train.json", train)
    write(data / "val.json", labelled(20, 2, ("owner-b",)))
    write(data / "test.json", labelled(40, 3))
    unacted = [message(n, None, f"owner-{'abcd'[n % 4]}") for n in range(80)]
    write(data / "emails_unacted.json", unacted)
    write_metadata(data)
    write_checkpoint(tmp_path, checkpoint_fields)
    return tmp_path


def config_of(folder, *overrides):
    return load_config(
        [],
        [*overrides],
        data_dir=str(folder / "data"),
        checkpoint_dir=str(folder / "checkpoints"),
        device="cpu",
        workers=1,
    )


def logits_of(folder, records):
    """What the checkpoint's policy says of some records, without the stage."""
    write(folder / "own.json", records)
    checkpoint = load_checkpoint(folder / "checkpoints" / "best_sft.pt")
    groups = checkpoint.features.settings
    dataset = load_dataset(folder / "own.json", groups, cache=folder / "own", workers=1)
    features = checkpoint.features.transform(dataset)
    return predict_logits(checkpoint.policy(torch.device("cpu")), features).numpy().astype(float), features


def read(folder, name):
    return list(artifacts.read_records(folder / "data" / name, LabeledEmail))


def test_an_evaluation_holds_what_the_design_lists_and_is_what_is_written(folder):
    result = evaluate.run(config_of(folder))
    written = json.loads((folder / "data" / "eval" / "best_sft.test.json").read_text())
    assert written == json.loads(msgspec.json.encode(result.data))
    assert written.keys() >= FIELDS
    assert all(
        values.keys() == {"precision", "recall", "f1", "support", "auc"} for values in written["per_class"].values()
    )
    assert list(written["per_class"]) == list(written["predicted_share"]) == list(ACTION_NAMES)
    assert {"untrained", "majority", "prior"} == written["baselines"].keys()
    assert (written["checkpoint"], written["split"], written["scheme"]) == ("best_sft", "test", "received")
    assert written["messages_per_second"] > 0
    assert result.stage == "evaluate"
    assert f"{written['accuracy']:.4f}" in result.table


def test_what_an_earlier_run_has_written_is_told_as_it_was_then(folder):
    result = evaluate.run(config_of(folder))
    assert stored.stored(config_of(folder)) == result
    (folder / "data" / "eval" / "best_sft.test.json").write_text('{"checkpoint": "best_sft"}')
    with pytest.raises(UsageError, match=r"best_sft\.test\.json: not what the program wrote there"):
        stored.stored(config_of(folder))


def test_the_numbers_are_those_of_scikit_learn(folder):
    data = evaluate.run(config_of(folder)).data
    records = read(folder, "test.json")
    logits, _ = logits_of(folder, records)
    targets = np.array([ACTION_INDEX[record.action] for record in records])
    predictions, tempered = logits.argmax(axis=1), softmax(logits / 1.8, axis=1)
    assert data["count"] == 40
    assert data["accuracy"] == pytest.approx(sklearn.accuracy_score(targets, predictions))
    assert data["macro_f1"] == pytest.approx(sklearn.f1_score(targets, predictions, average="macro"))
    assert data["confusion_matrix"] == sklearn.confusion_matrix(targets, predictions, labels=range(5)).tolist()
    for index, name in enumerate(ACTION_NAMES):
        area = sklearn.roc_auc_score(targets == index, tempered[:, index])
        assert data["per_class"][name]["auc"] == pytest.approx(area, abs=1e-6)
    reply = tempered[:, 0] + tempered[:, 1]
    assert data["reply_auc"] == pytest.approx(sklearn.roc_auc_score(targets <= 1, reply), abs=1e-6)
    precision = sklearn.average_precision_score(targets <= 1, reply)
    assert data["reply_average_precision"] == pytest.approx(precision, abs=1e-6)
    assert data["temperature"] == 1.8


def test_all_received_are_the_split_and_the_unacted_of_its_mailboxes(folder):
    data = evaluate.run(config_of(folder)).data
    acted = read(folder, "test.json")
    unacted = [record for record in read(folder, "emails_unacted.json") if record.user in ("owner-c", "owner-d")]
    logits, _ = logits_of(folder, [*acted, *unacted])
    reply = softmax(logits / 1.8, axis=1)[:, :2].sum(axis=1)
    needs = [record.action in (Action.REPLY_NOW, Action.REPLY_LATER) for record in [*acted, *unacted]]
    assert len(unacted) == 40
    assert data["received"] == 80
    assert data["reply_auc_received"] == pytest.approx(sklearn.roc_auc_score(needs, reply), abs=1e-6)
    assert data["reply_auc_received"] != data["reply_auc"]


def test_in_a_split_by_time_the_unacted_of_its_time_count(folder):
    first = 989888400
    write_metadata(
        folder / "data",
        by="time",
        mailboxes={name: ["owner-c", "owner-d"] for name in SPLITS},
        until={"owner-c": [first + 20, first + 40], "owner-d": [first + 20, first + 40]},
    )
    counts = {name: evaluate.run(config_of(folder, f"evaluate.split={name}")).data for name in SPLITS}
    unacted = {name: data["received"] - data["count"] for name, data in counts.items()}
    assert unacted == {"train": 10, "val": 10, "test": 20}  # every second of 80 is theirs, a second apart


def test_without_unacted_mail_the_area_among_all_received_is_null(folder):
    write(folder / "data" / "emails_unacted.json", [])
    data = evaluate.run(config_of(folder)).data
    assert data["reply_auc_received"] is None
    assert data["received"] == data["count"]


def test_the_baselines_are_the_untrained_policy_and_trains_majority_and_prior(folder):
    data = evaluate.run(config_of(folder)).data
    records = read(folder, "test.json")
    targets = np.array([ACTION_INDEX[record.action] for record in records])
    checkpoint = load_checkpoint(folder / "checkpoints" / "best_sft.pt")
    _, features = logits_of(folder, records)
    untrained = predict_logits(new_policy(checkpoint.model, seed=4), features).argmax(dim=1).numpy()
    got = data["baselines"]
    assert got["untrained"]["accuracy"] == pytest.approx((untrained == targets).mean())
    # Five of nine training messages were deleted, whatever the test split holds.
    assert got["majority"]["predicted_share"]["delete"] == 1
    assert got["majority"]["accuracy"] == pytest.approx((targets == 4).mean())
    assert got["majority"]["macro_f1"] == pytest.approx(sklearn.f1_score(targets, targets * 0 + 4, average="macro"))
    assert got["prior"]["predicted_share"]["delete"] == pytest.approx(5 / 9, abs=0.25)
    assert got["prior"] != got["majority"]


def test_each_mailbox_counts_alike_in_the_mailbox_mean(folder):
    data = evaluate.run(config_of(folder)).data
    records = read(folder, "test.json")
    logits, _ = logits_of(folder, records)
    right = logits.argmax(axis=1) == [ACTION_INDEX[record.action] for record in records]
    means = {}
    for user in ("owner-c", "owner-d"):
        rows = np.array([record.user == user for record in records])
        means[user] = right[rows].mean()
        assert data["per_mailbox"][user]["count"] == rows.sum()
        assert data["per_mailbox"][user]["accuracy"] == pytest.approx(means[user])
    assert data["mailboxes"] == len(data["per_mailbox"]) == 2
    assert data["mailbox_mean"]["accuracy"] == pytest.approx(np.mean(list(means.values())))


def test_intervals_are_null_under_10_mailboxes_and_hold_the_value_from_10_on(folder, labelled):
    few = evaluate.run(config_of(folder)).data["intervals"]
    assert few == dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1", "mean_reward", "reply_auc"))
    users = [f"owner-{letter}" for letter in "cdefghijklmn"]
    write(folder / "data" / "test.json", labelled(150, 5, users))
    many = evaluate.run(config_of(folder)).data
    for name, (low, high) in many["intervals"].items():
        assert low < many[name] < high
        assert high - low < (0.4 if name != "mean_reward" else 1.5)  # a reward of -5 to 0


def test_an_evaluation_from_few_messages_or_mailboxes_says_so_in_the_file_and_in_the_table(folder):
    result = evaluate.run(config_of(folder))
    (note,) = json.loads((folder / "data" / "eval" / "best_sft.test.json").read_bytes())["notes"]
    assert note.startswith(f"only {result.data['count']} messages: the accuracy may be off by ")
    assert f"only {result.data['mailboxes']} mailboxes (under 10): no intervals" in note
    assert f"Note: {note}" in " ".join(result.table.split())


def test_the_same_evaluation_twice_is_the_same_but_for_its_speed(folder):
    def timeless():
        data = evaluate.run(config_of(folder)).data
        return {name: value for name, value in data.items() if name != "messages_per_second"}

    first = timeless()
    picture = (folder / "data" / "eval" / "best_sft.test.png").read_bytes()
    assert timeless() == first
    assert (folder / "data" / "eval" / "best_sft.test.png").read_bytes() == picture
    assert picture.startswith(b"\x89PNG\r\n")


def test_any_split_and_any_checkpoint_can_be_evaluated(folder):
    (folder / "elsewhere").mkdir()
    moved = folder / "elsewhere" / "mine.pt"
    moved.write_bytes((folder / "checkpoints" / "best_sft.pt").read_bytes())
    config = config_of(folder, "evaluate.split=val", f"evaluate.checkpoint={moved}")
    data = evaluate.run(config).data
    assert (data["checkpoint"], data["split"], data["count"]) == ("mine", "val", 20)
    assert list(data["per_mailbox"]) == ["owner-b"]
    assert (folder / "data" / "eval" / "mine.val.json").exists()


def test_a_named_run_is_evaluated_in_its_own_folder(folder):
    (folder / "checkpoints" / "first").mkdir()
    (folder / "checkpoints" / "best_sft.pt").rename(folder / "checkpoints" / "first" / "best_sft.pt")
    evaluate.run(config_of(folder, "run=first"))
    assert (folder / "data" / "eval" / "first" / "best_sft.test.json").exists()


def test_a_file_of_labelled_records_can_be_evaluated(folder, labelled, message):
    records = [*labelled(20, 8, ("owner-x",)), *(message(n, None, "owner-x") for n in range(15))]
    path = folder / "mine.json"
    write(path, records)
    data = evaluate.run(config_of(folder, f"evaluate.split={path}")).data
    assert data["split"] == str(path)
    assert (data["count"], data["received"]) == (20, 35)  # its own unacted messages are the negatives
    logits, _ = logits_of(folder, records)
    needs = [record.action in (Action.REPLY_NOW, Action.REPLY_LATER) for record in records]
    reply = softmax(logits / 1.8, axis=1)[:, :2].sum(axis=1)
    assert data["reply_auc_received"] == pytest.approx(sklearn.roc_auc_score(needs, reply), abs=1e-6)
    assert (folder / "data" / "eval" / "best_sft.mine.json").exists()


def test_what_is_undefined_is_null(folder, labelled):
    kept = [record for record in labelled(40, 3) if record.action in (Action.ARCHIVE, Action.DELETE)]
    write(folder / "data" / "test.json", kept)
    data = evaluate.run(config_of(folder)).data
    missing = {"precision": None, "recall": None, "f1": None, "support": 0, "auc": None}
    for name in ("reply_now", "reply_later", "forward"):
        assert data["per_class"][name] == missing
    assert (data["reply_auc"], data["reply_average_precision"], data["reply_auc_received"]) == (None, None, None)
    assert data["macro_f1"] == pytest.approx(np.mean([data["per_class"][n]["f1"] for n in ("archive", "delete")]))


def config_with(*overrides):
    return load_config([], [*overrides])


def test_scores_of_a_hand_made_split(checkpoint_fields):
    """Six messages whose logits are given, all sure of one action; one more without an action."""
    targets = [0, 1, 3, 3, 4, 4, -1]
    predictions = [0, 3, 3, 3, 4, 3, 3]
    logits = np.log(np.full((7, 5), 0.05))
    logits[np.arange(7), predictions] = np.log(0.8)
    history = torch.zeros(7, len(RAW_COLUMNS))
    history[:, 3] = torch.tensor([0, 1, 49, 50, 499, 500, 7])  # archived so often before
    dataset = Dataset(
        raw={"history": history},
        targets=torch.tensor(targets),
        response_seconds=torch.full((7,), torch.nan),
        mailbox=torch.tensor([0, 0, 0, 1, 1, 1, 2]),
        mailboxes=["owner-a", "owner-b", "owner-z"],
        scheme="received",
    )
    calibration = Calibration(temperature=2.0)
    decision = Decision(rule="argmax", offsets={**OFFSETS, "prior": [0.0, 0.0, 0.0, 0.0, 99.0]}, costs=())
    fields = checkpoint_fields(3, calibration=calibration, decision=decision, model=None, weights={})
    checkpoint = Checkpoint(**fields)
    names = {"name": "best_sft", "split": "test"}
    by_prior = score(checkpoint, dataset, logits, logits[-1:], config_with("decision.rule=prior"), **names)
    assert (by_prior.decision_rule, by_prior.accuracy) == ("prior", pytest.approx(2 / 6))
    got = score(checkpoint, dataset, logits, logits[-1:], config_with(), **names)
    got = msgspec.to_builtins(got)
    assert (got["checkpoint"], got["split"]) == ("best_sft", "test")
    assert got["decision_rule"] == "argmax"
    assert got["decisions"]["prior"]["predicted_share"]["delete"] == 1
    assert got["decisions"]["argmax"]["accuracy"] == got["accuracy"]
    assert got["by_earlier_actions"]["0"] == {"count": 1, "accuracy": 1, "macro_f1": 1, "reply_auc": None}
    assert got["by_earlier_actions"]["1-49"]["count"] == 2
    assert got["by_earlier_actions"]["1-49"]["accuracy"] == pytest.approx(1 / 2)
    assert [got["by_earlier_actions"][name]["count"] for name in ("50-499", "500+")] == [2, 1]
    assert (got["count"], got["mailboxes"], got["received"]) == (6, 2, 7)
    assert got["accuracy"] == pytest.approx(4 / 6)
    assert got["balanced_accuracy"] == pytest.approx((1 + 0 + 1 + 0.5) / 4)
    assert got["per_class"]["archive"] == pytest.approx(
        {"precision": 0.5, "recall": 1, "f1": 2 / 3, "support": 2, "auc": 0.75}
    )
    assert got["per_class"]["forward"]["auc"] is None
    assert got["macro_f1"] == pytest.approx((1 + 0 + 2 / 3 + 2 / 3) / 4)
    assert got["predicted_share"] == pytest.approx(
        {"reply_now": 1 / 6, "reply_later": 0, "forward": 0, "archive": 4 / 6, "delete": 1 / 6}
    )
    assert got["collapsed"] is False
    # One reply stands above all else; the other shares its score with the four that need none.
    assert got["reply_auc"] == pytest.approx((4 + 2) / 8)
    assert got["reply_auc_received"] == pytest.approx((5 + 2.5) / 10)
    assert got["reply_average_precision"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 6)
    assert got["ece"] == pytest.approx(0.8 - 4 / 6)
    assert got["ece_calibrated"] == pytest.approx(4 / 6 - 4 / (4 + 4))  # sqrt(0.8 / 0.05) = 4 to four ones
    assert got["per_mailbox"]["owner-a"] == pytest.approx(
        {"count": 3, "accuracy": 2 / 3, "macro_f1": (1 + 0 + 2 / 3) / 3}
    )
    assert "owner-z" not in got["per_mailbox"]
    assert got["mailbox_mean"]["accuracy"] == pytest.approx(2 / 3)


def test_a_collapse_is_named(folder, caplog):
    checkpoint = load_checkpoint(folder / "checkpoints" / "best_sft.pt")
    weights = dict(checkpoint.weights)
    weights["members.4.bias"] = torch.tensor([[0.0, 0, 0, 100, 0]])
    save_checkpoint(folder / "checkpoints" / "best_sft.pt", msgspec.structs.replace(checkpoint, weights=weights))
    with caplog.at_level(logging.WARNING):
        result = evaluate.run(config_of(folder))
    assert result.data["collapsed"] is True
    assert "the policy has collapsed" in caplog.text
    assert "collapsed" in result.table


@pytest.fixture
def folder_scheme(folder, message, checkpoint_fields):
    changes = {"scheme": "folder", "history": None}
    sent = {"folder": "sent", "sender": "own@x.example", **changes}
    test = [
        message(1, Action.REPLY_LATER, "owner-c", subject="re: one", **sent),
        message(2, Action.REPLY_LATER, "owner-c", subject="re: two", **sent),
        message(3, Action.FORWARD, "owner-c", subject="fw: three", **sent),
        message(4, Action.ARCHIVE, "owner-c", **changes),
        message(5, Action.DELETE, "owner-c", **changes),
    ]
    write(folder / "data" / "test.json", test)
    write(folder / "data" / "train.json", [message(n, ACTIONS[n % 5], **changes) for n in range(20)])
    write(folder / "data" / "emails_unacted.json", [])
    write_metadata(folder / "data", scheme="folder")
    write_checkpoint(folder, checkpoint_fields, ("metadata",), "folder")
    return folder


FOLDER_CONFIG = ("label.scheme=folder", "features.groups=[metadata]")


def test_under_the_folder_scheme_the_rule_that_shows_the_leak_stands_beside(folder_scheme):
    result = evaluate.run(config_of(folder_scheme, *FOLDER_CONFIG))
    assert result.data["scheme"] == "folder"
    assert result.data["baselines"]["subject_rule"]["accuracy"] == pytest.approx(4 / 5)
    assert "labels of scheme folder leak" in result.table


def test_a_checkpoint_of_another_scheme_is_refused(folder_scheme, labelled):
    write(folder_scheme / "data" / "test.json", labelled(5, 1))
    with pytest.raises(UsageError, match=r"best_sft\.pt: trained on scheme folder, but .*test\.json is labelled with"):
        evaluate.run(config_of(folder_scheme, *FOLDER_CONFIG))


@pytest.mark.parametrize("count", [0, 1])
def test_a_split_without_a_labelled_message_is_refused(folder, message, count):
    write(folder / "data" / "test.json", [message(number, None) for number in range(count)])
    with pytest.raises(UsageError, match=r"test\.json: holds no labelled message; run `triage split`"):
        evaluate.run(config_of(folder))
    assert not list((folder / "data").glob("eval/*"))


def test_an_empty_split_is_called_so_under_the_folder_scheme_too(folder_scheme):
    write(folder_scheme / "data" / "test.json", [])
    with pytest.raises(UsageError, match=r"test\.json: holds no labelled message"):
        evaluate.run(config_of(folder_scheme, *FOLDER_CONFIG))


def test_a_checkpoint_with_a_group_that_this_version_does_not_know_is_refused(folder):
    checkpoint = load_checkpoint(folder / "checkpoints" / "best_sft.pt")
    settings = FeaturesConfig(groups=("metadata", "a_later_group"))
    features = msgspec.structs.replace(checkpoint.features, settings=settings)
    save_checkpoint(folder / "checkpoints" / "best_sft.pt", msgspec.structs.replace(checkpoint, features=features))
    with pytest.raises(UsageError, match=r"best_sft\.pt: .*a_later_group"):
        evaluate.run(config_of(folder))


def test_a_checkpoint_with_other_features_than_this_versions_is_refused(folder, checkpoint_fields):
    model = PolicySpec(inputs=5, hidden=(8,), dropout=0.1)
    policy = new_policy(model, seed=1)
    features = checkpoint_fields(5)["features"]
    write_checkpoint(folder, checkpoint_fields, model=model, weights=policy.state_dict(), features=features)
    with pytest.raises(UsageError, match=r"best_sft\.pt: expects 5 features, this version extracts \d+ for metadata"):
        evaluate.run(config_of(folder))


@pytest.mark.parametrize(
    ("missing", "maker"),
    [
        ("checkpoints/best_sft.pt", "sft"),
        ("data/test.json", "split"),
        ("data/split_metadata.json", "split"),
        ("data/emails_unacted.json", "label"),
    ],
)
def test_a_missing_input_names_the_stage_that_makes_it(folder, missing, maker):
    (folder / missing).unlink()
    with pytest.raises(UsageError, match=rf"{missing}: no such file or folder; run `triage {maker}` first"):
        evaluate.run(config_of(folder))


@pytest.mark.parametrize("text", ["{", "{}", '{"seed": 1}'], ids=["truncated", "empty", "hand-edited"])
def test_damaged_split_metadata_are_refused_and_the_old_evaluation_stays(folder, text):
    evaluate.run(config_of(folder))
    before = (folder / "data" / "eval" / "best_sft.test.json").read_bytes()
    (folder / "data" / "split_metadata.json").write_text(text)
    with pytest.raises(UsageError, match=r"split_metadata\.json: not what the program wrote there"):
        evaluate.run(config_of(folder))
    assert (folder / "data" / "eval" / "best_sft.test.json").read_bytes() == before


def test_split_metadata_without_the_split_are_refused(folder):
    write_metadata(folder / "data", mailboxes={"train": ["owner-a"]})
    with pytest.raises(UsageError, match=r"split_metadata\.json"):
        evaluate.run(config_of(folder))


def test_an_evaluation_is_up_to_date_until_its_inputs_change(folder):
    config = config_of(folder)
    evaluate.run(config)
    assert stage_run("evaluate", config).is_up_to_date()
    assert not stage_run("evaluate", config_of(folder, "evaluate.split=val")).is_up_to_date()
    write(folder / "data" / "emails_unacted.json", [])
    assert not stage_run("evaluate", config).is_up_to_date()


def test_a_stored_evaluation_is_shown_without_torch_and_matplotlib():
    code = "import sys, enron_triage.evaluation.stored; sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_judgements_by_people_are_a_part_of_the_evaluation(folder, tmp_path):
    records = json.loads((folder / "data" / "val.json").read_text())
    path = tmp_path / "judgements.jsonl"
    lines = [{"fingerprint": each["fingerprint"], "chosen": "archive", "rejected": "delete"} for each in records]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    without = evaluate.run(config_of(folder, "evaluate.split=val")).data
    config = config_of(folder, "evaluate.split=val", f"evaluate.judgements={path}")
    assert not stage_run("evaluate", config).is_up_to_date()
    result = evaluate.run(config)
    found = result.data.pop("judgements")
    assert found["pairs"]["count"] >= len(records)
    assert f"{found['pairs']['accuracy']:.4f}" in result.table
    stored = json.loads((folder / "data" / "eval" / "best_sft.val.json").read_text())
    assert stored["judgements"] == found
    assert "judgements" not in without
    assert stage_run("evaluate", config).is_up_to_date()
    path.unlink()
    with pytest.raises(UsageError, match=r"judgements\.jsonl"):
        evaluate.run(config)
