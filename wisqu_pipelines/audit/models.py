"""The audit tables: append-only, and each row carries the hash of the one before it."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, Float, Index, Integer, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from wisqu_pipelines.database.base import ControlBase, EnvironmentBase


class ReceiptStatus(StrEnum):
    """What an `environment_promotions` row says of a promotion."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"


class ChainedMixin:
    """A link of an audit chain."""

    sequence: Mapped[int] = mapped_column(BigInteger, unique=True)
    """1, 2, 3 … without a gap."""
    previous_hash: Mapped[str] = mapped_column(String(64))
    row_hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 (hex) over the canonical JSON of all other columns."""


class ChainHeadMixin:
    """How long a chain is and what it ends with: what a cut-off chain no longer agrees with."""

    chain: Mapped[str] = mapped_column(String(63), primary_key=True)
    """The audit table's name."""
    length: Mapped[int] = mapped_column(BigInteger)
    last_hash: Mapped[str] = mapped_column(String(64))


class EnvironmentChainHead(ChainHeadMixin, EnvironmentBase):
    """The ends of an environment's audit chains."""

    __tablename__ = "audit_chain_heads"


class ControlChainHead(ChainHeadMixin, ControlBase):
    """The ends of the control database's audit chains."""

    __tablename__ = "audit_chain_heads"


class AuditCheckpoint(ControlBase):
    """Where an environment's chain stood at some time, kept outside of that environment."""

    __tablename__ = "audit_checkpoints"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    environment: Mapped[str] = mapped_column(String(50))
    chain: Mapped[str] = mapped_column(String(63))
    length: Mapped[int] = mapped_column(BigInteger)
    last_hash: Mapped[str] = mapped_column(String(64))
    taken_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (Index(None, "environment", "chain", "length"),)


class Restore(ControlBase):
    """That a database was restored from a backup: which checkpoints know rows that are lost, by the word of two people.

    The database lets it be confirmed once, and changed in no other way.
    """

    __tablename__ = "restores"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    database: Mapped[str] = mapped_column(String(50))
    """An environment's name, or `control`."""
    lost: Mapped[list[Any]]
    """What was noted of its chains and is not there any more: `[chain, length, hash]` of each."""
    kept: Mapped[dict[str, Any]]
    """How many rows of each chain that lost some agree with what was noted before."""
    promotions: Mapped[list[Any]]
    """Ids of promotions into it whose receipts are lost."""
    rollbacks: Mapped[list[Any]]
    """Ids of promotions into it that were rolled back, and stand there again."""
    reason: Mapped[str] = mapped_column(Text)
    reported_by: Mapped[UUID]
    reported_at: Mapped[datetime]
    confirmed_by: Mapped[UUID | None]
    confirmed_at: Mapped[datetime | None]
    confirm_reason: Mapped[str | None] = mapped_column(Text)
    signature: Mapped[str | None] = mapped_column(Text)
    """The identity service's, over all that; without one it counts for nothing."""

    __table_args__ = (
        CheckConstraint("confirmed_by <> reported_by", name="takes_two"),
        CheckConstraint(
            "num_nulls(confirmed_by, confirmed_at, confirm_reason, signature) IN (0, 4)", name="confirmation_is_whole"
        ),
        Index(None, "database", "reported_at"),
    )


class EnvironmentPromotion(ChainedMixin, EnvironmentBase):
    """What a promotion did to this environment. The row with status `success`, written in the transaction that
    publishes the items, is the promotion's receipt; a rollback adds a row and changes none.
    """

    __tablename__ = "environment_promotions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    promotion_id: Mapped[UUID]
    """The promotion in the control database."""
    rollback_id: Mapped[UUID | None]
    """Names the rollback, in a row with the status `rolled_back`; a promotion may be taken back in several parts."""
    promotion_type: Mapped[str] = mapped_column(String(100))
    source_environment: Mapped[str] = mapped_column(String(50))
    target_environment: Mapped[str] = mapped_column(String(50))
    items_promoted: Mapped[dict[str, Any]]
    """`total_count`, `by_type`, and `promoted_ids`: the ids here of the first thousand."""
    status: Mapped[str] = mapped_column(String(50))
    success_count: Mapped[int] = mapped_column(Integer, default=0)
    error_count: Mapped[int] = mapped_column(Integer, default=0)
    promoted_by_user_id: Mapped[UUID | None]
    reason: Mapped[str | None] = mapped_column(Text)
    plan_digest: Mapped[str] = mapped_column(String(64))
    approvals: Mapped[list[Any]] = mapped_column(default=list)
    rollback_data: Mapped[dict[str, Any] | None]
    """`created` and `updated` by type, and the digest of the before-images that lie in `promotion_before_images`."""
    errors: Mapped[list[Any] | None]
    duration_seconds: Mapped[float | None] = mapped_column(Float)
    occurred_at: Mapped[datetime]

    __table_args__ = (
        Index(None, "promotion_id", unique=True, postgresql_where=text("status = 'success'")),
        Index(None, "rollback_id", unique=True, postgresql_where=text("rollback_id IS NOT NULL")),
        Index(None, "occurred_at"),
    )


class EnvironmentAccessLog(ChainedMixin, EnvironmentBase):
    """Who entered or read this environment from outside it, and why."""

    __tablename__ = "environment_access_logs"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[UUID | None]
    environment: Mapped[str] = mapped_column(String(50))
    access_type: Mapped[str] = mapped_column(String(50))
    reason: Mapped[str | None] = mapped_column(Text)
    ip_address: Mapped[str | None] = mapped_column(String(50))
    user_agent: Mapped[str | None] = mapped_column(String(500))
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata")
    """The column `metadata`, a name that SQLAlchemy keeps for itself."""
    occurred_at: Mapped[datetime]


class DeveloperAction(ChainedMixin, EnvironmentBase):
    """What a person did here with a privilege: approved, marked, set up, ingested."""

    __tablename__ = "developer_actions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    developer_id: Mapped[UUID | None]
    environment: Mapped[str] = mapped_column(String(50))
    action: Mapped[str] = mapped_column(String(100))
    reason: Mapped[str | None] = mapped_column(Text)
    details: Mapped[dict[str, Any] | None]
    success: Mapped[bool] = mapped_column(default=True)
    ip_address: Mapped[str | None] = mapped_column(String(50))
    user_agent: Mapped[str | None] = mapped_column(String(500))
    occurred_at: Mapped[datetime]


class EnvironmentAccess(ChainedMixin, ControlBase):
    """Every decision of the control database about a person and an environment: entry, approval, rejection."""

    __tablename__ = "environment_access_log"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[UUID | None]
    environment: Mapped[str] = mapped_column(String(50))
    action: Mapped[str] = mapped_column(String(100))
    reason: Mapped[str | None] = mapped_column(Text)
    details: Mapped[dict[str, Any] | None]
    success: Mapped[bool] = mapped_column(default=True)
    ip_address: Mapped[str | None] = mapped_column(String(50))
    user_agent: Mapped[str | None] = mapped_column(String(500))
    occurred_at: Mapped[datetime]
