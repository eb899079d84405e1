"""What the promotion service answers with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from wisqu_pipelines.audit.models import EnvironmentPromotion
from wisqu_pipelines.figures import counted
from wisqu_pipelines.promotion.models import MOVING, Effect, Promotion, PromotionState
from wisqu_pipelines.promotion.plan import PlannedItem

ITEMS_SHOWN = 1_000


def moving(totals: Mapping[str, Any], what: str) -> int:
    """How much of it a plan takes into the target.

    Args:
        totals: A plan's, as `PromotionPreview.totals` has them.
        what: `items`, `bytes` or `points`.
    """
    return sum(int(totals["by_effect"][effect.value][what]) for effect in MOVING)


@dataclass(frozen=True)
class PromotionPreview:
    """A plan that waits for approval."""

    promotion_id: UUID
    plan_digest: str
    promotion_type: str
    source_environment: str
    target_environment: str
    state: PromotionState
    items: Sequence[PlannedItem]
    """The first `ITEMS_SHOWN`, those that are blocked first; `EnvironmentPromotionService.plan` gives them all."""
    totals: Mapping[str, Any]
    """`by_effect` and `by_type`: name → `items`, `bytes`, `points`."""
    outcomes: Mapping[UUID, str] = field(default_factory=dict)
    """Of those of `items` that were to go and are not there: why they stayed behind, or that they were taken back; by
    source id."""

    @property
    def total_count(self) -> int:
        """How many items will be created or updated in the target."""
        return moving(self.totals, "items")

    @property
    def total_size_bytes(self) -> int:
        """How many bytes of files will be copied."""
        return moving(self.totals, "bytes")

    @property
    def total_points(self) -> int:
        """How many vectors will be copied."""
        return moving(self.totals, "points")

    @property
    def blocked_count(self) -> int:
        """How many items are blocked."""
        return int(self.totals["by_effect"][Effect.BLOCKED.value]["items"])

    @property
    def errors(self) -> list[str]:
        """A sentence for each blocked item among `items`."""
        return [
            f"{item.item_type} '{item.label}' ({item.source_id}): {item.blocked_reason}"
            for item in self.items
            if item.effect == Effect.BLOCKED
        ]


@dataclass(frozen=True)
class PromotionResult:
    """What an execution or a rollback came to."""

    promotion_id: UUID
    promotion_type: str
    source_environment: str
    target_environment: str
    state: PromotionState
    success_count: int
    error_count: int
    bytes: int
    points: int
    duration_seconds: float
    errors: Sequence[str] = ()
    """The first of what stayed behind, with the reason; `error_count` counts them all."""
    by_type: Mapping[str, int] = field(default_factory=dict)
    """How many rows in the target were written, or for a rollback restored or removed, by type."""
    verification: Mapping[str, Any] | None = None
    """What reading back came to (`VerificationReport.as_dict`)."""


def result(
    promotion: Promotion,
    state: PromotionState,
    about: EnvironmentPromotion,
    amounts: Mapping[str, Mapping[str, int]],
    *,
    seconds: float,
    verification: Mapping[str, Any] | None = None,
) -> PromotionResult:
    """What a receipt and the amounts (by type: `items`, `bytes`, `points`) come to."""
    return PromotionResult(
        promotion_id=promotion.id,
        promotion_type=promotion.promotion_type,
        source_environment=promotion.source_environment,
        target_environment=promotion.target_environment,
        state=state,
        success_count=about.success_count,
        error_count=about.error_count,
        bytes=sum(each["bytes"] for each in amounts.values()),
        points=sum(each["points"] for each in amounts.values()),
        duration_seconds=seconds,
        errors=[each["error"] for each in about.errors or []],
        by_type={name: each["items"] for name, each in amounts.items()},
        verification=verification,
    )


@dataclass(frozen=True)
class ApprovalGiven:
    """A person's decision on a plan."""

    user_id: UUID
    email: str
    role: str
    decision: str
    reason: str | None
    decided_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    revoked_reason: str | None = None


@dataclass(frozen=True)
class PromotionReport:
    """A promotion as it stands."""

    promotion_id: UUID
    promotion_type: str
    source_environment: str
    target_environment: str
    state: PromotionState
    plan_digest: str
    totals: Mapping[str, Any]
    reason: str | None
    requested_by: str | None
    """E-mail address, or None if nobody is known to have asked for it."""
    requested_via: str
    created_at: datetime
    approvals_needed: int
    approvals: Sequence[ApprovalGiven]
    run_id: str | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_seconds: float | None
    success_count: int
    error_count: int
    error: str | None
    cancel_reason: str | None = None
    """Why a person asked that it stop, if one did since its last run began."""
    verification: Mapping[str, Any] | None = None
    """What reading back came to, or None if nothing was published."""
    waits_for: str | None = None
    """Why it does not begin although it is approved: a freeze, a hold, approvals that ran out; None: it can begin."""
    rolled_back_count: int = 0
    """How many of its items were taken back."""
    rolled_back_at: datetime | None = None
    """When the last of them were."""
    rollback_asked_by: str | None = None
    """The e-mail address of who asked last for a rollback; None: nobody did, or it went back by itself."""
    rollback_reason: str | None = None
    """Why the last rollback was asked for."""
    steps: Mapping[str, int] = field(default_factory=dict)
    """How many items have passed each step; in lists only of promotions that a run is at."""
    is_empty: bool = False
    """Its plan moves nothing: there is nothing to approve, and it waits for nobody."""

    @property
    def standing(self) -> str:
        """Its state, with what the state alone does not say, as people read it."""
        if self.state == PromotionState.PLANNED and self.is_empty:
            return "nothing to do"
        if self.state == PromotionState.SUCCEEDED and self.rolled_back_count:
            return f"{self.state}, {counted(self.rolled_back_count, 'item')} taken back"
        return self.state


@dataclass(frozen=True)
class RollbackPreview:
    """What taking a promotion back, or a part of it, would do."""

    promotion_id: UUID
    source_environment: str
    target_environment: str
    removed: Mapping[str, int]
    """How many rows it would remove, by type."""
    restored: Mapping[str, int]
    """How many rows it would give back as they were, by type."""
    bytes: int
    """Bytes of files that would go."""
    points: int
    """Vectors that would go."""
    in_the_way: Sequence[str]
    """A sentence for each of the first items that cannot be taken back; then none is."""
    in_the_way_count: int
    """How many cannot."""
    items: Sequence[PlannedItem]
    """The first `ITEMS_SHOWN` items."""
    rehearsed: bool
    """Whether its transaction was tried out in the target, and then undone."""
