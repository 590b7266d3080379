"""What holds for all tests."""

from pathlib import PurePosixPath

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Servers, and dumpers as processes, for every folder of tests that asks for them.
pytest_plugins = ["tests.testbed.fixtures", "tests.testbed.dumper"]

# A slow machine is no fault of what is tested.
settings.register_profile("ksnapshot", deadline=None)
settings.load_profile("ksnapshot")

_SERVERS = PurePosixPath("tests/integration")
_FAULTS = PurePosixPath("tests/faults")
# The one-node cluster: it and its own tests take it up and down.
_ONE_CLUSTER = {
    *(PurePosixPath("tests/e2e"), PurePosixPath("tests/disaster")),
    _SERVERS / "testbed" / "test_cluster.py",
}


class _ByServers(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Gives tests that share servers to one worker, where there are several."""

    def _split_scope(self, nodeid: str) -> str:
        path = PurePosixPath(nodeid.partition("::")[0])
        if _ONE_CLUSTER & {path, *path.parents}:
            return "cluster"
        return str(path.parent if {_SERVERS, _FAULTS} & {*path.parents} else path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Schedule by what tests share, with `--numprocesses`."""
    return _ByServers(config, log)
