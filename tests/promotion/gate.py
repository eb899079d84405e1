"""What tests of the gate have in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from tests.promotion.world import World
from wisqu_pipelines.audit.models import EnvironmentAccess
from wisqu_pipelines.audit.verification import verify_control
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.settings import load

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def planned(world: World, target: str = "stage", person: str | None = DEVELOPER) -> UUID:
    """A new document's promotion, waiting for approval."""
    world.document()
    asks = world.person(person) if person else None
    return world.services.promotions.preview_promotion(
        "rag_documents", "dev", target, requested_by_user_id=asks
    ).promotion_id


def approved(world: World, target: str = "stage") -> UUID:
    """The same, approved by as many people as it takes."""
    promotion = planned(world, target)
    for person in (ADMIN, SUPERADMIN):
        if world.services.approvals.grant(promotion, person, "fine") == PromotionState.APPROVED:
            break
    return promotion


def state(world: World, promotion: UUID) -> PromotionState:
    return world.services.promotions.status(promotion).state


def audited(world: World, action: str) -> list[EnvironmentAccess]:
    """The audit's rows of an action, in a chain that holds."""
    assert verify_control(world.services.control).holds
    with world.services.control.begin() as session:
        wanted = select(EnvironmentAccess).where(EnvironmentAccess.action == action)
        return list(session.scalars(wanted.order_by(EnvironmentAccess.sequence)))


@contextmanager
def other_policy(path: str, **changes: Any) -> Iterator[Services]:
    """The services of the same world, after somebody has changed a path's policy in the settings."""
    paths = {name: each.model_dump() for name, each in load().paths.items()}
    paths[path] |= changes
    with open_services(load(paths=paths)) as changed:
        yield changed
