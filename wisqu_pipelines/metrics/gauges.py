"""Figures for a monitoring system: few labels, no person and no reason, and read at most once a minute."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from wisqu_pipelines.environments.markers import CONTROL
from wisqu_pipelines.errors import WisquError
from wisqu_pipelines.metrics import registry
from wisqu_pipelines.metrics.frames import Row
from wisqu_pipelines.metrics.metric import Where
from wisqu_pipelines.metrics.service import MetricsService

CACHED = timedelta(minutes=1)
PATIENCE_SECONDS = 5
"""How long whoever asks waits for the databases; what comes later is there for the next who ask."""
STATEMENT_SECONDS = 30
"""How long a statement may take: nobody watching may burden a database."""


@dataclass(frozen=True)
class Gauge:
    """A figure by some labels, summed over the rows of a metric."""

    name: str
    about: str
    metric: str
    labels: tuple[str, ...]
    values: Mapping[str, str]
    """Column of the metric → value of the label `state`; a single column with an empty one has no such label."""

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of all its labels."""
        return self.labels if "" in self.values.values() else (*self.labels, "state")

    def samples(self, rows: Sequence[Row]) -> Iterator[tuple[tuple[str, ...], float]]:
        """The label values with their sums."""
        sums: Counter[tuple[str, ...]] = Counter()
        for row in rows:
            own = tuple(str(row[label]) for label in self.labels)
            for column, state in self.values.items():
                sums[(*own, state) if state else own] += row[column]
        for labels, total in sorted(sums.items()):
            yield labels, float(total)


GAUGES = (
    Gauge("wisqu_promotions", "Promotions that there are.", "promotion_states", ("path", "state"), {"promotions": ""}),
    Gauge(
        "wisqu_rows",
        "Rows of an environment, by type.",
        "distribution",
        ("environment", "type"),
        {"visible": "visible", "deleted": "deleted"},
    ),
    Gauge(
        "wisqu_test_data_rows",
        "Rows that are marked as test data.",
        "distribution",
        ("environment", "type"),
        {"test_data": ""},
    ),
    Gauge(
        "wisqu_promoted_rows",
        "Rows that came by promotion.",
        "distribution",
        ("environment", "type"),
        {"came_by_promotion": ""},
    ),
    Gauge(
        "wisqu_storage_bytes",
        "Bytes of files, and of tables with their indexes.",
        "storage",
        ("environment", "type"),
        {"bytes": "files", "table_bytes": "table"},
    ),
    Gauge("wisqu_storage_points", "Points of vectors.", "storage", ("environment", "type"), {"points": ""}),
    Gauge(
        "wisqu_sweep_rows",
        "Rows of the sweeps of the last days, and of those that are not over.",
        "sweeps",
        ("environment",),
        {each: each for each in ("marked", "hidden", "purged", "restored", "kept")},
    ),
    Gauge(
        "wisqu_test_accounts",
        "Developers' test accounts.",
        "accounts",
        ("environment",),
        {"active": "active", "expired": "expired"},
    ),
)
UP = "wisqu_metrics_up"
"""1 for each database that could be read, 0 for one that could not."""

Samples = Mapping[str, Sequence[tuple[tuple[str, ...], float]]]
"""By gauge."""


@dataclass
class _Database:
    """What was read last of one database."""

    name: str
    samples: Samples | None = None
    """None: it could not be read."""
    read_at: datetime | None = None
    running: Future[None] | None = None


class Watched:
    """The gauges of one installation, kept for a minute."""

    def __init__(self, metrics: MetricsService, clock: Callable[[], datetime]) -> None:
        """Read by this service; nothing is read before somebody asks."""
        self._metrics = metrics
        self._clock = clock
        self._databases = [_Database(each) for each in (CONTROL, *metrics.environments)]
        self._readers = ThreadPoolExecutor(len(self._databases), "gauges")
        self._lock = Lock()

    def read(self) -> tuple[Samples, Mapping[str, bool]]:
        """The samples of each gauge, and which databases could be read.

        A database that fails, or takes longer than `PATIENCE_SECONDS`, leaves its samples out.
        """
        with self._lock:
            for each in self._databases:
                if each.running is None and self._is_old(each):
                    each.running = self._readers.submit(self._refresh, each)
            running = [each.running for each in self._databases if each.running is not None]
        wait(running, PATIENCE_SECONDS)
        with self._lock:
            fresh = {each.name: each.samples for each in self._databases if not self._is_old(each)}
        samples = {
            gauge.name: [one for found in fresh.values() if found is not None for one in found.get(gauge.name, ())]
            for gauge in GAUGES
        }
        return samples, {each.name: fresh.get(each.name) is not None for each in self._databases}

    def close(self) -> None:
        """Read no more; what is being read is not waited for."""
        self._readers.shutdown(wait=False, cancel_futures=True)

    def _is_old(self, database: _Database) -> bool:
        return database.read_at is None or self._clock() - database.read_at >= CACHED

    def _refresh(self, database: _Database) -> None:
        found: Samples | None = None
        try:
            found = self._samples(database.name)
        except WisquError:
            found = None
        finally:
            with self._lock:
                database.samples, database.read_at, database.running = found, self._clock(), None

    def _samples(self, database: str) -> Samples:
        where = Where.CONTROL if database == CONTROL else Where.ENVIRONMENT
        rows: dict[str, Sequence[Row]] = {}
        samples = {}
        for gauge in GAUGES:
            if registry.METRICS[gauge.metric].where is where:
                if gauge.metric not in rows:
                    environment = None if where is Where.CONTROL else database
                    rows[gauge.metric] = self._metrics.rows(gauge.metric, environment, seconds=STATEMENT_SECONDS)
                samples[gauge.name] = list(gauge.samples(rows[gauge.metric]))
        return samples
