"""Pods that dump a shard each of a real cluster, into one backup."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dumpers.contract.result import PART
from dumpers.engines.clickhouse.engine import ENGINE
from dumpers.runtime.errors import (
    ConfigurationError,
    ExitCode,
    InterruptedRunError,
    SourceFailedError,
    SourceRefusedError,
    StorageFailedError,
    StorageRefusedError,
)
from tests.integration.dumpers.clickhouse import stock
from tests.integration.dumpers.clickhouse.conftest import NOW, Dumps, connection, started
from tests.integration.dumpers.clickhouse.pods import JOB, Pods, later, prune
from tests.integration.dumpers.clickhouse.worlds import fill, fingerprints, sync
from tests.testbed.databases.clickhouse import Cluster
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Rule, Slow
from tests.testbed.toolchain.processes import wait_until

_FOLDER = "20260102T030405Z"


@pytest.fixture
def pods(calm: Cluster, dumps: Dumps) -> Pods:
    return Pods(dumps=dumps, cluster=calm, uid="8f1c")


@pytest.fixture(scope="module")
def zoo(calm: Cluster) -> None:
    fill(calm)


def same(old: Cluster, new: Cluster) -> None:
    sync(new)
    for one, other in zip(old.replicas, new.replicas, strict=True):
        assert fingerprints(other.sql) == fingerprints(one.sql), one.host


@pytest.mark.usefixtures("zoo")
def test_two_pods_make_one_backup_that_both_ways_restore(
    pods: Pods, calm: Cluster, empty: Cluster
) -> None:
    first = pods.run(0)
    assert (first.succeeded, first.outcome) == (True, PART)
    assert "shard 1 of 2 is stored" in first.message
    assert pods.dumps.manifests() == []
    # The other one begins an hour later, and is of the same run.
    last = pods.run(1, at=later(hours=1))
    assert (last.outcome, last.record) == ("", first.record)
    assert last.seconds == 3600
    backup = pods.backup()
    assert backup.document["shards"] == 2
    assert len(backup.objects) == last.key_count
    assert {item["part"][0][:2] for item in backup.objects} == {"s1", "s2"}
    assert sorted(pods.records()) == [
        *sorted(
            f"{_FOLDER}-{backup.document['run']}/{name}.json"
            for name in ("manifest", "shard-1", "shard-2", "started")
        ),
        f"jobs/{backup.document['run']}.json",
    ]
    one_pod = pods.dumps.of(calm)
    said = {key: table["rows"] for key, table in backup.tables().items()}
    assert said == {key: table["rows"] for key, table in one_pod.tables().items()}
    assert backup.codes == one_pod.codes
    assert all(table["read"].endswith("Z") for table in backup.tables().values())

    stock.load(backup, empty)
    same(calm, empty)
    with started() as other:
        ENGINE.restore(connection(other), backup.pieces(), NOW)
        same(calm, other)


@pytest.mark.usefixtures("zoo")
def test_two_last_pods_at_once_make_one_manifest(pods: Pods, tmp_path: Path) -> None:
    made = [pods.process(index, tmp_path / str(index)) for index in (0, 1)]
    for pod in made:
        pod.start()
    ended = [pod.wait() for pod in made]
    assert [one.exit_code for one in ended] == [0, 0], [one.log for one in ended]
    assert {one.result.outcome for one in ended} in ({PART, ""}, {""})
    assert len({one.result.record for one in ended}) == 1
    assert {item["part"][0][:2] for item in pods.backup().objects} == {"s1", "s2"}


@pytest.mark.usefixtures("zoo")
def test_a_pod_that_comes_again_finds_what_is_done(pods: Pods, calm: Cluster) -> None:
    first = pods.run(0)
    again = pods.run(0)
    assert (again.outcome, again.record) == (PART, first.record)
    pods.run(1)
    before = pods.dumps.s3.objects(pods.dumps.bucket)
    found = pods.run(1, at=later(minutes=5))
    assert (found.outcome, found.record) == ("", first.record)
    assert pods.dumps.s3.objects(pods.dumps.bucket) == before


@pytest.mark.usefixtures("zoo")
def test_a_run_over_midnight_keeps_the_folder_of_its_start(pods: Pods) -> None:
    evening = datetime(2026, 1, 1, 23, 59, 50, tzinfo=UTC)
    pods.run(0, at=evening)
    result = pods.run(1, at=datetime(2026, 1, 2, 0, 20, 0, tzinfo=UTC))
    whole = {key.rpartition("/2026/01/01/clickhouse/")[2].partition("/")[0] for key in result.keys}
    [name] = whole
    assert name.startswith(f"dump-{JOB}-")
    assert name.endswith("-20260101235950")


@pytest.mark.parametrize(("shards", "set_to"), [(1, 2), (3, 2)])
@pytest.mark.usefixtures("zoo")
def test_another_number_of_shards_fails_with_the_value_to_set(
    pods: Pods, calm: Cluster, shards: int, set_to: int
) -> None:
    wrong = Pods(dumps=pods.dumps, cluster=calm, uid="w", shards=shards)
    with pytest.raises(SourceRefusedError, match=f"set shard-count to {set_to}"):
        wrong.run(0)
    assert pods.dumps.s3.objects(pods.dumps.bucket) == {}


def test_pods_without_an_index_are_refused(pods: Pods) -> None:
    with pytest.raises(ConfigurationError, match="Indexed Job"):
        pods.run(0, {"JOB_COMPLETION_INDEX": ""})


@pytest.mark.usefixtures("zoo")
def test_keys_that_only_write_are_refused_with_the_rights_to_grant(pods: Pods) -> None:
    s3, bucket = pods.dumps.s3, pods.dumps.bucket
    keys = s3.create_user("writer")
    s3.allow(bucket, {keys.access: ["s3:PutObject", "s3:AbortMultipartUpload"]})
    own = {"BACKEND_S3_ACCESS_KEY": keys.access, "BACKEND_S3_SECRET_KEY": keys.secret}
    with pytest.raises(StorageRefusedError, match=r"grant s3:GetObject and s3:ListBucket") as told:
        pods.run(0, own)
    assert str(told.value).startswith("shard 1 of 2: ")
    assert s3.objects(bucket) == {}


@pytest.mark.usefixtures("zoo")
def test_what_a_crashed_run_left_is_swept_with_all_that_its_pods_wrote(
    pods: Pods, calm: Cluster
) -> None:
    deadline = {"KSNAPSHOT_DEADLINE_SECONDS": "3600"}
    crashed = pods.run(0, deadline)
    s3, bucket = pods.dumps.s3, pods.dumps.bucket
    left = {key for key in s3.objects(bucket) if "/manifests/" not in key}
    assert left
    with pytest.raises(InterruptedRunError, match="past its deadline"):
        pods.run(1, deadline, at=later(hours=2))
    next_job = Pods(dumps=pods.dumps, cluster=calm, uid="next")
    for index in (0, 1):
        next_job.run(index, deadline, at=later(days=2))
    assert not left & s3.objects(bucket).keys()
    # Nor can a pod of the swept run commit it.
    with pytest.raises((StorageFailedError, InterruptedRunError)):
        pods.run(1, deadline, at=later(minutes=1))
    found = [json.loads(s3.read(bucket, key)) for key in pods.dumps.manifests()]
    assert sorted(one["record"] for one in found) == ["manifest", "swept"]
    assert next(one["run"] for one in found if one["record"] == "swept") in crashed.record


@pytest.mark.usefixtures("zoo")
def test_objects_that_are_read_back_are_proved_by_one_record(pods: Pods) -> None:
    own = {"KSNAPSHOT_VERIFY": "read-back"}
    assert pods.run(0, own).verified == "read-back"
    pods.run(1, own, at=later(minutes=1))
    backup = pods.backup()
    [name] = [name for name in pods.records() if "/verified-" in name]
    s3, bucket = pods.dumps.s3, pods.dumps.bucket
    [key] = [key for key in s3.objects(bucket) if key.endswith(name)]
    verified = json.loads(s3.read(bucket, key))
    assert {item["key"] for item in verified["objects"]} == {item["key"] for item in backup.objects}


def test_a_table_of_several_shards_is_stored_once_and_never_by_none(
    dumps: Dumps, tmp_path: Path
) -> None:
    made = (
        "CREATE TABLE IF NOT EXISTS shop.{0} (k UInt64) ENGINE = ReplicatedMergeTree("
        "'/clickhouse/{0}', '{{shard}}-{{replica}}') ORDER BY k"
    )
    with started(shards=2, replicas=1) as cluster:
        cluster.everywhere("CREATE DATABASE shop")
        cluster.everywhere(made.format("rates"))
        cluster.replica(1, 1).sql("INSERT INTO shop.rates SELECT number FROM numbers(7)")
        pods = Pods(dumps=dumps, cluster=cluster, uid="one")
        pods.run(0)
        pods.run(1)
        held = [(key[0], table["rows"]) for key, table in pods.backup().tables().items()]
        assert held == [("s1", 7)]
        # Made behind the first shard's pod, and left to it by the second one's.
        late = Pods(dumps=dumps, cluster=cluster, uid="late")
        late.run(0)
        cluster.everywhere(made.format("later"))
        with pytest.raises(SourceFailedError, match=r"shard 2 of 2: shop.later: replicated over"):
            late.run(1)
        assert len(dumps.manifests()) == 1
        again = late.process(1, tmp_path)
        again.start()
        assert again.wait().exit_code == ExitCode.SOURCE_FAILED


@pytest.mark.usefixtures("zoo")
def test_prune_deletes_all_that_the_pods_of_a_backup_wrote(pods: Pods, calm: Cluster) -> None:
    deadline = {"KSNAPSHOT_DEADLINE_SECONDS": "3600"}
    for index in (0, 1):
        pods.run(index, deadline)
    newer = Pods(dumps=pods.dumps, cluster=calm, uid="newer")
    policy = {**deadline, "KSNAPSHOT_RETENTION": "keep-last=1", "KSNAPSHOT_TIME_ZONE": "Etc/UTC"}
    for index in (0, 1):
        newer.run(index, policy, at=later(days=1))
    s3, bucket = pods.dumps.s3, pods.dumps.bucket
    assert prune(newer, later(days=2)) == 1
    run = newer.backup().document["run"]
    assert all(run in name for name in pods.records() if not name.startswith("jobs/"))
    kept = {item["key"] for item in newer.backup().objects}
    assert {key for key in s3.objects(bucket) if "/manifests/" not in key} == kept
    # The claim of the run that is gone goes with the next prune.
    prune(newer, later(days=2))
    assert [name for name in pods.records() if name.startswith("jobs/")] == [f"jobs/{run}.json"]


_TABLES, _ROWS = 24, 100_000
_NOISE = (
    "INSERT INTO noise.t{0} SELECT number, concat(toString(rand64({1})), toString(rand64({2}))) "
    "FROM numbers({3})"
)


def test_a_pod_killed_at_90_percent_is_followed_by_one_that_reads_the_rest(
    dumps: Dumps, tmp_path: Path, faults: Faults
) -> None:
    with started(shards=2, replicas=1) as cluster:
        for number, replica in enumerate(cluster.replicas):
            replica.sql("CREATE DATABASE noise")
            for table in range(_TABLES if number == 0 else 1):
                replica.sql(
                    f"CREATE TABLE noise.t{table} (k UInt64, s String) ENGINE = MergeTree "
                    "ORDER BY k"
                )
                replica.sql(_NOISE.format(table, 2 * table, 2 * table + 1, _ROWS))
        hosts = [(replica.host, cluster.http_port) for replica in cluster.replicas]
        proxies = [faults.http(port, host) for host, port in hosts]
        listed = ";".join(f"{proxy.listen}:{proxy.port}" for proxy in proxies)
        options = {"CLICKHOUSE_SHARDS": listed, "CLICKHOUSE_PARALLELISM": "2"}

        def read() -> int:
            return sum(seen.received for seen in proxies[0].seen())

        whole = Pods(dumps=dumps, cluster=cluster, uid="whole", options=options)
        whole.run(0)
        total = read()
        killed = Pods(dumps=dumps, cluster=cluster, uid="killed", options=options)
        proxies[0].set(Rule(Slow(bytes_per_second=total // 8)))
        pod = killed.process(0, tmp_path / "killed")
        pod.start()
        wait_until(lambda: read() >= total + total * 9 // 10, seconds=120, what="90 %")
        assert pod.process is not None
        pod.process.kill()
        pod.process.wait()
        proxies[0].clear()
        before = read()
        again = killed.process(0, tmp_path / "again")
        again.start()
        ended = again.wait()
        assert ended.exit_code == 0, ended.log
        [line] = ended.lines("going on with a shard")
        assert line["objects"] > _TABLES // 2
        assert read() - before <= total // 4, (read() - before, total)
        assert killed.run(1).outcome == ""
        backup = killed.backup()
        rows = {key: table["rows"] for key, table in backup.tables().items()}
        assert len(rows) == _TABLES + 1
        assert set(rows.values()) == {_ROWS}
        assert len({table["read"] for table in backup.tables().values()}) > 1
        tries = {"-try2/" in item["key"] for item in backup.objects if item["part"][0] == "s1"}
        assert tries == {True, False}
        replica = cluster.replica(1, 1)
        for table in range(_TABLES):
            data = backup.read(backup.part("s1", "noise", f"t{table}"))
            replica.sql(f"CREATE TABLE noise.r{table} AS noise.t{table}")
            replica.client(f"INSERT INTO noise.r{table} (k, s) FORMAT Native", stdin=data)
            asked = "SELECT sum(cityHash64(k, s)) FROM noise.{}"
            assert replica.sql(asked.format(f"r{table}")) == replica.sql(asked.format(f"t{table}"))


def test_pods_side_by_side_agree_on_one_start(pods: Pods) -> None:
    moments = [later(seconds=seconds) for seconds in range(2)]
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda item: pods.run(item[0], at=item[1]), enumerate(moments)))
    assert len({one.record for one in ended}) == 1
