import json
from typing import Any

import pytest

from controller.manifests.cronjob import build_cronjob
from controller.manifests.optional_fields import (
    CA_VOLUME,
    POD_FIELDS,
    RESOURCES,
    SUSPEND,
    TTL,
    OptionalField,
    Place,
    fields_at,
    managed_fields,
    record,
    recorded_fields,
)
from controller.manifests.overlay import overlay
from controller.model import names
from controller.model.objects import DELETE, Json, ObjectRef, annotations_of
from controller.model.owner import Owner
from controller.settings.job_pod import POD_FIELDS as SETTING_FIELDS
from controller.workloads.backup_spec import BackupSpec
from tests.fakes.worlds import request, settings

LABEL = OptionalField(word="label:team", place=Place.POD_LABELS, key="team")
NOTE = OptionalField(word="annotation:a/b", place=Place.POD_ANNOTATIONS, key="a/b")


def recording(words: str) -> Json:
    return {"metadata": {"annotations": {names.OPTIONAL_FIELDS: words}}}


@pytest.mark.parametrize("item", [SUSPEND, RESOURCES, CA_VOLUME, TTL, *POD_FIELDS, LABEL, NOTE])
def test_a_field_comes_back_from_its_word(item: OptionalField) -> None:
    assert list(recorded_fields(recording(record({item: "value"})))) == [item]
    assert managed_fields({}, recording(item.word)) == {item: DELETE}
    assert managed_fields({item: 1}, recording(item.word)) == {item: 1}
    assert fields_at(item.place, {item: 1}) == {item.key: 1}


def test_words_that_nobody_knows_are_skipped() -> None:
    assert list(recorded_fields(recording("hostNetwork suspend"))) == [SUSPEND]
    assert list(recorded_fields({})) == []


def spec(certificates: str = "", **values: Any) -> BackupSpec:
    found = request(**values)
    return BackupSpec(
        name="cronjob",
        owner=Owner(namespace="demo", ref=ObjectRef(kind="StatefulSet", name="db")),
        engine=found.engine,
        request=found,
        host="db",
        port=5432,
        credentials={},
        certificates=certificates,
    )


POD: dict[str, Any] = {
    "resources": {"limits": {"cpu": "1"}},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "backup"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [{"maxSkew": 1}],
    "priorityClassName": "low",
    "runtimeClassName": "gvisor",
    "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["store"]}],
    "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
    "imagePullSecrets": [{"name": "pull"}],
    "podSecurityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containerSecurityContext": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsUser": 1000,
    },
    "extraEnv": [{"name": "TZ", "value": "UTC"}],
    "extraVolumes": [{"name": "hosts", "configMap": {"name": "hosts"}}],
    "extraVolumeMounts": [{"name": "hosts", "mountPath": "/etc/hosts.d"}],
    "labels": {"team": "a"},
    "annotations": {"a/b": "c"},
}


def test_every_optional_field_is_set_recorded_and_taken_back_whole() -> None:
    assert POD.keys() == SETTING_FIELDS.keys()
    plain = overlay(None, build_cronjob(spec(), settings(), "id", None))
    asking = settings(BACKUP_JOB_POD=json.dumps(POD), BACKUP_JOB_TTL_SECONDS="7200")
    full = build_cronjob(spec("PEM", suspend="true"), asking, "id", plain)
    written = overlay(plain, full)
    words = annotations_of(written)[names.OPTIONAL_FIELDS].split()
    # Ours with another value; nothing of it is left behind without a record.
    whole = ("podSecurityContext", "containerSecurityContext", "extraEnv")
    assert len(words) == len(POD) - len(whole) + len(("suspend", "ca", "ttl"))
    pod = written["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["securityContext"] == POD["podSecurityContext"]
    [container] = pod["containers"]
    assert container["securityContext"] == POD["containerSecurityContext"]
    assert container["env"][-1] == {"name": "TZ", "value": "UTC"}
    assert container["volumeMounts"][-1]["mountPath"] == "/etc/hosts.d"
    assert pod["volumes"][-1]["configMap"] == {"name": "hosts", "defaultMode": 0o644}
    assert "DELETE" not in repr(written)
    taken_back = overlay(written, build_cronjob(spec(), settings(), "id", written))
    assert taken_back == plain
