"""Making a plan: reads both sides, each in one consistent state of its database, and writes nothing."""

import re
from collections import defaultdict
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.filenames import check_filename
from wisqu_pipelines.catalog.mixins import may_be_promoted
from wisqu_pipelines.catalog.points import VERSION, point_id
from wisqu_pipelines.database.bulk import among
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import BadInput, printable
from wisqu_pipelines.ports.objects import ObjectInfo
from wisqu_pipelines.ports.progress import Progress, no_progress
from wisqu_pipelines.promotion.batches import by_weight, chunks
from wisqu_pipelines.promotion.content import vectors_hash
from wisqu_pipelines.promotion.drafts import (
    Draft,
    contents,
    differences_of,
    drafted,
    source_rows,
)
from wisqu_pipelines.promotion.models import Effect
from wisqu_pipelines.promotion.plan import FileAt, PlannedItem, VectorsAt, change
from wisqu_pipelines.promotion.standing import Question
from wisqu_pipelines.promotion.types import TYPES, PromotableType
from wisqu_pipelines.side_by_side import ahead

ITEMS_AT_ONCE = 4_000
"""Items of the asked type that are examined together. Three such pages are in memory: one is read, one examined, one
written.
"""
POINTS_AT_ONCE = 512
"""Points in one batch that is read and hashed."""
BATCHES_AT_ONCE = 2
"""Such batches in memory."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""S3's rule for names of buckets."""
_NOT_IN_COLLECTIONS = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
"""Qdrant's rule for names of collections: what none has in it."""


class Planner:
    """Plans promotions from one environment to another."""

    def __init__(self, source: Environment, target: Environment, at: datetime, between: Sequence[str] = ()) -> None:
        """Plan from `source` to `target`, by the legal holds in force at a time; `between` are the environments by way
        of which items can get there too.
        """
        self._source = source
        self._target = target
        self._question = Question(source.name, target.name, between, at)

    def pages(
        self, kind: PromotableType, item_ids: Collection[UUID] | None, *, progress: Progress = no_progress
    ) -> Generator[list[Draft], None, None]:
        """The plan's items, so many of the asked type at a time, with what they belong to; what several belong to may
        come more than once.

        Args:
            kind: The type to promote; what its items belong to is pulled in.
            item_ids: The items, or None for all that are approved. Ids that are not there are left out.
            progress: Told how many items of the type have been examined.
        """
        done = size = points = 0
        with (
            self._source.database.snapshot() as here,
            self._target.database.snapshot() as there,
            closing(self._read(here, kind, item_ids)) as read,
            ThreadPoolExecutor(1) as reading,
            ThreadPoolExecutor(1) as files,
            ThreadPoolExecutor(BATCHES_AT_ONCE) as vectors,
        ):
            total = _count_approved(here, kind) if item_ids is None else len(item_ids)
            for drafts in ahead(read, reading):  # from here on only the thread of `reading` uses `here`
                by_kind = _by_kind(drafts)
                looking = list(self._look_at_contents(drafts, files, vectors))
                standings = [self._question.ask(there, each, members) for each, members in by_kind.items()]
                for looked in looking:
                    looked.result()
                for standing, members in zip(standings, by_kind.values(), strict=True):
                    standing.judge(members)
                _block_dependents(drafts)
                needed = _needed(drafts)
                for each, members in by_kind.items():
                    self._compare(each, members, here, there, reading)
                done += sum(draft.required_by is None for draft in drafts)
                size += sum(draft.bytes for draft in needed)
                points += sum(draft.points for draft in needed)
                progress("plan", done, max(total, done), bytes=size, points=points)
                yield needed

    def changes(self, pages: Iterable[Sequence[PlannedItem]], held_by: UUID) -> Iterator[str]:
        """How items that were planned differ now, a sentence for each. Their rows are read again on both sides; files
        and vectors are not, as a row names the version of either and staging pins both to what was planned.

        Args:
            pages: The items, in pages of one type each.
            held_by: The promotion, whose own hold on the rows does not count against them.
        """
        with self._source.database.snapshot() as here, self._target.database.snapshot() as there:
            for page in pages:
                kind = TYPES[page[0].item_type]
                planned = {str(item.source_id): item for item in page}
                now: dict[str, Draft] = {}
                for row in _by_ids(here, kind, source_rows(kind, held_by), planned):
                    item = planned[row.item_id]
                    draft = self._drafted(kind, row, str(item.required_by) if item.required_by else None)
                    _take_contents(draft, item)
                    now[draft.id] = draft
                drafts = list(now.values())
                self._question.ask(there, kind, drafts).judge(drafts)
                for item_id, item in planned.items():
                    found = now.get(item_id)
                    if found is not None and found.canonical() == item.canonical():
                        continue
                    now_planned = None if found is None else found.planned()
                    if sentence := change(self._source.name, self._target.name, item, now_planned):
                        yield sentence

    def _read(
        self, session: Session, kind: PromotableType, item_ids: Collection[UUID] | None
    ) -> Generator[list[Draft], None, None]:
        """The rows that were asked for, page by page, with the rows that they belong to."""
        for rows in _selected(session, kind, item_ids):
            drafts = [self._drafted(kind, row) for row in rows]
            yield [*drafts, *self._owners(session, kind, drafts)] if kind.belongs_to else drafts

    def _drafted(self, kind: PromotableType, row: Row[Any], required_by: str | None = None) -> Draft:
        return drafted(kind, row, self._target.name, required_by)

    def _owners(self, session: Session, kind: PromotableType, drafts: Sequence[Draft]) -> Iterator[Draft]:
        """The rows that the selected ones belong to, once each."""
        wanted: dict[str, dict[str, str]] = defaultdict(dict)
        for draft in drafts:
            for column, type_name in kind.belongs_to.items():
                wanted[type_name].setdefault(getattr(draft.row, f"of_{column}"), draft.id)
        for type_name, dependents in wanted.items():
            owner = TYPES[type_name]
            for row in _by_ids(session, owner, source_rows(owner, None), dependents):
                yield self._drafted(owner, row, dependents[row.item_id])

    def _look_at_contents(
        self, drafts: Sequence[Draft], files: ThreadPoolExecutor, vectors: ThreadPoolExecutor
    ) -> Iterator[Future[None]]:
        """Begin to look at the objects and to read the points."""
        filed = [draft for draft in drafts if draft.kind.has_file]
        if filed:
            yield files.submit(self._read_files, filed)
        collections: dict[str, list[Draft]] = defaultdict(list)
        for draft in drafts:
            if draft.kind.has_vectors:
                collections[draft.row.collection].append(draft)
        for base, members in collections.items():
            if mismatch := self._collection_mismatch(base):
                for draft in members:
                    draft.block(mismatch)
            else:
                for batch in by_weight(members, POINTS_AT_ONCE, lambda each: int(each.row.point_count)):
                    yield vectors.submit(self._read_points, base, batch)

    def _read_files(self, drafts: Sequence[Draft]) -> None:
        filed: list[tuple[Draft, str]] = []
        for draft in drafts:
            bucket = self._source.settings.get_bucket_name(draft.row.bucket)
            if _BUCKET.fullmatch(bucket):
                filed.append((draft, bucket))
            else:
                draft.block(f"'{printable(bucket)}' is no name of a bucket")
        looked = self._source.objects.stat_many([(bucket, draft.row.object_name) for draft, bucket in filed])
        for (draft, bucket), found in zip(filed, looked, strict=True):
            self._judge_file(draft, bucket, found)

    @staticmethod
    def _judge_file(draft: Draft, bucket: str, found: ObjectInfo | None) -> None:
        row = draft.row
        try:
            check_filename(row.filename)
        except BadInput as error:
            draft.block(f"its filename '{printable(row.filename)}' is not usable: {error.details['reason']}")
        if found is None:
            draft.block(f"its file is gone: there is no object {row.object_name} in bucket {bucket}")
        elif found.size != row.file_size_bytes:
            draft.block(f"its file has {found.size} bytes and its row says {row.file_size_bytes}")
        elif not row.checksum_sha256:
            draft.block("its row has no checksum of the file")
        else:
            draft.file = FileAt(row.bucket, row.object_name, found.etag, found.size)

    def _collection_mismatch(self, base: str) -> str | None:
        """Why points of this collection cannot go from one side to the other, or None if they can."""
        if _NOT_IN_COLLECTIONS.search(base):
            return f"'{printable(base)}' is no name of a vector collection"
        here = self._source.settings.get_collection_name(base)
        there = self._target.settings.get_collection_name(base)
        found, wanted = self._target.vectors.describe(there), self._source.vectors.describe(here)
        if wanted is None:
            return f"there is no vector collection {here}"
        if found is None:
            return f"there is no vector collection {there}"
        if (found.dimension, found.distance) != (wanted.dimension, wanted.distance):
            return (
                f"the vector collection {there} has dimension {found.dimension} and distance {found.distance}, and "
                f"{here} has {wanted.dimension} and {wanted.distance}"
            )
        return None

    def _read_points(self, base: str, batch: Sequence[Draft]) -> None:
        collection = self._source.settings.get_collection_name(base)
        batch = [draft for draft in batch if self._is_countable(draft, collection)]
        # One more than there should be, so that a point too many is seen as well as one too few.
        ids = [
            [point_id(draft.row.vector_version, chunk) for chunk in range(draft.row.point_count + 1)] for draft in batch
        ]
        found = self._source.vectors.retrieve(collection, [each for group in ids for each in group])
        for draft, group in zip(batch, ids, strict=True):
            row = draft.row
            points = [found[each] for each in group if each in found]
            if not row.point_count:
                draft.block("it has no vectors")
            elif len(points) != row.point_count:
                draft.block(_miscounted(row.point_count, collection, len(points)))
            else:
                draft.vectors = VectorsAt(base, row.vector_version, row.point_count)
                try:
                    draft.vectors_sha256 = vectors_hash(points)
                except BadInput as error:
                    draft.block(f"{error.details['what']} is not usable: {error.details['reason']}")

    def _is_countable(self, draft: Draft, collection: str) -> bool:
        """Whether a row's points can be asked for one by one. A row may say anything: before so many ids are made that
        they are a matter of memory, the store is asked how many points there are.
        """
        row = draft.row
        if row.point_count <= POINTS_AT_ONCE:
            return True
        found = self._source.vectors.count(collection, {VERSION: str(row.vector_version)})
        if found != row.point_count:
            draft.block(_miscounted(row.point_count, collection, found))
            return False
        return True

    def _compare(
        self,
        kind: PromotableType,
        drafts: Sequence[Draft],
        here: Session,
        there: Session,
        reading: ThreadPoolExecutor,
    ) -> None:
        """Say of each update which fields it changes. Their contents are read for this alone."""
        updates = {draft.id: draft for draft in drafts if draft.twin is not None and draft.effect is Effect.UPDATE}
        if not updates:
            return
        columns = kind.table.c
        comes = contents(kind, twin=False).where(among(columns.id, updates))
        reads = reading.submit(lambda: {row[0]: row for row in here.execute(comes)})
        stands = contents(kind, twin=True).where(
            columns.source_environment == self._source.name, among(columns.source_id, updates)
        )
        before = {row[0]: row for row in there.execute(stands)}
        after = reads.result()
        for item_id, draft in updates.items():
            draft.diff = differences_of(draft, before[item_id], after[item_id])


def _miscounted(said: int, collection: str, found: int) -> str:
    return f"its row says {said} vectors and collection {collection} has {found} of them"


def _take_contents(draft: Draft, item: PlannedItem) -> None:
    """Take the hashes of file and vectors from the plan, where the row still names the versions that were planned."""
    row, file, vectors = draft.row, item.file, item.vectors
    if file and (row.bucket, row.object_name, row.file_size_bytes) == (file.bucket, file.object_name, file.size):
        draft.file = file
    if vectors and (row.collection, row.vector_version, row.point_count) == (
        vectors.collection,
        vectors.version,
        vectors.count,
    ):
        draft.vectors, draft.vectors_sha256 = vectors, item.source_hashes.vectors


def _block_dependents(drafts: Sequence[Draft]) -> None:
    owned = [draft for draft in drafts if draft.kind.belongs_to]
    by_id = {(draft.kind.name, draft.id): draft for draft in drafts} if owned else {}
    for draft in owned:
        for column, type_name in draft.kind.belongs_to.items():
            owner = by_id.get((type_name, getattr(draft.row, f"of_{column}")))
            if owner is None or owner.blocked:
                reason = owner.blocked if owner else "it is gone"
                draft.block(f"the {type_name} that it belongs to cannot go: {reason}")


def _needed(drafts: list[Draft]) -> list[Draft]:
    """Leave out what was pulled in only for items that are blocked."""
    needed = {
        (type_name, getattr(draft.row, f"of_{column}"))
        for draft in drafts
        if not draft.blocked
        for column, type_name in draft.kind.belongs_to.items()
    }
    return [draft for draft in drafts if draft.required_by is None or (draft.kind.name, draft.id) in needed]


def _by_kind(drafts: Iterable[Draft]) -> Mapping[PromotableType, list[Draft]]:
    groups: dict[PromotableType, list[Draft]] = defaultdict(list)
    for draft in drafts:
        groups[draft.kind].append(draft)
    return groups


def _selected(
    session: Session, kind: PromotableType, item_ids: Collection[UUID] | None
) -> Iterator[Sequence[Row[Any]]]:
    """The rows that were asked for, page by page, in the order of their ids."""
    rows = source_rows(kind, None)
    if item_ids is not None:
        for ids in chunks(sorted(set(item_ids)), ITEMS_AT_ONCE):
            yield _by_ids(session, kind, rows, map(str, ids))
        return
    # One cursor, and not a statement for each page: of those, each may read and sort what all of them are about.
    table = kind.table
    approved = rows.where(may_be_promoted(table)).order_by(table.c.id).execution_options(yield_per=ITEMS_AT_ONCE)
    with session.execute(approved) as found:
        yield from found.partitions()


def _count_approved(session: Session, kind: PromotableType) -> int:
    table = kind.table
    return session.scalars(select(func.count()).select_from(table).where(may_be_promoted(table))).one()


def _by_ids(session: Session, kind: PromotableType, rows: Select[Any], ids: Iterable[str]) -> Sequence[Row[Any]]:
    item_id = kind.table.c.id
    return session.execute(rows.where(among(item_id, ids)).order_by(item_id)).all()
