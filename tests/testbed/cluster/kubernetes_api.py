"""The OpenAPI documents of Kubernetes' releases, from the release's own Go module."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.testbed.toolchain import cache
from tests.testbed.toolchain.tools import go

# The last patch of some minor releases, and the checksum of its module as go.sum has it. The
# first is the oldest that the chart takes, the last the one that the testbed runs.
RELEASES: Mapping[str, str] = {
    "v1.26.15": "h1:o65B3kKH7q9xK2h2323rKKThI1rp3ZarXpb8asT932U=",
    "v1.30.14": "h1:MrlKXh9uhLIJpyxOeXhcndzRVSvwiV9iJ8NgH8nqPsg=",
    "v1.33.4": "h1:T1d5FLUYm3/KyUeV7YJhKTR980zHCHb7K2xhCSo3lE8=",
    "v1.36.3": "h1:qDQdoMiluAE2Eab6Fa52YV+WjiGz9mZFFoagEA6cI+o=",
}
_KINDS = "x-kubernetes-group-version-kind"
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
}
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


class OpenApi:
    """What one release of Kubernetes says its objects look like."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._definitions: Mapping[str, Any] = document["definitions"]
        self._by_kind = {
            (kind["group"], kind["version"], kind["kind"]): name
            for name, schema in self._definitions.items()
            for kind in schema.get(_KINDS, ())
            if len(schema[_KINDS]) == 1
        }

    def faults(self, item: Mapping[str, Any]) -> list[str] | None:
        """What is wrong with an object, unknown fields included; None for an unknown kind."""
        group, _, version = item["apiVersion"].rpartition("/")
        name = self._by_kind.get((group, version, item["kind"]))
        return None if name is None else list(self._faults(item, {"$ref": name}, ""))

    def _faults(self, value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
        name = schema.get("$ref", "").rpartition("/")[2]
        if name == _QUANTITY and isinstance(value, (int, float)):
            return
        found = self._definitions[name] if name else schema
        kind = found.get("type")
        if found.get("format") == "int-or-string" and isinstance(value, int):
            return
        is_number_as_bool = isinstance(value, bool) and kind != "boolean"
        if kind and (is_number_as_bool or not isinstance(value, _TYPES[kind])):
            yield f"{path}: {type(value).__name__}, not {kind}"
        elif kind == "array":
            for at, entry in enumerate(value):
                yield from self._faults(entry, found["items"], f"{path}[{at}]")
        elif isinstance(value, dict):
            yield from self._member_faults(value, found, path)

    def _member_faults(
        self, value: Mapping[str, Any], schema: Mapping[str, Any], path: str
    ) -> Iterator[str]:
        members, others = schema.get("properties", {}), schema.get("additionalProperties")
        for required in schema.get("required", ()):
            if required not in value:
                yield f"{path}: no {required}"
        for key, entry in value.items():
            inner = members.get(key, others)
            if inner is None:
                if members:
                    yield f"{path}.{key}: not known"
            elif isinstance(inner, dict):
                yield from self._faults(entry, inner, f"{path}.{key}")


def openapi(release: str) -> OpenApi:
    """The document of a release of RELEASES, fetched now if it is not in the cache."""
    key = [release, RELEASES[release]]
    folder = cache.entry("kubernetes-openapi", key, lambda target: _fetch(release, target))
    return OpenApi(json.loads((folder / "swagger.json").read_bytes()))


def _fetch(release: str, target: Path) -> None:
    done = subprocess.run(
        [go(), "mod", "download", "-json", f"k8s.io/kubernetes@{release}"],
        cwd=target,
        env={**os.environ, "GOWORK": "off", "GOFLAGS": "", "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(done.stdout or "{}")
    if told.get("Sum") != RELEASES[release]:
        raise RuntimeError(
            f"Kubernetes {release} could not be fetched, or is another one than we know:"
            f" {told.get('Error') or told.get('Sum') or done.stderr[-500:]}"
        )
    shutil.copyfile(
        Path(told["Dir"]) / "api" / "openapi-spec" / "swagger.json", target / "swagger.json"
    )
