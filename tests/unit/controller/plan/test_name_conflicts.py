"""Which CronJobs count as this install's own."""

import copy

from controller.loop.pass_state import PassState
from controller.model import names
from controller.model.status import Reason, State
from tests.fakes.worlds import CONTROL, DB, cluster, one_pass, small, states

CRONJOB = ("CronJob", CONTROL, DB)


def test_a_copy_under_another_name_is_its_makers() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    made = copy.deepcopy(api.items[CRONJOB])
    made["metadata"].pop("uid")
    made["metadata"]["name"] = "db-weekly"
    made["spec"]["schedule"] = "0 0 * * 0"
    api.put(made)
    api.writes.clear()
    for minutes in range(0, 60, 5):
        assert one_pass(api, memory=memory, minutes=minutes).succeeded
    assert api.writes == []


def test_an_edited_owner_is_no_claim_and_is_put_right() -> None:
    for edited in ("demo/typo", "elsewhere/db", "", "nonsense"):
        api, memory = cluster(*small()), PassState()
        one_pass(api, memory=memory)
        made = copy.deepcopy(api.items[CRONJOB])
        made["metadata"]["annotations"][names.OWNER] = edited
        api.put(made)
        api.writes.clear()
        for minutes in range(1, 60, 5):
            result = one_pass(api, memory=memory, minutes=minutes)
            assert states(result) == {"demo/db": f"{State.WANTED} {Reason.ANNOTATED}"}
        assert api.writes == [("update", "CronJob", DB)]
        assert api.items[CRONJOB]["metadata"]["annotations"][names.OWNER] == "demo/db"
