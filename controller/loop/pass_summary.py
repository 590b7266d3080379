"""What a pass could not do, and the one line about all of it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from controller.model.status import Reason, State
from controller.model.view import ClusterView, failed_reads
from controller.plan.changes import Action, ApplyResult, PassResult


def failures(
    view: ClusterView, results: Iterable[ApplyResult], unplanned: Iterable[str]
) -> Iterator[str]:
    """Yield what could not be read, planned or written, one line each.

    `unplanned` are the namespaces of which no plan could be made.
    """
    # One list that failed may be why many objects are not known.
    yield from dict.fromkeys(failed_reads(view))
    for namespace in sorted(unplanned):
        yield f"{namespace}: {Reason.INTERNAL_ERROR}"
    for result in results:
        if result.failed or result.status.reason is Reason.INTERNAL_ERROR:
            yield f"{result.workload_plan.workload}: {result.status.reason}"


def summary(result: PassResult) -> Mapping[str, object]:
    """Count workloads by state and writes by action, as fields of a log line."""
    states = Counter(item.status.state for item in result.results)
    writes = Counter(change.action for item in result.results for change in item.done)
    return {
        "seconds": round(result.seconds, 3),
        **{str(state): states[state] for state in State},
        **{f"{action}d": writes[action] for action in Action},
        "failures": list(result.failures),
        "stopped": result.stopped,
    }
