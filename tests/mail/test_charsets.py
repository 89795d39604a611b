import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.mail.charsets import decode
from enron_triage.mail.encoded_words import decode_words

EXAMPLES = settings(max_examples=400, deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("content", "charset", "text"),
    [
        (b"caf\xe9", "iso-8859-1", "café"),
        (b"caf\xc3\xa9", "us-ascii", "café"),
        (b"\x93quoted\x94", "us-ascii", "“quoted”"),
        (b"\x93quoted\x94", "utf-8", "“quoted”"),
        (b"\x81\x93", "us-ascii", "\x81\x93"),  # not even Windows-1252
        (b"caf\xc3\xa9", "", "café"),
        (b"caf\xc3\xa9", "no\0such", "café"),
        (b"abc", "rot13", "abc"),
        (b"abc", "hex", "abc"),
        (b"abc-d", "punycode", "abc-d"),
        (b"xn--caf-dma", "idna", "xn--caf-dma"),
        (rb"a\u0041\d", "unicode_escape", r"a\u0041\d"),
        (rb"a\u0041", "raw-unicode-escape", r"a\u0041"),
        (b"abc", "undefined", "abc"),
        (b"+2AA-", "utf-7", "���"),  # a lone surrogate
        (b"\xff\xfea\0", "utf-16", "a"),
    ],
)
def test_bytes_are_decoded_by_their_charset_with_a_fallback_that_never_fails(content, charset, text):
    assert decode(content, charset) == text


@EXAMPLES
@given(
    st.binary(max_size=40),
    st.sampled_from(["utf-7", "utf-16", "utf-32", "cp037", "unicode_escape", "hz", "iso-2022-jp", "uu", "mbcs"]),
)
def test_decoded_text_can_always_be_encoded_again(content, charset):
    text = decode(content, charset)
    assert text.encode().decode() == text


@EXAMPLES
@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=20), st.sampled_from("bBqQ"))
def test_every_text_survives_an_encoded_word(text, way):
    content = text.encode()
    word = base64.b64encode(content).decode() if way in "bB" else "".join(f"={byte:02X}" for byte in content)
    assert decode_words(f"Re: =?UTF-8?{way}?{word}?= end") == f"Re: {text} end"


@EXAMPLES
@given(st.text(max_size=20) | st.text("=?utf-8qb ", max_size=40))
def test_a_header_without_a_whole_encoded_word_is_never_changed(text):
    if "?=" not in text:
        assert decode_words(text) == text
    decoded = decode_words(f"=?{text}?=")
    assert decoded.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass") == decoded
