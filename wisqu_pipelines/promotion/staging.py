"""Putting files and vectors into the target where nobody sees them yet, proving them, and taking them away again.

Everything staged lies under keys and ids of its own, made from the promotion and the item: doing it again writes the
same thing to the same place, and nothing that is visible is ever written over.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, cast
from uuid import UUID

from wisqu_pipelines.catalog.points import DOCUMENT_ID, ENVIRONMENT, VERSION, point_id, point_ids, staged
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import ItemFailed, ObjectChanged, ObjectExists, ObjectMissing
from wisqu_pipelines.ports.hashing import sha256_of
from wisqu_pipelines.ports.objects import ObjectStore
from wisqu_pipelines.ports.vectors import Point
from wisqu_pipelines.promotion.batches import by_weight
from wisqu_pipelines.promotion.content import portable_payload, same_vector, vectors_hash
from wisqu_pipelines.promotion.plan import FileAt, PlannedItem, VectorsAt

MEMORY_PER_FILE = 4 * 1024 * 1024
"""Bytes of a file held in memory while it is carried from server to server; the rest waits on disk."""
FILES_AT_ONCE = 8
"""Concurrent copies, or reads, on the object stores."""
POINTS_AT_ONCE = 1_024
"""Points held in memory on their way."""


class Staging:
    """The hidden half of one promotion."""

    def __init__(
        self, promotion_id: UUID, source: Environment, target: Environment, transfer: ObjectStore | None
    ) -> None:
        """Stage from `source` to `target`; `transfer` copies inside the server that both share, where there is one."""
        self._promotion_id = promotion_id
        self._source = source
        self._target = target
        self._transfer = transfer

    def object_name(self, item: PlannedItem) -> str:
        """The key that the item's file gets in the target."""
        return f"{item.item_type}/{item.target_id}/{item.version(self._promotion_id)}/{item.source_hashes.file}"

    def stage_files(self, items: Iterable[PlannedItem]) -> dict[UUID, ItemFailed]:
        """Copy the items' files into the target's buckets, create-only and pinned to the version that was planned.

        Returns:
            The items (by source id) whose object at the source is gone or another one.
        """
        return self._each_file(items, self._stage_file)

    def stage_vectors(self, items: Iterable[PlannedItem]) -> dict[UUID, ItemFailed]:
        """Copy the items' points under new ids and with a staging environment.

        Returns:
            The items (by source id) whose points are not what was planned; nothing of theirs is written.
        """
        failures: dict[UUID, ItemFailed] = {}
        for base, group in _by_collection(items):
            found = self._at_source(base, group)
            ready: list[Point] = []
            for item, at in group:
                points = [found[each] for each in point_ids(at.version, at.count) if each in found]
                if len(points) != at.count or vectors_hash(points) != item.source_hashes.vectors:
                    reason = f"its vectors in {self._source.name} are not what was planned"
                    failures[item.source_id] = _failed(item, "copied", reason)
                else:
                    ready += [self._twin(item, point, chunk) for chunk, point in enumerate(points)]
            if ready:
                self._target.vectors.upsert(self._target.settings.get_collection_name(base), ready)
        return failures

    def verify(self, items: Iterable[PlannedItem]) -> dict[UUID, ItemFailed]:
        """Read everything staged back: files by the SHA-256 of their bytes, points against the source's, stored with
        stored.

        Returns:
            The items (by source id) that did not arrive whole.
        """
        items = list(items)
        failures = self._each_file(items, self._verify_file)
        for base, group in _by_collection(items):
            here = self._at_source(base, group)
            there = self._target.vectors.retrieve(
                self._target.settings.get_collection_name(base),
                [each for item, at in group for each in point_ids(item.version(self._promotion_id), at.count)],
            )
            for item, at in group:
                twins = zip(
                    point_ids(at.version, at.count),
                    point_ids(item.version(self._promotion_id), at.count),
                    strict=True,
                )
                if not all(_same(here.get(one), there.get(other)) for one, other in twins):
                    reason = f"its vectors did not arrive whole in {self._target.name}"
                    failures[item.source_id] = _failed(item, "verified", reason)
        return failures

    def reveal(self, items: Iterable[PlannedItem]) -> None:
        """Show the staged points to the target's readers."""
        self._set_environment(items, self._target.name)

    def sweep(self, items: Iterable[PlannedItem]) -> None:
        """Hide and delete what was staged for these items; what is not there is no error."""
        items = list(items)
        self._set_environment(items, staged(self._target.name))
        for item in items:
            if item.vectors:
                collection = self._target.settings.get_collection_name(item.vectors.collection)
                self._target.vectors.delete(collection, point_ids(item.version(self._promotion_id), item.vectors.count))
        buckets: dict[str, list[str]] = {}
        for item in items:
            if item.file:
                bucket = self._target.settings.get_bucket_name(item.file.bucket)
                buckets.setdefault(bucket, []).append(self.object_name(item))
        for bucket, keys in buckets.items():
            self._target.objects.delete(bucket, keys)

    def _set_environment(self, items: Iterable[PlannedItem], value: str) -> None:
        ids: dict[str, list[UUID]] = {}
        for item in items:
            if item.vectors:
                collection = self._target.settings.get_collection_name(item.vectors.collection)
                ids.setdefault(collection, []).extend(point_ids(item.version(self._promotion_id), item.vectors.count))
        for collection, points in ids.items():
            self._target.vectors.set_payload(collection, points, {ENVIRONMENT: value})

    def _carry(self, item: PlannedItem, file: FileAt) -> None:
        """Stream the file from one server to the other; the bytes wait in a spool so that an upload can be repeated."""
        bucket = self._source.settings.get_bucket_name(file.bucket)
        about = self._source.objects.stat(bucket, file.object_name)
        if about is None:
            raise ObjectMissing(bucket=bucket, key=file.object_name)
        with tempfile.SpooledTemporaryFile(MEMORY_PER_FILE) as spool:
            with self._source.objects.read(bucket, file.object_name, etag=file.etag) as chunks:
                for chunk in chunks:
                    spool.write(chunk)
            spool.seek(0)
            self._target.objects.put(
                self._target.settings.get_bucket_name(file.bucket),
                self.object_name(item),
                cast("BinaryIO", spool),
                file.size,
                content_type=about.content_type,
                metadata=about.metadata,
                create_only=True,
            )

    def _twin(self, item: PlannedItem, point: Point, chunk: int) -> Point:
        version = item.version(self._promotion_id)
        payload = {
            **portable_payload(point.payload),
            DOCUMENT_ID: str(item.target_id),
            VERSION: str(version),
            ENVIRONMENT: staged(self._target.name),
        }
        return Point(point_id(version, chunk), point.vector, payload)

    def _each_file(
        self, items: Iterable[PlannedItem], act: Callable[[PlannedItem, FileAt], None]
    ) -> dict[UUID, ItemFailed]:
        """Do something to several files at once; an item's own failure is returned, a store's trouble is raised."""

        def caught(pair: tuple[PlannedItem, FileAt]) -> tuple[UUID, ItemFailed] | None:
            try:
                act(*pair)
            except ItemFailed as failure:
                return pair[0].source_id, failure
            return None

        with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            outcomes = list(pool.map(caught, [(item, item.file) for item in items if item.file]))
        return dict(outcome for outcome in outcomes if outcome)

    def _stage_file(self, item: PlannedItem, file: FileAt) -> None:
        try:
            if self._transfer is not None:
                self._transfer.copy(
                    self._source.settings.get_bucket_name(file.bucket),
                    file.object_name,
                    self._target.settings.get_bucket_name(file.bucket),
                    self.object_name(item),
                    source_etag=file.etag,
                )
            else:
                self._carry(item, file)
        except ObjectExists:
            return  # staged by an earlier run under this very key; verify() reads what is there
        except (ObjectMissing, ObjectChanged) as error:
            reason = f"its file in {self._source.name} is gone or another one"
            raise _failed(item, "copied", reason) from error

    def _verify_file(self, item: PlannedItem, file: FileAt) -> None:
        try:
            bucket = self._target.settings.get_bucket_name(file.bucket)
            with self._target.objects.read(bucket, self.object_name(item)) as read:
                arrived = sha256_of(read)
        except ObjectMissing as error:
            raise _failed(item, "verified", f"its file did not arrive in {self._target.name}") from error
        if arrived != item.source_hashes.file:
            reason = f"the bytes that arrived have SHA-256 {arrived}, and its row says {item.source_hashes.file}"
            raise _failed(item, "verified", reason)

    def _at_source(self, base: str, group: Sequence[tuple[PlannedItem, VectorsAt]]) -> Mapping[UUID, Point]:
        return self._source.vectors.retrieve(
            self._source.settings.get_collection_name(base),
            [each for _, at in group for each in point_ids(at.version, at.count)],
        )


def _by_collection(
    items: Iterable[PlannedItem],
) -> Iterator[tuple[str, Sequence[tuple[PlannedItem, VectorsAt]]]]:
    """The items that have vectors, in groups of one collection (base name) and of as many points as memory allows."""
    groups: dict[str, list[tuple[PlannedItem, VectorsAt]]] = {}
    for item in items:
        if item.vectors:
            groups.setdefault(item.vectors.collection, []).append((item, item.vectors))
    for base, members in groups.items():
        for piece in by_weight(members, POINTS_AT_ONCE, lambda pair: pair[1].count):
            yield base, piece


def _same(one: Point | None, other: Point | None) -> bool:
    return (
        one is not None
        and other is not None
        and portable_payload(one.payload) == portable_payload(other.payload)
        and same_vector(one.vector, other.vector)
    )


def _failed(item: PlannedItem, act: str, reason: str) -> ItemFailed:
    return ItemFailed(type=item.item_type, label=item.label, item_id=str(item.source_id), act=act, reason=reason)
