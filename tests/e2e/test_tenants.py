"""A tenant with rights on annotations only does all of docs/tenants.md, step by step.

Each command of the page is typed as it stands there. What an admin defined are classes, storages
and limits; what the tenant knows is what the board, and the Events of the workload, say.
"""

import json
from collections.abc import Iterator, Mapping

import pytest

from controller.model import names
from tests.demo.kube import Object
from tests.demo.objects import secret
from tests.demo.world import BUCKET, CONTROL, COPY, DATABASE, SHOP, WORKLOAD
from tests.e2e import offered
from tests.e2e import tenant as tenants
from tests.e2e.conftest import STAGING, Stage
from tests.e2e.tenant import RefusedError, Tenant
from tests.e2e.test_command import cronjob_now, databases, drop_copy
from tests.e2e.test_postgresql import fingerprint

_CRONJOB = names.cronjob_name("postgresql", f"{SHOP}/{WORKLOAD}")
_IDENTITY, _OF_THE_OWNER = "ksnapshot-identity", "example.com/of-the-owner"


@pytest.fixture(scope="module")
def tenant(shared_stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    """Nothing is backed up yet; classes, storages and limits are defined."""
    stage = shared_stage
    _forget(stage)
    stage.store.create_bucket(offered.FAR, locks=True)
    stage.kube.apply(
        secret(_IDENTITY, CONTROL, {"identity": f"{stage.world.identity}\n"}),
        secret(offered.GRANTED, CONTROL, {"BucketInfo": offered.bucket_info(stage)}),
    )
    more: Mapping[str, str | int] = {
        "limits.minIntervalSeconds": 3600,
        "hosts.allowed": "{*.example.com}",
        "controller.pollIntervalSeconds": 1,
        "controller.goneGraceSeconds": 10,
    }
    stage.world.install(
        identitySecret=_IDENTITY,
        classes=offered.CLASSES,
        storages=offered.storages(stage.proxy.url),
        **more,
    )
    yield tenants.make(stage.kube, tmp_path_factory.mktemp("tenant"))
    tenants.remove(stage.kube)
    _forget(stage)
    stage.world.install()
    stage.kube.run("delete", "secret", _IDENTITY, offered.GRANTED, "-n", CONTROL)


def _forget(stage: Stage) -> None:
    """The workload as if nobody had ever annotated it."""
    found = stage.kube.get("statefulset", WORKLOAD, SHOP)
    assert found
    ours = [key for key in found["metadata"].get("annotations", {}) if key.startswith(names.PREFIX)]
    taken = [f"{key}-" for key in ours]
    if taken:
        stage.kube.run("annotate", "-n", SHOP, f"statefulset/{WORKLOAD}", *taken)
    where = (_CRONJOB, "-n", CONTROL, "--ignore-not-found")
    stage.kube.run("delete", "cronjob", *where, "--cascade=foreground", "--wait=true")
    drop_copy(stage)


def _cronjob(stage: Stage) -> Object:
    return cronjob_now(stage, _CRONJOB)


def test_all_of_the_page(stage: Stage, tenant: Tenant, staging: str) -> None:
    page = tenants.page()
    assert list(page) == [
        *("Turn it on", "See what came of it", "A backup now", "A restore now", "Turn it off")
    ]
    _turn_on(stage, tenant, page["Turn it on"][0])
    _set_what_the_class_lets(stage, tenant)
    _back_up_now(stage, tenant, page["A backup now"][0])
    _look(tenant, *page["See what came of it"])
    _fill_a_new_database(stage, tenant, staging)
    _restore_now(stage, tenant, *page["A restore now"])
    _turn_off(stage, tenant, *page["Turn it off"])


def _turn_on(stage: Stage, tenant: Tenant, command: str) -> None:
    tenant.type(command)
    row = tenant.wait(WORKLOAD, "Annotated")
    assert (row["class"], row["state"]) == ("gold", "wanted")
    spec = _cronjob(stage)["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("0 3 1 1 *", "Europe/Paris")
    (container,) = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"limits": {"memory": "384Mi"}}
    assert {"name": "KSNAPSHOT_RETENTION", "value": "keep-daily=14"} in container["env"]


def _set_what_the_class_lets(stage: Stage, tenant: Tenant) -> None:
    # What the class has for it anyway is fine, too.
    own = {"schedule": "30 4 1 1 *", "timezone": "Etc/UTC", "retention": "keep-daily=14"}
    tenant.annotate(WORKLOAD, own)
    tenant.wait(WORKLOAD, "Annotated", schedule="30 4 1 1 *", time_zone="Etc/UTC")
    assert _cronjob(stage)["spec"]["schedule"] == "30 4 1 1 *"
    tenant.annotate(WORKLOAD, dict.fromkeys(own))
    tenant.wait(WORKLOAD, "Annotated", schedule="0 3 1 1 *", time_zone="Europe/Paris")


def _back_up_now(stage: Stage, tenant: Tenant, command: str) -> None:
    tenant.type(command)
    tenant.kube.wait("the end of the backup", lambda: tenant.row(WORKLOAD)["last_result"])
    result = tenant.row(WORKLOAD)["last_result"]
    assert (result["outcome"], result["reason"]) == ("succeeded", "Succeeded"), result
    # One backup, whole and encrypted, in both storages; in the one it is locked.
    near, far = stage.store.objects(BUCKET), stage.store.objects(offered.FAR)
    stored = {key.partition("/")[2]: size for key, size in near.items() if key.endswith(".age")}
    assert stored
    for key, size in stored.items():
        assert far[f"{offered.FAR_PATH}/{key}"] == size
        head = stage.store.client().head_object(Bucket=offered.FAR, Key=f"{offered.FAR_PATH}/{key}")
        assert head["ObjectLockMode"] == "GOVERNANCE"
    for objects in (near, far):
        assert len([key for key in objects if key.endswith("/manifest.json")]) == 1


def _look(tenant: Tenant, summary: str, events: str) -> None:
    shown = tenant.type(summary)
    (lines,) = (
        part.splitlines()
        for part in shown.split("\n\n")
        if part.startswith(f"{SHOP}/{WORKLOAD} StatefulSet postgresql")
    )
    assert lines[1].strip().startswith("wanted, Annotated since ")
    assert lines[2].strip() == "class: gold"
    assert lines[3].strip().startswith("schedule: 0 3 1 1 * Europe/Paris, next run ")
    assert lines[4].strip().startswith("last run: succeeded ")
    assert lines[5].strip().startswith("last success: ")
    told = tenant.type(events)
    assert "BackupAccepted" in told
    assert "BackupSucceeded" in told


def _fill_a_new_database(stage: Stage, tenant: Tenant, pod: str) -> None:
    """It names no class: its labels choose one."""
    asked = {"enabled": "true", "type": "postgresql", "restore-from": f"{WORKLOAD}@latest"}
    tenant.annotate(STAGING, asked)
    assert tenant.wait(STAGING, "Annotated")["class"] == "plain"
    assert fingerprint(stage, DATABASE, pod) == fingerprint(stage, DATABASE)


def _restore_now(stage: Stage, tenant: Tenant, restore: str, forget: str) -> None:
    before = fingerprint(stage, DATABASE)
    stage.world.psql("UPDATE people SET name = name || '!'")
    changed = fingerprint(stage, DATABASE)
    tenant.type(restore)
    assert f"as {COPY}, until" in tenant.wait(WORKLOAD, "RestoredBeside")["message"]
    assert fingerprint(stage, COPY) == before
    assert fingerprint(stage, DATABASE) == changed
    tenant.type(forget)
    tenant.wait(WORKLOAD, "Annotated")
    assert COPY not in databases(stage)
    assert fingerprint(stage, DATABASE) == changed


def _turn_off(stage: Stage, tenant: Tenant, pause: str, go_on: str, off: str) -> None:
    tenant.type(pause)
    tenant.wait(WORKLOAD, "Suspended")
    assert _cronjob(stage)["spec"]["suspend"] is True
    tenant.type(go_on)
    tenant.wait(WORKLOAD, "Annotated")
    assert not _cronjob(stage)["spec"].get("suspend")
    stored = stage.store.objects(BUCKET)
    tenant.type(off)
    assert tenant.wait(WORKLOAD, "Disabled")["state"] == "gone"
    stage.kube.wait("its end", lambda: not stage.kube.get("cronjob", _CRONJOB, CONTROL))
    assert stage.store.objects(BUCKET) == stored
    tenant.kube.wait("the board", lambda: not tenant.row(WORKLOAD), seconds=30)


def test_what_is_refused_is_said_and_changes_no_backup(stage: Stage, tenant: Tenant) -> None:
    tenant.annotate(WORKLOAD, {"enabled": "true", "type": "postgresql", "class": "gold"})
    tenant.wait(WORKLOAD, "Annotated")
    before = _cronjob(stage)
    good = {"type": "postgresql", "class": "gold"}
    told = set()
    for values, reason, words in offered.REFUSED:
        tenant.annotate(WORKLOAD, values)
        row = tenant.wait(WORKLOAD, reason, *words)
        assert row["state"] == "unknown"
        # What is for others is named only by whoever asks for it.
        hidden = {"vault", "private"} - {
            word for text in values.values() for word in text.split(",")
        }
        assert not [word for word in hidden if word in row["message"]]
        told.add(reason)
        tenant.annotate(WORKLOAD, {key: good.get(key) for key in values})
    tenant.wait(WORKLOAD, "Annotated")
    assert _cronjob(stage)["spec"] == before["spec"]
    events = tenant.type(tenants.page()["See what came of it"][1])
    assert "BackupRejected" in events
    assert told <= set(_reasons_of_the_page())


def _reasons_of_the_page() -> list[str]:
    text = (tenants.DOCS / "tenants.md").read_text().split("\n## When it is refused\n", 1)[1]
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    return [name.strip("` ") for row in rows for name in row.split("|")[1].split(",")]


@pytest.mark.parametrize(
    "command",
    [
        *(
            f"kubectl -n {CONTROL} get {kind}"
            for kind in ("secrets", "jobs", "cronjobs", "pods", "configmaps", "events")
        ),
        f"kubectl -n {CONTROL} get secret ksnapshot-s3",
        f"kubectl -n {CONTROL} get configmap ksnapshot-status",
        f"kubectl -n {CONTROL} create job --from=cronjob/{_CRONJOB} own",
        f"kubectl -n {SHOP} get secret database-login",
        f"kubectl -n {SHOP} get pods",
        f"kubectl -n {SHOP} delete statefulset {WORKLOAD}",
        f"kubectl -n {SHOP} exec database-0 -- true",
        f"kubectl -n {SHOP} annotate configmap ksnapshot-status a=b",
    ],
)
def test_a_tenant_may_do_nothing_else(stage: Stage, tenant: Tenant, command: str) -> None:
    with pytest.raises(RefusedError, match="Forbidden"):
        tenant.type(command)


def test_a_tenant_changes_nothing_but_annotations_of_ours(stage: Stage, tenant: Tenant) -> None:
    patches = (
        {"spec": {"replicas": 0}},
        {"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}},
        {"metadata": {"labels": {"tier": "gold"}}},
        {"metadata": {"finalizers": ["example.com/a"]}},
    )
    of_others = (
        {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}},
        {"metadata": {"annotations": {_OF_THE_OWNER: None}}},
    )
    kube = stage.kube
    kube.run("annotate", "-n", SHOP, f"statefulset/{WORKLOAD}", f"{_OF_THE_OWNER}=kept")
    for patch in (*patches, *of_others):
        words = f"patch statefulset {WORKLOAD} --type=merge -p '{json.dumps(patch)}'"
        with pytest.raises(RefusedError, match="only annotations"):
            tenant.type(f"kubectl -n {SHOP} {words}")
