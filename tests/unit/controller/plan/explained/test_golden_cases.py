"""Of every golden case what is explained is what was decided."""

from collections.abc import Iterator

import pytest

from controller.observe import view_yaml
from controller.plan.context import PlanContext, build_context
from controller.plan.explained.choices import choices
from controller.plan.explained.decision import Decision, Verdict
from controller.plan.owned import index_owned
from controller.plan.planner import namespaces
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec, build_spec
from controller.workloads.workload import Workload
from dumpers.contract.engine_spec import Role
from tests import libyaml
from tests.fakes.kube_golden import CASES
from tests.paths import GOLDEN


def contexts(case: str) -> Iterator[PlanContext]:
    document = libyaml.read((GOLDEN / case / "view.yaml").read_text())
    watched = ",".join(document["namespaces"]) or "demo"
    settings = Settings.from_env({"WATCH_NAMESPACES": watched} | document.get("settings", {}))
    view = view_yaml.view_of(document)
    owned = index_owned(view, settings)
    for namespace in namespaces(view, owned):
        yield build_context(view, owned, settings, namespace)


def chosen(decisions: list[Decision], workload: Workload, kind: str) -> list[str]:
    """What was chosen for a workload, of one kind."""
    mine = (item for item in decisions if item.workload == workload.key)
    found = (item.about for item in mine if item.verdict is Verdict.CHOSEN)
    return [about.removeprefix(kind) for about in found if about.startswith(kind)]


def check(decisions: list[Decision], workload: Workload, spec: BackupSpec) -> None:
    host, _, _ = spec.host.partition(".")
    places = chosen(decisions, workload, "Service/") or chosen(decisions, workload, "host ")
    assert places in ([host], [spec.host])
    assert len(chosen(decisions, workload, "container ")) == 1
    logins = (
        *chosen(decisions, workload, "login "),
        *chosen(decisions, workload, "Secret/"),
    )
    secrets = {item.variable for item in spec.engine.credentials if item.role is not Role.DATABASE}
    # A user alone is the engine's own default.
    assert len(logins) == 1 or not secrets & set(spec.credentials)
    pods = {pod["metadata"]["name"] for pod in workload.pods}
    assert set(chosen(decisions, workload, "Pod/")) == pods


@pytest.mark.parametrize("case", CASES)
def test_what_is_explained_is_what_was_decided(case: str) -> None:
    for context in contexts(case):
        if context.watched is None:
            continue
        decisions = [*choices(context)]
        keys = [workload.key for workload in context.found.items]
        for workload in context.found.items:
            spec = build_spec(workload, context.view_for(workload))
            # Two kinds of owners may share a key.
            if isinstance(spec, BackupSpec) and keys.count(workload.key) == 1:
                check(decisions, workload, spec)
