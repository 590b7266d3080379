"""What the ConfigMaps of a cluster in memory show."""

import json
from typing import Any

from controller.model import names
from tests.fakes.kube_memory import Document, MemoryApi
from tests.fakes.worlds import CONTROL, reference

NAME = "ksnapshot-status"


def config_map(api: MemoryApi, namespace: str = CONTROL) -> Document:
    return api.items["ConfigMap", namespace, NAME]


def document(api: MemoryApi, namespace: str = CONTROL) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(config_map(api, namespace)["data"]["workloads.json"])
    return found


def rows(api: MemoryApi, namespace: str = CONTROL) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document(api, namespace)["workloads"]
    return found


def row(api: MemoryApi, namespace: str = CONTROL) -> dict[str, Any]:
    (found,) = rows(api, namespace)
    return found


def summary(api: MemoryApi, namespace: str) -> str:
    text: str = config_map(api, namespace)["data"]["summary.txt"]
    return text


def ended_pod(api: MemoryApi, made: Document, finished: str, **said: Any) -> None:
    """The pod of a Job's run, with what its dumper said."""
    document = {"exit_code": 0, "reason": "Succeeded", "message": "", "succeeded": True} | said
    ended = {
        "exitCode": document["exit_code"],
        "finishedAt": finished,
        "message": json.dumps(document),
    }
    name = f"{made['metadata']['name']}-abcde"
    labels = {names.MANAGED_BY_LABEL: names.MANAGED_BY, "job-name": made["metadata"]["name"]}
    meta = {"name": name, "namespace": CONTROL, "uid": name, "labels": labels}
    api.put(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": meta | {"ownerReferences": [reference(made)]},
            "status": {
                "phase": "Succeeded",
                "containerStatuses": [{"name": "job", "state": {"terminated": ended}}],
            },
        }
    )
