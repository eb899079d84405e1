"""Promotions: how they ended, how long they took, and what went."""

from typing import Any

from sqlalchemy import ColumnElement, Float, and_, case, cast, exists, func, select

from wisqu_pipelines.metrics.metric import Kind, Metric, Scope, Statement, Where
from wisqu_pipelines.promotion.models import (
    MOVING,
    Promotion,
    PromotionItem,
    PromotionJournal,
    PromotionState,
    Step,
)

_PATH = func.concat(Promotion.source_environment, "->", Promotion.target_environment)
_DAY = func.date_trunc("day", Promotion.created_at, "UTC")
_ENDED_WELL = Promotion.state == PromotionState.SUCCEEDED
_CARRIED_OUT = Promotion.state.in_((PromotionState.SUCCEEDED, PromotionState.FAILED, PromotionState.ROLLED_BACK))
_HAPPENED = (PromotionState.PUBLISHED, PromotionState.SUCCEEDED, PromotionState.ROLLING_BACK)
"""The states in which its items are in the target."""


def _in(*states: PromotionState) -> ColumnElement[int]:
    return func.count().filter(Promotion.state.in_(states))


def _percentile(share: float) -> ColumnElement[Any]:
    return func.percentile_cont(share).within_group(Promotion.duration_seconds).filter(_CARRIED_OUT)


def _by_day(scope: Scope) -> Statement:
    carried_out = func.count().filter(_CARRIED_OUT)
    return (
        select(
            _DAY.label("day"),
            _PATH.label("path"),
            _in(PromotionState.PLANNED, PromotionState.APPROVED).label("planned"),
            _in(PromotionState.EXECUTING, PromotionState.PUBLISHED, PromotionState.ROLLING_BACK).label("running"),
            _in(PromotionState.SUCCEEDED).label("succeeded"),
            _in(PromotionState.FAILED).label("failed"),
            _in(PromotionState.REFUSED, PromotionState.REJECTED).label("refused"),
            _in(PromotionState.ROLLED_BACK).label("rolled_back"),
            func.coalesce(func.sum(Promotion.success_count), 0).label("items"),
            func.coalesce(func.sum(Promotion.error_count), 0).label("errors"),
            case((carried_out > 0, cast(_in(PromotionState.SUCCEEDED), Float) / carried_out)).label("success_rate"),
            _percentile(0.5).label("median_seconds"),
            _percentile(0.95).label("p95_seconds"),
        )
        .where(Promotion.created_at >= scope.since, Promotion.created_at <= scope.now)
        .group_by(_DAY, _PATH)
        .order_by(_DAY, _PATH)
    )


def _by_path(scope: Scope) -> Statement:
    carried_out = func.count().filter(_CARRIED_OUT)
    return (
        select(
            _PATH.label("path"),
            func.count().label("promotions"),
            _in(PromotionState.SUCCEEDED).label("succeeded"),
            _in(PromotionState.FAILED).label("failed"),
            _in(PromotionState.ROLLED_BACK).label("rolled_back"),
            case((carried_out > 0, cast(func.count().filter(_ENDED_WELL), Float) / carried_out)).label("success_rate"),
            _percentile(0.5).label("median_seconds"),
            _percentile(0.95).label("p95_seconds"),
        )
        .where(Promotion.created_at >= scope.since, Promotion.created_at <= scope.now)
        .group_by(_PATH)
        .order_by(_PATH)
    )


def _by_state(scope: Scope) -> Statement:
    del scope  # where they stand now, however old they are
    return (
        select(_PATH.label("path"), Promotion.state.label("state"), func.count().label("promotions"))
        .group_by(_PATH, Promotion.state)
        .order_by(_PATH, Promotion.state)
    )


def _by_type(scope: Scope) -> Statement:
    stayed_behind = exists().where(
        PromotionJournal.promotion_id == PromotionItem.promotion_id,
        PromotionJournal.item_type == PromotionItem.item_type,
        PromotionJournal.source_id == PromotionItem.source_id,
        PromotionJournal.step.in_((Step.SKIPPED, Step.ROLLED_BACK)),
    )
    items = func.count()
    return (
        select(
            _PATH.label("path"),
            PromotionItem.item_type.label("type"),
            items.label("items"),
            func.coalesce(func.sum(PromotionItem.bytes), 0).label("bytes"),
            func.coalesce(func.sum(PromotionItem.points), 0).label("points"),
        )
        .join(Promotion, Promotion.id == PromotionItem.promotion_id)
        .where(
            and_(Promotion.created_at >= scope.since, Promotion.created_at <= scope.now),
            Promotion.state.in_(_HAPPENED),
            PromotionItem.effect.in_(MOVING),
            ~stayed_behind,
        )
        .group_by(_PATH, PromotionItem.item_type)
        .order_by(items.desc(), _PATH, PromotionItem.item_type)
    )


PROMOTIONS = Metric(
    "promotions",
    "Promotions by day",
    "Promotions by the day on which they were planned, and by path: how they ended and how long they took.",
    Where.CONTROL,
    {
        "day": Kind.DAY,
        "path": Kind.TEXT,
        "planned": Kind.COUNT,
        "running": Kind.COUNT,
        "succeeded": Kind.COUNT,
        "failed": Kind.COUNT,
        "refused": Kind.COUNT,
        "rolled_back": Kind.COUNT,
        "items": Kind.COUNT,
        "errors": Kind.COUNT,
        "success_rate": Kind.SHARE,
        "median_seconds": Kind.SECONDS,
        "p95_seconds": Kind.SECONDS,
    },
    _by_day,
)
PATHS = Metric(
    "paths",
    "Promotions by path",
    "Rate of success and duration of each path's promotions over the whole time that is asked for.",
    Where.CONTROL,
    {
        "path": Kind.TEXT,
        "promotions": Kind.COUNT,
        "succeeded": Kind.COUNT,
        "failed": Kind.COUNT,
        "rolled_back": Kind.COUNT,
        "success_rate": Kind.SHARE,
        "median_seconds": Kind.SECONDS,
        "p95_seconds": Kind.SECONDS,
    },
    _by_path,
)
STATES = Metric(
    "promotion_states",
    "Where promotions stand",
    "All promotions by path and state, however old they are.",
    Where.CONTROL,
    {"path": Kind.TEXT, "state": Kind.TEXT, "promotions": Kind.COUNT},
    _by_state,
)
TYPES = Metric(
    "promoted_types",
    "What was promoted",
    "Items that promotions brought and that are still there, by path and type, most first.",
    Where.CONTROL,
    {"path": Kind.TEXT, "type": Kind.TEXT, "items": Kind.COUNT, "bytes": Kind.BYTES, "points": Kind.COUNT},
    _by_type,
)
