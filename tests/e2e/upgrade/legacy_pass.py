"""One pass of 0.6.0's controller over a cluster, with its own rights (contract sections 3 to 9).

Its image does not run here; what it asks and what it writes, in its order, is this.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from controller.model.names import OWNER, PREFIX
from controller.settings.settings import Settings
from tests.integration.controller import legacy
from tests.testbed.cluster.kubeapi import Api

Json = dict[str, Any]
_LABEL = "app.kubernetes.io/managed-by=ksnapshot"
_TYPES = {"postgresql": "16"}
"""Type of the workloads of these tests to the only version of it that 0.6.0 knows."""
_KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyController:
    """0.6.0 with its settings, the recipient of every dump, and one login for all databases."""

    api: Api
    """As its ServiceAccount."""
    settings: Settings
    recipient: str
    login: Mapping[str, str] = field(repr=False)

    def pass_(self) -> list[str]:
        """Reconcile once; what was deleted, as `Kind/name`."""
        known = self._listed("CronJob")
        active = dict(self._workloads())
        for key, schedule in active.items():
            made = legacy.cronjob(self.settings, key, schedule=schedule, recipient=self.recipient)
            found = known.get(made["metadata"]["name"])
            self._write(legacy.secret(self.settings, key, values=self.login))
            if found is not None:
                # In place of all that is there, whoever wrote it.
                made["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
            self._write(made)
        return [*self._delete_orphans(known, active), *self._delete_old_jobs()]

    def _workloads(self) -> Iterator[tuple[str, str]]:
        """Owner key and schedule of what runs, by the annotations of pods and of nothing else."""
        for namespace in self.settings.watch_namespaces:
            for pod in self.api.list("v1", "Pod", namespace):
                said = pod["metadata"].get("annotations", {})
                given = {key.removeprefix(PREFIX): text for key, text in said.items()}
                newest = _TYPES.get(given.get("type", ""))
                if (
                    pod["status"]["phase"] == "Running"
                    and given.get("enabled") == "true"
                    and newest
                    and given.get("version", newest) == newest
                    and given.get("schedule")
                ):
                    (owner,) = pod["metadata"]["ownerReferences"]
                    yield f"{namespace}/{owner['name']}", given["schedule"]

    def _delete_orphans(self, known: Mapping[str, Json], active: Mapping[str, str]) -> list[str]:
        gone = []
        for name, cronjob in known.items():
            owner = cronjob["metadata"].get("annotations", {}).get(OWNER)
            if owner and owner not in active:
                self.api.delete(cronjob)
                gone.append(f"CronJob/{name}")
        return gone

    def _delete_old_jobs(self) -> list[str]:
        gone = []
        for name, job in self._listed("Job").items():
            ended = job["status"].get("completionTime")
            if ended and datetime.fromisoformat(ended) < datetime.now(UTC) - _KEPT:
                self.api.delete(job)
                gone.append(f"Job/{name}")
        return gone

    def _listed(self, kind: str) -> dict[str, Json]:
        namespace = self.settings.control_namespace
        found = self.api.list("batch/v1", kind, namespace, labelSelector=_LABEL)
        head = {"apiVersion": "batch/v1", "kind": kind}
        return {item["metadata"]["name"]: {**head, **item} for item in found}

    def _write(self, item: Json) -> None:
        """PUT where there is one, POST where there is none."""
        place = item["apiVersion"], item["kind"], item["metadata"]["namespace"]
        name = item["metadata"]["name"]
        if self.api.get(*place, name) is None:
            self.api.create(item)
        else:
            self.api.request("PUT", self.api.path(*place, name), item)
