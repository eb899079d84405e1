"""That the wrapper misses nothing: every method of every port, and every way in which it can fail."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.faults.points import Fault, Form, Killed, Moment, Point, Process, methods_of, wrapped
from tests.faults.worlds import PORTS
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import ObjectExists, StoreUnavailable
from wisqu_pipelines.ports.objects import ObjectStore
from wisqu_pipelines.ports.vectors import VectorIndex
from wisqu_pipelines.storage.memory import ManualClock, MemoryObjectServer, MemoryObjectStore

BUCKET = "dev-documents"


class Shelf:
    """An object store, as a process with one fault meets it."""

    def __init__(self, point: Point | None = None, fault: Fault | None = None) -> None:
        self.real = MemoryObjectStore(MemoryObjectServer(ManualClock(datetime(2026, 5, 4, tzinfo=UTC))))
        self.real.ensure_bucket(BUCKET)
        self.process = Process({point: fault} if point and fault else {})
        self.objects: ObjectStore = wrapped(ObjectStore, self.real, "shelf", self.process)

    def put(self, *, create_only: bool = False) -> None:
        self.objects.put(BUCKET, "key", io.BytesIO(b"bytes"), 5, create_only=create_only)

    def is_there(self) -> bool:
        return self.real.stat(BUCKET, "key") is not None


def at(method: str, moment: Moment = Moment.CALL) -> Point:
    return Point("shelf", method, moment, 1)


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_") and callable(getattr(kind, name))}


def test_every_store_of_an_environment_is_wrapped() -> None:
    assert set(PORTS) == set(Environment.__dataclass_fields__) - {"settings"}


@pytest.mark.parametrize("port", dict.fromkeys(PORTS.values()), ids=lambda port: port.__name__)
def test_every_method_of_a_port_has_its_fault_points(port: type) -> None:
    assert set(methods_of(port)) == public(port)
    assert public(port) <= public(type(wrapped(port, object(), "place", Process())))


def test_how_methods_answer() -> None:
    assert methods_of(ObjectStore)["read"] is Form.BLOCK
    assert methods_of(ObjectStore)["list"] is Form.STREAM
    assert methods_of(ObjectStore)["put"] is Form.PLAIN
    assert methods_of(VectorIndex)["scroll"] is Form.STREAM
    assert methods_of(VectorIndex)["retrieve"] is Form.PLAIN
    assert methods_of(Database)["begin"] is Form.BLOCK
    assert methods_of(Database)["snapshot"] is Form.BLOCK


def test_a_call_that_no_port_declares_has_no_way_past_the_wrapper() -> None:
    class More(MemoryObjectStore):
        def put_quickly(self) -> None:
            """Something that only this adapter can do."""

    objects: Any = wrapped(ObjectStore, More(), "shelf", Process())
    with pytest.raises(AttributeError, match="put_quickly is called, and its port declares no such method"):
        objects.put_quickly()


@pytest.mark.parametrize(("fault", "there"), [(Fault.ERROR, False), (Fault.LOST, True)])
def test_an_error_comes_before_or_after_the_effect(fault: Fault, there: bool) -> None:
    shelf = Shelf(at("put"), fault)
    with pytest.raises(StoreUnavailable):
        shelf.put()
    assert shelf.is_there() is there
    shelf.put()  # only the first call fails


def test_a_duplicate_happens_twice() -> None:
    Shelf(at("put"), Fault.TWICE).put()
    with pytest.raises(ObjectExists):
        Shelf(at("put"), Fault.TWICE).put(create_only=True)


def test_after_a_crash_nothing_reaches_the_stores() -> None:
    shelf = Shelf(at("put"), Fault.CRASH)
    with pytest.raises(Killed):
        shelf.put()
    assert shelf.is_there()
    with pytest.raises(Killed):
        shelf.objects.delete(BUCKET, ["key"])
    with pytest.raises(Killed):
        list(shelf.objects.list(BUCKET))
    assert shelf.is_there()


@pytest.mark.parametrize("moment", [Moment.OPEN, Moment.MIDDLE, Moment.END])
def test_a_stream_fails_where_it_is_told_to(moment: Moment) -> None:
    shelf = Shelf(at("read", moment), Fault.ERROR)
    shelf.put()
    pieces: list[bytes] = []
    with pytest.raises(StoreUnavailable), shelf.objects.read(BUCKET, "key") as chunks:
        pieces.extend(chunks)
    assert shelf.process.seen[-1] == at("read", moment)


def test_a_slow_call_lets_others_go_first_and_ends() -> None:
    shelf = Shelf(at("put"), Fault.SLOW)
    shelf.put()
    assert shelf.is_there()
    assert shelf.process.met == {at("put"): Fault.SLOW}
