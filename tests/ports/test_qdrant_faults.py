"""What the Qdrant adapter does when the network, or the server, does not do its part."""

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import pytest

from tests.ports.proxies import Answer, Drop, Forward, HttpProxy, Plan, Request, first, http_proxy
from wisqu_pipelines.errors import StoreDenied, StoreFailed, StoreUnavailable
from wisqu_pipelines.ports.vectors import CollectionInfo, Point
from wisqu_pipelines.settings import Settings, VectorIndexSettings
from wisqu_pipelines.storage import qdrant as qdrant_module
from wisqu_pipelines.storage.qdrant import QdrantVectorIndex

JSON = "application/json"
ACKNOWLEDGED = json.dumps({"result": {"operation_id": 1, "status": "acknowledged"}, "status": "ok", "time": 0}).encode()
PAGE = b'{"result": {"points": [{"id": "5c56c793-69f3-4fbf-87e6-c4bf54c28c26", "vector": %b, "payload": %b}]}}'
WAIT_TIMEOUT = ACKNOWLEDGED.replace(b"acknowledged", b"wait_timeout")


@pytest.fixture
def account(stores: Settings) -> VectorIndexSettings:
    return stores.environments["dev"].vector_index


@pytest.fixture
def known(qdrant: QdrantVectorIndex, collection: str) -> UUID:
    """The id of a point in a new collection."""
    qdrant.ensure_collection(CollectionInfo(collection, 2, "Cosine"))
    point = Point(uuid4(), [3.0, 4.0], {"state": "old"})
    qdrant.upsert(collection, [point])
    return point.id


@contextmanager
def through(account: VectorIndexSettings, plan: Plan) -> Iterator[tuple[QdrantVectorIndex, HttpProxy]]:
    """The account's index, behind a proxy that follows a plan."""
    with http_proxy(account.url.removeprefix("http://"), plan) as proxy:
        index = QdrantVectorIndex(account.model_copy(update={"url": f"http://{proxy.address}"}))
        yield index, proxy
        index.close()


def is_write(request: Request) -> bool:
    return "wait=" in request.path


def test_nothing_warns(account: VectorIndexSettings, known: UUID, collection: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        index = QdrantVectorIndex(account)
        assert known in index.retrieve(collection, [known])
        index.close()


BUSY = Answer(503, b'{"status":{"error":"overloaded"}}', JSON)
TOO_MANY = Answer(429, b'{"status":{"error":"too many"}}', JSON, {"Retry-After": "1"})


@pytest.mark.parametrize("trouble", [Drop(), BUSY, TOO_MANY, Answer(429, b"")], ids=["dropped", "503", "429", "429-"])
def test_what_passes_is_tried_again(
    account: VectorIndexSettings, known: UUID, collection: str, trouble: Drop | Answer
) -> None:
    with through(account, first(2, trouble)) as (index, proxy):
        assert index.count(collection, {}) == 1
        assert len(proxy.seen) == 3
    with through(account, first(2, trouble, is_write)) as (index, _):
        index.upsert(collection, [Point(uuid4(), [1.0, 0.0])])
        assert index.count(collection, {}) == 2


@pytest.mark.parametrize("trouble", [BUSY, TOO_MANY], ids=["503", "429"])
def test_what_does_not_pass_is_unavailable(account: VectorIndexSettings, collection: str, trouble: Answer) -> None:
    with through(account, lambda _: trouble) as (index, proxy), pytest.raises(StoreUnavailable):
        index.count(collection, {})
    assert len(proxy.seen) == 5


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(400, b'{"status":{"error":"Wrong input: no"}}', JSON), StoreFailed),
        (Answer(401, b"Must provide an API key"), StoreDenied),
        (Answer(403, b"Forbidden"), StoreDenied),
        (Answer(404, b"<html>not here</html>"), StoreFailed),
        (Answer(501, b'{"status":{"error":"no such thing"}}', JSON), StoreFailed),
        (Answer(200, b"no JSON", JSON), StoreFailed),
        (Answer(200, b"{}", JSON), StoreFailed),
    ],
)
def test_a_refusal_is_not_tried_again(
    account: VectorIndexSettings, collection: str, answer: Answer, error: type[Exception]
) -> None:
    with through(account, lambda _: answer) as (index, proxy), pytest.raises(error):
        index.count(collection, {})
    assert len(proxy.seen) == 1


@pytest.mark.parametrize("trouble", [Drop(), BUSY, TOO_MANY, Answer(429, b"")], ids=["dropped", "503", "429", "429-"])
def test_bulk_work_is_tried_again(
    account: VectorIndexSettings, known: UUID, collection: str, trouble: Drop | Answer
) -> None:
    acts: list[Callable[[QdrantVectorIndex], object]] = [
        lambda index: index.retrieve(collection, [known], vectors=False),
        lambda index: list(index.scroll(collection, {})),
        lambda index: index.upsert(collection, [Point(known, [1.0, 0.0])]),
    ]
    for act in acts:
        with through(account, lambda _: Forward()) as (index, proxy):
            index.describe(collection)
            proxy.seen.clear()
            proxy.plan = first(2, trouble)
            act(index)
            assert len(proxy.seen) == 3


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (BUSY, StoreUnavailable),
        (Answer(400, b'{"status":{"error":"Wrong input: no"}}', JSON), StoreFailed),
        (Answer(401, b"Must provide an API key"), StoreDenied),
        (Answer(404, b"<html>not here</html>"), StoreFailed),
        (Answer(200, b"no JSON", JSON), StoreFailed),
        (Answer(200, b"{}", JSON), StoreFailed),
        (Answer(200, b'{"result": null}', JSON), StoreFailed),
        (Answer(200, b'{"result": 1}', JSON), StoreFailed),
        (Answer(200, b'{"result": [{}]}', JSON), StoreFailed),
        (Answer(200, b'{"result": [{"id": 7}]}', JSON), StoreFailed),
        (Answer(200, b'{"result": {"points": [7]}}', JSON), StoreFailed),
        (Answer(200, PAGE % (b"[[1.0, 2.0], [3.0]]", b"{}"), JSON), StoreFailed),
        (Answer(200, PAGE % (b'["one"]', b"{}"), JSON), StoreFailed),
        (Answer(200, PAGE % (b"[1.0]", b"7"), JSON), StoreFailed),
        (Answer(200, PAGE % (b"[1.0]", b'{"n": 123456789012345678901}'), JSON), StoreFailed),
        (Answer(200, b'{"result": {"status": "strange"}}', JSON), StoreFailed),
    ],
)
def test_trouble_in_bulk_work_is_told_as_ours(
    account: VectorIndexSettings, known: UUID, collection: str, answer: Answer, error: type[Exception]
) -> None:
    acts: list[Callable[[QdrantVectorIndex], object]] = [
        lambda index: index.retrieve(collection, [known]),
        lambda index: list(index.scroll(collection, {}, vectors=True)),
        lambda index: index.upsert(collection, [Point(known, [1.0, 0.0])]),
    ]
    for act in acts:
        with through(account, lambda _: Forward()) as (index, proxy):
            index.describe(collection)
            proxy.plan = lambda _: answer
            with pytest.raises(error):
                act(index)


def test_two_may_make_the_same_collection_at_the_same_time(
    qdrant: QdrantVectorIndex, account: VectorIndexSettings, collection: str
) -> None:
    wanted = CollectionInfo(collection, 2, "Dot")
    with through(account, first(1, Forward(lose_answer=True), lambda request: request.method == "PUT")) as (index, _):
        index.ensure_collection(wanted)
    assert qdrant.describe(collection) == wanted


# Writes that are only acknowledged


def test_a_write_is_waited_for(account: VectorIndexSettings, known: UUID, collection: str) -> None:
    with through(account, lambda _: Forward()) as (index, proxy):
        index.upsert(collection, [Point(known, [1.0, 0.0])])
        index.set_payload(collection, [known], {"a": 1})
        index.delete(collection, [known])
    writes = [request.path for request in proxy.seen if request.method != "GET"]
    assert len(writes) == 3
    assert all("wait=true" in path for path in writes)


@pytest.mark.parametrize("body", [ACKNOWLEDGED, WAIT_TIMEOUT], ids=["acknowledged", "timed out"])
def test_an_acknowledged_write_is_read_back_until_it_shows(
    account: VectorIndexSettings, qdrant: QdrantVectorIndex, known: UUID, collection: str, body: bytes
) -> None:
    late = Answer(200, body, JSON, forward_after=0.5)
    new = Point(known, [1.0, 1.0], {"state": "new"})
    with through(account, first(1, late, is_write)) as (index, _):
        index.upsert(collection, [new])
        assert qdrant.retrieve(collection, [known])[known].payload == {"state": "new"}
    with through(account, first(1, late, is_write)) as (index, _):
        index.set_payload(collection, [known], {"state": "newer"})
        assert qdrant.retrieve(collection, [known])[known].payload == {"state": "newer"}
    with through(account, first(1, late, is_write)) as (index, _):
        index.delete(collection, [known])
        assert qdrant.count(collection, {}) == 0


@pytest.mark.parametrize("vector", [[1.0, 0.0], [3.0, 4.0]])
def test_an_acknowledged_write_that_never_shows_is_none(
    account: VectorIndexSettings,
    known: UUID,
    collection: str,
    vector: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(qdrant_module, "SETTLE_SECONDS", 0.5)
    payload = {"state": "new" if vector == [3.0, 4.0] else "old"}
    with through(account, first(9, Answer(200, ACKNOWLEDGED, JSON), is_write)) as (index, _):
        with pytest.raises(StoreUnavailable, match="does not show"):
            index.upsert(collection, [Point(known, vector, payload)])
        with pytest.raises(StoreUnavailable, match="does not show"):
            index.set_payload(collection, [known], {"state": "other"})
        with pytest.raises(StoreUnavailable, match="does not show"):
            index.delete(collection, [known])


# Bounded requests


def test_requests_and_answers_stay_small_however_large_the_vectors(
    account: VectorIndexSettings, qdrant: QdrantVectorIndex, collection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qdrant_module, "BYTES_AT_ONCE", 500_000)
    qdrant.ensure_collection(CollectionInfo(collection, 2_000, "Dot"))
    points = [Point(uuid4(), [0.5] * 2_000, {"text": "x" * 30_000}) for _ in range(30)]
    with through(account, lambda _: Forward()) as (index, proxy):
        index.upsert(collection, points)
        assert len([request for request in proxy.seen if is_write(request)]) == 3
        proxy.seen.clear()
        assert len(list(index.scroll(collection, {}, vectors=True))) == len(points)
        assert len([request for request in proxy.seen if "scroll" in request.path]) == 3
        proxy.seen.clear()
        assert len(index.retrieve(collection, [point.id for point in points])) == len(points)
        assert len(proxy.seen) == 3
