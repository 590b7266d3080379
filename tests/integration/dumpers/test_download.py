"""Reading large objects from a real S3 server, over connections that break."""

import hashlib
import random
import time
from collections.abc import Callable

import pytest

from dumpers.contract.env_reader import EnvReader
from dumpers.contract.storages.location import read_location
from dumpers.runtime.errors import (
    InterruptedRunError,
    KsnapshotError,
    StorageFailedError,
    StorageRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.download import Download
from dumpers.storage.run_storage import RunStorage
from tests.testbed.dumper import storage_env
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Fault, Hang, Rule, Status
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.stores.s3 import S3Server

BODY = random.Random(17).randbytes(5 << 20)
OTHER = BODY[::-1]
KEY = "large/object"


@pytest.fixture
def proxy(s3: S3Server, bucket: str, faults: Faults) -> HttpProxy:
    s3.client().put_object(Bucket=bucket, Key=KEY, Body=BODY)
    return faults.http(s3.port)


def storage(
    s3: S3Server, bucket: str, url: str, interrupt: Interrupt | None = None, patience: str = "60"
) -> RunStorage:
    env = {
        **storage_env(s3, bucket),
        "BACKEND_S3_ENDPOINT": url,
        "BACKEND_S3_PATIENCE": patience,
    }
    location = read_location(EnvReader(env))
    return RunStorage(location, run="r", interrupt=interrupt or Interrupt())


def read(store: RunStorage, each: Callable[[bytes], object] = lambda _: None) -> bytes:
    found = b""
    with store, Download(store, KEY) as download:
        while block := download.read(1 << 17):
            found += block
            each(block)
        assert download.read() == b""
    return found


@pytest.mark.parametrize(
    "fault",
    [
        *(Cut(after=1 << 20), Cut(after=1 << 20, reset=False), Status(503)),
        Cut(after=0, of="response"),
    ],
    ids=["reset", "ended", "503", "no answer"],
)
def test_a_connection_that_breaks_is_gone_on_with(
    s3: S3Server, bucket: str, proxy: HttpProxy, fault: Fault
) -> None:
    proxy.set(Rule(fault, "GET", KEY, times=2))
    found = read(storage(s3, bucket, proxy.url))
    assert hashlib.sha256(found).digest() == hashlib.sha256(BODY).digest()
    received = sum(seen.received for seen in proxy.seen("GET", KEY))
    # Blocks that came whole are not read again.
    assert received < len(BODY) + (2 << 20)


def test_a_store_that_breaks_every_connection_is_read_all_the_same(
    s3: S3Server, bucket: str, proxy: HttpProxy
) -> None:
    # By FIN: a reset may take with it what came before it, and with that every step forward.
    proxy.set(Rule(Cut(after=1 << 20, reset=False), "GET", KEY))
    assert read(storage(s3, bucket, proxy.url, patience="1")) == BODY


def test_an_object_that_changes_meanwhile_is_an_error(
    s3: S3Server, bucket: str, proxy: HttpProxy
) -> None:
    # By FIN, which lets through what was sent before it.
    proxy.set(Rule(Cut(after=4 << 20, reset=False), "GET", KEY, times=1))

    def change(_: bytes) -> None:
        s3.client().put_object(Bucket=bucket, Key=KEY, Body=OTHER)

    with pytest.raises(StorageFailedError, match="changed while it was read"):
        read(storage(s3, bucket, proxy.url), change)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(Status(503), StorageFailedError), (Status(403), StorageRefusedError)],
)
def test_what_stays_is_told(
    s3: S3Server, bucket: str, proxy: HttpProxy, fault: Fault, kind: type[KsnapshotError]
) -> None:
    proxy.set(Rule(fault, "GET", KEY))
    with pytest.raises(kind, match=KEY):
        read(storage(s3, bucket, proxy.url, patience="1"))


def test_a_download_that_hangs_can_be_stopped(s3: S3Server, bucket: str, proxy: HttpProxy) -> None:
    proxy.set(Rule(Hang(of="response"), "GET", KEY))
    interrupt = Interrupt(1.0)
    began = time.monotonic()
    with pytest.raises(InterruptedRunError):
        read(storage(s3, bucket, proxy.url, interrupt))
    assert time.monotonic() - began < 30


def test_nobody_waits_for_a_download_that_is_left(
    s3: S3Server, bucket: str, proxy: HttpProxy
) -> None:
    with storage(s3, bucket, proxy.url) as store:
        with Download(store, KEY) as download:
            assert BODY.startswith(download.read())
        with Download(store, KEY) as again:
            assert BODY.startswith(again.read())
