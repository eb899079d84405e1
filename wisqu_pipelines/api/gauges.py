"""Wisqu's own gauges on /metrics, as Prometheus asks for them."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from wisqu_pipelines.metrics.gauges import GAUGES, UP, Watched


class Gauges(Collector):
    """A collector that asks the databases, and is told what was read in the last minute."""

    def __init__(self, watched: Watched) -> None:
        """Tell of these."""
        self._watched = watched

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing, so that registering reads no database."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Each gauge with what could be read."""
        samples, up = self._watched.read()
        for gauge in GAUGES:
            family = GaugeMetricFamily(gauge.name, gauge.about, labels=gauge.label_names)
            for labels, value in samples[gauge.name]:
                family.add_metric(labels, value)
            yield family
        family = GaugeMetricFamily(UP, "Whether a database could be read for these figures.", labels=("database",))
        for name, could in up.items():
            family.add_metric((name,), float(could))
        yield family
