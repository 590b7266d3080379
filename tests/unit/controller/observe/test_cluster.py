"""What a pass reads, what it remembers, and what a single read without an answer is worth."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from controller.kube.client import PODS, SECRETS, KubeError, Resource
from controller.kube.failure_budget import FailureBudget
from controller.kube.reader import ClusterReader
from controller.loop.pass_state import PassState
from controller.model import names
from controller.model.objects import name_of
from controller.model.status import ReadFailure
from controller.observe.lists import read_lists
from dumpers.contract.result import DumpResult
from tests.fakes.kube_memory import Document, MemoryApi, unavailable
from tests.fakes.worlds import (
    CONTROL,
    DB,
    asks,
    cluster,
    job,
    namespace,
    one_pass,
    owner,
    pod,
    secret,
    service,
    small,
    states,
)


@dataclass(frozen=True)
class Broken:
    """Reads of single objects that fail, counted."""

    api: MemoryApi
    asked: list[str]

    def reset(self) -> None:
        self.asked.clear()


def breaking(api: MemoryApi, fails: Callable[[str, str], bool]) -> Broken:
    """Let reads by kind and name fail."""
    real, broken = api.get, Broken(api, [])

    def get(resource: Resource, space: str, name: str, *, since: str = "") -> Document:
        if fails(resource.kind, name):
            broken.asked.append(name)
            raise unavailable(name)
        return real(resource, space, name, since=since)

    api.get = get  # type: ignore[method-assign, assignment]
    return broken


def two() -> MemoryApi:
    other = owner("web", template=asks())
    items = (other, pod(other), service("web", app="web"))
    return cluster(*small(), *items)


def gone(api: MemoryApi) -> None:
    api.remove("StatefulSet", "demo", "db")
    api.remove("Pod", "demo", "db-0")


def test_what_did_not_change_is_not_read_again() -> None:
    api, memory = two(), PassState()
    one_pass(api, memory=memory)
    one_pass(api, memory=memory)
    api.reads.clear()
    one_pass(api, memory=memory)
    assert {item for item in api.reads if item[0] == "get"} == {("get", "Namespace", "demo")}
    # Whole lists, not those of metadata.
    assert {kind for verb, kind, _ in api.reads if verb == "list"} == {"Service", "Secret"}


def test_a_pod_that_failed_still_shows_that_its_owner_asks() -> None:
    of = owner("db")
    api = cluster(namespace("demo"), of, pod(of), service(), secret())
    memory = PassState()
    one_pass(api, memory=memory)
    assert ("CronJob", CONTROL, DB) in api.items
    api.put(pod(of, phase="Failed"))
    for minutes in range(10, 60, 10):
        result = one_pass(api, memory=memory, minutes=minutes)
        assert states(result) == {"demo/db": "unknown NoRunningPod"}
    assert ("CronJob", CONTROL, DB) in api.items


def test_one_cronjob_that_cannot_be_read_keeps_no_other_from_its_changes() -> None:
    api, memory = two(), PassState()
    one_pass(api, memory=memory)
    breaking(api, lambda kind, name: (kind, name) == ("CronJob", DB))
    for item in [item for (kind, _, _), item in api.items.items() if kind == "CronJob"]:
        item["spec"]["schedule"] = "by hand"
        api.put(item)
    result = one_pass(api, memory=memory, minutes=1)
    assert states(result) == {"demo/db": "unknown ReadFailed", "demo/web": "wanted Annotated"}
    schedules = [item["spec"]["schedule"] for key, item in api.items.items() if key[0] == "CronJob"]
    assert sorted(schedules) == ["0 3 * * *", "by hand"]
    assert result.failures


def test_a_job_that_cannot_be_read_counts_as_one_that_runs() -> None:
    api, memory = two(), PassState()
    one_pass(api, memory=memory)
    api.put(job(api.items["CronJob", CONTROL, DB], ended="2026-01-01T00:00:09Z"))
    gone(api)
    breaking(api, lambda kind, _: kind == "Job")
    for minutes in range(10, 60, 10):
        one_pass(api, memory=memory, minutes=minutes)
    assert ("CronJob", CONTROL, DB) in api.items


def test_the_job_of_a_foreign_cronjob_is_of_no_concern() -> None:
    api = two()
    meta = {"name": "foreign", "namespace": CONTROL, "uid": "foreign"}
    foreign = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta}
    api.put(foreign)
    api.put(job(foreign))
    broken = breaking(api, lambda kind, _: kind == "Job")
    assert one_pass(api).succeeded
    assert not broken.asked


def test_the_result_of_a_cronjob_that_lost_its_label_is_what_its_dumper_said() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    cronjob = api.items["CronJob", CONTROL, DB]
    ended = job(cronjob, ended="2026-01-01T00:00:09Z")
    api.put(ended)
    said = DumpResult(succeeded=True, exit_code=0, reason="Succeeded", message="of its dumper")
    state = {"terminated": {"exitCode": 0, "message": said.to_json(), "finishedAt": "x"}}
    dump = pod(ended, namespace=CONTROL)
    dump["metadata"]["labels"] = {"job-name": "run-1", names.MANAGED_BY_LABEL: names.MANAGED_BY}
    dump["status"] = {"phase": "Succeeded", "containerStatuses": [{"name": "job", "state": state}]}
    api.put(dump)
    del cronjob["metadata"]["labels"]
    api.put(cronjob)
    one_pass(api, memory=memory, minutes=1)
    values = api.items["CronJob", CONTROL, DB]["metadata"]["annotations"]
    assert json.loads(values[names.LAST_RESULT])["message"] == "of its dumper"


def test_a_revision_of_a_deployment_is_found_by_the_hash_of_its_pods() -> None:
    top = owner("web", "Deployment", template=asks())
    sets = [owner(f"web-{name}", "ReplicaSet", above=top) for name in ("new", "old")]
    for item, name in zip(sets, ("new", "old"), strict=True):
        item["metadata"]["labels"] = {"pod-template-hash": name}
    running = pod(sets[0], app="web")
    running["metadata"]["labels"]["pod-template-hash"] = "new"
    bare = owner("bare", "ReplicaSet", template=asks())
    api = cluster(
        *(namespace("demo"), top, *sets, running, bare, pod(bare), secret()),
        *(service("web", app="web"), service("bare", app="bare")),
    )
    result = one_pass(api)
    assert states(result) == {"demo/web": "wanted Annotated", "demo/bare": "wanted Annotated"}


def test_old_revisions_are_left_out_of_however_many_deployments() -> None:
    """A selector has no room for all hashes at once."""
    api, hashes = MemoryApi(), [f"{number:010}" for number in range(301)]
    for name in (*hashes, "old"):
        made = owner(name, "ReplicaSet")
        made["metadata"]["labels"] = {"pod-template-hash": name}
        api.put(made)
        if name != "old":
            running = pod(made)
            running["metadata"]["labels"]["pod-template-hash"] = name
            api.put(running)
    api.put(owner("bare", "ReplicaSet"))
    reader = ClusterReader(kube=api, budget=FailureBudget(limit=10))
    found = read_lists(reader, "demo").owners["ReplicaSet"]
    assert isinstance(found, tuple)
    assert sorted(map(name_of, found)) == [*hashes, "bare"]


def test_a_replicaset_scaled_to_none_keeps_its_cronjob_though_no_list_shows_it() -> None:
    bare = owner("db", "ReplicaSet", template=asks())
    bare["metadata"]["labels"] = {"pod-template-hash": "x"}
    running = pod(bare)
    running["metadata"]["labels"]["pod-template-hash"] = "x"
    api, memory = cluster(namespace("demo"), bare, running, service(), secret()), PassState()
    one_pass(api, memory=memory)
    assert ("CronJob", CONTROL, DB) in api.items
    api.remove("Pod", "demo", "db-0")
    for minutes in range(10, 60, 10):
        one_pass(api, memory=memory, minutes=minutes)
    assert ("CronJob", CONTROL, DB) in api.items
    api.remove("ReplicaSet", "demo", "db")
    for minutes in range(60, 120, 10):
        one_pass(api, memory=memory, minutes=minutes)
    assert ("CronJob", CONTROL, DB) not in api.items


@pytest.mark.parametrize("place", ["demo", ""])
def test_reads_that_go_on_failing_are_given_up_in_their_namespace_only(place: str) -> None:
    api = cluster(*small())
    broken = breaking(api, lambda _, name: name.startswith("bad"))
    reader = ClusterReader(kube=api, budget=FailureBudget(limit=-1))
    found = [reader.get(SECRETS, place, "bad") for _ in range(3)]
    # Under "" each name is a namespace of its own.
    assert len(broken.asked) == 2
    assert all(isinstance(item, ReadFailure) for item in found)
    assert isinstance(found[-1], ReadFailure)
    assert "not tried" in found[-1].message
    assert not isinstance(reader.get(SECRETS, "elsewhere", "db"), ReadFailure)
    assert not isinstance(reader.get(PODS, "", "other"), ReadFailure)


def test_sources_that_fail_do_not_keep_the_same_others_from_their_turn() -> None:
    api = cluster(*small())
    of = owner("many", template=asks())
    wanted = pod(of)
    sources = [{"secretRef": {"name": f"bad-{number}"}} for number in range(4)]
    wanted["spec"]["containers"] = [{"name": "a", "envFrom": sources}]
    for item in (of, wanted, service("many", app="many")):
        api.put(item)
    broken, memory, first = (
        breaking(api, lambda _, name: name.startswith("bad")),
        PassState(),
        set(),
    )
    for minutes in range(5):
        broken.reset()
        one_pass(api, memory=memory, minutes=minutes)
        first.add(broken.asked[0])
    assert len(first) > 1


def test_a_list_that_fails_is_told_once() -> None:
    owners = [owner(f"db-{number}", template=asks()) for number in range(30)]
    api = cluster(namespace("demo"), *owners)
    real = api.list

    def failing(
        resource: Resource, space: str, selector: str = "", **how: object
    ) -> list[Document]:
        if resource.kind == "StatefulSet" and not how.get("metadata_only"):
            raise KubeError("it failed")
        return real(resource, space, selector, **how)  # type: ignore[arg-type]

    api.list = failing  # type: ignore[method-assign, assignment]
    assert len([line for line in one_pass(api).failures if line == "it failed"]) == 1
