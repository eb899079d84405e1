"""What a run that names nothing says: what there is to name."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from dagster import MetadataValue, TableColumn, TableRecord, TableSchema

from wisqu_pipelines.assets import markdown
from wisqu_pipelines.erasure.report import ErasureReport
from wisqu_pipelines.errors import printable
from wisqu_pipelines.promotion.service import EnvironmentPromotionService

SHOWN = 50
"""Rows of the table."""


def promotions_that_wait(promotions: EnvironmentPromotionService, ids: Sequence[UUID]) -> dict[str, MetadataValue[Any]]:
    """The promotions that a run could have been about."""
    return _told("promotion", len(ids), promotions_table(promotions, ids))


def promotions_table(promotions: EnvironmentPromotionService, ids: Sequence[UUID]) -> MetadataValue[Any]:
    """The first of them, a row each."""
    rows = [
        {
            "promotion_id": str(each.promotion_id),
            "type": each.promotion_type,
            "path": f"{each.source_environment} -> {each.target_environment}",
            "state": str(each.state),
            "why": printable(each.rollback_reason or each.reason or "", markdown.SHOWN_CHARACTERS),
        }
        for each in map(promotions.status, ids[:SHOWN])
    ]
    return _table(rows, ("promotion_id", "type", "path", "state", "why"))


def deliveries_that_wait(ids: Sequence[UUID]) -> dict[str, MetadataValue[Any]]:
    """CI's deliveries that a run could have been about."""
    return _told("delivery", len(ids), _table([{"delivery_id": str(each)} for each in ids], ("delivery_id",)))


def erasures_that_wait(reports: Sequence[ErasureReport]) -> dict[str, MetadataValue[Any]]:
    """The erasures that a run could have been about; what they are for stays with those who decide on them."""
    rows = [
        {
            "erasure_id": str(each.id),
            "environment": each.environment,
            "state": each.state,
            "requested": each.requested_at.isoformat(timespec="minutes"),
        }
        for each in reports
    ]
    return _told("erasure", len(reports), _table(rows, ("erasure_id", "environment", "state", "requested")))


def _told(what: str, count: int, table: MetadataValue[Any]) -> dict[str, MetadataValue[Any]]:
    waiting = "Nothing waits for a run"
    if count:
        waiting = f"{count} wait{'s' if count == 1 else ''} for a run; launch this job again with the id of one"
    return {
        "nothing was done": MetadataValue.text(f"No {what} was named. {waiting}."),
        "what waits": table,
    }


def _table(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> MetadataValue[Any]:
    schema = TableSchema([TableColumn(each, "string") for each in columns])
    return MetadataValue.table([TableRecord(row) for row in rows[:SHOWN]], schema)
