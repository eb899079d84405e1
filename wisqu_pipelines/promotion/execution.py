"""One run of one approved promotion: check, hold, stage, publish, reveal, verify, mark.

Before the receipt nobody sees anything, and trouble ends with everything swept; after it the promotion has happened,
and what is left can only be finished. Where a reply was lost the target's receipt decides, not what this run remembers.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from itertools import islice
from typing import NoReturn
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.anchors import checkpoint
from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import EnvironmentPromotion, ReceiptStatus
from wisqu_pipelines.database.bulk import among
from wisqu_pipelines.database.session import in_words
from wisqu_pipelines.errors import (
    ClaimLost,
    Failed,
    PathClosed,
    PlanStale,
    PromotionCancelled,
    PromotionFailed,
    PromotionRefused,
    Refused,
    RollbackRefused,
    VerificationFailed,
)
from wisqu_pipelines.ports.progress import Progress
from wisqu_pipelines.promotion.approvals import check_policy, valid
from wisqu_pipelines.promotion.batches import in_turn
from wisqu_pipelines.promotion.freezes import FreezeService, check_open
from wisqu_pipelines.promotion.ledger import LEASE, cancellation, move
from wisqu_pipelines.promotion.marking import tell_source
from wisqu_pipelines.promotion.models import MOVING, TAKEN, Promotion, PromotionApproval, PromotionState, Step
from wisqu_pipelines.promotion.plan import PlannedItem
from wisqu_pipelines.promotion.planner import Planner
from wisqu_pipelines.promotion.publishing import publish, receipt
from wisqu_pipelines.promotion.results import PromotionResult, result
from wisqu_pipelines.promotion.revealing import reveal
from wisqu_pipelines.promotion.rollback import Rollback
from wisqu_pipelines.promotion.sources import hold, release
from wisqu_pipelines.promotion.staging import FILES_AT_ONCE, Staging
from wisqu_pipelines.promotion.types import TYPES
from wisqu_pipelines.promotion.verification import Verification, VerificationReport
from wisqu_pipelines.promotion.work import Work
from wisqu_pipelines.side_by_side import side_by_side

ITEMS_AT_ONCE = 256
"""Items staged and journalled together."""
PAGES_AT_ONCE = 4
"""Such pages on their way."""
CHANGES_NAMED = 20
"""A refusal names so many of the items that changed."""
ERRORS_KEPT = 1_000
"""The receipt and the result name so many of the items that stayed behind; the journal has them all."""


class Execution:
    """A claimed promotion being executed."""

    def __init__(self, work: Work) -> None:
        """Execute the promotion of `work`."""
        self._work = work
        self._route = work.route
        self._ledger = work.ledger
        self._items = work.ledger.items
        self._staging = Staging(work.id, work.route)
        self._started = time.monotonic()
        self._doing = "check the plan"

    def run(self, progress: Progress) -> PromotionResult:
        """Execute, or finish what an earlier run published.

        Raises:
            PromotionRefused, PlanStale: a rule said no; nothing was changed, and this promotion is over.
            PromotionCancelled: a person said no; likewise.
            PromotionFailed: something broke; nothing became visible, and it may be executed again.
            VerificationFailed: it was published, and what was read back is not what was planned.
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
                if not isinstance(error, Exception):  # cancelled after the commit point: the next run finishes it
                    self._ledger.let_go(self._work.claim)
                    raise
        try:
            return self._finish(published, progress)
        except (ClaimLost, VerificationFailed):
            raise
        except BaseException:
            self._ledger.let_go(self._work.claim)
            raise

    def _until_the_receipt(self, progress: Progress) -> EnvironmentPromotion:
        with self._ledger.guarded(self._work.claim) as (session, promotion):
            self._check_gate(session, promotion)
        self._check_plan()
        self._doing = "hold the source's rows"
        hold(self._route.source, self._work.id, self._items.names(self._work.id, effects=TAKEN))
        self._doing = "stage files and vectors"
        self._stage(progress)
        return self._publish()

    def _check_gate(self, session: Session, promotion: Promotion) -> list[PromotionApproval]:
        """The approvals that count now, if they are enough, nobody has cancelled and the path is open."""
        if cancelled := cancellation(session, promotion):
            raise cancelled
        if not self._route.is_configured:
            reason = f"{self._route.path.name} is no configured path any more"
            raise PromotionRefused(promotion_id=str(self._work.id), act="executed", reason=reason)
        check_policy(promotion, self._route.path)
        now = self._work.clock.now()
        counted = valid(session, promotion, self._route.path, self._work.signatures, now)
        needed = self._route.path.approvals
        if len(counted) < needed:
            reason = (
                f"{len(counted)} of its approvals count now and {self._route.path.name} takes {needed}; "
                "an approval ends with its time, and with its giver's role"
            )
            raise PromotionRefused(promotion_id=str(self._work.id), act="executed", reason=reason)
        check_open(session, promotion, self._route.path, now)
        return counted

    def _check_plan(self) -> None:
        planner = Planner(self._route.source, self._route.target, self._work.clock.now(), self._route.between)
        items = planner.changes(self._items.pages(self._work.id, effects=TAKEN), held_by=self._work.id)
        if changed := list(islice(items, CHANGES_NAMED)):
            more = sum(1 for _ in items)
            changed += [f"and {more} more"] if more else []
            raise PlanStale(promotion_id=str(self._work.id), changes="; ".join(changed))

    def _stage(self, progress: Progress) -> None:
        """Stage what moves and was not staged by an earlier run, so many pages of each type at a time."""
        left = (Step.STAGED, Step.SKIPPED)
        total = self._items.count(self._work.id, effects=MOVING)
        staged = total - self._items.count(self._work.id, effects=MOVING, not_passed=left)
        lanes = [
            self._items.pages(self._work.id, kinds=[name], effects=MOVING, not_passed=left, size=ITEMS_AT_ONCE)
            for name in TYPES
        ]
        size = points = 0
        if staged < total:  # what earlier runs have staged is not of this one's rate
            progress("stage", staged, total)
        with ThreadPoolExecutor(FILES_AT_ONCE) as files:
            stage = partial(self._stage_page, files=files)
            # Pages of each type in turn, so that files and vectors are on their way at the same time. Closed also by an
            # error: nothing may still be staged while what was staged is swept.
            with closing(side_by_side(stage, in_turn(lanes), PAGES_AT_ONCE)) as pages:
                for page in pages:
                    staged += len(page)
                    size += sum(item.bytes for item in page)
                    points += sum(item.points for item in page)
                    progress("stage", staged, total, bytes=size, points=points)

    def _stage_page(self, items: list[PlannedItem], files: ThreadPoolExecutor) -> list[PlannedItem]:
        try:
            failures = self._staging.stage(items, files)
            if failures and self._route.path.on_item_error == "abort":
                raise next(iter(failures.values()))
            arrived = [item for item in items if item.source_id not in failures]
            self._ledger.journal(self._work.claim, arrived, Step.STAGED)
            reasons = {source_id: str(failure) for source_id, failure in failures.items()}
            behind = [item for item in items if item.source_id in failures]
            self._ledger.journal(self._work.claim, behind, Step.SKIPPED, reasons)
        except Exception:  # perhaps another run has taken the promotion over
            with suppress(Failed):
                self._show_again(items)
            raise
        return items

    def _show_again(self, items: Sequence[PlannedItem]) -> None:
        """What another run has published meanwhile, this one may have hidden by staging it once more: show what rows
        name, and hold the rows until then, so that nobody takes them back or replaces what they name.
        """
        kind = TYPES[items[0].item_type]
        if not kind.has_vectors:
            return
        table = kind.table
        named = select(table.c.vector_version).where(among(table.c.id, [item.target_id for item in items]))
        with self._route.target.database.begin() as there:
            published = set(there.scalars(named.with_for_update(of=table)))
            self._staging.reveal(item for item in items if item.version(self._work.id) in published)

    def _publish(self) -> EnvironmentPromotion:
        self._doing = "publish the rows"
        self._ledger.leave_dependents(self._work.claim)
        errors, named = self._items.skipped(self._work.id, ERRORS_KEPT)
        if not self._items.count(self._work.id, effects=MOVING, not_passed=(Step.SKIPPED,)):
            raise PromotionFailed(
                promotion_id=str(self._work.id),
                step=self._doing,
                cause="; ".join(each["error"] for each in named),
                environment=self._route.target.name,
            )
        with self._ledger.alone(self._work.claim) as (control, promotion):
            counted = self._check_gate(control, promotion)
            about = EnvironmentPromotion(
                promotion_id=promotion.id,
                promotion_type=promotion.promotion_type,
                source_environment=promotion.source_environment,
                target_environment=promotion.target_environment,
                status=ReceiptStatus.SUCCESS,
                error_count=errors,
                promoted_by_user_id=promotion.executed_by_user_id or counted[-1].user_id,
                reason=promotion.reason,
                plan_digest=promotion.plan_digest,
                approvals=[
                    {"user_id": str(each.user_id), "role": each.role, "decided_at": each.decided_at.isoformat()}
                    for each in counted
                ],
                errors=named or None,
                duration_seconds=time.monotonic() - self._started,
                occurred_at=self._work.clock.now(),
            )
            with self._route.target.database.begin() as there:
                publish(self._work, there, self._staging, about)
            move(promotion, PromotionState.PUBLISHED)
            promotion.success_count = about.success_count
            promotion.error_count = about.error_count
        return about

    def _finish(self, published: EnvironmentPromotion, progress: Progress) -> PromotionResult:
        """Show the points, read everything back, mark the source, close."""
        with self._ledger.guarded(self._work.claim) as (_, promotion):
            if promotion.state == PromotionState.EXECUTING:  # the receipt was written, and this could not be
                move(promotion, PromotionState.PUBLISHED)
                promotion.success_count, promotion.error_count = published.success_count, published.error_count
                promotion.cancelled_by_user_id = promotion.cancel_reason = None  # whoever said that came too late
        self._doing = "reveal the vectors"
        total = published.success_count
        shown = total - self._items.count(self._work.id, effects=MOVING, not_passed=(Step.SKIPPED, Step.REVEALED))
        for page in self._items.pages(self._work.id, effects=MOVING, not_passed=(Step.SKIPPED, Step.REVEALED)):
            with self._ledger.alone(self._work.claim):
                reveal(self._route.target, self._staging, page)
            self._ledger.journal(self._work.claim, page, Step.REVEALED)
            shown += len(page)
            progress("reveal", shown, total)
        if published.error_count:
            for page in self._items.pages(self._work.id, effects=MOVING, passed=Step.SKIPPED):
                with self._ledger.alone(self._work.claim):
                    self._staging.sweep(page)
                release(self._route.source, self._work.id, [page])
        self._doing = "read back what was published"
        report = Verification(self._work, self._staging).run(progress)
        if not report.passed and self._route.path.on_verification_failure == "roll_back":
            self._take_back(report, progress)
        self._doing = "mark the source's rows"
        tell_source(self._work, published)
        self._close(published, report)
        if not report.passed:
            raise VerificationFailed(
                promotion_id=str(self._work.id),
                environment=self._route.target.name,
                findings=report.sentence,
                outcome=f"it stays, as the policy says ('wisqu promote rollback {self._work.id}' takes it back)",
            )
        return result(
            self._work.promotion,
            PromotionState.SUCCEEDED,
            published,
            self._items.amounts(self._work.id, not_passed=(Step.SKIPPED,)),
            seconds=time.monotonic() - self._started,
            verification=report.as_dict(),
        )

    def _close(self, published: EnvironmentPromotion, report: VerificationReport) -> None:
        target = self._route.target
        with self._ledger.guarded(self._work.claim) as (session, promotion), target.database.snapshot() as there:
            move(promotion, PromotionState.SUCCEEDED)
            promotion.verification = report.as_dict()
            self._hold_path(session, report)
            promotion.success_count = published.success_count
            promotion.error_count = published.error_count
            promotion.finished_at = self._work.clock.now()
            promotion.duration_seconds = time.monotonic() - self._started
            promotion.lease_until = None
            checkpoint(session, there, target.name)
            append(
                session,
                self._work.audited(
                    "promotion_executed",
                    promotion.executed_by_user_id,
                    promotion.reason,
                    items=published.success_count,
                    verification=report.outcome,
                ),
            )

    def _hold_path(self, session: Session, report: VerificationReport) -> None:
        if not report.passed:
            now = self._work.clock.now()
            FreezeService.hold(session, self._route.path.name, self._work.id, report.sentence, now)

    def _take_back(self, report: VerificationReport, progress: Progress) -> NoReturn:
        """What did not pass goes back at once, as the path's policy says."""
        findings = report.sentence
        with self._ledger.guarded(self._work.claim) as (session, promotion):
            move(promotion, PromotionState.ROLLING_BACK)
            promotion.verification = report.as_dict()
            self._hold_path(session, report)
            promotion.rollback_id = uuid4()
            promotion.rollback_item_ids = None
            promotion.rollback_reason = f"it did not pass its verification: {findings}"
            promotion.rollback_requested_at = self._work.clock.now()
            promotion.finished_at = self._work.clock.now()
            append(
                session,
                self._work.audited(
                    "verification_failed", None, promotion.reason, success=False, findings=list(report.findings)
                ),
            )
            session.flush()
            session.expunge(promotion)
        outcome = "it was rolled back, as the policy says"
        try:
            Rollback(self._work.about(promotion)).run(progress)
        except RollbackRefused as refusal:
            outcome = f"it stays, as it could not be rolled back ({refusal.details['reason']})"
        raise VerificationFailed(
            promotion_id=str(self._work.id), environment=self._route.target.name, findings=findings, outcome=outcome
        )

    def _give_up(self, error: BaseException) -> NoReturn:
        """Sweep what was staged, let the source's rows go, and say why."""
        failure = error if isinstance(error, Refused | PromotionFailed) else self._failure(error)
        with self._ledger.guarded(self._work.claim) as (session, promotion):
            # Before the sweep: what a run that dies in it had swept, the next one must not take for staged.
            self._ledger.forget(session, promotion.id)
        try:
            for page in self._items.pages(self._work.id, effects=MOVING):
                with self._ledger.alone(self._work.claim):
                    self._staging.sweep(page)
            release(self._route.source, self._work.id, self._items.names(self._work.id, effects=TAKEN))
        except Failed as trouble:
            # It stays `executing`, free for the next run, which finds what is staged under the same names.
            with self._ledger.guarded(self._work.claim) as (_, promotion):
                promotion.error = f"{failure} What was staged could not be swept yet: {trouble}"
                promotion.lease_until = self._work.clock.now() - LEASE
            raise failure from error
        with self._ledger.guarded(self._work.claim) as (session, promotion):
            failure = cancellation(session, promotion) or failure
            state, action = _ending(failure)
            move(promotion, state)
            promotion.error = str(failure)
            promotion.finished_at = None if state == PromotionState.APPROVED else self._work.clock.now()
            promotion.lease_until = None
            append(
                session,
                self._work.audited(
                    action, promotion.executed_by_user_id, promotion.reason, success=False, error=str(failure)
                ),
            )
        if failure is error or not isinstance(error, Exception):
            raise error
        raise failure from error

    def _failure(self, error: BaseException) -> PromotionFailed:
        stopped = not isinstance(error, Exception)
        return PromotionFailed(
            promotion_id=str(self._work.id),
            step=self._doing,
            cause="its run was stopped" if stopped else in_words(error).removesuffix("."),
            environment=self._route.target.name,
        )

    def _receipt(self) -> EnvironmentPromotion | None:
        with self._route.target.database.begin() as session:
            return receipt(session, self._work.id)


def _ending(failure: Exception) -> tuple[PromotionState, str]:
    """What becomes of a promotion that did not happen, and what the audit calls it."""
    if isinstance(failure, PathClosed):
        return PromotionState.APPROVED, "promotion_waits"  # until its path is open again
    if isinstance(failure, PromotionCancelled):
        return PromotionState.REJECTED, "promotion_stopped"  # the person's word is in the audit already
    if isinstance(failure, Refused):
        return PromotionState.REFUSED, "promotion_refused"
    return PromotionState.FAILED, "promotion_failed"
