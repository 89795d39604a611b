import pytest

from enron_triage.mail.modified_utf7 import decode_modified_utf7


@pytest.mark.parametrize(
    ("name", "decoded"),
    [
        ("Entw&APw-rfe", "Entwürfe"),
        ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),  # the example of RFC 3501
        ("&2D3cjA-", "💌"),
        ("R&-D", "R&D"),
        ("&AOk-l&AOk-ments envoy&AOk-s", "éléments envoyés"),
        # Not modified UTF-7, so what a person wrote:
        ("R&D", "R&D"),
        ("&Jjo!", "&Jjo!"),
        ("a & b - c", "a & b - c"),
        ("&2D0-", "&2D0-"),
        ("&APw", "&APw"),
        ("&A-", "&A-"),
    ],
)
def test_names_are_decoded(name, decoded):
    assert decode_modified_utf7(name) == decoded
