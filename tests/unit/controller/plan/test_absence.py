"""When a workload counts as gone, over several passes and restarts."""

import copy

import pytest

from controller.loop.pass_state import PassState
from controller.model import names
from controller.model.status import Reason, State
from tests.fakes.kube_memory import MemoryApi, unavailable
from tests.fakes.worlds import (
    CONTROL,
    DB,
    asks,
    cluster,
    one_pass,
    owner,
    pod,
    reference,
    small,
    states,
)

CRONJOB = ("CronJob", CONTROL, DB)
DAY = 24 * 60


def leave(api: MemoryApi) -> None:
    api.remove("StatefulSet", "demo", "db")
    api.remove("Pod", "demo", "db-0")


def since(api: MemoryApi) -> str | None:
    found: str | None = api.items[CRONJOB]["metadata"]["annotations"].get(names.GONE_SINCE)
    return found


def test_an_owner_that_is_seen_again_without_pods_ends_the_absence_with_one_write() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    back = copy.deepcopy(api.items["StatefulSet", "demo", "db"])
    leave(api)
    one_pass(api, memory=memory, minutes=1)
    assert since(api)
    api.put(back)
    api.writes.clear()
    for minutes in (2, 3, 4):
        assert states(one_pass(api, memory=memory, minutes=minutes)) == {
            "demo/db": f"{State.UNKNOWN} {Reason.NO_RUNNING_POD}"
        }
    assert since(api) is None
    assert api.writes == [("update", "CronJob", DB)]


@pytest.mark.parametrize("kind", ["StatefulSet", "Pod"])
def test_failed_reads_leave_the_absence_noted_but_a_restart_does_not_believe_it_for_ever(
    kind: str,
) -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    leave(api)
    one_pass(api, memory=memory, minutes=1)
    noted = since(api)
    api.fail(kind, "demo", unavailable(kind))
    one_pass(api, memory=memory, minutes=2)
    assert since(api) == noted
    api.failing.clear()
    memory = PassState()
    for minutes in range(3):
        one_pass(api, memory=memory, minutes=7 * DAY + minutes)
    assert CRONJOB in api.items
    assert since(api) != noted
    one_pass(api, memory=memory, minutes=7 * DAY + 15)
    assert CRONJOB not in api.items


def test_an_owner_whose_template_still_asks_is_not_gone_because_another_owns_it_now() -> None:
    alone = owner(kind="ReplicaSet", template=asks())
    api, memory = cluster(*small()[:1], alone, pod(alone), *small()[3:]), PassState()
    one_pass(api, memory=memory)
    front = owner("front", kind="Deployment")
    api.put(front)
    adopted = api.items["ReplicaSet", "demo", "db"]
    adopted["metadata"]["ownerReferences"] = [reference(front)]
    api.fail("Service", "demo")
    for minutes in range(1, 60, 5):
        result = one_pass(api, memory=memory, minutes=minutes)
    assert states(result)["demo/db"] == f"{State.UNKNOWN} {Reason.OWNER_UNREADABLE}"
    assert CRONJOB in api.items
