import pytest

from enron_triage.labels.owner_identity import configured_owner, identify_owner
from enron_triage.labels.person_names import displayed_name, likeness, login_likeness, name_in_address

JANE = "jane.doe@home.example"
AIDE = ("paul.aide@home.example", "Paul Aide")


@pytest.fixture
def mail(new_email):
    """A function that makes some messages of a sender."""

    def make(sender, name="", count=1, to=("bob@x.example",)):
        return [new_email(sender=sender, sender_name=name, to=list(to)) for _ in range(count)]

    return make


def test_the_leading_sender_is_the_owner_and_an_assistant_is_not(mail):
    decision = identify_owner("doe-j", mail(JANE, "Doe, Jane", 9) + mail(*AIDE, count=5), [])
    assert decision.addresses == (JANE,)
    assert decision.others == {AIDE[0]: 5}


def test_whose_name_the_mailbox_bears_is_the_owner_even_if_an_assistant_writes_most(mail):
    decision = identify_owner("doe-j", mail(JANE, "Jane Doe", 2) + mail(*AIDE, count=90), [])
    assert (decision.addresses, decision.basis) == ((JANE,), "mailbox_name")


def test_without_a_telling_name_the_leading_sender_is_the_owner(mail):
    decision = identify_owner("Takeout", mail(JANE, "Jane Doe", 9) + mail(*AIDE, count=3), [])
    assert (decision.addresses, decision.basis) == ((JANE,), "leading_sender")
    assert decision.others == {AIDE[0]: 3}


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("k..doe@home.example", "Doe, Jane K."),
        ("shop@y.example", "Jane Doe"),
        ("jdoe2@home.example", ""),
        (".doe@home.example", "sales"),
        ("j.doe@z.example", ""),
    ],
)
def test_another_address_of_the_same_name_in_the_sent_mail_is_the_owners(mail, address, name):
    assert address in identify_owner("doe-j", mail(JANE, "Jane K. Doe", 9) + mail(address, name, 2), []).addresses


def test_a_relative_of_the_same_family_name_is_not_the_owner(mail):
    sent = mail(JANE, "Jane Doe", 9) + mail("john.doe@home.example", "John Doe", 5)
    assert identify_owner("doe-j", sent, []).addresses == (JANE,)


def test_of_two_people_whom_the_mailbox_may_be_named_after_the_one_who_gets_its_mail_is_the_owner(mail):
    sent = mail("john.doe@home.example", "John Doe", 6) + mail(JANE, "Jane Doe", 5)
    elsewhere = mail("bob@x.example", to=[JANE], count=4)
    assert identify_owner("doe-j", sent, elsewhere).addresses == (JANE,)


def test_addresses_of_the_owner_are_found_in_received_mail(mail):
    elsewhere = [
        *mail("bob@x.example", to=["jane_k_doe@home.example"]),
        *mail("bob@x.example", to=["jdoe@mail.home.example"], count=3),
        *mail("jd70@free.example", "Jane Doe"),
    ]
    found = identify_owner("doe-j", mail(JANE, "Jane K. Doe", 9), elsewhere).addresses
    assert found == (JANE, "jane_k_doe@home.example", "jd70@free.example", "jdoe@mail.home.example")


@pytest.mark.parametrize(
    ("address", "beside"),
    [
        ("jdoe@home.example", [JANE]),  # a colleague: always named beside the owner
        ("jdoe@other.example", []),  # of another house
        ("kdoe@home.example", []),
        ("john.doe@home.example", []),
        ("everybody@home.example", []),
    ],
)
def test_what_only_resembles_the_owners_name_is_not_the_owners(mail, address, beside):
    elsewhere = mail("bob@x.example", to=[address, *beside], count=5)
    assert identify_owner("doe-j", mail(JANE, "Jane Doe", 9), elsewhere).addresses == (JANE,)


def test_a_shared_address_that_once_bore_the_owners_name_is_not_the_owners(mail):
    elsewhere = mail("no.reply@home.example", "Jane Doe") + mail("40years@home.example", "Jane Doe")
    elsewhere += mail("40years@home.example", "Paul Aide")
    assert identify_owner("doe-j", mail(JANE, "Jane Doe", 9), elsewhere).addresses == (JANE,)


def test_an_alias_of_another_house_is_the_owners_and_a_nameless_colleague_is_not(mail):
    sent = mail(JANE, "Jane Doe", 9) + mail("butterfly@free.example", count=3) + mail("pa7@home.example", count=3)
    assert identify_owner("doe-j", sent, []).addresses == (JANE, "butterfly@free.example")


def test_too_little_sent_mail_tells_no_owner(mail):
    assert identify_owner("x", mail(JANE), []).addresses == ()
    assert identify_owner("x", [], []).basis == "unknown"


def test_given_addresses_are_all_that_the_owner_has(mail):
    decision = identify_owner("doe-j", mail(JANE, "Jane Doe", 9), [], [AIDE[0]])
    assert (decision.addresses, decision.basis, decision.others) == ((AIDE[0],), "configured", {JANE: 9})


def test_the_configuration_names_addresses_for_all_mailboxes_or_for_each():
    assert configured_owner(("Jane@X.example", "jane@x.example"), "a") == ("jane@x.example",)
    assert configured_owner({"a": ("jane@x.example",)}, "a") == ("jane@x.example",)
    assert configured_owner({"a": ("jane@x.example",)}, "b") == ()


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Jane Doe", "DOE, Jane", "same"),
        ("Jane K. Doe", "Doe, Jane L.", "other"),
        ("Matthew Roe", "Matt Roe", "same"),
        ("Carol St. Clair", "Bill St. Clair", "other"),
        ("Will Roe III", "Will Roe Jr.", "other"),
        ("José Núñez", "Jose Nunez", "same"),
        ("Jane Doe", "Doe Jane", "same"),
        ("Jane Doe", "Jane Miller", "unknown"),
        ("Jane Doe", "sales", "unknown"),
    ],
)
def test_names_are_compared_as_people_write_them(one, other, expected):
    assert likeness(displayed_name(one), displayed_name(other)) == expected


def test_names_in_addresses_are_read():
    doe = displayed_name("Jane K. Doe")
    assert likeness(doe, name_in_address("doe.jane@x.example")) == "same"
    assert likeness(doe, name_in_address("k..doe@x.example")) == "initial"
    assert likeness(doe, name_in_address("p.doe@x.example")) == "other"
    assert login_likeness(doe, "jkdoe") == "initial"
    assert login_likeness(doe, "jdoeson") == "unknown"
