"""What the ConfigMaps of a cluster in memory show."""

import json
from typing import Any

from tests.fakes.kube_memory import Document, MemoryApi
from tests.fakes.worlds import CONTROL

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
