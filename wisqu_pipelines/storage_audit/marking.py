"""Comparing what is listed with what is needed, and marking what is not."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    SQLColumnExpression,
    Text,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from wisqu_pipelines.catalog.models import StorageListing, StorageOrphan
from wisqu_pipelines.database.bulk import as_table
from wisqu_pipelines.storage_audit.containers import Container, Listed
from wisqu_pipelines.storage_audit.needs import listed_version
from wisqu_pipelines.storage_audit.report import Amount, Finding, Problem

FINDINGS_AT_ONCE = 1_000


class _Moment(TIMESTAMP):
    """A time with its zone, as a type that is made without arguments."""

    def __init__(self) -> None:
        super().__init__(timezone=True)


_COLUMNS: Mapping[str, tuple[type[TypeEngine[Any]], Any]] = {
    "store": (Text, None),
    "name": (Text, None),
    "document": (Text, ""),
    "bytes": (BigInteger, 0),
    "points": (BigInteger, 0),
    "visible": (BigInteger, 0),
    "modified_at": (_Moment, None),
}
"""What a listing is made of, with the value of what a store has not."""


@dataclass(frozen=True, slots=True)
class Marked:
    """What marking one container came to."""

    new: int
    unmarked: int


def join_whole_tables(session: Session) -> None:
    """Have this transaction's joins read each table once. Nobody has counted the listing for the planner (only the
    table's owner may), and taken for small it would be read again for every row.
    """
    session.execute(text("SET LOCAL enable_nestloop = off"))


def add_listed(session: Session, page: Sequence[Listed]) -> None:
    """Write down what is listed; what comes again is added to what stands there."""
    given = as_table(
        "given", {name: (kind, [each.get(name, empty) for each in page]) for name, (kind, empty) in _COLUMNS.items()}
    )
    statement = upsert(StorageListing).from_select(list(_COLUMNS), select(given))
    added = statement.excluded
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[StorageListing.store, StorageListing.name, StorageListing.document],
            set_={
                "points": StorageListing.points + added.points,
                "visible": StorageListing.visible + added.visible,
                "bytes": case((added.points > 0, StorageListing.bytes + added.bytes), else_=added.bytes),
            },
        )
    )


def find_orphans(session: Session, container: Container, expired: Sequence[UUID]) -> None:
    """Tell among what is listed what nothing needs.

    Args:
        session: A transaction in the environment's database.
        container: What is listed.
        expired: The promotions that can no longer be taken back.
    """
    name = StorageListing.name
    needs = (*container.needs(name, expired), listed_version(container.version(name)))
    session.execute(
        update(StorageListing)
        .where(StorageListing.store == container.store, *(~each for each in needs))
        .values(is_orphan=True)
        .execution_options(synchronize_session=False)
    )


def mark(session: Session, container: Container, now: datetime) -> Marked:
    """Mark the orphans, and take the marks from what is none any more, or gone.

    A mark is of one thing: what has been written again since, or has grown, begins its grace time anew.
    """
    own = (StorageOrphan.store == container.store, StorageOrphan.container == container.name)
    still = select(StorageListing.name).where(
        StorageListing.store == container.store, StorageListing.is_orphan, StorageListing.name == StorageOrphan.name
    )
    unmarked = session.execute(
        delete(StorageOrphan).where(*own, ~still.exists()).execution_options(synchronize_session=False)
    )
    orphans = (
        select(
            literal(container.store.value),
            literal(container.name),
            StorageListing.name,
            func.sum(StorageListing.bytes),
            func.sum(StorageListing.points),
            func.max(StorageListing.modified_at),
            literal(now),
        )
        .where(StorageListing.store == container.store, StorageListing.is_orphan, container.sweepable())
        .group_by(StorageListing.name)
    )
    columns = ["store", "container", "name", "bytes", "points", "modified_at", "first_seen_at"]
    statement = upsert(StorageOrphan).from_select(columns, orphans)
    given = statement.excluded
    is_another = or_(
        StorageOrphan.modified_at.is_distinct_from(given.modified_at),
        given.points > StorageOrphan.points,
        (given.points == 0) & (given.bytes != StorageOrphan.bytes),
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[StorageOrphan.store, StorageOrphan.container, StorageOrphan.name],
            set_={
                "bytes": given.bytes,
                "points": given.points,
                "modified_at": given.modified_at,
                "first_seen_at": case((is_another, given.first_seen_at), else_=StorageOrphan.first_seen_at),
                "swept_at": case((is_another, None), else_=StorageOrphan.swept_at),
            },
        )
    )
    new = session.scalar(select(func.count()).where(*own, StorageOrphan.first_seen_at == now))
    return Marked(new or 0, unmarked.rowcount)  # type: ignore[attr-defined]  # a DELETE's result counts its rows


def listed_amount(session: Session, container: Container) -> Amount:
    """How much is listed."""
    return _amount(session, StorageListing.store == container.store)


def orphans_amount(session: Session, container: Container) -> Amount:
    """How much of it nothing needs."""
    return _amount(session, StorageListing.store == container.store, StorageListing.is_orphan)


def due_amount(session: Session, container: Container, cutoff: datetime) -> Amount:
    """How much of it has been marked since `cutoff` or longer, or is being swept."""
    query = select(
        func.count(), func.coalesce(func.sum(StorageOrphan.bytes), 0), func.coalesce(func.sum(StorageOrphan.points), 0)
    ).where(StorageOrphan.store == container.store, StorageOrphan.container == container.name, is_due(cutoff))
    return _read(session, query)


def is_due(cutoff: datetime) -> ColumnElement[bool]:
    """Whether a mark's grace time is over, or its sweep has begun already."""
    return or_(StorageOrphan.first_seen_at <= cutoff, StorageOrphan.swept_at.is_not(None))


def orphans(session: Session, container: Container) -> Iterator[Finding]:
    """The orphans, by name, with the time since when each is marked."""
    mark_of = (
        select(StorageOrphan.first_seen_at)
        .where(
            StorageOrphan.store == container.store,
            StorageOrphan.container == container.name,
            StorageOrphan.name == StorageListing.name,
        )
        .scalar_subquery()
    )
    query = (
        select(
            StorageListing.name,
            func.sum(StorageListing.bytes),
            func.sum(StorageListing.points),
            func.sum(StorageListing.visible),
            mark_of,
            func.bool_and(container.sweepable()),
        )
        .where(StorageListing.store == container.store, StorageListing.is_orphan)
        .group_by(StorageListing.name)
        .order_by(StorageListing.name)
    )
    for name, size, points, visible, since, is_ours in session.execute(
        query.execution_options(yield_per=FINDINGS_AT_ONCE)
    ):
        sentence = _sentence(name, int(points), int(visible), is_ours=is_ours)
        yield Finding(
            Problem.ORPHAN,
            container.store,
            container.name,
            name,
            sentence,
            bytes=int(size),
            points=int(points),
            first_seen_at=since,
        )


def _sentence(name: str, points: int, visible: int, *, is_ours: bool) -> str:
    if not points:
        return f"object {name}: nothing needs it"
    if not is_ours:
        return f"points with the version '{name}': {points} of them, which this project did not write; they stay"
    seen = f", and readers find {visible} of them" if visible else ""
    return f"points of version {name}: nothing needs these {points}{seen}"


def _amount(session: Session, *conditions: SQLColumnExpression[bool]) -> Amount:
    query = select(
        func.count(StorageListing.name.distinct()),
        func.coalesce(func.sum(StorageListing.bytes), 0),
        func.coalesce(func.sum(StorageListing.points), 0),
    ).where(*conditions)
    return _read(session, query)


def _read(session: Session, query: Select[int, int, int]) -> Amount:
    return Amount(*(int(each) for each in session.execute(query).one()))
