"""The fields of dump pods that the operator sets, given as one JSON object."""

from collections.abc import Mapping
from typing import Any

from controller.settings import parsers
from controller.settings.pods.extras import extra_env, extra_mounts, extra_volumes
from controller.settings.pods.security import (
    CONTAINER_SECURITY,
    POD_SECURITY,
    container_security,
    pod_security,
)
from controller.settings.pods.stored import as_stored

POD_FIELDS: Mapping[str, type] = {
    "resources": dict,
    "nodeSelector": dict,
    "tolerations": list,
    "affinity": dict,
    "topologySpreadConstraints": list,
    "priorityClassName": str,
    "runtimeClassName": str,
    "hostAliases": list,
    "dnsConfig": dict,
    "imagePullSecrets": list,
    "podSecurityContext": dict,
    "containerSecurityContext": dict,
    "extraEnv": list,
    "extraVolumes": list,
    "extraVolumeMounts": list,
    "labels": dict,
    "annotations": dict,
}


def parse_job_pod(text: str) -> Mapping[str, Any]:
    """Read the JSON object with a dump pod's extra fields; the API server checks most insides.

    `extraVolumes` and `extraVolumeMounts` are by their names and paths then, and a security context
    is there only where it is not ours.
    """
    found = parsers.json_object(text)
    for name, value in found.items():
        if not isinstance(value, POD_FIELDS.get(name, ())):
            known = ", ".join(f"{key} ({kind.__name__})" for key, kind in POD_FIELDS.items())
            raise ValueError(f"must hold no {name} like that, only {known}")  # noqa: TRY004
    for name in ("nodeSelector", "labels", "annotations"):
        if not all(isinstance(value, str) for value in found.get(name, {}).values()):
            raise ValueError(f"must have text only as values of {name}")
    found = {name: value for name, value in found.items() if value}
    volumes = extra_volumes(found.get("extraVolumes", ()))
    made: dict[str, Any] = {
        "resources": parsers.resources(found.get("resources", {})),
        "podSecurityContext": pod_security(found.get("podSecurityContext", POD_SECURITY)),
        "containerSecurityContext": container_security(
            found.get("containerSecurityContext", CONTAINER_SECURITY)
        ),
        "extraEnv": extra_env(found.get("extraEnv", ())),
        "extraVolumes": volumes,
        "extraVolumeMounts": extra_mounts(found.get("extraVolumeMounts", ()), volumes),
    }
    for name, own in (
        ("podSecurityContext", POD_SECURITY),
        ("containerSecurityContext", CONTAINER_SECURITY),
    ):
        if made[name] == own:
            del made[name]
            found.pop(name, None)
    whole = as_stored({**found, **made})
    return {name: value for name, value in whole.items() if value}
