import http.client
import os
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed.databases import clickhouse as clickhouse_testbed
from tests.testbed.databases.clickhouse import Cluster, Replica
from tests.testbed.databases.clickhouse_front import Front, start_front
from tests.testbed.databases.clickhouse_front_server import Behaviour
from tests.testbed.databases.clickhouse_http import Login
from tests.testbed.toolchain.processes import wait_until
from tests.testbed.toolchain.require import require, require_linux

_ROWS = 200_000
# More than the engine holds back at once, so that an error comes when the answer is under way.
_THROWS = "SELECT number, throwIf(number = 2000000) FROM numbers(3000000) FORMAT Native"
_READONLY = "SELECT is_readonly FROM system.replicas WHERE table = '{}'"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    require_linux()
    problem = clickhouse_testbed.problem()
    require(not problem, problem)
    with clickhouse_testbed.start_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    require_linux()
    with start_front() as front:
        yield front


@pytest.fixture
def behaving(front: Front) -> Iterator[Front]:
    """The front, which fails no more once the test has ended."""
    yield front
    front.behave(Behaviour())


def test_the_cluster_names_each_replica_by_its_own_host_and_the_ports_of_all(
    cluster: Cluster,
) -> None:
    listed = cluster.replicas[0].sql(
        "SELECT shard_num, replica_num, host_name, port FROM system.clusters "
        "WHERE cluster = 'main' ORDER BY shard_num, replica_num"
    )
    assert listed.splitlines() == [
        f"{one.shard}\t{one.replica}\t{one.host}\t{cluster.tcp_port}" for one in cluster.replicas
    ]
    told = [
        one.sql("SELECT macro, substitution FROM system.macros ORDER BY macro")
        for one in cluster.replicas
    ]
    assert told == [
        f"cluster\tmain\nreplica\tr{one.replica}\nshard\t{one.shard}" for one in cluster.replicas
    ]
    assert len({one.host for one in cluster.replicas}) == len(cluster.replicas) == 4


def test_rows_get_to_the_other_replica_of_the_shard_only(cluster: Cluster) -> None:
    _replicated(cluster, "shared")
    first, sibling, other = (cluster.replica(*place) for place in ((1, 1), (1, 2), (2, 1)))
    first.sql(f"INSERT INTO shared SELECT number, toString(number) FROM numbers({_ROWS})")
    _wait(sibling, "SELECT count() FROM shared", f"{_ROWS}")
    assert other.sql("SELECT count() FROM shared") == "0"
    # The servers know one another's password.
    cluster.everywhere("CREATE TABLE of_all AS shared ENGINE = Distributed(main, default, shared)")
    assert other.sql("SELECT count() FROM of_all") == f"{_ROWS}"


def test_a_replica_falls_behind_while_it_fetches_nothing(cluster: Cluster) -> None:
    _replicated(cluster, "behind")
    first, sibling = cluster.replica(1, 1), cluster.replica(1, 2)
    sibling.sql("SYSTEM STOP FETCHES")
    first.sql("INSERT INTO behind VALUES (1, 'a')")
    _wait(sibling, "SELECT queue_size FROM system.replicas WHERE table = 'behind'", "1")
    assert sibling.sql("SELECT count() FROM behind") == "0"
    sibling.sql("SYSTEM START FETCHES")
    _wait(sibling, "SELECT count() FROM behind", "1")


def test_a_killed_replica_comes_back_with_its_data(cluster: Cluster) -> None:
    _replicated(cluster, "kept")
    replica = cluster.replica(2, 2)
    replica.sql("INSERT INTO kept VALUES (1, 'a')")
    replica.kill()
    with pytest.raises(ConnectionError):
        replica.sql("SELECT 1")
    replica.start()
    assert replica.sql("SELECT * FROM kept") == "1\ta"
    _wait(replica, _READONLY.format("kept"), "0")


def test_without_zookeeper_replicated_tables_can_only_be_read(cluster: Cluster) -> None:
    _replicated(cluster, "read_only")
    replica = cluster.replica(1, 1)
    replica.sql("INSERT INTO read_only VALUES (1, 'a')")
    cluster.kill_zookeeper()
    _wait(replica, _READONLY.format("read_only"), "1")
    with pytest.raises(RuntimeError, match=r"Code: 242, .*readonly"):
        replica.sql("INSERT INTO read_only VALUES (2, 'b')")
    assert replica.sql("SELECT * FROM read_only") == "1\ta"
    cluster.start_zookeeper()
    for one in cluster.replicas:
        _wait(one, _READONLY.format("read_only"), "0")
    replica.sql("INSERT INTO read_only VALUES (2, 'b')")


def test_a_reader_may_read_and_set_but_not_write(cluster: Cluster) -> None:
    replica = cluster.replica(1, 1)
    replica.sql("CREATE TABLE written (a UInt8) ENGINE = Log")
    assert replica.sql("SELECT count() FROM written", login=cluster.reader, max_threads=1) == "0"
    with pytest.raises(RuntimeError, match="Code: 164"):
        replica.sql("INSERT INTO written VALUES (1)", login=cluster.reader)
    stranger = Login(user=cluster.reader.user, password="wrong")
    with pytest.raises(RuntimeError, match="HTTP 401: Code: 193"):
        replica.sql("SELECT 1", login=stranger)


def test_the_query_log_soon_says_how_many_rows_went_out(cluster: Cluster) -> None:
    replica = cluster.replica(1, 1)
    replica.sql("SELECT number FROM numbers(1234)", query_id="counted", log_queries=1)
    wait_until(
        lambda: replica.sql("EXISTS TABLE system.query_log") == "1", seconds=30, what="the log"
    )
    asked = "SELECT result_rows FROM system.query_log WHERE query_id = 'counted' AND type = 2"
    _wait(replica, asked, "1234")


def test_the_stock_client_takes_back_what_it_gave(cluster: Cluster) -> None:
    source, target = cluster.replica(1, 1), cluster.replica(2, 1)
    for replica in (source, target):
        replica.sql("CREATE TABLE given (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
    binary = "reinterpretAsString(number)"
    source.sql(f"INSERT INTO given SELECT number, {binary} FROM numbers({_ROWS})")
    dump = source.client("SELECT * FROM given FORMAT Native", login=cluster.reader)
    target.client("INSERT INTO given FORMAT Native", "--insert_deduplicate=0", stdin=dump)
    check = "SELECT count(), sum(cityHash64(a, s)) FROM given"
    assert target.sql(check) == source.sql(check)
    with pytest.raises(RuntimeError, match="Code: 33"):
        target.client("INSERT INTO given FORMAT Native", stdin=dump[: len(dump) // 2])


def test_the_stock_client_is_had_from_a_folder(cluster: Cluster) -> None:
    replica = cluster.replica(1, 1)
    command = ["clickhouse-client", f"--host={replica.host}", f"--port={replica.tcp_port}"]
    command += [f"--password={cluster.admin.password}", "--query=SELECT 1"]
    path = f"{clickhouse_testbed.clients()}:{os.environ['PATH']}"
    assert subprocess.check_output(command, env={"PATH": path}) == b"1\n"


def test_the_newest_engine_knows_its_user_by_headers_of_both_kinds(front: Front) -> None:
    secret = b64encode(f"default:{front.admin.password}".encode()).decode()
    connection = http.client.HTTPConnection(front.host, front.http_port, timeout=60)
    for headers, status in (
        (_authorization(front), 200),
        ({"Authorization": f"Basic {secret}"}, 200),
        ({"X-ClickHouse-User": "default", "X-ClickHouse-Key": "wrong"}, 403),
        ({}, 403),
    ):
        connection.request("POST", "/", "SELECT 1", headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()


def test_a_whole_answer_of_the_newest_engine_ends_well_and_is_logged(front: Front) -> None:
    asked = f"SELECT number FROM numbers({_ROWS}) FORMAT Native"
    status, tag, body, whole = _streamed(front, asked, query_id="whole")
    assert (status, len(tag), whole) == (200, 16, True)
    assert len(body) > _ROWS * 8
    front.sql("SYSTEM FLUSH LOGS")
    logged = "SELECT type, result_rows FROM system.query_log WHERE query_id = 'whole' ORDER BY type"
    assert front.sql(logged) == f"QueryStart\t0\nQueryFinish\t{_ROWS}"


def test_an_early_error_of_the_newest_engine_is_a_status(front: Front) -> None:
    with pytest.raises(RuntimeError, match="HTTP 404: Code: 60"):
        front.sql("SELECT * FROM nowhere")
    with pytest.raises(RuntimeError, match="HTTP 404: Code: 115"):
        front.sql("SELECT 1", no_such_setting=1)
    with pytest.raises(RuntimeError, match="HTTP 500: Code: 395"):
        front.sql(_THROWS)


def test_an_error_midway_is_marked_by_the_tag_of_the_answer(front: Front) -> None:
    status, tag, body, whole = _streamed(front, _THROWS)
    assert (status, whole) == (200, False)
    marker = f"\r\n__exception__\r\n{tag}\r\n".encode()
    error, length = body.partition(marker)[2].rsplit(b"\n", 2)[0].rsplit(b"\n", 1)
    assert error.startswith(b"Code: 395. DB::Exception: ")
    assert length == f"{len(error) + 1} {tag}\r".encode()
    assert body.endswith(f"{tag}\r\n__exception__\r\n".encode())


def test_an_error_midway_as_older_servers_give_it_looks_like_data(behaving: Front) -> None:
    behaving.behave(Behaviour(errors="bare"))
    status, tag, body, whole = _streamed(behaving, _THROWS)
    assert (status, tag, whole) == (200, "", True)
    assert b"Code: 395. DB::Exception: " in body[-1000:]


def test_answers_end_where_they_are_told_to(behaving: Front) -> None:
    asked = f"SELECT number FROM numbers({_ROWS}) FORMAT Native"
    behaving.behave(Behaviour(after=100_000, matching="numbers"))
    status, tag, body, whole = _streamed(behaving, asked)
    assert (status, whole) == (200, False)
    assert body.index(f"\r\n__exception__\r\n{tag}\r\nCode: 241. ".encode()) == 100_000
    behaving.behave(Behaviour(after=100_000, by="cut"))
    status, _, body, whole = _streamed(behaving, asked)
    assert (status, len(body), whole) == (200, 100_000, False)
    behaving.behave(Behaviour(after=100_000, by="cut", matching="something else"))
    assert _streamed(behaving, asked)[3]


def test_the_newest_engine_answers_while_it_streams(front: Front) -> None:
    connection = http.client.HTTPConnection(front.host, front.http_port, timeout=60)
    connection.request("POST", "/", "SELECT number FROM numbers(100000000)", _authorization(front))
    answer = connection.getresponse()
    answer.read(1)
    assert front.sql("SELECT 1") == "1"
    connection.close()


def test_the_newest_engine_takes_data_and_says_what_is_wrong_with_it(front: Front) -> None:
    front.sql("CREATE TABLE taken (a UInt32) ENGINE = MergeTree PARTITION BY a ORDER BY a")
    _, _, rows, _ = _streamed(front, "SELECT toUInt32(number) AS a FROM numbers(150) FORMAT Native")
    insert = "INSERT INTO taken (a) FORMAT Native"
    with pytest.raises(RuntimeError, match="Code: 252"):
        front.insert(insert, rows)
    front.insert(insert, rows, max_partitions_per_insert_block=0)
    assert front.sql("SELECT count() FROM taken") == "150"


def test_the_user_of_the_newest_engine_may_see_and_make_what_is_no_table(front: Front) -> None:
    assert front.sql("SELECT count() FROM system.row_policies") == "0"
    assert front.sql("SHOW ACCESS").startswith("CREATE USER default ")
    front.sql("CREATE FUNCTION next_one AS x -> x + 1")
    made = "SELECT name FROM system.functions WHERE origin = 'SQLUserDefined'"
    assert front.sql(made) == "next_one"


def test_engines_may_be_shards_of_a_cluster() -> None:
    require_linux()
    hosts = ("127.0.0.31", "127.0.0.32")
    with (
        start_front(host=hosts[0], shards=hosts) as first,
        start_front(host=hosts[1], shards=hosts, http_port=first.http_port) as second,
    ):
        listed = "SELECT shard_num, host_name FROM system.clusters WHERE cluster = 'main'"
        assert first.sql(listed) == second.sql(listed) == "1\t127.0.0.31\n2\t127.0.0.32"
        assert second.sql("SELECT getMacro('shard')") == "2"


def test_an_ended_cluster_leaves_nothing_behind() -> None:
    require_linux()
    problem = clickhouse_testbed.problem()
    require(not problem, problem)
    with clickhouse_testbed.start_cluster(shards=1, replicas=1) as cluster, start_front() as front:
        replica = cluster.replica(1, 1)
        pids = [replica.daemon.pid, cluster.zookeeper.pid, front.pid]
        folder = replica.daemon.log.parent
    assert not [pid for pid in pids if Path("/proc", f"{pid}").exists()]
    assert not folder.exists()


def _replicated(cluster: Cluster, table: str) -> None:
    cluster.everywhere(
        f"CREATE TABLE {table} (a UInt64, s String) ENGINE = ReplicatedMergeTree("
        f"'/clickhouse/tables/{{shard}}/{table}', '{{replica}}') ORDER BY a"
    )


def _wait(replica: Replica, asked: str, answer: str) -> None:
    wait_until(lambda: replica.sql(asked) == answer, seconds=60, what=f"{answer} of {asked}")


def _authorization(front: Front) -> dict[str, str]:
    return {"X-ClickHouse-User": front.admin.user, "X-ClickHouse-Key": front.admin.password}


def _streamed(front: Front, asked: str, query_id: str = "") -> tuple[int, str, bytes, bool]:
    """Status, tag and body of an answer, and whether the body came to its end."""
    connection = http.client.HTTPConnection(front.host, front.http_port, timeout=60)
    connection.request("POST", f"/?query_id={query_id}", asked, _authorization(front))
    answer = connection.getresponse()
    body, whole = b"", True
    try:
        while block := answer.read1():
            body += block
    except http.client.IncompleteRead as cut:
        body, whole = body + cut.partial, False
    connection.close()
    return answer.status, answer.getheader("X-ClickHouse-Exception-Tag", ""), body, whole
