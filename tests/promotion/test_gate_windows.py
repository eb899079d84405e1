"""When a freeze is in force, by the clocks of its time zone."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from tests.promotion.gate import NOW
from wisqu_pipelines.errors import BadInput
from wisqu_pipelines.promotion.windows import OneOff, Recurring, moment

BERLIN = "Europe/Berlin"
HOUR = timedelta(hours=1)


def utc(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def in_force(when: Recurring | OneOff, since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    """The times in which a freeze is in force, looked at minute by minute."""
    found: list[tuple[datetime, datetime]] = []
    now = since
    while now < until:
        if when.until(now) is not None:
            if found and found[-1][1] == now:
                found[-1] = (found[-1][0], now + timedelta(minutes=1))
            else:
                found.append((now, now + timedelta(minutes=1)))
        now += timedelta(minutes=1)
    return found


def test_once() -> None:
    freeze = OneOff(NOW, NOW + HOUR)
    assert freeze.until(NOW - timedelta(microseconds=1)) is None
    assert freeze.until(NOW) == NOW + HOUR
    assert freeze.until(NOW + HOUR - timedelta(microseconds=1)) == NOW + HOUR
    assert freeze.until(NOW + HOUR) is None


def test_every_week_by_the_clocks_there() -> None:
    weekend = Recurring("0 18 * * FRI", 62 * HOUR, BERLIN)
    assert in_force(weekend, utc(6, 0), utc(10, 0)) == [(utc(6, 17), utc(9, 7))]
    assert weekend.until(utc(9, 7) - timedelta(seconds=1)) == utc(9, 7)


@pytest.mark.parametrize(
    ("since", "frozen"),
    [(utc(27, 0), (utc(27, 17), utc(30, 6))), (utc(23, 0, month=10), (utc(23, 16, month=10), utc(26, 7, month=10)))],
)
def test_a_weekend_ends_on_monday_at_eight_also_when_clocks_change(
    since: datetime, frozen: tuple[datetime, datetime]
) -> None:
    weekend = Recurring("0 18 * * FRI", 62 * HOUR, BERLIN)
    assert in_force(weekend, since, since + timedelta(days=4)) == [frozen]
    assert frozen[1].astimezone(ZoneInfo(BERLIN)).hour == 8


def test_a_time_that_there_is_not_begins_when_the_clocks_are_put_forward() -> None:
    night = Recurring("30 2 * * *", HOUR, BERLIN)
    assert in_force(night, utc(28, 12), utc(29, 12)) == [(utc(29, 1), utc(29, 2))]


def test_a_time_that_there_is_twice_begins_at_the_first() -> None:
    night = Recurring("30 2 * * *", HOUR, BERLIN)
    assert in_force(night, utc(24, 12, month=10), utc(25, 12, month=10)) == [
        (utc(25, 0, 30, month=10), utc(25, 2, 30, month=10))
    ], "until the clocks show 3:30, two hours later"
    short = Recurring("45 2 * * *", timedelta(minutes=30), BERLIN)
    assert in_force(short, utc(24, 12, month=10), utc(25, 12, month=10)) == [
        (utc(25, 0, 45, month=10), utc(25, 2, 15, month=10))
    ]


def test_every_hour_also_in_the_hour_that_comes_twice() -> None:
    often = Recurring("15 * * * *", timedelta(minutes=10), BERLIN)
    found = in_force(often, utc(24, 23, month=10), utc(25, 3, month=10))
    assert found == [
        (start, start + timedelta(minutes=10)) for start in (utc(24, 23, 15, month=10) + n * HOUR for n in range(4))
    ]


def test_a_leap_day() -> None:
    freeze = Recurring("0 0 29 2 *", 24 * HOUR, "UTC")
    freeze.check(NOW)
    assert freeze.until(datetime(2028, 2, 29, 23, 59, tzinfo=UTC)) == datetime(2028, 3, 1, tzinfo=UTC)
    assert freeze.until(datetime(2027, 3, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("when", "sentence"),
    [
        (OneOff(NOW + HOUR, NOW + HOUR), "ends before it begins"),
        (OneOff(NOW - 2 * HOUR, NOW - HOUR), "over already"),
        (OneOff(NOW.replace(tzinfo=None), NOW + HOUR), "need a time zone"),
        (OneOff(NOW, NOW + HOUR, "Mars/Olympus"), "IANA has none"),
        (OneOff(datetime.min.replace(tzinfo=UTC), NOW + HOUR), "between the years 1970 and 8999"),
        (OneOff(NOW, datetime.max.replace(tzinfo=timezone(-HOUR))), "between the years 1970 and 8999"),
        (Recurring("0 0 * * *", HOUR, "../../etc/passwd"), "IANA has none"),
        (Recurring("0 0 * * *", HOUR, ""), "IANA has none"),
        (Recurring("0 25 * * *", HOUR, "UTC"), "Bad hour"),
        (Recurring("0 0 31 2 *", HOUR, "UTC"), "Bad day"),
        (Recurring("0 0 0 * * *", HOUR, "UTC"), "five|5 fields"),
        (Recurring("@daily", HOUR, "UTC"), "5 fields"),
        (Recurring("0 0 * * *", timedelta(0), "UTC"), "whole minutes"),
        (Recurring("0 0 * * *", timedelta(seconds=90), "UTC"), "whole minutes"),
        (Recurring("0 0 1 1 *", timedelta(days=32), "UTC"), "at most 31 days"),
        (Recurring("0 0 * * *", timedelta(days=1), "UTC"), "has not ended by then"),
    ],
)
def test_what_cannot_be_meant_is_refused(when: OneOff | Recurring, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        when.check(NOW)


def test_a_written_time_is_one_by_the_clocks_there() -> None:
    assert moment("2026-03-01T18:00", BERLIN) == utc(1, 17)
    assert moment("2026-03-01T18:00+05:30", BERLIN) == utc(1, 12, 30)
    for text, sentence in (
        ("2026-03-29T02:30", "never"),
        ("2026-10-25T02:30", "twice"),
        ("soon", "is written like"),
        ("0001-01-01T00:00+14:00", "between the years 1970 and 8999"),
    ):
        with pytest.raises(BadInput, match=sentence):
            moment(text, BERLIN)
