"""Further variables, volumes and mounts of dump pods, and what they must leave to us.

A variable of ours that a user sets would send a dump elsewhere, or under another identity; which
keys a whole Secret or ConfigMap brings nobody can check, so there is no `envFrom`.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from dumpers.engines.registry import ENGINES

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,252}", re.ASCII)
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_PATH = re.compile(r"(/[A-Za-z0-9._-]+)+", re.ASCII)
# The store, the run, encryption, identities of clouds, and what changes how programs load.
_PREFIXES = ("BACKEND_", "STORAGE_", "KSNAPSHOT_", "ENCRYPTION_", "AWS_", "PYTHON", "LD_")
_NAMES = frozenset({"PATH", "HOME", "HOSTNAME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"})
# Those of the SDK that say nothing of who asks, and of no other store.
_HARMLESS = frozenset({"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_STS_REGIONAL_ENDPOINTS"})
# All that the engines' tools read begins like one of their variables: MYSQL_, PG, ELASTIC.
_ENGINES = tuple(
    sorted(
        {
            name.partition("_")[0]
            for engine in ENGINES
            for name in (
                *engine.variables,
                *engine.source_variables,
                *engine.option_variables,
                *(number.variable for number in engine.numbers),
            )
        }
    )
)
_SOURCES = {"secretKeyRef", "configMapKeyRef"}
_OWN_VOLUMES = frozenset({"tmp", "ca", "identity", "exchange", "drill", "passwd"})
_OWN_PATHS = ("/tmp", "/etc/ksnapshot", "/run", "/var/run")  # noqa: S108  the pod's
_SYSTEM = ("/bin", "/dev", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr", "/opt")
# What a volume may be, and what of it the API server fills in.
_KINDS: Mapping[str, Mapping[str, Any]] = {
    "secret": {"defaultMode": 0o644},
    "configMap": {"defaultMode": 0o644},
    "emptyDir": {},
    "persistentVolumeClaim": {},
}


def is_ours(variable: str) -> bool:
    """Whether a variable of a dump pod is set by us, or read by a tool that a dump runs."""
    name = variable.upper()
    return name not in _HARMLESS and (name.startswith((*_PREFIXES, *_ENGINES)) or name in _NAMES)


def extra_env(given: Sequence[Any]) -> list[Mapping[str, Any]]:
    """Variables as Kubernetes has them; ValueError for one that is ours or comes from elsewhere."""
    for entry in given:
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise ValueError('must hold extraEnv as a list of {"name": …, "value": …}')
        if is_ours(name):
            raise ValueError(f"must not hold extraEnv.{name}: ksnapshot or its tools read it")
        source = entry.get("valueFrom")
        is_value = isinstance(entry.get("value"), str) and entry.keys() == {"name", "value"}
        is_source = isinstance(source, dict) and len(source) == 1 and source.keys() <= _SOURCES
        if not is_value and not (is_source and entry.keys() == {"name", "valueFrom"}):
            raise ValueError(
                f"must hold extraEnv.{name} with a text as value, or a valueFrom with one of"
                f" {', '.join(sorted(_SOURCES))}"
            )
    _no_doubles("extraEnv", [entry["name"] for entry in given])
    return list(given)


def extra_volumes(given: Sequence[Any]) -> Mapping[str, Mapping[str, Any]]:
    """Volumes by their names, as the API server would have them; ValueError for one of ours."""
    found = {}
    for entry in given:
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError('must hold extraVolumes as a list of {"name": …, "secret": …}')
        if name in _OWN_VOLUMES or name.startswith("tmp-"):
            raise ValueError(f"must not hold extraVolumes.{name}: ksnapshot has one of that name")
        kinds = entry.keys() - {"name"}
        if len(kinds) != 1 or not kinds <= _KINDS.keys():
            raise ValueError(f"must hold extraVolumes.{name} with one of {', '.join(_KINDS)}")
        (kind,) = kinds
        source = entry[kind]
        if not isinstance(source, dict):
            raise ValueError(f"must hold extraVolumes.{name}.{kind} as an object")  # noqa: TRY004
        found[name] = {"name": name, kind: {**_KINDS[kind], **source}}
    _no_doubles("extraVolumes", [entry["name"] for entry in given])
    return found


def extra_mounts(
    given: Sequence[Any], volumes: Mapping[str, Any]
) -> Mapping[str, Mapping[str, Any]]:
    """Mounts of these volumes by their paths; ValueError for a path that is ours."""
    for entry in given:
        path = entry.get("mountPath") if isinstance(entry, dict) else None
        if not isinstance(path, str) or not _PATH.fullmatch(path) or ".." in path:
            raise ValueError('must hold extraVolumeMounts as a list of {"name": …, "mountPath": …}')
        if any(PurePosixPath(path).is_relative_to(own) for own in (*_OWN_PATHS, *_SYSTEM)):
            raise ValueError(f"must not mount {path}: ksnapshot or its image has that folder")
        if entry.get("name") not in volumes:
            raise ValueError(f"must mount at {path} a volume of extraVolumes")
    _no_doubles("extraVolumeMounts", [entry["mountPath"] for entry in given])
    return {entry["mountPath"]: entry for entry in given}


def _no_doubles(name: str, keys: Sequence[str]) -> None:
    if doubles := sorted({key for key in keys if keys.count(key) > 1}):
        raise ValueError(f"must hold each of {name} once, not {', '.join(doubles)} twice")
