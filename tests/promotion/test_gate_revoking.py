"""A person takes their yes back: until a run claims the promotion, and not afterwards."""

import pytest

from tests.promotion.gate import approved, audited, planned, state
from tests.promotion.world import World
from wisqu_pipelines.errors import BadInput, PromotionRefused, UnknownPerson
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN
from wisqu_pipelines.promotion.models import PromotionApproval, PromotionState


def test_a_revoked_approval_counts_no_more(world: World) -> None:
    promotion = approved(world)
    assert world.services.approvals.revoke(promotion, ADMIN, "read it again") == PromotionState.PLANNED
    assert world.services.promotions.ready() == []
    assert world.services.approvals.pending() == [promotion]
    assert world.services.approvals.standing(promotion) == []
    with pytest.raises(PromotionRefused, match="not approved yet"):
        world.services.promotions.execute(promotion, run_id="test")
    with pytest.raises(PromotionRefused, match="decided already and taken it back"):
        world.services.approvals.grant(promotion, ADMIN)
    with world.services.control.begin() as session:
        kept = session.get_one(PromotionApproval, (promotion, world.person(ADMIN)))
        assert (kept.decision, kept.reason, kept.revoked_reason) == ("approve", "fine", "read it again")
        assert kept.revoked_at is not None
    assert world.services.approvals.grant(promotion, SUPERADMIN) == PromotionState.APPROVED
    world.services.promotions.execute(promotion, run_id="test")
    assert state(world, promotion) == PromotionState.SUCCEEDED


def test_one_of_two_taken_back_takes_a_third(world: World) -> None:
    promotion = approved(world, "prod")
    assert world.services.approvals.revoke(promotion, SUPERADMIN, "not today") == PromotionState.PLANNED
    assert world.services.approvals.standing(promotion) == [world.person(ADMIN)]
    assert world.services.approvals.revoke(promotion, ADMIN, "nor tomorrow") == PromotionState.PLANNED


def test_a_revocation_is_audited_with_it(world: World) -> None:
    promotion = approved(world)
    world.services.approvals.revoke(promotion, ADMIN, "read it again")
    [row] = audited(world, "promotion_approval_revoked")
    assert (row.user_id, row.environment, row.reason) == (world.person(ADMIN), "stage", "read it again")
    assert row.details is not None
    assert row.details["promotion_id"] == str(promotion)


def test_what_cannot_be_taken_back(world: World) -> None:
    promotion = planned(world)
    revoke = world.services.approvals.revoke
    with pytest.raises(PromotionRefused, match="has not approved it"):
        revoke(promotion, DEVELOPER, "why")
    world.services.approvals.grant(promotion, DEVELOPER)
    with pytest.raises(PromotionRefused, match="says why"):
        revoke(promotion, DEVELOPER, " ")
    with pytest.raises(BadInput, match="control characters"):
        revoke(promotion, DEVELOPER, "no\0")
    with pytest.raises(PromotionRefused, match="has not approved it"):
        revoke(promotion, ADMIN, "somebody else's")
    with pytest.raises(UnknownPerson):
        revoke(promotion, "eve@example.org", "why")
    assert state(world, promotion) == PromotionState.APPROVED
    revoke(promotion, DEVELOPER, "why")
    with pytest.raises(PromotionRefused, match="already"):
        revoke(promotion, DEVELOPER, "again")
    assert len(audited(world, "promotion_approval_revoked")) == 1


def test_not_after_the_claim(world: World) -> None:
    promotion = approved(world)
    refusals: list[str] = []

    def during(*_: object, **__: object) -> None:
        with pytest.raises(PromotionRefused, match="until the claim") as refused:
            world.services.approvals.revoke(promotion, ADMIN, "stop")
        refusals.append(str(refused.value))

    world.services.promotions.execute(promotion, run_id="the-run", progress=during)
    assert any("it is executing, claimed by the run the-run" in each for each in refusals)
    assert state(world, promotion) == PromotionState.SUCCEEDED
    with pytest.raises(PromotionRefused, match="it is succeeded"):
        world.services.approvals.revoke(promotion, ADMIN, "too late")
    assert audited(world, "promotion_approval_revoked") == []


def test_a_no_cannot_be_taken_back(world: World) -> None:
    promotion = planned(world)
    world.services.approvals.reject(promotion, ADMIN, "wrong edition")
    with pytest.raises(PromotionRefused, match="has not approved it"):
        world.services.approvals.revoke(promotion, ADMIN, "I was wrong")
    assert state(world, promotion) == PromotionState.REJECTED
