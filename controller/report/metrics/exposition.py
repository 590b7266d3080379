"""Writes metrics in Prometheus' text format."""

import gzip
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.report.metrics.family import Family, Kind
from controller.report.metrics.run_counts import Durations

# Labels' values in the family's order, and the value.
Sample: TypeAlias = tuple[Sequence[str], float]
# The bytes are written once a pass, and sent to whoever scrapes until the next one.
_LEVEL = 3
_TOTAL = "_total"


@dataclass(frozen=True, slots=True)
class Exposition:
    """What a scrape gets: plain, and for who takes it packed."""

    text: bytes = field(repr=False)
    packed: bytes = field(repr=False)


EMPTY = Exposition(b"", gzip.compress(b""))


class _Given(Collector):
    """Hands out metrics that are known already."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """See Collector."""
        return self._metrics

    def describe(self) -> Iterable[Metric]:
        """Name none ahead: the registry would collect all of them to know."""
        return ()


def render(samples: Mapping[Family, Iterable[Sample]]) -> bytes:
    """Write gauges and counters, in order."""
    return _text(_metric(family, values) for family, values in samples.items())


def render_durations(family: Family, durations: Mapping[str, Durations]) -> bytes:
    """Write a histogram by the value of its one label."""
    metric = Metric(family.name, family.help, Kind.HISTOGRAM)
    for value, measured in sorted(durations.items()):
        labels = {family.labels[0]: value}
        count = 0
        for bound, count in measured.buckets():
            metric.add_sample(f"{family.name}_bucket", labels | {"le": bound}, count)
        metric.add_sample(f"{family.name}_count", labels, count)
        metric.add_sample(f"{family.name}_sum", labels, measured.seconds)
    return _text([metric])


def pack(*parts: bytes) -> Exposition:
    """Put parts together, and pack them."""
    text = b"".join(parts)
    return Exposition(text, gzip.compress(text, _LEVEL, mtime=0))


def _text(metrics: Iterable[Metric]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(metrics))
    return generate_latest(registry)


def _metric(family: Family, samples: Iterable[Sample]) -> Metric:
    made: CounterMetricFamily | GaugeMetricFamily
    if family.kind is Kind.COUNTER:
        name = family.name.removesuffix(_TOTAL)
        made = CounterMetricFamily(name, family.help, labels=family.labels)
    else:
        made = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for labels, value in samples:
        made.add_metric(labels, value)
    return made
