"""The report's page in a real browser: on a phone, in dark mode, printed, and without a network."""

import itertools
import os
import shutil

import numpy as np
import pytest

from enron_triage.evaluation.compare import rank
from enron_triage.evaluation.page import html_page
from enron_triage.evaluation.reading import EvaluatedCheckpoint, TrainingHistory, mark_leaks
from enron_triage.evaluation.record_sets import record_sets
from enron_triage.evaluation.result import ReliabilityBin

pytestmark = pytest.mark.slow

COSTS = tuple(tuple(float(row != column) for column in range(5)) for row in range(5))
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LONG_NAME = "a_run_with_a_name_of_more_than_forty_letters_and_some_more-learning_rate-0.0003/best_sft"

# For every visible text: how far its colour is from what lies behind it (WCAG 2.2, contrast ratio).
CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const seen = new Map();
  const rgba = color => {
    if (!seen.has(color)) seen.set(color, drawn(color));
    return seen.get(color);
  };
  const drawn = color => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = element => {
    for (let each = element; each; each = each.parentElement) {
      const color = rgba(getComputedStyle(each).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || element.closest("title") || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const [a, b] = [rgba(element.closest("svg") ? style.fill : style.color), behind(element)].map(luminance);
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), texts.currentNode.data.trim()]);
  }
  return found.sort((one, other) => one[0] - other[0]);
}"""


@pytest.fixture(scope="module")
def browser():
    if BROWSER is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no chromium: install it with the system's package manager")
        pytest.skip("needs chromium")
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright", exc_type=ImportError)
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory, judged, decided, epochs):
    """The page of four policies: one with intervals and a long name, one that collapsed, one with leaking labels."""
    targets = np.arange(240) % 5
    bins = [ReliabilityBin(count=1000 * n, confidence=n / 10, accuracy=n / 11) for n in range(1, 11)]
    intervals = {"macro_f1": [0.4, 0.9], "accuracy": [0.5, 0.8], "mean_reward": [-0.6, -0.2]}
    fields = {"intervals": intervals, "reliability": bins}
    wide = decided(targets, np.where(targets == 2, 1, targets), np.arange(240) // 20, **fields)
    stuck = decided(targets, np.ones(240, dtype=int), np.arange(240) // 20, collapsed=True, **fields)
    checkpoints = [
        EvaluatedCheckpoint(name=LONG_NAME, evaluations={"test": wide}),
        EvaluatedCheckpoint(name="stuck/best_sft", evaluations={"test": stuck}),
        *judged,
    ]
    histories = {"synthetic/stage_4": TrainingHistory(epochs=epochs, val_messages=7)}
    rankings = [rank(records, "macro_f1", costs=COSTS) for records in record_sets(checkpoints)]
    path = tmp_path_factory.mktemp("page") / "report.html"
    command = f"triage report --runs {'a_long_pattern_' * 10}"
    path.write_text(html_page(rankings, mark_leaks(histories, checkpoints), checkpoints, command))
    return path.as_uri()


@pytest.fixture
def opened(browser, address):
    """Opens the page; afterwards, nothing but the page itself may have been asked for."""
    requests, pages = [], []

    def make(unfold=True, **options):
        page = browser.new_page(**options)
        pages.append(page)
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address)
        if unfold:
            page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        return page

    yield make
    for page in pages:
        page.close()
    assert {url for url in requests if not url.startswith("data:")} == {address}


@pytest.mark.parametrize("width", [390, 1400])
def test_the_page_is_as_wide_as_the_screen_and_only_tables_scroll(opened, width):
    page = opened(viewport={"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    beyond = page.evaluate(
        """width => [...document.body.querySelectorAll("*")]
          .filter(each => !each.closest(".scroll *") && each.getBoundingClientRect().right > width + 1)
          .map(each => each.outerHTML.slice(0, 200))""",
        width,
    )
    assert beyond == []
    cut = "[...document.querySelectorAll('.ranking')].filter(t => t.scrollWidth > t.parentElement.clientWidth).length"
    assert page.evaluate(cut) == 0  # the first table needs no scrolling, on a phone either


def test_no_text_of_a_drawing_leaves_it_or_is_too_small_on_a_phone(opened):
    page = opened(viewport={"width": 390, "height": 844})
    outside = page.evaluate(
        """() => [...document.querySelectorAll("svg text")].filter(text => {
          const [box, all] = [text.getBoundingClientRect(), text.closest("svg").getBoundingClientRect()];
          return box.left < all.left - 1 || box.right > all.right + 1 || box.bottom > all.bottom + 1 || box.height < 8;
        }).map(text => text.textContent)"""
    )
    assert outside == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(opened, scheme):
    page = opened(viewport={"width": 1400, "height": 900}, color_scheme=scheme)
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 500
    assert contrasts[0][0] >= 4.5, contrasts[:5]
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")


def test_a_screen_reader_finds_headings_in_order_names_of_pictures_and_heads_of_tables(opened):
    page = opened(viewport={"width": 1400, "height": 900})
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(each => +each.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    names = page.evaluate(
        """[...document.querySelectorAll("svg[role=img]")].map(each =>
          document.getElementById(each.getAttribute("aria-labelledby")).textContent)"""
    )
    assert len(names) > 10
    assert all(len(name) > 20 for name in names)
    assert page.locator("svg:not([role=img]):not([aria-hidden=true])").count() == 0
    lacking = (
        "[...document.querySelectorAll('table')].filter(t => !t.caption || !t.querySelector('th[scope=row]')).length"
    )
    assert page.evaluate(lacking) == 0
    assert page.locator("td").count() > 100
    assert page.get_by_role("navigation", name="Contents").get_by_role("link").count() > 8


def test_on_paper_all_is_unfolded_and_dark_on_light(opened):
    page = opened(unfold=False, viewport={"width": 700, "height": 1000}, color_scheme="dark")
    folded = page.locator("details:not([open]) table").first
    assert folded.is_hidden()
    page.emulate_media(media="print")
    assert folded.is_visible()
    assert page.get_by_role("navigation").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 700  # paper does not scroll
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--paper')") == "#ffffff"
    assert page.evaluate(CONTRASTS)[0][0] >= 4.5
