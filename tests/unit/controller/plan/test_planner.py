"""Plans of one namespace: what stays with one workload, and what a workload's manifests become."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from controller.kube.client import Kube
from controller.loop import reconcile
from controller.loop.pass_state import PassState
from controller.manifests.ownership import DUMP, component_of
from controller.model import names
from controller.model.names import cronjob_name
from controller.model.objects import Json, ObjectRef
from controller.model.status import ReadFailure, Reason, State
from controller.model.view import ClusterView
from controller.observe.cluster import ObservationCache, observe_cluster
from controller.plan.changes import Action, WorkloadPlan
from dumpers.engines.clickhouse.spec import SPEC as CLICKHOUSE
from tests.fakes.worlds import (
    CONTROL,
    DB,
    NOW,
    asks,
    cluster,
    container,
    job,
    one_pass,
    owner,
    pod,
    service,
    settings,
    small,
    states,
)


class FaultyMapping(dict[ObjectRef, bool | ReadFailure]):
    """What a part of the view is to a part of the planner that has a fault."""

    def get(self, key: ObjectRef, default: Any = None) -> Any:
        raise ZeroDivisionError


def observe(kube: Kube) -> ClusterView:
    cache = ObservationCache()
    observed = observe_cluster(kube, settings(), cache, now=NOW, isolate=reconcile.isolate)
    return observed.view


def plans(view: ClusterView) -> Mapping[str, WorkloadPlan]:
    found: dict[str, WorkloadPlan] = {}
    for _, plan in reconcile.plans(view, settings()):
        assert plan is not None
        found |= {item.workload: item for item in plan.items}
    return found


def test_a_fault_while_classifying_one_unwanted_cronjob_stays_with_it() -> None:
    api = cluster(*small(), *small(name="other")[1:])
    one_pass(api)
    api.remove("StatefulSet", "demo", "db")
    api.remove("Pod", "demo", "db-0")
    view = observe(api)
    faulty = replace(view.namespaces["demo"], absent=FaultyMapping())
    found = plans(replace(view, namespaces={"demo": faulty}))
    assert found["demo/db"].status.reason is Reason.INTERNAL_ERROR
    assert found["demo/db"].changes == ()
    assert found["demo/db"].kept == api.items["CronJob", CONTROL, DB]
    assert found["demo/other"].status.state is State.WANTED


def test_a_member_that_left_while_it_could_not_be_read_leaves_the_cronjob_in_the_first_pass() -> (
    None
):
    label, says = CLICKHOUSE.group_labels[0].key, asks(type="clickhouse")
    members = [owner("front", kind="Deployment", template=says), owner("shard", template=says)]
    for member in members:
        member["spec"]["template"]["metadata"]["labels"] = {"app": "ch", label: "shop"}
    revision = owner("front-1", kind="ReplicaSet", above=members[0], template=says)
    pods = [pod(revision, says=says), pod(members[1], says=says)]
    login = container(CLICKHOUSE_USER="u", CLICKHOUSE_PASSWORD="p")
    for item in pods:
        item["metadata"]["labels"] = {"app": "ch", label: "shop"}
        item["spec"]["containers"] = [login]
    api = cluster(*small()[:1], *members, revision, *pods, service("ch", app="ch", port=8123))
    memory, cronjob = PassState(), ("CronJob", CONTROL, cronjob_name("clickhouse", "demo/shop"))
    one_pass(api, memory=memory)

    def recorded() -> str:
        return str(api.items[cronjob]["metadata"]["annotations"][names.MEMBERS])

    both = recorded()
    assert both == "Deployment/front=deployment-front StatefulSet/shard=statefulset-shard"
    api.fail("StatefulSet", "demo")
    for item in (members[1], pods[1]):
        api.remove(item["kind"], "demo", item["metadata"]["name"])
    left = copy.deepcopy(members[1])
    left["spec"]["template"]["metadata"] = {"labels": {}, "annotations": {}}
    api.put(left)
    for minutes in (1, 2):
        one_pass(api, memory=memory, minutes=minutes)
    assert recorded() == both
    api.failing.clear()
    result = one_pass(api, memory=memory, minutes=3)
    assert states(result) == {"demo/shop": f"{State.WANTED} {Reason.ANNOTATED}"}
    assert recorded() == "Deployment/front=deployment-front"


def marked(cronjob: Json, component: str) -> Json:
    """The CronJob of another component for the same owner, which carries no managed-by label."""
    annotations = cronjob["metadata"]["annotations"]
    meta = {
        "name": cronjob_name(component, annotations[names.OWNER]),
        "uid": component,
        "labels": {names.COMPONENT_LABEL: component},
        "annotations": annotations,
    }
    return MappingProxyType({**cronjob, "metadata": meta})


def test_a_cronjob_of_another_component_goes_when_its_workload_wants_none() -> None:
    api = cluster(*small())
    one_pass(api)
    view = observe(api)
    other = marked(api.items["CronJob", CONTROL, DB], "verify")
    assert not isinstance(view.control.cronjobs, ReadFailure)
    control = replace(view.control, cronjobs=(*view.control.cronjobs, other))
    found = plans(replace(view, control=control))
    assert set(found) == {"demo/db"}
    (change,) = found["demo/db"].changes
    assert (change.action, change.name) == (Action.DELETE, other["metadata"]["name"])


def test_a_cronjob_of_another_component_is_suspended_while_its_job_is_active() -> None:
    api = cluster(*small())
    one_pass(api)
    view = observe(api)
    other = marked(api.items["CronJob", CONTROL, DB], "verify")
    assert not isinstance(view.control.cronjobs, ReadFailure)
    running = job({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": other["metadata"]})
    cronjobs = (*view.control.cronjobs, other)
    control = replace(view.control, cronjobs=cronjobs, jobs=(running,))
    (change,) = plans(replace(view, control=control))["demo/db"].changes
    assert (change.action, change.name) == (Action.UPDATE, other["metadata"]["name"])
    assert change.after
    assert change.after["spec"]["suspend"] is True
    # Then it waits for that Job.
    cronjobs = (*view.control.cronjobs, change.after)
    control = replace(view.control, cronjobs=cronjobs, jobs=(running,))
    assert plans(replace(view, control=control))["demo/db"].changes == ()


def test_a_dump_cronjob_is_known_by_its_name_whatever_its_labels_are() -> None:
    cronjob = {
        "metadata": {
            "name": cronjob_name("mysql", "demo/db"),
            "labels": {names.COMPONENT_LABEL: "backup", names.MANAGED_BY_LABEL: "Helm"},
        }
    }
    assert component_of(cronjob) == DUMP
    cronjob["metadata"]["name"] = cronjob_name("other", "demo/db")
    assert component_of(cronjob) == "backup"


def test_a_component_label_on_a_dump_cronjob_is_its_users() -> None:
    api = cluster(*small())
    one_pass(api)
    api.items["CronJob", CONTROL, DB]["metadata"]["labels"][names.COMPONENT_LABEL] = "database"
    found = plans(observe(api))
    assert (found["demo/db"].status.state, found["demo/db"].changes) == (State.WANTED, ())


def test_a_secret_is_created_after_its_cronjob_and_names_it() -> None:
    view = observe(cluster(*small()))
    cronjob, secret = plans(view)["demo/db"].changes
    assert secret.owned_by == ObjectRef(kind=cronjob.kind, name=cronjob.name)
    (reference,) = (secret.after or {})["metadata"]["ownerReferences"]
    assert (reference["name"], reference["uid"]) == (DB, "")
