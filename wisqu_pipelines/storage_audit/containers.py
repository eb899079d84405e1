"""A bucket and a collection as an audit sees them: what they list, who needs it, which rows miss something in them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, SQLColumnExpression, Text, and_, cast, func, literal, or_, select
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.cached import cached_searches
from wisqu_pipelines.catalog.models import ListedStore, RagDocument, StorageListing, StorageOrphan, StoredFile
from wisqu_pipelines.catalog.points import DOCUMENT_ID, ENVIRONMENT, VERSION, staged
from wisqu_pipelines.environments.markers import MARKER_OBJECT
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import printable
from wisqu_pipelines.ports.vectors import Point
from wisqu_pipelines.storage_audit.needs import needs_object, needs_points, version_in
from wisqu_pipelines.storage_audit.report import Finding, Problem

LISTED_AT_ONCE = 1_000
"""Objects or points in memory at a time."""
ROWS_AT_ONCE = 200
"""Rows that are looked at once more before they are reported."""
IDS_AT_ONCE = 1_000
BYTES_PER_NUMBER = 4
LONGEST_FOREIGN_NAME = 100
"""Characters that are kept of a version that is none of ours."""
OURS = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
"""How a version looks. Points with another one, or none, are reported and never swept: somebody else wrote them."""

Listed = Mapping[str, Any]
"""What is listed, by the columns of `storage_listings`; a column that a store has not is left out."""


class Container(Protocol):
    """One bucket or one collection of one environment."""

    @property
    def store(self) -> ListedStore:
        """Which of the stores it is in."""
        ...

    @property
    def name(self) -> str:
        """The full name."""
        ...

    @property
    def is_configured(self) -> bool:
        """Whether the settings name it. One that only rows name is compared with them, and has no orphans."""
        ...

    def listed(self) -> Iterator[Sequence[Listed]]:
        """What lies there, page by page; the same name may come again, with what is added to it."""
        ...

    def expected(self) -> Any:
        """The query for how much the rows say lies there."""
        ...

    def sweepable(self) -> ColumnElement[bool]:
        """Which of what is listed this project may take away at all."""
        ...

    def version(self, name: SQLColumnExpression[str]) -> SQLColumnExpression[str]:
        """The version in a thing's name."""
        ...

    def needs(self, name: SQLColumnExpression[str], expired: Sequence[UUID]) -> tuple[ColumnElement[bool], ...]:
        """The ways in which the environment's database may need a thing of that name."""
        ...

    def danglings(self, session: Session) -> Iterator[Finding]:
        """The rows that miss something of what is listed, each looked at once more."""
        ...

    def same(self, mark: StorageOrphan) -> bool | None:
        """Whether what is there is what was marked; None: it is gone."""
        ...

    def remove(self, names: Sequence[str]) -> None:
        """Take things away; one that is not there is no error."""
        ...


@dataclass(frozen=True)
class Bucket:
    """A bucket, and the rows of `stored_files` that name it."""

    environment: Environment
    base: str
    is_configured: bool = True
    store: ListedStore = ListedStore.OBJECTS

    @property
    def name(self) -> str:
        """The full name."""
        return self.environment.settings.get_bucket_name(self.base)

    def listed(self) -> Iterator[Sequence[Listed]]:
        """The objects, but for the marker."""
        if not self.environment.objects.bucket_exists(self.name):
            return
        objects = (each for each in self.environment.objects.list(self.name) if each.key != MARKER_OBJECT)
        for page in _pages(objects, LISTED_AT_ONCE):
            yield [
                {"store": self.store, "name": each.key, "bytes": each.size, "modified_at": _seconds(each.modified)}
                for each in page
            ]

    def expected(self) -> Any:
        """The query for how many rows name the bucket."""
        return select(func.count()).where(StoredFile.bucket == self.base)

    def sweepable(self) -> ColumnElement[bool]:
        """All objects: the bucket is the environment's own."""
        return literal(True)

    def version(self, name: SQLColumnExpression[str]) -> SQLColumnExpression[str]:
        """The third part of the key."""
        return version_in(name)

    def needs(self, name: SQLColumnExpression[str], expired: Sequence[UUID]) -> tuple[ColumnElement[bool], ...]:
        """Rows and before-images that name the object."""
        return needs_object(name, self.base, expired)

    def danglings(self, session: Session) -> Iterator[Finding]:
        """The rows whose object is not there or has another size."""
        listed = and_(StorageListing.store == self.store, StorageListing.name == StoredFile.object_name)
        query = (
            select(StoredFile.id, StoredFile.object_name, StoredFile.file_size_bytes)
            .outerjoin(StorageListing, listed)
            .where(
                StoredFile.bucket == self.base,
                or_(StorageListing.name.is_(None), StorageListing.bytes != StoredFile.file_size_bytes),
            )
        )
        for page in session.execute(query.execution_options(yield_per=ROWS_AT_ONCE)).partitions():
            sizes = {key: self._size(key) for _, key, _ in page}
            again = select(StoredFile.id, StoredFile.object_name, StoredFile.file_size_bytes).where(
                StoredFile.id.in_([each.id for each in page]), StoredFile.bucket == self.base
            )
            for row_id, key, size in session.execute(again).all():
                if key in sizes and sizes[key] != size:
                    yield self._dangling(row_id, key, size, sizes[key])

    def _dangling(self, row_id: UUID, key: str, size: int, found: int | None) -> Finding:
        reason = f"its object {key} is not there" if found is None else f"its object has {found} bytes"
        sentence = f"stored_files {row_id}: {reason}, and the row says {size} bytes"
        return Finding(Problem.DANGLING, self.store, self.name, key, sentence, bytes=size, row=row_id)

    def _size(self, key: str) -> int | None:
        found = self.environment.objects.stat(self.name, key)
        return None if found is None else found.size

    def same(self, mark: StorageOrphan) -> bool | None:
        """Whether the object is the one that was marked: neither written again nor of another size."""
        found = self.environment.objects.stat(self.name, mark.name)
        if found is None:
            return None
        return (found.size, _seconds(found.modified)) == (mark.bytes, mark.modified_at)

    def remove(self, names: Sequence[str]) -> None:
        """Delete the objects."""
        self.environment.objects.delete(self.name, names)


@dataclass(frozen=True)
class Collection:
    """A collection, and the rows of `rag_documents` that name it."""

    environment: Environment
    base: str
    dimension: int
    """For the size of its vectors."""
    is_configured: bool = True
    store: ListedStore = ListedStore.POINTS

    @property
    def name(self) -> str:
        """The full name."""
        return self.environment.settings.get_collection_name(self.base)

    def listed(self) -> Iterator[Sequence[Listed]]:
        """The points, counted by version and document."""
        if self.environment.vectors.describe(self.name) is None:
            return
        for page in _pages(self.environment.vectors.scroll(self.name, {}), LISTED_AT_ONCE):
            counts: Counter[tuple[str, str]] = Counter()
            visible: Counter[tuple[str, str]] = Counter()
            for point in page:
                of = _version(point), _document(point)
                counts[of] += 1
                visible[of] += point.payload.get(ENVIRONMENT) == self.environment.name
            yield [
                {
                    "store": self.store,
                    "name": version,
                    "document": document,
                    "bytes": count * self.dimension * BYTES_PER_NUMBER,
                    "points": count,
                    "visible": visible[version, document],
                }
                for (version, document), count in sorted(counts.items())
            ]

    def expected(self) -> Any:
        """The query for how many points the rows speak of."""
        return select(func.coalesce(func.sum(RagDocument.point_count), 0)).where(RagDocument.collection == self.base)

    def sweepable(self) -> ColumnElement[bool]:
        """Points with a version as this project makes them."""
        return StorageListing.name.regexp_match(OURS)

    def version(self, name: SQLColumnExpression[str]) -> SQLColumnExpression[str]:
        """The name is the version."""
        return name

    def needs(self, name: SQLColumnExpression[str], expired: Sequence[UUID]) -> tuple[ColumnElement[bool], ...]:
        """Rows and before-images that name the version."""
        return needs_points(name, self.base, expired)

    def danglings(self, session: Session) -> Iterator[Finding]:
        """The rows of which there are fewer or more points than they say, or readers find another number."""
        listed = and_(
            StorageListing.store == self.store,
            StorageListing.name == cast(RagDocument.vector_version, Text),
            StorageListing.document == cast(RagDocument.id, Text),
        )
        query = (
            select(RagDocument.id, RagDocument.vector_version)
            .outerjoin(StorageListing, listed)
            .where(
                RagDocument.collection == self.base,
                or_(
                    func.coalesce(StorageListing.points, 0) != RagDocument.point_count,
                    and_(
                        RagDocument.is_deleted.is_(False),
                        func.coalesce(StorageListing.visible, 0) != RagDocument.point_count,
                    ),
                ),
            )
        )
        is_there = self.environment.vectors.describe(self.name) is not None
        for page in session.execute(query.execution_options(yield_per=ROWS_AT_ONCE)).partitions():
            counts = {
                (row_id, version): self._counts(row_id, version) if is_there else (0, 0) for row_id, version in page
            }
            again = select(
                RagDocument.id, RagDocument.vector_version, RagDocument.point_count, RagDocument.is_deleted
            ).where(RagDocument.id.in_([each.id for each in page]), RagDocument.collection == self.base)
            for row_id, version, wanted, is_deleted in session.execute(again).all():
                found, visible = counts.get((row_id, version), (wanted, wanted))
                if found != wanted:
                    yield self._dangling(row_id, version, wanted, f"{found} of its {wanted} points are there")
                elif visible != wanted and not is_deleted:
                    yield self._dangling(row_id, version, wanted, f"readers find {visible} of its {wanted} points")

    def _dangling(self, row_id: UUID, version: UUID, wanted: int, reason: str) -> Finding:
        return Finding(
            Problem.DANGLING,
            self.store,
            self.name,
            str(version),
            f"rag_documents {row_id}: {reason}",
            bytes=wanted * self.dimension * BYTES_PER_NUMBER,
            points=wanted,
            row=row_id,
        )

    def _counts(self, row_id: UUID, version: UUID) -> tuple[int, int]:
        """How many points of the row there are, and how many of them readers find."""
        match = {DOCUMENT_ID: str(row_id), VERSION: str(version)}
        vectors = self.environment.vectors
        return vectors.count(self.name, match), vectors.count(self.name, {**match, ENVIRONMENT: self.environment.name})

    def same(self, mark: StorageOrphan) -> bool | None:
        """Whether there are no more points than were marked: a sweep that was interrupted leaves fewer."""
        found = self.environment.vectors.count(self.name, {VERSION: mark.name})
        return found <= mark.points if found else None

    def remove(self, names: Sequence[str]) -> None:
        """Hide the points, so that no reader finds half of a version, and delete them then."""
        vectors = self.environment.vectors
        for name in names:
            for ids in self._ids(name):
                vectors.set_payload(self.name, ids, {ENVIRONMENT: staged(self.environment.name)})
        self.environment.cache.delete_prefix(cached_searches(self.name))
        for name in names:
            for ids in self._ids(name):
                vectors.delete(self.name, ids)

    def _ids(self, version: str) -> Iterable[Sequence[UUID]]:
        points = self.environment.vectors.scroll(self.name, {VERSION: version})
        return _pages((point.id for point in points), IDS_AT_ONCE)


def _version(point: Point) -> str:
    """The version that a point carries; of one that is none of ours, enough to recognise it."""
    version = str(point.payload.get(VERSION, ""))
    return version if _is_uuid(version) else printable(version, LONGEST_FOREIGN_NAME)


def _document(point: Point) -> str:
    document = str(point.payload.get(DOCUMENT_ID))
    return document if _is_uuid(document) else ""


def _is_uuid(text: str) -> bool:
    with suppress(ValueError):
        return str(UUID(text)) == text
    return False


def _seconds(at: datetime | None) -> datetime | None:
    """A store's time in whole seconds: what a listing tells finer, a look at the one object does not."""
    return None if at is None else at.replace(microsecond=0)


def _pages(things: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(things)
    while page := list(islice(iterator, size)):
        yield page
