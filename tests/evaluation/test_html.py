import base64
from html.parser import HTMLParser

import pytest

from enron_triage.evaluation.compare import rank
from enron_triage.evaluation.html import html_page
from enron_triage.evaluation.markdown import results_markdown, training_markdown
from enron_triage.evaluation.record_sets import record_sets

pytestmark = pytest.mark.slow  # trains, or draws


class Page(HTMLParser):
    """What a browser would make of the page, as far as the test asks."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.rows, self.references = [], [], 0, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag not in ("meta", "img"):
            self.open.append(tag)
        if tag == "img":
            self.images.append(values["src"])
        self.rows += tag == "tr"
        self.references += [values[name] for name in ("href", "src") if name in values]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_holds_all_that_it_shows_and_is_the_same_for_the_same_content(compared, histories):
    sets = record_sets(compared[1:])  # two policies on two test sets
    rankings = [rank(records, "macro_f1", costs=[[0.0] * 5] * 5) for records in sets]
    results = f"{results_markdown(rankings)}\n\n{training_markdown(histories)}"
    text = html_page(results, sets, histories)
    page = Page(text)
    assert page.open == []
    # F1 and mailboxes for each set, one stage's curves, two plots for each policy.
    assert len(page.images) == 2 * 2 + 1 + 2 * 2
    assert all(reference.startswith("data:image/svg+xml;base64,") for reference in page.references)
    pictures = [base64.b64decode(image.partition(",")[2]).decode() for image in page.images]
    assert all("<svg" in picture for picture in pictures)
    assert any("predicted on validation" in picture for picture in pictures)
    rows = sum(len(ranking.rows) + 1 for ranking in rankings)
    assert page.rows == rows + 2 * 6 + 2
    assert html_page(results, sets, histories) == text


def test_names_are_escaped_and_marks_become_tags():
    text = html_page("### A & B\n\n| Stage |\n|---|\n| **bold** `<code>` |", [], {})
    assert "<h3>A &amp; B</h3>" in text
    assert "<td><b>bold</b> <code>&lt;code&gt;</code></td>" in text
