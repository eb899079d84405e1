"""The source's rows while they are promoted: held, let go, marked."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, and_, cast, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.database.bulk import among
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import PlanStale
from wisqu_pipelines.promotion.plan import Named
from wisqu_pipelines.promotion.types import TYPES

Pages = Iterable[Sequence[Named]]
"""Items in pages of one type each."""


def hold(source: Environment, promotion_id: UUID, pages: Pages) -> None:
    """Put the items' rows to `promoting`, all of them or none, so that nobody else touches them meanwhile.

    Raises:
        PlanStale: a row has another status than when the plan was made, or was deleted or marked as test data since.
    """
    with source.database.begin() as session:
        for page in pages:
            table = TYPES[page[0].item_type].table
            held: set[UUID] = set()
            for status, ids in _by_status(page).items():
                found = session.scalars(
                    update(table)
                    .where(
                        among(table.c.id, ids),
                        or_(table.c.promotion_status == status, table.c.held_by_promotion_id == promotion_id),
                        is_wanted(table),
                    )
                    .values(
                        promotion_status=PromotionStatus.PROMOTING,
                        held_by_promotion_id=promotion_id,
                        updated_at=table.c.updated_at,
                    )
                    .returning(table.c.id)
                )
                held.update(found)
            if gone := sorted({item.source_id for item in page} - held):
                named = ", ".join(str(each) for each in gone)
                changes = f"{table.name} {named} changed in {source.name} just now"
                raise PlanStale(promotion_id=str(promotion_id), changes=changes)


def is_wanted(row: FromClause) -> ColumnElement[bool]:
    """Whether a row is neither deleted nor marked as test data. What an item's hashes cover says nothing of that, so
    whoever acts on a plan asks again.

    Args:
        row: The rows' table, or an alias of it.
    """
    return and_(~row.c.is_deleted, ~row.c.is_test_data)


def release(source: Environment, promotion_id: UUID, pages: Pages) -> None:
    """Let the rows go that the promotion holds, to the status that they had before; again, it changes nothing."""
    for page in pages:
        _set(source, page, None, TYPES[page[0].item_type].table.c.held_by_promotion_id == promotion_id)


def mark(source: Environment, promotion_id: UUID, page: Sequence[Named], audit: DeveloperAction | None = None) -> None:
    """Mark rows that the promotion holds as promoted; again, it changes nothing.

    Args:
        source: Where the rows are.
        promotion_id: The promotion that holds them.
        page: The items.
        audit: What is written down in the same transaction, unless it has been before.
    """
    held = TYPES[page[0].item_type].table.c.held_by_promotion_id == promotion_id
    _set(source, page, PromotionStatus.PROMOTED, held, audit)


def give_back(source: Environment, promotion_id: UUID, pages: Pages, audit: DeveloperAction) -> None:
    """After a rollback: rows that are still `promoted`, or held by it, get the status back that they had before."""
    for page in pages:
        table = TYPES[page[0].item_type].table
        ours = or_(table.c.promotion_status == PromotionStatus.PROMOTED, table.c.held_by_promotion_id == promotion_id)
        _set(source, page, None, ours, audit)


def _set(
    source: Environment,
    page: Sequence[Named],
    status: PromotionStatus | None,
    condition: ColumnElement[bool],
    audit: DeveloperAction | None = None,
) -> None:
    """Give rows a status, or None for what they had before, in one statement for each."""
    table = TYPES[page[0].item_type].table
    groups = {status.value: _ids(page)} if status else _by_status(page)
    with source.database.begin() as session:
        for given, ids in groups.items():
            session.execute(
                update(table)
                .where(among(table.c.id, ids), condition)
                .values(promotion_status=given, held_by_promotion_id=None, updated_at=table.c.updated_at)
            )
        if audit is not None and not _is_noted(session, audit):
            append(session, audit)


def _is_noted(session: Session, audit: DeveloperAction) -> bool:
    noted = select(DeveloperAction.id).where(
        DeveloperAction.action == audit.action, DeveloperAction.details == cast(audit.details, JSONB)
    )
    return session.scalars(noted.limit(1)).first() is not None


def _by_status(page: Sequence[Named]) -> dict[str, list[str]]:
    """The ids of a page's items, by the status that their rows had when the plan was made."""
    groups: dict[str, list[str]] = {}
    for status in sorted({item.source_status for item in page}):
        groups[status] = _ids([item for item in page if item.source_status == status])
    return groups


def _ids(page: Sequence[Named]) -> list[str]:
    """Sorted: two runs lock rows in one order. By a list and not by a join, which Postgres may begin with the rows
    that the promotion holds, if it believes that there are none, and compare each of them with every id.
    """
    return sorted(str(item.source_id) for item in page)
