"""What the promotion service answers with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from wisqu_pipelines.audit.models import EnvironmentPromotion
from wisqu_pipelines.promotion.models import Effect, Promotion, PromotionState
from wisqu_pipelines.promotion.plan import PlannedItem


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
    totals: Mapping[str, Any]
    """`by_effect` and `by_type`: name → `items`, `bytes`, `points`."""

    @property
    def total_count(self) -> int:
        """How many items will be created or updated in the target."""
        return sum(item.moves for item in self.items)

    @property
    def total_size_bytes(self) -> int:
        """How many bytes of files will be copied."""
        return sum(item.bytes for item in self.items if item.moves)

    @property
    def total_points(self) -> int:
        """How many vectors will be copied."""
        return sum(item.points for item in self.items if item.moves)

    @property
    def errors(self) -> list[str]:
        """A sentence for each blocked item."""
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
    target_ids: Mapping[str, Sequence[UUID]] = field(default_factory=dict)
    """The rows in the target that were written, or for a rollback restored or removed, by type."""


def result(
    promotion: Promotion,
    state: PromotionState,
    about: EnvironmentPromotion,
    items: Sequence[PlannedItem],
    *,
    seconds: float,
) -> PromotionResult:
    """What a receipt and its items come to."""
    target_ids: dict[str, list[UUID]] = {}
    for item in items:
        target_ids.setdefault(item.item_type, []).append(item.target_id)
    return PromotionResult(
        promotion_id=promotion.id,
        promotion_type=promotion.promotion_type,
        source_environment=promotion.source_environment,
        target_environment=promotion.target_environment,
        state=state,
        success_count=about.success_count,
        error_count=about.error_count,
        bytes=sum(item.bytes for item in items),
        points=sum(item.points for item in items),
        duration_seconds=seconds,
        errors=[each["error"] for each in about.errors or []],
        target_ids=target_ids,
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
    steps: Mapping[str, int] = field(default_factory=dict)
    """How many items have passed each step."""
