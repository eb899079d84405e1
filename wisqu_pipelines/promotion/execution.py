"""One run of one approved promotion: hold, stage, verify, publish, reveal, mark.

Before the receipt nobody sees anything, and trouble ends with everything swept; after it the promotion has happened,
and what is left can only be finished. Where a reply was lost the target's receipt decides, not what this run remembers.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn
from uuid import UUID

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import DeveloperAction, EnvironmentAccess, EnvironmentPromotion, ReceiptStatus
from wisqu_pipelines.audit.verification import checkpoint
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import EnvironmentRow
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import ClaimLost, Failed, PlanStale, PromotionFailed, PromotionRefused, Refused
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.ports.objects import ObjectStore
from wisqu_pipelines.ports.progress import Progress
from wisqu_pipelines.promotion.approvals import valid
from wisqu_pipelines.promotion.batches import chunks
from wisqu_pipelines.promotion.ledger import LEASE, Claim, Ledger, move
from wisqu_pipelines.promotion.models import Effect, Promotion, PromotionApproval, PromotionState, Step
from wisqu_pipelines.promotion.plan import Plan, PlannedItem, changes
from wisqu_pipelines.promotion.planner import Planner
from wisqu_pipelines.promotion.publishing import publish, receipt, source_rows
from wisqu_pipelines.promotion.results import PromotionResult, result
from wisqu_pipelines.promotion.revealing import reveal
from wisqu_pipelines.promotion.sources import hold, release
from wisqu_pipelines.promotion.staging import Staging
from wisqu_pipelines.promotion.types import TYPES, promotable
from wisqu_pipelines.settings import PathSettings

ITEMS_AT_ONCE = 64
"""Items staged, verified and journalled together."""


@dataclass(frozen=True)
class Route:
    """A path with both ends open."""

    path: PathSettings
    source: Environment
    target: Environment
    transfer: ObjectStore | None
    """An account that copies inside the server that both ends share, where there is one."""


class Execution:
    """A claimed promotion being executed."""

    def __init__(
        self, claim: Claim, promotion: Promotion, plan: Plan, route: Route, ledger: Ledger, clock: Clock
    ) -> None:
        """Execute `promotion`, as `claim` allows, along `route`."""
        self._claim = claim
        self._promotion = promotion
        self._plan = plan
        self._route = route
        self._ledger = ledger
        self._clock = clock
        self._staging = Staging(promotion.id, route.source, route.target, route.transfer)
        self._taken = [item for item in plan.items if item.effect != Effect.BLOCKED]
        self._started = time.monotonic()
        self._doing = "check the plan"

    def run(self, progress: Progress) -> PromotionResult:
        """Execute, or finish what an earlier run published.

        Raises:
            PromotionRefused, PlanStale: a rule said no; nothing was changed, and this promotion is over.
            PromotionFailed: something broke; nothing became visible, and it may be executed again.
            ClaimLost: another run has taken the promotion over.
        """
        published = self._receipt()
        if published is None:
            try:
                published = self._until_the_receipt(progress)
            except ClaimLost:
                raise
            except BaseException as error:
                published = self._receipt()
                if published is None:
                    self._give_up(error)
        return self._finish(published)

    def _until_the_receipt(self, progress: Progress) -> EnvironmentPromotion:
        with self._ledger.guarded(self._claim) as (session, promotion):
            self._require_enough(valid(session, promotion, self._route.path, self._clock.now()))
        self._check_plan(progress)
        self._doing = "hold the source's rows"
        hold(self._route.source, self._promotion.id, self._taken)
        return self._publish(self._stage(progress))

    def _require_enough(self, standing: Sequence[PromotionApproval]) -> None:
        needed = self._route.path.approvals
        if len(standing) < needed:
            reason = (
                f"{len(standing)} of its approvals count now and {self._route.path.name} takes {needed}; "
                "an approval ends with its time, and with its giver's role"
            )
            raise PromotionRefused(promotion_id=str(self._promotion.id), act="executed", reason=reason)

    def _check_plan(self, progress: Progress) -> None:
        selected = [item.source_id for item in self._plan.items if item.required_by is None]
        planner = Planner(self._route.source, self._route.target, self._route.path)
        kind = promotable(self._plan.promotion_type)
        now = planner.plan(kind, selected, held_by=self._promotion.id, progress=progress)
        if now.digest != self._plan.digest:
            raise PlanStale(promotion_id=str(self._promotion.id), changes="; ".join(changes(self._plan, now)))

    def _stage(self, progress: Progress) -> dict[UUID, str]:
        """Stage and verify what moves; returns the items that stay behind, with the reason."""
        moving = [item for item in self._taken if item.moves]
        passed = self._ledger.passed(self._promotion.id, Step.VERIFIED)
        skipped: dict[UUID, str] = {}
        size = points = 0
        for number, chunk in enumerate(chunks(moving, ITEMS_AT_ONCE)):
            skipped |= self._stage_chunk([item for item in chunk if item.key not in passed])
            size += sum(item.bytes for item in chunk)
            points += sum(item.points for item in chunk)
            progress("stage", number * ITEMS_AT_ONCE + len(chunk), len(moving), bytes=size, points=points)
        return skipped

    def _stage_chunk(self, items: Sequence[PlannedItem]) -> dict[UUID, str]:
        skipped: dict[UUID, str] = {}
        for step, doing, act in (
            (Step.FILE_STAGED, "stage the files", self._staging.stage_files),
            (Step.VECTORS_STAGED, "stage the vectors", self._staging.stage_vectors),
            (Step.VERIFIED, "verify what was staged", self._staging.verify),
        ):
            self._doing = doing
            failures = act([item for item in items if item.source_id not in skipped])
            if failures and self._route.path.on_item_error == "abort":
                raise next(iter(failures.values()))
            skipped |= {source_id: str(failure) for source_id, failure in failures.items()}
            self._ledger.journal(self._claim, [item for item in items if item.source_id not in skipped], step)
        self._ledger.journal(self._claim, [item for item in items if item.source_id in skipped], Step.SKIPPED, skipped)
        return skipped

    def _publish(self, skipped: dict[UUID, str]) -> EnvironmentPromotion:
        self._doing = "publish the rows"
        rows = source_rows(self._route.source, self._promotion, self._taken)
        skipped = _with_dependents(self._taken, rows, skipped)
        items = [item for item in self._taken if item.source_id not in skipped]
        going = sum(item.moves for item in items)
        if not going:
            raise PromotionFailed(
                promotion_id=str(self._promotion.id),
                step=self._doing,
                cause="; ".join(skipped.values()),
                environment=self._route.target.name,
            )
        with self._ledger.guarded(self._claim) as (control, promotion):
            now = self._clock.now()
            standing = valid(control, promotion, self._route.path, now)
            self._require_enough(standing)
            about = self._about(promotion, standing, skipped, going)
            with self._route.target.database.begin() as there:
                publish(there, promotion, items, rows, self._staging, about)
            move(promotion, PromotionState.PUBLISHED)
            promotion.success_count = about.success_count
            promotion.error_count = about.error_count
        return about

    def _about(
        self, promotion: Promotion, standing: Sequence[PromotionApproval], skipped: Mapping[UUID, str], going: int
    ) -> EnvironmentPromotion:
        return EnvironmentPromotion(
            promotion_id=promotion.id,
            promotion_type=promotion.promotion_type,
            source_environment=promotion.source_environment,
            target_environment=promotion.target_environment,
            status=ReceiptStatus.SUCCESS,
            success_count=going,
            error_count=len(skipped),
            promoted_by_user_id=promotion.executed_by_user_id or standing[-1].user_id,
            reason=promotion.reason,
            plan_digest=promotion.plan_digest,
            approvals=[
                {"user_id": str(each.user_id), "role": each.role, "decided_at": each.decided_at.isoformat()}
                for each in standing
            ],
            errors=[{"source_id": str(source_id), "error": why} for source_id, why in skipped.items()] or None,
            duration_seconds=time.monotonic() - self._started,
            occurred_at=self._clock.now(),
        )

    def _finish(self, published: EnvironmentPromotion) -> PromotionResult:
        """Show the points, drop what the target's cache knows, mark the source, close."""
        arrived = {UUID(each) for each in published.items_promoted["source_ids"]}
        moved = [item for item in self._taken if item.source_id in arrived]
        behind = [item for item in self._taken if item.moves and item.source_id not in arrived]
        sent = [*moved, *(item for item in self._taken if item.effect == Effect.UNCHANGED)]
        reveal(self._route.target, self._staging, moved, published.rollback_data or {})
        self._ledger.journal(self._claim, moved, Step.REVEALED)
        self._staging.sweep(behind)
        release(self._route.source, self._promotion.id, behind)
        release(self._route.source, self._promotion.id, sent, PromotionStatus.PROMOTED, audit=self._sent(published))
        self._ledger.journal(self._claim, sent, Step.SOURCE_MARKED)
        target = self._route.target
        with self._ledger.guarded(self._claim) as (session, promotion), target.database.snapshot() as there:
            if promotion.state == PromotionState.EXECUTING:  # the receipt was written, and this could not be
                move(promotion, PromotionState.PUBLISHED)
            move(promotion, PromotionState.SUCCEEDED)
            promotion.success_count = published.success_count
            promotion.error_count = published.error_count
            promotion.finished_at = self._clock.now()
            promotion.duration_seconds = published.duration_seconds
            promotion.lease_until = None
            checkpoint(session, there, target.name)
            append(session, self._audited("promotion_executed", {"items": len(moved)}))
        return result(
            self._promotion, PromotionState.SUCCEEDED, published, moved, seconds=time.monotonic() - self._started
        )

    def _give_up(self, error: BaseException) -> NoReturn:
        """Sweep what was staged, let the source's rows go, and say why."""
        refused = isinstance(error, Refused)
        failure = error if refused or isinstance(error, PromotionFailed) else self._failure(error)
        try:
            self._staging.sweep([item for item in self._taken if item.moves])
            release(self._route.source, self._promotion.id, self._taken)
        except Failed as trouble:
            # It stays `executing`, free for the next run, which finds what is staged under the same names.
            with self._ledger.guarded(self._claim) as (_, promotion):
                promotion.error = f"{failure} What was staged could not be swept yet: {trouble}"
                promotion.lease_until = self._clock.now() - LEASE
            raise failure from error
        with self._ledger.guarded(self._claim) as (session, promotion):
            self._ledger.forget(session, promotion.id)
            move(promotion, PromotionState.REFUSED if refused else PromotionState.FAILED)
            promotion.error = str(failure)
            promotion.finished_at = self._clock.now()
            promotion.lease_until = None
            action = "promotion_refused" if refused else "promotion_failed"
            append(session, self._audited(action, {"error": str(failure)}, success=False))
        if failure is error or not isinstance(error, Exception):
            raise error
        raise failure from error

    def _failure(self, error: BaseException) -> PromotionFailed:
        return PromotionFailed(
            promotion_id=str(self._promotion.id),
            step=self._doing,
            cause=str(error) or type(error).__name__,
            environment=self._route.target.name,
        )

    def _receipt(self) -> EnvironmentPromotion | None:
        with self._route.target.database.begin() as session:
            return receipt(session, self._promotion.id, ReceiptStatus.SUCCESS)

    def _audited(self, action: str, details: dict[str, object], *, success: bool = True) -> EnvironmentAccess:
        return EnvironmentAccess(
            user_id=self._promotion.executed_by_user_id,
            environment=self._route.target.name,
            action=action,
            reason=self._promotion.reason,
            details={"promotion_id": str(self._promotion.id), "run_id": self._claim.run_id, **details},
            success=success,
            occurred_at=self._clock.now(),
        )

    def _sent(self, published: EnvironmentPromotion) -> DeveloperAction:
        return DeveloperAction(
            developer_id=published.promoted_by_user_id,
            environment=self._route.source.name,
            action=f"promoted_to_{self._route.target.name}",
            reason=published.reason,
            details={"promotion_id": str(self._promotion.id), "items": published.success_count},
            occurred_at=self._clock.now(),
        )


def _with_dependents(
    items: Sequence[PlannedItem], rows: Mapping[tuple[str, UUID], EnvironmentRow], skipped: Mapping[UUID, str]
) -> dict[UUID, str]:
    """What stays behind, with what belongs to it."""
    behind = dict(skipped)
    for item in items if skipped else ():
        for column, type_name in TYPES[item.item_type].belongs_to.items():
            owner = getattr(rows.get(item.key), column, None)
            if owner in skipped and item.moves:
                behind.setdefault(item.source_id, f"the {type_name} {owner} that it belongs to stays behind")
    return behind
