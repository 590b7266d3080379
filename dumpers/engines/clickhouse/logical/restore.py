"""Loading a backup into a cluster: scripts on every server, rows where they belong."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dumpers.contract.connection import Connection
from dumpers.contract.restoring import RestoreRequest
from dumpers.engines.clickhouse.catalog import server_catalog, system_tables
from dumpers.engines.clickhouse.cluster import replicas
from dumpers.engines.clickhouse.cluster.replicas import Replica, ShardReplicas
from dumpers.engines.clickhouse.filters import TableFilter
from dumpers.engines.clickhouse.logical.plan import plan
from dumpers.engines.clickhouse.logical.script_runner import ScriptRunner, shown
from dumpers.engines.clickhouse.logical.stored_rows import has_rows, read_blocks, read_tables
from dumpers.engines.clickhouse.schema import scripts
from dumpers.engines.clickhouse.server.settings import create_settings, load_settings
from dumpers.engines.clickhouse.server.sql import count, identifier, insert, literal, qualified
from dumpers.engines.names import abbreviate
from dumpers.engines.protocol import WHOLE, Restored, RestorePlan, StoredDump
from dumpers.runtime.errors import (
    RESTORE_ERRORS,
    KsnapshotError,
    TargetFailedError,
    TargetRefusedError,
)
from dumpers.runtime.interrupt import Interrupt

# Scripts that a restore can do without: their failures become notes.
_OPTIONAL = frozenset(("access", scripts.FOREIGN_DATABASES_SCRIPT, scripts.INCOMPLETE_SCRIPT))


def load_backup(
    target: Connection,
    pieces: Sequence[StoredDump],
    interrupt: Interrupt,
    request: RestoreRequest = WHOLE,  # noqa: ARG001
) -> Restored:
    """Load a backup into tables that are missing or empty; of one database into the target's.

    Statements run on every server, rows are loaded into the shard with the number that they came
    from. There is no transaction around any of it: what fails leaves the rest, and the error says
    so.
    """
    shards = replicas.find(
        target,
        cluster="",
        listed=(),
        through=False,
        settings=lambda known: {
            **create_settings(known),
            **load_settings(known, RESTORE_ERRORS),
        },
        errors=RESTORE_ERRORS,
        interrupt=interrupt,
    )
    silent = [host for shard in shards for host in shard.missing]
    if silent:
        raise TargetFailedError(
            f"{', '.join(silent)} of the target does not answer: nothing would be created there"
        )
    loading = _Loading(
        shards=shards, names=_names(target, pieces), pieces=pieces, interrupt=interrupt
    )
    loading.check_empty()
    done: set[str] = set()
    for piece in pieces:
        kind = piece.metadata.get("script")
        try:
            if kind is None:
                loading.load(piece)
            elif kind not in done:
                done.add(kind)
                loading.run(kind)
                if kind == scripts.TABLES_SCRIPT:
                    loading.check_alone()
                    loading.check_empty()
        except KsnapshotError as error:
            raise type(error)(f"{error}; what was loaded before stays") from error
    return Restored(notes=tuple(dict.fromkeys(loading.notes)))


def count_rows(target: Connection, interrupt: Interrupt) -> Mapping[str, int]:
    """Count the rows of every table, those of all shards together."""
    shards = replicas.find(
        target,
        cluster="",
        listed=(),
        through=False,
        settings=create_settings,
        errors=RESTORE_ERRORS,
        interrupt=interrupt,
    )
    every_replica = [replica for shard in shards for replica in shard.replicas]
    catalogs = {
        catalog.replica.label: catalog
        for catalog in server_catalog.read_catalogs(every_replica, TableFilter(), interrupt)
    }
    counts: dict[str, int] = {}
    for item in plan(shards, catalogs, partitions={}, all_replicas=False).items:
        table = item.backup_table.table
        source = qualified(*table.key)
        [[rows]] = item.copies[0].replica.server.rows(count(source), interrupt)
        counts[table.full_name] = counts.get(table.full_name, 0) + int(rows)
    return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loading:
    """One restore: databases are loaded under `names`, their new names by their old ones."""

    shards: Sequence[ShardReplicas]
    names: Mapping[str, str]
    pieces: Sequence[StoredDump]
    interrupt: Interrupt
    notes: list[str] = field(default_factory=list)

    def check_empty(self) -> None:
        """Raise TargetRefusedError where a table to be loaded has rows already."""
        wanted = {
            (self.names[table["database"]], table["table"])
            for piece in self.pieces
            for table in piece.metadata.get("tables", ())
        }
        # Old servers do not know an empty list.
        if not wanted:
            return
        held = []
        for replica in self._replicas():
            there = replica.server.rows(
                "SELECT database, name FROM system.tables WHERE database IN "  # noqa: S608  quoted
                f"({', '.join(map(literal, {database for database, _ in wanted}))})",
                self.interrupt,
            )
            for database, name in there:
                if (database, name) in wanted:
                    source = qualified(database, name)
                    [[rows]] = replica.server.rows(count(source), self.interrupt)
                    if int(rows):
                        held.append(f"{database}.{name} on {replica.server.where}")
        if held:
            raise TargetRefusedError(
                f"these tables have rows already: {abbreviate(held)}: drop them, or restore "
                "elsewhere"
            )

    def check_alone(self) -> None:
        """Raise TargetRefusedError where tables are replicas of others than those of the target.

        They would take rows from there, and what is loaded would go there: so it is where a path in
        Keeper is written out, and is in use elsewhere.
        """
        wanted, every_replica = set(self.names.values()), list(self._replicas())
        for replica in every_replica:
            for (database, table), at in system_tables.paths(
                replica.server, sorted(wanted), self.interrupt
            ).items():
                if at.total > len(every_replica):
                    raise TargetRefusedError(
                        f"{database}.{table} of {replica.server.where} has {at.total} replicas at "
                        f"{at.path} in Keeper, more than the target has servers: it is a replica "
                        "of other servers' table; drop it, and restore with another Keeper"
                    )

    def run(self, kind: str) -> None:
        """Run a script on every server, the one of the dumped server with the same label.

        A server whose label was not dumped gets the first server's script.
        """
        dumped = self._dumped()
        for piece in self.pieces:
            if piece.metadata.get("script") != kind:
                continue
            statements = scripts.statements(_read(piece))
            for replica in self._replicas():
                label = replica.label if replica.label in dumped else dumped[0]
                if label in piece.metadata["replicas"]:
                    self._run(kind, replica, statements)

    def _run(self, kind: str, replica: Replica, statements: Sequence[str]) -> None:
        new = {name for old, name in self.names.items() if name != old}
        for name in sorted(new if kind == scripts.TABLES_SCRIPT else ()):
            replica.server.run(f"CREATE DATABASE IF NOT EXISTS {identifier(name)}", self.interrupt)
        runner = ScriptRunner(names=self.names, interrupt=self.interrupt, notes=self.notes)
        failed = runner.run_all(replica.server, statements)
        if failed and kind not in _OPTIONAL:
            statement, error = failed[0]
            raise TargetFailedError(f"{error} (of {len(failed)} such): {shown(statement)}")
        self.notes.extend(f"{kind} on {replica.label}: {error}" for _, error in failed)

    def _dumped(self) -> Sequence[str]:
        """The labels of the servers that were dumped."""
        return [
            label
            for piece in self.pieces
            if piece.metadata.get("script") == scripts.TABLES_SCRIPT
            for label in piece.metadata["replicas"]
        ] or [self.shards[0].replicas[0].label]

    def load(self, piece: StoredDump) -> None:
        """Load the rows of one object where they belong."""
        metadata = piece.metadata
        if metadata.get("redundant"):
            return
        server = self._replica_for(metadata).server
        with piece.open() as reader:
            for table, blocks in read_tables(piece, reader):
                if has_rows(table):
                    into = qualified(self.names[table["database"]], table["table"])
                    server.insert(insert(into, table["columns"]), blocks, self.interrupt)

    def _replicas(self) -> Iterator[Replica]:
        return (replica for shard in self.shards for replica in shard.replicas)

    def _replica_for(self, metadata: Mapping[str, Any]) -> Replica:
        """The server that takes rows of this shard, or of this replica of it."""
        shard_number, replica_number = int(metadata["shard"]), int(metadata.get("replica", 1))
        if shard_number > len(self.shards):
            self.notes.append(
                "there are fewer shards than were dumped: rows of the others were spread over "
                "those that there are, whatever their sharding keys"
            )
        found = sorted(
            self.shards[(shard_number - 1) % len(self.shards)].replicas,
            key=lambda replica: replica.node.replica,
        )
        if replica_number > len(found):
            self.notes.append(
                "there are fewer replicas than were dumped: rows of tables that are not replicated "
                "were put together, doubled where several replicas had the same"
            )
        return found[(replica_number - 1) % len(found)]


def _names(target: Connection, pieces: Sequence[StoredDump]) -> Mapping[str, str]:
    """Into which database the tables of each are loaded."""
    names = {
        table["database"]: table["database"]
        for piece in pieces
        for table in piece.metadata.get("tables", ())
    }
    if len(names) == 1 and target.database:
        return dict.fromkeys(names, target.database)
    return names


def _read(piece: StoredDump) -> str:
    with piece.open() as reader:
        return b"".join(read_blocks(reader)).decode()


def plan_restore(
    target: Connection,
    pieces: Sequence[StoredDump],
    interrupt: Interrupt,
    request: RestoreRequest,
) -> RestorePlan:
    """See Engine.plan_restore."""
    raise NotImplementedError


def undo_swap(target: Connection, kept: Sequence[tuple[str, str]], interrupt: Interrupt) -> None:
    """See Engine.undo."""
    raise NotImplementedError


def forget_restored(target: Connection, names: Sequence[str], interrupt: Interrupt) -> None:
    """See Engine.forget."""
    raise NotImplementedError
