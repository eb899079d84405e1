"""The vector index as the domain sees it: collections of points with a payload."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias
from uuid import UUID

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = Sequence[float] | npt.NDArray[np.float32]
"""A vector."""


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """What a collection is made for."""

    name: str
    dimension: int
    distance: str
    """Cosine, Dot, Euclid or Manhattan. An index that uses Cosine stores its vectors normalised."""


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A vector and what is known about it. Points are equal if id, payload and every number are."""

    id: UUID
    vector: Numbers
    """`dimension` numbers, single precision in the store; empty where vectors were not asked for."""
    payload: Mapping[str, Any] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Point):
            return NotImplemented
        same = self.id == other.id and self.payload == other.payload
        return same and np.array_equal(np.asarray(self.vector), np.asarray(other.vector))

    def __hash__(self) -> int:
        return hash(self.id)


@dataclass(frozen=True, slots=True)
class ScoredPoint:
    """A point found by a search, with its similarity."""

    id: UUID
    score: float
    payload: Mapping[str, Any] = field(default_factory=dict)


class VectorIndex(Protocol):
    """One environment's vector server. Collection names are full names (`documents_dev`).

    A write has happened when the method returns; one that was only acknowledged is read back first. Every method raises
    `CollectionMissing` for an unknown collection, and `StoreUnavailable`, `StoreDenied` or `StoreFailed` for the
    server's troubles. `match` names payload fields and the value each must have: a text, a whole number or a bool.
    """

    def ensure_collection(self, wanted: CollectionInfo, *, indexed: Sequence[str] = ()) -> None:
        """Make the collection if it is not there, with an index on each payload field of `indexed`.

        Raises:
            CollectionMismatch: it is there with another dimension or distance.
        """
        ...

    def describe(self, collection: str) -> CollectionInfo | None:
        """What the collection is made for, or None if there is none."""
        ...

    def collections(self) -> Sequence[str]:
        """The names of all collections, sorted."""
        ...

    def upsert(self, collection: str, points: Sequence[Point]) -> None:
        """Write points, in batches; one with a known id is replaced.

        Raises:
            CollectionMismatch: a vector has another dimension than the collection.
        """
        ...

    def retrieve(self, collection: str, ids: Sequence[UUID], *, vectors: bool = True) -> Mapping[UUID, Point]:
        """The points of those ids that are there."""
        ...

    def present(self, collection: str, ids: Sequence[UUID]) -> set[UUID]:
        """Those of the ids whose points are there."""
        ...

    def scroll(self, collection: str, match: Mapping[str, Any], *, vectors: bool = False) -> Iterator[Point]:
        """All points that match, page by page, in the order of their ids."""
        ...

    def count(self, collection: str, match: Mapping[str, Any]) -> int:
        """How many points match, exactly."""
        ...

    def set_payload(self, collection: str, ids: Sequence[UUID], payload: Mapping[str, Any]) -> None:
        """Set these payload fields on the points of those ids, and leave the other fields alone; a point that is not
        there is no error.
        """
        ...

    def delete(self, collection: str, ids: Sequence[UUID]) -> None:
        """Delete points; one that is not there is no error."""
        ...

    def search(self, collection: str, vector: Numbers, match: Mapping[str, Any], limit: int) -> Sequence[ScoredPoint]:
        """The `limit` nearest points among those that match, best first."""
        ...
