"""Verbs about one backup of a workload: a Job does it, and its result is shown."""

from collections.abc import Callable
from typing import Any

from controller.client.cluster.connection import Connection
from controller.client.cluster.known import find
from controller.client.cluster.workload_names import Workload
from controller.client.jobs.asked import create_job, new_job_name
from controller.client.jobs.follow import JobRef
from controller.client.jobs.following import failure_of, follow_on_screen
from controller.client.jobs.of_workload import cronjob_of
from controller.client.jobs.progress import Outcome
from controller.client.jobs.results import document_of_end, result_of, words_of_failure
from controller.client.terminal.output import note, write_document
from controller.manifests.verb_job import WRITER, VerbJob, build_verb_job, reader_account
from controller.model.objects import name_of
from dumpers.contract import names as variables
from dumpers.contract.restore.result import BackupResult

_DAY = 86_400
# A verdict may go unrecorded, a pin may not.
_READING = {"verify"}


def run_on_backup(
    connection: Connection,
    verb: str,
    what: str,
    options: dict[str, Any],
    done: Callable[[Workload, BackupResult], None] | None = None,
) -> BackupResult | None:
    """Run the dumpers' `verb` on a backup, and return its result if it is to be shown as text.

    `what` names the work in an error, `done` is called once it is done.
    Raises CommandError with the Job's exit code where it failed.
    """
    workload = find(connection, options["workload"], options["namespace"])
    wanted = VerbJob(
        name=new_job_name(verb, workload.key),
        verb=verb,
        deadline=_DAY,
        keep=_DAY,
        env={
            variables.BACKUP: options["backup"],
            variables.REQUESTED_BY: connection.kubectl.whoami(),
        },
        account=reader_account(connection.install.settings) if verb in _READING else WRITER,
    )
    job = create_job(connection.kubectl, build_verb_job(cronjob_of(workload), wanted))
    note(f"started {name_of(job)}")
    ref = JobRef.of(job)
    end = follow_on_screen(connection, ref)
    result = result_of(end, BackupResult.from_json)
    if options["output"] != "table":
        started = {"version": 1, "workload": workload.key, "job": name_of(job)}
        write_document(document_of_end(started, end, result), options["output"])
    if end.outcome is not Outcome.SUCCEEDED:
        raise failure_of(ref, end, f"{what} of {workload.key}", words_of_failure(result))
    if done and result:
        done(workload, result)
    return result if options["output"] == "table" else None
