"""Each value of storages, classes, hosts and limits has a test that sees its effect.

That is an effect on an object in a store or in a real API server, or on requests that were sent:
no test of what the chart or the controller wrote as text counts here. Values that are the chart's
own have their effect on an object that helm renders.
"""

import json
from collections.abc import Iterator
from typing import Any

from controller.workloads.classes.keys import IN_CLASSES
from tests.paths import REPOSITORY

_CHAIN = "tests/integration/controller/test_storage_chain.py"
_STORED = f"{_CHAIN}::test_what_the_values_say_is_what_lies_in_the_stores"
_ACCOUNTS = f"{_CHAIN}::test_each_kind_of_job_goes_there_with_its_own_account"
_OFFERED = "tests/integration/controller/test_offered.py"
_NOT_FOR_ALL = f"{_OFFERED}::test_storages_that_are_not_for_a_workload"
_HELD = f"{_OFFERED}::test_whatever_a_class_holds_is_on_the_cronjobs"
_CLASSED = f"{_OFFERED}::test_who_has_no_class_and_whom_a_class_is_not_for"
_LIMITED = f"{_OFFERED}::test_limits_of_a_namespace"
_S3 = "tests/integration/dumpers/test_s3.py"
_PATIENCE = "tests/integration/dumpers/test_patience.py"
_UPLOADS = "tests/integration/dumpers/test_storages.py"

EFFECTS = {
    **dict.fromkeys(
        (
            *("bucket", "endpoint", "region", "path", "credentialsSecret", "bucketInfoSecret"),
            *("ca.secret", "ca.configMap", "ca.key", "sse", "sseKmsKeyId", "storageClass", "tags"),
            *("objectLock.mode", "objectLock.days"),
        ),
        _STORED,
    ),
    **dict.fromkeys(("readerSecret", "pruneSecret"), _ACCOUNTS),
    **dict.fromkeys(("accessMode", "namespaces", "main.namespaces"), _NOT_FOR_ALL),
    "pathStyle": f"{_S3}::test_path_style_and_proxy",
    "maxBandwidth": f"{_S3}::test_the_bandwidth_is_kept_and_an_interrupt_heard",
    "patience": f"{_PATIENCE}::test_a_store_that_is_away_is_waited_for",
    "uploadConcurrency": f"{_UPLOADS}::test_as_many_parts_are_under_way_as_a_store_is_to_get",
    **dict.fromkeys((f"classes.{key}" for key in IN_CLASSES), _HELD),
    "classes.defaultFor.namespaces": _HELD,
    "classes.defaultFor.labels": _CLASSED,
    "classes.namespaces": _CLASSED,
    "classes.allow": "tests/integration/controller/test_classes.py"
    "::test_a_class_says_what_a_workload_does_not_and_refuses_what_it_may_not",
    "classRequired": _CLASSED,
    "hosts.allowed": f"{_OFFERED}::test_hosts_that_are_allowed",
    "limits.workloadsPerNamespace": _LIMITED,
    "limits.minIntervalSeconds": _LIMITED,
}
_IMAGES = ("mysql.v5_7", "mysql.v8", "postgresql.v16", "elasticsearch", "clickhouse")
_RENDER = "tests/integration/chart/test_render.py"
_NETWORK = "tests/integration/chart/values/test_network.py"
_METRICS = "tests/integration/chart/values/test_monitors.py"
_PODS = "tests/integration/chart/values/test_pods.py"
_NAMES = "tests/integration/chart/values/test_names.py"
# Values of the chart alone, whose effect is on an object that helm renders.
RENDERED = {
    "watchNamespaces": f"{_RENDER}::test_watched_namespaces_by_set",
    "rbac.watchNamespaces": f"{_RENDER}::test_watched_namespaces_by_set",
    "watchNamespaceSelector": "tests/integration/controller/test_all_namespaces.py::"
    "test_those_whose_labels_fit_are_backed_up",
    "rbac.readNames": "tests/integration/controller/test_read_names.py::"
    "test_a_named_secret_is_read_and_of_another_one_the_missing_right_is_told",
    "namespaceOverride": f"{_NAMES}::test_objects_are_where_the_override_says",
    "commonLabels": f"{_NAMES}::test_common_labels_and_annotations_are_on_every_object",
    "commonAnnotations": f"{_NAMES}::test_common_labels_and_annotations_are_on_every_object",
    "global.imageRegistry": f"{_NAMES}::test_a_registry_takes_the_place_of_the_published_one",
    "image.digest": f"{_NAMES}::test_a_digest_is_part_of_the_image",
    **dict.fromkeys(
        (f"dumperDigests.{image}" for image in _IMAGES),
        f"{_NAMES}::test_a_digest_is_part_of_the_image",
    ),
    **dict.fromkeys(
        (
            *("topologySpreadConstraints", "priorityClassName", "runtimeClassName"),
            *("hostAliases", "dnsConfig", "extraEnv", "extraEnvFrom", "extraVolumes"),
            "extraVolumeMounts",
        ),
        f"{_PODS}::test_what_is_asked_of_the_controllers_pod_is_in_it",
    ),
    **dict.fromkeys(
        (
            f"backupJob.pod.{name}"
            for name in (
                *("topologySpreadConstraints", "priorityClassName", "runtimeClassName"),
                *("hostAliases", "dnsConfig", "extraEnv", "extraVolumes", "extraVolumeMounts"),
            )
        ),
        f"{_PODS}::test_what_is_asked_of_dump_pods_reaches_their_cronjobs",
    ),
    **dict.fromkeys(
        (
            *("podSecurityContext", "containerSecurityContext"),
            *("backupJob.pod.podSecurityContext", "backupJob.pod.containerSecurityContext"),
        ),
        f"{_PODS}::test_ids_may_be_left_to_the_cluster",
    ),
    "extraObjects": f"{_PODS}::test_objects_of_the_users_own_are_rendered",
    **dict.fromkeys(
        (
            f"networkPolicy.{name}"
            for name in (
                *("enabled", "dnsPorts", "dns", "apiServerPorts", "apiServer", "databasePorts"),
                *("databases", "storePorts", "store", "identity", "metricsFrom", "extraEgress"),
            )
        ),
        f"{_NETWORK}::test_every_value_is_in_the_rules_of_those_whom_it_is_about",
    ),
    **dict.fromkeys(
        (
            f"metrics.{kind}.{name}"
            for kind in ("serviceMonitor", "podMonitor")
            for name in ("interval", "scrapeTimeout", "relabelings", "metricRelabelings")
        ),
        f"{_METRICS}::test_monitors_scrape_as_values_say",
    ),
    "metrics.renderMode": f"{_METRICS}::test_kinds_that_a_cluster_lacks_may_be_left_out",
    "metrics.prometheusRule.interval": f"{_METRICS}::test_alerts_are_evaluated_as_values_say",
    **dict.fromkeys(
        ("metrics.service.ipFamilyPolicy", "metrics.service.ipFamilies"),
        f"{_METRICS}::test_a_service_of_two_stacks",
    ),
    **dict.fromkeys(
        (
            *("backupJob.successfulJobsHistoryLimit", "backupJob.failedJobsHistoryLimit"),
            "backupJob.ttlSecondsAfterFinished",
            *("prune.successfulJobsHistoryLimit", "prune.failedJobsHistoryLimit"),
        ),
        f"{_PODS}::test_how_long_jobs_stay",
    ),
    **dict.fromkeys(
        ("podDisruptionBudget.enabled", "podDisruptionBudget.maxUnavailable"),
        f"{_PODS}::test_a_budget_of_disruptions_is_as_values_say",
    ),
    "helmTest.enabled": f"{_PODS}::test_the_pod_of_helm_test_is_the_controllers_but_for_its_labels",
}
_WHOLE = "resources"
"""A member that is an object of Kubernetes' own."""


def _leaves(name: str, schema: dict[str, Any]) -> Iterator[str]:
    members = schema.get("properties", {})
    if not members or name.endswith(_WHOLE):
        yield name
    for member, inner in members.items():
        yield from _leaves(f"{name}.{member}" if name else member, inner)


def test_every_value_has_a_test_of_its_effect() -> None:
    schema = json.loads((REPOSITORY / "charts/ksnapshot/values.schema.json").read_text())
    values, definitions = schema["properties"], schema["definitions"]
    there = {
        *_leaves("", definitions["storage"]),
        *_leaves("main", values["storages"]["patternProperties"]["^main$"]),
        *_leaves("classes", definitions["class"]),
        *_leaves("classRequired", values["classRequired"]),
        *_leaves("hosts", values["hosts"]),
        *_leaves("limits", values["limits"]),
    }
    assert set(EFFECTS) == there
    assert set(RENDERED) - set(_leaves("", schema)) == set()
    for named in (*EFFECTS.values(), *RENDERED.values()):
        path, _, test = named.partition("::")
        assert f"\ndef {test}(" in (REPOSITORY / path).read_text(), named
