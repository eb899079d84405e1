"""Writing a plan into the control database: its items page by page, and what they come to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import Row, Text, cast, select
from sqlalchemy.orm import Session

from wisqu_pipelines.database.bulk import NULL, among, copied, copy_lines
from wisqu_pipelines.promotion.drafts import Draft
from wisqu_pipelines.promotion.models import MOVING, Effect, Promotion, PromotionItem
from wisqu_pipelines.promotion.plan import PlanDigest, canonical_item
from wisqu_pipelines.promotion.types import TYPES, PromotableType

READ_AT_ONCE = 2_000
"""Items that are read back together."""
COLUMNS = (
    "promotion_id",
    "item_type",
    "source_id",
    "target_id",
    "source_status",
    "label",
    "effect",
    "blocked_reason",
    "required_by",
    "source_hashes",
    "target_hashes",
    "diff",
    "belongs_to",
    "file",
    "vectors",
    "bytes",
    "points",
)
"""In the order of `_line`."""


class PlanWriter:
    """Writes one plan. One thread at a time may use it."""

    def __init__(self, session: Session, promotion: Promotion) -> None:
        """Write the plan of `promotion`, which is there already, in a transaction of the control database."""
        self._session = session
        self._promotion = promotion
        self._digest = PlanDigest()
        self._in_order = not TYPES[promotion.promotion_type].belongs_to
        """Whether the items come in the order in which a plan's document has them: what several belong to does not."""
        self._counts: dict[tuple[Effect, str], list[int]] = {}

    def add(self, drafts: Sequence[Draft]) -> None:
        """Write the next items; one that was pulled in before stays as it is."""
        there = self._pulled_in_before(drafts)
        new = [draft for draft in drafts if (draft.kind, draft.id) not in there] if there else drafts
        promotion = f"{self._promotion.id}\t"
        copy_lines(self._session, PromotionItem.__tablename__, COLUMNS, [promotion + _line(draft) for draft in new])
        if self._in_order:
            self._digest.add(draft.canonical() for draft in new)
        for draft in new:
            count = self._counts.setdefault((draft.effect, draft.kind.name), [0, 0, 0])
            count[0] += 1
            count[1] += draft.bytes
            count[2] += draft.points

    def seal(self) -> None:
        """Write down what the plan comes to, and its digest; from here on it does not change."""
        promotion = self._promotion
        promotion.totals = self._totals()
        if not self._in_order:
            for page in self._read_back():
                self._digest.add(page)
        ends = promotion.source_environment, promotion.target_environment
        promotion.plan_digest = self._digest.of(promotion.promotion_type, *ends, promotion.policy)

    def _pulled_in_before(self, drafts: Sequence[Draft]) -> set[tuple[PromotableType, str]]:
        """Which of the drafts are in the plan already, because an earlier page belongs to them too."""
        found: set[tuple[PromotableType, str]] = set()
        if self._in_order or not self._counts:
            return found
        owners = sorted((draft.kind.name, draft.id) for draft in drafts if draft.required_by)
        for name, members in groupby(owners, key=lambda owner: owner[0]):
            there = select(cast(PromotionItem.source_id, Text)).where(
                PromotionItem.promotion_id == self._promotion.id,
                PromotionItem.item_type == name,
                among(PromotionItem.__table__.c.source_id, [item_id for _, item_id in members]),
            )
            found.update((TYPES[name], item_id) for item_id in self._session.scalars(there))
        return found

    def _totals(self) -> dict[str, Any]:
        """Items, bytes and points by effect and by type; blocked and unchanged ones move nothing."""
        names = ("items", "bytes", "points")
        by_effect = {effect.value: dict.fromkeys(names, 0) for effect in Effect}
        by_type: dict[str, dict[str, int]] = {}
        for (effect, kind), counts in self._counts.items():
            totals = [by_effect[effect.value]]
            if effect in MOVING:
                totals.append(by_type.setdefault(kind, dict.fromkeys(names, 0)))
            for total in totals:
                for name, count in zip(names, counts, strict=True):
                    total[name] += count
        return {"by_effect": by_effect, "by_type": by_type}

    def _read_back(self) -> Iterator[list[str]]:
        """The canonical JSON of all items, in the order in which they are written: by type, then by id."""
        columns = PromotionItem.__table__.c
        page = (
            select(
                columns.item_type,
                cast(columns.source_id, Text),
                cast(columns.target_id, Text),
                columns.effect,
                columns.blocked_reason,
                columns.source_hashes,
                columns.target_hashes,
                columns.bytes,
                columns.points,
            )
            .where(columns.promotion_id == self._promotion.id)
            .order_by(columns.source_id)
            .limit(READ_AT_ONCE)
        )
        for name in TYPES:
            of_type = page.where(columns.item_type == name)
            rows = self._session.execute(of_type).all()
            while rows:
                yield [_canonical(row) for row in rows]
                last = UUID(rows[-1][1])
                more = len(rows) == READ_AT_ONCE
                rows = self._session.execute(of_type.where(columns.source_id > last)).all() if more else []


def _canonical(row: Row[Any]) -> str:
    kind, source_id, target_id, effect, reason, hashes, target, size, points = tuple(row)
    of_source = hashes["row"], hashes["file"], hashes["vectors"]
    return canonical_item(kind, source_id, target_id, effect, reason, *of_source, target, size, points)


def _line(draft: Draft) -> str:
    """An item as a line of `COLUMNS`, without its first value."""
    file, vectors, required_by, target_hashes = draft.file, draft.vectors, draft.required_by, draft.target_hashes
    if file is None and vectors is None:
        hashes = f'{{"row":"{draft.row_hash}","file":null,"vectors":null}}'
    else:
        hashes = _json({"row": draft.row_hash, "file": draft.file_sha256, "vectors": draft.vectors_sha256})
    return (
        f"{draft.kind.name}\t{draft.id}\t{draft.target_id}\t{draft.status}\t{copied(draft.label)}\t{draft.effect}\t"
        f"{copied(draft.blocked) if draft.blocked else NULL}\t{required_by or NULL}\t{hashes}\t"
        f"{_json(target_hashes) if target_hashes else NULL}\t{NULL if draft.diff is None else _json(draft.diff)}\t"
        f"{_json(draft.owners) if draft.kind.belongs_to else NULL}\t{_json(asdict(file)) if file else NULL}\t"
        f"{_json(asdict(vectors)) if vectors else NULL}\t{draft.bytes}\t{draft.points}\n"
    )


def _json(value: Mapping[str, Any]) -> str:
    return copied(to_json(value).decode())
