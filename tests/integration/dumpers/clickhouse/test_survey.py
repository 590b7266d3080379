"""What the old and the newest server say of themselves, as the engine asks them."""

import secrets

import pytest

from dumpers.contract.connection import Connection
from dumpers.engines.clickhouse.catalog import databases, system_tables
from dumpers.engines.clickhouse.cluster import topology
from dumpers.engines.clickhouse.cluster.health import read_cluster_macro, read_health, read_nodes
from dumpers.engines.clickhouse.cluster.topology import Health
from dumpers.engines.clickhouse.logical.body_check import TAG_HEADER, ProvenReader
from dumpers.engines.clickhouse.schema import tables
from dumpers.engines.clickhouse.schema.table_engines import TableTreatment
from dumpers.engines.clickhouse.server.client import Server, connect
from dumpers.engines.clickhouse.server.settings import dump_settings, read_known_settings
from dumpers.engines.clickhouse.server.sql import select
from dumpers.runtime.errors import DUMP_ERRORS, SourceFailedError, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt
from tests.testbed.databases.clickhouse import Cluster
from tests.testbed.databases.clickhouse_front import Front
from tests.testbed.databases.clickhouse_front_server import Behaviour
from tests.testbed.toolchain.processes import free_port, wait_until

NOW = Interrupt()


def server(host: str, port: int, user: str, password: str) -> Server:
    connection = Connection(host=host, port=port, username=user, password=password)
    plain = connect(connection, errors=DUMP_ERRORS, settings={})
    settings = dump_settings(read_known_settings(plain, NOW), DUMP_ERRORS)
    return connect(connection, errors=DUMP_ERRORS, settings=settings)


def replica(calm: Cluster, shard: int, number: int) -> Server:
    found = calm.replica(shard, number)
    return server(found.host, found.http_port, calm.reader.user, calm.reader.password)


def newest(front: Front) -> Server:
    return server(front.host, front.http_port, front.admin.user, front.admin.password)


def test_a_cluster_is_known_by_its_macro_and_its_replicas_by_their_health(
    calm: Cluster,
) -> None:
    entry = replica(calm, 1, 1)
    nodes = read_nodes(entry, NOW)
    macro = read_cluster_macro(entry, NOW)
    assert topology.choose_cluster(nodes, asked="", macro=macro) == "main"
    shards = topology.shards(nodes, "main")
    assert [[node.host for node in shard.nodes] for shard in shards] == [
        ["127.0.0.11", "127.0.0.12"],
        ["127.0.0.21", "127.0.0.22"],
    ]
    calm.everywhere(
        "CREATE TABLE default.r (a UInt32) ENGINE = ReplicatedMergeTree("
        "'/clickhouse/{shard}/r', '{replica}') ORDER BY a"
    )
    calm.replica(1, 2).sql("SYSTEM STOP FETCHES default.r")
    calm.replica(1, 1).sql("INSERT INTO default.r SELECT number FROM numbers(100)")

    def order() -> list[int]:
        health = {
            node: read_health(replica(calm, 1, node.replica), NOW) for node in shards[0].nodes
        }
        return [node.replica for node in topology.order(health)]

    # They hear of it one after the other.
    wait_until(lambda: order() == [1, 2], seconds=60, what="the other replica to lag")
    gone = connect(Connection(host="127.0.0.11", port=free_port()), errors=DUMP_ERRORS, settings={})
    assert not read_health(gone, NOW).reachable
    wrong = connect(
        Connection(host="127.0.0.11", port=calm.http_port, username="dump", password="x"),
        errors=DUMP_ERRORS,
        settings={},
    )
    with pytest.raises(SourceRefusedError, match=r"193|Wrong password"):
        read_health(wrong, NOW)
    calm.everywhere("DROP TABLE default.r")


@pytest.mark.parametrize(
    ("newest", "pointer", "queue"),
    [
        (7, 8, 1),
        (7, 7, 2),
        (7, 5, 4),
        # An empty log, or one whose first entry has not been read: they look alike.
        (0, 0, 1),
    ],
)
def test_what_a_replica_has_not_heard_of_is_what_it_lacks(
    calm: Cluster, monkeypatch: pytest.MonkeyPatch, newest: int, pointer: int, queue: int
) -> None:
    row = (
        "(SELECT 0 AS is_readonly, 0 AS is_session_expired, 3 AS queue_size, 2 AS merges_in_queue, "
        f"5 AS absolute_delay, {newest} AS log_max_index, {pointer} AS log_pointer)"
    )
    entry = replica(calm, 1, 1)
    monkeypatch.setattr(Server, "source", lambda *_: row)
    assert read_health(entry, NOW) == Health(reachable=True, queue=queue, delay=5)


# Not in `default`, which the newest engine has without ids outside of a server.
ZOO = (
    r"CREATE DATABASE `o'dd \`db`",
    (
        r"CREATE TABLE `o'dd \`db`.`t\`a/b 🐘` (a UInt8, b String DEFAULT 'x', "
        "c UInt8 ALIAS a + 1) "
        "ENGINE = MergeTree ORDER BY a"
    ),
    r"INSERT INTO `o'dd \`db`.`t\`a/b 🐘` (a) VALUES (1), (2)",
    "CREATE DATABASE zoo",
    "CREATE TABLE zoo.src (a UInt8) ENGINE = MergeTree ORDER BY a",
    (
        "CREATE MATERIALIZED VIEW zoo.mv ENGINE = SummingMergeTree ORDER BY a AS "
        "SELECT a, count() AS n FROM zoo.src GROUP BY a"
    ),
    "CREATE VIEW zoo.v AS SELECT * FROM zoo.src",
    "CREATE TABLE zoo.s (a UInt8) ENGINE = Set",
)


@pytest.mark.parametrize("kind", ["old", "newest"])
def test_tables_are_found_with_all_that_a_restore_needs(
    kind: str, calm: Cluster, front: Front
) -> None:
    run = calm.replica(2, 2).sql if kind == "old" else front.sql
    for text in ZOO:
        run(text)
    asked = replica(calm, 2, 2) if kind == "old" else newest(front)
    there = system_tables.read_system_columns(asked, NOW)
    scope = system_tables.Scope(databases=("o'dd `db", "zoo"), there=there)
    every = tables.treat(system_tables.tables(asked, scope, NOW))
    found = {item.table.name: item for item in every}
    odd = found["t`a/b 🐘"]
    assert (odd.table.database, odd.columns) == ("o'dd `db", ("a", "b"))
    assert "o'dd `db" in {database.name for database in databases.read_databases(asked, NOW)}
    kinds = {name: item.kind for name, item in found.items() if not name.startswith(".")}
    assert kinds["mv"] is TableTreatment.VIEW_WITH_DATA
    assert kinds["v"] is kinds["s"] is TableTreatment.SCHEMA
    assert ("zoo", "src") in found["mv"].table.needs
    query = select(r"`o'dd \`db`.`t\`a/b 🐘`", odd.columns)
    # Native: two columns of two rows.
    assert read(asked, query).startswith(b"\x02\x02")


def read(asked: Server, sql: str) -> bytes:
    with asked.stream(sql, NOW, query_id=secrets.token_hex(8)) as (answer, reader):
        proven = ProvenReader(reader, tag=answer.headers.get(TAG_HEADER.lower(), ""))
        return b"".join(iter(proven.read, b""))


def test_a_query_that_breaks_off_midway_is_never_whole(calm: Cluster, front: Front) -> None:
    throwing = "SELECT number, throwIf(number = 1000000) FROM numbers(3000000) FORMAT Native"
    for asked in (replica(calm, 1, 1), newest(front)):
        with pytest.raises(SourceFailedError, match=r"395|throwIf"):
            read(asked, throwing)
    good = throwing.replace("throwIf(number = 1000000)", "1")
    for errors in ("tagged", "bare"):
        front.behave(Behaviour(errors=errors, after=1_000_000))
        with pytest.raises(SourceFailedError):
            read(newest(front), good)
    front.behave(Behaviour())
    assert len(read(newest(front), good)) > 3_000_000
