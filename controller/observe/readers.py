"""The ways in which one observation reads the cluster."""

from dataclasses import dataclass

from controller.kube.object_cache import ObjectCache
from controller.kube.reader import ClusterReader
from controller.observe.secret_cache import SecretCache


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """Reads that always ask the API server, and two that remember answers of earlier passes."""

    cluster: ClusterReader
    objects: ObjectCache
    secrets: SecretCache
