"""All that an environment holds and remembers, to be compared with what must be there."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import select

from tests.erasure.conftest import EVERY
from tests.faults.invariants import state
from tests.faults.worlds import FaultWorld
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.catalog.models import table_of
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.ports.vectors import Point
from wisqu_pipelines.retention.models import Sweep, SweepItem

PLACES = "dev", "prod"
OWN_TIMES = frozenset({"updated_at", "deleted_at"})
"""When a row was hidden or given back: a run that was repeated is later."""

TABLE = "table"
"""Under which a row says where it is, beside its columns."""

Ids = frozenset[UUID]
Lines = tuple[tuple[str, Mapping[str, Any]], ...]
"""An audit's actions with their details, oldest first."""


@dataclass(frozen=True)
class Picture:
    """An environment at a moment."""

    rows: Mapping[UUID, Mapping[str, Any]]
    """Of all tables; ids are never used twice."""
    objects: Mapping[str, bytes]
    points: Mapping[UUID, Point]
    lines: Lines
    sweeps: tuple[Mapping[str, Any], ...]
    """Its sweeps and what they list."""

    def changed(self, *, hides: Ids, gives_back: Ids, removes: Ids) -> "Picture":
        """The picture after that; rows go with their objects and points."""
        hidden = dict.fromkeys(hides, True) | dict.fromkeys(gives_back, False)
        return replace(
            self,
            rows={
                id_: {**row, "is_deleted": hidden.get(id_, row["is_deleted"])}
                for id_, row in self.rows.items()
                if id_ not in removes
            },
            objects={key: data for key, data in self.objects.items() if not _names(key, removes)},
            points={
                id_: point for id_, point in self.points.items() if UUID(point.payload["document_id"]) not in removes
            },
        )

    def differs_from(self, wanted: "Picture") -> list[str]:
        """What is not as it must be, whenever it became so."""
        ours, theirs = _timeless(self.rows), _timeless(wanted.rows)
        problems = [f"the row {id_} is not as it must be" for id_ in sorted(ours.keys() & theirs.keys(), key=str)
                    if ours[id_] != theirs[id_]]  # fmt: skip
        for what, there, must in (
            ("row", ours, theirs),
            ("object", self.objects, wanted.objects),
            ("point", self.points, wanted.points),
        ):
            problems += [f"the {what} {each} must not be there" for each in there.keys() - must.keys()]
            problems += [f"the {what} {each} is gone" for each in must.keys() - there.keys()]
        if not problems and (self.objects != wanted.objects or self.points != wanted.points):
            problems.append("an object or a point is another one")
        return problems


def pictures(world: FaultWorld) -> dict[str, Picture]:
    """What these environments hold now."""
    return {name: _picture(world, world.environments[name]) for name in PLACES}


def _picture(world: FaultWorld, environment: Environment) -> Picture:
    found = state(world, environment.name)
    with environment.database.snapshot() as session:
        rows = {
            row["id"]: {TABLE: str(model.__tablename__), **row}
            for model in EVERY
            for row in session.execute(select(table_of(model))).mappings()
        }
        actions = session.scalars(select(DeveloperAction).order_by(DeveloperAction.sequence))
        lines = tuple((each.action, dict(each.details or {})) for each in actions)
        items, sweeps = SweepItem.__table__, Sweep.__table__
        kept = [
            *session.execute(select(sweeps).order_by(sweeps.c.id)).mappings(),
            *session.execute(select(items).order_by(items.c.sweep_id, items.c.item_type, items.c.item_id)).mappings(),
        ]
    return Picture(rows, found.objects, found.points, lines, tuple(map(dict, kept)))


def _names(key: str, ids: Ids) -> bool:
    """Whether an object lies under the id of one of these files."""
    return any(part in {str(each) for each in ids} for part in key.split("/")[1:2])


def _timeless(rows: Mapping[UUID, Mapping[str, Any]]) -> dict[UUID, dict[str, Any]]:
    return {id_: {key: row[key] for key in row if key not in OWN_TIMES} for id_, row in rows.items()}
