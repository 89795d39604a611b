"""Every layout in which people have mail, on the disk and in archives, reads as the same mailbox."""

import bz2
import gzip
import io
import json
import lzma
import os
import random
import tarfile
import zipfile

import pytest

from enron_triage.config.load import load_config
from enron_triage.errors import TriageError, UsageError
from enron_triage.mail import parse
from enron_triage.mail.reading import read_mailbox
from enron_triage.mail.sources import find_source, open_tree

FROM = b"From - Mon Sep  4 08:00:00 2023\n"
# The folders of the mailbox, each with the number of its messages.
FOLDERS = {"Inbox": 2, "Sent": 3, "Trash": 1, "Work/2023": 2}


def mail(subject):
    return (
        f"From: jane@x.example\nTo: bob@x.example\nDate: Mon, 4 Sep 2023 08:00:00 +0000\nSubject: {subject}\n\nx\n"
    ).encode()


def messages(folder):
    return [mail(f"{folder} {number}") for number in range(FOLDERS[folder])]


def mbox(folder, line=FROM):
    return b"".join(line + message + b"\n" for message in messages(folder))


def maildirs(name_of):
    """Files of Maildirs; `name_of` gives a folder's path."""
    files = {}
    for folder in FOLDERS:
        place = name_of(folder)
        files |= {f"{place}/{part}/": b"" for part in ("cur", "new", "tmp")}
        files |= {f"{place}/cur/{n}.x:2,S": message for n, message in enumerate(messages(folder))}
    return {name.removeprefix("/"): content for name, content in files.items()}


def numbered(folder, suffix=""):
    return {f"{n}{suffix}": message for n, message in enumerate(messages(folder), 1)}


def message_files(suffix="", first=""):
    return {f"{first}{folder}/{name}": raw for folder in FOLDERS for name, raw in numbered(folder, suffix).items()}


def emlx(raw):
    return (
        b"%-10d\n" % len(raw)
        + raw
        + b'<?xml version="1.0"?>\n<plist version="1.0"><dict><key>flags</key><integer>260</integer></dict></plist>\n'
    )


def thunderbird(profile="", account="Mail/Local Folders"):
    names = {"Work/2023": "Work.sbd/2023"}
    files = {f"{account}/{names.get(folder, folder)}": mbox(folder, b"From \n") for folder in FOLDERS}
    files |= {f"{name}.msf": b"// <!-- <mdb:mork:z" for name in [*files, f"{account}/Work"]}
    return {f"{profile}{name}": content for name, content in {**files, f"{account}/Work": b""}.items()}


def legacy(folder):
    return "/".join(f".{name}" if number else name for number, name in enumerate(folder.split("/")))


UUID = "0A1B2C3D-0000-4000-8000-000000000001"
LAYOUTS = {
    "Maildir++": maildirs(lambda folder: "" if folder == "Inbox" else f".{folder.replace('/', '.')}"),
    "Courier": maildirs(lambda folder: "" if folder == "Inbox" else f".INBOX.{folder.replace('/', '.')}"),
    "mbsync, Verbatim": {**maildirs(lambda folder: folder), "Work/cur/": b"", "Work/new/": b""},
    "mbsync, Legacy": maildirs(legacy),
    "offlineimap": maildirs(lambda folder: folder if folder.startswith(("In", "W")) else f"[Gmail]/{folder}"),
    "offlineimap with dots": maildirs(
        lambda folder: folder if folder == "Inbox" else f"INBOX.{folder.replace('/', '.')}"
    ),
    "offlineimap of Gmail with dots": maildirs(
        lambda folder: folder if folder.startswith(("In", "W")) else f"[Gmail].{folder}"
    ),
    "a backup of mbox files, with dots": {
        ("INBOX.mbox" if folder == "Inbox" else f"INBOX.{folder.replace('/', '.')}.mbox"): mbox(folder)
        for folder in FOLDERS
    },
    "folders below INBOX": maildirs(lambda folder: "INBOX" if folder == "Inbox" else f"INBOX/{folder}"),
    "dovecot, LAYOUT=fs": maildirs(lambda folder: "" if folder == "Inbox" else folder),
    "KMail": maildirs(lambda folder: folder.replace("Work/", ".Work.directory/").lower()),
    "Thunderbird, an account": thunderbird(account="Local Folders"),
    "Thunderbird, a profile": {**thunderbird("k3v9.default/"), "k3v9.default/prefs.js": b"// Mozilla"},
    "Thunderbird, IMAP": thunderbird(account="ImapMail/imap.x.example"),
    "Thunderbird, Maildirs": {
        name: content
        for name, content in maildirs(lambda folder: folder.replace("Work/", "Work.sbd/")).items()
        if "/new/" not in name
    },
    "Apple Mail, exported": {f"{folder}.mbox/mbox": mbox(folder) for folder in FOLDERS},
    "Apple Mail, its own": {
        f"V10/{UUID}/{folder.replace('/', '.mbox/')}.mbox/{UUID}/Data/Messages/{name}": emlx(raw)
        for folder in FOLDERS
        for name, raw in numbered(folder, ".emlx").items()
    },
    "readpst -r": {
        **{f"Outlook Data File/{folder}/mbox": mbox(folder) for folder in FOLDERS},
        "Outlook Data File/Calendar/calendar": b"BEGIN:VCALENDAR\nEND:VCALENDAR\n",
    },
    "readpst -S": {
        **message_files(first="Outlook Data File/"),
        "Outlook Data File/Inbox/2-letter.eml": mail("attached"),
        "Outlook Data File/Calendar/1": b"BEGIN:VCALENDAR\nEND:VCALENDAR\n",
    },
    "mbox files": {f"{folder}.mbox": mbox(folder) for folder in FOLDERS},
    "mbox files without an ending": {folder: mbox(folder) for folder in FOLDERS},
    "compressed mbox files": {
        "Inbox.mbox.gz": gzip.compress(mbox("Inbox")),
        "Sent.mbox.xz": lzma.compress(mbox("Sent")),
        "Trash.mbx.bz2": bz2.compress(mbox("Trash")),
        "Work/2023": mbox("Work/2023"),
    },
    "Takeout by label": {f"Takeout/Mail/{folder}.mbox": mbox(folder) for folder in FOLDERS},
    ".eml": message_files(".eml"),
    "MH": {**message_files(), "Inbox/.mh_sequences": b"cur: 1\n", "Inbox/,9": mail("removed")},
    "a mixture": {
        **{f"Sent/cur/{n}": raw for n, raw in enumerate(messages("Sent"))},
        **{f"Inbox/{n}.eml": raw for n, raw in enumerate(messages("Inbox"))},
        **{"Sent/new/": b"", "Trash": mbox("Trash"), "Work/2023": mbox("Work/2023")},
    },
}


def write(root, files):
    for name, content in files.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return root


def pack_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def pack_tar(path, files, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            archive.addfile(member, io.BytesIO(content))
    return path


def run(source, data):
    result = parse.run(load_config((), [f"parse.source={source}"], data_dir=str(data), workers=1))
    return result, json.loads((data / "emails.json").read_text())


def folders_of(records):
    """How many messages each folder has, by the names of `FOLDERS`; each message in the folder of its subject."""
    found = {}
    for record in records:
        folder = record["folder"] or "Inbox"
        folder = {"inbox": "Inbox", "sent": "Sent", "trash": "Trash"}.get(folder.lower().split("/")[-1], folder)
        assert record["subject"].rpartition(" ")[0].lower() == folder.lower()
        found[folder.replace("work", "Work")] = found.get(folder.replace("work", "Work"), 0) + 1
    return found


PACKERS = {
    "folder": write,
    "zip": lambda path, files: pack_zip(path.with_suffix(".zip"), files),
    "tar": lambda path, files: pack_tar(path.with_suffix(".tar"), files, "w"),
    "tar.gz": lambda path, files: pack_tar(path.with_suffix(".tgz"), files),
    "tar.bz2": lambda path, files: pack_tar(path.with_suffix(".tar.bz2"), files, "w:bz2"),
}


ALL = [(layout, kind) for layout in LAYOUTS for kind in ("folder", "zip", "tar.gz")]


@pytest.mark.parametrize(("layout", "kind"), [*ALL, ("Maildir++", "tar"), ("readpst -r", "tar.bz2")])
def test_every_layout_is_one_mailbox_with_its_folders(tmp_path, layout, kind):
    source = PACKERS[kind](tmp_path / "mail", LAYOUTS[layout])
    result, records = run(source, tmp_path / "data")
    assert folders_of(records) == FOLDERS
    assert result.data["mailboxes"] == 1
    assert len({record["path"] for record in records}) == len(records)
    known = read_mailbox(source, 1)  # as `triage predict` reads it
    assert {email.path: email.folder for email in known} == {record["path"]: record["folder"] for record in records}


def test_an_archive_of_a_maildir_may_lack_the_empty_folders(tmp_path):
    files = {name: content for name, content in LAYOUTS["Maildir++"].items() if not name.endswith("/")}
    _, records = run(pack_zip(tmp_path / "mail.zip", files), tmp_path / "data")
    assert folders_of(records) == FOLDERS


def export(name, *subjects):
    return {f"Takeout/Mail/{name}.mbox": b"".join(FROM + mail(subject) + b"\n" for subject in subjects)}


def test_the_parts_of_one_takeout_are_one_mailbox(tmp_path):
    for part, subject in enumerate("ab", 1):
        pack_zip(tmp_path / f"takeout-20240108T090000Z-{part:03}.zip", export("All mail", subject))
    result, records = run(tmp_path, tmp_path / "data")
    assert [record["subject"] for record in records] == ["a", "b"]
    assert result.data["mailboxes"] == 1


def test_the_takeouts_of_two_people_are_two_mailboxes(tmp_path):
    for person in ("gus", "ines"):
        pack_zip(tmp_path / f"{person}.zip", export("All mail", person))
    _, records = run(tmp_path, tmp_path / "data")
    assert [(record["user"], record["subject"]) for record in records] == [
        ("gus/Takeout", "gus"),
        ("ines/Takeout", "ines"),
    ]


@pytest.mark.parametrize("layout", ["Maildir++", ".eml", "mbox files", "readpst -r"])
def test_several_people_in_one_folder_stay_apart(tmp_path, layout):
    for person in ("gus", "ines"):
        write(tmp_path / "mail" / person, LAYOUTS[layout])
    result, records = run(tmp_path / "mail", tmp_path / "data")
    assert result.data["mailboxes"] == 2
    for person in ("gus", "ines"):
        own = [record for record in records if record["path"].startswith(person)]
        assert len({record["user"] for record in own}) == 1
        assert folders_of(own) == FOLDERS


def test_messages_beside_the_folders_of_people_are_a_mailbox_of_their_own(tmp_path):
    write(
        tmp_path / "mail", {"1.eml": mail("beside"), **message_files(".eml", "mail/"), **message_files(".eml", "gus/")}
    )
    _, records = run(tmp_path / "mail", tmp_path / "data")
    assert {record["user"] for record in records} == {"mail (top)", "mail", "gus"}
    assert len({record["path"] for record in records}) == len(records)


def test_a_profile_with_two_accounts_is_one_mailbox(tmp_path):
    for account in ("Mail/Local Folders", "ImapMail/imap.x.example"):
        write(tmp_path / "profile", {**thunderbird(account=account), "prefs.js": b""})
    result, records = run(tmp_path / "profile", tmp_path / "data")
    assert result.data["mailboxes"] == 1
    assert {record["folder"] for record in records} >= {"Mail/Local Folders/Sent", "ImapMail/imap.x.example/Work/2023"}


def test_an_mbox_in_a_tree_of_messages_is_read_as_one_whatever_its_name(tmp_path):
    write(tmp_path, {"Inbox/1.eml": mail("1"), "Inbox/old.txt": FROM + mail("2") + b"\n" + FROM + mail("3")})
    _, records = run(tmp_path, tmp_path / "data")
    assert sorted((record["folder"], record["subject"]) for record in records) == [
        ("Inbox", "1"),
        ("Inbox/old.txt", "2"),
        ("Inbox/old.txt", "3"),
    ]


def test_an_emlx_is_the_message_alone(tmp_path):
    write(tmp_path, {"Inbox/1.emlx": emlx(mail("1")), "Sent/2.emlx": emlx(mail("2"))})
    _, records = run(tmp_path, tmp_path / "data")
    assert [record["body"] for record in records] == ["x\n", "x\n"]
    assert [record["flags"] for record in records] == [["forwarded", "replied"]] * 2


def test_messages_that_dovecot_compressed_are_expanded(tmp_path):
    box = write(tmp_path / "me", {"cur/1,S=9:2,SZ": gzip.compress(mail("1")), "cur/2:2,S": mail("2"), "new/": b""})
    write(box, {"cur/3:2,Z": gzip.compress(mail("3"))[:-9]})
    result, records = run(box, tmp_path / "data")
    assert [record["subject"] for record in records] == ["1", "2"]
    assert result.data["errors"] == 1


def test_what_is_not_read_is_counted_and_named(tmp_path, caplog):
    files = {**LAYOUTS["mbox files"], "notes.pdf": b"%PDF", "a.json": b"{}", "b.json": b"{}", "old.pst": b"!BDN"}
    result, _ = run(write(tmp_path / "mail", files), tmp_path / "data")
    assert result.data["not_read"] == 4
    (message,) = caplog.messages
    assert "were not read: 4 (2 *.json, *.pdf, *.pst)" in message
    assert "readpst" in message
    assert json.loads((tmp_path / "data" / "emails.json.meta.json").read_text())["counts"]["not_read"] == 4


def test_parse_says_what_it_took_the_source_for(tmp_path):
    result, _ = run(write(tmp_path / "mail", LAYOUTS["mbox files"]), tmp_path / "data")
    assert result.table.splitlines()[1:] == [
        "layout: mbox",
        "mailbox mail:",
        "  deleted: Trash 1",
        "  filing: Work/2023 2",
        "  inbox: Inbox 2",
        "  sent: Sent 3",
    ]


@pytest.mark.parametrize("pack", [write, pack_tar, pack_zip])
def test_parse_says_that_labels_count_in_place_of_the_folder(tmp_path, pack):
    labelled = FROM + b"X-Gmail-Labels: Inbox\n" + mail("a") + b"\n"
    pack(tmp_path / "mail", {"Takeout/Mail/All.mbox": labelled * 2 + FROM + mail("b")})
    result, _ = run(tmp_path / "mail", tmp_path / "data")
    assert "2 messages have Gmail labels, which count instead of the folder" in result.table.splitlines()[-1]


def test_a_configuration_that_downloads_nothing_asks_for_the_path_of_the_mail(tmp_path):
    config = load_config((), ["pipeline.stages=[parse]"], data_dir=str(tmp_path / "data"))
    with pytest.raises(UsageError, match=r"parse\.source is not set"):
        parse.run(config)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pst", b"!BDN" + bytes(500), "readpst"),
        ("a.olm", b"PK\x03\x04" + bytes(200), "Outlook for Mac"),
        ("a.msg", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(500), "msgconvert"),
        ("Inbox.dbx", b"\xcf\xad\x12\xfe" + bytes(500), "undbx"),
        ("a.nsf", b"\x1a\0\0\4\0\0" + bytes(500), "Notes database"),
        ("a.mbox.zst", b"\x28\xb5\x2f\xfd" + bytes(50), "zstd -d"),
        ("a.mbox", b"PK\x03\x04" + bytes(50), "truncated or damaged"),
        ("a.mbox.gz", gzip.compress(FROM + mail("1") * 5000, mtime=0)[:-40], "truncated or damaged"),
        ("a.tar.gz", gzip.compress(b"no tar", mtime=0), "truncated or damaged"),
        ("a.bin", bytes(range(256)) * 4, "no mail in it"),
        ("a.mbox", b"", "an empty file"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_remedy(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TriageError, match=words) as error:
        run(tmp_path / name, tmp_path / "data")
    assert "\n" not in str(error.value)
    if name.endswith((".pst", ".msg", ".olm", ".dbx")):
        with pytest.raises(UsageError, match=words):
            run(write(tmp_path / "folder", {name: content}), tmp_path / "data")


@pytest.mark.parametrize("pack", [pack_zip, pack_tar])
@pytest.mark.parametrize("name", ["../1.eml", "/etc/1.eml", "Inbox/../../1.eml", "a/" * 200 + "1.eml"])
def test_a_path_that_leads_out_of_an_archive_is_refused(tmp_path, pack, name):
    with pytest.raises(TriageError, match="refused"):
        run(pack(tmp_path / "mail.zip", {"Inbox/0.eml": mail("0"), name: mail("1")}), tmp_path / "data")


def test_an_archive_that_expands_without_end_is_harmless(tmp_path, monkeypatch):
    monkeypatch.setattr("enron_triage.mail.sources.expanding._UNCHECKED", 1 << 20)
    bomb = FROM + mail("1") + bytes(8 << 20)
    for source in (
        pack_zip(tmp_path / "a.zip", {"Inbox/1.mbox": bomb}),
        pack_tar(tmp_path / "a.tgz", {"Inbox/1.mbox": bomb}),
        write(tmp_path, {"a.mbox.gz": gzip.compress(bomb)}) / "a.mbox.gz",
    ):
        with pytest.raises(TriageError, match="expands to more than 500 times its size"):
            run(source, tmp_path / "data")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_damaged_header_does_not_end_a_tar_in_silence(tmp_path, number):
    files = {f"Inbox/{n}.eml": mail(str(n)) for n in range(4)}
    content = bytearray(pack_tar(tmp_path / "a.tar", files, "w").read_bytes())
    content[1024 * number + 100] ^= 0xFF  # a header and a block of content for each
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(TriageError, match="truncated or damaged"):
        run(tmp_path / "a.tar", tmp_path / "data")


def test_links_in_an_archive_are_not_followed(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo("Inbox/2.eml")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
        member = tarfile.TarInfo("Inbox/1.eml")
        member.size = len(mail("1"))
        archive.addfile(member, io.BytesIO(mail("1")))
    result, records = run(tmp_path / "a.tar", tmp_path / "data")
    assert [record["subject"] for record in records] == ["1"]
    assert result.data["not_read"] == 1


def test_names_that_are_not_utf_8_stay_different(tmp_path):
    for name in (b"caf\xe9", b"caf\xe8", b"caf\\xe9"):
        write(tmp_path / "mail" / os.fsdecode(name), {"inbox/1.": mail("1"), "sent/2.": mail("2")})
    result, records = run(tmp_path / "mail", tmp_path / "data")
    assert result.data["mailboxes"] == 3
    assert {record["user"] for record in records} == {"caf\\xe9", "caf\\xe8", "caf\\x5cxe9"}


def mutated(content, rng):
    """The content with some bits turned, and some bytes taken out or repeated."""
    changed = bytearray(content)
    for _ in range(rng.choice([1, 2, 5])):
        place, size = rng.randrange(len(changed)), rng.randrange(1, 600)
        match rng.randrange(3):
            case 0:
                changed[place] ^= 1 << rng.randrange(8)
            case 1 if len(changed) > size + 1:
                del changed[place : place + size]
            case _:
                changed[place:place] = changed[max(0, place - size) : place]
    return bytes(changed)


def test_a_damaged_archive_is_read_or_refused_in_one_line(tmp_path):
    rng = random.Random(1)
    files = LAYOUTS["a mixture"]
    whole = [
        pack_zip(tmp_path / "a", files).read_bytes(),
        pack_tar(tmp_path / "a", files).read_bytes(),
        pack_tar(tmp_path / "a", files, "w:bz2").read_bytes(),
        pack_tar(tmp_path / "a", files, "w").read_bytes(),
        gzip.compress(mbox("Sent")),
    ]
    refused = []
    for number in range(400):
        (tmp_path / "a").write_bytes(mutated(whole[number % len(whole)], rng))
        try:
            tree = open_tree(tmp_path / "a")
            [ref for _, refs in find_source(tree)[1].mailboxes(tree) for ref in refs]
        except TriageError as error:
            refused.append(str(error))
    assert 100 < len(refused) < 400
    assert not any("\n" in line for line in refused)
