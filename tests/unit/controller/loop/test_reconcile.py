import copy

import pytest

from controller.kube.client import CallCounts, Resource
from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model import names
from controller.model.objects import uid_of
from controller.model.status import Reason, State
from controller.report.metrics.metrics import Metrics
from tests.fakes.kube_memory import MemoryApi, unavailable
from tests.fakes.worlds import (
    CONTROL,
    DB,
    NOW,
    Document,
    asks,
    cluster,
    job,
    namespace,
    one_pass,
    owner,
    pod,
    secret,
    service,
    settings,
    small,
    states,
)

ANNOTATED = f"{State.WANTED} {Reason.ANNOTATED}"
TWO = settings("demo", "dark")


def test_a_steady_pass_writes_nothing_with_or_without_memory() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    api.writes.clear()
    for minutes in range(1, 20):
        assert one_pass(api, memory=memory, minutes=minutes).succeeded
    one_pass(api)
    assert api.writes == []


def test_what_is_remembered_of_a_written_cronjob_shares_its_parts_with_the_one_read_later() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    (written,) = (subject.cronjob for subject, _ in memory.events.noticed.values())
    one_pass(api, memory=memory, minutes=1)
    uid = uid_of(api.items["CronJob", CONTROL, DB])
    read = memory.observation.objects[uid].content
    assert written is not None
    assert written["spec"] is read["spec"]
    (noticed,) = (subject.cronjob for subject, _ in memory.events.noticed.values())
    assert noticed is read


def test_a_fault_of_ours_in_one_namespace_stops_only_that(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = cluster(*small(), *small(space="dark"))
    one_pass(api, TWO)
    # No API server gives such a pod: it stands for any fault in our own code.
    api.put(pod(owner(namespace="dark"), namespace="dark") | {"spec": {"containers": [{"env": 7}]}})
    api.put(small(asks(schedule="@daily"))[2])
    api.writes.clear()
    result = one_pass(api, TWO)
    assert states(result) == {
        "demo/db": ANNOTATED,
        "dark/db": f"{State.UNKNOWN} {Reason.INTERNAL_ERROR}",
    }
    assert not result.succeeded
    assert api.writes == [("update", "CronJob", DB)]
    assert "a fault of the controller" in caplog.text


@pytest.mark.parametrize(
    "kind", ["Pod", "Service", "Deployment", "ReplicaSet", "StatefulSet", "Secret", "Namespace"]
)
def test_no_failed_read_ever_deletes_or_changes_anything(kind: str) -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    before = {key: dict(item) for key, item in api.unshown().items()}
    api.fail(kind, "" if kind == "Namespace" else "demo", unavailable(kind))
    for minutes in range(0, 120, 10):
        one_pass(api, memory=memory, minutes=minutes)
        one_pass(api, minutes=minutes)
    assert api.unshown() == before


@pytest.mark.parametrize("kind", ["CronJob", "Secret", "Job", "Pod"])
def test_no_failed_read_of_the_control_namespace_deletes_anything(kind: str) -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    api.remove("StatefulSet", "demo", "db")
    api.remove("Pod", "demo", "db-0")
    one_pass(api, memory=memory)
    api.fail(kind, CONTROL, unavailable(kind))
    if kind == "Pod":
        return
    for minutes in range(20, 120, 10):
        one_pass(api, memory=memory, minutes=minutes)
    assert ("CronJob", CONTROL, DB) in api.items


def test_credentials_are_read_again_when_the_pod_changes_and_within_the_refresh_time() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    mirrored = ("Secret", CONTROL, names.secret_name(DB))

    def password() -> str:
        found: str = api.items[mirrored]["data"]["POSTGRESQL_PASSWORD"]
        return found

    api.put(secret("db", password="second"))
    one_pass(api, memory=memory, minutes=1)
    assert password() == "c2VjcmV0", "not yet due"
    for minutes in (2, 3, 4, 5):
        one_pass(api, memory=memory, minutes=minutes)
    assert password() == "c2Vjb25k"
    api.put(secret("db", password="third"))
    api.put(api.items["Pod", "demo", "db-0"])
    one_pass(api, memory=memory, minutes=5.1)
    assert password() == "dGhpcmQ="


def test_a_pass_that_is_told_to_stop_writes_no_more() -> None:
    api = cluster(*small(), *small(name="other")[1:])
    result = run(api, settings(), PassState(), now=NOW, stopping=lambda: len(api.writes) >= 1)
    assert result.stopped
    assert len(api.writes) == 1


def test_two_installs_in_one_control_namespace_leave_each_other_alone() -> None:
    api = cluster(*small(), *small(space="dark"))
    first = settings("demo", UNWATCHED_POLICY="delete", GONE_PASSES="1", GONE_GRACE_SECONDS="0")
    second = settings("dark", INSTANCE_NAME="second", UNWATCHED_POLICY="delete", GONE_PASSES="1")
    for minutes in range(0, 60, 10):
        for how in (first, second):
            one_pass(api, how, minutes=minutes)
    assert {verb for verb, _, _ in api.writes} == {"create"}
    assert len(api.writes) == 4


def test_a_state_is_logged_when_it_changes_only(caplog: pytest.LogCaptureFixture) -> None:
    of = owner(template=asks())
    api, memory = cluster(namespace("demo"), of), PassState()
    caplog.set_level("INFO")
    for _ in range(3):
        one_pass(api, memory=memory)
    assert [record.message for record in caplog.records].count("workload status changed") == 1
    assert [record.message for record in caplog.records].count("pass finished") == 3


@pytest.mark.parametrize("key", [names.LAST_RESULT, names.LAST_SUCCESS, names.GONE_SINCE])
@pytest.mark.parametrize(
    "value", ["[" * 5000, '{"finished":"0001-01-01T00:00:00+23:00"}', "0001-01-01T00:00:00+23:00"]
)
def test_an_odd_annotation_stops_nothing(key: str, value: str) -> None:
    api = cluster(*small(), *small(name="other")[1:])
    one_pass(api)
    cronjob = api.items["CronJob", CONTROL, DB]
    cronjob["metadata"]["annotations"][key] = value
    api.put(job(cronjob, ended="2026-01-01T00:00:00Z"))
    api.remove("StatefulSet", "demo", "db")
    api.remove("Pod", "demo", "db-0")
    result = one_pass(api, minutes=1)
    assert result.succeeded
    assert states(result)["demo/other"] == ANNOTATED
    metrics = Metrics(settings(), CallCounts())
    metrics.update(result, {}, 0.0)
    assert metrics.exposition().text


def test_a_fault_of_ours_in_one_workload_keeps_its_cronjob_and_stops_no_other() -> None:
    api = cluster(*small(), *small(name="other")[1:])
    one_pass(api)
    api.put(api.items["Pod", "demo", "db-0"] | {"spec": {"containers": [{"env": 7}]}})
    api.put(small(asks(schedule="@daily"), name="other")[2])
    api.writes.clear()
    result = one_pass(api)
    assert states(result) == {
        "demo/db": f"{State.UNKNOWN} {Reason.INTERNAL_ERROR}",
        "demo/other": ANNOTATED,
    }
    assert [kind for _, kind, _ in api.writes] == ["CronJob"]
    assert ("CronJob", CONTROL, DB) in api.items


def test_a_fault_in_the_first_reading_stops_only_its_namespace() -> None:
    api = cluster(*small(), *small(space="dark"))
    api.fail("Pod", "dark", TypeError("hidden"))
    result = one_pass(api, TWO)
    assert states(result) == {"demo/db": ANNOTATED}
    assert result.failures


def test_a_secret_of_two_workloads_is_read_once_and_a_failed_read_counts_for_both() -> None:
    first = owner("a", template=asks())
    second = owner("b", template=asks())
    pods = pod(first), pod(second)
    sources = [{"secretRef": {"name": name}} for name in ("defaults", "shared")]
    pods[0]["spec"]["containers"] = [{"name": "a", "envFrom": sources}]
    password = {"secretKeyRef": {"name": "shared", "key": "other"}}
    pods[1]["spec"]["containers"][0]["env"][2]["valueFrom"] = password
    values = {"POSTGRES_USER": "u", "POSTGRES_DB": "d", "POSTGRES_PASSWORD": "default"}
    api = cluster(
        *(namespace("demo"), first, second, *pods, service("a", app="a"), service("b", app="b")),
        secret("defaults", **values),
        secret("shared", POSTGRES_PASSWORD="real", other="x"),
    )
    memory, asked = PassState(), []
    real = api.get

    def get(resource: Resource, space: str, name: str, *, since: str) -> Document:
        if name == "shared":
            asked.append(name)
            if len(asked) == 2:
                raise unavailable(name)
        return real(resource, space, name, since=since)

    api.get = get  # type: ignore[method-assign, assignment]
    one_pass(api, memory=memory)
    assert asked == ["shared"]
    api.writes.clear()
    result = one_pass(api, memory=memory, minutes=10)
    assert set(states(result).values()) == {f"{State.UNKNOWN} {Reason.UNAVAILABLE}"}
    assert api.writes == []


def test_credentials_are_read_again_after_the_clock_was_set_back() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory, minutes=600)
    api.put(secret("db", password="second"))
    one_pass(api, memory=memory)
    data = api.items["Secret", CONTROL, names.secret_name(DB)]["data"]
    assert data["POSTGRESQL_PASSWORD"] == "c2Vjb25k"


def test_what_a_webhook_rewrites_is_put_right_once() -> None:
    class Webhook(MemoryApi):
        def put(self, item: Document) -> Document:
            stored = super().put(item)
            if stored["kind"] == "CronJob":
                shape = stored["spec"]["jobTemplate"]["spec"]["template"]
                shape["spec"]["containers"][0]["image"] = "mirror/image"
                shape["metadata"]["labels"]["mesh"] = "yes"
            return stored

    api, memory = Webhook(cluster(*small()).items.values()), PassState()
    for minutes in range(5):
        one_pass(api, memory=memory, minutes=minutes)
    assert [verb for verb, _, _ in api.writes] == ["create", "create"]
    one_pass(api, minutes=6)
    assert [kind for _, kind, _ in api.writes][2:] == ["CronJob"], "once after a restart"
    for item in small(asks(schedule="@daily"))[1:3]:
        api.put(item)
    for minutes in range(7, 10):
        one_pass(api, memory=memory, minutes=minutes)
    assert [kind for _, kind, _ in api.writes][3:] == ["CronJob"]
    assert api.items["CronJob", CONTROL, DB]["spec"]["schedule"] == "@daily"


def test_progress_is_told_while_a_pass_gets_on() -> None:
    api, told = cluster(*small()), []
    run(api, settings(), PassState(), now=NOW, progress=lambda: told.append(len(api.writes)))
    # The namespace as listed and as completed, its workload, the status, the board.
    assert told == [0, 0, 2, 2, 2]


def test_secrets_that_do_not_name_their_cronjob_go_with_it() -> None:
    for wanted in (True, False):
        api, memory = cluster(*small()), PassState()
        one_pass(api, memory=memory)
        mirrored = copy.deepcopy(api.items["Secret", CONTROL, names.secret_name(DB)])
        mirrored["metadata"].pop("ownerReferences")
        old = copy.deepcopy(mirrored)
        old["metadata"] |= {"name": DB, "uid": "old", "annotations": {}}
        for item in (mirrored, old):
            api.put(item)
        if not wanted:
            api.remove("StatefulSet", "demo", "db")
            api.remove("Pod", "demo", "db-0")
        for minutes in range(0, 60, 5):
            one_pass(api, memory=memory, minutes=minutes)
        left = {key for key in api.unshown() if key[1] == CONTROL}
        assert ("Secret", CONTROL, DB) not in left
        assert len(left) == (2 if wanted else 0)


def test_certificates_go_again_and_leave_what_others_mounted() -> None:
    api, memory = cluster(*small(asks(ca_secret="ca"))), PassState()
    api.put(secret("ca", **{"ca.crt": "PEM"}))
    one_pass(api, memory=memory)

    def pod_of() -> Document:
        found: Document = api.items["CronJob", CONTROL, DB]["spec"]["jobTemplate"]["spec"]
        return copy.deepcopy(found["template"]["spec"])

    assert [item["name"] for item in pod_of()["volumes"]] == ["tmp", "ca"]
    injected = {"name": "injected", "emptyDir": {}}
    api.items["CronJob", CONTROL, DB]["spec"]["jobTemplate"]["spec"]["template"]["spec"][
        "volumes"
    ].append(injected)
    api.put(api.items["CronJob", CONTROL, DB])
    for item in small():
        api.put(item)
    one_pass(api, memory=memory, minutes=1)
    assert [item["name"] for item in pod_of()["volumes"]] == ["tmp", "injected"]
    [mount] = pod_of()["containers"][0]["volumeMounts"]
    assert mount["name"] == "tmp"
    assert "ca.crt" not in api.items["Secret", CONTROL, names.secret_name(DB)]["data"]
    api.writes.clear()
    one_pass(api, memory=memory, minutes=2)
    assert api.writes == []
