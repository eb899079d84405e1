"""What every clock does."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from wisqu_pipelines.ports.clock import Clock, SystemClock
from wisqu_pipelines.storage.memory import ManualClock

TEHRAN = timezone(timedelta(hours=3, minutes=30))
NOON_IN_TEHRAN = datetime(2026, 3, 21, 12, 0, tzinfo=TEHRAN)


@pytest.mark.parametrize("clock", [SystemClock(), ManualClock(NOON_IN_TEHRAN)])
def test_times_are_aware_and_in_utc(clock: Clock) -> None:
    assert clock.now().tzinfo is UTC


def test_the_system_clock_is_the_machines() -> None:
    before = datetime.now(UTC)
    assert before <= SystemClock().now() <= datetime.now(UTC)


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(NOON_IN_TEHRAN)
    assert clock.now() == clock.now() == datetime(2026, 3, 21, 8, 30, tzinfo=UTC)
    clock.advance(timedelta(days=31))
    assert clock.now() == datetime(2026, 4, 21, 8, 30, tzinfo=UTC)
    clock.set(NOON_IN_TEHRAN)
    assert clock.now() == NOON_IN_TEHRAN


@pytest.mark.parametrize("act", [ManualClock, ManualClock(NOON_IN_TEHRAN).set])
def test_a_time_without_a_zone_is_refused(act: type[ManualClock]) -> None:
    with pytest.raises(ValueError, match="aware"):
        act(datetime(2026, 3, 21))  # noqa: DTZ001
