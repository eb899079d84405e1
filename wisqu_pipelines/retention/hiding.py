"""Hiding what a sweep has marked, and giving it back."""

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Text, cast, func, literal, select, union_all, update
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.cached import cached_item
from wisqu_pipelines.database.bulk import among, among_found
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.ports.progress import Progress
from wisqu_pipelines.retention.batches import Batch, batches, items_of_batch
from wisqu_pipelines.retention.kinds import KINDS, Kind
from wisqu_pipelines.retention.marking import Scope, goes
from wisqu_pipelines.retention.models import ItemState, Sweep, SweepItem
from wisqu_pipelines.side_by_side import side_by_side

BATCHES_AT_ONCE = 2
CHANGED = "it was changed, held or promoted since it was marked, or somebody was writing it"


def hide(environment: Environment, sweep: Sweep, scope: Scope, progress: Progress) -> None:
    """Hide what is marked and still may go; and what is cached of it is dropped."""
    for kind in KINDS.values():
        listed = batches(environment.database, sweep.id, kind, ItemState.MARKED)
        total = sum(batch.rows for batch in listed)
        hide_batch = partial(_hide_batch, environment, kind, _hidden(sweep, kind, scope))
        done = 0
        with closing(side_by_side(hide_batch, listed, BATCHES_AT_ONCE)) as hidden:
            for batch in hidden:
                done += batch.rows
                progress(f"{kind.name} looked at and hidden", done, total)


def restore(session: Session, sweep: Sweep, items: Sequence[tuple[str, UUID]] | None, now: datetime | None) -> int:
    """Give hidden rows back, with what they are parts of; returns how many.

    Args:
        session: The transaction.
        sweep: Which sweep hid them.
        items: Types and ids, or None for all.
        now: When a person took them back, which keeps them for a while; None: nobody did.
    """
    if sweep.hidden_at is None:
        return 0
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
        session.execute(
            update(SweepItem)
            .where(SweepItem.sweep_id == sweep.id, SweepItem.item_type == kind.name, among(SweepItem.item_id, back))
            .values(state=ItemState.RESTORED, restored_at=now)
            .execution_options(synchronize_session=False)
        )
        given_back += len(back)
    return given_back


def call_off(session: Session, sweep: Sweep, now: datetime) -> None:
    """Give back what a sweep has not hidden yet, as if it had."""
    session.execute(
        update(SweepItem)
        .where(SweepItem.sweep_id == sweep.id, SweepItem.state == ItemState.MARKED)
        .values(state=ItemState.RESTORED, restored_at=now)
        .execution_options(synchronize_session=False)
    )


def _hidden(sweep: Sweep, kind: Kind, scope: Scope) -> Select[Any]:
    """A statement that hides the rows of a batch that may still go; it returns the ids, in one text, of those that are
    hidden then. Those that an interrupted run has hidden are among them: perhaps it did not come to what is cached of
    them.
    """
    model, marked = kind.model, items_of_batch(sweep.id, kind, ItemState.MARKED)
    listed = select(SweepItem.item_id).where(*marked).cte("listed")
    free = select(model.id).where(among_found(model.id, select(listed.c.item_id)), goes(kind, scope))
    hidden = (
        update(model)
        .where(model.id.in_(free.with_for_update(skip_locked=True, of=model)))
        .values(is_deleted=True, deleted_at=sweep.hidden_at)
        .returning(model.id)
        .cte("hidden")
    )
    left = select(listed.c.item_id).where(listed.c.item_id.not_in(select(hidden.c.id))).cte("left")
    ids_left = select(left.c.item_id)
    hidden_before = (among_found(model.id, ids_left), model.is_deleted, model.deleted_at == sweep.hidden_at)
    before = select(model.id).where(*hidden_before).cte("before")
    kept = (
        update(SweepItem)
        .where(*marked, among_found(SweepItem.item_id, ids_left), SweepItem.item_id.not_in(select(before.c.id)))
        .values(state=ItemState.KEPT, detail=CHANGED)
        .cte("kept")
    )
    ours = union_all(select(hidden.c.id), select(before.c.id)).subquery()
    return select(func.string_agg(cast(ours.c.id, Text), literal(" "))).add_cte(kept)


def _hide_batch(environment: Environment, kind: Kind, hidden: Select[Any], batch: Batch) -> Batch:
    """Hide a batch, and drop what is cached of it."""
    with environment.database.begin() as session:
        ids = session.scalar(hidden, batch.span)
    if ids:
        environment.cache.delete(*(cached_item(kind.name, each) for each in ids.split(" ")))
    return batch
