"""The promotions in the control database: plans, claims, moves between states, the journal.

A claim gives a run the promotion for a lease, and counts up its epoch. Whoever comes back after another run has claimed
it finds a newer epoch and stops: `guarded` checks that inside every transaction that matters.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy import (
    Uuid,
    and_,
    cast,
    delete,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import EnvironmentAccess
from wisqu_pipelines.database.bulk import as_table, texts, uuids
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import (
    ClaimLost,
    Failed,
    PromotionCancelled,
    PromotionNotFound,
    PromotionRefused,
    WisquError,
)
from wisqu_pipelines.identity.models import CentralUser
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.promotion.items import PlanItems
from wisqu_pipelines.promotion.models import (
    LEGAL_MOVES,
    MOVING,
    Promotion,
    PromotionItem,
    PromotionJournal,
    PromotionState,
    Step,
)
from wisqu_pipelines.promotion.plan import Named
from wisqu_pipelines.promotion.results import moving
from wisqu_pipelines.promotion.types import TYPES

LEASE = timedelta(seconds=60)
"""How long a run that says nothing keeps its promotion."""
HEARTBEAT_SECONDS = 15.0
"""How often a living run renews its lease."""


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
        self.items = PlanItems(control)

    def get(self, session: Session, promotion_id: UUID, *, lock: bool = False) -> Promotion:
        """The promotion of that id.

        Raises:
            PromotionNotFound: there is none.
        """
        found = session.get(Promotion, promotion_id, with_for_update=lock, populate_existing=lock)
        if found is None:
            raise PromotionNotFound(promotion_id=str(promotion_id))
        return found

    def claim(self, promotion_id: UUID, run_id: str, *, rollback: bool = False) -> Claim:
        """Take a promotion for a run, in one statement, so that of two runs one wins.

        Raises:
            PromotionNotFound: there is none.
            PromotionRefused: its state does not allow it, or another run holds it.
        """
        now = self._clock.now()
        start, running = _claimable(rollback)
        free = or_(Promotion.run_id == run_id, Promotion.lease_until < now)
        with self._control.begin() as session:
            promotion = self.get(session, promotion_id, lock=True)
            state = running[0] if promotion.state in start else PromotionState(promotion.state)
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
                self._refuse_claim(promotion, rollback)
        return Claim(promotion_id, run_id, claimed, state)

    def check_claimable(self, promotion: Promotion, *, rollback: bool = False) -> None:
        """Refuse what `claim` would refuse a run that has not held the promotion before.

        Raises:
            PromotionRefused: its state does not allow a claim, or another run holds it.
        """
        start, running = _claimable(rollback)
        is_left = promotion.lease_until is not None and promotion.lease_until < self._clock.now()
        if promotion.state not in start and not (promotion.state in running and is_left):
            self._refuse_claim(promotion, rollback)

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

    @contextmanager
    def alone(self, claim: Claim) -> Iterator[tuple[Session, Promotion]]:
        """Work on the stores that no other run may overtake: a claim waits for the end of the block, however long that
        takes, and finds the lease renewed.

        Raises:
            ClaimLost: another run has claimed it since.
        """
        with self.guarded(claim) as (session, promotion):
            # It idles for as long as the work takes, and with the transaction the row would be let go.
            session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            yield session, promotion
            promotion.lease_until = self._clock.now() + LEASE

    def let_go(self, claim: Claim) -> None:
        """Let the next run come at once; if even that cannot be written, it comes when the lease is over."""
        try:
            with self.guarded(claim) as (_, promotion):
                promotion.lease_until = self._clock.now() - LEASE
        except (Failed, ClaimLost):
            return

    def journal(
        self, claim: Claim, items: Sequence[Named], step: Step, details: Mapping[UUID, str] | None = None
    ) -> None:
        """Write down that items have passed a step; again is no error.

        Raises:
            ClaimLost: another run has claimed the promotion since.
            PromotionCancelled: a person has cancelled it, and it has not happened yet.
        """
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
        with self.guarded(claim) as (session, promotion):
            if cancelled := cancellation(session, promotion):
                raise cancelled
            session.execute(upsert(PromotionJournal).from_select(names, rows).on_conflict_do_nothing())

    def leave_dependents(self, claim: Claim) -> None:
        """Let what belongs to a skipped item stay behind as well."""
        names = ["promotion_id", "item_type", "source_id", "step", "epoch", "detail"]
        for name, kind in TYPES.items():
            for column_name, owner_type in kind.belongs_to.items():
                owner = PromotionItem.belongs_to[column_name].astext
                skipped = select(PromotionJournal.source_id).where(
                    PromotionJournal.promotion_id == claim.promotion_id,
                    PromotionJournal.item_type == owner_type,
                    PromotionJournal.step == Step.SKIPPED,
                )
                # As in `items.py`: each item's owner is looked up by the journal's key, and nothing is joined.
                is_left = skipped.where(PromotionJournal.source_id == cast(owner, Uuid)).offset(0).exists()
                rows = select(
                    PromotionItem.promotion_id,
                    PromotionItem.item_type,
                    PromotionItem.source_id,
                    literal(Step.SKIPPED.value),
                    literal(claim.epoch),
                    func.concat(f"the {owner_type} ", owner, " that it belongs to stays behind"),
                ).where(
                    PromotionItem.promotion_id == claim.promotion_id,
                    PromotionItem.item_type == name,
                    PromotionItem.effect.in_(MOVING),
                    is_left,
                )
                with self.guarded(claim) as (session, _):
                    # Nearly always nothing was skipped, and then nobody has to look at every item.
                    if session.scalar(skipped.limit(1)) is not None:
                        session.execute(upsert(PromotionJournal).from_select(names, rows).on_conflict_do_nothing())

    @staticmethod
    def forget(session: Session, promotion_id: UUID, step: Step | None = None) -> None:
        """Empty the journal of a promotion whose staged things are swept, or of one step that is done anew."""
        passed = delete(PromotionJournal).where(PromotionJournal.promotion_id == promotion_id)
        session.execute(passed if step is None else passed.where(PromotionJournal.step == step))

    def steps(self, session: Session, promotion_id: UUID) -> dict[str, int]:
        """How many items have passed each step."""
        rows = session.execute(
            select(PromotionJournal.step, func.count())
            .where(PromotionJournal.promotion_id == promotion_id)
            .group_by(PromotionJournal.step)
        ).all()
        return {step: count for step, count in rows}  # noqa: C416  (rows are not tuples to the type checker)

    def _refuse_claim(self, promotion: Promotion, rollback: bool) -> NoReturn:
        act = "rolled back" if rollback else "executed"
        reason = self._why_not(promotion, rollback)
        raise PromotionRefused(promotion_id=str(promotion.id), act=act, reason=reason)

    def _why_not(self, promotion: Promotion, rollback: bool) -> str:
        state = PromotionState(promotion.state)
        if state in {PromotionState.EXECUTING, PromotionState.PUBLISHED, PromotionState.ROLLING_BACK}:
            until = f" after {promotion.lease_until:%H:%M:%S} UTC" if promotion.lease_until else ""
            return (
                f"the run {promotion.run_id} is at it (state {state}); if that run is gone, "
                f"'wisqu promote resume {promotion.id} --as PERSON' goes on with it{until}"
            )
        if state == PromotionState.PLANNED and not moving(promotion.totals, "items"):
            return "its plan moves nothing"
        if state == PromotionState.PLANNED:
            return f"it is not approved yet; 'wisqu approvals grant {promotion.id}' does that"
        if state in {PromotionState.REFUSED, PromotionState.REJECTED} and promotion.error:
            return f"it was {state}: {promotion.error.rstrip('.')}"
        if state == PromotionState.SUCCEEDED and not rollback:
            return "it has succeeded, and nothing of it is left to do; for what has changed since make a new preview"
        return f"it is {state}" + ("" if rollback else "; make a new preview")


def _claimable(rollback: bool) -> tuple[tuple[PromotionState, ...], tuple[PromotionState, ...]]:
    """The states in which a run may begin, and those in which it may go on with what another has left."""
    if rollback:
        return (PromotionState.SUCCEEDED,), (PromotionState.ROLLING_BACK,)
    return (PromotionState.APPROVED, PromotionState.FAILED), (PromotionState.EXECUTING, PromotionState.PUBLISHED)


def cancellation(session: Session, promotion: Promotion) -> PromotionCancelled | None:
    """That a person has said that the promotion shall not happen, for a run to raise; None: nobody has."""
    if promotion.cancelled_by_user_id is None:
        return None
    return PromotionCancelled(
        promotion_id=str(promotion.id),
        person=session.scalar(select(CentralUser.email).where(CentralUser.id == promotion.cancelled_by_user_id)),
        reason=promotion.cancel_reason,
        environment=promotion.target_environment,
    )


def write_down(
    session: Session,
    promotion: Promotion,
    action: str,
    user: CentralUser | None,
    reason: str | None,
    now: datetime,
    **details: Any,
) -> None:
    """Audit, in the transaction of the session, what a person has decided about a promotion; None: time alone has."""
    append(
        session,
        EnvironmentAccess(
            user_id=None if user is None else user.id,
            environment=promotion.target_environment,
            action=action,
            reason=reason,
            details={"promotion_id": str(promotion.id), "plan_digest": promotion.plan_digest, **details},
            occurred_at=now,
        ),
    )


def move(promotion: Promotion, to: PromotionState) -> None:
    """Put a promotion into another state.

    Raises:
        PromotionRefused: no such move is legal.
    """
    state = PromotionState(promotion.state)
    if to not in LEGAL_MOVES[state]:
        raise PromotionRefused(promotion_id=str(promotion.id), act=f"made {to}", reason=f"it is {state}")
    promotion.state = to
