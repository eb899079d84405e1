"""Why a sweep ended without a purge, and why what it has hidden is not purged yet."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, exists, func, null, or_, select
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.database.bulk import among
from wisqu_pipelines.retention.kinds import KINDS, Kind
from wisqu_pipelines.retention.marking import HELD, NEEDED, Scope
from wisqu_pipelines.retention.models import ItemState, Sweep, SweepItem, SweepState
from wisqu_pipelines.retention.purging import hindrances

REJECTED, RESTORED = "retention_rejected", "retention_restored"
"""What the environment's audit calls a no, and a taking back: the last one ended a sweep that is rejected."""


class Ending(NamedTuple):
    """A no to a sweep."""

    reason: str | None
    by: UUID | None
    """None: nobody said so, it could not go on."""


def endings(session: Session, sweeps: Iterable[Sweep]) -> Mapping[UUID, Ending]:
    """Why those of the sweeps that are rejected are, by their ids: the audit says it."""
    ids = [str(each.id) for each in sweeps if each.state == SweepState.REJECTED]
    if not ids:
        return {}
    line = DeveloperAction
    about = line.details["sweep_id"].astext
    wanted = select(about, line.reason, line.developer_id).where(
        line.action.in_((REJECTED, RESTORED)), among(about, ids)
    )
    return {UUID(id_): Ending(reason, by) for id_, reason, by in session.execute(wanted.order_by(line.sequence))}


def why_hidden(sweep: Sweep, scope: Scope) -> ColumnElement[str | None]:
    """Why an item of a sweep that is hidden stays so when a purge comes, in a query of items; NULL: it goes, or it is
    not hidden any more.
    """
    reasons = [
        (
            and_(SweepItem.state == ItemState.MARKED, SweepItem.item_type == kind.name),
            select(_why_not(kind, sweep, scope)).where(kind.model.id == SweepItem.item_id).scalar_subquery(),
        )
        for kind in KINDS.values()
    ]
    return case(*reasons, else_=null())


def waits(session: Session, sweep: Sweep, scope: Scope) -> Mapping[str, int]:
    """How many items of a sweep that is hidden a purge now would leave, by the reason."""
    reason = why_hidden(sweep, scope).label("reason")
    items = select(reason).where(SweepItem.sweep_id == sweep.id).subquery()
    found = select(items.c.reason, func.count()).where(items.c.reason.is_not(None)).group_by(items.c.reason)
    return {str(name): count for name, count in session.execute(found.order_by(items.c.reason != HELD, items.c.reason))}


def _why_not(kind: Kind, sweep: Sweep, scope: Scope) -> ColumnElement[str | None]:
    """Why a purge leaves a row; NULL: it goes, behind its parts that go."""
    needed = (
        (exists().where(column == kind.model.id, ~_goes(KINDS[str(part.__tablename__)], sweep, scope)), NEEDED)
        for part, column in kind.parts
    )
    return case(*hindrances(kind, scope), *needed, else_=null())


def _goes(part: Kind, sweep: Sweep, scope: Scope) -> ColumnElement[bool]:
    """Whether a purge takes a row that has no parts."""
    is_ours = and_(part.model.is_deleted, part.model.deleted_at == sweep.hidden_at)
    return and_(is_ours, ~or_(*(condition for condition, _ in hindrances(part, scope))))
