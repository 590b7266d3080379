"""Drills with the oldest release: a zoo of four servers restored into one throwaway server."""

import contextlib
import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from dumpers.engines.clickhouse.drill.prepare import prepare_drill
from dumpers.engines.clickhouse.engine import ENGINE
from dumpers.engines.drilling.protocol import Comparison, DrilledEngine, DrilledObject
from tests.integration.dumpers.clickhouse.conftest import NOW, Backup, Dumps, started
from tests.integration.dumpers.clickhouse.worlds import (
    ODD_DATABASE,
    TYPED_COLUMNS,
    fill,
    odd,
)
from tests.testbed.databases.clickhouse import Cluster
from tests.testbed.databases.clickhouse_throwaway import Throwaway, start_throwaway
from tests.testbed.stores.s3 import S3Server

EXTRA = (
    "CREATE TABLE zoo.prices (id UInt64, price Decimal(9, 2)) ENGINE = MergeTree ORDER BY id",
    "CREATE TABLE zoo.pairs (a UInt64, b String) ENGINE = MergeTree ORDER BY a",
    "CREATE TABLE zoo.no_rows (a UInt64) ENGINE = MergeTree ORDER BY a",
    (
        "CREATE TABLE zoo.from_queue (a UInt64) ENGINE = Kafka SETTINGS kafka_broker_list = "
        "'nowhere.invalid:9092', kafka_topic_list = 't', kafka_group_name = 'g', "
        "kafka_format = 'JSONEachRow'"
    ),
    (
        "CREATE MATERIALIZED VIEW zoo.took TO zoo.prices AS "
        "SELECT a AS id, toDecimal32(1, 2) AS price FROM zoo.from_queue"
    ),
)


def objects(backup: Backup) -> list[DrilledObject]:
    return [DrilledObject(stored=piece, fingerprint=None) for piece in backup.pieces()]


@contextlib.contextmanager
def restored(backup: Backup) -> Iterator[Throwaway]:
    """A throwaway server with all of a backup."""
    with start_throwaway() as server:
        asked = prepare_drill(server.connection, objects(backup), NOW, str(server.folder))
        ENGINE.restore(server.connection, backup.pieces(), NOW, asked)
        yield server


def compared(server: Throwaway, backup: Backup) -> Comparison:
    assert isinstance(ENGINE, DrilledEngine)
    return ENGINE.compare(server.connection, objects(backup), {}, NOW)


def bad(comparison: Comparison) -> list[str]:
    return [
        *comparison.faults,
        *(f"{one.name}: {one.why}" for one in comparison.tables if not one.good),
    ]


@contextlib.contextmanager
def written_to(cluster: Cluster) -> Iterator[None]:
    """Rows go on being written, on every shard, until the context is left."""
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            for replica in cluster.replicas:
                replica.sql("INSERT INTO zoo.summing SELECT number, 1 FROM numbers(100)")
                replica.sql("INSERT INTO zoo.visits SELECT 1, '2026-01-01', 7 FROM numbers(100)")
                replica.sql("INSERT INTO zoo.log VALUES (1, 'more')")

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            yield
        finally:
            over.set()
            writing.result()


@pytest.fixture(scope="module")
def backup(s3: S3Server) -> Iterator[Backup]:
    """Every kind of table, of two shards of two replicas, dumped while rows are written."""
    with started() as cluster:
        fill(cluster)
        for text in EXTRA:
            cluster.everywhere(text)
        for replica in cluster.replicas:
            replica.sql("INSERT INTO zoo.pairs SELECT number, toString(number) FROM numbers(100)")
            if replica.replica == 1:
                rows = f"SELECT number, number / 4 + {replica.shard} FROM numbers(1000)"
                replica.sql(f"INSERT INTO zoo.prices {rows}")
        cluster.replica(2, 2).sql("CREATE TABLE zoo.alone (a UInt64) ENGINE = Log")
        cluster.replica(2, 2).sql("INSERT INTO zoo.alone SELECT number FROM numbers(5)")
        dumps = Dumps(s3=s3, bucket=s3.create_bucket("drill"))
        with written_to(cluster):
            yield dumps.of(cluster)


def test_a_zoo_of_several_shards(backup: Backup) -> None:
    with restored(backup) as server:
        comparison = compared(server, backup)
        assert bad(comparison) == []
        assert comparison.good
        names = {table.name: table for table in comparison.tables}
        assert names["zoo.prices"].rows == 2000
        assert names["zoo.replacing"].rows == 2000
        assert names["zoo.alone"].rows == 5
        assert names["zoo.no_rows"].rows == 0
        told = "\n".join(comparison.unproved)
        for text in ("without replication", "zoo.from_queue", "which shard"):
            assert text in told
        assert "no object" not in told
        assert "no values of these columns" not in told
        # Nothing of the comparison is left, so that it may be made again.
        again = compared(server, backup)
        assert (again.tables, again.faults) == (comparison.tables, ())


def rewritten(table: str, selected: str) -> Sequence[str]:
    """Statements that put other rows into a table; old servers change none in place."""
    return (
        f"CREATE TABLE {table}_other AS {table}",
        f"INSERT INTO {table}_other {selected} FROM {table}",
        f"DROP TABLE {table}",
        f"RENAME TABLE {table}_other TO {table}",
    )


ONE = "id = 7 AND price = toDecimal32('2.75', 2)"
MUTATIONS: dict[str, tuple[Sequence[str], str]] = {
    "one value": (
        rewritten("zoo.prices", f"SELECT id, if({ONE}, toDecimal32('2.76', 2), price)"),
        r"^zoo\.prices: 2000 rows as in the backup, but not the same ones",
    ),
    "one character": (
        rewritten("zoo.pairs", "SELECT a, if(a = 7 AND rowNumberInAllBlocks() < 100, '8', b)"),
        r"^zoo\.pairs: 400 rows as in the backup, but not the same",
    ),
    "values of two rows swapped": (
        rewritten("zoo.pairs", "SELECT a, if(a = 7, '8', if(a = 8, '7', b))"),
        r"^zoo\.pairs: 400 rows as in the backup, but not the same",
    ),
    "a row less": (
        (
            "CREATE TABLE zoo.prices_other AS zoo.prices",
            f"INSERT INTO zoo.prices_other SELECT * FROM zoo.prices WHERE NOT ({ONE})",
            "DROP TABLE zoo.prices",
            "RENAME TABLE zoo.prices_other TO zoo.prices",
        ),
        r"^zoo\.prices: 1999 rows, and 2000 in the backup",
    ),
    "a row twice": (
        (f"INSERT INTO zoo.prices SELECT * FROM zoo.prices WHERE {ONE}",),
        r"^zoo\.prices: 2001 rows, and 2000 in the backup",
    ),
    "a row twice and another one gone": (
        (
            "CREATE TABLE zoo.prices_other AS zoo.prices",
            f"INSERT INTO zoo.prices_other SELECT * FROM zoo.prices WHERE NOT ({ONE})",
            "INSERT INTO zoo.prices_other SELECT * FROM zoo.prices WHERE id = 9 LIMIT 1",
            "DROP TABLE zoo.prices",
            "RENAME TABLE zoo.prices_other TO zoo.prices",
        ),
        r"^zoo\.prices: 2000 rows as in the backup, but not the same",
    ),
    "a shard's rows": (
        (
            "CREATE TABLE zoo.prices_other AS zoo.prices",
            (
                "INSERT INTO zoo.prices_other SELECT * FROM zoo.prices "
                "WHERE toFloat64(price) - id / 4 < 1.5"
            ),
            "DROP TABLE zoo.prices",
            "RENAME TABLE zoo.prices_other TO zoo.prices",
        ),
        r"^zoo\.prices: 1000 rows, and 2000 in the backup",
    ),
    "a NULL that is empty": (
        rewritten(
            "zoo.typed",
            f"SELECT {TYPED_COLUMNS}".replace("maybe", "if(k = 7, ifNull(maybe, ''), maybe)"),
        ),
        r"^zoo\.typed: 40000 rows as in the backup, but not the same",
    ),
    "a row of a view": (
        ("INSERT INTO zoo.inner_view SELECT toDate('2030-01-01'), 1",),
        r"^zoo\.inner_view: \d+ rows, and \d+ in the backup",
    ),
    "a row of a Join table": (
        ("INSERT INTO zoo.joined VALUES (5000, 'more')",),
        r"^zoo\.joined: 1001 rows, and 1000 in the backup",
    ),
    "a table": (("DROP TABLE zoo.pairs",), r"^zoo\.pairs is missing"),
    "a table of one server": (("DROP TABLE zoo.alone",), r"^zoo\.alone is missing"),
    "a column": (
        ("ALTER TABLE zoo.pairs DROP COLUMN b",),
        r"^zoo\.pairs: columns are missing: b",
    ),
    "a default": (
        ("ALTER TABLE zoo.pairs MODIFY COLUMN b String DEFAULT 'x'",),
        r"^zoo\.pairs is created by another statement",
    ),
    "a view": (("DROP TABLE zoo.seen",), r"^zoo\.seen is missing"),
    "another view": (
        ("DROP TABLE zoo.seen", "CREATE VIEW zoo.seen AS SELECT site, 1 AS hits FROM zoo.visits"),
        r"^zoo\.seen is created by another statement",
    ),
    "a table more": (
        ("CREATE TABLE zoo.more (a UInt64) ENGINE = Log",),
        r"^zoo\.more is not in the backup",
    ),
    "a Distributed table of another key": (
        (
            "DROP TABLE zoo.all_visits",
            (
                "CREATE TABLE zoo.all_visits AS zoo.visits "
                "ENGINE = Distributed(main, zoo, visits, hits)"
            ),
        ),
        r"^zoo\.all_visits is created by another statement",
    ),
    "a database": ((f"DROP DATABASE {odd(ODD_DATABASE)}",), r"^the database .* is missing"),
}


def rounds() -> list[list[str]]:
    """The changes in rounds, in each of which no two are of the same table."""
    found: list[list[str]] = []
    for name, (_, expected) in MUTATIONS.items():
        table = re.split(r"[: ]", expected)[0]
        for each in found:
            if table not in {re.split(r"[: ]", MUTATIONS[one][1])[0] for one in each}:
                each.append(name)
                break
        else:
            found.append([name])
    return found


@pytest.mark.parametrize("names", rounds(), ids=", ".join)
def test_every_change_is_found(backup: Backup, names: Sequence[str]) -> None:
    with restored(backup) as server:
        for name in names:
            for text in MUTATIONS[name][0]:
                server.sql(text)
        comparison = compared(server, backup)
    assert not comparison.good
    found = bad(comparison)
    known = [MUTATIONS[name][1] for name in names]
    for expected in known:
        assert any(re.search(expected, text) for text in found), (expected, found)
    # And of what was not changed nothing is said.
    tables = [re.split(r"[: ]", expected)[0] for expected in known]
    dropped = "the database .* is missing" in " ".join(known)
    others = [one for one in found if not any(re.search(table, one) for table in tables)]
    assert dropped or others == []
