"""`ksnapshot accept`: says that the size of a workload's backups is right."""

from dataclasses import replace
from typing import Any

from controller.client.cluster.connection import Connection
from controller.client.cluster.workload_names import Workload
from controller.client.retention.accepted import accepted_until, later_of
from controller.client.retention.marking import mark_backup, marking_verb
from controller.client.terminal.errors import CommandError
from controller.client.terminal.output import clock_of
from controller.kube.client import CRONJOBS, KubeError
from controller.model.names import SIZE_ACCEPTED
from controller.model.objects import annotations_of, name_of
from dumpers.contract.restore.result import BackupResult


@marking_verb
def accept(connection: Connection, **given: Any) -> None:
    """Say that the sizes of WORKLOAD's backups up to this one are right, however small.

    ID is as `ksnapshot backups` shows it, or `latest`. Later backups are compared with this one, it
    may cover older ones again, and the alert ends.
    """

    def mark(workload: Workload, result: BackupResult) -> None:
        _mark(connection, workload, result)

    def say(result: BackupResult) -> str:
        newest = f"{result.backup} of {clock_of(result.began)}"
        return f"the sizes of backups up to {newest} are accepted"

    mark_backup(connection, "accept", "accepting the size of a backup", given, say=say, done=mark)


def _mark(connection: Connection, workload: Workload, result: BackupResult) -> None:
    """Tell the controller, which never reads the bucket, by the CronJob."""
    assert workload.cronjob is not None
    namespace, name = connection.install.namespace, name_of(workload.cronjob)
    try:
        found = connection.kubectl.get(CRONJOBS, namespace, name)
        known = annotations_of(found).get(SIZE_ACCEPTED, "")
        now = replace(workload, cronjob=found)
        moment = later_of(known, accepted_until(now, result.began))
        if moment != known:
            change = {"metadata": {"annotations": {SIZE_ACCEPTED: moment}}}
            connection.kubectl.patch(CRONJOBS, namespace, name, change)
    except KubeError as error:
        raise CommandError(
            f"the size of the backup {result.backup} is accepted in the bucket, but the CronJob"
            f" {name} could not be marked, so that the alert stays ({error}): try again"
        ) from error
