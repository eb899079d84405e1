"""Hiding what a sweep has marked, and purging it when its grace time is over.

Rows go in batches that lock little and wait for nobody. A row goes first, and its vectors and file after it: a purge
that is interrupted leaves no row without its file, and its next run finds in the sweep's items what still lies in the
stores.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from uuid import UUID

from sqlalchemy import any_, case, delete, exists, func, null, select, update
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
STORES_AT_ONCE = 2
"""Batches whose vectors and files are removed, while the rows of the next ones go."""
TAKEN_BACK = "it was restored, or deleted by somebody else"


def hide(environment: Environment, sweep: Sweep, scope: Scope, progress: Progress) -> int:
    """Hide what is marked and still may go; returns how many rows."""
    hidden = 0
    left = _left(environment, sweep.id, ItemState.MARKED)
    for kind in KINDS.values():
        done = 0
        for page in _pages(environment, sweep.id, kind, ItemState.HIDDEN):
            _forget_cached(environment, kind, page)  # which an earlier run has hidden, and perhaps not come to
        last = UUID(int=0)
        while True:
            with environment.database.begin() as session:
                moved = _hide_page(session, sweep, kind, scope, last)
            if not moved:
                break
            last = max(moved)
            gone = [item_id for item_id, state in moved.items() if state == ItemState.HIDDEN]
            _forget_cached(environment, kind, gone)
            hidden += len(gone)
            done += len(moved)
            progress(f"{kind.name} looked at and hidden", done, left.get(kind.name, done))
    return hidden


def purge(environment: Environment, sweep: Sweep, scope: Scope, progress: Progress) -> None:
    """Purge what is hidden and not held."""
    gone: Counter[str] = Counter()
    left = _left(environment, sweep.id, ItemState.HIDDEN, ItemState.REMOVING)
    empty = partial(_empty_stores, environment, sweep.id)
    for kind, count in side_by_side(empty, _leaving(environment, sweep, scope), STORES_AT_ONCE):
        gone[kind.name] += count
        progress(f"{kind.name} purged", gone[kind.name], left.get(kind.name, gone[kind.name]))


def restore(session: Session, sweep: Sweep, items: Sequence[tuple[str, UUID]] | None) -> int:
    """Give hidden rows back, with what they are parts of; returns how many.

    Args:
        session: The transaction.
        sweep: Which sweep hid them.
        items: Types and ids, or None for all.
    """
    wanted = {name: None if items is None else [id_ for type_, id_ in items if type_ == name] for name in KINDS}
    given_back = 0
    for kind in KINDS.values():  # parts before what they are parts of
        ids = wanted[kind.name]
        conditions = [
            SweepItem.sweep_id == sweep.id,
            SweepItem.item_type == kind.name,
            SweepItem.state == ItemState.HIDDEN,
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
        _move(session, sweep.id, kind, back, ItemState.RESTORED)
        given_back += len(back)
    return given_back


def _left(environment: Environment, sweep_id: UUID, *states: ItemState) -> Mapping[str, int]:
    """How many items of each type are in these states."""
    wanted = select(SweepItem.item_type, func.count()).where(
        SweepItem.sweep_id == sweep_id, SweepItem.state.in_(states)
    )
    with environment.database.begin() as session:
        return {str(name): count for name, count in session.execute(wanted.group_by(SweepItem.item_type))}


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


def _hide_page(session: Session, sweep: Sweep, kind: Kind, scope: Scope, after: UUID) -> dict[UUID, str]:
    """Hide the rows of the next page that may still go, in one statement: what became of each item of the page."""
    of_sweep = (SweepItem.sweep_id == sweep.id, SweepItem.item_type == kind.name)
    page = (
        select(SweepItem.item_id)
        .where(*of_sweep, SweepItem.state == ItemState.MARKED, SweepItem.item_id > after)
        .order_by(SweepItem.item_id)
        .limit(AT_ONCE)
        .cte("page")
    )
    on_page = any_(func.array(select(page.c.item_id).scalar_subquery()))  # looked up by the index, however many
    free = select(kind.model.id).where(kind.model.id == on_page, goes(kind, scope))
    hidden = (
        update(kind.model)
        .where(kind.model.id.in_(free.with_for_update(skip_locked=True, of=kind.model)))
        .values(is_deleted=True, deleted_at=sweep.hidden_at)
        .returning(kind.model.id)
        .cte("hidden")
    )
    is_hidden = SweepItem.item_id.in_(select(hidden.c.id))
    moved = session.execute(
        update(SweepItem)
        .where(*of_sweep, SweepItem.item_id == on_page)
        .values(
            state=case((is_hidden, ItemState.HIDDEN), else_=ItemState.KEPT),
            detail=case((is_hidden, null()), else_=CHANGED),
        )
        .returning(SweepItem.item_id, SweepItem.state)
        .execution_options(synchronize_session=False)
    )
    return {item_id: state for item_id, state in moved}  # noqa: C416  (rows are not tuples to the type checker)


def _move(
    session: Session, sweep_id: UUID, kind: Kind, ids: Sequence[UUID], state: ItemState, detail: str | None = None
) -> None:
    if ids:
        session.execute(
            update(SweepItem)
            .where(SweepItem.sweep_id == sweep_id, SweepItem.item_type == kind.name, among(SweepItem.item_id, ids))
            .values(state=state, detail=detail)
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
        _move(session, sweep.id, kind, list({*page} - {*gone} - {*left}), ItemState.KEPT, TAKEN_BACK)
        return gone


def _leaving(environment: Environment, sweep: Sweep, scope: Scope) -> Iterator[tuple[Kind, Sequence[UUID]]]:
    """The items that may leave the stores, kind by kind: their rows have gone."""
    for kind in KINDS.values():
        for page in _pages(environment, sweep.id, kind, ItemState.REMOVING):
            yield kind, page  # an earlier run has left them
        for page in _pages(environment, sweep.id, kind, ItemState.HIDDEN):
            yield kind, _delete_rows(environment, sweep, kind, scope, page)


def _has_stores(kind: Kind) -> bool:
    return kind.model in {RagDocument, StoredFile}


def _empty_stores(environment: Environment, sweep_id: UUID, leaving: tuple[Kind, Sequence[UUID]]) -> tuple[Kind, int]:
    """Remove the vectors and files of rows that are gone; returns how many there were."""
    kind, ids = leaving
    if _has_stores(kind) and ids:
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
    return kind, len(ids)


def _named_by_rows(session: Session, keys: set[str]) -> set[str]:
    return set(session.scalars(select(StoredFile.object_name).where(among(StoredFile.object_name, keys))))


def _forget_cached(environment: Environment, kind: Kind, ids: Sequence[UUID]) -> None:
    if ids:
        environment.cache.delete(*(cached_item(kind.name, each) for each in ids))
