"""The plan: what a promotion will do, item by item, and the digest that an approval names."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from wisqu_pipelines.promotion.content import digest
from wisqu_pipelines.promotion.models import Effect
from wisqu_pipelines.promotion.types import TYPES
from wisqu_pipelines.settings import PathSettings

PLAN_FORMAT = 1
"""Counts the shapes that the plan's canonical JSON has had; part of the digest."""


@dataclass(frozen=True, slots=True)
class FileAt:
    """Where an item's file is at the source."""

    bucket: str
    """Base name."""
    object_name: str
    etag: str
    """Pins the version that was planned."""
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class VectorsAt:
    """Where an item's points are at the source."""

    collection: str
    """Base name."""
    version: UUID
    count: int


@dataclass(frozen=True, slots=True)
class Hashes:
    """What an item is: SHA-256, hex; None for what its type does not have."""

    row: str
    file: str | None = None
    vectors: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """The hashes as JSON."""
        return {"row": self.row, "file": self.file, "vectors": self.vectors}


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """One item: what it is at the source, what stands at the target, and what will be done."""

    item_type: str
    source_id: UUID
    target_id: UUID
    label: str
    effect: Effect
    source_status: str
    source_hashes: Hashes
    blocked_reason: str | None = None
    required_by: UUID | None = None
    target_hashes: Mapping[str, Any] | None = None
    """What stood in the target when the plan was made: `row`, and the `object_name` and `vector_version` it had."""
    file: FileAt | None = None
    vectors: VectorsAt | None = None
    bytes: int = 0
    points: int = 0

    @property
    def key(self) -> tuple[str, UUID]:
        """What names the item within a plan."""
        return self.item_type, self.source_id

    @property
    def moves(self) -> bool:
        """Whether something is written in the target for it."""
        return self.effect in {Effect.CREATE, Effect.UPDATE}

    def version(self, promotion_id: UUID) -> UUID:
        """The version that this promotion gives the item in the target: the same each time a step is repeated."""
        return uuid5(promotion_id, f"{self.item_type}:{self.source_id}")

    def frozen(self) -> dict[str, Any]:
        """The part of the item that the digest covers: content and effect, and no store's own names for them."""
        return {
            "type": self.item_type,
            "source_id": self.source_id,
            "target_id": self.target_id,
            "effect": self.effect.value,
            "blocked_reason": self.blocked_reason,
            "source": self.source_hashes.as_dict(),
            "target": dict(self.target_hashes) if self.target_hashes else None,
            "bytes": self.bytes,
            "points": self.points,
        }


@dataclass(frozen=True)
class Plan:
    """A frozen list of items, for one path, under one policy."""

    promotion_type: str
    source: str
    target: str
    policy: Mapping[str, Any]
    items: Sequence[PlannedItem] = ()
    missing: Sequence[UUID] = field(default=())
    """Ids that were asked for and are not there."""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the plan's canonical JSON (RFC 8785)."""
        return digest(
            {
                "format": PLAN_FORMAT,
                "promotion_type": self.promotion_type,
                "source": self.source,
                "target": self.target,
                "policy": self.policy,
                "items": [item.frozen() for item in self.items],
            }
        )

    def totals(self) -> dict[str, Any]:
        """Items, bytes and points by effect and by type; blocked and unchanged ones move nothing."""
        by_effect = {effect.value: _zero() for effect in Effect}
        by_type: dict[str, dict[str, int]] = defaultdict(_zero)
        for item in self.items:
            for total in (by_effect[item.effect], *([by_type[item.item_type]] if item.moves else ())):
                total["items"] += 1
                total["bytes"] += item.bytes
                total["points"] += item.points
        return {"by_effect": by_effect, "by_type": dict(by_type)}


def _zero() -> dict[str, int]:
    return {"items": 0, "bytes": 0, "points": 0}


def policy_of(path: PathSettings) -> dict[str, Any]:
    """A path's policy as a plan keeps it."""
    return {
        "approver_roles": sorted(path.approver_roles),
        "approvals": path.approvals,
        "self_approval": path.self_approval,
        "approval_hours": path.approval_hours,
        "on_item_error": path.on_item_error,
        "verify": path.verify,
        "on_verification_failure": path.on_verification_failure,
    }


def in_order(items: Iterable[PlannedItem]) -> list[PlannedItem]:
    """Items in the order in which they are written: what others belong to first, then by id."""
    rank = {name: position for position, name in enumerate(TYPES)}
    return sorted(items, key=lambda item: (rank[item.item_type], item.source_id))


def changes(planned: Plan, now: Plan) -> list[str]:
    """How `now` differs from what was planned, a sentence for each item that changed; empty if it does not."""
    found = []
    if planned.policy != now.policy:
        found.append(f"the policy of {planned.source}->{planned.target} changed")
    current = {item.key: item for item in now.items}
    for item in planned.items:
        new = current.get(item.key)
        if new is None or new.frozen() != item.frozen():
            found.append(f"{item.item_type} '{item.label}' ({item.source_id}) {_change(planned, item, new)}")
    known = {item.key for item in planned.items}
    found += [
        f"{new.item_type} '{new.label}' ({new.source_id}) is now part of it"
        for new in now.items
        if new.key not in known
    ]
    return found


def _change(plan: Plan, item: PlannedItem, now: PlannedItem | None) -> str:
    if now is None:
        return f"is gone from {plan.source}"
    if now.blocked_reason != item.blocked_reason:
        return f"is now blocked: {now.blocked_reason}" if now.blocked_reason else "is no longer blocked"
    old, new = item.source_hashes.as_dict(), now.source_hashes.as_dict()
    changed = [part for part in old if old[part] != new[part]]
    if changed:
        return f"has another {' and '.join(changed)} in {plan.source}"
    return f"meets something else in {plan.target}"
