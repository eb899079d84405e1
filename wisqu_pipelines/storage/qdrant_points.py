"""Points in bulk, over Qdrant's REST API without `qdrant-client`: its models cost more than all the rest.

Bodies are Qdrant's own (https://api.qdrant.tech, points). Numbers keep every bit: they are written with as many digits
as single precision needs, and read as they are written; a vector becomes an array without an object for each number.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import numpy as np
import orjson
import simdjson
from qdrant_client import models
from qdrant_client.http.exceptions import UnexpectedResponse

from wisqu_pipelines.ports.vectors import Numbers, Point
from wisqu_pipelines.settings import VectorIndexSettings
from wisqu_pipelines.storage.connections import BoundedPool


class QdrantPoints:
    """The points of one server. Safe to use from several threads.

    Every method raises `UnexpectedResponse` for a refusal, urllib3's errors for the network's troubles, and
    `ValueError` for an answer that is not Qdrant's.
    """

    def __init__(self, settings: VectorIndexSettings) -> None:
        """Use the server that the settings name; nothing is connected yet."""
        self._url = settings.url.rstrip("/")
        self._headers = {"api-key": settings.api_key.get_secret_value(), "content-type": "application/json"}
        self._pool = BoundedPool()

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def upsert(self, collection: str, points: Iterable[bytes]) -> models.UpdateStatus:
        """Write points, each as `packed` makes it, and wait until they are written."""
        return self._write("PUT", collection, "", b'{"points":[%b]}' % b",".join(points))

    def set_payload(self, collection: str, ids: Sequence[UUID], payload: Mapping[str, Any]) -> models.UpdateStatus:
        """Set payload fields on the points of those ids that are there."""
        # By filter: given as a list, one id that is not there makes Qdrant refuse them all.
        there = {"must": [{"has_id": ids}]}
        return self._write("POST", collection, "/payload", orjson.dumps({"payload": dict(payload), "filter": there}))

    def delete(self, collection: str, ids: Sequence[UUID]) -> models.UpdateStatus:
        """Delete the points of those ids that are there."""
        return self._write("POST", collection, "/delete", orjson.dumps({"points": ids}))

    def retrieve(self, collection: str, ids: Sequence[UUID], *, vectors: bool) -> list[Point]:
        """The points of those ids that are there."""
        found = self._found(collection, ids, payload=True, vectors=vectors)
        return [_point(record, each_id) for record, each_id in found]

    def present(self, collection: str, ids: Sequence[UUID]) -> set[UUID]:
        """Those of the ids whose points are there."""
        return {each_id for _, each_id in self._found(collection, ids, payload=False, vectors=False)}

    def scroll(
        self, collection: str, match: Mapping[str, Any], limit: int, offset: Any, *, vectors: bool
    ) -> tuple[list[Point], Any]:
        """A page of the points that match, and where the next one starts, if there is one."""
        asked: dict[str, Any] = {"limit": limit, "offset": offset, "with_payload": True, "with_vector": vectors}
        if match:
            asked["filter"] = {"must": [{"key": key, "match": {"value": value}} for key, value in match.items()]}
        page = self._ask("POST", collection, "/scroll", orjson.dumps(asked))
        records = _listed(_member(page, "points"))
        return [_point(each, UUID(str(_member(each, "id")))) for each in records], page.get("next_page_offset")

    def _found(
        self, collection: str, ids: Sequence[UUID], *, payload: bool, vectors: bool
    ) -> Iterator[tuple[Any, UUID]]:
        """Records as they are answered, with the ids that were asked for."""
        asked = {str(each): each for each in ids}
        body = orjson.dumps({"ids": list(asked), "with_payload": payload, "with_vector": vectors})
        for record in _listed(self._ask("POST", collection, "", body)):
            id_ = asked.get(str(_member(record, "id")))
            if id_ is None:
                raise ValueError("an answer with a point that was not asked for")
            yield record, id_

    def _write(self, method: str, collection: str, path: str, body: bytes) -> models.UpdateStatus:
        """Change something, and wait until it is changed."""
        return models.UpdateStatus(_member(self._ask(method, collection, f"{path}?wait=true", body), "status"))

    def _ask(self, method: str, collection: str, path: str, body: bytes) -> Any:
        """Send a request, once; returns what stands under `result`."""
        url = f"{self._url}/collections/{quote(collection, safe='')}/points{path}"
        answer = self._pool.urlopen(method, url, redirect=False, body=body, headers=self._headers)
        if answer.status != 200:
            raise UnexpectedResponse(answer.status, answer.reason or "", answer.data, httpx.Headers())
        try:
            said = simdjson.Parser().parse(answer.data)
        except RuntimeError as error:  # an integer of more than 64 bits, which Qdrant has none of
            raise ValueError(str(error)) from None
        return _member(said, "result")


def packed(point: Point) -> bytes:
    """A point as a request carries it.

    Raises:
        TypeError: JSON has no form for something in its payload.
    """
    vector = point.vector if isinstance(point.vector, np.ndarray) else list(point.vector)
    return orjson.dumps(
        {"id": point.id, "vector": vector, "payload": dict(point.payload)}, option=orjson.OPT_SERIALIZE_NUMPY
    )


def plain(payload: Mapping[str, Any]) -> Any:
    """A payload after its way through JSON."""
    return orjson.loads(orjson.dumps(dict(payload)))


def in_requests(points: Sequence[Point], most: int, size: int) -> Iterator[tuple[Sequence[Point], Sequence[bytes]]]:
    """Points in as many batches as requests are needed, each with its packed form.

    Args:
        points: All of them.
        most: Points in one request.
        size: Bytes in one request; a single point may have more.
    """
    batch: list[bytes] = []
    start = weight = 0
    for number, point in enumerate(points):
        ready = packed(point)
        if batch and (len(batch) == most or weight + len(ready) > size):
            yield points[start:number], batch
            batch, start, weight = [], number, 0
        batch.append(ready)
        weight += len(ready)
    if batch:
        yield points[start:], batch


def _point(record: Any, id_: UUID) -> Point:
    """A record with its id as a point."""
    payload, vector = record.get("payload"), record.get("vector")
    if not isinstance(payload, simdjson.Object | None) or not isinstance(vector, simdjson.Array | None):
        raise ValueError("an answer with a point that is none")  # noqa: TRY004 - as in `_listed`
    return Point(id_, () if vector is None else _numbers(vector), {} if payload is None else payload.as_dict())


def _numbers(vector: simdjson.Array) -> Numbers:
    try:
        numbers = np.frombuffer(vector.as_buffer(of_type="d"), np.float64).astype(np.float32)
    except TypeError:
        numbers = np.empty(0, np.float32)
    if len(numbers) != len(vector):  # a vector of vectors is run together in a buffer
        raise ValueError("an answer with a vector that is none")
    return numbers


def _member(answer: Any, name: str) -> Any:
    if not isinstance(answer, simdjson.Object) or name not in answer:
        raise ValueError(f"an answer without '{name}'")
    return answer[name]


def _listed(answer: Any) -> simdjson.Array:
    if not isinstance(answer, simdjson.Array):
        raise ValueError("an answer without a list")  # noqa: TRY004 - what is wrong is the answer, not our use of it
    return answer
