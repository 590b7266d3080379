from collections.abc import Mapping

import pytest

from tests.integration.testbed.sidecars.asking import Api
from tests.integration.testbed.sidecars.conftest import Start
from tests.testbed.databases.clickhouse import Cluster, Replica
from tests.testbed.sidecars.settings import Remote, Settings
from tests.testbed.sidecars.sidecar import start_sidecars
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.processes import wait_until

_SUM = "SELECT count(), sum(cityHash64(day, a, s)) FROM {}"


def _more(replica: Replica, table: str, since: int, month: int = 3) -> None:
    replica.sql(
        f"INSERT INTO {table} SELECT toDate('2026-0{month}-01'), number + {since}, 'y' "
        "FROM numbers(100)"
    )


def test_what_was_dropped_comes_back_as_it_was(
    api: Api, replica: Replica, base: str, rows: str
) -> None:
    odd = f"{base}.`od-d.n a'me`"
    replica.sql(f"CREATE TABLE {odd} (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
    replica.sql(f"INSERT INTO {odd} SELECT number, toString(number) FROM numbers(500)")
    replica.sql(f"CREATE TABLE {base}.log (a UInt64) ENGINE = Log")
    replica.sql(f"INSERT INTO {base}.log VALUES (1)")
    replica.sql(f"CREATE VIEW {base}.view AS SELECT a FROM {rows}")
    replica.sql(
        f"CREATE MATERIALIZED VIEW {base}.seen ENGINE = MergeTree ORDER BY a "
        f"POPULATE AS SELECT a FROM {rows}"
    )
    sums = (_SUM.format(rows), f"SELECT count(), sum(cityHash64(a, s)) FROM {odd}")
    before = [replica.sql(one) for one in sums]
    done = api.run(f"/backup/create_remote?name=whole&table={base}.*&delete-source")
    assert done["status"] == "success"
    assert done["command"] == f'create_remote --tables="{base}.*" --delete-source whole'
    # Neither the frozen parts nor the local copy stay on the data disk.
    assert api.sidecar.left() == []
    replica.sql(f"DROP DATABASE {base}")
    assert api.run("/backup/restore_remote/whole?rm")["status"] == "success"
    assert [replica.sql(one) for one in sums] == before
    # Of other engines only the schema is kept.
    assert replica.sql(f"SELECT count() FROM {base}.log") == "0"
    assert replica.sql(f"SELECT count() FROM {base}.view") == "1000"
    assert replica.sql(f"SELECT count() FROM {base}.seen") == "1000"
    [local] = api.get("/backup/list/local").rows
    assert (local["name"], local["desc"]) == ("whole", "regular")


def test_an_increment_stores_only_new_parts_and_needs_its_chain(
    api: Api, replica: Replica, base: str, rows: str, s3: S3Server, bucket: str
) -> None:
    for number in range(3):
        diff = f"&diff-from-remote=step{number - 1}" if number else ""
        assert (
            api.run(f"/backup/create_remote?name=step{number}&table={base}.*{diff}")["status"]
            == "success"
        )
        _more(replica, rows, number * 1000)
    listed = {one["name"]: one for one in api.get("/backup/list/remote").rows}
    assert [listed[f"step{n}"]["required"] for n in range(3)] == ["", "step0", "step1"]
    assert {one["desc"] for one in listed.values()} == {"tar, regular"}
    prefix = "kept/here/step{}/shadow/"
    assert [len(s3.objects(bucket, prefix.format(n))) for n in range(3)] == [2, 1, 1]
    replica.sql(f"DROP TABLE {rows}")
    for number in range(3):
        assert api.post(f"/backup/delete/local/step{number}?force=1").status == 200
    assert api.run("/backup/restore_remote/step2")["status"] == "success"
    assert replica.sql(f"SELECT count() FROM {rows}") == "1200"


def test_a_base_is_kept_while_others_need_it_and_a_broken_chain_is_told(
    api: Api, replica: Replica, base: str, rows: str
) -> None:
    api.run(f"/backup/create_remote?name=full&table={base}.*&delete-source")
    api.run(f"/backup/create_remote?name=more&table={base}.*&diff-from-remote=full&delete-source")
    refused = api.post("/backup/delete/remote/full")
    assert (refused.status, refused.row["operation"]) == (500, "delete")
    assert refused.row["error"].startswith("'full' is required by remote backup(s) more, ")
    assert refused.content == "text/plain; charset=utf-8"
    deleted = api.post("/backup/delete/remote/full?force=1")
    assert deleted.row == {
        "status": "success",
        "operation": "delete",
        "backup_name": "full",
        "location": "remote",
    }
    failed = api.run("/backup/restore_remote/more")
    assert failed["status"] == "error"
    assert failed["error"].endswith("full not found on remote storage")
    failed = api.run(f"/backup/create_remote?name=next&table={base}.*&diff-from-remote=full")
    assert failed["error"] == (
        "createBackup failed: b.getTablesDiffFromRemote return error: full not found on remote "
        "storage"
    )
    assert not [one for one in api.sidecar.left() if one.endswith("next")]


def test_an_older_release_deletes_what_others_need(start: Start, base: str, rows: str) -> None:
    api = start(version="2.8.0")
    api.run(f"/backup/create_remote?name=full&table={base}.*&delete-source")
    api.run(f"/backup/create_remote?name=more&table={base}.*&diff-from-remote=full")
    assert api.post("/backup/delete/remote/full").status == 200
    assert api.names() == {"more": "tar, regular"}


@pytest.mark.parametrize(("more", "restored"), [("", "1000"), ("&delete-source", "1100")])
def test_a_second_backup_of_a_name_lacks_what_is_new_while_the_first_is_local(
    api: Api, replica: Replica, base: str, rows: str, more: str, restored: str
) -> None:
    path = f"/backup/create_remote?name=same&table={base}.*{more}"
    assert api.run(path)["status"] == "success"
    _more(replica, rows, 1000)
    assert api.run(path)["status"] == "success"
    api.post("/backup/delete/local/same")
    assert api.run("/backup/restore_remote/same")["status"] == "success"
    assert replica.sql(f"SELECT count() FROM {rows}") == restored


def test_one_partition_and_a_table_by_another_name(
    api: Api, replica: Replica, base: str, rows: str
) -> None:
    other = f"{base}.other"
    replica.sql(f"CREATE TABLE {other} AS {rows}")
    assert (
        api.run(f"/backup/create_remote?name=part&table={rows}&partitions=202602")["status"]
        == "success"
    )
    april = replica.sql(f"SELECT count() FROM {rows} WHERE toYYYYMM(day) = 202602")
    done = api.run(f"/backup/restore/part?table={rows}&restore_table_mapping=rows:copy&schema")
    assert done["status"] == "success"
    assert replica.sql(f"SELECT count() FROM {base}.copy") == "0"
    done = api.run("/backup/restore/part?data&restore_table_mapping=rows:copy")
    assert done["status"] == "success"
    assert replica.sql(f"SELECT count() FROM {base}.copy") == april
    refused = api.post("/backup/restore/part?restore_table_mapping=rows")
    assert refused.row["error"] == "invalid values in restore_table_mapping rows"
    lacking = api.run("/backup/restore/part?data&restore_table_mapping=rows:missing")
    assert "Restore schema first or create missing tables manually" in lacking["error"]


def test_two_shards_come_back_with_the_schema_everywhere_and_the_data_once(
    cluster: Cluster, base: str, remote: Remote, s3: S3Server, bucket: str
) -> None:
    made = (
        f"CREATE TABLE {base}.shared (day Date, a UInt64, s String) ENGINE = ReplicatedMergeTree("
        f"'/clickhouse/{base}/{{shard}}', '{{replica}}') PARTITION BY day ORDER BY a"
    )
    cluster.everywhere(made)
    for shard in (1, 2):
        _more(cluster.replica(shard, 1), f"{base}.shared", shard * 1000)
    total = _SUM.format(f"{base}.shared")
    before = [cluster.replica(shard, 1).sql(total) for shard in (1, 2)]
    with start_sidecars(cluster, Settings(remote=remote)) as found:
        apis = {place: Api(sidecar=one) for place, one in found.items()}
        assert len({one.port for one in found.values()}) == 1
        for shard in (1, 2):
            done = apis[shard, 1].run(f"/backup/create_remote?name=all&table={base}.*")
            assert done["status"] == "success"
        folders = {key.removeprefix("kept/here/").split("/")[0] for key in s3.objects(bucket)}
        assert folders == {"shard-1", "shard-2"}
        cluster.everywhere(f"DROP TABLE {base}.shared")
        _restore(apis)
        for one in cluster.replicas:
            _wait(one, total, before[one.shard - 1])
        for api in apis.values():
            assert api.post("/backup/delete/local/all").status == 200


def _wait(replica: Replica, asked: str, answer: str) -> None:
    wait_until(lambda: replica.sql(asked) == answer, seconds=60, what=f"{answer} of {asked}")


def _restore(apis: Mapping[tuple[int, int], Api]) -> None:
    for api in apis.values():
        assert api.run("/backup/restore_remote/all?schema")["status"] == "success"
    for shard in (1, 2):
        assert apis[shard, 1].run("/backup/restore_remote/all?data")["status"] == "success"


def test_configuration_files_come_back_by_a_restart(
    api: Api, replica: Replica, base: str, rows: str
) -> None:
    assert api.run(f"/backup/create?name=told&table={base}.*&configs")["status"] == "success"
    [local] = api.get("/backup/list/local").rows
    assert local["config_size"] > 0
    users = api.sidecar.server.home / "users.xml"
    before = users.read_text()
    users.write_text(f"{before}<!-- changed -->")
    pid = replica.daemon.pid
    assert api.run("/backup/restore/told?configs-only")["status"] == "success"
    assert users.read_text() == before
    assert replica.daemon.pid != pid
    assert replica.sql(f"SELECT count() FROM {rows}") == "1000"


@pytest.mark.parametrize("keep", [0, 2])
def test_only_the_newest_ones_stay_with_what_they_require(
    start: Start, base: str, rows: str, keep: int
) -> None:
    api = start(backups_to_keep_remote=keep, backups_to_keep_local=-1)
    for number in range(4):
        diff = "&diff-from-remote=step1" if number == 2 else ""
        api.run(f"/backup/create_remote?name=step{number}&table={base}.*{diff}")
    assert list(api.names()) == [f"step{number}" for number in range(1 if keep else 0, 4)]
    # -1 keeps no local copy once it is stored.
    assert api.sidecar.left() == []
