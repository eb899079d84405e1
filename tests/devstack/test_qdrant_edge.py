"""The local vector server answers as Qdrant's client expects, and loses nothing that it acknowledged."""

import importlib.metadata
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import numpy as np
import pytest
import qdrant_edge as engine
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from qdrant_client import QdrantClient
from qdrant_client.common.version_check import is_compatible
from qdrant_client.http import models
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from wisqu_pipelines.devstack.qdrant_edge import collection as collection_module
from wisqu_pipelines.devstack.qdrant_edge.collection import Collection
from wisqu_pipelines.devstack.qdrant_edge.server import LARGEST_BODY

pytestmark = pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")

KEY = "a-key-for-tests"
START_SECONDS = 60.0


class Server:
    """One server process over a data directory; it can be started again after it ended."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.key_file = folder / "key"
        self.key_file.write_text(f"{KEY}\n")
        self.process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> "Server":
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = self.run(port)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                httpx.get(f"{self.url}/readyz").raise_for_status()
            except httpx.TransportError:
                assert self.process.poll() is None, self.process.communicate()[1]
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                return self

    def run(self, port: int) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "wisqu_pipelines.devstack.qdrant_edge", "--port", str(port)]
        files = ["--data", str(self.data), "--api-key-file", str(self.key_file)]
        return subprocess.Popen([*command, *files], stderr=subprocess.PIPE, text=True)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and give the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.communicate(timeout=START_SECONDS)
        return self.process.returncode

    def client(self) -> QdrantClient:
        """A client of its own, as the project makes it."""
        return QdrantClient(url=self.url, api_key=KEY, prefer_grpc=False, timeout=30, check_compatibility=False)

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"api-key": KEY}, timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that tests share; each uses collections of its own."""
    server = Server(tmp_path_factory.mktemp("edge")).start()
    yield server
    server.end()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A server that a test may stop and kill."""
    server = Server(tmp_path).start()
    yield server
    assert server.process is not None
    if server.process.poll() is None:
        server.end()


@pytest.fixture
def collection(shared: Server) -> Iterator[str]:
    """An empty collection of dimension 3."""
    name = f"c-{uuid4().hex}"
    client = shared.client()
    client.create_collection(name, models.VectorParams(size=3, distance=models.Distance.COSINE))
    yield name
    client.delete_collection(name)


def point(identity: int | str, vector: Sequence[float], **payload: Any) -> models.PointStruct:
    return models.PointStruct(id=identity, vector=list(vector), payload=payload)


def everything(client: QdrantClient, name: str) -> dict[Any, tuple[Any, Any]]:
    """All points of a collection, read page by page: their vectors and payloads."""
    found: dict[Any, tuple[Any, Any]] = {}
    offset = None
    while True:
        page, offset = client.scroll(name, limit=100, offset=offset, with_vectors=True)
        found.update({each.id: (each.vector, each.payload) for each in page})
        if offset is None:
            return found


# As Qdrant's client does it in memory

IDS = [1, 7, 2**64 - 1, *(str(UUID(int=number * 2**65 + 5)) for number in range(1, 5))]
SPELLINGS = [*IDS, str(IDS[-1]).upper(), UUID(str(IDS[-1])).hex]

numbers = st.integers(-3, 3)
vectors = st.lists(numbers.map(float), min_size=3, max_size=3)
words = st.sampled_from(["dev", "stage", "prod", "سند", ""])
payloads = st.fixed_dictionaries(
    {},
    optional={
        "word": words,
        "number": numbers | st.none(),
        "flag": st.booleans(),
        "tags": st.lists(words | st.none(), max_size=3),
        "inner": st.fixed_dictionaries({}, optional={"word": words, "number": numbers.map(lambda number: number / 4)}),
    },
)
ids = st.sampled_from(SPELLINGS)
some_ids = st.lists(ids, min_size=0, max_size=4)
paths = st.sampled_from(["word", "tags", "inner.word", "missing"])
matches = st.one_of(
    st.builds(lambda key, value: (key, models.MatchValue(value=value)), paths, words),
    st.builds(lambda value: ("number", models.MatchValue(value=value)), numbers),
    st.builds(lambda value: ("flag", models.MatchValue(value=value)), st.booleans()),
    st.builds(lambda key, some: (key, models.MatchAny(any=some)), paths, st.lists(words, min_size=1, max_size=3)),
    st.builds(lambda some: ("number", models.MatchAny(any=some)), st.lists(numbers, min_size=1, max_size=3)),
    st.builds(lambda key, some: (key, models.MatchExcept(**{"except": some})), paths, st.lists(words, min_size=1)),
).map(lambda pair: models.FieldCondition(key=pair[0], match=pair[1]))
ranges = st.builds(
    lambda key, low, high: models.FieldCondition(key=key, range=models.Range(gt=low, lte=high)),
    st.sampled_from(["number", "inner.number", "word"]),
    st.none() | st.floats(-3, 3, width=32),
    st.none() | numbers.map(float),
)
fields = st.sampled_from(["word", "number", "tags", "inner", "missing"]).map(lambda key: models.PayloadField(key=key))
simple = st.one_of(
    matches,
    ranges,
    some_ids.map(lambda some: models.HasIdCondition(has_id=some)),
    fields.map(lambda field: models.IsEmptyCondition(is_empty=field)),
    fields.map(lambda field: models.IsNullCondition(is_null=field)),
)


def filters_of(conditions: st.SearchStrategy[Any]) -> st.SearchStrategy[models.Filter]:
    many = st.none() | st.lists(conditions, min_size=1, max_size=2)
    several = st.builds(
        lambda some, least: models.MinShould(conditions=some, min_count=least),
        st.lists(conditions, min_size=1, max_size=3),
        st.integers(1, 2),
    )
    return st.builds(models.Filter, must=many, should=many, must_not=many, min_should=st.none() | several)


filters = filters_of(simple | filters_of(simple))
selectors = st.one_of(
    st.booleans(),
    st.just(["word", "inner.word"]),
    st.just(models.PayloadSelectorInclude(include=["tags"])),
    st.just(models.PayloadSelectorExclude(exclude=["word", "inner.number"])),
)
chosen = some_ids | filters


@dataclass(frozen=True)
class Step:
    """One call of a client, with its arguments behind the collection's name."""

    act: Callable[..., Any]
    values: tuple[Any, ...]

    def __call__(self, client: QdrantClient, name: str) -> Any:
        return self.act(client, name, *self.values)


def step(act: Callable[..., Any], *strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.tuples(*strategies).map(lambda values: Step(act, values))


def upsert(client: QdrantClient, name: str, given: list[tuple[Any, Any, Any]], batch: bool) -> Any:
    if not batch:
        return client.upsert(name, [point(identity, vector, **payload) for identity, vector, payload in given])
    identities, columns, extras = ([each[column] for each in given] for column in range(3))
    return client.upsert(name, models.Batch(ids=identities, vectors=columns, payloads=extras))


def set_payload(client: QdrantClient, name: str, payload: Any, which: Any, key: str | None) -> Any:
    return client.set_payload(name, payload, which, key=key)


def overwrite_payload(client: QdrantClient, name: str, payload: Any, which: Any) -> Any:
    return client.overwrite_payload(name, payload, which)


def delete_payload(client: QdrantClient, name: str, keys: list[str], which: Any) -> Any:
    return client.delete_payload(name, keys, which)


def delete(client: QdrantClient, name: str, which: Any) -> Any:
    return client.delete(name, which)


def count(client: QdrantClient, name: str, by: Any) -> Any:
    return client.count(name, by)


def retrieve(client: QdrantClient, name: str, some: list[Any], selector: Any, vector: bool) -> Any:
    found = client.retrieve(name, some, with_payload=selector, with_vectors=vector)
    once = {str(each.id): each for each in found}  # an id asked for twice is answered twice in memory
    return [once[identity] for identity in sorted(once)]


def scroll(client: QdrantClient, name: str, by: Any, limit: int, offset: Any, selector: Any) -> Any:
    return client.scroll(name, by, limit=limit, offset=offset, with_payload=selector)


def search(client: QdrantClient, name: str, near: Any, by: Any, limit: int, least: float | None) -> Any:
    return client.query_points(name, near, query_filter=by, limit=limit, score_threshold=least, with_vectors=True)


def search_batch(client: QdrantClient, name: str, queries: list[tuple[Any, int]]) -> Any:
    requests = [models.QueryRequest(query=near, limit=limit, with_payload=True) for near, limit in queries]
    return client.query_batch_points(name, requests)


written = st.lists(st.tuples(ids, vectors, payloads), min_size=0, max_size=6)
changes = st.one_of(
    step(upsert, written, st.booleans()),
    step(set_payload, payloads, chosen, st.none() | st.just("inner")),
    step(overwrite_payload, payloads, chosen),
    step(delete_payload, st.just(["word", "inner.number"]), chosen),
    step(delete, chosen),
)
limits = st.integers(1, 8)
reads = st.one_of(
    step(count, st.none() | filters),
    step(retrieve, some_ids, selectors, st.booleans()),
    step(scroll, st.none() | filters, limits, st.none() | ids, selectors),
    step(search, vectors | ids, st.none() | filters, limits, st.none() | st.just(0.1234)),
    step(search_batch, st.lists(st.tuples(vectors, limits), min_size=1, max_size=3)),
)


def outcome(act: Step, client: QdrantClient, name: str) -> Any:
    """What a call gives; of a refusal, only that it is one."""
    try:
        result = act(client, name)
    except UnexpectedResponse as error:
        if error.status_code not in {400, 404}:
            raise
        return "refused"
    except (ValueError, KeyError):
        return "refused"
    return None if isinstance(result, models.UpdateResult) else result


def assert_same(ours: Any, theirs: Any) -> None:
    """Equal, but for the last digits of numbers and for which of several equally near points come last."""
    if isinstance(theirs, models.QueryResponse):
        assert_same_search(ours.points, theirs.points)
    elif isinstance(theirs, models.Record):
        assert ours.id == theirs.id
        assert_same_point(ours, theirs)
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other)
    else:
        assert ours == theirs


def assert_same_point(ours: Any, theirs: Any) -> None:
    assert (ours.payload or {}) == (theirs.payload or {})
    assert ours.vector == (None if theirs.vector is None else pytest.approx(theirs.vector, abs=1e-6))


def assert_same_search(ours: list[models.ScoredPoint], theirs: list[models.ScoredPoint]) -> None:
    assert [each.score for each in ours] == pytest.approx([each.score for each in theirs], abs=1e-5)
    if not theirs:
        return
    last = theirs[-1].score
    nearer = {each.id: each for each in theirs if abs(each.score - last) > 1e-5}
    found = {each.id: each for each in ours}
    for identity, each in nearer.items():
        assert found[identity].score == pytest.approx(each.score, abs=1e-5)
        assert_same_point(found[identity], each)


@settings(  # shrinking would take longer than the test may
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
@given(
    distance=st.sampled_from(list(models.Distance)),
    indexed=st.booleans(),
    first=written,
    steps=st.lists(changes | reads, min_size=4, max_size=10),
)
def test_differential(
    shared: Server, distance: models.Distance, indexed: bool, first: list[Any], steps: list[Step]
) -> None:
    """Generated calls give the same here as in the client's own in-memory mode, which follows Qdrant's server."""
    server, memory, name = shared.client(), QdrantClient(":memory:"), f"d-{uuid4().hex}"
    for client in (server, memory):
        client.create_collection(name, models.VectorParams(size=3, distance=distance))
    if indexed:
        server.create_payload_index(name, "word", models.PayloadSchemaType.KEYWORD)
        server.create_payload_index(name, "number", models.PayloadSchemaType.INTEGER)
    try:
        for act in [Step(upsert, (first, False)), *steps]:
            assert_same(outcome(act, server, name), outcome(act, memory, name))
        ours, theirs = everything(server, name), everything(memory, name)
        assert list(ours) == list(theirs)
        for identity, (vector, payload) in theirs.items():
            assert ours[identity][0] == pytest.approx(vector, abs=1e-6)
            assert (ours[identity][1] or {}) == (payload or {})
    finally:
        server.delete_collection(name)


def test_vectors_of_an_embedding_size_and_their_scores(shared: Server) -> None:
    """384 dimensions, 600 points: normalised as Qdrant does it, and found in the same order."""
    rows = np.random.default_rng(7).normal(size=(600, 384)).astype(np.float32).tolist()
    name, results = f"n-{uuid4().hex}", []
    for client in (shared.client(), QdrantClient(":memory:")):
        client.create_collection(name, models.VectorParams(size=384, distance=models.Distance.COSINE))
        client.upload_points(name, [point(number, row, n=number) for number, row in enumerate(rows)], wait=True)
        found = [client.query_points(name, row, limit=20, with_payload=True) for row in rows[:5]]
        results.append((found, client.retrieve(name, range(600), with_vectors=True)))
        client.delete_collection(name)
    assert_same(results[0], results[1])
    stored = np.array([each.vector for each in results[0][1]])
    assert np.linalg.norm(stored, axis=1) == pytest.approx(np.ones(600), abs=1e-6)


# Collections


def test_a_collection_describes_itself(shared: Server, collection: str) -> None:
    client = shared.client()
    client.create_payload_index(collection, "word", models.PayloadSchemaType.KEYWORD)
    client.create_payload_index(collection, "owner", models.PayloadSchemaType.UUID)
    client.create_payload_index(collection, "number", models.PayloadSchemaType.INTEGER)
    client.upsert(collection, [point(1, [1, 0, 0], word="dev")])
    info = client.get_collection(collection)
    assert info.config.params.vectors == models.VectorParams(size=3, distance=models.Distance.COSINE)
    assert info.points_count == 1
    assert {name: index.data_type.value for name, index in info.payload_schema.items()} == {
        "word": "keyword",
        "owner": "uuid",
        "number": "integer",
    }
    assert client.collection_exists(collection)
    assert collection in [each.name for each in client.get_collections().collections]


def test_creating_twice_and_deleting_twice(shared: Server, collection: str) -> None:
    client = shared.client()
    with pytest.raises(UnexpectedResponse, match="already exists") as caught:
        client.create_collection(collection, models.VectorParams(size=3, distance=models.Distance.COSINE))
    assert caught.value.status_code == 409
    assert client.delete_collection(collection) is True
    assert client.delete_collection(collection) is False
    assert not client.collection_exists(collection)


@pytest.mark.parametrize("name", ["..", "a/b", "a\\b", "a:b", "x" * 256, "س" * 128])
def test_a_name_that_is_no_folder_is_refused(shared: Server, name: str) -> None:
    body = {"vectors": {"size": 3, "distance": "Cosine"}}
    with shared.http() as http:
        answer = http.put(f"/collections/{name.replace('/', '%2F').replace('..', '%2E%2E')}", json=body)
    assert answer.status_code in {422, 501}
    assert not list(shared.data.glob(f"collections/{name[:60]}*"))


def test_an_unknown_collection(shared: Server) -> None:
    with pytest.raises(UnexpectedResponse, match="404") as caught:
        shared.client().count("nowhere")
    assert caught.value.structured()["status"]["error"] == "Not found: Collection `nowhere` doesn't exist!"


# Bad input


def refusal(server: Server, method: str, path: str, body: Any) -> tuple[int, str]:
    with server.http() as http:
        content = body if isinstance(body, bytes) else None
        answer = http.request(method, path, content=content, json=None if content is not None else body)
    document = answer.json()
    assert document["time"] >= 0
    return answer.status_code, document["status"]["error"]


def test_a_vector_of_another_dimension(shared: Server, collection: str) -> None:
    with pytest.raises(UnexpectedResponse, match="Vector dimension error: expected dim: 3, got 2") as caught:
        shared.client().upsert(collection, [point(1, [1, 0, 0]), point(2, [1, 0])])
    assert caught.value.status_code == 400
    assert shared.client().count(collection).count == 0
    with pytest.raises(UnexpectedResponse, match="expected dim: 3, got 4"):
        shared.client().query_points(collection, [1.0, 0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Format error"),
        (b"{", "Format error"),
        (b"[]", "expected an object"),
        (b"\xff", "Format error"),
        (b"[" * 100_000, "Format error"),
        ({"points": [{"id": "no-uuid", "vector": [1, 0, 0]}]}, "UUID"),
        ({"points": [{"id": -1, "vector": [1, 0, 0]}]}, "unsigned integer or a UUID"),
        ({"points": [{"id": 2**64, "vector": [1, 0, 0]}]}, "points.0.id.int: Input should be a valid integer"),
        ({"points": [{"id": 1}]}, "vector"),
        ({"points": [{"id": 1, "vector": ["x", 0, 0]}]}, "points.0.vector"),
        (b'{"points": [{"id": 1, "vector": [NaN, 0, 0]}]}', "Format error"),
        (b'{"points": [{"id": 1, "vector": [1e999, 0, 0]}]}', "number is infinity"),
        (b'{"points": [{"id": 1, "vector": [1, 0, 0], "payload": {"x": 1e999}}]}', "number is infinity"),
        ({"batch": {"ids": [1, 2], "vectors": [[1, 0, 0]]}}, "2 ids, 1 vectors"),
        ({"points": []}, "Empty update request"),
    ],
)
def test_a_malformed_upsert(shared: Server, collection: str, body: Any, message: str) -> None:
    status, error = refusal(shared, "PUT", f"/collections/{collection}/points", body)
    assert status == 400
    assert message in error
    assert shared.client().count(collection).count == 0


def test_a_limit_of_zero_and_a_bad_path(shared: Server, collection: str) -> None:
    points = f"/collections/{collection}/points"
    assert refusal(shared, "POST", f"{points}/scroll", {"limit": 0})[0] == 422
    assert refusal(shared, "POST", f"{points}/query", {"query": [1, 0, 0], "limit": 0})[0] == 422
    bad_path = {"filter": {"must": [{"key": "a[[", "match": {"value": 1}}]}}
    assert refusal(shared, "POST", f"{points}/count", bad_path)[0] == 400
    assert refusal(shared, "POST", f"{points}/payload", {"payload": {}})[0] == 400


def test_a_body_over_the_limit(shared: Server, collection: str) -> None:
    path = f"/collections/{collection}/points"

    def stream() -> Iterator[bytes]:
        for _ in range(LARGEST_BODY // 2**20 + 1):
            yield b" " * 2**20

    with shared.http() as http:
        assert http.put(path, content=bytes(LARGEST_BODY + 1)).status_code == 413
        assert http.put(path, content=stream()).status_code == 413
        assert http.get("/collections").status_code == 200


# What a real Qdrant does and this server does not

VECTORS = {"size": 3, "distance": "Cosine"}
POINT = {"id": 1, "vector": [1, 0, 0]}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/collections/{0}/points/1", None),
        ("PATCH", "/collections/{0}", {}),
        ("POST", "/collections/{0}/points/payload/clear", {"points": [1]}),
        ("PUT", "/collections/{0}/points/vectors", {"points": []}),
        ("POST", "/collections/{0}/points/query/groups", {}),
        ("GET", "/collections/{0}/snapshots", None),
        ("GET", "/telemetry", None),
        ("GET", "/collections/", None),
        ("PUT", "/collections/{0}-new", {}),
        ("PUT", "/collections/{0}-new", {"vectors": {"text": VECTORS}}),
        ("PUT", "/collections/{0}-new", {"vectors": {**VECTORS, "on_disk": True}}),
        ("PUT", "/collections/{0}-new", {"vectors": VECTORS, "shard_number": 2}),
        ("PUT", "/collections/{0}-new", {"vectors": VECTORS, "of_the_future": 1}),
        ("PUT", "/collections/{0}/index", {"field_name": "f", "field_schema": "text"}),
        ("PUT", "/collections/{0}/index", {"field_name": "f", "field_schema": {"type": "keyword"}}),
        ("PUT", "/collections/{0}/points", {"points": [POINT], "update_mode": "insert_only"}),
        ("PUT", "/collections/{0}/points", {"points": [{"id": 1, "vector": {"text": [1, 0, 0]}}]}),
        ("PUT", "/collections/{0}/points", {"points": [{"id": str(UUID(int=1)), "vector": [[1, 0, 0]] * 3}]}),
        ("PUT", "/collections/{0}/points", {"batch": {"ids": [1], "vectors": {"text": [[1, 0, 0]]}}}),
        ("PUT", "/collections/{0}/points?unheard=1", {"points": [POINT]}),
        ("POST", "/collections/{0}/points", {"ids": [1], "shard_key": "a"}),
        ("POST", "/collections/{0}/points", {"ids": [1], "with_vector": ["text"]}),
        ("POST", "/collections/{0}/points/scroll", {"order_by": "number"}),
        ("POST", "/collections/{0}/points/count", {"filter": {"must": [{"has_vector": "text"}]}}),
        ("POST", "/collections/{0}/points/count", {"filter": {"must": [{"key": "f", "match": {"text": "a"}}]}}),
        ("POST", "/collections/{0}/points/count", {"filter": {"must": {"key": "f", "values_count": {"gt": 1}}}}),
        ("POST", "/collections/{0}/points/query", {}),
        ("POST", "/collections/{0}/points/query", {"query": {"fusion": "rrf"}, "prefetch": []}),
        ("POST", "/collections/{0}/points/query", {"query": [[1, 0, 0]]}),
        ("POST", "/collections/{0}/points/query", {"query": [1, 0, 0], "using": "text"}),
        ("POST", "/collections/{0}/points/query", {"query": [1, 0, 0], "params": {"indexed_only": True}}),
        ("POST", "/collections/{0}/points/query/batch", {"searches": [{"query": [1, 0, 0], "using": "text"}]}),
    ],
)
def test_what_is_not_supported_says_so(shared: Server, collection: str, method: str, path: str, body: Any) -> None:
    status, error = refusal(shared, method, path.format(collection), body)
    assert status == 501
    assert error.startswith("Not supported by this local server: ")
    assert error.endswith("A real Qdrant server does it.")
    assert shared.client().count(collection).count == 0


# Keys


@pytest.mark.parametrize("headers", [{}, {"api-key": "wrong"}, {"api-key": ""}, {"authorization": f"Basic {KEY}"}])
def test_without_the_key_nothing_is_told_or_done(shared: Server, collection: str, headers: dict[str, str]) -> None:
    with httpx.Client(base_url=shared.url, headers=headers) as http:
        answers = [
            http.get("/collections"),
            http.delete(f"/collections/{collection}"),
            http.post(f"/collections/{collection}/points/count", json={}),
            http.get("/no/such/route"),
        ]
        assert [http.get(path).status_code for path in ("/", "/readyz", "/livez", "/healthz")] == [200] * 4
    assert [answer.status_code for answer in answers] == [401] * 4
    expected = (
        "Invalid API key or JWT" if "api-key" in headers else "Must provide an API key or an Authorization bearer token"
    )
    assert {answer.text for answer in answers} == {expected}
    assert all(collection not in answer.text for answer in answers)
    assert shared.client().collection_exists(collection)


def test_the_client_is_compatible_and_its_wrong_key_refused(shared: Server) -> None:
    assert is_compatible(importlib.metadata.version("qdrant-client"), shared.client().info().version)
    stranger = QdrantClient(url=shared.url, api_key="wrong", prefer_grpc=False, check_compatibility=False)
    with pytest.raises(UnexpectedResponse) as caught:
        stranger.get_collections()
    assert caught.value.status_code == 401
    bearer = httpx.get(f"{shared.url}/collections", headers={"authorization": f"Bearer {KEY}"})
    assert bearer.status_code == 200


# Durability


def test_kill_9_loses_nothing_acknowledged(own: Server) -> None:
    """Every kind of write survives, the last ones though nothing had time to be flushed."""
    client, memory = own.client(), QdrantClient(":memory:")
    for each in (client, memory):
        for name in ("kept", "deleted"):
            each.create_collection(name, models.VectorParams(size=3, distance=models.Distance.COSINE))
        each.delete_collection("deleted")
        for start in range(0, 2_000, 250):
            each.upsert("kept", [point(n, [n, 1, 2], word="dev", n=n) for n in range(start, start + 250)])
    client.create_payload_index("kept", "word", models.PayloadSchemaType.KEYWORD)
    for each in (memory, client):
        each.set_payload("kept", {"word": "stage"}, list(range(0, 2_000, 3)))
        each.overwrite_payload("kept", {"only": True}, [5])
        each.delete_payload("kept", ["n"], [7])
        each.delete("kept", list(range(100, 200)))
        each.upsert("kept", [point(n, [n, 2, 1], word="late") for n in range(1_990, 2_010)])
    assert own.end(signal.SIGKILL) == -signal.SIGKILL

    client = own.start().client()
    assert [each.name for each in client.get_collections().collections] == ["kept"]
    assert_same(
        client.scroll("kept", limit=3_000, with_vectors=True), memory.scroll("kept", limit=3_000, with_vectors=True)
    )
    assert client.get_collection("kept").payload_schema["word"].data_type == models.PayloadSchemaType.KEYWORD
    by = models.Filter(must=[models.FieldCondition(key="word", match=models.MatchValue(value="stage"))])
    assert client.count("kept", by) == memory.count("kept", by)


def test_kill_9_amid_writes(own: Server) -> None:
    """Killed at a moment of no one's choosing, again and again on the same data: what was answered is there, whole."""
    acknowledged: dict[int, int] = {}
    own.client().create_collection("c", models.VectorParams(size=3, distance=models.Distance.COSINE))
    for turn in range(3):
        client, enough = own.client(), threading.Event()

        def write(client: QdrantClient, turn: int, enough: threading.Event) -> None:
            for batch in range(10_000):
                numbers = range(batch * 50, batch * 50 + 50)
                try:
                    client.upsert("c", [point(n, [n, 1, 2], turn=turn) for n in numbers], wait=True)
                except ResponseHandlingException:
                    return
                acknowledged.update(dict.fromkeys(numbers, turn))
                if batch == 10:
                    enough.set()

        writer = threading.Thread(target=write, args=(client, turn, enough))
        writer.start()
        assert enough.wait(START_SECONDS)
        own.end(signal.SIGKILL)
        writer.join()
        found = everything(own.start().client(), "c")
        assert len(found) % 50 == 0
        assert all(found[n][1]["turn"] in {was, turn} for n, was in acknowledged.items())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_stop_keeps_everything(own: Server, number: int) -> None:
    client = own.client()
    client.create_collection("c", models.VectorParams(size=3, distance=models.Distance.DOT))
    client.upsert("c", [point(1, [1, 2, 3], word="dev")], wait=False)
    assert own.end(number) == 0
    client = own.start().client()
    assert everything(client, "c") == {1: ([1.0, 2.0, 3.0], {"word": "dev"})}


def test_a_crash_amid_creating_or_deleting_leaves_no_trace(own: Server) -> None:
    """What a crash leaves in the staging folder is swept, and never served."""
    own.client().create_collection("c", models.VectorParams(size=3, distance=models.Distance.COSINE))
    own.end(signal.SIGKILL)
    os.rename(own.data / "collections" / "c", own.data / "staging" / "half")  # noqa: PTH104
    client = own.start().client()
    assert client.get_collections().collections == []
    assert not list((own.data / "staging").iterdir())


def test_a_second_server_on_the_same_data_is_refused(own: Server) -> None:
    second = own.run(free_port())
    _, error = second.communicate(timeout=START_SECONDS)
    assert second.returncode == 2
    assert "another server has" in error
    assert own.client().get_collections().collections == []


def test_without_a_key_file_no_server(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.key_file.write_text("\n")
    process = server.run(free_port())
    _, error = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 2
    assert "is empty" in error
    assert not server.data.exists()


def test_tidying_up_keeps_every_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The holes that deleted points leave are removed, and only they."""
    monkeypatch.setattr(collection_module, "IDLE_SECONDS", 0.0)
    folder = tmp_path / "c"
    Collection.make(folder, models.VectorParams(size=3, distance=models.Distance.DOT))
    opened = Collection(folder)
    before = {path.name for path in (folder / "shard" / "segments").iterdir()}
    opened.update(
        engine.UpdateOperation.upsert_points([engine.Point(n, [n, 1.0, 2.0], {"n": n}) for n in range(5_000)])
    )
    opened.update(engine.UpdateOperation.delete_points(list(range(4_000))))
    opened.flush()
    opened.tidy()
    assert {path.name for path in (folder / "shard" / "segments").iterdir()} != before
    for _ in range(2):
        found = opened.shard.retrieve(list(range(5_000)), with_payload=True, with_vector=True)
        assert [(each.id, each.vector, each.payload) for each in found] == [
            (n, [n, 1.0, 2.0], {"n": n}) for n in range(4_000, 5_000)
        ]
        opened.close()
        opened = Collection(folder)
    opened.close()
