from calendar import timegm
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.labels.matching import normalise
from enron_triage.mail.quotations import quotations
from enron_triage.mail.quotes import QuotedHeader, is_forwarded, quoted_header, wall_clock

EXAMPLES = settings(max_examples=200, deadline=None, derandomize=True)
FORWARDED = "---------------------- Forwarded by Bob Roe/HOU/X on 05/15/2001"
BELOW = "To: Bob Roe/HOU/X@X\ncc:  \nSubject: the plan\n\nThe text.\n"


def clock(year, month, day, hour, minute):
    """Seconds of a wall clock as if it were UTC, counted by the standard library's `calendar`."""
    return timegm((year, month, day, hour, minute, 0))


AT = clock(2001, 5, 14, 16, 39)


# Dates


@pytest.mark.parametrize(
    "text",
    [
        "05/14/2001 04:39 PM",
        "05/14/2001 04:39:12 PM",
        "5/14/01 4:39pm",
        "05/14/2001, 4:39 p.m.",
        "14/05/2001 16:39",
        "14/05/2001\n16:39",
        "Monday, May 14, 2001 4:39 PM",
        "May 14, 2001 at 4:39 PM",
        "May 14, 2001, at 4:39 PM",
        "14 May 2001 16:39:00 -0700",
        "Mon, 14 May 2001 16:39",
        "14-May-2001 16:39",
        "Sent: Monday,  14 MAY 2001, 16:39 and 01/01/1999 10:00 AM",
    ],
)
def test_a_date_is_read_as_the_wall_clock_that_it_names(text):
    assert wall_clock(text) == (AT,)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("12/31/1999 12:05 AM", (1999, 12, 31, 0, 5)),
        ("12/31/1999 12:05 PM", (1999, 12, 31, 12, 5)),
        ("12/31/69 10:05 AM", (2069, 12, 31, 10, 5)),
        ("12/31/70 10:05 AM", (1970, 12, 31, 10, 5)),
        ("Sept. 30, 2000 1:02 AM", (2000, 9, 30, 1, 2)),
        ("2 February 2002 00:00", (2002, 2, 2, 0, 0)),
    ],
)
def test_noon_midnight_and_short_years(text, moment):
    assert wall_clock(text) == (clock(*moment),)


def test_day_and_month_that_may_be_swapped_give_both_readings():
    assert wall_clock("03/04/2000 10:25 AM") == (clock(2000, 3, 4, 10, 25), clock(2000, 4, 3, 10, 25))
    assert wall_clock("04/04/2000 10:25 AM") == (clock(2000, 4, 4, 10, 25),)
    assert wall_clock("13/04/2000 10:25 AM") == (clock(2000, 4, 13, 10, 25),)
    assert wall_clock("30/02/2000 10:25 AM") == ()  # neither


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "13/14/2000 10:25", "1/1/2000 25:00", "Foo 14, 2001 4:39 PM", "31 June 2001 10:00"]
)
def test_what_is_no_date_has_no_reading(text):
    assert wall_clock(text) == ()


@EXAMPLES
@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2068, 12, 31)),
    st.sampled_from(["%A, %B %d, %Y %I:%M %p", "%d %b %Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%d/%m/%y %H:%M"]),
)
def test_every_written_date_is_among_its_readings(moment, form):
    readings = wall_clock(moment.strftime(form))
    assert timegm(moment.replace(second=0).timetuple()) in readings
    assert len(readings) == (2 if "/" in form and moment.day <= 12 and moment.day != moment.month else 1)


# Headers

PIECES = [
    *("From: Jane", "To: Bob", "On May 14, 2001 4:39 PM, Jane wrote:", "05/14/2001 04:39 PM", "> ", "\n", "\n"),
    *("Jane on ", "Subject: x", "cc:", FORWARDED, "\t", "Sent by: Amy", "é", "31/31/31 31:31 "),
]


@pytest.mark.parametrize(
    ("block", "sender"),
    [
        # Outlook
        ("From: \tDoe, Jane  \nSent:\tMonday, May 14, 2001 4:39 PM\nTo:\tRoe, Bob\nSubject:\tthe plan\n", "Doe, Jane"),
        (
            "From: Jane Doe [mailto:jane@x.example]\nSent: Monday, May 14, 2001 4:39 PM\nTo: Bob\nCc: Amy\n"
            "Subject: the plan\n",
            "Jane Doe jane@x.example",
        ),
        (
            "> From: Jane Doe\n> Sent: Monday, May 14, 2001 4:39 PM\n> To: Roe, Bob;\n>  Poe, Amy\n"
            "> Subject: the plan\n",
            "Jane Doe",
        ),
        ("*From:* Jane Doe\n*Date:* Mon, 14 May 2001 16:39:00 -0700\n*To:* Bob\n*Subject:* the plan\n", "Jane Doe"),
        ("FROM: jane@x.example\nDATE: 14 May 2001 16:39\nSUBJECT: the plan\n", "jane@x.example"),
        # Notes, with From:
        (f"\tFrom:  Jane Doe                           05/14/2001 04:39 PM\n\t\n\n\n{BELOW}", "Jane Doe"),
        (f"From: Jane Doe/HOU/X@X on 05/14/2001 04:39 PM\n{BELOW}", "Jane Doe/HOU/X@X"),
        (f"From: Jane Doe\n05/14/2001 04:39 PM\n\n{BELOW}", "Jane Doe"),
        # Notes, without
        (f"Jane Doe@X\n05/14/2001 04:39 PM\n{BELOW}", "Jane Doe@X"),
        (f"Jane Doe\n\n05/14/2001 04:39 PM\n{BELOW}", "Jane Doe"),
        (f"Jane Doe\n14/05/2001 16:39\n{BELOW}", "Jane Doe"),
        (f"Jane Doe\n05/14/2001 04:39 PM\nSent by: Amy Poe\n{BELOW}", "Jane Doe"),
        (f"Jane Doe\nSent by: Amy Poe\n05/14/2001 04:39 PM\n{BELOW}", "Jane Doe"),
        (
            f"Jane Doe <jane@x.example> on 05/14/2001 04:39:12 PM\nPlease respond to jane@x.example\n{BELOW}",
            "Jane Doe <jane@x.example>",
        ),
        (f'"Jane Doe" <jane@x.example> on 05/14/2001 04:39:12 PM\n{BELOW}', '"Jane Doe" <jane@x.example>'),
        # Notes, wrapped
        (f"Jane Doe <jane@x.example> on\n05/14/2001 04:39:12 PM\n{BELOW}", "Jane Doe <jane@x.example>"),
        (f"Jane Doe <jane@x.example>\non 05/14/2001 04:39:12 PM\n{BELOW}", "Jane Doe <jane@x.example>"),
        (f"Jane Doe <jane@x.example> on 05/14/2001\n04:39:12 PM\n{BELOW}", "Jane Doe <jane@x.example>"),
        # Notes, with its line ends lost
        ("Jane Doe 05/14/2001 04:39 PM\tTo: Bob Roe cc: Amy Poe Subject: the plan\n", "Jane Doe"),
        # Notes, under quotation marks
        ("> Jane Doe@X\n> 05/14/2001 04:39 PM\n> To: Bob Roe\n> cc:\n> Subject: the plan\n", "Jane Doe@X"),
        ("> > Jane Doe@X\n> > 05/14/2001 04:39 PM\n> > To: Bob Roe\n> > cc:\n> > Subject: the plan\n", "Jane Doe@X"),
    ],
)
@pytest.mark.parametrize("above", ["", "Yes.\n\nBob\n\n\n", f"Yes.\n\n{FORWARDED} 08:00 AM ---------------\n\n\n"])
def test_a_quoted_header_is_read_in_every_manner(block, sender, above):
    header = quoted_header(above + block)
    assert header == QuotedHeader(sender, (AT,), "the plan", len(above))


@pytest.mark.parametrize(
    ("line", "sender"),
    [
        ("On Mon, 14 May 2001 16:39:00 -0700, Jane Doe <jane@x.example> wrote:", "Jane Doe <jane@x.example>"),
        ("On Mon, May 14, 2001 at 4:39 PM, Jane Doe <jane@x.example> wrote:", "Jane Doe <jane@x.example>"),
        ("On Mon, May 14, 2001 at 4:39 PM Jane Doe\n<jane@x.example> wrote:", "Jane Doe <jane@x.example>"),
        ("On May 14, 2001, at 4:39 PM, Jane Doe wrote:", "Jane Doe"),
        ("On 5/14/2001 4:39 PM, Jane Doe wrote:", "Jane Doe"),
        ("> On 14/05/2001 16:39, Jane Doe wrote:", "Jane Doe"),
    ],
)
def test_an_attribution_line_names_sender_and_time(line, sender):
    header = quoted_header(f"Yes.\n\n{line}\n> The text.\n")
    assert header is not None
    assert (" ".join(header.sender.split()), header.times) == (sender, (AT,))
    assert (header.subject, header.start) == (None, 6)


def test_an_attribution_without_a_time_of_day_still_names_the_sender():
    header = quoted_header("On Mon, 14 May 2001, Jane Doe wrote:\n> The text.\n")
    assert header == QuotedHeader("Jane Doe", (), None, 0, (clock(2001, 5, 14, 0, 0),))


def test_an_ambiguous_date_gives_both_times():
    header = quoted_header(f"Jane Doe\n03/04/2000 10:25 AM\n{BELOW}")
    assert header.times == (clock(2000, 3, 4, 10, 25), clock(2000, 4, 3, 10, 25))


def test_a_header_without_a_date_has_no_times():
    assert quoted_header("From: Jane Doe\nTo: Bob\nSubject: the plan\n") == QuotedHeader("Jane Doe", (), "the plan", 0)


def test_a_header_without_a_subject_has_none():
    body = "From: Jane Doe\nSent: Monday, May 14, 2001 4:39 PM\nTo: Bob\n\nThe text.\n"
    assert quoted_header(body) == QuotedHeader("Jane Doe", (AT,), None, 0)


def test_the_topmost_header_counts():
    inner = "From: Amy Poe\nSent: Tuesday, May 15, 2001 4:39 PM\nTo: Jane\nSubject: older\n"
    assert quoted_header(f"Yes.\n\nJane Doe\n05/14/2001 04:39 PM\n{BELOW}\n{inner}").sender == "Jane Doe"
    assert quoted_header(f"Yes.\n\n{inner}\n\nJane Doe\n05/14/2001 04:39 PM\n{BELOW}").sender == "Amy Poe"


@pytest.mark.parametrize("mark", [f"{FORWARDED} 08:00 AM ----------", f"{FORWARDED} \n08:00 AM ----------"])
def test_the_line_that_marks_a_forward_is_not_taken_for_the_header(mark):
    for block in ("Jane Doe@X\n05/14/2001 04:39 PM\n", "\tFrom:  Jane Doe@X                  05/14/2001 04:39 PM\n"):
        header = quoted_header(f"See below.\n{mark}\n\n\n{block}{BELOW}")
        assert (header.sender, header.times, header.subject) == ("Jane Doe@X", (AT,), "the plan")
    assert quoted_header(f"See below.\n{mark}\n\n\nNo header at all.\n") is None
    assert is_forwarded(f"See below.\n{mark}\n")


def test_a_mark_without_its_closing_dashes_is_no_header_either():
    assert quoted_header(f"See below.\n\n{FORWARDED} 08:00 AM\n\n{BELOW}") is None


@pytest.mark.parametrize(
    "body", ["", "Forwarded by me", "--Forwarded by Jane", "----- Original Message -----\nFrom: x"]
)
def test_a_body_without_the_mark_is_not_forwarded(body):
    assert not is_forwarded(body)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "No header at all.\n",
        "From: here on it is prose.\nAnd it goes on.\n",
        "From:",
        "We meet on 05/14/2001 04:39 PM\nat the door.\n",
        "We meet on 05/14/2001 04:39 PM at the door.\nTo: be sure\n",
        "On page 12, we wrote:\n",
        "the minutes of\n05/14/2001 04:39 PM\nfirst line\nsecond line\nthird line\nTo: be sure\n",
        "13/14/2001 04:39 PM",
    ],
)
def test_prose_holds_no_quoted_header(body):
    assert quoted_header(body) is None


def test_a_date_that_cannot_be_leaves_the_header_without_a_time():
    assert quoted_header(f"Jane Doe\n31/31/2001 04:39 PM\n{BELOW}") == QuotedHeader("Jane Doe", (), "the plan", 0)


def test_a_subject_beyond_the_block_is_not_the_originals():
    body = "From: Jane Doe\nTo: Bob\n" + "text\n" * 20 + "Subject: not this one\n"
    assert quoted_header(body).subject is None


def test_a_long_sender_is_cut():
    header = quoted_header(f"From: {'Jane ' * 200}\nTo: Bob\nSubject: the plan\n")
    assert header.sender == ("Jane " * 60)[:300]


@EXAMPLES
@given(
    st.lists(
        st.sampled_from(PIECES) | st.text(max_size=5),
        max_size=14,
    ).map("".join)
)
def test_any_body_gives_a_header_inside_it_or_none(body):
    header = quoted_header(body)
    if header is not None:
        assert 0 <= header.start < len(body)
        assert len(header.times) <= 2
        assert "\n" not in (header.subject or "")
        assert header == quoted_header(body)


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        "1/1/01 1:11 ",
        "1/1/01 1:11\n",
        "From:\n",
        f"On {'1 ' * 39}\n",
        "> ",
        " ",
        "11/11/",
        f"{'x cc: ' * 160}1/1/01 1:11\n",
    ],
)
def test_a_hostile_body_takes_no_time(unit, assert_linear):
    assert quoted_header(unit * (12_000 // len(unit))) is None
    assert_linear(quoted_header, lambda size: unit * (size // len(unit)), 12_000)


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["> a\n-- b\n", "> a\n\n-- b --\n", "> a\nJane wrote:\n", "> a\nJo <jo@x.example>\n"])
def test_marks_and_other_lines_in_turn_take_no_time(unit, assert_linear):
    assert_linear(quotations, lambda size: unit * (size // len(unit)), 12_000)


# Languages

DAY = clock(2023, 11, 17, 10, 18)
ATTRIBUTIONS = {
    "de": "Am Fr., 17. Nov. 2023 um 10:18 Uhr schrieb {}:",
    "fr": "Le ven. 17 nov. 2023 à 10:18, {} a écrit :",
    "es": "El vie, 17 nov 2023 a las 10:18, {} escribió:",
    "it": "Il giorno ven 17 nov 2023 alle ore 10:18 {} ha scritto:",
    "pt": "Em sex., 17 de nov. de 2023 às 10:18, {} escreveu:",
    "nl": "Op vr 17 nov 2023 om 10:18 schreef {}:",
    "sv": "Den fre 17 nov. 2023 kl 10:18 skrev {}:",
    "da": "Den fre. 17. nov. 2023 kl. 10.18 skrev {}:",
    "fi": "pe 17. marrask. 2023 klo 10.18 {} kirjoitti:",
    "pl": "pt., 17 lis 2023 o 10:18 {} napisał(a):",
    "cs": "pá 17. 11. 2023 v 10:18 odesílatel {} napsal:",
    "sk": "pi 17. 11. 2023 o 10:18 {} napísal(a):",
    "hu": "{} ezt írta (időpont: 2023. nov. 17., P, 10:18):",
    "ro": "În vin., 17 nov. 2023 la 10:18, {} a scris:",
    "tr": "{}, 17 Kas 2023 Cum, 10:18 tarihinde şunu yazdı:",
    "el": "Στις Παρ 17 Νοε 2023 στις 10:18 π.μ., ο χρήστης {} έγραψε:",
    "ru": "пт, 17 нояб. 2023 г. в 10:18, {}:",
    "uk": "пт, 17 лист. 2023 р. о 10:18 {} пише:",
    "bg": "На пт, 17.11.2023 г. в 10:18 ч. {} написа:",
    "he": "\u202bבתאריך יום ו׳, 17 בנוב׳ 2023 ב-10:18 מאת {}:\u202c",
    "ar": "في الجمعة، 17 نوفمبر 2023 في 10:18 ص تمت كتابة ما يلي بواسطة {}:",
    "ja": "2023年11月17日(金) 10:18 {}:",
    "ko": "2023년 11월 17일 (금) 오전 10:18, {}님이 작성:",
    "zh-CN": "{} 于2023年11月17日周五 10:18写道：",
    "zh-TW": "{} 於 2023年11月17日 週五 上午10:18寫道：",
    "th": "เมื่อ ศ. 17 พ.ย. 2023 เวลา 10:18 น. {} เขียนว่า:",
    "vi": "Vào 10:18, Th 6, 17 thg 11, 2023 {} đã viết:",
    "id": "Pada tanggal Jum, 17 Nov 2023 pukul 10.18 {} menulis:",
    "et": "Kuupäev R, 17. november 2023 kell 10:18 kirjutas {}:",
    "Thunderbird, ISO": "On 2023-11-17 10:18, {} wrote:",
    "Notes": "{} wrote on 11/17/2023 10:18:00 AM:",
}


@pytest.mark.parametrize("language", ATTRIBUTIONS)
@pytest.mark.parametrize("quotation", ["\n> The text.\n", "\n\nThe text.\n"])
def test_an_attribution_is_read_in_every_language(language, quotation):
    header = quoted_header(f"Yes.\n\n{ATTRIBUTIONS[language].format('Jane Doe <jane@x.example>')}{quotation}")
    assert header is not None
    assert "jane@x.example" in header.sender
    assert header.start == 6
    assert DAY in header.times  # "lis" is November in Polish and October in Croatian


FIELDS = {
    "de": ("Von: {}", "Gesendet: Freitag, 17. November 2023 10:18", "An: Bob", "Betreff: the plan"),
    "fr": ("De : {}", "Envoyé : vendredi 17 novembre 2023 10:18", "À : Bob", "Objet : the plan"),
    "it": ("Da: {}", "Inviato: venerdì 17 novembre 2023 10:18", "A: Bob", "Oggetto: the plan"),
    "nl": ("Van: {}", "Verzonden: vrijdag 17 november 2023 10:18", "Aan: Bob", "Onderwerp: the plan"),
    "pl": ("Od: {}", "Wysłano: piątek, 17 listopada 2023 10:18", "Do: Bob", "Temat: the plan"),
    "ru": ("От: {}", "Отправлено: пятница, 17 ноября 2023 г. 10:18", "Кому: Bob", "Тема: the plan"),
    "tr": ("Kimden: {}", "Gönderildi: 17 Kasım 2023 Cuma 10:18", "Kime: Bob", "Konu: the plan"),
    "zh": ("发件人: {}", "发送时间: 2023年11月17日 10:18", "收件人: Bob", "主题: the plan"),
    "ja": ("差出人：{}", "送信日時：2023年11月17日 10:18", "宛先：Bob", "件名：the plan"),
    "th": ("จาก: {}", "ส่ง: 17 พฤศจิกายน 2566 10:18", "ถึง: Bob", "เรื่อง: the plan"),
    "Thunderbird": ("Betreff: \tthe plan", "Datum: \tFri, 17 Nov 2023 10:18:00 +0000", "Von: \t{}", "An: \tBob"),
}


@pytest.mark.parametrize("language", FIELDS)
def test_a_header_block_is_read_in_every_language(language):
    block = "\n".join(FIELDS[language]).format("Jane Doe")
    header = quoted_header(f"Yes.\n\n{block}\n\nThe text.\n")
    assert header is not None
    assert (header.sender, header.subject, header.start) == ("Jane Doe", "the plan", 6)
    assert DAY in header.times


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ["-", "--- ", "-\n", "--- forwarded", "x:\n", "wrote:\n", "> a:\n", ":", "1/1/01 ", "@", "word "]
)
def test_a_hostile_body_takes_no_time_to_split_or_to_compare(unit, assert_linear):
    assert_linear(is_forwarded, lambda size: unit * size, 5_000)
    assert_linear(quotations, lambda size: unit * size, 2_000)
    assert_linear(normalise, lambda size: unit * size, 1_000)
