import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.mail.charsets import decode, decode_header
from enron_triage.mail.encoded_words import decode_words

EXAMPLES = settings(max_examples=400, deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("content", "charset", "text"),
    [
        (b"caf\xe9", "iso-8859-1", "café"),
        (b"caf\xc3\xa9", "us-ascii", "café"),
        (b"\x93quoted\x94", "us-ascii", "“quoted”"),
        (b"\x93quoted\x94", "utf-8", "“quoted”"),
        (b"\x81\x93", "us-ascii", "\N{REPLACEMENT CHARACTER}“"),  # not even Windows-1252
        ("囍字㐀".encode("gb18030"), "gb2312", "囍字㐀"),
        ("①髙﨑".encode("cp932"), "Shift_JIS", "①髙﨑"),
        ("手紙".encode("cp932"), "x-sjis", "手紙"),
        ("똠방".encode("cp949"), "ks_c_5601-1987", "똠방"),
        ("똠방".encode("cp949"), "EUC-KR", "똠방"),
        ("啫喱".encode("big5hkscs"), "big5", "啫喱"),
        ("“ğ”".encode("cp1254"), "iso-8859-9", "“ğ”"),
        ("ครับ".encode("cp874"), "tis-620", "ครับ"),
        ("①㈱".encode("euc_jis_2004"), "euc-jp", "①㈱"),
        ("手①紙".encode("iso2022_jp_2004").replace(b"$(Q", b"$B"), "iso-2022-jp", "手①紙"),
        ("привет".encode("koi8-r"), "'KOI8-R'", "привет"),
        ("“5 €”".encode("cp1252"), "latin1", "“5 €”"),
        ("“5 €”".encode("cp1252"), "iso8859_1", "“5 €”"),
        ("한글".encode("iso2022_kr"), "iso-2022-kr", "한글"),  # browsers refuse it, mail has it
        ("привет".encode("cp1251"), "cp-1251", "привет"),
        ("привет".encode("cp1251"), "win-1251", "привет"),
        ("привет".encode("cp1251"), "windows1251_charset", "привет"),
        ("手紙".encode("iso2022_jp"), "cp50220", "手紙"),
        ("手紙".encode("iso2022_jp"), "_iso-2022-jp$ESC", "手紙"),
        ("똠방".encode("cp949"), "x-windows-949", "똠방"),
        ("žluť".encode("mac-latin2"), "x-mac-ce", "žluť"),
        ("γειά".encode("mac-greek"), "x-mac-greek", "γειά"),
        ("Grüße".encode("utf-7"), "x-unicode-2-0-utf-7", "Grüße"),
        ("Grüße".encode("utf-16-be"), "utf-16", "Grüße"),
        ("Grüße".encode("utf-16-le"), "utf-16", "Grüße"),
        ("Grüße".encode("utf-16"), "utf-16", "Grüße"),
        ("Grüße".encode("latin-1"), "utf-8", "Grüße"),
        ("Grüße".encode(), "iso-8859-1", "Grüße"),
        ("Grüße 日本 ".encode() + b"\x96 " + "ä".encode(), "utf-8", "Grüße 日本 \N{REPLACEMENT CHARACTER} ä"),
        ("Grüße".encode() + b" \xc3", "us-ascii", "Grüße \N{REPLACEMENT CHARACTER}"),
        ("手紙手".encode("cp932") + b"\x88", "shift_jis", "手紙手\N{REPLACEMENT CHARACTER}"),
        ("\N{BYTE ORDER MARK}Grüße".encode(), "iso-8859-1", "Grüße"),
        (b"a" * 99 + b"\xe9", "x" * 1000, "a" * 99 + "é"),
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


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?utf-8?q?a=C3?= =?UTF-8?q?=BC?= b", "aü b"),  # a letter in two words
        ("=?utf-8?b?w7w?= =?utf-8?b?w6Q?=", "üä"),  # without padding
        ("=?utf-8?b?w?=\t=?utf-8?b?7w=?=", "ü"),  # base64 that was cut anywhere
        ("=?utf-8?b?w 7\tw=?=", "ü"),
        ("=?utf-8?q?two words?=", "two words"),
        ("=?utf-8?q?What?_Why??=", "What? Why?"),
        ("=?utf-8?q?open =?utf-8?q?=C3=BC?=", "=?utf-8?q?open ü"),
        ("=?utf-8?q?Größe?=", "Größe"),
        ("=?utf-8?q?=C3=BC=FF=C3=A4?=", "ü\N{REPLACEMENT CHARACTER}ä"),
        ("=?utf-8?q?Gr=C3=BC=C3=9F?= =?utf-8?b?w6Q=?=", "Grüßä"),
        ("x=?utf-8?q?y?=z =?utf-8?q?a?=, =?utf-8?q?b?=", "xyz a, b"),
        ("=?gb2312?b?h9Y=?=", "囍"),
        ("=?iso-2022-jp?b?GyRCLSEbKEI=?=", "①"),
        ("=?utf-8*de?q?=C3=BC?=", "ü"),
        ("=?utf-8?q??=", ""),
    ],
)
def test_encoded_words_are_read_as_badly_as_they_are_written(value, text):
    assert decode_words(value) == text


@pytest.mark.parametrize("piece", ["=?a?q?b?=", "=?a?q?b?= ", "=?a?q?", "=?a?q?? ", "=?", "=?utf-8?b?YWJ?= ", "?="])
def test_hostile_headers_take_no_time(piece, assert_linear):
    assert_linear(decode_words, lambda size: piece * size, 2_000)


@pytest.mark.parametrize(
    ("content", "charset", "text"),
    [
        ("Grüße".encode(), "koi8-r", "Grüße"),
        ("Grüße".encode("latin-1"), "", "Grüße"),
        ("привет".encode("koi8-r"), "koi8-r", "привет"),
    ],
)
def test_a_raw_header_is_utf8_or_of_the_charset_of_the_text(content, charset, text):
    assert decode_header(content, charset) == text


@EXAMPLES
@given(st.text(max_size=20) | st.text("=?utf-8qb ", max_size=40))
def test_a_header_without_a_whole_encoded_word_is_never_changed(text):
    if "?=" not in text:
        assert decode_words(text) == text
    decoded = decode_words(f"=?{text}?=")
    assert decoded.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass") == decoded
