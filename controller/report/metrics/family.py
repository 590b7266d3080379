"""What a metric is, and one that there is of each workload."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a metric is for Prometheus."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric. `name` is that of its series, with a counter's `_total`."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Kind = Kind.GAUGE


_WORKLOAD = ("namespace", "workload", "cronjob")


def of_workload(name: str, text: str, *labels: str, kind: Kind = Kind.GAUGE) -> Family:
    """A metric with the labels of a workload, and such as it has besides."""
    return Family(name=name, help=text, labels=(*_WORKLOAD, *labels), kind=kind)
