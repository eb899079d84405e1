"""The vector index port in memory."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
import orjson

from wisqu_pipelines.errors import CollectionMismatch, CollectionMissing, StoreFailed
from wisqu_pipelines.ports.vectors import CollectionInfo, Numbers, Point, ScoredPoint
from wisqu_pipelines.storage.stored_vectors import Vector, stored

_SCORES: Mapping[str, Callable[[Vector, Vector], float]] = {
    "Cosine": lambda one, other: float(one @ other),
    "Dot": lambda one, other: float(one @ other),
    "Euclid": lambda one, other: float(np.linalg.norm(one - other)),
    "Manhattan": lambda one, other: float(np.abs(one - other).sum()),
}
_NEAR_IS_LARGE = {"Cosine", "Dot"}


@dataclass(slots=True)
class _Collection:
    info: CollectionInfo
    points: dict[UUID, tuple[Vector, dict[str, Any]]] = field(default_factory=dict)


class MemoryVectorIndex:
    """A server of its own. Safe to use from several threads."""

    def __init__(self) -> None:
        """Start without collections."""
        self._collections: dict[str, _Collection] = {}
        self._lock = threading.RLock()

    def ensure_collection(self, wanted: CollectionInfo, *, indexed: Sequence[str] = ()) -> None:
        """Make the collection if it is not there; here every field is found without an index."""
        with self._lock:
            found = self._collections.setdefault(wanted.name, _Collection(wanted)).info
        if found != wanted:
            raise CollectionMismatch(collection=wanted.name, found=_made_for(found), wanted=_made_for(wanted))

    def describe(self, collection: str) -> CollectionInfo | None:
        """What the collection is made for, or None if there is none."""
        found = self._collections.get(collection)
        return None if found is None else found.info

    def collections(self) -> Sequence[str]:
        """The names of all collections, sorted."""
        return sorted(self._collections)

    def upsert(self, collection: str, points: Sequence[Point]) -> None:
        """Write points; one with a known id is replaced."""
        with self._lock:
            into = self._collection(collection)
            for point in points:
                _check_dimension(into.info, point.vector)
            for point in points:
                into.points[point.id] = stored(point.vector, into.info.distance), _plain(point.payload)

    def retrieve(self, collection: str, ids: Sequence[UUID], *, vectors: bool = True) -> Mapping[UUID, Point]:
        """The points of those ids that are there."""
        with self._lock:
            points = self._collection(collection).points
            return {each: _point(each, points[each], vectors) for each in ids if each in points}

    def present(self, collection: str, ids: Sequence[UUID]) -> set[UUID]:
        """Those of the ids whose points are there."""
        return set(self.retrieve(collection, ids, vectors=False))

    def scroll(self, collection: str, match: Mapping[str, Any], *, vectors: bool = False) -> Iterator[Point]:
        """All points that match, in the order of their ids."""
        with self._lock:
            found = [_point(each, about, vectors) for each, about in self._matching(collection, match)]
        yield from sorted(found, key=lambda point: point.id)

    def count(self, collection: str, match: Mapping[str, Any]) -> int:
        """How many points match."""
        with self._lock:
            return sum(1 for _ in self._matching(collection, match))

    def set_payload(self, collection: str, ids: Sequence[UUID], payload: Mapping[str, Any]) -> None:
        """Set these payload fields on the points of those ids; one that is not there is no error."""
        with self._lock:
            points = self._collection(collection).points
            for each in ids:
                if each in points:
                    points[each][1].update(_plain(payload))

    def delete(self, collection: str, ids: Sequence[UUID]) -> None:
        """Delete points; one that is not there is no error."""
        with self._lock:
            points = self._collection(collection).points
            for each in ids:
                points.pop(each, None)

    def search(self, collection: str, vector: Numbers, match: Mapping[str, Any], limit: int) -> Sequence[ScoredPoint]:
        """The `limit` nearest points among those that match, best first."""
        with self._lock:
            info = self._collection(collection).info
            _check_dimension(info, vector)
            wanted, score = stored(vector, info.distance), _SCORES[info.distance]
            found = [
                ScoredPoint(each, score(wanted, about[0]), _plain(about[1]))
                for each, about in self._matching(collection, match)
            ]
        return sorted(found, key=lambda each: each.score, reverse=info.distance in _NEAR_IS_LARGE)[:limit]

    def _collection(self, name: str) -> _Collection:
        try:
            return self._collections[name]
        except KeyError:
            raise CollectionMissing(collection=name) from None

    def _matching(
        self, collection: str, match: Mapping[str, Any]
    ) -> Iterator[tuple[UUID, tuple[Vector, dict[str, Any]]]]:
        for each, about in self._collection(collection).points.items():
            if all(_matches(about[1].get(name), value) for name, value in match.items()):
                yield each, about


def _matches(found: Any, wanted: Any) -> bool:
    """As in Qdrant a list matches by any of its elements, and 1 is not true."""
    if isinstance(found, list):
        return any(_matches(each, wanted) for each in found)
    return type(found) is type(wanted) and found == wanted


def _check_dimension(info: CollectionInfo, vector: Numbers) -> None:
    if len(vector) != info.dimension:
        raise CollectionMismatch(
            collection=info.name, found=f"dimension {info.dimension}", wanted=f"dimension {len(vector)}"
        )


def _made_for(info: CollectionInfo) -> str:
    return f"dimension {info.dimension} and distance {info.distance}"


def _point(point_id: UUID, about: tuple[Vector, dict[str, Any]], vectors: bool) -> Point:
    return Point(point_id, about[0].copy() if vectors else (), _plain(about[1]))


def _plain(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A payload after its way through JSON, shared with nobody."""
    try:
        plain: dict[str, Any] = orjson.loads(orjson.dumps(dict(payload)))
    except orjson.JSONEncodeError as error:
        raise StoreFailed(store="vector index", operation="upsert", cause=str(error)) from None
    return plain
