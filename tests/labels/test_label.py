import json
import logging
from collections import Counter

import msgspec
import pytest

from enron_triage.config.load import load_config
from enron_triage.errors import UsageError
from enron_triage.labels import label, split
from enron_triage.labels.labeled import Labeled
from enron_triage.labels.schemes import SCHEMES, Scheme
from enron_triage.records import Action, Evidence, LabeledEmail
from enron_triage.runtime import artifacts, time_limit

HOUR, DAY = 3600, 86400
NOON = 983793600  # 5 March 2001, 12:00 UTC
JOHN, MARY = "john@x.example", "mary@z.example"


def counts(**taken):
    return [taken.get(action.value, 0) for action in Action]


def write_emails(path, emails):
    with artifacts.record_writer(path) as writer:
        for email in emails:
            writer.write(msgspec.json.encode(email))


@pytest.fixture(scope="module")
def own_mail(sent):
    """Enough sent mail to tell the owner, long before anything else and to nobody else."""
    return [sent(NOON - 300 * DAY - n * HOUR, f"notice {n}", to=["all@home.example"]) for n in range(2)]


@pytest.fixture(scope="module")
def corpus(message, sent, own_mail):
    """Three mailboxes in the order of an artifact; one has no sent mail."""
    emails = []
    for user in ("allen-a", "baker-b", "cole-c"):
        mail = [
            *(own_mail if user != "cole-c" else []),
            message(NOON, subject="answered"),
            *([sent(NOON + HOUR, "Re: answered")] if user != "cole-c" else []),
            message(NOON + 1, "projects", subject="filed"),
            message(NOON + 1, "all_documents", subject="filed"),
            message(NOON + 2, "deleted_items", JOHN, subject="deleted"),
            message(NOON + 3, "junk", MARY, subject="junk"),
            message(NOON + 10 * DAY, subject="left"),
        ]
        emails += [msgspec.structs.replace(email, user=user, path=f"{user}/{email.path}") for email in mail]
    return emails


def config_of(root, *overrides):
    return load_config([], ["workers=1", *overrides], data_dir=str(root))


def test_the_stage_labels_every_mailbox_and_counts_every_record(tmp_path, caplog, corpus):
    write_emails(tmp_path / "emails.json", corpus)
    with caplog.at_level(logging.WARNING):
        result = label.run(config_of(tmp_path))
    assert result.data == {
        "scheme": "received",
        "records": len(corpus),
        "labeled": 6,
        "unacted": 2,
        "actions": {"reply_now": 2, "reply_later": 0, "forward": 0, "archive": 2, "delete": 2},
        "dropped": {"copy": 2, "junk": 2, "sent_by_owner": 6, "unknown_folders": 6},
        "links": {"reply:conversation": 2},
        "folders": {
            "deleted, in 2 mailboxes": 2,
            "filing, in 2 mailboxes": 2,
            "inbox, in 2 mailboxes": 4,
            "junk, in 2 mailboxes": 2,
            "sent, in 2 mailboxes": 6,
            "system, in 2 mailboxes": 2,
        },
        "left_out": ["cole-c"],
        "owners": {
            user: {"addresses": ("owner@home.example",), "basis": "leading_sender", "others": {}}
            for user in ("allen-a", "baker-b")
        },
    }
    labeled = json.loads((tmp_path / "emails_labeled.json").read_bytes())
    assert [(record["user"], record["action"]) for record in labeled] == [
        (user, action)
        for user, actions in (
            ("allen-a", ("reply_now", "archive", "delete")),
            ("baker-b", ("reply_now", "archive", "delete")),
        )
        for action in actions
    ]
    unacted = json.loads((tmp_path / "emails_unacted.json").read_bytes())
    assert [(record["user"], record["subject"], record["action"]) for record in unacted] == [
        ("allen-a", "left", None),
        ("baker-b", "left", None),
    ]
    # A mailbox's history is its own.
    assert unacted[0]["history"]["owner"]["counts"] == counts(reply_now=1, archive=1, delete=1)
    assert "mailbox cole-c is left out: no folder of sent mail is known" in caplog.text
    assert "scheme received: 24 records, 6 labelled" in result.table
    assert result.table.splitlines()[-1].split() == ["not", "labelled", "no", "action", "2"]


def test_one_mailbox_without_a_known_folder_of_sent_mail_is_refused(tmp_path, message):
    strange = [message(NOON + n, "Zwitscherbox", "me@home.example", subject=f"note {n}") for n in range(3)]
    emails = [*strange, message(NOON + 9, ""), message(NOON + 8, "Ablage"), message(NOON + 7, "Papierkorb")]
    write_emails(tmp_path / "emails.json", emails)
    with pytest.raises(UsageError, match=r"mailbox owner-a: no folder of sent mail is known") as caught:
        label.run(config_of(tmp_path))
    assert """--set 'label.folders.sent=["Zwitscherbox"]'""" in str(caught.value)
    assert "Zwitscherbox 3 (filing), (top) 1 (inbox), Ablage 1 (filing), Papierkorb 1 (deleted)" in str(caught.value)
    result = label.run(config_of(tmp_path, 'label.folders.sent=["Zwitscherbox"]'))
    assert result.data["folders"] == {
        "deleted: Papierkorb": 1,
        "filing: Ablage": 1,
        "inbox: (top)": 1,
        "sent: Zwitscherbox": 3,
    }
    assert "sent: Zwitscherbox" in result.table


def test_the_table_is_80_columns_wide_whatever_the_folders_are_called(tmp_path, message):
    long = f"Ablage/{'x' * 90}/2020"
    emails = [message(NOON, "Sent", "me@home.example", subject="own"), message(NOON + 9, ""), message(NOON + 8, long)]
    write_emails(tmp_path / "emails.json", emails)
    result = label.run(config_of(tmp_path))
    assert result.data["folders"][f"filing: {long}"] == 1
    (line,) = (line for line in result.table.splitlines() if "filing" in line)
    assert len(line) == 80
    assert "xx/2020 " in line


def test_a_mailbox_without_a_known_inbox_is_named(tmp_path, caplog, message, own_mail):
    write_emails(tmp_path / "emails.json", [*own_mail, message(NOON, "Eingangskorb"), message(NOON + 1, "Trash")])
    with caplog.at_level(logging.WARNING):
        label.run(config_of(tmp_path))
    assert "1 mailboxes have no folder that counts as the inbox (owner-a)" in caplog.text
    caplog.clear()
    label.run(config_of(tmp_path, "label.folders.inbox=[Eingangskorb]"))
    assert "inbox" not in caplog.text


def test_an_empty_list_says_that_there_is_no_sent_mail(tmp_path, caplog, message):
    write_emails(tmp_path / "emails.json", [message(NOON), message(NOON + 1, "Trash")])
    with caplog.at_level(logging.WARNING):
        assert label.run(config_of(tmp_path, "label.folders.sent=[]")).data["actions"]["delete"] == 1
    assert "too little sent mail to identify their owner (owner-a)" in caplog.text


def test_one_worker_and_two_give_the_same_bytes(tmp_path, corpus):
    for workers in (1, 2):
        write_emails(tmp_path / str(workers) / "emails.json", corpus)
        label.run(load_config([], [f"workers={workers}"], data_dir=str(tmp_path / str(workers))))
    for name in ("emails_labeled.json", "emails_unacted.json"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_a_scheme_whose_labels_leak_says_so(tmp_path, caplog, corpus):
    write_emails(tmp_path / "emails.json", corpus)
    result = label.run(config_of(tmp_path, "label.scheme=folder", "features.groups=[metadata]"))
    assert result.data["actions"] == {"reply_now": 0, "reply_later": 2, "forward": 0, "archive": 3, "delete": 3}
    assert result.data["unacted"] == 0
    assert result.data["labeled"] + sum(result.data["dropped"].values()) == result.data["records"]
    assert SCHEMES["folder"].leak_note in result.table.splitlines()
    assert json.loads((tmp_path / "emails_unacted.json").read_bytes()) == []
    assert "owner" not in caplog.text


def test_the_metadata_of_the_labels_hold_the_settings_they_were_made_with(tmp_path, corpus):
    write_emails(tmp_path / "emails.json", corpus)
    label.run(config_of(tmp_path, "label.action_lag=3d"))
    meta = json.loads((tmp_path / "emails_labeled.json.meta.json").read_bytes())
    assert meta["stage"] == "label"
    assert meta["settings"]["label"]["action_lag"] == "3d"
    assert meta["counts"]["labeled"] == 6


def test_a_corpus_without_an_action_is_refused_and_the_old_labels_stay(tmp_path, message, own_mail):
    write_emails(tmp_path / "emails.json", [*own_mail, message(NOON), message(NOON + 1, "junk")])
    (tmp_path / "emails_labeled.json").write_text("old")
    with pytest.raises(UsageError, match=r"emails\.json: no message could be labelled \(3 dropped, 1 without"):
        label.run(config_of(tmp_path))
    assert (tmp_path / "emails_labeled.json").read_text() == "old"
    assert not (tmp_path / "emails_unacted.json").exists()


def test_missing_input_names_the_stage_that_makes_it(tmp_path):
    with pytest.raises(UsageError, match=r"emails\.json: no such file or folder; run `triage parse` first"):
        label.run(config_of(tmp_path))


def test_an_empty_corpus_is_refused(tmp_path):
    write_emails(tmp_path / "emails.json", [])
    with pytest.raises(UsageError, match="no message could be labelled"):
        label.run(config_of(tmp_path))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda content: content[: len(content) // 2], "truncated or edited"),
        (lambda content: content.replace(b'"timestamp":', b'"time":', 1), "line 2: not a record of this kind"),
        (lambda content: b"{}\n", "not an artifact of records"),
        (lambda content: content + b"x", "has data after its end"),
    ],
)
def test_a_damaged_artifact_is_refused_and_nothing_written(tmp_path, damage, says, corpus):
    path = tmp_path / "emails.json"
    write_emails(path, corpus)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UsageError, match=says):
        label.run(config_of(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["emails.json"]


def label_by_length(emails, config):
    """A toy scheme: what is longer than its owner likes is deleted."""
    evidence = Evidence(rule="length", sent_path=None, folders=[])
    actions = [Action.DELETE if len(email.body) > 20 else Action.ARCHIVE for email in emails]
    records = [
        LabeledEmail(
            **msgspec.structs.asdict(email),
            action=action,
            response_seconds=None,
            evidence=evidence,
            history=None,
            scheme="toy",
        )
        for email, action in zip(emails, actions, strict=True)
    ]
    return Labeled(records=records[1:], dropped=Counter(first=1))


def test_a_scheme_added_to_the_table_alone_is_labelled_and_split(tmp_path, monkeypatch, message):
    toy = Scheme(label=label_by_length, has_history=False, leak_note="The length of a text tells its label.")
    monkeypatch.setitem(SCHEMES, "toy", toy)
    bodies = ["first", "short", "a text of some length, or more"]
    emails = [message(NOON + n, user=f"user-{m}", body=body) for m in range(3) for n, body in enumerate(bodies)]
    emails = [msgspec.structs.replace(email, fingerprint=f"{n}") for n, email in enumerate(emails)]
    write_emails(tmp_path / "emails.json", emails)
    config = config_of(tmp_path, "label.scheme=toy")
    result = label.run(config)
    assert result.data["actions"] == {"reply_now": 0, "reply_later": 0, "forward": 0, "archive": 3, "delete": 3}
    assert result.data["dropped"] == {"first": 3}
    assert "The length of a text tells its label." in result.table
    assert split.run(config).data["scheme"] == "toy"
    assert {record["scheme"] for record in json.loads((tmp_path / "test.json").read_bytes())} == {"toy"}


def test_an_unknown_scheme_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match=r"label\.scheme: unknown name 'toy'.*allowed: received, folder"):
        config_of(tmp_path, "label.scheme=toy")


def test_a_mailbox_that_is_labelled_without_end_is_left_out_and_the_others_are_labelled(
    tmp_path, caplog, monkeypatch, corpus
):
    whole = label.label_mailbox

    def never_ends(emails, config):
        while emails[0].user == "baker-b":
            try:
                pass
            except Exception:
                continue
        return whole(emails, config)

    write_emails(tmp_path / "emails.json", corpus)
    monkeypatch.setattr(label, "label_mailbox", never_ends)
    monkeypatch.setattr(label, "_SECONDS", 0.05)
    monkeypatch.setattr(time_limit, "_TICK", 0.01)
    result = label.run(config_of(tmp_path))
    assert result.data["left_out"] == ["baker-b", "cole-c"]
    assert result.data["dropped"]["took_too_long"] == sum(email.user == "baker-b" for email in corpus)
    assert "mailbox baker-b is left out: its 9 messages took more than 0 s; please report it" in caplog.text
    labeled = json.loads((tmp_path / "emails_labeled.json").read_bytes())
    assert {record["user"] for record in labeled} == {"allen-a"}


def test_a_message_that_is_linked_without_end_costs_itself_and_not_its_mailbox(tmp_path, caplog, monkeypatch, corpus):
    emails = list(corpus)
    number = next(n for n, email in enumerate(emails) if email.user == "baker-b" and email.folder == "inbox")
    whole = label.label_mailbox

    def never_ends(emails, config):
        while any(email.body == "without end" for email in emails):
            try:
                pass
            except Exception:
                continue
        return whole(emails, config)

    write_emails(tmp_path / "emails.json", corpus)
    without = label.run(config_of(tmp_path)).data
    emails[number] = msgspec.structs.replace(emails[number], body="without end")
    write_emails(tmp_path / "emails.json", emails)
    monkeypatch.setattr(label, "label_mailbox", never_ends)
    monkeypatch.setattr(label, "_SECONDS", 1)
    monkeypatch.setattr(time_limit, "_TICK", 0.05)
    result = label.run(config_of(tmp_path)).data
    assert result["left_out"] == without["left_out"]
    assert result["dropped"]["took_too_long"] == 1
    assert f"messages that took too long are left out: 1 (the first: {emails[number].path})" in caplog.text
    assert result["labeled"] + result["unacted"] + sum(result["dropped"].values()) == result["records"]


def test_a_mailbox_that_ends_its_process_is_left_out_and_named(tmp_path, caplog, monkeypatch, corpus):
    def beside_one_that_dies(work, spans, workers, rescue):
        for span in spans:
            dies = span.user == "baker-b"
            yield from map(rescue.died if dies else work, rescue.divide(span))

    write_emails(tmp_path / "emails.json", corpus)
    monkeypatch.setattr(label, "map_ordered", beside_one_that_dies)
    result = label.run(config_of(tmp_path))
    assert result.data["left_out"] == ["baker-b", "cole-c"]
    assert "mailbox baker-b is left out: labelling it killed the worker process" in caplog.text
    assert result.data["dropped"]["took_too_long"] == 9


def test_a_configured_owner_of_a_mailbox_that_is_not_there_is_refused(tmp_path, corpus):
    write_emails(tmp_path / "emails.json", corpus)
    with pytest.raises(UsageError, match=r"mailbox that does not exist: allen-x; there are allen-a, baker-b, cole-c"):
        label.run(config_of(tmp_path, "label.owner={allen-x: [jane@x.example]}"))


def test_who_else_writes_from_sent_folders_is_said(tmp_path, caplog, corpus, message):
    aide = [message(NOON + n, "sent", "paul.aide@home.example", f"note {n}", to=[JOHN], user="allen-a") for n in (1, 2)]
    write_emails(tmp_path / "emails.json", sorted([*corpus, *aide], key=lambda email: email.user))
    with caplog.at_level(logging.WARNING):
        result = label.run(config_of(tmp_path, "label.owner=[owner@home.example]"))
    assert result.data["owners"]["allen-a"]["others"] == {"paul.aide@home.example": 2}
    assert "allen-a: paul.aide@home.example 2" in caplog.text
