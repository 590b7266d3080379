"""The servers of a cluster: which there are, how each is reached, and how far it is behind."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from dumpers.contract import Connection
from dumpers.engines.clickhouse import survey, topology
from dumpers.engines.clickhouse.client import Server, connect
from dumpers.engines.clickhouse.topology import Health, Node, Shard
from dumpers.errors import Side, SourceFailedError
from dumpers.interrupt import Interrupt

# Servers that are asked at a time.
_TOGETHER = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A replica that can be read."""

    node: Node
    server: Server
    health: Health

    @property
    def label(self) -> str:
        """How keys and messages call it: `s1r2`."""
        return f"s{self.node.shard}r{self.node.replica}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A shard: the members that can be read, best first, and the hosts of those that cannot."""

    number: int
    members: tuple[Member, ...]
    missing: tuple[str, ...]


def find(
    connection: Connection,
    *,
    cluster: str,
    listed: Sequence[Shard],
    settings: Mapping[str, str],
    side: Side,
    interrupt: Interrupt,
) -> tuple[Group, ...]:
    """The shards of the cluster that the entry point belongs to, or of an explicit list.

    `cluster` is the one that is asked for, or empty. All servers are asked at the port of the entry
    point, listed ones at their own. Without a cluster, the entry point is all. Raises
    SourceFailedError for a shard of which no replica answers, as its rows would be missing.
    """
    entry = connect(connection, side=side, settings=settings)
    shards = listed
    if not shards:
        nodes = survey.nodes(entry, interrupt)
        macro = survey.cluster_macro(entry, interrupt)
        chosen = topology.choose_cluster(nodes, asked=cluster, macro=macro)
        if chosen is None:
            node = Node(cluster="", shard=1, replica=1, host=connection.host, port=connection.port)
            shards = [Shard(number=1, nodes=(node,))]
        else:
            shards = [
                replace(shard, nodes=tuple(_entered(node, connection) for node in shard.nodes))
                for shard in topology.shards(nodes, chosen)
            ]

    def ask(node: Node) -> Member:
        place = replace(connection, host=node.host, port=node.port)
        server = connect(place, side=side, settings=settings)
        return Member(node=node, server=server, health=survey.health(server, interrupt))

    with ThreadPoolExecutor(_TOGETHER, thread_name_prefix="member") as pool:
        asked = [list(pool.map(ask, shard.nodes)) for shard in shards]
    return tuple(_group(shard, found) for shard, found in zip(shards, asked, strict=True))


def _entered(node: Node, connection: Connection) -> Node:
    """The node as it is reached from here, by HTTP."""
    host = topology.full_name(node.host, entry=connection.host)
    return replace(node, host=host, port=connection.port)


def _group(shard: Shard, found: Sequence[Member]) -> Group:
    order = topology.order({member.node: member.health for member in found})
    if not order:
        hosts = ", ".join(f"{node.host}:{node.port}" for node in shard.nodes)
        raise SourceFailedError(
            f"no replica of shard {shard.number} answers ({hosts}): its rows would be missing, so "
            "nothing is dumped"
        )
    by_node = {member.node: member for member in found}
    return Group(
        number=shard.number,
        members=tuple(by_node[node] for node in order),
        missing=tuple(member.node.host for member in found if member.node not in order),
    )
