"""Prunes the backups of all CronJobs of a cluster."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any
from urllib.parse import unquote

from dumpers.contract.names import RETENTION_FLOOR
from dumpers.contract.retention.jobs import PruneJob
from dumpers.contract.retention.result import MAX_NAMES, PruneResult
from dumpers.repository.catalogue import Entry
from dumpers.repository.listing import list_cronjobs
from dumpers.repository.removal.deletion import Deletion
from dumpers.repository.removal.prune import Pruned, Pruner
from dumpers.repository.removal.store_traits import StoreTraits
from dumpers.repository.retention.plan import Verdict
from dumpers.repository.retention.policy import Policy, PolicyError, parse_policy
from dumpers.runtime.errors import (
    ConfigurationError,
    ExitCode,
    Failure,
    InterruptedRunError,
    KsnapshotError,
    describe_failure,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage

_LOG = logging.getLogger(__name__)

# Takes the documents of docs/retention.md, one after the other.
Emit = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True)
class _Totals:
    """What was done so far; `failures` are by the name of the CronJob."""

    done: list[Pruned] = field(default_factory=list)
    failures: dict[str, Failure] = field(default_factory=dict)


def prune(
    job: PruneJob, *, interrupt: Interrupt, now: Callable[[], datetime], emit: Emit
) -> PruneResult:
    """Judge every CronJob's backups, and delete those that are covered and not to be kept.

    What goes wrong at one CronJob keeps no other from being pruned; the result is a failure then,
    that names it. ConfigurationError where the floor is no policy; InterruptedRunError between two
    steps, after which another prune goes on.
    """
    began, floor, totals = time.monotonic(), _floor(job), _Totals()
    with RunStorage(job.location, run="prune", interrupt=interrupt) as storage:
        path, cluster = job.location.path, job.cluster
        pruner = Pruner(
            storage=storage,
            traits=StoreTraits(storage=storage, path=path, cluster=cluster),
            cluster=cluster,
            floor=floor,
            now=now(),
            dry_run=job.dry_run,
        )
        prefixes = list_cronjobs(storage, path=path, cluster=cluster)
        _LOG.info("pruning", extra=fields(cronjobs=len(prefixes), dry_run=job.dry_run))
        for prefix in prefixes:
            _prune_one(pruner, prefix, totals, emit)
    result = _result(totals, seconds=round(time.monotonic() - began, 3), dry_run=job.dry_run)
    if result.succeeded:
        emit({"prune": "end", **_figures(totals), "dry_run": job.dry_run})
    return result


def _floor(job: PruneJob) -> Policy | None:
    try:
        return parse_policy(job.floor)
    except PolicyError as error:
        raise ConfigurationError(f"{RETENTION_FLOOR} {error}") from error


def _prune_one(pruner: Pruner, prefix: str, totals: _Totals, emit: Emit) -> None:
    try:
        pruned = pruner.prune(prefix)
    except InterruptedRunError:
        raise
    except KsnapshotError as error:
        _LOG.warning(
            "a CronJob's backups are not pruned", extra=fields(records=prefix, why=str(error))
        )
        totals.failures[unquote(prefix.rstrip("/").rpartition("/")[2])] = describe_failure(error)
        return
    totals.done.append(pruned)
    for verdict in pruned.verdicts:
        emit(_verdict(verdict))
    for entry, deletion in pruned.sweeps:
        emit(_sweep(entry, deletion))
    emit(_workload(pruned))
    _LOG.info(
        "pruned",
        extra=fields(
            records=prefix,
            policy=pruned.policy,
            kept=pruned.kept,
            deleted=pruned.deleted,
            freed_bytes=pruned.freed,
            held_back=pruned.held_back,
            shrunk=pruned.shrunk,
            left=pruned.left.count,
            swept=pruned.swept,
        ),
    )
    # The totals need no verdicts: ten thousand a CronJob would add up.
    pruned.verdicts, pruned.sweeps = [], []


def _verdict(verdict: Verdict) -> Mapping[str, Any]:
    return {
        "prune": "verdict",
        **verdict.entry.to_document(),
        "keep": verdict.keep,
        "reasons": list(verdict.reasons),
        "covered_by": verdict.covered_by,
        "shrunk": verdict.is_shrunk,
    }


def _sweep(entry: Entry, deletion: Deletion) -> Mapping[str, Any]:
    return {
        "prune": "sweep",
        **entry.to_document(),
        "uploads": deletion.uploads or 0,
        "objects": deletion.objects,
        "bytes": deletion.size,
        "left": [item.to_document() for item in deletion.left],
    }


def _workload(pruned: Pruned) -> Mapping[str, Any]:
    return {
        "prune": "workload",
        "records": pruned.prefix,
        "cronjob": pruned.cronjob,
        "workload": pruned.workload,
        "policy": pruned.policy,
        "fault": pruned.fault,
        "kept": pruned.kept,
        "deleted": pruned.deleted,
        "held_back": pruned.held_back,
        "shrunk": pruned.shrunk,
        "swept": pruned.swept,
        "left": [item.to_document() for item in pruned.left.first],
        "left_count": pruned.left.count,
    }


def _figures(totals: _Totals) -> dict[str, int]:
    done = totals.done
    return {
        "workloads": len(done),
        "kept": sum(item.kept for item in done),
        "deleted": sum(item.deleted for item in done),
        "freed_bytes": sum(item.freed for item in done),
        "held_back": sum(item.held_back for item in done),
        "shrunk": sum(item.shrunk for item in done),
        "left": sum(item.left.count for item in done),
        "swept": sum(item.swept for item in done),
    }


def _result(totals: _Totals, *, seconds: float, dry_run: bool) -> PruneResult:
    failed = totals.failures
    first = next(iter(failed.values()), None)
    return PruneResult(
        succeeded=first is None,
        exit_code=first.exit_code if first else ExitCode.DONE,
        reason=first.reason if first else "Succeeded",
        message=_message(failed),
        seconds=seconds,
        dry_run=dry_run,
        held_back_cronjobs=_names(item.cronjob for item in totals.done if item.held_back),
        shrunk_cronjobs=_names(item.cronjob for item in totals.done if item.shrunk),
        failed_cronjobs=_names(failed),
        **_figures(totals),
    )


def _message(failed: Mapping[str, Failure]) -> str:
    if not failed:
        return ""
    name, failure = next(iter(failed.items()))
    others = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
    return f"the backups of {name}{others} were not pruned to the end: {failure.message}"


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(islice(names, MAX_NAMES))
