"""The controller's rights on a real API server, as helm renders them from the chart."""

import functools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.integration.chart.helm import find, render
from tests.testbed.cluster.kubeapi import Api
from tests.testbed.toolchain.processes import wait_until

Json = dict[str, Any]
ACCOUNT = "ksnapshot"
RBAC = "rbac.authorization.k8s.io/v1"
_KINDS = frozenset({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})
_LIST_PODS: Json = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
# Stands for a world's control namespace in what helm, which takes a while, renders once.
_ANY = "any-control"


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One verb on one resource (`cronjobs.batch`) in the rules of the chart.

    `role` is `control` or `watched`, by the namespace that the Role is for, or `cluster`, and
    `all` where that one is for all namespaces. With `configmaps/NAME` it is the right for one
    object.
    """

    role: str
    resource: str
    action: str

    def __str__(self) -> str:
        return f"{self.role}-{self.action}-{self.resource}"

    def is_in(self, rule: Json) -> bool:
        """Whether a rule of one resource gives this right, and perhaps others."""
        kind, _, object_name = self.resource.partition("/")
        name, _, group = kind.partition(".")
        named = [] if self.role == "cluster" else rule.get("resourceNames", [])
        of = ([group], [name], [object_name] if object_name else [])
        return (rule["apiGroups"], rule["resources"], named) == of


def account(control: str) -> str:
    """The controller's user name."""
    return f"system:serviceaccount:{control}:{ACCOUNT}"


def grant(
    api: Api,
    control: str,
    watched: Sequence[str],
    without: Right | None = None,
    values: tuple[str, ...] = (),
) -> None:
    """Make the chart's ServiceAccount and its rights, all but one, and wait until they count.

    `values` are further arguments of helm.
    """
    objects = _objects(control, watched, values)
    if without:
        _remove(objects, without, control)
    api.create_all(objects)
    for namespace, rule in _first_rules(objects):
        wait_until(
            functools.partial(may, api, account(control), namespace, rule),
            seconds=30,
            what="the rights",
        )


def set_binding(api: Api, control: str, namespace: str, *, bound: bool) -> None:
    """Give the rights in a watched namespace, or take them away, and wait until that counts."""
    meta = {"name": f"{ACCOUNT}-watch", "namespace": namespace}
    user = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": control}
    binding = {"apiVersion": RBAC, "kind": "RoleBinding", "metadata": meta}
    api.patch(binding, {"subjects": [user] if bound else []})
    wait_until(
        lambda: may(api, account(control), namespace, _LIST_PODS) is bound,
        seconds=30,
        what="the rights",
    )


def _objects(control: str, watched: Sequence[str], values: tuple[str, ...]) -> list[Json]:
    text = _rendered(len(watched), values).replace(_ANY, control)
    for number, name in enumerate(watched):
        text = text.replace(_place(number), name)
    objects: list[Json] = json.loads(text)
    return objects


def _place(number: int) -> str:
    return f"any-watched-{number}"


@functools.cache
def _rendered(count: int, values: tuple[str, ...]) -> str:
    named = json.dumps([_place(number) for number in range(count)])
    objects = render(f"--set-json=watchNamespaces={named}", *values, namespace=_ANY)
    user = find(objects, "ServiceAccount", ACCOUNT, _ANY)
    rights = [item for item in objects if item["kind"] in _KINDS and not _is_for_people(item)]
    return json.dumps([user, *rights])


def _is_for_people(item: Json) -> bool:
    """Whether it is one of the Roles that the chart offers, and that nobody has by itself."""
    return bool(item["metadata"]["name"] in {f"{ACCOUNT}-view", f"{ACCOUNT}-admin"})


def _remove(objects: list[Json], right: Right, control: str) -> None:
    removed = 0
    for item in objects:
        if right.role not in _roles_of(item, control):
            continue
        # One rule per resource: a rule of several must lose the verb for one only.
        rules = [
            rule | {"resources": [resource], "verbs": [*rule["verbs"]]}
            for rule in item["rules"]
            for resource in rule["resources"]
        ]
        for rule in rules:
            if right.is_in(rule) and right.action in rule["verbs"]:
                rule["verbs"].remove(right.action)
                removed += 1
        item["rules"] = [rule for rule in rules if rule["verbs"]]
    assert removed, f"the chart does not give {right}"


def _roles_of(item: Json, control: str) -> tuple[str, ...]:
    if item["kind"] == "ClusterRole":
        return ("cluster", "all")
    if item["kind"] != "Role":
        return ()
    return ("control",) if item["metadata"]["namespace"] == control else ("watched",)


def _first_rules(objects: list[Json]) -> Iterator[tuple[str, Json]]:
    for item in objects:
        if item.get("rules"):
            yield item["metadata"].get("namespace", ""), item["rules"][0]


def may(api: Api, user: str, namespace: str, rule: Json) -> bool:
    """Whether a user has the first right of a rule."""
    attributes = {
        "namespace": namespace,
        "group": rule["apiGroups"][0],
        "resource": rule["resources"][0],
        "verb": rule["verbs"][0],
        "name": rule.get("resourceNames", [""])[0],
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": {"user": user, "resourceAttributes": attributes},
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    allowed: bool = api.request("POST", path, review)["status"]["allowed"]
    return allowed
