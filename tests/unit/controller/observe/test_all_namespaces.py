"""All namespaces are watched: which those are, what a list without an answer is worth, costs."""

import json
from collections.abc import Callable

import pytest

from controller.loop.pass_state import PassState
from controller.model.names import cronjob_name
from tests.fakes.kube_memory import Document, MemoryApi, unavailable
from tests.fakes.worlds import (
    CONTROL,
    cluster,
    namespace,
    one_pass,
    owner,
    settings,
    small,
    states,
)

ALL = settings("*", UNWATCHED_POLICY="delete", GONE_PASSES="2", GONE_GRACE_SECONDS="60")


def places(count: int) -> list[str]:
    return [f"shop{number:02}" for number in range(count)]


def shop(place: str) -> list[Document]:
    """A small world whose uids are its own, as objects are remembered by them."""
    text = json.dumps(small(space=place)).replace('"uid": "', f'"uid": "{place}-')
    items: list[Document] = json.loads(text)
    return items


def world(count: int) -> MemoryApi:
    return cluster(*(item for place in places(count) for item in shop(place)))


def wanted(count: int) -> dict[str, str]:
    return {f"{place}/db": "wanted Annotated" for place in places(count)}


def cronjobs(api: MemoryApi) -> set[str]:
    return {name for kind, _, name in api.items if kind == "CronJob"}


def boards(api: MemoryApi) -> set[str]:
    return {place for kind, place, _ in api.items if kind == "ConfigMap"} - {CONTROL}


@pytest.mark.parametrize("count", [3, 25], ids=["one by one", "at once"])
def test_every_namespace_but_ours_is_watched(count: int) -> None:
    api = world(count)
    for item in small(space=CONTROL):
        api.put(item)
    assert states(one_pass(api, ALL)) == wanted(count)
    assert boards(api) == set(places(count)), "and kube-system has none, for it shows nothing"


@pytest.mark.parametrize("count", [3, 25], ids=["one by one", "at once"])
def test_only_those_whose_labels_fit(count: int) -> None:
    api = world(count)
    for place in places(count)[1:]:
        api.put(labelled(place))
    how = settings("*", WATCH_NAMESPACE_SELECTOR="watch=yes")
    first = places(count)[0]
    assert states(one_pass(api, how)) == {
        workload: state for workload, state in wanted(count).items() if workload != f"{first}/db"
    }


def labelled(place: str) -> Document:
    item = namespace(place)
    item["metadata"]["labels"] = {"watch": "yes"}
    return item


def test_a_steady_pass_costs_the_same_for_any_number_of_namespaces() -> None:
    def reads(count: int) -> list[tuple[str, str, str]]:
        api, memory = world(count), PassState()
        one_pass(api, ALL, memory)
        one_pass(api, ALL, memory)
        api.reads.clear()
        assert states(one_pass(api, ALL, memory)) == wanted(count)
        return [item for item in api.reads if item[1] not in {"Secret", "ConfigMap"}]

    assert reads(25) == reads(50)
    assert len(reads(25)) <= 12


def test_a_first_pass_reads_the_owners_of_many_namespaces_at_once() -> None:
    api = world(25)
    for place in places(25):
        for name in ("web", "api"):
            api.put(owner(name, "Deployment", namespace=place, uid=f"{place}-{name}"))
    assert states(one_pass(api, ALL)) == wanted(25)
    read = [how for how, kind, _ in api.reads if kind == "Deployment"]
    assert read == ["list metadata", "list"]
    assert ("get", "StatefulSet", "db") not in api.reads


def test_without_an_answer_everything_stays_and_nothing_is_read_in_vain() -> None:
    api, memory = world(3), PassState()
    one_pass(api, ALL, memory)
    before, shown = cronjobs(api), api.items["ConfigMap", "shop00", "ksnapshot-status"]
    api.fail("Namespace", "", unavailable("namespaces"))
    for place in places(3):
        for item in small(space=place)[1:3]:
            api.remove(item["kind"], place, item["metadata"]["name"])
    for minutes in range(10, 100, 10):
        # Also of a process that never saw a list.
        for known in (memory, PassState()):
            api.reads.clear()
            result = one_pass(api, ALL, known, minutes)
            assert set(states(result).values()) == {"unknown ReadFailed"}
            assert "500 namespaces" in result.failures
            assert not [item for item in api.reads if item[1] in {"Pod", "StatefulSet"}][1:]
            assert cronjobs(api) == before
    assert {item["metadata"]["name"] for item in [shown]} == {"ksnapshot-status"}
    assert '"shop00/db"' in shown["data"]["workloads.json"]


def test_of_a_process_that_never_saw_a_list_nothing_is_unsaid() -> None:
    """A workload without a CronJob keeps its row."""
    api = cluster(*small({**rejected()}))
    one_pass(api, ALL)
    before = api.items["ConfigMap", CONTROL, "ksnapshot-status"]["data"]["workloads.json"]
    assert "demo/db" in before
    api.fail("Namespace", "", unavailable("namespaces"))
    one_pass(api, ALL, minutes=1)
    after = api.items["ConfigMap", CONTROL, "ksnapshot-status"]["data"]["workloads.json"]
    assert "demo/db" in after


def rejected() -> dict[str, str]:
    (says,) = (small()[1]["spec"]["template"]["metadata"]["annotations"],)
    return {key: "never" if key.endswith("schedule") else text for key, text in says.items()}


def delete_(api: MemoryApi) -> None:
    api.remove("Namespace", "", "shop00")


def end(api: MemoryApi) -> None:
    item = namespace("shop00")
    item["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    api.put(item)


@pytest.mark.parametrize("leave", [delete_, end])
@pytest.mark.parametrize("count", [3, 25], ids=["one by one", "at once"])
@pytest.mark.parametrize("policy", ["keep", "delete"])
def test_a_namespace_that_leaves_is_unwatched(
    leave: Callable[[MemoryApi], None], count: int, policy: str
) -> None:
    api, memory = world(count), PassState()
    how = settings("*", UNWATCHED_POLICY=policy, GONE_PASSES="2", GONE_GRACE_SECONDS="60")
    one_pass(api, how, memory)
    before, left = cronjobs(api), cronjob_name("postgresql", "shop00/db")
    leave(api)
    result = one_pass(api, how, memory, minutes=10)
    assert states(result)["shop00/db"] == "unwatched NamespaceUnwatched"
    assert cronjobs(api) == before
    for minutes in (20, 30):
        one_pass(api, how, memory, minutes)
    assert before - cronjobs(api) == ({left} if policy == "delete" else set())


def test_a_namespace_that_comes_back_has_its_board_again() -> None:
    api, memory = world(3), PassState()
    one_pass(api, ALL, memory)
    delete_(api)
    del api.items["ConfigMap", "shop00", "ksnapshot-status"]
    one_pass(api, ALL, memory, minutes=1)
    assert boards(api) == {"shop01", "shop02"}
    api.put(namespace("shop00"))
    one_pass(api, ALL, memory, minutes=2)
    assert boards(api) == set(places(3))


def test_a_board_of_an_earlier_process_is_brought_up_to_date() -> None:
    api = world(3)
    one_pass(api, ALL)
    for item in small(space="shop00")[1:3]:
        api.remove(item["kind"], "shop00", item["metadata"]["name"])
    api.remove("CronJob", CONTROL, cronjob_name("postgresql", "shop00/db"))
    one_pass(api, ALL, minutes=1)
    board = api.items["ConfigMap", "shop00", "ksnapshot-status"]
    assert "shop00/db" not in board["data"]["workloads.json"]


def without_database(api: MemoryApi, place: str) -> None:
    """The workload of a namespace goes, and its CronJob, so that its board has nothing to show."""
    for item in small(space=place)[1:3]:
        api.remove(item["kind"], place, item["metadata"]["name"])
    api.remove("CronJob", CONTROL, cronjob_name("postgresql", f"{place}/db"))


def shown(api: MemoryApi, place: str) -> str:
    text: str = api.items["ConfigMap", place, "ksnapshot-status"]["data"]["workloads.json"]
    return text


def test_boards_are_looked_for_again_once_it_is_known_where_they_may_be() -> None:
    api, memory = world(3), PassState()
    one_pass(api, ALL)
    without_database(api, "shop00")
    api.fail("Namespace", "", unavailable("namespaces"))
    one_pass(api, ALL, memory, minutes=1)
    api.failing.clear()
    one_pass(api, ALL, memory, minutes=2)
    assert "shop00/db" not in shown(api, "shop00")


def test_a_namespace_that_comes_back_without_its_workload_shows_so() -> None:
    api, memory = world(3), PassState()
    one_pass(api, ALL, memory)
    delete_(api)
    one_pass(api, ALL, memory, minutes=1)
    without_database(api, "shop00")
    api.put(namespace("shop00"))
    one_pass(api, ALL, memory, minutes=2)
    assert "shop00/db" not in shown(api, "shop00")
    api.reads.clear()
    one_pass(api, ALL, memory, minutes=3)
    assert ("list metadata", "ConfigMap", "") not in api.reads


def test_what_forbids_to_look_for_boards_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    api, memory = world(3), PassState()
    api.fail("ConfigMap", "")
    for minutes in range(3):
        one_pass(api, ALL, memory, minutes)
    lines = [line for line in caplog.records if line.message == "status not written"]
    assert len(lines) == 1


@pytest.mark.parametrize("has_workload", [True, False])
def test_the_status_of_another_release_of_our_name_is_no_board(*, has_workload: bool) -> None:
    """Both are called ksnapshot, each in a namespace of its own."""
    api = cluster(*small({**rejected()}), *(small(space=CONTROL) if has_workload else ()))
    one_pass(api, ALL)
    before = shown(api, CONTROL)
    assert "demo/db" in before
    other = settings("*", CONTROL_NAMESPACE="other")
    assert ("demo/db" in states(one_pass(api, other, minutes=1))) is True
    assert shown(api, CONTROL) == before
