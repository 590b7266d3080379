"""Two controllers and one Lease: who acts, who takes over, and that nobody else writes."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from controller.loop.leader import Leader
from tests.integration.chart.helm import find, render
from tests.integration.controller.rights import ACCOUNT, RBAC, account, may
from tests.integration.controller.world import World, build, database
from tests.testbed.cluster.apiserver import WRITES, ApiServer, AuditEvent
from tests.testbed.proxies.faults import Hang, Rule
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.toolchain.pki import authority
from tests.testbed.toolchain.processes import free_port, wait_until

Json = dict[str, Any]
LEASE = 6
# For how long a leader trusts a renewal.
_TRUSTED = LEASE * 2 / 3
_WORKLOADS = 8
_BY_HAND = "1 1 1 1 *"
_PUT = "/cronjobs/"


@dataclass(slots=True, kw_only=True)
class Replica:
    """A controller process with an account and a way to the API server of its own."""

    world: World
    account: str
    proxy: HttpProxy
    kubeconfig: Path
    log: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def user(self) -> str:
        return f"system:serviceaccount:{self.world.control}:{self.account}"

    def start(self) -> None:
        env = {
            "KUBECONFIG": str(self.kubeconfig),
            "WATCH_NAMESPACES": ",".join(self.world.watched),
            "CONTROL_NAMESPACE": self.world.control,
            "LEADER_ELECTION": "true",
            "LEASE_DURATION_SECONDS": str(LEASE),
            "POLL_INTERVAL_SECONDS": "1",
            "API_TIMEOUT_SECONDS": "3",
            "HTTP_PORT": str(self.port),
            "STATUS_PAGE_LISTEN": "none",
        }
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "controller", "run"], env=os.environ | env, stderr=sink
            )

    def send(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    def end(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def ask(self, path: str) -> tuple[int, str]:
        """Code and text of its answer; 0 while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as found:
                return found.status, found.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def figures(self) -> str:
        return self.ask("/metrics")[1]

    def is_at_work(self) -> bool:
        """Whether it leads, and has done a pass."""
        return "\nksnapshot_leader 1.0" in self.figures() and self.ask("/readyz")[0] == 200

    def stands_by(self) -> bool:
        """Whether it lives, is ready, and tells nothing of workloads."""
        figures = self.figures()
        return (
            "\nksnapshot_leader 0.0" in figures
            and "ksnapshot_workloads" not in figures
            and "ksnapshot_backup_" not in figures
            and self.ask("/readyz")[0] == self.ask("/healthz")[0] == 200
        )


def _grant(world: World, without: str = "") -> None:
    """Give the rights of the chart for several replicas, but this verb on Leases."""
    rules = find(render("--set=replicaCount=2"), "Role", ACCOUNT)["rules"]
    for rule in rules:
        if rule["resources"] == ["leases"]:
            rule["verbs"] = [verb for verb in rule["verbs"] if verb != without]
    rules = [rule for rule in rules if rule["verbs"]]
    meta = {"name": ACCOUNT, "namespace": world.control}
    world.api.patch({"apiVersion": RBAC, "kind": "Role", "metadata": meta}, {"rules": rules})
    last = rules[-1]
    wait_until(
        lambda: may(world.api, account(world.control), world.control, last),
        seconds=30,
        what="the rights",
    )


@pytest.fixture
def world(apiserver: ApiServer) -> World:
    """Workloads, and two accounts with the chart's rights for two replicas."""
    world = build(apiserver)
    for number in range(_WORKLOADS):
        database(world.api, world.watched[0], f"db{number}")
    api, control = world.api, world.control
    _grant(world)
    meta = {"name": ACCOUNT, "namespace": control}
    other = {"name": "other", "namespace": control}
    api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": other})
    subjects = [
        {"kind": "ServiceAccount", "name": name, "namespace": control}
        for name in (ACCOUNT, "other")
    ]
    bindings = [("RoleBinding", meta)]
    bindings += [
        ("RoleBinding", {"name": f"{ACCOUNT}-watch", "namespace": name}) for name in world.watched
    ]
    bindings += [("ClusterRoleBinding", {"name": f"{ACCOUNT}-{control}-namespaces"})]
    for kind, where in bindings:
        api.patch({"apiVersion": RBAC, "kind": kind, "metadata": where}, {"subjects": subjects})
    return world


@pytest.fixture
def replicas(world: World, faults: Any, tmp_path: Path) -> Iterator[tuple[Replica, Replica]]:
    server = world.server
    mine = authority(tmp_path / "proxy")
    made = []
    with ExitStack() as ending:
        for account in (ACCOUNT, "other"):
            pair = mine.server(account, ["127.0.0.1"])
            proxy = faults.http(server.port, tls=pair, upstream_ca=server.ca)
            identity = server.account(world.control, account)
            file = server.kubeconfig_for(identity, url=proxy.url, ca=mine.pair.cert)
            log = tmp_path / f"{account}.log"
            replica = Replica(world=world, account=account, proxy=proxy, kubeconfig=file, log=log)
            ending.callback(replica.end)
            made.append(replica)
        yield made[0], made[1]


def _soon(probe: Any, what: str) -> None:
    wait_until(probe, seconds=30, what=what)


def _change_by_hand(world: World) -> None:
    """Give the leader something to put right in every CronJob."""
    for cronjob in world.cronjobs().values():
        world.api.patch(cronjob, {"spec": {"schedule": _BY_HAND}})


def _is_right(world: World) -> bool:
    found = world.cronjobs().values()
    return len(found) == _WORKLOADS and all(item["spec"]["schedule"] != _BY_HAND for item in found)


def _in_the_middle(world: World, replica: Replica) -> None:
    """Return while a replica puts CronJobs right, one after the other, and has not come far."""
    replica.proxy.set(Rule(Hang(0.3), method="PUT", path=_PUT))
    before = len(replica.proxy.seen("PUT", _PUT))
    _change_by_hand(world)
    _soon(lambda: len(replica.proxy.seen("PUT", _PUT)) >= before + 2, "its second write")


def _is_claim(event: AuditEvent) -> bool:
    return event.resource == "leases"


def _intruders(writes: list[AuditEvent]) -> list[AuditEvent]:
    """The writes that were accepted after another replica had the Lease."""
    claims = sorted(filter(_is_claim, writes), key=lambda event: event.answered)
    found = []
    for write in writes:
        before = [claim for claim in claims if claim.answered <= write.answered]
        if not before or before[-1].user != write.user:
            found.append(write)
    return found


def _gaps(writes: list[AuditEvent]) -> list[float]:
    """How long after the last renewal of one replica the other one had the Lease, each time."""
    claims = sorted(filter(_is_claim, writes), key=lambda event: event.answered)
    return [
        after.answered - before.received
        for before, after in pairwise(claims)
        if before.user != after.user
    ]


@pytest.mark.parametrize("without", ["", "create", "get", "update"])
def test_each_right_on_the_lease_is_needed_and_no_other(apiserver: ApiServer, without: str) -> None:
    world = build(apiserver)
    _grant(world, without)
    one, other = (Leader(world.kube(), world.settings, identity=name) for name in ("a", "b"))
    one.round()
    leads = one.take_up(0)
    one.round()
    lease = world.api.get("coordination.k8s.io/v1", "Lease", world.control, "ksnapshot-leader")
    spec = lease["spec"] if lease else {"renewTime": "", "acquireTime": ""}
    other.round()
    works = leads and spec["renewTime"] > spec["acquireTime"] and other.follows()
    assert works == (not without)
    one.release()
    other.round()
    assert other.take_up(0) == (not without)


def test_one_acts_and_whoever_is_replaced_writes_no_more(
    world: World, replicas: tuple[Replica, Replica]
) -> None:
    one, other = replicas
    server, mark = world.server, world.server.audit_mark()

    def writes(since: int = mark) -> list[AuditEvent]:
        return [
            event
            for event in server.audit_events(since)
            if event.user in {one.user, other.user} and event.verb in WRITES and event.code < 300
        ]

    one.start()
    _soon(one.is_at_work, "the first one at work")
    other.start()
    _soon(other.stands_by, "the other one standing by")

    # Stopped for longer than the Lease, in the middle of a pass.
    _in_the_middle(world, one)
    here = server.audit_mark()
    one.send(signal.SIGSTOP)
    _soon(other.is_at_work, "the other one at work")
    _soon(lambda: _is_right(world), "all CronJobs as they should be")
    one.send(signal.SIGCONT)
    _soon(one.stands_by, "the stopped one standing by")
    assert {event.user for event in writes(here) if event.resource == "cronjobs"} >= {other.user}

    # Cut off, and one of its writes comes through long after.
    _in_the_middle(world, other)
    here = server.audit_mark()
    other.proxy.set(Rule(Hang(2 * LEASE), method="PUT", path=_PUT), Hang())
    _soon(one.is_at_work, "the first one at work again")
    _soon(lambda: _is_right(world), "all CronJobs as they should be")

    def late() -> list[int]:
        of_other = [event for event in server.audit_events(here) if event.user == other.user]
        return [event.code for event in of_other if event.verb == "update"]

    _soon(late, "the late write")
    assert set(late()) == {409}
    other.proxy.clear()
    _soon(other.stands_by, "the one that was cut off standing by")

    # Killed.
    _in_the_middle(world, one)
    one.end()
    _soon(other.is_at_work, "the other one at work again")
    _soon(lambda: _is_right(world), "all CronJobs as they should be")

    # Asked to end: it gives the Lease back.
    one.start()
    _soon(one.stands_by, "a new one standing by")
    other.send(signal.SIGTERM)
    assert other.process
    assert other.process.wait(20) == 0
    _soon(one.is_at_work, "the new one at work")

    done = writes()
    assert _intruders(done) == []
    *lapsed, released = _gaps(done)
    assert len(lapsed) == 3
    assert max(lapsed) <= LEASE + _TRUSTED
    assert released < LEASE / 2
