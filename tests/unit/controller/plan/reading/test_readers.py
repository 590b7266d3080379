"""The CronJobs that read backups: what could not be read, what is not ours, what is to end."""

import builtins
from dataclasses import replace
from typing import Any

import pytest

from controller.kube.client import Kube, Resource
from controller.loop import reconcile
from controller.loop.pass_state import PassState
from controller.manifests.optional_fields import SUSPEND, recorded_fields
from controller.model import names
from controller.model.kinds import CRONJOB
from controller.model.objects import Json, ObjectRef
from controller.model.status import ReadFailure, Reason, State
from controller.model.view import ClusterView
from controller.observe.cluster import ObservationCache, observe_cluster
from controller.plan.changes import Action, WorkloadPlan
from controller.plan.reading.removal import suspend_reader
from tests.fakes.kube_memory import Document, MemoryApi, unavailable
from tests.fakes.worlds import CONTROL, DB, NOW, asks, cluster, one_pass, settings, small, states

VERIFY, DRILL = names.reader_names(DB)
_SCHEDULES = {"verify_schedule": "0 6 * * 0", "drill_schedule": "0 5 * * 6"}
ASKED = asks(**_SCHEDULES)
_GONE = {"GONE_PASSES": "1", "GONE_GRACE_SECONDS": "0"}
_FAILED = ReadFailure(Reason.UNAVAILABLE, "GET cronjobs: 500")


def world(says: dict[str, str] | None = None) -> MemoryApi:
    """A workload that is verified and drilled, of an image that may run."""
    items = small(ASKED if says is None else says)
    items[2]["spec"]["containers"][0]["image"] = "postgres:16"
    return cluster(*items)


def observe(kube: Kube) -> ClusterView:
    return observe_cluster(
        kube, settings(), ObservationCache(), now=NOW, isolate=reconcile.isolate
    ).view


def plan_of(view: ClusterView, **env: str) -> WorkloadPlan:
    ((_, plan),) = reconcile.plans(view, settings(**env))
    assert plan
    (item,) = plan.items
    return item


def hidden(view: ClusterView, name: str) -> ClusterView:
    """The same, but for a CronJob that is there and could not be read."""
    control = view.control
    assert not isinstance(control.cronjobs, ReadFailure)
    cronjobs = tuple(item for item in control.cronjobs if item["metadata"]["name"] != name)
    unread = {ObjectRef(kind=CRONJOB, name=name): _FAILED}
    return replace(view, control=replace(control, cronjobs=cronjobs, unread=unread))


def cronjob(api: MemoryApi, name: str) -> Json:
    found: Json = api.items[CRONJOB, CONTROL, name]
    return found


def test_a_workload_has_both_and_a_steady_pass_writes_nothing() -> None:
    api, memory = world(), PassState()
    assert states(one_pass(api, memory=memory)) == {"demo/db": "wanted Annotated"}
    assert {DB, VERIFY, DRILL} == {name for kind, _, name in api.items if kind == CRONJOB}
    api.writes.clear()
    one_pass(api, memory=memory, minutes=1)
    assert [write for write in api.writes if write[1] == CRONJOB] == []


def test_an_api_server_without_sidecars_is_named() -> None:
    api = world()
    one_pass(api)
    view = observe(api)
    assert plan_of(view).status.reason is Reason.ANNOTATED
    (server,) = cronjob(api, DRILL)["spec"]["jobTemplate"]["spec"]["template"]["spec"][
        "initContainers"
    ]
    # As one before Kubernetes 1.29 stores it.
    del server["restartPolicy"]
    found = plan_of(observe(api))
    assert (found.status.state, found.status.reason) == (State.WANTED, Reason.NOT_DRILLABLE)
    assert "needs Kubernetes 1.29" in found.status.message


@pytest.mark.parametrize("name", [VERIFY, DRILL])
def test_what_could_not_be_read_is_neither_written_nor_taken_for_absent(name: str) -> None:
    api = world()
    one_pass(api)
    view = hidden(observe(api), name)
    found = plan_of(view)
    assert (found.status.state, found.status.reason) == (State.WANTED, Reason.UNAVAILABLE)
    assert "GET cronjobs: 500" in found.status.message
    assert found.changes == ()
    for kind, item in (("StatefulSet", "db"), ("Pod", "db-0")):
        api.remove(kind, "demo", item)
    gone = observe(api)
    kept = plan_of(hidden(gone, name), **_GONE)
    assert [change.action for change in kept.changes] != [Action.DELETE]
    # Were it read, all would go.
    assert Action.DELETE in {change.action for change in plan_of(gone, **_GONE).changes}


class Silent(MemoryApi):
    """No list of the CronJobs that read backups gets an answer."""

    def list(
        self, resource: Resource, namespace: str, selector: str = "", **options: Any
    ) -> builtins.list[Document]:
        if selector == names.READERS_SELECTOR:
            raise unavailable(selector)
        return super().list(resource, namespace, selector, **options)


def test_a_list_without_an_answer_hides_what_it_lists_and_no_dump() -> None:
    api = world()
    one_pass(api)
    changed = world(asks(schedule="0 4 * * *", **_SCHEDULES))
    silent = Silent([*api.items.values(), *changed.items.values()])
    result = one_pass(silent)
    assert not result.succeeded
    assert states(result) == {"demo/db": "wanted ReadFailed"}
    assert {name for _, kind, name in silent.writes if kind == CRONJOB} == {DB}
    assert cronjob(silent, DB)["spec"]["schedule"] == "0 4 * * *"


def test_no_dump_goes_whose_readers_may_be_there_unseen() -> None:
    for kind_of, is_kept in ((Silent, True), (MemoryApi, False)):
        api = world()
        one_pass(api)
        for kind, item in (("StatefulSet", "db"), ("Pod", "db-0")):
            api.remove(kind, "demo", item)
        one_pass(left := kind_of(api.items.values()), settings(**_GONE))
        assert ((CRONJOB, CONTROL, DB) in left.items) == is_kept


def test_what_its_people_suspended_is_not_written_again_and_stays_theirs() -> None:
    api = world()
    one_pass(api)
    drill = cronjob(api, DRILL)
    stopped = suspend_reader(drill)
    assert stopped
    assert stopped.after
    assert SUSPEND in set(recorded_fields(stopped.after))
    assert suspend_reader(stopped.after) is None
    theirs = {**drill, "spec": {**drill["spec"], "suspend": True}}
    assert suspend_reader(theirs) is None
