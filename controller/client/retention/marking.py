"""Marks a backup in every storage of its workload: each of them is pruned by itself."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import click

from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.cluster.known import find
from controller.client.cluster.workload_names import Workload
from controller.client.jobs.chosen_storages import changed_option, naming_the_rest, to_change
from controller.client.jobs.of_workload import cronjob_of
from controller.client.jobs.one_backup import Ended, run_job
from controller.client.terminal.errors import CommandError, VerbCommand, worst_of
from controller.client.terminal.output import note, output_option, write_document
from controller.manifests.storages.of_cronjob import of_storage, storages_of
from controller.manifests.verb_job import build_verb_job
from dumpers.contract.restore.result import BackupResult

# Of a Job whose storage does not hold the backup.
NOT_FOUND = "BackupNotFound"


def marking_verb(mark: Callable[..., None]) -> click.Command:
    """Make a verb of what marks a backup: with WORKLOAD, ID, and one storage or all of them."""
    for decorate in (
        connected,
        output_option,
        changed_option,
        click.option(
            "--namespace", "-n", default="", metavar="NS", help="Namespace of the workload."
        ),
        click.argument("backup", metavar="ID"),
        click.argument("workload", shell_complete=complete_workloads),
    ):
        mark = decorate(mark)
    return click.command(cls=VerbCommand)(mark)


def mark_backup(
    connection: Connection,
    verb: str,
    what: str,
    options: Mapping[str, Any],
    *,
    say: Callable[[BackupResult], str],
    done: Callable[[Workload, BackupResult], None] | None = None,
) -> None:
    """Run the dumpers' `verb` on a backup, one Job for each storage, and tell how each ended.

    `what` names the work in an error, `say` what was done; `done` is called once it is done
    everywhere, before that is said. A storage that does not hold the backup is no fault where
    another one does. Raises CommandError with the worst exit code of the Jobs otherwise.
    """
    workload = find(connection, options["workload"], options["namespace"])
    cronjob, settings = cronjob_of(workload), connection.install.settings
    storages = to_change(cronjob, options["storage"], settings)
    backup, ends = options["backup"], dict[str, Ended]()
    is_single = len(storages_of(cronjob)) == 1 and not options["storage"]
    with naming_the_rest(storages) as begun:
        for name in storages:
            begun.append(name)
            build = partial(build_verb_job, of_storage(cronjob, name, settings))
            ended = ends[name] = run_job(connection, verb, workload.key, backup, build)
            if ended.has_succeeded and ended.result:
                # Another storage may lack it, and would take an older one for the latest, or
                # another one for what an id begins with.
                backup = ended.result.backup
    error = failure_in(ends, f"{what} of {workload.key}", is_single=is_single)
    good = [item.result for item in ends.values() if item.has_succeeded and item.result]
    if options["output"] != "table":
        write_document(document_of(ends, workload.key, is_single=is_single), options["output"])
    if done and good and not error:
        done(workload, good[0])
    if options["output"] == "table":
        _tell(ends, say, is_single=is_single)
    if error:
        raise error


def failure_in(ends: Mapping[str, Ended], what: str, *, is_single: bool) -> CommandError | None:
    """The error of Jobs in several storages, with the worst exit code; None where all is well."""
    is_anywhere = any(item.has_succeeded for item in ends.values())
    bad = {
        name: item.failure(what)
        for name, item in ends.items()
        if not item.has_succeeded and not (is_anywhere and is_missing(item))
    }
    if not bad:
        return None
    if is_single:
        return next(iter(bad.values()))
    return worst_of(bad)


def is_missing(ended: Ended) -> bool:
    """Whether a Job found that its storage does not hold the backup."""
    return ended.result is not None and ended.result.reason == NOT_FOUND


def document_of(ends: Mapping[str, Ended], workload: str, *, is_single: bool) -> dict[str, Any]:
    """How the Jobs ended, for a program: of several storages a list."""
    told = {name: item.to_document(workload) for name, item in ends.items()}
    if is_single:
        return next(iter(told.values()))
    return {
        "version": 1,
        "workload": workload,
        "succeeded": failure_in(ends, "", is_single=False) is None,
        "storages": [{"storage": name, **item} for name, item in told.items()],
    }


def _tell(
    ends: Mapping[str, Ended], say: Callable[[BackupResult], str], *, is_single: bool
) -> None:
    """Say what was done, and where the backup is not."""
    for name, item in ends.items():
        if item.has_succeeded and item.result:
            click.echo(say(item.result) if is_single else f"{name}: {say(item.result)}")
        elif is_missing(item) and not is_single:
            note(f"{name}: the backup is not there")
