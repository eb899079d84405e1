"""The promotion service: what every door (CLI, Dagster, API) calls."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.models import EnvironmentRow
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import ItemNotFound, ItemRefused, NotPermitted, PromotionRefused, RollbackRefused
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.models import CentralUser
from wisqu_pipelines.identity.reasons import check_reason
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.ports.objects import ObjectStore
from wisqu_pipelines.ports.progress import Progress, no_progress
from wisqu_pipelines.promotion.approvals import valid
from wisqu_pipelines.promotion.drafts import Draft
from wisqu_pipelines.promotion.execution import Execution
from wisqu_pipelines.promotion.foresight import foresee, unneeded
from wisqu_pipelines.promotion.freezes import check_open
from wisqu_pipelines.promotion.ledger import Claim, Ledger, write_down
from wisqu_pipelines.promotion.lineage import Ancestor, ancestors
from wisqu_pipelines.promotion.models import Decision, Promotion, PromotionApproval, PromotionState
from wisqu_pipelines.promotion.paths import is_configured, path_of
from wisqu_pipelines.promotion.plan import PlannedItem, canonical_plan, differences, policy_changes, policy_of
from wisqu_pipelines.promotion.planner import Planner
from wisqu_pipelines.promotion.results import (
    ITEMS_SHOWN,
    ApprovalGiven,
    PromotionPreview,
    PromotionReport,
    PromotionResult,
    RollbackPreview,
    moving,
)
from wisqu_pipelines.promotion.rollback import Rollback, asked_for
from wisqu_pipelines.promotion.signatures import ApprovalSignatures
from wisqu_pipelines.promotion.staging import Staging
from wisqu_pipelines.promotion.types import promotable
from wisqu_pipelines.promotion.unpublishing import Scope
from wisqu_pipelines.promotion.waiting import waits_for
from wisqu_pipelines.promotion.work import Route, Work
from wisqu_pipelines.promotion.writing import PlanWriter
from wisqu_pipelines.settings import PathSettings, Settings, path_name

UNFINISHED = (PromotionState.EXECUTING, PromotionState.PUBLISHED)
"""The states of a promotion that a run is at, or was."""
AT_WORK = (*UNFINISHED, PromotionState.ROLLING_BACK)
"""The states in which a list tells how far a promotion is: a journal has several rows for each item."""
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
        self._items = self._ledger.items
        self._signatures = ApprovalSignatures(settings)

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
        promotion = Promotion(
            id=uuid4(),
            promotion_type=kind.name,
            source_environment=route.source.name,
            target_environment=route.target.name,
            state=PromotionState.PLANNED,
            plan_digest="",
            selection={"item_ids": None if item_ids is None else sorted(str(each) for each in item_ids)},
            totals={},
            policy=policy_of(route.path),
            reason=reason,
            requested_by_user_id=requested_by_user_id,
            requested_via=requested_via,
            created_at=self._clock.now(),
        )
        with self._control.begin() as session:
            making = session.begin_nested()
            session.add(promotion)
            session.flush()
            named: set[UUID] = set()
            plan = PlanWriter(session, promotion)
            pages = Planner(route.source, route.target, promotion.created_at, route.between).pages(
                kind, item_ids, progress=progress
            )
            with closing(pages), ThreadPoolExecutor(1) as writing:  # one page is written while the next is examined
                written: Future[None] | None = None
                for page in pages:
                    if item_ids is not None:
                        _refuse_blocked(page, route)
                        named |= {UUID(draft.id) for draft in page}
                    if written is not None:
                        written.result()
                    written = writing.submit(plan.add, page)
                if written is not None:
                    written.result()
            for item_id in item_ids or ():
                if item_id not in named:
                    raise ItemNotFound(type=kind.name, item_id=str(item_id), environment=route.source.name)
            plan.seal()
            session.flush()
            standing = self._open_twin(session, promotion, route.path)
            if standing is None:
                making.commit()
            else:
                making.rollback()
            return self._preview(session, standing or promotion)

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
                select(Promotion)
                .where(
                    Promotion.plan_digest == preview.plan_digest,
                    Promotion.state.in_((PromotionState.APPROVED, PromotionState.FAILED)),
                )
                .order_by(Promotion.created_at)
            ).all()
            path, now = self._settings.path(source_env, target_env), self._clock.now()
            counts = (
                each.id for each in approved if len(valid(session, each, path, self._signatures, now)) >= path.approvals
            )
            chosen = next(counts, preview.promotion_id)
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
            PromotionCancelled: a person has cancelled it; nothing became visible, and it is over.
            PlanStale: what was approved is not what stands there; it will not be executed any more.
            PromotionFailed: something broke; nothing became visible, and it may be executed again.
        """
        with self._control.begin() as session:
            promotion = self._ledger.get(session, promotion_id)
            route = self._route_of(promotion)
            if promotion.state in {PromotionState.APPROVED, PromotionState.FAILED}:
                self._settings.path(promotion.source_environment, promotion.target_environment)
                check_open(session, promotion, route.path, self._clock.now())
        self._check_requester(executed_by_user_id, route)
        claim = self._ledger.claim(promotion_id, run_id)
        work = self._claimed(claim, route, executed_by_user_id)
        with self._ledger.kept(claim):
            return Execution(work).run(progress)

    def resume(
        self, promotion_id: UUID, *, run_id: str, person: UUID | None = None, progress: Progress = no_progress
    ) -> PromotionResult:
        """Go on with a promotion, or with a rollback, whose run is gone, from where the stores say it stands.

        Args:
            promotion_id: The promotion.
            run_id: Who goes on.
            person: Who asks for it, where a person is known; they need a role in the source or target.
            progress: Told how far it is.

        Raises:
            PromotionRefused: nothing of it is left to do, or its run lives.
            Any error of `execute` and of `rollback`.
        """
        with self._control.begin() as session:
            promotion = self._ledger.get(session, promotion_id)
            route = self._route_of(promotion)
            goes_back = _goes_back(promotion)
        if goes_back:
            self._check_requester(person, route)
            return self.rollback(promotion_id, run_id=run_id, progress=progress)
        return self.execute(promotion_id, run_id=run_id, executed_by_user_id=person, progress=progress)

    def check_resumable(self, promotion_id: UUID, person: UUID | None = None) -> None:
        """Refuse what `resume` would refuse before it changes anything; for doors that resume behind the caller's back.

        Args:
            promotion_id: The promotion.
            person: As for `resume`.

        Raises:
            PromotionNotFound, PromotionRefused: it is not there, nothing of it is left to do, or its run lives.
            PathClosed: its path is frozen or held.
            UnknownPerson, NotPermitted: who asks is unknown, or has a role at neither end.
        """
        with self._control.begin() as session:
            promotion = self._ledger.get(session, promotion_id)
            route = self._route_of(promotion)
            self._check_requester(person, route)
            self._ledger.check_claimable(promotion, rollback=_goes_back(promotion))
            if promotion.state in {PromotionState.APPROVED, PromotionState.FAILED}:
                check_open(session, promotion, route.path, self._clock.now())

    def rollback_promotion(
        self,
        promotion_id: UUID,
        rolled_back_by_user_id: UUID,
        reason: str | None = None,
        *,
        item_ids: Collection[UUID] | None = None,
        progress: Progress = no_progress,
    ) -> PromotionResult:
        """Take a promotion back now, or a part of it: `request_rollback` and `rollback` in one."""
        self.request_rollback(promotion_id, rolled_back_by_user_id, reason, item_ids)
        return self.rollback(promotion_id, run_id=f"service:{uuid4()}", progress=progress)

    def request_rollback(
        self,
        promotion_id: UUID,
        person: str | UUID,
        reason: str | None = None,
        item_ids: Collection[UUID] | None = None,
    ) -> None:
        """Ask, as a person who may approve on this path, that a promotion be taken back.

        Args:
            promotion_id: The promotion.
            person: Who asks.
            reason: Why.
            item_ids: The items to take back, by their ids on either side, or None for all. What was pulled in for them
                alone goes with them.

        Raises:
            PromotionNotFound, PromotionRefused: it is not there, has not happened, or is too old; or a rollback of
                other items of it is asked for already.
            UnknownPerson, NotPermitted: the person is unknown, or has no such role.
            BadInput: the reason cannot be kept.
            RollbackRefused: the promotion brought no such item, or it was taken back already.
        """
        reason = check_reason(reason)
        with self._control.begin() as session:
            promotion = self._ledger.get(session, promotion_id, lock=True)
            path = path_of(self._settings, promotion)
            user = people.find(session, person)
            role = people.require_role(
                user, path.target, path.approver_roles, "take this promotion back", self._clock.now()
            )
            if promotion.state == PromotionState.ROLLED_BACK or self._is_asked_for(promotion, item_ids):
                return  # it is as asked for, or will be
            self._check_can_go_back(promotion, path)
            only = None if item_ids is None else self._scoped(promotion, item_ids)
            _check_replaces(promotion, only)
            promotion.rollback_id = uuid4()
            promotion.rollback_item_ids = None if only is None else sorted(str(each) for each in only)
            promotion.rollback_requested_by_user_id = user.id
            promotion.rollback_reason = reason
            promotion.rollback_requested_at = self._clock.now()
            write_down(
                session,
                promotion,
                "rollback_requested",
                user,
                reason,
                promotion.rollback_requested_at,
                rollback_id=str(promotion.rollback_id),
                items="all" if only is None else len(only),
                role=role,
            )

    def preview_rollback(
        self,
        promotion_id: UUID,
        item_ids: Collection[UUID] | None = None,
        *,
        rehearse: bool = False,
        person: UUID | None = None,
    ) -> RollbackPreview:
        """Say what taking a promotion back, or a part of it, would do; nothing is changed.

        Args:
            promotion_id: The promotion.
            item_ids: As for `request_rollback`.
            rehearse: Whether its transaction is carried out in the target and then undone, which finds what only the
                database knows: rows that refer to what would go. It holds locks there as long.
            person: Who asks, where a person is known; to rehearse, they must be one who could take it back.

        Raises:
            PromotionNotFound, PromotionRefused: it is not there, has not happened, or is too old.
            NotPermitted: the person may not rehearse it.
            RollbackRefused: the promotion brought no such item; or the rehearsed transaction was refused.
        """
        with self._control.begin() as session:
            promotion = self._ledger.get(session, promotion_id)
            session.expunge(promotion)
        route = self._route_of(promotion)
        if rehearse and person is not None:
            roles, act = route.path.approver_roles, "rehearse its rollback"
            people.permitted(self._control, person, route.path.target, roles, act, self._clock.now())
        self._check_can_go_back(promotion, route.path)
        only = None if item_ids is None else self._scoped(promotion, item_ids)
        scope = Scope(promotion, self._ledger, Staging(promotion.id, route), only)
        return foresee(scope, route.target, self._clock.now(), rehearse=rehearse)

    def _is_asked_for(self, promotion: Promotion, item_ids: Collection[UUID] | None) -> bool:
        """Whether the rollback that waits for its run, or that a run is at, takes these items back too."""
        if promotion.rollback_requested_at is None:
            return False
        asked = asked_for(promotion.rollback_item_ids)
        if asked is None or item_ids is None:
            return asked is None
        found = self._items.brought(promotion.id, item_ids)
        known = {each for item in found for each in (item.source_id, item.target_id)}
        return set(item_ids) <= known and all(item.source_id in asked for item in found)

    def _check_can_go_back(self, promotion: Promotion, path: PathSettings) -> None:
        if promotion.state == PromotionState.ROLLING_BACK:
            reason = "a rollback of it is under way; ask again when that has ended"
        elif promotion.state != PromotionState.SUCCEEDED:
            reason = f"it is {promotion.state}"
        elif promotion.finished_at and self._clock.now() > promotion.finished_at + timedelta(days=path.rollback_days):
            reason = (
                f"it ended at {promotion.finished_at:%Y-%m-%d %H:%M} UTC, and {path.name} keeps what a rollback needs "
                f"for {path.rollback_days} days"
            )
        else:
            return
        raise PromotionRefused(promotion_id=str(promotion.id), act="rolled back", reason=reason)

    def _scoped(self, promotion: Promotion, item_ids: Collection[UUID]) -> set[UUID]:
        """The source ids of the items that a rollback in part takes back."""
        target = self._environments[promotion.target_environment]
        found = self._items.brought(promotion.id, item_ids)
        known = {each for item in found for each in (item.source_id, item.target_id)}
        for item_id in item_ids:
            if item_id not in known:
                reason = f"it brought no item {item_id}, or that was taken back already"
                raise RollbackRefused(promotion_id=str(promotion.id), reason=reason)
        owners = self._items.pulled_in(promotion.id, {item.source_id for item in found})
        return {item.source_id for item in [*found, *unneeded(target, owners, found)]}

    def rollback(self, promotion_id: UUID, *, run_id: str, progress: Progress = no_progress) -> PromotionResult:
        """Take a promotion back that a person has asked to be taken back; doing it again changes nothing.

        Raises:
            PromotionNotFound, PromotionRefused: it is not there, has not happened, nobody asked, or a run is at it.
            RollbackRefused: an item is not what the promotion brought any more; nothing was changed.
        """
        with self._control.begin() as session:
            promotion = self._ledger.get(session, promotion_id)
            route = self._route_of(promotion)
            if promotion.state == PromotionState.ROLLED_BACK:
                return _already(promotion)
            if promotion.state == PromotionState.SUCCEEDED and promotion.rollback_requested_at is None:
                reason = f"nobody has asked for it; 'wisqu promote rollback {promotion_id} --as PERSON' does that"
                raise PromotionRefused(promotion_id=str(promotion_id), act="rolled back", reason=reason)
        claim = self._ledger.claim(promotion_id, run_id, rollback=True)
        work = self._claimed(claim, route, None)
        with self._ledger.kept(claim):
            return Rollback(work).run(progress)

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
            return self._preview(session, self._ledger.get(session, promotion_id))

    def plan(self, promotion_id: UUID) -> Iterator[PlannedItem]:
        """All items of a promotion's plan, in the order in which they are written.

        Raises:
            PromotionNotFound: there is no such promotion.
        """
        with self._control.begin() as session:
            self._ledger.get(session, promotion_id)
        return (item for page in self._items.pages(promotion_id) for item in page)

    def canonical_plan(self, promotion_id: UUID) -> Iterator[bytes]:
        """The very document whose SHA-256 is the plan's digest, piece by piece.

        Raises:
            PromotionNotFound: there is no such promotion.
        """
        items = (item.canonical() for item in self.plan(promotion_id))
        with self._control.begin() as session:
            about = self._ledger.get(session, promotion_id)
            ends = about.source_environment, about.target_environment
            return canonical_plan(about.promotion_type, *ends, about.policy, items)

    def compare(self, promotion_id: UUID, earlier_id: UUID) -> Iterator[str]:
        """How a plan differs from an earlier one, a sentence for each difference.

        Raises:
            PromotionNotFound: there is no such promotion.
            PromotionRefused: the two are not along one path.
        """
        with self._control.begin() as session:
            now, before = self._ledger.get(session, promotion_id), self._ledger.get(session, earlier_id)
            ends = [(each.source_environment, each.target_environment) for each in (now, before)]
        if ends[0] != ends[1]:
            reason = f"{earlier_id} goes {path_name(*ends[1])}, and this one {path_name(*ends[0])}"
            raise PromotionRefused(promotion_id=str(promotion_id), act="compared", reason=reason)
        if now.policy != before.policy:
            yield f"the policy of {path_name(*ends[0])} changed ({policy_changes(before.policy, now.policy)})"
        yield from differences(self._items.both(promotion_id, earlier_id), *ends[0])

    def lineage(self, item_id: UUID) -> Sequence[Ancestor]:
        """Where an item came from, hop by hop, back to its first source; nearest first.

        Args:
            item_id: The row's id in the environment that it came to.
        """
        with self._control.begin() as session:
            return ancestors(session, [item_id])

    def list(
        self, *, state: PromotionState | None = None, limit: int = 50, after: UUID | None = None
    ) -> Sequence[PromotionReport]:
        """The promotions, newest first.

        Args:
            state: Only those in this state.
            limit: At most so many.
            after: Only those behind this one: the last of the page before.

        Raises:
            PromotionNotFound: there is no promotion `after`.
        """
        wanted = select(Promotion).order_by(Promotion.created_at.desc(), Promotion.id).limit(limit)
        if state is not None:
            wanted = wanted.where(Promotion.state == state)
        with self._control.begin() as session:
            if after is not None:
                last = self._ledger.get(session, after)
                same = and_(Promotion.created_at == last.created_at, Promotion.id > last.id)
                wanted = wanted.where(or_(Promotion.created_at < last.created_at, same))
            found = session.scalars(wanted).all()
            return [self._report(session, each, steps=each.state in AT_WORK) for each in found]

    def last_verified(self, target_environment: str) -> PromotionReport | None:
        """The last promotion into an environment that was read back, or None if there is none."""
        wanted = select(Promotion).where(
            Promotion.target_environment == target_environment, Promotion.verification.is_not(None)
        )
        with self._control.begin() as session:
            found = session.scalars(wanted.order_by(Promotion.finished_at.desc()).limit(1)).first()
            return None if found is None else self._report(session, found)

    def ready(self) -> Sequence[UUID]:
        """The promotions that wait for a run, oldest first: approved ones whose path is open, and those whose run is
        gone.
        """
        with self._control.begin() as session:
            promotions = session.scalars(
                select(Promotion)
                .where(
                    or_(
                        Promotion.state == PromotionState.APPROVED,
                        and_(Promotion.state.in_(UNFINISHED), Promotion.lease_until < self._clock.now()),
                    )
                )
                .order_by(Promotion.created_at)
            ).all()
            return [each.id for each in promotions if each.state in UNFINISHED or self._may_begin(session, each)]

    def rollbacks_requested(self) -> Sequence[UUID]:
        """The promotions that a person has asked to be taken back and no living run is at, oldest request first."""
        with self._control.begin() as session:
            return session.scalars(
                select(Promotion.id)
                .where(
                    Promotion.rollback_requested_at.is_not(None),
                    or_(
                        Promotion.state == PromotionState.SUCCEEDED,
                        and_(Promotion.state == PromotionState.ROLLING_BACK, Promotion.lease_until < self._clock.now()),
                    ),
                )
                .order_by(Promotion.rollback_requested_at)
            ).all()

    def _route(self, source: str, target: str) -> Route:
        return self._along(self._settings.path(source, target))

    def _route_of(self, promotion: Promotion) -> Route:
        route = self._along(path_of(self._settings, promotion))
        return route if is_configured(self._settings, promotion) else replace(route, is_configured=False)

    def _along(self, path: PathSettings) -> Route:
        source, target, paths = path.source, path.target, self._settings.paths
        ends = self._environments[source], self._environments[target]
        between = [
            name for name in self._environments if {path_name(source, name), path_name(name, target)} <= set(paths)
        ]
        return Route(path, *ends, self._open_transfer(path), tuple(between))

    def _check_requester(self, user_id: UUID | None, route: Route) -> None:
        """Who asks must be known, and have a role at one end of the path; no person is a door that knows none."""
        if user_id is None:
            return
        with self._control.begin() as session:
            user = people.find(session, user_id)
        now = self._clock.now()
        if user.role_in(route.source.name, now) is None and user.role_in(route.target.name, now) is None:
            raise NotPermitted(
                person=user.email,
                act=f"promote along {route.path.name}",
                environment=route.source.name,
                reason="they have access to neither end",
            )

    def _open_twin(self, session: Session, promotion: Promotion, path: PathSettings) -> Promotion | None:
        """The promotion that waits with this very plan, asked for by this very person, if there is one that can still
        be approved by everybody who may: who has said yes to one and whose yes counts no more cannot say it again.
        """
        waiting = session.scalars(
            select(Promotion)
            .where(
                Promotion.id != promotion.id,
                Promotion.plan_digest == promotion.plan_digest,
                Promotion.state.in_((PromotionState.PLANNED, PromotionState.APPROVED)),
                Promotion.requested_by_user_id.is_not_distinct_from(promotion.requested_by_user_id),
                Promotion.reason.is_not_distinct_from(promotion.reason),
            )
            .order_by(Promotion.created_at)
        ).all()
        now = self._clock.now()
        for each in waiting:
            given = select(func.count()).where(
                PromotionApproval.promotion_id == each.id,
                PromotionApproval.decision == Decision.APPROVE,
                PromotionApproval.revoked_at.is_(None),
            )
            if session.scalar(given) == len(valid(session, each, path, self._signatures, now)):
                return each
        return None

    def _preview(self, session: Session, promotion: Promotion) -> PromotionPreview:
        items = self._items.shown(session, promotion, ITEMS_SHOWN)
        has_left = promotion.error_count or promotion.rolled_back_count
        return PromotionPreview(
            promotion_id=promotion.id,
            plan_digest=promotion.plan_digest,
            promotion_type=promotion.promotion_type,
            source_environment=promotion.source_environment,
            target_environment=promotion.target_environment,
            state=PromotionState(promotion.state),
            items=items,
            totals=promotion.totals,
            outcomes=self._items.outcomes(session, promotion.id, items) if has_left else {},
        )

    def _claimed(self, claim: Claim, route: Route, executed_by_user_id: UUID | None) -> Work:
        with self._ledger.guarded(claim) as (session, promotion):
            if executed_by_user_id is not None:
                promotion.executed_by_user_id = executed_by_user_id
                session.flush()
            return Work(claim, promotion, route, self._ledger, self._signatures, self._clock)

    def _may_begin(self, session: Session, promotion: Promotion) -> bool:
        return self._waits_for(session, promotion) is None

    def _waits_for(self, session: Session, promotion: Promotion) -> str | None:
        return waits_for(session, promotion, self._settings.paths, self._signatures, self._clock.now())

    def _report(self, session: Session, promotion: Promotion, *, steps: bool = True) -> PromotionReport:
        approvals = session.execute(
            select(PromotionApproval, CentralUser.email)
            .join(CentralUser, CentralUser.id == PromotionApproval.user_id)
            .where(PromotionApproval.promotion_id == promotion.id)
            .order_by(PromotionApproval.decided_at)
        ).all()
        requester, taker = (
            session.get(CentralUser, each) if each else None
            for each in (promotion.requested_by_user_id, promotion.rollback_requested_by_user_id)
        )
        is_approved = promotion.state == PromotionState.APPROVED
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
                    revoked_at=given.revoked_at,
                    revoked_reason=given.revoked_reason,
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
            cancel_reason=promotion.cancel_reason,
            verification=promotion.verification,
            waits_for=self._waits_for(session, promotion) if is_approved else None,
            rolled_back_count=promotion.rolled_back_count,
            rolled_back_at=promotion.rolled_back_at,
            rollback_asked_by=taker.email if taker else None,
            rollback_reason=promotion.rollback_reason,
            steps=self._ledger.steps(session, promotion.id) if steps else {},
            is_empty=not moving(promotion.totals, "items"),
        )


def _refuse_blocked(drafts: Sequence[Draft], route: Route) -> None:
    """An item that a person named can go, or nothing is planned at all."""
    for draft in drafts:
        if draft.blocked:
            raise ItemRefused(
                type=f"{draft.kind.name} '{draft.label}'",
                item_id=draft.id,
                environment=route.source.name,
                act=f"promoted to {route.target.name}",
                reason=draft.blocked,
            )


def _check_replaces(promotion: Promotion, only: Collection[UUID] | None) -> None:
    """A request in the place of one that no run has begun takes back all that that one would."""
    if promotion.rollback_requested_at is None or only is None:
        return
    asked = asked_for(promotion.rollback_item_ids)
    if asked is None or not asked <= set(only):
        reason = (
            "a rollback of other items of it is asked for already and waits for its run; "
            f"'wisqu promote resume {promotion.id} --as PERSON' does it now"
        )
        raise PromotionRefused(promotion_id=str(promotion.id), act="rolled back", reason=reason)


def _goes_back(promotion: Promotion) -> bool:
    """Whether what is left to do of a promotion is a rollback."""
    asked_back = promotion.rollback_requested_at is not None
    state = promotion.state
    return state == PromotionState.ROLLING_BACK or (state == PromotionState.SUCCEEDED and asked_back)


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
