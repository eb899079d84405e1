"""The routes, each with Qdrant's path, body and answer."""

import asyncio
import hmac
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import orjson
import qdrant_edge as engine
from pydantic import BaseModel
from qdrant_client.http import models
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from wisqu_pipelines.devstack.qdrant_edge import translate
from wisqu_pipelines.devstack.qdrant_edge.errors import (
    ApiError,
    BadRequestError,
    NotFoundError,
    TooLargeError,
    UnsupportedError,
)
from wisqu_pipelines.devstack.qdrant_edge.search import QUERY_MEMBERS, search
from wisqu_pipelines.devstack.qdrant_edge.store import Store

LARGEST_BODY = 64 * 1024 * 1024
"""Bytes."""
LARGEST_DIMENSION = 65_536
MAINTENANCE_SECONDS = 5.0
"""How long a write may be in the write-ahead log only: as long as in Qdrant."""
OPEN_PATHS = {"/", "/healthz", "/livez", "/readyz"}
PARAMETERS = {"wait", "ordering", "consistency", "timeout"}
"""What may stand behind the `?`. On one node only `wait` makes a difference."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """A request, as a route needs it."""

    path: Mapping[str, str]
    parameters: Mapping[str, str]
    body: bytes

    @property
    def collection(self) -> str:
        """The name of the collection in the path."""
        return self.path["collection"]

    def document(self) -> dict[str, Any]:
        """The body's JSON object."""
        return translate.decode(self.body)


def application(store: Store, api_key: bytes) -> ASGIApp:
    """The server, as an ASGI application over an open store."""
    routes = _Routes(store)
    collection = "/collections/{collection}"
    points = f"{collection}/points"

    def route(method: str, path: str, answer: Callable[[Call], Any]) -> Route:
        return Route(path, _endpoint(answer), methods=[method])

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        maintenance = asyncio.create_task(_maintain(store))
        yield
        maintenance.cancel()
        with suppress(asyncio.CancelledError):
            await maintenance

    app = Starlette(
        routes=[
            Route("/", _about),
            Route("/healthz", _healthy),
            Route("/livez", _healthy),
            Route("/readyz", _healthy),
            route("GET", "/collections", routes.collections),
            route("GET", collection, routes.describe),
            route("PUT", collection, routes.create),
            route("DELETE", collection, routes.delete),
            route("GET", f"{collection}/exists", routes.exists),
            route("PUT", f"{collection}/index", routes.create_index),
            route("PUT", points, routes.upsert),
            route("POST", points, routes.retrieve),
            route("POST", f"{points}/scroll", routes.scroll),
            route("POST", f"{points}/count", routes.count),
            route("POST", f"{points}/delete", routes.delete_points),
            route("POST", f"{points}/payload", routes.set_payload),
            route("PUT", f"{points}/payload", routes.overwrite_payload),
            route("POST", f"{points}/payload/delete", routes.delete_payload),
            route("POST", f"{points}/query", routes.query),
            route("POST", f"{points}/query/batch", routes.query_batch),
        ],
        exception_handlers={HTTPException: _no_such_route},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return _Authenticated(app, api_key)


async def _maintain(store: Store) -> None:
    while True:
        await asyncio.sleep(MAINTENANCE_SECONDS)
        store.maintain()


class _Authenticated:
    """Lets a request with the right key through, and refuses every other one before its body is read."""

    def __init__(self, app: ASGIApp, api_key: bytes) -> None:
        self._app = app
        self._api_key = api_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            refusal = self._refusal(dict(scope["headers"]))
            if refusal:
                await PlainTextResponse(refusal, 401)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, headers: dict[bytes, bytes]) -> str | None:
        given = headers.get(b"api-key")
        if given is None and headers.get(b"authorization", b"").startswith(b"Bearer "):
            given = headers[b"authorization"].removeprefix(b"Bearer ")
        if given is None:
            return "Must provide an API key or an Authorization bearer token"
        return None if hmac.compare_digest(given, self._api_key) else "Invalid API key or JWT"


def _endpoint(answer: Callable[[Call], Any]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        started = time.perf_counter()
        try:
            unknown = sorted(request.query_params.keys() - PARAMETERS)
            if unknown:
                raise UnsupportedError(f"the parameter `{unknown[0]}`")
            body = await _body(request)
            result = answer(Call(request.path_params, request.query_params, body))
        except Exception as error:
            return _refused(_api_error(error), started)
        seconds = time.perf_counter() - started
        return _json({"result": result, "status": "ok", "time": seconds}, 200)

    return endpoint


async def _body(request: Request) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > LARGEST_BODY:
        raise _too_large()
    parts = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            raise _too_large()
        parts.append(part)
    return b"".join(parts)


def _too_large() -> TooLargeError:
    return TooLargeError(f"Payload error: JSON payload is larger than allowed (limit: {LARGEST_BODY} bytes).")


def _api_error(error: Exception) -> ApiError:
    """What to tell the client of an error. The engine raises plain exceptions, told apart by their text."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, ValueError):  # a payload or a path that the engine's types do not take
        return BadRequestError(f"Wrong input: {error}")
    if str(error).startswith("No point with id"):
        return NotFoundError(str(error))
    log.error("A request failed", exc_info=error)
    return ApiError(f"Service internal error: {error}")


def _refused(error: ApiError, started: float) -> Response:
    seconds = time.perf_counter() - started
    return _json({"status": {"error": error.message}, "time": seconds}, error.status)


def _json(document: dict[str, Any], status: int) -> Response:
    content = orjson.dumps(document, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(content, status, media_type="application/json")


def _plain(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude_none=True)


async def _no_such_route(request: Request, _error: Exception) -> Response:
    return _refused(UnsupportedError(f"{request.method} {request.url.path}"), time.perf_counter())


async def _about(_request: Request) -> Response:
    """Says the version of the client library whose models are used here, so that it finds itself compatible."""
    about = models.VersionInfo(title="qdrant-edge - a local part of Qdrant's API", version=version("qdrant-client"))
    return _json(about.model_dump(), 200)


async def _healthy(request: Request) -> Response:
    """Collections are opened before the port is, so who answers is ready."""
    return PlainTextResponse(f"{request.url.path.strip('/')} check passed")


class _Routes:
    """What each route does; a method returns what stands under `result`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # Collections

    def collections(self, _call: Call) -> models.CollectionsResponse:
        names = self._store.names()
        return models.CollectionsResponse(collections=[models.CollectionDescription(name=name) for name in names])

    def exists(self, call: Call) -> models.CollectionExistence:
        return models.CollectionExistence(exists=call.collection in self._store)

    def create(self, call: Call) -> bool:
        wanted = translate.read(models.CreateCollection, call.document(), {"vectors"}).vectors
        if not isinstance(wanted, models.VectorParams):
            raise UnsupportedError("a collection without exactly one unnamed dense vector")
        translate.only(wanted, {"size", "distance"})
        if not 1 <= wanted.size <= LARGEST_DIMENSION:
            raise BadRequestError(f"Wrong input: vectors.size: {wanted.size} is not from 1 to {LARGEST_DIMENSION}")
        self._store.create(call.collection, wanted)
        return True

    def delete(self, call: Call) -> bool:
        return self._store.delete(call.collection)

    def describe(self, call: Call) -> models.CollectionInfo:
        collection = self._store[call.collection]
        info = collection.shard.info()
        return models.CollectionInfo(
            status=models.CollectionStatus.GREEN,
            optimizer_status=models.OptimizersStatusOneOf.OK,
            indexed_vectors_count=info.indexed_vectors_count,
            points_count=info.points_count,
            segments_count=info.segments_count,
            config=models.CollectionConfig(
                params=models.CollectionParams(vectors=collection.config),
                hnsw_config=models.HnswConfig(m=0, ef_construct=100, full_scan_threshold=10_000),
                optimizer_config=models.OptimizersConfig(
                    default_segment_number=0, flush_interval_sec=int(MAINTENANCE_SECONDS), indexing_threshold=0
                ),
            ),
            payload_schema={
                name: models.PayloadIndexInfo(data_type=translate.INDEXES_SHOWN[index.data_type], points=index.points)
                for name, index in info.payload_schema.items()
            },
        )

    def create_index(self, call: Call) -> models.UpdateResult:
        asked = translate.read(models.CreateFieldIndex, call.document(), {"field_name", "field_schema"})
        kind = asked.field_schema
        if not isinstance(kind, models.PayloadSchemaType) or kind not in translate.INDEXES:
            raise UnsupportedError("a payload index other than a plain keyword, integer or uuid")
        return self._update(call, engine.UpdateOperation.create_field_index(asked.field_name, translate.INDEXES[kind]))

    # Writing

    def upsert(self, call: Call) -> models.UpdateResult:
        dimension = self._store[call.collection].config.size
        points = translate.points(call.document(), dimension)
        return self._update(call, engine.UpdateOperation.upsert_points(points))

    def delete_points(self, call: Call) -> models.UpdateResult:
        document = call.document()
        if "filter" in document:
            by = translate.read(models.FilterSelector, document, {"filter"}).filter
            operation = engine.UpdateOperation.delete_points_by_filter(translate.condition_filter(by))
        else:
            ids = translate.read(models.PointIdsList, document, {"points"}).points
            operation = engine.UpdateOperation.delete_points(translate.point_ids(translate.some(ids)))
        return self._update(call, operation)

    def set_payload(self, call: Call) -> models.UpdateResult:
        asked = translate.read(models.SetPayload, call.document(), {"payload", "points", "filter", "key"})
        ids, by = translate.selection(asked)
        operations = engine.UpdateOperation
        return self._update(
            call,
            operations.set_payload(ids, asked.payload, asked.key)
            if by is None
            else operations.set_payload_by_filter(by, asked.payload, asked.key),
        )

    def overwrite_payload(self, call: Call) -> models.UpdateResult:
        asked = translate.read(models.SetPayload, call.document(), {"payload", "points", "filter"})
        ids, by = translate.selection(asked)
        operations = engine.UpdateOperation
        return self._update(
            call,
            operations.overwrite_payload(ids, asked.payload)
            if by is None
            else operations.overwrite_payload_by_filter(by, asked.payload),
        )

    def delete_payload(self, call: Call) -> models.UpdateResult:
        asked = translate.read(models.DeletePayload, call.document(), {"keys", "points", "filter"})
        ids, by = translate.selection(asked)
        operations = engine.UpdateOperation
        return self._update(
            call,
            operations.delete_payload(ids, asked.keys)
            if by is None
            else operations.delete_payload_by_filter(by, asked.keys),
        )

    def _update(self, call: Call, operation: engine.UpdateOperation) -> models.UpdateResult:
        """Apply a write. It is done by the time of the answer also for a client that does not want to wait."""
        number = self._store[call.collection].update(operation)
        waited = call.parameters.get("wait") == "true"
        status = models.UpdateStatus.COMPLETED if waited else models.UpdateStatus.ACKNOWLEDGED
        return models.UpdateResult(operation_id=number, status=status)

    # Reading

    def retrieve(self, call: Call) -> list[dict[str, Any]]:
        collection = self._store[call.collection]
        asked = translate.read(models.PointRequest, call.document(), {"ids", "with_payload", "with_vector"})
        found = collection.shard.retrieve(
            translate.point_ids(asked.ids),
            translate.wanted_payload(asked.with_payload, default=True),
            translate.wanted_vector(asked.with_vector),
        )
        return [translate.record(each) for each in found]

    def scroll(self, call: Call) -> dict[str, Any]:
        collection = self._store[call.collection]
        members = {"offset", "limit", "filter", "with_payload", "with_vector"}
        asked = translate.read(models.ScrollRequest, call.document(), members)
        found, following = collection.shard.scroll(
            engine.ScrollRequest(
                offset=None if asked.offset is None else translate.point_id(asked.offset),
                limit=translate.limit(asked.limit),
                filter=translate.optional_filter(asked.filter),
                with_payload=translate.wanted_payload(asked.with_payload, default=True),
                with_vector=translate.wanted_vector(asked.with_vector),
            )
        )
        return {
            "points": [translate.record(each) for each in found],
            "next_page_offset": None if following is None else translate.shown_id(following),
        }

    def count(self, call: Call) -> models.CountResult:
        collection = self._store[call.collection]
        asked = translate.read(models.CountRequest, call.document(), {"filter", "exact"})
        request = engine.CountRequest(asked.exact is not False, translate.optional_filter(asked.filter))
        return models.CountResult(count=collection.shard.count(request))

    def query(self, call: Call) -> dict[str, Any]:
        collection = self._store[call.collection]
        return search(collection, translate.read(models.QueryRequest, call.document(), QUERY_MEMBERS))

    def query_batch(self, call: Call) -> list[dict[str, Any]]:
        collection = self._store[call.collection]
        searches = translate.read(models.QueryRequestBatch, call.document(), {"searches"}).searches
        for each in searches:
            translate.only(each, QUERY_MEMBERS)
        return [search(collection, each) for each in searches]
