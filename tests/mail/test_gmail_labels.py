import pytest

from enron_triage.mail.gmail_labels import gmail_labels


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        ("Inbox,Category updates, Opened", ["Inbox", "Category updates", "Opened"]),
        ('"Clients, 2023",Inbox', ["Clients, 2023", "Inbox"]),
        ('Inbox, "Trash, recycling"', ["Inbox", "Trash, recycling"]),
        ('5" disks,Inbox', ['5" disks', "Inbox"]),
        ('"open,Inbox', ['"open', "Inbox"]),
        ("=?UTF-8?Q?Gesendet,Ge=C3=B6ffnet?=", ["Gesendet", "Geöffnet"]),
        ("=?UTF-8?Q?Inbox,K=C3=BCche?= =?UTF-8?Q?,Gr=C3=B6=C3=9Fe?=", ["Inbox", "Küche", "Größe"]),
        ("=?UTF-8?B?IsOWbCwgRXNzaWciLEluYm94?=", ["Öl, Essig", "Inbox"]),
        ("", ["Archived"]),
        (" , ", ["Archived"]),
    ],
)
def test_labels_are_separated_by_commas_and_may_be_quoted_and_encoded(value, labels):
    assert gmail_labels({"x-gmail-labels": value}) == labels


def test_without_the_header_there_are_no_labels():
    assert gmail_labels({}) == []
