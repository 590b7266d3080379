"""`ksnapshot keys`: which workloads' newest backups a private key opens."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from controller.client.cluster.connection import Connection, connected
from controller.client.cluster.known import read_known
from controller.client.jobs.any_cronjob import any_cronjob
from controller.client.jobs.asked import create_job, new_job_name
from controller.client.jobs.chosen_storages import any_option, elsewhere, in_defined
from controller.client.jobs.follow import JobRef
from controller.client.jobs.following import failure_of, follow_lines
from controller.client.jobs.progress import Outcome
from controller.client.jobs.results import result_of, words_of_failure
from controller.client.keys.age_tool import find_age
from controller.client.keys.key_check import KeyRow, Verdict, check_key
from controller.client.restore.identity import read_identity
from controller.client.retention.told import parse_document
from controller.client.terminal.errors import CommandError, Exit, VerbCommand, failed
from controller.client.terminal.output import (
    Column,
    clock,
    moment_of,
    output_option,
    write_document,
    write_table,
)
from controller.manifests.storages.sources import reader_account
from controller.manifests.verb_job import HEADERS, VerbJob, build_verb_job
from controller.model.objects import Json
from dumpers.contract import names as variables
from dumpers.contract.restore.result import BackupResult
from dumpers.contract.storages.named_storage import MAIN
from dumpers.runtime.errors import KsnapshotError

KEYS = "keys"
_SECONDS, _KEEP = 3600, 600
_COLUMNS = (
    Column(title="WORKLOAD"),
    Column(title="KEY"),
    Column(title="BACKUP"),
    Column(title="STARTED"),
    Column(title="ENCRYPTED FOR", shrink=True),
    Column(title="WHY", shrink=True),
)


@click.command(cls=VerbCommand)
@click.option(
    "--identity",
    "-i",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file with the private key; it stays on this machine.",
)
@click.option("--namespace", "-n", default="", metavar="NS", help="Only workloads of a namespace.")
@click.option("--cluster", default="", metavar="NAME", help="Backups of another cluster.")
@click.option("--check", is_flag=True, help="Exit with 1 where an encrypted backup is not opened.")
@any_option
@output_option
@connected
def keys(connection: Connection, **given: Any) -> None:
    """Show which workloads' newest backups a private key opens.

    A Job reads the age header of each, and no more; the key is tried on this machine.
    """
    identity = read_identity(given["identity"])
    age = find_age()
    known = read_known(connection)
    install = connection.install
    base = any_cronjob(install, known.cronjobs)
    cronjob = in_defined(base, given["storage"], install.settings)
    documents = _read_headers(connection, cronjob, given["cluster"])
    try:
        rows = check_key(
            documents,
            # Of another cluster, only what it left in the bucket is known.
            [] if given["cluster"] else known.workloads,
            age=age,
            identity=identity,
            elsewhere=elsewhere(known.workloads, given["storage"] or MAIN),
        )
    except KsnapshotError as error:
        raise failed(error) from error
    namespace = given["namespace"]
    shown = [row for row in rows if not namespace or row.workload.startswith(f"{namespace}/")]
    if given["output"] == "table":
        write_table(_COLUMNS, [_cells(row) for row in shown])
    else:
        document = {"version": 1, "workloads": [row.to_document() for row in shown]}
        write_document(document, given["output"])
    closed = sum(row.verdict in {Verdict.OTHER, Verdict.UNREADABLE} for row in shown)
    if given["check"] and closed:
        raise CommandError(f"the key does not open {closed} of {len(shown)}", Exit.FAILED)


def _read_headers(connection: Connection, cronjob: Json, cluster: str) -> list[Mapping[str, Any]]:
    """Run the Job that reads the headers, and return its documents, all of them."""
    install = connection.install
    wanted = VerbJob(
        name=new_job_name(KEYS, f"{install.namespace}/{install.name}"),
        verb=HEADERS,
        deadline=_SECONDS,
        keep=_KEEP,
        env={variables.CLUSTER: cluster} if cluster else {},
        account=reader_account(install.settings),
    )
    job = create_job(connection.kubectl, build_verb_job(cronjob, wanted))
    documents: list[Mapping[str, Any]] = []

    def read(text: str) -> None:
        if document := parse_document(text, KEYS):
            documents.append(document)

    ref = JobRef.of(job)
    end = follow_lines(connection, ref, read)
    result = result_of(end, BackupResult.from_json)
    if end.outcome is not Outcome.SUCCEEDED:
        raise failure_of(ref, end, "the look at the keys", words_of_failure(result))
    found = [item for item in documents if item[KEYS] == "backup"]
    ends = [item for item in documents if item[KEYS] == "end"]
    if not ends or ends[-1].get("cronjobs") != len(found):
        raise CommandError(f"a part of the log of the Job {ref.name} got lost: try again")
    return found


def _cells(row: KeyRow) -> list[str]:
    return [
        row.workload,
        str(row.verdict),
        row.backup,
        clock(moment_of(row.began)),
        ", ".join(row.recipients or row.kinds),
        row.why,
    ]
