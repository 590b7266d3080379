"""The CronJob that deletes: what it is made of, and under which keys it runs."""

from typing import Any

import pytest

from controller.manifests.job_pod import FAILURE_POLICY
from controller.manifests.sidecars import without_sidecars
from controller.manifests.storages.sources import pruner_account
from controller.manifests.verb_job import VerbJob, build_verb_job
from dumpers.contract import names as variables
from dumpers.contract.retention.jobs import PruneJob
from dumpers.contract.storages import variables as storage_variables
from dumpers.engines.registry import ENGINES
from tests.integration.chart.helm import (
    HelmError,
    JsonObject,
    environment,
    find,
    render,
    settings_of,
)
from tests.unit.controller.manifests.test_restore_job import cronjob

_ON = "--set=prune.enabled=true,clusterName=c"


def _cronjob(*arguments: str) -> JsonObject:
    return find(render(_ON, *arguments), "CronJob", "ksnapshot-prune")


def _template(cronjob: JsonObject) -> Any:
    return cronjob["spec"]["jobTemplate"]["spec"]["template"]


def _env(cronjob: JsonObject) -> dict[str, Any]:
    [container] = _template(cronjob)["spec"]["containers"]
    return {item["name"]: item for item in container["env"]}


def test_nothing_is_deleted_unless_somebody_asked_for_it() -> None:
    assert not [item for item in render() if item["kind"] == "CronJob"]
    assert environment(render())["PRUNE_ENABLED"] == "false"


def test_the_store_is_the_one_of_every_dump() -> None:
    objects = render(_ON)
    settings = settings_of(objects, CONTROL_NAMESPACE="backup")
    wanted = VerbJob(name="x", verb="prune", deadline=1, keep=1, account=pruner_account(settings))
    job = build_verb_job(cronjob(ENGINES[0]), wanted)
    spec = job["spec"]["template"]["spec"]
    [container] = spec["containers"]
    of_store = {
        item["name"]: item
        for item in container["env"]
        if item["name"].startswith("BACKEND_") or item["name"] in storage_variables.PROXIES
    }
    made = _env(find(objects, "CronJob", "ksnapshot-prune"))
    config = settings.backup_configmap_name
    for item in of_store.values():
        if reference := item.get("valueFrom", {}).get("configMapKeyRef"):
            assert made[item["name"]]["valueFrom"]["configMapKeyRef"] == {
                **reference,
                "name": config,
            }
        else:
            assert made[item["name"]] == item
    own = {variables.CLUSTER, variables.DEADLINE, variables.RETENTION_FLOOR}
    assert made.keys() == of_store.keys() | own
    assert spec["serviceAccountName"] == "ksnapshot-prune"


def test_its_jobs_know_all_that_a_prune_needs() -> None:
    env = {name: item.get("value", "") for name, item in _env(_cronjob()).items()}
    given = {storage_variables.S3_BUCKET: "b", variables.HOSTNAME: "ksnapshot-prune-1-x"}
    job = PruneJob.from_env(env | given)
    assert (job.cluster, job.floor, job.dry_run) == ("c", "keep-last=3,keep-within=7d", False)
    assert job.deadline == 21600


def test_pods_are_restricted_and_have_no_token() -> None:
    made = _cronjob("--set=prune.resources.limits.memory=1Gi")
    assert made["spec"]["concurrencyPolicy"] == "Forbid"
    job, template = made["spec"]["jobTemplate"]["spec"], _template(made)
    assert job["activeDeadlineSeconds"] == 21600
    assert job["podFailurePolicy"] == FAILURE_POLICY
    pod = template["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    [container] = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert container["resources"] == {"limits": {"memory": "1Gi"}}


def test_pods_are_placed_as_those_of_dumps_and_without_sidecars() -> None:
    placed = '--set-json=backupJob.pod={"nodeSelector":{"pool":"x"},"labels":{"team":"a"}}'
    template = _template(_cronjob(placed))
    assert template["spec"]["nodeSelector"] == {"pool": "x"}
    for field, text in without_sidecars({}, None).items():
        place = "labels" if "LABELS" in field.place.name else "annotations"
        assert template["metadata"][place][field.key] == text
    assert template["metadata"]["labels"]["team"] == "a"
    # Who asks for a mesh's proxy gets one.
    meshed = '--set-json=backupJob.pod={"labels":{"sidecar.istio.io/inject":"true"}}'
    assert _template(_cronjob(meshed))["metadata"]["labels"]["sidecar.istio.io/inject"] == "true"


@pytest.mark.parametrize(
    ("values", "secret", "account"),
    [
        ("prune.enabled=true", "ksnapshot-secret", "ksnapshot-prune"),
        ("prune.existingSecret=deleting", "deleting", "ksnapshot-prune"),
        ("prune.serviceAccount.annotations.role=deletes", "", "ksnapshot-prune"),
        ("prune.serviceAccount.create=false", "ksnapshot-secret", ""),
        ("prune.serviceAccount.create=false,prune.serviceAccount.name=theirs", "", "theirs"),
    ],
)
def test_an_account_for_what_deletes(values: str, secret: str, account: str) -> None:
    objects = render(_ON, f"--set={values}")
    env = environment(objects)
    assert (env["PRUNE_SECRET_NAME"], env["PRUNE_SERVICE_ACCOUNT_NAME"]) == (secret, account)
    made = find(objects, "CronJob", "ksnapshot-prune")
    pod = _template(made)["spec"]
    assert pod["serviceAccountName"] == (account or "ksnapshot-backup")
    keys = _env(made).get(storage_variables.S3_ACCESS_KEY)
    named = keys["valueFrom"]["secretKeyRef"]["name"] if keys else ""
    assert named == secret
    accounts = [item for item in objects if item["kind"] == "ServiceAccount"]
    names = {item["metadata"]["name"] for item in accounts}
    assert ("ksnapshot-prune" in names) == (account == "ksnapshot-prune")


def test_without_the_clusters_name_nothing_is_installed() -> None:
    with pytest.raises(HelmError, match=r"clusterName is required when prune\.enabled"):
        render("--set=prune.enabled=true")


def test_deleting_is_a_role_of_its_own() -> None:
    objects = render()
    admin = find(objects, "Role", "ksnapshot-admin")["rules"]
    deleting = find(objects, "Role", "ksnapshot-delete")["rules"]
    assert deleting[: len(admin)] == admin
    assert deleting[len(admin) :] == [
        {
            "apiGroups": ["ksnapshot.clickandmortar.fr"],
            "resources": ["backups"],
            "verbs": ["delete"],
        }
    ]
    assert "ksnapshot.clickandmortar.fr" not in str(admin)
