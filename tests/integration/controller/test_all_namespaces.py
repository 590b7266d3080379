"""All namespaces are watched on a real API server, under the chart's ClusterRole."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.plan.changes import PassResult
from tests.fakes.selectors import REFUSED, TAKEN
from tests.integration.controller.rights import RBAC, account
from tests.integration.controller.world import World, build, database
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.cluster.kubeapi import ApiError
from tests.testbed.toolchain.processes import wait_until

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pass_(world: World, memory: PassState, minutes: int = 0) -> PassResult:
    return run(world.kube(), world.settings, memory, now=NOW + timedelta(minutes=minutes))


def states(result: PassResult) -> dict[str, str]:
    return {item.workload_plan.workload: str(item.status.reason) for item in result.results}


def test_those_whose_labels_fit_are_backed_up(apiserver: ApiServer) -> None:
    world = build(apiserver, 2, watches_all=True)
    other = apiserver.create_namespace(f"{world.watched[0]}-other")
    for place in (*world.watched, other, world.control):
        database(world.api, place)
    memory = PassState()
    result = pass_(world, memory)
    assert result.succeeded, result.failures
    assert states(result) == {f"{place}/db": "Annotated" for place in world.watched}
    assert [len(world.rows(place)) for place in world.watched] == [1, 1]
    assert world.api.get("v1", "ConfigMap", other, "ksnapshot-status") is None


def test_a_steady_pass_takes_as_many_requests_for_any_number_of_namespaces(
    apiserver: ApiServer,
) -> None:
    def requests(count: int) -> int:
        world, memory = build(apiserver, count, watches_all=True), PassState()
        for place in world.watched:
            database(world.api, place)
        for minutes in (0, 1):
            assert pass_(world, memory, minutes).succeeded
        mark = apiserver.audit_mark()
        assert len(states(pass_(world, memory, 1))) == count
        events = apiserver.audit_events(mark, user=world.user)
        # How many pages a list has depends on what other tests left in this cluster.
        first = [item for item in events if "continue=" not in item.uri]
        return len([item for item in first if item.resource != "secrets"])

    assert requests(11) == requests(22) <= 12


def test_without_the_right_to_list_namespaces_everything_stays(apiserver: ApiServer) -> None:
    world = build(
        apiserver,
        2,
        watches_all=True,
        UNWATCHED_POLICY="delete",
        GONE_PASSES="1",
        GONE_GRACE_SECONDS="0",
    )
    for place in world.watched:
        database(world.api, place)
    memory = PassState()
    assert pass_(world, memory).succeeded
    before = world.cronjobs()
    (name,) = [
        item["metadata"]["name"]
        for item in world.api.list(RBAC, "ClusterRole", None)
        if f"{world.control}-namespaces" in item["metadata"]["name"]
    ]
    role = {"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": name}}
    world.api.patch(role, {"rules": []})

    def may_list() -> bool:
        attributes = {"verb": "list", "resource": "namespaces"}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "metadata": {},
            "spec": {"user": account(world.control), "resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        return bool(world.api.request("POST", path, review)["status"]["allowed"])

    wait_until(lambda: not may_list(), seconds=30, what="the rights")
    for known in (memory, PassState()):
        result = pass_(world, known, 10)
        assert set(states(result).values()) == {"ReadForbidden"}
        assert any("must be able to list namespaces" in line for line in result.failures)
    assert world.cronjobs() == before


def test_a_namespace_that_loses_its_label_or_goes_keeps_its_cronjob(apiserver: ApiServer) -> None:
    world = build(apiserver, 3, watches_all=True, GONE_PASSES="1", GONE_GRACE_SECONDS="0")
    for place in world.watched:
        database(world.api, place)
    memory = PassState()
    assert pass_(world, memory).succeeded
    before = world.cronjobs().keys()
    unlabelled, deleted, _ = world.watched
    meta = {"name": unlabelled, "labels": {"world": None}}
    world.api.patch({"apiVersion": "v1", "kind": "Namespace", "metadata": meta}, {"metadata": meta})
    # No controller of the testbed finishes it, so that it is being deleted for good.
    meta = {"name": deleted}
    world.api.delete({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    for minutes in (10, 20):
        mark = apiserver.audit_mark()
        result = pass_(world, memory, minutes)
        assert result.succeeded, result.failures
        assert [*states(result).values()].count("NamespaceUnwatched") == 2
        asked = {item.namespace for item in apiserver.audit_events(mark, user=world.user)}
        assert asked.isdisjoint({unlabelled, deleted})
    assert world.cronjobs().keys() == before


@pytest.mark.parametrize(
    ("text", "taken"), [*((text, True) for text in TAKEN), *((text, False) for text in REFUSED)]
)
def test_selectors_are_those_of_kubernetes(apiserver: ApiServer, text: str, *, taken: bool) -> None:
    path = f"/api/v1/namespaces?labelSelector={quote(text)}"
    if taken:
        assert json.dumps(apiserver.api.request("GET", path))
    else:
        with pytest.raises(ApiError):
            apiserver.api.request("GET", path)
