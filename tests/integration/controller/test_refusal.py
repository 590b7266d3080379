"""A CronJob that the API server refuses (422) stays its own workload's matter."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model import names
from controller.model.status import Reason, State
from tests.integration.controller import legacy
from tests.integration.controller.world import World, annotations, build, database
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.cluster.kubeapi import ApiError
from tests.testbed.toolchain.processes import wait_until

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ADMISSION = "admissionregistration.k8s.io/v1"
WHY = "no backups before sunrise"
EARLY = "30 2 * * *"


@pytest.fixture
def world(apiserver: ApiServer) -> Iterator[World]:
    """A world whose admission policy refuses CronJobs of one schedule."""
    world = build(apiserver)
    meta = {"name": f"refuse-{world.control}"}
    place = {"matchLabels": {"kubernetes.io/metadata.name": world.control}}
    cronjobs = {"apiGroups": ["batch"], "apiVersions": ["v1"], "resources": ["cronjobs"]}
    rule = {
        "matchConstraints": {
            "namespaceSelector": place,
            "resourceRules": [cronjobs | {"operations": ["CREATE", "UPDATE"]}],
        },
        "validations": [{"expression": f"object.spec.schedule != '{EARLY}'", "message": WHY}],
    }
    policy = {"apiVersion": ADMISSION, "kind": "ValidatingAdmissionPolicy", "metadata": meta}
    binding = {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": meta,
        "spec": {"policyName": meta["name"], "validationActions": ["Deny"]},
    }
    apiserver.api.create(policy | {"spec": rule})
    apiserver.api.create(binding)
    probe = legacy.cronjob(world.settings, "any/probe")
    probe["spec"]["schedule"] = EARLY
    path = apiserver.api.path("batch/v1", "CronJob", world.control)

    def refused() -> bool:
        try:
            apiserver.api.request("POST", path, probe, query={"dryRun": "All"})
        except ApiError as error:
            return error.code == 422
        return False

    wait_until(refused, seconds=60, what="the admission policy")
    yield world
    apiserver.api.delete(binding)
    apiserver.api.delete(policy)


def says(world: World, name: str, **values: str) -> None:
    meta = {"name": f"{name}-0", "namespace": world.watched[0]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta}
    world.api.patch(pod, {"metadata": {"annotations": annotations(**values)}})


def test_it_is_told_leaves_no_secret_and_keeps_no_other_from_its_backup(world: World) -> None:
    space = world.watched[0]
    for name, schedule in (("first", "@daily"), ("refused", EARLY), ("second", "@daily")):
        database(world.api, space, name, schedule=schedule)
    memory = PassState()
    result = run(world.kube(), world.settings, memory, now=NOW)
    assert result.failures == (f"{space}/refused: {Reason.REFUSED}",)
    told = {item.workload_plan.workload: item.status for item in result.results}
    assert told[f"{space}/refused"].state is State.UNKNOWN
    assert "422" in told[f"{space}/refused"].message
    assert WHY in told[f"{space}/refused"].message
    made = {names.cronjob_name("postgresql", f"{space}/{name}") for name in ("first", "second")}
    assert world.cronjobs().keys() == made
    assert world.secrets().keys() == set(map(names.secret_name, made))

    says(world, "refused", schedule="@daily")
    assert run(world.kube(), world.settings, memory, now=NOW).succeeded
    assert len(world.cronjobs()) == len(world.secrets()) == 3


def test_a_refused_change_leaves_the_last_good_backup_as_it_is(world: World) -> None:
    space = world.watched[0]
    for name in ("changed", "other"):
        database(world.api, space, name)
    memory = PassState()
    assert run(world.kube(), world.settings, memory, now=NOW).succeeded
    before = world.cronjobs() | world.secrets()
    says(world, "changed", schedule=EARLY)
    says(world, "other", schedule="@daily")
    result = run(world.kube(), world.settings, memory, now=NOW)
    assert result.failures == (f"{space}/changed: {Reason.REFUSED}",)
    after = world.cronjobs() | world.secrets()
    changed = {name for name, item in after.items() if item != before[name]}
    assert changed == {names.cronjob_name("postgresql", f"{space}/other")}
