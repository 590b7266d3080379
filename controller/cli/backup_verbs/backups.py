"""`ksnapshot backups`: what there is in the store, as one Job reads it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from controller.client.catalogue.listing import CATALOGUE, list_job, run_list
from controller.client.catalogue.merged import Listed, Merged, merge, storages_cell
from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.cluster.known import read_known
from controller.client.jobs.any_cronjob import any_cronjob
from controller.client.jobs.chosen_storages import (
    defined_names,
    every_storage,
    in_chosen,
    in_defined,
)
from controller.client.jobs.of_workload import cronjob_of
from controller.client.terminal.errors import CommandError, Exit, VerbCommand, worst_of
from controller.client.terminal.output import (
    Column,
    age,
    clock,
    duration,
    moment_of,
    note,
    output_option,
    seconds_between,
    size,
    write_document,
    write_table,
)
from controller.manifests.storages.sources import reader_account
from dumpers.contract import names as variables

_ALL = "all"
_COLUMNS = (
    Column(title="ID"),
    Column(title="STARTED"),
    Column(title="AGE", right=True),
    Column(title="STATE"),
    Column(title="WORKLOAD", shrink=True),
    Column(title="CLUSTER", shrink=True),
    Column(title="STORED", right=True),
    Column(title="TOOK", right=True),
    Column(title="PROOF"),
    Column(title="NOTES", shrink=True),
    Column(title="WHY", shrink=True),
)

_MERGED_COLUMNS = (*_COLUMNS[:-2], Column(title="STORAGES", shrink=True), *_COLUMNS[-2:])


@click.command(cls=VerbCommand)
@click.argument("workload", required=False, shell_complete=complete_workloads)
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@click.option(
    "--cluster",
    default="",
    metavar="NAME|all",
    help="Backups of another cluster that uses the same bucket, or of all.",
)
@click.option("--id", "wanted", default="", metavar="ID", help="Only this one, in full.")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="Of a workload."
)
@click.option("--before", default="", metavar="CURSOR", help="Go on where a page ended.")
@click.option(
    "--storage",
    default="",
    metavar="NAME|all",
    help="Of this storage, not of the first one; `all` shows where each backup is.",
)
@output_option
@connected
def backups(connection: Connection, **given: Any) -> None:
    """List the backups of WORKLOAD, or of every workload, the newest first.

    The Job that reads the store has its keys; nothing of them reaches this machine.
    """
    known = read_known(connection)
    found = known.find(given["workload"], given["namespace"]) if given["workload"] else None
    cronjob = cronjob_of(found) if found else any_cronjob(connection.install, known.cronjobs)
    key = found.key if found else f"{connection.install.namespace}/{connection.install.name}"
    settings = connection.install.settings

    def list_storage(name: str) -> list[Mapping[str, Any]]:
        chosen = in_chosen if found else in_defined
        env = _environment(given, of_workload=found is not None)
        body = list_job(chosen(cronjob, name, settings), key, env, reader_account(settings))
        return run_list(connection, body, is_page=not given["wanted"])

    if given["storage"] == _ALL:
        names = every_storage(cronjob, settings) if found else defined_names(settings)
        merged, away = _list_all(names, list_storage, given)
        told: dict[str, Any] = {"storages": [*names], "away": [*away]}
        runs, pages = merged.runs, merged.pages
    else:
        documents, away, told = list_storage(given["storage"]), {}, {}
        runs = [dict(item) for item in documents if item[CATALOGUE] == "run"]
        pages = _pages(documents)
    if given["output"] == "table":
        columns = _MERGED_COLUMNS if told else _COLUMNS
        write_table(columns, [_row(run, datetime.now(UTC)) for run in runs])
        _note_older(connection, pages, key if found else "", given)
    else:
        document = {"version": 1, "backups": runs, "pages": pages, **told}
        write_document(document, given["output"])
    if away:
        raise worst_of(away)


def _list_all(
    names: Sequence[str], list_storage: Callable[[str], list[Mapping[str, Any]]], given: Any
) -> tuple[Merged, dict[str, CommandError]]:
    """The lists of storages as one, and why those are not in it that did not answer."""
    if given["wanted"]:
        raise CommandError("--id shows a run of one storage: name it by --storage", Exit.USAGE)
    lists: list[Listed] = []
    away: dict[str, CommandError] = {}
    for name in names:
        try:
            lists.append(Listed(storage=name, documents=list_storage(name)))
        except CommandError as error:
            away[name] = error
    if not lists:
        raise worst_of(away)
    return merge(lists, away=[*away], limit=given["limit"]), away


def _note_older(
    connection: Connection, pages: Sequence[Mapping[str, Any]], key: str, given: Any
) -> None:
    """Say how to go on where a page of a workload ended; `key` is empty for no workload."""
    storage = ("--storage", given["storage"]) if given["storage"] else ()
    for page in pages:
        if page["next"] and key:
            words = ("backups", key, *storage, "--before", page["next"])
            note(f"older ones: {connection.command_line(*words)}")


def _environment(given: Mapping[str, Any], *, of_workload: bool) -> dict[str, str]:
    cluster = given["cluster"]
    scope = "cronjob" if of_workload and cluster != _ALL else "cluster"
    return {
        variables.LIST_SCOPE: _ALL if cluster == _ALL else scope,
        variables.LIST_LIMIT: str(given["limit"]),
        **({variables.CLUSTER: cluster} if cluster and cluster != _ALL else {}),
        **({variables.LIST_BEFORE: given["before"]} if given["before"] else {}),
        **({variables.BACKUP: given["wanted"]} if given["wanted"] else {}),
    }


def _pages(documents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"records": item["records"], "runs": item["runs"], "next": item["next"]}
        for item in documents
        if item[CATALOGUE] == "end"
    ]


def _row(run: Mapping[str, Any], now: datetime) -> list[str]:
    started, finished = moment_of(run.get("started")), moment_of(run.get("finished"))
    is_merged = "found_in" in run
    state = f"{run.get('state')}{', pinned' if run.get('pinned') else ''}"
    return [
        str(run.get("id", "")),
        clock(started),
        age(started, now),
        state,
        str(run.get("workload", "")),
        str(run.get("cluster", "")),
        size(run.get("stored_bytes") or None),
        duration(seconds_between(started, finished)),
        proof_of(run, now),
        *([storages_cell(run)] if is_merged else []),
        ", ".join(run.get("notes") or ()),
        # What missed it then may have a copy by now, which the storages say.
        why_of({**run, "missing": []} if is_merged else run),
    ]


def why_of(run: Mapping[str, Any]) -> str:
    """Why a run is no backup, or which storages missed it when it was made; or nothing."""
    missing = ", ".join(run.get("missing") or ())
    return str(run.get("why") or "") or (f"missing in {missing}" if missing else "")


def proof_of(run: Mapping[str, Any], now: datetime) -> str:
    """The strongest that was found out about a run, what speaks against it first; or nothing."""
    read, drilled = run.get("proof"), run.get("drill")
    found = (
        ("DAMAGED", read, False),
        ("DIFFERS", drilled, False),
        ("drilled", drilled, True),
        ("verified", read, True),
    )
    shown = (
        f"{word} {age(moment_of(verdict.get('when')), now)}"
        for word, verdict, is_good in found
        if verdict and verdict["good"] is is_good
    )
    return next(shown, "")
