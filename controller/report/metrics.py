"""Renders the figures of a pass as Prometheus metrics."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from controller.model.names import LAST_RESULT, LAST_SUCCESS
from controller.model.objects import name_of
from controller.plan.changes import PassResult
from controller.runs import results

_DUMP_LABELS = ("namespace", "workload", "cronjob")


class Metrics:
    """The text behind /metrics; a scrape between two passes gets all figures of the earlier one."""

    def __init__(self) -> None:
        self._text = b""
        self._succeeded: float | None = None

    def update(self, result: PassResult, now: float) -> None:
        """Render a pass's figures; `now` is in seconds since the epoch."""
        if result.succeeded:
            self._succeeded = now
        self._text = render(result, self._succeeded)

    def text(self) -> bytes:
        """Return the figures in Prometheus' text format; empty before the first pass."""
        return self._text


def render(result: PassResult, succeeded: float | None) -> bytes:
    """Render the figures of a pass.

    `succeeded` is when the last pass without failures ended, in seconds since the epoch; None if
    there was none yet.
    """
    registry = CollectorRegistry()
    workloads = Gauge(
        "ksnapshot_workloads",
        "Annotated workloads and existing CronJobs by state and reason.",
        ("state", "reason"),
        registry=registry,
    )
    counted = Counter(
        (workload.status.state, workload.status.reason) for workload in result.results
    )
    for (state, reason), count in counted.items():
        workloads.labels(state, reason).set(count)
    Gauge("ksnapshot_pass_duration_seconds", "Wall time of the last pass.", registry=registry).set(
        result.seconds
    )
    Gauge("ksnapshot_pass_failures", "What the last pass could not do.", registry=registry).set(
        len(result.failures)
    )
    if succeeded is not None:
        Gauge(
            "ksnapshot_last_successful_pass_timestamp_seconds",
            "When the last pass without failures ended.",
            registry=registry,
        ).set(succeeded)
    last_success = Gauge(
        "ksnapshot_last_successful_dump_timestamp_seconds",
        "When the last successful dump of a CronJob ended.",
        _DUMP_LABELS,
        registry=registry,
    )
    last_result = Gauge(
        "ksnapshot_last_dump_succeeded",
        "Whether the last dump of a CronJob succeeded.",
        _DUMP_LABELS,
        registry=registry,
    )
    for labels, ended, good in dumps(result):
        if ended is not None:
            last_success.labels(*labels).set(ended)
        if good is not None:
            last_result.labels(*labels).set(good)
    return generate_latest(registry)


def dumps(result: PassResult) -> Iterator[tuple[tuple[str, str, str], float | None, bool | None]]:
    """Yield the labels of each CronJob, when its last good dump ended, and how its last one did.

    The time is in seconds since the epoch, None without a good dump; the last is True for success,
    None without any dump.
    """
    for workload in result.results:
        if workload.cronjob is None:
            continue
        namespace, _, name = workload.workload_plan.workload.partition("/")
        recorded = results.recorded(workload.cronjob, LAST_RESULT)
        yield (
            (namespace, name, name_of(workload.cronjob)),
            results.finished_at(results.recorded(workload.cronjob, LAST_SUCCESS)),
            recorded.get("succeeded") is True if recorded else None,
        )
