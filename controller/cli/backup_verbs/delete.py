"""`ksnapshot delete`: deletes backups that somebody names, whatever the policies say."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from controller.cli.backup_verbs.backups import CATALOGUE, run_list
from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.jobs.asked import new_job_name
from controller.client.retention.job import DELETE, job_that_deletes, words_of
from controller.client.retention.rights import check_may_delete
from controller.client.retention.shown import delete_line, write_deletions, write_left
from controller.client.retention.target import Target, find_target
from controller.client.retention.told import Documents, Told, check_whole, run_told
from controller.client.terminal.ask import confirm
from controller.client.terminal.errors import CommandError, Exit, VerbCommand
from controller.client.terminal.output import output_option, size, write_document
from controller.manifests.verb_job import LIST, VerbJob, build_verb_job, pruner_account
from controller.model.objects import Json
from dumpers.contract import names as variables
from dumpers.contract.retention.result import DeleteResult

_SECONDS, _KEEP = 900, 600
# As many ids have room in one variable, whose limit is that of one argument of a process.
_IDS = 4000


@click.command(cls=VerbCommand)
@click.argument("workload", shell_complete=complete_workloads)
@click.argument("backups", metavar="ID…", nargs=-1)
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@click.option("--all", "all_", is_flag=True, help="All backups of the workload.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@output_option
@connected
def delete(connection: Connection, **given: Any) -> None:
    """Delete backups of WORKLOAD for good, also of one that is no more.

    It shows first what goes and what stays, and asks. Pinned and locked backups are refused, and
    then nothing is deleted.
    """
    if bool(given["backups"]) == given["all_"]:
        raise CommandError("name backups by their ids, or say --all", Exit.USAGE)
    check_may_delete(connection)
    target = find_target(
        connection, given["workload"], given["namespace"], lambda base: _list(connection, base)
    )
    wanted = variables.ALL_BACKUPS if given["all_"] else ",".join(given["backups"])
    planned = _run(connection, target, wanted, dry_run=True)
    backups, left = _parts(planned.documents)
    is_table = given["output"] == "table"
    if is_table:
        write_deletions(backups, datetime.now(UTC))
        write_left(left)
    if given["dry_run"] or not planned.has_succeeded:
        _write(given, target, planned)
    planned.check(f"deleting backups of {target.key}")
    _check_whole(planned)
    going = [str(item["id"]) for item in backups if item.get("deleted")]
    if given["dry_run"]:
        return
    if not going:
        raise CommandError(f"no backup of {target.key} would be deleted", Exit.REFUSED)
    if not given["yes"]:
        room = sum(int(item.get("stored_bytes") or 0) for item in backups if item.get("deleted"))
        confirm(
            f"Delete {len(going)} backups of {target.key} ({size(room)}) for good?",
            otherwise="all backups are still there",
        )
    for ids in _batches(going):
        done = _run(connection, target, ",".join(ids), dry_run=False)
        _write(given, target, done)
        done.check(f"deleting backups of {target.key}")
        if is_table and done.result:
            # What the look before could not foresee.
            kept = [item for item in _parts(done.documents)[0] if not item.get("deleted")]
            write_deletions(kept, datetime.now(UTC))
            click.echo(delete_line(done.result, target.key))


def _run(
    connection: Connection, target: Target, wanted: str, *, dry_run: bool
) -> Told[DeleteResult]:
    env = {
        **target.env,
        variables.BACKUPS: wanted,
        variables.DRY_RUN: words_of(yes=dry_run),
    }
    body = job_that_deletes(connection, target.cronjob, DELETE, target.key, env)
    return run_told(connection, body, DELETE, DeleteResult.from_json)


def _write(given: Any, target: Target, told: Told[DeleteResult]) -> None:
    """Write a document of what a Job said, where one is asked for."""
    if given["output"] == "table":
        return
    backups, left = _parts(told.documents)
    document = {
        "version": 1,
        "workload": target.key,
        "job": told.job.name,
        "dry_run": told.result.dry_run if told.result else given["dry_run"],
        "succeeded": told.has_succeeded,
        "reason": told.result.reason if told.result else None,
        "message": told.result.message if told.result else None,
        "backups": backups,
        "left": left,
    }
    write_document(document, given["output"])


def _check_whole(told: Told[DeleteResult]) -> None:
    """Raise CommandError where a part of what would happen did not come here."""
    ends = [item for item in told.documents if item[DELETE] == "end"]
    going = [item for item in told.documents if item[DELETE] == "backup" and item.get("deleted")]
    counted = told.result.deleted if told.result else None
    check_whole([*going, *ends], DELETE, "backup", counted)


def _parts(documents: Documents) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The backups that were asked for, and what stays in the bucket."""
    found: dict[str, list[dict[str, Any]]] = {"backup": [], "left": []}
    for item in documents:
        if item[DELETE] in found:
            members = {name: value for name, value in item.items() if name != DELETE}
            found[item[DELETE]].append(members)
    return found["backup"], found["left"]


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many ids at a time as one Job can be told."""
    for start in range(0, len(ids), _IDS):
        yield ids[start : start + _IDS]


def _list(connection: Connection, base: Json) -> Documents:
    """The newest runs of every CronJob whose backups lie in the bucket."""
    install = connection.install
    wanted = VerbJob(
        name=new_job_name(CATALOGUE, f"{install.namespace}/{install.name}"),
        verb=LIST,
        deadline=_SECONDS,
        keep=_KEEP,
        env={variables.LIST_SCOPE: "cluster", variables.LIST_LIMIT: "1"},
        account=pruner_account(install.settings),
    )
    documents = run_list(connection, build_verb_job(base, wanted))
    return [item for item in documents if item[CATALOGUE] == "run"]
