"""What a machine lacks is skipped with a reason; KSNAPSHOT_REQUIRE=all makes that a failure."""

import os
import shutil

import pytest


def require(present: object, reason: str) -> None:
    """Skips the test (or fails it, where everything is required) unless `present` is true."""
    if present:
        return
    if os.environ.get("KSNAPSHOT_REQUIRE") == "all":
        pytest.fail(f"required by KSNAPSHOT_REQUIRE=all: {reason}")
    pytest.skip(reason)


def require_command(name: str, package: str) -> str:
    """The path of a command; skips where it is missing, naming its Debian package."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    require(path, f"{name} is missing (package {package})")
    return str(path)


def require_root() -> None:
    """Skips unless the tests run as root."""
    require(os.geteuid() == 0, "needs root")


def require_linux() -> None:
    """Skips where the testbed's programs cannot run."""
    require(os.uname().sysname == "Linux", "the testbed's servers run on Linux only")
