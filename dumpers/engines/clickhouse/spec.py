"""ClickHouse."""

from dumpers.contract.engine_spec import (
    Credential,
    DumperImage,
    EngineSpec,
    GroupLabel,
    Login,
    NumberOption,
    Role,
    TextOption,
)
from dumpers.engines.clickhouse.throwaway import DRILL_SERVER
from dumpers.engines.shared_options import DATABASES, EXCLUDE_TABLES, TABLES


def _one_of(key: str, variable: str, words: tuple[str, ...], help_: str) -> TextOption:
    return TextOption(
        key=key,
        variable=variable,
        help=help_,
        wanted=f"one of: {', '.join(words)}",
        pattern="|".join(words),
    )


PODS, SERVICE = "pods", "service"
FIRST_REPLICA, ALL_REPLICAS = "first-replica-per-shard", "all-replicas"
QUERY_LOG, COUNTS = "query-log", "counts"
WARN, FAIL = "warn", "fail"

CLUSTER = TextOption(
    key="cluster",
    variable="CLICKHOUSE_CLUSTER",
    help="The cluster of `system.clusters` whose shards are dumped, where it is not clear by "
    "itself.",
    wanted="a cluster's name",
    longest=256,
)
SHARDS = TextOption(
    key="shards",
    variable="CLICKHOUSE_SHARDS",
    help="The servers, instead of what `system.clusters` says: `;` between shards, `,` between "
    "replicas of one, each `host` or `host:port`.",
    wanted="hosts, with ; between shards and , between their replicas",
    names_hosts=True,
)
VIA = _one_of(
    "via",
    "CLICKHOUSE_VIA",
    (PODS, SERVICE),
    "`service` reads every server through the Service, by `remote()`, where the pods cannot be "
    "reached one by one.",
)
COVERAGE = _one_of(
    "coverage",
    "CLICKHOUSE_COVERAGE",
    (FIRST_REPLICA, ALL_REPLICAS),
    "`first-replica-per-shard`, the default, reads replicated tables once a shard; `all-replicas` "
    "reads every table of every replica.",
)
MIN_PROOF = _one_of(
    "min-proof",
    "CLICKHOUSE_MIN_PROOF",
    (QUERY_LOG, COUNTS),
    "What must prove each table whole: `query-log`, the default, is the server's own verdict; "
    "`counts` does with the rows counted before and after where there is no such log.",
)
DRIFT = _one_of(
    "drift",
    "CLICKHOUSE_DRIFT",
    (WARN, FAIL),
    "Whether a run fails where servers have other tables than the rest: `warn` is the default.",
)
PARTITIONS = TextOption(
    key="partitions",
    variable="CLICKHOUSE_PARTITIONS",
    help="Of which tables only some partitions are dumped, by their ids: "
    "`shop.orders: 202401, 202402; shop.visits: 2024`.",
    wanted="`database.table: id, id`, apart by semicolons",
)
PARALLELISM = NumberOption(
    key="parallelism",
    variable="CLICKHOUSE_PARALLELISM",
    default=2,
    low=1,
    high=8,
    help="Tables of `clickhouse` that are read at a time of each shard; 8 at most in all.",
)
SPEC = EngineSpec(
    type="clickhouse",
    title="ClickHouse",
    prefix="CLICKHOUSE",
    port=8123,
    credentials=(
        Credential(role=Role.USERNAME, variable="CLICKHOUSE_USERNAME"),
        Credential(role=Role.PASSWORD, variable="CLICKHOUSE_PASSWORD"),
        Credential(role=Role.DATABASE, variable="CLICKHOUSE_DATABASE"),
    ),
    # Bitnami's images prefer names of their own to the official image's.
    logins=(
        Login(
            username=("CLICKHOUSE_ADMIN_USER", "CLICKHOUSE_USER"),
            password=("CLICKHOUSE_ADMIN_PASSWORD", "CLICKHOUSE_PASSWORD"),
            sign=Role.USERNAME,
        ),
        Login(
            username=(),
            password=("CLICKHOUSE_ADMIN_PASSWORD", "CLICKHOUSE_PASSWORD"),
            sign=Role.PASSWORD,
            default="default",
        ),
    ),
    databases=("CLICKHOUSE_DB",),
    numbers=(PARALLELISM,),
    texts=(
        *(DATABASES, TABLES, EXCLUDE_TABLES, PARTITIONS),
        *(CLUSTER, SHARDS, VIA, COVERAGE, MIN_PROOF, DRIFT),
    ),
    # Altinity's operator makes one StatefulSet per replica.
    group_labels=(GroupLabel(key="clickhouse.altinity.com/chi", alone=True),),
    server_images=r"clickhouse(-server)?",
    server_texts=(CLUSTER, SHARDS, VIA),
    spreads=True,
    drill_server=DRILL_SERVER,
    takes_checks=True,
    images=(
        DumperImage(
            versions=(),
            setting="CLICKHOUSE_DUMPER_IMAGE",
            chart="dumperImages.clickhouse",
            repository="ghcr.io/clickandmortar/ksnapshot-dumper-clickhouse",
        ),
    ),
)
