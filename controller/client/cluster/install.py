"""Finds the installed controller in the cluster, and reads its own settings from its Deployment."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from controller.client.terminal.errors import CommandError, Exit
from controller.kube.client import DEPLOYMENTS, Document, ForbiddenError, Resource
from controller.model.objects import Json, labels_of, metadata, name_of
from controller.settings.settings import Settings
from dumpers.runtime.errors import ConfigurationError

# Where the README installs it.
_USUAL_NAMESPACE = "ksnapshot"
_SELECTOR = "app.kubernetes.io/name=ksnapshot"
_RELEASE_LABEL = "app.kubernetes.io/instance"
_VERSION_LABEL = "app.kubernetes.io/version"
# Two variables that no other Deployment has together.
_MARKS = frozenset({"WATCH_NAMESPACES", "BACKUP_CONFIGMAP_NAME"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """An installed controller: its Deployment, and the settings that it runs with.

    `running` of `replicas` pods are available. `elsewhere` are settings that the Deployment
    takes from elsewhere, so that their values are not known here.
    """

    namespace: str
    name: str
    version: str
    replicas: int
    running: int
    settings: Settings
    elsewhere: tuple[str, ...] = ()

    @property
    def status_name(self) -> str:
        """The name of the ConfigMap in which the controller says how its workloads are."""
        return f"{self.name}-status"

    def to_document(self) -> dict[str, Any]:
        """What documents of the command say of it."""
        return {
            "namespace": self.namespace,
            "name": self.name,
            "version": self.version,
            "replicas": self.replicas,
            "running": self.running,
        }


class Cluster(Protocol):
    """What finding an install asks of a cluster, see Kubectl."""

    def list(
        self, resource: Resource, namespace: str, selector: str = "", *, fields: str = ""
    ) -> Sequence[Document]:
        """Read all objects of a kind."""

    def context_namespace(self) -> str:
        """The namespace of the context."""


def find_install(kubectl: Cluster, namespace: str = "", release: str = "") -> Install:
    """Find the one controller that is meant; raises CommandError where none is, or several are.

    Without a `namespace`: the context's own, else `ksnapshot`, else all of them.
    """
    found = _in_namespace(kubectl, namespace, release) if namespace else _anywhere(kubectl, release)
    if len(found) == 1:
        return read_install(found[0])
    called = f" of release {release}" if release else ""
    if not found:
        where = f"in namespace {namespace}" if namespace else "that you may see"
        raise CommandError(
            f"there is no controller{called} {where}: name its namespace by --control-namespace"
            " or KSNAPSHOT_NAMESPACE, or install it with helm",
            Exit.NOT_FOUND,
        )
    listed = ", ".join(sorted(f"{_namespace(item)}/{name_of(item)}" for item in found))
    raise CommandError(
        f"there are several controllers{called}: {listed}; choose one by --control-namespace"
        " and --release",
        Exit.USAGE,
    )


def read_install(deployment: Json) -> Install:
    """Read an install from its Deployment; raises CommandError where its settings are unreadable.

    Only variables with a `value` are known; CONTROL_NAMESPACE is the Deployment's own namespace.
    """
    namespace, name = _namespace(deployment), name_of(deployment)
    container = next(_controllers(deployment), {})
    entries = [item for item in container.get("env") or () if item.get("name")]
    given = {item["name"]: str(item.get("value") or "") for item in entries}
    elsewhere = {item["name"] for item in entries if item.get("valueFrom")}
    env = given | {"MODE": "local", "CONTROL_NAMESPACE": namespace}
    try:
        settings = Settings.from_env(env)
    except ConfigurationError as error:
        raise CommandError(
            f"the settings of the controller {namespace}/{name} cannot be read, which may be of"
            f" another version: {error}"
        ) from error
    status = deployment.get("status") or {}
    return Install(
        namespace=namespace,
        name=name,
        version=labels_of(deployment).get(_VERSION_LABEL, ""),
        replicas=int((deployment.get("spec") or {}).get("replicas", 1)),
        running=int(status.get("availableReplicas") or 0),
        settings=settings,
        elsewhere=tuple(sorted(elsewhere - {"CONTROL_NAMESPACE"})),
    )


def _anywhere(kubectl: Cluster, release: str) -> Sequence[Json]:
    """Look where it probably is, one request at a time."""
    places = [kubectl.context_namespace(), _USUAL_NAMESPACE]
    refused: ForbiddenError | None = None
    for place in (*dict.fromkeys(filter(None, places)), ""):
        try:
            listed = kubectl.list(DEPLOYMENTS, place, _SELECTOR)
        except ForbiddenError as error:
            refused = error
            continue
        if found := _ours(listed, release):
            return found
    if refused:
        raise CommandError(
            "no controller was found where you may look: name its namespace by"
            f" --control-namespace or KSNAPSHOT_NAMESPACE ({refused})",
            Exit.FORBIDDEN,
        )
    return ()


def _in_namespace(kubectl: Cluster, namespace: str, release: str) -> Sequence[Json]:
    found = _ours(kubectl.list(DEPLOYMENTS, namespace, _SELECTOR), release)
    # The chart's nameOverride changes the label.
    return found or _ours(kubectl.list(DEPLOYMENTS, namespace), release)


def _ours(listed: Sequence[Json], release: str) -> Sequence[Json]:
    return [
        item
        for item in listed
        if any(_controllers(item))
        and release in {"", labels_of(item).get(_RELEASE_LABEL), name_of(item)}
    ]


def _controllers(deployment: Json) -> Iterator[Mapping[str, Any]]:
    """The containers of a Deployment that are a controller of ours."""
    template = (deployment.get("spec") or {}).get("template") or {}
    for container in (template.get("spec") or {}).get("containers") or ():
        if {item.get("name") for item in container.get("env") or ()} >= _MARKS:
            yield container


def _namespace(item: Json) -> str:
    return str(metadata(item).get("namespace", ""))
