"""Every Role of the chart gives these verbs and no more, so that none can go or come unnoticed.

What the controller's are for is tried on a real API server, verb by verb, by
tests/integration/controller/test_rights.py.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from tests.integration.chart import rights
from tests.integration.chart.helm import render

Rights = Mapping[str, set[str]]
_PEOPLE = {
    "ksnapshot-view": rights.VIEW,
    "ksnapshot-admin": rights.ADMIN,
    "ksnapshot-delete": rights.DELETE,
}
_CONTROL = rights.CONTROL | rights.CONTROL_BY_NAME
_OWN = {"namespaces/kube-system": {"get"}}
_CLUSTER = _OWN | {"namespaces/a": {"get"}}
_WATCHED = rights.WATCHED | rights.WATCHED_BY_NAME
_NAMED = {
    resource: verbs - {"get"} if resource == "configmaps" else verbs
    for resource, verbs in _WATCHED.items()
    if resource != "secrets"
} | {"secrets/db": {"get"}, rights.STATUS: {"get", "update"}}
_BOARDLESS = {
    resource: {"get"} if resource == "configmaps" else verbs
    for resource, verbs in rights.WATCHED.items()
}
# Arguments of helm, and the Roles that they make besides those of people.
_CASES: Mapping[str, tuple[tuple[str, ...], Mapping[str, Rights]]] = {
    "named": (
        ("--set=watchNamespaces=a",),
        {
            "ksnapshot": _CONTROL,
            "ksnapshot-watch": _WATCHED,
            "ksnapshot-backup-namespaces": _CLUSTER,
        },
    ),
    "all": (
        ("--set=watchNamespaces=*",),
        {
            "ksnapshot": _CONTROL,
            "ksnapshot-backup-namespaces": rights.ALL | rights.ALL_BY_NAME,
        },
    ),
    "replicas": (
        ("--set=watchNamespaces=a,replicaCount=2",),
        {
            "ksnapshot": _CONTROL | rights.REPLICAS,
            "ksnapshot-watch": _WATCHED,
            "ksnapshot-backup-namespaces": _CLUSTER,
        },
    ),
    "names": (
        (
            "--set=watchNamespaces=a,rbac.createClusterRole=false",
            '--set-json=rbac.readNames={"a": {"secrets": ["db"], "configMaps": []}}',
        ),
        {"ksnapshot": _CONTROL, "ksnapshot-watch": _NAMED},
    ),
    "boardless": (
        ("--set=watchNamespaces=a,rbac.createClusterRole=false,controller.boards=false",),
        {"ksnapshot": _CONTROL, "ksnapshot-watch": _BOARDLESS},
    ),
}


def _rights(rules: Iterable[Mapping[str, Any]]) -> Rights:
    found: dict[str, set[str]] = defaultdict(set)
    for rule in rules:
        for resource in rule["resources"]:
            for name in rule.get("resourceNames", [""]):
                (group,) = rule["apiGroups"]
                key = f"{resource}.{group}" if group else resource
                found[f"{key}/{name}" if name else key] |= {*rule["verbs"]}
    return dict(found)


@pytest.mark.parametrize("case", _CASES)
def test_every_role_gives_these_verbs_and_no_more(case: str) -> None:
    values, expected = _CASES[case]
    roles = [item for item in render(*values) if item["kind"] in {"Role", "ClusterRole"}]
    found = {item["metadata"]["name"]: _rights(item["rules"]) for item in roles}
    assert found == {**_PEOPLE, **expected}
    assert len(roles) == len(found)
