"""Two stores in a real cluster: one is killed in the middle of a dump, then the other one is."""

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from dumpers.contract.result import PARTIAL
from tests.demo.command import Command
from tests.demo.kube import Object
from tests.demo.objects import secret
from tests.demo.world import BUCKET, CONTROL, COPY, DATABASE, PREFIX, RELEASE, SHOP, WORKLOAD
from tests.e2e.conftest import Stage
from tests.e2e.test_command import done, drop_copy
from tests.e2e.test_postgresql import fingerprint
from tests.testbed.proxies.faults import Rule, Slow
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.stores import s3 as s3_testbed
from tests.testbed.stores.s3 import S3Server

_NAME, _SCHEDULE = f"{SHOP}/{WORKLOAD}", "0 3 1 1 *"
_OFFSITE_BUCKET, _OFFSITE_KEYS = "copies", "offsite-keys"
_PART = "partNumber="
# Long enough for a busy machine, and nobody waits for a store that does not come back.
_PATIENCE = "10s"
_LAST_SUCCESS = "ksnapshot_backup_storage_last_success_timestamp_seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offsite:
    """The second store, and what stands before it."""

    store: S3Server
    proxy: HttpProxy

    def uploads(self) -> list[tuple[str, str]]:
        return self.store.uploads(_OFFSITE_BUCKET)


@pytest.fixture(scope="module")
def offsite(shared_stage: Stage) -> Iterator[Offsite]:
    """Another store, as a storage of the install, until the module is over."""
    world, address = shared_stage.world, shared_stage.kube.cluster.host_address
    with s3_testbed.start() as store, HttpProxy("127.0.0.1", store.port, listen=address) as proxy:
        store.create_bucket(_OFFSITE_BUCKET)
        keys = {"AWS_ACCESS_KEY_ID": store.root.access, "AWS_SECRET_ACCESS_KEY": store.root.secret}
        world.kube.apply(secret(_OFFSITE_KEYS, CONTROL, keys))
        values = {
            "endpoint": proxy.url,
            "bucket": _OFFSITE_BUCKET,
            "credentialsSecret": _OFFSITE_KEYS,
            "patience": _PATIENCE,
        }
        offsite = {f"storages.offsite.{name}": value for name, value in values.items()}
        world.install(**offsite, **{"s3.patience": _PATIENCE})
        yield Offsite(store=store, proxy=proxy)
        world.install()
        world.kube.run("delete", "secret", _OFFSITE_KEYS, "-n", CONTROL)


@pytest.fixture
def both(stage: Stage, offsite: Offsite) -> Iterator[Offsite]:
    """The workload's backups go to both stores, until the test is over."""
    stage.world.annotate(_SCHEDULE, storage="main,offsite")

    def is_for_both() -> bool:
        env = stage.world.cronjob(_SCHEDULE)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        entries = {item["name"]: item.get("value") for item in env["containers"][0]["env"]}
        return entries.get("KSNAPSHOT_STORAGES") == "main,offsite"

    stage.kube.wait("the CronJob to name both storages", is_for_both, seconds=60)
    yield offsite
    offsite.proxy.clear()
    stage.kube.run("annotate", "-n", SHOP, f"statefulset/{WORKLOAD}", f"{PREFIX}/storage-")
    drop_copy(stage)
    stage.kube.run("delete", "jobs", "-n", CONTROL, "-l", "app.kubernetes.io/part-of=ksnapshot")


def status_of(stage: Stage, command: Command, job: str) -> Object:
    """What the command says of the workload once it knows how this Job ended."""

    def told() -> Object | None:
        document = json.loads(done(command.run("status", _NAME, "-o", "json")).out)
        row: Object = document["workloads"][0]
        return row if (row["last_result"] or {}).get("job") == job else None

    return stage.kube.wait("the run to be told of", told, seconds=60)


def settle(stage: Stage) -> None:
    """A Job ends a moment after its pod, and until then counts as one that goes on."""

    def is_over(job: Object) -> bool:
        found = {item["type"] for item in job["status"].get("conditions", ())}
        return bool(found & {"Complete", "Failed"})

    stage.kube.wait("the Jobs to end", lambda: all(map(is_over, stage.kube.list("jobs", CONTROL))))


def last_successes(stage: Stage) -> dict[str, float]:
    """What the controller's metrics say, by the storage."""
    pods = stage.kube.list("pods", CONTROL, f"app.kubernetes.io/instance={RELEASE}")
    [name] = [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    text = stage.kube.run(
        "get", "--raw", f"/api/v1/namespaces/{CONTROL}/pods/{name}:8080/proxy/metrics"
    )
    lines = [line for line in text.splitlines() if line.startswith(f"{_LAST_SUCCESS}{{")]
    return {
        line.partition('storage="')[2].partition('"')[0]: float(line.rpartition(" ")[2])
        for line in lines
        if f'workload="{WORKLOAD}"' in line
    }


def board_row(stage: Stage) -> Object:
    board = stage.kube.get("configmap", f"{RELEASE}-status", SHOP)
    assert board
    rows = json.loads(board["data"]["workloads.json"])["workloads"]
    row: Object = next(row for row in rows if row["workload"] == _NAME)
    return row


def places(command: Command) -> dict[str, tuple[list[str], list[str]]]:
    """Where each backup is, and where it is missing, by its id."""
    listed = json.loads(done(command.run("backups", _NAME, "--storage", "all", "-o", "json")).out)
    assert listed["away"] == []
    return {run["id"]: (run["found_in"], run["missing_in"]) for run in listed["backups"]}


def manifests(store: S3Server, bucket: str) -> list[str]:
    return [key for key in store.objects(bucket) if key.endswith("/manifest.json")]


def assert_restored_without_main(stage: Stage, command: Command, key: Path, backup: str) -> None:
    """With the first store gone, the copy is a backup, and the newest one is restored, too."""
    before, marker = fingerprint(stage, DATABASE), secrets.token_hex(4)
    stage.world.psql(f"UPDATE people SET name = name || '{marker}' WHERE id = 1")
    assert fingerprint(stage, DATABASE) != before
    words = ("restore", _NAME, "--beside", "-i", key)
    settle(stage)
    drop_copy(stage)
    with stage.store.away():
        done(command.run(*words, "--backup", backup, "--storage", "offsite"))
        assert fingerprint(stage, COPY) == before
        drop_copy(stage)
        settle(stage)
        # Nobody names it: the restore passes over the one that is away.
        fallen = done(command.run(*words))
        assert "read from offsite" in fallen.out + fallen.err
        assert fingerprint(stage, COPY) == before
    stage.world.psql(f"UPDATE people SET name = replace(name, '{marker}', '') WHERE id = 1")


def test_a_store_is_killed_mid_dump_and_what_it_missed_is_restored_from_it(
    stage: Stage, both: Offsite, command: Command, key: Path
) -> None:
    # The dump stands still with a part on its way to the second store, which is killed then.
    both.proxy.set(Rule(Slow(100_000, of="request"), "PUT", _PART))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(command.run, "backup", _NAME, "--follow", "-o", "json")
        stage.kube.wait(
            "a part on its way",
            lambda: both.proxy.seen("PUT", _PART) and stage.store.uploads(BUCKET),
            seconds=180,
        )
        assert manifests(stage.store, BUCKET) == []
        with both.store.away():
            ended = done(running.result())
            assert len(manifests(stage.store, BUCKET)) == 1
            run = json.loads(ended.out)
            row = status_of(stage, command, run["job"])
            text = done(command.run("status", _NAME)).out
            metrics, board = last_successes(stage), board_row(stage)

    # Everybody says which storage missed it.
    assert (run["succeeded"], run["outcome"], run["reason"]) == (True, PARTIAL, "Partial")
    assert [(item["name"], item["stored"]) for item in run["storages"]] == [
        ("main", True),
        ("offsite", False),
    ]
    assert (row["last_result"]["outcome"], row["problem"]) == (PARTIAL, True), row
    assert row["storages"]["main"]["last_success"]
    assert row["storages"]["offsite"]["last_success"] is None
    assert "not in the storage offsite: StorageFailed" in text
    assert metrics.keys() == {"main"}
    assert board["last_result"]["outcome"] == PARTIAL

    # It is back: the next run writes to both, and what the one before missed is told.
    both.proxy.clear()
    found = places(command)
    [missed] = found
    assert found == {missed: (["main"], ["offsite"])}
    settle(stage)
    healed = json.loads(done(command.run("backup", _NAME, "--follow", "-o", "json")).out)
    row = status_of(stage, command, healed["job"])
    assert (row["last_result"]["outcome"], row["problem"]) == ("succeeded", False), row
    assert row["storages"]["offsite"]["last_success"]
    assert last_successes(stage).keys() == {"main", "offsite"}
    found = places(command)
    [whole] = found.keys() - {missed}
    assert found == {whole: (["main", "offsite"], []), missed: (["main"], ["offsite"])}

    # Over what the run that missed it has left there.
    settle(stage)
    assert "is in offsite, too" in done(command.run("copy", _NAME, missed, "--to", "offsite")).out
    assert places(command)[missed] == (["main", "offsite"], [])

    assert_restored_without_main(stage, command, key, missed)
