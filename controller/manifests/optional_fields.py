"""Fields that are managed only while a setting or an annotation asks for them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from controller.manifests.job_env import CA_VOLUME
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec

# Fields that may be held: of the CronJob, of the container, and of the pod.
SUSPEND = "suspend"
RESOURCES = "resources"
POD_FIELDS = (
    "nodeSelector",
    "tolerations",
    "affinity",
    "priorityClassName",
    "imagePullSecrets",
)
# The pod's labels and annotations are held one by one, under these prefixes.
POD_METADATA = {"labels": "label:", "annotations": "annotation:"}


def requested_fields(spec: BackupSpec, settings: Settings) -> dict[str, Any]:
    """The fields that are ours only while they are asked for, by the word that records them."""
    pod, request = settings.job_pod, spec.request
    asked = {name: pod[name] for name in (RESOURCES, *POD_FIELDS) if name in pod}
    for field, prefix in POD_METADATA.items():
        asked |= {prefix + key: value for key, value in pod.get(field, {}).items()}
    if request.resources:
        asked[RESOURCES] = json.loads(request.resources)
    if request.suspend is not None:
        asked[SUSPEND] = request.suspend
    if spec.certificates:
        asked[CA_VOLUME] = spec.name
    return asked


def select(found: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The named entries that there are."""
    return {name: found[name] for name in names if name in found}
