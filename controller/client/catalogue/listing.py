"""Runs a Job that lists backups, and reads what it prints, as a whole or not at all."""

from collections.abc import Mapping, Sequence
from typing import Any

from controller.client.cluster.connection import Connection
from controller.client.jobs.asked import create_job, new_job_name
from controller.client.jobs.follow import JobRef
from controller.client.jobs.following import failure_of, follow_lines
from controller.client.jobs.progress import Outcome
from controller.client.jobs.results import result_of, words_of_failure
from controller.client.retention.told import parse_document
from controller.client.terminal.errors import CommandError
from controller.manifests.storages.sources import Account
from controller.manifests.verb_job import LIST, VerbJob, build_verb_job
from controller.model.objects import Json
from dumpers.contract.restore.result import BackupResult

CATALOGUE = "catalogue"
_SECONDS, _KEEP = 900, 600


def list_job(cronjob: Json, key: str, env: Mapping[str, str], account: Account) -> Json:
    """Build a Job that lists what a dump CronJob's first storage holds, with the account's keys.

    `key` is what it is named after, `env` says which runs.
    """
    wanted = VerbJob(
        name=new_job_name(CATALOGUE, key),
        verb=LIST,
        deadline=_SECONDS,
        keep=_KEEP,
        env=env,
        account=account,
    )
    return build_verb_job(cronjob, wanted)


def run_list(
    connection: Connection, body: Json, *, is_page: bool = True
) -> list[Mapping[str, Any]]:
    """Run a Job that lists, and return its documents; CommandError where it failed.

    What came here in part is an error, too, never a shorter list. `is_page` is false where one run
    is asked for, behind which no `end` follows.
    """
    job = create_job(connection.kubectl, body)
    documents: list[Mapping[str, Any]] = []

    def read(text: str) -> None:
        if document := parse_document(text, CATALOGUE):
            documents.append(document)

    ref = JobRef.of(job)
    end = follow_lines(connection, ref, read)
    result = result_of(end, BackupResult.from_json)
    if end.outcome is not Outcome.SUCCEEDED:
        raise failure_of(ref, end, "the list of backups", words_of_failure(result))
    if why := why_not_whole(documents, result.objects if result else None, is_page=is_page):
        raise CommandError(
            f"the list did not come here as a whole: {why}; try again, with a smaller --limit if "
            f"it is a long one (the log of the Job {ref.name} was cut)"
        )
    return documents


def why_not_whole(
    documents: Sequence[Mapping[str, Any]], listed: int | None, *, is_page: bool
) -> str:
    """What the documents of a catalogue lack of those that were printed; empty for nothing.

    `listed` is how many runs the Job counted, None where it did not say: then nothing is proven.
    """
    runs = sum(item[CATALOGUE] == "run" for item in documents)
    if listed is None:
        return f"{runs} backups arrived, and the Job did not say how many there are"
    if runs != listed:
        return f"{listed} backups were listed, and {runs} arrived"
    if not is_page:
        return ""
    open_runs = 0
    for item in documents:
        if item[CATALOGUE] == "run":
            open_runs += 1
        elif item[CATALOGUE] == "end":
            if item.get("runs") != open_runs:
                return f"of {item.get('records')} {open_runs} of {item.get('runs')} arrived"
            open_runs = 0
    return f"the end behind the last {open_runs} backups is missing" if open_runs else ""
