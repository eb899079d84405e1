"""Taking a promotion back: rows first, in one transaction, then what belonged to them."""

import time

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import DeveloperAction, EnvironmentAccess, EnvironmentPromotion, ReceiptStatus
from wisqu_pipelines.audit.verification import checkpoint
from wisqu_pipelines.errors import RollbackRefused
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.ports.progress import Progress
from wisqu_pipelines.promotion.execution import Route
from wisqu_pipelines.promotion.ledger import Claim, Ledger, move
from wisqu_pipelines.promotion.models import Effect, Promotion, PromotionState, Step
from wisqu_pipelines.promotion.plan import Plan
from wisqu_pipelines.promotion.publishing import receipt, unpublish
from wisqu_pipelines.promotion.results import PromotionResult, result
from wisqu_pipelines.promotion.revealing import forget_cached, restore_superseded
from wisqu_pipelines.promotion.sources import give_back
from wisqu_pipelines.promotion.staging import Staging


class Rollback:
    """A claimed rollback being carried out. Each step may be repeated; the target's receipts say how far it came."""

    def __init__(
        self, claim: Claim, promotion: Promotion, plan: Plan, route: Route, ledger: Ledger, clock: Clock
    ) -> None:
        """Take `promotion` back, as `claim` allows, along `route`."""
        self._claim = claim
        self._promotion = promotion
        self._plan = plan
        self._route = route
        self._ledger = ledger
        self._clock = clock
        self._staging = Staging(promotion.id, route.source, route.target, route.transfer)

    def run(self, progress: Progress) -> PromotionResult:
        """Take it back, or finish taking it back.

        Raises:
            RollbackRefused: an item is not what the promotion brought any more; nothing was changed.
            ClaimLost: another run has taken it over.
            StoreUnavailable, StoreFailed: a store broke; a later run finishes it.
        """
        started = time.monotonic()
        original = self._rows()
        arrived = set(original.items_promoted["source_ids"])
        moved = [item for item in self._plan.items if str(item.source_id) in arrived]
        progress("rows restored", len(moved), len(moved))
        self._ledger.journal(self._claim, moved, Step.RESTORED)
        self._staging.sweep(moved)
        restore_superseded(self._route.target, original.rollback_data or {})
        forget_cached(self._route.target, moved)
        self._ledger.journal(self._claim, moved, Step.SWEPT)
        give_back(
            self._route.source,
            [*moved, *(item for item in self._plan.items if item.effect == Effect.UNCHANGED)],
            self._given_back(),
        )
        target = self._route.target
        with self._ledger.guarded(self._claim) as (session, promotion), target.database.snapshot() as there:
            move(promotion, PromotionState.ROLLED_BACK)
            promotion.rolled_back_at = self._clock.now()
            promotion.lease_until = None
            checkpoint(session, there, target.name)
            append(session, self._audited())
        progress("swept", len(moved), len(moved))
        return result(self._promotion, PromotionState.ROLLED_BACK, original, moved, seconds=time.monotonic() - started)

    def _rows(self) -> EnvironmentPromotion:
        """Restore the rows, unless an earlier run has; returns the promotion's receipt."""
        try:
            with self._ledger.guarded(self._claim) as (_, promotion), self._route.target.database.begin() as there:
                original = receipt(there, promotion.id, ReceiptStatus.SUCCESS)
                if original is not None and receipt(there, promotion.id, ReceiptStatus.ROLLED_BACK) is not None:
                    return original
                if original is None:
                    reason = f"{self._route.target.name} has no receipt of it"
                    raise RollbackRefused(promotion_id=str(promotion.id), reason=reason)
                arrived = set(original.items_promoted["source_ids"])
                moved = [item for item in self._plan.items if str(item.source_id) in arrived]
                return unpublish(there, promotion, moved, self._staging, self._clock.now())
        except RollbackRefused as refusal:
            with self._ledger.guarded(self._claim) as (_, promotion):
                move(promotion, PromotionState.SUCCEEDED)
                promotion.error = str(refusal)
                promotion.rollback_requested_at = None
                promotion.lease_until = None
            raise

    def _given_back(self) -> DeveloperAction:
        return DeveloperAction(
            developer_id=self._promotion.rollback_requested_by_user_id,
            environment=self._route.source.name,
            action=f"rolled_back_from_{self._route.target.name}",
            reason=self._promotion.rollback_reason,
            details={"promotion_id": str(self._promotion.id)},
            occurred_at=self._clock.now(),
        )

    def _audited(self) -> EnvironmentAccess:
        return EnvironmentAccess(
            user_id=self._promotion.rollback_requested_by_user_id,
            environment=self._route.target.name,
            action="promotion_rolled_back",
            reason=self._promotion.rollback_reason,
            details={"promotion_id": str(self._promotion.id), "run_id": self._claim.run_id},
            occurred_at=self._clock.now(),
        )
