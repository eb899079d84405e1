"""Approvals that the identity service has not signed: whoever writes them into the database, they approve nothing."""

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, text, update

from tests.promotion.gate import approved, planned, state
from tests.promotion.world import World
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import PromotionRefused
from wisqu_pipelines.identity.demo_people import ADMIN, SUPERADMIN
from wisqu_pipelines.identity.keys import APPROVALS, KeyRing
from wisqu_pipelines.promotion.models import Promotion, PromotionApproval, PromotionState
from wisqu_pipelines.promotion.signatures import ApprovalSignatures


def as_owner(world: World, act: Callable[[Database], None]) -> None:
    """What somebody does who owns the control database, past its triggers."""
    with closing(Database(world.services.settings.control.database, owner=True)) as owner:
        act(owner)


def row(world: World, promotion: UUID, person: str = ADMIN) -> PromotionApproval:
    """An approval as its forger would write it: right in everything but the signature."""
    now = world.services.clock.now()
    with world.services.control.begin() as session:
        digest = session.get_one(Promotion, promotion).plan_digest
    return PromotionApproval(
        promotion_id=promotion,
        user_id=world.person(person),
        plan_digest=digest,
        decision="approve",
        role="admin",
        reason="forged",
        decided_at=now,
        expires_at=now + timedelta(hours=100),
    )


def slip_in(world: World, promotion: UUID, approval: PromotionApproval) -> None:
    """Write the approval into the database, and the state that it would lead to."""
    values = {name: getattr(approval, name) for name in PromotionApproval.__table__.columns.keys()}  # noqa: SIM118

    def write(owner: Database) -> None:
        with owner.begin() as session:
            session.execute(text("ALTER TABLE promotions DISABLE TRIGGER USER"))
            session.execute(text("ALTER TABLE promotion_approvals DISABLE TRIGGER USER"))
            session.execute(insert(PromotionApproval).values(**values))
            session.execute(update(Promotion).where(Promotion.id == promotion).values(state="approved"))
            session.execute(text("ALTER TABLE promotions ENABLE TRIGGER USER"))
            session.execute(text("ALTER TABLE promotion_approvals ENABLE TRIGGER USER"))

    as_owner(world, write)


def is_refused(world: World, promotion: UUID) -> None:
    assert world.services.approvals.standing(promotion) == []
    assert world.services.promotions.ready() == []
    before = world.state("stage")
    with pytest.raises(PromotionRefused, match="of its approvals count now"):
        world.services.promotions.execute(promotion, run_id="test")
    assert world.state("stage") == before


def test_an_approval_without_a_signature_approves_nothing(world: World) -> None:
    promotion = planned(world)
    slip_in(world, promotion, row(world, promotion))
    is_refused(world, promotion)


@pytest.mark.parametrize("signature", ["", "x", "a.b.c", "null"])
def test_no_other_text_is_a_signature(world: World, signature: str) -> None:
    promotion = planned(world)
    forged = row(world, promotion)
    forged.signature = signature
    slip_in(world, promotion, forged)
    is_refused(world, promotion)


def test_a_key_that_is_not_in_the_ring_signs_nothing(world: World, tmp_path: Path) -> None:
    promotion = planned(world)
    forged = row(world, promotion)
    KeyRing(tmp_path, APPROVALS).ensure(forged.decided_at)
    identity = world.services.settings.identity.model_copy(update={"keys": tmp_path})
    own = world.services.settings.model_copy(update={"identity": identity})
    forged.signature = ApprovalSignatures(own).sign(forged, "stage")
    slip_in(world, promotion, forged)
    is_refused(world, promotion)


@pytest.mark.parametrize("ring", ["access", "environment-stage"])
def test_a_key_for_something_else_signs_nothing(world: World, ring: str, tmp_path: Path) -> None:
    promotion = planned(world)
    forged = row(world, promotion)
    (tmp_path / APPROVALS).symlink_to(world.services.settings.key_directory / ring)
    identity = world.services.settings.identity.model_copy(update={"keys": tmp_path})
    own = world.services.settings.model_copy(update={"identity": identity})
    forged.signature = ApprovalSignatures(own).sign(forged, "stage")
    slip_in(world, promotion, forged)
    is_refused(world, promotion)


@pytest.mark.parametrize(
    "moved",
    [
        {"promotion_id": uuid4()},
        {"user_id": "another person"},
        {"plan_digest": "0" * 64},
        {"decision": "reject"},
        {"role": "superadmin"},
        {"environment": "prod"},
        {"expires_at": timedelta(hours=1)},
        {"decided_at": timedelta(hours=-1)},
    ],
    ids=lambda moved: next(iter(moved)),
)
def test_a_signature_is_good_for_what_was_signed(world: World, moved: dict[str, object]) -> None:
    promotion = planned(world)
    signed = row(world, promotion)
    environment = "stage"
    for name, value in moved.items():
        if name == "environment":
            environment = str(value)
        elif isinstance(value, timedelta):
            setattr(signed, name, getattr(signed, name) + value)
        else:
            setattr(signed, name, world.person(SUPERADMIN) if name == "user_id" else value)
    signature = ApprovalSignatures(world.services.settings).sign(signed, environment)
    forged = row(world, promotion)
    forged.signature = signature
    slip_in(world, promotion, forged)
    is_refused(world, promotion)


@pytest.mark.parametrize(
    "change",
    [
        "expires_at = expires_at + interval '1 year'",
        "role = 'superadmin'",
        "decided_at = decided_at - interval '1 day'",
    ],
)
def test_an_approval_that_was_changed_counts_no_more(world: World, change: str) -> None:
    promotion = approved(world)

    def write(owner: Database) -> None:
        with owner.begin() as session:
            session.execute(text("ALTER TABLE promotion_approvals DISABLE TRIGGER USER"))
            session.execute(text(f"UPDATE promotion_approvals SET {change}"))  # noqa: S608 - the test's own words
            session.execute(text("ALTER TABLE promotion_approvals ENABLE TRIGGER USER"))

    as_owner(world, write)
    is_refused(world, promotion)


def test_what_people_approved_runs_also_after_a_rotation(world: World) -> None:
    promotion = approved(world)
    world.services.keys[APPROVALS].rotate(world.services.clock.now())
    world.services.promotions.execute(promotion, run_id="test")
    assert state(world, promotion) == PromotionState.SUCCEEDED


def test_a_key_that_is_revoked_takes_its_approvals_along(world: World) -> None:
    promotion = approved(world)
    ring = world.services.keys[APPROVALS]
    signed_with = str(ring.signing_key(world.services.clock.now()).kid)
    ring.rotate(world.services.clock.now() + timedelta(hours=1))
    ring.revoke(signed_with)
    is_refused(world, promotion)
