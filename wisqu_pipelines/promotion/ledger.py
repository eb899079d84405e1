"""The promotions in the control database: plans, claims, moves between states, the journal.

A claim gives a run the promotion for a lease, and counts up its epoch. Whoever comes back after another run has claimed
it finds a newer epoch and stops: `guarded` checks that inside every transaction that matters.
"""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import (
    Row,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    column,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session, aliased

from wisqu_pipelines.database.bulk import among, as_table, texts, uuids
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import ClaimLost, PromotionNotFound, PromotionRefused, WisquError
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.promotion.models import (
    LEGAL_MOVES,
    MOVING,
    Effect,
    Promotion,
    PromotionItem,
    PromotionJournal,
    PromotionState,
    Step,
)
from wisqu_pipelines.promotion.plan import FileAt, Hashes, PlannedItem, VectorsAt, plan_digest
from wisqu_pipelines.promotion.types import TYPES

LEASE = timedelta(seconds=60)
"""How long a run that says nothing keeps its promotion."""
HEARTBEAT_SECONDS = 15.0
"""How often a living run renews its lease."""
ITEMS_AT_ONCE = 1_000
"""Items of a plan in memory at a time."""
_NOTHING = {"items": 0, "bytes": 0, "points": 0}
_AMOUNTS = (
    func.count().label("items"),
    func.coalesce(func.sum(PromotionItem.bytes), 0).label("bytes"),
    func.coalesce(func.sum(PromotionItem.points), 0).label("points"),
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A run's hold on a promotion."""

    promotion_id: UUID
    run_id: str
    epoch: int
    state: PromotionState
    """The state in which the claim found or put it."""


class Ledger:
    """Reads and writes promotions."""

    def __init__(self, control: Database, clock: Clock) -> None:
        """Keep promotions in `control`, with the lease timed by `clock`."""
        self._control = control
        self._clock = clock

    def get(self, session: Session, promotion_id: UUID, *, lock: bool = False) -> Promotion:
        """The promotion of that id.

        Raises:
            PromotionNotFound: there is none.
        """
        found = session.get(Promotion, promotion_id, with_for_update=lock, populate_existing=lock)
        if found is None:
            raise PromotionNotFound(promotion_id=str(promotion_id))
        return found

    def add(self, session: Session, promotion_id: UUID, items: Sequence[PlannedItem]) -> None:
        """Write items of a plan that is being made; one that is in it already stays as it is."""
        table = PromotionItem.__table__
        rows = func.jsonb_to_recordset(cast(_json([_item_row(promotion_id, item) for item in items]), JSONB))
        columns = [column(each.name, each.type) for each in table.c]
        given = rows.table_valued(*columns, name="given", joins_implicitly=True).render_derived(with_types=True)
        statement = upsert(PromotionItem).from_select([each.name for each in table.c], select(given))
        session.execute(statement.on_conflict_do_nothing())

    def seal(self, session: Session, promotion: Promotion) -> None:
        """Count what the plan comes to, and compute its digest; from here on it does not change."""
        promotion.totals = self._totals(session, promotion.id)
        promotion.plan_digest = plan_digest(
            promotion.promotion_type,
            promotion.source_environment,
            promotion.target_environment,
            promotion.policy,
            (item for page in self.pages(promotion.id, session=session) for item in page),
        )

    def pages(
        self,
        promotion_id: UUID,
        *,
        kinds: Sequence[str] = tuple(TYPES),
        effects: Collection[Effect] = tuple(Effect),
        selected: bool = False,
        passed: Step | None = None,
        not_passed: Collection[Step] = (),
        only: Collection[UUID] | None = None,
        size: int = ITEMS_AT_ONCE,
        session: Session | None = None,
    ) -> Iterator[list[PlannedItem]]:
        """A plan's items, page by page, in the order in which they are written: by type, then by id.

        Args:
            promotion_id: The promotion.
            kinds: The types, in the order that is wanted.
            effects: What is to be done with them.
            selected: Only those that were asked for, and none that were pulled in.
            passed: Only those that have passed this step.
            not_passed: Only those that have passed none of these steps.
            only: Only items with these source ids.
            size: Items in one page.
            session: A transaction to read in; otherwise each page has its own.
        """
        rows = select(PromotionItem.__table__).order_by(PromotionItem.source_id).limit(size)
        wanted = _filtered(rows, promotion_id, effects, only=only)
        if selected:
            wanted = wanted.where(PromotionItem.required_by.is_(None))
        steps = {*not_passed, *([passed] if passed else [])}
        for kind in kinds:
            page = wanted.where(PromotionItem.item_type == kind)
            last: UUID | None = None
            more = True
            while more:
                with self._control.begin() if session is None else nullcontext(session) as reading:
                    after = page if last is None else page.where(PromotionItem.source_id > last)
                    items = [_item(row) for row in reading.execute(after)]
                    done = _passed(reading, promotion_id, items, steps) if items and steps else {}
                more = len(items) == size
                last = items[-1].source_id if items else None
                kept = [item for item in items if _is_wanted(done.get(item.source_id, set()), passed, not_passed)]
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

    def shown(self, session: Session, promotion_id: UUID, limit: int) -> list[PlannedItem]:
        """The first items of a plan as a person wants to see them: what is blocked first."""
        ranks = case({name: rank for rank, name in enumerate(TYPES)}, value=PromotionItem.item_type)
        rows = session.execute(
            select(PromotionItem.__table__)
            .where(PromotionItem.promotion_id == promotion_id)
            .order_by(PromotionItem.effect != Effect.BLOCKED, ranks, PromotionItem.source_id)
            .limit(limit)
        )
        return [_item(row) for row in rows]

    def both(self, promotion_id: UUID, other_id: UUID) -> Iterator[tuple[PlannedItem | None, PlannedItem | None]]:
        """The items of two plans side by side, in the order in which they are written."""
        for name in TYPES:
            one, other = (
                (item for page in self.pages(each, kinds=[name]) for item in page) for each in (promotion_id, other_id)
            )
            yield from _merged(one, other)

    def brought(self, promotion_id: UUID, item_ids: Collection[UUID]) -> list[PlannedItem]:
        """The items with these ids, on either side, that the promotion wrote and no rollback took back."""
        wanted = _filtered(
            select(PromotionItem.__table__), promotion_id, MOVING, not_passed=(Step.SKIPPED, Step.ROLLED_BACK)
        ).where(or_(among(PromotionItem.source_id, item_ids), among(PromotionItem.target_id, item_ids)))
        with self._control.begin() as session:
            return [_item(row) for row in session.execute(wanted)]

    def pulled_in(self, promotion_id: UUID, item_ids: Collection[UUID]) -> list[PlannedItem]:
        """What the promotion wrote because these items (source ids) belong to it, and no rollback took back."""
        wanted = _filtered(
            select(PromotionItem.__table__), promotion_id, MOVING, not_passed=(Step.SKIPPED, Step.ROLLED_BACK)
        ).where(among(PromotionItem.required_by, item_ids))
        with self._control.begin() as session:
            return [_item(row) for row in session.execute(wanted)]

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

    @staticmethod
    def _totals(session: Session, promotion_id: UUID) -> dict[str, Any]:
        """Items, bytes and points by effect and by type; blocked and unchanged ones move nothing."""
        rows = session.execute(
            select(PromotionItem.effect, PromotionItem.item_type, *_AMOUNTS)
            .where(PromotionItem.promotion_id == promotion_id)
            .group_by(PromotionItem.effect, PromotionItem.item_type)
        )
        by_effect = {effect.value: dict(_NOTHING) for effect in Effect}
        by_type: dict[str, dict[str, int]] = {}
        for effect, kind, *counts in rows:
            totals = [by_effect[effect]]
            if effect in MOVING:
                totals.append(by_type.setdefault(kind, dict(_NOTHING)))
            for total in totals:
                for name, count in zip(_NOTHING, counts, strict=True):
                    total[name] += int(count)
        return {"by_effect": by_effect, "by_type": by_type}

    def claim(self, promotion_id: UUID, run_id: str, *, rollback: bool = False) -> Claim:
        """Take a promotion for a run, in one statement, so that of two runs one wins.

        Raises:
            PromotionNotFound: there is none.
            PromotionRefused: its state does not allow it, or another run holds it.
        """
        now = self._clock.now()
        start, running = (
            ((PromotionState.SUCCEEDED,), (PromotionState.ROLLING_BACK,))
            if rollback
            else (
                (PromotionState.APPROVED, PromotionState.FAILED),
                (PromotionState.EXECUTING, PromotionState.PUBLISHED),
            )
        )
        free = or_(Promotion.run_id == run_id, Promotion.lease_until < now)
        with self._control.begin() as session:
            promotion = self.get(session, promotion_id, lock=True)
            state = PromotionState(promotion.state)
            if state in start:
                state = running[0]
            claimed = session.execute(
                update(Promotion)
                .where(
                    Promotion.id == promotion_id,
                    or_(Promotion.state.in_(start), and_(Promotion.state.in_(running), free)),
                )
                .values(
                    state=state,
                    run_id=run_id,
                    epoch=Promotion.epoch + 1,
                    lease_until=now + LEASE,
                    started_at=promotion.started_at or now,
                    error=None,
                )
                .returning(Promotion.epoch)
                .execution_options(synchronize_session=False)
            ).scalar()
            if claimed is None:
                act = "rolled back" if rollback else "executed"
                raise PromotionRefused(
                    promotion_id=str(promotion_id), act=act, reason=self._why_not(promotion, rollback)
                )
        return Claim(promotion_id, run_id, claimed, state)

    @contextmanager
    def kept(self, claim: Claim) -> Iterator[None]:
        """Renew the claim's lease in the background while the block runs."""
        stop = threading.Event()

        def beat() -> None:
            while not stop.wait(HEARTBEAT_SECONDS):
                try:
                    self._renew(claim)
                except WisquError:
                    continue  # the lease lives longer than several beats, and guarded() has the last word

        thread = threading.Thread(target=beat, name=f"lease-{claim.promotion_id}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _renew(self, claim: Claim) -> None:
        with self._control.begin() as session:
            session.execute(
                update(Promotion)
                .where(Promotion.id == claim.promotion_id, Promotion.epoch == claim.epoch)
                .values(lease_until=self._clock.now() + LEASE)
            )

    @contextmanager
    def guarded(self, claim: Claim) -> Iterator[tuple[Session, Promotion]]:
        """A transaction in the control database that holds the promotion's row, and only if the claim still stands.

        Raises:
            ClaimLost: another run has claimed it since.
        """
        with self._control.begin() as session:
            promotion = self.get(session, claim.promotion_id, lock=True)
            if promotion.epoch != claim.epoch:
                raise ClaimLost(promotion_id=str(claim.promotion_id), run_id=promotion.run_id)
            yield session, promotion

    def journal(
        self, claim: Claim, items: Sequence[PlannedItem], step: Step, details: Mapping[UUID, str] | None = None
    ) -> None:
        """Write down that items have passed a step; again is no error."""
        if not items:
            return
        given = as_table(
            "given",
            {
                "item_type": texts([item.item_type for item in items]),
                "source_id": uuids([item.source_id for item in items]),
                "detail": texts([(details or {}).get(item.source_id) for item in items]),
            },
        )
        rows = select(
            literal(claim.promotion_id),
            given.c.item_type,
            given.c.source_id,
            literal(step.value),
            literal(claim.epoch),
            given.c.detail,
        )
        names = ["promotion_id", "item_type", "source_id", "step", "epoch", "detail"]
        with self.guarded(claim) as (session, _):
            session.execute(upsert(PromotionJournal).from_select(names, rows).on_conflict_do_nothing())

    def leave_dependents(self, claim: Claim) -> None:
        """Let what belongs to a skipped item stay behind as well."""
        owner, skipped = aliased(PromotionItem), aliased(PromotionJournal)
        for name, kind in TYPES.items():
            for column_name, owner_type in kind.belongs_to.items():
                rows = (
                    select(
                        PromotionItem.promotion_id,
                        PromotionItem.item_type,
                        PromotionItem.source_id,
                        literal(Step.SKIPPED.value),
                        literal(claim.epoch),
                        func.concat(f"the {owner_type} ", owner.source_id, " that it belongs to stays behind"),
                    )
                    .join(
                        owner,
                        and_(
                            owner.promotion_id == PromotionItem.promotion_id,
                            owner.item_type == owner_type,
                            cast(owner.source_id, Text) == PromotionItem.belongs_to[column_name].astext,
                        ),
                    )
                    .join(
                        skipped,
                        and_(
                            skipped.promotion_id == owner.promotion_id,
                            skipped.item_type == owner.item_type,
                            skipped.source_id == owner.source_id,
                            skipped.step == Step.SKIPPED,
                        ),
                    )
                    .where(
                        PromotionItem.promotion_id == claim.promotion_id,
                        PromotionItem.item_type == name,
                        PromotionItem.effect.in_(MOVING),
                    )
                )
                names = ["promotion_id", "item_type", "source_id", "step", "epoch", "detail"]
                with self.guarded(claim) as (session, _):
                    session.execute(upsert(PromotionJournal).from_select(names, rows).on_conflict_do_nothing())

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

    @staticmethod
    def forget(session: Session, promotion_id: UUID) -> None:
        """Empty the journal of a promotion whose staged things are swept."""
        session.execute(delete(PromotionJournal).where(PromotionJournal.promotion_id == promotion_id))

    def steps(self, session: Session, promotion_id: UUID) -> dict[str, int]:
        """How many items have passed each step."""
        rows = session.execute(
            select(PromotionJournal.step, func.count())
            .where(PromotionJournal.promotion_id == promotion_id)
            .group_by(PromotionJournal.step)
        ).all()
        return {step: count for step, count in rows}  # noqa: C416  (rows are not tuples to the type checker)

    def _why_not(self, promotion: Promotion, rollback: bool) -> str:
        state = PromotionState(promotion.state)
        if state in {PromotionState.EXECUTING, PromotionState.PUBLISHED, PromotionState.ROLLING_BACK}:
            return f"the run {promotion.run_id} is at it (state {state})"
        if state == PromotionState.PLANNED:
            return f"it is not approved yet; 'wisqu approvals grant {promotion.id}' does that"
        if state in {PromotionState.REFUSED, PromotionState.REJECTED} and promotion.error:
            return f"it was {state}: {promotion.error}"
        return f"it is {state}" + ("" if rollback else "; make a new preview")


def _passed(
    session: Session, promotion_id: UUID, page: Sequence[PlannedItem], steps: Collection[Step]
) -> dict[UUID, set[str]]:
    """Which of these steps the items of a page have passed. By the page's range of ids, and not by a join: so the work
    for a page is the same however long the journal is, and whatever Postgres believes of its length.
    """
    passed: dict[UUID, set[str]] = {}
    for source_id, step in session.execute(
        select(PromotionJournal.source_id, PromotionJournal.step).where(
            PromotionJournal.promotion_id == promotion_id,
            PromotionJournal.item_type == page[0].item_type,
            PromotionJournal.source_id.between(page[0].source_id, page[-1].source_id),
            PromotionJournal.step.in_(steps),
        )
    ):
        passed.setdefault(source_id, set()).add(step)
    return passed


def _is_wanted(done: Collection[str], passed: Step | None, not_passed: Collection[Step]) -> bool:
    return (passed is None or passed in done) and not any(step in done for step in not_passed)


def _filtered(
    statement: Select[*tuple[Any, ...]],
    promotion_id: UUID,
    effects: Collection[Effect],
    *,
    not_passed: Collection[Step] = (),
    only: Collection[UUID] | None = None,
) -> Select[*tuple[Any, ...]]:
    """A statement about a plan's items, for some of them only."""
    step = select(PromotionJournal.source_id).where(
        PromotionJournal.promotion_id == PromotionItem.promotion_id,
        PromotionJournal.item_type == PromotionItem.item_type,
        PromotionJournal.source_id == PromotionItem.source_id,
    )
    wanted = statement.where(PromotionItem.promotion_id == promotion_id)
    if len(set(effects)) < len(Effect):
        wanted = wanted.where(PromotionItem.effect.in_(effects))
    if not_passed:
        wanted = wanted.where(~step.where(PromotionJournal.step.in_(not_passed)).exists())
    if only is not None:
        wanted = wanted.where(among(PromotionItem.source_id, only))
    return wanted


def move(promotion: Promotion, to: PromotionState) -> None:
    """Put a promotion into another state.

    Raises:
        PromotionRefused: no such move is legal.
    """
    state = PromotionState(promotion.state)
    if to not in LEGAL_MOVES[state]:
        raise PromotionRefused(promotion_id=str(promotion.id), act=f"made {to}", reason=f"it is {state}")
    promotion.state = to


def _item_row(promotion_id: UUID, item: PlannedItem) -> dict[str, Any]:
    return {
        "promotion_id": promotion_id,
        "item_type": item.item_type,
        "source_id": item.source_id,
        "target_id": item.target_id,
        "label": item.label,
        "effect": item.effect,
        "source_status": item.source_status,
        "blocked_reason": item.blocked_reason,
        "required_by": item.required_by,
        "source_hashes": item.source_hashes.as_dict(),
        "target_hashes": dict(item.target_hashes) if item.target_hashes else None,
        "diff": item.diff,
        "belongs_to": item.belongs_to or None,
        "file": asdict(item.file) if item.file else None,
        "vectors": {**asdict(item.vectors), "version": str(item.vectors.version)} if item.vectors else None,
        "bytes": item.bytes,
        "points": item.points,
    }


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


def _json(value: Any) -> Any:
    return bindparam(None, to_json(value).decode(), type_=Text)


def _item(row: Row[Any]) -> PlannedItem:
    return PlannedItem(
        item_type=row.item_type,
        source_id=row.source_id,
        target_id=row.target_id,
        label=row.label,
        effect=Effect(row.effect),
        source_status=row.source_status,
        source_hashes=Hashes(**row.source_hashes),
        blocked_reason=row.blocked_reason,
        required_by=row.required_by,
        target_hashes=row.target_hashes,
        diff=row.diff,
        belongs_to={name: UUID(owner) for name, owner in (row.belongs_to or {}).items()},
        file=FileAt(**row.file) if row.file else None,
        vectors=VectorsAt(**{**row.vectors, "version": UUID(row.vectors["version"])}) if row.vectors else None,
        bytes=row.bytes,
        points=row.points,
    )
