"""What the sender wrote, the signature, what is quoted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.mail.body import split_body

OUTLOOK = "-----Original Message-----\nFrom: Roe, Jane\nSent: Monday, May 14, 2001 4:39 PM\nTo: A\nSubject: x\n\nwhy?\n"
NOTES = "Jane Roe@X\n05/14/2001 04:39 PM\nTo: Owner A/X@X\ncc: \nSubject: x\n\nwhy?\n"
ATTRIBUTION = "On Mon, 14 May 2001 16:39:00 -0700, Jane Roe <jane@x.example> wrote:\n> why?\n"
PIECES = ["yes\n", "\n", "--\n", "-----\n", "Jane\n", "Jane Roe, X Corp\n", OUTLOOK, NOTES, ATTRIBUTION, "é", "\x00"]


@pytest.mark.parametrize("quoted", [OUTLOOK, NOTES, ATTRIBUTION])
def test_what_is_quoted_is_split_off(new_email, quoted):
    parts = split_body(new_email(body="agreed\n\n" + quoted))
    assert (parts.new, parts.signature, parts.quoted) == ("agreed\n\n", "", quoted)


@pytest.mark.parametrize(
    "signature",
    ["-- \nwhoever\n", "_____________\nX Corp\n555 1234\n", "Jane\n", "  Jane Roe\n555 1234\n", "J. Roe\n"],
)
def test_a_separator_or_the_senders_name_begins_the_signature(new_email, signature):
    parts = split_body(
        new_email(body="please send it\n\n" + signature, sender_name="Jane Roe", sender="jroe@x.example")
    )
    assert (parts.new, parts.signature) == ("please send it\n\n", signature)


def test_a_name_in_the_text_begins_no_signature(new_email):
    body = "Jane and I think that this is a good idea\nplease send it to Jane as soon as it is there\n"
    assert split_body(new_email(body=body, sender_name="Jane Roe")).signature == ""
    assert split_body(new_email(body="Jane Roe\n", sender_name="Jane Roe")).signature == ""  # all that there is
    far = "Jane\n" + "a line of text\n" * 12
    assert split_body(new_email(body=far, sender_name="Jane Roe")).signature == ""


@settings(max_examples=150)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=20), max_size=12).map("".join))
def test_every_line_of_the_body_is_in_one_of_the_parts(new_email, body):
    parts = split_body(new_email(body=body, sender_name="Jane Roe"))
    assert sorted("".join(parts)) == sorted(body)
    if not any(line.lstrip(" ").startswith(">") for line in body.split("\n")):
        assert "".join(parts) == body


@pytest.mark.parametrize(
    ("body", "new"),
    [
        (f"{ATTRIBUTION}\nThursday.\n", "\nThursday.\n"),
        (f"{ATTRIBUTION}Thursday.\n> and where?\nHere.\n", "Thursday.\nHere.\n"),
        (f"Hello,\n\n{ATTRIBUTION}\nThursday.\n", "Hello,\n\n\nThursday.\n"),
        ("> why?\n\nThursday.\n", "\nThursday.\n"),
        ("Jane Roe wrote:\n> why?\nThursday.\n", "Thursday.\n"),
        (">From here on it is mine.\n", ">From here on it is mine.\n"),
        (f"> {'why ' * 18}and\nwhen?\n> Jane\nThursday.\n", "Thursday.\n"),  # a quoted line that was wrapped
        (f"Thursday.\n\n_______________________\n{OUTLOOK}", "Thursday.\n\n"),
        (f"Thursday.\n------- Forwarded by O A/X on 05/15/2001 08:00 AM -------\n\n{NOTES}", "Thursday.\n"),
        (f"Thursday.\n------- Forwarded by O A/X on 05/15/2001 \n08:00 AM -------\n\n{NOTES}", "Thursday.\n"),
    ],
)
def test_what_the_sender_wrote_is_new_wherever_it_stands(new_email, body, new):
    assert split_body(new_email(body=body, sender_name="Nobody")).new == new


@pytest.mark.parametrize(
    "head",
    [
        "---------- Původní e-mail ----------\nOd: Jane Roe <jane@x.example>\nKomu: A\nDatum: 14. 5. 2001 16:39\n",
        "ในวันที่ จ. 14 พ.ค. 2001 เวลา 16:39 Jane Roe <jane@x.example> เขียนว่า:\n",
        "Vào Th 2, 14 thg 5, 2001 vào lúc 16:39 Jane Roe <jane@x.example> đã viết:\n",
        "Þann mán., 14. maí 2001 kl. 16:39 skrifaði Jane Roe <jane@x.example>:\n",
        " ---- On Mon, 14 May 2001 16:39:00 +0100 Jane Roe <jane@x.example> wrote --- \n",
        ">>> Jane Roe <jane@x.example> 5/14/2001 4:39 PM >>>\n",
        "-------- Original message --------From: Jane Roe <jane@x.example> Date: 5/14/01 4:39 PM To: A Subject: x\n",
    ],
)
@pytest.mark.parametrize("mark", ["", "> "])
def test_what_other_programs_quote_is_split_off(new_email, head, mark):
    assert split_body(new_email(body=f"agreed\n\n{head}\n{mark}why?\n")).new == "agreed\n\n"


@pytest.mark.parametrize(
    "head", ["Quoting Jane Roe <jane@x.example>:", "Zitat von Jane Roe:", "Begin forwarded message:"]
)
def test_what_stands_above_marked_lines_belongs_to_them(new_email, head):
    assert split_body(new_email(body=f"agreed\n\n{head}\n\n> why?\n")).new == "agreed\n\n"
    assert split_body(new_email(body=f"agreed\n\n{head}\n\n> why?\nbecause\n")).new == "agreed\n\nbecause\n"
