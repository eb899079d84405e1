"""The one way to read and mark an environment's rows: only its own, without what is deleted and, where the environment
says so, without test data.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import DeveloperAction, EnvironmentAccessLog
from wisqu_pipelines.catalog.mixins import PromotionStatus, may_be_promoted
from wisqu_pipelines.catalog.models import EnvironmentRow, TestDataMark, table_of
from wisqu_pipelines.database.session import ENVIRONMENT
from wisqu_pipelines.errors import BadInput, ItemNotFound
from wisqu_pipelines.ports.clock import Clock, SystemClock
from wisqu_pipelines.settings import EnvironmentSettings

Row = TypeVar("Row", bound=EnvironmentRow)
OpenEnvironment = Callable[[str], AbstractContextManager[Session]]
"""Opens a transaction in the environment of that name, and commits it at its end."""

MAX_REASON = 500
"""Characters; as wide as `test_data_reason`."""
REMEMBERED_CHARACTERS = 2_000
"""Of each text of a row that a person marks; detection learns from no more."""
READ = "read"
"""The `access_type` of a read from another environment."""


class EnvironmentAwareRepository(Generic[Row]):
    """The rows of one table in one environment: that of the session."""

    def __init__(
        self,
        session: Session,
        model: type[Row],
        auto_exclude_test_data: bool = True,
        *,
        open_environment: OpenEnvironment | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Work in the caller's transaction; nothing is committed here.

        Args:
            session: A session of an environment's `Database`.
            model: Whose rows.
            auto_exclude_test_data: Leave test data out of reads where the environment's settings say so.
            open_environment: How to reach another environment; only `get_by_id_any_environment` needs it.
            clock: Times the audit rows; the machine's clock by default.
        """
        self._session = session
        self._model = model
        self._settings: EnvironmentSettings = session.info[ENVIRONMENT]
        self._hides_test_data = auto_exclude_test_data and self._settings.excludes_test_data
        self._open_environment = open_environment
        self._clock = clock or SystemClock()

    @property
    def environment(self) -> str:
        """The environment's name."""
        return self._settings.name

    def get_all(
        self, limit: int = 100, *, after: UUID | None = None, status: PromotionStatus | None = None
    ) -> list[Row]:
        """The rows in the order in which they were created.

        Args:
            limit: At most so many.
            after: Only rows behind this one: the last of the page before.
            status: Only rows with this promotion status.

        Raises:
            BadInput: the limit is not positive.
            ItemNotFound: there is no row `after`.
        """
        conditions = [] if status is None else [self._model.promotion_status == status]
        return self._page(limit, after, *conditions)

    def get_by_id(self, item_id: UUID) -> Row:
        """The row of that id.

        Raises:
            ItemNotFound: there is none, it is deleted, or it is test data and that is left out here.
        """
        found = self._session.scalar(self._visible().where(self._model.id == item_id))
        if found is None:
            raise self._not_found(item_id, self.environment)
        return found

    def get_promotable_items(self, limit: int | None = None, *, after: UUID | None = None) -> list[Row]:
        """The rows that a preview would take, in the order in which they were created.

        Args:
            limit: At most so many; all by default.
            after: Only rows behind this one.

        Raises:
            BadInput: the limit is not positive.
            ItemNotFound: there is no row `after`.
        """
        return self._page(limit, after, may_be_promoted(table_of(self._model)))

    def approve_for_promotion(
        self, item_id: UUID, *, developer_id: UUID | None = None, reason: str | None = None
    ) -> Row:
        """Say that a row may go to the next environment. What it needs there, as a document its file, goes with it.

        Args:
            item_id: Which row.
            developer_id: Who says so; None where nobody is known.
            reason: Why, for the audit.

        Raises:
            ItemNotFound: there is no such row.
            ItemRefused: it is test data, or a running promotion holds it.
            BadInput: the reason is not usable.
        """
        _check_reason(reason)
        row = self._locked(item_id)
        row.approve_for_promotion()
        self._record("approve_for_promotion", row, developer_id, reason)
        return row

    def mark_as_test_data(self, item_id: UUID, reason: str, *, developer_id: UUID | None = None) -> Row:
        """Say that a row exists only because someone tested; it can then not be promoted.

        Args:
            item_id: Which row.
            reason: How one can tell; at most `MAX_REASON` characters.
            developer_id: Who says so; None where nobody is known.

        Raises:
            ItemNotFound: there is no such row.
            ItemRefused: a running promotion holds it.
            BadInput: the reason is empty or not usable.
        """
        if not reason.strip():
            raise BadInput(what="the reason", reason="it is empty")
        _check_reason(reason)
        row = self._locked(item_id)
        row.mark_as_test_data(reason)
        self._remember(row, developer_id)
        self._record("mark_as_test_data", row, developer_id, reason)
        return row

    def mark_as_real(self, item_id: UUID, *, developer_id: UUID | None = None, reason: str | None = None) -> Row:
        """Say that a row is no test data, whether it was marked or only looks like it. No scan marks it again; what it
        was before it was marked, it has to be approved to be again.

        Args:
            item_id: Which row.
            developer_id: Who says so; None where nobody is known.
            reason: Why, for the audit.

        Raises:
            ItemNotFound: there is no such row.
            BadInput: the reason is not usable.
        """
        _check_reason(reason)
        row = self._locked(item_id)
        row.mark_as_real()
        self._remember(row, developer_id)
        self._record("mark_as_real", row, developer_id, reason)
        return row

    def get_by_id_any_environment(
        self, item_id: UUID, environment: str, *, user_id: UUID | None = None, reason: str | None = None
    ) -> Row:
        """A row of another environment, test data or not. The read is written down there, also if it finds nothing.

        Args:
            item_id: The row's id in that environment.
            environment: The environment's name.
            user_id: Who reads; None where nobody is known.
            reason: Why, for the audit.

        Returns:
            A copy that belongs to no session.

        Raises:
            ItemNotFound: there is no such row, or it is deleted.
            BadInput: this repository was not told how to reach other environments, or the reason is not usable.
        """
        _check_reason(reason)
        if self._open_environment is None:
            raise BadInput(what=f"the environment '{environment}'", reason=f"only {self.environment} is open here")
        with self._open_environment(environment) as session:
            found = session.scalar(
                select(self._model).where(self._model.id == item_id, self._model.is_deleted.is_(False))
            )
            append(
                session,
                EnvironmentAccessLog(
                    user_id=user_id,
                    environment=environment,
                    access_type=READ,
                    reason=reason,
                    details={
                        "type": self._type,
                        "item_id": str(item_id),
                        "from_environment": self.environment,
                        "found": found is not None,
                    },
                    occurred_at=self._clock.now(),
                ),
            )
            if found is not None:
                session.expunge(found)
        if found is None:
            raise self._not_found(item_id, environment)
        return found

    @property
    def _type(self) -> str:
        return str(self._model.__tablename__)

    def _own(self) -> tuple[ColumnElement[bool], ...]:
        return self._model.environment == self.environment, self._model.is_deleted.is_(False)

    def _visible(self) -> Select[Row]:
        query = select(self._model).where(*self._own())
        return query.where(self._model.is_test_data.is_(False)) if self._hides_test_data else query

    def _page(self, limit: int | None, after: UUID | None, *conditions: ColumnElement[bool]) -> list[Row]:
        if limit is not None and limit < 1:
            raise BadInput(what=f"the limit {limit}", reason="it must be at least 1")
        place = self._model.created_at, self._model.id
        query = self._visible().where(*conditions).order_by(*place).limit(limit)
        if after is not None:
            last = self._session.execute(select(*place).where(self._model.id == after)).one_or_none()
            if last is None:
                raise self._not_found(after, self.environment)
            query = query.where(tuple_(*place) > tuple_(*last))
        return list(self._session.scalars(query))

    def _locked(self, item_id: UUID) -> Row:
        """The row, as it is when its lock is had: a promotion that claims it goes first or waits."""
        query = select(self._model).where(self._model.id == item_id, *self._own()).with_for_update()
        found = self._session.scalar(query.execution_options(populate_existing=True))
        if found is None:
            raise self._not_found(item_id, self.environment)
        return found

    def _remember(self, row: Row, developer_id: UUID | None) -> None:
        """Keep what a person said of the row, with its words."""
        texts = {
            column.key: value[:REMEMBERED_CHARACTERS]
            for column in table_of(self._model).columns
            if isinstance(column.type, String) and isinstance(value := getattr(row, column.key), str)
        }
        said = {
            "is_test_data": row.is_test_data,
            "texts": texts,
            "marked_at": self._clock.now(),
            "marked_by": developer_id,
        }
        place = {"item_type": self._type, "item_id": row.id}
        self._session.execute(
            upsert(TestDataMark).values(**place, **said).on_conflict_do_update(index_elements=list(place), set_=said)
        )

    def _record(self, action: str, row: Row, developer_id: UUID | None, reason: str | None) -> None:
        append(
            self._session,
            DeveloperAction(
                developer_id=developer_id,
                environment=self.environment,
                action=action,
                reason=reason,
                details={"type": self._type, "item_id": str(row.id)},
                occurred_at=self._clock.now(),
            ),
        )

    def _not_found(self, item_id: UUID, environment: str) -> ItemNotFound:
        return ItemNotFound(type=self._type, item_id=str(item_id), environment=environment)


def _check_reason(reason: str | None) -> None:
    if reason is None:
        return
    if "\0" in reason:
        raise BadInput(what="the reason", reason="it has a NUL character")
    if len(reason) > MAX_REASON:
        raise BadInput(
            what="the reason", reason=f"it has {len(reason)} characters, and at most {MAX_REASON} are allowed"
        )
