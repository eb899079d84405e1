"""What somebody may change between an approval and the execution, and whether the plan covers it."""

import io
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, update

from tests.faults.scenario import SOURCE, TARGET
from tests.faults.worlds import FaultWorld
from wisqu_pipelines.catalog.models import EnvironmentRow, RagDocument, StoredFile
from wisqu_pipelines.catalog.points import TEXT, point_id
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.ports.vectors import Point

Value = Callable[[random.Random], Any]
Act = Callable[[FaultWorld, Environment, Any, random.Random], None]


@dataclass(frozen=True)
class Edit:
    """One kind of change to an item of the plan."""

    name: str
    env: str
    model: type[EnvironmentRow]
    covered: bool
    """Whether the plan says anything about it."""
    act: Act
    in_store: bool = False
    """Whether no row tells of it, so that it is found when the item is staged."""

    def make(self, world: FaultWorld, item: UUID, draw: random.Random) -> None:
        """Make it, to the item with this id in the source."""
        environment = world.environments[self.env]
        key = self.model.id if self.env == SOURCE else self.model.source_id
        with environment.database.snapshot() as session:
            row = session.scalars(select(self.model).where(key == item)).one()
        self.act(world, environment, row, draw)


def _words(draw: random.Random) -> str:
    return f"edited {draw.getrandbits(64):x}"


def _columns(values: Mapping[str, Value]) -> Act:
    def act(_: FaultWorld, environment: Environment, row: Any, draw: random.Random) -> None:
        new = {column: value(draw) for column, value in values.items()}
        with environment.database.begin() as session:
            session.execute(update(type(row)).where(type(row).id == row.id).values(**new))

    return act


def _point(change: Callable[[Point, random.Random], Point]) -> Act:
    def act(world: FaultWorld, environment: Environment, row: Any, draw: random.Random) -> None:
        id_, collection = point_id(row.vector_version, draw.randrange(row.point_count)), world.collection(environment)
        (found,) = environment.vectors.retrieve(collection, [id_]).values()
        environment.vectors.upsert(collection, [change(found, draw)])

    return act


def _other_text(point: Point, draw: random.Random) -> Point:
    return Point(point.id, point.vector, {**point.payload, TEXT: _words(draw)})


def _other_vector(point: Point, draw: random.Random) -> Point:
    return Point(point.id, [draw.uniform(-1, 1) for _ in point.vector], point.payload)


def _no_point(world: FaultWorld, environment: Environment, row: Any, draw: random.Random) -> None:
    id_ = point_id(row.vector_version, draw.randrange(row.point_count))
    environment.vectors.delete(world.collection(environment), [id_])


def _no_object(world: FaultWorld, environment: Environment, row: Any, _: random.Random) -> None:
    environment.objects.delete(world.bucket(environment), [row.object_name])


def _longer_object(world: FaultWorld, environment: Environment, row: Any, draw: random.Random) -> None:
    data = b"x" * (row.file_size_bytes + draw.randint(1, 50))
    environment.objects.put(world.bucket(environment), row.object_name, io.BytesIO(data), len(data))


def _always(value: Any) -> Value:
    return lambda draw: value


def _rows(env: str, model: type[EnvironmentRow], covered: bool, *changes: Mapping[str, Value]) -> list[Edit]:
    return [
        Edit(f"{env} {model.__tablename__} {'+'.join(each)}", env, model, covered, _columns(each)) for each in changes
    ]


def _store(env: str, model: type[EnvironmentRow], *acts: Act, names: tuple[str, ...]) -> list[Edit]:
    return [Edit(f"{env} {name}", env, model, True, act, in_store=True) for name, act in zip(names, acts, strict=True)]


_EVERY: tuple[dict[str, Value], ...] = (
    {"is_deleted": _always(True)},
    {"is_test_data": _always(True), "test_data_reason": _words},
)
_FILE: tuple[dict[str, Value], ...] = (
    *_EVERY,
    {"filename": lambda draw: f"{_words(draw)}.md"},
    {"content_type": _always("text/plain")},
    {"purpose": _always("avatar")},
    {"checksum_sha256": lambda draw: f"{draw.getrandbits(256):064x}"},
    {"file_size_bytes": lambda draw: draw.randint(1_000, 9_000)},
    {"object_name": _words},
)
_DOCUMENT: tuple[dict[str, Value], ...] = (
    *_EVERY,
    {"title": _words},
    {"language": _always("fa")},
    {"embedding": _words},
    {"collection": _words},
    {"point_count": lambda draw: draw.choice((1, 3, 7))},
    {"vector_version": lambda draw: uuid4()},
)

SOURCE_FILE = (
    *_rows(SOURCE, StoredFile, True, *_FILE),
    *_store(SOURCE, StoredFile, _no_object, _longer_object, names=("object is gone", "object is longer")),
    *_rows(SOURCE, StoredFile, False, {"promoted_by_user_id": lambda draw: uuid4()}, {"environment": _always(SOURCE)}),
)
SOURCE_DOCUMENT = (
    *_rows(SOURCE, RagDocument, True, *_DOCUMENT),
    *_rows(SOURCE, RagDocument, True, {"promotion_status": _always("draft")}, {"is_promotable": _always(False)}),
    *_store(
        SOURCE,
        RagDocument,
        _point(_other_text),
        _point(_other_vector),
        _no_point,
        names=("point says something else", "point has another vector", "point is gone"),
    ),
    *_rows(SOURCE, RagDocument, False, {"promoted_by_user_id": lambda draw: uuid4()}, {"test_data_reason": _words}),
)
TARGET_FILE = _rows(TARGET, StoredFile, True, *(each for each in _FILE if "is_test_data" not in each))
TARGET_DOCUMENT = _rows(TARGET, RagDocument, True, *(each for each in _DOCUMENT if "is_test_data" not in each))
TARGET_UNCOVERED = (
    *_rows(TARGET, RagDocument, False, {"updated_at": _always("2026-05-05T00:00:00Z")}, {"test_data_reason": _words}),
    *_rows(TARGET, StoredFile, False, {"updated_at": _always("2026-05-05T00:00:00Z")}),
)
