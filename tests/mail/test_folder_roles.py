import base64
import hashlib
import re
import tomllib
import unicodedata
from pathlib import Path

import pytest

from enron_triage.config.data import FoldersConfig
from enron_triage.mail import folder_names
from enron_triage.mail.folder_roles import FolderRoles
from enron_triage.records import Email


def message(folder="inbox", labels=()):
    return Email(
        path="owner-a/inbox/1.",
        user="owner-a",
        folder=folder,
        labels=list(labels),
        message_id="",
        date=None,
        timestamp=None,
        sender="jane@x.example",
        sender_name="",
        to=[],
        cc=[],
        bcc=[],
        subject="",
        raw_subject=None,
        body="",
        in_reply_to="",
        references=[],
        fingerprint="f",
        raw_sha256="s",
    )


@pytest.mark.parametrize(
    ("folder", "role"),
    [
        ("sent", "sent"),
        ("sent_items", "sent"),
        ("Σταλμένα στοιχεία", "sent"),
        ("已傳送的項目", "sent"),
        ("Wysłano", "sent"),
        ("El. pašto šiukšlės", "junk"),
        ("بريد مزعج", "junk"),
        ("Sissetulnud kirjad", "inbox"),
        ("Unterhaltungsverlauf", "system"),
        ("_sent_mail", "sent"),
        ("deleted_items", "deleted"),
        ("Trash", "deleted"),
        ("junk_file", "junk"),
        ("inbox", "inbox"),
        ("notes_inbox", "inbox"),
        ("", "inbox"),
        ("_drafts", "drafts"),
        ("all_documents", "system"),
        ("discussion_threads", "system"),
        ("calendar", "system"),
        ("to_do", "system"),
        ("projects", "filing"),
        ("sent to the printer", "filing"),
    ],
)
def test_a_folder_has_its_role_and_any_other_is_a_filing_folder(folder, role):
    assert FolderRoles(FoldersConfig()).of_folder(folder) == role


@pytest.mark.parametrize(
    ("folder", "role"),
    [
        ("deleted_items/sent", "deleted"),
        ("sent/deleted_items", "sent"),
        ("projects/deleted_items", "deleted"),
        ("projects/inbox", "inbox"),
        ("projects/2001/inbox/junk", "inbox"),
        ("projects/gas", "filing"),
    ],
)
def test_the_topmost_component_with_a_role_decides(folder, role):
    roles = FolderRoles(FoldersConfig())
    assert roles.of_folder(folder) == role
    assert roles.of_folder(folder.upper()) == role


def stored(name):
    """A name as an IMAP server stores it (RFC 3501, 5.1.3)."""
    parts = re.findall(r"[ -~]+|[^ -~]+", name)
    encoded = (base64.b64encode(part.encode("utf-16-be")).rstrip(b"=").decode().replace("/", ",") for part in parts)
    return "".join(
        part.replace("&", "&-") if part.isascii() else f"&{shifted}-"
        for part, shifted in zip(parts, encoded, strict=True)
    )


# What programs in each language show for: inbox, sent, deleted, junk, drafts.
LANGUAGES = {
    "ar": ("البريد الوارد", "العناصر المرسلة", "العناصر المحذوفة", "البريد الإلكتروني غير الهام", "المسودات"),
    "bg": ("Входящи", "Изпратени", "Кошче", "Нежелана поща", "Чернови"),
    "bn": ("ইনবক্স", "প্রেরিত", "ট্র্যাশ", "স্প্যাম", "খসড়া"),
    "ca": ("Safata d'entrada", "Enviats", "Paperera", "Correu brossa", "Esborranys"),
    "cs": ("Doručená pošta", "Odeslaná pošta", "Odstraněná pošta", "Nevyžádaná pošta", "Koncepty"),
    "da": ("Indbakke", "Sendt post", "Slettet post", "Uønsket e-mail", "Kladder"),
    "de": ("Posteingang", "Gesendete Elemente", "Gelöschte Elemente", "Junk-E-Mail", "Entwürfe"),
    "el": ("Εισερχόμενα", "Απεσταλμένα", "Διαγραμμένα", "Ανεπιθύμητη αλληλογραφία", "Πρόχειρα"),
    "en": ("Inbox", "Sent Items", "Deleted Items", "Junk Email", "Drafts"),
    "es": ("Bandeja de entrada", "Elementos enviados", "Papelera", "Correo no deseado", "Borradores"),
    "et": ("Sisendkaust", "Saadetud üksused", "Kustutatud üksused", "Rämpspost", "Mustandid"),
    "fa": ("صندوق ورودی", "ارسال شده", "زباله‌دان", "هرزنامه", "پیش‌نویس‌ها"),
    "fi": ("Saapuneet", "Lähetetyt", "Roskakori", "Roskaposti", "Luonnokset"),
    "fr": ("Boîte de réception", "Éléments envoyés", "Corbeille", "Courrier indésirable", "Brouillons"),
    "he": ("דואר נכנס", "פריטים שנשלחו", "אשפה", "דואר זבל", "טיוטות"),
    "hi": ("इनबॉक्स", "भेजे गए", "ट्रैश", "स्पैम", "ड्राफ़्ट"),
    "hr": ("Ulazna pošta", "Poslano", "Smeće", "Neželjena pošta", "Skice"),
    "hu": ("Beérkezett üzenetek", "Elküldött elemek", "Törölt elemek", "Levélszemét", "Piszkozatok"),
    "id": ("Kotak Masuk", "Terkirim", "Sampah", "Spam", "Draf"),
    "it": ("Posta in arrivo", "Posta inviata", "Cestino", "Posta indesiderata", "Bozze"),
    "ja": ("受信トレイ", "送信済みアイテム", "削除済みアイテム", "迷惑メール", "下書き"),
    "ko": ("받은편지함", "보낸편지함", "휴지통", "스팸함", "임시보관함"),
    "lt": ("Gautieji", "Išsiųsti", "Šiukšlinė", "Brukalas", "Juodraščiai"),
    "lv": ("Iesūtne", "Nosūtītie vienumi", "Izdzēstie vienumi", "Mēstules", "Melnraksti"),
    "nl": ("Postvak IN", "Verzonden items", "Verwijderde items", "Ongewenste e-mail", "Concepten"),
    "no": ("Innboks", "Sendte elementer", "Slettede elementer", "Søppelpost", "Utkast"),
    "pl": ("Skrzynka odbiorcza", "Elementy wysłane", "Kosz", "Wiadomości-śmieci", "Wersje robocze"),
    "pt": ("Caixa de entrada", "Itens enviados", "Lixeira", "Lixo eletrônico", "Rascunhos"),
    "ro": ("Mesaje primite", "Elemente trimise", "Coș de gunoi", "E-mail nedorit", "Ciorne"),
    "ru": ("Входящие", "Отправленные", "Удалённые", "Нежелательная почта", "Черновики"),
    "sk": ("Doručená pošta", "Odoslané položky", "Kôš", "Nevyžiadaná pošta", "Koncepty"),
    "sl": ("Prejeto", "Poslano", "Smetnjak", "Neželena pošta", "Osnutki"),
    "sr": ("Примљено", "Послато", "Отпад", "Непожељно", "Нацрти"),
    "sv": ("Inkorgen", "Skickade objekt", "Borttagna objekt", "Skräppost", "Utkast"),
    "th": ("กล่องจดหมาย", "จดหมายที่ส่งแล้ว", "ถังขยะ", "สแปม", "ร่างจดหมาย"),
    "tr": ("Gelen Kutusu", "Gönderilmiş Öğeler", "Çöp Kutusu", "İstenmeyen E-posta", "Taslaklar"),
    "uk": ("Вхідні", "Надіслані", "Кошик", "Небажана пошта", "Чернетки"),
    "vi": ("Hộp thư đến", "Thư đã gửi", "Thùng rác", "Thư rác", "Thư nháp"),
    "zh-Hans": ("收件箱", "已发送", "已删除邮件", "垃圾邮件", "草稿箱"),
    "zh-Hant": ("收件匣", "寄件備份", "刪除的郵件", "垃圾郵件", "草稿匣"),
}
ROLES = ("inbox", "sent", "deleted", "junk", "drafts")


@pytest.mark.parametrize("language", LANGUAGES)
def test_folders_are_known_in_the_languages_of_mail_programs(language):
    roles = FolderRoles(FoldersConfig())
    for name, role in zip(LANGUAGES[language], ROLES, strict=True):
        spellings = {name, name.upper(), unicodedata.normalize("NFD", name), name.replace(" ", "_")}
        spellings |= {stored(name), f"INBOX/{stored(name)}" if role != "inbox" else name, f"[Gmail]/{name}"}
        for spelling in spellings:
            assert roles.of_folder(spelling) == role, spelling
        assert roles.of_labels([name, "Receipts"]) == role


@pytest.mark.parametrize(
    ("folder", "role"),
    [
        ("Geloeschte Elemente", "deleted"),
        ("Elements envoyes", "sent"),
        ("sent-mail-apr-2023", "sent"),  # pine
        ("sent-2023-04", "sent"),
        ("Sent Items (This computer only)", "sent"),
        ("Gesendete Elemente (Nur dieser Computer)", "sent"),
        ("Trash (2)", "deleted"),
        ("Postausgang", "system"),
        ("RSS Feeds", "system"),
        ("Top of Outlook data file/Sent Items", "sent"),
        ("[Gmail]/Sent Mail", "sent"),
        ("[Google Mail]/Bin", "deleted"),
        ("[Gmail]/All Mail", "filing"),
        ("[Gmail]/Wichtig", "system"),
        ("[Gmail]/Suivis", "system"),
        ("[Gmail]/Chats", "system"),
        ("[Gmail]/Scheduled", "drafts"),
        ("INBOX/[Gmail]/Starred", "system"),
        ("[Gmail]/דואר יוצא", "sent"),  # which is an outbox elsewhere
        ("דואר יוצא", "system"),
    ],
)
def test_programs_add_to_names_and_put_folders_below_others(folder, role):
    assert FolderRoles(FoldersConfig()).of_folder(folder) == role


@pytest.mark.parametrize(
    "folder",
    [
        "Wichtig",
        "Important",
        "Chat",
        "Kos",
        "COS",
        "Sent to clients",
        "2023",
        "---",
        "(2)",
        "R&D",
        "&-",
        "&Jjo",
        "_",
        "仕事",
    ],
)
def test_names_that_people_give_are_filing_folders(folder):
    assert FolderRoles(FoldersConfig()).of_folder(folder) == "filing"


@pytest.mark.parametrize(
    ("folder", "role"),
    [
        ("inbox/garden", "filing"),
        ("INBOX/Garden/2001", "filing"),
        ("jane@x.example/Inbox/Garden", "filing"),
        ("INBOX", "inbox"),
        ("INBOX/Inbox", "inbox"),
        ("INBOX/Sent", "sent"),
        ("INBOX/Trash", "deleted"),
        ("INBOX/Notes", "system"),
    ],
)
def test_below_the_inbox_people_file(folder, role):
    assert FolderRoles(FoldersConfig()).of_folder(folder) == role


@pytest.mark.parametrize(
    "folder",
    [
        "e_mail_bin",
        "2_trash",
        "2_trash/jane",
        "choir_deleted_documents",
        "01 Deleted",
        "old deleted items",
        "Alte gelöschte Objekte",
    ],
)
def test_a_trash_is_known_by_the_words_of_its_name(folder):
    assert FolderRoles(FoldersConfig()).of_folder(folder) == "deleted"


@pytest.mark.parametrize(
    "folder",
    ["storage_bin", "bin numbers", "Trash talk", "waste_management", "undeleted", "deleted_scenes", "cabin", "robin"],
)
def test_a_name_that_only_resembles_a_trash_is_a_filing_folder(folder):
    assert FolderRoles(FoldersConfig()).of_folder(folder) == "filing"


def test_the_words_of_a_trash_do_not_count_if_its_names_are_configured():
    assert FolderRoles(FoldersConfig(deleted=("gone",))).of_folder("2_trash") == "filing"


@pytest.mark.parametrize(
    ("labels", "role"),
    [
        (["Archiviert", "Geöffnet"], "filing"),
        (["Markiert", "Wichtig", "Geöffnet"], "filing"),
        (["Chat"], "system"),
        (["Chats", "Inbox"], "inbox"),
        (["Snoozed", "Opened"], "inbox"),
        (["Zurückgestellt"], "inbox"),
        (["Inbox", "Garden/Trash"], "inbox"),
        (["Category promotions"], "filing"),
    ],
)
def test_labels_that_are_no_places_say_nothing(labels, role):
    assert FolderRoles(FoldersConfig()).of_labels(labels) == role


def test_names_are_configured_as_people_read_them():
    roles = FolderRoles(FoldersConfig(sent=("Päckchen hinaus", "Reisen/Fort"), deleted=("Gesendet", "sent")))
    assert roles.of_folder(stored("Päckchen hinaus")) == "sent"
    assert roles.of_folder("packchen HINAUS") == "sent"
    assert roles.of_folder("Reisen/Fort") == "sent"
    assert roles.of_folder("Fort") == "filing"
    assert (
        roles.of_folder("Gesendet") == roles.of_folder("SENT") == "deleted"
    )  # what a person says outweighs the tables
    assert roles.of_folder("Enviados") == "filing"  # the list replaced the names in all languages


def test_a_label_as_long_as_a_header_takes_no_time():
    assert FolderRoles(FoldersConfig()).of_labels(["sent" + " (" * 200_000 + "-" * 200_000 + "1"]) == "filing"


def test_labels_made_with_other_tables_are_out_of_date():
    folder = Path(folder_names.__file__).parent
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.*ml")}
    digests |= {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.json")}
    assert digests == folder_names.TABLES, "after a change of a table, put its digest there"


def test_no_name_has_two_roles_in_one_language():
    tables = tomllib.loads((Path(folder_names.__file__).parent / "names.toml").read_text("utf-8"))
    for language, roles in tables.items():
        names = [folder_names.fold(name) for role, names in roles.items() for name in names if role != "sent_in_gmail"]
        assert len(names) == len(set(names)), (language, [name for name in names if names.count(name) > 1])


def test_the_configured_names_replace_the_built_in_ones():
    roles = FolderRoles(FoldersConfig(deleted=("Papierkorb",)))
    assert roles.of_folder("papierkorb") == "deleted"
    assert roles.of_folder("deleted_items") == "filing"
    assert roles.of_folder("sent") == "sent"


@pytest.mark.parametrize(
    ("labels", "role"),
    [
        (["Inbox", "Important"], "inbox"),
        (["Inbox", "Receipts"], "inbox"),
        (["Trash", "Inbox"], "deleted"),
        (["Spam"], "junk"),
        (["Inbox", "Sent"], "sent"),
        (["Drafts", "Important"], "drafts"),
        (["Sent", "Trash"], "deleted"),
        (["Receipts"], "filing"),
        (["Important", "Unread"], "filing"),
    ],
)
def test_gmail_labels_decide_instead_of_the_folder(labels, role):
    assert FolderRoles(FoldersConfig()).of_message(message(folder="sent", labels=labels)) == role


def test_a_message_without_labels_has_the_role_of_its_folder():
    assert FolderRoles(FoldersConfig()).of_message(message(folder="deleted_items/old")) == "deleted"
