"""When a freeze is in force: once, or again and again by a cron expression in a time zone.

Recurring freezes are reckoned by the wall clock of their zone. One that begins at a time which that day does not have
begins when the clocks have been put forward; where a time comes twice, it begins at the first. It ends when the clock
there shows the start plus the duration, so that Friday 18:00 and 62 hours is Monday 8:00 in every week of the year.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from wisqu_pipelines.errors import BadInput

CRON_FIELDS = 5
LONGEST = timedelta(days=31)
"""How long one occurrence of a recurring freeze may last."""
YEARS = range(1970, 9000)
"""Of a freeze's times: at the calendar's edges they cannot be shown by every clock."""
STARTS_COMPARED = 100
"""Starts that are looked at to see whether a recurring freeze ever ends."""
CLOCK_CHANGE = timedelta(hours=24)
"""More than clocks are ever put forward or back at once: when a date line moved, a whole day."""


@dataclass(frozen=True, slots=True)
class OneOff:
    """From one time until another, both aware."""

    starts_at: datetime
    ends_at: datetime
    time_zone: str = "UTC"
    """In which the times are shown."""

    def check(self, now: datetime) -> None:
        """Refuse what would freeze nothing.

        Raises:
            BadInput: there is no such time zone, it ends before it begins, or it is over already.
        """
        zone(self.time_zone)
        if self.starts_at.tzinfo is None or self.ends_at.tzinfo is None:
            raise BadInput(what="the freeze", reason="its times need a time zone")
        if self.starts_at.year not in YEARS or self.ends_at.year not in YEARS:
            reason = f"its times lie between the years {YEARS.start} and {YEARS.stop - 1}"
            raise BadInput(what="the freeze", reason=reason)
        if self.ends_at <= self.starts_at:
            raise BadInput(what="the freeze", reason="it ends before it begins")
        if self.ends_at <= now:
            raise BadInput(what="the freeze", reason="it would be over already")

    def until(self, now: datetime) -> datetime | None:
        """When the freeze that is in force ends, in UTC; None if it is not in force."""
        return self.ends_at.astimezone(UTC) if self.starts_at <= now < self.ends_at else None

    def __str__(self) -> str:
        return f"{shown(self.starts_at, self.time_zone)} until {shown(self.ends_at, self.time_zone)}"


@dataclass(frozen=True, slots=True)
class Recurring:
    """From each time that a cron expression names, for a duration on the wall clock."""

    cron: str
    """Five fields: minute, hour, day of the month, month, day of the week."""
    duration: timedelta
    time_zone: str

    def check(self, now: datetime) -> None:
        """Refuse what cannot be reckoned, and what would never end.

        Raises:
            BadInput: the expression, the duration or the time zone is not usable.
        """
        zone(self.time_zone)
        if not timedelta(minutes=1) <= self.duration <= LONGEST or self.duration % timedelta(minutes=1):
            limits = f"it lasts whole minutes, at least one and at most {LONGEST.days} days"
            raise BadInput(what=f"the duration of {self.duration}", reason=limits)
        if len(self.cron.split()) != CRON_FIELDS:
            raise BadInput(what=f"the cron expression '{self.cron}'", reason=f"it has {CRON_FIELDS} fields")
        try:
            ends = [(start, self._end(start)) for start in islice(self._starts(now), STARTS_COMPARED)]
        except CronSimError as error:
            raise BadInput(what=f"the cron expression '{self.cron}'", reason=str(error)) from None
        if not ends:
            raise BadInput(what=f"the cron expression '{self.cron}'", reason="there is no such day")
        for (_, end), (start, _) in pairwise(ends):
            if start <= end:
                reason = f"it begins again at {shown(start, self.time_zone)} and has not ended by then"
                raise BadInput(what=f"a freeze of {self.duration} by '{self.cron}'", reason=reason)

    def until(self, now: datetime) -> datetime | None:
        """When the occurrence that is in force ends, in UTC; None if none is."""
        for start in self._starts(now - self.duration - CLOCK_CHANGE):
            if start > now:
                return None
            if now < (end := self._end(start)):
                return end
        return None

    def __str__(self) -> str:
        return f"'{self.cron}' for {self.duration / timedelta(hours=1):g} h ({self.time_zone})"

    def _starts(self, after: datetime) -> Iterator[datetime]:
        for start in CronSim(self.cron, after.astimezone(zone(self.time_zone))):
            yield start.astimezone(UTC)

    def _end(self, start: datetime) -> datetime:
        there = start.astimezone(zone(self.time_zone))
        return (there + self.duration).replace(fold=there.fold).astimezone(UTC)


When = OneOff | Recurring


def zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name.

    Raises:
        BadInput: there is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise BadInput(what=f"the time zone '{name}'", reason="IANA has none of that name") from None


def moment(text: str, time_zone: str) -> datetime:
    """A time that a person has written: ISO 8601, by the clocks of `time_zone` unless it carries an offset; in UTC.

    Raises:
        BadInput: it is no time, or the clocks there show it never or twice that day.
    """
    try:
        written = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(what=f"the time '{text}'", reason="it is written like 2026-03-01T18:00") from None
    if written.year not in YEARS:
        raise BadInput(
            what=f"the time '{text}'", reason=f"it is not between the years {YEARS.start} and {YEARS.stop - 1}"
        )
    if written.tzinfo is not None:
        return written.astimezone(UTC)
    first, second = (written.replace(tzinfo=zone(time_zone), fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        times = "never" if first.astimezone(UTC) > second.astimezone(UTC) else "twice"
        reason = f"the clocks of {time_zone} show it {times}; write it with an offset, like {text}+00:00"
        raise BadInput(what=f"the time '{text}'", reason=reason)
    return first.astimezone(UTC)


def shown(at: datetime, time_zone: str) -> str:
    """A time as people in a zone read it."""
    return f"{at.astimezone(zone(time_zone)):%Y-%m-%d %H:%M %Z}"
