"""Frozen and held paths: nothing is executed along them, and everything else goes on."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from tests.promotion.gate import NOW, approved, audited, planned, state
from tests.promotion.world import World
from wisqu_pipelines.errors import (
    BadInput,
    FreezeNotFound,
    FreezeRefused,
    NotPermitted,
    PathFrozen,
    PathHeld,
    PathRefused,
    PromotionRefused,
    UnknownEnvironment,
)
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN, TESTER
from wisqu_pipelines.identity.models import CentralUser
from wisqu_pipelines.promotion.freezes import FreezeService, Override
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.promotion.windows import OneOff, Recurring
from wisqu_pipelines.storage.memory import ManualClock

HOUR = timedelta(hours=1)
STAGE = "dev->stage"


def freeze(world: World, path: str = STAGE, reason: str = "end of the year") -> UUID:
    """Freeze a path for an hour, beginning now."""
    now = world.services.clock.now()
    return world.services.freezes.add(path, OneOff(now, now + HOUR), ADMIN, reason)


def execute(world: World, promotion: UUID) -> PromotionState:
    return world.services.promotions.execute(promotion, run_id="test").state


def once(step: str, act: Callable[[], object]) -> Callable[..., None]:
    """A progress that does something when a step is told of for the first time."""
    told: list[str] = []

    def tell(name: str, *_: object, **__: object) -> None:
        if name == step and not told:
            told.append(name)
            act()

    return tell


def test_a_frozen_path_lets_nothing_begin_and_the_promotion_waits(timed: World, clock: ManualClock) -> None:
    promotion = approved(timed)
    made = freeze(timed)
    with pytest.raises(PathFrozen) as refused:
        execute(timed, promotion)
    for said in (STAGE, "2026-03-01 13:00 UTC", "end of the year", str(made), f"wisqu freeze override {promotion}"):
        assert said in str(refused.value)
    assert state(timed, promotion) == PromotionState.APPROVED
    assert timed.services.promotions.ready() == []
    assert timed.state("stage")["objects"] == {}
    clock.advance(HOUR)
    assert timed.services.promotions.ready() == [promotion]
    assert execute(timed, promotion) == PromotionState.SUCCEEDED


def test_a_freeze_is_of_one_path(timed: World) -> None:
    freeze(timed, "dev->prod")
    assert execute(timed, approved(timed)) == PromotionState.SUCCEEDED


def test_a_recurring_freeze_by_its_time_zone(timed: World, clock: ManualClock) -> None:
    promotion = approved(timed)
    timed.services.freezes.add(STAGE, Recurring("0 18 * * *", 2 * HOUR, "Europe/Berlin"), ADMIN, "the evening")
    for hours, frozen in ((4.99, False), (5, True), (6.99, True), (7, False), (29, True)):
        clock.set(NOW + timedelta(hours=hours))  # 17:00 UTC is 18:00 in Berlin in winter
        assert (timed.services.promotions.ready() == []) is frozen, hours
    with pytest.raises(PathFrozen, match="20:00 CET"):
        execute(timed, promotion)
    clock.set(NOW + timedelta(days=30, hours=4))
    assert timed.services.freezes.list(STAGE)[0].in_force_until is not None, "16:00 UTC in summer"


def test_a_freeze_that_begins_on_the_way_stops_it_before_anything_is_visible(timed: World, clock: ManualClock) -> None:
    promotion = approved(timed)
    before = timed.state("stage"), timed.state("dev")
    with pytest.raises(PathFrozen):
        timed.services.promotions.execute(promotion, run_id="test", progress=once("stage", lambda: freeze(timed)))
    assert (timed.state("stage"), timed.state("dev")) == before
    assert state(timed, promotion) == PromotionState.APPROVED
    clock.advance(HOUR)
    assert execute(timed, promotion) == PromotionState.SUCCEEDED


def test_what_is_published_is_finished_in_a_freeze(timed: World) -> None:
    promotion = approved(timed)
    done = timed.services.promotions.execute(promotion, run_id="test", progress=once("reveal", lambda: freeze(timed)))
    assert done.state == PromotionState.SUCCEEDED


def test_a_crash_after_the_commit_point_is_finished_in_a_freeze(timed: World) -> None:
    promotion = approved(timed)

    class Crash(BaseException):
        pass

    def crash() -> None:
        raise Crash

    with pytest.raises(Crash):
        timed.services.promotions.execute(promotion, run_id="test", progress=once("reveal", crash))
    assert state(timed, promotion) == PromotionState.PUBLISHED
    freeze(timed)
    assert execute(timed, promotion) == PromotionState.SUCCEEDED


def test_a_rollback_is_neither_frozen_nor_held(timed: World) -> None:
    before = timed.state("stage")
    promotion = approved(timed)
    execute(timed, promotion)
    freeze(timed)
    with timed.services.control.begin() as session:
        FreezeService.hold(session, STAGE, promotion, "two points differ", NOW)
    back = timed.services.promotions.rollback_promotion(promotion, timed.person(), "in the middle of a freeze")
    assert back.state == PromotionState.ROLLED_BACK
    assert timed.state("stage") == before


def test_a_freeze_is_ended_by_a_person_with_a_reason(timed: World) -> None:
    promotion = approved(timed)
    made = freeze(timed)
    end = timed.services.freezes.end
    with pytest.raises(NotPermitted, match="tester"):
        end(made, TESTER, "I want to")
    with pytest.raises(BadInput, match="reason"):
        end(made, ADMIN, " ")
    with pytest.raises(FreezeNotFound):
        end(uuid4(), ADMIN, "which?")
    end(made, SUPERADMIN, "the release is out")
    with pytest.raises(FreezeRefused, match="ended before"):
        end(made, ADMIN, "again")
    assert timed.services.promotions.ready() == [promotion]
    assert timed.services.freezes.list() == []
    [ended] = timed.services.freezes.list(STAGE, ended=True)
    assert (ended.ended_by, ended.end_reason, ended.in_force_until) == (SUPERADMIN, "the release is out", None)


def test_freezing_takes_a_role_a_reason_and_a_path(timed: World) -> None:
    add, when = timed.services.freezes.add, OneOff(NOW, NOW + HOUR)
    with pytest.raises(NotPermitted, match="tester"):
        add(STAGE, when, TESTER, "why")
    with pytest.raises(NotPermitted, match="developer"):
        add("stage->prod", when, DEVELOPER, "why")
    with pytest.raises(BadInput, match="reason"):
        add(STAGE, when, ADMIN, "")
    with pytest.raises(BadInput, match="over already"):
        add(STAGE, OneOff(NOW - HOUR, NOW), ADMIN, "why")
    with pytest.raises(PathRefused):
        add("prod->dev", when, ADMIN, "why")
    with pytest.raises(UnknownEnvironment):
        add("prod", when, ADMIN, "why")
    assert timed.services.freezes.list() == []
    assert audited(timed, "path_frozen") == []


def test_an_override_takes_two_people(timed: World) -> None:
    promotion, other = approved(timed), approved(timed)
    freeze(timed)
    override = timed.services.freezes.override
    with pytest.raises(NotPermitted, match="tester"):
        override(promotion, TESTER, "why")
    with pytest.raises(BadInput, match="reason"):
        override(promotion, ADMIN, " ")
    assert override(promotion, ADMIN, "a wrong law is in it") == Override.ASKED
    waits_for = timed.services.promotions.status(promotion).waits_for
    assert f"{ADMIN} has said so (a wrong law is in it), and another one has not yet" in (waits_for or "")
    with pytest.raises(PromotionRefused, match="takes a second person"):
        override(promotion, ADMIN, "really")
    with pytest.raises(PathFrozen):
        execute(timed, promotion)
    assert timed.services.promotions.ready() == []
    with pytest.raises(NotPermitted, match="tester"):
        override(promotion, TESTER, "yes")
    assert override(promotion, DEVELOPER, "I have read it") == Override.CONFIRMED
    with pytest.raises(PromotionRefused, match="has said so already"):
        override(promotion, SUPERADMIN, "me too")
    assert timed.services.promotions.ready() == [promotion]
    assert execute(timed, promotion) == PromotionState.SUCCEEDED
    with pytest.raises(PathFrozen):
        execute(timed, other)
    [asked], [confirmed] = audited(timed, "freeze_override_asked"), audited(timed, "freeze_override_confirmed")
    assert (asked.user_id, asked.reason) == (timed.person(ADMIN), "a wrong law is in it")
    assert (confirmed.user_id, confirmed.reason) == (timed.person(DEVELOPER), "I have read it")


@pytest.mark.parametrize("person", [ADMIN, DEVELOPER])
def test_an_override_ends_with_the_role_of_either(timed: World, person: str) -> None:
    promotion = planned(timed)
    timed.services.approvals.grant(promotion, SUPERADMIN)
    freeze(timed)
    for each in (ADMIN, DEVELOPER):
        timed.services.freezes.override(promotion, each, "why")
    with timed.services.control.begin() as session:
        session.execute(update(CentralUser).where(CentralUser.email == person).values(stage_role="tester"))
    with pytest.raises(PathFrozen):
        execute(timed, promotion)


def test_an_override_is_for_one_occurrence_of_one_freeze(timed: World, clock: ManualClock) -> None:
    promotion = approved(timed)
    timed.services.freezes.add(STAGE, Recurring("0 12 * * *", HOUR, "UTC"), ADMIN, "every noon")
    for person in (ADMIN, SUPERADMIN):
        timed.services.freezes.override(promotion, person, "why")
    assert timed.services.promotions.ready() == [promotion]
    freeze(timed, reason="and this")
    assert timed.services.promotions.ready() == [], "another freeze"
    clock.advance(timedelta(days=1))
    assert timed.services.promotions.ready() == [], "the next noon"
    assert timed.services.freezes.override(promotion, ADMIN, "again") == Override.ASKED
    clock.advance(HOUR)
    assert timed.services.promotions.ready() == [promotion]
    with pytest.raises(PromotionRefused, match="not frozen now"):
        timed.services.freezes.override(promotion, SUPERADMIN, "what for")


def test_what_has_happened_needs_no_override(timed: World) -> None:
    promotion = approved(timed)
    execute(timed, promotion)
    freeze(timed)
    with pytest.raises(PromotionRefused, match="it is succeeded"):
        timed.services.freezes.override(promotion, ADMIN, "why")


def test_a_held_path_waits_for_a_person(timed: World, clock: ManualClock) -> None:
    culprit, promotion = approved(timed), approved(timed)
    with timed.services.control.begin() as session:
        for _ in range(2):  # a crash between writing it and closing the promotion repeats it
            FreezeService.hold(session, STAGE, culprit, "two points differ", clock.now())
    clock.advance(timedelta(days=1))
    with pytest.raises(PathHeld) as held:
        execute(timed, promotion)
    for said in (str(culprit), "two points differ", f'wisqu freeze release "{STAGE}" --as'):
        assert said in str(held.value)
    assert state(timed, promotion) == PromotionState.APPROVED
    assert timed.services.promotions.ready() == []
    with pytest.raises(PromotionRefused, match="not frozen now"):
        timed.services.freezes.override(promotion, ADMIN, "nobody may")
    release = timed.services.freezes.release
    with pytest.raises(NotPermitted, match="tester"):
        release(STAGE, TESTER, "why")
    with pytest.raises(BadInput, match="reason"):
        release(STAGE, ADMIN, " ")
    with pytest.raises(BadInput, match="nothing holds"):
        release("stage->prod", ADMIN, "why")
    assert [each.promotion_id for each in timed.services.freezes.holds()] == [culprit]
    assert release(STAGE, ADMIN, "the index was rebuilt") == [culprit]
    assert timed.services.freezes.holds(STAGE) == []
    assert execute(timed, promotion) == PromotionState.SUCCEEDED
    [placed], [released] = audited(timed, "path_held"), audited(timed, "path_released")
    assert (placed.environment, placed.user_id, placed.reason) == ("stage", None, "two points differ")
    assert (released.user_id, released.reason) == (timed.person(ADMIN), "the index was rebuilt")


def test_a_path_is_held_again_by_the_next_that_does_not_pass(timed: World) -> None:
    promotion = approved(timed)
    for _ in range(2):
        with timed.services.control.begin() as session:
            FreezeService.hold(session, STAGE, promotion, "it differs", NOW)
        timed.services.freezes.release(STAGE, ADMIN, "looked at")
    assert len(audited(timed, "path_released")) == 2


def test_freezes_are_listed_with_their_times(timed: World, clock: ManualClock) -> None:
    once_made = freeze(timed, "stage->prod")
    clock.advance(timedelta(minutes=1))
    timed.services.freezes.add(STAGE, Recurring("0 18 * * FRI", 62 * HOUR, "Europe/Berlin"), ADMIN, "weekends")
    first, second = timed.services.freezes.list()
    assert (first.freeze_id, first.in_force_until, first.made_by) == (once_made, NOW + HOUR, ADMIN)
    assert first.when == "2026-03-01 12:00 UTC until 2026-03-01 13:00 UTC"
    assert second.when == "'0 18 * * FRI' for 62 h (Europe/Berlin)"
    assert second.in_force_until is not None, "NOW is a Sunday"
    assert [row.details["when"] for row in audited(timed, "path_frozen") if row.details] == [first.when, second.when]
