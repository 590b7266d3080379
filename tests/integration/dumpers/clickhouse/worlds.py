"""Databases of every kind of table, and what must be the same after a restore."""

from collections.abc import Callable, Sequence
from pathlib import Path

from dumpers.engines.clickhouse.schema import scripts
from tests.testbed.databases.clickhouse import Cluster

ODD_DATABASE = "o'dd `db"
ODD_TABLES = ("t`a/b 🐘", "two\nlines", "n" * 150, "ü" * 30, "%41")


_HERE = Path(__file__).parent
NEWEST = scripts.statements((_HERE / "newest.sql").read_text())
SAME_NEWEST = scripts.statements((_HERE / "newest_same.sql").read_text())


def odd(name: str) -> str:
    """A name, quoted."""
    escaped = name.replace("\\", "\\\\").replace("`", "\\`").replace("\n", "\\n")
    return f"`{escaped}`"


_REPLICATED = "ReplicatedMergeTree('/clickhouse/{{shard}}/{0}', '{{replica}}')"
_TYPES = """
  k UInt64, d Date, t DateTime, zoned DateTime('Europe/Paris'), i Int8, f Float32, x Float64,
  s String, fixed FixedString(4), e Enum8('a' = 1, 'b' = 2), u UUID, dec Decimal(18, 4),
  maybe Nullable(String), many Array(Nullable(Int32)), two Tuple(UInt8, String),
  `n.a` Array(UInt8), `n.b` Array(String), state AggregateFunction(uniq, UInt64),
  `odd col``'é` UInt8, with_default UInt8 DEFAULT i + 1, computed String MATERIALIZED upper(s),
  other String ALIAS lower(s)
"""
_TYPED = """
  SELECT number, toDate('2026-01-01') + number % 400, toDateTime(1700000000 + number * 1800),
    toDateTime(1700000000 + number * 1800), number % 256 - 128, number / 3, number / 7,
    concat('row ', toString(number), ' \\n\\0 é'), toFixedString(toString(number % 9999), 4),
    if(number % 2, 'a', 'b'), toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0'),
    toDecimal64(number, 4), if(number % 3, NULL, toString(number)),
    [toNullable(toInt32(number)), NULL], (toUInt8(number), toString(number)),
    [1, 2, 3], ['a', 'b', 'c'],
    arrayReduce('uniqState', [number, number + 1]), number % 7, number % 200
  FROM numbers({0})
"""
TYPED_COLUMNS = (
    "k, d, t, zoned, i, f, x, s, fixed, e, u, dec, maybe, many, two, `n.a`, `n.b`, state, "
    "`odd col\\`'é`, with_default"
)
_SAME_TYPED = (
    "SELECT count(), sum(cityHash64(k, d, t, zoned, i, f, x, s, fixed, "
    "toString(e), toString(u), toString(dec), "
    "ifNull(maybe, '-'), toString(many), toString(two), `n.a`, `n.b`, `odd col\\`'é`, "
    "with_default, computed)), uniqMerge(state) FROM {0}"
)

_TABLES: Sequence[str] = (
    "CREATE DATABASE zoo",
    f"CREATE DATABASE {odd(ODD_DATABASE)}",
    (
        f"CREATE TABLE zoo.typed ({_TYPES}) ENGINE = "
        f"{_REPLICATED.format('typed')} PARTITION BY toYYYYMM(d) ORDER BY k"
    ),
    (
        "CREATE TABLE zoo.replacing (k UInt64, v String, n UInt64) ENGINE = "
        "ReplicatedReplacingMergeTree('/clickhouse/{shard}/replacing', '{replica}', n) ORDER BY k"
    ),
    "CREATE TABLE zoo.summing (k UInt64, n UInt64) ENGINE = SummingMergeTree ORDER BY k",
    (
        "CREATE TABLE zoo.collapsing (k UInt64, sign Int8) ENGINE = CollapsingMergeTree(sign) "
        "ORDER BY k"
    ),
    (
        "CREATE TABLE zoo.versioned (k UInt64, sign Int8, v UInt8) ENGINE = "
        "VersionedCollapsingMergeTree(sign, v) ORDER BY k"
    ),
    (
        "CREATE TABLE zoo.aggregating (k UInt64, s AggregateFunction(sum, UInt64)) ENGINE = "
        "AggregatingMergeTree ORDER BY k"
    ),
    "CREATE TABLE zoo.log (a UInt64, b String) ENGINE = Log",
    "CREATE TABLE zoo.tiny (a UInt64, b String) ENGINE = TinyLog",
    "CREATE TABLE zoo.stripe (a UInt64, b String) ENGINE = StripeLog",
    "CREATE TABLE zoo.memory (a UInt64, b String) ENGINE = Memory",
    "CREATE TABLE zoo.joined (a UInt64, b String) ENGINE = Join(ANY, LEFT, a)",
    "CREATE TABLE zoo.replicas (a UInt64) ENGINE = Set",
    "CREATE TABLE zoo.nothing (a UInt64) ENGINE = Null",
    "CREATE TABLE zoo.nobody (a UInt64) ENGINE = MergeTree ORDER BY a",
    (
        "CREATE TABLE zoo.visits (site UInt32, day Date, hits UInt32) ENGINE = "
        f"{_REPLICATED.format('visits')} PARTITION BY day ORDER BY site"
    ),
    (
        "CREATE TABLE zoo.target (site UInt32, hits UInt64) ENGINE = "
        "ReplicatedSummingMergeTree('/clickhouse/{shard}/target', '{replica}') ORDER BY site"
    ),
    (
        "CREATE TABLE zoo.everywhere (id UInt32, name String) ENGINE = "
        "ReplicatedMergeTree('/clickhouse/everywhere', '{shard}-{replica}') ORDER BY id"
    ),
    *(
        f"CREATE TABLE {odd(ODD_DATABASE)}.{odd(name)} (`a b` UInt64) ENGINE = MergeTree "
        "ORDER BY `a b`"
        for name in ODD_TABLES
    ),
)
_VIEWS: Sequence[str] = (
    "CREATE TABLE zoo.buffered AS zoo.log ENGINE = Buffer(zoo, log, 1, 10, 99, 10, 999, 10, 999)",
    "CREATE TABLE zoo.merged (a UInt64, b String) ENGINE = Merge(zoo, '^(log|tiny|stripe)$')",
    "CREATE TABLE zoo.all_visits AS zoo.visits ENGINE = Distributed(main, zoo, visits, site)",
    "CREATE VIEW zoo.seen AS SELECT site, sum(hits) AS hits FROM zoo.visits GROUP BY site",
    "CREATE VIEW zoo.over_view AS SELECT * FROM zoo.seen",
    (
        "CREATE MATERIALIZED VIEW zoo.to_target TO zoo.target AS "
        "SELECT site, toUInt64(hits) AS hits FROM zoo.visits"
    ),
    (
        "CREATE MATERIALIZED VIEW zoo.inner_view ENGINE = SummingMergeTree ORDER BY day AS "
        "SELECT day, count() AS visits FROM zoo.visits GROUP BY day"
    ),
)
_ROWS: Sequence[str] = (
    "INSERT INTO zoo.summing SELECT number % 100, 1 FROM numbers(1000)",
    "INSERT INTO zoo.collapsing SELECT number, if(number % 2, 1, -1) FROM numbers(1000)",
    "INSERT INTO zoo.versioned SELECT number, 1, 1 FROM numbers(1000)",
    (
        "INSERT INTO zoo.aggregating SELECT number % 10, arrayReduce('sumState', [number]) "
        "FROM numbers(1000)"
    ),
    *(
        f"INSERT INTO zoo.{name} SELECT number, concat('{name} ', toString(number)) "
        "FROM numbers(1000)"
        for name in ("log", "tiny", "stripe", "memory", "joined")
    ),
    "INSERT INTO zoo.replicas SELECT number FROM numbers(10)",
    *(
        f"INSERT INTO {odd(ODD_DATABASE)}.{odd(name)} SELECT number FROM numbers(10)"
        for name in ODD_TABLES
    ),
)
_ROWS_OF_A_SHARD: Sequence[str] = (
    f"INSERT INTO zoo.typed ({TYPED_COLUMNS}) {_TYPED.format(20000)}",
    # Equal blocks: an insert would drop them where it looks for duplicates.
    "INSERT INTO zoo.replacing SELECT number % 10, 'same', 1 FROM numbers(1000)",
    (
        "INSERT INTO zoo.visits SELECT {shard} * 1000 + number % 50, toDate('2026-01-01') + "
        "number % 150, number FROM numbers(5000)"
    ),
)
SAME: Sequence[str] = (
    _SAME_TYPED.format("zoo.typed"),
    "SELECT k, v, max(n) FROM zoo.replacing GROUP BY k, v ORDER BY k",
    "SELECT k, sum(n) FROM zoo.summing GROUP BY k ORDER BY k",
    "SELECT k, sum(sign) FROM zoo.collapsing GROUP BY k HAVING sum(sign) != 0 ORDER BY k",
    "SELECT count(), sum(cityHash64(k, sign, v)) FROM zoo.versioned",
    "SELECT k, sumMerge(s) FROM zoo.aggregating GROUP BY k ORDER BY k",
    *(
        f"SELECT count(), sum(cityHash64(a, b)) FROM zoo.{name}"
        for name in ("log", "tiny", "stripe", "memory", "joined", "merged", "buffered")
    ),
    "SELECT count(), sum(cityHash64(site, day, hits)) FROM zoo.visits",
    "SELECT site, sum(hits) FROM zoo.target GROUP BY site ORDER BY site",
    "SELECT day, sum(visits) FROM zoo.inner_view GROUP BY day ORDER BY day",
    "SELECT count(), sum(cityHash64(site, day, hits)) FROM zoo.all_visits",
    "SELECT count(), sum(cityHash64(id, name)) FROM zoo.everywhere",
    "SELECT count(), sum(hits) FROM zoo.over_view",
    (
        "SELECT database, name, engine FROM system.tables WHERE database != 'system' "
        "AND name NOT LIKE '.inner%' ORDER BY database, name"
    ),
    (
        "SELECT database, table, name, type, default_kind FROM system.columns "
        "WHERE database != 'system' AND table NOT LIKE '.inner%' ORDER BY database, table, name"
    ),
    *(
        f"SELECT count(), sum(cityHash64(`a b`)) FROM {odd(ODD_DATABASE)}.{odd(name)}"
        for name in ODD_TABLES
    ),
)


def fill(cluster: Cluster) -> None:
    """Make every kind of table, other rows on every shard, in local tables on every replica."""
    for text in (*_TABLES, *_VIEWS):
        cluster.everywhere(text)
    for replica in cluster.replicas:
        for text in _ROWS:
            replica.sql(text)
        replica.sql(
            f"INSERT INTO zoo.log VALUES ({10**6 + replica.shard * 10 + replica.replica}, 'own')"
        )
        if replica.replica == 1:
            for text in _ROWS_OF_A_SHARD:
                replica.sql(text.replace("{shard}", str(replica.shard)))
    cluster.replica(1, 2).sql("INSERT INTO zoo.everywhere SELECT number, 'x' FROM numbers(100)")
    sync(cluster)


def sync(cluster: Cluster) -> None:
    """Wait until every replica has what the others have."""
    for replica in cluster.replicas:
        for name in ("typed", "replacing", "visits", "target", "everywhere"):
            replica.sql(f"SYSTEM SYNC REPLICA zoo.{name}")


def fingerprints(run: Callable[[str], str], queries: Sequence[str] = SAME) -> dict[str, str]:
    """What is the same after a restore, by the query that tells it."""
    return {query: run(query) for query in queries}
