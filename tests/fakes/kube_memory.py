"""The kube Protocol over a dictionary: for what a real API server cannot do, ending mid-plan."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from controller.kube import projections
from controller.kube.client import (
    CONFIG_MAPS,
    EVENTS,
    RESOURCES,
    ConflictError,
    ForbiddenError,
    Keep,
    NotFoundError,
    Resource,
    UnavailableError,
)

Document = dict[str, Any]
Key = tuple[str, str, str]


class MemoryApi:
    """Objects by kind, namespace and name; `on_write` sees each write before and after it.

    `writes` are those of generated objects, `shown` those of the ConfigMaps that people look at,
    `events` what they were told.
    """

    def __init__(self, items: Iterable[Document] = ()) -> None:
        self.items: dict[Key, Document] = {}
        self.reads: list[tuple[str, str, str]] = []
        self.writes: list[tuple[str, str, str]] = []
        self.shown: list[tuple[str, str]] = []
        self.events: list[Document] = []
        self.on_write: Callable[[str], None] = lambda _: None
        self.failing: dict[tuple[str, str], Exception] = {}
        self.unwritable: dict[tuple[str, str], Exception] = {}
        self._numbers = itertools.count(1)
        for item in items:
            self.put(item)

    def put(self, item: Document) -> Document:
        """Add or replace an object, as somebody else would."""
        stored = _copied(item)
        meta = stored["metadata"]
        number = next(self._numbers)
        key = self._key(stored["kind"], meta.get("namespace", ""), meta["name"])
        before = self.items.get(key, {})
        meta.setdefault("uid", f"uid-{number}")
        meta["resourceVersion"] = str(number)
        meta["generation"] = before.get("metadata", {}).get("generation", 0)
        meta["generation"] += before.get("spec") != stored.get("spec")
        meta.setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
        _default(stored)
        self.items[key] = stored
        return stored

    def unshown(self) -> dict[Key, Document]:
        """Every object but the ConfigMaps and Events that people look at."""
        shown = ("ConfigMap", "ksnapshot-status")
        return {
            key: item
            for key, item in self.items.items()
            if (key[0], key[2]) != shown and key[0] != "Event"
        }

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object, as somebody else would."""
        del self.items[self._key(kind, namespace, name)]

    def fail(self, kind: str, namespace: str, error: Exception | None = None) -> None:
        """Let every read of a kind in a namespace fail."""
        self.failing[kind, namespace] = error or ForbiddenError(f"403 {kind} {namespace}")

    def list(
        self,
        resource: Resource,
        namespace: str,
        selector: str = "",
        *,
        fields: str = "",
        metadata_only: bool = False,
        keep: Keep | None = None,
    ) -> list[Document]:
        self._check(resource, namespace)
        self.reads.append((f"list{' metadata' if metadata_only else ''}", resource.kind, ""))
        shape = projections.Object if metadata_only else resource.shape
        found = [
            _shaped(item, shape)
            for (kind, space, name), item in self.items.items()
            if kind == resource.kind
            and (space == namespace or (resource.namespaced and not namespace))
            and _selected(selector, item["metadata"].get("labels") or {})
            and ("metadata.name=" not in fields or fields == f"metadata.name={name}")
            and not (fields and item.get("status", {}).get("phase") == "Succeeded")
        ]
        return found if keep is None else [*filter(None, map(keep, found))]

    def get(self, resource: Resource, namespace: str, name: str, *, since: str = "") -> Document:
        self._check(resource, namespace)
        self.reads.append((f"get{' since' if since else ''}", resource.kind, name))
        found = self.items.get(self._key(resource.kind, namespace, name))
        if found is None:
            raise NotFoundError(f"404 {resource.kind} {name}")
        return _shaped(found, resource.shape)

    def create(self, resource: Resource, namespace: str, body: Mapping[str, Any]) -> Document:
        name = body["metadata"]["name"]
        if self._key(resource.kind, namespace, name) in self.items:
            raise ConflictError(f"409 {name} exists")
        self._check_write(resource, namespace)
        return self._write("create", resource, namespace, name, lambda: self.put(dict(body)))

    def replace(self, resource: Resource, namespace: str, body: Mapping[str, Any]) -> Document:
        name = body["metadata"]["name"]
        found = self.get(resource, namespace, name)
        if found["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise ConflictError(f"409 {name} changed")
        self._check_write(resource, namespace)
        return self._write("update", resource, namespace, name, lambda: self.put(dict(body)))

    def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str, version: str
    ) -> None:
        meta = self.get(resource, namespace, name)["metadata"]
        if (meta["uid"], meta["resourceVersion"]) != (uid, version):
            raise ConflictError(f"409 {name} is another")

        def remove() -> Document:
            gone = self.items.pop(self._key(resource.kind, namespace, name))
            for key, item in [*self.items.items()]:
                owners = item["metadata"].get("ownerReferences") or ()
                if any(owner["uid"] == uid for owner in owners):
                    del self.items[key]
            return gone

        self._write("delete", resource, namespace, name, remove)

    def _write(
        self,
        verb: str,
        resource: Resource,
        namespace: str,
        name: str,
        act: Callable[[], Document],
    ) -> Document:
        if resource is EVENTS:
            self.events.append(_copied(act()))
            return self.events[-1]
        if resource is CONFIG_MAPS:
            self.shown.append((verb, namespace))
            return _copied(act())
        self.on_write("before")
        done = _copied(act())
        self.writes.append((verb, resource.kind, name))
        self.on_write("after")
        return done

    def _check(self, resource: Resource, namespace: str) -> None:
        error = self.failing.get((resource.kind, namespace))
        if error:
            raise error

    def _check_write(self, resource: Resource, namespace: str) -> None:
        error = self.unwritable.get((resource.kind, namespace))
        if error:
            raise error

    def _key(self, kind: str, namespace: str, name: str) -> Key:
        return kind, namespace if RESOURCES[kind].namespaced else "", name


def unavailable(what: str) -> UnavailableError:
    return UnavailableError(f"500 {what}")


def _shaped(item: Document, shape: type | None) -> Document:
    """What the real one keeps of what it reads."""
    found: Document = msgspec.json.decode(msgspec.json.encode(item), type=shape or Document)
    return found


def _copied(item: Document) -> Document:
    """As JSON carries it, which is how the real one takes and gives it."""
    return _shaped(item, None)


def _selected(selector: str, labels: Mapping[str, str]) -> bool:
    """Of the language of selectors no more than the controller speaks."""
    first, comma, rest = selector.partition(",")
    if comma and "(" not in first:
        return _selected(first, labels) and _selected(rest, labels)
    if selector.startswith("!"):
        return selector[1:] not in labels
    if " in (" in selector:
        key, _, values = selector.rstrip(")").partition(" in (")
        return labels.get(key) in values.split(",")
    key, _, value = selector.partition("=")
    return not key or labels.get(key) == value


def _default(item: Document) -> None:
    """What the real API server adds to a CronJob."""
    if item["kind"] != "CronJob" or "jobTemplate" not in item.get("spec", {}):
        return
    item["spec"].setdefault("suspend", False)
    job = item["spec"]["jobTemplate"]
    job.setdefault("metadata", {})
    pod = job["spec"]["template"]["spec"]
    pod.setdefault("dnsPolicy", "ClusterFirst")
    pod.setdefault("schedulerName", "default-scheduler")
    pod.setdefault("terminationGracePeriodSeconds", 30)
    pod["serviceAccount"] = pod["serviceAccountName"]
    for container in pod["containers"]:
        container.setdefault("resources", {})
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")
