"""The one query that says what goes and what stays: shared by the dry run, the real run and the look before hiding."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    Text,
    Uuid,
    and_,
    case,
    cast,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
)
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.database.bulk import among, among_found
from wisqu_pipelines.holds.conditions import held
from wisqu_pipelines.retention.kinds import Kind
from wisqu_pipelines.retention.models import ItemState, Sweep, SweepItem, SweepState
from wisqu_pipelines.settings import RetentionSettings

HELD = "under a legal hold"
PROMOTING = "in a promotion"
PROMOTED = "promoted"
APPROVED = "approved for promotion"
RESTORED = "a person took it back"
BEGUN = "an earlier sweep goes on with it"
NEEDED = "something that stays belongs to it"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a sweep looks at."""

    sweep_id: UUID
    policy: RetentionSettings
    test_data_only: bool
    in_promotions: Sequence[UUID]
    """Rows that promotions which are not over name."""
    now: datetime


def is_due(kind: Kind, scope: Scope) -> ColumnElement[bool]:
    """Whether a row is old enough to go."""
    model = kind.model
    is_test = model.is_test_data & (model.created_at < scope.now - timedelta(days=scope.policy.test_data_days))
    is_old = model.created_at < scope.now - _kept(kind, scope)
    return ~model.is_deleted & (is_test if scope.test_data_only else or_(is_test, is_old))


def why_not(kind: Kind, scope: Scope) -> ColumnElement[str | None]:
    """Why a row that is due stays; NULL: it goes."""
    model = kind.model
    reasons: list[tuple[ColumnElement[bool], str]] = [
        (held(model, scope.now), HELD),
        (or_(model.promotion_status == PromotionStatus.PROMOTING, among(model.id, scope.in_promotions)), PROMOTING),
        (or_(model.promotion_status == PromotionStatus.PROMOTED, model.source_id.is_not(None)), PROMOTED),
        (model.promotion_status == PromotionStatus.APPROVED, APPROVED),
        (_was_taken_back(kind, scope), RESTORED),
        (_is_being_hidden(kind, scope), BEGUN),
        *((_is_needed(part, column, kind, scope), NEEDED) for part, column in kind.parts),
    ]
    return case(*reasons, else_=null())


def goes(kind: Kind, scope: Scope) -> ColumnElement[bool]:
    """Whether a row goes."""
    return and_(is_due(kind, scope), why_not(kind, scope).is_(None))


def mark(session: Session, kind: Kind, scope: Scope) -> None:
    """Write down what goes of a kind: after the kinds that refer to it."""
    going = _going(kind, scope)
    session.execute(insert(SweepItem).from_select(going.selected_columns.keys(), going))


def staying(session: Session, kind: Kind, scope: Scope) -> dict[str, int]:
    """How many rows are due and stay, by the reason."""
    reason = why_not(kind, scope).label("reason")
    due = select(reason).select_from(kind.model).where(is_due(kind, scope)).subquery()
    found = session.execute(select(due.c.reason, func.count()).where(due.c.reason.is_not(None)).group_by(due.c.reason))
    return {str(name): count for name, count in found}


def _kept(kind: Kind, scope: Scope) -> timedelta:
    """How long rows of a kind are kept."""
    return timedelta(days=scope.policy.types.get(kind.name, scope.policy.days))


def _was_taken_back(kind: Kind, scope: Scope) -> ColumnElement[bool]:
    """Whether a person took it back from a sweep less long ago than rows are kept: the next night is not to hide it
    again.
    """
    taken_back = select(SweepItem.item_id).where(
        SweepItem.item_type == kind.name, SweepItem.restored_at >= scope.now - _kept(kind, scope)
    )
    return kind.model.id.in_(taken_back)


def _is_being_hidden(kind: Kind, scope: Scope) -> ColumnElement[bool]:
    """Whether another sweep lists it that may hide it and is not done: a run goes on with that one first."""
    hiding = select(Sweep.id).where(Sweep.state == SweepState.HIDING, Sweep.id != scope.sweep_id)
    listed = select(SweepItem.item_id).where(
        among_found(SweepItem.sweep_id, hiding),
        SweepItem.item_type == kind.name,
        SweepItem.state == ItemState.MARKED,
    )
    return kind.model.id.in_(listed)


def _is_needed(part: Any, column: Any, kind: Kind, scope: Scope) -> ColumnElement[bool]:
    """Whether a row refers to it that does not go in the same sweep.

    Each such row's item is looked up by its key: Postgres knows nothing of how many items a sweep has that has just
    begun, and would join them by comparing each with each.
    """
    state = select(SweepItem.state).where(
        SweepItem.sweep_id == scope.sweep_id,
        SweepItem.item_type == part.__tablename__,
        SweepItem.item_id == part.id,
    )
    going = state.scalar_subquery()
    return exists().where(column == kind.model.id, going.is_distinct_from(ItemState.MARKED))


def _going(kind: Kind, scope: Scope) -> Select[Any]:
    model = kind.model
    nothing: dict[str, ColumnElement[Any]] = {
        "bytes": literal(0),
        "points": literal(0, Integer),
        "bucket": cast(null(), String),
        "object_name": cast(null(), String),
        "collection": cast(null(), String),
        "vector_version": cast(null(), Uuid),
    }
    own: dict[str, Any] = {}
    if model is StoredFile:
        own = {
            "bytes": StoredFile.file_size_bytes,
            "bucket": StoredFile.bucket,
            "object_name": StoredFile.object_name,
        }
    elif model is RagDocument:
        own = {
            "points": RagDocument.point_count,
            "collection": RagDocument.collection,
            "vector_version": RagDocument.vector_version,
        }
    values: dict[str, Any] = {
        "sweep_id": literal(scope.sweep_id),
        "item_type": literal(kind.name),
        "item_id": model.id,
        "state": literal(ItemState.MARKED.value),
        "label": func.left(cast(kind.label, Text), 500),
        "created_at": model.created_at,
        "is_test_data": model.is_test_data,
        **nothing,
        **own,
    }
    return select(*(value.label(name) for name, value in values.items())).where(goes(kind, scope))
