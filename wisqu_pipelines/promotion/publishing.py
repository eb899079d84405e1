"""The one transaction in the target that makes a promotion happen, and the one that takes it back."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import EnvironmentPromotion, ReceiptStatus
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import EnvironmentRow
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import PlanStale, RollbackRefused
from wisqu_pipelines.promotion.content import row_hash, row_image, row_values
from wisqu_pipelines.promotion.models import Effect, Promotion
from wisqu_pipelines.promotion.plan import PlannedItem
from wisqu_pipelines.promotion.planner import references_of, twin_state
from wisqu_pipelines.promotion.staging import Staging
from wisqu_pipelines.promotion.types import TYPES, PromotableType

ROWS_AT_ONCE = 500
"""Rows read, or written in one statement."""


def receipt(session: Session, promotion_id: UUID, status: ReceiptStatus) -> EnvironmentPromotion | None:
    """The target's own word on a promotion. Waits for a publishing transaction that is still open."""
    _exclusive(session, promotion_id)
    return session.scalar(
        select(EnvironmentPromotion).where(
            EnvironmentPromotion.promotion_id == promotion_id, EnvironmentPromotion.status == status
        )
    )


def publish(
    session: Session,
    promotion: Promotion,
    items: Sequence[PlannedItem],
    source_rows: Mapping[tuple[str, UUID], EnvironmentRow],
    staging: Staging,
    about: EnvironmentPromotion,
) -> None:
    """Write the items' rows, and the receipt with their before-images, in the caller's transaction.

    Args:
        session: A transaction in the target.
        promotion: The promotion, whose claim the caller guards.
        items: Every item of the plan that goes or stands there already, in the order in which it is written.
        source_rows: The source's rows by item; only those of items that move are read.
        staging: Knows the keys of the staged files.
        about: The receipt, with everything but the items.

    Raises:
        PlanStale: a row in the source or in the target is not what was planned.
    """
    _exclusive(session, promotion.id)
    moving = [item for item in items if item.moves]
    targets = {item.key: item.target_id for item in items}
    images: dict[str, list[dict[str, Any]]] = {}
    created: dict[str, list[str]] = {}
    for kind, members in _by_kind(moving):
        before = _lock_twins(session, promotion, kind, members)
        if before:
            images[kind.name] = [row_image(row) for row in before]
        new: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        for item in members:
            values = _values(kind, promotion, item, source_rows[item.key], targets, staging, about)
            (new if item.effect == Effect.CREATE else changed).append(values)
        created[kind.name] = [str(values["id"]) for values in new]
        if new:
            session.execute(insert(kind.model), new)
        if changed:
            session.execute(update(kind.model), changed)
    about.items_promoted = {
        "promoted_ids": [str(item.target_id) for item in moving],
        "source_ids": [str(item.source_id) for item in moving],
        "total_count": len(moving),
    }
    about.rollback_data = {
        "created_item_ids": [each for ids in created.values() for each in ids],
        "created": created,
        "before_images": images,
    }
    append(session, about)


def unpublish(
    session: Session, promotion: Promotion, items: Sequence[PlannedItem], staging: Staging, at: datetime
) -> EnvironmentPromotion:
    """Put the target's rows back as they stood before, and write that down, in the caller's transaction.

    Returns:
        The receipt of the promotion that was taken back.

    Raises:
        RollbackRefused: an item is not what the promotion brought any more, or other rows refer to it.
    """
    _exclusive(session, promotion.id)
    original = session.scalars(
        select(EnvironmentPromotion).where(
            EnvironmentPromotion.promotion_id == promotion.id, EnvironmentPromotion.status == ReceiptStatus.SUCCESS
        )
    ).one()
    by_kind = _by_kind(items)
    troubles = [
        trouble for kind, members in by_kind for trouble in _not_as_arrived(session, promotion, kind, members, staging)
    ]
    if troubles:
        raise RollbackRefused(promotion_id=str(promotion.id), reason="; ".join(troubles))
    rollback_data = original.rollback_data or {}
    try:
        for kind, _ in reversed(by_kind):
            created = [UUID(each) for each in rollback_data["created"].get(kind.name, [])]
            for start in range(0, len(created), ROWS_AT_ONCE):
                session.execute(delete(kind.model).where(kind.model.id.in_(created[start : start + ROWS_AT_ONCE])))
        for kind, _ in by_kind:
            images = rollback_data["before_images"].get(kind.name, [])
            if images:
                session.execute(update(kind.model), [row_values(kind.model, image) for image in images])
        session.flush()
    except IntegrityError as error:
        raise RollbackRefused(
            promotion_id=str(promotion.id),
            reason=f"other rows in {promotion.target_environment} refer to what it brought",
        ) from error
    append(
        session,
        EnvironmentPromotion(
            promotion_id=promotion.id,
            promotion_type=promotion.promotion_type,
            source_environment=promotion.source_environment,
            target_environment=promotion.target_environment,
            items_promoted=original.items_promoted,
            status=ReceiptStatus.ROLLED_BACK,
            success_count=original.success_count,
            error_count=0,
            promoted_by_user_id=promotion.rollback_requested_by_user_id,
            reason=promotion.rollback_reason,
            plan_digest=promotion.plan_digest,
            approvals=[],
            occurred_at=at,
        ),
    )
    return original


def source_rows(
    source: Environment, promotion: Promotion, items: Sequence[PlannedItem]
) -> dict[tuple[str, UUID], EnvironmentRow]:
    """The source's rows of the items that move, proved to be what was planned.

    Raises:
        PlanStale: one is not.
    """
    found: dict[tuple[str, UUID], EnvironmentRow] = {}
    with source.database.snapshot() as session:
        for kind, members in _by_kind([item for item in items if item.moves]):
            for start in range(0, len(members), ROWS_AT_ONCE):
                chunk = members[start : start + ROWS_AT_ONCE]
                ids = [item.source_id for item in chunk]
                rows = {row.id: row for row in session.scalars(select(kind.model).where(kind.model.id.in_(ids)))}
                for item in chunk:
                    row = rows.get(item.source_id)
                    references = {column: getattr(row, column, None) for column in kind.belongs_to}
                    if row is None or row_hash(kind, row, references) != item.source_hashes.row:
                        raise _stale(promotion, item, f"is not what was planned in {source.name}")
                    found[item.key] = row
    return found


def _values(
    kind: PromotableType,
    promotion: Promotion,
    item: PlannedItem,
    row: EnvironmentRow,
    targets: Mapping[tuple[str, UUID], UUID],
    staging: Staging,
    about: EnvironmentPromotion,
) -> dict[str, Any]:
    """The columns of an item's row in the target."""
    arrived: dict[str, Any] = item.source_hashes.as_dict()
    own: dict[str, Any] = {}
    if kind.has_file:
        own["object_name"] = arrived["object_name"] = staging.object_name(item)
    if kind.has_vectors:
        own["vector_version"] = item.version(promotion.id)
        arrived["vector_version"] = str(own["vector_version"])
    return {
        "id": item.target_id,
        "environment": promotion.target_environment,
        **{column: getattr(row, column) for column in kind.content},
        **{column: targets[type_name, getattr(row, column)] for column, type_name in kind.belongs_to.items()},
        **own,
        "is_test_data": False,
        "test_data_reason": None,
        "is_promotable": False,
        "promotion_status": PromotionStatus.DRAFT,
        "source_id": item.source_id,
        "source_environment": promotion.source_environment,
        "promoted_at": about.occurred_at,
        "promoted_by_user_id": about.promoted_by_user_id,
        "promoted_hashes": arrived,
        "is_deleted": False,
        "deleted_at": None,
    }


def _lock_twins(
    session: Session, promotion: Promotion, kind: PromotableType, members: Sequence[PlannedItem]
) -> list[EnvironmentRow]:
    """The rows that will be updated, locked and proved to be what was planned; where one is created, none may stand."""
    rows: dict[UUID, EnvironmentRow] = {}
    for start in range(0, len(members), ROWS_AT_ONCE):
        ids = [item.source_id for item in members[start : start + ROWS_AT_ONCE]]
        found = session.scalars(
            select(kind.model)
            .where(kind.model.source_environment == promotion.source_environment, kind.model.source_id.in_(ids))
            .order_by(kind.model.id)
            .with_for_update()
        )
        rows.update({row.source_id: row for row in found if row.source_id})
    references = references_of(session, kind, list(rows.values()))
    for item in members:
        row = rows.get(item.source_id)
        state = twin_state(kind, row, references[row.id]) if row else None
        held = row is not None and row.promotion_status == PromotionStatus.PROMOTING
        if state != (dict(item.target_hashes) if item.target_hashes else None) or held:
            raise _stale(promotion, item, f"meets something else in {promotion.target_environment}")
    return list(rows.values())


def _not_as_arrived(
    session: Session, promotion: Promotion, kind: PromotableType, members: Sequence[PlannedItem], staging: Staging
) -> list[str]:
    """Why items cannot be taken back: a sentence for each that is not what the promotion brought."""
    rows: dict[UUID, EnvironmentRow] = {}
    for start in range(0, len(members), ROWS_AT_ONCE):
        ids = [item.target_id for item in members[start : start + ROWS_AT_ONCE]]
        found = session.scalars(
            select(kind.model).where(kind.model.id.in_(ids)).order_by(kind.model.id).with_for_update()
        )
        rows.update({row.id: row for row in found})
    references = references_of(session, kind, list(rows.values()))
    troubles = []
    for item in members:
        row = rows.get(item.target_id)
        reason = _why_not_as_arrived(promotion, item, kind, row, references[row.id], staging) if row else "it is gone"
        if reason:
            troubles.append(f"{item.item_type} '{item.label}' ({item.target_id}): {reason}")
    return troubles


def _why_not_as_arrived(
    promotion: Promotion,
    item: PlannedItem,
    kind: PromotableType,
    row: EnvironmentRow,
    references: Mapping[str, UUID | None],
    staging: Staging,
) -> str | None:
    arrived: dict[str, Any] = {"row": item.source_hashes.row}
    if kind.has_file:
        arrived["object_name"] = staging.object_name(item)
    if kind.has_vectors:
        arrived["vector_version"] = str(item.version(promotion.id))
    if row.is_deleted:
        return "it was deleted since"
    if row.promotion_status in {PromotionStatus.PROMOTING, PromotionStatus.PROMOTED}:
        return f"it was promoted on from {promotion.target_environment}; take that back first"
    if twin_state(kind, row, references) != arrived:
        return "it was edited since, or a later promotion updated it"
    return None


def _by_kind(items: Sequence[PlannedItem]) -> list[tuple[PromotableType, list[PlannedItem]]]:
    """Items by type, in the order in which they are written."""
    groups: dict[str, list[PlannedItem]] = defaultdict(list)
    for item in items:
        groups[item.item_type].append(item)
    return [(kind, groups[name]) for name, kind in TYPES.items() if name in groups]


def _stale(promotion: Promotion, item: PlannedItem, change: str) -> PlanStale:
    return PlanStale(
        promotion_id=str(promotion.id), changes=f"{item.item_type} '{item.label}' ({item.source_id}) {change}"
    )


def _exclusive(session: Session, promotion_id: UUID) -> None:
    """Let one transaction at a time speak about a promotion in this database, so that a commit whose reply was lost is
    over before anyone asks whether it happened.
    """
    key = int.from_bytes(hashlib.sha256(promotion_id.bytes).digest()[:8], "big", signed=True)
    session.execute(select(func.pg_advisory_xact_lock(key)))
