"""What the S3 adapter does when the network, or the server, does not do its part."""

import gzip
import hashlib
import io
import time
import tracemalloc
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event, Timer

import pytest
from minio.commonconfig import ComposeSource

from tests.ports.conftest import Objects, sdk_client
from tests.ports.proxies import Action, Answer, Drop, Forward, HttpProxy, Plan, Request, first, http_proxy
from wisqu_pipelines.errors import (
    ObjectChanged,
    ObjectExists,
    StoreDenied,
    StoreFailed,
    StoreUnavailable,
)
from wisqu_pipelines.ports.objects import CopyRequest, NewObject
from wisqu_pipelines.settings import ObjectStoreSettings, Settings
from wisqu_pipelines.storage import s3 as s3_module
from wisqu_pipelines.storage import s3_requests
from wisqu_pipelines.storage.s3 import S3ObjectStore
from wisqu_pipelines.storage.s3_signing import path_of
from wisqu_pipelines.storage.s3_wire import Ask

MIB = 1024 * 1024
LARGE = b"0123456789abcdef" * (9 * MIB // 16)


@pytest.fixture
def account(stores: Settings) -> ObjectStoreSettings:
    return stores.environments["dev"].object_store


@contextmanager
def through(account: ObjectStoreSettings, plan: Plan) -> Iterator[tuple[S3ObjectStore, HttpProxy]]:
    """The account's store, behind a proxy that follows a plan."""
    with http_proxy(account.endpoint, plan) as proxy:
        store = S3ObjectStore(account.model_copy(update={"endpoint": proxy.address}))
        yield store, proxy
        store.close()


def is_put(request: Request) -> bool:
    return request.method == "PUT"


def ends_upload(request: Request) -> bool:
    return request.method == "POST" and "uploadId=" in request.path


def unconditional(request: CopyRequest) -> Ask:
    """A copy as a server makes it that heeds no conditions."""
    source = path_of(request.source_bucket, request.source_key)
    return Ask("PUT", request.bucket, request.key, {"x-amz-copy-source": source})


class UnconditionalPart(ComposeSource):
    """A part of such a copy."""

    @property
    def headers(self) -> dict[str, str]:
        return {name: value for name, value in super().headers.items() if not name.endswith("-if-match")}


BUSY = Answer(503, b"<Error><Code>SlowDown</Code></Error>")
NO_XML = Answer(502, b"<html>Bad gateway</html>", "text/html")
TOO_MANY = Answer(429, b"", "text/plain")


# Retries


@pytest.mark.parametrize("trouble", [Drop(), BUSY, NO_XML, TOO_MANY], ids=["dropped", "503", "502", "429"])
def test_what_passes_is_tried_again(s3: Objects, account: ObjectStoreSettings, trouble: Drop | Answer) -> None:
    with through(account, first(2, trouble)) as (store, proxy):
        assert store.stat(s3.bucket, "key") is None
        assert len(proxy.seen) == 3
    with through(account, first(2, trouble, is_put)) as (store, proxy):
        store.put(s3.bucket, "key", io.BytesIO(b"data"), 4, create_only=True)
    with through(account, first(2, trouble)) as (store, proxy), store.read(s3.bucket, "key") as chunks:
        assert b"".join(chunks) == b"data"


def test_what_does_not_pass_is_given_up_in_time(s3: Objects, account: ObjectStoreSettings) -> None:
    began = time.monotonic()
    with through(account, lambda _: BUSY) as (store, proxy), pytest.raises(StoreUnavailable, match="SlowDown"):
        list(store.list(s3.bucket))
    assert len(proxy.seen) == 5
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "EntityTooLarge", StoreFailed),
        (403, "AccessDenied", StoreDenied),
        (403, "SignatureDoesNotMatch", StoreDenied),
        (403, "UserSuspended", StoreDenied),
        (403, "QuotaExceeded", StoreFailed),
        (403, "RequestTimeTooSkewed", StoreFailed),
        (412, "PreconditionFailed", ObjectChanged),
        (501, "NotImplemented", StoreFailed),
    ],
)
def test_a_refusal_is_not_tried_again(
    s3: Objects, account: ObjectStoreSettings, status: int, code: str, error: type[Exception]
) -> None:
    answer = Answer(status, f"<Error><Code>{code}</Code></Error>".encode())
    with through(account, lambda _: answer) as (store, proxy):
        with pytest.raises(error), store.read(s3.bucket, "key"):
            pass
        assert len(proxy.seen) == 1


@pytest.mark.parametrize("body", [b"", b"<Truncated", b"<Other/>", b"no XML"])
def test_an_answer_that_is_not_s3s_is_a_failure(s3: Objects, account: ObjectStoreSettings, body: bytes) -> None:
    with through(account, lambda _: Answer(200, body)) as (store, _), pytest.raises(StoreFailed):
        list(store.list(s3.bucket))


def test_a_stream_that_cannot_be_rewound_is_sent_once(s3: Objects, account: ObjectStoreSettings) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with through(account, first(1, Drop(), is_put)) as (store, proxy):
        with pytest.raises(StoreUnavailable):
            store.put(s3.bucket, "key", Pipe(b"data"), 4)
        assert len(proxy.seen) == 1


# Lost replies


@pytest.mark.parametrize(
    ("data", "limit"),
    [(b"data", 0), (LARGE, s3_module.ONE_REQUEST), (LARGE, 0)],
    ids=["one request", "a long one", "parts"],
)
def test_a_creation_of_which_the_reply_was_lost_is_our_own(
    s3: Objects, account: ObjectStoreSettings, monkeypatch: pytest.MonkeyPatch, data: bytes, limit: int
) -> None:
    monkeypatch.setattr(s3_module, "ONE_REQUEST", limit)
    makes_it: Callable[[Request], bool] = ends_upload if data is LARGE and not limit else is_put
    with through(account, first(1, Forward(lose_answer=True), makes_it)) as (store, _):
        written = store.put(s3.bucket, "key", io.BytesIO(data), len(data), metadata={"a": "b"}, create_only=True)
    found = s3.store.stat(s3.bucket, "key")
    assert found is not None
    assert (found.size, found.etag, found.metadata) == (len(data), written.etag, {"a": "b"})


@pytest.mark.parametrize("trouble", [Drop(), BUSY], ids=["dropped", "503"])
def test_a_long_upload_begins_again_at_its_start(s3: Objects, account: ObjectStoreSettings, trouble: Action) -> None:
    data = io.BytesIO(b"before " + LARGE + b" after")
    data.seek(7)
    with through(account, first(2, trouble, is_put)) as (store, proxy):
        written = store.put(s3.bucket, "key", data, len(LARGE))
        assert [each.method for each in proxy.seen] == ["PUT"] * 3
    assert written.size == len(LARGE)
    with s3.store.read(s3.bucket, "key") as chunks:
        assert b"".join(chunks) == LARGE


def test_an_upload_that_has_ended_although_the_reply_was_lost_cannot_be_aborted(
    s3: Objects, account: ObjectStoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS answers the SDK's abort with an error, which hides the one that mattered."""
    monkeypatch.setattr(s3_module, "ONE_REQUEST", 0)
    loses_reply = first(1, Forward(lose_answer=True), ends_upload)
    no_such_upload = Answer(404, b"<Error><Code>NoSuchUpload</Code></Error>")
    refuses_abort = first(1, no_such_upload, lambda request: request.method == "DELETE" and "uploadId=" in request.path)

    def plan(request: Request) -> Action:
        return loses_reply(request) if ends_upload(request) else refuses_abort(request)

    with through(account, plan) as (store, _):
        written = store.put(s3.bucket, "key", io.BytesIO(LARGE), len(LARGE), create_only=True)
    found = s3.store.stat(s3.bucket, "key")
    assert found is not None
    assert (found.size, found.etag) == (len(LARGE), written.etag)


def test_an_upload_whose_end_is_repeated_has_an_etag_also_where_the_answer_has_none(
    s3: Objects, account: ObjectStoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ceph 16 says yes once more, with an empty one."""
    monkeypatch.setattr(s3_module, "ONE_REQUEST", 0)
    ends: Iterator[Action] = iter(
        [
            Forward(lose_answer=True),
            Answer(200, b"<CompleteMultipartUploadResult><ETag></ETag></CompleteMultipartUploadResult>"),
        ]
    )

    def plan(request: Request) -> Action:
        return next(ends) if ends_upload(request) else Forward()

    with through(account, plan) as (store, _):
        written = store.put(s3.bucket, "key", io.BytesIO(LARGE), len(LARGE))
    found = s3.store.stat(s3.bucket, "key")
    assert found is not None
    assert written.etag == found.etag != ""


def test_after_a_lost_reply_somebody_elses_object_still_exists(s3: Objects, account: ObjectStoreSettings) -> None:
    def plan(request: Request) -> Forward | Drop:
        if is_put(request) and s3.store.stat(s3.bucket, "key") is None:
            s3.store.put(s3.bucket, "key", io.BytesIO(b"data"), 4)  # the very same bytes, but not ours
            return Drop()
        return Forward()

    with through(account, plan) as (store, _), pytest.raises(ObjectExists):
        store.put(s3.bucket, "key", io.BytesIO(b"data"), 4, create_only=True)


@pytest.mark.parametrize("size", [4, None])
def test_a_copy_of_which_the_reply_was_lost_is_our_own(
    s3: Objects, account: ObjectStoreSettings, size: int | None
) -> None:
    etag = s3.store.put(s3.bucket, "from", io.BytesIO(b"data"), 4).etag
    with through(account, first(1, Forward(lose_answer=True), is_put)) as (store, _):
        assert store.copy(s3.bucket, "from", s3.bucket, "to", source_etag=etag, size=size) == etag


def test_a_copy_is_one_request(s3: Objects, account: ObjectStoreSettings) -> None:
    etag = s3.store.put(s3.bucket, "from", io.BytesIO(b"data"), 4).etag
    with through(account, lambda _: Forward()) as (store, proxy):
        store.copy(s3.bucket, "from", s3.bucket, "to", source_etag=etag, size=4)
        assert [request.method for request in proxy.seen] == ["PUT"]


def test_what_is_sealed_goes_with_a_checksum_without_which_aws_locks_nothing(
    s3: Objects, account: ObjectStoreSettings
) -> None:
    digest = hashlib.md5(b"data", usedforsecurity=False).digest()
    with through(account, lambda _: Forward()) as (store, proxy):
        store.seal(f"{s3.bucket}-sealed", "key", b"data", datetime.now(UTC) + timedelta(seconds=5))
    (written,) = (request for request in proxy.seen if is_put(request) and request.path.endswith("/key"))
    assert written.headers["content-md5"] == b64encode(digest).decode()


def test_a_server_that_knows_no_such_copy_is_told_with_the_way_out(s3: Objects, account: ObjectStoreSettings) -> None:
    """Not every S3 heeds `If-None-Match` on a copy: some refuse it."""
    etag = s3.store.put(s3.bucket, "from", io.BytesIO(b"data"), 4).etag
    unknown = Answer(501, b"<Error><Code>NotImplemented</Code></Error>")
    with through(account, lambda _: unknown) as (store, _), pytest.raises(StoreFailed, match="leave 'transfer' out"):
        store.copy(s3.bucket, "from", s3.bucket, "to", source_etag=etag, size=4)


def test_a_bucket_that_was_made_without_a_lock_is_told_with_the_way_out(s3: Objects) -> None:
    with pytest.raises(StoreFailed, match=rf"seal in {s3.bucket}\): InvalidRequest; .* without Object Lock"):
        s3.store.seal(s3.bucket, "key", b"data", datetime.now(UTC) + timedelta(seconds=5))


def test_an_account_that_may_not_copy_is_told_with_the_way_out(s3: Objects) -> None:
    etag = s3.store.put(s3.bucket, "from", io.BytesIO(b"data"), 4).etag
    with pytest.raises(StoreDenied, match="leave 'transfer' out"):
        s3.store.copy(s3.bucket, "from", s3.neighbour_bucket, "to", source_etag=etag, size=4)


@pytest.mark.parametrize("trouble", [Drop(), BUSY, NO_XML, TOO_MANY], ids=["dropped", "503", "502", "429"])
def test_a_copy_is_tried_again(s3: Objects, account: ObjectStoreSettings, trouble: Drop | Answer) -> None:
    etag = s3.store.put(s3.bucket, "from", io.BytesIO(b"data"), 4).etag
    with through(account, first(2, trouble)) as (store, proxy):
        assert store.copy(s3.bucket, "from", s3.bucket, "to", source_etag=etag, size=4) == etag
        assert len(proxy.seen) == 3


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<Error><Code>InternalError</Code></Error>", StoreUnavailable),
        (b"<Error><Code>InvalidRequest</Code></Error>", StoreFailed),
        (b"<CopyObjectResult/>", StoreFailed),
        (b"", StoreFailed),
    ],
)
def test_a_copy_that_fails_after_its_answer_has_begun_is_none(
    s3: Objects, account: ObjectStoreSettings, body: bytes, error: type[Exception]
) -> None:
    with through(account, lambda _: Answer(200, body)) as (store, _), pytest.raises(error):
        store.copy(s3.bucket, "from", s3.bucket, "to", source_etag="0" * 32, size=4)


# Many at once


@pytest.mark.parametrize(
    "trouble", [Drop(), Forward(lose_answer=True), BUSY, NO_XML], ids=["dropped", "lost", "503", "502"]
)
def test_what_troubles_a_few_of_many_troubles_nobody_else(
    s3: Objects, account: ObjectStoreSettings, trouble: Action
) -> None:
    data = [str(number).encode() * 1_000 for number in range(60)]
    written = [s3.store.put(s3.bucket, f"from/{n}", io.BytesIO(each), len(each)) for n, each in enumerate(data)]
    places = [(s3.bucket, each.key) for each in written]
    copies = [CopyRequest(s3.bucket, each.key, each.etag, s3.bucket, f"to/{each.key}", each.size) for each in written]
    sums = [hashlib.sha256(each).hexdigest() for each in data]
    with through(account, first(3, trouble)) as (store, _):
        outcomes = list(store.copy_many(copies))
    assert [(each.request, each.etag, each.error) for each in outcomes] == [
        (request, about.etag, None) for request, about in zip(copies, written, strict=True)
    ]
    with through(account, first(3, trouble)) as (store, _):
        assert [each and each.etag for each in store.stat_many(places)] == [each.etag for each in written]
    with through(account, first(3, trouble)) as (store, _):
        assert list(store.sha256_many(places)) == sums
    with through(account, first(3, trouble)) as (store, _):
        found = list(store.get_many((s3.bucket, each.key, each.etag) for each in written))
    assert [each[1] for each in found if isinstance(each, tuple)] == data
    new = [NewObject(s3.bucket, f"new/{n}", each, "text/plain", {}) for n, each in enumerate(data)]
    with through(account, first(3, trouble)) as (store, _):
        assert list(store.create_many(new)) == [None] * len(new)  # what was made and not told is known again
    assert list(s3.store.sha256_many((each.bucket, each.key) for each in new)) == sums


def test_many_small_requests_are_one_each(s3: Objects, account: ObjectStoreSettings) -> None:
    written = [s3.store.put(s3.bucket, f"from/{n}", io.BytesIO(b"data"), 4) for n in range(40)]
    places = [(s3.bucket, each.key) for each in written]
    copies = [CopyRequest(s3.bucket, each.key, each.etag, s3.bucket, f"to/{each.key}", 4) for each in written]
    with through(account, lambda _: Forward()) as (store, proxy):
        assert not any(each.error for each in store.copy_many(copies))
        assert all(store.stat_many(places))
        assert all(store.sha256_many(places))
        assert all(isinstance(each, tuple) for each in store.get_many((*place, written[0].etag) for place in places))
        new = [NewObject(s3.bucket, f"new/{n}", b"data", "text/plain", {}) for n in range(40)]
        assert not any(store.create_many(new))
        assert Counter(each.method for each in proxy.seen) == {"PUT": 80, "HEAD": 40, "GET": 80}


@pytest.mark.parametrize("way", ["copied", "made"])
def test_nothing_arrives_after_an_error_has_ended_many(s3: Objects, account: ObjectStoreSettings, way: str) -> None:
    """Or it would lie there for good: what was copied is swept as soon as the error is known."""
    etag = s3.store.put(s3.bucket, "from", io.BytesIO(b"data"), 4).etag
    others_go_on = Event()

    def plan(request: Request) -> Action:
        if not request.path.endswith("/to/0"):
            others_go_on.wait(10)
            return Forward()
        Timer(0.3, others_go_on.set).start()
        return Answer(403, b"<Error><Code>AccessDenied</Code></Error>")

    copies = [CopyRequest(s3.bucket, "from", etag, s3.bucket, f"to/{number}", 4) for number in range(8)]
    new = [NewObject(s3.bucket, each.key, b"data", "text/plain", {}) for each in copies]
    with through(account, plan) as (store, proxy):
        with pytest.raises(StoreDenied):
            list(store.copy_many(copies) if way == "copied" else store.create_many(new))
        begun = {request.path.removeprefix(f"/{s3.bucket}/") for request in proxy.seen} - {"to/0"}
        assert len(begun) == 7
        assert {each.key for each in s3.store.list(s3.bucket, "to/")} == begun


@pytest.mark.parametrize("key", ["", "\ud800"], ids=["empty", "no text"])
def test_what_cannot_be_a_key_is_refused_among_many_as_by_itself(s3: Objects, key: str) -> None:
    """An empty one would be the bucket, whose list would be hashed."""
    s3.store.put(s3.bucket, "one", io.BytesIO(b"1"), 1)
    places = [(s3.bucket, "one"), (s3.bucket, key)]
    for method in (s3.store.stat_many, s3.store.sha256_many):
        found = iter(method(places))
        assert next(found)
        with pytest.raises(StoreFailed):
            next(found)


def test_an_object_that_breaks_off_is_read_again(s3: Objects, account: ObjectStoreSettings) -> None:
    s3.store.put(s3.bucket, "key", io.BytesIO(LARGE), len(LARGE))
    with through(account, first(1, Forward(cut_answer_at=MIB))) as (store, _):
        assert list(store.sha256_many([(s3.bucket, "key")])) == [hashlib.sha256(LARGE).hexdigest()]


@pytest.mark.usefixtures("collected_as_usual")
def test_memory_is_bounded_however_many_bytes_are_hashed(s3: Objects) -> None:
    size = 32 * MIB
    s3.store.put(s3.bucket, "key", Endless(size), size)  # type: ignore[arg-type]
    tracemalloc.start()
    try:
        assert all(s3.store.sha256_many([(s3.bucket, "key")] * 4))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MIB


# Long streams


def test_a_read_goes_on_after_a_broken_connection(s3: Objects, account: ObjectStoreSettings) -> None:
    etag = s3.store.put(s3.bucket, "key", io.BytesIO(LARGE), len(LARGE)).etag
    for pin in (None, etag):
        plan = first(3, Forward(cut_answer_at=MIB + 5))
        with through(account, plan) as (store, proxy), store.read(s3.bucket, "key", etag=pin) as chunks:
            assert b"".join(chunks) == LARGE
            assert len(proxy.seen) == 4


def test_a_read_never_goes_on_with_another_version(s3: Objects, account: ObjectStoreSettings) -> None:
    s3.store.put(s3.bucket, "key", io.BytesIO(LARGE), len(LARGE))
    with (
        through(account, first(1, Forward(cut_answer_at=MIB))) as (store, _),
        store.read(s3.bucket, "key") as chunks,
    ):
        next(chunks)
        s3.store.put(s3.bucket, "key", io.BytesIO(LARGE[::-1]), len(LARGE))
        with pytest.raises(ObjectChanged):
            b"".join(chunks)


def test_a_read_that_keeps_breaking_ends(s3: Objects, account: ObjectStoreSettings) -> None:
    s3.store.put(s3.bucket, "key", io.BytesIO(LARGE), len(LARGE))
    with (
        through(account, lambda _: Forward(cut_answer_at=1_000)) as (store, proxy),
        store.read(s3.bucket, "key") as chunks,
    ):
        with pytest.raises(StoreUnavailable):
            b"".join(chunks)
        assert len(proxy.seen) == 6


def test_a_listing_loses_nothing_to_a_broken_connection(s3: Objects, account: ObjectStoreSettings) -> None:
    names = [f"many/{number:05}{end}" for number in range(525) for end in ("-b", "/b")]  # SeaweedFS walks folders
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: s3.store.put(s3.bucket, name, io.BytesIO(b""), 0), names))
    second_page = first(1, Drop(), lambda request: "continuation-token" in request.path)
    with through(account, second_page) as (store, proxy):
        assert sorted(each.key for each in store.list(s3.bucket)) == names
        assert len(proxy.seen) == 3


class Endless(io.RawIOBase):
    """A stream of so many bytes that are nowhere."""

    def __init__(self, size: int) -> None:
        self._size, self._at = size, 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        assert whence == 0
        self._at = offset
        return offset

    def read(self, size: int = -1) -> bytes:
        taken = min(size, self._size - self._at)
        self._at += taken
        return b"x" * taken


@pytest.mark.usefixtures("collected_as_usual")
@pytest.mark.parametrize(("limit", "most"), [(0, 4 * s3_module.PART), (s3_module.ONE_REQUEST, 4 * MIB)])
@pytest.mark.parametrize("create_only", [False, True])
def test_memory_is_bounded_however_large_the_object(
    s3: Objects, monkeypatch: pytest.MonkeyPatch, create_only: bool, limit: int, most: int
) -> None:
    monkeypatch.setattr(s3_module, "ONE_REQUEST", limit)
    size = 64 * MIB
    tracemalloc.start()
    try:
        s3.store.put(s3.bucket, "key", Endless(size), size, create_only=create_only)  # type: ignore[arg-type]
        with s3.store.read(s3.bucket, "key") as chunks:
            assert sum(len(chunk) for chunk in chunks) == size
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most


# Copies inside the server


def test_a_large_object_is_copied_in_parts(s3: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_module, "COPY_PART", 5 * MIB)
    written = s3.store.put(
        s3.bucket, "from", io.BytesIO(LARGE), len(LARGE), content_type="a/b", metadata={"name": " سند"}
    )
    s3.transfer.copy(s3.bucket, "from", s3.neighbour_bucket, "to", source_etag=written.etag)
    found = s3.neighbour.stat(s3.neighbour_bucket, "to")
    assert found is not None
    assert found.etag.endswith("-2")
    assert (found.size, found.content_type, found.metadata) == (len(LARGE), "a/b", {"name": " سند"})
    with s3.neighbour.read(s3.neighbour_bucket, "to") as chunks:
        assert b"".join(chunks) == LARGE
    with pytest.raises(ObjectExists):
        s3.transfer.copy(s3.bucket, "from", s3.neighbour_bucket, "to", source_etag=written.etag)


@pytest.mark.parametrize("limit", [5 * MIB, 256 * MIB], ids=["parts", "one request"])
def test_the_server_itself_checks_both_ends_of_a_copy(
    s3: Objects, account: ObjectStoreSettings, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(s3_module, "COPY_PART", limit)
    etag = s3.store.put(s3.bucket, "from", io.BytesIO(LARGE), len(LARGE)).etag

    def at_the_last_moment(act: Callable[[], object]) -> Plan:
        done = [False]

        def plan(request: Request) -> Forward:
            if request.method in {"PUT", "POST"} and not done[0]:  # every look has been taken by now
                done[0] = True
                act()
            return Forward()

        return plan

    def make(key: str) -> Callable[[], object]:
        return lambda: s3.store.put(s3.bucket, key, io.BytesIO(b"other"), 5)

    with through(account, at_the_last_moment(make("to"))) as (store, _), pytest.raises(ObjectExists):
        store.copy(s3.bucket, "from", s3.bucket, "to", source_etag=etag, size=len(LARGE))
    with through(account, at_the_last_moment(make("from"))) as (store, _), pytest.raises(ObjectChanged):
        store.copy(s3.bucket, "from", s3.bucket, "to2", source_etag=etag)
    assert s3.store.stat(s3.bucket, "to2") is None


@pytest.mark.parametrize("limit", [5 * MIB, 256 * MIB], ids=["parts", "one request"])
def test_a_copy_of_another_version_is_noticed_where_the_server_heeds_no_conditions(
    s3: Objects, monkeypatch: pytest.MonkeyPatch, account: ObjectStoreSettings, limit: int
) -> None:
    """Ceph 16 copies whatever stands there, and says nothing of it."""
    monkeypatch.setattr(s3_module, "COPY_PART", limit)
    monkeypatch.setattr(s3_requests, "copy", unconditional)
    monkeypatch.setattr(s3_module, "ComposeSource", UnconditionalPart)
    etag = s3.store.put(s3.bucket, "from", io.BytesIO(LARGE), len(LARGE)).etag
    changed = [False]

    def plan(request: Request) -> Action:
        if is_put(request) and not changed[0]:
            changed[0] = True
            s3.store.put(s3.bucket, "from", io.BytesIO(LARGE[::-1]), len(LARGE))
        return Forward()

    with through(account, plan) as (store, _), pytest.raises(ObjectChanged, match="'from'"):
        store.copy(s3.bucket, "from", s3.bucket, "to", source_etag=etag, size=len(LARGE))
    assert changed == [True]


def test_of_many_copies_those_of_another_version_are_noticed_where_the_server_heeds_no_conditions(
    s3: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_requests, "copy", unconditional)
    etags = [s3.store.put(s3.bucket, f"from/{n}", io.BytesIO(b"old"), 3).etag for n in range(6)]
    s3.store.put(s3.bucket, "from/4", io.BytesIO(b"new"), 3)
    requests = [CopyRequest(s3.bucket, f"from/{n}", etag, s3.bucket, f"to/{n}", 3) for n, etag in enumerate(etags)]
    outcomes = [type(each.error) if each.error else each.etag for each in s3.store.copy_many(requests)]
    assert outcomes == [*etags[:4], ObjectChanged, etags[5]]


def test_a_copy_with_an_etag_of_its_own_is_a_copy(s3: Objects, account: ObjectStoreSettings) -> None:
    """As on AWS where the source was uploaded in parts, or is encrypted with a key of its own."""
    etag = s3.store.put(s3.bucket, "from", io.BytesIO(b"data"), 4).etag
    own = Answer(200, b"<CopyObjectResult><ETag>another</ETag></CopyObjectResult>")
    request = CopyRequest(s3.bucket, "from", etag, s3.bucket, "to", 4)
    with through(account, lambda each: own if is_put(each) else Forward()) as (store, _):
        assert [each.etag for each in store.copy_many([request])] == ["another"]
        assert store.copy(s3.bucket, "from", s3.bucket, "to", source_etag=etag, size=4) == "another"


def test_an_encoded_object_is_read_as_it_is_stored_and_copied_with_its_encoding(
    s3: Objects, account: ObjectStoreSettings
) -> None:
    data = gzip.compress(b"text" * 1_000)
    client = sdk_client(account)
    client.put_object(s3.bucket, "from", io.BytesIO(data), len(data), metadata={"Content-Encoding": "gzip"})
    about = s3.store.stat(s3.bucket, "from")
    assert about is not None
    s3.store.copy(s3.bucket, "from", s3.bucket, "to", source_etag=about.etag)
    for key in ("from", "to"):
        with s3.store.read(s3.bucket, key) as chunks:
            assert b"".join(chunks) == data
        headers = {name.lower(): value for name, value in (client.stat_object(s3.bucket, key).metadata or {}).items()}
        assert headers["content-encoding"] == "gzip"


# Deleting


@pytest.mark.parametrize(
    ("code", "error"), [("AccessDenied", StoreDenied), ("InvalidArgument", StoreFailed), ("SlowDown", StoreUnavailable)]
)
def test_an_object_that_stays_is_no_success(
    s3: Objects, account: ObjectStoreSettings, code: str, error: type[Exception]
) -> None:
    body = f"<DeleteResult><Error><Key>two</Key><Code>{code}</Code></Error></DeleteResult>".encode()
    with through(account, lambda _: Answer(200, body)) as (store, _), pytest.raises(error, match=code):
        store.delete(s3.bucket, ["one", "two"])
