"""Reading a server's clusters, and how far the server is behind the other replicas."""

from dataclasses import replace

from dumpers.engines.clickhouse.cluster.topology import Health, Node
from dumpers.engines.clickhouse.server.client import Server
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.interrupt import Interrupt

# A server that takes longer to say how it is would take for ever to give its rows.
_HEALTH_SECONDS = 30.0
# It asks Keeper several times for each of its tables.
_KEEPER_SECONDS = 120.0


def read_nodes(server: Server, interrupt: Interrupt) -> tuple[Node, ...]:
    """The servers of every cluster that a server knows."""
    rows = server.rows(
        "SELECT cluster, shard_num, replica_num, host_name, port, is_local FROM system.clusters",
        interrupt,
    )
    return tuple(
        Node(
            cluster=cluster,
            shard=int(shard),
            replica=int(replica),
            host=host,
            port=int(port),
            is_local=bool(int(local)),
        )
        for cluster, shard, replica, host, port, local in rows
    )


def read_cluster_macro(server: Server, interrupt: Interrupt) -> str:
    """The value of the server's macro {cluster}, empty without one."""
    rows = server.rows("SELECT substitution FROM system.macros WHERE macro = 'cluster'", interrupt)
    return str(rows[0][0]) if rows else ""


def read_health(server: Server, interrupt: Interrupt) -> Health:
    """Read how far a server is behind the other replicas; unreachable if it does not answer."""
    try:
        found = _health(server, interrupt)
        if found.is_stale:
            return found
        unheard = _unheard(server, interrupt)
        if unheard is None:
            return replace(found, session_expired=True)
        # Anew, as what it has heard of meanwhile is in its queue.
        found = _health(server, interrupt)
    except KsnapshotError as error:
        if not isinstance(error, server.errors.failed):
            raise
        return Health(reachable=False, why=str(error))
    return replace(found, queue=found.queue + unheard)


def _health(server: Server, interrupt: Interrupt) -> Health:
    # What waits to be merged is there already.
    [row] = server.rows(
        "SELECT max(is_readonly), max(is_session_expired), "  # noqa: S608  quoted
        "max(toInt64(queue_size) - toInt64(merges_in_queue)), max(absolute_delay) "
        f"FROM {server.source('system', 'replicas')}",
        interrupt,
        seconds=_HEALTH_SECONDS,
    )
    readonly, expired, queue, delay = (int(cell or 0) for cell in row)
    return Health(
        reachable=True,
        readonly=readonly > 0,
        session_expired=expired > 0,
        queue=queue,
        delay=delay,
    )


def _unheard(server: Server, interrupt: Interrupt) -> int | None:
    """The most entries of a table's log in Keeper not queued yet; None if Keeper is silent."""
    try:
        # An empty log and one with a first entry look alike.
        [[unheard]] = server.rows(
            "SELECT max(if(log_max_index = 0, 0, "  # noqa: S608  quoted
            "greatest(toInt64(log_max_index) + 1 - toInt64(log_pointer), 0))) "
            f"FROM {server.source('system', 'replicas')}",
            interrupt,
            seconds=_KEEPER_SECONDS,
        )
    except server.errors.failed:
        return None
    return int(unheard or 0)
