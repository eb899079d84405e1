"""An ingest that ends at any call to a store leaves nothing half visible, and the next one finishes its work."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy.orm import Session

from tests.ingest.conftest import MakeIngest, WholeCheck
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog import points
from wisqu_pipelines.catalog.models import RagDocument
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.ingest.names import DocumentNames
from wisqu_pipelines.ingest.report import Outcome
from wisqu_pipelines.ports.objects import ObjectInfo, ObjectStore

OLD, NEW = b"# Old\n\n" + b"The old text. " * 200, b"# New\n\n" + b"The new text. " * 300


class Crash(BaseException):
    """The process is gone: no rule of the code under test may handle it."""


class Crashing:
    """A real store that takes the process with it at one call: before it did what was asked, or after."""

    def __init__(self, store: Any, method: str, call: int, when: str) -> None:
        self._store, self._method, self._call, self._when = store, method, call, when
        self._calls = 0

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._store, name)
        if name != self._method:
            return asked

        def crash(*arguments: Any, **named: Any) -> Any:
            self._calls += 1
            if self._calls != self._call:
                return asked(*arguments, **named)
            if self._when == "after":
                asked(*arguments, **named)
            raise Crash

        return crash


class CrashingDatabase:
    """A real database, and a process that ends at the end of one of its transactions: before the commit, or after."""

    def __init__(self, database: Any, call: int, when: str) -> None:
        self._database, self._call, self._when = database, call, when
        self._calls = 0

    @contextmanager
    def begin(self) -> Iterator[Session]:
        self._calls += 1
        ends_here = self._calls == self._call
        with self._database.begin() as session:
            yield session
            if ends_here and self._when == "before":
                raise Crash
        if ends_here:
            raise Crash


class PutRecorder:
    """A real object store, and whether each `put` was one that overwrites nothing."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.create_only: list[bool] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put(self, *arguments: Any, create_only: bool = False, **named: Any) -> ObjectInfo:
        self.create_only.append(create_only)
        return self._store.put(*arguments, create_only=create_only, **named)


CALLS = {
    ("objects", "put", 1),
    ("objects", "list", 1),
    ("vectors", "upsert", 1),
    ("vectors", "count", 1),
    ("vectors", "set_payload", 1),
    ("cache", "delete", 1),
    ("database", "begin", 1),
    ("database", "begin", 2),
    ("database", "begin", 3),
}
"""Every call of a first ingest that can be the last one."""
MORE_CALLS = CALLS | {
    ("objects", "delete", 1),
    ("vectors", "set_payload", 2),
    ("vectors", "delete", 1),
}
"""Every call of an ingest that replaces what is there."""


@pytest.mark.parametrize(("before", "calls"), [(None, CALLS), (OLD, MORE_CALLS)], ids=["create", "update"])
def test_a_crash_leaves_nothing_half_visible_and_a_second_ingest_converges(
    dev: Environment,
    services: Services,
    ingest_into: MakeIngest,
    whole: WholeCheck,
    folder: Path,
    before: bytes | None,
    calls: set[tuple[str, str, int]],
) -> None:
    done: dict[str, str] = {}
    for store, method, call in sorted(calls):
        for when in ("before", "after"):
            path = folder / f"{when} {store} {method} {call}.md"  # a document for each crash, all in one world
            if before is not None:
                path.write_bytes(before)
                ingest_into(dev).ingest([path])
            path.write_bytes(NEW)
            inner = getattr(dev, store)
            crashing: Any = (
                CrashingDatabase(inner, call, when) if store == "database" else Crashing(inner, method, call, when)
            )
            with pytest.raises(Crash):
                ingest_into(replace(dev, **{store: crashing})).ingest([path])

            _nothing_is_half_visible(dev, services, path.name, replaced=before is not None)
            assert not ingest_into(dev).ingest([path]).refused
            done[path.name] = hashlib.sha256(NEW).hexdigest()
            assert whole(dev) == done, path.name
    assert ingest_into(_without_writes(dev)).ingest([folder]).count(Outcome.UNCHANGED) == len(done)


def test_what_an_interrupted_ingest_left_is_used_if_it_fits_and_goes_if_not(
    dev: Environment, services: Services, ingest_into: MakeIngest, whole: WholeCheck, folder: Path
) -> None:
    interrupted = replace(dev, database=_crashing_database(dev, 3, "before"))
    (folder / "a.md").write_bytes(OLD)
    with pytest.raises(Crash):
        ingest_into(interrupted).ingest([folder])
    (folder / "a.md").write_bytes(NEW)
    assert ingest_into(dev).ingest([folder]).count(Outcome.CREATED) == 1
    assert whole(dev) == {"a.md": hashlib.sha256(NEW).hexdigest()}

    (folder / "b.md").write_bytes(NEW)
    with pytest.raises(Crash):
        ingest_into(replace(dev, database=_crashing_database(dev, 3, "before"))).ingest([folder / "b.md"])
    bucket = dev.settings.get_bucket_name(services.settings.default_bucket)
    (left,) = dev.objects.list(bucket, DocumentNames.of("dev", "b.md").prefix)
    dev.objects.delete(bucket, [left.key])
    with (folder / "b.md").open("rb") as file:
        dev.objects.put(bucket, left.key, file, 7)  # other bytes than the key says
    recorder = PutRecorder(dev.objects)
    ingest_into(replace(dev, objects=cast("ObjectStore", recorder))).ingest([folder])
    assert recorder.create_only == [True, True]  # refused once, then written where nothing was
    assert whole(dev) == dict.fromkeys(["a.md", "b.md"], hashlib.sha256(NEW).hexdigest())


def _nothing_is_half_visible(environment: Environment, services: Services, name: str, *, replaced: bool) -> None:
    """What readers see is the version that the row names, all of it or (before it is shown) none; no row, no points."""
    document_id = DocumentNames.of(environment.name, name).document_id
    with environment.database.snapshot() as session:
        row = session.get(RagDocument, document_id)
    collection = environment.settings.get_collection_name(services.settings.default_collection)
    seen: dict[str, int] = {}
    readers = {points.ENVIRONMENT: environment.name, points.DOCUMENT_ID: str(document_id)}
    for point in environment.vectors.scroll(collection, readers):
        version = str(point.payload[points.VERSION])
        seen[version] = seen.get(version, 0) + 1
    if row is None:
        assert not seen
        return
    current = seen.pop(str(row.vector_version), 0)
    assert current in {0, row.point_count}
    assert not seen or replaced  # the points that were replaced, until they are taken away; search passes them over


def _crashing_database(environment: Environment, call: int, when: str) -> Any:
    return CrashingDatabase(environment.database, call, when)


def _without_writes(environment: Environment) -> Environment:
    """The environment with stores that refuse to be written to."""

    class ReadOnly:
        def __init__(self, store: Any) -> None:
            self._store = store

        def __getattr__(self, name: str) -> Callable[..., Any]:
            assert name not in {"put", "upsert", "set_payload", "delete", "copy"}
            asked: Callable[..., Any] = getattr(self._store, name)
            return asked

    return replace(environment, objects=ReadOnly(environment.objects), vectors=ReadOnly(environment.vectors))
