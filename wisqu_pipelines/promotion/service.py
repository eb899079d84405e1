"""The promotion service: what every door (CLI, Dagster, API) calls."""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import EnvironmentAccess
from wisqu_pipelines.catalog.models import EnvironmentRow
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import ItemNotFound, ItemRefused, NotPermitted, PromotionRefused
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.models import CentralUser
from wisqu_pipelines.identity.reasons import check_reason
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.ports.objects import ObjectStore
from wisqu_pipelines.ports.progress import Progress, no_progress
from wisqu_pipelines.promotion.approvals import valid
from wisqu_pipelines.promotion.execution import Execution, Route
from wisqu_pipelines.promotion.ledger import Claim, Ledger
from wisqu_pipelines.promotion.models import Effect, Promotion, PromotionApproval, PromotionState
from wisqu_pipelines.promotion.plan import Plan, policy_of
from wisqu_pipelines.promotion.planner import Planner
from wisqu_pipelines.promotion.results import ApprovalGiven, PromotionPreview, PromotionReport, PromotionResult
from wisqu_pipelines.promotion.rollback import Rollback
from wisqu_pipelines.promotion.types import promotable
from wisqu_pipelines.settings import PathSettings, Settings

OpenTransfer = Callable[[PathSettings], ObjectStore | None]
"""Opens the account that copies inside the server which both ends of a path share, where there is one."""


class EnvironmentPromotionService:
    """Previews, executes and takes back promotions between environments."""

    def __init__(
        self,
        control: Database,
        environments: Mapping[str, Environment],
        open_transfer: OpenTransfer,
        settings: Settings,
        clock: Clock,
    ) -> None:
        """Work on `environments`, with plans and decisions in `control`."""
        self._control = control
        self._environments = environments
        self._open_transfer = open_transfer
        self._settings = settings
        self._clock = clock
        self._ledger = Ledger(control, clock)

    def preview_promotion(
        self,
        model_class: type[EnvironmentRow] | str,
        source_env: str,
        target_env: str,
        item_ids: Sequence[UUID] | None = None,
        *,
        requested_by_user_id: UUID | None = None,
        requested_via: str = "service",
        reason: str | None = None,
        progress: Progress = no_progress,
    ) -> PromotionPreview:
        """Make a plan and keep it for approval; the same plan for the same person is kept once.

        Args:
            model_class: The type to promote, by its model or its name.
            source_env: Where the items are.
            target_env: Where they go.
            item_ids: The items, or None for all that are approved.
            requested_by_user_id: Who asks, where a person is known.
            requested_via: Through which door.
            reason: What for.
            progress: Told how far it is.

        Raises:
            UnknownEnvironment, PathRefused, UnknownType: the path or the type is not configured.
            UnknownPerson, NotPermitted: who asks is unknown, or may not enter the source.
            BadInput: the reason cannot be kept.
            ItemNotFound, ItemRefused: an item that was named is not there, or cannot go; nothing was kept.
        """
        reason = check_reason(reason)
        kind = promotable(model_class)
        route = self._route(source_env, target_env)
        self._check_requester(requested_by_user_id, route)
        plan = Planner(route.source, route.target, route.path).plan(kind, item_ids, progress=progress)
        if item_ids is not None:
            _refuse_named(plan, kind.name)
        with self._control.begin() as session:
            promotion = self._open_twin(session, plan, requested_by_user_id, reason)
            if promotion is None:
                promotion = Promotion(
                    id=uuid4(),
                    promotion_type=kind.name,
                    source_environment=route.source.name,
                    target_environment=route.target.name,
                    state=PromotionState.PLANNED,
                    plan_digest=plan.digest,
                    selection={"item_ids": None if item_ids is None else sorted(str(each) for each in item_ids)},
                    totals=plan.totals(),
                    policy=policy_of(route.path),
                    reason=reason,
                    requested_by_user_id=requested_by_user_id,
                    requested_via=requested_via,
                    created_at=self._clock.now(),
                )
                self._ledger.save(session, promotion, plan)
            return _preview(promotion, plan)

    def execute_promotion(
        self,
        model_class: type[EnvironmentRow] | str,
        source_env: str,
        target_env: str,
        promoted_by_user_id: UUID,
        reason: str,
        item_ids: Sequence[UUID] | None = None,
        *,
        progress: Progress = no_progress,
    ) -> PromotionResult:
        """Execute the approved plan that does exactly what a preview would say now.

        Raises:
            PromotionRefused: no such plan is approved; the plan to approve is named.
            Any error of `preview_promotion` and of `execute`.
        """
        preview = self.preview_promotion(
            model_class,
            source_env,
            target_env,
            item_ids,
            requested_by_user_id=promoted_by_user_id,
            requested_via="service",
            reason=reason,
            progress=progress,
        )
        with self._control.begin() as session:
            approved = session.scalars(
                select(Promotion.id)
                .where(
                    Promotion.plan_digest == preview.plan_digest,
                    Promotion.state.in_((PromotionState.APPROVED, PromotionState.FAILED)),
                )
                .order_by(Promotion.created_at)
            ).first()
        chosen = approved or preview.promotion_id
        return self.execute(
            chosen, run_id=f"service:{uuid4()}", executed_by_user_id=promoted_by_user_id, progress=progress
        )

    def execute(
        self,
        promotion_id: UUID,
        *,
        run_id: str,
        executed_by_user_id: UUID | None = None,
        progress: Progress = no_progress,
    ) -> PromotionResult:
        """Execute an approved promotion, or go on with one that a broken run has left.

        Args:
            promotion_id: The promotion.
            run_id: Who executes it; the same run may come back to it at any time.
            executed_by_user_id: Who started it, where a person is known; they need a role in the source or target.
            progress: Told how far it is.

        Raises:
            PromotionNotFound, PromotionRefused: it is not there, not approved, or another run is at it.
            PlanStale: what was approved is not what stands there; it will not be executed any more.
            PromotionFailed: something broke; nothing became visible, and it may be executed again.
        """
        with self._control.begin() as session:
            promotion = self._ledger.get(session, promotion_id)
            route = self._route(promotion.source_environment, promotion.target_environment)
        self._check_requester(executed_by_user_id, route)
        claim = self._ledger.claim(promotion_id, run_id)
        promotion, plan = self._claimed(claim, executed_by_user_id)
        with self._ledger.kept(claim):
            return Execution(claim, promotion, plan, route, self._ledger, self._clock).run(progress)

    def rollback_promotion(
        self,
        promotion_id: UUID,
        rolled_back_by_user_id: UUID,
        reason: str | None = None,
        *,
        progress: Progress = no_progress,
    ) -> PromotionResult:
        """Take a promotion back now: `request_rollback` and `rollback` in one."""
        self.request_rollback(promotion_id, rolled_back_by_user_id, reason)
        return self.rollback(promotion_id, run_id=f"service:{uuid4()}", progress=progress)

    def request_rollback(self, promotion_id: UUID, person: str | UUID, reason: str | None = None) -> None:
        """Ask, as a person who may approve on this path, that a promotion be taken back.

        Raises:
            PromotionNotFound, PromotionRefused: it is not there, or has not happened.
            UnknownPerson, NotPermitted: the person is unknown or has no role that approves.
        """
        reason = check_reason(reason)
        with self._control.begin() as session:
            promotion = self._ledger.get(session, promotion_id, lock=True)
            path = self._settings.path(promotion.source_environment, promotion.target_environment)
            user = people.find(session, person)
            role = people.require_role(user, path.target, path.approver_roles, "take this promotion back")
            if promotion.state == PromotionState.ROLLED_BACK:
                return  # it is as asked for
            if promotion.state not in {PromotionState.SUCCEEDED, PromotionState.ROLLING_BACK}:
                raise PromotionRefused(
                    promotion_id=str(promotion_id), act="rolled back", reason=f"it is {promotion.state}"
                )
            promotion.rollback_requested_by_user_id = user.id
            promotion.rollback_reason = reason
            promotion.rollback_requested_at = self._clock.now()
            append(
                session,
                EnvironmentAccess(
                    user_id=user.id,
                    environment=path.target,
                    action="rollback_requested",
                    reason=reason,
                    details={"promotion_id": str(promotion_id), "role": role},
                    occurred_at=self._clock.now(),
                ),
            )

    def rollback(self, promotion_id: UUID, *, run_id: str, progress: Progress = no_progress) -> PromotionResult:
        """Take a promotion back that a person has asked to be taken back; doing it again changes nothing.

        Raises:
            PromotionNotFound, PromotionRefused: it is not there, has not happened, nobody asked, or a run is at it.
            RollbackRefused: an item is not what the promotion brought any more; nothing was changed.
        """
        with self._control.begin() as session:
            promotion = self._ledger.get(session, promotion_id)
            route = self._route(promotion.source_environment, promotion.target_environment)
            if promotion.state == PromotionState.ROLLED_BACK:
                return _already(promotion)
            if promotion.state == PromotionState.SUCCEEDED and promotion.rollback_requested_at is None:
                reason = f"nobody has asked for it; 'wisqu promote rollback {promotion_id} --as PERSON' does that"
                raise PromotionRefused(promotion_id=str(promotion_id), act="rolled back", reason=reason)
        claim = self._ledger.claim(promotion_id, run_id, rollback=True)
        promotion, plan = self._claimed(claim, None)
        with self._ledger.kept(claim):
            return Rollback(claim, promotion, plan, route, self._ledger, self._clock).run(progress)

    def status(self, promotion_id: UUID) -> PromotionReport:
        """How a promotion stands.

        Raises:
            PromotionNotFound: there is none.
        """
        with self._control.begin() as session:
            return self._report(session, self._ledger.get(session, promotion_id))

    def preview(self, promotion_id: UUID) -> PromotionPreview:
        """A promotion's plan as it was frozen.

        Raises:
            PromotionNotFound: there is none.
        """
        with self._control.begin() as session:
            promotion = self._ledger.get(session, promotion_id)
            return _preview(promotion, self._ledger.plan(promotion, session))

    def list(self, *, state: PromotionState | None = None, limit: int = 50) -> Sequence[PromotionReport]:
        """The promotions, newest first."""
        wanted = select(Promotion).order_by(Promotion.created_at.desc(), Promotion.id).limit(limit)
        if state is not None:
            wanted = wanted.where(Promotion.state == state)
        with self._control.begin() as session:
            return [self._report(session, promotion) for promotion in session.scalars(wanted)]

    def ready(self) -> Sequence[UUID]:
        """The promotions that are approved and wait for a run, oldest first."""
        with self._control.begin() as session:
            promotions = session.scalars(
                select(Promotion).where(Promotion.state == PromotionState.APPROVED).order_by(Promotion.created_at)
            ).all()
            return [
                promotion.id
                for promotion in promotions
                if f"{promotion.source_environment}->{promotion.target_environment}" in self._settings.paths
                and self._enough(session, promotion)
            ]

    def rollbacks_requested(self) -> Sequence[UUID]:
        """The promotions that a person has asked to be taken back and no run has begun with, oldest request first."""
        with self._control.begin() as session:
            return session.scalars(
                select(Promotion.id)
                .where(Promotion.state == PromotionState.SUCCEEDED, Promotion.rollback_requested_at.is_not(None))
                .order_by(Promotion.rollback_requested_at)
            ).all()

    def _route(self, source: str, target: str) -> Route:
        path = self._settings.path(source, target)
        return Route(path, self._environments[source], self._environments[target], self._open_transfer(path))

    def _check_requester(self, user_id: UUID | None, route: Route) -> None:
        """Who asks must be known, and have a role at one end of the path; no person is a door that knows none."""
        if user_id is None:
            return
        with self._control.begin() as session:
            user = people.find(session, user_id)
        if user.role_in(route.source.name) is None and user.role_in(route.target.name) is None:
            raise NotPermitted(
                person=user.email,
                act=f"promote along {route.path.name}",
                environment=route.source.name,
                reason="they have access to neither end",
            )

    def _open_twin(
        self, session: Session, plan: Plan, requested_by_user_id: UUID | None, reason: str | None
    ) -> Promotion | None:
        """The promotion that waits with this very plan, asked for by this very person, if there is one."""
        return session.scalars(
            select(Promotion).where(
                Promotion.plan_digest == plan.digest,
                Promotion.state.in_((PromotionState.PLANNED, PromotionState.APPROVED)),
                Promotion.requested_by_user_id.is_not_distinct_from(requested_by_user_id),
                Promotion.reason.is_not_distinct_from(reason),
            )
        ).first()

    def _claimed(self, claim: Claim, executed_by_user_id: UUID | None) -> tuple[Promotion, Plan]:
        with self._ledger.guarded(claim) as (session, promotion):
            if executed_by_user_id is not None:
                promotion.executed_by_user_id = executed_by_user_id
            return promotion, self._ledger.plan(promotion, session)

    def _enough(self, session: Session, promotion: Promotion) -> bool:
        path = self._settings.path(promotion.source_environment, promotion.target_environment)
        return len(valid(session, promotion, path, self._clock.now())) >= path.approvals

    def _report(self, session: Session, promotion: Promotion) -> PromotionReport:
        approvals = session.execute(
            select(PromotionApproval, CentralUser.email)
            .join(CentralUser, CentralUser.id == PromotionApproval.user_id)
            .where(PromotionApproval.promotion_id == promotion.id)
            .order_by(PromotionApproval.decided_at)
        ).all()
        requester = session.get(CentralUser, promotion.requested_by_user_id) if promotion.requested_by_user_id else None
        return PromotionReport(
            promotion_id=promotion.id,
            promotion_type=promotion.promotion_type,
            source_environment=promotion.source_environment,
            target_environment=promotion.target_environment,
            state=PromotionState(promotion.state),
            plan_digest=promotion.plan_digest,
            totals=promotion.totals,
            reason=promotion.reason,
            requested_by=requester.email if requester else None,
            requested_via=promotion.requested_via,
            created_at=promotion.created_at,
            approvals_needed=int(promotion.policy["approvals"]),
            approvals=[
                ApprovalGiven(
                    user_id=given.user_id,
                    email=email,
                    role=given.role,
                    decision=given.decision,
                    reason=given.reason,
                    decided_at=given.decided_at,
                    expires_at=given.expires_at,
                )
                for given, email in approvals
            ],
            run_id=promotion.run_id,
            started_at=promotion.started_at,
            finished_at=promotion.finished_at,
            duration_seconds=promotion.duration_seconds,
            success_count=promotion.success_count,
            error_count=promotion.error_count,
            error=promotion.error,
            steps=self._ledger.steps(session, promotion.id),
        )


def _refuse_named(plan: Plan, item_type: str) -> None:
    """An item that a person named is there and can go, or nothing is planned at all."""
    for item_id in plan.missing:
        raise ItemNotFound(type=item_type, item_id=str(item_id), environment=plan.source)
    for item in plan.items:
        if item.effect == Effect.BLOCKED:
            raise ItemRefused(
                type=f"{item.item_type} '{item.label}'",
                item_id=str(item.source_id),
                environment=plan.source,
                act=f"promoted to {plan.target}",
                reason=item.blocked_reason,
            )


def _preview(promotion: Promotion, plan: Plan) -> PromotionPreview:
    return PromotionPreview(
        promotion_id=promotion.id,
        plan_digest=promotion.plan_digest,
        promotion_type=promotion.promotion_type,
        source_environment=promotion.source_environment,
        target_environment=promotion.target_environment,
        state=PromotionState(promotion.state),
        items=plan.items,
        totals=promotion.totals,
    )


def _already(promotion: Promotion) -> PromotionResult:
    """What a rollback answers that has nothing left to do."""
    return PromotionResult(
        promotion_id=promotion.id,
        promotion_type=promotion.promotion_type,
        source_environment=promotion.source_environment,
        target_environment=promotion.target_environment,
        state=PromotionState.ROLLED_BACK,
        success_count=promotion.success_count,
        error_count=promotion.error_count,
        bytes=0,
        points=0,
        duration_seconds=0.0,
    )
