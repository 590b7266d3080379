"""An install of many workloads, and the user's command in it, with the real kubectl."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model import names
from tests.integration.chart.helm import render
from tests.integration.controller.rights import may
from tests.integration.controller.world import World, build, database
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.cluster.kubeapi import Identity
from tests.testbed.toolchain.processes import wait_until
from tests.testbed.toolchain.tools import tool

Json = dict[str, Any]
RBAC = "rbac.authorization.k8s.io/v1"
# Shaped like a key, and none.
KEY = "AGE-SECRET-KEY-1" + "Q" * 58
_VIEW = [
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]},
    {"apiGroups": ["batch"], "resources": ["cronjobs", "jobs"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]},
]

# Whoever starts the tests in the background makes them, and all that they start, deaf to Ctrl-C.
HEEDING_CTRL_C = ("env", "--default-signal=INT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """The user's command in an install; `home` is kubectl's."""

    world: World
    home: Path

    @property
    def owner(self) -> str:
        """The workload that has a real database's objects."""
        return f"{self.world.watched[0]}/db"

    def cronjob(self) -> Json:
        """Its CronJob."""
        return self.world.cronjobs()[names.cronjob_name("postgresql", self.owner)]

    def jobs(self) -> list[Json]:
        """All Jobs of the control namespace."""
        whole = {"apiVersion": "batch/v1", "kind": "Job"}
        listed = self.world.api.list("batch/v1", "Job", self.world.control)
        return [whole | item for item in listed]

    def delete_jobs(self) -> None:
        """Delete all of them."""
        for job in self.jobs():
            self.world.api.delete(job)

    def environment(self, identity: Identity | None = None, **more: str) -> dict[str, str]:
        """What the command runs with: as an admin, unless an identity is given."""
        kubeconfig = self.world.server.kubeconfig_for(identity or self.world.server.admin)
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return kept | {
            "HOME": str(self.home),
            "KUBECONFIG": str(kubeconfig),
            "KSNAPSHOT_KUBECTL": str(tool("kubectl")),
            "KSNAPSHOT_NAMESPACE": self.world.control,
            **more,
        }

    def start(self, *arguments: str, identity: Identity | None = None) -> subprocess.Popen[str]:
        """Start it and do not wait."""
        return subprocess.Popen(
            [*HEEDING_CTRL_C, sys.executable, "-m", "controller", *arguments],
            env=self.environment(identity),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *arguments: str, identity: Identity | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            [sys.executable, "-m", "controller", *arguments],
            env=self.environment(identity, **env),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def json(self, *arguments: str) -> Json:
        """What it prints with --output json."""
        done = self.run(*arguments, "--output", "json")
        assert done.returncode == 0, done.stderr
        document: Json = json.loads(done.stdout)
        return document

    def viewer(self, name: str, *, without: str = "") -> Identity:
        """A user who may look, and change nothing, but for the verbs on one resource."""
        return self._user(name, [rule for rule in _VIEW if rule["resources"] != [without]])

    def admin(self, name: str, *, without: str = "") -> Identity:
        """A user with the chart's Role for admins, but for the verbs on one resource."""
        return self._user(
            name, [rule for rule in self._rules("admin") if rule["resources"] != [without]]
        )

    def deleter(self, name: str) -> Identity:
        """A user with the chart's Role for those who may delete backups."""
        return self._user(name, self._rules("delete"))

    def _rules(self, role: str) -> list[Json]:
        """The rules of a Role that the chart makes for people."""
        watched, control = self.world.watched[0], self.world.control
        chart = render(f"--set=rbac.watchNamespaces={{{watched}}}", namespace=control)
        [found] = [
            item
            for item in chart
            if item["kind"] == "Role" and item["metadata"]["name"] == f"ksnapshot-{role}"
        ]
        rules: list[Json] = found["rules"]
        return rules

    def _user(self, name: str, rules: Sequence[Json]) -> Identity:
        """A user with these rights in the control namespace, once the API server knows of them."""
        api, control = self.world.api, self.world.control
        meta = {"name": name, "namespace": control}
        api.create({"apiVersion": RBAC, "kind": "Role", "metadata": meta, "rules": [*rules]})
        api.create(
            {
                "apiVersion": RBAC,
                "kind": "RoleBinding",
                "metadata": meta,
                "roleRef": {"apiGroup": RBAC.partition("/")[0], "kind": "Role", "name": name},
                "subjects": [{"kind": "User", "name": name}],
            }
        )
        known = partial(may, api, name, control, rules[0])
        wait_until(known, seconds=60, what=f"the rights of {name}")
        return self.world.server.identity_of(name)


def env_of(job: Json) -> dict[str, Any]:
    """The variables of a Job's one container: the value of each, or where it comes from."""
    [container] = job["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"]}


@contextmanager
def installed(
    server: ApiServer, home: Path, *, workloads: int, storages: str = "{}", asked: str = ""
) -> Iterator[Command]:
    """An install whose controller made one CronJob; copies of it stand for other workloads.

    `storages` are further ones, as the setting STORAGES has them; `asked` is the workload's
    annotation `storage`. The Deployment goes with it, as the command looks for controllers in the
    whole cluster.
    """
    world = build(server, STORAGES=storages)
    database(world.api, world.watched[0], storage=asked or "main")
    assert run(world.kube(), world.settings, PassState()).succeeded
    watch = f"--set=rbac.watchNamespaces={{{','.join(world.watched)}}}"
    chart = render(watch, namespace=world.control)
    deployments = [item for item in chart if item["kind"] == "Deployment"]
    world.api.create_all(deployments)
    command = Command(world=world, home=home)
    if storages != "{}":
        _define_storages(command, storages)
    world.api.create_all(_copies(command.cronjob(), world.watched[0], workloads - 1))
    yield command
    for deployment in deployments:
        world.api.delete(deployment)


def _define_storages(command: Command, text: str) -> None:
    """Give the install's Deployment further storages, as the setting STORAGES has them."""
    world = command.world
    [deployment] = world.api.list("apps/v1", "Deployment", world.control)
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    others = [item for item in container["env"] if item["name"] != "STORAGES"]
    container["env"] = [*others, {"name": "STORAGES", "value": text}]
    change = {"spec": {"template": {"spec": {"containers": [container]}}}}
    world.api.patch({**deployment, "apiVersion": "apps/v1", "kind": "Deployment"}, change)


def write_status(command: Command, workloads: Sequence[Json]) -> None:
    """The status ConfigMap, as the controller writes it."""
    document = {"version": 1, "written": "2026-01-01T03:00:00Z", "workloads": list(workloads)}
    meta = {"name": "ksnapshot-status", "namespace": command.world.control}
    data = {"workloads.json": json.dumps(document | {"omitted": 0})}
    command.world.api.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
    )


def _copies(cronjob: Json, namespace: str, count: int) -> Iterator[Json]:
    for number in range(count):
        owner = f"{namespace}/copy-{number}"
        made = copy.deepcopy(cronjob)
        failed = number % 10 == 0
        result = {
            "job": f"run-{number}",
            "finished": "2026-01-02T03:00:41Z",
            "version": 1,
            "succeeded": not failed,
            "exit_code": 20 if failed else 0,
            "reason": "SourceRefused" if failed else "Succeeded",
            "message": "password authentication failed" if failed else "",
            "source_bytes": 5 << 30,
            "stored_bytes": 1 << 30,
            "seconds": 41.0,
            "notes": [],
        }
        good = result | {"succeeded": True, "exit_code": 0, "finished": "2026-01-01T03:00:41Z"}
        past = {"finished": result["finished"], "outcome": "failed" if failed else "succeeded"}
        past |= {"reason": result["reason"], "seconds": 41.0, "bytes": 1 << 30}
        made["metadata"] = {
            "name": names.cronjob_name("postgresql", owner),
            "namespace": made["metadata"]["namespace"],
            "labels": made["metadata"]["labels"],
            "annotations": made["metadata"]["annotations"]
            | {
                names.OWNER: owner,
                names.LAST_RESULT: json.dumps(result),
                names.LAST_SUCCESS: json.dumps(good),
                names.HISTORY: json.dumps([past] * 30),
            },
        }
        made["spec"]["schedule"] = f"{number % 60} {number % 24} * * *"
        yield made
