"""Scans: reading an environment's rows month by month, marking what is test data, and leaving to people what is theirs.

A month of a table is read in batches, in the order of creation. Each batch is one transaction that reads, judges, marks
and writes down how far it has come, so a scan that dies is continued, and two that meet share the work.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, func, literal_column, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import EnvironmentRow, table_of
from wisqu_pipelines.database.bulk import among, as_table, texts, uuids
from wisqu_pipelines.detection import months
from wisqu_pipelines.detection.evidence import Decision, Verdict
from wisqu_pipelines.detection.models import ScannedMonth, TestDataReview
from wisqu_pipelines.detection.reading import Batch, Reader
from wisqu_pipelines.detection.report import Example, ScanReport
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.ports.progress import Progress, no_progress

ROWS_AT_ONCE = 10_000
"""Rows of one batch."""
IDS_IN_AUDIT = 1_000
"""An audit row names so many of the rows that a batch marked or unmarked, and counts them all."""
OLD = 1_000_000_000
"""Transactions after which the age of one is not to be trusted any more: Postgres compares them modulo 2^32."""
MARKED, UNMARKED = "scan_marked_test_data", "scan_unmarked_test_data"

OpenTransaction = Callable[[], AbstractContextManager[Session]]


def every_month(_: date) -> bool:
    """Leaves no month out."""
    return True


@dataclass(frozen=True, slots=True)
class Found:
    """What a batch comes to."""

    mark: Mapping[UUID, Verdict]
    unmark: Sequence[UUID]
    review: Mapping[UUID, Verdict]


class Scan:
    """A scan of one environment by one version of the detector."""

    def __init__(
        self,
        environment: str,
        begin: OpenTransaction,
        reader: Reader,
        version: str,
        clock: Clock,
        *,
        is_full: bool = False,
        is_dry_run: bool = False,
        batch_size: int = ROWS_AT_ONCE,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            environment: Its name.
            begin: Opens a transaction in its database; each batch has its own.
            reader: Reads rows and judges them.
            version: The detector's.
            clock: Times what is written down.
            is_full: Read also what this version of the detector has read before.
            is_dry_run: Change nothing, and read everything that a real run would.
            batch_size: Rows of one batch.
        """
        self._begin = begin
        self._reader = reader
        self._version = version
        self._clock = clock
        self._is_full = is_full
        self._is_dry_run = is_dry_run
        self._batch_size = batch_size
        self.report = ScanReport(environment, version, is_dry_run)

    def run(
        self,
        models: Sequence[type[EnvironmentRow]],
        wanted: Callable[[date], bool] = every_month,
        progress: Progress = no_progress,
    ) -> ScanReport:
        """Read the rows of some tables.

        Args:
            models: Whose.
            wanted: Whether rows that were created in the month beginning on that day are read.
            progress: Is told after each batch.
        """
        started = time.monotonic()
        for model in models:
            with self._begin() as session:
                there = _months(session, model)
                total = _estimated(session, model)
            done = 0
            for month in there:
                if wanted(month):
                    for count in self._read_month(model, month):
                        done += count
                        progress(f"scan {model.__tablename__}", done, max(done, total))
        self.report.seconds = time.monotonic() - started
        return self.report

    def _read_month(self, model: type[EnvironmentRow], month: date) -> Iterator[int]:
        """Read a month to its end; yields the rows of each batch."""
        with self._begin() as session:
            cell = _Cell.begun(session, model, month, self._version, self._is_full, keeps=not self._is_dry_run)
        while not cell.is_finished:
            with self._begin() as session:
                if not self._is_dry_run:
                    cell.reload(session)
                    if cell.is_finished:
                        return
                batch = self._reader.read(session, model, cell.rows(self._batch_size))
                found = self._settle(session, model, batch)
                self._count(model, month, batch, found)
                cell.passed(session, batch, self._batch_size, self._clock)
            yield batch.count

    def _settle(self, session: Session, model: type[EnvironmentRow], batch: Batch) -> Found:
        """Decide what becomes of the rows of a batch, and write it down."""
        mark: dict[UUID, Verdict] = {}
        unmark: list[UUID] = []
        review: dict[UUID, Verdict] = {}
        for row in batch.looked_at:
            verdict = batch.verdicts.get(row.id)
            decision = Decision.REAL if verdict is None else verdict.decision
            if verdict is not None and (
                decision is Decision.REVIEW or (decision is Decision.TEST and row.is_vouched_for)
            ):
                review[row.id] = verdict
            if row.is_test_data and decision is Decision.REAL:
                unmark.append(row.id)
            elif verdict is not None and decision is Decision.TEST and not row.is_test_data and not row.is_vouched_for:
                mark[row.id] = verdict
        if not self._is_dry_run:
            mark = self._mark(session, model, mark)
            unmark = self._unmark(session, model, unmark)
            self._ask(session, model, batch, review)
            self._note(session, model, MARKED, list(mark))
            self._note(session, model, UNMARKED, unmark)
        return Found(mark, unmark, review)

    def _mark(
        self, session: Session, model: type[EnvironmentRow], found: Mapping[UUID, Verdict]
    ) -> dict[UUID, Verdict]:
        """Mark rows in one statement, and return those that nobody has decided on, or approved, meanwhile."""
        if not found:
            return {}
        table = table_of(model)
        ordered = sorted(found)
        given = as_table("given", {"id": uuids(ordered), "reason": texts([found[each].reason for each in ordered])})
        marked = session.scalars(
            update(table)
            .where(table.c.id == given.c.id, *_undecided(model))
            .values(
                is_test_data=True,
                test_data_reason=given.c.reason,
                is_promotable=False,
                promotion_status=PromotionStatus.DRAFT,
                updated_at=table.c.updated_at,
            )
            .returning(table.c.id)
        )
        return {each: found[each] for each in marked}

    def _unmark(self, session: Session, model: type[EnvironmentRow], ids: Sequence[UUID]) -> list[UUID]:
        if not ids:
            return []
        table = table_of(model)
        unmarked = session.scalars(
            update(table)
            .where(among(table.c.id, sorted(ids)), ~table.c.test_data_by_person)
            .values(is_test_data=False, test_data_reason=None, updated_at=table.c.updated_at)
            .returning(table.c.id)
        )
        return list(unmarked)

    def _ask(self, session: Session, model: type[EnvironmentRow], batch: Batch, review: Mapping[UUID, Verdict]) -> None:
        """Put rows into the queue, and take those out that need nobody any more."""
        if settled := [id_ for id_ in batch.asked_about if id_ not in review]:
            session.execute(
                delete(TestDataReview).where(
                    TestDataReview.item_type == model.__tablename__, among(TestDataReview.item_id, settled)
                )
            )
        if not review:
            return
        rows = [
            {
                "item_type": model.__tablename__,
                "item_id": item_id,
                "score": verdict.score,
                "reason": verdict.reason,
                "evidence": [asdict(each) for each in verdict.evidence],
                "detector_version": self._version,
                "found_at": self._clock.now(),
            }
            for item_id, verdict in sorted(review.items())
        ]
        asked = upsert(TestDataReview).values(rows)
        session.execute(
            asked.on_conflict_do_update(
                index_elements=["item_type", "item_id"],
                set_={
                    name: asked.excluded[name] for name in ("score", "reason", "evidence", "detector_version")
                },  # since when it waits stays
            )
        )

    def _note(self, session: Session, model: type[EnvironmentRow], action: str, ids: Sequence[UUID]) -> None:
        if ids:
            append(
                session,
                DeveloperAction(
                    developer_id=None,
                    environment=self.report.environment,
                    action=action,
                    details={
                        "type": model.__tablename__,
                        "count": len(ids),
                        "item_ids": [str(each) for each in sorted(ids)[:IDS_IN_AUDIT]],
                        "detector_version": self._version,
                    },
                    occurred_at=self._clock.now(),
                ),
            )

    def _count(self, model: type[EnvironmentRow], month: date, batch: Batch, found: Found) -> None:
        report = self.report
        report.scanned += batch.count
        report.by_type[model.__tablename__] += batch.count
        report.marked += len(found.mark)
        report.unmarked += len(found.unmark)
        report.to_review += len(found.review)
        report.found(month, (each for each in batch.verdicts.values() if each.is_test_data))
        report.show(
            Example(model.__tablename__, item_id, batch.label(item_id), verdict.reason)
            for item_id, verdict in found.mark.items()
        )


def _undecided(model: type[EnvironmentRow]) -> tuple[ColumnElement[bool], ...]:
    """That no person has said anything of a row, by marking it or by approving it."""
    table = table_of(model)
    return (
        ~table.c.test_data_by_person,
        table.c.promotion_status.in_([PromotionStatus.DRAFT, PromotionStatus.DEPRECATED]),
        table.c.source_id.is_(None),
    )


class _Cell:
    """A month of a table, and how far it has been read."""

    def __init__(self, model: type[EnvironmentRow], month: date, state: ScannedMonth) -> None:
        self._model = model
        self._month = month
        self._state = state
        self._keeps = True

    @classmethod
    def begun(
        cls, session: Session, model: type[EnvironmentRow], month: date, version: str, is_full: bool, *, keeps: bool
    ) -> "_Cell":
        """Go on with a read that has not come to its end, or begin a new one: of what was written since the last one,
        or of everything where the detector is another one now.
        """
        place = {"item_type": str(model.__tablename__), "month": month}
        before = session.get(ScannedMonth, place, with_for_update=keeps)
        oid, horizon, now = session.execute(_CLOCK).one()
        if before is None and keeps:  # another scan may begin it at this moment: whoever is second goes on with it
            first = {**place, "detector_version": version, "database_oid": oid, "horizon": horizon}
            session.execute(upsert(ScannedMonth).values(first).on_conflict_do_nothing())
            before = session.get_one(ScannedMonth, place, with_for_update=True)
            oid, horizon, now = session.execute(_CLOCK).one()  # time may have passed
        same = before is not None and before.detector_version == version and before.database_oid == oid
        if same and before is not None and before.finished_at is None and keeps and not is_full:
            cell = cls(model, month, before)
        else:
            is_partial = (
                same
                and before is not None
                and before.finished_at is not None
                and not is_full
                and before.horizon <= now
                and now - before.horizon < OLD
            )
            state = ScannedMonth(
                **place,
                detector_version=version,
                database_oid=oid,
                horizon=horizon,
                since=before.horizon if is_partial and before is not None else None,
                last_created_at=None,
                last_id=None,
                finished_at=None,
            )
            cell = cls(model, month, session.merge(state) if keeps else state)
        cell._keeps = keeps
        return cell

    @property
    def is_finished(self) -> bool:
        return self._state.finished_at is not None

    def reload(self, session: Session) -> None:
        """How far it has been read now, by whomever; nobody else goes on until the transaction ends."""
        place = (self._state.item_type, self._state.month)
        self._state = session.get_one(ScannedMonth, place, with_for_update=True, populate_existing=True)

    def rows(self, limit: int) -> Select[Any]:
        """The next rows, without columns; those that a person has decided on, and deleted ones, are left out."""
        table = table_of(self._model)
        query = (
            select()
            .select_from(table)
            .where(
                table.c.created_at >= months.begins(self._month),
                table.c.created_at < months.begins(months.following(self._month)),
                ~table.c.test_data_by_person,
                ~table.c.is_deleted,
            )
            .order_by(table.c.created_at, table.c.id)
            .limit(limit)
        )
        if self._state.last_id is not None:
            query = query.where(
                table.c.created_at >= self._state.last_created_at,
                tuple_(table.c.created_at, table.c.id) > tuple_(self._state.last_created_at, self._state.last_id),
            )
        if self._state.since is not None:
            since = func.age(literal_column(f"'{int(self._state.since)}'::xid8::xid"))
            query = query.where(func.age(literal_column(f'"{table.name}".xmin')) <= since)
        return query

    def passed(self, session: Session, batch: Batch, limit: int, clock: Clock) -> None:
        """Write down that a batch is done; one that is not full was the last."""
        if batch.last is not None:
            self._state.last_created_at, self._state.last_id = batch.last
        if batch.count < limit:
            self._state.finished_at = clock.now()
        if self._keeps:
            session.flush()


_CLOCK = text(
    "SELECT (SELECT oid::bigint FROM pg_database WHERE datname = current_database()), "
    "pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
)
"""Which database it is, the oldest transaction under way, and the next one."""


def _months(session: Session, model: type[EnvironmentRow]) -> list[date]:
    """The months from the first row's to the last one's."""
    table = table_of(model)
    first, last = session.execute(select(func.min(table.c.created_at), func.max(table.c.created_at))).one()
    return [] if first is None else list(months.between(months.first_day(first), months.first_day(last)))


def _estimated(session: Session, model: type[EnvironmentRow]) -> int:
    """About how many rows there are, as Postgres last counted them."""
    counted = session.scalar(
        text("SELECT reltuples::bigint FROM pg_class WHERE oid = CAST(:name AS regclass)"),
        {"name": model.__tablename__},
    )
    return max(0, int(counted or 0))
