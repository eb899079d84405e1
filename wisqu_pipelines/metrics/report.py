"""What the weekly report tells, as it was read at one time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wisqu_pipelines.errors import WisquError
from wisqu_pipelines.metrics import frames, registry
from wisqu_pipelines.metrics.frames import Row
from wisqu_pipelines.metrics.metric import Where
from wisqu_pipelines.metrics.service import MetricsService


@dataclass(frozen=True)
class Report:
    """All metrics over some days."""

    now: datetime
    days: int
    environments: Sequence[str]
    rows: Mapping[str, Sequence[Row]]
    """By metric."""
    storage: Sequence[Row] = ()
    """`storage` of earlier days, from the snapshots, each row with its `day`."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """The environments that could not be read, and why."""

    @property
    def since(self) -> datetime:
        """When the days begin."""
        return self.now - timedelta(days=self.days)


def collect(metrics: MetricsService, days: int) -> Report:
    """Read all that a report tells. An environment that does not answer is named in it, and the others are told.

    Args:
        metrics: What reads.
        days: How many days the report is about.

    Raises:
        StoreUnavailable, StoreDenied: the control database's trouble.
    """
    rows: dict[str, list[Row]] = {name: [] for name in registry.METRICS}
    for metric in registry.of(Where.CONTROL):
        rows[metric.name] = metrics.rows(metric.name, days=days)
    storage: list[Row] = []
    missing: dict[str, str] = {}
    for environment in metrics.environments:
        try:
            own = {
                each.name: metrics.rows(each.name, environment, days=days) for each in registry.of(Where.ENVIRONMENT)
            }
            storage += frames.rows_of(metrics.history("storage", environment))
        except WisquError as error:
            missing[environment] = str(error)
            continue
        for name, found in own.items():
            rows[name] += found
    return Report(metrics.now, days, metrics.environments, rows, storage, missing)
