"""What must hold after every fault: the design's invariants, read from the stores themselves."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import Select, select

from tests.faults.worlds import FaultWorld
from wisqu_pipelines.audit.verification import verify_environment
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import EnvironmentRow, PromotionBeforeImage, RagDocument, StoredFile
from wisqu_pipelines.catalog.points import point_ids
from wisqu_pipelines.environments.markers import MARKER_OBJECT
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.ingest.embedding import embedder
from wisqu_pipelines.ports.vectors import Point

TOLERANCE = 1e-5
OWN_TIMES = {"created_at", "updated_at", "promoted_at"}
"""When a row arrived: a run that was repeated is later than one that was not."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class State:
    """All that an environment holds."""

    name: str
    rows: Mapping[str, Mapping[UUID, Row]]
    """By table; every row, deleted ones too."""
    objects: Mapping[str, bytes]
    points: Mapping[UUID, Point]
    kept: frozenset[str]
    """Object names and vector versions that a rollback may still need."""

    def visible(self, table: str) -> Iterator[Row]:
        """The rows that a reader sees."""
        return (row for row in self.rows[table].values() if not row["is_deleted"])

    def read(self) -> dict[str, Any]:
        """All that a reader sees: rows, and the points that say that they are this environment's."""
        return {
            "rows": {table: list(self.visible(table)) for table in self.rows},
            "points": {id_: point for id_, point in self.points.items() if point.payload["environment"] == self.name},
        }

    def timeless(self) -> dict[str, Any]:
        """What is there, whenever it came."""
        rows = {
            table: {
                id_: {key: value for key, value in row.items() if key not in OWN_TIMES} for id_, row in rows.items()
            }
            for table, rows in self.rows.items()
        }
        return {"rows": rows, "objects": self.objects, "points": self.points}

    def whole(self) -> dict[str, Any]:
        """What is there, to the microsecond."""
        return {"rows": self.rows, "objects": self.objects, "points": self.points}


def state(world: FaultWorld, name: str) -> State:
    """What an environment holds now."""
    environment = world.environments[name]
    with environment.database.snapshot() as session:
        rows: dict[str, dict[UUID, Row]] = {
            model.__tablename__: {row["id"]: dict(row) for row in session.execute(_all(model)).mappings()}
            for model in (StoredFile, RagDocument)
        }
        images = session.scalars(
            select(PromotionBeforeImage.image).where(PromotionBeforeImage.restored_by.is_(None))
        ).all()
    kept = {str(value) for image in images for key, value in image.items() if key in {"object_name", "vector_version"}}
    return State(name, rows, _objects(world, environment), _points(world, environment), frozenset(kept))


def _all(model: type[EnvironmentRow]) -> Select[Any]:
    return select(model.__table__).order_by(model.id)


class Underway(StrEnum):
    """What has been begun and not been closed."""

    NOTHING = "nothing"
    PROMOTION = "promotion"
    """Staged things lie about, and what was published may not be revealed yet."""
    ROLLBACK = "rollback"
    """The same, and the source does not know yet what has left the target."""


def look(world: FaultWorld, *names: str) -> dict[str, State]:
    """What these environments hold now."""
    return {name: state(world, name) for name in names}


def invariants(found: Mapping[str, State], underway: Underway = Underway.NOTHING) -> list[str]:
    """What does not hold in the environments that were looked at, a sentence each."""
    closed = underway is Underway.NOTHING
    problems = [f"{each.name}: {problem}" for each in found.values() for problem in _of_environment(each, closed)]
    problems += _held(found) if closed else []
    problems += _promoted(found) if underway is not Underway.ROLLBACK else []
    return problems


def broken_chains(world: FaultWorld, *names: str) -> list[str]:
    """The environments whose audit chain does not hold."""
    return [
        f"{name}: the audit chain is broken"
        for name in names
        if not verify_environment(world.control, world.environments[name].database, name).holds
    ]


def _of_environment(here: State, closed: bool) -> Iterator[str]:
    for row in here.visible("stored_files"):
        data = here.objects.get(row["object_name"])
        if data is None:
            yield f"the visible file {row['id']} has no object {row['object_name']}"
        elif hashlib.sha256(data).hexdigest() != row["checksum_sha256"] or len(data) != row["file_size_bytes"]:
            yield f"the bytes of the visible file {row['id']} are not those of its row"
    for row in here.visible("rag_documents"):
        yield from _of_document(here, row, point_ids(row["vector_version"], row["point_count"]), closed)
    if not closed:
        return
    documents = here.rows["rag_documents"].values()
    wanted = {id_ for row in documents for id_ in point_ids(row["vector_version"], row["point_count"])}
    for id_, point in here.points.items():
        if point.payload["environment"] == here.name and id_ not in wanted:
            yield f"the visible point {id_} of document {point.payload['document_id']} belongs to no row"
    owned = {row["object_name"] for row in here.rows["stored_files"].values()} | here.kept | {MARKER_OBJECT}
    yield from (f"the object {key} belongs to no row" for key in here.objects if key not in owned)
    versions = {str(row["vector_version"]) for row in documents} | here.kept
    for id_, point in here.points.items():
        if point.payload["version"] not in versions:
            yield f"the point {id_} of document {point.payload['document_id']} belongs to no row"


def _of_document(here: State, row: Row, ids: list[UUID], closed: bool) -> Iterator[str]:
    """A document's points say the same as its file, and a reader finds them."""
    file = here.rows["stored_files"].get(row["file_id"])
    content = here.objects.get(file["object_name"], b"").decode() if file else ""
    for chunk, id_ in enumerate(ids):
        name, point = f"the point {chunk} of the visible document {row['id']}", here.points.get(id_)
        if point is None:
            yield f"{name} is not there"
            continue
        about = point.payload
        if (about["document_id"], about["version"], about["chunk"]) != (
            str(row["id"]),
            str(row["vector_version"]),
            chunk,
        ):
            yield f"{name} says that it is another one's"
        if about["text"] != f"{content} ({chunk})":
            yield f"{name} says '{about['text']}', and its file '{content}'"
        if not np.allclose(point.vector, _vector(about["text"]), rtol=0, atol=TOLERANCE):
            yield f"{name} has another vector than its text"
        if closed and about["environment"] != here.name:
            yield f"{name} is hidden ({about['environment']})"


@lru_cache(maxsize=10_000)
def _vector(words: str) -> Any:
    return np.asarray(embedder("hashing-384-v1").embed([words])[0], np.float32)


def _promoted(states: Mapping[str, State]) -> Iterator[str]:
    """A row that is marked promoted has a twin."""
    twins = {
        (row["source_environment"], row["source_id"])
        for each in states.values()
        for table in each.rows
        for row in each.visible(table)
        if row["source_id"]
    }
    for each, table, row in _rows(states):
        if row["promotion_status"] == PromotionStatus.PROMOTED and (each.name, row["id"]) not in twins:
            yield f"{each.name}: {table} {row['id']} is marked promoted, and nothing of it is anywhere"


def _held(states: Mapping[str, State]) -> Iterator[str]:
    """No row is held by a promotion that is over."""
    for each, table, row in _rows(states):
        if row["held_by_promotion_id"] or row["promotion_status"] == PromotionStatus.PROMOTING:
            yield f"{each.name}: {table} {row['id']} is still held by {row['held_by_promotion_id']}"


def _rows(states: Mapping[str, State]) -> Iterator[tuple[State, str, Row]]:
    return (
        (each, table, row) for each in states.values() for table, rows in each.rows.items() for row in rows.values()
    )


def _objects(world: FaultWorld, environment: Environment) -> dict[str, bytes]:
    bucket, found = world.bucket(environment), {}
    for each in environment.objects.list(bucket):
        with environment.objects.read(bucket, each.key) as parts:
            found[each.key] = b"".join(parts)
    return found


def _points(world: FaultWorld, environment: Environment) -> dict[UUID, Point]:
    scrolled = environment.vectors.scroll(world.collection(environment), {}, vectors=True)
    return {point.id: point for point in scrolled}
