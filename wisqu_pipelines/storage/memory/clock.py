"""The clock port as a clock that stands still until it is moved."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """Says the time that it was set to."""

    def __init__(self, now: datetime) -> None:
        """Start at an aware time, in any zone."""
        self._now = _in_utc(now)

    def now(self) -> datetime:
        """The time that it was set to, in UTC."""
        return self._now

    def set(self, now: datetime) -> None:
        """Jump to an aware time, forwards or back."""
        self._now = _in_utc(now)

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self._now += by


def _in_utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("a clock needs an aware time")
    return time.astimezone(UTC)
