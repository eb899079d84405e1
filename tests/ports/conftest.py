"""The stores that the suites run on: each port's real adapter on the stack, and its adapter in memory."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from minio import Minio
from qdrant_client import QdrantClient

from tests.fixtures.stack import Stack
from wisqu_pipelines.ports.cache import Cache
from wisqu_pipelines.ports.objects import ObjectStore
from wisqu_pipelines.ports.vectors import CollectionInfo, VectorIndex
from wisqu_pipelines.settings import ObjectStoreSettings, Settings
from wisqu_pipelines.storage.memory import MemoryCache, MemoryObjectServer, MemoryObjectStore, MemoryVectorIndex
from wisqu_pipelines.storage.qdrant import QdrantVectorIndex
from wisqu_pipelines.storage.redis_cache import RedisCache
from wisqu_pipelines.storage.s3 import S3ObjectStore

REAL, MEMORY = "real", "memory"
DIMENSION = 4


@dataclass(frozen=True)
class Objects:
    """Two environments on one object server."""

    store: ObjectStore
    """The first environment's account."""
    bucket: str
    """Its bucket."""
    neighbour: ObjectStore
    """The second environment's account."""
    neighbour_bucket: str
    transfer: ObjectStore
    """An account that reads the first environment's buckets and writes the second's."""
    unmade_bucket: str
    """A bucket of the first environment that is not there."""


@pytest.fixture
def stores(stack: Stack) -> Settings:
    """Where the stack's stores are."""
    return stack.settings


def sdk_client(account: ObjectStoreSettings) -> Minio:
    """The vendor's own client, for what the port does not do."""
    return Minio(
        account.endpoint,
        account.access_key,
        account.secret_key.get_secret_value(),
        secure=account.secure,
        region=account.region,
    )


@pytest.fixture(params=[REAL, MEMORY])
def objects(request: pytest.FixtureRequest) -> Iterator[Objects]:
    """The object store port, on each of its adapters."""
    if request.param == REAL:
        yield request.getfixturevalue("s3")
        return
    server = MemoryObjectServer()
    world = _objects(
        MemoryObjectStore(server, ["dev-*"]),
        MemoryObjectStore(server, ["stage-*"]),
        MemoryObjectStore(server, ["dev-*", "stage-*"]),
    )
    world.store.ensure_bucket(world.bucket)
    world.neighbour.ensure_bucket(world.neighbour_bucket)
    yield world


@pytest.fixture
def s3(stores: Settings) -> Iterator[Objects]:
    """The object store port on S3."""
    dev, stage = stores.environments["dev"].object_store, stores.environments["stage"].object_store
    transfer = stores.paths["dev->stage"].transfer
    assert transfer is not None
    accounts = [S3ObjectStore(each) for each in (dev, stage, stage.model_copy(update=transfer.model_dump()))]
    world = _objects(*accounts)
    world.store.ensure_bucket(world.bucket)
    world.neighbour.ensure_bucket(world.neighbour_bucket)
    yield world
    for account, bucket in ((dev, world.bucket), (stage, world.neighbour_bucket)):
        sdk_client(account).remove_bucket(bucket)  # with what is in it
    for store in accounts:
        store.close()


def _objects(store: ObjectStore, neighbour: ObjectStore, transfer: ObjectStore) -> Objects:
    name = secrets.token_hex(4)
    return Objects(store, f"dev-{name}", neighbour, f"stage-{name}", transfer, f"dev-{name}-unmade")


@dataclass(frozen=True)
class Vectors:
    """A vector index with a collection."""

    index: VectorIndex
    collection: str


@pytest.fixture(params=[REAL, MEMORY])
def vectors(request: pytest.FixtureRequest, collection: str) -> Vectors:
    """The vector index port, on each of its adapters."""
    index = request.getfixturevalue("qdrant") if request.param == REAL else MemoryVectorIndex()
    index.ensure_collection(CollectionInfo(collection, DIMENSION, "Cosine"), indexed=["environment"])
    return Vectors(index, collection)


@pytest.fixture
def collection() -> str:
    """A name that no other test uses."""
    return f"ports_{secrets.token_hex(4)}"


@pytest.fixture
def qdrant(stores: Settings, collection: str) -> Iterator[QdrantVectorIndex]:
    """The vector index port on Qdrant; collections whose names start with `collection` are gone afterwards."""
    settings = stores.environments["dev"].vector_index
    index = QdrantVectorIndex(settings)
    yield index
    index.close()
    client = QdrantClient(
        url=settings.url, headers={"api-key": settings.api_key.get_secret_value()}, check_compatibility=False
    )
    for each in client.get_collections().collections:
        if each.name.startswith(collection):
            client.delete_collection(each.name)
    client.close()


@dataclass(frozen=True)
class Keys:
    """A cache, and what the test's own keys start with."""

    cache: Cache
    prefix: str


@pytest.fixture(params=[REAL, MEMORY])
def keys(request: pytest.FixtureRequest) -> Iterator[Keys]:
    """The cache port, on each of its adapters."""
    cache: Cache = request.getfixturevalue("redis") if request.param == REAL else MemoryCache()
    prefix = f"ports-{secrets.token_hex(4)}:"
    yield Keys(cache, prefix)
    cache.delete_prefix(prefix)


@pytest.fixture
def redis(stores: Settings) -> Iterator[RedisCache]:
    """The cache port on Redis."""
    settings = stores.environments["dev"].cache
    cache = RedisCache(settings, settings.databases.limits)
    yield cache
    cache.close()
