"""Purging what a sweep has hidden, when its grace time is over.

A row goes first, and its vectors and file after it: a purge that is interrupted leaves no row without its file, and its
next run finds in the sweep's items what still lies in the stores.
"""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from threading import Lock
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, case, delete, exists, func, null, or_, select, update
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog import contents
from wisqu_pipelines.catalog.contents import File, Vectors
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.database.bulk import among, among_found
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.holds.conditions import held
from wisqu_pipelines.ports.progress import Progress
from wisqu_pipelines.retention.batches import Batch, batches, items_of_batch
from wisqu_pipelines.retention.kinds import KINDS, Kind
from wisqu_pipelines.retention.marking import HELD, PROMOTING, Scope
from wisqu_pipelines.retention.models import ItemState, Sweep, SweepItem

STORES_AT_ONCE = 2
"""Batches of each kind whose vectors or files are removed at the same time."""
TAKEN_BACK = "it was restored, or deleted by somebody else"


def purge(environment: Environment, sweep: Sweep, scope: Scope, progress: Progress) -> None:
    """Purge what is hidden and not held: the rows batch by batch, and behind them, for all kinds at the same time, what
    lies in the stores for those that have gone. `progress` is told from several threads, one at a time.
    """
    purged = _Purged(environment, sweep.id, progress)
    emptied: deque[Future[None]] = deque()
    with ExitStack() as pools:
        try:
            for kind in KINDS.values():
                pool = pools.enter_context(ThreadPoolExecutor(STORES_AT_ONCE))
                gone = _gone(sweep, kind, scope)
                for batch in batches(environment.database, sweep.id, kind, ItemState.MARKED, ItemState.REMOVING):
                    with environment.database.begin() as session:
                        count = session.scalar(gone, batch.span)
                    if _has_stores(kind):
                        emptied.append(pool.submit(_empty, environment, sweep.id, kind, batch, purged))
                    else:
                        purged.add(count or 0)
                    while emptied and emptied[0].done():
                        emptied.popleft().result()
            for each in emptied:
                each.result()
        except BaseException:
            for each in emptied:  # what has begun ends; what is left is in the sweep's items, for the next run
                each.cancel()
            raise


def hindrances(kind: Kind, scope: Scope) -> Sequence[tuple[ColumnElement[bool], str]]:
    """What keeps a hidden row from its purge, besides parts that stay, and what people are told of it."""
    model = kind.model
    return [
        (held(model, scope.now), HELD),
        (model.promotion_status == PromotionStatus.PROMOTING, PROMOTING),
        (among(model.id, scope.in_promotions), PROMOTING),
    ]


class _Purged:
    """How far a purge is, for those who work on it at the same time."""

    def __init__(self, environment: Environment, sweep_id: UUID, progress: Progress) -> None:
        wanted = select(func.count()).where(
            SweepItem.sweep_id == sweep_id, SweepItem.state.in_((ItemState.MARKED, ItemState.REMOVING))
        )
        with environment.database.begin() as session:
            self._total = session.scalar(wanted) or 0
        self._progress = progress
        self._count = 0
        self._one_at_a_time = Lock()

    def add(self, count: int) -> None:
        with self._one_at_a_time:
            self._count += count
            self._progress("purged", self._count, self._total)


def _gone(sweep: Sweep, kind: Kind, scope: Scope) -> Select[Any]:
    """A statement that deletes the rows of a batch that are still the sweep's; it returns how many. What cannot go now
    is tried again by the next run.
    """
    model, marked = kind.model, items_of_batch(sweep.id, kind, ItemState.MARKED)
    listed = select(SweepItem.item_id).where(*marked).cte("listed")
    ours = (among_found(model.id, select(listed.c.item_id)), model.is_deleted, model.deleted_at == sweep.hidden_at)
    free = select(model.id).where(
        *ours,
        *(~condition for condition, _ in hindrances(kind, scope)),
        *(~exists().where(column == model.id) for _, column in kind.parts),
    )
    rows = delete(model).where(model.id.in_(free.with_for_update(skip_locked=True, of=model))).returning(model.id)
    gone = rows.cte("gone")
    is_gone = SweepItem.item_id.in_(select(gone.c.id))
    is_ours = SweepItem.item_id.in_(select(model.id).where(*ours))
    moved = (
        update(SweepItem)
        .where(*marked, or_(is_gone, ~is_ours))
        .values(
            state=case((is_gone, ItemState.REMOVING if _has_stores(kind) else ItemState.PURGED), else_=ItemState.KEPT),
            detail=case((is_gone, null()), else_=TAKEN_BACK),
        )
        .cte("moved")
    )
    return select(func.count()).select_from(gone).add_cte(moved)


def _has_stores(kind: Kind) -> bool:
    return kind.model in {RagDocument, StoredFile}


def _empty(environment: Environment, sweep_id: UUID, kind: Kind, batch: Batch, purged: _Purged) -> None:
    """Remove the vectors and files of a batch's rows that are gone."""
    removing = items_of_batch(sweep_id, kind, ItemState.REMOVING)
    wanted = select(
        SweepItem.collection, SweepItem.vector_version, SweepItem.points, SweepItem.bucket, SweepItem.object_name
    ).where(*removing)
    with environment.database.begin() as session:
        items = session.execute(wanted, batch.span).all()
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
    done = update(SweepItem).where(*removing).values(state=ItemState.PURGED)
    with environment.database.begin() as session:
        session.execute(done.execution_options(synchronize_session=False), batch.span)
    purged.add(len(items))


def _named_by_rows(session: Session, keys: set[str]) -> set[str]:
    return set(session.scalars(select(StoredFile.object_name).where(among(StoredFile.object_name, keys))))
