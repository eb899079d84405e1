"""The gate: who may say yes, how often, for how long, and whose yes still counts when it is executed."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from tests.promotion.gate import approved, other_policy, planned, state
from tests.promotion.world import World
from wisqu_pipelines.errors import BadInput, NotPermitted, PlanStale, PromotionRefused, UnknownPerson
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN, TESTER
from wisqu_pipelines.identity.models import CentralUser
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.storage.memory import ManualClock


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


def test_a_plan_that_would_write_nothing_waits_for_nobody(world: World) -> None:
    made = world.services.promotions.preview_promotion("rag_documents", "dev", "stage")
    assert made.total_count == 0
    assert world.services.approvals.pending() == []
    report = world.services.promotions.status(made.promotion_id)
    assert (report.state, report.is_empty, report.standing) == (PromotionState.PLANNED, True, "nothing to do")
    with pytest.raises(PromotionRefused, match="its plan moves nothing"):
        world.services.promotions.execute(made.promotion_id, run_id="test")
    other = world.services.promotions.status(planned(world))
    assert (other.is_empty, other.standing) == (False, "planned")


def test_a_plan_that_nobody_who_is_known_asked_for_waits_where_somebody_may_approve_it(world: World) -> None:
    to_stage, to_prod = planned(world, person=None), planned(world, "prod", None)
    assert world.services.approvals.pending() == [to_stage]
    with pytest.raises(NotPermitted, match="it is not known who asked for it"):
        world.services.approvals.grant(to_prod, SUPERADMIN)


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
    anew = timed.services.promotions.preview_promotion(
        "rag_documents", "dev", "stage", requested_by_user_id=timed.person()
    )
    assert anew.promotion_id != promotion, "who has approved the one cannot do it again"
    assert timed.services.approvals.grant(anew.promotion_id, DEVELOPER) == PromotionState.APPROVED
    assert timed.services.promotions.ready() == [anew.promotion_id]
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


@pytest.mark.parametrize("change", [{"approval_hours": 12}, {"approvals": 2}, {"approver_roles": ("admin",)}])
def test_a_changed_policy_voids_the_plan(world: World, change: dict[str, object]) -> None:
    waiting, decided = planned(world), approved(world)
    with other_policy("dev->stage", **change) as changed:
        with pytest.raises(PlanStale, match=rf"of dev->stage changed \({next(iter(change))}: .* → ") as stale:
            changed.approvals.grant(waiting, ADMIN)
        assert stale.value.details["changes"].count(" → ") == 1, "what stayed is not named"
        with pytest.raises(PlanStale, match="the policy of dev->stage changed"):
            changed.promotions.execute(decided, run_id="test")
    assert (state(world, waiting), state(world, decided)) == (PromotionState.PLANNED, PromotionState.REFUSED)
    assert world.state("stage")["points"] == {}


def test_an_edited_item_voids_the_plan_and_its_approvals_count_for_no_other(world: World) -> None:
    old = approved(world, "prod")
    [document] = [UUID(each) for each in world.state("dev")["rows"]["rag_documents"]]
    world.edit(document, "another text")
    new = world.services.promotions.preview_promotion(
        "rag_documents", "dev", "prod", requested_by_user_id=world.person()
    ).promotion_id
    assert new != old
    assert world.services.approvals.standing(new) == []
    with pytest.raises(PromotionRefused, match="not approved yet"):
        world.services.promotions.execute(new, run_id="test")
    with pytest.raises(PlanStale, match=r"guide\.md"):
        world.services.promotions.execute(old, run_id="test")
    assert state(world, old) == PromotionState.REFUSED
    assert world.state("prod")["points"] == {}
    assert world.services.approvals.grant(new, ADMIN) == PromotionState.PLANNED, "the first of two"


def test_a_changed_target_voids_the_plan(world: World) -> None:
    done = approved(world)
    world.services.promotions.execute(done, run_id="test")
    [document] = [UUID(each) for each in world.state("dev")["rows"]["rag_documents"]]
    world.edit(document, "the next edition")
    update_of_it = world.services.promotions.preview_promotion(
        "rag_documents", "dev", "stage", requested_by_user_id=world.person()
    ).promotion_id
    world.services.approvals.grant(update_of_it, ADMIN)
    [twin] = [UUID(each) for each in world.state("stage")["rows"]["rag_documents"]]
    world.change(twin, "stage", title="edited there since")
    with pytest.raises(PlanStale, match=r"guide\.md"):
        world.services.promotions.execute(update_of_it, run_id="test")
    assert state(world, update_of_it) == PromotionState.REFUSED


def test_who_asks_must_belong_to_one_end(world: World) -> None:
    with world.services.control.begin() as session:
        session.add(CentralUser(email="prod-only@demo.wisqu.com", environment_access=["prod"], prod_role="user"))
    with pytest.raises(NotPermitted, match="access to neither end"):
        planned(world, "stage", "prod-only@demo.wisqu.com")
