"""Making a plan: reads both sides, each in one consistent state of its database, and writes nothing."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Row, Select, Table, func, select
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.filenames import check_filename
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import table_of
from wisqu_pipelines.catalog.points import point_id
from wisqu_pipelines.database.bulk import among
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import BadInput, printable
from wisqu_pipelines.ports.objects import ObjectInfo
from wisqu_pipelines.ports.progress import Progress, no_progress
from wisqu_pipelines.promotion.batches import by_weight, chunks
from wisqu_pipelines.promotion.content import edited_since_arrival, reference, row_hash, standing, vectors_hash
from wisqu_pipelines.promotion.models import Effect
from wisqu_pipelines.promotion.plan import FileAt, Hashes, PlannedItem, VectorsAt, change
from wisqu_pipelines.promotion.types import TYPES, PromotableType

ITEMS_AT_ONCE = 1_000
"""Items of the asked type that are examined together."""
POINTS_AT_ONCE = 512
"""Points in one batch that is read and hashed."""
BATCHES_AT_ONCE = 2
"""Such batches in memory."""


def target_id(source_id: UUID, item_type: str, target: str) -> UUID:
    """The id of an item's twin in the target: the same whenever and wherever it is computed."""
    return uuid5(source_id, f"{item_type}@{target}")


@dataclass
class _Draft:
    """An item while it is being examined."""

    kind: PromotableType
    row: Row[Any]
    required_by: UUID | None = None
    blocked: str | None = None
    file: FileAt | None = None
    vectors: VectorsAt | None = None
    vectors_sha256: str | None = None
    twin: Row[Any] | None = None

    @property
    def hashes(self) -> Hashes:
        """What the item is, as far as it could be read."""
        return Hashes(
            row=self.row.row_hash,
            file=self.row.checksum_sha256 if self.file else None,
            vectors=self.vectors_sha256,
        )

    @property
    def effect(self) -> Effect:
        """What will be done with it."""
        if self.blocked:
            return Effect.BLOCKED
        if self.twin is None:
            return Effect.CREATE
        arrived = self.twin.promoted_hashes or {}
        same = all(arrived.get(part) == value for part, value in self.hashes.as_dict().items())
        return Effect.UNCHANGED if same else Effect.UPDATE

    @property
    def owners(self) -> dict[str, UUID]:
        """The items that it belongs to: column → source id."""
        return {column: getattr(self.row, column) for column in self.kind.belongs_to}

    def block(self, reason: str) -> None:
        """Keep the first reason only: it is the one to mend first."""
        self.blocked = self.blocked or reason


class Planner:
    """Plans promotions from one environment to another."""

    def __init__(self, source: Environment, target: Environment, between: Sequence[str] = ()) -> None:
        """Plan from `source` to `target`; `between` are the environments by way of which items can get there too."""
        self._source = source
        self._target = target
        self._between = between

    def pages(
        self, kind: PromotableType, item_ids: Collection[UUID] | None, *, progress: Progress = no_progress
    ) -> Iterator[list[PlannedItem]]:
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
            ThreadPoolExecutor(1) as files,
            ThreadPoolExecutor(BATCHES_AT_ONCE) as vectors,
        ):
            total = _count_approved(here, kind) if item_ids is None else len(item_ids)
            for rows in _selected(here, kind, item_ids):
                drafts = [_Draft(kind, row) for row in rows]
                for draft in drafts:
                    _judge_selected(draft, None)
                drafts += list(self._owners(here, drafts))
                self._read_contents(drafts, files, vectors)
                for each, members in _by_kind(drafts).items():
                    self._meet_target(there, each, members)
                _block_dependents(drafts)
                items = [self._finished(draft) for draft in _needed(drafts)]
                done += len(rows)
                size += sum(item.bytes for item in items)
                points += sum(item.points for item in items)
                progress("plan", done, max(total, done), bytes=size, points=points)
                yield items

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
                planned = {item.source_id: item for item in page}
                drafts = [_Draft(kind, row) for row in _by_ids(here, _rows(kind), planned)]
                for draft in drafts:
                    item = planned[draft.row.id]
                    draft.required_by = item.required_by
                    _judge(draft, held_by) if item.required_by else _judge_selected(draft, held_by)
                    _take_contents(draft, item)
                self._meet_target(there, kind, drafts)
                now = {draft.row.id: self._finished(draft) for draft in drafts}
                for item in page:
                    if sentence := change(self._source.name, self._target.name, item, now.get(item.source_id)):
                        yield sentence

    def _owners(self, session: Session, drafts: Sequence[_Draft]) -> Iterator[_Draft]:
        """The rows that the selected ones belong to, once each."""
        wanted: dict[str, dict[UUID, UUID]] = defaultdict(dict)
        for draft in drafts:
            for column, type_name in draft.kind.belongs_to.items():
                wanted[type_name].setdefault(getattr(draft.row, column), draft.row.id)
        for type_name, dependents in wanted.items():
            for row in _by_ids(session, _rows(TYPES[type_name]), dependents):
                owner = _Draft(TYPES[type_name], row, required_by=dependents[row.id])
                _judge(owner, None)
                yield owner

    def _read_contents(self, drafts: Sequence[_Draft], files: ThreadPoolExecutor, vectors: ThreadPoolExecutor) -> None:
        """Look at the objects and read the points, both at the same time."""
        looked = files.submit(self._read_files, [draft for draft in drafts if draft.kind.has_file])
        collections: dict[str, list[_Draft]] = defaultdict(list)
        for draft in drafts:
            if draft.kind.has_vectors:
                collections[draft.row.collection].append(draft)
        for base, members in collections.items():
            if mismatch := self._collection_mismatch(base):
                for draft in members:
                    draft.block(mismatch)
            else:
                batches = by_weight(members, POINTS_AT_ONCE, lambda each: int(each.row.point_count))
                list(vectors.map(lambda batch, base=base: self._read_points(base, batch), batches))
        looked.result()

    def _read_files(self, drafts: Sequence[_Draft]) -> None:
        buckets = [self._source.settings.get_bucket_name(draft.row.bucket) for draft in drafts]
        places = [(bucket, draft.row.object_name) for bucket, draft in zip(buckets, drafts, strict=True)]
        looked = self._source.objects.stat_many(places)
        for draft, bucket, found in zip(drafts, buckets, looked, strict=True):
            self._judge_file(draft, bucket, found)

    @staticmethod
    def _judge_file(draft: _Draft, bucket: str, found: ObjectInfo | None) -> None:
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

    def _read_points(self, base: str, batch: Sequence[_Draft]) -> None:
        collection = self._source.settings.get_collection_name(base)
        # One more than there should be, so that a point too many is seen as well as one too few.
        ids = {
            draft.row.id: [point_id(draft.row.vector_version, chunk) for chunk in range(draft.row.point_count + 1)]
            for draft in batch
        }
        found = self._source.vectors.retrieve(collection, [each for group in ids.values() for each in group])
        for draft in batch:
            row = draft.row
            points = [found[each] for each in ids[row.id] if each in found]
            if not row.point_count:
                draft.block("it has no vectors")
            elif len(points) != row.point_count:
                draft.block(
                    f"its row says {row.point_count} vectors and collection {collection} has {len(points)} of them"
                )
            else:
                draft.vectors = VectorsAt(base, row.vector_version, row.point_count)
                draft.vectors_sha256 = vectors_hash(points)

    def _meet_target(self, session: Session, kind: PromotableType, drafts: Sequence[_Draft]) -> None:
        """Find what stands in the target for each item; block what must not be written over, or lacks something."""
        table = kind.table
        references = [
            reference(table, column, owner).label(f"of_{column}") for column, owner in kind.belongs_to.items()
        ]
        twins = select(
            table,
            *references,
            standing(kind, table).label("standing"),
            edited_since_arrival(kind, table).label("is_edited"),
        ).where(table.c.source_environment == self._source.name)
        found: dict[UUID, Row[Any]] = {}
        for ids in chunks([draft.row.id for draft in drafts], ITEMS_AT_ONCE):
            found.update((row.source_id, row) for row in session.execute(twins.where(among(table.c.source_id, ids))))
        for draft in drafts:
            draft.twin = found.get(draft.row.id)
            if draft.twin is not None:
                self._judge_twin(draft, draft.twin)
        self._check_other_ways(session, kind, [draft for draft in drafts if draft.twin is None])
        self._check_needs(session, kind, drafts)

    def _judge_twin(self, draft: _Draft, twin: Row[Any]) -> None:
        there = self._target.name
        if twin.is_deleted:
            draft.block(f"its twin {twin.id} in {there} is deleted")
        elif twin.is_test_data:
            draft.block(f"its twin {twin.id} in {there} is marked as test data")
        elif twin.promotion_status == PromotionStatus.PROMOTING:
            draft.block(f"its twin {twin.id} in {there} is held by the promotion {twin.held_by_promotion_id}")
        elif twin.is_edited:
            draft.block(f"its twin {twin.id} in {there} was edited since it arrived")

    def _check_other_ways(self, session: Session, kind: PromotableType, drafts: Sequence[_Draft]) -> None:
        """Block what is in the target already and came another way: it would be there twice."""
        ways: dict[str, dict[UUID, _Draft]] = defaultdict(dict)
        for draft in drafts:
            if draft.row.source_id is not None:
                ways[draft.row.source_environment][draft.row.source_id] = draft
            for name in self._between:
                ways[name][target_id(draft.row.id, kind.name, name)] = draft
        table = kind.table
        for name, members in ways.items():
            came = select(table.c.id, table.c.source_id).where(table.c.source_environment == name, ~table.c.is_deleted)
            for ids in chunks(list(members), ITEMS_AT_ONCE):
                for row in session.execute(came.where(among(table.c.source_id, ids))):
                    members[row.source_id].block(
                        f"{self._target.name} has it already, as {row.id}, which came from {name}: promote it along "
                        "that way, or take that promotion back first"
                    )

    def _check_needs(self, session: Session, kind: PromotableType, drafts: Sequence[_Draft]) -> None:
        for column, model in kind.needs.items():
            needed = table_of(model)
            there: set[UUID] = set()
            for ids in chunks(sorted({getattr(draft.row, column) for draft in drafts}), ITEMS_AT_ONCE):
                there |= set(session.scalars(select(needed.c.id).where(among(needed.c.id, ids), ~needed.c.is_deleted)))
            for draft in drafts:
                if getattr(draft.row, column) not in there:
                    what = f"{needed.name} {getattr(draft.row, column)}"
                    draft.block(f"{self._target.name} has no {what}, which it needs")
        for column in kind.unique:
            attribute = kind.table.c[column]
            for chunk in chunks([draft for draft in drafts if draft.twin is None], ITEMS_AT_ONCE):
                values = [getattr(draft.row, column) for draft in chunk]
                taken = set(session.scalars(select(attribute).where(among(attribute, values))))
                for draft in chunk:
                    if getattr(draft.row, column) in taken:
                        draft.block(f"{self._target.name} has a {kind.name} of its own with this {column}")

    def _finished(self, draft: _Draft) -> PlannedItem:
        kind, row, twin = draft.kind, draft.row, draft.twin
        return PlannedItem(
            item_type=kind.name,
            source_id=row.id,
            target_id=twin.id if twin else target_id(row.id, kind.name, self._target.name),
            label=str(getattr(row, kind.label))[:500],
            effect=draft.effect,
            source_status=row.promotion_status,
            source_hashes=draft.hashes,
            blocked_reason=draft.blocked,
            required_by=draft.required_by,
            target_hashes=twin.standing if twin else None,
            file=draft.file,
            vectors=draft.vectors,
            diff=_diff(draft, twin) if twin and draft.effect == Effect.UPDATE else None,
            belongs_to=draft.owners,
            bytes=draft.file.size if draft.file else 0,
            points=draft.vectors.count if draft.vectors else 0,
        )


def _judge_selected(draft: _Draft, held_by: UUID | None) -> None:
    _judge(draft, held_by)
    row = draft.row
    ours = held_by is not None and row.held_by_promotion_id == held_by
    if not ours and not (row.is_promotable and row.promotion_status == PromotionStatus.APPROVED):
        draft.block(f"it is not approved for promotion (its status is {row.promotion_status})")


def _judge(draft: _Draft, held_by: UUID | None) -> None:
    row = draft.row
    if row.is_deleted:
        draft.block("it is deleted")
    if row.is_test_data:
        draft.block(f"it is test data ({row.test_data_reason})")
    if row.promotion_status == PromotionStatus.PROMOTING and row.held_by_promotion_id != held_by:
        draft.block(f"the promotion {row.held_by_promotion_id} holds it")


def _take_contents(draft: _Draft, item: PlannedItem) -> None:
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


def _diff(draft: _Draft, twin: Row[Any]) -> dict[str, Any]:
    """Each field that an update changes: what is in the target now, and what comes."""
    kind, row = draft.kind, draft.row
    pairs = {column: [getattr(twin, column), getattr(row, column)] for column in kind.content}
    pairs |= {column: [getattr(twin, f"of_{column}"), getattr(row, column)] for column in kind.belongs_to}
    if kind.has_vectors:
        pairs["vectors"] = [(twin.promoted_hashes or {}).get("vectors"), draft.vectors_sha256]
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _block_dependents(drafts: Sequence[_Draft]) -> None:
    by_id = {(draft.kind.name, draft.row.id): draft for draft in drafts}
    for draft in drafts:
        for column, type_name in draft.kind.belongs_to.items():
            owner = by_id.get((type_name, getattr(draft.row, column)))
            if owner is None or owner.blocked:
                reason = owner.blocked if owner else "it is gone"
                draft.block(f"the {type_name} that it belongs to cannot go: {reason}")


def _needed(drafts: Sequence[_Draft]) -> Iterator[_Draft]:
    """Leave out what was pulled in only for items that are blocked."""
    needed = {
        (type_name, getattr(draft.row, column))
        for draft in drafts
        if not draft.blocked
        for column, type_name in draft.kind.belongs_to.items()
    }
    return (draft for draft in drafts if draft.required_by is None or (draft.kind.name, draft.row.id) in needed)


def _by_kind(drafts: Iterable[_Draft]) -> Mapping[PromotableType, list[_Draft]]:
    groups: dict[PromotableType, list[_Draft]] = defaultdict(list)
    for draft in drafts:
        groups[draft.kind].append(draft)
    return groups


def _selected(
    session: Session, kind: PromotableType, item_ids: Collection[UUID] | None
) -> Iterator[Sequence[Row[Any]]]:
    """The rows that were asked for, page by page, in the order of their ids."""
    if item_ids is not None:
        for ids in chunks(sorted(set(item_ids)), ITEMS_AT_ONCE):
            yield _by_ids(session, _rows(kind), ids)
        return
    table = kind.table
    page = _rows(kind).where(*_approved(table)).order_by(table.c.id).limit(ITEMS_AT_ONCE)
    rows = session.execute(page).all()
    while rows:
        yield rows
        rows = session.execute(page.where(table.c.id > rows[-1].id)).all() if len(rows) == ITEMS_AT_ONCE else ()


def _count_approved(session: Session, kind: PromotableType) -> int:
    table = kind.table
    return session.scalars(select(func.count()).select_from(table).where(*_approved(table))).one()


def _approved(table: Table) -> tuple[Any, ...]:
    return (
        table.c.promotion_status == PromotionStatus.APPROVED,
        table.c.is_promotable,
        ~table.c.is_test_data,
        ~table.c.is_deleted,
    )


def _rows(kind: PromotableType) -> Select[Any]:
    table = kind.table
    return select(table, row_hash(kind, table, twin=False).label("row_hash"))


def _by_ids(session: Session, rows: Select[Any], ids: Iterable[UUID]) -> list[Row[Any]]:
    found: list[Row[Any]] = []
    for chunk in chunks(sorted(ids), ITEMS_AT_ONCE):
        found += session.execute(rows.where(among(rows.selected_columns.id, chunk)).order_by(rows.selected_columns.id))
    return found
