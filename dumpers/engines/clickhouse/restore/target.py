"""The servers of a restore's target, and what they hold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dumpers.contract.connection import Connection
from dumpers.engines.clickhouse.cluster import replicas
from dumpers.engines.clickhouse.cluster.replicas import Replica, ShardReplicas
from dumpers.engines.clickhouse.options import read_target_shards
from dumpers.engines.clickhouse.schema.names.naming import Key
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.settings import create_settings, load_settings
from dumpers.engines.clickhouse.server.sql import literal, qualified
from dumpers.runtime.errors import (
    RESTORE_ERRORS,
    SourceFailedError,
    SourceRefusedError,
    TargetFailedError,
    TargetRefusedError,
)
from dumpers.runtime.interrupt import Interrupt

_NO_UUID = "00000000-0000-0000-0000-000000000000"
# Engines of databases in which tables change places in one step.
EXCHANGING = "Atomic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A table, view or dictionary that a server has; `uuid` is empty where it has none."""

    engine: str
    uuid: str
    create: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """All servers of the target, each of which answers."""

    shards: Sequence[ShardReplicas]
    interrupt: Interrupt

    @property
    def replicas(self) -> Sequence[Replica]:
        """All servers, in the order of shards and replicas."""
        every = (replica for shard in self.shards for replica in shard.replicas)
        return sorted(every, key=lambda replica: replica.node.place)

    @property
    def servers(self) -> Sequence[Server]:
        """The same, to ask them."""
        return [replica.server for replica in self.replicas]

    def everywhere(self, statement: str) -> None:
        """Run a statement on every server, one after the other."""
        for server in self.servers:
            server.run(statement, self.interrupt)

    def engines(self, server: Server) -> Mapping[str, str]:
        """The engine of each database of a server."""
        rows = server.rows("SELECT name, engine FROM system.databases", self.interrupt)
        return {name: engine for name, engine in rows}  # noqa: C416  rows are lists

    def held(self, server: Server, databases: Iterable[str]) -> Mapping[Key, Held]:
        """What a server has in these databases, but for the inner tables of views."""
        asked = sorted({*databases})
        # Old servers do not know an empty list.
        if not asked:
            return {}
        [[has_uuid]] = server.rows(
            "SELECT count() FROM system.columns WHERE database = 'system' AND table = 'tables' "
            "AND name = 'uuid'",
            self.interrupt,
        )
        uuid = "toString(uuid)" if int(has_uuid) else "''"
        rows = server.rows(
            f"SELECT database, name, engine, {uuid}, create_table_query FROM system.tables "  # noqa: S608  quoted
            f"WHERE database IN ({', '.join(map(literal, asked))})",
            self.interrupt,
        )
        return {
            (database, name): Held(
                engine=engine, uuid="" if id_ == _NO_UUID else id_, create=create
            )
            for database, name, engine, id_, create in rows
            if not name.startswith(".inner")
        }


def drop(key: Key, held: Held) -> str:
    """The statement that drops a table, view or dictionary."""
    what = "DICTIONARY" if held.create.startswith("CREATE DICTIONARY") else "TABLE"
    return f"DROP {what} IF EXISTS {qualified(*key)}"


def find_target(connection: Connection, interrupt: Interrupt) -> Target:
    """The servers of the cluster that the connection leads to, or that its options name.

    Raises TargetFailedError where one of them does not answer: nothing would be made there.
    """
    cluster, listed = read_target_shards(connection.servers, connection.port)
    try:
        shards = replicas.find(
            connection,
            cluster=cluster,
            listed=listed,
            through=False,
            settings=lambda known: {
                **create_settings(known),
                **load_settings(known, RESTORE_ERRORS),
            },
            errors=RESTORE_ERRORS,
            interrupt=interrupt,
        )
    except SourceFailedError as error:
        raise TargetFailedError(str(error)) from error
    except SourceRefusedError as error:
        raise TargetRefusedError(str(error)) from error
    silent = [host for shard in shards for host in shard.missing]
    if silent:
        raise TargetFailedError(
            f"{', '.join(silent)} of the target does not answer: nothing would be created there"
        )
    return Target(shards=shards, interrupt=interrupt)
