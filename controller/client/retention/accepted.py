"""By which moment the sizes of a workload's runs were found right; pure."""

from collections.abc import Iterator

from controller.client.cluster.workload_names import Workload
from controller.client.status.past_run import history_of
from controller.client.terminal.output import moment_of


def accepted_until(workload: Workload, began: str) -> str:
    """When the run ended that began at this moment, in RFC 3339, as its CronJob records it.

    `began` itself where that run is not recorded any more, or not yet.
    """
    start = moment_of(began)
    if start is None:
        return began
    ends = sorted((end, text) for text in _ends(workload) if (end := moment_of(text)))
    return next((text for end, text in ends if end > start), began)


def later_of(one: str, other: str) -> str:
    """The later of two moments in RFC 3339; one that is none counts for nothing."""
    first, second = moment_of(one), moment_of(other)
    return one if first and (not second or first >= second) else other


def _ends(workload: Workload) -> Iterator[str]:
    """The ends of the good runs that a CronJob records."""
    for run in history_of(workload):
        if run.get("outcome") == "succeeded":
            yield str(run.get("finished") or "")
