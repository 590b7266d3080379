"""Programs of a Debian release on any Linux: debootstrap brings them, their loader runs them."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.testbed.toolchain import packages
from tests.testbed.toolchain.processes import run

_LOADER = "lib/ld-linux-x86-64.so.2"


def problem(what: str, made: Path) -> str:
    """Why an entry of the cache cannot be had here that debootstrap makes; empty if it can."""
    if made.is_dir() or os.geteuid() == 0:
        return ""
    return f"{what} must be unpacked by debootstrap, which needs root"


def bootstrap(root: Path, suite: str, *names: str) -> None:
    """A minimal Debian in a folder, with these packages and what they depend on."""
    if os.geteuid() != 0:
        raise RuntimeError(f"debootstrap of {suite} needs root")
    packages.command("debootstrap", "debootstrap")
    run(["debootstrap", "--variant=minbase", suite, str(root)])
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    # A snapshot of sid is soon past its date.
    apt = ["chroot", str(root), "apt-get", "--quiet", "-o", "Acquire::Check-Valid-Until=false"]
    run([*apt, "update"])
    run([*apt, "install", "--yes", "--no-install-recommends", *names])
    run([*apt, "clean"])


def unpack(root: Path, *names: str) -> None:
    """The bare files of packages into a Debian, without what they depend on."""
    run(["chroot", str(root), "apt-get", "--quiet", "download", *names])
    for package in root.glob("*.deb"):
        run(["chroot", str(root), "dpkg-deb", "--extract", f"/{package.name}", "/"])
        package.unlink()


def take(root: Path, target: Path, programs: Sequence[str], folders: Sequence[str] = ()) -> None:
    """Programs and folders out of a Debian, and every library that the programs load."""
    (target / "lib").mkdir()
    for library in _libraries(root, programs):
        shutil.copy2(library, target / "lib" / library.name)
    for folder in folders:
        _keep_within(root, root / folder)
        shutil.copytree(root / folder, target / folder)
    for program in programs:
        (target / program).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / program, target / program)


def command(base: Path, program: str) -> list[str]:
    """How to run a program that was taken: by its own loader, with its own libraries."""
    return [f"{base}/{_LOADER}", "--library-path", f"{base}/lib", f"{base}/{program}"]


def _libraries(root: Path, programs: Sequence[str]) -> Iterator[Path]:
    """What the programs are linked to, the loader included."""
    wanted: set[str] = set()
    for program in programs:
        listed = run(["chroot", str(root), "ldd", f"/{program}"])
        wanted |= {word for word in listed.split() if word.startswith("/")}
    yield from (Path(f"{root}{library}") for library in wanted)
    # Names are looked up by a library that is opened only then.
    yield from root.glob("usr/lib/x86_64-linux-gnu/libnss_*.so*")


def _keep_within(root: Path, folder: Path) -> None:
    """Lets links to absolute paths lead to the Debian's own files, not to the machine's."""
    for path in list(folder.rglob("*")):
        if not path.is_symlink():
            continue
        leads = path.readlink()
        if leads.is_absolute():
            path.unlink()
            path.symlink_to(os.path.relpath(f"{root}{leads}", path.parent))
        if not path.exists():
            path.unlink()
