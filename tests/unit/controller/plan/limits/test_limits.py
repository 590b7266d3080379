"""Most workloads of a namespace, and the smallest interval of their schedules."""

from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.model.names import cronjob_name
from controller.plan.changes import PassResult
from tests.fakes.kube_memory import MemoryApi
from tests.fakes.worlds import CONTROL, NS, asks, cluster, one_pass, settings, small, states

_LIMIT = settings(LIMITS_WORKLOADS_PER_NAMESPACE="2")
TOO_MANY = "unknown TooManyWorkloads"


def world(*names: str) -> MemoryApi:
    items = [item for name in names for item in small(name=name)]
    return cluster(*{(item["kind"], item["metadata"]["name"]): item for item in items}.values())


def backed_up(result: PassResult) -> set[str]:
    found = states(result)
    assert set(found.values()) <= {"wanted Annotated", TOO_MANY}
    return {key.removeprefix(f"{NS}/") for key, state in found.items() if state != TOO_MANY}


def test_places_go_by_name_where_none_has_one() -> None:
    api = world("c", "a", "b")
    assert backed_up(one_pass(api, _LIMIT)) == {"a", "b"}
    assert ("CronJob", CONTROL, cronjob_name("postgresql", "demo/c")) not in api.items
    # And none is lost without a limit.
    assert backed_up(one_pass(api, settings())) == {"a", "b", "c"}


def test_a_flood_pushes_out_none_that_has_a_place() -> None:
    api, memory = world("y", "z"), PassState()
    assert backed_up(one_pass(api, _LIMIT, memory)) == {"y", "z"}
    before = {key: item for key, item in api.items.items() if key[0] == "CronJob"}
    for name in ("a", "b", "c"):
        for item in small(name=name):
            api.put(item)
    for minute in (1, 2):
        assert backed_up(one_pass(api, _LIMIT, memory, minute)) == {"y", "z"}
    assert {key: item for key, item in api.items.items() if key[0] == "CronJob"} == before


def test_the_oldest_stay_where_the_limit_is_lowered() -> None:
    api, memory = world("z"), PassState()
    one_pass(api, settings(), memory)
    for name in ("a", "b"):
        for item in small(name=name):
            api.put(item)
    one_pass(api, settings(), memory, 10)
    for number, name in enumerate(("z", "b", "a")):
        key = ("CronJob", CONTROL, cronjob_name("postgresql", f"demo/{name}"))
        api.items[key]["metadata"]["creationTimestamp"] = f"2026-01-01T0{number}:00:00Z"
    assert backed_up(one_pass(api, _LIMIT, memory, 20)) == {"z", "b"}
    # What has no place any more is kept as it is, not deleted.
    assert ("CronJob", CONTROL, cronjob_name("postgresql", "demo/a")) in api.items


def test_one_that_is_gone_for_now_keeps_its_place() -> None:
    api, memory = world("y", "z"), PassState()
    one_pass(api, _LIMIT, memory)
    for kind, name in (("StatefulSet", "z"), ("Pod", "z-0")):
        del api.items[kind, NS, name]
    for item in small(name="a"):
        api.put(item)
    result = one_pass(api, _LIMIT, memory, 1)
    assert states(result)["demo/a"] == TOO_MANY
    late = [one_pass(api, _LIMIT, memory, minutes) for minutes in (2, 3, 20, 21)]
    assert states(late[-1])["demo/a"] == "wanted Annotated"


def test_another_type_takes_the_place_of_the_old_one() -> None:
    api, memory = world("y", "z"), PassState()
    one_pass(api, _LIMIT, memory)
    for kind, name in (("StatefulSet", "z"), ("Pod", "z-0")):
        meta = api.items[kind, NS, name]["metadata"]
        meta["annotations"] = asks(type="elasticsearch")
        meta["resourceVersion"] = "77"
    template = api.items["StatefulSet", NS, "z"]["spec"]["template"]["metadata"]
    template["annotations"] = asks(type="elasticsearch")
    result = one_pass(api, _LIMIT, memory, 1)
    found = [(item.workload_plan.cronjob, str(item.status.reason)) for item in result.results]
    assert sorted(found) == [
        (cronjob_name("elasticsearch", "demo/z"), "Annotated"),
        (cronjob_name("postgresql", "demo/y"), "Annotated"),
        (cronjob_name("postgresql", "demo/z"), "TypeChanged"),
    ]


@pytest.mark.parametrize(
    ("says", "env", "expected"),
    [
        ({"schedule": "* * * * *"}, {}, "ScheduleTooOften"),
        ({"schedule": "*/30 * * * *"}, {}, "ScheduleTooOften"),
        ({"schedule": "@every 59m"}, {}, "ScheduleTooOften"),
        ({"schedule": "H/10 * * * *"}, {}, "ScheduleTooOften"),
        ({"schedule": "@hourly-random"}, {}, "Annotated"),
        ({"schedule": "0 * * * *"}, {}, "Annotated"),
        ({"schedule": "@every 1h"}, {}, "Annotated"),
        ({"schedule": "0 0 31 2 *"}, {}, "Annotated"),
        ({"verify_schedule": "*/5 * * * *"}, {}, "ScheduleTooOften"),
        ({"drill_schedule": "*/5 * * * *"}, {}, "ScheduleTooOften"),
        # The operator's own schedule is the operator's.
        ({}, {"VERIFY_SCHEDULE": "*/5 * * * *"}, "Annotated"),
        ({"schedule": "* * * * *"}, {"LIMITS_MIN_INTERVAL_SECONDS": "0"}, "Annotated"),
    ],
)
def test_a_schedule_that_runs_too_often(
    says: dict[str, Any], env: dict[str, str], expected: str
) -> None:
    how = settings(**{"LIMITS_MIN_INTERVAL_SECONDS": "3600"} | env)
    found = states(one_pass(cluster(*small(asks(**says))), how))
    assert found["demo/db"].partition(" ")[2] == expected
