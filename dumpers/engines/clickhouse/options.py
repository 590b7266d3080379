"""The options of a dump of ClickHouse, from its annotations."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dumpers.contract.connection import DumpSource
from dumpers.contract.engine_spec import TextOption
from dumpers.engines.clickhouse import spec
from dumpers.engines.clickhouse.cluster.topology import Shard, read_shards
from dumpers.engines.clickhouse.filters import TableFilter, read_partitions
from dumpers.engines.names import parse_patterns
from dumpers.engines.shared_options import DATABASES, EXCLUDE_TABLES, TABLES

# Of the native protocol, in which servers speak to each other.
_NATIVE_PORT = 9000


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Which tables are dumped, how, and with what proof; `shards` is empty unless listed by a user.

    `through`: every server is read through the entry point, and the ports of `shards` are of the
    native protocol.
    """

    table_filter: TableFilter
    partitions: Mapping[tuple[str, str], tuple[str, ...]]
    cluster: str
    shards: tuple[Shard, ...]
    through: bool
    all_replicas: bool
    accepts_counts: bool
    drift_fails: bool
    parallel: int


def read_target_shards(servers: Mapping[str, str], port: int) -> tuple[str, tuple[Shard, ...]]:
    """The cluster and the shards that a restore is told, empty where it is not.

    A restore asks every server by HTTP. Where dumps go through the Service, the ports that are
    listed are of the native protocol: then `port`, the entry point's, is every server's.
    """
    listed = servers.get(spec.SHARDS.variable, "")
    shards = read_shards(spec.SHARDS.variable, listed, port=port) if listed else ()
    if servers.get(spec.VIA.variable) == spec.SERVICE:
        shards = tuple(
            replace(shard, nodes=tuple(replace(node, port=port) for node in shard.nodes))
            for shard in shards
        )
    return servers.get(spec.CLUSTER.variable, ""), shards


def read_options(job: DumpSource) -> Options:
    """Read the options of a job; ConfigurationError says what is wrong with which."""

    def text(option: TextOption) -> str:
        return job.options.get(option.variable, "")

    def patterns(option: TextOption) -> tuple[str, ...]:
        return parse_patterns(option.variable, text(option))

    through = text(spec.VIA) == spec.SERVICE
    listed = text(spec.SHARDS)
    port = _NATIVE_PORT if through else job.connection.port
    shards = read_shards(spec.SHARDS.variable, listed, port=port) if listed else ()
    return Options(
        table_filter=TableFilter(
            databases=patterns(DATABASES),
            tables=patterns(TABLES),
            excluded=patterns(EXCLUDE_TABLES),
        ),
        partitions=read_partitions(spec.PARTITIONS.variable, text(spec.PARTITIONS)),
        cluster=text(spec.CLUSTER),
        shards=shards,
        through=through,
        all_replicas=text(spec.COVERAGE) == spec.ALL_REPLICAS,
        accepts_counts=text(spec.MIN_PROOF) == spec.COUNTS,
        drift_fails=text(spec.DRIFT) == spec.FAIL,
        parallel=job.numbers[spec.PARALLELISM.variable],
    )
