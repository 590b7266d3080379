"""A world in which one pass does everything that there is to do, brought back for every case."""

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from controller.kube.http_client import ApiServer as Kube
from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model import names
from controller.plan.changes import PassResult
from tests.integration.controller import legacy
from tests.integration.controller.world import (
    PASSWORD,
    World,
    annotations,
    database,
    dump_pod,
    finish,
    running_job,
)
from tests.testbed.proxies.http_faults import HttpProxy

Json = dict[str, Any]

# What the busy pass finds of each workload. SETTLED and NEIGHBOUR it leaves alone, and DUMPING too,
# which is as gone as GONE is, but has a Job that runs.
SETTLED, FRESH, ROTATED, GONE = "settled", "fresh", "rotated", "gone"
NEIGHBOUR, MOVED, DONE, OLD, DUMPING = "neighbour", "moved", "done", "old", "dumping"
SHOPS = ((SETTLED, FRESH, ROTATED, GONE), (NEIGHBOUR, MOVED, DONE, OLD, DUMPING))
_LEAVING = (GONE, DUMPING)
NEW_PASSWORD = "new$(word)"
BUSY = 90
"""The second, counted from the first pass, at which the busy one finds GONE due."""
_START = datetime(2026, 1, 1, tzinfo=UTC)
_GENERATED = (("batch/v1", "CronJob"), ("v1", "Secret"), ("batch/v1", "Job"), ("v1", "Pod"))
# Differs from run to run, or is the API server's alone.
_VOLATILE = frozenset(
    {"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """A generated object: its uid, and its text without what differs from run to run."""

    uid: str
    text: str


Snapshot = dict[str, Generated]


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """The world behind its fault proxy; `uids` tells what the uids in generated objects mean.

    `cluster` is the cluster's id.
    """

    world: World
    proxy: HttpProxy
    kube: Kube
    cluster: str
    uids: dict[str, str] = field(default_factory=dict)

    def create(self) -> None:
        """All workloads, once."""
        others = (name for shop in SHOPS for name in shop if name not in _LEAVING)
        _at_once(partial(self._create, name) for name in others)

    def prepare(self) -> PassState:
        """Everything up to the busy pass; the memory of the process that did it."""
        self._reset()
        memory = PassState()
        assert self.run(memory, 0).succeeded
        _at_once(partial(self._remove, name) for name in _LEAVING)
        assert self.run(memory, 10).succeeded
        self._change()
        return memory

    def run(self, memory: PassState, second: int) -> PassResult:
        """One pass at that time."""
        now = _START + timedelta(seconds=second)
        return run(self.kube, self.world.settings, memory, now=now)

    def snapshot(self) -> Snapshot:
        """Every generated object by `kind/name`.

        Without the Secrets whose CronJob is gone: a cluster collects them, an API server alone
        does not.
        """
        cronjobs, secrets = self.world.cronjobs().values(), self.world.secrets().values()
        standing = {item["metadata"]["uid"]: f"uid of {_key(item)}" for item in cronjobs}
        self.uids.update(standing)
        kept = (item for item in secrets if not _collected(item, standing))
        return {
            _key(item): Generated(uid=item["metadata"]["uid"], text=self._text(item))
            for item in (*cronjobs, *kept)
        }

    def key(self, name: str) -> str:
        """A workload's owner key."""
        return f"{self._space(name)}/{name}"

    def cronjob(self, name: str) -> str:
        """The name of a workload's CronJob."""
        return names.cronjob_name("postgresql", self.key(name))

    def _space(self, name: str) -> str:
        return self.world.watched[0 if name in SHOPS[0] else 1]

    def _create(self, name: str) -> None:
        kind = "Deployment" if name == MOVED else "StatefulSet"
        owner = database(self.world.api, self._space(name), name, kind=kind)
        self.uids[owner["metadata"]["uid"]] = f"uid of {name}"

    def _remove(self, name: str) -> None:
        parts = [
            ("apps/v1", "StatefulSet", name),
            ("v1", "Pod", f"{name}-0"),
            ("v1", "Secret", name),
        ]
        parts += [("v1", "Service", item) for item in (name, f"{name}-headless")]
        _at_once(partial(self.world.api.delete, self._named(name, *part)) for part in parts)

    def _reset(self) -> None:
        """As if nothing had been generated, changed and deleted yet."""
        api, control = self.world.api, self.world.control
        paths = [api.path(*kind, control) for kind in _GENERATED]
        options = {"propagationPolicy": "Background"}
        _at_once(
            [
                *(partial(api.request, "DELETE", path, query=options) for path in paths),
                partial(self._say, FRESH, enabled="false"),
                partial(self._say, OLD, enabled="false"),
                partial(self._say, MOVED),
                partial(self._rotate, PASSWORD),
                *(partial(self._create, name) for name in _LEAVING),
            ]
        )

    def _change(self) -> None:
        """Let everything happen that the busy pass is to find."""
        api, settings = self.world.api, self.world.settings
        cronjobs = self.world.cronjobs()
        secret = self.world.secrets()[names.secret_name(self.cronjob(GONE))]
        old = self.key(OLD)
        _at_once(
            [
                partial(self._say, FRESH),
                partial(self._say, OLD),
                partial(self._say, MOVED, schedule="30 4 * * *"),
                partial(self._rotate, NEW_PASSWORD),
                partial(running_job, self.world, cronjobs[self.cronjob(DUMPING)], "run-2"),
                partial(self._end_dump, cronjobs[self.cronjob(DONE)]),
                partial(api.create, legacy.cronjob(settings, old)),
                partial(api.create, legacy.secret(settings, old)),
                partial(api.create, legacy.secret(settings, old, of="0.5")),
                # So that it has to be given to its CronJob before that goes.
                partial(api.patch, secret, {"metadata": {"ownerReferences": None}}),
            ]
        )

    def _say(self, name: str, **values: str) -> None:
        """Change a workload's annotations, as a finished rollout does."""
        says = {"metadata": {"annotations": annotations(**values)}}
        kind = "Deployment" if name == MOVED else "StatefulSet"
        owner = self._named(name, "apps/v1", kind, name)
        self.world.api.patch(owner, {"spec": {"template": says}})
        self.world.api.patch(self._named(name, "v1", "Pod", f"{name}-0"), says)

    def _rotate(self, password: str) -> None:
        secret = self._named(ROTATED, "v1", "Secret", ROTATED)
        self.world.api.patch(secret, {"stringData": {"password": password}})
        # The rollout that brings it in.
        restart = {"metadata": {"annotations": {"restarted": str(password == NEW_PASSWORD)}}}
        self.world.api.patch(self._named(ROTATED, "v1", "Pod", f"{ROTATED}-0"), restart)

    def _end_dump(self, cronjob: Json) -> None:
        job = running_job(self.world, cronjob)
        dump_pod(self.world, job)
        finish(self.world, job)

    def _named(self, workload: str, version: str, kind: str, name: str) -> Json:
        meta = {"name": name, "namespace": self._space(workload)}
        return {"apiVersion": version, "kind": kind, "metadata": meta}

    def _text(self, item: Json) -> str:
        kept = {key: value for key, value in item.items() if key != "status"}
        meta = {key: value for key, value in item["metadata"].items() if key not in _VOLATILE}
        # Since when depends on which passes could read and write.
        moments = {names.GONE_SINCE, names.SCHEDULED_SINCE} & meta.get("annotations", {}).keys()
        if moments:
            meta["annotations"] = meta["annotations"] | dict.fromkeys(moments, "noted")
        text = json.dumps(kept | {"metadata": meta}, sort_keys=True, ensure_ascii=False)
        for uid, what in self.uids.items():
            text = text.replace(uid, what)
        return text


def _key(item: Json) -> str:
    return f"{item['kind']}/{item['metadata']['name']}"


def _collected(secret: Json, standing: Iterable[str]) -> bool:
    owners = secret["metadata"].get("ownerReferences")
    return bool(owners) and all(owner["uid"] not in standing for owner in owners)


def _at_once(calls: Iterable[Callable[[], object]]) -> None:
    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(call) for call in calls]:
            future.result()
