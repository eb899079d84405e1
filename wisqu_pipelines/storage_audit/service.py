"""The storage audit: rows, objects and points compared both ways, and what nobody needs marked and swept."""

from collections.abc import Collection as Several
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.models import ListedStore, RagDocument, StorageListing, StoredFile
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.environments.clocks import LARGEST_SKEW, require_agreement, skew
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.environments.turns import one_at_a_time
from wisqu_pipelines.errors import BadInput
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.reasons import check_reason
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.ports.progress import Progress, no_progress
from wisqu_pipelines.settings import Settings
from wisqu_pipelines.storage_audit import marking
from wisqu_pipelines.storage_audit.containers import Bucket, Collection, Container
from wisqu_pipelines.storage_audit.needs import past_rollback, under_way, versions_of_promotions
from wisqu_pipelines.storage_audit.report import (
    SHOWN_FINDINGS,
    Amount,
    AuditReport,
    Finding,
    Found,
    StoreReport,
    nobody_listens,
)
from wisqu_pipelines.storage_audit.sweep import Order, Sweep

REPAIRERS = ("developer", "admin", "superadmin")
"""Roles, held in the environment, that may let things be taken away."""
STORES = (ListedStore.OBJECTS, ListedStore.POINTS)
AUDIT_LOCK = 0x57_49_53_51_55_02
"""The advisory lock of the environment's database that makes a second audit wait for the first."""


class StorageAudit:
    """Audits the stores of one environment."""

    def __init__(self, control: Database, environment: Environment, settings: Settings, clock: Clock) -> None:
        """Audit `environment`, asking `control` which promotions may still need what lies there."""
        self._control = control
        self._environment = environment
        self._settings = settings
        self._clock = clock

    def run(
        self,
        *,
        stores: Several[ListedStore] = STORES,
        progress: Progress = no_progress,
        found: Found = nobody_listens,
    ) -> AuditReport:
        """Compare, and mark what nothing needs. Nothing is removed.

        Args:
            stores: Which of them.
            progress: Told how far it is.
            found: Told every finding; the report has the first of them.

        Raises:
            StoreUnavailable, StoreDenied, StoreFailed: a store's trouble; run it again.
        """
        return self._run(stores, progress, found, None)

    def repair(
        self,
        person: str | UUID,
        reason: str | None,
        *,
        stores: Several[ListedStore] = STORES,
        progress: Progress = no_progress,
        found: Found = nobody_listens,
    ) -> AuditReport:
        """Compare and mark, and then remove what has been marked for the grace time and still is needed by nothing.

        Args:
            person: Who lets it be removed; they need one of the roles `REPAIRERS` there.
            reason: Why; kept in the audit.
            stores: Which of them.
            progress: Told how far it is.
            found: Told every finding, before anything is removed.

        Raises:
            BadInput: no reason is given, or one that cannot be kept.
            UnknownPerson, NotPermitted: the person may not do it.
            ClocksDisagree: how old a mark is cannot be told; nothing was removed.
            StoreUnavailable, StoreDenied, StoreFailed: a store's trouble; run it again, and it goes on.
        """
        kept = check_reason(reason)
        if kept is None:
            raise BadInput(what="the reason", reason="whoever removes things says why")
        name, act = self._environment.name, "remove what nothing needs"
        order = Order(people.permitted(self._control, person, name, REPAIRERS, act, self._clock.now()).id, kept)
        with self._environment.database.begin() as session:
            require_agreement(session, self._clock, self._environment.database.name)
        return self._run(stores, progress, found, order)

    def _run(self, stores: Several[ListedStore], progress: Progress, found: Found, order: Order | None) -> AuditReport:
        with one_at_a_time(self._environment.database, AUDIT_LOCK, "another audit", progress):
            started = self._clock.now()
            busy = under_way(self._control, self._environment.name)
            run = _Run(self._control, self._environment, self._settings, self._clock, found)
            reports = {store: StoreReport(store.value) for store in STORES if store in stores}
            containers = [each for each in self._containers() if each.store in reports]
            run.begin(progress)
            for container in containers:
                run.compare(container, reports[container.store], progress)
            if order is not None:
                for container in containers:
                    run.sweep(container, reports[container.store], order, progress)
            return AuditReport(
                environment=self._environment.name,
                started_at=started,
                finished_at=self._clock.now(),
                stores=tuple(reports.values()),
                newly_marked=run.newly_marked,
                unmarked=run.unmarked,
                findings=tuple(run.findings),
                clock_skew_seconds=run.skew,
                promotion_under_way=busy or under_way(self._control, self._environment.name),
            )

    def _containers(self) -> list[Container]:
        """The configured buckets and collections, and those that rows name besides."""
        with self._environment.database.begin() as session:
            buckets = set(session.scalars(select(StoredFile.bucket).distinct())) - set(self._settings.buckets)
            named = set(session.scalars(select(RagDocument.collection).distinct())) - set(self._settings.collections)
        configured: list[Container] = [
            *(Bucket(self._environment, base) for base in self._settings.buckets),
            *(Collection(self._environment, base, each.dimension) for base, each in self._settings.collections.items()),
        ]
        foreign: list[Container] = [
            *(Bucket(self._environment, base, is_configured=False) for base in sorted(buckets)),
            *(Collection(self._environment, base, 0, is_configured=False) for base in sorted(named)),
        ]
        return [*configured, *foreign]


class _Run:
    """One audit under way."""

    def __init__(
        self, control: Database, environment: Environment, settings: Settings, clock: Clock, found: Found
    ) -> None:
        self._control = control
        self._environment = environment
        self._settings = settings
        self._clock = clock
        self._found = found
        self._grace = timedelta(hours=settings.storage_audit_grace_hours)
        self.findings: list[Finding] = []
        self.newly_marked = 0
        self.unmarked = 0
        self.skew = 0.0

    def begin(self, progress: Progress) -> None:
        """Empty the listing of what an audit that died has left, and list what promotions stage under."""
        with self._environment.database.begin() as session:
            session.execute(delete(StorageListing))
            self.skew = skew(session, self._clock)
        seen = 0
        for versions in versions_of_promotions(self._control, self._environment.name):
            with self._environment.database.begin() as session:
                marking.add_listed(session, [{"store": ListedStore.STAGED.value, "name": each} for each in versions])
            seen += len(versions)
            progress("promotions read", seen, seen)

    def compare(self, container: Container, report: StoreReport, progress: Progress) -> None:
        """List a container, compare it with the rows, and mark what nothing needs."""
        self._list(container, progress)
        with self._environment.database.begin() as session:
            marking.join_whole_tables(session)
            report.listed += marking.listed_amount(session, container)
            if container.is_configured:
                self._mark(session, container, report)
            for finding in container.danglings(session):
                report.danglings += Amount(1, finding.bytes, finding.points)
                self._tell(finding)
            session.execute(delete(StorageListing).where(StorageListing.store == container.store))

    def sweep(self, container: Container, report: StoreReport, order: Order, progress: Progress) -> None:
        """Take away what is due in a container."""
        sweep = Sweep(self._control, self._environment, self._settings, self._clock, order)
        step = f"{container.name} swept"
        while (gone := sweep.page(container)) is not None:
            report.swept += gone
            done = report.swept
            progress(step, done.count, max(done.count, report.due.count), bytes=done.bytes, points=done.points)

    def _list(self, container: Container, progress: Progress) -> None:
        with self._environment.database.begin() as session:
            expected = int(session.scalar(container.expected()) or 0)
        seen, size = 0, 0
        for page in container.listed():
            with self._environment.database.begin() as session:
                marking.add_listed(session, page)
            seen += sum(each.get("points", 1) for each in page)
            size += sum(each["bytes"] for each in page)
            progress(f"{container.name} listed", seen, max(seen, expected), bytes=size)

    def _mark(self, session: Session, container: Container, report: StoreReport) -> None:
        now = self._clock.now()
        expired = past_rollback(self._control, self._settings, self._environment.name, now)
        marking.find_orphans(session, container, expired)
        report.orphans += marking.orphans_amount(session, container)
        if self.skew <= LARGEST_SKEW:
            marked = marking.mark(session, container, now)
            self.newly_marked += marked.new
            self.unmarked += marked.unmarked
            report.due += marking.due_amount(session, container, now - self._grace)
        for finding in marking.orphans(session, container):
            self._tell(finding)

    def _tell(self, finding: Finding) -> None:
        if len(self.findings) < SHOWN_FINDINGS:
            self.findings.append(finding)
        self._found(finding)
