"""Situations in which other reply parsers test themselves, with invented text: what the sender wrote ends above them.

The situations, none of the text, are those of mail-parser-reply, talon, email_reply_trimmer, email_reply_parser and
extended_email_reply_parser: a line for each way in which a mail program introduces what it quotes.
"""

import re

import pytest

from enron_triage.mail.body import split_body

J = "Jo Doe <jo@x.example>"
BROKEN = "Jo Doe <\\njo@x.example>"
# A "|" begins a header block, whose quotation bears no marks; ">" an introduction that is itself quoted; "=" stands
# above unmarked quotations, too. A line that ends in "\\n" goes on in the next.
SITUATIONS = {
    "en": f"""
        On 11-May-2021, at 6:54 PM, {J} wrote:
        =On Wed, Apr 7, 2021 at 3:59 PM, jo@x.example wrote:
        =On Nov 30, 2021, at 12:47 PM, Jo Doe <\\n416ffd3258d4d2fa4c85cfa4c44e1721d66@x.example>\\nwrote:
        On Fri, May 7, 2021 at 6:03 PM, Jo Doe from the Choir\\n<jo@x.example> wrote:
        On 04/19/2021 07:10 AM, Jo Doe wrote:
        On 01/03/21 7:07 PM, Jo Doe wrote:
        =On Tue, Jan 26, 2021 at 12:42 PM -0800, "Choir" <jo@x.example> wrote:
        On Monday, 25 January, 2021 at 3:46 PM, jo wrote:
        On Thursday, October 21, 2021 at 3:03 PM, life is short. on Jo wrote:
        On Wed, 2021-12-01 at 13:58 +0000, Jo Doe wrote:
        On Wed, Sep 22, 2021, at 03:57 PM, jo_doe wrote:
        On Thursday, June 24, 2021, jo via Choir Talk <jo@x.example> wrote:
        ---- On Tue, 21 Dec 2021 14:17:36 +0530 Jo Doe<jo@x.example> wrote ----
        At 6/16/2021 08:32 PM, you wrote:
        Jo Doe (jo@x.example) wrote:
        jo via Choir Talk wrote:
        Jo Doe <jo@x.example> wrote on Fri, 30 Apr 2021 at 11:53:
        2021-10-17 11:28 GMT+03:00 {BROKEN}:
        2021-10-17 11:28 GMT+03:00 {J}:
        2021/4/7 {J}
        On Mar 8, 2021 9:59 AM, "x.example" <\\njo+7f1b094ceb90e18cca93d53d3703feae@x.example> wrote:
        >On 9 Mar 2021, at 10:00, {J} wrote:
        |-----Original Message-----
        |----- Reply message -----
        |*----- Original Message -----*
        |From: jo@x.example\\nSent: March-19-21 5:42 PM\\nTo: Sam\\nSubject: the hall
        |*From:* Jo Doe [mailto:jo@x.example]\\n*Sent:* Wednesday, June 23, 2021 3:05 PM\\n*To:* Sam\\n
        *Subject:* Hello
        |  *From:* Jo Doe [mailto:\\n  jo@x.example]\\n  *Sent:* Wednesday, June 23, 2021 3:05 PM\\n  *To:* Sam\\n
          *Subject:* Hi
        |Date: Fri, 24 Sep 2021 10:55:48 +0000\\nFrom: jo@x.example\\nTo: sam@x.example\\nSubject: [Ticket #8] Hall
        |_____________\\nFrom: jo@x.example\\nTo: sam@x.example\\nSubject: the hall
        |________________________________\\nFrom: {J}\\nSent: Friday, May 7, 2021 6:03 PM\\nTo: Sam\\n
        Subject: the hall
        |---------- Forwarded message ---------\\nFrom: {J}\\nDate: Fri, May 7, 2021 at 6:03 PM\\n
        Subject: the hall\\nTo: Sam
        |Begin forwarded message:\\n\\nFrom: {J}\\nSubject: the hall\\nDate: 7 May 2021 at 18:03:00 BST\\nTo: Sam
    """,
    "de": f"""
        =Am Fr., 30. Apr. 2021 um 11:53 Uhr schrieb {J}:
        =Am So., 3. Jan. 2021 um 17:22 Uhr schrieb {BROKEN}:
        =Am So., 3. Jan. 2021 um 17:22 Uhr\\nschrieb {BROKEN}:
        =Am Mo., 18. Jan. 2021, 17:03 schrieb {BROKEN}:
        =Am 18.09.2021 um 16:24 schrieb jodoe <jo@x.example>:
        =Am 18. September 2021 16:24:10 MESZ schrieb {J}:
        Am 18.09.21 um 16:24 schrieb Jo Doe:
        =Am Samstag, 18. September 2021, 16:24:10 CEST schrieb Jo Doe:
        Am 18.09.2021 16:24, schrieb Jo Doe:
        =Jo Doe <jo@x.example> schrieb am Fr., 30. Apr. 2021 um 11:53 Uhr:
        =Jo Doe <jo@x.example> schrieb am 30.04.2021 um 11:53:
        Jo Doe <jo@x.example> schrieb:
        jo via Chor <jo@x.example> schrieb:
        >Am 18.09.2021 um 16:24 schrieb {J}:
        |-----Ursprüngliche Nachricht-----
        |Von: jo@x.example\\nGesendet: Dienstag, 23. November 2021 14:59\\nAn: Sam\\nBetreff: der Saal
        |*Von:* Jo Doe [mailto:jo@x.example]\\n*Gesendet:* Dienstag, 23. November 2021 14:59\\n*An:* Sam\\n
        *Betreff:* Saal
        |Von: Jo Doe [mailto:jo@x.example] Im Auftrag von Chor\\nGesendet: Dienstag, 23. November 2021 14:59\\n
        An: Sam\\nBetreff: Saal
        |Gesendet: Dienstag, 23. November 2021 um 14:59 Uhr\\nVon: "Jo Doe" <jo@x.example>\\nAn: sam@x.example\\n
        Betreff: Saal
        |-------- Weitergeleitete Nachricht --------\\nBetreff: Saal\\nDatum: Tue, 23 Nov 2021 14:59:00 +0100\\n
        Von: {J}\\nAn: Sam
        |Anfang der weitergeleiteten Nachricht:\\n\\nVon: {J}\\nBetreff: Saal\\n
        Datum: 23. November 2021 um 14:59:00 MEZ\\nAn: Sam
    """,
    "fr": f"""
        =Le lun. 18 janv. 2021 à 17:03, {J} a écrit :
        Le lun. 18 janv. 2021 à 17:03, {J}\\na écrit:
        =Le 23 janv. 2021 à 22:03, Jo Doe <jo@x.example<mailto:jo@x.example>> a écrit:
        =Le 4 janv. 2021 19:03, "Jo Doe" <jo@x.example> a écrit :
        =Le samedi 23 janvier 2021 à 22:03, {J} a écrit :
        Le 23/01/2021 à 22:03, Jo Doe a écrit :
        Le 23/01/2021 22:03, « Jo Doe » <jo@x.example> a écrit :
        >Le 23 janv. 2021 à 22:03, {J} a écrit :
        |De : Jo Doe [mailto:jo@x.example]\\nEnvoyé : vendredi 22 janvier 2021 16:39\\nÀ : Sam\\nObjet : la salle
        |*De :* Jo Doe [mailto:jo@x.example]\\n*Envoyé :* vendredi 22 janvier 2021 16:39\\n*À :* Sam\\n
        *Objet :* la salle
        |-----Message d'origine-----
        |-------- Message transféré --------\\nSujet : la salle\\nDate : Fri, 22 Jan 2021 16:39:00 +0100\\n
        De : {J}\\nPour : Sam
        |Début du message transféré :\\n\\nDe: {J}\\nObjet: la salle\\nDate: 22 janvier 2021 à 16:39:00 UTC+1\\nÀ: Sam
    """,
    "es": f"""
        =El lun, 18 ene 2021 a las 17:03, {J} escribió:
        El lun, 18 ene 2021 a las 17:03, {J}\\nescribió:
        =El lun., 18 ene. 2021 17:03, {J} escribió:
        =El jueves, 21 de enero de 2021, jodoe escribió:
        =El 18 de enero de 2021, 17:03, {J} escribió:
        El 18/01/21 a las 17:03, Jo Doe escribió:
        >El 18 ene 2021, a las 17:03, {J} escribió:
        |De: Jo Doe <jo@x.example>\\nEnviado: lunes, 18 de enero de 2021 17:03\\nPara: Sam\\nAsunto: la sala
        |*De:* Jo Doe <jo@x.example>\\n*Enviado el:* lunes, 18 de enero de 2021 17:03\\n*Para:* Sam\\n
        *Asunto:* la sala
        |-----Mensaje original-----
        |-------- Mensaje reenviado --------\\nAsunto: la sala\\nFecha: Mon, 18 Jan 2021 17:03:00 +0100\\n
        De: {J}\\nPara: Sam
    """,
    "it": f"""
        =Il lun 18 gen 2021 alle 17:03, {J} ha scritto:
        Il lun 18 gen 2021 alle 17:03, {J}\\nha scritto:
        =Il giorno lun 18 gen 2021 alle ore 17:03 {J} ha scritto:
        Il 26 marzo 2021 alle 13.16 {J} ha scritto:
        >Il 26 marzo 2021 alle 13.16 {J} ha scritto:
        Il 26/03/21 13:16, Jo Doe ha scritto:
        |Da: Jo Doe [mailto:jo@x.example]\\nInviato: venerdì 26 marzo 2021 13:16\\nA: Sam\\nOggetto: la sala
        |-----Messaggio originale-----
        |-------- Messaggio Inoltrato --------\\nOggetto: la sala\\nData: Fri, 26 Mar 2021 13:16:00 +0100\\n
        Mittente: {J}\\nA: Sam
    """,
    "pt": f"""
        =Em seg, 26 de jul de 2021 17:13, {J} escreveu:
        =Em seg., 26 de jul. de 2021 às 17:13, {J} escreveu:
        Em seg., 26 de jul. de 2021 às 17:13, {J}\\nescreveu:
        =Em 26 de julho de 2021 17:13, {J} escreveu:
        Em 26/07/2021 17:13, Jo Doe escreveu:
        |De: Jo Doe <jo@x.example>\\nEnviado: segunda-feira, 26 de julho de 2021 17:13\\nPara: Sam\\nAssunto: a sala
        |-----Mensagem original-----
    """,
    "nl": f"""
        =Op 13-02-2021 3:18 schreef {J}:
        =Op 17-feb.-2021, om 13:18 heeft {J} het volgende geschreven:
        =Op 24 aug. 2021 om 16:48 heeft jo via Koor <jo@x.example> het volgende geschreven:
        =Op 10 dec. 2021 18:35 schreef "Jo Doe" <jo@x.example>:
        =Op ma 18 jan 2021 om 17:03 schreef {J}:
        =Op ma 18 jan 2021 om 17:03 schreef {BROKEN}:
        |Van: Jo Doe [mailto:jo@x.example]\\nVerzonden: donderdag 11 februari 2021 13:36\\nAan: Sam\\n
        Onderwerp: de zaal
        |------------------------------\\n\\n*Van:* Jo [mailto:jo@x.example]\\n
        *Verzonden:* donderdag, 11 februari 2021 13:36\\n*Aan:* sam@x.example\\n*Onderwerp:* Zaal
        |-----Oorspronkelijk bericht-----
    """,
    "da": f"""
        =Den man 18 jan 2021 17:03 {J}\\nskrev:
        =Den 24. nov. 2021 kl. 10.00 skrev {J}:
        =Den 24. nov. 2021 kl. 10.00 skrev {BROKEN}:
        =ons. 24. nov. 2021 kl. 10.00 skrev {J}:
        =tor. 25 nov. 2021 10.00 skrev {J}:
        |Fra: jo@x.example\\nSendt: 19. march 2021 12:10\\nTil: Sam\\nEmne: salen
        |Fra: {J}\\nSendt: 19. marts 2021 12:10\\nTil: Sam\\nEmne: SV: salen
        |-----Oprindelig meddelelse-----
        |-----Oprindelig meddelelse-----\\nFra: {J}\\nSendt: 19. marts 2021 12:10\\nTil: Sam\\nEmne: salen
    """,
    "sv": f"""
        Den 14 september, 2021 02:23:18, Jo Doe (jo@x.example) skrev:
        =Den mån 18 jan. 2021 17:03 skrev {BROKEN}:
        =Den mån 18 jan. 2021 kl 17:03 skrev {J}:
        =ons 1 dec. 2021 kl. 20:42 skrev {J}:
        >1 dec. 2021 kl. 18:36 skrev {J}:
        =1 dec. 2021 kl. 18:36 skrev {J}:
        |Från: Jo Doe [mailto:jo@x.example]\\nSkickat: den 26 augusti 2021 14:45\\nTill: Sam\\nÄmne: SV: Vecka 36
        |-----Ursprungligt meddelande-----
    """,
    "no": f"""
        =På 14 september 2021 på 02:23:18, Jo Doe (jo@x.example) skrev:
        =Den 15. jun. 2021 kl. 20.42 skrev {J}:
        =søn. 30. mai 2021 kl. 00.26 skrev {J}:
        |Fra: {J}\\nSendt: tirsdag 15. juni 2021 20:42\\nTil: Sam\\nEmne: salen
        |-----Opprinnelig melding-----
    """,
    "fi": f"""
        =ma 18. tammik. 2021 klo 17.03 {J} kirjoitti:
        =Jo Doe <jo@x.example> kirjoitti 18.1.2021 kello 17.03:
        |Lähettäjä: {J}\\nLähetetty: maanantai 18. tammikuuta 2021 17.03\\nVastaanottaja: Sam\\nAihe: sali
    """,
    "pl": f"""
        =W dniu 28 stycznia 2021 01:53 użytkownik Jo Doe <jo@x.example>\\nnapisał:
        Dnia 28 lutego 2021 14:00 {J} napisał(a):
        Dnia 14 lip 2021 o godz. 00:25 {J} napisał(a):
        =23 mar 2021 21:25 "Jo Doe" <jo@x.example> napisał(a):
        =wt., 23 mar 2021 o 21:25 {J} napisał(a):
        W dniu 23.03.2021 o 21:25, Jo Doe pisze:
        |Od: Jo Doe <jo@x.example>\\nWysłano: środa, 3 marca 2021 12:00\\nDo: Sam\\nTemat: sala
        |-----Oryginalna wiadomość-----
    """,
    "cs": f"""
        =Dne po 18. led. 2021 17:03 {J}\\nnapsal(a):
        =po 18. 1. 2021 v 17:03 odesílatel {J} napsal:
        Dne 18.1.2021 v 17:03 Jo Doe napsal(a):
        |Od: {J}\\nOdesláno: pondělí 18. ledna 2021 17:03\\nKomu: Sam\\nPředmět: sál
        |-----Původní zpráva-----
    """,
    "hu": f"""
        =2021. jan. 4., h 14:32 időpontban Jo Béla <jo@x.example> ezt írta:
        =Ügyfélkör <jo@x.example> ezt írta (időpont: 2021. aug. 16., H 12:27):
        |Feladó: {J}\\nElküldve: 2021. március 4. 10:12\\nCímzett: Sam\\nTárgy: terem
        |-----Eredeti üzenet-----
    """,
    "ru": f"""
        =вт, 5 янв. 2021 г. в 23:39, {J}:
        ср, 1 апр. 2021, 18:29, {J}:
        =суббота, 13 марта 2021 г. пользователь jodoe написал:
        =13 марта 2021 г. 18:29 пользователь {J} написал:
        13.03.2021 18:29, Jo Doe пишет:
        13.03.2021, 18:29, "Jo Doe" <jo@x.example>:
        |От: {J}\\nОтправлено: 13 марта 2021 г. 18:29\\nКому: Sam\\nТема: зал
    """,
    "uk": f"""
        =30 серп. 2021 р. 20:45 "Jo" jo@x.example пише:
        =пн, 30 серп. 2021 р. о 20:45 {J} пише:
    """,
    "ja": """
        2021年1月1日(金) 9:00 Jo太郎 <jo@x.example>:
        =2021年1月1日(金) 9:00 Jo太郎 <jo@x.example>:
        >2021/01/01 9:00、Jo太郎 <jo@x.example>のメール:
        On 2021/01/01 9:00, Jo太郎 wrote:
        |差出人: Jo太郎 <jo@x.example>\\n送信日時: 2021年1月1日 9:00\\n宛先: Sam\\n件名: 会場
        |-----元のメッセージ-----
    """,
    "zh": """
        =雨州 <jo@x.example> 在 2021年2月27日 周六 19:47 写道：
        =2021年2月27日 周六 19:47 雨州 <jo@x.example> 写道：
        =雨州 <jo@x.example> 于2021年2月27日周六 19:47写道：
        =在 2021年2月27日，19:47，雨州 <jo@x.example> 写道：
        在 2021/2/27 19:47, 雨州 写道:
        |------------------ 原始邮件 ------------------\\n发件人: "雨州" <jo@x.example>;\\n
        发送时间: 2021年2月27日(星期六) 19:47\\n收件人: "Sam"<sam@x.example>;\\n主题: 会场
        |发件人: 雨州 <jo@x.example>\\n发送时间: 2021年2月27日 19:47\\n收件人: Sam\\n主题: 会场
    """,
    "ko": f"""
        =2021년 2월 27일 (토) 오후 7:47, Jo <jo@x.example>님이 작성:
        =2021년 2월 27일 (토) 19:47, {J}님이 작성하였습니다:
        |보낸 사람: {J}\\n보낸 날짜: 2021년 2월 27일 토요일 오후 7:47\\n받는 사람: Sam\\n제목: 장소
    """,
}
ANSWER = "The small hall is free, and I have\nasked for the key.\n\n"
QUOTATION = "Is there a hall for us\nin the week after?\n"


def bodies():
    for language, situations in SITUATIONS.items():
        lines = re.sub(r"\\n\n *", r"\\n", situations).split("\n")
        for written in filter(None, map(str.strip, lines)):
            head = written.lstrip("=|>").replace("\\n", "\n")
            marked = "\n".join(f"> {line}" for line in QUOTATION.splitlines()) + "\n"
            if written[0] == "|":
                yield language, written, f"{head}\n\n{QUOTATION}"
                continue
            if written[0] == ">":
                yield language, written, f"> {head}\n> \n{marked}"
                continue
            yield language, written, f"{head}\n\n{marked}"
            if written[0] == "=":
                yield language, f"{written} unmarked", f"{head}\n\n{QUOTATION}"


@pytest.mark.parametrize(
    "quoted", [pytest.param(quoted, id=f"{language}-{number}") for number, (language, _, quoted) in enumerate(bodies())]
)
def test_what_the_sender_wrote_ends_above_a_quotation(new_email, quoted):
    parts = split_body(new_email(body=ANSWER + quoted))
    assert (parts.new + parts.signature, parts.quoted) == (ANSWER, quoted)


@pytest.mark.parametrize(
    ("last_line", "head"),
    [
        ("On this day", f"On Mon, Jan 18, 2021 at 5:03 PM {J} wrote:"),
        ("On reply,", "On Mon, Jan 18, 2021 at 5:03 PM Jo Doe <\njo@x.example> wrote:"),
        ("Am heutigen Tage", f"Am So., 3. Jan. 2021 um 17:22 Uhr schrieb {BROKEN}:".replace("\\n", "\n")),
        ("Le jour venu", f"Le lun. 18 janv. 2021 à 17:03, {J} a écrit :"),
    ],
)
def test_a_line_that_begins_as_attributions_do_is_the_senders(new_email, last_line, head):
    answer = f"{ANSWER}{last_line}\n"
    parts = split_body(new_email(body=f"{answer}{head}\n\n> Is there a hall?\n"))
    assert parts.new + parts.signature == answer


@pytest.mark.parametrize(
    "body",
    [
        "See the page:\n<https://x.example/a\n/b> for more.\n",
        "On the hall and on\nthe key: both are ready.\n",
        "- one\n- two\n\nThat is the list:\n",
        "Sent from my desk, which is easier than from my telephone.\n",
        "Write to Jo Doe <jo@x.example>\nand ask at 9:03.\n",
    ],
)
def test_what_only_looks_like_a_quotation_is_the_senders(new_email, body):
    parts = split_body(new_email(body=ANSWER + body))
    assert (parts.new + parts.signature, parts.quoted) == (ANSWER + body, "")
