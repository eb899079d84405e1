"""Rows of an environment: how many of what, what of it is test data, and how much room it takes."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, case, cast, func, literal, select, union_all

from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import (
    Conversation,
    EnvironmentRow,
    Message,
    RagDocument,
    StoredFile,
    User,
    UserStorageQuota,
)
from wisqu_pipelines.metrics.metric import Kind, Metric, Scope, Statement, Where

MODELS: tuple[type[EnvironmentRow], ...] = (User, StoredFile, RagDocument, Conversation, Message, UserStorageQuota)
BY_PERSON = "a person said so"
OTHER = "other"
_GROUP = r"^([a-z][a-z0-9_]{0,39})/[^:]+ in [a-z_ ]+: '"
"""How a reason of detection begins; the rest of it repeats what was found, which belongs into no figure."""


def _environment(scope: Scope) -> ColumnElement[str]:
    return literal(scope.environment).label("environment")


def _type(model: type[EnvironmentRow]) -> ColumnElement[str]:
    return literal(str(model.__tablename__)).label("type")


def _distribution(scope: Scope) -> Statement:
    parts = [
        select(
            _environment(scope),
            _type(model),
            func.count().label("rows"),
            func.count().filter(~model.is_deleted).label("visible"),
            func.count().filter(model.is_deleted).label("deleted"),
            func.count().filter(model.is_test_data).label("test_data"),
            func.count().filter(model.source_id.is_not(None)).label("came_by_promotion"),
            func.count().filter(model.promotion_status == PromotionStatus.PROMOTED).label("promoted_on"),
        ).select_from(model)
        for model in MODELS
    ]
    return select(union_all(*parts).subquery())


def _test_data(scope: Scope) -> Statement:
    parts = []
    for model in MODELS:
        by_detection = func.substring(model.test_data_reason, _GROUP)
        group = case((model.test_data_by_person, BY_PERSON), else_=func.coalesce(by_detection, OTHER))
        parts.append(
            select(_environment(scope), _type(model), group.label("reason"), func.count().label("rows"))
            .where(model.is_test_data)
            .group_by(group)
        )
    counted = union_all(*parts).subquery()
    return select(counted).order_by(counted.c.rows.desc(), counted.c.type, counted.c.reason)


def _storage(scope: Scope) -> Statement:
    sums: dict[type[EnvironmentRow], dict[str, ColumnElement[Any]]] = {
        StoredFile: {"bytes": func.sum(StoredFile.file_size_bytes)},
        RagDocument: {"points": func.sum(RagDocument.point_count)},
    }
    parts = [
        select(
            _environment(scope),
            _type(model),
            func.count().label("rows"),
            cast(func.coalesce(sums.get(model, {}).get("bytes", literal(0)), 0), BigInteger).label("bytes"),
            cast(func.coalesce(sums.get(model, {}).get("points", literal(0)), 0), BigInteger).label("points"),
            func.pg_total_relation_size(str(model.__tablename__)).label("table_bytes"),
        ).select_from(model)
        for model in MODELS
    ]
    return select(union_all(*parts).subquery())


DISTRIBUTION = Metric(
    "distribution",
    "What is where",
    "Rows by type, also those that are deleted softly; a row may count in several columns.",
    Where.ENVIRONMENT,
    {
        "environment": Kind.TEXT,
        "type": Kind.TEXT,
        "rows": Kind.COUNT,
        "visible": Kind.COUNT,
        "deleted": Kind.COUNT,
        "test_data": Kind.COUNT,
        "came_by_promotion": Kind.COUNT,
        "promoted_on": Kind.COUNT,
    },
    _distribution,
    over_time=True,
)
TEST_DATA = Metric(
    "test_data",
    "Test data",
    "Rows that are marked as test data, by the group of what speaks for it most.",
    Where.ENVIRONMENT,
    {"environment": Kind.TEXT, "type": Kind.TEXT, "reason": Kind.TEXT, "rows": Kind.COUNT},
    _test_data,
    over_time=True,
)
STORAGE = Metric(
    "storage",
    "Storage",
    "What takes room, also if it is deleted softly: bytes of files, points of vectors, bytes of Postgres with indexes.",
    Where.ENVIRONMENT,
    {
        "environment": Kind.TEXT,
        "type": Kind.TEXT,
        "rows": Kind.COUNT,
        "bytes": Kind.BYTES,
        "points": Kind.COUNT,
        "table_bytes": Kind.BYTES,
    },
    _storage,
    over_time=True,
)
