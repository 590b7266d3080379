"""What is left of a cluster, found by what it is and not by notes that may be missing."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.testbed.cluster.layout import CGROUP, HOST_LINK, INIT, cgroup_hierarchies
from tests.testbed.toolchain import processes


def clean(state: Path) -> None:
    """Ends every process of the cluster and removes what outlives them."""
    pids = inits(state)
    for pid in pids:
        processes.signal_quietly(pid, signal.SIGKILL)
    # The namespace's first process is gone only when every other in it is.
    processes.wait_until(lambda: not any(map(_alive, pids)), seconds=30, what="the end of all")
    # The kernel takes the link along with the namespace, but only some time later.
    if Path("/sys/class/net", HOST_LINK).exists():
        subprocess.run(["ip", "link", "delete", HOST_LINK], capture_output=True, check=False)
    cgroups = [hierarchy / CGROUP for hierarchy in cgroup_hierarchies()]
    processes.wait_until(
        lambda: all([_remove_cgroup(folder) for folder in cgroups]),  # noqa: C419
        seconds=20,
        what="the end of the cgroups",
    )
    with contextlib.suppress(FileNotFoundError):
        for folder in json.loads((state / "made.json").read_text()):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
    if state.exists():
        shutil.rmtree(state)


def _remove_cgroup(folder: Path) -> bool:
    """Whether it is gone; a cgroup stays as long as something in it takes to end."""
    try:
        for path, _, _ in os.walk(folder, topdown=False):
            Path(path).rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def remains(state: Path) -> bool:
    """Whether there is anything for `clean` to do."""
    links = Path("/sys/class/net", HOST_LINK)
    cgroups = [hierarchy / CGROUP for hierarchy in cgroup_hierarchies()]
    return bool(inits(state)) or any(path.exists() for path in (state, links, *cgroups))


def inits(state: Path) -> list[int]:
    """The pids of unshare, of the first process and of its child, known by this state folder."""
    return [
        pid
        for pid, arguments in _processes()
        if INIT.encode() in arguments and str(state).encode() in arguments
    ]


def _processes() -> Iterator[tuple[int, list[bytes]]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(folder.name), (folder / "cmdline").read_bytes().split(b"\0")


def _alive(pid: int) -> bool:
    try:
        state = Path("/proc", str(pid), "stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return False
    return state not in "ZX"
