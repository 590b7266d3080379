"""What is remembered of manifests never differs from what is made afresh."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from controller.loop import reconcile
from controller.model.objects import Json, ObjectRef
from controller.observe.cluster import ObservationCache, observe_cluster
from controller.plan.context import build_context
from controller.plan.laid_manifests import LaidManifests, lay_manifests
from controller.plan.owned import index_owned
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec, build_spec
from tests.fakes.worlds import DB, NOW, cluster, one_pass, settings, small

_CLUSTER = "0123"


@pytest.fixture(name="backup")
def of_a_backed_up_database() -> tuple[BackupSpec, Mapping[ObjectRef, Json]]:
    """The spec of a database, and the objects that a pass has made for it."""
    api = cluster(*small())
    one_pass(api)
    observed = observe_cluster(
        api, settings(), ObservationCache(), now=NOW, isolate=reconcile.isolate
    )
    owned = index_owned(observed.view, settings())
    context = build_context(observed.view, owned, settings(), "demo")
    (workload,) = context.found.items
    spec = build_spec(workload, context.view_for(workload))
    assert isinstance(spec, BackupSpec)
    written = {
        item.ref: item.target for item in lay_manifests(spec, _CLUSTER, settings(), owned.objects)
    }
    return spec, written


def passes(
    laid: LaidManifests,
    spec: BackupSpec,
    existing: Mapping[ObjectRef, Json],
    cluster: str = _CLUSTER,
    by: Settings | None = None,
) -> bool:
    """Lay in one pass, hold it against what is made afresh, and say whether anything changes."""
    made = laid.lay(spec, cluster, by or settings(), existing)
    laid.end_pass()
    assert made == lay_manifests(spec, cluster, by or settings(), existing)
    return any(item.target is not item.before for item in made)


def test_what_changes_nothing_is_remembered(
    backup: tuple[BackupSpec, Mapping[ObjectRef, Json]],
) -> None:
    spec, existing = backup
    laid, same = LaidManifests(), settings()
    assert not passes(laid, spec, existing, by=same)
    made = laid.lay(spec, _CLUSTER, same, existing)
    # Another spec of the same content, as the next pass makes it, and objects that it read anew.
    read_anew = {ref: deepcopy(item) for ref, item in existing.items()}
    assert laid.lay(replace(spec), _CLUSTER, same, read_anew) is made


def test_each_argument_that_changes_is_seen(
    backup: tuple[BackupSpec, Mapping[ObjectRef, Json]],
) -> None:
    spec, existing = backup
    laid, same = LaidManifests(), settings()
    cronjob = next(ref for ref in existing if ref.name == DB)
    meta = {**existing[cronjob]["metadata"], "annotations": {}}
    password = dict.fromkeys(spec.credentials, "another")
    changed: list[dict[str, Any]] = [
        {"existing": {**existing, cronjob: {**existing[cronjob], "metadata": meta}}},
        {"existing": {ref: item for ref, item in existing.items() if ref == cronjob}},
        {"existing": {}},
        {"spec": replace(spec, host="elsewhere")},
        {"spec": replace(spec, credentials=password)},
        {"spec": replace(spec, request=replace(spec.request, schedule="1 2 3 4 5"))},
        {"cluster": "4567"},
        {"by": settings(INSTANCE_NAME="another")},
    ]
    for spoilt in changed:
        assert not passes(laid, spec, existing, by=same)
        arguments: dict[str, Any] = {"spec": spec, "existing": existing, "by": same}
        assert passes(laid, **(arguments | spoilt)), spoilt.keys()


def test_what_a_pass_does_not_ask_for_is_forgotten(
    backup: tuple[BackupSpec, Mapping[ObjectRef, Json]],
) -> None:
    spec, existing = backup
    laid, same = LaidManifests(), settings()
    made = laid.lay(spec, _CLUSTER, same, existing)
    laid.end_pass()
    laid.end_pass()
    assert laid.lay(spec, _CLUSTER, same, existing) is not made
