from email.utils import getaddresses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.mail import address_lists
from enron_triage.mail.addresses import (
    domain_of,
    parse_addresses,
    parse_named_addresses,
    read_any_list,
    read_plain_list,
)

EXAMPLES = settings(max_examples=200, deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("A@X.example", ["a@x.example"]),
        ("a@x.example, b , ,c@x.example,", ["a@x.example", "b", "c@x.example"]),
        ("/O=X/OU=NA/CN=JDOE", ["/o=x/ou=na/cn=jdoe"]),
        ('"Doe, Jane" <Jane@x.example>, bob', ["jane@x.example", "bob"]),
        ("Jane (at home) <jane@x.example>", ["jane@x.example"]),
        ("Friends: a@x.example, B@x.example;", ["a@x.example", "b@x.example"]),
        ("undisclosed-recipients:;", []),
        ("=?utf-8?q?Doe=2C_Jane?= <jane@x.example>", ["jane@x.example"]),
        ("<a@x.example> <b@x.example>", ["a@x.example", "b@x.example"]),
        ("<>", []),
        ("<unclosed@x.example", ["unclosed@x.example"]),
        ('"unclosed <a@x.example>', ["a@x.example"]),
        ('"doe@x.example" <evil@y.example>', ["evil@y.example"]),  # the name is no address, whatever it claims
        ("doe@x.example <evil@y.example>", ["evil@y.example"]),
        ("Jane [mailto:jane@x.example]", ["jane@x.example"]),
        ("Jane &lt;jane@x.example&gt;", ["jane@x.example"]),
        ("王，小明＜wang@x.example＞；jane@x.example", ["wang@x.example", "jane@x.example"]),
        ("wang@x.example，jane@x.example", ["wang@x.example", "jane@x.example"]),
        ("Doe, Jane <jane@x.example>", ["jane@x.example"]),
        ("Doe, Jane <jane@x.example>, Roe; Rick <r@x.example>", ["jane@x.example", "r@x.example"]),
        ("Jane [Sales, North] <jane@x.example>", ["jane@x.example"]),
        ("Jane @ Work <jane@x.example>", ["jane@x.example"]),
        ("Sales: Jane <jane@x.example>", ["jane@x.example"]),
        ("Jane (Sales, (North)) <jane@x.example>", ["jane@x.example"]),
        ("a@x.example; b@x.example;", ["a@x.example", "b@x.example"]),
        ("a@x.example b@x.example", ["a@x.example", "b@x.example"]),
        ("'a@x.example', 'b@x.example' <b@x.example>", ["a@x.example", "b@x.example"]),
        ("pat.o'neil@x.example", ["pat.o'neil@x.example"]),
        ("<mailto:jane@x.example?subject=Hello>", ["jane@x.example"]),
        ("SMTP:jane@x.example", ["jane@x.example"]),
        ("jane at x.example (Jane Doe)", ["jane@x.example"]),
        ("jane (at) x (dot) example, bob [at] y.example", ["jane@x.example", "bob@y.example"]),
        ("Jane <@relay.example:jane@x.example>", ["jane@x.example"]),
        ("jane @ x.example", ["jane@x.example"]),
        ("jane@[192.0.2.1]", ["jane@[192.0.2.1]"]),
        ("jane@[IPv6:2001:db8::1], b@x.example", ["jane@[ipv6:2001:db8::1]", "b@x.example"]),
        ('"jane doe"@x.example', ['"jane doe"@x.example']),
        ('<"."jane@x.example>', ["jane@x.example"]),
        ("jane@x.example <Jane Doe>", ["jane@x.example"]),
        ("=?utf-8?q?Jane_=3Cjane=40x.example=3E?=", ["jane@x.example"]),
        ("<open@x.example, Bob <bob@x.example>", ["open@x.example", "bob@x.example"]),
        ("(" * 100_000 + " Jane@x.example, @, b@, @c", ["jane@x.example"]),
    ],
)
def test_addresses_are_found_in_order(value, expected):
    assert parse_addresses(value) == expected


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("Doe, Jane <jane@x.example>, Rick Roe <r@x.example>", ["Doe, Jane", "Rick Roe"]),
        ('"Doe \\"JD\\", Jane" <jane@x.example>', ['Doe "JD", Jane']),
        ("jane@x.example (Jane (JD) Doe), b@x.example", ["Jane (JD) Doe", ""]),
        ("=?utf-8?q?Doe,_Jane?= <jane@x.example>", ["=?utf-8?q?Doe,_Jane?="]),
        ("=?utf-8?q?Jane_Doe_=3Cjane=40x.example=3E?=", ["Jane Doe"]),
        ("Friends: Jane <jane@x.example>;", ["Jane"]),
        ("王，小明 <wang@x.example>", ["王，小明"]),
    ],
)
def test_names_are_read_with_their_addresses(value, names):
    assert [name for name, _ in parse_named_addresses(value)] == names


@pytest.mark.parametrize(
    "piece",
    ['"', '"\\', "(", "<", "<a@x ", "@[", "a:", "aa, ", "a@", "( ", "a at b dot ", "g:a@x.example,", "((a@x.example) "],
)
def test_hostile_lists_take_no_time(piece, assert_linear):
    assert_linear(read_any_list, lambda size: piece * size + "b@x.example", 800)


def test_a_long_list_of_recipients_is_read_whole():
    assert parse_addresses(", ".join(f"A{n}@x.example" for n in range(5000))) == [
        f"a{n}@x.example" for n in range(5000)
    ]


@pytest.mark.parametrize("piece", [";", ",", "a:b;,", '"a" <b@x.example>, ', "<"])
def test_more_addresses_than_in_any_mail_are_refused(piece, monkeypatch):
    monkeypatch.setattr(address_lists, "_MAX_ELEMENTS", 100)
    parse_addresses(piece * 20)
    with pytest.raises(ValueError, match="a list of more than 100 addresses"):
        parse_addresses(piece * 102 + "(")


@pytest.mark.parametrize("piece", ["(", '"', "[", "\\", "(a)"])
def test_more_brackets_than_in_any_mail_are_refused(piece, monkeypatch):
    monkeypatch.setattr(address_lists, "_MAX_SIGNS", 100)
    parse_addresses(piece * 20)
    with pytest.raises(ValueError, match="more than 100 quotation marks and brackets"):
        parse_addresses(piece * 102)


address_parts = st.text("aZ9._@#&'+/-=", max_size=6) | st.sampled_from(["a@x.example", ".a@x", "a.@x.", "é@x.example"])


mailbox_texts = st.one_of(
    address_parts,
    st.builds("{} <{}>".format, st.text("aZ9._&'/- é\"", max_size=8), address_parts),
    st.text('a<>()@ \t\\":;[]=?', max_size=6),
)


@pytest.mark.slow
@settings(EXAMPLES, max_examples=2000)
@given(st.lists(mailbox_texts, min_size=1, max_size=4).map(", ".join))
def test_plain_mailboxes_are_read_alike_by_both_readers_and_the_email_package(value):
    plain = read_plain_list(value)
    by_email = [(name, address.lower()) for name, address in getaddresses([value])]
    assert plain is None or plain == read_any_list(value) == by_email


def test_the_fast_way_answers_for_plain_mailboxes():
    value = "a.b@x.example, Jane Doe <Jane@x.example>,  <c@x.example>"
    assert read_plain_list(value) == [("", "a.b@x.example"), ("Jane Doe", "jane@x.example"), ("", "c@x.example")]
    assert read_plain_list('"Doe, Jane" <jane@x.example>') is None


@EXAMPLES
@given(
    st.lists(st.tuples(st.text("ab ,;<>()@.é", max_size=8), st.from_regex(r"\A[a-z]{1,5}@x\.example\Z")), max_size=4)
)
def test_quoted_display_names_do_not_disturb_addresses(pairs):
    assert parse_addresses(", ".join(f'"{name}" <{address}>' for name, address in pairs)) == [a for _, a in pairs]


def test_the_domain_of_an_address_without_one_is_the_address():
    assert domain_of("jane@x.example") == "x.example"
    assert domain_of("jane") == "jane"
    assert domain_of('"odd@name"@x.example') == "x.example"
