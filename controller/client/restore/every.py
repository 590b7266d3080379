"""`ksnapshot restore --all`: one workload after the other, and a table of what came of each."""

from collections.abc import Mapping
from typing import Any

import click

from controller.client.cluster.connection import Connection
from controller.client.cluster.known import Known, read_known
from controller.client.cluster.workload_names import Workload
from controller.client.jobs.follow import JobRef
from controller.client.jobs.following import follow_on_screen
from controller.client.jobs.progress import JobEnd, Outcome
from controller.client.jobs.results import result_of, words_of_failure
from controller.client.restore.start import start_restore
from controller.client.restore.wanted import RestoreWanted
from controller.client.terminal.errors import CommandError, Exit
from controller.client.terminal.output import Column, note, write_document, write_table
from controller.kube.client import KubeError
from dumpers.contract.restore.result import RestoreResult

_COLUMNS = (
    Column(title="WORKLOAD"),
    Column(title="RESTORE"),
    Column(title="BACKUP"),
    Column(title="JOB"),
    Column(title="WHY", shrink=True),
)
# Options that mean one workload's backup, or one target.
_OF_ONE = ("backup", "to", "to_workload", "credentials_secret", "databases", "tables", "renamed")


def restore_all(connection: Connection, wanted: RestoreWanted, options: Mapping[str, Any]) -> None:
    """Restore every workload of a namespace; one that fails does not keep the others from theirs.

    May be repeated: what is restored already is refused, as it is not empty. Raises CommandError
    with 1 where any failed.
    """
    namespace = options["namespace"]
    if not namespace:
        raise click.UsageError("--all needs a namespace: -n NS")
    single = [name for name in _OF_ONE if options[name]]
    if single:
        raise click.UsageError(
            f"--{single[0].replace('_', '-')} is for one workload, not for --all"
        )
    known = read_known(connection, with_jobs=True)
    workloads = [item for item in known.workloads if item.namespace == namespace]
    if not workloads:
        raise CommandError(f"nothing is backed up in namespace {namespace}", Exit.NOT_FOUND)
    results = []
    for number, workload in enumerate(workloads, 1):
        note(f"{number}/{len(workloads)} {workload.key}")
        results.append(_restore(connection, known, workload, wanted, options))
    if options["output"] == "table":
        members = ("workload", "outcome", "backup", "job", "message")
        write_table(_COLUMNS, [[item[name] for name in members] for item in results])
    else:
        write_document({"version": 1, "restores": results}, options["output"])
    failed = sum(item["outcome"] != "succeeded" for item in results)
    if failed:
        raise CommandError(f"{failed} of {len(results)} were not restored", Exit.FAILED)


def _restore(
    connection: Connection,
    known: Known,
    workload: Workload,
    wanted: RestoreWanted,
    options: Mapping[str, Any],
) -> dict[str, str]:
    """Restore one workload and return what came of it; never raises for what is this one's."""
    told = {"workload": workload.key, "outcome": "refused", "backup": "", "job": "", "message": ""}
    try:
        job = start_restore(connection, known, workload, wanted, options)
    except (CommandError, KubeError) as error:
        return told | {"message": str(error)}
    ref = JobRef.of(job)
    told["job"] = ref.name
    try:
        end = follow_on_screen(connection, ref)
    except KubeError as error:
        return told | {"outcome": "unknown", "message": str(error)}
    return told | _outcome(end)


def _outcome(end: JobEnd) -> dict[str, str]:
    outcome = "succeeded" if end.outcome is Outcome.SUCCEEDED else "failed"
    result = result_of(end, RestoreResult.from_json)
    if result is None:
        why = ": ".join(filter(None, (end.reason, end.why)))
        return {"outcome": outcome, "message": why}
    message = words_of_failure(result) or "; ".join(result.notes)
    return {"outcome": outcome, "backup": result.backup, "message": message}
