"""Each folder, grouped by topic, is a view of a cluster and the plan that must come of it.

`KSNAPSHOT_REGOLD=1` writes the plans anew; what changed is then read in the diff.
"""

import json
import os
from typing import Any

import pytest
import yaml

from controller.loop import reconcile
from controller.manifests import overlay
from controller.model.kinds import SECRET
from controller.model.view import ClusterView
from controller.observe import view_yaml
from controller.plan import owned
from controller.plan.blocked_runs import blocked_runs_of
from controller.plan.changes import Action, Change
from controller.settings.settings import Settings
from tests import libyaml
from tests.fakes.kube_golden import CASES
from tests.paths import GOLDEN


@pytest.mark.parametrize("case", CASES)
def test_the_view_makes_this_plan(case: str) -> None:
    text = (GOLDEN / case / "view.yaml").read_text()
    document = libyaml.read(text)
    watched = ",".join(document["namespaces"])
    settings = Settings.from_env({"WATCH_NAMESPACES": watched} | document.get("settings", {}))
    made = render(view_yaml.load(text), settings)
    golden = GOLDEN / case / "plan.yaml"
    if os.environ.get("KSNAPSHOT_REGOLD"):
        # Through JSON, so that parts which are one object are written out each time.
        plain = json.loads(json.dumps(made))
        golden.write_text(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100))
    assert made == libyaml.read(golden.read_text())


def test_there_are_cases() -> None:
    assert CASES


def render(view: ClusterView, settings: Settings) -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    owned_objects = owned.index_owned(view, settings)
    remembered: dict[str, int] = {}
    for _, plan in reconcile.plans(view, settings):
        assert plan
        remembered |= plan.gone_passes
        for item in plan.items:
            entry = {
                "workload": item.workload,
                "state": str(item.status.state),
                "reason": str(item.status.reason),
                "message": item.status.message,
                "cronjob": item.cronjob,
                "steps": [step_of(step) for step in item.changes],
            }
            blocked = [
                f"{run.job} since {run.since}: {run.cause.reason}: {run.cause.message}"
                for run in blocked_runs_of(item.kept, owned_objects, view)
            ]
            if blocked:
                entry["blocked"] = blocked
            items.append({key: value for key, value in entry.items() if value != ""})
    return {"items": items, "gonePasses": remembered}


def step_of(step: Change) -> dict[str, Any]:
    entry: dict[str, Any] = {str(step.action): f"{step.kind}/{step.name}"}
    if step.action is Action.CREATE:
        entry["object"] = plain(step.after)
    elif step.action is Action.UPDATE:
        entry["changes"] = {
            change.path: "(hidden)"
            if step.kind == SECRET and change.path.startswith("data")
            else {"before": plain(change.before), "after": plain(change.after)}
            for change in overlay.field_changes(step.before, step.after)
        }
    return entry


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
