"""A world whose controller has the settings of a rendered chart, and what pods of it would get."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.integration.chart.helm import JsonObject, environment, find, render
from tests.integration.controller.world import Json, World, build
from tests.testbed.cluster.apiserver import ApiServer

# What a world has of its own.
_OWN = ("WATCH_NAMESPACES", "CLUSTER_NAME")


def charted(
    server: ApiServer, folder: Path, values: Mapping[str, Any]
) -> tuple[World, list[JsonObject]]:
    """The world with these chart values, and what helm rendered; the chart's ConfigMap is there."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump({"clusterName": "test", **values}))
    objects = render("--values", file)
    given: dict[str, Any] = {
        name: text for name, text in environment(objects).items() if text and name not in _OWN
    }
    world = build(server, CLUSTER_NAME="test", **given)
    config = find(objects, "ConfigMap", "ksnapshot-cm")
    world.api.create(config | {"metadata": {"name": "ksnapshot-cm", "namespace": world.control}})
    return world, objects


def keep(world: World, kind: str, name: str, data: Mapping[str, str]) -> None:
    """Make a Secret or ConfigMap of the control namespace."""
    meta = {"name": name, "namespace": world.control}
    content = {"stringData" if kind == "Secret" else "data": dict(data)}
    world.api.create({"apiVersion": "v1", "kind": kind, "metadata": meta, **content})


def container_of(cronjob: Json) -> Json:
    """The only container of a CronJob's pod."""
    (container,) = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    found: Json = container
    return found


def given_to(world: World, container: Json) -> dict[str, str]:
    """The variables that a kubelet would give to it, by what lies in the control namespace."""
    given = {}
    for entry in container["env"]:
        if "value" in entry:
            given[entry["name"]] = entry["value"].replace("$$", "$")
            continue
        ((source, reference),) = entry["valueFrom"].items()
        text = _looked_up(world, source, reference)
        if text is None:
            assert reference.get("optional"), f"the container would not begin: {reference}"
        else:
            given[entry["name"]] = text
    return given


def _looked_up(world: World, source: str, reference: Json) -> str | None:
    kind = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}[source]
    found = world.api.get("v1", kind, world.control, reference["name"]) or {}
    text: str | None = found.get("data", {}).get(reference["key"])
    return base64.b64decode(text).decode() if text is not None and kind == "Secret" else text


def bucket_info(**access: str) -> str:
    """A Secret's text as COSI writes it."""
    spec = {"bucketName": access.pop("bucket"), "authenticationType": "KEY", "secretS3": access}
    return json.dumps({"metadata": {"name": "granted"}, "spec": spec})
