"""The months by which scans go, as the rows' `created_at` (UTC) has them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

from wisqu_pipelines.errors import BadInput


def first_day(moment: datetime) -> date:
    """The first day of the month that a moment lies in."""
    return moment.astimezone(UTC).date().replace(day=1)


def following(month: date) -> date:
    """The first day of the month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def between(first: date, last: date) -> Iterator[date]:
    """All months from `first` to `last`, both included."""
    while first <= last:
        yield first
        first = following(first)


def begins(month: date) -> datetime:
    """The moment at which a month begins."""
    return datetime(month.year, month.month, 1, tzinfo=UTC)


def parse(text: str) -> date:
    """A month as people write it: `2026-11`.

    Raises:
        BadInput: it is none.
    """
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError:
        raise BadInput(what=f"the month '{text}'", reason="it is written like 2026-11") from None
