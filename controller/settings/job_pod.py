"""The fields of dump pods that the operator sets, given as one JSON object."""

from collections.abc import Mapping
from typing import Any

from controller.settings import parsers

POD_FIELDS: Mapping[str, type] = {
    "resources": dict,
    "nodeSelector": dict,
    "tolerations": list,
    "affinity": dict,
    "priorityClassName": str,
    "imagePullSecrets": list,
    "labels": dict,
    "annotations": dict,
}


def parse_job_pod(text: str) -> Mapping[str, Any]:
    """Read the JSON object with a dump pod's extra fields; the API server checks most insides."""
    found = parsers.json_object(text)
    for name, value in found.items():
        if not isinstance(value, POD_FIELDS.get(name, ())):
            known = ", ".join(f"{key} ({kind.__name__})" for key, kind in POD_FIELDS.items())
            raise ValueError(f"must hold no {name} like that, only {known}")  # noqa: TRY004
    for name in ("nodeSelector", "labels", "annotations"):
        if not all(isinstance(value, str) for value in found.get(name, {}).values()):
            raise ValueError(f"must have text only as values of {name}")
    return {
        name: parsers.resources(value) if name == "resources" else value
        for name, value in found.items()
        if value
    }
