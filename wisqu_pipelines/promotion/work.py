"""What a run that has claimed a promotion works with."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.models import EnvironmentAccess
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.ports.objects import ObjectStore
from wisqu_pipelines.promotion.ledger import Claim, Ledger
from wisqu_pipelines.promotion.models import Promotion
from wisqu_pipelines.promotion.signatures import ApprovalSignatures
from wisqu_pipelines.settings import PathSettings


@dataclass(frozen=True)
class Route:
    """A path with both ends open."""

    path: PathSettings
    source: Environment
    target: Environment
    transfer: ObjectStore | None
    """An account that copies inside the server that both ends share, where there is one."""
    between: tuple[str, ...] = ()
    """The environments by way of which there are paths from the source to the target as well."""
    is_configured: bool = True
    """Whether the path still is in the settings: if not, nothing new goes along it."""


@dataclass(frozen=True)
class Work:
    """A claimed promotion, and everything that executing it or taking it back needs."""

    claim: Claim
    promotion: Promotion
    """As it was when it was claimed; what changes meanwhile is read again under the claim."""
    route: Route
    ledger: Ledger
    signatures: ApprovalSignatures
    clock: Clock

    @property
    def id(self) -> UUID:
        """The promotion's id."""
        return self.promotion.id

    def about(self, promotion: Promotion) -> "Work":
        """The same, with the promotion as it is now."""
        return replace(self, promotion=promotion)

    def audited(
        self, action: str, user_id: UUID | None, reason: str | None, *, success: bool = True, **details: Any
    ) -> EnvironmentAccess:
        """A line of the audit about this run."""
        return EnvironmentAccess(
            user_id=user_id,
            environment=self.route.target.name,
            action=action,
            reason=reason,
            details={"promotion_id": str(self.id), "run_id": self.claim.run_id, **details},
            success=success,
            occurred_at=self.clock.now(),
        )


ONE_PUBLISHES = 0x57_49_53_51_55_08
"""The advisory lock of a target's database under which promotions into it are published."""


def one_publishes(session: Session) -> None:
    """Let one promotion at a time be published in this database: two that bring the same thing different ways would
    each look for the other's row before it is there.
    """
    session.execute(select(func.pg_advisory_xact_lock(ONE_PUBLISHES)))


def exclusive(session: Session, promotion_id: UUID) -> None:
    """Let one transaction at a time speak about a promotion in this database, so that a commit whose reply was lost is
    over before anyone asks whether it happened.
    """
    key = int.from_bytes(hashlib.sha256(promotion_id.bytes).digest()[:8], "big", signed=True)
    session.execute(select(func.pg_advisory_xact_lock(key)))
