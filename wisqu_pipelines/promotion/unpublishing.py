"""The one transaction in the target that takes a promotion back, or a part of it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import EnvironmentPromotion, ReceiptStatus
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import PromotionBeforeImage
from wisqu_pipelines.database.bulk import among
from wisqu_pipelines.errors import RollbackRefused
from wisqu_pipelines.holds.conditions import held
from wisqu_pipelines.promotion import differing
from wisqu_pipelines.promotion.content import standing
from wisqu_pipelines.promotion.differing import Standing
from wisqu_pipelines.promotion.ledger import Ledger
from wisqu_pipelines.promotion.models import MOVING, Effect, Promotion, Step
from wisqu_pipelines.promotion.plan import PlannedItem
from wisqu_pipelines.promotion.publishing import IDS_IN_RECEIPT, ROWS_AT_ONCE, images_digest, receipt, write_rows
from wisqu_pipelines.promotion.staging import Staging
from wisqu_pipelines.promotion.types import TYPES, PromotableType
from wisqu_pipelines.promotion.work import exclusive

TROUBLES_NAMED = 10
"""A refusal names so many of the items that stand in the way, and counts the others."""


@dataclass(frozen=True)
class Scope:
    """What a rollback takes back: of a promotion's items those that it wrote and no earlier rollback took back."""

    promotion: Promotion
    ledger: Ledger
    staging: Staging
    only: Collection[UUID] | None
    """Source ids, or None for all."""

    def pages(
        self, *, kinds: Sequence[str] = tuple(TYPES), effects: Sequence[Effect] = MOVING
    ) -> Iterator[list[PlannedItem]]:
        """Its items, in pages of one type."""
        return self.ledger.items.pages(
            self.promotion.id,
            kinds=kinds,
            effects=effects,
            not_passed=(Step.SKIPPED, Step.ROLLED_BACK),
            only=self.only,
            size=ROWS_AT_ONCE,
        )

    def amounts(self) -> dict[str, dict[str, int]]:
        """Items, bytes and points by type."""
        return self.ledger.items.amounts(self.promotion.id, not_passed=(Step.SKIPPED, Step.ROLLED_BACK), only=self.only)


def rolled_back(session: Session, promotion: Promotion) -> EnvironmentPromotion | None:
    """The target's own word on whether the rollback that was asked for last has happened."""
    exclusive(session, promotion.id)
    return session.scalar(
        select(EnvironmentPromotion).where(
            EnvironmentPromotion.rollback_id == promotion.rollback_id, EnvironmentPromotion.promotion_id == promotion.id
        )
    )


def unpublish(session: Session, scope: Scope, at: datetime) -> EnvironmentPromotion:
    """Put the target's rows back as they stood before, and write that down, in the caller's transaction.

    Returns:
        The line that was written down.

    Raises:
        RollbackRefused: an item is held or not what the promotion brought any more, other rows refer to it, or what it
            was before is not known any more.
    """
    promotion = scope.promotion
    original = receipt(session, promotion.id)
    if original is None:
        raise _refused(promotion, f"{promotion.target_environment} has no receipt of it")
    if (original.rollback_data or {}).get("images_digest") != images_digest(session, promotion.id):
        raise _refused(promotion, "its before-images are not those that its receipt tells of")
    refuse(promotion, in_the_way(session, scope, at))
    counts: dict[str, int] = {}
    first: list[str] = []
    try:
        for page in scope.pages(kinds=tuple(reversed(tuple(TYPES))), effects=(Effect.CREATE,)):
            table = TYPES[page[0].item_type].table
            session.execute(delete(table).where(among(table.c.id, [item.target_id for item in page])))
            _counted(counts, first, page)
        for page in scope.pages(effects=(Effect.UPDATE,)):
            _restore(session, promotion, TYPES[page[0].item_type], page)
            _counted(counts, first, page)
        session.flush()
    except IntegrityError as error:
        reason = f"other rows in {promotion.target_environment} refer to what it brought"
        raise _refused(promotion, reason) from error
    about = EnvironmentPromotion(
        promotion_id=promotion.id,
        rollback_id=promotion.rollback_id,
        promotion_type=promotion.promotion_type,
        source_environment=promotion.source_environment,
        target_environment=promotion.target_environment,
        items_promoted={"promoted_ids": first, "total_count": sum(counts.values()), "by_type": counts},
        status=ReceiptStatus.ROLLED_BACK,
        success_count=sum(counts.values()),
        error_count=0,
        promoted_by_user_id=promotion.rollback_requested_by_user_id,
        reason=promotion.rollback_reason,
        plan_digest=promotion.plan_digest,
        approvals=[],
        occurred_at=at,
    )
    append(session, about)
    return about


def refuse(promotion: Promotion, troubles: Iterator[str]) -> None:
    """Refuse a rollback if anything stands in its way.

    Args:
        promotion: What is to be taken back.
        troubles: What stands in the way, a sentence each; all of it is counted.

    Raises:
        RollbackRefused: something does; the first of it is named.
    """
    if first := list(islice(troubles, TROUBLES_NAMED)):
        more = sum(1 for _ in troubles)
        raise _refused(promotion, "; ".join([*first, *([f"and {more} more"] if more else [])]))


def in_the_way(session: Session, scope: Scope, at: datetime) -> Iterator[str]:
    """Why items cannot be taken back: a sentence for each that is held or was changed since. Locks the others.

    A row that reading back found to be another one, or to be missing, goes back as long as it is what was found then:
    that is why it goes back, and nobody's work.
    """
    for page in scope.pages():
        kind = TYPES[page[0].item_type]
        ids = [item.target_id for item in page]
        found = {
            row.id: row
            for row in session.execute(
                select(
                    kind.table.c.id,
                    kind.table.c.is_deleted,
                    kind.table.c.promotion_status,
                    standing(kind, kind.table).label("standing"),
                    held(kind.model, at).label("is_held"),
                )
                .where(among(kind.table.c.id, ids))
                .order_by(kind.table.c.id)
                .with_for_update(of=kind.table)
            )
        }
        seen: Mapping[UUID, Standing | None] | None = None
        later: dict[UUID, UUID] | None = None
        for item in page:
            row = found.get(item.target_id)
            reason = _why_not(scope, kind, item, row)
            if reason in {_EDITED, _GONE}:
                seen = differing.seen(scope.ledger, scope.promotion.id, page) if seen is None else seen
                stood = None if row is None else row.standing
                may_go = row is not None or item.effect == Effect.CREATE
                if may_go and item.source_id in seen and seen[item.source_id] == stood:
                    continue
            if reason == _EDITED:
                later = _updated_later(session, scope.promotion, kind, ids) if later is None else later
                if by := later.get(item.target_id):
                    reason = f"the promotion {by} updated it since; take that back first"
            if reason:
                yield f"{item.item_type} '{item.label}' ({item.target_id}): {reason}"


_GONE = "it is gone"
_EDITED = "it was edited since"


def _why_not(scope: Scope, kind: PromotableType, item: PlannedItem, row: Any) -> str | None:
    target = scope.promotion.target_environment
    if row is None:
        return _GONE
    if row.is_deleted:
        return "it was deleted since"
    if row.is_held:
        return "a legal hold is on it"
    if row.promotion_status in {PromotionStatus.PROMOTING, PromotionStatus.PROMOTED}:
        return f"it was promoted on from {target}; take that back first"
    return None if row.standing == differing.brought(kind, item, scope.staging) else _EDITED


def _updated_later(
    session: Session, promotion: Promotion, kind: PromotableType, ids: Sequence[UUID]
) -> dict[UUID, UUID]:
    """The promotions that updated these rows last and were not taken back, by the rows' ids."""
    rows = session.execute(
        select(PromotionBeforeImage.target_id, PromotionBeforeImage.promotion_id)
        .join(EnvironmentPromotion, EnvironmentPromotion.promotion_id == PromotionBeforeImage.promotion_id)
        .where(
            PromotionBeforeImage.item_type == kind.name,
            among(PromotionBeforeImage.target_id, ids),
            PromotionBeforeImage.promotion_id != promotion.id,
            PromotionBeforeImage.restored_by.is_(None),
            EnvironmentPromotion.status == ReceiptStatus.SUCCESS,
        )
        .order_by(EnvironmentPromotion.sequence)
    )
    return {row.target_id: row.promotion_id for row in rows}


def written_columns(kind: PromotableType) -> list[str]:
    """The columns of a before-image that a rollback gives back: those that a promotion writes over. What is counted in
    the target itself, whose a row is there, and what was said of it since as test data, is the target's own.
    """
    own = ["environment", *kind.content, *kind.belongs_to]
    own += ["object_name"] * kind.has_file + ["vector_version"] * kind.has_vectors
    return [*own, *_OF_THE_PROMOTION]


_OF_THE_PROMOTION = (
    "is_promotable",
    "promotion_status",
    "source_id",
    "source_environment",
    "promoted_at",
    "promoted_by_user_id",
    "promoted_hashes",
    "held_by_promotion_id",
    "updated_at",
)


def _restore(session: Session, promotion: Promotion, kind: PromotableType, page: Sequence[PlannedItem]) -> None:
    images = (
        PromotionBeforeImage.promotion_id == promotion.id,
        PromotionBeforeImage.item_type == kind.name,
        among(PromotionBeforeImage.target_id, [item.target_id for item in page]),
    )
    count = session.scalars(select(func.count()).select_from(PromotionBeforeImage).where(*images)).one()
    if count != len(page):
        raise _refused(promotion, f"{len(page) - count} before-images of {kind.name} are gone")
    together = select(func.jsonb_agg(PromotionBeforeImage.image, type_=JSONB)).where(*images).scalar_subquery()
    write_rows(session, kind, together, written_columns(kind))
    table = kind.table
    session.execute(
        update(table)
        .where(among(table.c.id, [item.target_id for item in page]), table.c.is_test_data)
        .values(is_promotable=False, promotion_status=PromotionStatus.DRAFT, updated_at=table.c.updated_at)
    )
    session.execute(update(PromotionBeforeImage).where(*images).values(restored_by=promotion.rollback_id))


def _counted(counts: dict[str, int], first: list[str], page: Sequence[PlannedItem]) -> None:
    counts[page[0].item_type] = counts.get(page[0].item_type, 0) + len(page)
    first += [str(item.target_id) for item in page[: IDS_IN_RECEIPT - len(first)]]


def _refused(promotion: Promotion, reason: str) -> RollbackRefused:
    return RollbackRefused(promotion_id=str(promotion.id), reason=reason)
