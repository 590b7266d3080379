"""Finds the workload whose backups are to be deleted, also one that is no more."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.client.cluster.connection import Connection
from controller.client.cluster.known import read_known
from controller.client.cluster.workload_names import find_workload
from controller.client.jobs.any_cronjob import any_cronjob
from controller.client.terminal.errors import CommandError, Exit
from controller.model.objects import Json
from dumpers.contract import names as variables

# The documents of the runs in the bucket, by what a Job that is built from this CronJob lists.
List = Callable[[Json], Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whose backups are meant: a dump CronJob to build Jobs of, and the variables that name it.

    `env` is empty where the CronJob names itself. `is_gone` says that no CronJob is left.
    """

    key: str
    cronjob: Json = field(repr=False)
    env: Mapping[str, str] = field(default_factory=dict)
    is_gone: bool = False


def find_target(connection: Connection, text: str, namespace: str, list_runs: List) -> Target:
    """Find a workload by the controller's CronJobs, else by what lies in the bucket.

    Raises CommandError where neither knows it, or several are meant.
    """
    known = read_known(connection)
    workloads = [item for item in known.workloads if item.cronjob]
    try:
        found = find_workload(text, namespace, workloads)
    except CommandError as error:
        if error.exit_code != Exit.NOT_FOUND:
            raise
        base = any_cronjob(connection.install, [it.cronjob for it in workloads if it.cronjob])
        wanted = f"{namespace}/{text}" if namespace and "/" not in text else text
        gone = _gone(wanted, base, list_runs(base))
        if gone is None:
            raise
        return gone
    assert found.cronjob is not None
    return Target(key=found.key, cronjob=found.cronjob)


def _gone(wanted: str, base: Json, runs: Sequence[Mapping[str, Any]]) -> Target | None:
    """A workload that only its backups know; None where there are none, either."""
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
    env = {variables.CRONJOB: names[0], variables.WORKLOAD: key}
    return Target(key=key, cronjob=base, env=env, is_gone=True)
