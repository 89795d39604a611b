import pytest

from enron_triage.config.data import FoldersConfig
from enron_triage.labels.folders import MailboxFolders, folder_rows, shown_name

NOON = 983793600  # 5 March 2001, 12:00 UTC


def folders_of(*emails, config=None):
    return MailboxFolders.of(emails, config or FoldersConfig())


def test_messages_are_counted_by_folder_and_by_role(message, sent):
    gmail = message(NOON, labels=["Inbox", "Trash", "Receipts"])
    folders = folders_of(message(NOON, "Entw&APw-rfe"), sent(NOON, folder="Gesendet"), sent(NOON, folder="sent"), gmail)
    assert [(folder.role, folder.name, folder.messages) for folder in folders.folders] == [
        ("deleted", "Trash", 1),
        ("drafts", "Entwürfe", 1),
        ("filing", "Receipts", 1),
        ("inbox", "Inbox", 1),
        ("sent", "Gesendet", 1),
        ("sent", "sent", 1),
    ]
    assert folders.roles == {"deleted": 1, "drafts": 1, "sent": 2}
    assert dict(folder_rows([folders, folders])) == {
        "deleted, in 2 mailboxes": 2,
        "drafts, in 2 mailboxes": 2,
        "sent, in 2 mailboxes": 4,
    }


def test_labels_that_are_no_place_are_not_listed_beside_one_that_is(message):
    listed = folders_of(message(NOON, labels=["Geöffnet", "Posteingang"]), message(NOON, labels=["Wichtig"])).folders
    assert [(folder.role, folder.name) for folder in listed] == [("filing", "Wichtig"), ("inbox", "Posteingang")]


@pytest.mark.parametrize(
    ("folders", "config", "problem"),
    [
        (["inbox", "sent"], {}, None),
        (["inbox", "trash"], {}, "no folder of sent mail is known"),
        (["inbox", "trash"], {"sent": ()}, None),
        (["inbox", "trash", "Sent"], {"sent": ("Ausgang",)}, "no folder of sent mail is known"),
        (["sent", "sent/2001"], {}, "all its folders count as sent"),
        (["Foo", "Bar"], {"sent": ()}, "all its folders count as filing"),
    ],
)
def test_a_mailbox_whose_folders_are_not_known_is_not_labeled(message, folders, config, problem):
    config = FoldersConfig(**config)
    why = folders_of(*(message(NOON, folder) for folder in folders), config=config).why_not_labeled(config)
    assert why is None if problem is None else problem in why


def test_a_folder_alone_is_answered_with_the_advice_to_give_the_whole_mailbox(message):
    config = FoldersConfig()
    assert "give the whole mailbox" in folders_of(message(NOON, "inbox")).why_not_labeled(config)
    assert "whole mailbox" not in folders_of(message(NOON, "inbox"), message(NOON, "x")).why_not_labeled(config)


def test_a_single_folder_with_flags_tells_what_was_done(message):
    config = FoldersConfig(sent=())
    assert folders_of(message(NOON, flags=["replied"]), config=config).why_not_labeled(config) is None


def test_the_folder_that_may_hold_sent_mail_is_proposed(message):
    letters = [message(NOON + n, "Letters", f"friend{n}@x.example") for n in range(9)]
    own = [message(NOON + n, 'It\'s "out"', "me@home.example") for n in range(3)]
    why = folders_of(*letters, *own, message(NOON, "Once")).why_not_labeled(FoldersConfig())
    assert "Letters 9 (filing)" in why
    assert r"""--set 'label.folders.sent=["It'"'"'s \"out\""]'""" in why


def test_many_folders_are_cut_short_and_control_characters_not_shown(message):
    emails = [message(NOON, f"folder {n:02}\x1b[2J") for n in range(30)]
    folders = folders_of(*emails, message(NOON, "x" * 900))
    why = folders.why_not_labeled(FoldersConfig())
    assert "\x1b" not in why
    assert "folder 07?[2J 1 (filing)" in why
    assert why.endswith(", 11 more")
    rows = list(folder_rows([folders]))
    assert len(rows) == 21
    assert sum(messages for _, messages in rows) == 31


def test_a_long_name_is_whole_in_the_data_and_shortened_in_the_middle_in_words(message):
    names = [f"Clients/{'x' * 80}/{year}" for year in ("2019", "2020")]
    folders = folders_of(*(message(NOON, name) for name in names))
    assert dict(folder_rows([folders])) == {f"filing: {name}": 1 for name in names}
    why = folders.why_not_labeled(FoldersConfig())
    assert all(f"xxx/{year} 1 (filing)" in why for year in ("2019", "2020"))
    assert "x" * 70 not in why
    assert [len(shown_name(name, 54)) for name in (*names, "short", "")] == [54, 54, 5, 5]
