"""Marks of replies and forwards, and tags of lists, in subjects."""

import pytest

from enron_triage.mail.subjects import conversation_subject, read_subject

REPLIES = (
    "Re Reply Répondre Vastaus YANIT yanıt AW SV Antw VS: RE  Odp Vá YNT ΑΠ "
    "Отв Відп Atb 回复 回覆 返信 회신 رد השב ตอบ TL BLS Odg Răsp RIF Res"
).split()
FORWARDS = (
    "Fwd FW WG Weitergel. Transfert Reenviar Encaminhar Továbbküldés Předat Переслать "
    "TR RV VB VL ENC PD İLT ΠΡΘ 转发 轉寄 転送 전달 הועבר ส่งต่อ TRS"
).split()


@pytest.mark.parametrize("mark", [mark.rstrip(":") for mark in REPLIES if mark != "VS:"])
@pytest.mark.parametrize("form", ["{}: gas", "{}：gas", "{}:gas", "{} : gas", "{}[2]: gas", "{}^3: gas", "[x] {}: gas"])
def test_a_reply_is_told_in_every_language(mark, form):
    assert read_subject(form.format(mark)) == ("reply", "gas")


@pytest.mark.parametrize("mark", FORWARDS)
@pytest.mark.parametrize("form", ["{}: gas", "{}：gas", "[{}: gas]", "[x] {}: Re: gas", "{}: [x] gas"])
def test_a_forward_is_told_in_every_language(mark, form):
    assert read_subject(form.format(mark)) == ("forward", "gas")


def test_the_outermost_mark_counts_and_one_of_two_languages_is_left_open():
    assert read_subject("Re: Fwd: gas").mark == "reply"
    assert read_subject("VS: gas") == ("either", "gas")


@pytest.mark.parametrize(
    "subject", ["gas (fwd)", "Re: gas (Fwd)", "[jane@x.example: gas]", "[jane@x.example: Re: gas]", "[Fwd: [Fwd: gas]]"]
)
def test_a_forward_may_be_marked_around_the_subject(subject):
    assert read_subject(subject) == ("forward", "gas")


@pytest.mark.parametrize("subject", ["Note: gas", "Regarding gas", "gas re: oil", "Ed: gas", "PP: gas", "12:30", ""])
def test_what_is_no_mark_is_kept(subject):
    assert read_subject(subject) == (None, subject.lower())


@pytest.mark.parametrize(
    ("subject", "conversation"),
    [("[#4711] Re: gas", "[#4711] gas"), ("Re: [CASE-123] gas", "[case-123] gas"), ("[choir]", "[choir]")],
)
def test_a_ticket_is_part_of_the_conversation(subject, conversation):
    assert conversation_subject(subject) == conversation


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["re ", "re: ", "[a] ", "[", " ", "re[1]", "fwd：", "[fwd: "])
def test_a_hostile_subject_takes_no_time(unit, assert_linear):
    assert_linear(read_subject, lambda size: "re" + unit * size, 2_000)
