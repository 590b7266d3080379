"""Reads what the controller knows: its CronJobs, their Jobs, and the status that it writes."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from controller.client.cluster.connection import Connection
from controller.client.cluster.workload_names import Workload, find_workload, list_workloads
from controller.client.terminal.errors import CommandError, Exit
from controller.kube.client import CONFIG_MAPS, CRONJOBS, JOBS, KubeError, NotFoundError
from controller.model import names
from controller.model.objects import Json

# The key of the status ConfigMap, and the version of its document that is understood.
STATUS_KEY = "workloads.json"
STATUS_VERSION = 1
# Jobs that run or have failed: those that succeeded say nothing that their CronJob does not.
_NOT_SUCCEEDED = "status.successful=0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The controller's status: the workloads that are not simply backed up.

    `fault` says why it is not known, empty where it is; `omitted` counts those without room in it.
    `prune` is how the last prune ended, None where none is known.
    """

    entries: Sequence[Json] = field(default=(), repr=False)
    written: str = ""
    omitted: int = 0
    prune: Json | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the controller knows; `jobs` are those that did not succeed, None if not asked for."""

    workloads: Sequence[Workload] = field(repr=False)
    status: Status
    jobs: Sequence[Json] | None = field(default=None, repr=False)

    @property
    def cronjobs(self) -> list[Json]:
        """The dump CronJobs of those workloads that have one."""
        return [item.cronjob for item in self.workloads if item.cronjob]

    def find(self, text: str, namespace: str) -> Workload:
        """Find the workload that a person means; raises CommandError where it is not one.

        Where the status is not known, that is said of a workload that is not found, too.
        """
        try:
            return find_workload(text, namespace, self.workloads)
        except CommandError as error:
            if error.exit_code != Exit.NOT_FOUND or not self.status.fault:
                raise
            raise CommandError(f"{error.message}; {self.status.fault}", Exit.NOT_FOUND) from error


def read_known(connection: Connection, *, with_jobs: bool = False) -> Known:
    """Read all workloads, in one request for each kind of object, several at a time."""
    install, kubectl = connection.install, connection.kubectl
    namespace = install.namespace
    with ThreadPoolExecutor(3) as pool:
        cronjobs = pool.submit(kubectl.list, CRONJOBS, namespace, names.SELECTOR)
        status = pool.submit(_read_status, connection)
        jobs = (
            pool.submit(kubectl.list, JOBS, namespace, fields=_NOT_SUCCEEDED) if with_jobs else None
        )
        found = status.result()
        return Known(
            workloads=list_workloads(cronjobs.result(), found.entries, install.settings),
            status=found,
            jobs=jobs.result() if jobs else None,
        )


def find(connection: Connection, text: str, namespace: str) -> Workload:
    """Find the workload that a person means; raises CommandError where it is not one."""
    return read_known(connection).find(text, namespace)


def parse_status(text: str) -> Status:
    """Read the status document; one that is not understood is a Status with a `fault`."""
    try:
        document = json.loads(text)
        version = document["version"]
        entries = [entry for entry in document["workloads"] if entry.get("workload")]
        omitted = int(document.get("omitted") or 0)
        prune = dict(document["prune"]) if document.get("prune") else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Status(fault="the controller's status cannot be read")
    if version != STATUS_VERSION:
        return Status(fault=f"the controller's status has version {version}: renew this command")
    written = str(document.get("written") or "")
    return Status(entries=entries, written=written, omitted=omitted, prune=prune)


def _read_status(connection: Connection) -> Status:
    install = connection.install
    try:
        found = connection.kubectl.get(CONFIG_MAPS, install.namespace, install.status_name)
    except NotFoundError:
        return Status(
            fault=f"the controller writes no ConfigMap {install.status_name}, as older ones do:"
            " workloads without a CronJob are not shown"
        )
    except KubeError as error:
        # It says why workloads are not backed up; what is backed up the CronJobs say.
        return Status(
            fault=f"the controller's status cannot be read: workloads without a CronJob are not"
            f" shown ({error})"
        )
    return parse_status(str((found.get("data") or {}).get(STATUS_KEY, "")))
