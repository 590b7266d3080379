"""Rights for Secrets and ConfigMaps by their names, on a real API server."""

from datetime import UTC, datetime
from functools import partial

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model import names
from controller.model.status import Reason, State
from tests.integration.controller import rights
from tests.integration.controller.world import build, database
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.toolchain.processes import wait_until

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_named_secret_is_read_and_of_another_one_the_missing_right_is_told(
    apiserver: ApiServer,
) -> None:
    given = '{"*": {"secrets": ["db"], "configMaps": ["db"]}}'
    world = build(apiserver, values=(f"--set-json=rbac.readNames={given}",))
    (shop,) = world.watched
    database(world.api, shop, config_map=True)
    database(world.api, shop, "other")
    memory = PassState()
    mark = apiserver.audit_mark()
    result = run(world.kube(), world.settings, memory, now=NOW)
    found = {item.workload_plan.workload: item.status for item in result.results}
    assert found[f"{shop}/db"].state is State.WANTED
    assert world.cronjobs().keys() == {names.cronjob_name("postgresql", f"{shop}/db")}
    refused = found[f"{shop}/other"]
    assert (refused.state, refused.reason) == (State.UNKNOWN, Reason.FORBIDDEN)
    path = f"/api/v1/namespaces/{shop}/secrets/other"
    right = "the controller may not get the Secret other: add that name to rbac.readNames"
    assert path in refused.message
    assert right in refused.message
    # The board is read and written although its own name is not in the list.
    assert [right in row["message"] for row in world.rows(shop)] == [False, True]
    events = apiserver.audit_events(mark, user=world.user)
    asked = [(item.resource, item.name) for item in events if item.code == 403]
    assert asked == [("secrets", "other")]


def test_a_name_that_is_taken_away_keeps_the_cronjob(apiserver: ApiServer) -> None:
    world = build(apiserver, values=('--set-json=rbac.readNames={"*": {"secrets": ["db"]}}',))
    (shop,) = world.watched
    database(world.api, shop)
    assert run(world.kube(), world.settings, PassState(), now=NOW).succeeded
    before = world.cronjobs()
    role = world.api.get(rights.RBAC, "Role", shop, "ksnapshot-watch")
    assert role
    (rule,) = [rule for rule in role["rules"] if rule["resources"] == ["secrets"]]
    world.api.patch(role, {"rules": [item for item in role["rules"] if item != rule]})
    has = partial(rights.may, world.api, world.user, shop, rule)
    wait_until(lambda: not has(), seconds=30, what="the rights")
    (item,) = run(world.kube(), world.settings, PassState(), now=NOW).results
    assert item.status.reason is Reason.FORBIDDEN
    assert world.cronjobs() == before
