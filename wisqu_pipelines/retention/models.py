"""Sweeps with their items, in each environment's database."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Index,
    Integer,
    String,
    Text,
    and_,
    case,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from wisqu_pipelines.database.base import EnvironmentBase

APPROVAL_LASTS = timedelta(hours=72)
"""How long a sweep waits for its approval, and an approval for the run: as into prod by promotion."""


class SweepState(StrEnum):
    """Where a sweep stands."""

    WAITING = "waiting"
    """Marked; it takes a person's approval, as the environment is not cleaned up by itself."""
    HIDING = "hiding"
    """Marked and allowed: what it lists is being hidden."""
    HIDDEN = "hidden"
    """Hidden; until the grace time is over all of it can be restored."""
    PURGED = "purged"
    """What was still hidden then is gone. Final."""
    REJECTED = "rejected"
    """Nothing of it went: a person said no or took all of it back, it may not go on, or nothing that it lists could go.
    Final; what it had hidden was given back. The audit says why.
    """


class ItemState(StrEnum):
    """What became of an item of a sweep."""

    MARKED = "marked"
    """It goes with its sweep: hidden, once the sweep has hidden what it lists. People are told `HIDDEN` then."""
    REMOVING = "removing"
    """Its row is gone; its file and vectors go."""
    PURGED = "purged"
    RESTORED = "restored"
    """A person took it back."""
    KEPT = "kept"
    """It stays: `detail` says why."""


HIDDEN = "hidden"
"""What people are told of the items that a sweep has hidden, and has not purged or given back."""


class Sweep(EnvironmentBase):
    """One retention run: a list, its hiding, and its purge."""

    __tablename__ = "retention_sweeps"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    state: Mapped[str] = mapped_column(String(20))
    scope: Mapped[dict[str, Any]]
    """`types`, and `test_data_only`."""
    requested_by: Mapped[UUID | None]
    """None: a schedule, where the environment is cleaned up by itself."""
    reason: Mapped[str | None] = mapped_column(Text)
    is_forced: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether it may go past the cap."""
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 (hex) over the types and ids of what was marked: what an approval is for."""
    totals: Mapped[dict[str, Any]]
    """By type: `rows`, `bytes`, `points`, `test_data`, `ages`, and how many rows were due and stayed (`stays`)."""
    created_at: Mapped[datetime]
    approved_by: Mapped[UUID | None]
    approved_at: Mapped[datetime | None]
    signature: Mapped[str | None] = mapped_column(Text)
    hidden_at: Mapped[datetime | None]
    """What `deleted_at` of its rows says: a row that was restored and deleted again is no longer the sweep's."""
    purge_after: Mapped[datetime | None]
    """None: it has hidden nothing, or nothing of it is left to purge."""
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(repr(state.value) for state in SweepState)})", name="state"),
        Index(None, "state", "created_at"),
    )


class SweepItem(EnvironmentBase):
    """A row that a sweep has marked, with what lies in the other stores for it."""

    __tablename__ = "retention_items"

    sweep_id: Mapped[UUID] = mapped_column(primary_key=True)
    """Its sweep. A trigger looks for it once for all rows of a statement: a foreign key would do so for each."""
    item_type: Mapped[str] = mapped_column(String(100), primary_key=True)
    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(20))
    label: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime]
    is_test_data: Mapped[bool]
    bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    points: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    bucket: Mapped[str | None] = mapped_column(String(63))
    object_name: Mapped[str | None] = mapped_column(String(1024))
    collection: Mapped[str | None] = mapped_column(String(100))
    vector_version: Mapped[UUID | None]
    detail: Mapped[str | None] = mapped_column(Text)
    """Why it was kept; None: it was not."""
    restored_at: Mapped[datetime | None]
    """When a person took it back."""

    # No index knows of `state`, and pages have room: so an item stays in its place as it is purged, and no index is
    # written.
    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(repr(state.value) for state in ItemState)})", name="state"),
        Index(None, "item_type", "restored_at", postgresql_where=text("restored_at IS NOT NULL")),
        {"postgresql_with": {"fillfactor": 80}},
    )


def told() -> ColumnElement[str]:
    """An item's state as people are told it, in a query of items and their sweeps."""
    is_hidden = and_(SweepItem.state == ItemState.MARKED, Sweep.state == SweepState.HIDDEN)
    return case((is_hidden, HIDDEN), else_=SweepItem.state)
