"""The one transaction in the target that makes a promotion happen. Rows go from database to database in bulk; Python
sees their ids and hashes, and never their content.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    Select,
    String,
    Text,
    Uuid,
    and_,
    bindparam,
    cast,
    false,
    func,
    insert,
    literal,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import EnvironmentPromotion, ReceiptStatus
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import PromotionBeforeImage
from wisqu_pipelines.database.bulk import among, as_table, copy_across, texts, uuids
from wisqu_pipelines.errors import PlanStale
from wisqu_pipelines.holds.conditions import held
from wisqu_pipelines.promotion.content import row_hash, standing
from wisqu_pipelines.promotion.models import MOVING, Effect, Step
from wisqu_pipelines.promotion.plan import PlannedItem
from wisqu_pipelines.promotion.sources import is_wanted
from wisqu_pipelines.promotion.staging import Staging
from wisqu_pipelines.promotion.standing import other_ways, ways
from wisqu_pipelines.promotion.types import TYPES, PromotableType
from wisqu_pipelines.promotion.work import Work, exclusive, one_publishes
from wisqu_pipelines.side_by_side import ahead

ROWS_AT_ONCE = 2_000
"""Rows written by one statement."""
IDS_IN_RECEIPT = 1_000
"""The receipt names so many rows; the plan, whose digest it carries, names them all."""


def receipt(session: Session, promotion_id: UUID) -> EnvironmentPromotion | None:
    """The target's own word on whether a promotion happened. Waits for a publishing transaction that is still open."""
    exclusive(session, promotion_id)
    return session.scalar(
        select(EnvironmentPromotion).where(
            EnvironmentPromotion.promotion_id == promotion_id, EnvironmentPromotion.status == ReceiptStatus.SUCCESS
        )
    )


def publish(work: Work, session: Session, staging: Staging, about: EnvironmentPromotion) -> None:
    """Write the rows of every item that moves and was not skipped, the before-images, and the receipt.

    Args:
        work: The promotion, whose claim the caller guards.
        session: A transaction in the target, which the caller ends.
        staging: Knows the keys of the staged files.
        about: The receipt, without the items.

    Raises:
        PlanStale: a row in the source or in the target is not what was planned.
    """
    exclusive(session, work.id)
    one_publishes(session)
    counts: dict[Effect, dict[str, int]] = {effect: {} for effect in MOVING}
    first: list[str] = []
    with work.route.source.database.snapshot() as here, ThreadPoolExecutor(1) as reading:
        for kind, page, arriving in ahead(_coming(work, staging, about), reading):
            _require_standing(work, session, kind, page, about.occurred_at)
            _require_no_other_way(work, here, session, kind, page)
            for effect, items, rows in arriving:
                written = (
                    copy_across(here, rows, session, kind.name, rows.selected_columns.keys())
                    if effect == Effect.CREATE
                    else _update(work.id, here, session, kind, items, rows)
                )
                if written != len(items):
                    _refuse(work, _changed(here, kind, items), work.route.source.name)
                counts[effect][kind.name] = counts[effect].get(kind.name, 0) + written
            first += [str(item.target_id) for item in page[: IDS_IN_RECEIPT - len(first)]]
    by_type = {name: sum(each.get(name, 0) for each in counts.values()) for name in TYPES}
    about.success_count = sum(by_type.values())
    about.items_promoted = {
        "promoted_ids": first,
        "total_count": about.success_count,
        "by_type": {name: count for name, count in by_type.items() if count},
    }
    about.rollback_data = {
        "created": counts[Effect.CREATE],
        "updated": counts[Effect.UPDATE],
        "images_digest": images_digest(session, work.id),
    }
    append(session, about)


def _coming(
    work: Work, staging: Staging, about: EnvironmentPromotion
) -> Iterator[tuple[PromotableType, list[PlannedItem], list[tuple[Effect, list[PlannedItem], Select[Any]]]]]:
    """The items that move and were not skipped, in pages of one type; with the queries that bring their rows."""
    for page in work.ledger.items.pages(work.id, effects=MOVING, not_passed=(Step.SKIPPED,), size=ROWS_AT_ONCE):
        kind = TYPES[page[0].item_type]
        parts = [(effect, [item for item in page if item.effect == effect]) for effect in MOVING]
        yield (
            kind,
            page,
            [(effect, items, _arriving(work, kind, items, staging, about)) for effect, items in parts if items],
        )


def images_digest(session: Session, promotion_id: UUID) -> str | None:
    """SHA-256 (hex) over the hashes of a promotion's before-images, in the order of type and id; None if there are
    none.
    """
    hashed = func.encode(func.sha256(func.convert_to(cast(PromotionBeforeImage.image, Text), "UTF8")), "hex")
    order: Any = aggregate_order_by(
        literal_column("''"), PromotionBeforeImage.item_type, PromotionBeforeImage.target_id
    )
    together: ColumnElement[str | None] = func.encode(
        func.sha256(func.convert_to(func.string_agg(hashed, order), "UTF8")), "hex"
    )
    return session.scalars(select(together).where(PromotionBeforeImage.promotion_id == promotion_id)).one()


def _changed(here: Session, kind: PromotableType, items: Sequence[PlannedItem]) -> Sequence[PlannedItem]:
    """The items whose rows in the source are not what was planned."""
    table = kind.table
    hashes = select(table.c.id, row_hash(kind, table, twin=False)).where(
        among(table.c.id, [item.source_id for item in items]), is_wanted(table)
    )
    found = {id_: hashed for id_, hashed in here.execute(hashes)}  # noqa: C416  (rows are not tuples to the type checker)
    return [item for item in items if found.get(item.source_id) != item.source_hashes.row]


def _require_standing(
    work: Work, there: Session, kind: PromotableType, page: Sequence[PlannedItem], at: datetime
) -> None:
    """What stands in the target is what was planned, and stays so: where a row is created, none may stand, and one that
    was deleted, marked as test data or put under a legal hold since is not written over.
    """
    table = kind.table
    is_free = and_(is_wanted(table), table.c.promotion_status != PromotionStatus.PROMOTING, ~held(kind.model, at))
    twins = select(table.c.source_id, standing(kind, table).label("standing"), is_free.label("is_free")).where(
        table.c.source_environment == work.promotion.source_environment,
        among(table.c.source_id, [item.source_id for item in page]),
    )
    found = {row.source_id: row for row in there.execute(twins.order_by(table.c.id).with_for_update(of=table))}

    def differs(item: PlannedItem) -> bool:
        row = found.get(item.source_id)
        if row is None or item.target_hashes is None:
            return row is not None or item.target_hashes is not None
        return bool(row.standing != item.target_hashes or not row.is_free)

    if changed := [item for item in page if differs(item)]:
        _refuse(work, changed, work.route.target.name)


def _require_no_other_way(
    work: Work, here: Session, there: Session, kind: PromotableType, page: Sequence[PlannedItem]
) -> None:
    """What is created has not come another way since the plan was checked: it would be there twice."""
    new = {str(item.source_id): item for item in page if item.effect == Effect.CREATE}
    table = kind.table
    came = select(cast(table.c.id, Text), table.c.source_environment, cast(table.c.source_id, Text)).where(
        among(table.c.id, new), table.c.source_id.is_not(None)
    )
    sources = {id_: (place, source_id) for id_, place, source_id in here.execute(came)}
    by_way = ways(kind, new, sources, work.route.between)
    if arrived := [new[item_id] for item_id, _, _ in other_ways(there, kind, by_way)]:
        _refuse(work, arrived, work.route.target.name)


def _refuse(work: Work, changed: Sequence[PlannedItem], environment: str) -> NoReturn:
    named = [f"{each.item_type} '{each.label}' ({each.source_id})" for each in changed]
    raise PlanStale(
        promotion_id=str(work.id), changes=f"{'; '.join(named)}: not what was planned in {environment} any more"
    )


def _arriving(
    work: Work, kind: PromotableType, items: Sequence[PlannedItem], staging: Staging, about: EnvironmentPromotion
) -> Select[Any]:
    """A query in the source whose rows are what the items' rows in the target will be: of those that are what was
    planned, and of no others.
    """
    row = kind.table
    given = as_table("given", _given(work, kind, items, staging))
    columns: dict[str, ColumnElement[Any]] = {
        "id": given.c.target_id,
        "environment": cast(literal(work.promotion.target_environment), String),
        **{column: row.c[column] for column in kind.content},
        **{column: given.c[f"of_{column}"] for column in kind.belongs_to},
        "is_test_data": false(),
        "test_data_reason": cast(null(), String),
        "is_promotable": false(),
        "promotion_status": cast(literal(PromotionStatus.DRAFT.value), String),
        "source_id": row.c.id,
        "source_environment": cast(literal(work.promotion.source_environment), String),
        "promoted_at": cast(literal(about.occurred_at), DateTime(timezone=True)),
        "promoted_by_user_id": cast(literal(about.promoted_by_user_id), Uuid),
        "promoted_hashes": cast(given.c.arrived, JSONB),
        "held_by_promotion_id": cast(null(), Uuid),
        "is_deleted": cast(false(), Boolean),
        "deleted_at": cast(null(), DateTime(timezone=True)),
    }
    if kind.has_file:
        columns["object_name"] = cast(given.c.object_name, String)
    if kind.has_vectors:
        columns["vector_version"] = given.c.vector_version
    # Not by `=`, which Postgres may join by: it would hash every row of the table for each page.
    is_as_planned = row_hash(kind, row, twin=False).is_not_distinct_from(given.c.row_hash)
    wanted = (row.c.id == given.c.id, is_as_planned, is_wanted(row))
    return select(*(value.label(name) for name, value in columns.items())).where(*wanted)


def _given(
    work: Work, kind: PromotableType, items: Sequence[PlannedItem], staging: Staging
) -> Mapping[str, tuple[Any, Sequence[Any]]]:
    """What the source's database cannot know of the items."""
    names = [staging.names(kind, item) for item in items]
    given: dict[str, tuple[Any, Sequence[Any]]] = {
        "id": uuids([item.source_id for item in items]),
        "row_hash": texts([item.source_hashes.row for item in items]),
        "target_id": uuids([item.target_id for item in items]),
        "arrived": texts([to_json(_arrived(item, own)).decode() for item, own in zip(items, names, strict=True)]),
    }
    if kind.has_file:
        given["object_name"] = texts([own["object_name"] for own in names])
    if kind.has_vectors:
        given["vector_version"] = uuids([own["vector_version"] for own in names])
    for column, owner in kind.belongs_to.items():
        targets = work.ledger.items.targets(work.id, owner, {item.belongs_to[column] for item in items})
        given[f"of_{column}"] = uuids([targets[item.belongs_to[column]] for item in items])
    return given


def _arrived(item: PlannedItem, names: Mapping[str, str]) -> dict[str, str | None]:
    """What a row in the target says of the promotion that brought it: the hashes, and the names of file and vectors."""
    return {**item.source_hashes.as_dict(), **names}


def _update(
    promotion_id: UUID,
    here: Session,
    there: Session,
    kind: PromotableType,
    items: Sequence[PlannedItem],
    rows: Select[Any],
) -> int:
    table = kind.table
    whole: ColumnElement[Any] = func.to_jsonb(literal_column(table.name))
    images = select(literal(promotion_id), cast(literal(kind.name), String), table.c.id, whole).where(
        among(table.c.id, [item.target_id for item in items])
    )
    there.execute(insert(PromotionBeforeImage).from_select(["promotion_id", "item_type", "target_id", "image"], images))
    row = rows.subquery("arriving")
    whole = func.jsonb_agg(func.to_jsonb(literal_column(row.name)))
    count, arriving = here.execute(select(func.count(), cast(whole, Text)).select_from(row)).one()
    write_rows(there, kind, bindparam(None, arriving, type_=Text), rows.selected_columns.keys())
    return int(count)


def write_rows(there: Session, kind: PromotableType, rows: Any, columns: Sequence[str]) -> None:
    """Give rows that are there the columns of a `jsonb` array of rows.

    Args:
        there: The transaction.
        kind: The rows' type.
        rows: An expression that gives the array.
        columns: The columns that are set; `id` is among them.
    """
    table = kind.table
    row = func.jsonb_populate_recordset(literal_column(f"NULL::{table.name}"), cast(rows, JSONB)).table_valued(
        *(each.name for each in table.c), name="given_rows"
    )
    there.execute(
        update(table)
        .where(table.c.id == row.c.id)
        .values({name: row.c[name] for name in columns if name != "id"})
        .execution_options(synchronize_session=False)
    )
