"""Retention's sweeps, and what became of their items."""

from sqlalchemy import BigInteger, ColumnElement, Text, cast, func, literal, or_, select

from wisqu_pipelines.metrics.metric import Kind, Metric, Scope, Statement, Where
from wisqu_pipelines.retention.models import HIDDEN, ItemState, Sweep, SweepItem, SweepState, told

_OPEN = (SweepState.WAITING, SweepState.HIDING, SweepState.HIDDEN)


def _sweeps(scope: Scope) -> Statement:
    def rows(*states: str) -> ColumnElement[int]:
        return func.count(SweepItem.item_id).filter(told().in_(states))

    gone = told().in_((HIDDEN, ItemState.REMOVING, ItemState.PURGED))
    return (
        select(
            literal(scope.environment).label("environment"),
            cast(Sweep.id, Text).label("sweep"),
            Sweep.state.label("state"),
            Sweep.created_at.label("created_at"),
            func.count(SweepItem.item_id).label("rows"),
            rows(ItemState.MARKED).label("marked"),
            rows(HIDDEN).label("hidden"),
            rows(ItemState.REMOVING, ItemState.PURGED).label("purged"),
            rows(ItemState.RESTORED).label("restored"),
            rows(ItemState.KEPT).label("kept"),
            cast(func.coalesce(func.sum(SweepItem.bytes).filter(gone), 0), BigInteger).label("bytes"),
            cast(func.coalesce(func.sum(SweepItem.points).filter(gone), 0), BigInteger).label("points"),
        )
        .outerjoin(SweepItem, SweepItem.sweep_id == Sweep.id)
        .where(Sweep.created_at <= scope.now, or_(Sweep.created_at >= scope.since, Sweep.state.in_(_OPEN)))
        .group_by(Sweep.id)
        .order_by(Sweep.created_at, Sweep.id)
    )


SWEEPS = Metric(
    "sweeps",
    "Sweeps",
    "Retention's sweeps of the time that is asked for, and those that are not over: rows by what became of them; bytes "
    "and points of what is hidden or purged.",
    Where.ENVIRONMENT,
    {
        "environment": Kind.TEXT,
        "sweep": Kind.TEXT,
        "state": Kind.TEXT,
        "created_at": Kind.MOMENT,
        "rows": Kind.COUNT,
        "marked": Kind.COUNT,
        "hidden": Kind.COUNT,
        "purged": Kind.COUNT,
        "restored": Kind.COUNT,
        "kept": Kind.COUNT,
        "bytes": Kind.BYTES,
        "points": Kind.COUNT,
    },
    _sweeps,
)
