"""Reading metrics, keeping a snapshot of them each day, and reading snapshots back."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import select, text

from wisqu_pipelines.database.session import Database
from wisqu_pipelines.environments.markers import CONTROL
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.identity.models import CentralUser
from wisqu_pipelines.metrics import frames, places, registry
from wisqu_pipelines.metrics.frames import Row
from wisqu_pipelines.metrics.metric import Kind, Metric, Scope, Where
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.settings import Settings

if TYPE_CHECKING:
    from pandas import DataFrame

PARQUET = "application/vnd.apache.parquet"
HTML = "text/html; charset=utf-8"


class MetricsService:
    """The metrics of one installation."""

    def __init__(
        self, control: Database, environments: Mapping[str, Environment], settings: Settings, clock: Clock
    ) -> None:
        """Read from these databases; nothing is opened before it is asked for."""
        self._control = control
        self._environments = environments
        self._settings = settings
        self._clock = clock

    @property
    def now(self) -> datetime:
        """What the clock says."""
        return self._clock.now()

    @property
    def environments(self) -> Sequence[str]:
        """The names of the environments, in the order of the settings."""
        return list(self._environments)

    @property
    def home(self) -> str:
        """The environment in whose bucket the control database's snapshots and the reports lie.

        The control database has no bucket of its own, and Dagster's is emptied of old logs. They name people and tell
        of all environments, so they lie where the fewest may look: in the last environment that is declared, unless
        the settings say otherwise.
        """
        return self._settings.metrics.environment or list(self._settings.environments)[-1]

    def rows(
        self,
        name: str,
        environment: str | None = None,
        *,
        days: int | None = None,
        seconds: int | None = None,
    ) -> list[Row]:
        """A metric's rows: those of one environment, or of all of them in the order of the settings.

        Args:
            name: Which metric.
            environment: Of which environment; of a metric of the control database it is not asked.
            days: How far back to look, where the metric tells of what happened; as the settings say if it is not given.
            seconds: How long each database may take at most.

        Raises:
            UnknownMetric, UnknownEnvironment: there is none of that name.
            StoreUnavailable, StoreDenied: a database's trouble.
        """
        metric = registry.named(name)
        now = self._clock.now()
        since = now - timedelta(days=days or self._settings.metrics.days)
        if metric.where is Where.CONTROL:
            return _read(self._control, metric, Scope(CONTROL, since, now), seconds)
        names = self.environments if environment is None else [self._settings.environment(environment).name]
        found = [
            row
            for each in names
            for row in _read(self._environments[each].database, metric, Scope(each, since, now), seconds)
        ]
        return found if metric.person is None else self._addressed(found, metric.person)

    def frame(self, name: str, environment: str | None = None, *, days: int | None = None) -> "DataFrame":
        """The same as a pandas frame, whose columns have the same types also where there is nothing."""
        return frames.frame(registry.named(name), self.rows(name, environment, days=days))

    def take(self, name: str, environment: str | None = None) -> tuple["DataFrame", str, str]:
        """Keep today's snapshot of a metric in the bucket; one of the same day is replaced, and very old ones go.

        Args:
            name: Which metric.
            environment: Of which environment, and in whose bucket; None for a metric of the control database.

        Returns:
            The frame, the bucket, and the key.
        """
        home = self._environments[environment or self.home]
        taken = self.frame(name, environment)
        file = io.BytesIO()
        taken.to_parquet(file, engine="pyarrow", index=False)
        today = self._today()
        key = places.snapshot(name, today)
        self._put(home, key, file.getvalue(), PARQUET)
        oldest = today - timedelta(days=self._settings.metrics.keep_days)
        home.objects.delete(self._bucket(home), [each for day, each in self._kept(home, name) if day < oldest])
        return taken, self._bucket(home), key

    def history(self, name: str, environment: str | None = None, *, days: int | None = None) -> "DataFrame":
        """A metric's snapshots of the last days, each row with the `day` of its snapshot, oldest first."""
        import pandas  # noqa: PLC0415

        home = self._environments[environment or self.home]
        since = self._today() - timedelta(days=days or self._settings.metrics.days)
        found = [
            self._get(home, key).assign(day=pandas.Timestamp(day, tz=UTC).as_unit("us"))
            for day, key in self._kept(home, name)
            if day >= since
        ]
        empty = frames.frame(registry.named(name), []).assign(day=pandas.Series(dtype="datetime64[us, UTC]"))
        return pandas.concat(found, ignore_index=True) if found else empty

    def keep_report(self, page: str, days: int) -> tuple[str, str]:
        """Keep a report in the bucket; one of the same day is replaced. Returns the bucket and the key."""
        home = self._environments[self.home]
        key = places.report(self._today(), days)
        self._put(home, key, page.encode(), HTML)
        return self._bucket(home), key

    def _today(self) -> date:
        return self._clock.now().astimezone(UTC).date()

    def _bucket(self, home: Environment) -> str:
        return home.settings.get_bucket_name(self._settings.default_bucket)

    def _kept(self, home: Environment, name: str) -> Iterator[tuple[date, str]]:
        for each in home.objects.list(self._bucket(home), places.snapshots(name)):
            if (day := places.day_of(each.key)) is not None:
                yield day, each.key

    def _put(self, home: Environment, key: str, data: bytes, content_type: str) -> None:
        home.objects.put(self._bucket(home), key, io.BytesIO(data), len(data), content_type=content_type)

    def _get(self, home: Environment, key: str) -> "DataFrame":
        import pandas  # noqa: PLC0415

        with home.objects.read(self._bucket(home), key) as parts:
            return pandas.read_parquet(io.BytesIO(b"".join(parts)), engine="pyarrow")

    def _addressed(self, rows: Sequence[Row], column: str) -> list[Row]:
        """The rows with people's addresses in the place of their ids."""
        ids = {found for row in rows if (found := _id(row[column])) is not None}
        if not ids:
            return list(rows)
        with self._control.snapshot() as session:
            wanted = select(CentralUser.id, CentralUser.email).where(CentralUser.id.in_(ids))
            emails = {str(found.id): found.email for found in session.execute(wanted)}
        return [{**row, column: emails.get(row[column], row[column])} for row in rows]


def _read(database: Database, metric: Metric, scope: Scope, seconds: int | None) -> list[Row]:
    with database.snapshot() as session:
        if seconds is not None:
            session.execute(text(f"SET LOCAL statement_timeout = {seconds * 1000:d}"))
        return [_row(metric, row) for row in session.execute(metric.query(scope))]


def _row(metric: Metric, values: Iterable[Any]) -> Row:
    """A row by its columns; Postgres sums big integers to decimals, and they become whole numbers again."""
    return {
        name: int(value) if kind in {Kind.COUNT, Kind.BYTES} else value
        for (name, kind), value in zip(metric.columns.items(), values, strict=True)
    }


def _id(shown: str) -> UUID | None:
    try:
        return UUID(shown)
    except ValueError:
        return None
