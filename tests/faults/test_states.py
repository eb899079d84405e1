"""Approve, edit, preview, execute, cancel, crash, resume, roll back, delete, in any order, against a simple model."""

from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

import pytest
from hypothesis import HealthCheck, seed
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.faults.budget import budget
from tests.faults.invariants import Underway, invariants, look
from tests.faults.points import Killed
from tests.faults.scenario import ENDS, SOURCE, TARGET, edited
from tests.faults.worlds import OVER, FaultWorld, memory_world
from tests.fixtures.stack import Stack
from tests.promotion.world import World
from wisqu_pipelines.errors import PlanStale, PromotionCancelled, PromotionRefused, RollbackRefused
from wisqu_pipelines.identity.demo_people import DEVELOPER
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.promotion.publishing import receipt
from wisqu_pipelines.settings import Settings

EMPTY = "empty"
DOCUMENTS = 4
STEPS = 20
CALLS = 200
"""About how many things a promotion does that it can die after."""


Said: TypeAlias = tuple[str, bool, bool, tuple[UUID, str] | None]
"""Text, whether it is approved, whether it is deleted, and what stands in the target."""


@dataclass
class Document:
    """What the model knows of one document of the source."""

    text: str
    approved: bool = True
    deleted: bool = False
    there: list[tuple[UUID, str]] = field(default_factory=list)
    """What stands in the target, on top of what it replaced: promotion and text."""

    def seen(self) -> Said:
        """All that a plan says about it."""
        return self.text, self.approved, self.deleted, self.there[-1] if self.there else None


@dataclass
class Planned:
    """What the model knows of one promotion."""

    plan: dict[UUID, Said]
    state: PromotionState = PromotionState.PLANNED


class Machine(RuleBasedStateMachine):
    """Real services on a world that is put back before each example."""

    def __init__(self, world: FaultWorld) -> None:
        super().__init__()
        self._world = world
        world.restore(EMPTY)
        self._plain: World = world.plain()
        self._documents: dict[UUID, Document] = {}
        self._promotions: dict[UUID, Planned] = {}
        self._crashed: UUID | None = None
        self._is_cancelled = False
        self._texts = 0

    @initialize()
    def begin(self) -> None:
        for _ in range(2):
            self.add()

    @precondition(lambda self: not self._crashed and len(self._documents) < DOCUMENTS)
    @rule()
    def add(self) -> None:
        text = self._text()
        self._documents[self._plain.document(f"{len(self._documents)}.md", text, chunks=2)] = Document(text)

    @precondition(lambda self: not self._crashed and self._alive())
    @rule(data=st.data())
    def edit(self, data: st.DataObject) -> None:
        document = data.draw(st.sampled_from(self._alive()))
        text = self._text()
        edited(self._world, document, text)
        self._documents[document].text = text
        self._documents[document].approved = True

    @precondition(lambda self: not self._crashed and len(self._alive()) > 1)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        document = data.draw(st.sampled_from(self._alive()))
        self._plain.change(document, SOURCE, is_deleted=True)
        self._documents[document].deleted = True

    @precondition(lambda self: not self._crashed and self._going())
    @rule(at_once=st.sampled_from((True, True, False)))
    def preview(self, at_once: bool) -> None:
        """Preview, and mostly approve at once."""
        planned = self._plain.services.promotions.preview_promotion(
            "rag_documents", SOURCE, TARGET, requested_by_user_id=self._plain.person()
        )
        going = self._going()
        assert planned.total_count == 2 * len(going)
        known = self._promotions.setdefault(planned.promotion_id, Planned(going))
        if at_once and known.state == PromotionState.PLANNED:
            self._approve(planned.promotion_id)

    @precondition(lambda self: not self._crashed and self._in(PromotionState.PLANNED))
    @rule(data=st.data())
    def approve(self, data: st.DataObject) -> None:
        self._approve(data.draw(st.sampled_from(self._in(PromotionState.PLANNED))))

    @precondition(lambda self: not self._crashed and self._in(PromotionState.APPROVED))
    @rule(data=st.data(), calls=st.none() | st.integers(1, CALLS))
    def execute(self, data: st.DataObject, calls: int | None) -> None:
        """Execute, and crash after so many calls."""
        promotion = data.draw(st.sampled_from(self._in(PromotionState.APPROVED)))
        if calls is None or self._is_stale(promotion):
            self._finish(promotion, "first")
            return
        started = self._world.start(dies_after=calls)
        try:
            started.services.promotions.execute(promotion, run_id="first")
        except Killed:
            self._crashed = promotion
        else:
            self._has_happened(promotion)
        self._plain = self._world.plain()

    @precondition(lambda self: not self._crashed and self._promotions)
    @rule(data=st.data())
    def execute_what_may_not_be(self, data: st.DataObject) -> None:
        self._finish(data.draw(st.sampled_from(list(self._promotions))), "first")

    @precondition(lambda self: not self._crashed and self._in(PromotionState.PLANNED, PromotionState.APPROVED))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        promotion = data.draw(st.sampled_from(self._in(PromotionState.PLANNED, PromotionState.APPROVED)))
        self._plain.services.cancellations.cancel(promotion, DEVELOPER, "not wanted")
        self._promotions[promotion].state = PromotionState.REJECTED

    @precondition(lambda self: self._crashed and not self._is_cancelled)
    @rule()
    def cancel_what_crashed(self) -> None:
        assert self._crashed is not None
        try:
            state = self._plain.services.cancellations.cancel(self._crashed, DEVELOPER, "not wanted")
        except PromotionRefused:
            assert self._has_published(self._crashed)
        else:
            self._is_cancelled = state == PromotionState.EXECUTING
            if not self._is_cancelled:  # the run had not claimed it yet
                self._promotions[self._crashed].state = state
                self._crashed = None

    @precondition(lambda self: self._crashed)
    @rule()
    def resume(self) -> None:
        assert self._crashed is not None
        stops = self._is_cancelled and not self._has_published(self._crashed)
        promotion, self._crashed, self._is_cancelled = self._crashed, None, False
        self._world.clock.advance(OVER)
        if stops:
            with pytest.raises(PromotionCancelled):
                self._plain.services.promotions.execute(promotion, run_id="second")
            self._promotions[promotion].state = PromotionState.REJECTED
        else:
            self._finish(promotion, "second")

    @precondition(lambda self: not self._crashed and self._in(PromotionState.SUCCEEDED))
    @rule(data=st.data())
    def roll_back(self, data: st.DataObject) -> None:
        self._take_back(data.draw(st.sampled_from(self._in(PromotionState.SUCCEEDED))))

    @precondition(lambda self: not self._crashed and self._promotions)
    @rule(data=st.data())
    def roll_back_what_may_not_be(self, data: st.DataObject) -> None:
        self._take_back(data.draw(st.sampled_from(list(self._promotions))))

    @invariant()
    def readers_see_what_the_model_says(self) -> None:
        found = look(self._world, *ENDS)
        underway = Underway.PROMOTION if self._crashed else Underway.NOTHING
        assert not (problems := invariants(found, underway)), problems
        rows = {row["id"]: row for row in found[TARGET].visible("stored_files")}
        seen = {
            row["source_id"]: found[TARGET].objects[rows[row["file_id"]]["object_name"]].decode()
            for row in found[TARGET].visible("rag_documents")
        }
        now = {id_: each.there[-1][1] for id_, each in self._documents.items() if each.there}
        coming = self._promotions[self._crashed].plan if self._crashed else {}
        assert seen in (now, now | {id_: said[0] for id_, said in coming.items()})

    def _take_back(self, promotion: UUID) -> None:
        planned, promotions = self._promotions[promotion], self._plain.services.promotions
        if planned.state == PromotionState.ROLLED_BACK:
            assert promotions.rollback_promotion(promotion, self._plain.person()).state == planned.state
        elif planned.state != PromotionState.SUCCEEDED:
            with pytest.raises(PromotionRefused):
                promotions.rollback_promotion(promotion, self._plain.person())
        elif any(self._documents[id_].there[-1:] != [(promotion, seen[0])] for id_, seen in planned.plan.items()):
            with pytest.raises(RollbackRefused):
                promotions.rollback_promotion(promotion, self._plain.person())
        else:
            promotions.rollback_promotion(promotion, self._plain.person())
            planned.state = PromotionState.ROLLED_BACK
            for id_ in planned.plan:
                self._documents[id_].there.pop()
                self._documents[id_].approved = True

    def _approve(self, promotion: UUID) -> None:
        assert self._plain.services.approvals.grant(promotion, DEVELOPER) == PromotionState.APPROVED
        self._promotions[promotion].state = PromotionState.APPROVED

    def _going(self) -> dict[UUID, Said]:
        """What a preview of everything plans."""
        return {id_: each.seen() for id_, each in self._documents.items() if each.approved and not each.deleted}

    def _finish(self, promotion: UUID, run_id: str) -> None:
        planned, promotions = self._promotions[promotion], self._plain.services.promotions
        if planned.state != PromotionState.APPROVED:
            with pytest.raises(PromotionRefused):
                promotions.execute(promotion, run_id=run_id)
        elif self._is_stale(promotion):
            with pytest.raises(PlanStale):
                promotions.execute(promotion, run_id=run_id)
            planned.state = PromotionState.REFUSED
        else:
            assert promotions.execute(promotion, run_id=run_id).state == PromotionState.SUCCEEDED
            self._has_happened(promotion)

    def _has_happened(self, promotion: UUID) -> None:
        planned = self._promotions[promotion]
        planned.state = PromotionState.SUCCEEDED
        for id_, (text, *_) in planned.plan.items():
            self._documents[id_].there.append((promotion, text))
            self._documents[id_].approved = False

    def _is_stale(self, promotion: UUID) -> bool:
        return any(self._documents[id_].seen() != seen for id_, seen in self._promotions[promotion].plan.items())

    def _alive(self) -> list[UUID]:
        return [id_ for id_, each in self._documents.items() if not each.deleted]

    def _in(self, *states: PromotionState) -> list[UUID]:
        return [id_ for id_, each in self._promotions.items() if each.state in states]

    def _has_published(self, promotion: UUID) -> bool:
        """Whether the receipt stands in the target, which alone decides."""
        with self._plain.services.environments[TARGET].database.begin() as session:
            return receipt(session, promotion) is not None

    def _text(self) -> str:
        self._texts += 1
        return f"text {self._texts}"


def test_any_order_of_acts_agrees_with_the_model(stack: Stack, settings: Settings) -> None:
    asked = budget()
    print(f"\nseed {asked.seed}: {asked.examples} examples of {STEPS} steps")
    with memory_world(stack.site, settings) as world:
        world.save(EMPTY)

        @seed(asked.seed)
        class InThisWorld(Machine):
            def __init__(self) -> None:
                super().__init__(world)

        run_state_machine_as_test(
            InThisWorld,
            settings=examples(
                max_examples=asked.examples,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
