"""A store that goes away for a while, at every step of a dump: the dump waits and goes on.

The outages end when the run was seen to wait, so nothing here depends on how fast anything is.
"""

import json
from collections.abc import Iterator

import pytest

from dumpers.runtime.errors import ExitCode
from tests.integration.dumpers.noise import noise_database
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import PATIENCE_SECONDS, Dumper
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Fault, Hang, Rule, Status
from tests.testbed.stores import s3 as s3_testbed
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.processes import wait_until

WAITING, BACK = "waiting for the store", "the store answers again"
PART, CREATE, COMPLETE = "partNumber=", r"\?uploads", r"\.gz\?uploadId="
SLOW_DOWN = Status(503, b"<Error><Code>SlowDown</Code><Message>no</Message></Error>")
TOO_MANY = Status(429, b"<Error><Code>TooManyRequests</Code><Message>no</Message></Error>")
BROKEN = Status(502, b"<html>bad gateway</html>")


@pytest.fixture(scope="module")
def noise(postgres: PostgresServer) -> Iterator[str]:
    """A database of some 25 MiB that do not compress: several parts of the smallest size."""
    with noise_database(postgres, "noise_of_patience", rows=300000) as name:
        yield name


@pytest.fixture
def waiting(dumper: Dumper, noise: str) -> Dumper:
    """A dump of several parts, with the patience that is the default."""
    dumper.env |= {"POSTGRESQL_DATABASE": noise, "KSNAPSHOT_PART_SIZE_MIB": "5"}
    return dumper


def wait_for(dumper: Dumper, message: str, *, times: int = 1) -> None:
    """Return once the log of the run has a line this often."""

    def said() -> bool:
        return (dumper.folder / "log").read_text().count(f'"{message}"') >= times

    wait_until(said, seconds=PATIENCE_SECONDS, what=message)


def assert_whole(s3: S3Server, bucket: str, dumper: Dumper) -> None:
    ended = dumper.wait()
    assert ended.exit_code == ExitCode.DONE, ended.log
    assert ended.lines(BACK)
    [key] = ended.result.keys
    assert s3.objects(bucket)[key] == ended.result.stored_bytes
    assert s3.uploads(bucket) == []
    manifest = json.loads(s3.read(bucket, f"{ended.result.record}manifest.json"))
    assert manifest["record"] == "manifest"
    assert [item["checked"] for item in manifest["objects"]] == [True]


@pytest.mark.parametrize(
    ("fault", "method", "path"),
    [
        (BROKEN, "PUT", r"started\.json"),
        (BROKEN, "POST", CREATE),
        (BROKEN, "PUT", PART),
        (BROKEN, "POST", COMPLETE),
        (BROKEN, "HEAD", r"\.gz"),
        (BROKEN, "PUT", r"manifest\.json"),
        (Cut(), "PUT", r"started\.json"),
        (Cut(), "POST", CREATE),
        (Cut(), "PUT", PART),
        (Cut(), "PUT", r"manifest\.json"),
    ],
)
def test_a_store_that_is_away_is_waited_for(
    waiting: Dumper,
    s3: S3Server,
    bucket: str,
    faults: Faults,
    fault: Fault,
    method: str,
    path: str,
) -> None:
    proxy = faults.http(s3.port)
    proxy.set(Rule(fault, method, path))
    waiting.start(BACKEND_S3_ENDPOINT=proxy.url)
    wait_for(waiting, WAITING)
    proxy.clear()
    assert_whole(s3, bucket, waiting)


def test_more_attempts_are_made_than_a_second_has_room_for(
    waiting: Dumper, s3: S3Server, bucket: str, faults: Faults
) -> None:
    proxy = faults.http(s3.port)
    proxy.set(Rule(BROKEN, "PUT", f"{PART}2"))
    waiting.start(BACKEND_S3_ENDPOINT=proxy.url)
    wait_until(
        lambda: len(proxy.seen("PUT", f"{PART}2")) > 5, seconds=PATIENCE_SECONDS, what="attempts"
    )
    proxy.clear()
    assert_whole(s3, bucket, waiting)


@pytest.mark.parametrize("fault", [SLOW_DOWN, TOO_MANY, Cut(after=1 << 20, of="request")])
def test_an_overloaded_store_is_waited_for(
    waiting: Dumper, s3: S3Server, bucket: str, faults: Faults, fault: Fault
) -> None:
    proxy = faults.http(s3.port)
    proxy.set(Rule(fault, "PUT", PART))
    waiting.start(BACKEND_S3_ENDPOINT=proxy.url)
    wait_for(waiting, WAITING)
    proxy.clear()
    assert_whole(s3, bucket, waiting)


def test_a_store_that_is_killed_and_started_again(
    waiting: Dumper, s3: S3Server, bucket: str, faults: Faults
) -> None:
    """A server of its own: others use the shared one."""
    with s3_testbed.start() as own:
        own.create_bucket(bucket)
        proxy = faults.http(own.port)
        # The first answer is held back until the server is gone.
        proxy.set(Rule(Hang(of="response"), "PUT", f"{PART}2"))
        waiting.env |= {
            "BACKEND_S3_ENDPOINT": proxy.url,
            "BACKEND_S3_ACCESS_KEY": own.root.access,
            "BACKEND_S3_SECRET_KEY": own.root.secret,
        }
        waiting.start()
        wait_until(
            lambda: bool(proxy.seen("PUT", f"{PART}2")), seconds=PATIENCE_SECONDS, what="a part"
        )
        with own.away():
            proxy.clear()
            wait_for(waiting, WAITING)
        assert_whole(own, bucket, waiting)


def test_sigterm_ends_a_wait_at_once_and_in_good_order(
    waiting: Dumper, s3: S3Server, bucket: str, faults: Faults
) -> None:
    proxy = faults.http(s3.port)
    proxy.set(Rule(BROKEN, "PUT", PART))
    process = waiting.start(BACKEND_S3_ENDPOINT=proxy.url)
    wait_for(waiting, WAITING)
    process.terminate()
    ended = waiting.wait()
    assert ended.exit_code == ExitCode.INTERRUPTED, ended.log
    assert s3.uploads(bucket) == []
    names = {key.rpartition("/")[2] for key in s3.objects(bucket)}
    assert names == {"started.json", "failed.json"}


def test_the_way_out_has_patience_too(
    waiting: Dumper, s3: S3Server, bucket: str, faults: Faults
) -> None:
    """The source fails while the store is away, which comes back for the abort and the record."""
    proxy = faults.http(s3.port)
    # The probe's own abort passes.
    proxy.set(
        Rule(BROKEN, "PUT", PART),
        Rule(BROKEN, "DELETE", "uploadId=", nth=2),
        Rule(BROKEN, "DELETE", "uploadId=", nth=3),
        Rule(BROKEN, "PUT", r"failed\.json", times=2),
    )
    waiting.start(BACKEND_S3_ENDPOINT=proxy.url, BACKEND_S3_PATIENCE="2s")
    ended = waiting.wait()
    assert ended.exit_code == ExitCode.STORAGE_FAILED, ended.log
    assert "the store has been away for 2 s" in ended.result.message
    assert ended.result.message.startswith("cannot upload part")
    assert s3.uploads(bucket) == []
    names = {key.rpartition("/")[2] for key in s3.objects(bucket)}
    assert names == {"started.json", "failed.json"}


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "AccessDenied", "grant it"),
        (403, "RequestTimeTooSkewed", "clock"),
        (400, "ExpiredToken", "ran out"),
        (404, "NoSuchBucket", "S3_BUCKET"),
    ],
)
def test_what_does_not_heal_is_not_waited_for(
    waiting: Dumper, s3: S3Server, bucket: str, faults: Faults, status: int, code: str, words: str
) -> None:
    proxy = faults.http(s3.port)
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    proxy.set(Rule(Status(status, body), "PUT", PART))
    waiting.start(BACKEND_S3_ENDPOINT=proxy.url)
    ended = waiting.wait()
    assert ended.exit_code == ExitCode.STORAGE_REFUSED, ended.log
    assert words in ended.result.message
    assert ended.lines(WAITING) == []
    assert s3.uploads(bucket) == []
