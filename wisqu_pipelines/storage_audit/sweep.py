"""Taking away what has been marked for long enough, after looking once more whether anything needs it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.catalog.models import StorageOrphan
from wisqu_pipelines.catalog.sweeping import sweep_alone
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.environments.clocks import require_agreement
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.settings import Settings
from wisqu_pipelines.storage_audit.containers import Container
from wisqu_pipelines.storage_audit.marking import is_due
from wisqu_pipelines.storage_audit.needs import given_version, past_rollback, versions_of_promotions
from wisqu_pipelines.storage_audit.report import Amount

ACTION = "storage_swept"
"""`developer_actions.action` of a swept page."""
SWEPT_AT_ONCE = 200
"""Objects or versions in one page, which is one audit row that names them all."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who lets things be taken away, and why."""

    person_id: UUID
    reason: str


class Sweep:
    """Takes away, page by page, what is due in one environment."""

    def __init__(
        self, control: Database, environment: Environment, settings: Settings, clock: Clock, order: Order
    ) -> None:
        """Sweep `environment` as `order` says."""
        self._control = control
        self._environment = environment
        self._settings = settings
        self._clock = clock
        self._order = order
        self._grace = timedelta(hours=settings.storage_audit_grace_hours)

    def page(self, container: Container) -> Amount | None:
        """Take the next page of a container away; None: nothing is due any more.

        What is to go is written down, with its audit row, before it goes: a sweep that dies in between is ended by the
        next one. Whoever might take up the same names waits meanwhile (`catalog/sweeping.py`).

        Raises:
            ClocksDisagree: how old a mark is cannot be told.
            StoreUnavailable: a store does not answer, or a writer did not end in time.
        """
        database = self._environment.database
        with database.begin() as alone:
            sweep_alone(alone)
            with database.begin() as session:
                require_agreement(session, self._clock, database.name)
                marks = self._due(session, container)
                if not marks:
                    return None
                going = self._unneeded(session, container, marks)
                amount = Amount(len(going), sum(each.bytes for each in going), sum(each.points for each in going))
                names = [each.name for each in going]
                if going:
                    self._write_down(session, container, going)
            if names:
                container.remove(names)
                with database.begin() as session:
                    session.execute(delete(StorageOrphan).where(*_of(container), StorageOrphan.name.in_(names)))
        return amount

    def _due(self, session: Session, container: Container) -> Sequence[StorageOrphan]:
        return session.scalars(
            select(StorageOrphan)
            .where(*_of(container), is_due(self._clock.now() - self._grace))
            .order_by(StorageOrphan.name)
            .limit(SWEPT_AT_ONCE)
            .with_for_update()
        ).all()

    def _unneeded(
        self, session: Session, container: Container, marks: Sequence[StorageOrphan]
    ) -> Sequence[StorageOrphan]:
        """Those of the marks whose thing is still the one that was marked, and still needed by nobody. The others lose
        their mark, or begin their grace time anew.
        """
        needed = self._needed(session, container, marks)
        going = []
        for mark in marks:
            same = None if mark.name in needed else container.same(mark)
            if same:
                going.append(mark)
            elif same is None:
                session.delete(mark)
            else:
                mark.first_seen_at, mark.swept_at = self._clock.now(), None
        return going

    def _needed(self, session: Session, container: Container, marks: Sequence[StorageOrphan]) -> set[str]:
        """The control database is asked first: what a promotion has finished by then, its rows name."""
        page = (*_of(container), StorageOrphan.name.in_([mark.name for mark in marks]))
        version = container.version(StorageOrphan.name)
        asked = set(session.scalars(select(version).where(*page)))
        staged = {
            each
            for some in versions_of_promotions(self._control, self._environment.name)
            for each in some
            if each in asked
        }
        expired = past_rollback(self._control, self._settings, self._environment.name, self._clock.now())
        needs = (*container.needs(StorageOrphan.name, expired), given_version(staged, version))
        return set(session.scalars(select(StorageOrphan.name).where(*page, or_(*needs))))

    def _write_down(self, session: Session, container: Container, going: Sequence[StorageOrphan]) -> None:
        now = self._clock.now()
        for mark in going:
            mark.swept_at = now
        session.flush()
        append(
            session,
            DeveloperAction(
                developer_id=self._order.person_id,
                environment=self._environment.name,
                action=ACTION,
                reason=self._order.reason,
                details={
                    "store": container.store.value,
                    "container": container.name,
                    "names": [mark.name for mark in going],
                    "bytes": sum(mark.bytes for mark in going),
                    "points": sum(mark.points for mark in going),
                },
                occurred_at=now,
            ),
        )


def _of(container: Container) -> tuple[ColumnElement[bool], ...]:
    return StorageOrphan.store == container.store, StorageOrphan.container == container.name
