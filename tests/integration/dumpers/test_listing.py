"""The catalogue as it is read from a real S3 server, with what it costs and what it refuses."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dumpers.contract.env_reader import EnvReader
from dumpers.contract.storages.location import read_location
from dumpers.repository.catalogue import State
from dumpers.repository.extent import read_extent
from dumpers.repository.keys import Run, records_prefix
from dumpers.repository.listing import Catalogue, list_cronjobs
from dumpers.repository.record_json import make_tombstone, write_record
from dumpers.repository.records import Removal, Tombstone
from dumpers.runtime.errors import ConfigurationError, StorageFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.run_storage import RunStorage
from tests.testbed.dumper import storage_env
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Rule, Status
from tests.testbed.stores.s3 import S3Server
from tests.unit.dumpers.repository.test_catalogue import FAILED, MANIFEST, RUN

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
CRONJOB = "cj"
_ENDLESS = b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"


def fill(s3: S3Server, bucket: str, runs: Sequence[tuple[datetime, State]]) -> None:
    """Write the records of these runs, whose ids are their numbers."""
    bodies: dict[str, bytes] = {}
    for number, (moment, state) in enumerate(runs):
        id_ = f"{number:04}"
        run = Run(
            path="ksnapshot", cluster="test", cronjob=CRONJOB, host="pod", started=moment, id=id_
        )
        begun = replace(RUN, run=id_, started=moment, cluster="test")
        bodies[run.started_key] = write_record(begun)
        if state is State.FAILED:
            bodies[run.failed_key] = write_record(replace(FAILED, run=id_))
        elif state is State.COMPLETE:
            bodies[run.manifest_key] = write_record(replace(MANIFEST, begun=begun))
    client = s3.client()
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda key: client.put_object(Bucket=bucket, Key=key, Body=bodies[key]), bodies
            )
        )


def catalogue(s3: S3Server, bucket: str, url: str | None = None) -> Catalogue:
    env = {**storage_env(s3, bucket), "BACKEND_S3_PATIENCE": "1"}
    location = read_location(EnvReader(env | {"BACKEND_S3_ENDPOINT": url or s3.endpoint}))
    return Catalogue(
        storage=RunStorage(location, run="r", interrupt=Interrupt()),
        prefix=records_prefix(path="ksnapshot", cluster="test", cronjob=CRONJOB),
        now=lambda: NOW,
    )


def test_a_catalogue(s3: S3Server, bucket: str, faults: Faults) -> None:
    """Of several hundred runs: few requests for a page, all pages, and every way to choose."""
    ages = [timedelta(minutes=20 * number) for number in range(600)]
    states = [State.RUNNING, State.FAILED, State.COMPLETE, State.COMPLETE]
    fill(s3, bucket, [(NOW - age, states[n % 4]) for n, age in enumerate(ages)])
    proxy = faults.http(s3.port)
    read = catalogue(s3, bucket, proxy.url)

    first = read.page()
    assert [entry.id for entry in first.entries] == [f"{number:04}" for number in range(20)]
    assert [entry.state for entry in first.entries[:4]] == states
    assert first.entries[1].why == "SourceFailed: it went away"
    assert len(proxy.seen()) <= 25
    second = read.page(before=first.next, limit=3)
    assert [entry.id for entry in second.entries] == ["0020", "0021", "0022"]

    assert read.find("latest").id == "0002"
    assert read.find("0007").started == NOW - timedelta(minutes=140)
    # 0005 began exactly then and failed, 0004 is younger.
    assert read.find(f"at:{NOW - timedelta(minutes=100):%Y-%m-%dT%H:%M:%SZ}").id == "0006"
    assert read.find("at:2026-05-26T00:00:00+02:00").started <= datetime(
        2026, 5, 25, 22, tzinfo=UTC
    )
    assert read.manifest(read.find("0002")).begun.run == "0002"
    with pytest.raises(ConfigurationError, match="it is failed"):
        read.find("0001")
    with pytest.raises(ConfigurationError, match="fits 10 backups: 0010"):
        read.find("001")
    with pytest.raises(ConfigurationError, match="there is no backup 'x'"):
        read.find("x")
    with pytest.raises(ConfigurationError, match="began at 2020-01-01"):
        read.find("at:2020-01-01T00:00:00Z")

    folders = list_cronjobs(read.storage, path="ksnapshot", cluster="")
    assert folders == list_cronjobs(read.storage, path="ksnapshot", cluster="test") == [read.prefix]


def test_a_list_that_cannot_be_completed_is_an_error(
    s3: S3Server, bucket: str, faults: Faults
) -> None:
    fill(s3, bucket, [(NOW - timedelta(hours=n), State.COMPLETE) for n in range(30)])
    proxy = faults.http(s3.port)
    read = catalogue(s3, bucket, proxy.url)
    for rule in (
        Rule(Status(503), "GET", "list-type"),
        Rule(Status(503), "GET", "0007/manifest"),
        Rule(Status(200, b"<html>please log in</html>"), "GET", "0007/manifest"),
        Rule(Status(200, b"<html>please log in</html>"), "GET", "list-type"),
        Rule(Status(200, b"<ListBucketResult></ListBucketResult>"), "GET", "list-type"),
        # It goes on, and does not say where.
        Rule(Status(200, _ENDLESS), "GET", "list-type"),
    ):
        proxy.set(rule)
        with pytest.raises(StorageFailedError):
            read.page(limit=30)
        if rule.path == "list-type":
            with pytest.raises(StorageFailedError):
                list_cronjobs(read.storage, path="ksnapshot", cluster="")
    proxy.clear()
    assert len(read.page(limit=30).entries) == 30


def test_how_far_backups_go_back_is_found_by_few_requests(
    s3: S3Server, bucket: str, faults: Faults
) -> None:
    ages = [timedelta(hours=number) for number in range(600)]
    states = [State.RUNNING, State.FAILED, State.COMPLETE, State.COMPLETE]
    fill(s3, bucket, [(NOW - age, states[n % 4]) for n, age in enumerate(ages)])
    proxy = faults.http(s3.port)
    read = catalogue(s3, bucket, proxy.url)

    def extent() -> tuple[datetime, int] | None:
        found = read_extent(read.storage, read.prefix, now=lambda: NOW)
        return (found.oldest, found.count) if found else None

    assert extent() == (NOW - ages[599], 300)
    assert len(proxy.seen()) <= 4

    # The oldest was found damaged, the next one is half removed: neither can be restored.
    client = s3.client()
    runs = [
        Run(
            path="ksnapshot", cluster="test", cronjob=CRONJOB, host="pod", started=NOW - age, id=id_
        )
        for age, id_ in ((ages[599], "0599"), (ages[598], "0598"))
    ]
    damaged = runs[0].verification_key(NOW, good=False)
    client.put_object(Bucket=bucket, Key=damaged, Body=b"{}")
    manifest = s3.read(bucket, runs[1].manifest_key)
    tombstone = make_tombstone(manifest, removal=Removal.PRUNED, removed=NOW)
    assert isinstance(tombstone, Tombstone)
    client.put_object(Bucket=bucket, Key=runs[1].manifest_key, Body=write_record(tombstone))
    assert extent() == (NOW - ages[595], 298)

    # Nothing is known where the store does not say it, and nothing is raised.
    for rule in (
        Rule(Status(403), "GET", "list-type"),
        Rule(Status(503), "GET", "list-type"),
        Rule(Status(403), "GET", "manifest.json"),
    ):
        proxy.set(rule)
        assert extent() is None
    proxy.clear()
    empty = records_prefix(path="ksnapshot", cluster="test", cronjob="other")
    assert read_extent(read.storage, empty, now=lambda: NOW) is None
