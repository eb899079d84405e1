"""Making a plan: reads both sides, each in one consistent state of its database, and writes nothing."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.filenames import check_filename
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import EnvironmentRow
from wisqu_pipelines.catalog.points import point_id
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import BadInput, printable
from wisqu_pipelines.ports.progress import Progress, no_progress
from wisqu_pipelines.ports.vectors import Point
from wisqu_pipelines.promotion.batches import by_weight, chunks
from wisqu_pipelines.promotion.content import row_hash, vectors_hash
from wisqu_pipelines.promotion.models import Effect
from wisqu_pipelines.promotion.plan import FileAt, Hashes, Plan, PlannedItem, VectorsAt, in_order, policy_of
from wisqu_pipelines.promotion.types import TYPES, PromotableType
from wisqu_pipelines.settings import PathSettings

ROWS_AT_ONCE = 1_000
"""Ids in one `IN (…)`."""
POINTS_AT_ONCE = 1_024
"""Points held in memory while they are hashed."""
STATS_AT_ONCE = 8
"""Concurrent questions to the object store."""


def target_id(source_id: UUID, item_type: str, target: str) -> UUID:
    """The id of an item's twin in the target: the same whenever and wherever it is computed."""
    return uuid5(source_id, f"{item_type}@{target}")


@dataclass
class _Draft:
    """An item while it is being examined."""

    kind: PromotableType
    row: EnvironmentRow
    required_by: UUID | None = None
    blocked: str | None = None
    file: FileAt | None = None
    vectors: VectorsAt | None = None
    vectors_sha256: str | None = None
    twin: EnvironmentRow | None = None
    twin_references: dict[str, UUID | None] = field(default_factory=dict)

    @property
    def hashes(self) -> Hashes:
        """What the item is, as far as it could be read."""
        references = {column: getattr(self.row, column) for column in self.kind.belongs_to}
        return Hashes(
            row=row_hash(self.kind, self.row, references),
            file=_any(self.row).checksum_sha256 if self.file else None,
            vectors=self.vectors_sha256,
        )

    def block(self, reason: str) -> None:
        """Keep the first reason only: it is the one to mend first."""
        self.blocked = self.blocked or reason


class Planner:
    """Plans promotions along one path."""

    def __init__(self, source: Environment, target: Environment, path: PathSettings) -> None:
        """Plan from `source` to `target` under the policy of `path`."""
        self._source = source
        self._target = target
        self._path = path

    def plan(
        self,
        kind: PromotableType,
        item_ids: Sequence[UUID] | None,
        *,
        held_by: UUID | None = None,
        progress: Progress = no_progress,
    ) -> Plan:
        """Make the plan.

        Args:
            kind: The type to promote; what its items belong to is pulled in.
            item_ids: The items, or None for all that are approved.
            held_by: A promotion whose own hold on the rows does not count against them.
            progress: Told of each item that has been read.
        """
        with self._source.database.snapshot() as here, self._target.database.snapshot() as there:
            rows = self._selected(here, kind, item_ids)
            drafts = [_Draft(kind, row) for row in rows]
            for draft in drafts:
                _judge_selected(draft, held_by)
            drafts += self._pulled_in(here, drafts, held_by)
            self._read_files(drafts, progress)
            self._read_vectors(drafts, progress)
            self._find_twins(there, drafts)
            self._check_needs(there, drafts)
        self._block_dependents(drafts)
        found = {row.id for row in rows}
        return Plan(
            promotion_type=kind.name,
            source=self._source.name,
            target=self._target.name,
            policy=policy_of(self._path),
            items=in_order(self._finished(draft) for draft in _needed(drafts)),
            missing=[each for each in item_ids or () if each not in found],
        )

    def _selected(
        self, session: Session, kind: PromotableType, item_ids: Sequence[UUID] | None
    ) -> list[EnvironmentRow]:
        model = kind.model
        if item_ids is not None:
            return _by_ids(session, model, item_ids)
        return list(
            session.scalars(
                select(model).where(
                    model.promotion_status == PromotionStatus.APPROVED,
                    model.is_promotable,
                    ~model.is_test_data,
                    ~model.is_deleted,
                )
            )
        )

    def _pulled_in(self, session: Session, drafts: Sequence[_Draft], held_by: UUID | None) -> list[_Draft]:
        """The rows that the selected ones belong to, once each."""
        wanted: dict[str, dict[UUID, _Draft]] = defaultdict(dict)
        for draft in drafts:
            for column, type_name in draft.kind.belongs_to.items():
                wanted[type_name].setdefault(getattr(draft.row, column), draft)
        pulled = []
        for type_name, dependents in wanted.items():
            for row in _by_ids(session, TYPES[type_name].model, list(dependents)):
                dependent = _Draft(TYPES[type_name], row, required_by=dependents[row.id].row.id)
                _judge(dependent, held_by)
                pulled.append(dependent)
        return pulled

    def _read_files(self, drafts: Sequence[_Draft], progress: Progress) -> None:
        filed = [draft for draft in drafts if draft.kind.has_file]
        done = size = 0
        with ThreadPoolExecutor(STATS_AT_ONCE) as pool:
            for draft in pool.map(self._read_file, filed):
                done += 1
                size += draft.file.size if draft.file else 0
                progress("plan files", done, len(filed), bytes=size)

    def _read_file(self, draft: _Draft) -> _Draft:
        row: Any = draft.row
        try:
            check_filename(row.filename)
        except BadInput as error:
            draft.block(f"its filename '{printable(row.filename)}' is not usable: {error.details['reason']}")
        bucket = self._source.settings.get_bucket_name(row.bucket)
        found = self._source.objects.stat(bucket, row.object_name)
        if found is None:
            draft.block(f"its file is gone: there is no object {row.object_name} in bucket {bucket}")
        elif found.size != row.file_size_bytes:
            draft.block(f"its file has {found.size} bytes and its row says {row.file_size_bytes}")
        elif not row.checksum_sha256:
            draft.block("its row has no checksum of the file")
        else:
            draft.file = FileAt(row.bucket, row.object_name, found.etag, found.size)
        return draft

    def _read_vectors(self, drafts: Sequence[_Draft], progress: Progress) -> None:
        with_vectors: dict[str, list[_Draft]] = defaultdict(list)
        for draft in drafts:
            if draft.kind.has_vectors:
                with_vectors[_any(draft.row).collection].append(draft)
        total, done, points = sum(map(len, with_vectors.values())), 0, 0
        for base, members in with_vectors.items():
            mismatch = self._collection_mismatch(base)
            for batch in by_weight(members, POINTS_AT_ONCE, lambda each: _any(each.row).point_count):
                if mismatch:
                    for draft in batch:
                        draft.block(mismatch)
                else:
                    self._read_points(base, batch)
                done += len(batch)
                points += sum(each.vectors.count for each in batch if each.vectors)
                progress("plan vectors", done, total, points=points)

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
        ids = {}
        for draft in batch:
            row = _any(draft.row)
            # One more than there should be, so that a point too many is seen as well as one too few.
            ids[row.id] = [point_id(row.vector_version, chunk) for chunk in range(row.point_count + 1)]
        found = self._source.vectors.retrieve(collection, [each for group in ids.values() for each in group])
        for draft in batch:
            row = _any(draft.row)
            points: list[Point] = [found[each] for each in ids[row.id] if each in found]
            if not row.point_count:
                draft.block("it has no vectors")
            elif len(points) != row.point_count:
                draft.block(
                    f"its row says {row.point_count} vectors and collection {collection} has {len(points)} of them"
                )
            else:
                draft.vectors = VectorsAt(base, row.vector_version, row.point_count)
                draft.vectors_sha256 = vectors_hash(points)

    def _find_twins(self, session: Session, drafts: Sequence[_Draft]) -> None:
        """Find what stands in the target for each item, and block what must not be written over."""
        for kind, members in _by_kind(drafts).items():
            twins: dict[UUID, EnvironmentRow] = {}
            for ids in chunks([draft.row.id for draft in members], ROWS_AT_ONCE):
                for twin in session.scalars(
                    select(kind.model).where(
                        kind.model.source_environment == self._source.name, kind.model.source_id.in_(ids)
                    )
                ):
                    twins[twin.source_id or twin.id] = twin
            references = references_of(session, kind, list(twins.values()))
            for draft in members:
                draft.twin = twins.get(draft.row.id)
                if draft.twin is not None:
                    draft.twin_references = references[draft.twin.id]
                    self._judge_twin(draft, draft.twin)

    def _judge_twin(self, draft: _Draft, twin: EnvironmentRow) -> None:
        there = self._target.name
        if twin.is_deleted:
            draft.block(f"its twin {twin.id} in {there} is deleted")
        elif twin.is_test_data:
            draft.block(f"its twin {twin.id} in {there} is marked as test data")
        elif twin.promotion_status == PromotionStatus.PROMOTING:
            draft.block(f"its twin {twin.id} in {there} is held by the promotion {twin.held_by_promotion_id}")
        elif edited_since_arrival(draft.kind, twin, draft.twin_references):
            draft.block(f"its twin {twin.id} in {there} was edited since it arrived")

    def _check_needs(self, session: Session, drafts: Sequence[_Draft]) -> None:
        for kind, members in _by_kind(drafts).items():
            for column, model in kind.needs.items():
                wanted = {getattr(draft.row, column) for draft in members}
                there = {row.id for row in _by_ids(session, model, list(wanted)) if not row.is_deleted}
                for draft in members:
                    if getattr(draft.row, column) not in there:
                        needed = f"{model.__tablename__} {getattr(draft.row, column)}"
                        draft.block(f"{self._target.name} has no {needed}, which it needs")
            for column in kind.unique:
                attribute = getattr(kind.model, column)
                for chunk in chunks([draft for draft in members if draft.twin is None], ROWS_AT_ONCE):
                    values = [getattr(draft.row, column) for draft in chunk]
                    taken = set(session.scalars(select(attribute).where(attribute.in_(values))))
                    for draft in chunk:
                        if getattr(draft.row, column) in taken:
                            draft.block(f"{self._target.name} has a {kind.name} of its own with this {column}")

    @staticmethod
    def _block_dependents(drafts: Sequence[_Draft]) -> None:
        by_id = {(draft.kind.name, draft.row.id): draft for draft in drafts}
        for draft in drafts:
            for column, type_name in draft.kind.belongs_to.items():
                owner = by_id.get((type_name, getattr(draft.row, column)))
                if owner is None or owner.blocked:
                    reason = owner.blocked if owner else "it is gone"
                    draft.block(f"the {type_name} that it belongs to cannot go: {reason}")

    def _finished(self, draft: _Draft) -> PlannedItem:
        kind, row, twin = draft.kind, draft.row, draft.twin
        return PlannedItem(
            item_type=kind.name,
            source_id=row.id,
            target_id=twin.id if twin else target_id(row.id, kind.name, self._target.name),
            label=str(getattr(row, kind.label))[:500],
            effect=_effect(draft),
            source_status=row.promotion_status,
            source_hashes=draft.hashes,
            blocked_reason=draft.blocked,
            required_by=draft.required_by,
            target_hashes=twin_state(kind, twin, draft.twin_references) if twin else None,
            file=draft.file,
            vectors=draft.vectors,
            bytes=draft.file.size if draft.file else 0,
            points=draft.vectors.count if draft.vectors else 0,
        )


def references_of(
    session: Session, kind: PromotableType, rows: Sequence[EnvironmentRow]
) -> dict[UUID, dict[str, UUID | None]]:
    """For each row of a target, the source-side ids of the rows that it belongs to, by column."""
    found: dict[UUID, dict[str, UUID | None]] = {row.id: {} for row in rows}
    for column, type_name in kind.belongs_to.items():
        ids = {getattr(row, column) for row in rows}
        sources = {owner.id: owner.source_id for owner in _by_ids(session, TYPES[type_name].model, list(ids))}
        for row in rows:
            found[row.id][column] = sources.get(getattr(row, column))
    return found


def twin_state(kind: PromotableType, twin: EnvironmentRow, references: Mapping[str, UUID | None]) -> dict[str, Any]:
    """What a row in the target is: its content's hash, and which file and vectors it points to."""
    state: dict[str, Any] = {"row": row_hash(kind, twin, references)}
    if kind.has_file:
        state["object_name"] = _any(twin).object_name
    if kind.has_vectors:
        state["vector_version"] = str(_any(twin).vector_version)
    return state


def edited_since_arrival(kind: PromotableType, twin: EnvironmentRow, references: Mapping[str, UUID | None]) -> bool:
    """Whether a row in the target is no longer what the last promotion brought."""
    arrived = twin.promoted_hashes or {}
    return any(arrived.get(part) != now for part, now in twin_state(kind, twin, references).items())


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


def _effect(draft: _Draft) -> Effect:
    if draft.blocked:
        return Effect.BLOCKED
    if draft.twin is None:
        return Effect.CREATE
    arrived = draft.twin.promoted_hashes or {}
    same = all(arrived.get(part) == value for part, value in draft.hashes.as_dict().items())
    return Effect.UNCHANGED if same else Effect.UPDATE


def _needed(drafts: Sequence[_Draft]) -> Iterator[_Draft]:
    """Leave out what was pulled in only for items that are blocked."""
    needed = {
        (type_name, getattr(draft.row, column))
        for draft in drafts
        if not draft.blocked
        for column, type_name in draft.kind.belongs_to.items()
    }
    return (draft for draft in drafts if draft.required_by is None or (draft.kind.name, draft.row.id) in needed)


def _by_kind(drafts: Iterable[_Draft]) -> dict[PromotableType, list[_Draft]]:
    groups: dict[str, list[_Draft]] = defaultdict(list)
    for draft in drafts:
        groups[draft.kind.name].append(draft)
    return {TYPES[name]: members for name, members in groups.items()}


def _by_ids(session: Session, model: type[EnvironmentRow], ids: Sequence[UUID]) -> list[EnvironmentRow]:
    rows: list[EnvironmentRow] = []
    for chunk in chunks(sorted(ids), ROWS_AT_ONCE):
        rows.extend(session.scalars(select(model).where(model.id.in_(chunk)).order_by(model.id)))
    return rows


def _any(row: EnvironmentRow) -> Any:
    """The row, with the columns that its type's registry entry says it has."""
    return row
