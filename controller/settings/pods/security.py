"""The security contexts of job pods: what Kubernetes' level `restricted` asks for always holds.

A user may choose ids, leave them to the cluster, and add what says more than `restricted` does.
"""

from collections.abc import Callable, Mapping
from typing import Any

# Kubernetes' own names.
SECCOMP, NON_ROOT = "seccompProfile", "runAsNonRoot"
USER, GROUP = "runAsUser", "runAsGroup"
_ID = 65532
POD_SECURITY: Mapping[str, Any] = {
    USER: _ID,
    GROUP: _ID,
    "fsGroup": _ID,
    NON_ROOT: True,
    SECCOMP: {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_profile(value: Any) -> bool:
    return isinstance(value, dict) and (
        value.get("type") == "RuntimeDefault"
        or (value.get("type") == "Localhost" and bool(value.get("localhostProfile")))
    )


# What the levels `baseline` and `restricted` let a type be; no user and no role.
_SELINUX_TYPES = frozenset(
    {"container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
)


def _is_selinux(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() <= {"level", "type"}
        and all(isinstance(text, str) for text in value.values())
        and value.get("type", "container_t") in _SELINUX_TYPES
    )


_SHARED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    USER: (_is_id, "a number from 1 on"),
    GROUP: (_is_id, "a number from 1 on"),
    NON_ROOT: (lambda value: value is True, "true"),
    SECCOMP: (_is_profile, "of the type RuntimeDefault, or Localhost with a localhostProfile"),
    "appArmorProfile": (
        _is_profile,
        "of the type RuntimeDefault, or Localhost with a localhostProfile",
    ),
    "seLinuxOptions": (
        _is_selinux,
        f"a level and a type, one of {', '.join(sorted(_SELINUX_TYPES))}",
    ),
}
_OF_PODS = {
    **_SHARED,
    "fsGroup": (_is_id, "a number from 1 on"),
    "fsGroupChangePolicy": (
        lambda value: value in {"Always", "OnRootMismatch"},
        "Always or OnRootMismatch",
    ),
    "supplementalGroups": (
        lambda value: isinstance(value, list) and all(map(_is_id, value)),
        "a list of numbers from 1 on",
    ),
}
_OF_CONTAINERS = {
    **_SHARED,
    "allowPrivilegeEscalation": (lambda value: value is False, "false"),
    "readOnlyRootFilesystem": (lambda value: value is True, "true"),
    "capabilities": (lambda value: value == {"drop": ["ALL"]}, '{"drop": ["ALL"]}'),
}


def pod_security(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The security context of a pod; ValueError says what `restricted` does not allow."""
    return _checked("podSecurityContext", given, _OF_PODS, (NON_ROOT, SECCOMP))


def container_security(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The security context of a container; ValueError says what `restricted` does not allow."""
    return _checked("containerSecurityContext", given, _OF_CONTAINERS, CONTAINER_SECURITY)


def _checked(
    name: str,
    given: Mapping[str, Any],
    known: Mapping[str, tuple[Callable[[Any], bool], str]],
    required: Any,
) -> Mapping[str, Any]:
    found = {field: value for field, value in given.items() if value is not None}
    for field, value in found.items():
        is_right, wanted = known.get(field, (None, ""))
        if is_right is None:
            raise ValueError(f"must hold no {name}.{field}, only {', '.join(known)}")
        if not is_right(value):
            raise ValueError(f"must hold {name}.{field} as {wanted}")
    if missing := [field for field in required if field not in found]:
        raise ValueError(f"must hold {name}.{' and '.join(missing)}: `restricted` asks for it")
    return found
