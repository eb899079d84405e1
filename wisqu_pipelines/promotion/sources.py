"""The source's rows while they are promoted: held, let go, marked."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from sqlalchemy import or_, update

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import EnvironmentRow
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import PlanStale
from wisqu_pipelines.promotion.batches import chunks
from wisqu_pipelines.promotion.plan import PlannedItem
from wisqu_pipelines.promotion.types import TYPES

ROWS_AT_ONCE = 1_000
"""Rows in one statement."""


def hold(source: Environment, promotion_id: UUID, items: Iterable[PlannedItem]) -> None:
    """Put the items' rows to `promoting`, all of them or none, so that nobody else touches them meanwhile.

    Raises:
        PlanStale: a row has another status than when the plan was made.
    """
    with source.database.begin() as session:
        for model, status, ids in _groups(items):
            held = session.scalars(
                update(model)
                .where(
                    model.id.in_(ids),
                    or_(model.promotion_status == status, model.held_by_promotion_id == promotion_id),
                )
                .values(
                    promotion_status=PromotionStatus.PROMOTING,
                    held_by_promotion_id=promotion_id,
                    updated_at=model.updated_at,
                )
                .returning(model.id)
            ).all()
            if gone := sorted(set(ids) - set(held)):
                named = ", ".join(str(each) for each in gone)
                changes = f"{model.__tablename__} {named} changed in {source.name} just now"
                raise PlanStale(promotion_id=str(promotion_id), changes=changes)


def release(
    source: Environment,
    promotion_id: UUID,
    items: Iterable[PlannedItem],
    status: PromotionStatus | None = None,
    *,
    audit: DeveloperAction | None = None,
) -> None:
    """Let the rows go that the promotion holds, to `status` or to what they had before; again, it changes nothing.

    Args:
        source: Where the rows are.
        promotion_id: The promotion that holds them.
        items: The items.
        status: What they become, or None for what they were.
        audit: What to write down in the same transaction, if a row was let go.
    """
    with source.database.begin() as session:
        released = 0
        for model, before, ids in _groups(items):
            released += len(
                session.scalars(
                    update(model)
                    .where(model.id.in_(ids), model.held_by_promotion_id == promotion_id)
                    .values(promotion_status=status or before, held_by_promotion_id=None, updated_at=model.updated_at)
                    .returning(model.id)
                ).all()
            )
        if audit is not None and released:
            append(session, audit)


def give_back(source: Environment, items: Iterable[PlannedItem], audit: DeveloperAction) -> None:
    """After a rollback: rows that are still `promoted` get the status back that they had before."""
    with source.database.begin() as session:
        given = 0
        for model, before, ids in _groups(items):
            given += len(
                session.scalars(
                    update(model)
                    .where(model.id.in_(ids), model.promotion_status == PromotionStatus.PROMOTED)
                    .values(promotion_status=before, updated_at=model.updated_at)
                    .returning(model.id)
                ).all()
            )
        if given:
            append(session, audit)


def _groups(items: Iterable[PlannedItem]) -> Iterator[tuple[type[EnvironmentRow], str, Sequence[UUID]]]:
    """The items' ids by table and status, cut into statements; sorted, so that two runs lock rows in one order."""
    groups: dict[tuple[str, str], list[UUID]] = defaultdict(list)
    for item in items:
        groups[item.item_type, item.source_status].append(item.source_id)
    for (name, status), ids in sorted(groups.items()):
        for chunk in chunks(sorted(ids), ROWS_AT_ONCE):
            yield TYPES[name].model, status, chunk
