"""Running commands as whole processes, with what they took."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.testbed.stores.s3 import S3Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Seconds, and the largest process's peak of memory in KiB.

    `cpu` is of the process and the children that it waited for, `own` of the process alone, 0 where
    nobody looked.
    """

    wall: float
    cpu: float
    peak: int
    own: float = 0.0


def run(command: Sequence[str], env: Mapping[str, str], folder: Path) -> Run:
    """Run a command to its end; SystemExit if it fails."""
    began = time.monotonic()
    with subprocess.Popen(
        command, env=dict(env), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        # It stays to be looked at until it is waited for.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        own = psutil.Process(process.pid).cpu_times()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return Run(
        wall=time.monotonic() - began,
        cpu=usage.ru_utime + usage.ru_stime,
        own=own.user + own.system,
        peak=usage.ru_maxrss,
    )


def cpu_of(pid: int) -> float:
    """CPU seconds of a server, of its processes that ended, and of those that run."""
    root = psutil.Process(pid)
    own = root.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in root.children(recursive=True):
        # One that has just ended is among those of its parent.
        with suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            total += times.user + times.system
    return float(total)


def backend(store: S3Server) -> dict[str, str]:
    """What a job is told of a store that speaks TLS, with a bucket of its own."""
    assert store.ca is not None
    return {
        "BACKEND_S3_ENDPOINT": store.endpoint,
        "BACKEND_S3_CA_BUNDLE": store.ca.read_text(),
        "BACKEND_S3_REGION": store.region,
        "BACKEND_BUCKET": store.create_bucket("benchmark"),
        "BACKEND_S3_ACCESS_KEY": store.root.access,
        "BACKEND_S3_SECRET_KEY": store.root.secret,
    }


def say(text: str) -> None:
    """Tell how far a benchmark is."""
    print(text, file=sys.stderr, flush=True)
