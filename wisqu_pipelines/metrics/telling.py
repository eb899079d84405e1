"""How people read a figure, in every table and picture."""

from datetime import UTC, datetime
from typing import Any

from wisqu_pipelines.figures import number, size
from wisqu_pipelines.metrics.metric import Kind


def duration(value: float) -> str:
    """A time as people say it."""
    if value < 100:
        return f"{value:.1f} s"
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"


def told(value: Any, kind: Kind) -> str:
    """A value as text; nothing is an empty text."""
    if value is None:
        return ""
    match kind:
        case Kind.TEXT:
            return str(value)
        case Kind.COUNT:
            return number(int(value))
        case Kind.BYTES:
            return size(int(value))
        case Kind.SHARE:
            return f"{value:.0%}"
        case Kind.SECONDS:
            return duration(float(value))
        case Kind.DAY:
            return f"{_utc(value):%Y-%m-%d}"
        case Kind.MOMENT:
            return f"{_utc(value):%Y-%m-%d %H:%M}"


def is_figure(kind: Kind) -> bool:
    """Whether a column of that kind stands right."""
    return kind in {Kind.COUNT, Kind.BYTES, Kind.SHARE, Kind.SECONDS}


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)
