"""What is known where not all can be read."""

from collections.abc import Sequence

import pytest

from controller.client.cluster.connection import Connection
from controller.client.cluster.install import read_install
from controller.client.cluster.known import read_known
from controller.client.terminal.errors import CommandError, Exit
from controller.kube.client import (
    CRONJOBS,
    Document,
    ForbiddenError,
    KubeError,
    NotFoundError,
    Resource,
    UnavailableError,
)
from tests.unit.controller.client.cluster.test_install import deployment


class Cluster:
    """One in which the status, and where it is said the lists, are not to be had."""

    def __init__(self, status: KubeError, lists: KubeError | None = None) -> None:
        self.status, self.lists = status, lists

    def get(self, resource: Resource, namespace: str, name: str) -> Document:
        raise self.status

    def list(
        self, resource: Resource, namespace: str, selector: str = "", *, fields: str = ""
    ) -> Sequence[Document]:
        if self.lists and resource is CRONJOBS:
            raise self.lists
        return []


def connection(cluster: Cluster) -> Connection:
    # What a verb has once it has found the controller.
    return Connection(_kubectl=cluster, _install=read_install(deployment("ops")))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NotFoundError("GET status: not found"), "writes no ConfigMap ksnapshot-status"),
        (ForbiddenError("GET status: no right"), "cannot be read: .* (GET status: no right)"),
        (UnavailableError("GET status: timeout"), "cannot be read: .* (GET status: timeout)"),
    ],
)
def test_a_status_that_cannot_be_read_is_said_and_hides_nothing_else(
    error: KubeError, said: str
) -> None:
    found = read_known(connection(Cluster(error)), with_jobs=True)
    first, _, last = said.partition(" .* ")
    assert first in found.status.fault
    assert last in found.status.fault
    assert found.jobs == []
    with pytest.raises(
        CommandError, match=r"there is no workload 'shop': .*; the controller"
    ) as missed:
        found.find("shop", "")
    assert missed.value.exit_code == Exit.NOT_FOUND


def test_cronjobs_that_cannot_be_read_are_an_error_and_never_none() -> None:
    closed = Cluster(NotFoundError("no status"), ForbiddenError("GET cronjobs: no right"))
    with pytest.raises(ForbiddenError):
        read_known(connection(closed))
