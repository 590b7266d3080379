"""From the annotations to a restored cluster, with the dumper of ClickHouse."""

import json
import shlex
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from dumpers.contract.result import PART
from dumpers.runtime.errors import ExitCode
from tests.demo.kube import Object
from tests.demo.world import BUCKET, CONTROL, PREFIX, SHOP
from tests.e2e.clickhouse_pods import CLUSTER, ClickHouse, Replica
from tests.e2e.conftest import Stage

NAME, _SCHEDULE = "shop", "0 3 1 1 *"
# So many small tables that they are stored together.
_SMALL = range(21)
_ODD = "`Zoë, odd / 100%`"
# What each server makes; of tables that are not replicated, each has rows of its own.
_CREATE = (
    "CREATE DATABASE shop",
    """CREATE TABLE shop.orders (day Date, id UInt64, what String, paid Nullable(Float64),
        tags Array(String), half UInt64 MATERIALIZED intDiv(id, 2))
        ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/orders', '{replica}')
        PARTITION BY toYYYYMM(day) ORDER BY id""",
    """CREATE MATERIALIZED VIEW shop.days
        ENGINE = ReplicatedSummingMergeTree('/clickhouse/tables/{shard}/days', '{replica}')
        PARTITION BY toYYYYMM(day) ORDER BY day
        AS SELECT day, count() AS orders FROM shop.orders GROUP BY day""",
    f"CREATE TABLE shop.{_ODD} (id UInt32, host String) ENGINE = MergeTree ORDER BY id",
    "CREATE VIEW shop.unpaid AS SELECT id FROM shop.orders WHERE isNull(paid)",
    f"CREATE TABLE shop.all_orders AS shop.orders ENGINE = Distributed({CLUSTER}, shop, orders)",
    *(f"CREATE TABLE shop.small_{n} (a UInt64) ENGINE = MergeTree ORDER BY a" for n in _SMALL),
)
# Those of docs/clickhouse.md that this release knows and these tables need.
_SETTINGS = {"insert_deduplicate": 0, "insert_allow_materialized_columns": 1}
_ORDERS = """INSERT INTO shop.orders SELECT toDate('2024-01-01') + number % 90,
    number * 2 + {shard}, concat('Zoë 🐘 ', toString(rand64(1)), toString(rand64(2))),
    if(number % 3 = 0, NULL, number / 7), ['a\\tb', toString(number)] FROM numbers(100000)"""
_OWN = (
    f"INSERT INTO shop.{_ODD} SELECT number, '{{host}}' FROM numbers(1{{shard}}{{number}})",
    *(f"INSERT INTO shop.small_{n} SELECT {n} + {{shard}}{{number}}" for n in _SMALL),
)
_REPLICATED = ("orders", "`.inner.days`")
# Merges sum the rows of days up, whenever they come.
_CONTENT = {
    "orders": "count(), sum(cityHash64(day, id, what, ifNull(toString(paid), ''), tags, half))",
    "days": "sum(orders), sum(cityHash64(day) * orders)",
    _ODD: "count(), sum(cityHash64(*))",
    "unpaid": "count(), sum(cityHash64(*))",
    "all_orders": "count(), sum(cityHash64(day, id, what))",
    **{f"small_{number}": "count(), sum(cityHash64(*))" for number in _SMALL},
}


def fill(clickhouse: ClickHouse) -> None:
    for replica in clickhouse.replicas:
        clickhouse.sql(replica, *_CREATE)
    for replica in clickhouse.replicas:
        texts = [_ORDERS, *_OWN] if replica.number == 1 else _OWN
        place = {"shard": replica.shard, "number": replica.number, "host": replica.host}
        clickhouse.sql(replica, *(text.format_map(place) for text in texts))


def fingerprint(clickhouse: ClickHouse, replica: Replica) -> str:
    """Rows and checksum of what is in every table or seen through it, and all definitions."""
    return clickhouse.sql(
        replica,
        *(f"SYSTEM SYNC REPLICA shop.{name}" for name in _REPLICATED),
        *(f"SELECT '{name}', {what} FROM shop.{name}" for name, what in _CONTENT.items()),
        "SELECT name, create_table_query FROM system.tables WHERE database = 'shop' ORDER BY name",
    )


def restore(clickhouse: ClickHouse, manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each object with the command that takes it, decrypted, in the manifest's order."""
    replicas = {replica.label: replica for replica in clickhouse.replicas}
    for item in manifest["objects"]:
        metadata = item["metadata"]
        if "script" in metadata:
            for label in metadata["replicas"]:
                yield item["key"], clickhouse.client(replicas[label], "--multiquery")
        else:
            target = replicas[f"s{metadata['shard']}r{metadata.get('replica', 1)}"]
            yield item["key"], _load(clickhouse, target, metadata["tables"])


def _load(clickhouse: ClickHouse, target: Replica, tables: Sequence[Mapping[str, Any]]) -> str:
    """A shell's command: the client takes one table, curl several that come in an archive."""
    if "entry" not in tables[0]:
        [table] = tables
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        return clickhouse.client(target, *settings, f"--query={table['insert']}")
    steps = ["tar --extract --directory=/tmp"]
    for table in tables:
        file, query = f"@/tmp/{table['entry']}", f"query={table['insert']}"
        post = ["--data-binary", file, "--url-query", query]
        for name, value in _SETTINGS.items():
            post += ["--url-query", f"{name}={value}"]
        steps.append(f"{clickhouse.curl(target)} {shlex.join(post)}")
    return f"{{ {' && '.join(steps)}; }}"


@pytest.fixture(scope="module")
def clickhouse(shared_stage: Stage) -> Iterator[ClickHouse]:
    made = ClickHouse(world=shared_stage.world, name=NAME)
    made.deploy({"enabled": "true", "type": "clickhouse", "schedule": _SCHEDULE})
    yield made
    made.remove()


@pytest.fixture
def cronjob(stage: Stage, clickhouse: ClickHouse) -> Object:
    return stage.world.cronjob(_SCHEDULE, NAME)


@pytest.fixture
def spread(stage: Stage, clickhouse: ClickHouse, cronjob: Object) -> Iterator[None]:
    """A pod for each shard, for as long as a test needs it."""
    asked = {"spread": "shards", "shard-count": "2"}
    owners = [f"statefulset/{host}" for host in clickhouse.hosts]
    annotate = ["annotate", "-n", SHOP, "--overwrite", *owners]

    def wait(mode: str | None) -> None:
        def probe() -> bool:
            template = stage.world.cronjob(_SCHEDULE, NAME)["spec"]["jobTemplate"]["spec"]
            return bool(template.get("completionMode") == mode)

        stage.kube.wait(f"Jobs to be {mode or 'plain'}", probe, seconds=60)

    stage.kube.run(*annotate, *(f"{PREFIX}/{key}={value}" for key, value in asked.items()))
    wait("Indexed")
    yield
    stage.kube.run(*annotate, *(f"{PREFIX}/{key}-" for key in asked))
    wait(None)


@pytest.fixture
def second_shard_down(clickhouse: ClickHouse) -> Iterator[None]:
    clickhouse.stop(shard=2)
    yield
    clickhouse.start(shard=2)


def test_a_cluster_of_many_owners_gets_one_cronjob(
    stage: Stage, clickhouse: ClickHouse, cronjob: Object
) -> None:
    every = stage.kube.list("cronjobs", CONTROL, "app.kubernetes.io/managed-by=ksnapshot")
    name = cronjob["metadata"]["name"]
    names = [item["metadata"]["name"] for item in every]
    assert [one for one in names if "-clickhouse-" in one] == [name]
    annotations = cronjob["metadata"]["annotations"]
    assert annotations[f"{PREFIX}/owner"] == f"{SHOP}/{NAME}"
    members = [word.partition("=")[0] for word in annotations[f"{PREFIX}/members"].split()]
    assert members == [f"StatefulSet/{host}" for host in clickhouse.hosts]
    [container] = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    env = {item["name"]: item.get("value") for item in container["env"]}
    assert env["CLICKHOUSE_HOST"] == f"{clickhouse.service}.{SHOP}.svc.cluster.local"
    assert env["CLICKHOUSE_PORT"] == "8123"
    login = stage.kube.get("secret", f"{name}-credentials", CONTROL)
    assert login is not None
    assert {key: b64decode(value).decode() for key, value in login["data"].items()} == {
        "CLICKHOUSE_USERNAME": clickhouse.login.user,
        "CLICKHOUSE_PASSWORD": clickhouse.login.password,
    }


def test_from_annotations_to_restored_comparison(
    stage: Stage, clickhouse: ClickHouse, cronjob: Object
) -> None:
    fill(clickhouse)
    before = [fingerprint(clickhouse, replica) for replica in clickhouse.replicas]
    code, result = stage.world.dump(cronjob["metadata"]["name"])
    assert code == ExitCode.DONE, result.message
    manifest = json.loads(stage.store.read(BUCKET, f"{result.record}manifest.json"))
    assert sorted(stage.store.objects(BUCKET)) == sorted(
        [*result.keys, f"{result.record}started.json", f"{result.record}manifest.json"]
    )
    rows = {
        (metadata["shard"], metadata.get("replica"), table["table"]): table["rows"]
        for metadata in (item["metadata"] for item in manifest["objects"])
        for table in metadata.get("tables", ())
    }
    assert [rows[shard, None, "orders"] for shard in (1, 2)] == [100000, 100000]
    own = [rows[one.shard, one.number, _ODD.strip("`")] for one in clickhouse.replicas]
    assert own == [111, 112, 121, 122]
    packs = [key for key in result.keys if key.endswith(".tar.gz.age")]
    assert len(packs) == len(clickhouse.replicas)

    for replica in clickhouse.replicas:
        clickhouse.sql(replica, "DROP DATABASE shop")
    clickhouse.load(restore(clickhouse, manifest))
    assert [fingerprint(clickhouse, replica) for replica in clickhouse.replicas] == before


def test_a_pod_for_each_shard_makes_one_backup(
    stage: Stage, clickhouse: ClickHouse, cronjob: Object, spread: None
) -> None:
    first, *_ = clickhouse.replicas
    if clickhouse.sql(first, "SELECT count() FROM system.databases WHERE name = 'shop'") == "0":
        fill(clickhouse)
    stage.world.run_now("by-shards", cronjob["metadata"]["name"])

    def probe() -> list[Object] | None:
        pods = stage.world.pods_of("by-shards")
        return pods if len(pods) == len({one.shard for one in clickhouse.replicas}) else None

    pods = stage.kube.wait("a pod for each shard", probe)
    assert sorted(pod["spec"]["hostname"] for pod in pods) == ["by-shards-0", "by-shards-1"]
    ended = [stage.world.result(pod["metadata"]["name"]) for pod in pods]
    assert [code for code, _ in ended] == [ExitCode.DONE] * 2, [one.message for _, one in ended]
    [record] = {result.record for _, result in ended}
    assert "" in {result.outcome for _, result in ended} <= {"", PART}
    manifest = json.loads(stage.store.read(BUCKET, f"{record}manifest.json"))
    assert (manifest["pod"], manifest["shards"]) == ("by-shards", 2)
    rows = {
        (metadata["shard"], table["table"]): table["rows"]
        for metadata in (item["metadata"] for item in manifest["objects"])
        for table in metadata.get("tables", ())
    }
    assert [rows[shard, "orders"] for shard in (1, 2)] == [100000, 100000]
    stored = stage.store.objects(BUCKET)
    assert {item["key"] for item in manifest["objects"]} <= stored.keys()
    assert sum(key.endswith("manifest.json") for key in stored) == 1


def test_a_shard_that_is_down_fails_the_run(
    stage: Stage, clickhouse: ClickHouse, cronjob: Object, second_shard_down: None
) -> None:
    code, result = stage.world.dump(cronjob["metadata"]["name"])
    assert code == ExitCode.SOURCE_FAILED
    assert "no replica of shard 2 answers" in result.message
    assert all(replica.host in result.message for replica in clickhouse.replicas[2:])
    records = ("started.json", "failed.json")
    assert [key for key in stage.store.objects(BUCKET) if not key.endswith(records)] == []
