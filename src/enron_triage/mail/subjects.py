"""The prefixes of replies and forwards in subjects, in many languages, and the tags of mailing lists.

The marks are those that Outlook, Gmail, Yahoo, Thunderbird, Apple Mail and Notes write, a line for each language.
"""

from __future__ import annotations

import functools
import re
from typing import Literal, NamedTuple

from enron_triage.mail.letters import without_case

SubjectMark = Literal["reply", "forward", "either"]

_REPLY = {
    "en": "re|reply",
    "de": "aw|antwort",
    "nl": "antw|antwoord|betr",
    "sv": "sv|svar|svar på|ang",
    "da, no": "sv|svar|vedr",
    "is": "sv|svar",
    "fi": "vs|vast|vastaus",
    "et": "vs|vast",
    "fr": "re|rép|rep|réf|réponse|répondre",
    "es": "re|rta|resp|respuesta|responder",
    "pt": "res|resp|resposta",
    "it": "r|rif|risp|risposta|rispondi",
    "ca, gl": "re|resp|resposta",
    "ro": "re|răsp|raspuns|răspuns",
    "pl": "odp|odpowiedź",
    "cs, sk": "odp|odpověď|odpoveď|re",
    "sl, hr, bs, sr": "odg|odgovor|одг|одговор",
    "hu": "vá|vál|válasz",
    "tr": "ynt|yanıt|cvp|cevap",
    "el": "απ|απάντ|απάντηση|σχετ",
    "ru": "ha|на|отв|ответ|re",
    "uk": "відп|відповідь|ha|на",
    "bg": "отг|отговор",
    "lt": "ats|atsakymas",
    "lv": "atb|atbilde",
    "he": "השב|תשובה|תגובה",
    "ar": "رد|إجابة",
    "fa": "پاسخ|جواب",
    "hi": "उत्तर|जवाब",
    "th": "ตอบ|ตอบกลับ",
    "vi": "tl|trả lời",
    "id": "bls|balas|balasan",
    "ms": "bls|jwb|jawab",
    "ja": "返信|返|re",
    "ko": "회신|답장|답신|re",
    "zh": "回复|回覆|答复|答覆|回",
    "cy, eu": "atb|erantzuna",
}
_FORWARD = {
    "en": "fw|fwd|forwarded",
    "de": "wg|weitergeleitet|weiterleitung|weitergel",
    "nl": "doorst|doorgestuurd|doorsturen",
    "sv": "vb|vbf|vidarebefordrat|vidarebefordra|vidaresänt",
    "da, no": "vs|vb|videresend|videresendt",
    "is": "fs|áframsent",
    "fi": "vl|välitetty",
    "et": "edasi",
    "fr": "tr|transf|transféré|transférer|transfert|transmis",
    "es": "rv|renv|reenv|reenviado|reenviar",
    "pt": "enc|encaminhado|encaminhada|encaminhar|reenc|reencaminhado|reencaminhar",
    "it": "i|inoltro|inoltra|inol",
    "ca, gl": "rv|reenviat|reenvío",
    "ro": "redir|redirecționat|trim|fwd",
    "pl": "pd|przekaż|podaj dalej",
    "cs, sk": "předáno|předat|přep|přeposlané|preposlané|přeposlat|přeposláno",
    "sl, hr, bs, sr": "posr|posredovano|proslj|prosl|prosljeđeno|пр|просл|прослеђено",
    "hu": "továbbítás|továbbított|továbbküldés|tov",
    "tr": "ilt|ilet|iletildi|yön",
    "el": "πρθ|προώθ|προώθηση",
    "ru": "пересл|переслано|переслать|пересылка|пер|fw",
    "uk": "перес|переслано|пересл",
    "bg": "препр|препратено",
    "lt": "persiųsta",
    "lv": "pārs|pārsūtīts",
    "he": "הועבר|העבר",
    "ar": "إعادة توجيه|إعادة إرسال|توجيه",
    "fa": "ارجاع|هدایت",
    "hi": "अग्रेषित",
    "th": "ส่งต่อ",
    "vi": "ct|chuyển tiếp",
    "id": "trs|terusan|diteruskan",
    "ms": "mjk|dimajukan",
    "ja": "転送|転",
    "ko": "전달|fw",
    "zh": "转发|轉寄|轉發|转寄|转",
    "cy, eu": "yml|bidali",
}
_NUMBER = r"(?: ?(?:\[\d{1,4}\]|\(\d{1,4}\)|[\^*]\d{1,4})|\d{1,2})?"
_MARK = re.compile(rf"\s?([^\W\d_][^:\uff1a\[\]()^*\d]{{0,24}}?)\.?{_NUMBER} ?[:\uff1a]\s?")
_TAG = re.compile(r"\s?\[([^\[\]]{1,60})\]\s?")
# elm and pine put the mark of a forward at the end; mutt names the author of what it passes on.
_FORWARD_BEHIND = re.compile(r"(?<=\S) ?\(fwd?\)$", re.IGNORECASE)
_FORWARD_OF = re.compile(r"\[[^\s\[\]:@]{1,64}@[^\s\[\]:@]{1,255}: (.*)\]$")
_OF_A_TICKET = re.compile(r"#|\d{3}")  # a tag that tells conversations apart, rather than lists


def _marks() -> dict[str, SubjectMark]:
    replies = {without_case(word) for words in _REPLY.values() for word in words.split("|")}
    forwards = {without_case(word) for words in _FORWARD.values() for word in words.split("|")}
    marks: dict[str, SubjectMark] = dict.fromkeys(replies, "reply")
    marks.update(dict.fromkeys(forwards, "forward"))
    # A Finn's "VS:" is an answer, a Dane's is a forward.
    marks.update(dict.fromkeys(replies & forwards, "either"))
    return marks


_MARKS = _marks()


class Subject(NamedTuple):
    """A subject, taken apart.

    Attributes
    ----------
    mark : {"reply", "forward", "either"} or None
        What the outermost mark says; "either" where it is a reply in one language and a forward in another.
    conversation : str
        What remains without marks and without the tags of mailing lists, in lower case, with single spaces.
    """

    mark: SubjectMark | None
    conversation: str


@functools.lru_cache(maxsize=20_000)
def read_subject(subject: str) -> Subject:
    """Take a subject apart.

    The tag of a mailing list, in square brackets, stands before the marks or behind them; a message that reaches the
    list bears it, what is sent to the list need not. A tag with "#" or three digits is kept: a ticket system's.

    Parameters
    ----------
    subject : str
        The decoded Subject header.

    Examples
    --------
    >>> read_subject("[choir] AW: Re[2]:  The  hall")
    Subject(mark='reply', conversation='the hall')
    >>> read_subject("[Fwd: The hall]")
    Subject(mark='forward', conversation='the hall')
    """
    text = " ".join(subject.split())
    first: SubjectMark | None = None
    of_mutt = _FORWARD_OF.match(text)
    if of_mutt or (text.endswith(")") and _FORWARD_BEHIND.search(text)):
        first, text = "forward", of_mutt[1] if of_mutt else _FORWARD_BEHIND.sub("", text)
    kept: list[str] = []
    tags: list[str] = []
    position, wraps = 0, 0
    while True:
        opening = position + (text[position : position + 1] == "[")
        mark = _MARK.match(text, opening)
        kind = _MARKS.get(without_case(mark[1].strip())) if mark else None
        if mark is not None and kind is not None and (opening == position or _closes(text)):
            wraps += opening > position
            first, position = first or kind, mark.end()
            continue
        tag = _TAG.match(text, position)
        if tag is None:
            break
        (kept if _OF_A_TICKET.search(tag[1]) else tags).append(f"[{tag[1]}]")
        position = tag.end()
    rest = text[position:]
    for _ in range(wraps):
        rest = rest.removesuffix("]")
    conversation = " ".join(" ".join([*kept, rest] if rest else [*kept, *tags]).lower().split())
    return Subject(first, conversation)


def _closes(text: str) -> bool:
    return text.endswith("]")


def conversation_subject(subject: str) -> str:
    """The subject without reply and forward marks, in lower case, with single spaces.

    Parameters
    ----------
    subject : str
        The decoded Subject header.

    Examples
    --------
    >>> conversation_subject("RE: Fw:  Gas  prices")
    'gas prices'
    """
    return read_subject(subject).conversation
