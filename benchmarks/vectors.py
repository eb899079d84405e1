"""Vectors: from one server to another, against qdrant-client's scroll and upsert."""

import secrets
import statistics
from collections.abc import Iterator
from time import process_time
from uuid import UUID, uuid4

import numpy as np

from benchmarks.ratios import Act, Prepare, Ratio, compare, ratio
from benchmarks.rivals import point_copies
from wisqu_pipelines.ports.vectors import CollectionInfo, Point
from wisqu_pipelines.settings import Settings
from wisqu_pipelines.storage.qdrant import QdrantVectorIndex

POINTS, DIMENSION, BATCH = 8_192, 384, 512
SOURCE, TARGET = "dev", "stage"


def measure(settings: Settings, rounds: int) -> Iterator[Ratio]:
    """The ratios, between the running servers of dev and stage; the collection it makes there ends up empty."""
    here, there = (settings.environments[name].vector_index for name in (SOURCE, TARGET))
    source, target = QdrantVectorIndex(here), QdrantVectorIndex(there)
    made_for = CollectionInfo(f"bench_{secrets.token_hex(4)}", DIMENSION, "Cosine")
    for index in (source, target):
        index.ensure_collection(made_for)
    ids = _fill(source, made_for.name)
    spent: dict[str, list[float]] = {"ours": [], "rival": []}

    def emptied(side: str, copy: Act) -> Prepare:
        def timed() -> None:
            started = process_time()
            copy()
            spent[side].append(process_time() - started)

        def prepare() -> Act:
            target.delete(made_for.name, ids)
            return timed

        return prepare

    def ours() -> None:
        batch: list[Point] = []
        for point in source.scroll(made_for.name, {}, vectors=True):
            batch.append(point)
            if len(batch) == BATCH:
                target.upsert(made_for.name, batch)
                batch = []
        target.upsert(made_for.name, batch)

    rival = emptied("rival", lambda: point_copies.scroll_and_upsert(here, there, made_for.name))
    name = f"{POINTS} points of {DIMENSION} dimensions, against qdrant-client's scroll and upsert"
    yield from compare(emptied("ours", ours), {name: (rival, 1.3)}, rounds)
    mine, theirs = (statistics.median(spent[side]) / POINTS for side in ("ours", "rival"))
    yield ratio("the client's processor time for a point, against qdrant-client", 2.0, mine, theirs)
    for index in (source, target):
        index.delete(made_for.name, ids)
        index.close()


def _fill(index: QdrantVectorIndex, collection: str) -> list[UUID]:
    numbers = np.random.default_rng(1).normal(size=(POINTS, DIMENSION)).astype(np.float32)
    points = [
        Point(uuid4(), vector, {"document_id": str(uuid4()), "chunk": number % 8, "text": "a few words " * 30})
        for number, vector in enumerate(numbers)
    ]
    index.upsert(collection, points)
    return [point.id for point in points]
