"""A Service that is made to lead elsewhere under a CronJob that is there, and put right again."""

from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.model.status import Reason, State
from tests.integration.controller.test_pass import pass_, verdicts
from tests.integration.controller.world import World, build, database
from tests.testbed.cluster.apiserver import ApiServer

_ELSEWHERE = "database.attacker.example"
_CHANGES: dict[str, dict[str, Any]] = {
    "an ExternalName": {
        "type": "ExternalName",
        "externalName": _ELSEWHERE,
        "clusterIP": None,
        "clusterIPs": None,
        "ipFamilies": None,
        "ipFamilyPolicy": None,
        "internalTrafficPolicy": None,
    },
    "other pods": {"selector": {"app": "attacker"}},
}


@pytest.fixture
def world(apiserver: ApiServer) -> World:
    """A database with one Service."""
    made = build(apiserver)
    database(made.api, made.watched[0])
    made.api.delete(_service(made, "db-headless"))
    return made


def _service(world: World, name: str) -> dict[str, Any]:
    found = world.api.get("v1", "Service", world.watched[0], name)
    assert found
    return found


def _host(world: World) -> str:
    (cronjob,) = world.cronjobs().values()
    (container,) = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    host: str = next(item["value"] for item in container["env"] if item["name"].endswith("_HOST"))
    return host


@pytest.mark.parametrize("change", list(_CHANGES))
def test_the_workload_is_rejected_and_its_cronjob_stays_and_goes_by_the_name(
    world: World, change: str
) -> None:
    workload = f"{world.watched[0]}/db"
    memory = PassState()
    assert pass_(world, memory).succeeded
    before, dns = world.cronjobs(), f"db.{world.watched[0]}.svc.cluster.local"
    assert _host(world) == dns
    good = _service(world, "db")
    world.api.patch(good, {"spec": _CHANGES[change]})

    mark = world.server.audit_mark()
    for minute in (1, 2, 60):
        found = verdicts(pass_(world, memory, minute))
        assert found == {workload: (State.UNKNOWN, Reason.SERVICE_MISSING)}
    # The next dump follows the name wherever it leads now: that is not closed.
    assert world.writes(mark) == []
    assert world.cronjobs() == before
    (row,) = world.rows(world.watched[0])
    assert (row["reason"], row["cronjob"]) == ("ServiceMissing", next(iter(before)))
    assert "no Service selects its pods" in row["message"]

    # Once it is put right, all is as it was.
    world.api.delete(good)
    kept = {key: good["spec"][key] for key in ("selector", "ports")}
    meta = {"name": "db", "namespace": world.watched[0]}
    world.api.create({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": kept})
    assert verdicts(pass_(world, memory, 61)) == {workload: (State.WANTED, Reason.ANNOTATED)}
    assert world.writes(mark) == []


@pytest.mark.parametrize("change", list(_CHANGES))
def test_another_service_that_fits_takes_its_place(apiserver: ApiServer, change: str) -> None:
    world, memory = build(apiserver), PassState()
    database(world.api, world.watched[0])
    pass_(world, memory)
    world.api.patch(_service(world, "db"), {"spec": _CHANGES[change]})
    found = verdicts(pass_(world, memory, 1))
    assert found == {f"{world.watched[0]}/db": (State.WANTED, Reason.ANNOTATED)}
    assert _host(world) == f"db-headless.{world.watched[0]}.svc.cluster.local"


def test_an_external_name_that_is_asked_for_is_a_chosen_host(apiserver: ApiServer) -> None:
    """Named by an annotation, it goes by `hosts.allowed`."""
    world, memory = build(apiserver, HOSTS_ALLOWED='["*.example.org"]'), PassState()
    database(world.api, world.watched[0], service="db")
    pass_(world, memory)
    before = world.cronjobs()
    world.api.patch(_service(world, "db"), {"spec": _CHANGES["an ExternalName"]})
    found = verdicts(pass_(world, memory, 1))
    assert found == {f"{world.watched[0]}/db": (State.UNKNOWN, Reason.HOST_NOT_ALLOWED)}
    assert world.cronjobs() == before
