"""The report's page: what it says first, what it shows, and that it stands alone."""

import re
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest

from enron_triage.evaluation.compare import rank
from enron_triage.evaluation.page import html_page
from enron_triage.evaluation.page.bars import Bar, bar_drawing
from enron_triage.evaluation.page.curves import curve_drawing, reliability_drawing, share_drawing
from enron_triage.evaluation.page.lead import lead_of
from enron_triage.evaluation.page.pictures import MOST_RUNS, pictures_of
from enron_triage.evaluation.reading import (
    LEAKING,
    EvaluatedCheckpoint,
    EvaluationMaking,
    TrainingHistory,
    mark_leaks,
    read_evaluations,
    training_of,
)
from enron_triage.evaluation.record_sets import record_sets
from enron_triage.evaluation.result import ReliabilityBin
from enron_triage.labels.schemes import SCHEMES
from enron_triage.records import ACTION_NAMES
from enron_triage.runtime import provenance

COSTS = tuple(tuple(float(row != column) for column in range(5)) for row in range(5))
TARGETS, MAILBOX = np.arange(240) % 5, np.arange(240) // 20  # 12 mailboxes
VOID = {"meta", "link", "wbr", "br"}


class Page(HTMLParser):
    """What a browser would make of a page, as far as the tests ask; fails where an element is not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.headings, self.ids, self.links, self.references, self.tables = [], [], [], [], [], 0
        self.text, self.titles = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"][1:]] if values.get("href", "").startswith("#") else []
        self.references += [values[name] for name in ("href", "src", "action") if name in values]
        self.tables += tag == "table"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
        if self.open[-2:] == ["svg", "title"]:
            self.titles.append(data)

    @property
    def words(self):
        return " ".join("".join(self.text).split())


def wrong(count):
    """The decisions of a policy that errs on the first messages of every mailbox."""
    return np.where(np.arange(240) % 20 < count, (TARGETS + 1) % 5, TARGETS)


@pytest.fixture
def ranking_of(decided, new_records):
    def make(policies, sort="accuracy", mailbox=MAILBOX, **fields):
        records = {name: decided(TARGETS, decisions, mailbox, **fields) for name, decisions in policies.items()}
        return rank(new_records(records), sort, costs=COSTS)

    return make


@pytest.fixture
def page_of(compared, histories):
    def make(checkpoints=compared, command="triage report"):
        rankings = [rank(records, "macro_f1", costs=COSTS) for records in record_sets(checkpoints)]
        return html_page(rankings, mark_leaks(histories, checkpoints), checkpoints, command)

    return make


def test_the_first_sentences_say_what_was_measured_and_which_is_best_by_how_much(ranking_of):
    close = wrong(2)
    close[1] = TARGETS[1]  # better in one mailbox, worse in another
    close[22:24] = (TARGETS[22:24] + 1) % 5
    lead = lead_of(ranking_of({"a": wrong(2), "b": wrong(8), "c": close, "d": wrong(9)}))
    assert lead.measured == (
        "4 policies were compared by accuracy on test: 240 messages in 12 mailboxes, with the labels of the scheme "
        "received."
    )
    assert lead.best == "a"
    assert re.sub(r"−?0\.\d{3}", "N", lead.answer) == (
        "has the highest accuracy, N. The next, c, is N behind, which may be chance: the two are not told apart (95% "
        "interval of the difference N to N, which includes 0). The 2 others are worse by more than chance."
    )
    mixed = lead_of(ranking_of({"a": wrong(2), "b": close, "c": close, "d": wrong(8)})).answer
    assert mixed.endswith("Of the 2 others, 1 is not told apart from it and 1 is worse by more than chance.")
    lead = lead_of(ranking_of({"a": wrong(2), "b": wrong(8)}))
    assert (
        "The next, b, is 0.300 behind, which is more than chance (95% interval of the difference −0.300" in lead.answer
    )


def test_without_enough_mailboxes_the_first_sentence_does_not_claim_a_winner(ranking_of):
    lead = lead_of(ranking_of({"a": wrong(2), "b": wrong(8)}, mailbox=np.zeros(240, dtype=int)))
    assert "The next, b, is 0.300 behind; whether that is more than chance is not known." in lead.answer
    assert lead.remarks[0].startswith("No intervals: only 1 of the 10 mailboxes")
    alone = lead_of(ranking_of({"a": wrong(2)}))
    assert (alone.measured[:26], alone.answer) == ("One policy was evaluated o", "is the only one: accuracy 0.900.")


def test_collapse_and_leaking_labels_are_warned_of_first_and_wherever_the_results_are(page_of, compared):
    text = page_of()
    page = Page(text)
    header, main = text.split("</header>")
    leak_note = SCHEMES["folder"].leak_note
    assert header.count(leak_note) == 1
    assert main.count(leak_note) == 1
    assert "Collapsed (nearly all decisions are one action): synthetic/best_dpo." in header
    assert '<strong class="bad">collapsed</strong>' in main
    assert "test, 12,345 messages, labels by the scheme folder, whose labels leak" in page.words
    leaking = main[main.index('id="set-2"') : main.index('id="training"')]
    figures = re.findall(r"<figcaption>.*?</figcaption>", leaking, re.DOTALL)
    assert len(figures) >= 5
    assert all("The labels leak" in caption for caption in figures)
    assert f"synthetic/stage_4{LEAKING}" in page.words
    received = page_of(compared[:2])
    assert "leak" not in received
    assert "The policy had collapsed in 1 of 2 epochs" in received


def test_the_page_stands_alone_has_headings_in_order_and_is_the_same_for_the_same_content(page_of):
    text = page_of()
    page = Page(text)
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(next_one <= before + 1 for before, next_one in zip(page.headings, page.headings[1:], strict=False))
    assert len(page.ids) == len(set(page.ids))
    assert set(page.links) <= set(page.ids)
    assert all(reference.startswith(("#", "data:")) for reference in page.references)
    assert not re.search(r"<script|@import|url\(|\bon\w+=", text)
    assert len(page.titles) == text.count('<svg viewBox="0 0 360')
    assert all(len(title) > 20 for title in page.titles)
    assert text.count("<caption>") == page.tables
    assert page_of() == text


def test_the_agreement_with_judgements_is_shown_with_its_interval_where_there_is_one(page_of, judged):
    text = page_of(judged)
    page = Page(text)
    section = text[text.index('<section id="judgements"') : text.index('<section id="training"')]
    cells = [re.sub("<[^>]+>", "", cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", section)]
    start = cells.index("the better of two actions")
    assert cells[start - 2 : start + 5] == [
        *("best_sft", "val", "the better of two actions", "1,200", "0.6250", "0.5000 to 0.7500"),
        "jackknife over mailboxes",
    ]
    words = Page(section).words
    assert "Wilson, judgements taken for independent" in words
    assert "Note: best_sft on val: trained on these judgements." in words
    assert "judgements" in page.links
    assert len(page.ids) == len(set(page.ids))
    assert text.count("<caption>") == page.tables
    details = text[text.index('<section id="set-1-details"') : text.index('<section id="set-2"')]
    assert details.count("Judgements by people on ") == 2
    assert "/home/jane" not in text
    assert "judgements" not in page_of().lower()


def test_no_owner_is_named(page_of, new_evaluation):
    assert "owner-a" in new_evaluation().per_mailbox
    assert "owner-a" not in page_of()


def test_names_are_escaped(page_of, compared, new_evaluation):
    name = "<script>alert(1)</script>/a&b"
    hostile = EvaluatedCheckpoint(name=name, evaluations=compared[0].evaluations)
    text = page_of([hostile, *compared[1:]], command="triage report --runs '<b>'")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert name in "".join(Page(text).text)


def test_the_pictures_show_every_action_mailbox_and_bin_of_earlier_actions(ranking_of):
    ranking = ranking_of({"a": wrong(2), "b": wrong(8)})
    f1, costs, mailboxes, earlier = pictures_of(ranking)
    assert [drawing.marks[0].text for drawing in f1.drawings] == [f"{action} (48)" for action in ACTION_NAMES]
    assert [row[0] for row in costs.table.rows] == ["a", "b"]
    assert [row[1] for row in costs.table.rows] == ["0.1000", "0.4000"]
    assert mailboxes.table.head == ["Mailbox", "Messages", "a", "b"]
    assert [row[:2] for row in mailboxes.table.rows] == [["mailbox 1", "240"]]
    assert [drawing.marks[0].text for drawing in earlier.drawings] == ["1-49 earlier actions (12 messages)"]
    assert "a 0.900" not in earlier.drawings[0].alt  # its own accuracy, not that of all messages
    assert "a 0.500, b 0.500" in earlier.drawings[0].alt


def test_a_drawing_of_many_runs_shows_the_best_and_says_so(ranking_of, page_of):
    policies = {f"run-{n:02}/best_sft": wrong(n % 20) for n in range(MOST_RUNS + 3)}
    ranking = ranking_of(policies)
    names = [mark.text for mark in pictures_of(ranking)[0].drawings[0].marks if mark.style.startswith("name")]
    assert names == [f"run-{n:02}/best_sft" for n in range(MOST_RUNS)]
    assert f"The drawings show the best {MOST_RUNS} of {MOST_RUNS + 3} policies, the tables all." in html_page(
        [ranking], {}, [], ""
    )


def test_a_bar_is_as_long_as_its_value_and_an_undefined_one_is_not_drawn():
    bars = [Bar(name="a", value=0.25, shown="0.250"), Bar(name="b", value=0.5, shown="0.500", interval=[0.4, 0.7])]
    drawing = bar_drawing("F1", "", [*bars, Bar(name="c", value=None, shown="-")])
    first, second = [float(mark.place["width"]) for mark in drawing.marks if mark.tag == "rect"]
    assert second == pytest.approx(2 * first, abs=0.2)
    whisker = next(mark for mark in drawing.marks if mark.style == "whisker")
    (low, _), (high, _) = [map(float, point.split(",")) for point in whisker.place["points"].split()]
    assert (high - low) == pytest.approx(0.3 * 4 * first, abs=0.2)


def test_a_negative_reward_in_place_of_a_cost_grows_to_the_other_side():
    bars = [Bar(name="a", value=-1.0, shown="-1"), Bar(name="b", value=1.0, shown="1")]
    left, right = [mark.place for mark in bar_drawing("cost", "", bars, high=None).marks if mark.tag == "rect"]
    assert float(left["x"]) + float(left["width"]) == pytest.approx(float(right["x"]), abs=0.2)


def test_the_learning_curves_mark_the_best_epoch_and_the_collapsed_ones(epochs):
    gap = [*epochs, msgspec.structs.replace(epochs[0], epoch=3, train_loss=None)]
    drawing = curve_drawing("Loss", "", gap, {"train_loss": "train", "val_loss": "validation"})
    by_style = {}
    for mark in drawing.marks:
        by_style.setdefault(mark.style, []).append(mark)
    assert "best: epoch 1" in [mark.text for mark in drawing.marks]
    assert [mark.tip for mark in by_style["collapse"]] == ["epoch 2: collapsed"]
    assert [mark.tip for mark in by_style["point c0"]] == ["train, epoch 1: 1.0000", "train, epoch 2: 0.5000"]
    assert len(by_style["point c1"]) == 3
    shares = [mark for mark in share_drawing("Shares", "", gap[:1]).marks if mark.tip]
    assert [mark.tip for mark in shares] == [f"epoch 1, {action}: 20.0%" for action in ACTION_NAMES]


def test_a_reliability_diagram_counts_the_messages_of_every_bin():
    bins = [
        ReliabilityBin(count=5, confidence=0.30, accuracy=0.4),
        ReliabilityBin(count=12_345, confidence=0.99, accuracy=0.9),
        ReliabilityBin(count=1, confidence=1.0, accuracy=1.0),
    ]
    drawing = reliability_drawing("", "", bins)
    assert [mark.text for mark in drawing.marks if mark.style.startswith("count")] == ["5", "12k", "1"]
    bars = [mark.place for mark in drawing.marks if mark.style.startswith("bar")]
    assert max(float(bar["x"]) + float(bar["width"]) for bar in bars) <= 360
    assert all(0 <= float(mark.place["cy"]) <= drawing.height for mark in drawing.marks if mark.tag == "circle")


def test_what_cannot_be_drawn_does_not_break_the_page(new_evaluation, histories):
    empty = new_evaluation(reliability=[], by_earlier_actions={}, per_mailbox={}, mailbox_confusion={}, intervals={})
    checkpoint = EvaluatedCheckpoint(name="best_sft", evaluations={"test": empty})
    (records,) = record_sets([checkpoint])
    alone = {"stage_1": TrainingHistory(epochs=histories["synthetic/stage_4"].epochs[:1])}
    page = Page(html_page([rank(records, "reply_average_precision", costs=COSTS)], alone, [checkpoint], ""))
    assert "No policy has the metric reply average precision here." in page.words


def test_the_page_says_when_and_from_what_the_figures_were_made(page_of, compared):
    made = EvaluationMaking(day="2026-01-31", version="0.1.0", origin="demo, seed 42")
    known = msgspec.structs.replace(compared[0], made={"test": made})
    words = Page(page_of([known, *compared[1:]], command="triage report --sort macro_f1")).words
    assert "Evaluated2026-01-31" in words
    assert "demo, seed 42" in words
    assert "triage report --sort macro_f1" in words
    assert "triage evaluate --set evaluate.checkpoint=synthetic/best_dpo --set evaluate.split=test" in words
    assert "not known; ask triage inspect best_grpo" in words


def test_the_day_of_an_evaluation_is_that_of_its_file(run_folders):
    path = run_folders / "data" / "eval" / "best_grpo.test.json"
    arguments = {"settings": {}, "inputs": {}, "counts": {}, "seconds": 1.0, "code": {}}
    provenance.write_meta([path], stage="evaluate", origin="demo", **arguments)
    meta = provenance.read_meta(path)
    meta.artifact = msgspec.structs.replace(meta.artifact, modified_ns=86_400 * 10**9)
    provenance.meta_path(path).write_bytes(msgspec.json.encode(meta))
    (checkpoint,) = [each for each in read_evaluations(path.parent) if each.name == "best_grpo"]
    assert (checkpoint.made["test"].day, checkpoint.made["test"].origin) == ("1970-01-02", "demo")
    assert training_of(checkpoint) == "stage_3"
