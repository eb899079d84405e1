"""All metrics, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from wisqu_pipelines.errors import UnknownMetric
from wisqu_pipelines.metrics import people, promotions, rows, sweeps
from wisqu_pipelines.metrics.metric import Metric, Where

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        each.name: each
        for each in (
            promotions.PROMOTIONS,
            promotions.PATHS,
            promotions.STATES,
            promotions.TYPES,
            people.ACCESS,
            rows.DISTRIBUTION,
            rows.TEST_DATA,
            rows.STORAGE,
            sweeps.SWEEPS,
            people.ACCOUNTS,
            people.ACTIONS,
        )
    }
)


def of(where: Where) -> list[Metric]:
    """The metrics of the control database, or of each environment."""
    return [each for each in METRICS.values() if each.where is where]


def named(name: str) -> Metric:
    """The metric of that name.

    Raises:
        UnknownMetric: there is none.
    """
    try:
        return METRICS[name]
    except KeyError:
        raise UnknownMetric(name=name, known=sorted(METRICS)) from None
