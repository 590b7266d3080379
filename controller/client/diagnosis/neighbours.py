"""What stands around a workload in its own namespace: owner, pods, Services, events."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from controller.client.cluster.unprotected import owner_of_pod
from controller.client.cluster.workload_names import Workload
from controller.kube.client import (
    EVENTS,
    PODS,
    RESOURCES,
    SERVICES,
    KubeError,
    Resource,
    UnavailableError,
)
from controller.kube.kubectl import Kubectl
from controller.manifests.ownership import objects_of
from controller.model.objects import Json, ObjectRef, labels_of, name_of

_SLICES = Resource(kind="EndpointSlice", root="/apis/discovery.k8s.io/v1", plural="endpointslices")
_SERVICE_LABEL = "kubernetes.io/service-name"


@dataclass(slots=True, kw_only=True)
class Neighbours:
    """Reads them with the user's own rights; every call raises KubeError and nothing else."""

    kubectl: Kubectl
    workload: Workload
    _pods: Sequence[Json] | None = field(default=None, repr=False)

    def owners(self) -> Sequence[Json]:
        """The workload itself: several objects where its owner is a group of them."""
        found = []
        for ref in self._refs():
            resource = RESOURCES.get(ref.kind)
            if resource is None:
                raise UnavailableError(f"a {ref.kind or 'kind that is not recorded'} is not read")
            found.append(self.kubectl.get(resource, self.workload.namespace, ref.name))
        return found

    def pods(self) -> Sequence[Json]:
        """Its pods, by their owner, in whatever phase."""
        if self._pods is None:
            names = {ref.name for ref in self._refs()}
            listed = self.kubectl.list(PODS, self.workload.namespace)
            self._pods = [pod for pod in listed if owner_of_pod(pod).name in names]
        return self._pods

    def services(self) -> Sequence[Json]:
        """The Services that select its pods; all of the namespace where none does."""
        listed = self.kubectl.list(SERVICES, self.workload.namespace)
        labels = [labels_of(pod).items() for pod in self.pods()]
        found = [
            service
            for service in listed
            if (wanted := (service.get("spec") or {}).get("selector"))
            and any(wanted.items() <= each for each in labels)
        ]
        return found or listed

    def slices(self) -> Sequence[Json]:
        """The endpoints of these Services."""
        names = {name_of(service) for service in self.services()}
        return [
            item
            for item in self.kubectl.list(_SLICES, self.workload.namespace)
            if labels_of(item).get(_SERVICE_LABEL) in names
        ]

    def events(self) -> Sequence[Json]:
        """The events about any of them."""
        names = {ref.name for ref in self._refs()}
        for read in (self.pods, self.services):
            try:
                names |= {name_of(item) for item in read()}
            except KubeError:
                # Said by the part that holds them.
                continue
        return [
            event
            for event in self.kubectl.list(EVENTS, self.workload.namespace)
            if (event.get("involvedObject") or {}).get("name") in names
        ]

    def _refs(self) -> Sequence[ObjectRef]:
        workload = self.workload
        if workload.cronjob is not None and (refs := objects_of(workload.cronjob)):
            return refs
        return (ObjectRef(kind=workload.kind, name=workload.name),)
