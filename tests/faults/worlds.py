"""Worlds for fault tests: services on stores that can be put back, opened anew for each process that dies."""

import io
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event

from tests.faults.databases import SavedDatabase
from tests.faults.points import Fault, Moment, Plan, Process, wrapped
from tests.promotion.world import World
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.catalog import points
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.devstack.site import Site
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.identity import demo_people
from wisqu_pipelines.identity.keys import KeyRings
from wisqu_pipelines.ports.cache import Cache
from wisqu_pipelines.ports.objects import ObjectInfo, ObjectStore
from wisqu_pipelines.ports.vectors import CollectionInfo, Point, VectorIndex
from wisqu_pipelines.promotion.approvals import ApprovalService
from wisqu_pipelines.promotion.freezes import FreezeService
from wisqu_pipelines.promotion.service import EnvironmentPromotionService
from wisqu_pipelines.settings import PathSettings, Settings
from wisqu_pipelines.storage.memory import (
    ManualClock,
    MemoryCache,
    MemoryObjectServer,
    MemoryObjectStore,
    MemoryVectorIndex,
)

START = datetime(2026, 5, 4, 8, tzinfo=UTC)
OVER = timedelta(minutes=5)
"""Longer than any lease."""
PORTS: Mapping[str, type] = {
    "database": Database,
    "objects": ObjectStore,
    "vectors": VectorIndex,
    "cache": Cache,
    "sessions": Cache,
    "limits": Cache,
}
"""The stores of an environment and what each must be able to do."""


@dataclass(frozen=True)
class SavedStores:
    """What an environment's bucket and collection held."""

    objects: Mapping[str, tuple[ObjectInfo, bytes]]
    points: Mapping[Any, Point]


@dataclass
class FaultWorld:
    """The stores of all environments, with everything needed to put them back."""

    settings: Settings
    clock: ManualClock
    control: Database
    environments: Mapping[str, Environment]
    transfer: ObjectStore | None
    databases: list[SavedDatabase]
    process: Process = field(default_factory=Process)
    """Whose statements the databases see."""
    saved: dict[str, dict[str, SavedStores]] = field(default_factory=dict)

    def plain(self) -> World:
        """Services of a process that meets no fault."""
        self.process = Process()
        return World(self.composed(self.control, self.environments, self.transfer))

    def start(self, plan: Plan | None = None, *, dies_after: int | None = None) -> World:
        """A new process on the stores, that meets the faults of a plan or dies after so many moments."""
        process = self.process = Process(plan, dies_after=dies_after)
        environments = {
            name: Environment(
                settings=environment.settings,
                **{
                    store: wrapped(port, getattr(environment, store), f"{name}.{store}", process)
                    for store, port in PORTS.items()
                },
            )
            for name, environment in self.environments.items()
        }
        transfer = self.transfer and wrapped(ObjectStore, self.transfer, "transfer", process)
        return World(self.composed(wrapped(Database, self.control, "control", process), environments, transfer))

    def composed(
        self, control: Database, environments: Mapping[str, Environment], transfer: ObjectStore | None
    ) -> Services:
        """The services on these stores."""

        def open_transfer(path: PathSettings) -> ObjectStore | None:
            return transfer

        return Services(
            settings=self.settings,
            clock=self.clock,
            control=control,
            environments=environments,
            promotions=EnvironmentPromotionService(control, environments, open_transfer, self.settings, self.clock),
            approvals=ApprovalService(control, self.settings, self.clock),
            freezes=FreezeService(control, self.settings, self.clock),
        )

    def save(self, name: str) -> None:
        """Keep everything as it is now."""
        for database in self.databases:
            database.save(name)
        self.saved[name] = {env: self._stores(environment) for env, environment in self.environments.items()}

    def restore(self, name: str) -> None:
        """Put everything back as it was then, with the clock at its start."""
        self.clock.set(START)
        for database in self.databases:
            database.restore(name)
        for env, saved in self.saved[name].items():
            self._put_back(self.environments[env], saved)

    def reconnect(self) -> None:
        """Connect anew to databases that were down."""
        for database in self.databases:
            database.connect()

    def bucket(self, environment: Environment) -> str:
        """The environment's bucket."""
        return environment.settings.get_bucket_name(self.settings.default_bucket)

    def collection(self, environment: Environment) -> str:
        """The environment's collection."""
        return environment.settings.get_collection_name(self.settings.default_collection)

    def _stores(self, environment: Environment) -> SavedStores:
        bucket, objects = self.bucket(environment), {}
        for each in environment.objects.list(bucket):
            about = environment.objects.stat(bucket, each.key)
            assert about is not None
            with environment.objects.read(bucket, each.key) as parts:
                objects[each.key] = about, b"".join(parts)
        found = environment.vectors.scroll(self.collection(environment), {}, vectors=True)
        return SavedStores(objects, {point.id: point for point in found})

    def _put_back(self, environment: Environment, saved: SavedStores) -> None:
        bucket, collection = self.bucket(environment), self.collection(environment)
        there = {each.key: each.etag for each in environment.objects.list(bucket)}
        if strange := there.keys() - saved.objects.keys():
            environment.objects.delete(bucket, strange)
        for key, (about, data) in saved.objects.items():
            if there.get(key) != about.etag:
                type_, metadata = about.content_type, about.metadata
                environment.objects.put(bucket, key, io.BytesIO(data), len(data), content_type=type_, metadata=metadata)
        found = {point.id: point for point in environment.vectors.scroll(collection, {}, vectors=True)}
        if extra := found.keys() - saved.points.keys():
            environment.vectors.delete(collection, list(extra))
        if other := [point for id_, point in saved.points.items() if found.get(id_) != point]:
            environment.vectors.upsert(collection, other)


@contextmanager
def memory_world(site: Site, settings: Settings, *, shared_server: bool = True) -> Iterator[FaultWorld]:
    """A world whose objects, vectors and caches are in memory; Postgres, which decides, is real.

    Args:
        site: The stack that the databases are on.
        settings: The databases, names and policies.
        shared_server: Whether files are copied inside the object server, or carried from account to account.
    """
    clock = ManualClock(START)
    server = MemoryObjectServer(clock)
    with ExitStack() as opened:
        environments = {}
        for name, each in settings.environments.items():
            environments[name] = Environment(
                settings=each,
                database=opened.enter_context(closing(Database(each.database, environment=each))),
                objects=MemoryObjectStore(server, [f"{name}-*"]),
                vectors=MemoryVectorIndex(),
                cache=MemoryCache(clock),
                sessions=MemoryCache(clock),
                limits=MemoryCache(clock),
            )
            for bucket in settings.buckets:
                environments[name].objects.ensure_bucket(each.get_bucket_name(bucket))
            for base, about in settings.collections.items():
                wanted = CollectionInfo(each.get_collection_name(base), about.dimension, about.distance)
                environments[name].vectors.ensure_collection(wanted, indexed=points.INDEXED)
        control = opened.enter_context(closing(Database(settings.control.database)))
        with control.begin() as session:
            demo_people.ensure(session)
        KeyRings(settings.key_directory, list(settings.environments)).ensure(clock.now())
        transfer = MemoryObjectStore(server) if shared_server else None
        yield opened.enter_context(_watched(site, FaultWorld(settings, clock, control, environments, transfer, [])))


@contextmanager
def embedded_world(site: Site, settings: Settings) -> Iterator[FaultWorld]:
    """A world on the real engines; `bootstrap.set_up` has been called."""
    clock = ManualClock(START)
    with open_services(settings, clock) as services:
        path = settings.path("dev", "stage")
        transfer = services.promotions._open_transfer(path)
        environments = {name: services.environments[name] for name in settings.environments}
        world = FaultWorld(settings, clock, services.control, environments, transfer, [])
        with _watched(site, world):
            yield world


@contextmanager
def _watched(site: Site, world: FaultWorld) -> Iterator[FaultWorld]:
    """The world, with its databases' statements counted and its tables saved."""
    places = {"control": world.control} | {
        f"{name}.database": each.database for name, each in world.environments.items()
    }

    def watch(place: str, database: Database) -> None:
        @event.listens_for(database.engine, "before_cursor_execute")
        def reach(connection: Any, *_: Any) -> None:
            fault = world.process.reach(place, "execute", Moment.STATEMENT)
            if fault is Fault.ERROR:
                connection.connection.driver_connection.close()
            if fault is Fault.CRASH:
                world.process.die()

    with ExitStack() as opened:
        for place, database in places.items():
            watch(place, database)
            world.databases.append(opened.enter_context(closing(SavedDatabase(site, database.name))))
        yield world
