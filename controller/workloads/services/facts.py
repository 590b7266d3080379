"""What a Service says of itself: where it leads, on which port, and whose it is."""

from collections.abc import Iterable, Mapping

from controller.model.objects import Json, labels_of, name_of, owner_references
from controller.workloads.services.roles import (
    ServerRole,
    cluster_names,
    role_of,
    role_of_name,
    shared_labels,
)

_HEADLESS = "None"
_EXTERNAL_NAME = "ExternalName"
_TCP = "TCP"
# Chosen in a selector by an operator that moves its Service from pod to pod, as MariaDB's does.
_POD_NAME = "statefulset.kubernetes.io/pod-name"
# The unready pods of Percona's operator, and of CloudNativePG's before 1.25.
_UNREADY_ENDINGS = ("-unready", "-any")
_PLAIN_DOMAINS = ("kubernetes.io", "helm.sh")


def selector_of(service: Json) -> Mapping[str, str]:
    """The labels that the Service selects pods by, empty where its endpoints are made otherwise.

    Kubernetes ignores those of an ExternalName.
    """
    spec = service.get("spec") or {}
    found: Mapping[str, str] = spec.get("selector") or {}
    return {} if spec.get("type") == _EXTERNAL_NAME else found


def is_external_name(service: Json | None) -> bool:
    """Whether there is a Service that is but another name for a host of anybody's choice."""
    return service is not None and (service.get("spec") or {}).get("type") == _EXTERNAL_NAME


def is_headless(service: Json) -> bool:
    """Whether the Service is but a name for its pods' addresses."""
    return (service.get("spec") or {}).get("clusterIP") == _HEADLESS


def leads_to_unready(service: Json) -> bool:
    """Whether the Service leads to pods that are not ready, too."""
    if (service.get("spec") or {}).get("publishNotReadyAddresses"):
        return True
    return name_of(service).endswith(_UNREADY_ENDINGS)


def serves(service: Json, port: int) -> bool:
    """Whether a client reaches the port: of a headless Service, on the pod itself.

    What an ExternalName stands for is not known to serve anything.
    """
    if is_external_name(service):
        return False
    keys = ("port", "targetPort") if is_headless(service) else ("port",)
    ports: Iterable[Json] = (service.get("spec") or {}).get("ports") or ()
    return any(
        item.get("protocol", _TCP) == _TCP and port in {item.get(key) for key in keys}
        for item in ports
    )


def role_of_service(service: Json) -> ServerRole | None:
    """The role that the selector, or else an operator's name for the Service, says."""
    selector = selector_of(service)
    if found := role_of(selector):
        return found
    if selector and _POD_NAME not in selector:
        return None
    return role_of(labels_of(service)) or role_of_name(name_of(service))


def is_of_operator(selector: Mapping[str, str]) -> bool:
    """Whether a selector has a label of an operator's own domain."""
    domains = (key.rpartition("/")[0] for key in selector)
    return any(domain and not domain.endswith(_PLAIN_DOMAINS) for domain in domains)


def index_keys(service: Json, *, by_name: bool = True) -> set[str]:
    """By what a Service without a selector may be found.

    These are the clusters that its labels name, the uids of its owners and, with `by_name`, the
    beginnings of its name up to a dash.
    """
    words = name_of(service).split("-") if by_name else []
    beginnings = {"-".join(words[: count + 1]) for count in range(len(words))}
    owners = {str(owner.get("uid", "")) for owner in owner_references(service)}
    return beginnings | cluster_names(labels_of(service)) | owners


def index_labels(service: Json) -> Mapping[str, str]:
    """Labels of which a pod has each one if the Service, or its primary's, could be the pod's."""
    selector = selector_of(service)
    return shared_labels(selector) or selector
