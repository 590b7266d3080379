"""The servers of a cluster: which there are, how each is reached, and how far it is behind."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from dumpers.contract.connection import Connection
from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.clickhouse.cluster import topology
from dumpers.engines.clickhouse.cluster.health import read_cluster_macro, read_health, read_nodes
from dumpers.engines.clickhouse.cluster.topology import Health, Node, Shard
from dumpers.engines.clickhouse.server.client import Server, connect, read_version
from dumpers.engines.clickhouse.server.settings import KnownSettings, read_known_settings
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import ErrorClasses, SourceFailedError, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt

# Servers that are asked at a time.
_TOGETHER = 16
# How long a replica may take to fetch what others have, before it is read as it is.
_LAG_SECONDS, _LAG_PAUSE_SECONDS = 60.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A replica that can be read; `release` is that of the server which runs its queries."""

    node: Node
    server: Server
    health: Health
    release: str = ""

    @property
    def label(self) -> str:
        """The replica's name in keys and messages: `s1r2`."""
        return f"s{self.node.shard}r{self.node.replica}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardReplicas:
    """A shard: the replicas that can be read, best first, and the hosts of those that cannot."""

    number: int
    replicas: tuple[Replica, ...]
    missing: tuple[str, ...]


def find(
    connection: Connection,
    *,
    cluster: str,
    listed: Sequence[Shard],
    through: bool,
    settings: Callable[[KnownSettings], Mapping[str, str]],
    errors: ErrorClasses,
    interrupt: Interrupt,
) -> tuple[ShardReplicas, ...]:
    """The shards of the cluster that the entry point belongs to, or of an explicit list.

    `cluster` is the one that is asked for, or empty. All servers are asked at the port of the entry
    point, listed ones at their own; with `through` the entry point asks them at the ports by which
    servers know each other. Without a cluster, the entry point is all. `settings` gives those of
    every query, of the ones that a server knows. Raises SourceFailedError for a shard of which no
    replica answers, as its rows would be missing.
    """
    entry = connect(connection, errors=errors, settings={})
    entry = replace(entry, settings=settings(read_known_settings(entry, interrupt)))
    shards = listed
    if not shards:
        nodes = read_nodes(entry, interrupt)
        macro = read_cluster_macro(entry, interrupt)
        chosen = topology.choose_cluster(nodes, asked=cluster, macro=macro)
        if chosen is None:
            node = Node(cluster="", shard=1, replica=1, host=connection.host, port=connection.port)
            shards, through = [Shard(number=1, nodes=(node,))], False
        else:
            shards = topology.shards(nodes, chosen)
            if not through:
                shards = [
                    replace(shard, nodes=tuple(_entered(node, connection) for node in shard.nodes))
                    for shard in shards
                ]

    _check_once(shards)

    def ask(node: Node) -> Replica:
        if through:
            host = f"[{node.host}]" if ":" in node.host else node.host
            address, place = f"{host}:{node.port}", connection
        else:
            address, place = "", replace(connection, host=node.host, port=node.port)
        server = connect(place, errors=errors, settings={}, address=address)
        health = read_health(server, interrupt)
        if not health.reachable:
            return Replica(node=node, server=server, health=health)
        server = replace(server, settings=settings(read_known_settings(server, interrupt)))
        release = read_version(server, interrupt)
        return Replica(node=node, server=server, health=health, release=release)

    with ThreadPoolExecutor(_TOGETHER, thread_name_prefix="replica") as pool:
        asked = [list(pool.map(ask, shard.nodes)) for shard in shards]
    return tuple(_shard_replicas(shard, found) for shard, found in zip(shards, asked, strict=True))


def wait_for_lag(shard: ShardReplicas, interrupt: Interrupt) -> tuple[ShardReplicas, Note | None]:
    """Wait until the shard's best replica has what the others have, at most a minute.

    Returns the shard with its replicas ranked anew, and a note if the best one still lags.
    """
    ends = time.monotonic() + _LAG_SECONDS
    while True:
        best = shard.replicas[0]
        where = f"{best.label} ({best.server.where})"
        if best.health.is_stale:
            return shard, Note(
                code=NoteCode.STANDBY,
                text="these servers are read-only, as they have lost their Keeper: whether they "
                "lack rows that other replicas have is not known",
                objects=(where,),
            )
        if not best.health.queue:
            return shard, None
        if time.monotonic() > ends:
            return shard, Note(
                code=NoteCode.STANDBY,
                text="these servers lag: entries of their tables' replication queues were not done "
                "when they were read",
                objects=(f"{where}, {best.health.queue} entries of a table",),
            )
        interrupt.sleep(_LAG_PAUSE_SECONDS)
        replicas = [
            replace(replica, health=read_health(replica.server, interrupt))
            for replica in shard.replicas
        ]
        shard = _ordered(shard, replicas)


def _check_once(shards: Sequence[Shard]) -> None:
    """Raise SourceRefusedError where two would be read at the same address."""
    every = [(node.host, node.port) for shard in shards for node in shard.nodes]
    twice = {f"{host}:{port}" for host, port in every if every.count((host, port)) > 1}
    if twice:
        raise SourceRefusedError(
            "several servers of the cluster would be read at the same address, and others not at "
            f"all: say by the annotation shards how each is reached: {abbreviate(sorted(twice))}"
        )


def _entered(node: Node, connection: Connection) -> Node:
    """The node as it is reached from here, by HTTP."""
    host = topology.full_name(node.host, entry=connection.host)
    return replace(node, host=host, port=connection.port)


def _ordered(shard: ShardReplicas, replicas: Sequence[Replica]) -> ShardReplicas:
    """The shard anew; one whose replicas all went silent stays as it was: reading will tell."""
    ordered, gone = _ranked(replicas)
    return replace(shard, replicas=ordered, missing=(*shard.missing, *gone)) if ordered else shard


def _shard_replicas(shard: Shard, found: Sequence[Replica]) -> ShardReplicas:
    ordered, missing = _ranked(found)
    if not ordered:
        said = "; ".join(replica.health.why for replica in found)
        raise SourceFailedError(
            f"no replica of shard {shard.number} answers, so its rows would be missing and nothing "
            f"is dumped: {said}"
        )
    return ShardReplicas(number=shard.number, replicas=ordered, missing=missing)


def _ranked(found: Sequence[Replica]) -> tuple[tuple[Replica, ...], tuple[str, ...]]:
    """Those that can be read, best first, and the hosts of the others."""
    order = topology.order({replica.node: replica.health for replica in found})
    by_node = {replica.node: replica for replica in found}
    return (
        tuple(by_node[node] for node in order),
        tuple(replica.node.host for replica in found if replica.node not in order),
    )
