"""What lies in an environment's stores, counted. Nothing in an inventory says whose it is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute

from wisqu_pipelines.audit.models import DeveloperAction, EnvironmentAccessLog, EnvironmentPromotion
from wisqu_pipelines.catalog.models import RagDocument, StoredFile, User
from wisqu_pipelines.catalog.points import ENVIRONMENT
from wisqu_pipelines.environments.stores import Environment

Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Inventory:
    """One store's contents, in sums."""

    totals: Mapping[str, int]
    """By what is counted: `rows`, `visible_rows`, `bytes`, `points` …, as far as the store has them."""
    columns: tuple[str, ...]
    """The names of the breakdown's columns."""
    breakdown: tuple[tuple[Cell, ...], ...]
    """The groups that the totals are made of, largest first."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """A table that is counted by groups."""

    by: tuple[InstrumentedAttribute[Any], ...]
    sums: Mapping[str, InstrumentedAttribute[Any]]
    latest: InstrumentedAttribute[datetime] | None = None

    def query(self) -> Select[Any]:
        sums: list[ColumnElement[Any]] = [
            func.coalesce(func.sum(column), 0).label(name) for name, column in self.sums.items()
        ]
        latest = [] if self.latest is None else [func.max(self.latest).label("latest")]
        return select(*self.by, func.count().label("rows"), *sums, *latest).group_by(*self.by)


_TABLES: Mapping[str, _Counted] = {
    "stored_files": _Counted(
        by=(StoredFile.promotion_status, StoredFile.is_test_data, StoredFile.is_deleted),
        sums={"bytes": StoredFile.file_size_bytes},
    ),
    "rag_documents": _Counted(
        by=(RagDocument.collection, RagDocument.promotion_status, RagDocument.is_test_data, RagDocument.is_deleted),
        sums={"points": RagDocument.point_count},
    ),
    "users": _Counted(by=(User.role, User.account_type, User.is_test_account, User.is_deleted), sums={}),
    "environment_promotions": _Counted(
        by=(
            EnvironmentPromotion.promotion_type,
            EnvironmentPromotion.source_environment,
            EnvironmentPromotion.target_environment,
            EnvironmentPromotion.status,
        ),
        sums={"items": EnvironmentPromotion.success_count, "errors": EnvironmentPromotion.error_count},
        latest=EnvironmentPromotion.occurred_at,
    ),
    "environment_access_logs": _Counted(
        by=(EnvironmentAccessLog.access_type,), sums={}, latest=EnvironmentAccessLog.occurred_at
    ),
    "developer_actions": _Counted(
        by=(DeveloperAction.action, DeveloperAction.success), sums={}, latest=DeveloperAction.occurred_at
    ),
}


def count_table(environment: Environment, table: str) -> Inventory:
    """A table's rows by state, with the bytes or points that the rows speak of.

    Args:
        environment: Whose table.
        table: `stored_files`, `rag_documents`, `users` or an audit table.
    """
    counted = _TABLES[table]
    with environment.database.snapshot() as session:
        result = session.execute(counted.query())
        columns = tuple(result.keys())
        groups = [tuple(_cell(value) for value in row) for row in result]
    totals = _totals(columns, groups, ("rows", *counted.sums))
    if "is_deleted" in columns:
        deleted = columns.index("is_deleted")
        alive = [group for group in groups if not group[deleted]]
        totals["visible_rows"] = _totals(columns, alive, ("rows",))["rows"]
    return Inventory(totals, columns, _largest_first(columns, groups, "rows"))


def count_vectors(environment: Environment, collections: Iterable[str]) -> Inventory:
    """The points of an environment's collections, and how many of them a reader can find.

    Args:
        environment: Whose collections.
        collections: Their base names.
    """
    columns = ("collection", "dimension", "distance", "points", "visible_points", "hidden_points")
    groups: list[tuple[Cell, ...]] = []
    for base in collections:
        name = environment.settings.get_collection_name(base)
        made_for = environment.vectors.describe(name)
        if made_for is not None:
            points = environment.vectors.count(name, {})
            visible = environment.vectors.count(name, {ENVIRONMENT: environment.name})
            groups.append((name, made_for.dimension, made_for.distance, points, visible, points - visible))
    totals = _totals(columns, groups, ("points", "visible_points", "hidden_points"))
    return Inventory(totals, columns, _largest_first(columns, groups, "points"))


def _totals(columns: Sequence[str], groups: Iterable[Sequence[Cell]], summed: Iterable[str]) -> dict[str, int]:
    found = list(groups)
    return {name: sum(int(group[columns.index(name)] or 0) for group in found) for name in summed}


def _largest_first(columns: Sequence[str], groups: Iterable[tuple[Cell, ...]], by: str) -> tuple[tuple[Cell, ...], ...]:
    place = columns.index(by)
    return tuple(sorted(groups, key=lambda group: -int(group[place] or 0)))


def _cell(value: Any) -> Cell:
    """A value as a breakdown shows it: times as text, sums as int (Postgres sums big integers to numeric)."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return int(value)
