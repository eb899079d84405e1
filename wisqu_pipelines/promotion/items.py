"""The items of plans in the control database, page by page; `writing.py` writes them, once."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from wisqu_pipelines.database.bulk import among
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.promotion.models import MOVING, Effect, Promotion, PromotionItem, PromotionJournal, Step
from wisqu_pipelines.promotion.plan import FileAt, Hashes, ItemName, Named, PlannedItem, VectorsAt
from wisqu_pipelines.promotion.types import TYPES

ITEMS_AT_ONCE = 1_000
"""Items of a plan in memory at a time."""
NAMES_AT_ONCE = 2_000
"""Names of such items."""
_COLUMNS = tuple(PromotionItem.__table__.c[each.name] for each in fields(PlannedItem))
_NAMES = tuple(PromotionItem.__table__.c[each.name] for each in fields(ItemName))
_EFFECTS = {effect.value: effect for effect in Effect}
_NOTHING = {"items": 0, "bytes": 0, "points": 0}
_AMOUNTS = (
    func.count().label("items"),
    func.coalesce(func.sum(PromotionItem.bytes), 0).label("bytes"),
    func.coalesce(func.sum(PromotionItem.points), 0).label("points"),
)


Item = TypeVar("Item", bound=Named)


class PlanItems:
    """Reads the items of plans; which of them there are can depend on what the journal says of them."""

    def __init__(self, control: Database) -> None:
        """Read them in `control`."""
        self._control = control

    def pages(
        self,
        promotion_id: UUID,
        *,
        kinds: Sequence[str] = tuple(TYPES),
        effects: Collection[Effect] = tuple(Effect),
        passed: Step | None = None,
        not_passed: Collection[Step] = (),
        only: Collection[UUID] | None = None,
        size: int | None = None,
        session: Session | None = None,
    ) -> Iterator[list[PlannedItem]]:
        """A plan's items, page by page, in the order in which they are written: by type, then by id.

        Args:
            promotion_id: The promotion.
            kinds: The types, in the order that is wanted.
            effects: What is to be done with them.
            passed: Only those that have passed this step.
            not_passed: Only those that have passed none of these steps.
            only: Only items with these source ids.
            size: Items in one page; `ITEMS_AT_ONCE` if it is not given.
            session: A transaction to read in; otherwise each page has its own.
        """
        which = _Which(promotion_id, kinds, effects, passed, not_passed, only)
        return self._pages(_COLUMNS, _item, which, size or ITEMS_AT_ONCE, session)

    def names(
        self,
        promotion_id: UUID,
        *,
        kinds: Sequence[str] = tuple(TYPES),
        effects: Collection[Effect] = tuple(Effect),
        not_passed: Collection[Step] = (),
    ) -> Iterator[list[ItemName]]:
        """What a plan's items are called, page by page: with the order and the filters of `pages`, for a fraction."""
        which = _Which(promotion_id, kinds, effects, not_passed=not_passed)
        return self._pages(_NAMES, _name, which, NAMES_AT_ONCE)

    def _pages(
        self,
        columns: Sequence[ColumnElement[Any]],
        make: Callable[[Row[Any]], Item],
        which: "_Which",
        at_once: int,
        session: Session | None = None,
    ) -> Iterator[list[Item]]:
        rows = select(*columns).order_by(PromotionItem.source_id).limit(at_once)
        wanted = _filtered(rows, which.promotion_id, which.effects, only=which.only)
        for kind in which.kinds:
            page = wanted.where(PromotionItem.item_type == kind)
            last: UUID | None = None
            more = True
            while more:
                with self._control.begin() if session is None else nullcontext(session) as reading:
                    after = page if last is None else page.where(PromotionItem.source_id > last)
                    items = [make(row) for row in reading.execute(after)]
                    kept = which.of(reading, items)
                more = len(items) == at_once
                last = items[-1].source_id if items else None
                if kept:
                    yield kept

    def amounts(
        self,
        promotion_id: UUID,
        *,
        effects: Collection[Effect] = MOVING,
        not_passed: Collection[Step] = (),
        only: Collection[UUID] | None = None,
    ) -> dict[str, dict[str, int]]:
        """How many `items`, `bytes` and `points` there are of each type; the filters are those of `pages`."""
        statement = select(PromotionItem.item_type, *_AMOUNTS).group_by(PromotionItem.item_type)
        wanted = _filtered(statement, promotion_id, effects, not_passed=not_passed, only=only)
        with self._control.begin() as session:
            return {
                row.item_type: {name: int(getattr(row, name)) for name in _NOTHING} for row in session.execute(wanted)
            }

    def count(
        self,
        promotion_id: UUID,
        *,
        effects: Collection[Effect] = MOVING,
        not_passed: Collection[Step] = (),
        only: Collection[UUID] | None = None,
    ) -> int:
        """How many items there are; the filters are those of `pages`."""
        amounts = self.amounts(promotion_id, effects=effects, not_passed=not_passed, only=only)
        return sum(each["items"] for each in amounts.values())

    def shown(self, session: Session, promotion: Promotion, limit: int) -> list[PlannedItem]:
        """The first items of a plan as a person wants to see them: what is blocked first, then what changes. They are
        read in the order in which they are written, and not sorted: a sort reads all of them.
        """
        found: list[PlannedItem] = []
        for effects in (Effect.BLOCKED,), (Effect.UPDATE,), (Effect.CREATE, Effect.UNCHANGED):
            if not any(promotion.totals["by_effect"][effect.value]["items"] for effect in effects):
                continue
            wanted = _filtered(select(*_COLUMNS), promotion.id, effects).order_by(PromotionItem.source_id)
            for kind in TYPES:
                of_kind = wanted.where(PromotionItem.item_type == kind).limit(limit - len(found))
                found += [_item(row) for row in session.execute(of_kind)]
        return found

    @staticmethod
    def outcomes(session: Session, promotion_id: UUID, items: Sequence[Named]) -> dict[UUID, str]:
        """What became of those of these items that stayed behind or were taken back, by source id."""
        rows = session.execute(
            select(PromotionJournal.source_id, PromotionJournal.step, PromotionJournal.detail).where(
                PromotionJournal.promotion_id == promotion_id,
                PromotionJournal.step.in_((Step.SKIPPED, Step.ROLLED_BACK)),
                among(PromotionJournal.source_id, [item.source_id for item in items]),
            )
        )
        return {
            row.source_id: f"stayed behind: {row.detail}" if row.step == Step.SKIPPED else "taken back" for row in rows
        }

    def both(self, promotion_id: UUID, other_id: UUID) -> Iterator[tuple[PlannedItem | None, PlannedItem | None]]:
        """The items of two plans side by side, in the order in which they are written."""
        for name in TYPES:
            one, other = (
                (item for page in self.pages(each, kinds=[name]) for item in page) for each in (promotion_id, other_id)
            )
            yield from _merged(one, other)

    def brought(self, promotion_id: UUID, item_ids: Collection[UUID]) -> list[PlannedItem]:
        """The items with these ids, on either side, that the promotion wrote and no rollback took back."""
        return self._written(
            promotion_id, or_(among(PromotionItem.source_id, item_ids), among(PromotionItem.target_id, item_ids))
        )

    def pulled_in(self, promotion_id: UUID, item_ids: Collection[UUID]) -> list[PlannedItem]:
        """What the promotion wrote because these items (source ids) belong to it, and no rollback took back."""
        return self._written(promotion_id, among(PromotionItem.required_by, item_ids))

    def _written(self, promotion_id: UUID, which: ColumnElement[bool]) -> list[PlannedItem]:
        wanted = _filtered(select(*_COLUMNS), promotion_id, MOVING, not_passed=(Step.SKIPPED, Step.ROLLED_BACK))
        with self._control.begin() as session:
            return [_item(row) for row in session.execute(wanted.where(which))]

    def targets(self, promotion_id: UUID, kind: str, source_ids: Collection[UUID]) -> dict[UUID, UUID]:
        """The target ids of a plan's items of one type, by their source ids."""
        with self._control.begin() as session:
            rows = session.execute(
                select(PromotionItem.source_id, PromotionItem.target_id).where(
                    PromotionItem.promotion_id == promotion_id,
                    PromotionItem.item_type == kind,
                    among(PromotionItem.source_id, source_ids),
                )
            )
            return {row.source_id: row.target_id for row in rows}

    def details(self, promotion_id: UUID, page: Sequence[Named], step: Step) -> dict[UUID, str]:
        """What the journal says of a step, for those of a page's items that have passed it, by source id."""
        columns = select(PromotionJournal.source_id, PromotionJournal.detail)
        with self._control.begin() as session:
            rows = session.execute(columns.where(_journalled(promotion_id, page, (step,))))
            return {row.source_id: row.detail or "" for row in rows}

    def skipped(self, promotion_id: UUID, limit: int) -> tuple[int, list[dict[str, str]]]:
        """How many items stay behind, and for the first of them `source_id` and `error`."""
        stay = (PromotionJournal.promotion_id == promotion_id, PromotionJournal.step == Step.SKIPPED)
        with self._control.begin() as session:
            count = session.scalars(select(func.count()).select_from(PromotionJournal).where(*stay)).one()
            rows = session.execute(
                select(PromotionJournal.source_id, PromotionJournal.detail)
                .where(*stay)
                .order_by(PromotionJournal.item_type, PromotionJournal.source_id)
                .limit(limit)
            )
            return count, [{"source_id": str(row.source_id), "error": row.detail or ""} for row in rows]


@dataclass(frozen=True, slots=True)
class _Which:
    """Which items of a plan are wanted; as `PlanItems.pages` explains it."""

    promotion_id: UUID
    kinds: Sequence[str]
    effects: Collection[Effect]
    passed: Step | None = None
    not_passed: Collection[Step] = ()
    only: Collection[UUID] | None = None

    def of(self, session: Session, page: list[Item]) -> list[Item]:
        """Those of a page that are wanted, by what the journal says of them."""
        steps = {*self.not_passed, *([self.passed] if self.passed else [])}
        if not page or not steps:
            return page
        done = _passed(session, self.promotion_id, page, steps)
        return [item for item in page if self._is_wanted(done.get(item.source_id, set()))]

    def _is_wanted(self, done: Collection[str]) -> bool:
        is_far_enough = self.passed is None or self.passed in done
        return is_far_enough and not any(step in done for step in self.not_passed)


def _passed(
    session: Session, promotion_id: UUID, page: Sequence[Named], steps: Collection[Step]
) -> dict[UUID, set[str]]:
    """Which of these steps the items of a page have passed."""
    passed: dict[UUID, set[str]] = {}
    columns = select(PromotionJournal.source_id, PromotionJournal.step)
    for source_id, step in session.execute(columns.where(_journalled(promotion_id, page, steps))):
        passed.setdefault(source_id, set()).add(step)
    return passed


def _journalled(promotion_id: UUID, page: Sequence[Named], steps: Collection[Step]) -> ColumnElement[bool]:
    """That a line of the journal is about a page's items and these steps. By the page's range of ids, and not by a
    join: so the work for a page is the same however long the journal is, and whatever Postgres believes of its length.
    """
    return and_(
        PromotionJournal.promotion_id == promotion_id,
        PromotionJournal.item_type == page[0].item_type,
        PromotionJournal.source_id.between(page[0].source_id, page[-1].source_id),
        PromotionJournal.step.in_(steps),
    )


def _filtered(
    statement: Select[*tuple[Any, ...]],
    promotion_id: UUID,
    effects: Collection[Effect],
    *,
    not_passed: Collection[Step] = (),
    only: Collection[UUID] | None = None,
) -> Select[*tuple[Any, ...]]:
    """A statement about a plan's items, for some of them only.

    The journal is looked up for each of them, by its key. The OFFSET keeps Postgres from making a join of that: it
    takes a promotion that is younger than its statistics for a handful of items, and would compare each of them with
    the whole journal.
    """
    step = select(PromotionJournal.source_id).where(
        PromotionJournal.promotion_id == PromotionItem.promotion_id,
        PromotionJournal.item_type == PromotionItem.item_type,
        PromotionJournal.source_id == PromotionItem.source_id,
    )
    wanted = statement.where(PromotionItem.promotion_id == promotion_id)
    if len(set(effects)) < len(Effect):
        wanted = wanted.where(PromotionItem.effect.in_(effects))
    if not_passed:
        wanted = wanted.where(~step.where(PromotionJournal.step.in_(not_passed)).offset(0).exists())
    if only is not None:
        wanted = wanted.where(among(PromotionItem.source_id, only))
    return wanted


def _merged(
    ones: Iterator[PlannedItem], others: Iterator[PlannedItem]
) -> Iterator[tuple[PlannedItem | None, PlannedItem | None]]:
    """Two lists in the order of their ids, side by side."""
    one, other = next(ones, None), next(others, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one.source_id < other.source_id):
            yield one, None
            one = next(ones, None)
        elif one is None or other.source_id < one.source_id:
            yield None, other
            other = next(others, None)
        else:
            yield one, other
            one, other = next(ones, None), next(others, None)


def _name(row: Row[Any]) -> ItemName:
    kind, source_id, target_id, status = tuple(row)
    return ItemName(kind, source_id, target_id, status)


def _item(row: Row[Any]) -> PlannedItem:
    """From a row of `_COLUMNS`, by place: a plan is read several times, and by name costs half as much again."""
    kind, source_id, target_id, label, effect, status, hashes, *rest = tuple(row)
    blocked_reason, required_by, target_hashes, file, vectors, diff, belongs_to, size, points = rest
    return PlannedItem(
        kind,
        source_id,
        target_id,
        label,
        _EFFECTS[effect],
        status,
        Hashes(hashes["row"], hashes["file"], hashes["vectors"]),
        blocked_reason,
        required_by,
        target_hashes,
        FileAt(**file) if file else None,
        VectorsAt(vectors["collection"], UUID(vectors["version"]), vectors["count"]) if vectors else None,
        diff,
        {name: UUID(owner) for name, owner in belongs_to.items()} if belongs_to else {},
        size,
        points,
    )
