import pytest

from controller import names
from controller.reading import Memory
from controller.reasons import Reason, State
from controller.reconcile import run
from tests.unit.controller.memory_api import unavailable
from tests.unit.controller.worlds import (
    CONTROL,
    DB,
    NOW,
    asks,
    cluster,
    namespace,
    one_pass,
    owner,
    pod,
    secret,
    settings,
    small,
    states,
)

ANNOTATED = f"{State.WANTED} {Reason.ANNOTATED}"
TWO = settings("demo", "dark")


def test_a_steady_pass_writes_nothing_with_or_without_memory() -> None:
    api, memory = cluster(*small()), Memory()
    one_pass(api, memory=memory)
    api.writes.clear()
    for minutes in range(1, 20):
        assert one_pass(api, memory=memory, minutes=minutes).succeeded
    one_pass(api)
    assert api.writes == []


def test_a_fault_of_ours_in_one_namespace_stops_only_that(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = cluster(*small(), *small(space="dark"))
    one_pass(api, TWO)
    # No API server gives such a pod: it stands for any fault in our own code.
    api.put(pod(owner(namespace="dark"), namespace="dark") | {"spec": {"containers": 7}})
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
    api, memory = cluster(*small()), Memory()
    one_pass(api, memory=memory)
    before = {key: dict(item) for key, item in api.items.items()}
    api.fail(kind, "" if kind == "Namespace" else "demo", unavailable(kind))
    for minutes in range(0, 120, 10):
        one_pass(api, memory=memory, minutes=minutes)
        one_pass(api, minutes=minutes)
    assert api.items == before


@pytest.mark.parametrize("kind", ["CronJob", "Secret", "Job", "Pod"])
def test_no_failed_read_of_the_control_namespace_deletes_anything(kind: str) -> None:
    api, memory = cluster(*small()), Memory()
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
    api, memory = cluster(*small()), Memory()
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
    result = run(api, settings(), Memory(), now=NOW, stopping=lambda: len(api.writes) >= 1)
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
    api, memory = cluster(namespace("demo"), of), Memory()
    caplog.set_level("INFO")
    for _ in range(3):
        one_pass(api, memory=memory)
    assert [record.message for record in caplog.records].count("workload") == 1
    assert [record.message for record in caplog.records].count("pass") == 3
