"""A scheduled verification as its container runs it."""

import json
import signal
import sys
from pathlib import Path

import pyrage
import pytest

from dumpers.contract.verify.result import VerifyResult
from dumpers.runtime.errors import ExitCode
from tests.integration.dumpers.verify.verified_world import CLUSTER, CRONJOB, World
from tests.testbed.dumper import PATIENCE_SECONDS, Dumper, storage_env
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Hang, Rule, Slow
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.processes import peak_mib, wait_until

# Half of what is read.
_MOST_MIB = 100
IDENTITY = pyrage.x25519.Identity.generate()


@pytest.fixture
def world(s3: S3Server, bucket: str, tmp_path: Path) -> World:
    return World(s3=s3, bucket=bucket, folder=tmp_path)


def fill(world: World) -> None:
    for days in range(3):
        world.backup(days, str(IDENTITY.to_public()))


@pytest.fixture
def job(world: World) -> Dumper:
    return Dumper(
        verb="verify",
        folder=world.folder,
        env={
            "PATH": str(Path(sys.executable).parent),
            **storage_env(world.s3, world.bucket),
            "KSNAPSHOT_CLUSTER": CLUSTER,
            "KSNAPSHOT_CRONJOB": CRONJOB,
            "KSNAPSHOT_VERIFY_SAMPLE": "1/1",
            "KSNAPSHOT_IDENTITY_FILE": str(world.identity("keys.txt", str(IDENTITY))),
            "KSNAPSHOT_TERMINATION_LOG": str(world.folder / "termination-log"),
            "HOSTNAME": "pod",
        },
    )


def end(job: Dumper) -> tuple[int, VerifyResult, str]:
    """Exit code, result and log."""
    assert job.process is not None
    code = job.process.wait(PATIENCE_SECONDS)
    log = (job.folder / "log").read_text()
    assert str(IDENTITY) not in log
    return code, VerifyResult.from_json((job.folder / "termination-log").read_text()), log


def test_sigterm_in_the_middle_loses_no_verdict(world: World, job: Dumper, faults: Faults) -> None:
    fill(world)
    proxy = faults.http(world.s3.port)
    # The newest is read first, then the oldest.
    proxy.set(Rule(Hang(), "GET", "dump-d2-1"))
    process = job.start(BACKEND_S3_ENDPOINT=proxy.url)
    wait_until(lambda: proxy.seen("GET", "dump-d2-1"), seconds=60, what="the second backup")
    process.send_signal(signal.SIGTERM)
    code, result, log = end(job)
    assert code == result.exit_code == ExitCode.INTERRUPTED, log
    assert (result.reason, result.verified, result.backups) == ("Interrupted", 1, ("d0",))
    assert "stopped by SIGTERM" in result.message
    assert world.methods() == {"d0": ("decoded", True)}

    job.start(KSNAPSHOT_VERIFY_SAMPLE="1/2")
    code, result, log = end(job)
    assert code == ExitCode.DONE, log
    assert (result.backups, result.oldest_unread, result.newest_verified) == (
        ("d1", "d2"),
        "",
        "d0",
    )
    assert world.methods() == {f"d{days}": ("decoded", True) for days in range(3)}
    lines = [json.loads(line) for line in log.splitlines()]
    done = [line for line in lines if line["message"] == "backup verified"]
    assert [(line["backup"], line["method"]) for line in done] == [
        ("d2", "decoded"),
        ("d1", "decoded"),
    ]
    assert lines[-1]["message"] == "verify done"
    assert lines[-1]["verified"] == 2


def test_how_far_it_is_is_told(world: World, job: Dumper, faults: Faults) -> None:
    world.backup(0)
    proxy = faults.http(world.s3.port)
    proxy.set(Rule(Slow(bytes_per_second=1 << 17), "GET", "dump-d0-1"))
    job.start(BACKEND_S3_ENDPOINT=proxy.url)
    code, result, log = end(job)
    assert code == ExitCode.DONE, log
    lines = [json.loads(line) for line in log.splitlines()]
    told = [line for line in lines if line["message"] == "reading"]
    assert told, log
    assert {line["bytes_total"] for line in told} == {result.stored_bytes}
    assert 1 << 20 <= told[0]["bytes_done"] < result.stored_bytes


def test_memory_does_not_grow_with_the_backups(world: World, job: Dumper) -> None:
    world.size = 32
    fill(world)
    job.start()
    assert job.process
    peak = peak_mib(job.process)
    code, result, log = end(job)
    assert code == ExitCode.DONE, log
    assert result.verified == 3
    assert result.stored_bytes > 6 * world.size << 20
    assert 0 < peak <= _MOST_MIB


@pytest.mark.parametrize(
    ("changes", "code", "reason", "message"),
    [
        (
            {"KSNAPSHOT_VERIFY_SAMPLE": "7/1"},
            ExitCode.CONFIGURATION,
            "ConfigurationInvalid",
            "KSNAPSHOT_VERIFY_SAMPLE is '7/1': of n/m, n must be at least 1, and at most m",
        ),
        (
            {"KSNAPSHOT_IDENTITY_FILE": "/nowhere"},
            ExitCode.ENCRYPTION,
            "EncryptionFailed",
            "cannot read the identity file: No such file or directory",
        ),
        (
            {"BACKEND_BUCKET": "nothere"},
            ExitCode.STORAGE_REFUSED,
            "StorageRefused",
            "nothere",
        ),
    ],
)
def test_what_stands_in_the_way_is_said(
    job: Dumper, changes: dict[str, str], code: int, reason: str, message: str
) -> None:
    job.start(**changes)
    ended, result, log = end(job)
    assert ended == result.exit_code == code, log
    assert (result.succeeded, result.reason, result.verified) == (False, reason, 0)
    assert message in result.message
