"""Erasures, in the control database: it outlives the restore of an environment's, and so is the ledger."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Index, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from wisqu_pipelines.database.base import ControlBase

APPROVAL_LASTS = timedelta(hours=72)
"""How long a request waits for its approval, and an approval for the run: as a sweep's."""


class ErasureState(StrEnum):
    """Where an erasure stands."""

    REQUESTED = "requested"
    APPROVED = "approved"
    RUNNING = "running"
    """It has begun: the person's rows are hidden or gone, and it can only be finished."""
    DONE = "done"
    """Final; after a restore from a backup it is done again."""
    REJECTED = "rejected"
    """Somebody said no. Final."""


OPEN = (ErasureState.REQUESTED, ErasureState.APPROVED, ErasureState.RUNNING)
"""Of one person in one environment there is one of these at most."""


class Erasure(ControlBase):
    """A person's wish to be forgotten in one environment. Holds no name and no content."""

    __tablename__ = "erasures"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    environment: Mapped[str] = mapped_column(String(50))
    user_id: Mapped[UUID]
    email_hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 (hex) of the case-folded address, to find the certificate by it."""
    state: Mapped[str] = mapped_column(String(20))
    requested_by: Mapped[UUID]
    reason: Mapped[str] = mapped_column(Text)
    """The number of the case."""
    requested_at: Mapped[datetime]
    approved_by: Mapped[UUID | None]
    approved_at: Mapped[datetime | None]
    signature: Mapped[str | None] = mapped_column(Text)
    rejected_by: Mapped[UUID | None]
    begun_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    certificate: Mapped[dict[str, Any] | None]
    digest: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 (hex) of the certificate's canonical JSON; the environment's audit has it too."""
    again: Mapped[list[Any]] = mapped_column(JSONB, default=list, server_default=text("'[]'"))
    """Each time that it was done again: `at`, `rows`, `files`, `points`, `digest`."""

    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(repr(state.value) for state in ErasureState)})", name="state"),
        CheckConstraint("approved_by <> requested_by", name="another_person"),
        CheckConstraint("state <> 'done' OR (digest IS NOT NULL AND done_at IS NOT NULL)", name="done_is_certified"),
        Index(
            None,
            "environment",
            "user_id",
            unique=True,
            postgresql_where=text("state IN ('requested', 'approved', 'running')"),
        ),
        Index("ix_erasures_environment_state", "environment", "state"),
    )
