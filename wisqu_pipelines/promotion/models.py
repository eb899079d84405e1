"""Promotions in the control database: the plan, who approved it, and how far its execution is."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, Index, Integer, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from wisqu_pipelines.database.base import ControlBase


class PromotionState(StrEnum):
    """Where a promotion stands. `LEGAL_MOVES` says what may follow what."""

    PLANNED = "planned"
    """Previewed; waits for approval."""
    APPROVED = "approved"
    """Enough people said yes; waits for execution."""
    EXECUTING = "executing"
    """A run holds it. Nothing is visible in the target before the receipt."""
    PUBLISHED = "published"
    """The receipt is in the target: it has happened, and the rest can only be finished."""
    SUCCEEDED = "succeeded"
    """Finished."""
    REJECTED = "rejected"
    """A person said no, or cancelled it before the receipt. Final; nothing was visible."""
    REFUSED = "refused"
    """A rule said no at execution (stale, not enough approvals left). Final; nothing was changed."""
    FAILED = "failed"
    """Something broke before the receipt; what was staged is swept. It may be executed again."""
    ROLLING_BACK = "rolling_back"
    """A rollback holds it; one that is refused gives it back as it was."""
    ROLLED_BACK = "rolled_back"
    """The target is as it was before. Final."""


LEGAL_MOVES: dict[PromotionState, frozenset[PromotionState]] = {
    PromotionState.PLANNED: frozenset({PromotionState.APPROVED, PromotionState.REJECTED, PromotionState.REFUSED}),
    PromotionState.APPROVED: frozenset(
        {PromotionState.PLANNED, PromotionState.EXECUTING, PromotionState.REJECTED, PromotionState.REFUSED}
    ),
    PromotionState.EXECUTING: frozenset(
        {
            PromotionState.PUBLISHED,
            PromotionState.FAILED,
            PromotionState.REFUSED,
            PromotionState.REJECTED,
            PromotionState.APPROVED,
        }
    ),
    PromotionState.PUBLISHED: frozenset({PromotionState.SUCCEEDED, PromotionState.ROLLING_BACK}),
    PromotionState.SUCCEEDED: frozenset({PromotionState.ROLLING_BACK}),
    PromotionState.FAILED: frozenset({PromotionState.EXECUTING, PromotionState.REJECTED, PromotionState.REFUSED}),
    PromotionState.ROLLING_BACK: frozenset({PromotionState.ROLLED_BACK, PromotionState.SUCCEEDED}),
    PromotionState.REJECTED: frozenset(),
    PromotionState.REFUSED: frozenset(),
    PromotionState.ROLLED_BACK: frozenset(),
}


class Effect(StrEnum):
    """What a promotion does with an item."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    BLOCKED = "blocked"


MOVING = (Effect.CREATE, Effect.UPDATE)
"""The effects for which something is written in the target."""
TAKEN = (*MOVING, Effect.UNCHANGED)
"""The effects whose source rows a promotion holds, and marks when it has happened."""


class Step(StrEnum):
    """The steps of an item through a promotion, in their order."""

    STAGED = "staged"
    """Its file and vectors are in the target, hidden, and were compared with the plan."""
    SKIPPED = "skipped"
    """It could not be staged, and the policy lets it stay behind."""
    REVEALED = "revealed"
    DIFFERED = "differed"
    """Reading back found another row there, or none; the journal's detail is what stood there (`differing.py`)."""
    SOURCE_MARKED = "source_marked"
    ROLLED_BACK = "rolled_back"
    """A rollback put back what stood there before, and nothing of it is left."""


class Decision(StrEnum):
    """What a person said to a plan."""

    APPROVE = "approve"
    REJECT = "reject"


class Promotion(ControlBase):
    """One plan, and its execution once it is approved."""

    __tablename__ = "promotions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    promotion_type: Mapped[str] = mapped_column(String(100))
    source_environment: Mapped[str] = mapped_column(String(50))
    target_environment: Mapped[str] = mapped_column(String(50))
    state: Mapped[str] = mapped_column(
        String(50), default=PromotionState.PLANNED, server_default=PromotionState.PLANNED.value
    )
    plan_digest: Mapped[str] = mapped_column(String(64), index=True)
    selection: Mapped[dict[str, Any]]
    """`item_ids`: the ids that were asked for, or null for all approved items."""
    totals: Mapped[dict[str, Any]]
    policy: Mapped[dict[str, Any]]
    """The path's policy as it was when the plan was made; a different one makes the plan stale."""
    reason: Mapped[str | None] = mapped_column(Text)
    requested_by_user_id: Mapped[UUID | None]
    """None: asked for through a door that knows no people (the Dagster UI)."""
    requested_via: Mapped[str] = mapped_column(String(50))
    created_at: Mapped[datetime]
    run_id: Mapped[str | None] = mapped_column(String(100))
    """Who executes it: the Dagster run, or the CLI's own name for its run."""
    executed_by_user_id: Mapped[UUID | None]
    """Who started the execution, where a person is known; an approver is named in the receipt otherwise."""
    epoch: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    """Counts the claims; a transaction of an older claim finds a newer number and stops."""
    lease_until: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    duration_seconds: Mapped[float | None] = mapped_column(Float)
    cancelled_by_user_id: Mapped[UUID | None]
    """Who said that it shall not happen; a run that is at it heeds that until the receipt."""
    cancel_reason: Mapped[str | None] = mapped_column(Text)
    success_count: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    error_count: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    error: Mapped[str | None] = mapped_column(Text)
    verification: Mapped[dict[str, Any] | None]
    """What reading the target back after publishing came to (`promotion/verification.py`); None: it was not done."""
    rollback_requested_by_user_id: Mapped[UUID | None]
    rollback_reason: Mapped[str | None] = mapped_column(Text)
    rollback_requested_at: Mapped[datetime | None]
    rollback_id: Mapped[UUID | None]
    """Names the rollback that was asked for last; its receipt in the target carries it."""
    rollback_item_ids: Mapped[list[Any] | None]
    """The items (source ids) that it takes back, or None for all."""
    rolled_back_count: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    rolled_back_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(repr(state.value) for state in PromotionState)})", name="state"),
        Index(None, "state", "created_at"),
    )


class PromotionItem(ControlBase):
    """One item of a plan: what stands on both sides, and what will be done."""

    __tablename__ = "promotion_items"

    promotion_id: Mapped[UUID] = mapped_column(ForeignKey("promotions.id", ondelete="CASCADE"), primary_key=True)
    item_type: Mapped[str] = mapped_column(String(100), primary_key=True)
    source_id: Mapped[UUID] = mapped_column(primary_key=True)
    target_id: Mapped[UUID]
    source_status: Mapped[str] = mapped_column(String(50))
    """The promotion status that the source row goes back to if the promotion does not happen or is rolled back."""
    label: Mapped[str] = mapped_column(String(500))
    """What people call the item: its filename or title."""
    effect: Mapped[str] = mapped_column(String(50))
    blocked_reason: Mapped[str | None] = mapped_column(Text)
    required_by: Mapped[UUID | None]
    """The item that pulled this one in, or None if it was selected itself."""
    source_hashes: Mapped[dict[str, Any]]
    """`row`, `file`, `vectors`: SHA-256, hex."""
    target_hashes: Mapped[dict[str, Any] | None]
    """The same of the row that stands in the target, or None if there is none."""
    diff: Mapped[dict[str, Any] | None]
    """For an update, each field that changes: `{field: [in the target now, what comes]}`."""
    belongs_to: Mapped[dict[str, Any] | None]
    """The items that it belongs to: column → source id."""
    file: Mapped[dict[str, Any] | None]
    """`bucket`, `object_name`, `etag`, `size` at the source."""
    vectors: Mapped[dict[str, Any] | None]
    """`collection`, `version`, `count` at the source."""
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    points: Mapped[int] = mapped_column(Integer, default=0)

    __table_args__ = (
        CheckConstraint(f"effect IN ({', '.join(repr(effect.value) for effect in Effect)})", name="effect"),
    )


class PromotionJournal(ControlBase):
    """That an item has passed a step. The stores decide when the two disagree."""

    __tablename__ = "promotion_journal"

    promotion_id: Mapped[UUID] = mapped_column(ForeignKey("promotions.id", ondelete="CASCADE"), primary_key=True)
    item_type: Mapped[str] = mapped_column(String(100), primary_key=True)
    source_id: Mapped[UUID] = mapped_column(primary_key=True)
    step: Mapped[str] = mapped_column(String(50), primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer)
    detail: Mapped[str | None] = mapped_column(Text)
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PromotionApproval(ControlBase):
    """A person's yes or no to one plan digest."""

    __tablename__ = "promotion_approvals"

    promotion_id: Mapped[UUID] = mapped_column(ForeignKey("promotions.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("central_users.id"), primary_key=True)
    plan_digest: Mapped[str] = mapped_column(String(64))
    decision: Mapped[str] = mapped_column(String(50))
    role: Mapped[str] = mapped_column(String(50))
    """The person's role in the target when they decided."""
    reason: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    """When its giver took it back. The row stays, so nobody says yes to a plan twice."""
    revoked_reason: Mapped[str | None] = mapped_column(Text)
    signature: Mapped[str | None] = mapped_column(Text)
    """The identity service's, over this decision; without one it counts for nothing."""

    __table_args__ = (
        CheckConstraint(f"decision IN ({', '.join(repr(each.value) for each in Decision)})", name="decision"),
        CheckConstraint("(revoked_at IS NULL) = (revoked_reason IS NULL)", name="revoked_says_why"),
        CheckConstraint("revoked_at IS NULL OR decision = 'approve'", name="revoked_was_approved"),
    )
