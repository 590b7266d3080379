"""What a machine lacks is skipped with a reason; KSNAPSHOT_REQUIRE=all makes that a failure."""

import os

import pytest

from tests.testbed.toolchain import packages


def require(present: object, reason: str) -> None:
    """Skips the test (or fails it, where everything is required) unless `present` is true."""
    if present:
        return
    if os.environ.get("KSNAPSHOT_REQUIRE") == "all":
        pytest.fail(f"required by KSNAPSHOT_REQUIRE=all: {reason}")
    pytest.skip(reason)


def require_command(name: str, package: str) -> str:
    """The path of a command, installed from its Debian package; skips where that cannot work."""
    try:
        return packages.command(name, package)
    except packages.MissingPackageError as error:
        require(None, str(error))
        raise


def require_root() -> None:
    """Skips unless the tests run as root."""
    require(os.geteuid() == 0, "needs root")


def require_linux() -> None:
    """Skips where the testbed's programs cannot run."""
    require(os.uname().sysname == "Linux", "the testbed's servers run on Linux only")
