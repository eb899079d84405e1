"""The vector index port on Qdrant over REST: points in bulk by `QdrantPoints`, all else through `qdrant-client`."""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import numpy as np
import orjson
from qdrant_client import models
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse
from qdrant_client.qdrant_remote import QdrantRemote
from urllib3.exceptions import HTTPError

from wisqu_pipelines.errors import (
    CollectionMismatch,
    CollectionMissing,
    StoreDenied,
    StoreFailed,
    StoreUnavailable,
    WisquError,
)
from wisqu_pipelines.ports.vectors import CollectionInfo, Numbers, Point, ScoredPoint
from wisqu_pipelines.settings import VectorIndexSettings
from wisqu_pipelines.side_by_side import ahead
from wisqu_pipelines.storage.connections import PASSING_ERRORS
from wisqu_pipelines.storage.qdrant_points import QdrantPoints, in_requests, plain
from wisqu_pipelines.storage.retries import with_retries
from wisqu_pipelines.storage.stored_vectors import is_stored_as

SECONDS = 60
"""How long an answer may take."""
CONNECTIONS = 16
POINTS_AT_ONCE = 512
"""Most points in one request or answer that carries vectors."""
BYTES_AT_ONCE = 16 * 1024 * 1024
"""Bytes of JSON in such a request, or about in such an answer; Qdrant refuses more than 32 MiB."""
BYTES_PER_NUMBER = 22
"""Most digits of one number of a vector."""
IDS_AT_ONCE = 2_000
"""Ids in one request that carries no vectors."""
SETTLE_SECONDS = 30.0
"""How long a write that was only acknowledged may take until it shows."""
_PASSING_STATUS = {429, 500, 502, 503, 504}
_VENDOR_ERRORS = (ApiException, QdrantException, HTTPError, ValueError, AssertionError)
"""What the clients raise; the last two for an answer that is not JSON, or in which the result is missing."""

Result = TypeVar("Result")


class QdrantVectorIndex:
    """One Qdrant server, as one account. Safe to use from several threads."""

    def __init__(self, settings: VectorIndexSettings) -> None:
        """Use the server that the settings name; nothing is connected yet."""
        self._url = settings.url
        self._store = f"vector index at {urlsplit(settings.url).netloc.rpartition('@')[2]}"
        # Not `QdrantClient`, which adds inference that is not used here, and takes 20 ms to be made.
        self._client = QdrantRemote(
            url=settings.url,
            # As a header, because the client's own parameter warns on every plain-HTTP address, loopback included.
            headers={"api-key": settings.api_key.get_secret_value()},
            timeout=SECONDS,
            prefer_grpc=False,
            check_compatibility=False,
            verify=settings.url.startswith("https:"),  # plain HTTP needs no certificates, which take long to load
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        )
        self._points = QdrantPoints(settings)
        self._known: dict[str, CollectionInfo] = {}
        """Collections as they were described last."""

    def __repr__(self) -> str:
        return f"QdrantVectorIndex({self._url})"

    def close(self) -> None:
        """Close the connections, for good."""
        self._client.close()
        self._points.close()

    def ensure_collection(self, wanted: CollectionInfo, *, indexed: Sequence[str] = ()) -> None:
        """Make the collection if it is not there, with an index on each payload field of `indexed`."""
        found, there = self._look(wanted.name)
        if found is None:
            vectors = models.VectorParams(size=wanted.dimension, distance=models.Distance(wanted.distance))
            try:
                self._do("make a collection", wanted.name, lambda: self._client.create_collection(wanted.name, vectors))
            except StoreFailed:
                found, there = self._look(wanted.name)  # somebody else may have made it at the same time
                if found is None:
                    raise
        if found is not None and found != wanted:
            raise CollectionMismatch(
                collection=wanted.name,
                found=f"dimension {found.dimension} and distance {found.distance}",
                wanted=f"dimension {wanted.dimension} and distance {wanted.distance}",
            )
        for name in [each for each in indexed if each not in there]:
            self._do(
                "index a payload field",
                wanted.name,
                lambda field=name: self._client.create_payload_index(  # type: ignore[misc]
                    wanted.name, field, models.PayloadSchemaType.KEYWORD, wait=True
                ),
            )

    def describe(self, collection: str) -> CollectionInfo | None:
        """What the collection is made for, or None if there is none."""
        return self._look(collection)[0]

    def _look(self, collection: str) -> tuple[CollectionInfo | None, Collection[str]]:
        """What the collection is made for, and which fields have an index."""
        try:
            found = self._do("describe", collection, lambda: self._client.get_collection(collection))
        except CollectionMissing:
            return None, ()
        vectors = found.config.params.vectors
        if not isinstance(vectors, models.VectorParams):
            raise StoreFailed(store=self._store, operation="describe", cause=f"{collection} has named vectors")
        self._known[collection] = CollectionInfo(collection, vectors.size, vectors.distance.value)
        return self._known[collection], found.payload_schema

    def collections(self) -> Sequence[str]:
        """The names of all collections, sorted."""
        found = self._do("list collections", "", self._client.get_collections)
        return sorted(each.name for each in found.collections)

    def upsert(self, collection: str, points: Sequence[Point]) -> None:
        """Write points, in batches; one with a known id is replaced. A wrong dimension refuses them all."""
        made_for = self._made_for(collection)
        if any(len(point.vector) != made_for.dimension for point in points):
            made_for = self._made_for(collection, again=True)
            for point in points:
                _check_dimension(made_for, point.vector)
        try:
            for batch, ready in in_requests(points, POINTS_AT_ONCE, BYTES_AT_ONCE):
                self._write(
                    "upsert",
                    collection,
                    partial(self._points.upsert, collection, ready),
                    partial(self._show, made_for, batch),
                )
        except orjson.JSONEncodeError as error:
            raise StoreFailed(store=self._store, operation="upsert", cause=str(error)) from None

    def retrieve(self, collection: str, ids: Sequence[UUID], *, vectors: bool = True) -> Mapping[UUID, Point]:
        """The points of those ids that are there."""
        found: dict[UUID, Point] = {}
        for batch in _batches(ids, self._page(collection) if vectors else IDS_AT_ONCE):
            retrieve = partial(self._points.retrieve, collection, batch, vectors=vectors)
            found.update((point.id, point) for point in self._do("retrieve", collection, retrieve))
        return found

    def present(self, collection: str, ids: Sequence[UUID]) -> set[UUID]:
        """Those of the ids whose points are there."""
        found: set[UUID] = set()
        for batch in _batches(ids, IDS_AT_ONCE):
            found |= self._do("retrieve", collection, partial(self._points.present, collection, batch))
        return found

    def scroll(self, collection: str, match: Mapping[str, Any], *, vectors: bool = False) -> Iterator[Point]:
        """All points that match, in the order of their ids; the next page is read while one is being used."""
        limit = self._page(collection) if vectors else POINTS_AT_ONCE

        def page(offset: Any) -> tuple[list[Point], Any]:
            read = partial(self._points.scroll, collection, match, limit, offset, vectors=vectors)
            return self._do("scroll", collection, read)

        def pages() -> Iterator[list[Point]]:
            points, following = page(None)
            while following is not None:
                yield points
                points, following = page(following)
            yield points

        with ThreadPoolExecutor(1) as thread:
            for points in ahead(pages(), thread):
                yield from points

    def count(self, collection: str, match: Mapping[str, Any]) -> int:
        """How many points match, exactly."""
        counted = self._do(
            "count", collection, lambda: self._client.count(collection, count_filter=_filter(match), exact=True)
        )
        return counted.count

    def set_payload(self, collection: str, ids: Sequence[UUID], payload: Mapping[str, Any]) -> None:
        """Set these payload fields on the points of those ids, and leave the other fields alone."""

        def shows(batch: Sequence[UUID]) -> bool:
            return all(
                point.payload.get(key) == value
                for point in self.retrieve(collection, batch, vectors=False).values()
                for key, value in plain(payload).items()
            )

        for batch in _batches(ids, IDS_AT_ONCE):
            write = partial(self._points.set_payload, collection, batch, payload)
            self._write("set payload", collection, write, partial(shows, batch))

    def delete(self, collection: str, ids: Sequence[UUID]) -> None:
        """Delete points; one that is not there is no error."""
        for batch in _batches(ids, IDS_AT_ONCE):
            write = partial(self._points.delete, collection, batch)
            self._write("delete", collection, write, lambda batch=batch: not self.present(collection, batch))  # type: ignore[misc]

    def search(self, collection: str, vector: Numbers, match: Mapping[str, Any], limit: int) -> Sequence[ScoredPoint]:
        """The `limit` nearest points among those that match, best first."""
        answer = self._do(
            "search",
            collection,
            lambda: self._client.query_points(
                collection,
                query=np.asarray(vector, np.float64).tolist(),
                query_filter=_filter(match),
                limit=limit,
                with_payload=True,
            ),
        )
        return [ScoredPoint(UUID(str(each.id)), each.score, each.payload or {}) for each in answer.points]

    def _made_for(self, collection: str, *, again: bool = False) -> CollectionInfo:
        """What the collection is made for, asked once: it only changes when it is deleted and made again."""
        found = None if again else self._known.get(collection)
        found = found or self.describe(collection)
        if found is None:
            raise CollectionMissing(collection=collection)
        return found

    def _page(self, collection: str) -> int:
        """How many points with vectors one answer may carry."""
        return _points_at_once(self._made_for(collection).dimension)

    def _show(self, made_for: CollectionInfo, points: Sequence[Point]) -> bool:
        """Whether points can be read as they were written."""
        found = self.retrieve(made_for.name, [point.id for point in points])
        wanted = {point.id: point for point in points}  # of two with the same id the last one counts
        return all(
            (there := found.get(each)) is not None
            and there.payload == plain(point.payload)
            and is_stored_as(there.vector, point.vector, made_for.distance)
            for each, point in wanted.items()
        )

    def _write(
        self,
        operation: str,
        collection: str,
        write: Callable[[], models.UpdateStatus],
        shows: Callable[[], bool],
    ) -> None:
        """Write, and if the answer only acknowledges, look until the write shows."""
        done = self._do(operation, collection, write)
        if done == models.UpdateStatus.COMPLETED:
            return
        deadline = time.monotonic() + SETTLE_SECONDS
        while not shows():
            if time.monotonic() > deadline:
                cause = "it acknowledged a write that does not show"
                raise StoreUnavailable(store=self._store, operation=operation, cause=cause)
            time.sleep(0.1)

    def _do(self, operation: str, collection: str, act: Callable[[], Result]) -> Result:
        try:
            return with_retries(lambda _: act(), _is_transient)
        except _VENDOR_ERRORS as error:
            raise _translated(error, self._store, operation, collection) from error


def _is_transient(error: Exception) -> bool:
    if isinstance(error, UnexpectedResponse):
        return error.status_code in _PASSING_STATUS
    if isinstance(error, ResponseHandlingException):
        return isinstance(error.source, httpx.TransportError)
    return isinstance(error, (ResourceExhaustedResponse, *PASSING_ERRORS))


def _translated(error: Exception, store: str, operation: str, collection: str) -> WisquError:
    """A vendor's error as ours."""
    if isinstance(error, UnexpectedResponse):
        said = _said(error)
        if error.status_code == 404 and "ollection" in said:
            return CollectionMissing(collection=collection)
        if error.status_code in {401, 403}:
            return StoreDenied(store=store, operation=operation, cause=f"status {error.status_code}")
        if error.status_code == 400 and "imension" in said:
            return CollectionMismatch(
                collection=collection, found="another dimension", wanted=f"the right one ({said})"
            )
        if error.status_code in _PASSING_STATUS:
            return StoreUnavailable(store=store, operation=operation, cause=f"status {error.status_code}")
        return StoreFailed(store=store, operation=operation, cause=f"status {error.status_code}: {said}")
    cause = type(error.source).__name__ if isinstance(error, ResponseHandlingException) else type(error).__name__
    if _is_transient(error):
        return StoreUnavailable(store=store, operation=operation, cause=cause)
    return StoreFailed(store=store, operation=operation, cause=cause)


def _said(error: UnexpectedResponse) -> str:
    """The server's own sentence."""
    try:
        return str(json.loads(error.content)["status"]["error"])
    except (ValueError, KeyError, TypeError):
        return error.reason_phrase


def _check_dimension(made_for: CollectionInfo, vector: Numbers) -> None:
    if len(vector) != made_for.dimension:
        raise CollectionMismatch(
            collection=made_for.name, found=f"dimension {made_for.dimension}", wanted=f"dimension {len(vector)}"
        )


def _filter(match: Mapping[str, Any]) -> models.Filter | None:
    must: list[Any] = [
        models.FieldCondition(key=key, match=models.MatchValue(value=value)) for key, value in match.items()
    ]
    return models.Filter(must=must) if must else None


Element = TypeVar("Element")


def _points_at_once(dimension: int) -> int:
    return max(1, min(POINTS_AT_ONCE, BYTES_AT_ONCE // (dimension * BYTES_PER_NUMBER)))


def _batches(elements: Sequence[Element], size: int) -> Iterator[Sequence[Element]]:
    for start in range(0, len(elements), size):
        yield elements[start : start + size]
