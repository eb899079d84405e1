"""One trial: something breaks in the middle of an act; then it is gone on with, and what must hold is looked at."""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from tests.faults.invariants import State, Underway, broken_chains, invariants, look
from tests.faults.points import Killed
from tests.faults.scenario import APPROVED, ENDS, PROMOTED, TARGET, Scenario
from tests.faults.worlds import OVER, FaultWorld
from tests.promotion.world import World
from wisqu_pipelines.audit.models import EnvironmentPromotion, ReceiptStatus
from wisqu_pipelines.errors import PromotionRefused, WisquError
from wisqu_pipelines.identity.demo_people import DEVELOPER
from wisqu_pipelines.promotion.models import PromotionState

UNDERWAY = {
    PromotionState.EXECUTING: Underway.PROMOTION,
    PromotionState.PUBLISHED: Underway.PROMOTION,
    PromotionState.ROLLING_BACK: Underway.ROLLBACK,
}


NOT_YET = {PromotionState.APPROVED, PromotionState.EXECUTING, PromotionState.FAILED}
"""It is for the run to finish first, or there is nothing to take back."""
HALF_WAY = {PromotionState.PUBLISHED, PromotionState.ROLLING_BACK}
"""Whether it is resumed or rolled back makes a difference."""


class Act(StrEnum):
    """What is broken."""

    PROMOTE = "promote"
    ROLL_BACK = "roll back"


class Then(StrEnum):
    """What is done after it."""

    RESUME = "resume"
    """It is finished; a promotion is then rolled back all the same, when it has been looked at."""
    ROLL_BACK = "roll back"
    """A person asks for its rollback as it stands."""


def perform(world: World, act: Act, promotion_id: UUID, run_id: str) -> None:
    """Do the whole act, or what is left of it."""
    if act is Act.PROMOTE:
        world.services.promotions.execute(promotion_id, run_id=run_id)
    else:
        world.services.promotions.rollback(promotion_id, run_id=run_id)


class Trial:
    """A saved world in which an act is broken."""

    def __init__(self, world: FaultWorld, scenario: Scenario, act: Act, then: Then) -> None:
        self._world = world
        self._scenario = scenario
        self._act = act
        self._then = then
        self._id = scenario.promotion_id
        self.state: PromotionState | None = None
        """In which the fault left it."""

    def problems(self, broken: Callable[[], None]) -> Iterator[str]:
        """What does not hold after `broken`, which does the act as far as it comes; a sentence each."""
        self._world.restore(APPROVED if self._act is Act.PROMOTE else PROMOTED)
        try:
            broken()
        except (Killed, WisquError):
            pass
        except Exception as error:
            yield f"it raised {_told(error)}"
        self._world.clock.advance(OVER)
        plain = self._world.plain()
        yield from self._after_the_fault(plain)
        try:
            yield from self._go_on(plain)
        except Exception as error:
            yield f"it did not go on: {_told(error)}"

    def _after_the_fault(self, plain: World) -> Iterator[str]:
        """Nothing of half a promotion is seen, and what has not happened cannot be taken back."""
        self.state = plain.services.promotions.status(self._id).state
        found = look(self._world, *ENDS)
        for each in invariants(found, UNDERWAY.get(self.state, Underway.NOTHING)):
            yield f"after the fault ({self.state}): {each}"
        seen, before = found[TARGET].read(), self._scenario.before[TARGET].read()
        if self._act is Act.PROMOTE and seen != before and not self._has_happened(plain):
            yield f"a reader sees something of it before its receipt ({self.state})"
        if self.state in NOT_YET:
            try:
                plain.services.promotions.request_rollback(self._id, DEVELOPER)
            except PromotionRefused:
                return
            yield f"its rollback was accepted, and it is {self.state}"

    def _has_happened(self, plain: World) -> bool:
        query = select(func.count()).where(
            EnvironmentPromotion.promotion_id == self._id, EnvironmentPromotion.status == ReceiptStatus.SUCCESS
        )
        with plain.environment(TARGET).database.snapshot() as session:
            return bool(session.scalar(query))

    def _go_on(self, plain: World) -> Iterator[str]:
        if self._act is Act.PROMOTE and self._then is Then.RESUME:
            self._resume(plain)
            yield from self._as_wanted(self._scenario.after, State.timeless)
        if self._act is Act.PROMOTE or self._then is Then.ROLL_BACK:
            self._ask_to_roll_back(plain)
        result = plain.services.promotions.rollback(self._id, run_id="second")
        if result.state != PromotionState.ROLLED_BACK:
            yield f"the rollback ended as {result.state}"
        yield from self._as_wanted(self._scenario.before, State.whole)

    def _resume(self, plain: World) -> None:
        """Once is enough."""
        if plain.services.promotions.status(self._id).state != PromotionState.SUCCEEDED:
            plain.services.promotions.execute(self._id, run_id="second")

    def _ask_to_roll_back(self, plain: World) -> None:
        """At once if it can be taken back as it stands, and else after it has been finished."""
        try:
            plain.services.promotions.request_rollback(self._id, DEVELOPER)
        except PromotionRefused:
            self._resume(plain)
            plain.services.promotions.request_rollback(self._id, DEVELOPER)

    def _as_wanted(self, wanted: Mapping[str, State], part: Callable[[State], Mapping[str, Any]]) -> Iterator[str]:
        """All invariants hold, and both ends are what they must be."""
        now = look(self._world, *ENDS)
        yield from (f"in the end: {each}" for each in (*invariants(now), *broken_chains(self._world, *ENDS)))
        for name, here in now.items():
            one, other = part(here), part(wanted[name])
            yield from (
                f"in the end {name}'s {each} are not as they must be" for each in one if one[each] != other[each]
            )


def _told(error: Exception) -> str:
    """What kind of error it is, and the first line of what it says."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
