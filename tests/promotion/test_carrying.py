"""Files that go from one server to another: small, larger, and those that do not fit into memory."""

import io
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from wisqu_pipelines.errors import ObjectChanged, ObjectExists, ObjectMissing, StoreUnavailable
from wisqu_pipelines.ports.objects import CopyRequest, NewObject, ObjectInfo
from wisqu_pipelines.promotion.carrying import MEMORY_PER_FILE, SMALL, Trouble, carry_many
from wisqu_pipelines.storage.memory.objects import MemoryObjectStore

SIZES = [0, 1, SMALL, SMALL + 1, MEMORY_PER_FILE, MEMORY_PER_FILE + 1]


@pytest.fixture
def source() -> MemoryObjectStore:
    store = MemoryObjectStore()
    store.ensure_bucket("here")
    return store


@pytest.fixture
def target() -> MemoryObjectStore:
    store = MemoryObjectStore()
    store.ensure_bucket("there")
    return store


def written(store: MemoryObjectStore, bucket: str, key: str, size: int) -> ObjectInfo:
    data = random.Random(size).randbytes(size)  # noqa: S311 - bytes to be told apart
    return store.put(bucket, key, io.BytesIO(data), size, content_type="text/markdown", metadata={"title": "تفسیر"})


def request(about: ObjectInfo, key: str, etag: str | None = None) -> CopyRequest:
    return CopyRequest("here", about.key, etag or about.etag, "there", key, about.size)


def carried(
    source: MemoryObjectStore, target: MemoryObjectStore, requests: list[CopyRequest]
) -> list[int | type[Trouble]]:
    with ThreadPoolExecutor(2) as threads:
        outcomes = carry_many(source, target, requests, threads)
    return [each if isinstance(each, int) else type(each) for each in outcomes]


def test_files_of_every_size_arrive_with_what_is_known_of_them(
    source: MemoryObjectStore, target: MemoryObjectStore
) -> None:
    files = [written(source, "here", f"from/{size}", size) for size in SIZES]
    assert carried(source, target, [request(each, f"to/{each.size}") for each in files]) == SIZES
    for each in files:
        found = target.stat("there", f"to/{each.size}")
        assert found is not None
        assert (found.etag, found.content_type, found.metadata) == (each.etag, each.content_type, each.metadata)


def test_each_says_what_is_wrong_with_it_and_the_others_arrive(
    source: MemoryObjectStore, target: MemoryObjectStore
) -> None:
    requests: list[CopyRequest] = []
    wanted: list[int | type[Trouble]] = []
    for size in SIZES:
        file = written(source, "here", f"from/{size}", size)
        gone = ObjectInfo("gone", size, file.etag)
        written(target, "there", f"taken/{size}", size + 1)
        requests += [
            request(gone, f"to/gone/{size}"),
            request(file, f"to/changed/{size}", "0" * 32),
            request(file, f"taken/{size}"),
            request(file, f"to/{size}"),
        ]
        wanted += [ObjectMissing, ObjectChanged, ObjectExists, size]
    assert carried(source, target, requests) == wanted
    assert sorted(each.key for each in target.list("there", "to/")) == sorted(f"to/{size}" for size in SIZES)
    assert {each.size for each in target.list("there", "taken/")} == {size + 1 for size in SIZES}


def test_a_store_in_trouble_ends_it(
    source: MemoryObjectStore, target: MemoryObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [written(source, "here", f"from/{number}", number) for number in range(9)]
    trouble = StoreUnavailable(store="object store", operation="read", cause="pulled plug")

    def reads(versions: Iterator[tuple[str, str, str]]) -> Iterator[tuple[ObjectInfo, bytes]]:
        yield source.get("here", "from/1", etag=files[1].etag)
        raise trouble

    monkeypatch.setattr(source, "get_many", reads)
    with pytest.raises(StoreUnavailable):
        carried(source, target, [request(each, f"to/{each.size}") for each in files])

    def writes(objects: Iterator[NewObject]) -> Iterator[None]:
        next(objects)
        yield None
        raise trouble

    monkeypatch.undo()
    monkeypatch.setattr(target, "create_many", writes)
    with pytest.raises(StoreUnavailable):
        carried(source, target, [request(each, f"to/{each.size}") for each in files])


def test_what_has_not_begun_when_a_store_is_in_trouble_does_not_begin(
    source: MemoryObjectStore, target: MemoryObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [written(source, "here", f"from/{number}", SMALL + number) for number in range(9)]
    begun: list[str] = []
    go_on, put = Event(), target.put

    def waits(bucket: str, key: str, *rest: Any, **named: Any) -> ObjectInfo:
        begun.append(key)
        go_on.wait(10)
        return put(bucket, key, *rest, **named)

    def writes(objects: Iterator[NewObject]) -> Iterator[None]:
        yield from ()
        raise StoreUnavailable(store="object store", operation="put", cause=f"pulled plug before {next(objects).key}")

    monkeypatch.setattr(target, "put", waits)
    monkeypatch.setattr(target, "create_many", writes)
    with ThreadPoolExecutor(1) as threads:
        with pytest.raises(StoreUnavailable):
            carry_many(source, target, [request(each, f"to/{each.size}") for each in files], threads)
        go_on.set()
    assert len(begun) <= 1
