import pytest

from enron_triage.labels.owner import Owner, owner_addresses

ME, ALIAS = "olivia.o'brien@home.example", "oob_trader2@home.example"
OWNER = Owner(frozenset({ME, ALIAS}), frozenset({"olivia", "brien"}))


def test_an_owner_address_sent_at_least_two_messages():
    assert owner_addresses(["a@x.example", "a@x.example", "b@x.example"]) == {"a@x.example"}
    assert owner_addresses(["a@x.example"]) == frozenset()
    assert owner_addresses([]) == frozenset()


def test_an_owner_address_sent_at_least_two_percent_of_the_sent_messages():
    assert owner_addresses(["a@x.example"] * 98 + ["b@x.example"] * 2) == {"a@x.example", "b@x.example"}
    assert owner_addresses(["a@x.example"] * 99 + ["b@x.example"] * 2) == {"a@x.example"}
    assert owner_addresses(["a@x.example"] * 147 + ["b@x.example"] * 3) == {"a@x.example", "b@x.example"}


def test_a_missing_sender_is_not_an_address_of_the_owner():
    assert owner_addresses(["", "", "a@x.example", "a@x.example"]) == {"a@x.example"}


def test_the_names_are_the_words_of_the_addresses_and_the_display_names_of_sent_mail(new_email):
    sent = [
        new_email(sender=ME, sender_name="O'Brien, Olivia J."),
        new_email(sender=ALIAS, sender_name="Lívia O_Brien"),
        new_email(sender="assistant@home.example", sender_name="Paul Aide"),
    ]
    owner = Owner.from_mail(frozenset({ME, ALIAS}), sent)
    assert owner.addresses == {ME, ALIAS}
    assert owner.names == {"olivia", "brien", "lívia", "oob", "trader"}


def test_a_domain_is_not_a_name_even_if_the_display_name_is_an_address(new_email):
    sent = [new_email(sender=ME, sender_name="Olivia.OBrien@home.example")]
    assert Owner.from_mail(frozenset({ME}), sent).names == {"olivia", "brien", "obrien"}


def test_an_unknown_owner_has_no_name_and_is_never_a_recipient(new_email):
    owner = Owner.from_mail(frozenset(), [new_email(sender=ME, sender_name="Olivia O'Brien")])
    assert owner == Owner(frozenset(), frozenset())
    assert owner.find_recipient(new_email(to=[ME])) == (None, None)
    assert not owner.is_named_in(new_email(body="Olivia, hello"))
    assert not owner.shares_domain("home.example")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"to": [ME]}, ("to", 0)),
        ({"to": ["a@x.example", "b@x.example", ALIAS]}, ("to", 2)),
        ({"to": ["a@x.example"], "cc": [ME]}, ("cc", 0)),
        ({"to": [], "bcc": ["a@x.example", ME]}, ("bcc", 1)),
        ({"to": ["a@x.example", ME], "cc": [ALIAS], "bcc": [ME]}, ("to", 1)),
        ({"to": [f"not-{ME}"]}, (None, None)),
        ({"to": []}, (None, None)),
    ],
)
def test_the_owner_is_found_at_the_first_own_address_of_the_first_field_that_has_one(new_email, fields, place):
    assert OWNER.find_recipient(new_email(**fields)) == place


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("Olivia,\n\nhere it is.", True),
        ("dear ms. o'brien:", True),
        ("Hello OLIVIA!", True),
        ("Olivias plan", False),
        ("All,\n\nhere it is.", False),
        ("", False),
        (f"{'word ' * 22}\nOlivia", True),  # characters 111 to 117
        (f"{'word ' * 24}\nOlivia", False),
    ],
)
def test_a_text_that_opens_with_a_name_of_the_owner_names_the_owner(new_email, body, named):
    assert OWNER.is_named_in(new_email(body=body)) is named


def test_the_owners_domains_are_those_of_the_owners_addresses():
    assert OWNER.shares_domain("home.example")
    assert not OWNER.shares_domain("sweet-home.example")
    assert not OWNER.shares_domain("example")
    assert not OWNER.shares_domain("")
