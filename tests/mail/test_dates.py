from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.mail.dates import parse_date

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
