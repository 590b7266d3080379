"""Which Distributed tables show rows of servers that are not in the dump."""

from collections.abc import Iterable, Sequence

from dumpers.contract.notes import Note
from dumpers.engines.clickhouse.cluster.health import read_nodes
from dumpers.engines.clickhouse.cluster.topology import Node
from dumpers.engines.clickhouse.schema.lexer import TokenKind, significant
from dumpers.engines.clickhouse.schema.table_engines import FOREIGN
from dumpers.engines.clickhouse.schema.table_notes import note
from dumpers.engines.clickhouse.schema.tables import BackupTable
from dumpers.engines.clickhouse.server.client import Server
from dumpers.runtime.interrupt import Interrupt


def read_foreign(
    server: Server, cluster: str, tables: Iterable[BackupTable], interrupt: Interrupt
) -> tuple[Note, ...]:
    """Notes on Distributed tables over servers that are not of the dumped cluster.

    `cluster` is empty where the server is dumped alone.
    """
    distributed = [item for item in tables if item.table.engine == "Distributed"]
    if not distributed:
        return ()
    nodes = read_nodes(server, interrupt)
    return tuple(
        note(FOREIGN.code, FOREIGN.text, item.table.full_name)
        for item in distributed
        if is_foreign(_cluster_of(item.table.engine_full), nodes, cluster)
    )


def is_foreign(asked: str, nodes: Sequence[Node], cluster: str) -> bool:
    """Whether a cluster has servers that are not of the dumped one."""
    # A macro stands for the server's own.
    if asked == cluster or "{" in asked:
        return False
    own = {(node.host, node.port) for node in nodes if node.cluster == cluster or node.is_local}
    hosts = {(node.host, node.port) for node in nodes if node.cluster == asked}
    return not hosts or not hosts <= own


def _cluster_of(engine_full: str) -> str:
    """The first argument, which old releases write as a bare name; empty if there is none."""
    words = significant(engine_full)
    kinds = {TokenKind.STRING, TokenKind.QUOTED, TokenKind.WORD}
    return next((word.value for word in words[1:] if word.kind in kinds), "")
