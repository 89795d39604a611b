"""The page of ``triage annotate`` in a real browser, against the real program."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import builders
import pytest

from enron_triage.labels.judgements import judgements_in_force

pytestmark = pytest.mark.slow  # starts the program and a browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NAMES = {"Reply now": "reply_now", "Reply later": "reply_later", "Forward": "forward"}
NAMES |= {"Archive": "archive", "Delete": "delete"}
HOSTILE = (
    "<script>window.taken = 1</script><img src=http://evil.example/x.png onerror='window.taken = 1'>"
    "<b>bold</b> {{7*7}} ${7*7} \u202egpj.exe\u202c \x1b[2J </div></article><form action=//evil.example>"
)


@pytest.fixture(scope="module")
def browser():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sync_playwright = None
    if sync_playwright is None or CHROMIUM is None:
        missing = "playwright" if sync_playwright is None else "chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{missing} is missing, and CI has to drive the page")
        pytest.skip(f"{missing} is not installed")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@contextlib.contextmanager
def running(folder: Path, *options: str):
    """The program, with its address."""
    command = [sys.executable, "-m", "enron_triage", "annotate", "--strategy", "random", *options]
    command += ["--data-dir", str(folder), "--checkpoint-dir", str(folder / "none")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        lines = []
        for line in process.stderr:
            lines.append(line)
            found = re.search(r"http://\S+", line)
            if found:
                break
        else:
            pytest.fail(f"the program did not start: {''.join(lines)}")
        try:
            yield found[0], process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate()


def write_mail(folder: Path, records) -> None:
    for name in ("train.json", "emails.json"):
        builders.write_records(folder / name, records)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A program that shows mail which attacks the page; everybody gets every message."""
    folder = tmp_path_factory.mktemp("hostile")
    history = builders.new_history(received_from_sender=2, since_received_from_sender=7300)
    mail = [
        builders.new_record(
            fingerprint=f"f{number}",
            subject=HOSTILE,
            body=f"{HOSTILE}\n\nmessage {number}\n" + "x" * 5000,
            sender_name="<i>Jane</i>",
            to=["<u>owner</u>@x.example", "owner@x.example"],
            timestamp=989888400 + number,
            message_id=f"<{number}@x.example>",
            attachments=[HOSTILE, "plan.pdf", *(f"{part}.txt" for part in range(8))],
            references=["<0@x.example>"] if number else [],
            action="delete",
            history=history,
        )
        for number in range(12)
    ]
    write_mail(folder, mail)
    with running(folder, "--overlap", "1") as (address, _):
        yield folder, address


def open_page(browser, address, name=None, **options):
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(60_000)
    page.goto(address)
    if name is not None:
        page.get_by_label("Your name").fill(name)
        page.keyboard.press("Enter")
        page.locator("#work").wait_for()
    return page


def wait_for_progress(page, text):
    page.locator("#pace", has_text=re.compile(rf"^{text}\b")).wait_for()


def shown_pair(page):
    return [NAMES[text] for text in page.locator("#choices .main span").all_inner_texts()]


def lines_of(folder):
    return [json.loads(line) for line in (folder / "judgements.jsonl").read_text().splitlines()]


def test_thirty_judgements_by_keyboard_outlive_a_reload_and_a_kill(browser, tmp_path):
    mail = [
        builders.new_record(user=f"owner-{number % 3}", fingerprint=f"f{number}", subject=f"message {number}")
        for number in range(40)
    ]
    write_mail(tmp_path, mail)
    expected = []

    def judge(page, number):
        subject, pair = page.locator("#subject").inner_text(), shown_pair(page)
        others = [index for index, action in enumerate(NAMES.values(), 1) if action not in pair]
        keys, answer = [
            (["1"], {"chosen": pair[0], "rejected": pair[1]}),
            (["ArrowRight"], {"chosen": pair[1], "rejected": pair[0]}),
            (["t"], {"tie": True}),
            (["n", str(others[0])], {"action": list(NAMES.values())[others[0] - 1]}),
        ][number % 4]
        for key in keys:
            page.keyboard.press(key)
        wait_for_progress(page, f"{number + 1} of 30")
        expected.append((subject, pair, answer))

    with running(tmp_path, "--target", "30") as (address, process):
        page = open_page(browser, address, "Anna")
        for number in range(10):
            judge(page, number)
        subject = page.locator("#subject").inner_text()
        page.reload()
        wait_for_progress(page, "10 of 30")
        assert page.locator("#subject").inner_text() == subject
        for number in range(10, 20):
            judge(page, number)
        process.kill()
        process.wait()
        page.keyboard.press("1")  # which nobody takes any more
        page.locator("#problem", has_text="The program does not respond").wait_for()
    with (tmp_path / "judgements.jsonl").open("a") as file:
        file.write('{"fingerprint": "f')  # what a kill in the middle of a line leaves
    with running(tmp_path, "--target", "30") as (address, _):
        page.goto(address)
        page.get_by_role("button", name="Anna").click()
        wait_for_progress(page, "20 of 30")
        for number in range(20, 30):
            judge(page, number)
        page.get_by_text("target reached").wait_for()
        page.keyboard.press("u")
        wait_for_progress(page, "29 of 30")
        assert page.locator("#subject").inner_text() == expected.pop()[0]
        judge(page, 29)
    found = judgements_in_force(tmp_path / "judgements.jsonl")
    subjects = {record.fingerprint: record.subject for record in mail}
    assert [(subjects[each.fingerprint], list(each.candidates)) for each in found] == [each[:2] for each in expected]
    assert len({each.fingerprint for each in found}) == 30
    for judgement, (_, _, answer) in zip(found, expected, strict=True):
        assert {name: getattr(judgement, name) for name in answer} == answer
    assert {each.annotator for each in found} == {"Anna"}
    assert len(lines_of(tmp_path)) == 32  # with the undone one, and the undoing


def test_mail_is_shown_as_text_and_reaches_for_nothing(browser, hostile):
    _, address = hostile
    page = open_page(browser, address)
    asked, messages = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.on("dialog", lambda dialog: messages.append("a dialog"))
    page.get_by_label("Your name").fill("Mallory")
    page.keyboard.press("Enter")
    page.locator("#work").wait_for()
    page.locator("#conversation details").first.or_(page.get_by_text("Nothing in this mailbox.")).wait_for()
    text = page.locator("#text").inner_text()
    assert "<script>window.taken = 1</script><img src=http://evil.example/x.png" in text
    assert "[U+202E]gpj.exe[U+202C] [U+001B][2J" in text
    assert page.locator("#subject").inner_text().startswith("<script>")
    names = page.locator("#head .attachments").first.locator("div").all_inner_texts()
    assert names[0].startswith("<script>window.taken = 1</script><img src=http://evil.example/x.png")
    assert "[U+202E]gpj.exe[U+202C] [U+001B][2J" in names[0]
    assert names[1:3] == ["plan.pdf", "0.txt"]
    assert page.locator("#head").get_by_text("and 2 more").count() == 1
    assert page.locator("#message :is(script, img, b, form, i, u)").count() == 0
    assert page.evaluate("window.taken") is None
    assert messages == []
    origin = address.partition("/?")[0]
    assert asked
    assert all(url.startswith(origin) for url in asked)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_attachments_of_new_mail_are_shown_by_name_and_nothing_where_there_are_none(browser, tmp_path):
    head = "From: jane@x.example\nTo: owner@x.example\nDate: Mon, 14 May 2001 16:39:00 -0700\n"
    text = "Content-Type: text/plain\n\nsee below"
    file = "Content-Type: application/pdf\nContent-Disposition: attachment; filename*=utf-8''Gr%C3%BC%C3%9Fe.pdf\n\nx"
    mixed = f"Content-Type: multipart/mixed; boundary=b\n\n--b\n{text}\n--b\n{file}\n--b--\n"
    (tmp_path / "1.eml").write_text(f"{head}Subject: with a file\n{mixed}")
    (tmp_path / "2.eml").write_text(f"{head}Subject: plain\n{text}\n")
    found = {}
    with running(tmp_path / "data", "--input", str(tmp_path / "1.eml"), "--input", str(tmp_path / "2.eml")) as (
        address,
        _,
    ):
        page = open_page(browser, address, "Anna")
        for number in range(2):
            found[page.locator("#subject").inner_text()] = page.locator("#head").inner_text()
            page.keyboard.press("1")
            wait_for_progress(page, f"{number + 1} of 100")
    assert "Attachments\nGrüße.pdf" in found["with a file"]
    assert "Attachments" not in found["plain"]


def test_a_second_tab_cannot_judge_a_message_again(browser, hostile):
    folder, address = hostile
    first = open_page(browser, address, "Tabitha")
    second = first.context.new_page()
    second.goto(address.partition("?")[0])  # the cookie is enough
    second.locator("#work").wait_for()
    assert second.locator("#text").inner_text() == first.locator("#text").inner_text()
    first.locator("body").press("1")
    wait_for_progress(first, "1 of 100")
    second.locator("body").press("2")
    second.get_by_text("You have already judged that message").wait_for()
    assert second.locator("#text").inner_text() == first.locator("#text").inner_text()
    wait_for_progress(second, "1 of 100")
    assert sum(line["annotator"] == "Tabitha" for line in lines_of(folder)) == 1


def test_two_people_judge_with_their_own_names_and_progress(browser, hostile):
    folder, address = hostile
    anna, bert = open_page(browser, address, "Anna"), open_page(browser, address, " bert ")
    for number in range(3):
        anna.keyboard.press("m")
        anna.keyboard.press("5")
        wait_for_progress(anna, f"{number + 1} of 100")
        anna.keyboard.press("m")
    bert.keyboard.press("o")
    bert.keyboard.type("why 1 and 2?")  # typed, not taken for keys
    bert.keyboard.press("Escape")
    bert.keyboard.press("s")
    bert.get_by_text("1 skipped").wait_for()
    by_person = {name: [line for line in lines_of(folder) if line["annotator"] == name] for name in ("Anna", "bert")}
    assert [line["action"] for line in by_person["Anna"]] == ["delete"] * 3
    assert len({line["fingerprint"] for line in by_person["Anna"]}) == 3
    assert [(line["skipped"], line["note"]) for line in by_person["bert"]] == [(True, "why 1 and 2?")]


def test_the_page_can_be_used_by_touch_on_a_phone(browser, hostile):
    folder, address = hostile
    screen = {"width": 390, "height": 844}
    page = open_page(browser, address, "Thea", viewport=screen, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    heights = [button.bounding_box()["height"] for button in page.locator("button:visible").all()]
    assert min(heights) >= 44
    page.get_by_role("button", name="Equally good").tap()
    wait_for_progress(page, "1 of 100")
    page.get_by_role("button", name="Undo").tap()
    page.get_by_text("Undone: judge it again.").wait_for()
    page.get_by_role("button", name="Neither").tap()
    page.locator("#choices .main").first.tap()
    wait_for_progress(page, "1 of 100")
    found = [each for each in judgements_in_force(folder / "judgements.jsonl") if each.annotator == "Thea"]
    assert len(found) == 1
    assert found[0].action not in (None, *found[0].candidates)


def test_only_the_address_that_was_printed_opens_the_page(browser, hostile):
    folder, address = hostile
    origin = address.partition("/?")[0]
    page = browser.new_context().new_page()
    for path in ("/", "/?token=wrong", "/api/setup"):
        assert page.goto(origin + path).status == 403
        assert "Refused" in page.inner_text("body")
    page.goto(address)
    page.get_by_label("Your name").wait_for()
    before = (folder / "judgements.jsonl").read_bytes()
    page.context.route("http://evil.example/**", lambda route: route.fulfill(body="<p>", content_type="text/html"))
    other = page.context.new_page()  # another site, in the browser that holds the cookie
    other.goto("http://evil.example/")
    answer = other.evaluate(
        """async (url) => {
            const body = JSON.stringify({annotator: "Anna"});
            const sent = [fetch(url, {method: "POST", mode: "no-cors", credentials: "include", body}),
                          fetch(url, {method: "POST", credentials: "include", body,
                                      headers: {"Content-Type": "application/json"}})];
            return (await Promise.allSettled(sent)).map((each) => each.status === "fulfilled" && each.value.type);
        }""",
        origin + "/api/undo",
    )
    assert answer[1] is False  # not readable
    assert answer[0] in (False, "opaque")
    assert (folder / "judgements.jsonl").read_bytes() == before
