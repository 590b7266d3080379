"""Each page of docs/recipes in a real cluster: what its operator makes, and a backup of it.

All of them with `KSNAPSHOT_RECIPES=all` (`make recipes`), otherwise one by `KSNAPSHOT_FAULT_SEED`.
"""

import json
import os
import random
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from controller.model import names
from dumpers.runtime.errors import ExitCode
from tests.conformance.test_recipes import FIELDS, RECIPES, Recipe, annotations_at
from tests.demo.command import Command
from tests.demo.kube import Object
from tests.demo.world import CONTROL
from tests.e2e.conftest import Stage
from tests.e2e.recipes.servers import Account, Servers
from tests.e2e.recipes.shapes import NAMESPACE, Shape, kinds_of
from tests.testbed.cluster.one_node import Cluster

# One run of several workers has one seed: each of them collects the tests for itself.
SEED = (
    os.environ.get("KSNAPSHOT_FAULT_SEED")
    or os.environ.get("PYTEST_XDIST_TESTRUNUID")
    or str(secrets.randbelow(10**6))
)


def _chosen() -> list[Any]:
    if os.environ.get("KSNAPSHOT_RECIPES") == "all":
        return [pytest.param(recipe, id=str(recipe)) for recipe in RECIPES]
    recipe = random.Random(SEED).choice(RECIPES)
    return [pytest.param(recipe, id=f"KSNAPSHOT_FAULT_SEED={SEED}, {recipe}")]


@pytest.fixture(scope="module")
def servers(cluster: Cluster, shared_stage: Stage) -> Iterator[Servers]:
    """The namespace of the pages is watched, too."""
    world, kube = shared_stage.world, shared_stage.kube
    kube.run("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true")
    kube.run("create", "namespace", NAMESPACE)
    watched: Mapping[str, Any] = {"rbac.watchNamespaces[1]": NAMESPACE}
    world.install(**watched)
    with Servers(world=world, cluster=cluster) as made:
        yield made
    world.install()
    kube.run("delete", "namespace", NAMESPACE, "--wait=false")
    kinds = sorted(kinds_of([recipe.view for recipe in RECIPES]))
    kube.run("delete", "crd", *kinds, "--ignore-not-found", "--wait=false")


@pytest.fixture
def clean(stage: Stage) -> Iterator[None]:
    """Nothing of a recipe is left for the next one."""
    yield
    made = "statefulsets,deployments,pods,services,secrets,endpointslices"
    stage.kube.run("delete", made, "--all", "-n", NAMESPACE, "--wait=true", "--grace-period=0")
    stage.kube.run("delete", "jobs", "-n", CONTROL, "-l", "app.kubernetes.io/part-of=ksnapshot")
    for item in stage.kube.list("cronjobs", CONTROL, "app.kubernetes.io/managed-by=ksnapshot"):
        if item["metadata"]["annotations"][names.OWNER].startswith(f"{NAMESPACE}/"):
            gone = ["delete", "cronjob", item["metadata"]["name"], "-n", CONTROL]
            stage.kube.run(*gone, "--cascade=foreground", "--wait=true")


@pytest.mark.parametrize("recipe", _chosen())
@pytest.mark.usefixtures("clean")
def test_a_page_is_enough(
    stage: Stage, servers: Servers, command: Command, key: Path, recipe: Recipe
) -> None:
    asked = annotations_at(recipe.yaml, FIELDS[recipe.page])
    engine = asked[f"{names.PREFIX}type"]
    server, account = servers.of(recipe, engine), Account.of(recipe)
    server.fill(account)
    shape = Shape(
        kube=stage.kube, recipe=recipe, server=server.address, secrets=server.secrets(account)
    )
    shape.make()

    workload = recipe.says["workload"]
    name = names.cronjob_name(engine, workload)
    cronjob = stage.kube.wait(name, lambda: _settled(stage, name, recipe), seconds=90)
    code, result = stage.world.dump(name)
    assert code == ExitCode.DONE, result.message

    before = server.content(account.database)
    ended = command.run("restore", workload, "--beside", "-i", key)
    assert ended.code == 0, str(ended)
    assert server.content(f"{account.database}_restored") == before

    if not recipe.view["namespaces"][NAMESPACE].get("owners"):
        # The owner is of a kind that ksnapshot may not read, so without pods nobody knows.
        shape.lose_pods()
        stage.kube.wait(
            "the state to be unknown",
            lambda: _status(command, workload)["reason"] == "OwnerUnreadable",
            seconds=60,
        )
        kept = stage.kube.get("cronjob", name, CONTROL)
        assert kept
        assert kept["spec"] == cronjob["spec"]


def _settled(stage: Stage, name: str, recipe: Recipe) -> Object | None:
    """The CronJob, once it leads where the page says."""
    found = stage.kube.get("cronjob", name, CONTROL)
    if found is None:
        return None
    pod = found["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    env = {item["name"]: item.get("value", "") for item in pod["containers"][0]["env"]}
    [prefix] = {item.removesuffix("_HOST") for item in env if item.endswith("_HOST")}
    host = f"{env[f'{prefix}_HOST']}:{env[f'{prefix}_PORT']}"
    return found if host == recipe.says["connects to"] else None


def _status(command: Command, workload: str) -> Mapping[str, Any]:
    listed = json.loads(command.run("status", workload, "-o", "json").out)["workloads"]
    [found] = listed
    return dict(found)
