import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.mail import html_text as module
from enron_triage.mail.html_text import declared_charset, html_to_text

EXAMPLES = settings(max_examples=400, deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("", ""),
        ("<!-- a comment only -->", ""),
        ("   \n ", ""),
        ("plain & simple", "plain & simple"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<div>one<div>two</div>three</div>four", "one\ntwo\nthree\nfour"),
        ("<ul><li>one<li>two</ul>after", "one\ntwo\nafter"),
        ("<table><tr><td>one</td></tr><tr><td>two</td></tr></table>", "one\ntwo"),
        ("<head><title>no</title></head><p>yes<script>no()</script> it is<style>no {}</style></p>", "yes it is"),
        ("<p>many   spaces\n and lines</p>", "many spaces\nand lines"),
        ("caf&eacute; &#8211; &lt;b&gt;", "café – <b>"),
        ('<meta charset="utf-16"><p>café</p>', "café"),
        ("<p>a\0b</p>", "ab"),
        ("<p>never <b>closed", "never closed"),
    ],
)
def test_html_becomes_readable_lines(markup, text):
    assert html_to_text(markup) == text


@pytest.mark.parametrize("odd", ["\x01", "&#1;", "\x1f", "\ufffe", "\uffff", "\x7f", "\x0b"])
def test_characters_that_xml_refuses_do_not_cost_the_text(odd):
    text = html_to_text(f"<p>before{odd}after</p><br>{odd}end")
    assert "before" in text
    assert "after" in text
    assert text.endswith("end")


@EXAMPLES
@given(st.text(st.characters(blacklist_categories=["Cs"]) | st.sampled_from("<>&;/!-pb\x01"), max_size=40))
def test_any_markup_becomes_text(markup):
    text = html_to_text(markup)
    assert text == "\n".join(line for line in text.split("\n") if line)


def test_the_cells_of_a_table_stay_apart():
    assert html_to_text("<table><tr><td>one</td><td>two</td></tr></table>").split() == ["one", "two"]


@pytest.mark.parametrize(
    "tag",
    [
        "<div>",
        "<b>",
        "<table><tr><td>",
        "<!--",
        "<a href='",
        "&amp",
        "<script>",
        "<script></style>",
        "<a ",
        "<br>",
        "<",
        "<meta ",
    ],
)
def test_hostile_markup_takes_no_time(tag, assert_linear):
    assert_linear(html_to_text, lambda size: tag * size + "x", 2_000)


def test_a_tag_of_endless_attributes_takes_no_time(assert_linear):
    assert_linear(html_to_text, lambda size: "<a " + " ".join(f"b{n}=1" for n in range(size)) + ">x</a>", 1_000)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<a title=\"1 > 0\" href='x'>one</a> two", "one two"),
        ('<!-- <a b="> --><p>one</p>', "one"),
        ("<script>if (a<b && c) '\"'</script>one", "one"),
        ("<STYLE type='text/css'>p > a {}</STYLE >one", "one"),
        ('<p class=x"y>one</p><p>two "</p>', 'one\ntwo "'),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<o:p>one</o:p><br/>two", "one\ntwo"),
        ("<script>no<style>no", ""),
    ],
)
def test_attributes_scripts_and_comments_are_passed_over(markup, text):
    assert html_to_text(markup) == text


def test_more_tags_than_any_mail_has_are_refused(monkeypatch):
    monkeypatch.setattr(module, "_MAX_TAGS", 1000)
    assert html_to_text("<br>" * 1000 + "x") == "x"
    with pytest.raises(ValueError, match="HTML of more than 1,000 tags"):
        html_to_text("<br>" * 1002 + "x")


def test_a_long_document_keeps_all_its_text():
    lines = [f"line {n}" for n in range(30_000)]
    assert html_to_text("".join(f'<p class="x">{line}</p>' for line in lines)).split("\n") == lines


@pytest.mark.parametrize(
    ("document", "charset"),
    [
        (b'<meta charset="windows-1251">', "windows-1251"),
        (b"<META HTTP-EQUIV=Content-Type CONTENT='text/html; charset=KOI8-R'>", "koi8-r"),
        (b"<?xml version='1.0' encoding='utf-8'?>", "utf-8"),
        (b"<meta charset=utf-16>", "utf-8"),
        (b"<p>charset=koi8-r</p>", ""),
        (b" " * 5000 + b"<meta charset=koi8-r>", ""),
    ],
)
def test_a_document_may_declare_its_charset(document, charset):
    assert declared_charset(document) == charset
