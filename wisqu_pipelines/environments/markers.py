"""Markers: each store says whose it is, and nothing starts on a store that says otherwise.

An environment's marker is its name and a UUID that the control database keeps. It is written into every store when the
environment is set up, and read before the environment is used: the database has it in `store_marker`, each bucket in
the object `.wisqu-marker`, the vector server in a collection of its own, and each Redis database in `wisqu:marker`.
"""

import io
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from uuid import UUID, uuid4

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from wisqu_pipelines.database.session import Database
from wisqu_pipelines.environments import schema
from wisqu_pipelines.environments.models import ControlMarker, EnvironmentMarker, RegisteredEnvironment
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import (
    ObjectExists,
    Refused,
    SchemaDiffers,
    StoreDenied,
    StoreNotSetUp,
    StoreOverwrites,
    StoreUnavailable,
    WisquError,
    WrongStore,
)
from wisqu_pipelines.ports.cache import Cache
from wisqu_pipelines.ports.vectors import CollectionInfo, Point

MARKER_OBJECT = ".wisqu-marker"
MARKER_KEY = "wisqu:marker"
MARKER_COLLECTION = "wisqu_marker"
CONTROL = "control"
"""What the control database's own marker says instead of an environment's name."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a store says about itself."""

    environment: str
    marker: UUID
    store: str
    """Which of the environment's stores it is: two databases of one Redis account must not be swapped either."""

    def to_json(self) -> bytes:
        """The mark as it is kept in an object or a key."""
        return json.dumps({"environment": self.environment, "marker": str(self.marker), "store": self.store}).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "Mark":
        """The mark that `to_json` wrote."""
        read = json.loads(text)
        return cls(read["environment"], UUID(read["marker"]), read["store"])


class StoreCondition(StrEnum):
    """What a check found."""

    OK = "ok"
    NOT_SET_UP = "not set up"
    WRONG = "wrong store"
    OTHER_SCHEMA = "other schema"
    DENIED = "denied"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class StoreState:
    """One store of an environment and what a check found."""

    environment: str
    store: str
    address: str
    condition: StoreCondition
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _MarkedStore:
    name: str
    address: str
    read: Callable[[], Mark | None]
    write: Callable[[Mark], None]
    require_usable: Callable[[], None] = lambda: None
    """What else must hold once it is known to be the environment's own."""


def register(control_owner: Database, environments: Iterable[str]) -> dict[str, UUID]:
    """Give each environment its marker in the control database, once, and mark the control database itself."""
    with control_owner.begin() as session:
        for name in environments:
            session.execute(upsert(RegisteredEnvironment).values(name=name, marker=uuid4()).on_conflict_do_nothing())
        session.execute(upsert(ControlMarker).values(environment=CONTROL, marker=uuid4()).on_conflict_do_nothing())
        rows = session.scalars(select(RegisteredEnvironment)).all()
    return {row.name: row.marker for row in rows}


def mark(environment: Environment, owner: Database, marker: UUID, buckets: Iterable[str]) -> None:
    """Write the marker into every store of an environment that has none yet.

    Raises:
        WrongStore: a store carries another marker; then none is written.
        StoreOverwrites: an object store heeds no conditions on writes.
    """
    unmarked = []
    for store in _stores(environment, owner, buckets):
        found = store.read()
        if found is None:
            unmarked.append(store)
        else:
            _compare(environment.name, marker, store, found)
    if unmarked:
        with ThreadPoolExecutor(len(unmarked)) as pool:  # the first object in a new bucket takes its time
            list(pool.map(lambda store: store.write(Mark(environment.name, marker, store.name)), unmarked))


def check(environment: Environment, control: Database, buckets: Iterable[str]) -> Iterator[StoreState]:
    """Look at each store of an environment, and say what is found; no store's trouble ends the check."""
    marker = expected(control, environment.name)
    for store in _stores(environment, environment.database, buckets):
        look = partial(_require, environment.name, marker, store)
        yield state_of(environment.name, store.name, store.address, look)


def check_control(control: Database, address: str) -> StoreState:
    """Look at the control database, without which nothing can be said about the environments' stores."""

    def look() -> None:
        with control.begin() as session:
            _require_control(session)

    return state_of(CONTROL, "database", address, look)


def state_of(owner: str, store: str, address: str, look: Callable[[], object]) -> StoreState:
    """What looking at a store found.

    Args:
        owner: The environment, or whose store it is.
        store: Which store.
        address: Where it is.
        look: Raises what is wrong with it.
    """
    try:
        look()
    except (Refused, StoreDenied, StoreUnavailable) as error:
        return StoreState(owner, store, address, _condition(error), str(error))
    return StoreState(owner, store, address, StoreCondition.OK)


def _condition(error: WisquError) -> StoreCondition:
    match error:
        case StoreNotSetUp():
            return StoreCondition.NOT_SET_UP
        case SchemaDiffers():
            return StoreCondition.OTHER_SCHEMA
        case StoreDenied() | WrongStore(__cause__=StoreDenied()):
            return StoreCondition.DENIED
        case WrongStore():
            return StoreCondition.WRONG
        case StoreUnavailable():
            return StoreCondition.UNAVAILABLE
        case _:
            raise error


def require(environment: Environment, control: Database, buckets: Iterable[str]) -> None:
    """Make sure that every store of an environment is its own.

    Raises:
        WrongStore: one belongs to another environment, or refuses this environment's credentials.
        StoreNotSetUp: one has no marker.
        SchemaDiffers: a database stands at another revision than this version works with.
        StoreUnavailable: one does not answer.
    """
    marker = expected(control, environment.name)
    for store in _stores(environment, environment.database, buckets):
        _require(environment.name, marker, store)


def expected(control: Database, environment: str) -> UUID | None:
    """The marker that the environment's stores must carry; None before it is set up.

    Raises:
        WrongStore: what the settings call the control database is another database.
        SchemaDiffers: it stands at another revision than this version works with.
    """
    try:
        with control.begin() as session:
            try:
                _require_control(session)
            except StoreNotSetUp:
                return None
            return session.scalar(select(RegisteredEnvironment.marker).where(RegisteredEnvironment.name == environment))
    except StoreDenied as error:
        raise WrongStore(
            store="control database", environment=CONTROL, found=f"it refuses these credentials ({error})"
        ) from error


def _require_control(session: Session) -> None:
    if not schema.has_table(session, RegisteredEnvironment.__tablename__):
        if schema.has_table(session, EnvironmentMarker.__tablename__):
            raise WrongStore(store="control database", environment=CONTROL, found="it is an environment's")
        raise StoreNotSetUp(store="database", environment=CONTROL)
    schema.require(session, "control database", schema.CONTROL_REVISION)


def _require(environment: str, marker: UUID | None, store: _MarkedStore) -> None:
    try:
        found = store.read()
    except StoreDenied as error:
        raise WrongStore(
            store=store.name, environment=environment, found=f"it refuses these credentials ({error})"
        ) from error
    if found is None or marker is None:
        raise StoreNotSetUp(store=store.name, environment=environment)
    _compare(environment, marker, store, found)
    store.require_usable()


def _compare(environment: str, marker: UUID, store: _MarkedStore, found: Mark) -> None:
    if found.environment != environment:
        raise WrongStore(store=store.name, environment=environment, found=f"it belongs to '{found.environment}'")
    if found.store != store.name:
        raise WrongStore(store=store.name, environment=environment, found=f"it is the environment's {found.store}")
    if found.marker != marker:
        raise WrongStore(
            store=store.name,
            environment=environment,
            found=f"it belongs to another installation's '{found.environment}' (marker {found.marker})",
        )


def _stores(environment: Environment, database: Database, buckets: Iterable[str]) -> Iterator[_MarkedStore]:
    settings = environment.settings
    yield _database(environment.name, database, settings.database.address)
    for base in buckets:
        yield _bucket(environment, settings.get_bucket_name(base))
    yield _vector_index(environment)
    for role, cache, number in (
        ("cache", environment.cache, settings.cache.databases.cache),
        ("sessions", environment.sessions, settings.cache.databases.sessions),
        ("limits", environment.limits, settings.cache.databases.limits),
    ):
        yield _redis(role, cache, settings.cache.address(number))


def _database(environment: str, database: Database, address: str) -> _MarkedStore:
    name = "database"

    def read() -> Mark | None:
        with database.begin() as session:
            if not schema.has_table(session, EnvironmentMarker.__tablename__):
                return None
            row = session.execute(select(EnvironmentMarker.environment, EnvironmentMarker.marker)).one_or_none()
        return None if row is None else Mark(row.environment, row.marker, name)

    def write(mark: Mark) -> None:
        with database.begin() as session:
            session.execute(insert(EnvironmentMarker).values(environment=mark.environment, marker=mark.marker))

    def require_usable() -> None:
        with database.begin() as session:
            schema.require(session, f"database of '{environment}'", schema.ENVIRONMENT_REVISION)

    return _MarkedStore(name, address, read, write, require_usable)


def _bucket(environment: Environment, bucket: str) -> _MarkedStore:
    objects, name = environment.objects, f"bucket {bucket}"

    def read() -> Mark | None:
        if not objects.bucket_exists(bucket) or objects.stat(bucket, MARKER_OBJECT) is None:
            return None
        with objects.read(bucket, MARKER_OBJECT) as chunks:
            return Mark.from_json(b"".join(chunks))

    def make(data: bytes) -> None:
        objects.put(
            bucket, MARKER_OBJECT, io.BytesIO(data), len(data), content_type="application/json", create_only=True
        )

    def write(mark: Mark) -> None:
        data = mark.to_json()
        with suppress(ObjectExists):  # somebody else was faster, with the same one
            make(data)
        try:
            make(data)
        except ObjectExists:
            return
        objects.delete(bucket, [MARKER_OBJECT])
        raise StoreOverwrites(store=name, environment=environment.name)

    return _MarkedStore(name, environment.settings.object_store.endpoint, read, write)


def _vector_index(environment: Environment) -> _MarkedStore:
    vectors, name = environment.vectors, "vector index"
    own = f"{MARKER_COLLECTION}_{environment.name}"

    def read() -> Mark | None:
        marked = [each for each in vectors.collections() if each.startswith(f"{MARKER_COLLECTION}_")]
        if own in marked:
            points = list(vectors.scroll(own, {}))
            return Mark(str(points[0].payload["environment"]), points[0].id, name) if points else None
        if marked:
            return Mark(marked[0].removeprefix(f"{MARKER_COLLECTION}_"), UUID(int=0), name)
        return None

    def write(mark: Mark) -> None:
        vectors.ensure_collection(CollectionInfo(own, 1, "Dot"))
        vectors.upsert(own, [Point(mark.marker, [1.0], {"environment": mark.environment})])

    return _MarkedStore(name, environment.settings.vector_index.url, read, write)


def _redis(role: str, cache: Cache, address: str) -> _MarkedStore:
    def read() -> Mark | None:
        value = cache.get(MARKER_KEY)
        return None if value is None else Mark.from_json(value)

    def write(mark: Mark) -> None:
        cache.set(MARKER_KEY, mark.to_json())

    return _MarkedStore(f"Redis database for {role}", address, read, write)
