"""The verbs that change what is kept, as processes that are told to stop in the middle.

Each ends by itself with the exit code of an interrupted run, leaves no backup that is listed and
cannot be read, and running it once more does what was left to do. `KSNAPSHOT_FAULTS=all` tries all
moments, otherwise a few by `KSNAPSHOT_FAULT_SEED`.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dumpers.runtime.errors import ExitCode
from tests.integration.dumpers.retention.pruned_world import CLUSTER, World, fill
from tests.paths import REPOSITORY
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Hang, Rule, Side
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.processes import wait_until

# Kubernetes kills what has not ended by then.
_GRACE_SECONDS = 30
# Moments of those below.
_SOME = 8
_PATIENCE_SECONDS = 120
_DELETED = ("alpha-1", "alpha-2")
_MARK = {"KSNAPSHOT_CRONJOB": "gamma", "KSNAPSHOT_BACKUP": "gamma-0"}
_ASKED: Mapping[str, Mapping[str, str]] = {
    "prune": {"KSNAPSHOT_RETENTION_FLOOR": "none"},
    "delete": {"KSNAPSHOT_CRONJOB": "alpha"},
    "accept": _MARK,
    "pin": _MARK,
    "unpin": {"KSNAPSHOT_CRONJOB": "alpha", "KSNAPSHOT_BACKUP": "alpha-4"},
}
# Of a backup that goes by either verb.
_GOING = r"-alpha-2/manifest\.json"
# The processes have the clock of the machine.
NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a bucket holds in the end: backups that can be restored, and keys."""

    ids: set[str]
    left: set[str]


_GOALS: dict[str, Goal] = {}


@dataclass(kw_only=True)
class Job:
    """One job's process, whose termination message and log lie in `folder`."""

    world: World
    folder: Path
    verb: str
    ids: Sequence[str] = _DELETED

    def start(self, url: str) -> "subprocess.Popen[bytes]":
        location = self.world.location(url)
        env = {
            "PATH": os.environ["PATH"],
            "HOSTNAME": "pod",
            "BACKEND_PATH": location.path,
            "BACKEND_BUCKET": location.bucket,
            "BACKEND_S3_ENDPOINT": location.endpoint,
            "BACKEND_S3_ACCESS_KEY": location.access_key,
            "BACKEND_S3_SECRET_KEY": location.secret_key,
            "KSNAPSHOT_CLUSTER": CLUSTER,
            "KSNAPSHOT_TERMINATION_LOG": str(self.folder / "termination-log"),
            **_ASKED[self.verb],
            **({"KSNAPSHOT_BACKUPS": ",".join(self.ids)} if self.verb == "delete" else {}),
        }
        with (self.folder / "log").open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dumpers", self.verb],
                cwd=REPOSITORY,
                env={name: value for name, value in env.items() if value},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def run(self, url: str = "") -> int:
        return self.start(url).wait(_PATIENCE_SECONDS)

    def said(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.folder / "termination-log").read_text())
        return found

    def log(self) -> str:
        return (self.folder / "log").read_text()


_MOMENTS: Sequence[tuple[str, str, str, Side]] = [
    # Before the request arrives, or once its work is done and the answer is on its way.
    ("prune", "GET", "list-type=2", "request"),
    ("prune", "PUT", r"probe\.json", "response"),
    ("prune", "PUT", _GOING, "request"),
    ("prune", "PUT", _GOING, "response"),
    ("prune", "POST", "delete", "request"),
    ("prune", "POST", "delete", "response"),
    ("prune", "DELETE", _GOING, "request"),
    ("prune", "DELETE", _GOING, "response"),
    ("prune", "PUT", r"delta-2/sweeping\.json", "response"),
    ("prune", "DELETE", "dump-delta-2", "request"),
    ("delete", "PUT", _GOING, "response"),
    ("delete", "POST", "delete", "response"),
    ("delete", "DELETE", _GOING, "request"),
    ("delete", "DELETE", _GOING, "response"),
    ("accept", "GET", "list-type=2", "request"),
    ("accept", "PUT", r"accepted\.json", "request"),
    ("accept", "PUT", r"accepted\.json", "response"),
    ("pin", "PUT", r"pinned\.json", "request"),
    ("pin", "PUT", r"pinned\.json", "response"),
    ("unpin", "DELETE", r"pinned\.json", "response"),
]


def _chosen() -> Sequence[tuple[str, str, str, Side]]:
    """All moments, or a few of them by the seed."""
    if os.environ.get("KSNAPSHOT_FAULTS") == "all":
        return _MOMENTS
    dice = random.Random(os.environ.get("KSNAPSHOT_FAULT_SEED", "1"))
    return dice.sample(_MOMENTS, _SOME)


@pytest.mark.parametrize(("verb", "method", "path", "side"), _chosen())
def test_a_job_that_is_told_to_stop_in_the_middle(
    s3: S3Server, faults: Faults, tmp_path: Path, verb: str, method: str, path: str, side: Side
) -> None:
    goal = unhurt(s3, tmp_path, verb)
    world = fill(World(s3=s3, bucket=_bucket(s3), now=NOW))
    before = world.ids()
    proxy = faults.http(s3.port)
    proxy.set(Rule(Hang(of=side), method, path))
    job = Job(world=world, folder=tmp_path, verb=verb)
    process = job.start(proxy.url)
    try:
        wait_until(
            lambda: proxy.seen(method, path) or process.poll() is not None,
            seconds=_PATIENCE_SECONDS,
            what=f"{method} {path}",
        )
        assert process.poll() is None, job.log()
        told = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait(_PATIENCE_SECONDS)
    finally:
        process.kill()
        process.wait()
        proxy.clear()
    assert code == ExitCode.INTERRUPTED, job.log()
    assert time.monotonic() - told < _GRACE_SECONDS
    said = job.said()
    assert (said["succeeded"], said["reason"]) == (False, "Interrupted")
    assert "stopped by SIGTERM" in str(said["message"])
    assert world.unreadable() == []
    assert goal.ids <= world.ids() <= before

    if verb == "delete":
        # Who asks again names what is still there: an id that is none deletes nothing.
        listed = {entry.id for entry in world.entries()}
        job.ids = [id_ for id_ in _DELETED if id_ in listed]
    assert job.run() == ExitCode.DONE, job.log()
    assert world.unreadable() == []
    assert world.left() == goal.left


def unhurt(s3: S3Server, folder: Path, verb: str) -> Goal:
    """What the job brings about where nobody stops it."""
    if verb not in _GOALS:
        world = fill(World(s3=s3, bucket=_bucket(s3), now=NOW))
        job = Job(world=world, folder=folder, verb=verb)
        assert job.run() == ExitCode.DONE, job.log()
        _GOALS[verb] = Goal(ids=world.ids(), left=world.left())
    return _GOALS[verb]


def _bucket(s3: S3Server) -> str:
    return s3.create_bucket(f"b-{random.Random().getrandbits(40):x}")
