"""Hiding what a sweep has marked, and purging it when its grace time is over.

Rows go in batches that lock little and wait for nobody. A row goes first, and its vectors and file after it: a purge
that is interrupted leaves no row without its file, and its next run finds in the sweep's items what still lies in the
stores.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from functools import partial
from itertools import takewhile
from threading import Lock
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog import contents
from wisqu_pipelines.catalog.cached import cached_item
from wisqu_pipelines.catalog.contents import File, Vectors
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.database.bulk import among
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.holds.conditions import held
from wisqu_pipelines.ports.progress import Progress
from wisqu_pipelines.retention.kinds import KINDS, Kind
from wisqu_pipelines.retention.marking import Scope, goes
from wisqu_pipelines.retention.models import ItemState, Sweep, SweepItem
from wisqu_pipelines.side_by_side import side_by_side

AT_ONCE = 1_000
"""Rows of one transaction."""
CHANGED = "it was changed, held or promoted since it was marked, or somebody was writing it"
HIDING_AT_ONCE = 2
"""Batches of rows that are hidden at the same time."""
STORES_AT_ONCE = 2
"""Batches of each kind whose vectors or files are removed at the same time."""
TAKEN_BACK = "it was restored, or deleted by somebody else"


def hide(environment: Environment, sweep: Sweep, scope: Scope, progress: Progress) -> None:
    """Hide what is marked and still may go; and what is cached of it is dropped."""
    for kind in KINDS.values():
        batches = _batches(environment, sweep.id, kind)
        total = sum(batch.rows for batch in batches)
        hide_batch = partial(_hide_batch, environment, kind, _hidden(sweep, kind, scope))
        done = 0
        with closing(side_by_side(hide_batch, batches, HIDING_AT_ONCE)) as hidden:
            for batch in hidden:
                done += batch.rows
                progress(f"{kind.name} looked at and hidden", done, total)


def purge(environment: Environment, sweep: Sweep, scope: Scope, progress: Progress) -> None:
    """Purge what is hidden and not held: the rows kind by kind, and behind them, for all kinds at the same time, what
    lies in the stores for those that have gone. `progress` is told from several threads, one at a time.
    """
    purged = _Purged(environment, sweep.id, progress)
    with ThreadPoolExecutor(len(KINDS)) as threads:
        emptied: list[Future[None]] = []
        try:
            for kind in KINDS.values():
                for page in _pages(environment, sweep.id, kind, ItemState.MARKED):
                    gone = _delete_rows(environment, sweep, kind, scope, page)
                    if not _has_stores(kind):
                        purged.add(len(gone))
                if _has_stores(kind):
                    emptied.append(threads.submit(_empty_stores, environment, sweep.id, kind, purged))
            for each in emptied:
                each.result()
        except BaseException:
            purged.stop()  # between two pages: what is left is in the sweep's items, for the next run
            raise


class _Purged:
    """How far a purge is, for those who work on it at the same time."""

    def __init__(self, environment: Environment, sweep_id: UUID, progress: Progress) -> None:
        self._total = _left(environment, sweep_id)
        self._progress = progress
        self._count = 0
        self._one_at_a_time = Lock()
        self.is_stopped = False

    def add(self, count: int) -> None:
        with self._one_at_a_time:
            self._count += count
            self._progress("purged", self._count, self._total)

    def stop(self) -> None:
        self.is_stopped = True


def restore(session: Session, sweep: Sweep, items: Sequence[tuple[str, UUID]] | None, now: datetime) -> int:
    """Give hidden rows back, with what they are parts of; returns how many.

    Args:
        session: The transaction.
        sweep: Which sweep hid them.
        items: Types and ids, or None for all.
        now: When that is.
    """
    wanted = {name: None if items is None else [id_ for type_, id_ in items if type_ == name] for name in KINDS}
    given_back = 0
    for kind in KINDS.values():  # parts before what they are parts of
        ids = wanted[kind.name]
        conditions = [
            SweepItem.sweep_id == sweep.id,
            SweepItem.item_type == kind.name,
            SweepItem.state == ItemState.MARKED,
        ]
        if ids is not None:
            conditions.append(among(SweepItem.item_id, ids))
            for whole in KINDS.values():
                for part, column in whole.parts:
                    if part is kind.model:
                        parents = session.scalars(select(column).where(among(part.id, ids))).all()
                        wanted[whole.name] = [*(wanted[whole.name] or ()), *parents]
        hidden = select(SweepItem.item_id).where(*conditions)
        back = session.scalars(
            update(kind.model)
            .where(kind.model.id.in_(hidden), kind.model.is_deleted, kind.model.deleted_at == sweep.hidden_at)
            .values(is_deleted=False, deleted_at=None)
            .returning(kind.model.id)
            .execution_options(synchronize_session=False)
        ).all()
        _move(session, sweep.id, kind, back, ItemState.RESTORED, restored_at=now)
        given_back += len(back)
    return given_back


def _left(environment: Environment, sweep_id: UUID) -> int:
    """How many items a purge still has to do with."""
    wanted = select(func.count()).where(
        SweepItem.sweep_id == sweep_id, SweepItem.state.in_((ItemState.MARKED, ItemState.REMOVING))
    )
    with environment.database.begin() as session:
        return session.scalar(wanted) or 0


def _pages(environment: Environment, sweep_id: UUID, kind: Kind, state: ItemState) -> Iterator[Sequence[UUID]]:
    """The items of a kind in a state, by ids: those before the last ones are not looked at again."""
    wanted = (
        select(SweepItem.item_id)
        .where(SweepItem.sweep_id == sweep_id, SweepItem.item_type == kind.name, SweepItem.state == state)
        .order_by(SweepItem.item_id)
        .limit(AT_ONCE)
    )
    query = wanted
    while True:
        with environment.database.begin() as session:
            page = session.scalars(query).all()
        if not page:
            return
        yield page
        query = wanted.where(SweepItem.item_id > page[-1])


class _Batch(NamedTuple):
    """Items of a kind that are hidden in one transaction."""

    above: UUID
    last: UUID
    rows: int


def _batches(environment: Environment, sweep_id: UUID, kind: Kind) -> Sequence[_Batch]:
    """The batches of what is marked of a kind."""
    item_id = SweepItem.item_id
    numbered = (
        select(item_id, func.row_number().over(order_by=item_id).label("number"), func.count().over().label("all"))
        .where(SweepItem.sweep_id == sweep_id, SweepItem.item_type == kind.name, SweepItem.state == ItemState.MARKED)
        .subquery()
    )
    is_last = or_(numbered.c.number % AT_ONCE == 0, numbered.c.number == numbered.c.all)
    with environment.database.begin() as session:
        ends = session.execute(select(numbered.c.item_id, numbered.c.number).where(is_last).order_by("number")).all()
    starts = [(UUID(int=0), 0), *ends]
    return [_Batch(above, last, number - before) for (above, before), (last, number) in zip(starts, ends, strict=False)]


def _hidden(sweep: Sweep, kind: Kind, scope: Scope) -> Select[Any]:
    """A statement that hides the rows of the batch `above` to `last` that may still go; and the ids, in one text, of
    those that are hidden then. Those that an interrupted run has hidden are among them: perhaps it did not come to what
    is cached of them.
    """
    model = kind.model
    marked = (
        SweepItem.sweep_id == sweep.id,
        SweepItem.item_type == kind.name,
        SweepItem.state == ItemState.MARKED,
        SweepItem.item_id > bindparam("above", type_=Uuid()),
        SweepItem.item_id <= bindparam("last", type_=Uuid()),
    )
    listed = select(SweepItem.item_id).where(*marked).cte("listed")
    on_list = any_(func.array(select(listed.c.item_id).scalar_subquery()))  # looked up by the index, however many
    free = select(model.id).where(model.id == on_list, goes(kind, scope))
    hidden = (
        update(model)
        .where(model.id.in_(free.with_for_update(skip_locked=True, of=model)))
        .values(is_deleted=True, deleted_at=sweep.hidden_at)
        .returning(model.id)
        .cte("hidden")
    )
    left = select(listed.c.item_id).where(listed.c.item_id.not_in(select(hidden.c.id))).cte("left")
    on_left = any_(func.array(select(left.c.item_id).scalar_subquery()))
    hidden_before = (model.id == on_left, model.is_deleted, model.deleted_at == sweep.hidden_at)
    before = select(model.id).where(*hidden_before).cte("before")
    kept = (
        update(SweepItem)
        .where(*marked, SweepItem.item_id == on_left, SweepItem.item_id.not_in(select(before.c.id)))
        .values(state=ItemState.KEPT, detail=CHANGED)
        .cte("kept")
    )
    ours = union_all(select(hidden.c.id), select(before.c.id)).subquery()
    return select(func.string_agg(cast(ours.c.id, Text), literal(" "))).add_cte(kept)


def _hide_batch(environment: Environment, kind: Kind, hidden: Select[Any], batch: _Batch) -> _Batch:
    """Hide a batch, and drop what is cached of it."""
    with environment.database.begin() as session:
        ids = session.scalar(hidden, {"above": batch.above, "last": batch.last})
    if ids:
        environment.cache.delete(*(cached_item(kind.name, each) for each in ids.split(" ")))
    return batch


def _move(session: Session, sweep_id: UUID, kind: Kind, ids: Sequence[UUID], state: ItemState, **values: Any) -> None:
    if ids:
        session.execute(
            update(SweepItem)
            .where(SweepItem.sweep_id == sweep_id, SweepItem.item_type == kind.name, among(SweepItem.item_id, ids))
            .values(state=state, **values)
            .execution_options(synchronize_session=False)
        )


def _delete_rows(
    environment: Environment, sweep: Sweep, kind: Kind, scope: Scope, page: Sequence[UUID]
) -> Sequence[UUID]:
    """Delete the rows of a page that are still the sweep's; what cannot go now is tried again by the next run."""
    model = kind.model
    with environment.database.begin() as session:
        ours = (among(model.id, page), model.is_deleted, model.deleted_at == sweep.hidden_at)
        free = select(model.id).where(
            *ours,
            ~held(model, scope.now),
            model.promotion_status != PromotionStatus.PROMOTING,
            ~among(model.id, scope.in_promotions),
            *(~exists().where(column == model.id) for _, column in kind.parts),
        )
        gone = session.scalars(
            delete(model)
            .where(model.id.in_(free.with_for_update(skip_locked=True, of=model)))
            .returning(model.id)
            .execution_options(synchronize_session=False)
        ).all()
        _move(session, sweep.id, kind, gone, ItemState.REMOVING if _has_stores(kind) else ItemState.PURGED)
        left = session.scalars(select(model.id).where(*ours)).all()
        _move(session, sweep.id, kind, list({*page} - {*gone} - {*left}), ItemState.KEPT, detail=TAKEN_BACK)
        return gone


def _has_stores(kind: Kind) -> bool:
    return kind.model in {RagDocument, StoredFile}


def _empty_stores(environment: Environment, sweep_id: UUID, kind: Kind, purged: _Purged) -> None:
    """Remove the vectors and files of rows that are gone."""
    leaving = takewhile(lambda _: not purged.is_stopped, _pages(environment, sweep_id, kind, ItemState.REMOVING))
    for count in side_by_side(partial(_empty, environment, sweep_id, kind), leaving, STORES_AT_ONCE):
        purged.add(count)


def _empty(environment: Environment, sweep_id: UUID, kind: Kind, ids: Sequence[UUID]) -> int:
    """Remove the vectors and files of some such rows; returns how many there were."""
    wanted = select(
        SweepItem.collection, SweepItem.vector_version, SweepItem.points, SweepItem.bucket, SweepItem.object_name
    ).where(SweepItem.sweep_id == sweep_id, SweepItem.item_type == kind.name, among(SweepItem.item_id, ids))
    with environment.database.begin() as session:
        items = session.execute(wanted).all()
        named = _named_by_rows(session, {each.object_name for each in items if each.object_name})
    contents.remove(
        environment,
        [
            Vectors(each.collection, each.vector_version, each.points)
            for each in items
            if each.collection and each.vector_version
        ],
        [
            File(each.bucket, each.object_name)
            for each in items
            if each.bucket and each.object_name and each.object_name not in named
        ],
    )
    with environment.database.begin() as session:
        _move(session, sweep_id, kind, ids, ItemState.PURGED)
    return len(ids)


def _named_by_rows(session: Session, keys: set[str]) -> set[str]:
    return set(session.scalars(select(StoredFile.object_name).where(among(StoredFile.object_name, keys))))
