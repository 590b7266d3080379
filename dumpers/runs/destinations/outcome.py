"""Which of a run's stores have its backup, as its result says."""

from collections.abc import Mapping
from dataclasses import replace

from dumpers.contract.jobs import DumpJob
from dumpers.contract.result import PARTIAL, PARTIAL_REASON, DumpResult, StorageResult
from dumpers.runs.destinations.destination import is_named
from dumpers.runtime.errors import KsnapshotError


def with_storages(
    result: DumpResult, job: DumpJob, failures: Mapping[str, KsnapshotError]
) -> DumpResult:
    """A good result with what became of each storage, where storages have names.

    It is partial where some were given up, whose failures are by their names.
    """
    if not is_named(job):
        return result
    storages = tuple(
        StorageResult.given_up(item.name, reason=error.reason, message=str(error))
        if (error := failures.get(item.name))
        else StorageResult(name=item.name, stored=True)
        for item in job.storages
    )
    result = replace(result, storages=storages)
    if not failures:
        return result
    told = "; ".join(f"not in {item.name}: {item.message}" for item in storages if not item.stored)
    return replace(result, outcome=PARTIAL, reason=PARTIAL_REASON, message=told)
