"""The words with which mail programs introduce what they quote, by language.

Compared with the tables of crisp-oss/email-forward-parser, alfonsrv/mail-parser-reply, willdurand/EmailReplyParser and
discourse/email_reply_trimmer (all MIT), and with what Outlook, Gmail, Thunderbird, Apple Mail and Yahoo write.
"""

from __future__ import annotations

from typing import Literal

from enron_triage.mail.letters import without_case

FieldKind = Literal["from", "date", "to", "cc", "subject"]

# The names of header fields, as a block above a quoted message bears them. Several are separated by "|".
_FIELDS: dict[FieldKind, str] = {
    "from": (
        "from|von|absender|de|expéditeur|remitente|da|mittente|van|afzender|från|avsändare|fra|afsender|avsender|"
        "lähettäjä|od|nadawca|odesílatel|odosielateľ|feladó|de la|expeditor|expeditorul|kimden|gönderen|από|"
        "αποστολέας|от|от кого|отправитель|від|від кого|відправник|من|מאת|差出人|送信者|보낸 사람|보낸사람|보낸이|"
        "发件人|寄件者|寄件人|發件人|จาก|ผู้ส่ง|từ|người gửi|dari|pengirim|saatja|nuo|siuntėjas|no|no kā|sūtītājs|"
        "šalje|pošiljatelj|šalje se|шаље|од|пошиљалац|frá|kellelt|mula kay|remitent|igorlea|از|فرستنده|प्रेषक"
    ),
    "date": (
        "sent|date|sent at|sent on|gesendet|gesendet am|datum|envoyé|envoyé le|date d'envoi|enviado|enviado el|"
        "enviado em|enviada em|enviada|fecha|data|inviato|inviato il|verzonden|verstuurd|skickat|sendt|dato|lähetetty|"
        "päivämäärä|päiväys|pvm|wysłano|wysłane|data wysłania|odesláno|odoslané|dátum|elküldve|küldve|trimis|dată|"
        "trimis la|gönderildi|gönderilme tarihi|gönderilen|tarih|εστάλη|στάλθηκε|αποστολή|ημερομηνία|отправлено|дата|"
        "надіслано|відправлено|изпратено|تم الإرسال|تاريخ الإرسال|التاريخ|נשלח|תאריך|送信日時|送信日|日付|日時|"
        "보낸 날짜|보낸날짜|날짜|보낸 시간|发送时间|发送日期|日期|寄件日期|傳送時間|發送日期|傳送日期|ส่ง|ส่งเมื่อ|"
        "วันที่|đã gửi|ngày|ngày gửi|gửi lúc|dikirim|terkirim|tanggal|saadetud|kuupäev|išsiųsta|nosūtīts|datums|"
        "poslano|послато|датум|sent:|enviat|bidalia|تاریخ|दिनांक"
    ),
    "to": (
        "to|an|empfänger|à|pour|destinataire|para|destinatario|a|destinatário|aan|till|til|vastaanottaja|do|adresat|"
        "komu|pre|címzett|către|catre|pentru|destinatarul|kime|alıcı|προς|кому|получатель|до|إلى|אל|宛先|받는 사람|"
        "받는사람|收件人|收件者|ถึง|đến|tới|kepada|untuk|saaja|kam|kur|за|prima|primatelj|za|прима|viðtakandi|per a|به"
    ),
    "cc": (
        "cc|bcc|kopie|kopie (cc)|copie|copie à|copia|cópia|kopia|kopi|kopio|dw|kópia|másolat|másolatot kap|bilgi|κοιν|"
        "κοινοποίηση|копия|копія|نسخة|עותק|参照|참조|抄送|副本|สำเนา|tembusan|salinan|koopia|cc à|k|đồng gửi|kópie"
    ),
    "subject": (
        "subject|betreff|objet|sujet|asunto|assunto|oggetto|onderwerp|ämne|emne|aihe|temat|předmět|predmet|tárgy|"
        "subiect|subiectul|konu|θέμα|тема|относно|الموضوع|נושא|件名|제목|主题|主旨|標題|主題|เรื่อง|หัวเรื่อง|chủ đề|"
        "tiêu đề|perihal|subjek|judul|teema|tema|temats|naslov|zadeva|наслов|efni|assumpte|gaia|موضوع|विषय"
    ),
}
FIELDS: dict[str, FieldKind] = {
    without_case(name): kind for kind, names in _FIELDS.items() for name in names.split("|")
}

# What says "wrote" in an attribution. Words are separated by "|", as some are several.
_WROTE = {
    "en": "wrote|writes|said|says|wrote the following",
    "de": "schrieb|schrieben|geschrieben|schreibt",
    "fr": "a écrit|écrit|écrivait|nous a dit",
    "es, gl": "escribió|escribio|escribiu",
    "it": "ha scritto|scritto|scrive",
    "pt": "escreveu",
    "nl, af": "schreef|geschreven|geskryf",
    "sv, da, no": "skrev|skrev följande|skrev følgende|skreiv",
    "fi": "kirjoitti",
    "pl": "napisał|napisała|napisał(a)|pisze|nadesłał|napisano",
    "cs": "napsal|napsala|napsal(a)",
    "sk": "napísal|napísala|napísal(a)",
    "hu": "ezt írta|írta|a következőt írta",
    "ro": "a scris|scris",
    "tr": "şunu yazdı|şunları yazdı|yazdı",
    "el": "έγραψε|έγραψαν",
    "ru": "написал|написала|написал(а)|пишет|писал",
    "uk": "пише|написав|написала|написав(ла)",
    "bg": "написа",
    "sr, hr, bs": "је написао|је написала|је написао/ла|написао|napisao|napisala|je napisao/la|napisao/la|piše",
    "sl": "je napisal|je napisala|napisal(a)",
    "he": "כתב|כתבה|כתב/ה",
    "ar": "كتب|كتبت|تمت كتابة ما يلي بواسطة",
    "fa, ur": "نوشت|نے لکھا",
    "ja": "のメッセージ|書きました|さんは書きました|さんからのメール|wrote",
    "ko": "님이 작성|님이 작성하였습니다|작성|님이 씀|썼습니다",
    "zh": "写道|寫道|撰写|撰寫|写到",
    "th": "เขียนว่า|เขียน",
    "vi": "đã viết|viết",
    "id, ms": "menulis|tulis",
    "fil": "sinulat ni|isinulat ni",
    "et": "kirjutas",
    "lv": "rakstīja",
    "lt": "rašė",
    "is": "skrifaði",
    "ca": "va escriure|escrigué",
    "eu": "idatzi zuen|hau idatzi du|idatzi du",
    "hi": "ने लिखा",
    "cy, ga": "ysgrifennodd|scríobh",
}
# What stands before the name instead, above quoted lines: "Quoting NAME:", as Horde writes it.
QUOTING = (
    "quoting|zitat von|zitiere|mensaje citado por|citando a|citando|citat från|citerar|citerer|siterer|cytowanie|"
    "cituji|citát|citation de|quotando|citazione|idézet|alıntı|цитирование|цитата от|lainaus|tsitaat|citaat van"
)
WROTE = tuple(sorted({word for words in _WROTE.values() for word in words.split("|")}, key=len, reverse=True))

# Words around the date and the sender of an attribution that belong to neither, without those that say "wrote".
_AROUND = {
    "en": "on at in message dated the via and from",
    "de": "am um uhr den vom hat folgendes von",
    "fr": "le à a h nous",
    "es, gl, ca": "el a las la día o día às de del dia les missatge va",
    "it": "il giorno alle ore ha",
    "pt": "em no na dia às as a o",
    "nl, af": "op om heeft het volgende uur",
    "sv, da, no": "den på kl følgende följande klokken",
    "fi": "klo",
    "pl": "dnia w dniu o godz godz. użytkownik w",
    "cs, sk": "dne v ve odesílatel dňa používateľ o",
    "hu": "időpontban időpont dátum ezt a",
    "ro": "în pe data la",
    "tr": "tarihinde tarihli saat",
    "el": "στις την ο η χρήστης το",
    "ru, uk, bg": "в г р о на пользователь користувач ч від",
    "sr, hr, bs, sl": "у u је je dana oseba v ob",
    "he, ar, fa": "בתאריך ב מאת יום א׳ ב׳ ג׳ ד׳ ה׳ ו׳ שבת في بتاريخ يوم در تاریخ",
    "ja, ko, zh": "在 于 於 에 は、",
    "th, vi": "th 2 3 4 5 6 7 cn ใน ในวันที่ เมื่อ เวลา น วันที่ จ อ พ พฤ ศ ส อา vào lúc ngày",
    "id, ms, fil": "pada tanggal pukul noong nang ni",
    "et, lv, lt, is, eu": "kuupäev kell plkst lietotājs — igorleak þann",
    "hi": "को बजे ने",
}
AROUND = frozenset(without_case(word).strip(".") for words in _AROUND.values() for word in words.split())

# What a line of its own says above a message that is passed on or answered, between hyphens or not.
_ORIGINAL = (
    "original message|original mail|original email|original appointment|reply message|reply to message|"
    "originalnachricht|ursprüngliche nachricht|"
    "original nachricht|message d'origine|message d’origine|message original|mensaje original|mensagem original|"
    "messaggio originale|oorspronkelijk bericht|originalmeddelande|ursprungligt meddelande|oprindelig meddelelse|"
    "original meddelelse|opprinnelig melding|original melding|alkuperäinen viesti|oryginalna wiadomość|"
    "wiadomość oryginalna|treść oryginalnej wiadomości|původní zpráva|původní e-mail|původní email|"
    "pôvodná správa|pôvodný e-mail|eredeti üzenet|mesaj original|"
    "mesajul original|mesaj inițial|orijinal mesaj|özgün ileti|orijinal ileti|αρχικό μήνυμα|"
    "исходное сообщение|исходное письмо|"
    "оригинальное сообщение|вихідне повідомлення|оригінальне повідомлення|оригинално съобщение|הודעה מקורית|"
    "الرسالة الأصلية|رسالة أصلية|元のメッセージ|元のメール|원본 메시지|원본 메일|원본메시지|원본 이메일|原始邮件|"
    "原始郵件|邮件原件|原始邮件信息|ข้อความต้นฉบับ|ข้อความเดิม|thư gốc|tin nhắn gốc|pesan asli|mesej asal|algne kiri|"
    "originaalsõnum|sākotnējais ziņojums|pradinis laiškas|originalna poruka|izvorna poruka|izvirno sporočilo|"
    "оригинална порука|missatge original|پیام اصلی|mensaxe orixinal|upprunaleg skilaboð"
)
_FORWARDED = (
    "forwarded message|forwarded mail|forwarded email|weitergeleitete nachricht|weitergeleitete mail|"
    "message transféré|message transmis|mensaje reenviado|mensagem reencaminhada|mensagem encaminhada|"
    "messaggio inoltrato|doorgestuurd bericht|vidarebefordrat meddelande|vidarebefordrat mejl|"
    "videresendt meddelelse|videresendt melding|videresendt besked|välitetty viesti|välitetty viesti / fwd.msg|"
    "edelleenlähetetty viesti|treść przekazanej wiadomości|przekazana wiadomość|wiadomość przekazana dalej|"
    "přeposlaná zpráva|preposlaná správa|preposlaná správa --- forwarded message|továbbított üzenet|"
    "továbbított levél|mesaj redirecționat|mesaj redirectionat|mesaj retrimis|iletilen ileti|iletilmiş mesaj|"
    "yönlendirilmiş ileti|προωθημένο μήνυμα|пересылаемое сообщение|перенаправленное сообщение|"
    "пересланное сообщение|переслане повідомлення|перенаправлене повідомлення|препратено съобщение|"
    "הודעה שהועברה|הודעה מועברת|رسالة معاد توجيهها|رسالة تمت إعادة توجيهها|転送メッセージ|転送されたメッセージ|"
    "전달된 메시지|전달된 메일|转发的邮件|转发邮件|轉寄的郵件|轉寄郵件|轉寄的訊息|已转发邮件|ข้อความที่ส่งต่อ|"
    "thư đã chuyển tiếp|thư được chuyển tiếp|pesan terusan|pesan yang diteruskan|mesej dimajukan|edastatud kiri|"
    "edastatud sõnum|pārsūtīta ziņa|pārsūtīts ziņojums|persiųstas laiškas|persiųsta žinutė|proslijeđena poruka|"
    "posredovano sporočilo|прослеђена порука|áframsend skilaboð|missatge reenviat|پیام هدایت‌شده|"
    "begin forwarded message|začátek přeposílané zprávy|start på videresendt besked|"
    "anfang der weitergeleiteten nachricht|inicio del mensaje reenviado|välitetty viesti alkaa|"
    "début du message réexpédié|début du message transféré|započni proslijeđenu poruku|továbbított levél kezdete|"
    "inizio messaggio inoltrato|begin doorgestuurd bericht|początek przekazywanej wiadomości|"
    "início da mensagem reencaminhada|início da mensagem encaminhada|începe mesajul redirecționat|"
    "начало переадресованного сообщения|začiatok preposlanej správy|i̇leti başlangıcı|"
    "початок листа, що пересилається|転送されたメッセージ|次のメッセージを転送します|전달된 메시지 시작|"
    "下面是被转发的邮件|以下是轉寄的郵件|开始转发的邮件|bắt đầu thư được chuyển tiếp|pesan yang diteruskan dimulai"
)
# Notes: "---- Forwarded by NAME on DATE ----"
_FORWARDED_BY = (
    "forwarded by|inline forwarded by|weitergeleitet von|réacheminé par|transmis par|transféré par|reenviado por|"
    "remitido por|encaminhado por|inoltrato da|doorgestuurd door|vidarebefordrat av|videresendt af|videresendt av|"
    "välittänyt|przesłane dalej przez|předáno kým|továbbította|轉寄人|转发人|転送者"
)


def _lower(words: str) -> frozenset[str]:
    return frozenset(without_case(word) for word in words.split("|"))


ORIGINAL = _lower(_ORIGINAL)
FORWARDED = _lower(_FORWARDED)
FORWARDED_BY = tuple(sorted(_lower(_FORWARDED_BY)))
