"""`ksnapshot delete`: deletes backups that somebody names, whatever the policies say."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from controller.client.catalogue.listing import CATALOGUE, list_job, run_list
from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.jobs.chosen_storages import changed_option, naming_the_rest
from controller.client.retention.deletion import Said, check_found, delete_shown, look
from controller.client.retention.rights import check_may_delete
from controller.client.retention.shown import delete_line, write_deletions, write_left
from controller.client.retention.target import Target, find_target
from controller.client.retention.told import Documents
from controller.client.terminal.ask import confirm
from controller.client.terminal.errors import CommandError, Exit, VerbCommand, worst_of
from controller.client.terminal.output import note, output_option, size, write_document
from controller.manifests.storages.sources import pruner_account
from controller.model.objects import Json
from dumpers.contract import names as variables


@click.command(cls=VerbCommand)
@click.argument("workload", shell_complete=complete_workloads)
@click.argument("backups", metavar="ID…", nargs=-1)
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@click.option("--all", "all_", is_flag=True, help="All backups of the workload.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@changed_option
@output_option
@connected
def delete(connection: Connection, **given: Any) -> None:
    """Delete backups of WORKLOAD for good, also of one that is no more.

    They go from all its storages. What goes and what stays is shown first, and asked for. Pinned
    and locked backups are refused, and then nothing is deleted.
    """
    if bool(given["backups"]) == given["all_"]:
        raise CommandError("name backups by their ids, or say --all", Exit.USAGE)
    check_may_delete(connection)
    target = find_target(
        connection,
        given["workload"],
        given["namespace"],
        given["storage"],
        lambda base: _list(connection, base),
    )
    wanted = variables.ALL_BACKUPS if given["all_"] else ",".join(given["backups"])
    planned = _look(connection, target, wanted, given)
    if given["dry_run"]:
        return
    _confirm(target, planned, given)
    failed: dict[str, CommandError] = {}
    with naming_the_rest([said.storage for said in planned if said.going]) as begun:
        for said in planned:
            begun.append(said.storage)
            try:
                _delete(connection, target, said, given)
            except CommandError as error:
                failed[said.storage] = error
    if failed:
        raise worst_of(failed) if _names_storages(target, given) else next(iter(failed.values()))


def _look(connection: Connection, target: Target, wanted: str, given: Any) -> list[Said]:
    """Show what would go; CommandError where something is against it in any storage."""
    planned: list[Said] = []
    failed: dict[str, CommandError] = {}
    for said in look(connection, target, wanted):
        planned.append(said)
        if given["output"] == "table":
            _name(target, said, given)
            write_deletions(said.backups, datetime.now(UTC))
            write_left(said.left)
        if given["dry_run"] or not said.told.has_succeeded:
            _write(given, target, said)
        try:
            said.told.check(f"deleting backups of {target.key}")
            said.check_whole()
        except CommandError as error:
            failed[said.storage] = error
    if failed and not _names_storages(target, given):
        raise next(iter(failed.values()))
    if failed:
        note("nothing was deleted in any storage; --storage NAME deletes in that one only")
        raise worst_of(failed)
    check_found(planned, target.key)
    return planned


def _confirm(target: Target, planned: Sequence[Said], given: Any) -> None:
    """Ask whether what was shown may go; CommandError where nothing would, and at a no."""
    going = [item for item in planned if item.going]
    if not going:
        raise CommandError(f"no backup of {target.key} would be deleted", Exit.REFUSED)
    if given["yes"]:
        return
    counts = ", ".join(f"{len(item.going)} in {item.storage}" for item in going)
    where = f", {counts}," if _names_storages(target, given) else ""
    count, room = sum(len(item.going) for item in going), sum(item.room for item in going)
    confirm(
        f"Delete {count} backups of {target.key}{where} ({size(room)}) for good?",
        otherwise="all backups are still there",
    )


def _delete(connection: Connection, target: Target, planned: Said, given: Any) -> None:
    """Delete in one storage what was shown of it."""
    for done in delete_shown(connection, target, planned.storage, planned.going):
        _write(given, target, done)
        done.told.check(f"deleting backups of {target.key}")
        if given["output"] == "table" and done.told.result:
            # What the look before could not foresee.
            kept = [item for item in done.backups if not item.get("deleted")]
            write_deletions(kept, datetime.now(UTC))
            named = f"{done.storage}: " if _names_storages(target, given) else ""
            click.echo(f"{named}{delete_line(done.told.result, target.key)}")


def _names_storages(target: Target, given: Any) -> bool:
    return len(target.storages) > 1 or bool(given["storage"])


def _name(target: Target, said: Said, given: Any) -> None:
    """Say of which storage a table is."""
    if _names_storages(target, given):
        click.echo(f"{said.storage}:{'' if said.backups or said.left else ' nothing of it'}")


def _write(given: Any, target: Target, said: Said) -> None:
    """Write a document of what a Job said, where one is asked for."""
    if given["output"] == "table":
        return
    told = said.told
    more = (
        {"storage": said.storage, "missing": said.missing} if _names_storages(target, given) else {}
    )
    document = {
        "version": 1,
        "workload": target.key,
        **more,
        "job": told.job.name,
        "dry_run": told.result.dry_run if told.result else given["dry_run"],
        "succeeded": told.has_succeeded,
        "reason": told.result.reason if told.result else None,
        "message": told.result.message if told.result else None,
        "backups": said.backups,
        "left": said.left,
    }
    write_document(document, given["output"])


def _list(connection: Connection, base: Json) -> Documents:
    """The newest runs of every CronJob whose backups lie in the bucket."""
    install = connection.install
    env = {variables.LIST_SCOPE: "cluster", variables.LIST_LIMIT: "1"}
    key, account = f"{install.namespace}/{install.name}", pruner_account(install.settings)
    documents = run_list(connection, list_job(base, key, env, account))
    return [item for item in documents if item[CATALOGUE] == "run"]
