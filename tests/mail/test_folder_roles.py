import pytest

from enron_triage.config.data import FoldersConfig
from enron_triage.mail.folder_roles import FolderRoles
from enron_triage.records import Email


def message(folder="inbox", labels=()):
    return Email(
        path="owner-a/inbox/1.",
        user="owner-a",
        folder=folder,
        labels=list(labels),
        message_id="",
        date=None,
        timestamp=None,
        sender="jane@x.example",
        sender_name="",
        to=[],
        cc=[],
        bcc=[],
        subject="",
        raw_subject=None,
        body="",
        in_reply_to="",
        references=[],
        fingerprint="f",
        raw_sha256="s",
    )


@pytest.mark.parametrize(
    ("folder", "role"),
    [
        ("sent", "sent"),
        ("sent_items", "sent"),
        ("_sent_mail", "sent"),
        ("deleted_items", "deleted"),
        ("Trash", "deleted"),
        ("junk_file", "junk"),
        ("inbox", "inbox"),
        ("notes_inbox", "inbox"),
        ("", "inbox"),
        ("_drafts", "drafts"),
        ("all_documents", "system"),
        ("discussion_threads", "system"),
        ("calendar", "system"),
        ("to_do", "system"),
        ("projects", "filing"),
        ("sent to the printer", "filing"),
    ],
)
def test_a_folder_has_its_role_and_any_other_is_a_filing_folder(folder, role):
    assert FolderRoles(FoldersConfig()).of_folder(folder) == role


@pytest.mark.parametrize(
    ("folder", "role"),
    [
        ("deleted_items/sent", "deleted"),
        ("sent/deleted_items", "sent"),
        ("inbox/projects", "inbox"),
        ("projects/deleted_items", "deleted"),
        ("projects/2001/inbox/junk", "inbox"),
        ("projects/gas", "filing"),
    ],
)
def test_the_topmost_component_with_a_role_decides(folder, role):
    roles = FolderRoles(FoldersConfig())
    assert roles.of_folder(folder) == role
    assert roles.of_folder(folder.upper()) == role


def test_the_configured_names_replace_the_built_in_ones():
    roles = FolderRoles(FoldersConfig(deleted=("Papierkorb",)))
    assert roles.of_folder("papierkorb") == "deleted"
    assert roles.of_folder("deleted_items") == "filing"
    assert roles.of_folder("sent") == "sent"


@pytest.mark.parametrize(
    ("labels", "role"),
    [
        (["Inbox", "Important"], "inbox"),
        (["Inbox", "Receipts"], "inbox"),
        (["Trash", "Inbox"], "deleted"),
        (["Spam"], "junk"),
        (["Inbox", "Sent"], "sent"),
        (["Drafts", "Important"], "drafts"),
        (["Sent", "Trash"], "deleted"),
        (["Receipts"], "filing"),
        (["Important", "Unread"], "filing"),
    ],
)
def test_gmail_labels_decide_instead_of_the_folder(labels, role):
    assert FolderRoles(FoldersConfig()).of_message(message(folder="sent", labels=labels)) == role


def test_a_message_without_labels_has_the_role_of_its_folder():
    assert FolderRoles(FoldersConfig()).of_message(message(folder="deleted_items/old")) == "deleted"
