"""Finds the workload whose backups are to be deleted, also one that is no more."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.client.cluster.connection import Connection
from controller.client.cluster.known import read_known
from controller.client.cluster.workload_names import find_workload
from controller.client.jobs.any_cronjob import any_cronjob
from controller.client.jobs.chosen_storages import (
    defined_names,
    in_defined,
    to_change,
    writable,
)
from controller.client.terminal.errors import CommandError, Exit
from controller.model.objects import Json
from dumpers.contract import names as variables

# The documents of the runs in the bucket, by what a Job that is built from this CronJob lists.
List = Callable[[Json], Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whose backups are meant: a dump CronJob to build Jobs of, and the variables that name it.

    `storages` are those in which they may be. `env` is empty where the CronJob names itself.
    """

    key: str
    cronjob: Json = field(repr=False)
    storages: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


def find_target(
    connection: Connection, text: str, namespace: str, storage: str, list_runs: List
) -> Target:
    """Find a workload by the controller's CronJobs, else by what lies in the storages.

    With `storage` nothing but that one is looked at. Raises CommandError where neither knows the
    workload, or several are meant.
    """
    settings = connection.install.settings
    known = read_known(connection)
    workloads = [item for item in known.workloads if item.cronjob]
    try:
        found = find_workload(text, namespace, workloads)
    except CommandError as error:
        if error.exit_code != Exit.NOT_FOUND:
            raise
        base = any_cronjob(connection.install, known.cronjobs)
        wanted = f"{namespace}/{text}" if namespace and "/" not in text else text
        # No CronJob says any more to which of them it wrote.
        storages = (storage,) if storage else defined_names(settings)
        bases = (in_defined(base, name, settings) for name in storages)
        gone = _gone(wanted, [run for item in bases for run in list_runs(item)])
        if gone is None:
            raise
        return Target(
            key=gone[variables.WORKLOAD],
            cronjob=base,
            storages=writable(storages, settings),
            env=gone,
        )
    assert found.cronjob is not None
    storages = to_change(found.cronjob, storage, settings)
    return Target(key=found.key, cronjob=found.cronjob, storages=storages)


def _gone(wanted: str, runs: Sequence[Mapping[str, Any]]) -> Mapping[str, str] | None:
    """The variables of a workload that only its backups know; None where there are none, either.

    Raises CommandError where several CronJobs are meant.
    """
    found = {
        (str(run.get("cronjob") or ""), str(run.get("workload") or ""))
        for run in runs
        if wanted in {run.get("workload"), run.get("cronjob")}
    }
    names = sorted({cronjob for cronjob, _ in found if cronjob})
    if not names:
        return None
    if len(names) > 1:
        raise CommandError(
            f"{wanted!r} means the backups of several CronJobs: {', '.join(names)}; name one",
            Exit.USAGE,
        )
    key = next((workload for _, workload in sorted(found) if workload), names[0])
    return {variables.CRONJOB: names[0], variables.WORKLOAD: key}
