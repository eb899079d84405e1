"""Taking a promotion back: rows first, in one transaction, then what belonged to them."""

import time
from collections.abc import Collection
from uuid import UUID

from wisqu_pipelines.audit.anchors import checkpoint
from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import DeveloperAction, EnvironmentPromotion
from wisqu_pipelines.errors import ClaimLost, RollbackRefused
from wisqu_pipelines.ports.progress import Progress
from wisqu_pipelines.promotion.ledger import move
from wisqu_pipelines.promotion.marking import tell_source
from wisqu_pipelines.promotion.models import Effect, PromotionState, Step
from wisqu_pipelines.promotion.publishing import receipt
from wisqu_pipelines.promotion.results import PromotionResult, result
from wisqu_pipelines.promotion.revealing import forget_cached, restore_superseded
from wisqu_pipelines.promotion.sources import give_back
from wisqu_pipelines.promotion.staging import Staging
from wisqu_pipelines.promotion.superseded import lost
from wisqu_pipelines.promotion.unpublishing import Scope, refuse, rolled_back, unpublish
from wisqu_pipelines.promotion.work import Work

TAKEN_BACK = "promotion_rolled_back"
"""What the control database's audit calls each rollback that has happened."""


class Rollback:
    """A claimed rollback being carried out. Each step may be repeated; the target's own lines say how far it came."""

    def __init__(self, work: Work) -> None:
        """Take the promotion of `work` back, or the items of it that were asked for."""
        self._work = work
        self._route = work.route
        self._ledger = work.ledger
        self._staging = Staging(work.id, work.route)
        self._scope = Scope(work.promotion, work.ledger, self._staging, asked_for(work.promotion.rollback_item_ids))

    def run(self, progress: Progress) -> PromotionResult:
        """Take it back, or finish taking it back.

        Raises:
            RollbackRefused: an item is not what the promotion brought any more; nothing was changed.
            ClaimLost: another run has taken it over.
            StoreUnavailable, StoreFailed: a store broke; a later run finishes it.
        """
        try:
            return self._run(progress)
        except (RollbackRefused, ClaimLost):
            raise
        except BaseException:
            self._ledger.let_go(self._work.claim)
            raise

    def _run(self, progress: Progress) -> PromotionResult:
        started = time.monotonic()
        amounts = self._scope.amounts()
        total, done = sum(each["items"] for each in amounts.values()), 0
        about = self._rows()
        for page in self._scope.pages():
            with self._ledger.alone(self._work.claim):
                self._staging.sweep(page)
                restore_superseded(self._route.target, self._work.id, page)
            forget_cached(self._route.target, page)
            done += len(page)
            progress("roll back", done, total)
        give_back(self._route.source, self._work.id, self._scope.pages(), self._given_back())
        if self._scope.only is None:
            unchanged = self._ledger.items.pages(self._work.id, effects=(Effect.UNCHANGED,))
            give_back(self._route.source, self._work.id, unchanged, self._given_back())
        state = self._close(about)
        return result(self._work.promotion, state, about, amounts, seconds=time.monotonic() - started)

    def _rows(self) -> EnvironmentPromotion:
        """Restore the rows, unless an earlier run has; returns the target's line about it."""
        try:
            if not self._has_happened():
                refuse(self._work.promotion, lost(self._scope, self._route.target))
            with self._ledger.guarded(self._work.claim), self._route.target.database.begin() as there:
                return rolled_back(there, self._work.promotion) or unpublish(there, self._scope, self._work.clock.now())
        except RollbackRefused as refusal:
            self._stays()
            with self._ledger.guarded(self._work.claim) as (_, promotion):
                move(promotion, PromotionState.SUCCEEDED)
                promotion.error = str(refusal)
                promotion.rollback_requested_at = None
                promotion.lease_until = None
            raise

    def _has_happened(self) -> bool:
        with self._route.target.database.begin() as there:
            return rolled_back(there, self._work.promotion) is not None

    def _stays(self) -> None:
        """What was to go back by itself and cannot has happened: the source is told, as nobody else will."""
        with self._route.target.database.begin() as there:
            published = receipt(there, self._work.id)
        if published is not None:
            tell_source(self._work, published)

    def _close(self, about: EnvironmentPromotion) -> PromotionState:
        for page in self._scope.pages():
            self._ledger.journal(self._work.claim, page, Step.ROLLED_BACK)
        target = self._route.target
        with self._ledger.guarded(self._work.claim) as (session, promotion), target.database.snapshot() as there:
            left = self._ledger.items.count(promotion.id, not_passed=(Step.SKIPPED, Step.ROLLED_BACK))
            move(promotion, PromotionState.SUCCEEDED if left else PromotionState.ROLLED_BACK)
            promotion.rolled_back_count = promotion.success_count - left
            promotion.rolled_back_at = self._work.clock.now()
            promotion.rollback_requested_at = None
            promotion.lease_until = None
            checkpoint(session, there, target.name)
            append(
                session,
                self._work.audited(
                    TAKEN_BACK,
                    promotion.rollback_requested_by_user_id,
                    promotion.rollback_reason,
                    items=about.success_count,
                ),
            )
            return PromotionState(promotion.state)

    def _given_back(self) -> DeveloperAction:
        promotion = self._work.promotion
        return DeveloperAction(
            developer_id=promotion.rollback_requested_by_user_id,
            environment=self._route.source.name,
            action=f"rolled_back_from_{self._route.target.name}",
            reason=promotion.rollback_reason,
            details={"promotion_id": str(self._work.id), "rollback_id": str(promotion.rollback_id)},
            occurred_at=self._work.clock.now(),
        )


def asked_for(item_ids: Collection[str] | None) -> frozenset[UUID] | None:
    """The items of a rollback as the control database keeps them."""
    return None if item_ids is None else frozenset(UUID(each) for each in item_ids)
