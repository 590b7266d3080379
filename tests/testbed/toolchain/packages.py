"""What the machine must provide: Debian packages, by apt where that is possible."""

import functools
import os
import shutil
import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path

from tests.testbed.toolchain import cache


class MissingPackageError(RuntimeError):
    """A command is missing and cannot be installed from here; names its Debian package."""


def command(name: str, package: str) -> str:
    """The path of a command, installed from its Debian package when root and absent."""
    search = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    found = shutil.which(name, path=search)
    if found is None:
        install(package)
        found = shutil.which(name, path=search)
    if found is None:
        raise MissingPackageError(f"{name} not found: install the package {package}")
    return found


def library(name: str, package: str) -> None:
    """Makes sure that the machine has a shared library, such as `numa`, as `command` does."""
    if find_library(name) is None:
        install(package)


def install(package: str) -> None:
    """Installs one Debian package; MissingPackageError where that cannot work."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise MissingPackageError(f"install the package {package} (apt-get install {package})")
    print(f"[testbed] apt-get install {package}", file=sys.stderr, flush=True)
    # Tests run in several processes, of which apt bears one.
    with cache.lock("apt"):
        _refresh()
        _apt("install", "--yes", "--no-install-recommends", package)


def unpacked(package: str) -> Path:
    """The bare files of a Debian package, which is not installed; MissingPackageError.

    For programs whose package would start a server.
    """
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise MissingPackageError(f"{package} is a Debian package, and this is no Debian")

    def make(target: Path) -> None:
        print(f"[testbed] apt-get download {package}", file=sys.stderr, flush=True)
        with cache.lock("apt"):
            if os.geteuid() == 0:
                _refresh()
            _apt("download", package, folder=target)
        for file in target.glob("*.deb"):
            subprocess.run(["dpkg-deb", "--extract", str(file), str(target)], check=True)
            file.unlink()

    return cache.entry(f"debian-{package}", [package], make)


@functools.cache
def _refresh() -> None:
    _apt("update")


def _apt(*arguments: str, folder: Path | None = None) -> None:
    done = subprocess.run(
        ["apt-get", "--quiet", *arguments],
        cwd=folder,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise MissingPackageError(f"apt-get {' '.join(arguments)}: {done.stderr[-800:]}")
