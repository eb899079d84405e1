"""Retention in one environment: dry runs, sweeps, their approval, their restoring and their purge."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any, NoReturn
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.environments.clocks import require_agreement
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.environments.turns import one_at_a_time
from wisqu_pipelines.errors import BadSettings, CapReached, NotPermitted, SweepNotFound, SweepRefused
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.models import CentralUser
from wisqu_pipelines.identity.reasons import check_reason, required_reason
from wisqu_pipelines.identity.signatures import SignedApprovals
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.ports.progress import Progress, no_progress
from wisqu_pipelines.promotion.models import Promotion, PromotionItem, PromotionState
from wisqu_pipelines.retention import hiding, purging
from wisqu_pipelines.retention.kinds import KINDS, Kind, chosen
from wisqu_pipelines.retention.marking import Scope, mark, staying
from wisqu_pipelines.retention.models import APPROVAL_LASTS, HIDDEN, ItemState, Sweep, SweepItem, SweepState, told
from wisqu_pipelines.retention.report import AGES, CleanupReport, RestoreReport, SweepReport, SweptItem, TypeReport
from wisqu_pipelines.retention.standing import REJECTED, RESTORED, Ending, endings, waits, why_hidden
from wisqu_pipelines.settings import Settings

SWEEPERS = ("developer", "admin", "superadmin")
"""Roles, held in the environment, that may sweep it, and restore what was swept."""
APPROVERS = ("admin", "superadmin")
"""Roles that may let a sweep happen where none happens by itself."""
OPEN_PROMOTIONS = (
    PromotionState.PLANNED,
    PromotionState.APPROVED,
    PromotionState.EXECUTING,
    PromotionState.PUBLISHED,
    PromotionState.FAILED,
    PromotionState.ROLLING_BACK,
)
AUDIENCE = "wisqu:sweeps"
"""What signed approvals of sweeps are for: they are none of anything else."""
PURGED = "retention_purged"
"""What the environment's audit calls a purge."""
LAPSED = "nobody approved it in time"
"""Why a sweep is over that has waited too long."""
UNPURGED = (HIDDEN, ItemState.REMOVING)
"""Items that a sweep has hidden and not given back or purged."""
TURN = 0x57_49_53_51_55_03
"""The advisory lock of the environment's database that lets one run of retention at a time work on it."""


class RetentionService:
    """Sweeps one environment by its policy. Everything that it hides, purges or gives back is audited there."""

    def __init__(self, control: Database, environment: Environment, settings: Settings, clock: Clock) -> None:
        """Sweep `environment`, asking `control` what promotions need and what people may do.

        Raises:
            BadSettings: its policy speaks of a type that is not swept: what was meant would go by another one.
        """
        if unknown := sorted({*environment.settings.retention.types} - {*KINDS}):
            where, swept = f"environments.{environment.name}.retention.types", ", ".join(sorted(KINDS))
            raise BadSettings(message=f"{where}: {', '.join(unknown)} is not swept; {swept} are")
        self._control = control
        self._environment = environment
        self._database = environment.database
        self.policy = environment.settings.retention
        """How long rows are kept here."""
        self._signatures = SignedApprovals(settings, AUDIENCE)
        self._clock = clock

    def foretell(
        self, types: Sequence[str] | None = None, *, test_data_only: bool = False, force: bool = False
    ) -> SweepReport:
        """What a sweep would do now: its own statements are carried out and undone. Nothing is changed.

        Args:
            types: Only rows of these types; None: of all.
            test_data_only: Only test data.
            force: As if it went past the cap.

        Raises:
            UnknownType: there is no such type.
            ClocksDisagree: how old rows are cannot be told.
        """
        kinds = chosen(types)
        scope = self._scope(test_data_only)
        with self._database.begin() as session:
            require_agreement(session, self._clock, self._database.name)
            undone = session.begin_nested()
            report = self._mark(session, kinds, scope, None, None, is_forced=force)
            undone.rollback()
        return replace(report, sweep_id=None, state=None, is_dry_run=True)

    def rehearse(
        self, types: Sequence[str] | None = None, *, test_data_only: bool = False, force: bool = False
    ) -> CleanupReport:
        """What `run` would do now, with the earlier sweeps that it would go on with. Arguments and errors as of
        `foretell`; nothing is changed.
        """
        foretold = self.foretell(types, test_data_only=test_data_only, force=force)
        return CleanupReport(self._environment.name, foretold, tuple(self._pending()))

    def _pending(self) -> Sequence[SweepReport]:
        """The earlier sweeps that the next run goes on with, as they stand: approved ones that it hides, and hidden
        ones whose grace time is over, which it purges.
        """
        with self._database.begin() as session:
            found = [self._report(session, self._get(session, each, lock=False)) for each in self._unfinished(session)]
        return [replace(each, is_dry_run=True) for each in found if each.state != SweepState.WAITING]

    def run(
        self,
        types: Sequence[str] | None = None,
        *,
        test_data_only: bool = False,
        person: str | UUID | None = None,
        reason: str | None = None,
        force: bool = False,
        progress: Progress = no_progress,
    ) -> CleanupReport:
        """Go on with earlier sweeps, purge those whose grace time is over, and begin a new one.

        Args:
            types: Only rows of these types; None: of all.
            test_data_only: Only test data.
            person: Who does it; None: a schedule, where the policy lets it.
            reason: Why; `force` takes one.
            force: Go past the cap.
            progress: Told how far it is.

        Raises:
            UnknownType: there is no such type.
            UnknownPerson, NotPermitted: the person may not do it, or nobody may be left out here.
            BadInput: the reason is missing, or not usable.
            ClocksDisagree: how old rows are cannot be told; nothing was changed.
            CapReached: it would hide too much; nothing new was hidden.
        """
        kinds = chosen(types)
        why = required_reason(reason, "going past the cap") if force else check_reason(reason)
        who = self._permitted(person, SWEEPERS, "clean up")
        if who is None and (force or not self.policy.automatic):
            raise NotPermitted(
                person="An unnamed caller",
                act="clean up",
                environment=self._environment.name,
                reason="going past the cap takes a person's name"
                if self.policy.automatic
                else "it is not cleaned up by itself: a person starts a sweep, and another one approves it",
            )
        with one_at_a_time(self._database, TURN):
            with self._database.begin() as session:
                require_agreement(session, self._clock, self._database.name)
            earlier = [self._go_on(sweep, progress) for sweep in self._to_do()]
            scope = self._scope(test_data_only)
            with self._database.begin() as session:
                begun = session.begin_nested()
                report = self._mark(session, kinds, scope, None if who is None else who.id, why, is_forced=force)
                stopped = report.stopped if not force else None
                asked = self._asked(session, report)
                if stopped or asked or not report.rows:
                    begun.rollback()
                else:
                    begun.commit()
                if asked:
                    report = self._report(session, asked)
            if stopped:
                raise CapReached(environment=self._environment.name, reason=stopped)
            if report.sweep_id is not None and report.state == SweepState.HIDING:
                report = replace(self._hide(report.sweep_id, progress), types=report.types)
        return CleanupReport(self._environment.name, report, tuple(earlier))

    def go_on(self, progress: Progress = no_progress) -> Sequence[SweepReport]:
        """Hide what approved sweeps list, and purge what was hidden long enough; no new sweep is begun.

        Raises:
            ClocksDisagree: how old rows are cannot be told; nothing was changed.
        """
        with one_at_a_time(self._database, TURN):
            with self._database.begin() as session:
                require_agreement(session, self._clock, self._database.name)
            return [self._go_on(sweep, progress) for sweep in self._to_do()]

    def approved(self) -> Sequence[UUID]:
        """The sweeps that are approved and not hidden yet, oldest first."""
        with self._database.begin() as session:
            wanted = select(Sweep.id).where(Sweep.state == SweepState.HIDING, Sweep.approved_by.is_not(None))
            return session.scalars(wanted.order_by(Sweep.created_at)).all()

    def waiting(self) -> Sequence[SweepReport]:
        """The sweeps that wait for a decision, oldest first."""
        since = self._clock.now() - APPROVAL_LASTS
        wanted = select(Sweep).where(Sweep.state == SweepState.WAITING, Sweep.created_at >= since)
        with self._database.begin() as session:
            found = session.scalars(wanted.order_by(Sweep.created_at, Sweep.id)).all()
            return [self._report(session, each) for each in found]

    def approve(self, sweep_id: UUID, person: str | UUID, reason: str | None = None) -> SweepReport:
        """Let a sweep that waits happen; the next run hides what it lists. The approval is signed.

        Raises:
            SweepNotFound, SweepRefused: it is not there, or does not wait.
            UnknownPerson, NotPermitted: the person may not do it, or asked for it themselves.
            BadInput: the reason is not usable.
        """
        why = check_reason(reason)
        who = self._required(person, APPROVERS, "approve a sweep")
        now = self._clock.now()
        with self._database.begin() as session:
            sweep = self._get(session, sweep_id)
            if sweep.state != SweepState.WAITING:
                self._refuse(sweep, "approved", f"it is {sweep.state}")
            if self._has_lapsed(sweep):
                self._refuse(sweep, "approved", "it has waited too long; begin a new one")
            if sweep.requested_by == who.id:
                raise NotPermitted(
                    person=who.email,
                    act="approve this sweep",
                    environment=self._environment.name,
                    reason="they asked for it themselves, and it takes somebody else's yes",
                )
            sweep.approved_by, sweep.approved_at = who.id, now
            sweep.signature = self._signatures.sign(who.id, now, APPROVAL_LASTS, self._signed(sweep))
            sweep.state = SweepState.HIDING
            self._write_down(session, "retention_approved", who.id, why, sweep)
            return self._report(session, sweep)

    def reject(self, sweep_id: UUID, person: str | UUID, reason: str) -> SweepReport:
        """Say no to a sweep that waits, for good. Errors as of `approve`."""
        why = required_reason(reason, "saying no")
        who = self._required(person, APPROVERS, "reject a sweep")
        with self._database.begin() as session:
            sweep = self._get(session, sweep_id)
            if sweep.state != SweepState.WAITING:
                self._refuse(sweep, "rejected", f"it is {sweep.state}")
            self._reject(session, sweep, who.id, why)
            return self._report(session, sweep)

    def restore(
        self, sweep_id: UUID, person: str | UUID, reason: str, item_ids: Sequence[UUID] | None = None
    ) -> RestoreReport:
        """Give back what a sweep has hidden and not purged: all of it, or some items with what they are parts of. No
        sweep takes them again before they are once more as old as the policy says, counted from now. A sweep that is
        hiding and is given back as a whole hides nothing more; a run that is at it ends first. One of which nothing is
        left hidden is over.

        Raises:
            SweepNotFound, SweepRefused: it is not there, has hidden nothing, or none of those items.
            UnknownPerson, NotPermitted: the person may not do it.
            BadInput: the reason says nothing.
        """
        why = required_reason(reason, "restoring")
        who = self._required(person, SWEEPERS, "restore what was swept")
        calls_off = item_ids is None and self.status(sweep_id).state == SweepState.HIDING
        turn = one_at_a_time(self._database, TURN) if calls_off else nullcontext()
        with turn, self._database.begin() as session:
            sweep = self._get(session, sweep_id)
            items: list[tuple[str, UUID]] | None = None
            if item_ids is not None:
                known = select(SweepItem.item_type, SweepItem.item_id).where(
                    SweepItem.sweep_id == sweep_id, SweepItem.item_id.in_(item_ids)
                )
                items = [(type_, id_) for type_, id_ in session.execute(known)]
                if unknown := {*item_ids} - {id_ for _, id_ in items}:
                    self._refuse(sweep, "restored", f"it has not swept {', '.join(map(str, sorted(unknown)))}")
            now = self._clock.now()
            count = hiding.restore(session, sweep, items, now)
            if calls_off and sweep.state == SweepState.HIDING:
                hiding.call_off(session, sweep, now)
                self._end(sweep, SweepState.REJECTED)
            elif not count:
                self._refuse(sweep, "restored", "nothing of that is hidden")
            self._write_down(session, RESTORED, who.id, why, sweep, items=count)
            report = self._report(session, sweep)
            if sweep.state == SweepState.HIDDEN and not report.hidden:
                self._end(sweep, SweepState.PURGED if report.purged else SweepState.REJECTED)
                report = self._report(session, sweep)
            return RestoreReport(count, report)

    def list(self, limit: int = 50) -> Sequence[SweepReport]:
        """The sweeps, newest first."""
        with self._database.begin() as session:
            found = session.scalars(select(Sweep).order_by(Sweep.created_at.desc(), Sweep.id).limit(limit)).all()
            return self._reports(session, found)

    def status(self, sweep_id: UUID) -> SweepReport:
        """How a sweep stands.

        Raises:
            SweepNotFound: there is none.
        """
        with self._database.begin() as session:
            return self._report(session, self._get(session, sweep_id))

    def items(self, sweep_id: UUID) -> Iterator[SweptItem]:
        """Everything that a sweep has marked, in the order in which it goes.

        Raises:
            SweepNotFound: there is no such sweep.
        """
        with self._database.snapshot() as session:
            sweep = self._get(session, sweep_id, lock=False)
            known = {each.name: getattr(SweepItem, each.name) for each in fields(SweptItem)} | {"state": told()}
            if sweep.state == SweepState.HIDDEN:
                known["detail"] = func.coalesce(SweepItem.detail, why_hidden(sweep, self._of(sweep)))
            wanted = select(*known.values()).join(Sweep, Sweep.id == SweepItem.sweep_id).where(Sweep.id == sweep_id)
            for row in session.execute(
                wanted.order_by(SweepItem.item_type, SweepItem.item_id).execution_options(yield_per=1_000)
            ):
                yield SweptItem(*row)

    # Marking

    def _scope(self, test_data_only: bool) -> Scope:
        return Scope(uuid4(), self.policy, test_data_only, self._in_promotions(), self._clock.now())

    def _in_promotions(self) -> Sequence[UUID]:
        """The rows here that a promotion which is not over names, as its source or as its target."""
        name = self._environment.name
        here = case((Promotion.source_environment == name, PromotionItem.source_id), else_=PromotionItem.target_id)
        wanted = (
            select(here)
            .join(Promotion, Promotion.id == PromotionItem.promotion_id)
            .where(
                Promotion.state.in_(OPEN_PROMOTIONS),
                or_(Promotion.source_environment == name, Promotion.target_environment == name),
            )
        )
        with self._control.begin() as session:
            return session.scalars(wanted).all()

    def _mark(
        self,
        session: Session,
        kinds: Sequence[Kind],
        scope: Scope,
        by: UUID | None,
        reason: str | None,
        *,
        is_forced: bool,
    ) -> SweepReport:
        sweep = Sweep(
            id=scope.sweep_id,
            state=SweepState.HIDING if self.policy.automatic else SweepState.WAITING,
            scope={"types": [kind.name for kind in kinds], "test_data_only": scope.test_data_only},
            requested_by=by,
            reason=reason,
            is_forced=is_forced,
            digest="",
            totals={},
            created_at=scope.now,
        )
        session.add(sweep)
        session.flush()
        types = {}
        for kind in kinds:
            mark(session, kind, scope)
            types[kind.name] = self._told(session, kind, scope)
        sweep.digest = _digest(session, sweep.id)
        sweep.totals = {name: each.figures for name, each in types.items()}
        if by is not None and any(each.rows for each in types.values()):
            self._write_down(session, "retention_marked", by, reason, sweep)
        session.flush()
        rows = sum(each.rows for each in types.values())
        return SweepReport(
            environment=self._environment.name,
            sweep_id=sweep.id if rows else None,
            state=SweepState(sweep.state) if rows else None,
            is_dry_run=False,
            test_data_only=scope.test_data_only,
            types=types,
            created_at=scope.now,
            digest=sweep.digest,
            requested_by=by,
            reason=reason,
            takes_approval=not self.policy.automatic,
            is_forced=is_forced,
        )

    def _asked(self, session: Session, report: SweepReport) -> Sweep | None:
        """The sweep of the same list that waits for its approval already: people are not asked twice."""
        if report.state != SweepState.WAITING:
            return None
        wanted = select(Sweep).where(
            Sweep.state == SweepState.WAITING,
            Sweep.digest == report.digest,
            Sweep.id != report.sweep_id,
            Sweep.created_at >= report.created_at - APPROVAL_LASTS,
        )
        return session.scalars(wanted.order_by(Sweep.created_at).limit(1)).first()

    def _told(self, session: Session, kind: Kind, scope: Scope) -> TypeReport:
        """What was marked of a kind, what stays, and what the cap says."""
        item = SweepItem
        own = and_(item.sweep_id == scope.sweep_id, item.item_type == kind.name)
        ages = [func.count().filter(*_aged(low, high, scope.now)) for low, high in _spans()]
        rows, size, points, tests, *counts = session.execute(
            select(
                func.count(),
                func.coalesce(func.sum(item.bytes), 0),
                func.coalesce(func.sum(item.points), 0),
                func.count().filter(item.is_test_data),
                *ages,
            ).where(own)
        ).one()
        named = {_span(low, high): count for (low, high), count in zip(_spans(), counts, strict=True) if count}
        return TypeReport(
            rows=rows,
            bytes=int(size),
            points=int(points),
            test_data=tests,
            ages=named,
            stays=staying(session, kind, scope),
            stopped=self._stopped(session, kind, rows),
        )

    def _stopped(self, session: Session, kind: Kind, rows: int) -> str | None:
        """What the cap says of so many rows of a kind; None: they may go."""
        if rows > self.policy.most_rows:
            return f"{rows} {kind.name}, and at most {self.policy.most_rows} go at once"
        if rows <= self.policy.always_rows:
            return None
        there = session.scalar(select(func.count()).select_from(kind.model).where(~kind.model.is_deleted)) or 0
        if rows > self.policy.most_share * there:
            return f"{rows} of {there} {kind.name}, and at most {self.policy.most_share:.0%} go at once"
        return None

    # Hiding and purging

    def _to_do(self) -> Sequence[UUID]:
        with self._database.begin() as session:
            return self._unfinished(session)

    def _unfinished(self, session: Session) -> Sequence[UUID]:
        """The sweeps that there is something to do for, oldest first."""
        now = self._clock.now()
        wanted = select(Sweep.id).where(
            or_(
                Sweep.state == SweepState.HIDING,
                and_(Sweep.state == SweepState.HIDDEN, Sweep.purge_after <= now),
                and_(Sweep.state == SweepState.WAITING, Sweep.created_at < now - APPROVAL_LASTS),
            )
        )
        return session.scalars(wanted.order_by(Sweep.created_at)).all()

    def _go_on(self, sweep_id: UUID, progress: Progress) -> SweepReport:
        with self._database.begin() as session:
            sweep = self._get(session, sweep_id)
            if sweep.state == SweepState.WAITING:
                self._reject(session, sweep, None, LAPSED)
                return self._report(session, sweep)
            state = sweep.state
        return self._hide(sweep_id, progress) if state == SweepState.HIDING else self._purge(sweep_id, progress)

    def _hide(self, sweep_id: UUID, progress: Progress) -> SweepReport:
        """Hide what a sweep lists, or go on with that."""
        with self._database.begin() as session:
            sweep = self._get(session, sweep_id)
            if problem := self._not_allowed(session, sweep):
                hiding.restore(session, sweep, None, None)  # what an interrupted run has hidden
                self._reject(session, sweep, None, problem)
                return self._report(session, sweep)
            sweep.hidden_at = sweep.hidden_at or self._clock.now()
            session.flush()
            session.expunge(sweep)
        scope = self._of(sweep)
        hiding.hide(self._environment, sweep, scope, progress)
        with self._database.begin() as session:
            sweep = self._get(session, sweep_id)
            sweep.state = SweepState.HIDDEN
            sweep.purge_after = (sweep.hidden_at or scope.now) + timedelta(days=self.policy.grace_days)
            report = self._report(session, sweep)
            if not report.hidden:
                self._reject(session, sweep, None, "nothing that it lists may go any more")
                return self._report(session, sweep)
            self._write_down(session, "retention_hidden", sweep.requested_by, sweep.reason, sweep, items=report.hidden)
            return report

    def _purge(self, sweep_id: UUID, progress: Progress) -> SweepReport:
        """Purge what a sweep has hidden; what is held meanwhile waits for a later run."""
        with self._database.begin() as session:
            sweep = self._get(session, sweep_id)
            session.expunge(sweep)
        purging.purge(self._environment, sweep, self._of(sweep), progress)
        with self._database.begin() as session:
            sweep = self._get(session, sweep_id)
            report = self._report(session, sweep)
            # A person may have taken back the rest meanwhile, and ended it.
            if sweep.state == SweepState.HIDDEN and not report.hidden:
                if report.purged:
                    self._end(sweep, SweepState.PURGED)
                else:
                    self._reject(session, sweep, None, "nothing that it had hidden was left to purge")
                report = self._report(session, sweep)
            if gone := report.purged - self._told_of(session, sweep):  # with what an interrupted run has taken
                self._write_down(session, PURGED, sweep.requested_by, sweep.reason, sweep, items=gone)
            return replace(report, purged_now=gone)

    @staticmethod
    def _told_of(session: Session, sweep: Sweep) -> int:
        """How many purged items of a sweep the audit tells of."""
        told = func.coalesce(func.sum(DeveloperAction.details["items"].as_integer()), 0)
        own = DeveloperAction.details["sweep_id"].astext == str(sweep.id)
        return session.scalar(select(told).where(DeveloperAction.action == PURGED, own)) or 0

    def _not_allowed(self, session: Session, sweep: Sweep) -> str | None:
        """Why a sweep may not hide anything; None: it may."""
        if sweep.approved_by is None:
            return None if self.policy.automatic else "nobody has approved it"
        by, at, claims = sweep.approved_by, sweep.approved_at, self._signed(sweep)
        begun = sweep.hidden_at or self._clock.now()  # what has begun in time is finished, however long it takes
        if not self._signatures.holds(sweep.signature, by, at, APPROVAL_LASTS, claims, begun):
            return "its approval is not signed, is for something else, or has expired"
        if sweep.digest != _digest(session, sweep.id):
            return "its list is not the one that was approved"
        return None

    def _signed(self, sweep: Sweep) -> dict[str, str]:
        """What an approval of a sweep is of."""
        return {"sweep_id": str(sweep.id), "digest": sweep.digest, "environment": self._environment.name}

    def _of(self, sweep: Sweep) -> Scope:
        """The scope of a sweep that was marked earlier, as things stand now."""
        only = bool(sweep.scope["test_data_only"])
        return Scope(sweep.id, self.policy, only, self._in_promotions(), self._clock.now())

    def _reject(self, session: Session, sweep: Sweep, who: UUID | None, why: str) -> None:
        """End a sweep of which nothing goes."""
        self._end(sweep, SweepState.REJECTED)
        self._write_down(session, REJECTED, who, why, sweep)

    def _has_lapsed(self, sweep: Sweep) -> bool:
        """Whether a sweep has waited for longer than anybody may still approve it."""
        return sweep.state == SweepState.WAITING and self._clock.now() - sweep.created_at > APPROVAL_LASTS

    def _end(self, sweep: Sweep, state: SweepState) -> None:
        sweep.state, sweep.finished_at = state, self._clock.now()
        if state == SweepState.REJECTED:
            sweep.purge_after = None

    # What is told

    def _reports(self, session: Session, sweeps: Sequence[Sweep]) -> Sequence[SweepReport]:
        session.flush()
        found = endings(session, sweeps)
        return [self._counted(session, each, found.get(each.id, Ending(None, None))) for each in sweeps]

    def _report(self, session: Session, sweep: Sweep) -> SweepReport:
        return self._reports(session, [sweep])[0]

    def _counted(self, session: Session, sweep: Sweep, ending: Ending) -> SweepReport:
        item, state = SweepItem, told().label("state")
        counted = session.execute(
            select(state, func.count(), func.sum(item.bytes), func.sum(item.points))
            .join(Sweep, Sweep.id == item.sweep_id)
            .where(Sweep.id == sweep.id)
            .group_by(state)
        ).all()
        states = {name: (count, int(size), int(points)) for name, count, size, points in counted}
        is_due = sweep.state == SweepState.HIDDEN and sweep.purge_after and sweep.purge_after <= self._clock.now()
        lapsed = self._has_lapsed(sweep)  # the next run writes it down
        rows, size, points = (sum(states.get(each, (0, 0, 0))[n] for each in UNPURGED) for n in range(3))
        return SweepReport(
            environment=self._environment.name,
            sweep_id=sweep.id,
            state=SweepState.REJECTED if lapsed else SweepState(sweep.state),
            is_dry_run=False,
            test_data_only=bool(sweep.scope["test_data_only"]),
            types={name: _kept(sweep.totals[name]) for name in KINDS if name in sweep.totals},
            created_at=sweep.created_at,
            purge_after=sweep.purge_after,
            hidden=rows,
            hidden_bytes=size,
            hidden_points=points,
            waits=waits(session, sweep, self._of(sweep)) if is_due and rows else {},
            purged=states.get(ItemState.PURGED, (0,))[0],
            restored=states.get(ItemState.RESTORED, (0,))[0],
            kept=states.get(ItemState.KEPT, (0,))[0],
            digest=sweep.digest,
            requested_by=sweep.requested_by,
            approved_by=sweep.approved_by,
            reason=sweep.reason,
            rejection=LAPSED if lapsed else ending.reason,
            rejected_by=ending.by,
            takes_approval=not self.policy.automatic,
            is_forced=sweep.is_forced,
        )

    def _get(self, session: Session, sweep_id: UUID, *, lock: bool = True) -> Sweep:
        found = session.get(Sweep, sweep_id, with_for_update=lock)
        if found is None:
            raise SweepNotFound(sweep_id=str(sweep_id), environment=self._environment.name)
        return found

    def _permitted(self, person: str | UUID | None, roles: Sequence[str], act: str) -> CentralUser | None:
        return None if person is None else self._required(person, roles, act)

    def _required(self, person: str | UUID, roles: Sequence[str], act: str) -> CentralUser:
        return people.permitted(self._control, person, self._environment.name, roles, act, self._clock.now())

    def _write_down(
        self, session: Session, action: str, who: UUID | None, reason: str | None, sweep: Sweep, **details: int
    ) -> None:
        about = {"sweep_id": str(sweep.id), "digest": sweep.digest, "totals": sweep.totals, **details}
        append(
            session,
            DeveloperAction(
                developer_id=who,
                environment=self._environment.name,
                action=action,
                reason=reason,
                details=about,
                occurred_at=self._clock.now(),
            ),
        )

    @staticmethod
    def _refuse(sweep: Sweep, act: str, reason: str) -> NoReturn:
        raise SweepRefused(sweep_id=str(sweep.id), act=act, reason=reason)


def _digest(session: Session, sweep_id: UUID) -> str:
    """SHA-256 (hex) over what a sweep lists."""
    line = func.concat(SweepItem.item_type, ":", SweepItem.item_id)
    lines = func.string_agg(line, aggregate_order_by(literal("\n"), SweepItem.item_type, SweepItem.item_id))
    found = session.scalar(
        select(func.encode(func.sha256(func.convert_to(func.coalesce(lines, ""), "UTF8")), "hex")).where(
            SweepItem.sweep_id == sweep_id
        )
    )
    return str(found)


def _spans() -> list[tuple[int, int | None]]:
    return [*zip((0, *AGES), AGES, strict=False), (AGES[-1], None)]


def _aged(low: int, high: int | None, now: datetime) -> Iterator[ColumnElement[bool]]:
    """That an item is at least `low` days old, and less than `high`."""
    yield SweepItem.created_at <= now - timedelta(days=low)
    if high is not None:
        yield SweepItem.created_at > now - timedelta(days=high)


def _kept(figures: Mapping[str, Any]) -> TypeReport:
    """What a sweep keeps of a type: JSON forgets which age comes first."""
    ages = {span: figures["ages"][span] for span in (_span(*each) for each in _spans()) if span in figures["ages"]}
    return TypeReport(**{**figures, "ages": ages})


def _span(low: int, high: int | None) -> str:
    return f"{low}+" if high is None else f"{low}-{high}"
