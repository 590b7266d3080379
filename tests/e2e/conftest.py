"""A real cluster: that of KUBECONFIG, where it is set, else the testbed's own."""

from collections.abc import Iterator

import pytest

from tests.testbed import cluster as cluster_testbed
from tests.testbed.cluster import Cluster
from tests.testbed.require import require_linux, require_root


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Up for the session; one that ran before is used and left running."""
    given = cluster_testbed.from_environment()
    if given is not None:
        yield given
        return
    require_linux()
    require_root()
    running = cluster_testbed.up()
    yield running
    if running.started:
        cluster_testbed.down()
