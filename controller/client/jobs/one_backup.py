"""Verbs about one backup of a workload: a Job does it, and its result is shown."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from controller.client.cluster.connection import Connection
from controller.client.cluster.known import find
from controller.client.jobs.asked import create_job, new_job_name
from controller.client.jobs.follow import JobRef
from controller.client.jobs.following import failure_of, follow_on_screen
from controller.client.jobs.of_workload import cronjob_of
from controller.client.jobs.progress import JobEnd, Outcome
from controller.client.jobs.results import document_of_end, result_of, words_of_failure
from controller.client.terminal.errors import CommandError
from controller.client.terminal.output import note, write_document
from controller.manifests.storages.sources import WRITER, reader_account
from controller.manifests.verb_job import VerbJob, build_verb_job
from controller.model.objects import Json, name_of
from dumpers.contract import names as variables
from dumpers.contract.restore.result import BackupResult

_DAY = 86_400
# A verdict may go unrecorded, a pin may not.
_READING = {"verify"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a Job about one backup ended; `result` is None where it left none."""

    job: JobRef
    end: JobEnd
    result: BackupResult | None = field(repr=False)

    @property
    def has_succeeded(self) -> bool:
        """Whether the Job did what it was to do."""
        return self.end.outcome is Outcome.SUCCEEDED

    def failure(self, what: str) -> CommandError:
        """The error of a Job that failed; `what` names the work."""
        return failure_of(self.job, self.end, what, words_of_failure(self.result))

    def to_document(self, workload: str) -> dict[str, Any]:
        """The end for a program."""
        started = {"version": 1, "workload": workload, "job": self.job.name}
        return document_of_end(started, self.end, self.result)


def run_on_backup(
    connection: Connection,
    verb: str,
    what: str,
    options: dict[str, Any],
    *,
    build: Callable[[Json, VerbJob], Json] = build_verb_job,
) -> BackupResult | None:
    """Run the dumpers' `verb` on a backup, and return its result if it is to be shown as text.

    `what` names the work in an error, `build` makes the Job. Raises CommandError with the Job's
    exit code where it failed.
    """
    workload = find(connection, options["workload"], options["namespace"])
    build_it = partial(build, cronjob_of(workload))
    ended = run_job(connection, verb, workload.key, options["backup"], build_it)
    is_table = options["output"] == "table"
    if not is_table:
        write_document(ended.to_document(workload.key), options["output"])
    if not ended.has_succeeded:
        raise ended.failure(f"{what} of {workload.key}")
    return ended.result if is_table else None


def run_job(
    connection: Connection, verb: str, key: str, backup: str, build: Callable[[VerbJob], Json]
) -> Ended:
    """Run the dumpers' `verb` on a backup of the workload `key` to its end."""
    wanted = VerbJob(
        name=new_job_name(verb, key),
        verb=verb,
        deadline=_DAY,
        keep=_DAY,
        env={
            variables.BACKUP: backup,
            variables.REQUESTED_BY: connection.kubectl.whoami(),
        },
        account=reader_account(connection.install.settings) if verb in _READING else WRITER,
    )
    job = create_job(connection.kubectl, build(wanted))
    note(f"started {name_of(job)}")
    ref = JobRef.of(job)
    end = follow_on_screen(connection, ref)
    return Ended(job=ref, end=end, result=result_of(end, BackupResult.from_json))
