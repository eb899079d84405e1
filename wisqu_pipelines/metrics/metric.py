"""A metric: one statement over one database, with columns that are told the same way everywhere."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from sqlalchemy import Select


class Where(StrEnum):
    """Which database a metric is read from."""

    CONTROL = "control"
    ENVIRONMENT = "environment"
    """Each environment's own; the rows name it."""


class Kind(StrEnum):
    """What a column holds: its type in a frame, and how people read it."""

    TEXT = "text"
    COUNT = "count"
    BYTES = "bytes"
    SHARE = "share"
    """Between 0 and 1; nothing where there is nothing to share."""
    SECONDS = "seconds"
    DAY = "day"
    """In UTC."""
    MOMENT = "moment"
    """In UTC."""


Statement: TypeAlias = Select[*tuple[Any, ...]]
"""Of any columns."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a metric is asked for."""

    environment: str
    """Whose database is read; `control` for the control database."""
    since: datetime
    """What happened before does not count, where a metric tells of what happened."""
    now: datetime


@dataclass(frozen=True)
class Metric:
    """A table of figures."""

    name: str
    title: str
    description: str
    where: Where
    columns: Mapping[str, Kind]
    query: Callable[[Scope], Statement]
    """One statement, whose columns are those above in their order."""
    person: str | None = None
    """The column in which the statement leaves a person's id, as text: their address takes its place."""
    over_time: bool = False
    """Whether it tells only what is there now, so that its development is read back from the snapshots."""
