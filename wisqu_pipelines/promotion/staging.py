"""Putting files and vectors into the target where nobody sees them yet, proving them, and taking them away again.

Everything staged lies under keys and ids of its own, made from the promotion and the item: doing it again writes the
same thing to the same place, and nothing that is visible is ever written over.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Semaphore
from uuid import UUID

from wisqu_pipelines.catalog.points import DOCUMENT_ID, ENVIRONMENT, VERSION, point_ids, staged
from wisqu_pipelines.errors import (
    BucketMissing,
    CollectionMissing,
    ItemFailed,
    ObjectChanged,
    ObjectExists,
    ObjectMissing,
    PlanStale,
    StoreDenied,
    WisquError,
)
from wisqu_pipelines.ports.objects import CopyRequest
from wisqu_pipelines.ports.vectors import Point
from wisqu_pipelines.promotion.batches import by_weight
from wisqu_pipelines.promotion.carrying import carry_many
from wisqu_pipelines.promotion.content import have_hash, portable_payload, same_point
from wisqu_pipelines.promotion.plan import FileAt, PlannedItem, VectorsAt
from wisqu_pipelines.promotion.types import PromotableType
from wisqu_pipelines.promotion.work import Route

FILES_AT_ONCE = 8
"""Files that are carried from one server to another at the same time."""
POINTS_AT_ONCE = 512
"""Points of one batch."""
BATCHES_AT_ONCE = 2
"""Batches of points on their way."""


class Staging:
    """The hidden half of one promotion. Safe to use from several threads."""

    def __init__(self, promotion_id: UUID, route: Route) -> None:
        """Stage along `route`."""
        self.promotion_id = promotion_id
        self._source = route.source
        self._target = route.target
        self._transfer = route.transfer
        self._whole = route.path.verify == "full"
        self._batches = Semaphore(BATCHES_AT_ONCE)

    def object_name(self, item: PlannedItem) -> str:
        """The key that the item's file gets in the target."""
        return _object_name(item, item.version(self.promotion_id))

    def names(self, kind: PromotableType, item: PlannedItem) -> dict[str, str]:
        """The names that an item's row in the target gives its file and its vectors, by column."""
        version = item.version(self.promotion_id)
        names: dict[str, str] = {}
        if kind.has_file:
            names["object_name"] = _object_name(item, version)
        if kind.has_vectors:
            names["vector_version"] = str(version)
        return names

    def stage(self, items: Sequence[PlannedItem], files: ThreadPoolExecutor) -> dict[UUID, ItemFailed]:
        """Copy the items' files and points into the target, hidden, and look whether they arrived: with the policy
        `verify = "full"` every byte and number of them, otherwise that they are there.

        Args:
            items: The items.
            files: The threads that carry files between two servers.

        Returns:
            The items (by source id) that did not arrive whole.

        Raises:
            PlanStale: a file or vectors at the source are not what was planned.
        """
        failures = self._stage_vectors(items)
        filed = [(item, item.file) for item in items if item.file]
        arrived = self._put_files(filed, files)
        if self._whole:
            problems = self._read_back(filed)
        else:
            problems = iter([self._size_problem(file, size) for (_, file), size in zip(filed, arrived, strict=True)])
        for (item, _), problem in zip(filed, problems, strict=True):
            if problem is not None:
                failures[item.source_id] = _failed(item, problem)
        return failures

    def reveal(self, items: Iterable[PlannedItem]) -> None:
        """Show the staged points to the target's readers."""
        for collection, points in self._points(items).items():
            self._target.vectors.set_payload(collection, points, {ENVIRONMENT: self._target.name})

    def sweep(self, items: Sequence[PlannedItem]) -> None:
        """Hide and delete what was staged for these items; what is not there is no error."""
        for collection, points in self._points(items).items():
            with suppress(CollectionMissing):
                self._target.vectors.set_payload(collection, points, {ENVIRONMENT: staged(self._target.name)})
                self._target.vectors.delete(collection, points)
        buckets: dict[str, list[str]] = {}
        for item in items:
            if item.file:
                bucket = self._target.settings.get_bucket_name(item.file.bucket)
                buckets.setdefault(bucket, []).append(self.object_name(item))
        for bucket, keys in buckets.items():
            with suppress(BucketMissing):
                self._target.objects.delete(bucket, keys)

    def _points(self, items: Iterable[PlannedItem]) -> Mapping[str, list[UUID]]:
        """The ids of the items' points in the target, by collection."""
        ids: dict[str, list[UUID]] = {}
        for item in items:
            if item.vectors:
                collection = self._target.settings.get_collection_name(item.vectors.collection)
                ids.setdefault(collection, []).extend(point_ids(item.version(self.promotion_id), item.vectors.count))
        return ids

    def _put_files(self, filed: Sequence[tuple[PlannedItem, FileAt]], files: ThreadPoolExecutor) -> list[int | None]:
        """Copy inside the server, or carry from one to the other; the size of each object that is in the target now."""
        requests = [
            CopyRequest(
                source_bucket=self._source.settings.get_bucket_name(file.bucket),
                source_key=file.object_name,
                source_etag=file.etag,
                bucket=self._target.settings.get_bucket_name(file.bucket),
                key=self.object_name(item),
                size=file.size,
            )
            for item, file in filed
        ]
        # All of them: none may still be on its way after an error here.
        if self._transfer is not None:
            outcomes = [
                each.error or file.size
                for each, (_, file) in zip(self._transfer.copy_many(requests), filed, strict=True)
            ]
            if requests:
                self._see(requests[-1])
        else:
            outcomes = carry_many(self._source.objects, self._target.objects, requests, files)
        return [self._size(*each, outcome) for each, outcome in zip(filed, outcomes, strict=True)]

    def _see(self, copied: CopyRequest) -> None:
        """Look at a copy as the target's own account, before anybody is shown it: on some servers (Ceph) an object
        belongs to the account that wrote it.
        """
        try:
            self._target.objects.stat(copied.bucket, copied.key)
        except StoreDenied as error:
            way_out = (
                f"the path's account wrote it, and {self._target.name}'s own may not read it: let the bucket's policy "
                "name both, or leave 'transfer' out of the path"
            )
            raise StoreDenied(**{**error.details, "cause": f"{error.details['cause']}; {way_out}"}) from error

    def _size(self, item: PlannedItem, file: FileAt, outcome: int | WisquError) -> int | None:
        """The size of the object that is in the target after an attempt to put it there."""
        if isinstance(outcome, int):
            return outcome
        if isinstance(outcome, ObjectMissing | ObjectChanged):
            raise self._stale(item, "file") from outcome
        if not isinstance(outcome, ObjectExists):
            raise outcome
        # Staged by an earlier run under this very key.
        found = self._target.objects.stat(self._target.settings.get_bucket_name(file.bucket), self.object_name(item))
        return found.size if found else None

    def _size_problem(self, file: FileAt, size: int | None) -> str | None:
        if size is None:
            return f"its file did not arrive in {self._target.name}"
        return None if size == file.size else f"{size} of the {file.size} bytes of its file arrived"

    def _read_back(self, filed: Sequence[tuple[PlannedItem, FileAt]]) -> Iterator[str | None]:
        """Of each staged file: why it is not what was planned, or None if it is."""
        places = [(self._target.settings.get_bucket_name(file.bucket), self.object_name(item)) for item, file in filed]
        for (item, _), arrived in zip(filed, self._target.objects.sha256_many(places), strict=True):
            if arrived is None:
                yield f"its file did not arrive in {self._target.name}"
            elif arrived != item.source_hashes.file:
                yield f"the bytes that arrived have SHA-256 {arrived}, and its row says {item.source_hashes.file}"
            else:
                yield None

    def _stage_vectors(self, items: Iterable[PlannedItem]) -> dict[UUID, ItemFailed]:
        failures: dict[UUID, ItemFailed] = {}
        for base, group in _by_collection(items):
            with self._batches:
                failures |= self._stage_points(base, group)
        return failures

    def _stage_points(self, base: str, group: Sequence[tuple[PlannedItem, VectorsAt]]) -> dict[UUID, ItemFailed]:
        ids = [point_ids(at.version, at.count) for _, at in group]
        here = self._source.vectors.retrieve(
            self._source.settings.get_collection_name(base), [each for some in ids for each in some]
        )
        twins: list[list[Point]] = []
        for (item, at), some in zip(group, ids, strict=True):
            points = [here[each] for each in some if each in here]
            if len(points) != at.count or not have_hash(points, item.source_hashes.vectors):
                raise self._stale(item, "vectors")
            twins.append(self._twins(item, points))
        collection = self._target.settings.get_collection_name(base)
        written = [twin for each in twins for twin in each]
        self._target.vectors.upsert(collection, written)
        arrived = self._arrived(collection, written)
        return {
            item.source_id: _failed(item, f"its vectors did not arrive whole in {self._target.name}")
            for (item, _), each in zip(group, twins, strict=True)
            if any(twin.id not in arrived for twin in each)
        }

    def _arrived(self, collection: str, twins: Sequence[Point]) -> Collection[UUID]:
        """The ids of the points that are in the target: with the policy `verify = "full"`, as they were written."""
        ids = [twin.id for twin in twins]
        if not self._whole:
            return self._target.vectors.present(collection, ids)
        there = self._target.vectors.retrieve(collection, ids)
        return {twin.id for twin in twins if same_point(twin, there.get(twin.id))}

    def _twins(self, item: PlannedItem, points: Sequence[Point]) -> list[Point]:
        version = item.version(self.promotion_id)
        own = {DOCUMENT_ID: str(item.target_id), VERSION: str(version), ENVIRONMENT: staged(self._target.name)}
        ids = point_ids(version, len(points))
        return [
            Point(id_, point.vector, {**portable_payload(point.payload), **own})
            for id_, point in zip(ids, points, strict=True)
        ]

    def _stale(self, item: PlannedItem, part: str) -> PlanStale:
        change = f"{item.item_type} '{item.label}' ({item.source_id}) has another {part} in {self._source.name}"
        return PlanStale(promotion_id=str(self.promotion_id), changes=change)


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


def _object_name(item: PlannedItem, version: UUID) -> str:
    return f"{item.item_type}/{item.target_id}/{version}/{item.source_hashes.file}"


def _failed(item: PlannedItem, reason: str) -> ItemFailed:
    return ItemFailed(type=item.item_type, label=item.label, item_id=str(item.source_id), act="staged", reason=reason)
