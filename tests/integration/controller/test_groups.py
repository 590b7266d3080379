"""StatefulSets that are one database, on a real API server: Altinity's operator makes such."""

from datetime import UTC, datetime, timedelta

import pytest

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.manifests.ownership import members_of
from controller.model import names
from controller.model.status import Reason, State
from tests.integration.controller.world import World, build, database
from tests.testbed.cluster.apiserver import WRITES, ApiServer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LABEL = "clickhouse.altinity.com/chi"
REPLICAS = ("chi-shop-main-0-0", "chi-shop-main-0-1", "chi-shop-main-1-0", "chi-shop-main-1-1")


@pytest.fixture
def world(apiserver: ApiServer) -> World:
    made = build(apiserver)
    for name in REPLICAS:
        add(made, name)
    service = {"selector": {LABEL: "shop"}, "ports": [{"port": 8123}]}
    meta = {"name": "clickhouse-shop", "namespace": made.watched[0]}
    made.api.create({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service})
    return made


def add(world: World, name: str) -> None:
    database(world.api, world.watched[0], name, labels={LABEL: "shop"}, type="clickhouse")


def remove(world: World, name: str, *, pod_only: bool = False) -> None:
    meta = {"namespace": world.watched[0]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta | {"name": f"{name}-0"}}
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta | {"name": name}}
    for item in (pod,) if pod_only else (owner, pod):
        world.api.delete(item)


def state(world: World, memory: PassState, minutes: int) -> tuple[State, Reason]:
    """Of the only workload that a pass finds."""
    now = NOW + timedelta(minutes=minutes)
    (outcome,) = run(world.kube(), world.settings, memory, now=now).results
    assert outcome.workload_plan.workload == f"{world.watched[0]}/shop"
    return outcome.status.state, outcome.status.reason


def test_a_cluster_of_several_statefulsets_has_one_cronjob_until_the_last_is_gone(
    world: World,
) -> None:
    memory, annotated = PassState(), (State.WANTED, Reason.ANNOTATED)
    assert state(world, memory, 0) == annotated
    ((name, made),) = world.cronjobs().items()
    assert name == names.cronjob_name("clickhouse", f"{world.watched[0]}/shop")
    assert [ref.name for ref in members_of(made)] == [*REPLICAS]
    mark = world.server.audit_mark()
    assert state(world, memory, 1) == state(world, PassState(), 1) == annotated
    events = world.server.audit_events(mark, user=world.user)
    assert not [event for event in events if event.verb in WRITES]

    for replica in REPLICAS[:2]:
        remove(world, replica)
    add(world, "chi-shop-main-2-0")
    remove(world, REPLICAS[2], pod_only=True)
    assert state(world, memory, 2) == annotated
    changed = world.cronjobs()[name]
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    assert [ref.name for ref in members_of(changed)] == [*REPLICAS[2:], "chi-shop-main-2-0"]

    remove(world, REPLICAS[3])
    remove(world, "chi-shop-main-2-0")
    # What is at zero replicas shows by its template whose it is.
    assert state(world, memory, 3) == (State.UNKNOWN, Reason.NO_RUNNING_POD)
    owner = {"name": REPLICAS[2], "namespace": world.watched[0]}
    world.api.delete({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": owner})
    for minutes in (4, 5, 20):
        assert state(world, memory, minutes) == (State.GONE, Reason.OWNER_NOT_FOUND)
    assert world.cronjobs() == {}
