"""The plan: what a promotion will do, item by item, and the digest that an approval names."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID, uuid5

import orjson

from wisqu_pipelines.errors import printable
from wisqu_pipelines.figures import plain
from wisqu_pipelines.promotion.content import canonical
from wisqu_pipelines.promotion.models import MOVING, Effect
from wisqu_pipelines.settings import PathSettings

PLAN_FORMAT = 2
"""Counts the shapes that the plan's canonical JSON has had; part of the digest."""
VALUE_SHOWN = 60
"""Characters of a field's value that a change shows."""
HASH_SHOWN = 12
"""Characters of a hash that a change shows."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BEFORE_ITEMS = b'{"format":%d,"items":[' % PLAN_FORMAT


@dataclass(frozen=True, slots=True)
class FileAt:
    """Where an item's file is at the source."""

    bucket: str
    """Base name."""
    object_name: str
    etag: str
    """Pins the version that was planned."""
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class VectorsAt:
    """Where an item's points are at the source."""

    collection: str
    """Base name."""
    version: UUID
    count: int


@dataclass(frozen=True, slots=True)
class Hashes:
    """What an item is: SHA-256, hex; None for what its type does not have."""

    row: str
    file: str | None = None
    vectors: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """The hashes as JSON."""
        return {"row": self.row, "file": self.file, "vectors": self.vectors}


class Named(Protocol):
    """Whatever says which row an item is."""

    @property
    def item_type(self) -> str:
        """Its type's name."""
        ...

    @property
    def source_id(self) -> UUID:
        """Its row at the source."""
        ...

    @property
    def target_id(self) -> UUID:
        """Its row in the target."""
        ...

    @property
    def source_status(self) -> str:
        """The `promotion_status` that its row at the source had when the plan was made."""
        ...


@dataclass(frozen=True, slots=True)
class ItemName:
    """No more of an item than that."""

    item_type: str
    source_id: UUID
    target_id: UUID
    source_status: str


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """One item: what it is at the source, what stands at the target, and what will be done."""

    item_type: str
    source_id: UUID
    target_id: UUID
    label: str
    effect: Effect
    source_status: str
    source_hashes: Hashes
    blocked_reason: str | None = None
    required_by: UUID | None = None
    target_hashes: Mapping[str, Any] | None = None
    """What stood in the target when the plan was made: `row`, and the `object_name` and `vector_version` it had."""
    file: FileAt | None = None
    vectors: VectorsAt | None = None
    diff: Mapping[str, Any] | None = None
    """For an update, each field that changes: `{field: [in the target now, what comes]}`."""
    belongs_to: Mapping[str, UUID] = field(default_factory=dict)
    """The items that it belongs to: column → their source id."""
    bytes: int = 0
    points: int = 0

    @property
    def key(self) -> tuple[str, UUID]:
        """What names the item within a plan."""
        return self.item_type, self.source_id

    @property
    def moves(self) -> bool:
        """Whether something is written in the target for it."""
        return self.effect in MOVING

    @property
    def compared(self) -> list[tuple[str, str, str]]:
        """For an update, each field that changes, with what is in the target now and what comes, as people read it."""
        return [(name, _shown(before), _shown(after)) for name, (before, after) in sorted((self.diff or {}).items())]

    @property
    def changes(self) -> list[str]:
        """The same, a line for each field."""
        return [f"{name}: {before} → {after}" for name, before, after in self.compared]

    @property
    def reason(self) -> str:
        """Why this will be done with it, as part of a sentence about it."""
        match self.effect:
            case Effect.BLOCKED:
                why = self.blocked_reason or "it is blocked"
            case Effect.CREATE:
                why = "it is not there yet"
            case Effect.UPDATE:
                why = f"it is there with another {', '.join(sorted(self.diff or ())) or 'content'}"
            case Effect.UNCHANGED:
                why = "it is there already, just so"
        return why if self.required_by is None else f"{why}; {self.required_by} needs it"

    def version(self, promotion_id: UUID) -> UUID:
        """The version that this promotion gives the item in the target: the same each time a step is repeated."""
        return uuid5(promotion_id, f"{self.item_type}:{self.source_id}")

    def canonical(self) -> str:
        """The canonical JSON (RFC 8785) of the part of the item that the digest covers: content and effect, and no
        store's own names for them.
        """
        hashes = self.source_hashes
        return canonical_item(
            self.item_type,
            str(self.source_id),
            str(self.target_id),
            self.effect,
            self.blocked_reason,
            hashes.row,
            hashes.file,
            hashes.vectors,
            self.target_hashes,
            self.bytes,
            self.points,
        )


def canonical_item(
    item_type: str,
    source_id: str,
    target_id: str,
    effect: str,
    blocked_reason: str | None,
    row: str,
    file: str | None,
    vectors: str | None,
    target: Mapping[str, Any] | None,
    size: int,
    points: int,
) -> str:
    """What `PlannedItem.canonical` gives, made of its parts: most items of a large plan never become a `PlannedItem`.

    Args:
        item_type: Its type's name.
        source_id: Its row at the source.
        target_id: Its row in the target.
        effect: What will be done with it.
        blocked_reason: Why not, if it is blocked.
        row: The hash of its row.
        file: The hash of its file.
        vectors: The hash of its vectors.
        target: What stands in the target.
        size: Bytes.
        points: How many points it has.
    """
    # The members stand in the order of their names, as RFC 8785 has them.
    return (
        f'{{"blocked_reason":{_quoted(blocked_reason)},"bytes":{size},"effect":"{effect}","points":{points},'
        f'"source":{{"file":{_quoted(file)},"row":{_quoted(row)},"vectors":{_quoted(vectors)}}},'
        f'"source_id":"{source_id}","target":{canonical(dict(target)).decode() if target else "null"},'
        f'"target_id":"{target_id}","type":{_quoted(item_type)}}}'
    )


def canonical_plan(
    promotion_type: str, source: str, target: str, policy: Mapping[str, Any], items: Iterable[str]
) -> Iterator[bytes]:
    """The plan's canonical JSON (RFC 8785), piece by piece; one item is held at a time.

    Args:
        promotion_type: The type that was asked for.
        source: Where the items are.
        target: Where they go.
        policy: The path's policy.
        items: The canonical JSON of all items, in the order in which they are written.
    """
    yield _BEFORE_ITEMS
    for number, item in enumerate(items):
        yield b"," * bool(number) + item.encode()
    yield _after_items(promotion_type, source, target, policy)


class PlanDigest:
    """SHA-256 over `canonical_plan`, of items that come one after another."""

    def __init__(self) -> None:
        """No items yet."""
        self._hashed = hashlib.sha256(_BEFORE_ITEMS)
        self._is_empty = True

    def add(self, items: Iterable[str]) -> None:
        """Go on with the canonical JSON of the next items."""
        written = ",".join(items)
        if written:
            self._hashed.update(written.encode() if self._is_empty else b"," + written.encode())
            self._is_empty = False

    def of(self, promotion_type: str, source: str, target: str, policy: Mapping[str, Any]) -> str:
        """The digest (hex) of the plan that has just these items; the arguments are those of `canonical_plan`."""
        whole = self._hashed.copy()
        whole.update(_after_items(promotion_type, source, target, policy))
        return whole.hexdigest()


def policy_of(path: PathSettings) -> dict[str, Any]:
    """A path's policy as a plan keeps it."""
    return {
        "approver_roles": sorted(path.approver_roles),
        "approvals": path.approvals,
        "self_approval": path.self_approval,
        "approval_hours": path.approval_hours,
        "on_item_error": path.on_item_error,
        "verify": path.verify,
        "on_verification_failure": path.on_verification_failure,
    }


def policy_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What a plan's policy and another one do not have in common, setting by setting."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ", ".join(f"{name}: {_shown(before.get(name))} → {_shown(now.get(name))}" for name in names)


def change(source: str, target: str, item: PlannedItem, now: PlannedItem | None) -> str | None:
    """How an item differs from what was planned, as a sentence about it; None if it does not.

    Args:
        source: The source environment.
        target: The target environment.
        item: The item as it was planned.
        now: The item as a new plan has it, or None if it has it no more.
    """
    if now is not None and now.canonical() == item.canonical():
        return None
    return f"{item.item_type} '{item.label}' ({item.source_id}) {_difference(source, target, item, now)}"


def differences(
    pairs: Iterable[tuple[PlannedItem | None, PlannedItem | None]], source: str, target: str
) -> Iterator[str]:
    """How a plan differs from an earlier one, a sentence for each item.

    Args:
        pairs: Each item as it is now and as it was before; None where a plan does not have it.
        source: The source environment.
        target: The target environment.
    """
    for now, before in pairs:
        if before is None and now is not None:
            yield f"{now.item_type} '{now.label}' ({now.source_id}) is now part of it ({now.effect})"
        elif now is None and before is not None:
            yield f"{before.item_type} '{before.label}' ({before.source_id}) is no longer part of it"
        elif before is not None:
            sentence = change(source, target, before, now)
            if sentence:
                yield sentence


def _after_items(promotion_type: str, source: str, target: str, policy: Mapping[str, Any]) -> bytes:
    # The members stand in the order of their names here too.
    rest = {"policy": policy, "promotion_type": promotion_type, "source": source, "target": target}
    return b"]," + canonical(rest)[1:]


def _quoted(value: str | None) -> str:
    return "null" if value is None else orjson.dumps(value).decode()


def _difference(source: str, target: str, item: PlannedItem, now: PlannedItem | None) -> str:
    if now is None:
        return f"is gone from {source}"
    if now.blocked_reason != item.blocked_reason:
        return f"is now blocked: {now.blocked_reason}" if now.blocked_reason else "is no longer blocked"
    becomes = "" if now.effect == item.effect else f" (it was {item.effect}, and is {now.effect} now)"
    old, new = item.source_hashes.as_dict(), now.source_hashes.as_dict()
    changed = [part for part in old if old[part] != new[part]]
    if changed:
        return f"has changed in {source}: its {' and '.join(changed)}{becomes}"
    if item.target_hashes is None and now.target_hashes is not None:
        return f"has arrived in {target} meanwhile{becomes}"
    if item.target_hashes is not None and now.target_hashes is None:
        return f"is in {target} no more{becomes}"
    return f"has changed in {target}{becomes}"


def _shown(value: Any) -> str:
    """A value of a field as people compare it: hashes by their beginning."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return f"{value[:HASH_SHOWN]}…" if _SHA256.fullmatch(value) else f"'{printable(value, VALUE_SHOWN)}'"
    return printable(plain(value), VALUE_SHOWN)
