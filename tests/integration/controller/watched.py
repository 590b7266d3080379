"""A controller that runs over workloads of every kind of luck, and what it tells of them."""

import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.manifests.restore_job import RESTORE
from controller.model import names
from controller.runs.retention.prunes import PRUNE
from tests.integration.controller.world import (
    World,
    build,
    database,
    dump_pod,
    fail,
    finish,
    reference,
    running_job,
)
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.toolchain import processes
from tests.testbed.toolchain.processes import free_port, wait_until

Json = dict[str, Any]
# What becomes of them; the first three are good, and the last is rejected.
GOOD, NOTED, RUNNING, BAD = "good", "noted", "running", "bad"
FRESH, PAUSED, BROKEN = "fresh", "paused", "broken"
SUCCEEDED = 4
"""Good runs that the controller has recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The workloads and the ports of the controller's process."""

    world: World
    metrics: int
    page: int

    @property
    def shop(self) -> str:
        """The namespace of all workloads."""
        return self.world.watched[0]

    def figures(self) -> str:
        """What a scrape gets."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics") as answer:
            return str(answer.read().decode())

    def shown(self, path: str = "/") -> str:
        """What a browser gets."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.page}{path}") as answer:
            return str(answer.read().decode())

    def dump(self, name: str, hour: int, **said: object) -> None:
        """Let a run of a workload end well at that hour, and wait until it is counted."""
        job = self._job(name, hour)
        said = {"source_bytes": 9000, "stored_bytes": 1000, "seconds": 30.0 + hour} | said
        dump_pod(self.world, job, f"2026-01-01T{hour:02}:00:00Z", **said)
        finish(self.world, job, f"2026-01-01T{hour:02}:00:01Z")

    def dump_in_vain(self, name: str, hour: int) -> None:
        """Let a run fail at its deadline."""
        fail(self.world, self._job(name, hour), "DeadlineExceeded", f"2026-01-01T{hour:02}:00:01Z")

    def begin_dump(self, name: str) -> None:
        """Let a run begin and not end."""
        job = self._job(name, 0)
        self.world.api.set_status(job, {"startTime": "2026-01-01T03:00:00Z", "active": 1})

    def restore(self) -> None:
        """Let a restore end well."""
        meta: Json = {"name": "restore-1", "namespace": self.world.control}
        meta |= {"labels": {names.COMPONENT_LABEL: RESTORE}}
        meta |= {"annotations": {names.INSTANCE: self.world.settings.instance}}
        template = self._cronjob(GOOD)["spec"]["jobTemplate"]["spec"]
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": template}
        finish(self.world, self.world.api.create(job))

    def prune(self) -> None:
        """Let a prune end well."""
        meta: Json = {"name": "prune-1", "namespace": self.world.control}
        meta |= {"labels": {names.COMPONENT_LABEL: PRUNE}}
        meta |= {"annotations": {names.INSTANCE: self.world.settings.instance}}
        template = self._cronjob(GOOD)["spec"]["jobTemplate"]["spec"]
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": template}
        made = self.world.api.create(job)
        dump_pod(self.world, made, deleted=4, freed_bytes=1024, held_back=1, reason="Succeeded")
        finish(self.world, made)

    def verify(self) -> None:
        """Let a run of the CronJob that verifies end well, with a backup left that none read."""
        dump = self._cronjob(NOTED)
        verifier = self.world.cronjobs()[names.verify_cronjob_name(dump["metadata"]["name"])]
        template = verifier["spec"]["jobTemplate"]
        meta = {"name": "check-1", "namespace": self.world.control}
        meta |= template["metadata"] | {"ownerReferences": [reference(verifier)]}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": template["spec"]}
        made = self.world.api.create(job)
        told: Json = {"verified": 1, "backups": ["3f9c"]}
        told |= {"oldest_unread": "2025-12-01T00:00:00Z"}
        dump_pod(self.world, made, reason="Succeeded", **told)
        finish(self.world, made)

    def drill(self) -> None:
        """Let a run of the CronJob that drills pass."""
        dump = self._cronjob(NOTED)
        driller = self.world.cronjobs()[names.drill_cronjob_name(dump["metadata"]["name"])]
        template = driller["spec"]["jobTemplate"]
        meta = {"name": "drill-1", "namespace": self.world.control}
        meta |= template["metadata"] | {"ownerReferences": [reference(driller)]}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": template["spec"]}
        made = self.world.api.create(job)
        told: Json = {"outcome": "passed", "backup": "3f9c", "tables": 7, "seconds": 61.0}
        told |= {"began": "2026-01-01T03:00:00Z", "age_seconds": 7200.0, "start_seconds": 5.0}
        told |= {"restore_seconds": 40.0, "compare_seconds": 16.0}
        dump_pod(self.world, made, reason="Succeeded", **told)
        finish(self.world, made)

    def has_counted(self, what: str, count: int) -> bool:
        """Whether the controller's counter of that name and labels has come to a number."""
        lines = (line for line in self.figures().splitlines() if line.startswith(what))
        return sum(float(line.rpartition(" ")[2]) for line in lines) >= count

    def _job(self, name: str, hour: int) -> Json:
        return running_job(self.world, self._cronjob(name), f"run-{name}-{hour}")

    def _cronjob(self, name: str) -> Json:
        return self.world.cronjobs()[names.cronjob_name("postgresql", f"{self.shop}/{name}")]


@contextmanager
def watching(server: ApiServer) -> Iterator[Watched]:
    """Start a controller over these workloads, and let happen what it has to tell of."""
    world = build(server)
    (shop,) = world.watched
    for name in (GOOD, RUNNING, BAD, FRESH):
        database(world.api, shop, name)
    database(world.api, shop, NOTED, verify_schedule="0 6 * * 0", drill_schedule="@every 24h")
    database(world.api, shop, PAUSED, suspend="true")
    database(world.api, shop, BROKEN, schedule="every <day>")
    watched = Watched(world=world, metrics=free_port(), page=free_port())
    with tempfile.TemporaryDirectory() as folder:
        process = processes.start(
            "controller",
            [sys.executable, "-m", "controller", "run"],
            log=Path(folder, "log"),
            env={
                "KUBECONFIG": str(server.kubeconfig_for(server.identity_of(world.user))),
                "WATCH_NAMESPACES": shop,
                "CONTROL_NAMESPACE": world.control,
                "POLL_INTERVAL_SECONDS": "1",
                "PRUNE_ENABLED": "true",
                "HTTP_PORT": str(watched.metrics),
                "STATUS_PAGE_LISTEN": f"127.0.0.1:{watched.page}",
            },
            ready=lambda: processes.listens(watched.metrics),
        )
        try:
            wait_until(lambda: len(world.cronjobs()) == 8, seconds=60, what="the CronJobs")
            yield watched
        finally:
            process.stop()
