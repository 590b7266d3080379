"""What goes wrong while a cluster is dumped: told with table and shard, or mended, never good."""

import itertools
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from dumpers.engines.clickhouse.logical.body_check import ProvenReader
from dumpers.engines.clickhouse.server import sql
from dumpers.engines.clickhouse.server.client import connect
from dumpers.runtime.errors import (
    DUMP_ERRORS,
    ConfigurationError,
    SourceFailedError,
    SourceRefusedError,
)
from tests.integration.dumpers.clickhouse.conftest import NOW, Backup, Dumps, connection
from tests.testbed.databases.clickhouse import Cluster, Replica
from tests.testbed.databases.clickhouse_front import Front
from tests.testbed.databases.clickhouse_front_server import Behaviour
from tests.testbed.databases.clickhouse_http import Login
from tests.testbed.proxies.faults import Rule, Truncate
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.stores import s3
from tests.testbed.toolchain.processes import wait_until

_ROWS = 1_000_000
_READS = r"query_id=ksnapshot-"


def filled(cluster: Cluster) -> Cluster:
    """With a replicated table too large for any buffer, and one that is not."""
    for text in (
        "CREATE DATABASE shop",
        (
            "CREATE TABLE shop.orders (id UInt64, what String) ENGINE = "
            "ReplicatedMergeTree('/clickhouse/{shard}/orders', '{replica}') ORDER BY id"
        ),
        "CREATE TABLE shop.local (id UInt64, what String) ENGINE = MergeTree ORDER BY id",
    ):
        cluster.everywhere(text)
    for replica in cluster.replicas:
        if replica.replica == 1:
            replica.sql(
                f"INSERT INTO shop.orders SELECT number * 2 + {replica.shard}, "
                f"toString(cityHash64(number)) FROM numbers({_ROWS})"
            )
        replica.sql(f"INSERT INTO shop.local SELECT number, 'x' FROM numbers({replica.shard * 10})")
    for replica in cluster.replicas:
        replica.sql("SYSTEM SYNC REPLICA shop.orders")
    return cluster


@pytest.fixture
def shop(cluster: Cluster) -> Cluster:
    """A cluster of the test's own."""
    return filled(cluster)


@pytest.fixture(scope="module")
def calm_shop(calm: Cluster) -> Cluster:
    """One that stays as it is."""
    return filled(calm)


ORDERS = {"KSNAPSHOT_TABLES": "orders"}


def rows(backup: Backup) -> dict[tuple[str, str], int]:
    return {(label, table): said["rows"] for (label, _, table), said in backup.tables().items()}


def lost(replica: Replica) -> bool:
    return replica.sql("SELECT min(is_readonly) FROM system.replicas") == "1"


def content(replica: Replica, table: str) -> str:
    return replica.sql(f"SELECT count(), sum(cityHash64(id, what)) FROM {table}")


def loads(backup: Backup, shop: Cluster, label: str) -> None:
    """What is stored of the orders of a shard is what the shard has."""
    target = shop.replica(1, 1)
    target.sql("CREATE TABLE shop.copy (id UInt64, what String) ENGINE = MergeTree ORDER BY id")
    target.client(
        "INSERT INTO shop.copy (id, what) FORMAT Native",
        stdin=backup.read(backup.part(label, "shop", "orders")),
    )
    source = shop.replica(int(label[1]), 1)
    assert content(target, "shop.copy") == content(source, "shop.orders")


def test_what_one_replica_breaks_off_is_read_from_its_sibling(shop: Cluster, dumps: Dumps) -> None:
    # Of equal replicas the one with the highest number is read.
    victim, sibling = shop.replica(2, 2), shop.replica(2, 1)

    backup = dumps.of(shop, ORDERS, midway=("s2", "orders", victim.kill))
    told = backup.tables()["s2", "shop", "orders"]
    assert (told["rows"], told["rows_from"]) == (_ROWS, "query_log")
    assert told["replica"].startswith(sibling.host)
    victim.start()
    loads(backup, shop, "s2")


def test_a_query_that_is_killed_is_put_to_the_sibling(calm_shop: Cluster, dumps: Dumps) -> None:
    def end() -> None:
        calm_shop.replica(2, 2).sql("KILL QUERY WHERE query LIKE '%orders%FORMAT Native%' ASYNC")

    backup = dumps.of(calm_shop, ORDERS, midway=("s2", "orders", end))
    told = backup.tables()["s2", "shop", "orders"]
    assert told["replica"].startswith(calm_shop.replica(2, 1).host)
    loads(backup, calm_shop, "s2")


def test_rows_that_a_server_leaves_out_without_a_word_are_missed(
    calm_shop: Cluster, dumps: Dumps, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As this release does when a query is killed at the right moment: once in some hundred times.
    sent, calls = sql.select, itertools.count()

    def cut(*args: Any) -> str:
        return sent(*args).replace(" FORMAT", " LIMIT 9 FORMAT")

    def select(*args: Any) -> str:
        return cut(*args) if next(calls) == 0 else sent(*args)

    place = "dumpers.engines.clickhouse.logical.table_read.select"
    monkeypatch.setattr(place, select)
    backup = dumps.of(calm_shop, ORDERS)
    assert rows(backup) == {("s1", "orders"): _ROWS, ("s2", "orders"): _ROWS}
    # One shard's came from the sibling, whose host ends in its number.
    hosts = (told["replica"].split(":")[0] for told in backup.tables().values())
    assert sorted(host[-1] for host in hosts) == ["1", "2"]
    monkeypatch.setattr(place, cut)
    said = rf"orders of s\d .* gave 9 rows where {_ROWS} were counted"
    with pytest.raises(SourceFailedError, match=said):
        dumps.of(calm_shop, ORDERS)


def test_a_replica_that_goes_after_it_was_read_proves_nothing_more(
    shop: Cluster, dumps: Dumps
) -> None:
    backup = dumps.of(shop, ORDERS, at_end=("s1", "orders", shop.replica(1, 2).kill))
    told = backup.tables()["s1", "shop", "orders"]
    assert told["replica"].startswith(shop.replica(1, 1).host)
    loads(backup, shop, "s1")


def test_a_table_of_one_server_has_no_sibling(shop: Cluster, dumps: Dumps) -> None:
    with pytest.raises(SourceFailedError, match=r"shop\.local of s1r2 \(127"):
        dumps.of(
            shop, {"KSNAPSHOT_TABLES": "local"}, at_end=("s1r2", "local", shop.replica(1, 2).kill)
        )
    assert dumps.manifests() == []


def test_a_shard_of_which_rows_would_be_missing_fails_the_run(shop: Cluster, dumps: Dumps) -> None:
    shop.replica(2, 2).kill()
    with pytest.raises(SourceFailedError, match=r"shard 2 .*shop\.local is not replicated"):
        dumps.of(shop)
    backup = dumps.of(shop, ORDERS)
    assert rows(backup) == {("s1", "orders"): _ROWS, ("s2", "orders"): _ROWS}
    assert "'these servers of shard 2 do not answer', 'objects': ['127.0.0.22']" in backup.notes
    shop.replica(2, 1).kill()
    with pytest.raises(SourceFailedError, match="no replica of shard 2 answers"):
        dumps.of(shop, ORDERS)


def test_a_replica_that_lags_is_not_read(shop: Cluster, dumps: Dumps) -> None:
    shop.replica(1, 2).sql("SYSTEM STOP FETCHES shop.orders")
    shop.replica(1, 1).sql("INSERT INTO shop.orders VALUES (1, 'late')")
    backup = dumps.of(shop, ORDERS)
    assert rows(backup)["s1", "orders"] == _ROWS + 1


def test_replicas_that_lost_their_keeper_are_read_and_told(shop: Cluster, dumps: Dumps) -> None:
    shop.kill_zookeeper()
    for replica in shop.replicas:
        wait_until(partial(lost, replica), seconds=60, what="the replica to be read-only")
    backup = dumps.of(shop, ORDERS)
    assert rows(backup)["s1", "orders"] == _ROWS
    assert "lost their Keeper" in backup.notes


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE shop.zlast",
        "ALTER TABLE shop.zlast DROP COLUMN what",
    ],
)
def test_a_table_that_goes_or_changes_meanwhile_is_told(
    calm_shop: Cluster, dumps: Dumps, change: str
) -> None:
    calm_shop.everywhere("DROP TABLE IF EXISTS shop.zlast")
    calm_shop.everywhere(
        "CREATE TABLE shop.zlast (id UInt64, what String) ENGINE = MergeTree ORDER BY id"
    )

    def alter() -> None:
        calm_shop.replica(2, 2).sql(change)

    with pytest.raises(SourceFailedError, match=r"shop\.zlast of s2r2 .*exclude-tables"):
        dumps.of(
            calm_shop,
            {"KSNAPSHOT_TABLES": "local,zlast", "CLICKHOUSE_PARALLELISM": "1"},
            at_end=("s2r2", "local", alter),
        )
    assert dumps.manifests() == []


def test_a_proxy_that_mends_a_broken_answer(calm_shop: Cluster, dumps: Dumps) -> None:
    """Its client sees a body that ends in good order; the server knows that it was not whole."""
    first = calm_shop.replica(1, 1)
    with HttpProxy(first.host, first.http_port) as proxy:
        proxy.set(Rule(Truncate(3_000_000), path=_READS))
        with pytest.raises(SourceFailedError, match=r"shop\.orders of s1 .*not proved whole"):
            dumps.of(calm_shop, {"CLICKHOUSE_SHARDS": f"127.0.0.1:{proxy.port}", **ORDERS})
    assert dumps.manifests() == []


@pytest.mark.parametrize("limit", ["max_execution_time", "max_memory_usage"])
def test_a_limit_of_the_server_midway(calm_shop: Cluster, limit: str) -> None:
    settings = {
        "max_execution_time": {"max_execution_time": "1", "max_block_size": "100"},
        "max_memory_usage": {"max_memory_usage": "30000000"},
    }[limit]
    server = connect(connection(calm_shop), errors=DUMP_ERRORS, settings=settings)
    query = {
        "max_execution_time": "SELECT number, sleep(0.01) FROM numbers(1000000) FORMAT Native",
        "max_memory_usage": (
            "SELECT number, groupArray(number) FROM numbers(100000000) GROUP BY number "
            "FORMAT Native"
        ),
    }[limit]

    def read() -> None:
        with server.stream(query, NOW, query_id="limited") as (_, reader):
            proven = ProvenReader(reader, tag="", confirm=None)
            list(iter(proven.read, b""))

    with pytest.raises(SourceFailedError, match=r"Code: (159|241)"):
        read()


# What an error without a tag looks like, the older servers show: the log of this one knows of none.
@pytest.mark.parametrize(
    ("errors", "by"), [("tagged", "error"), ("tagged", "cut"), ("bare", "cut")]
)
@pytest.mark.parametrize("after", [0, 1_000_000])
def test_the_newest_engine_breaks_off(
    front: Front, dumps: Dumps, errors: str, by: str, after: int
) -> None:
    front.sql("CREATE DATABASE IF NOT EXISTS faulty")
    front.sql("CREATE TABLE IF NOT EXISTS faulty.big (a UInt64) ENGINE = MergeTree ORDER BY a")
    front.sql("INSERT INTO faulty.big SELECT number FROM numbers(1000000)")
    try:
        front.behave(Behaviour(errors=errors, after=after, by=by, matching="`big`"))  # type: ignore[arg-type]
        with pytest.raises(SourceFailedError, match=r"faulty\.big of s1"):
            dumps.of_front(front, {"KSNAPSHOT_DATABASES": "faulty"})
        assert dumps.manifests() == []
    finally:
        front.behave(Behaviour())
        front.sql("DROP DATABASE faulty")


def test_a_table_that_the_account_may_not_read(front: Front, dumps: Dumps) -> None:
    front.sql("CREATE DATABASE IF NOT EXISTS guarded")
    for name in ("open", "secret"):
        front.sql(f"CREATE TABLE guarded.{name} (a UInt64) ENGINE = MergeTree ORDER BY a")
        front.sql(f"INSERT INTO guarded.{name} SELECT number FROM numbers(100000)")
    # The engine as a library has but one account; the words are a server's.
    denied = (
        "Code: 497. DB::Exception: u: Not enough privileges. To execute this query, it's necessary "
        "to have the grant SELECT(a) ON guarded.secret. (ACCESS_DENIED)"
    )
    try:
        front.behave(Behaviour(after=0, said=denied, matching="`secret`"))
        with pytest.raises(SourceRefusedError, match=r"guarded\.secret of s1.*grant SELECT\(a\)"):
            dumps.of_front(front, {"KSNAPSHOT_DATABASES": "guarded"})
        assert dumps.manifests() == []
    finally:
        front.behave(Behaviour())
        front.sql("DROP DATABASE guarded")


def test_a_login_that_is_refused_is_final(calm_shop: Cluster, dumps: Dumps) -> None:
    wrong = replace(calm_shop.reader, password="wrong")
    env = dumps.env(calm_shop.replica(1, 1).host, calm_shop.http_port, wrong)
    with pytest.raises(SourceRefusedError, match=r"193|Wrong password"):
        dumps.run(env)


def test_a_line_end_behind_the_password(calm_shop: Cluster, dumps: Dumps) -> None:
    """No header can hold it, so the login goes another way."""
    wrong = replace(calm_shop.reader, password=f"{calm_shop.reader.password}\n")
    env = dumps.env(calm_shop.replica(1, 1).host, calm_shop.http_port, wrong)
    with pytest.raises(SourceRefusedError, match="the password ends in a line end") as caught:
        dumps.run(env)
    assert calm_shop.reader.password not in str(caught.value)


def test_tls_where_the_server_speaks_none(calm_shop: Cluster, dumps: Dumps) -> None:
    with pytest.raises(SourceRefusedError, match="speaks no TLS at this port") as caught:
        dumps.of(calm_shop, {"CLICKHOUSE_TLS": "require"})
    assert calm_shop.replica(1, 1).host in str(caught.value)


def test_no_tls_where_the_server_speaks_nothing_else(dumps: Dumps) -> None:
    # Any server with TLS will do: the first question already fails.
    with s3.start(tls=True) as secure:
        env = dumps.env("127.0.0.1", secure.port, Login.make("default"))
        with pytest.raises(SourceRefusedError, match="speaks TLS at this port"):
            dumps.run(env)


def test_the_port_of_the_native_protocol(calm_shop: Cluster, dumps: Dumps) -> None:
    first = calm_shop.replica(1, 1)
    with pytest.raises(SourceRefusedError, match=r"is for clickhouse-client.*8123"):
        dumps.run(dumps.env(first.host, first.tcp_port, calm_shop.reader))


def test_a_password_with_a_line_end(calm_shop: Cluster, dumps: Dumps) -> None:
    first, reader = calm_shop.replica(1, 1), calm_shop.reader
    for end, said in (("\n", "ends in a line end"), (" ", "ends in a blank")):
        wrong = replace(reader, password=f"{reader.password}{end}")
        with pytest.raises(SourceRefusedError, match=said) as caught:
            dumps.run(dumps.env(first.host, first.http_port, wrong))
        assert reader.password not in str(caught.value)


def test_a_long_query_is_not_repeated(front: Front, dumps: Dumps) -> None:
    columns = ", ".join(f"column_{number} UInt8" for number in range(300))
    front.sql("CREATE DATABASE wide")
    front.sql(f"CREATE TABLE wide.t ({columns}) ENGINE = MergeTree ORDER BY tuple()")
    front.sql("INSERT INTO wide.t (column_1) VALUES (1)")
    names = ", ".join(f"`column_{number}`" for number in range(300))
    said = (
        f"Code: 241. DB::Exception: Memory limit exceeded. In scope SELECT {names} FROM wide.t. "
        "(MEMORY_LIMIT_EXCEEDED) (version 26.9.2.1)"
    )
    try:
        front.behave(Behaviour(after=0, said=said, matching="`column_7`"))
        with pytest.raises(SourceFailedError, match=r"Memory limit.*MEMORY_LIMIT_EX") as caught:
            dumps.of_front(front, {"KSNAPSHOT_DATABASES": "wide"})
        assert "column_7" not in str(caught.value)
    finally:
        front.behave(Behaviour())
        front.sql("DROP DATABASE wide")


def test_nothing_answers(dumps: Dumps, shop: Cluster) -> None:
    first = shop.replica(1, 1)
    first.kill()
    with pytest.raises(SourceFailedError, match=f"{first.host}:{first.http_port}"):
        dumps.of(shop)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"CLICKHOUSE_CLUSTER": "nowhere"}, SourceRefusedError, "'main'"),
        ({"KSNAPSHOT_DATABASES": "shop,nowhere"}, SourceRefusedError, "nowhere"),
        ({"KSNAPSHOT_TABLES": "nothing*"}, SourceRefusedError, "nothing"),
        ({"CLICKHOUSE_PARTITIONS": "shop.orders"}, ConfigurationError, "CLICKHOUSE_PARTITIONS"),
        ({"CLICKHOUSE_PARTITIONS": "shop.nothing: 1"}, SourceRefusedError, "shop.nothing"),
        ({"CLICKHOUSE_SHARDS": "a:b"}, ConfigurationError, "CLICKHOUSE_SHARDS"),
        ({"CLICKHOUSE_COVERAGE": "some"}, ConfigurationError, "all-replicas"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    calm_shop: Cluster, dumps: Dumps, options: dict[str, str], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        dumps.of(calm_shop, options)
    assert list(dumps.s3.objects(dumps.bucket)) == []
