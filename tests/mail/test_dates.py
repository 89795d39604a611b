from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.mail.dates import date_of_message, parse_date

EXAMPLES = settings(max_examples=200, deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("value", "iso"),
    [
        ("Mon, 14 May 2001 16:39:00 -0700 (PDT)", "2001-05-14T16:39:00-07:00"),
        ("14 May 2001 16:39:00 +0530", "2001-05-14T16:39:00+05:30"),
        ("Mon, 14 MAY 2001 16:39:00 -0000", "2001-05-14T16:39:00+00:00"),
        ("Mon, 14 May 2001 16:39 +0200", "2001-05-14T16:39:00+02:00"),
        ("Mon,  14 May 2001 16:39:00  -0700 (a (nested) comment)", "2001-05-14T16:39:00-07:00"),
        ("Mon, 14 May 01 16:39:00 -0700", "2001-05-14T16:39:00-07:00"),
        ("Fri, 14 May 99 16:39:00 -0700", "1999-05-14T16:39:00-07:00"),
        ("14 May 2001 16:39:00", "2001-05-14T16:39:00+00:00"),
        ("14 May 2001 16:39:00 GMT", "2001-05-14T16:39:00+00:00"),
        ("14 May 2001 16:39:00 EST", "2001-05-14T16:39:00-05:00"),
        ("Mon May 14 16:39:00 2001", "2001-05-14T16:39:00+00:00"),
        ("Mon, 31 Dec 1979 16:00:00 -0800 (PST)", "1979-12-31T16:00:00-08:00"),
        ("Sat, 02 Jan 2044 00:00:00 +0000", "2044-01-02T00:00:00+00:00"),
        ("29 Feb 2000 12:00:00 +0000", "2000-02-29T12:00:00+00:00"),
        ("14 May 2001 16:39:00 CET", "2001-05-14T16:39:00+01:00"),
        ("14 May 2001 16:39:00 CEST", "2001-05-14T16:39:00+02:00"),
        ("14 May 2001 16:39:00 MESZ", "2001-05-14T16:39:00+02:00"),
        ("14 May 2001 16:39:00 BST", "2001-05-14T16:39:00+01:00"),
        ("14 May 2001 16:39:00 IST", "2001-05-14T16:39:00+05:30"),
        ("14 May 2001 16:39:00 AEST", "2001-05-14T16:39:00+10:00"),
        ("14 May 2001 16:39:00 NST", "2001-05-14T16:39:00-03:30"),
        ("14 May 2001 16:39:00 Pacific Daylight Time", "2001-05-14T16:39:00-07:00"),
        ("14 May 2001 16:39:00 (Tokyo Standard Time)", "2001-05-14T16:39:00+09:00"),
        ("14 May 2001 16:39:00 W. Europe Daylight Time", "2001-05-14T16:39:00+02:00"),
        ("14 May 2001 16:39:00 British Summer Time", "2001-05-14T16:39:00+01:00"),
        ('14 May 2001 16:39:00 "GMT"', "2001-05-14T16:39:00+00:00"),
        ("14 May 2001 16:39:00 +05:30", "2001-05-14T16:39:00+05:30"),
        ("14 May 2001 16:39:00+0530", "2001-05-14T16:39:00+05:30"),
        ("14 May 2001 16:39:00 GMT+0100", "2001-05-14T16:39:00+01:00"),
        ("14 May 2001 16:39:00 UTC-04:00", "2001-05-14T16:39:00-04:00"),
        ("14 May 2001 16:39:00 GMT+2", "2001-05-14T16:39:00+02:00"),
        ("14 May 2001 16:39:00 (EDT) -0400", "2001-05-14T16:39:00-04:00"),
        ("14 May 2001 16:39:00 \N{MINUS SIGN}0400", "2001-05-14T16:39:00-04:00"),
        ("14 May 2001 (a day) 04:39:00 PM (in the afternoon) +0100", "2001-05-14T16:39:00+01:00"),
        ("14 May 2001 12:05 AM +0000", "2001-05-14T00:05:00+00:00"),
        ("14 May 2001 12:05 p.m. +0000", "2001-05-14T12:05:00+00:00"),
        ("Monday, May 14, 2001 4:39 PM PDT", "2001-05-14T16:39:00-07:00"),
        ("Mon May 14 16:39:00 PDT 2001", "2001-05-14T16:39:00-07:00"),
        ("Mon May 14 16:39:00 +0200 2001", "2001-05-14T16:39:00+02:00"),
        ("14 May 16:39:00 2001 +0200", "2001-05-14T16:39:00+02:00"),
        ("Mon, 14-May-01 16:39:00 GMT", "2001-05-14T16:39:00+00:00"),
        ("2001-05-14T16:39:00.123+02:00", "2001-05-14T16:39:00+02:00"),
        ("2001-05-14 16:39:00Z", "2001-05-14T16:39:00+00:00"),
        ("20010514T163900Z", "2001-05-14T16:39:00+00:00"),
        ("14.05.2001 16:39", "2001-05-14T16:39:00+00:00"),
        ("Sat, 31 Dec 2016 23:59:60 +0000", "2017-01-01T00:00:00+00:00"),
        ("Mo, 14. Mai 2001 16:39:00 +0200", "2001-05-14T16:39:00+02:00"),
        ("Do, 14 März 2002 16:39:00 +0100", "2002-03-14T16:39:00+01:00"),
        ("mar., 14 août 2001 16:39:00 +0200", "2001-08-14T16:39:00+02:00"),
        ("14 juil. 2001 16:39:00 +0200", "2001-07-14T16:39:00+02:00"),
        ("14 de mayo de 2001 16:39:00 +0200", "2001-05-14T16:39:00+02:00"),
        ("Seg, 14 Set 2001 16:39:00 +0000", "2001-09-14T16:39:00+00:00"),
        ("Do, 14 Mrz 2002 16:39:00 +0100", "2002-03-14T16:39:00+01:00"),
        ("14 Ağu 2001 16:39:00 +0300", "2001-08-14T16:39:00+03:00"),
        ("14 paź 2001 16:39:00 +0200", "2001-10-14T16:39:00+02:00"),
        ("пт, 14 сен 2001 16:39:00 +0400", "2001-09-14T16:39:00+04:00"),
        ("月, 14 5月 2001 16:39:00 +0900", "2001-05-14T16:39:00+09:00"),
        ("Mon, 14 5 2001 16:39:00 +0200", "2001-05-14T16:39:00+02:00"),
        ("14 May 2001 16:39:00 (GMT+01:00) Amsterdam, Berlin", "2001-05-14T16:39:00+01:00"),
        ("=?utf-8?q?Mon,_14_May_2001_16:39:00_+0200?=", "2001-05-14T16:39:00+02:00"),
        ("14 May 101 16:39:00 -0000", "2001-05-14T16:39:00+00:00"),
    ],
)
def test_a_date_is_read_with_its_offset(value, iso):
    assert parse_date(value).isoformat() == iso


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "\0",
        "29 Feb 2001 12:00:00 +0000",
        "14 Foo 2001 16:39:00 +0000",
        "14 May 2001 25:00:00 +0000",
        "00 May 2001 16:39:00 +0000",
        "14 May 2001 16:39:00 +2400",
        "14 May 2001 16:39:00 +12345678",
        "Mon, 32 May 2001 16:39:00 +0000",
        "14 May 2001",
        "2001-05-14",
        "05/06/2001 16:39",  # of which month?
        "31 Dec 9999 23:59:60 +0000",
        "31 Dec 9999 23:59:59 -0100",  # no such moment in UTC
        "01 Jan 0001 00:00:00 +0100",
        f"14 May {'9' * 5000} 16:39:00 +0000",
        "(" * 50_000,
    ],
)
def test_an_unusable_date_is_none(value):
    assert parse_date(value) is None


@EXAMPLES
@given(
    st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30)),
    st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_every_standard_date_is_read_exactly(moment, zone):
    moment = moment.replace(microsecond=0, tzinfo=zone)
    read = parse_date(format_datetime(moment))
    assert read == moment
    assert read.isoformat() == moment.isoformat()


@EXAMPLES
@given(st.text(max_size=40) | st.text("0123456789:+- ,MonaygJue()", max_size=40))
def test_any_date_header_gives_a_moment_or_none(value):
    moment = parse_date(value)
    assert moment is None or moment.astimezone(UTC) == moment


HOPS = (
    "from relay.example by x.example with LMTP id 7; Mon, 14 May 2001 16:45:00 +0200\n"
    "from pc.example by relay.example; Mon, 14 May 2001 16:41:00 +0200"
)


@pytest.mark.parametrize("value", ["", "yesterday", "Mon, 32 May 2001 16:39:00 +0000", "14 May 2001 16:39:00 XYZ"])
def test_where_no_date_is_usable_the_last_host_that_received_the_message_tells_it(value):
    assert date_of_message(value, HOPS).isoformat() == "2001-05-14T16:45:00+02:00"
    assert date_of_message(value, f"by x.example for nobody\nby y.example; soon\n{HOPS}") == date_of_message(
        value, HOPS
    )


def test_a_comment_may_stand_behind_the_date_of_a_host():
    hop = "from a by b; Mon, 14 May 2001 16:45:00 +0200 (envelope-from jane; by hand)"
    assert date_of_message("", hop).isoformat() == "2001-05-14T16:45:00+02:00"


def test_a_good_date_needs_no_substitute():
    assert date_of_message("Mon, 14 May 2001 16:39:00 +0200", HOPS).isoformat() == "2001-05-14T16:39:00+02:00"
    assert date_of_message("14 May 2001 16:39:00 CEST", HOPS).isoformat() == "2001-05-14T16:39:00+02:00"


def test_an_unknown_zone_is_utc_where_nothing_tells_more():
    assert date_of_message("14 May 2001 16:39:00 XYZ", "").isoformat() == "2001-05-14T16:39:00+00:00"
    assert date_of_message("", "") is None


@pytest.mark.parametrize("piece", ["1 jan ", "(", "1:", "()", "2001-", "; "])
def test_hostile_dates_take_no_time(piece, assert_linear):
    assert_linear(lambda value: date_of_message(value, value), lambda size: piece * size, 20_000)


def test_as_many_hosts_are_asked_as_a_message_can_pass():
    unknown = "from a by b; 14 May 2001 10:00:00 a a a\n"
    good = "from a by b; Mon, 14 May 2001 16:45:00 +0200"
    assert date_of_message("", unknown * 60 + good).isoformat() == "2001-05-14T16:45:00+02:00"
    assert date_of_message("", unknown * 200 + good) is None  # a loop, or an attack: each costs a millisecond
