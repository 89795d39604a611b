import os
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.config.load import load_config
from enron_triage.errors import UsageError
from enron_triage.mail import parse
from enron_triage.mail.batches import make_batches
from enron_triage.mail.message_ref import MessageRef, read_bytes
from enron_triage.mail.sources import SOURCES, Source, find_source, open_tree
from enron_triage.records import Email, ParseError
from enron_triage.runtime.artifacts import read_records

FROM = b"From jane@x.example Mon May 14 16:39:00 2001\n"
MAIL = b"Subject: hello\n\nHello\n"


def write(root, *names, content=MAIL):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def maildir(root):
    for part in ("cur", "new", "tmp"):
        (root / part).mkdir(parents=True, exist_ok=True)
    return root


def layout_of(path):
    return find_source(open_tree(path))[0]


def references(source, layout):
    return [ref for _, refs in find_source(open_tree(source), layout)[1].mailboxes(open_tree(source)) for ref in refs]


def listed(source, layout):
    """(user, folder, path) of every message, in order."""
    return [
        (batch.user, ref.folder, ref.path)
        for batch in make_batches(find_source(open_tree(source), layout)[1].mailboxes(open_tree(source)))
        for ref in batch.refs
    ]


def contents(source, layout="mbox"):
    return [read_bytes(ref) for ref in references(source, layout)]


# Layouts


def test_the_layout_is_told_by_the_files(tmp_path):
    assert layout_of(write(tmp_path / "enron", "doe-j/inbox/1.")) == "enron"
    assert layout_of(maildir(tmp_path / "one" / "me")) == "maildir"
    assert layout_of(tmp_path / "one") == "maildir"
    assert layout_of(write(tmp_path / "mboxes", "me.mbox", content=FROM + MAIL)) == "mbox"
    assert layout_of(write(tmp_path / "half", "doe-j/cur/1.")) == "enron"
    assert layout_of(write(tmp_path / "eml", "Inbox/1.eml", "Sent/2.eml")) == "files"
    assert layout_of(tmp_path / "eml" / "Inbox" / "1.eml") == "files"
    assert layout_of(write(tmp_path / "nothing", "a/note.txt", content=b"no mail")) == "files"


def test_a_tree_may_mix_layouts(tmp_path):
    write(maildir(tmp_path / "Inbox"), "cur/1")
    write(tmp_path, "Sent.mbox", content=FROM + MAIL)
    write(tmp_path, "Old/1.eml")
    assert layout_of(tmp_path) == "files+mbox+maildir"
    assert [(user, folder) for user, folder, _ in listed(tmp_path, "auto")] == [
        (tmp_path.name, "Inbox"),
        (tmp_path.name, "Old"),
        (tmp_path.name, "Sent"),
    ]
    assert [folder for _, folder, _ in listed(tmp_path, "maildir")] == ["Inbox"]


@pytest.mark.parametrize("name", ["mail.tar", "mail.tar.gz", "mail.tgz", "mail.tar.xz"])
def test_an_archive_of_an_enron_tree_is_read_in_its_own_order(tmp_path, name):
    kind = {"tgz": "gz"}.get(name.rpartition(".")[2], name.rpartition(".")[2])
    with tarfile.open(tmp_path / name, f"w:{'' if kind == 'tar' else kind}") as tar:
        tar.add(write(tmp_path / "tree", "doe-j/inbox/1."), "maildir")
    tree = open_tree(tmp_path / name)
    layout, source = find_source(tree)
    assert layout == "enron"
    assert source.needs_grouping(tree)
    assert not source.needs_grouping(open_tree(tmp_path / "tree"))


def test_a_layout_that_is_named_is_taken_whatever_the_files(tmp_path):
    assert find_source(open_tree(tmp_path), "maildir") == ("maildir", SOURCES["maildir"])


def test_a_missing_source_says_what_to_do(tmp_path):
    with pytest.raises(
        UsageError, match=r"nowhere: no such file or folder; run `triage download` or set parse\.source"
    ):
        layout_of(tmp_path / "nowhere")


@pytest.mark.parametrize("layout", ["enron", "maildir"])
def test_a_file_where_a_folder_belongs_is_refused(tmp_path, layout):
    write(tmp_path, "file")
    with pytest.raises(UsageError, match=r"is a file, but a folder is expected; set parse\.format=mbox"):
        listed(tmp_path / "file", layout)


@pytest.mark.parametrize("layout", ["enron", "maildir", "files"])
def test_a_folder_that_cannot_be_listed_is_one_clear_line(tmp_path, layout):
    tree = open_tree(write(tmp_path / "gone", "a/1.") / "..")
    tree.path = tmp_path / "nowhere"
    with pytest.raises(UsageError, match="nowhere: cannot be listed: no such file"):
        list(SOURCES[layout].mailboxes(tree))


@pytest.mark.parametrize("layout", ["enron", "maildir", "mbox", "files"])
def test_an_empty_folder_has_no_messages(tmp_path, layout):
    (tmp_path / "doe-j" / "inbox").mkdir(parents=True)
    assert references(tmp_path, layout) == []


# One more layout


def paragraphs(tree):
    """A toy layout: a ``.toy`` file is one mailbox, its messages are parted by lines of ``%``, the last comes first."""
    path = tree.path
    refs = (
        MessageRef(f"{path.name}%{n}", "inbox", "", content=content)
        for n, content in reversed(list(enumerate(path.read_bytes().split(b"%\n"))))
    )
    yield path.stem, refs


@pytest.mark.parametrize("name", ["toy", "auto"])
@pytest.mark.parametrize(("grouped", "order"), [(False, [2, 0]), (True, [0, 2])])
def test_a_layout_is_added_by_one_row_of_the_table(tmp_path, monkeypatch, name, grouped, order):
    toy = Source(
        matches=lambda tree: tree.path.suffix == ".toy", mailboxes=paragraphs, needs_grouping=lambda tree: grouped
    )
    monkeypatch.setitem(SOURCES, "toy", toy)
    (tmp_path / "mine.toy").write_bytes(b"%\n".join([b"Subject: 0\n\nx\n", b"no mail\n", b"Subject: 2\n\nx\n"]))
    overrides = [f"parse.source={tmp_path / 'mine.toy'}", f"parse.format={name}"]
    result = parse.run(load_config((), overrides, data_dir=str(tmp_path / "data"), workers=1))
    assert result.data == {"files": 3, "records": 2, "errors": 1, "mailboxes": 1, "not_read": 0, "format": "toy"}
    records = list(read_records(tmp_path / "data" / "emails.json", Email))
    assert [(r.user, r.folder, r.path, r.subject) for r in records] == [
        ("mine", "inbox", f"mine.toy%{n}", str(n)) for n in order
    ]
    (error,) = read_records(tmp_path / "data" / "parse_errors.json", ParseError)
    assert (error.path, error.error) == ("mine.toy%1", "ValueError: no mail headers")


def test_a_layout_that_is_not_in_the_table_is_refused():
    with pytest.raises(
        UsageError, match=r"parse\.format: unknown name 'toy'.*allowed: auto, files, mbox, maildir, enron"
    ):
        load_config((), ["parse.format=toy"])


# An Enron tree


def test_an_enron_tree_is_listed_by_mailbox_then_path(tmp_path):
    names = ["roe-r/1.", "doe-j/inbox/2.", "doe-j/inbox/10.", "doe-j/inbox/sub/1.", "doe-j/all/1.", "Aaa/inbox/x"]
    write(tmp_path, *names)
    assert listed(tmp_path, "enron") == [
        ("Aaa", "inbox", "Aaa/inbox/x"),
        ("doe-j", "all", "doe-j/all/1."),
        ("doe-j", "inbox", "doe-j/inbox/10."),
        ("doe-j", "inbox", "doe-j/inbox/2."),
        ("doe-j", "inbox/sub", "doe-j/inbox/sub/1."),
        ("roe-r", "", "roe-r/1."),
    ]
    assert contents(tmp_path, "enron") == [MAIL] * 6


def test_the_order_does_not_depend_on_the_file_system(tmp_path, monkeypatch):
    write(tmp_path, *(f"{user}/{folder}/{n}." for user in "abc" for folder in "xy" for n in range(5)))
    before = listed(tmp_path, "enron")
    scandir, iterdir = os.scandir, Path.iterdir

    class Reversed(list):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(os, "scandir", lambda folder: Reversed(reversed(list(scandir(folder)))))
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter(reversed(list(iterdir(folder)))))
    assert listed(tmp_path, "enron") == before
    assert before == sorted(before)


def listed_by_recursion(folder, path, name):
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            below = f"{name}/{entry.name}" if name else entry.name
            yield from listed_by_recursion(entry.path, f"{path}/{entry.name}", below)
        else:
            yield path.split("/")[0], name, f"{path}/{entry.name}"


def test_files_and_folders_stand_in_the_order_of_their_names(tmp_path):
    names = ("1.", "b/2", "b/1", "b-a", "b.c/1", "b/c/1", "b/c/d/e", "a/z", "b/d", "z/y/x", "B", "b/c.d")
    write(tmp_path / "doe-j", *names)
    (tmp_path / "doe-j" / "b" / "empty").mkdir()
    assert listed(tmp_path, "enron") == list(listed_by_recursion(tmp_path / "doe-j", "doe-j", ""))
    assert len(listed(tmp_path, "enron")) == len(names)


def test_folders_nested_deeper_than_python_recurses_are_listed(tmp_path):
    depth = sys.getrecursionlimit() + 200
    folders = [f"{tmp_path}/doe-j" + "/a" * n for n in range(depth + 1)]
    for folder in folders:
        os.mkdir(folder)
    write(Path(folders[-1]), "1.")
    try:
        assert listed(tmp_path, "enron") == [("doe-j", "/".join("a" * depth), f"doe-j/{'a/' * depth}1.")]
        assert contents(tmp_path, "enron") == [MAIL]
    finally:
        os.remove(f"{folders[-1]}/1.")
        for folder in reversed(folders):  # pytest removes old folders by recursion
            os.rmdir(folder)


def test_odd_names_of_folders_and_files_can_be_written_as_json(tmp_path):
    odd = os.fsdecode(b"caf\xe9")
    write(tmp_path, "with space/new\nline/[1] 'x'", "ünï/ö/ß", f"doe-j/{odd}/{odd}", ".hidden/.folder/.1")
    assert listed(tmp_path, "enron") == [
        (".hidden", ".folder", ".hidden/.folder/.1"),
        ("doe-j", "caf\\xe9", "doe-j/caf\\xe9/caf\\xe9"),
        ("with space", "new\nline", "with space/new\nline/[1] 'x'"),
        ("ünï", "ö", "ünï/ö/ß"),
    ]
    assert contents(tmp_path, "enron") == [MAIL] * 4


@pytest.mark.parametrize("layout", ["enron", "maildir", "mbox"])
def test_a_mailbox_of_an_odd_name_can_be_written_as_json(tmp_path, layout):
    odd = os.fsdecode(b"caf\xe9")
    if layout == "mbox":
        write(tmp_path, f"{odd}.mbox", content=FROM + MAIL)
    else:
        write(maildir(tmp_path / odd) if layout == "maildir" else tmp_path / odd, "cur/1")
    for texts in listed(tmp_path, layout):
        assert texts[0] == "caf\\xe9"
        assert "".join(texts).encode().decode() == "".join(texts)
    assert contents(tmp_path, layout) == [MAIL]


def test_files_beside_the_mailboxes_are_counted_in_one_warning(tmp_path, caplog):
    write(tmp_path, "doe-j/inbox/1.", "README", "a.txt", "b.txt", "c.txt")
    (tmp_path / "roe-r").symlink_to("doe-j")
    assert [path for _, _, path in listed(tmp_path, "enron")] == ["doe-j/inbox/1."]
    assert caplog.messages == [
        f"{tmp_path}: files next to the mailboxes are not read: 5 (README, a.txt, b.txt, ...); "
        "a mailbox is a folder of its own"
    ]


def test_a_corpus_of_mailboxes_alone_is_listed_without_a_warning(tmp_path, caplog):
    write(tmp_path / "enron", "doe-j/1.")
    write(maildir(tmp_path / "me"), "cur/1", "dovecot-uidlist")
    listed(tmp_path / "enron", "enron")
    listed(tmp_path / "me", "maildir")
    assert caplog.messages == []


# What is no mail


def test_a_link_is_listed_but_not_followed(tmp_path):
    write(tmp_path / "outside", "secret/1.")
    write(tmp_path / "maildir", "doe-j/inbox/1.")
    inbox = tmp_path / "maildir" / "doe-j" / "inbox"
    (inbox / "2.").symlink_to(tmp_path / "outside" / "secret" / "1.")
    (inbox / "3").symlink_to(tmp_path / "outside" / "secret")
    (inbox / "4").symlink_to(inbox)  # a circle
    (inbox / "5").symlink_to("nowhere")
    (tmp_path / "maildir" / "roe-r").symlink_to(tmp_path / "outside")
    paths = [path for _, _, path in listed(tmp_path / "maildir", "enron")]
    assert paths == [f"doe-j/inbox/{name}" for name in ("1.", "2.", "3", "4", "5")]


# Maildirs


def test_a_maildir_is_listed_with_its_subfolders(tmp_path):
    root = maildir(tmp_path / "me")
    for name in (".Archive", ".Archive.2001", ".INBOX.Work.Plans", ".Sent Mail"):
        maildir(root / name)
    write(
        root,
        *("cur/1:2,S", "new/2", "tmp/3", ".Archive/cur/4", ".Archive.2001/new/5", ".INBOX.Work.Plans/cur/6"),
        *(".Sent Mail/cur/7", "dovecot-uidlist", ".NoMaildir/x/8"),
    )
    found = listed(root, "maildir")
    assert [(user, folder, Path(path).name) for user, folder, path in found] == [
        ("me", "", "1:2,S"),
        ("me", "", "2"),
        ("me", "", "3"),
        ("me", "Archive", "4"),
        ("me", "Archive/2001", "5"),
        ("me", "Work/Plans", "6"),
        ("me", "Sent Mail", "7"),
    ]  # what lies in no Maildir is counted as not read
    assert all((tmp_path / path).is_file() for _, _, path in found)
    assert found[0][2] == "me/cur/1:2,S"
    assert found == listed(tmp_path, "maildir")  # the same, found from the folder of Maildirs


def test_several_maildirs_are_several_mailboxes(tmp_path):
    for user in ("b", "a"):
        write(maildir(tmp_path / user), "cur/1")
    write(tmp_path, "no-maildir/1")
    assert [user for user, _, _ in listed(tmp_path, "maildir")] == ["a", "b"]


@pytest.mark.parametrize("name", [".", "../me"])
def test_a_maildir_named_by_a_dot_gets_its_real_name(tmp_path, monkeypatch, name):
    write(maildir(tmp_path / "me"), "cur/1")
    monkeypatch.chdir(tmp_path / "me")
    assert [user for user, _, _ in listed(Path(name), "maildir")] == ["me"]


# mbox files


def mbox(path, *messages, end=b"\n"):
    path.write_bytes(b"".join(FROM + message + b"\n" for message in messages).replace(b"\n", end))
    return path


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_an_mbox_is_cut_at_its_from_lines(tmp_path, end):
    messages = [b"Subject: %d\n\nHello\n\nAgain\n" % n for n in range(3)]
    path = mbox(tmp_path / "All mail.mbox", *messages, end=end)
    assert listed(path, "mbox") == [("All mail", "", f"All mail.mbox#{n}") for n in range(3)]
    assert contents(path) == [(message + b"\n").replace(b"\n", end) for message in messages]


@pytest.mark.parametrize(
    "line",
    [
        b"From jane@x.example Mon May 14 16:39:00 2001",
        b"From 1756@xxx Mon Jan 02 09:00:00 +0000 2023",
        b"From - Mon May 14 16:39:00 2001",
        b"From MAILER-DAEMON Mon May 14 16:39:00 2001 -0700",
    ],
)
def test_the_from_lines_of_every_mail_program_are_known(tmp_path, line):
    path = tmp_path / "a.mbox"
    path.write_bytes(b"\n".join([line, b"Subject: 1", b"", b"x", b"", line, b"Subject: 2", b"", b"y"]))
    assert contents(path) == [b"Subject: 1\n\nx\n\n", b"Subject: 2\n\ny"]


@pytest.mark.parametrize(
    "body",
    [
        b"From the start of a line it goes on.\n",
        b"text\n\nFrom here on there is no year\n\ntext\n",
        b"no blank line above\n" + FROM,
        b"text\n\n>" + FROM,
        b"text\n\nFrom\n",
        b"text\n\n From a@x Mon May 14 16:39:00 2001\n",
    ],
)
def test_a_from_in_a_body_begins_no_message(tmp_path, body):
    path = mbox(tmp_path / "a.mbox", b"Subject: 1\n\n" + body, b"Subject: 2\n\nx\n")
    assert len(contents(path)) == 2
    assert contents(path)[1] == b"Subject: 2\n\nx\n\n"


def test_quoted_from_lines_lose_one_mark(tmp_path):
    path = mbox(tmp_path / "a.mbox", b"Subject: 1\n\n>From a\n>>From b\n> From c\nx >From d\n>Fromage\n>From e")
    assert contents(path) == [b"Subject: 1\n\nFrom a\n>From b\n> From c\nx >From d\n>Fromage\nFrom e\n"]


def test_a_quoted_from_outside_an_mbox_stays(tmp_path):
    write(tmp_path, "doe-j/1.", content=b"Subject: 1\n\n>From a\n")
    assert contents(tmp_path, "enron") == [b"Subject: 1\n\n>From a\n"]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.lists(st.sampled_from([b"From x", b">From y", b">>From z", FROM.strip(), b"", b"text", b" From w", b">"])),
        max_size=4,
    )
)
def test_an_mbox_gives_back_every_message_that_was_written_to_it(tmp_path_factory, bodies):
    messages = [b"Subject: %d\n\n" % n + b"".join(line + b"\n" for line in lines) for n, lines in enumerate(bodies)]
    path = tmp_path_factory.mktemp("mbox") / "a.mbox"
    with path.open("wb") as file:
        for message in messages:
            quoted = [b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in message.split(b"\n")]
            file.write(FROM + b"\n".join(quoted) + b"\n")
    assert contents(path) == [message + b"\n" for message in messages]


def test_a_folder_of_mboxes_is_a_mailbox_each(tmp_path):
    mbox(tmp_path / "b.mbox", MAIL)
    mbox(tmp_path / "a.mbox", MAIL, MAIL)
    (tmp_path / "folder.mbox").mkdir()
    write(tmp_path, "note.txt")
    assert listed(tmp_path, "mbox") == [("a", "", "a.mbox#0"), ("a", "", "a.mbox#1"), ("b", "", "b.mbox#0")]


def test_blank_lines_above_the_first_from_line_do_not_matter(tmp_path):
    (tmp_path / "a.mbox").write_bytes(b"\n\r\n" + FROM + MAIL)
    assert contents(tmp_path / "a.mbox") == [MAIL]


def test_an_empty_mbox_has_no_messages(tmp_path):
    (tmp_path / "a.mbox").touch()
    assert listed(tmp_path / "a.mbox", "mbox") == []


def test_a_message_of_an_mbox_may_be_empty(tmp_path):
    path = mbox(tmp_path / "a.mbox", MAIL, b"\n", MAIL)
    refs = references(path, "mbox")
    assert len(refs) == 3
    with pytest.raises(ValueError, match="empty"):
        read_bytes(refs[1])
    assert read_bytes(refs[2]) == MAIL + b"\n"


@pytest.mark.parametrize("content", [MAIL, b"\x89PNG\r\n", b"From\n", b"\n\n From jane 2001\n"])
def test_a_file_that_is_no_mbox_is_refused_as_one(tmp_path, content):
    (tmp_path / "a.mbox").write_bytes(content)
    config = load_config((), [f"parse.source={tmp_path / 'a.mbox'}", "parse.format=mbox"], data_dir=str(tmp_path / "d"))
    with pytest.raises(UsageError, match=r"a\.mbox: not an mbox: it does not begin with a `From ` line"):
        parse.run(config)


def test_an_mbox_that_cannot_be_opened_is_one_clear_line(tmp_path, monkeypatch):
    mbox(tmp_path / "a.mbox", MAIL)
    tree = open_tree(tmp_path / "a.mbox")
    _, source = find_source(tree)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UsageError, match=r"a\.mbox: cannot be read: permission denied"):
        [ref for _, refs in source.mailboxes(tree) for ref in refs]
