"""An item while it is being examined, and the statements that find what is to be said of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, Text, and_, case, cast, func, or_, select

from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.holds.conditions import held
from wisqu_pipelines.promotion.content import edited_since_arrival, reference, row_hash, standing
from wisqu_pipelines.promotion.models import Effect
from wisqu_pipelines.promotion.plan import FileAt, Hashes, PlannedItem, VectorsAt, canonical_item
from wisqu_pipelines.promotion.types import PromotableType

LABEL_LENGTH = 500
"""Characters of what people call an item that a plan keeps."""
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""The digit of an id that says how the others are meant (RFC 9562), by what stood there before."""


def target_id(source_id: str, item_type: str, target: str) -> str:
    """The id of an item's twin in the target: the same whenever and wherever it is computed.

    It is the UUIDv5 of the type and the target's name in the namespace of the source id, made from text to text: by way
    of `UUID` it takes four times as long.
    """
    name = f"{item_type}@{target}".encode()
    digits = hashlib.sha1(bytes.fromhex(source_id.replace("-", "")) + name, usedforsecurity=False).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:32]}"


@dataclass(slots=True)
class Draft:
    """An item while it is being examined. Ids are text, as databases write them: most of them are only handed on."""

    kind: PromotableType
    row: Row[Any]
    """Its row at the source, as `source_rows` finds it."""
    id: str
    label: str
    status: str
    row_hash: str
    blocked: str | None
    """Why it cannot go, if it cannot; the first reason, because it is the one to mend first."""
    target_id: str
    required_by: str | None = None
    file: FileAt | None = None
    vectors: VectorsAt | None = None
    vectors_sha256: str | None = None
    twin: Row[Any] | None = None
    """Its row in the target, as `twins` finds it."""
    diff: Mapping[str, Any] | None = None

    @property
    def file_sha256(self) -> str | None:
        """The hash of its file, where it is there."""
        return self.row.checksum_sha256 if self.file else None

    @property
    def target_hashes(self) -> Mapping[str, Any] | None:
        """What stands in the target."""
        return None if self.twin is None else self.twin.standing

    @property
    def effect(self) -> Effect:
        """What will be done with it."""
        if self.blocked:
            return Effect.BLOCKED
        if self.twin is None:
            return Effect.CREATE
        arrived = self.twin.promoted_hashes or {}
        now = {"row": self.row_hash, "file": self.file_sha256, "vectors": self.vectors_sha256}
        return Effect.UNCHANGED if all(arrived.get(part) == now[part] for part in now) else Effect.UPDATE

    @property
    def bytes(self) -> int:
        """Bytes of its file."""
        return self.file.size if self.file else 0

    @property
    def points(self) -> int:
        """How many points it has."""
        return self.vectors.count if self.vectors else 0

    @property
    def owners(self) -> dict[str, str]:
        """The items that it belongs to: column → source id."""
        return {column: getattr(self.row, f"of_{column}") for column in self.kind.belongs_to}

    def block(self, reason: str) -> None:
        """Say why it cannot go, unless there is a reason already."""
        self.blocked = self.blocked or reason

    def canonical(self) -> str:
        """`PlannedItem.canonical` of what it has become."""
        return canonical_item(
            self.kind.name,
            self.id,
            self.target_id,
            self.effect,
            self.blocked,
            self.row_hash,
            self.file_sha256,
            self.vectors_sha256,
            self.target_hashes,
            self.bytes,
            self.points,
        )

    def planned(self) -> PlannedItem:
        """What it has become."""
        return PlannedItem(
            item_type=self.kind.name,
            source_id=UUID(self.id),
            target_id=UUID(self.target_id),
            label=self.label,
            effect=self.effect,
            source_status=self.status,
            source_hashes=Hashes(self.row_hash, self.file_sha256, self.vectors_sha256),
            blocked_reason=self.blocked,
            required_by=UUID(self.required_by) if self.required_by else None,
            target_hashes=self.target_hashes,
            file=self.file,
            vectors=self.vectors,
            diff=self.diff,
            belongs_to={column: UUID(owner) for column, owner in self.owners.items()},
            bytes=self.bytes,
            points=self.points,
        )


def drafted(kind: PromotableType, row: Row[Any], target: str, required_by: str | None = None) -> Draft:
    """The draft of an item.

    Args:
        kind: Its type.
        row: Its row at the source, as `source_rows` finds it.
        target: The target environment.
        required_by: The id of the item that pulled it in, which takes nobody's approval, or None if it was selected.
    """
    item_id, label, status, hashed, problem, unapproved, *_ = tuple(row)
    blocked = problem or (unapproved if required_by is None else None)
    there = target_id(item_id, kind.name, target)
    return Draft(kind, row, item_id, label, status, hashed, blocked, there, required_by)


def source_rows(kind: PromotableType, held_by: UUID | None) -> Select[Any]:
    """Rows at the source, and why they could not go: no more of them than a plan needs, and what is only compared or
    handed on as text.

    Args:
        kind: Their type.
        held_by: The promotion whose own hold on a row does not count against it.
    """
    columns = kind.table.c
    status, holder = columns.promotion_status, columns.held_by_promotion_id
    problem = case(
        (columns.is_deleted, "it is deleted"),
        (columns.is_test_data, func.concat("it is test data (", func.coalesce(columns.test_data_reason, "None"), ")")),
        (
            and_(status == PromotionStatus.PROMOTING, holder.is_distinct_from(held_by)),
            func.concat("the promotion ", func.coalesce(cast(holder, Text), "None"), " holds it"),
        ),
    )
    may_go = and_(columns.is_promotable, status == PromotionStatus.APPROVED)
    unapproved = case(
        (may_go if held_by is None else or_(may_go, holder.is_not_distinct_from(held_by)), None),
        else_=func.concat("it is not approved for promotion (its status is ", status, ")"),
    )
    found: list[Any] = [
        cast(columns.id, Text).label("item_id"),
        func.left(cast(columns[kind.label], Text), LABEL_LENGTH).label("label"),
        status,
        row_hash(kind, kind.table, twin=False).label("row_hash"),
        problem.label("problem"),
        unapproved.label("unapproved"),
        cast(columns.source_id, Text).label("came_as"),
        columns.source_environment.label("came_from"),
    ]
    texts = {f"of_{column}": column for column in kind.belongs_to}
    texts |= {f"needs_{column}": column for column in kind.needs}
    texts |= {f"unique_{column}": column for column in kind.unique}
    found += [cast(columns[column], Text).label(name) for name, column in texts.items()]
    if kind.has_file:
        parts = ("filename", "bucket", "object_name", "file_size_bytes", "checksum_sha256")
        found += [columns[column] for column in parts]
    if kind.has_vectors:
        found += [columns[column] for column in ("collection", "vector_version", "point_count")]
    return select(*found)


def twins(kind: PromotableType, source: str, at: datetime) -> Select[Any]:
    """The rows of a target that came from `source`, as they stand at a time."""
    columns = kind.table.c
    return select(
        cast(columns.source_id, Text).label("source_id"),
        cast(columns.id, Text).label("id"),
        columns.is_deleted,
        columns.is_test_data,
        columns.promotion_status,
        columns.held_by_promotion_id,
        columns.promoted_hashes,
        standing(kind, kind.table).label("standing"),
        edited_since_arrival(kind, kind.table).label("is_edited"),
        held(kind.model, at).label("is_held"),
    ).where(columns.source_environment == source)


def contents(kind: PromotableType, *, twin: bool) -> Select[Any]:
    """What two rows of an item are compared by, field by field; first the item's id at the source, as text.

    Args:
        kind: The type.
        twin: Whether the rows are in a target.
    """
    columns = kind.table.c
    found: list[Any] = [cast(columns.source_id if twin else columns.id, Text)]
    found += [columns[column] for column in kind.content]
    for column, owner in kind.belongs_to.items():
        found.append((reference(kind.table, column, owner) if twin else columns[column]).label(column))
    return select(*found)


def differences_of(draft: Draft, before: Row[Any], after: Row[Any]) -> dict[str, Any]:
    """Each field that an update changes: what is in the target now, and what comes.

    Args:
        draft: The item.
        before: Its row in the target, as `contents` finds it.
        after: Its row at the source, the same way.
    """
    names = (*draft.kind.content, *draft.kind.belongs_to)
    pairs = {name: [old, new] for name, old, new in zip(names, tuple(before)[1:], tuple(after)[1:], strict=True)}
    if draft.kind.has_vectors and draft.twin is not None:
        pairs["vectors"] = [(draft.twin.promoted_hashes or {}).get("vectors"), draft.vectors_sha256]
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
