import base64
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.model import names
from controller.report.notifications.apprise_urls import URLS_KEY
from controller.report.notifications.webhook import AUTHORIZATION_KEY, URL_KEY
from controller.settings.settings import SETTINGS, Settings
from controller.workloads.classes.keys import IN_CLASSES
from tests import libyaml
from tests.integration.chart.helm import (
    CHART,
    OLD_VALUES,
    HelmError,
    container,
    environment,
    find,
    helm,
    render,
    settings_of,
)

_FLAGS = re.MULTILINE | re.DOTALL
_POD: dict[str, object] = {
    "affinity": {},
    "annotations": {},
    "containerSecurityContext": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    },
    "dnsConfig": {},
    "extraEnv": [],
    "extraVolumeMounts": [],
    "extraVolumes": [],
    "hostAliases": [],
    "imagePullSecrets": [],
    "labels": {},
    "nodeSelector": {},
    "podSecurityContext": {
        "fsGroup": 65532,
        "runAsGroup": 65532,
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
    "priorityClassName": "",
    "resources": {},
    "runtimeClassName": "",
    "tolerations": [],
    "topologySpreadConstraints": [],
}
_RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


def test_lint() -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", CHART)


def test_default_objects() -> None:
    names = sorted(
        (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"])
        for item in render()
    )
    assert names == [
        ("ClusterRole", "", "ksnapshot-backup-namespaces"),
        ("ClusterRoleBinding", "", "ksnapshot-backup-namespaces"),
        ("ConfigMap", "backup", "ksnapshot-cm"),
        ("Deployment", "backup", "ksnapshot"),
        ("Pod", "backup", "ksnapshot-test"),
        ("Role", "backup", "ksnapshot"),
        ("Role", "backup", "ksnapshot-admin"),
        ("Role", "backup", "ksnapshot-delete"),
        ("Role", "backup", "ksnapshot-view"),
        ("Role", "default", "ksnapshot-watch"),
        ("RoleBinding", "backup", "ksnapshot"),
        ("RoleBinding", "default", "ksnapshot-watch"),
        ("ServiceAccount", "backup", "ksnapshot"),
        ("ServiceAccount", "backup", "ksnapshot-backup"),
        ("ServiceAccount", "backup", "ksnapshot-prune"),
    ]


_DRILL_IMAGES = dict.fromkeys(
    ("clickhouse", "elasticsearch", "mariadb", "mysql", "opensearch", "postgresql"), ""
)
_ALLOWED = list(Settings.from_env({"WATCH_NAMESPACES": "a"}).drill_allowed_images)


def test_default_environment() -> None:
    assert environment(render("--set=s3.bucket=b")) == {
        "MODE": "cluster",
        "WATCH_NAMESPACES": "default",
        "WATCH_NAMESPACE_SELECTOR": "",
        "CONTROL_NAMESPACE": None,
        "INSTANCE_NAME": "ksnapshot",
        "DEPLOYMENT_NAME": "ksnapshot",
        "BACKUP_CONFIGMAP_NAME": "ksnapshot-cm",
        "BACKUP_SECRET_NAME": "ksnapshot-secret",
        "BACKUP_JOB_SERVICE_ACCOUNT_NAME": "ksnapshot-backup",
        "READER_SECRET_NAME": "",
        "READER_SERVICE_ACCOUNT_NAME": "",
        "BACKUP_IMAGE_PULL_POLICY": "IfNotPresent",
        "BACKUP_COMPRESSION": "gzip",
        "BACKUP_VERIFY": "none",
        "RETENTION_POLICY": "none",
        "RETENTION_FLOOR": "keep-last=3,keep-within=7d",
        "VERIFY_SCHEDULE": "none",
        "VERIFY_SAMPLE": "none",
        "DRILL_SCHEDULE": "none",
        "DRILL_DEADLINE_SECONDS": "21600",
        "DRILL_IMAGES": json.dumps(_DRILL_IMAGES, separators=(",", ":")),
        "DRILL_ALLOWED_IMAGES": json.dumps(_ALLOWED, separators=(",", ":")),
        "DRILL_VOLUME": '{"limit":"20Gi","storageClassName":""}',
        "DRILL_RESOURCES": "{}",
        "DRILL_IMAGE_PULL_SECRETS": "[]",
        "PRUNE_SECRET_NAME": "ksnapshot-secret",
        "PRUNE_SERVICE_ACCOUNT_NAME": "ksnapshot-prune",
        "PRUNE_ENABLED": "false",
        "PRUNE_SCHEDULE": "17 4 * * *",
        "PRUNE_TIME_ZONE": "Etc/UTC",
        "HOSTS_ALLOWED": '["*"]',
        "LIMITS_WORKLOADS_PER_NAMESPACE": "0",
        "LIMITS_MIN_INTERVAL_SECONDS": "0",
        "STORAGES": "{}",
        "MAIN_STORAGE": "true",
        "BACKUP_SUCCESSFUL_JOBS_HISTORY_LIMIT": "3",
        "BACKUP_FAILED_JOBS_HISTORY_LIMIT": "3",
        "BACKUP_JOB_TTL_SECONDS": "0",
        "BACKUP_MAX_CONCURRENT": "0",
        "BACKUP_MAX_CONCURRENT_PER_HOST": "0",
        "MYSQL_DUMPER_IMAGE_5_7": "ghcr.io/clickandmortar/ksnapshot-dumper-mysql-5.7:0.7.0",
        "MYSQL_DUMPER_IMAGE_8": "ghcr.io/clickandmortar/ksnapshot-dumper-mysql-8:0.7.0",
        "POSTGRESQL_DUMPER_IMAGE_16": "ghcr.io/clickandmortar/ksnapshot-dumper-postgresql-16:0.7.0",
        "ELASTICSEARCH_DUMPER_IMAGE": "ghcr.io/clickandmortar/ksnapshot-dumper-elasticsearch:0.7.0",
        "CLICKHOUSE_DUMPER_IMAGE": "ghcr.io/clickandmortar/ksnapshot-dumper-clickhouse:0.7.0",
        "DEFAULT_ENCRYPTION_ENABLED": "false",
        "DEFAULT_ENCRYPTION_RECIPIENT": "",
        "ENCRYPTION_ENFORCED": "false",
        "IDENTITY_SECRET": "",
        "PROOF_SIGNING_KEY_SECRET": "",
        "BOOTSTRAP_FROM": "Same",
        "BOOTSTRAP_PAIRS": "",
        "CLASSES": "{}",
        "CLASS_REQUIRED": "false",
        "BACKUP_JOB_POD": json.dumps(_POD, separators=(",", ":")),
        "CLUSTER_NAME": "",
        "API_TIMEOUT_SECONDS": "30",
        "CREDENTIALS_REFRESH_SECONDS": "300",
        "GONE_GRACE_SECONDS": "900",
        "GONE_PASSES": "3",
        "POLL_INTERVAL_SECONDS": "60",
        "UNWATCHED_POLICY": "keep",
        "LOG_LEVEL": "info",
        "LOG_FORMAT": "auto",
        "NOTIFICATIONS_FOLDER": "",
        "NOTIFICATIONS_ABOUT": "failure,recovery,overdue",
        "BOARDS": "true",
        "STATUS_PAGE_LISTEN": "127.0.0.1:8081",
        "HTTP_PORT": "8080",
        "LEADER_ELECTION": "false",
        "LEASE_DURATION_SECONDS": "15",
    }


def test_enforced_encryption_and_job_pods_reach_the_controller() -> None:
    pod = '--set-json=backupJob.pod.nodeSelector={"pool":"batch"}'
    objects = render(
        "--set=encryption.enforced=true", f"--set=encryption.recipient={_RECIPIENT}", pod
    )
    settings = settings_of(objects)
    assert settings.encryption_enforced
    assert settings.encryption_recipient == _RECIPIENT
    assert settings.job_pod == {"nodeSelector": {"pool": "batch"}}


def test_pods_of_drills_may_be_kept_from_the_metadata_of_clouds() -> None:
    assert "NetworkPolicy" not in {item["kind"] for item in render()}
    policy = find(render("--set=drill.networkPolicy=true"), "NetworkPolicy", "ksnapshot-drill")
    spec = policy["spec"]
    labels = {names.PART_OF_LABEL: names.PART_OF, names.COMPONENT_LABEL: names.DRILL}
    assert spec["podSelector"]["matchLabels"] == labels
    assert (spec["policyTypes"], spec.get("ingress")) == (["Ingress", "Egress"], None)
    (blocks,) = (rule["to"] for rule in spec["egress"])
    kept_off = [text for item in blocks for text in item.get("ipBlock", {}).get("except", ())]
    assert {"169.254.169.254/32", "fd00:ec2::254/128"} <= set(kept_off)


def test_what_drills_may_run_reaches_the_controller() -> None:
    objects = render(
        "--set=drill.schedule=@weekly-random,drill.images.mysql=r/mysql:{major}",
        "--set=drill.volume.storageClassName=fast,drill.imagePullSecrets[0].name=registry",
        "--set-json=drill.allowedImages=[]",
        "--set=drill.resources.limits.memory=2Gi",
    )
    settings = settings_of(objects)
    assert settings.drill_schedule == "@weekly-random"
    assert settings.drill_images == {"mysql": "r/mysql:{major}"}
    assert settings.drill_allowed_images == ()
    assert settings.drill_volume.storage_class == "fast"
    assert settings.drill_resources == {"limits": {"memory": "2Gi"}}
    assert settings.drill_pull_secrets == ({"name": "registry"},)


@pytest.mark.parametrize(
    ("values", "secret", "account", "made"),
    [
        ("reader.existingSecret=reading", "reading", "", False),
        ("reader.serviceAccount.create=true", "", "ksnapshot-reader", True),
        ("reader.serviceAccount.create=true,reader.serviceAccount.name=r", "", "r", True),
        ("reader.serviceAccount.name=theirs", "", "theirs", False),
    ],
)
def test_an_account_for_what_only_reads(
    values: str, secret: str, account: str, *, made: bool
) -> None:
    notes = "reader.serviceAccount.annotations.role=reads"
    objects = render(f"--set={values},{notes},admissionPolicy.enabled=true")
    env = environment(objects)
    assert (env["READER_SECRET_NAME"], env["READER_SERVICE_ACCOUNT_NAME"]) == (secret, account)
    accounts = {
        item["metadata"]["name"]: item["metadata"].get("annotations")
        for item in objects
        if item["kind"] == "ServiceAccount"
    }
    assert (account in accounts) == made
    assert not made or accounts[account] == {"role": "reads"}
    [policy] = [item for item in objects if item["kind"] == "ValidatingAdmissionPolicy"]
    assert secret in str(policy["spec"]["variables"])
    assert f'"{account}"' in str(policy["spec"]["validations"]) or not account


def test_what_may_be_restored_reaches_the_controller() -> None:
    pairs = '--set-json=bootstrap={"from":"Selector","pairs":"production:staging, x:y-*"}'
    signing = "--set=proof.signingKeySecret=proof-key"
    settings = settings_of(render("--set=identitySecret=keys/key.txt", signing, pairs))
    assert settings.identity_secret == "keys/key.txt"
    assert settings.signing_key_secret == "proof-key/key.pem"
    assert settings.bootstrap_from == "Selector"
    assert settings.bootstrap_pairs == (("production", "staging"), ("x", "y-*"))


def test_every_value_of_a_class_reaches_the_controller() -> None:
    entry = {
        **dict.fromkeys(IN_CLASSES, "x"),
        "schedule": "H H(1-5) * * *",
        "encryption-enabled": True,
        "deadline-seconds": 2_592_000,
        "resources": {"limits": {"memory": "1Gi"}},
        "namespaces": ["shop-*"],
        "allow": ["schedule"],
        "defaultFor": {"namespaces": ["shop-a"], "labels": {"tier": "gold"}},
    }
    values = f"--set-json=classes={json.dumps({'gold': entry})}"
    objects = render(values, "--set=classRequired=true")
    given = settings_of(objects)
    assert given.class_required
    (gold,) = given.classes.values()
    assert gold.values == {
        **dict.fromkeys(IN_CLASSES, "x"),
        "schedule": "H H(1-5) * * *",
        "encryption-enabled": "true",
        "deadline-seconds": "2592000",
        "resources": '{"limits": {"memory": "1Gi"}}',
    }
    assert (gold.name, gold.namespaces, [*gold.allow]) == ("gold", ("shop-*",), ["schedule"])
    assert gold.default
    assert (gold.default.namespaces, gold.default.labels) == (("shop-a",), {"tier": "gold"})


def test_deployment_has_every_setting_and_no_other() -> None:
    assert set(environment(render())) == {setting.env for setting in SETTINGS}


_NO_ENCRYPTION = ("DEFAULT_ENCRYPTION_RECIPIENT",)


def test_controller_takes_what_the_chart_gives() -> None:
    values = {name: value or "backup" for name, value in environment(render()).items()}
    names = ("CLUSTER_NAME", "BACKUP_SECRET_NAME", "BOOTSTRAP_PAIRS", "WATCH_NAMESPACE_SELECTOR")
    empty = (*names, *_NO_ENCRYPTION)
    settings = Settings.from_env({**values, **dict.fromkeys(empty, "")})
    assert settings.watch_namespaces == ("default",)
    assert settings.instance == "ksnapshot"


@pytest.mark.parametrize(
    ("release", "overrides", "name", "fullname"),
    [
        ("ksnapshot", [], "ksnapshot", "ksnapshot"),
        ("prod", [], "ksnapshot", "prod-ksnapshot"),
        ("my-ksnapshot-x", [], "ksnapshot", "my-ksnapshot-x"),
        ("prod", ["--set=nameOverride=dumps"], "dumps", "prod-dumps"),
        ("prod", ["--set=fullnameOverride=other"], "ksnapshot", "other"),
    ],
)
def test_names_and_selector_are_those_of_0_6_0(
    release: str, overrides: list[str], name: str, fullname: str
) -> None:
    objects = render(*overrides, release=release)
    deployment = find(objects, "Deployment", fullname)
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": release}
    assert deployment["spec"]["selector"] == {"matchLabels": labels}
    assert deployment["spec"]["template"]["metadata"]["labels"] == labels
    assert environment(objects)["DEPLOYMENT_NAME"] == fullname
    find(objects, "Role", fullname)
    find(objects, "Role", f"{fullname}-watch", "default")
    find(objects, "ServiceAccount", f"{fullname}-backup")


def test_values_of_0_6_0_keep_their_effect() -> None:
    objects = render(f"--values={OLD_VALUES}", release="old")
    deployment = find(objects, "Deployment", "old-snapshots")
    pod = deployment["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["serviceAccountName"] == "operator"
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert pod["tolerations"][0]["value"] == "infra"
    assert "nodeAffinity" in pod["affinity"]
    assert container(objects)["image"] == "registry.example/ksnapshot:1.2.3"
    assert container(objects)["imagePullPolicy"] == "Always"
    assert container(objects)["resources"]["limits"] == {"memory": "256Mi"}
    metadata = deployment["spec"]["template"]["metadata"]
    assert metadata["annotations"] == {"example.com/a": "b"}
    assert metadata["labels"]["team"] == "data"
    values = environment(objects)
    assert values["WATCH_NAMESPACES"] == "production,staging"
    assert values["BACKUP_CONFIGMAP_NAME"] == "s3-place"
    assert values["BACKUP_SECRET_NAME"] == "s3-keys"
    assert values["BACKUP_JOB_SERVICE_ACCOUNT_NAME"] == "dump"
    assert values["BACKUP_IMAGE_PULL_POLICY"] == "Always"
    assert values["POSTGRESQL_DUMPER_IMAGE_16"] == "registry.example/postgresql-16:1"
    assert values["DEFAULT_ENCRYPTION_RECIPIENT"] == _RECIPIENT
    assert values["MYSQL_DUMPER_IMAGE_8"] == "registry.example/mysql-8:1"
    assert [item for item in objects if item["kind"] in {"ConfigMap", "Secret"}] == []
    account = find(objects, "ServiceAccount", "dump")
    assert "eks.amazonaws.com/role-arn" in account["metadata"]["annotations"]
    find(objects, "RoleBinding", "old-snapshots-watch", "staging")


def test_values_kept_from_0_6_0_by_reuse_values() -> None:
    # `helm upgrade --reuse-values` brings the old chart's values without this chart's new ones.
    absent = [
        "--set=controller=null",
        "--set=leaderElection=null",
        "--set=clusterName=null",
        "--set=rbac.createClusterRole=null",
    ]
    objects = render(*absent)
    assert environment(objects)["HTTP_PORT"] == "8080"
    assert environment(objects)["BOARDS"] == "true"
    assert environment(objects)["LEADER_ELECTION"] == "false"
    assert environment(objects)["LEASE_DURATION_SECONDS"] == "15"
    assert "GONE_PASSES" not in environment(objects)
    find(objects, "ClusterRole", "ksnapshot-backup-namespaces")


def _new_since(old: dict[str, Any], now: dict[str, Any], path: str = "") -> Iterator[str]:
    """The values that an older release did not have."""
    for name, value in now.items():
        if name not in old:
            yield f"{path}{name}"
        elif isinstance(value, dict) and value and isinstance(old[name], dict):
            yield from _new_since(old[name], value, f"{path}{name}.")


def test_without_any_value_that_is_new_the_settings_are_the_defaults() -> None:
    old = libyaml.read(OLD_VALUES.read_text())
    now = libyaml.read((CHART / "values.yaml").read_text())
    new = [*_new_since(old, now)]
    assert {"networkPolicy", "watchNamespaces", "image.digest", "backupJob.pod"} <= {*new}
    objects = render(*(f"--set={name}=null" for name in new))
    # Prune has no account of its own then.
    place = {"CONTROL_NAMESPACE": "backup", "PRUNE_SERVICE_ACCOUNT_NAME": ""}
    assert settings_of(objects, **place) == settings_of(render(), **place)
    made, whole = (
        {(item["kind"], item["metadata"]["name"]) for item in each} for each in (objects, render())
    )
    # What nobody has before it is asked for.
    people = {("Role", f"ksnapshot-{name}") for name in ("view", "admin", "delete")}
    assert whole - made == {("ServiceAccount", "ksnapshot-prune"), *people}
    assert made - whole == set()


def test_image_tag_counts_for_the_dumpers_too() -> None:
    objects = render("--set=image.tag=0.7.1")
    assert container(objects)["image"] == "ghcr.io/clickandmortar/ksnapshot:0.7.1"
    image = environment(objects)["POSTGRESQL_DUMPER_IMAGE_16"]
    assert image is not None
    assert image.endswith(":0.7.1")


def test_an_engine_is_one_entry_of_the_map(tmp_path: Path) -> None:
    chart = tmp_path / "ksnapshot"
    shutil.copytree(CHART, chart)
    schema = json.loads((chart / "values.schema.json").read_text())
    schema["properties"]["dumperImages"]["additionalProperties"] = True
    (chart / "values.schema.json").write_text(json.dumps(schema))
    values = yaml.safe_load((chart / "values.yaml").read_text())
    values["dumperImages"] |= {"redis": "", "mongodb": {"v7_0": "", "v8": "a/b:1"}}
    (chart / "values.yaml").write_text(yaml.safe_dump(values))
    objects = [item for item in libyaml.read_all(helm("template", "x", chart)) if item]
    published = "ghcr.io/clickandmortar/ksnapshot-dumper"
    found = environment(objects)
    assert found["REDIS_DUMPER_IMAGE"] == f"{published}-redis:0.7.0"
    assert found["MONGODB_DUMPER_IMAGE_7_0"] == f"{published}-mongodb-7.0:0.7.0"
    assert found["MONGODB_DUMPER_IMAGE_8"] == "a/b:1"


def test_an_image_that_old_values_lack_is_the_published_one() -> None:
    registry = "--set=global.imageRegistry=r.example"
    given = environment(render("--set=dumperImages.clickhouse=null", registry))
    published = "r.example/clickandmortar/ksnapshot-dumper-clickhouse:0.7.0"
    assert given["CLICKHOUSE_DUMPER_IMAGE"] == published


def test_two_versions_never_overlap() -> None:
    deployment = find(render(), "Deployment", "ksnapshot")
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize(("timeout", "grace"), [(None, 50), (600, 620)])
def test_a_stop_waits_for_the_call_under_way(timeout: int | None, grace: int) -> None:
    options = [f"--set=controller.apiTimeoutSeconds={timeout}"] if timeout else []
    pod = find(render(*options), "Deployment", "ksnapshot")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == grace


def test_controller_runs_without_privileges() -> None:
    objects = render()
    pod = find(objects, "Deployment", "ksnapshot")["spec"]["template"]["spec"]
    assert pod["securityContext"] == {
        "fsGroup": 65532,
        "runAsGroup": 65532,
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod["enableServiceLinks"] is False
    assert container(objects)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def test_probes_follow_the_port() -> None:
    made = container(render("--set=controller.httpPort=9000"))
    assert made["ports"] == [{"name": "http", "containerPort": 9000}]
    assert made["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert made["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert {"name": "HTTP_PORT", "value": "9000"} in made["env"]


@pytest.mark.parametrize("setting", ["watchNamespaces=*", "rbac.watchNamespaces={*}"])
def test_all_namespaces_are_watched_by_a_cluster_role_alone(setting: str) -> None:
    objects = render(f"--set={setting}", "--set=watchNamespaceSelector=team=shop")
    found = environment(objects)
    assert (found["WATCH_NAMESPACES"], found["WATCH_NAMESPACE_SELECTOR"]) == ("*", "team=shop")
    assert not [item for item in objects if item["metadata"]["name"] == "ksnapshot-watch"]
    rules = find(objects, "ClusterRole", "ksnapshot-backup-namespaces")["rules"]
    (role,) = [
        item["rules"]
        for item in render("--set=watchNamespaces=a")
        if (item["kind"], item["metadata"]["name"]) == ("Role", "ksnapshot-watch")
    ]
    assert [rule for rule in rules if rule in role] == role
    (listed, own, boards) = [rule for rule in rules if rule not in role]
    assert (listed["resources"], listed["verbs"]) == (["namespaces"], ["list"])
    assert (own["resourceNames"], own["verbs"]) == (["kube-system"], ["get"])
    assert (boards["resourceNames"], boards["verbs"]) == (["ksnapshot-status"], ["list"])
    assert environment(render("--set=watchNamespaces=*"))["WATCH_NAMESPACE_SELECTOR"] == ""


def test_names_of_single_namespaces_where_all_are_watched() -> None:
    names = '{"*": {"secrets": []}, "shop": {"secrets": ["db"], "configMaps": []}}'
    with pytest.raises(HelmError, match=r"rbac\.readNames\.shop\.configMaps narrows nothing"):
        render("--set=watchNamespaces=*", f"--set-json=rbac.readNames={names}")
    names = '{"*": {"secrets": []}, "shop": {"secrets": ["db"]}}'
    objects = render("--set=watchNamespaces=*", f"--set-json=rbac.readNames={names}")
    rules = find(objects, "ClusterRole", "ksnapshot-backup-namespaces")["rules"]
    assert not [rule for rule in rules if rule["resources"] == ["secrets"]]
    (_, secrets_) = find(objects, "Role", "ksnapshot-watch", "shop")["rules"]
    assert (secrets_["resourceNames"], secrets_["verbs"]) == (["db"], ["get"])


@pytest.mark.parametrize(
    "setting",
    [
        "rbac.watchNamespaces={a,b}",
        "watchNamespaces={a,b}",
        r"watchNamespaces=a\,b,rbac.watchNamespaces={b,a}",
        r"rbac.watchNamespaces=a\,b",
        r"rbac.watchNamespaces= a \,\, b\,a",
    ],
)
def test_watched_namespaces_by_set(setting: str) -> None:
    objects = render(f"--set={setting}")
    assert environment(objects)["WATCH_NAMESPACES"] == "a,b"
    roles = [item for item in objects if item["metadata"]["name"] == "ksnapshot-watch"]
    assert len(roles) == 4
    cluster_role = find(objects, "ClusterRole", "ksnapshot-backup-namespaces")
    assert cluster_role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["namespaces"],
            "resourceNames": ["a", "b", "kube-system"],
            "verbs": ["get"],
        }
    ]


def test_where_all_are_watched_the_notes_remove_the_boards_of_this_release_alone() -> None:
    text = helm("install", "shop", CHART, "--dry-run=client", "--set=watchNamespaces=*")
    (command,) = re.findall(r"kubectl delete configmaps --all-namespaces(.*?status)$", text, _FLAGS)
    assert "--field-selector metadata.name=shop-ksnapshot-status " in command


def _of_replicas(*arguments: str) -> tuple[str | None, int, bool, Any]:
    """Whether there is an election, rules about Leases, a budget of disruptions; and affinity."""
    objects = render(*arguments)
    rules = [rule for rule in find(objects, "Role", "ksnapshot")["rules"] if "leases" in str(rule)]
    has_budget = any(item["kind"] == "PodDisruptionBudget" for item in objects)
    pod = find(objects, "Deployment", "ksnapshot")["spec"]["template"]["spec"]
    return environment(objects)["LEADER_ELECTION"], len(rules), has_budget, pod.get("affinity")


def test_replicas_elect_a_leader_and_keep_apart() -> None:
    assert _of_replicas() == ("false", 0, False, None)
    assert _of_replicas("--set=replicaCount=0") == ("false", 0, False, None)
    assert _of_replicas("--set=leaderElection.enabled=true") == ("true", 2, False, None)
    election, rules, has_budget, affinity = _of_replicas("--set=replicaCount=2")
    assert (election, rules, has_budget) == ("true", 2, True)
    [term] = affinity["podAntiAffinity"].pop("preferredDuringSchedulingIgnoredDuringExecution")
    assert affinity == {"podAntiAffinity": {}}
    assert term["podAffinityTerm"]["labelSelector"]["matchLabels"] == {
        "app.kubernetes.io/name": "ksnapshot",
        "app.kubernetes.io/instance": "ksnapshot",
    }
    nodes = '--set-json=affinity={"nodeAffinity":{"a":1}}'
    *_, affinity = _of_replicas("--set=replicaCount=2", nodes)
    assert affinity.keys() == {"nodeAffinity", "podAntiAffinity"}
    own: dict[str, Any] = {
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}
    }
    *_, affinity = _of_replicas("--set=replicaCount=2", f"--set-json=affinity={json.dumps(own)}")
    assert affinity == own


def test_several_replicas_without_an_election_are_refused() -> None:
    with pytest.raises(HelmError, match=r"leaderElection\.enabled must not be false"):
        render("--set=replicaCount=2,leaderElection.enabled=false")


def test_numbers_stay_whole() -> None:
    objects = render("--set=controller.goneGraceSeconds=2592000")
    assert environment(objects)["GONE_GRACE_SECONDS"] == "2592000"


def test_secret_made_by_helm() -> None:
    keys = ["--set=secret.awsAccessKeyId=AK", "--set=secret.awsSecretAccessKey=a/b+c=="]
    objects = render("--set=secret.create=true", *keys, "--set=existingSecret=ignored")
    assert environment(objects)["BACKUP_SECRET_NAME"] == "ksnapshot-secret"
    data = find(objects, "Secret", "ksnapshot-secret")["data"]
    assert {name: base64.b64decode(value) for name, value in data.items()} == {
        "AWS_ACCESS_KEY_ID": b"AK",
        "AWS_SECRET_ACCESS_KEY": b"a/b+c==",
    }


def test_keyless() -> None:
    objects = render("--set=existingSecret=")
    assert environment(objects)["BACKUP_SECRET_NAME"] == ""
    assert [item for item in objects if item["kind"] == "Secret"] == []


def test_encryption() -> None:
    values = environment(
        render("--set=encryption.enabled=true", f"--set=encryption.recipient={_RECIPIENT}")
    )
    assert values["DEFAULT_ENCRYPTION_ENABLED"] == "true"
    assert values["DEFAULT_ENCRYPTION_RECIPIENT"] == _RECIPIENT


def test_config_map_has_what_is_set() -> None:
    def data(*settings: str) -> object:
        return find(render(*settings), "ConfigMap", "ksnapshot-cm")["data"]

    assert data("--set=s3.bucket=b") == {"S3_BUCKET": "b"}
    everything = (
        "--set=s3.bucket=b,s3.region=eu-west-3,s3.endpoint=https://s3.example",
        "--set=s3.pathStyle=false,s3.storageClass=STANDARD_IA,s3.maxBandwidth=10Mi",
        "--set=s3.patience=10m",
        "--set=s3.sse=aws:kms,s3.sseKmsKeyId=alias/b,s3.caBundle=PEM",
        "--set-string=s3.tags=team=a\\,env=b",
        "--set=s3.httpProxy=http://p:1,s3.httpsProxy=http://p:2,s3.noProxy=.local",
    )
    assert data(*everything) == {
        "S3_BUCKET": "b",
        "S3_REGION": "eu-west-3",
        "S3_ENDPOINT": "https://s3.example",
        "S3_PATH_STYLE": "false",
        "S3_STORAGE_CLASS": "STANDARD_IA",
        "S3_MAX_BANDWIDTH": "10Mi",
        "S3_PATIENCE": "10m",
        "S3_SSE": "aws:kms",
        "S3_SSE_KMS_KEY_ID": "alias/b",
        "S3_CA_BUNDLE": "PEM",
        "S3_TAGS": "team=a,env=b",
        "HTTP_PROXY": "http://p:1",
        "HTTPS_PROXY": "http://p:2",
        "NO_PROXY": ".local",
    }


def test_nothing_but_what_is_asked_for() -> None:
    objects = render(
        "--set=rbac.create=false",
        "--set=serviceAccount.create=false",
        "--set=backupJob.serviceAccount.create=false",
        "--set=prune.serviceAccount.create=false",
        "--set=existingConfigMap=cm,helmTest.enabled=false",
    )
    assert [item["kind"] for item in objects] == ["Deployment"]
    pod = objects[0]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "default"


def test_without_cluster_role() -> None:
    kinds = {item["kind"] for item in render("--set=rbac.createClusterRole=false")}
    assert kinds.isdisjoint({"ClusterRole", "ClusterRoleBinding"})


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            ["--set=rbac.watchNamespaces={}"],
            "rbac.watchNamespaces must contain at least one namespace",
        ),
        (
            ["--set=rbac.watchNamespaces="],
            "rbac.watchNamespaces must contain at least one namespace",
        ),
        (
            ["--set=encryption.enabled=true"],
            "encryption.recipient is required when encryption.enabled is true",
        ),
        (
            ["--set=secret.create=true", "--set=secret.awsAccessKeyId=a"],
            "secret.awsSecretAccessKey is required when secret.create is true",
        ),
        (
            [r"--set=podLabels.app\.kubernetes\.io/name=x"],
            "podLabels must not set app.kubernetes.io/name",
        ),
        (["--set=watchNamespaces={}"], "watchNamespaces must contain at least one namespace"),
        (
            ["--set=watchNamespaces={a,b}", "--set=rbac.watchNamespaces=a"],
            "watchNamespaces (a,b) and rbac.watchNamespaces (a) are two names of one value",
        ),
        (["--set=watchNamespace=x"], "additional properties 'watchNamespace' not allowed"),
        (
            ["--set=controller.httpPort=9000", "--set=statusPage.listen=0.0.0.0:9000"],
            "statusPage.listen must have another port than controller.httpPort",
        ),
        (["--set=statusPage.listen=localhost:8081"], "at '/statusPage/listen': "),
        (["--set=controller.gonePasses=0"], "at '/controller/gonePasses': minimum: got 0, want 1"),
    ],
)
def test_bad_values_are_refused_in_a_sentence(settings: list[str], sentence: str) -> None:
    with pytest.raises(HelmError) as refused:
        render(*settings)
    assert sentence in str(refused.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(HelmError) as refused:
        render(
            "--set=rbac.watchNamespaces=",
            "--set=encryption.enabled=true",
            "--set=secret.create=true",
        )
    assert str(refused.value).count("\n  - ") == 4


def test_as_a_part_of_another_chart(tmp_path: Path) -> None:
    parent = tmp_path / "parent"
    (parent / "charts").mkdir(parents=True)
    (parent / "charts" / "ksnapshot").symlink_to(CHART)
    (parent / "Chart.yaml").write_text(
        "apiVersion: v2\nname: parent\nversion: 1.0.0\n"
        "dependencies: [{name: ksnapshot, version: '*', condition: ksnapshot.enabled}]\n"
    )
    (parent / "values.yaml").write_text("global: {a: 1}\nksnapshot: {enabled: true}\n")
    assert "kind: Deployment" in helm("template", "x", parent)


def test_the_urls_of_notifications_are_mounted_and_never_written_down() -> None:
    objects = render("--set=s3.bucket=b,notifications.existingSecret=hooks")
    (deployment,) = (item for item in objects if item["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (volume,) = (item for item in pod["volumes"] if item["name"] == "notifications")
    assert (volume["secret"]["secretName"], volume["secret"]["optional"]) == ("hooks", True)
    keys = [item["key"] for item in volume["secret"]["items"]]
    assert keys == [URL_KEY, AUTHORIZATION_KEY, URLS_KEY]
    (mount,) = (
        item for item in container(objects)["volumeMounts"] if item["name"] == "notifications"
    )
    assert mount["readOnly"] is True
    assert environment(objects)["NOTIFICATIONS_FOLDER"] == mount["mountPath"]
    # It may read no Secret of its own namespace for it.
    assert "hooks" not in str([item for item in objects if item is not deployment])


def test_log_and_notifications_are_those_of_the_values() -> None:
    env = environment(
        render("--set=s3.bucket=b,log.level=debug,log.format=text,notifications.about=overdue")
    )
    shown = [env[name] for name in ("LOG_LEVEL", "LOG_FORMAT", "NOTIFICATIONS_ABOUT")]
    assert shown == ["debug", "text", "overdue"]
    assert env["NOTIFICATIONS_FOLDER"] == ""
