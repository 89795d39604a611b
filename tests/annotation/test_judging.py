"""Who is asked about which message, what becomes of the answers, and who may talk to the page."""

import asyncio
import json
import os
from collections import Counter

import builders
import msgspec
import numpy as np
import pytest

from enron_triage.annotation import store, strategies
from enron_triage.annotation.conversations import Conversation, ListedConversations, ParsedConversations
from enron_triage.annotation.exchange import Answer, Settings
from enron_triage.annotation.messages import Key, ListedMessages, SplitMessages
from enron_triage.annotation.selection import Queue, Selection
from enron_triage.annotation.server import application
from enron_triage.annotation.session import RefusedError, Session
from enron_triage.annotation.view import context_view, message_view
from enron_triage.annotation.visible import visible, visible_line
from enron_triage.cli.annotate import ANNOTATE
from enron_triage.config.load import load_config
from enron_triage.config.training import RewardsConfig
from enron_triage.errors import TriageError, UsageError
from enron_triage.labels.judgements import Judgement, judgements_in_force
from enron_triage.records import ACTIONS, Action

COSTS = RewardsConfig().costs
TOKEN = "t" * 43


class TablePolicy:
    """Says of each message what a table says."""

    def __init__(self, probabilities):
        self.probabilities = probabilities

    def log_probabilities(self, records):
        return np.log([self.probabilities[record.fingerprint] for record in records])

    def inputs(self, records):
        return np.array([self.probabilities[record.fingerprint] for record in records], dtype=np.float32)


def new_mail(count, users=1, **fields):
    return [
        builders.new_record(user=f"owner-{number % users}", fingerprint=f"f{number}", subject=f"m{number}", **fields)
        for number in range(count)
    ]


def new_queue(records, policies=(), judged=frozenset(), **fields):
    settings = {"strategy": "random", "pool": 1000, "overlap": 0.0, "seed": 1, "costs": COSTS} | fields
    return Queue(ListedMessages(records), policies, Selection(**settings), judged)


@pytest.fixture
def new_session(tmp_path):
    """Makes a session over some mail, with a file that stays the same."""
    opened = []

    def make(records, policies=(), show_policy=False, annotator="", **fields):
        while opened:
            opened.pop().__exit__(None, None, None)
        opened.append(store.opened(tmp_path / "judgements.jsonl"))
        file = opened[0].__enter__()
        queue = new_queue(records, policies, file.judged(), **fields)
        settings = Settings(kind="pair", target=10, annotator=annotator, show_policy=show_policy)
        return Session(ListedMessages(records), queue, file, ListedConversations([]), settings)

    yield make
    while opened:
        opened.pop().__exit__(None, None, None)


def answer(state, **fields):
    fields = fields or {"chosen": state.item.candidates[0]}
    return Answer(
        **{"annotator": state.annotator, "user": state.item.user, "fingerprint": state.item.fingerprint, "kind": "pair"}
        | fields
    )


def judge_all(session, names):
    """Everybody judges in turn until nothing is left; the fingerprints by person."""
    seen = {name: [] for name in names}
    states = {name: session.state(name) for name in names}
    while any(state.item for state in states.values()):
        for name, state in states.items():
            if state.item:
                seen[name].append(state.item.fingerprint)
                states[name] = session.judge(answer(state))
    return seen


def test_nobody_gets_a_message_twice_and_a_share_goes_to_everybody(new_session, tmp_path):
    mail = new_mail(200, users=4)
    session = new_session(mail, overlap=0.3)
    seen = judge_all(session, ("Anna", "Bert"))
    assert all(len(set(found)) == len(found) for found in seen.values())
    shared = set(seen["Anna"]) & set(seen["Bert"])
    assert len(set(seen["Anna"]) | set(seen["Bert"])) == 200
    assert 0.2 < len(shared) / 200 < 0.4
    pairs = {name: {} for name in seen}
    for each in judgements_in_force(tmp_path / "judgements.jsonl"):
        pairs[each.annotator][each.fingerprint] = each.candidates
    assert all(set(pairs["Anna"][name]) == set(pairs["Bert"][name]) for name in shared)
    assert {pairs["Anna"][name] == pairs["Bert"][name] for name in shared} == {True, False}  # the places are drawn
    again = new_session(mail, overlap=0.3)  # another run
    assert again.state("Anna").item is again.state("anna").item is None
    carl = judge_all(again, ("Carl",))["Carl"]
    assert set(carl) == shared


def test_mailboxes_take_turns_though_one_is_larger_and_less_certain(new_session):
    small = [builders.new_record(user="owner-x", fingerprint=f"x{number}") for number in range(10)]
    mail = [*new_mail(90), *small]
    table = {f"f{number}": spread(0.45, 0.45) for number in range(90)}
    table |= {record.fingerprint: spread(0.9, 0.05) for record in small}
    for pool in (1000, 12):  # all are compared, or those that are drawn
        session = new_session(mail, (TablePolicy(table),), strategy="uncertain", pool=pool)
        name, users = f"Anna {pool}", []
        state = session.state(name)
        for _ in range(8):
            users.append(state.item.user)
            state = session.judge(answer(state))
        assert Counter(users) == {"owner-0": 4, "owner-x": 4}


def spread(first, second, rest=0.02):
    """Probabilities whose two highest are these."""
    low = (1 - first - second) / 3
    return [low, first, low, second, low]


def test_strategies_put_first_what_they_promise():
    mail = new_mail(3, action=Action.ARCHIVE)
    table = {"f0": spread(0.9, 0.04), "f1": spread(0.45, 0.44), "f2": spread(0.04, 0.9)}
    policy = TablePolicy(table)

    def order(strategy, *committee, mail=mail):
        queue = new_queue(mail, committee or (policy,), strategy=strategy)
        taken = []
        while candidate := queue.choose(taken.__contains__, Counter()):
            taken.append(candidate.key)
        return [key.fingerprint for key in taken]

    assert order("uncertain")[0] == "f1"
    assert order("disagreement") == ["f0", "f1", "f2"]  # of the owner, who archived all
    other = TablePolicy(table | {"f2": spread(0.9, 0.04)})
    assert order("disagreement", policy, other)[0] == "f2"
    risks = {name: min(np.array(p) @ np.array(COSTS)) for name, p in table.items()}
    assert order("cost") == sorted(risks, key=risks.get, reverse=True)
    assert sorted(order("random")) == sorted(table)
    assert order("random") == order("random")
    with pytest.raises(UsageError, match=r"--strategy disagreement: these messages have no labels"):
        order("disagreement", mail=new_mail(3))
    with pytest.raises(UsageError, match=r"--strategy cost: needs a policy"):
        new_queue(mail, strategy="cost")


def test_coverage_goes_to_what_is_farthest_from_all_that_was_asked():
    mail = new_mail(5)
    table = {"f0": [0.0] * 5, "f1": [0.1] * 5, "f2": [10.0] * 5, "f3": [10.1] * 5, "f4": [5.0] * 5}
    with np.errstate(divide="ignore"):
        queue = new_queue(mail, (TablePolicy(table),), strategy="coverage", judged={Key("owner-0", "f0")}, overlap=1)
        first = queue.choose(lambda key: key.fingerprint == "f0", Counter())
        second = queue.choose(lambda key: key.fingerprint in ("f0", "f3"), Counter())
    assert (first.key.fingerprint, second.key.fingerprint) == ("f3", "f4")


def test_the_pair_is_the_two_likeliest_and_its_order_is_drawn():
    table = {f"f{number}": spread(0.5, 0.3) for number in range(100)}
    queue = new_queue(new_mail(100), (TablePolicy(table),), strategy="uncertain")
    queue.prepare()
    pairs = Counter(queue.pair(queue.find(Key("owner-0", name)), "Anna") for name in table)
    assert set(pairs) == {("reply_later", "archive"), ("archive", "reply_later")}
    assert min(pairs.values()) > 25
    drawn = Counter(strategies.two_best(np.zeros(5), np.random.default_rng(seed)) for seed in range(500))
    assert len(drawn) == 20  # without a policy, any two


def test_the_policy_is_noted_and_shown_only_when_asked(new_session, tmp_path):
    policy = TablePolicy({f"f{number}": spread(0.5, 0.3) for number in range(3)})
    hidden = new_session(new_mail(3), (policy,), strategy="uncertain")
    state = hidden.state("Anna")
    assert state.item.policy is None
    hidden.judge(answer(state))
    shown = new_session(new_mail(3), (policy,), strategy="uncertain", show_policy=True)
    state = shown.state("Anna")
    assert state.item.policy["reply_later"] == pytest.approx(0.5)
    shown.judge(answer(state))
    found = judgements_in_force(tmp_path / "judgements.jsonl")
    assert [each.policy_shown for each in found] == [False, True]
    assert all(each.policy["archive"] == pytest.approx(0.3) for each in found)
    assert {each.strategy for each in found} == {"uncertain"}


def test_undo_goes_back_message_by_message_over_a_restart(new_session, tmp_path):
    mail = new_mail(6)
    session = new_session(mail)
    states = [session.state("Anna")]
    for _ in range(3):
        states.append(session.judge(answer(states[-1])))
    session = new_session(mail)
    for expected in (states[2], states[1]):
        state = session.undo("Anna")
        assert (state.item.fingerprint, state.notice) == (expected.item.fingerprint, "Undone: judge it again.")
    assert state.progress.judged == 1
    session.judge(answer(state, action="delete", kind="action"))
    found = judgements_in_force(tmp_path / "judgements.jsonl")
    assert [(each.fingerprint, each.action) for each in found] == [
        (states[0].item.fingerprint, None),
        (states[1].item.fingerprint, "delete"),
    ]
    assert session.undo("Bert").notice == "There is nothing to undo."


def test_an_answer_to_another_question_is_refused(new_session, tmp_path):
    session = new_session(new_mail(3), annotator="Anna")
    state = session.state("Anna")
    first, second = state.item.candidates
    other = next(action for action in ACTIONS if action not in (first, second))
    for wrong in (
        *({"chosen": other}, {"chosen": first, "tie": True}, {"annotator": "Anna"}, {"action": first}),
        *({"kind": "action", "tie": True}, {"kind": "action", "chosen": first}, {"annotator": "Bert", "tie": True}),
        {"annotator": "", "tie": True},
    ):
        with pytest.raises(RefusedError):
            session.judge(answer(state, **wrong))
    assert session.judge(answer(state, fingerprint="f9", tie=True)).notice.startswith("That message was not shown")
    assert judgements_in_force(tmp_path / "judgements.jsonl") == []
    session.judge(answer(state, tie=True))
    assert session.judge(answer(state, tie=True)).notice.startswith("You have already judged that message")
    assert len(judgements_in_force(tmp_path / "judgements.jsonl")) == 1


def test_every_judgement_is_synced_before_the_next_message(new_session, monkeypatch, tmp_path):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    session = new_session(new_mail(3))
    synced.clear()
    session.judge(answer(session.state("Anna")))
    assert synced == [(tmp_path / "judgements.jsonl").stat().st_size]
    assert (tmp_path / "judgements.jsonl").stat().st_mode & 0o077 == 0


def test_a_full_disk_leaves_the_file_as_it_was_and_the_message_shown(new_session, monkeypatch, tmp_path):
    session = new_session(new_mail(3))
    state = session.judge(answer(session.state("Anna")))
    before = (tmp_path / "judgements.jsonl").read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:10]))
    with pytest.raises(TriageError, match=r"judgements\.jsonl: cannot be written: the disk is full"):
        session.judge(answer(state))
    with pytest.raises(TriageError, match=r"cannot be written"):
        session.undo("Anna")
    monkeypatch.undo()
    assert (tmp_path / "judgements.jsonl").read_bytes() == before
    assert session.state("Anna") == state
    assert session.judge(answer(state)).progress.judged == 2


def test_a_file_is_continued_whatever_its_end_and_never_by_two_programs(tmp_path):
    path = tmp_path / "judgements.jsonl"
    line = msgspec.json.encode(Judgement(fingerprint="a", annotator="Anna", tie=True))
    for end in (b"", b"\n", b'\n{"fingerprint": "b", "cho'):
        path.write_bytes(line + end)
        with store.opened(path) as file:
            file.append(Judgement(fingerprint="c", annotator="Anna", skipped=True))
            with pytest.raises(
                UsageError, match=r"judgements\.jsonl: process \d+ .* is writing it; wait for it to finish, or"
            ):
                store.opened(path).__enter__()
        assert [each.fingerprint for each in judgements_in_force(path)] == ["a", "c"]
    path.write_bytes(b'[\n{"path": "x"}\n]')
    with pytest.raises(UsageError, match="line 1: not a judgement"):
        store.opened(path).__enter__()
    assert path.read_bytes() == b'[\n{"path": "x"}\n]'


def test_what_cannot_be_seen_is_shown_by_its_number():
    assert (
        visible("a\x00b\u202ec\u2066\ufeff\u200b\U000e0041") == "a[U+0000]b[U+202E]c[U+2066][U+FEFF][U+200B][U+E0041]"
    )
    assert visible("a\r\nb\tc\rd") == "a\nb\tc[U+000D]d"
    plain = "Grüße, 日本語 \U0001f468\u200d\U0001f469 می\u200cخواهم e\u0301 \u00adsoft"
    assert visible(plain) == plain
    assert visible_line(" a\n\tb\u2028c ") == "a b c"


def test_nothing_that_is_shown_tells_what_the_owner_did():
    secret = dict.fromkeys(("folder", "path", "raw_sha256", "message_id"), "deleted_items")
    evidence = msgspec.structs.replace(builders.new_record().evidence, rule="deleted_items", folders=["deleted_items"])
    record = builders.new_record(
        **secret, action="delete", flags=["deleted"], labels=["deleted_items"], evidence=evidence, response_seconds=77
    )
    shown = msgspec.json.encode([message_view(record), context_view(record, Conversation())]).decode()
    assert "deleted" not in shown
    assert "77" not in shown


def test_the_quotation_and_the_signature_are_apart_and_long_text_is_cut_with_a_word():
    body = "New words.\n\n-----Original Message-----\nFrom: Bob\nSubject: gas\n\nOld words.\n"
    view = message_view(builders.new_email(body=body, bcc=["x@x.example"], sender="", sender_name=""))
    assert view.text == "New words."
    assert "Old words." in view.quoted
    assert view.recipients["bcc"] == ["x@x.example"]
    assert view.sender == "(no sender)"
    long = message_view(builders.new_email(body="word " * 100_000, to=[f"p{n}@x.example" for n in range(500)]))
    assert long.cut == 500_000 - 40_000
    assert long.recipients["to"][-1] == "and 440 more"


def test_attachments_are_shown_by_names_in_which_every_character_can_be_seen():
    names = ["plan.pdf", "invoice\u202egpj.exe", "a\x00\x1b[2J.txt", "<b>.html", "x" * 5_000]
    view = message_view(builders.new_email(attachments=names))
    assert view.attachments[:4] == ["plan.pdf", "invoice[U+202E]gpj.exe", "a[U+0000][U+001B][2J.txt", "<b>.html"]
    assert len(view.attachments[4]) < 1_100
    assert message_view(builders.new_email()).attachments == []


def test_what_the_owner_did_with_this_sender_is_told_in_words():
    history = builders.new_history(
        sender=[1, 2, 0, 0, 3], received_from_sender=7, since_received_from_sender=7300, last_sender_action="delete"
    )
    lines = context_view(builders.new_record(history=history), Conversation()).sender
    assert lines == [
        "7 messages from this sender before, the last 2 hours earlier.",
        "What became of them: 1 answered at once, 2 answered later, 3 deleted; of the other 1, nothing was known yet.",
        "The latest with a known outcome was deleted.",
    ]
    assert "not known" in context_view(builders.new_record(history=None), Conversation()).sender[0]


def test_a_conversation_is_what_came_before_in_the_same_mailbox(tmp_path):
    def at(hour, name, **fields):
        return builders.new_email(timestamp=hour * 3600, fingerprint=name, user="owner-b", **fields)

    mail = [
        at(1, "first", subject="Gas prices", message_id="<1@x>"),
        at(2, "copy", subject="Gas prices"),
        at(2, "copy", subject="Gas prices", folder="other"),
        at(3, "named", subject="another", message_id="<3@x>"),
        at(4, "unrelated", subject="lunch"),
        at(6, "later", subject="Re: Gas prices"),
    ]
    record = builders.new_record(user="owner-b", timestamp=5 * 3600, subject="RE: gas  prices", references=["<3@x>"])
    builders.write_records(tmp_path / "emails.json", [builders.new_email(user="owner-a", subject="Gas prices"), *mail])
    for source in (ListedConversations(mail), ParsedConversations(tmp_path / "emails.json")):
        found = source.before(record)
        assert [email.fingerprint for email in found.earlier] == ["named", "copy", "first"]
        assert (found.count, found.unknown) == (3, "")
    without_subject = builders.new_record(user="owner-b", timestamp=5 * 3600, subject="Re:")
    assert ListedConversations(mail).before(without_subject).count == 0
    missing = ParsedConversations(tmp_path / "nothing.json").before(record)
    assert "nothing.json: no such file" in missing.unknown


def test_a_split_is_read_message_by_message_and_outlives_its_replacement(tmp_path):
    path = tmp_path / "train.json"
    builders.write_records(path, [*new_mail(3), *new_mail(1)])  # the last one a copy
    messages = SplitMessages(path)
    assert [key.fingerprint for key in messages.keys] == ["f0", "f1", "f2"]
    builders.write_records(path, new_mail(1, body="x" * 1000))
    assert messages.read(2).subject == "m2"
    builders.write_records(path, [])
    with pytest.raises(UsageError, match=r"train\.json: contains no message to judge"):
        SplitMessages(path)


def test_new_mail_is_judged_with_the_history_that_its_mailbox_gives_it(tmp_path, monkeypatch):
    def write(name, sender, to, subject, hour):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        date = f"Mon, 14 May 2018 {hour}:00:00 +0000"
        path.write_text(f"From: {sender}\nTo: {to}\nSubject: {subject}\nDate: {date}\n\nhello from {hour}\n")

    owner, jane = "me@x.example", "jane@x.example"
    write("box/inbox/1.eml", jane, owner, "Gas", 10)
    write("box/sent/2.eml", owner, jane, "Re: Gas", 11)
    write("new/3.eml", jane, owner, "Re: Gas", 12)
    write("new/4.eml", owner, jane, "Re: Gas", 13)  # the owner's own: nothing to judge
    given = []
    monkeypatch.setattr("enron_triage.annotation.page.run", lambda *arguments: given.append(arguments) or Counter(A=2))
    config = load_config([], [], data_dir=str(tmp_path), checkpoint_dir=str(tmp_path / "none"), device="cpu")
    options = {"strategy": "random", "new_mail": [str(tmp_path / "new")], "owner": [owner]}
    result = ANNOTATE.run(config, **options, mailbox=tmp_path / "box")
    path, shown, policies, *_ = given[0]
    record = shown.messages.read(0)
    assert (len(shown.messages.keys), record.body.strip(), policies) == (1, "hello from 12", [])
    assert (record.history.received_from_sender, record.history.sent_to_sender) == (1, 1)
    assert [email.body.strip() for email in shown.conversations().before(record).earlier] == [
        "hello from 11",
        "hello from 10",
    ]
    assert result.table == f"2 judged in this run (A 2) -> {path}"
    assert path == tmp_path / "judgements.jsonl"
    for wrong, message in (
        ({"mailbox": tmp_path}, "--mailbox and --owner need --input"),
        ({"strategy": "cost"}, r"best_sft\.pt: no such file"),
        ({"annotator": "a\u202eb", "strategy": "random"}, "--annotator"),
        ({"split": "tset", "strategy": "random"}, "--split tset: no such file; give train, val, test or"),
    ):
        with pytest.raises(UsageError, match=message):
            ANNOTATE.run(config, **wrong)


def request(app, method, path, headers=None, body=b"", query=b""):
    """One request to an ASGI application: the status, the headers, the body."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    given = {"host": "127.0.0.1:8000", "cookie": f"triage_annotate_8000={TOKEN}", "origin": "http://127.0.0.1:8000"}
    given |= {"content-type": "application/json"} | (headers or {})
    scope = {"type": "http", "method": method, "path": path, "query_string": query, "http_version": "1.1"}
    scope |= {"headers": [(name.encode(), value.encode()) for name, value in given.items() if value is not None]}
    scope |= {"scheme": "http", "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 1), "root_path": ""}
    asyncio.run(app(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


def test_only_the_page_itself_is_answered(new_session):
    app = application(new_session(new_mail(3)), 8000, TOKEN)
    body = b'{"annotator": "Anna"}'

    def status(path="/api/state", method="POST", query=b"", content=body, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return request(app, method, path, named, content, query)[0]

    assert status() == status(host="localhost:8000", origin="http://localhost:8000") == 200
    assert status(sec_fetch_site="same-origin") == 200
    for wrong in (
        *({"host": "evil.example"}, {"host": "127.0.0.1"}, {"host": "127.0.0.1:8001"}, {"host": None}),
        *({"origin": "http://evil.example"}, {"origin": "null"}, {"origin": None}, {"origin": "http://127.0.0.1:8001"}),
        *({"cookie": None}, {"cookie": "triage_annotate_8000=wrong"}, {"cookie": f"triage_annotate_8001={TOKEN}"}),
        *({"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}, {"query": b"token=wrong"}),
    ):
        assert status(**wrong) == 403, wrong
    assert status(path="/annotate.js", method="GET", cookie=None) == 403
    assert status(content_type="text/plain") == 415
    assert status(content=b"{}") == status(content=b"\xff") == status(content=b'{"annotator": "A", "x": 1}') == 400
    assert status(content=b" " * 70_000) == 413
    assert status(content=b'{"annotator": "a\\u202eb"}') == 422
    assert status(path="/api/judge", method="GET") == 405
    assert status(path="/../../etc/passwd", method="GET") == 404


def test_the_token_comes_with_the_address_once_and_then_in_a_cookie(new_session):
    app = application(new_session(new_mail(3)), 8000, TOKEN)
    fresh = {"cookie": None, "origin": None, "sec-fetch-site": "cross-site"}  # a link that was followed
    status, headers, body = request(app, "GET", "/", fresh, query=f"token={TOKEN}".encode())
    assert status == 200
    assert headers["set-cookie"] == f"triage_annotate_8000={TOKEN}; HttpOnly; SameSite=Strict; Path=/"
    assert b"<script src=" in body
    assert TOKEN.encode() not in body
    for path in ("/", "/annotate.js", "/annotate.css", "/icon.svg", "/api/setup", "/nothing"):
        _, headers, body = request(app, "GET", path, {"origin": None})
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
        assert "set-cookie" not in headers
        assert not any(word in body.lower() for word in (b" onclick", b" style=", b"innerhtml", b"https://", b"eval("))


def test_the_page_and_the_program_speak_the_same_json(new_session, tmp_path):
    app = application(new_session(new_mail(3)), 8000, TOKEN)

    def post(path, **fields):
        status, _, body = request(app, "POST", path, body=json.dumps(fields).encode())
        assert status == 200, body
        return json.loads(body)

    item = post("/api/state", annotator="Anna")["item"]
    named = {"annotator": "Anna", "user": item["user"], "fingerprint": item["fingerprint"]}
    assert post("/api/context", **named)["unknown"] == "no mailbox was given (--mailbox)"
    chosen = {"chosen": item["candidates"][1], "note": " clear ", "seconds": 2.5}
    state = post("/api/judge", **named, kind="pair", **chosen)
    assert state["progress"] == {"judged": 1, "skipped": 0, "target": 10, "pace": 2.5, "can_undo": True}
    found = judgements_in_force(tmp_path / "judgements.jsonl")[0]
    assert [found.rejected, found.chosen] == item["candidates"]
    assert (found.note, found.seconds, found.annotator) == ("clear", 2.5, "Anna")
    assert found.time[10] == "T"
    assert post("/api/undo", annotator="anna")["item"]["fingerprint"] == item["fingerprint"]
