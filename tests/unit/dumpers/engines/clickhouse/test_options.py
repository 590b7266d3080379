import pytest

from dumpers.contract.jobs import DumpJob
from dumpers.engines.clickhouse.filters import TableFilter
from dumpers.engines.clickhouse.options import Options, read_options, read_target_shards
from dumpers.engines.registry import ENGINES
from dumpers.runtime.errors import ConfigurationError

ENV = {
    "BACKEND_BUCKET": "bucket",
    "BACKEND_S3_ACCESS_KEY": "key",
    "BACKEND_S3_SECRET_KEY": "secret",
    "BACKEND_S3_ENDPOINT": "http://s3:9000",
    "KSNAPSHOT_ENGINE": "clickhouse",
    "HOSTNAME": "pod",
    "CLICKHOUSE_HOST": "clickhouse.shop.svc",
    "CLICKHOUSE_PORT": "8124",
}


def options(**env: str) -> Options:
    return read_options(DumpJob.from_env(ENV | env, ENGINES))


def nodes(found: Options) -> list[list[tuple[str, int]]]:
    return [[(node.host, node.port) for node in shard.nodes] for shard in found.shards]


def test_what_is_not_asked_for_is_the_safe_way() -> None:
    assert options() == Options(
        table_filter=TableFilter(),
        partitions={},
        cluster="",
        shards=(),
        through=False,
        all_replicas=False,
        accepts_counts=False,
        drift_fails=False,
        parallel=2,
    )


@pytest.mark.parametrize(
    ("variable", "safe", "other", "name"),
    [
        ("CLICKHOUSE_VIA", "pods", "service", "through"),
        ("CLICKHOUSE_COVERAGE", "first-replica-per-shard", "all-replicas", "all_replicas"),
        ("CLICKHOUSE_MIN_PROOF", "query-log", "counts", "accepts_counts"),
        ("CLICKHOUSE_DRIFT", "warn", "fail", "drift_fails"),
    ],
)
def test_words_switch_one_thing_each(variable: str, safe: str, other: str, name: str) -> None:
    assert options(**{variable: safe}) == options()
    changed = options(**{variable: other})
    assert getattr(changed, name) is True
    names = {field for field in Options.__slots__ if field != name}
    assert all(getattr(changed, field) == getattr(options(), field) for field in names)
    with pytest.raises(ConfigurationError, match=variable):
        options(**{variable: other.upper()})


def test_names_and_numbers_are_taken() -> None:
    found = options(
        KSNAPSHOT_DATABASES="shop, web*",
        KSNAPSHOT_TABLES="orders",
        KSNAPSHOT_EXCLUDE_TABLES="shop.tmp_*,*.cache",
        CLICKHOUSE_PARTITIONS="shop.orders: 202401, 202402; shop.`vi sits`: all",
        CLICKHOUSE_CLUSTER="main",
        CLICKHOUSE_PARALLELISM="5",
    )
    assert found.table_filter == TableFilter(
        databases=("shop", "web*"), tables=("orders",), excluded=("shop.tmp_*", "*.cache")
    )
    assert found.partitions == {
        ("shop", "orders"): ("202401", "202402"),
        ("shop", "vi sits"): ("all",),
    }
    assert (found.cluster, found.parallel) == ("main", 5)


@pytest.mark.parametrize(
    ("via", "port"),
    [
        # By HTTP at the Service's port, or as servers speak to each other.
        ("pods", 8124),
        ("service", 9000),
    ],
)
def test_listed_servers_have_the_port_of_the_way_to_them(via: str, port: int) -> None:
    found = options(CLICKHOUSE_VIA=via, CLICKHOUSE_SHARDS="a,b:1;c")
    assert nodes(found) == [[("a", port), ("b", 1)], [("c", port)]]


def test_a_restore_asks_the_listed_servers_by_http() -> None:
    listed = {"CLICKHOUSE_SHARDS": "a:9000,b;c", "CLICKHOUSE_CLUSTER": "x"}
    cluster, shards = read_target_shards(listed, 8124)
    assert cluster == "x"
    found = [[(node.host, node.port) for node in shard.nodes] for shard in shards]
    assert found == [[("a", 9000), ("b", 8124)], [("c", 8124)]]
    _, shards = read_target_shards(listed | {"CLICKHOUSE_VIA": "service"}, 8124)
    found = [[(node.host, node.port) for node in shard.nodes] for shard in shards]
    assert found == [[("a", 8124), ("b", 8124)], [("c", 8124)]]
    assert read_target_shards({}, 8124) == ("", ())
    with pytest.raises(ConfigurationError, match="CLICKHOUSE_SHARDS"):
        read_target_shards({"CLICKHOUSE_SHARDS": "a;;b"}, 8124)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("CLICKHOUSE_SHARDS", "a;;b"),
        ("KSNAPSHOT_DATABASES", "a,,b"),
        ("KSNAPSHOT_TABLES", ","),
        ("KSNAPSHOT_EXCLUDE_TABLES", "a,"),
        ("CLICKHOUSE_PARTITIONS", "orders: 1"),
        ("CLICKHOUSE_PARALLELISM", "0"),
        ("CLICKHOUSE_PARALLELISM", "9"),
    ],
)
def test_a_fault_names_its_variable(variable: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=variable):
        options(**{variable: text})
