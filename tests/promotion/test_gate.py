"""The gate: who may say yes, how often, for how long, and whose yes still counts when it is executed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from tests.promotion.world import World
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.errors import BadInput, NotPermitted, PlanStale, PromotionRefused, UnknownPerson
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN, TESTER
from wisqu_pipelines.identity.models import CentralUser
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.settings import load
from wisqu_pipelines.storage.memory import ManualClock

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def timed(services: Services, clock: ManualClock) -> Iterator[World]:
    with open_services(services.settings, clock) as opened:
        yield World(opened)


def planned(world: World, target: str = "stage", person: str | None = DEVELOPER) -> UUID:
    world.document()
    asks = world.person(person) if person else None
    return world.services.promotions.preview_promotion(
        "rag_documents", "dev", target, requested_by_user_id=asks
    ).promotion_id


def test_dev_to_stage_takes_one_and_it_may_be_ones_own(world: World) -> None:
    promotion = planned(world)
    with pytest.raises(NotPermitted, match=r"tariq.*tester"):
        world.services.approvals.grant(promotion, TESTER)
    with pytest.raises(UnknownPerson, match=r"eve@example\.org"):
        world.services.approvals.grant(promotion, "eve@example.org")
    assert world.services.approvals.pending() == [promotion]
    assert world.services.promotions.ready() == []
    assert world.services.approvals.grant(promotion, DEVELOPER) == PromotionState.APPROVED
    assert world.services.promotions.ready() == [promotion]
    assert world.services.approvals.pending() == []


def test_dev_to_prod_takes_two_others_who_are_admins(world: World) -> None:
    promotion = planned(world, "prod", ADMIN)
    with pytest.raises(NotPermitted, match="developer"):
        world.services.approvals.grant(promotion, DEVELOPER)
    with pytest.raises(NotPermitted, match="asked for it themselves"):
        world.services.approvals.grant(promotion, ADMIN)
    assert world.services.approvals.grant(promotion, SUPERADMIN) == PromotionState.PLANNED
    with pytest.raises(PromotionRefused, match="decided already"):
        world.services.approvals.grant(promotion, SUPERADMIN)
    with pytest.raises(PromotionRefused, match="not approved yet"):
        world.services.promotions.execute(promotion, run_id="test")
    with world.services.control.begin() as session:
        session.add(
            CentralUser(email="two@demo.wisqu.com", environment_access=["prod"], prod_role="admin", is_active=True)
        )
    assert world.services.approvals.grant(promotion, "two@demo.wisqu.com") == PromotionState.APPROVED


def test_nobody_approves_for_prod_what_nobody_is_known_to_have_asked_for(world: World) -> None:
    promotion = planned(world, "prod", None)
    with pytest.raises(NotPermitted, match="not known who asked"):
        world.services.approvals.grant(promotion, SUPERADMIN)


def test_an_approval_ends_with_its_time(timed: World, clock: ManualClock) -> None:
    promotion = planned(timed)
    timed.services.approvals.grant(promotion, DEVELOPER)
    clock.advance(timedelta(hours=168) - timedelta(seconds=1))
    assert timed.services.promotions.ready() == [promotion]
    clock.advance(timedelta(seconds=1))
    assert timed.services.promotions.ready() == []
    with pytest.raises(PromotionRefused, match="0 of its approvals count"):
        timed.services.promotions.execute(promotion, run_id="test")
    assert timed.services.promotions.status(promotion).state == PromotionState.REFUSED
    assert timed.state("stage")["points"] == {}


@pytest.mark.parametrize("loss", [{"is_active": False}, {"stage_role": "tester"}, {"environment_access": ["dev"]}])
def test_an_approval_ends_with_its_givers_role(world: World, loss: dict[str, object]) -> None:
    promotion = planned(world)
    world.services.approvals.grant(promotion, ADMIN)
    with world.services.control.begin() as session:
        session.execute(update(CentralUser).where(CentralUser.email == ADMIN).values(**loss))
    assert world.services.promotions.ready() == []
    with pytest.raises(PromotionRefused, match="0 of its approvals count"):
        world.services.promotions.execute(promotion, run_id="test")


def test_a_rejection_is_final_and_needs_a_reason(world: World) -> None:
    promotion = planned(world)
    with pytest.raises(PromotionRefused, match="says why"):
        world.services.approvals.reject(promotion, ADMIN, "  ")
    with pytest.raises(BadInput, match="control characters"):
        world.services.approvals.reject(promotion, ADMIN, "no\0")
    assert world.services.approvals.reject(promotion, ADMIN, "wrong edition") == PromotionState.REJECTED
    for person in (DEVELOPER, SUPERADMIN):
        with pytest.raises(PromotionRefused, match="rejected"):
            world.services.approvals.grant(promotion, person)
    with pytest.raises(PromotionRefused, match="wrong edition"):
        world.services.promotions.execute(promotion, run_id="test")


def test_a_changed_policy_voids_the_plan(world: World) -> None:
    promotion = planned(world)
    world.services.approvals.grant(promotion, DEVELOPER)
    paths = {name: path.model_dump() for name, path in world.services.settings.paths.items()}
    paths["dev->stage"]["approval_hours"] = 12
    with (
        open_services(load(paths=paths)) as changed,
        pytest.raises(PlanStale, match="the policy of dev->stage changed"),
    ):
        changed.promotions.execute(promotion, run_id="test")


def test_who_asks_must_belong_to_one_end(world: World) -> None:
    with world.services.control.begin() as session:
        session.add(CentralUser(email="prod-only@demo.wisqu.com", environment_access=["prod"], prod_role="user"))
    with pytest.raises(NotPermitted, match="access to neither end"):
        planned(world, "stage", "prod-only@demo.wisqu.com")
