"""Loading a backup into a cluster: scripts on every server, rows where they belong."""

import tarfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, cast

from dumpers.contract.connection import Connection
from dumpers.engines.clickhouse.catalog import server_catalog, system_tables
from dumpers.engines.clickhouse.cluster import replicas
from dumpers.engines.clickhouse.cluster.replicas import Replica, ShardReplicas
from dumpers.engines.clickhouse.logical import plan
from dumpers.engines.clickhouse.schema import ddl, scripts
from dumpers.engines.clickhouse.schema.lexer import TokenKind, tokens
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.errors import (
    FUNCTION_ALREADY_EXISTS,
    NAMED_COLLECTION_ALREADY_EXISTS,
    code_of,
)
from dumpers.engines.clickhouse.server.settings import create_settings, load_settings
from dumpers.engines.clickhouse.server.sql import count, identifier, insert, literal, qualified
from dumpers.engines.names import abbreviate
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import (
    RESTORE_ERRORS,
    KsnapshotError,
    TargetFailedError,
    TargetRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader

_BLOCK = 1 << 18
_SHOWN = 120
# Scripts that a restore can do without: what fails of them is told.
_OPTIONAL = frozenset(("access",))
_TABLES = "scripts"
# Functions and named collections that are there already: they are not of any database.
_EXISTING = frozenset((FUNCTION_ALREADY_EXISTS, NAMED_COLLECTION_ALREADY_EXISTS))


def load_backup(
    target: Connection, pieces: Sequence[StoredDump], interrupt: Interrupt
) -> tuple[str, ...]:
    """Load a backup into tables that are missing or empty; of one database into the target's.

    Statements run on every server, rows are loaded into the shard with the number that they came
    from. There is no transaction around any of it: what fails leaves the rest, and the error says
    so.
    """
    groups = replicas.find(
        target,
        cluster="",
        listed=(),
        through=False,
        settings=lambda known: {**create_settings(known), **load_settings(known)},
        errors=RESTORE_ERRORS,
        interrupt=interrupt,
    )
    silent = [host for group in groups for host in group.missing]
    if silent:
        raise TargetFailedError(
            f"{', '.join(silent)} of the target does not answer: nothing would be created there"
        )
    loading_ = _Loading(
        groups=groups, names=_names(target, pieces), pieces=pieces, interrupt=interrupt
    )
    loading_.check_empty()
    done: set[str] = set()
    for piece in pieces:
        kind = piece.metadata.get("script")
        try:
            if kind is None:
                loading_.load(piece)
            elif kind not in done:
                done.add(kind)
                loading_.run(kind)
                if kind == _TABLES:
                    loading_.check_alone()
                    loading_.check_empty()
        except KsnapshotError as error:
            raise type(error)(f"{error}; what was loaded before stays") from error
    return tuple(dict.fromkeys(loading_.notes))


def count_rows(target: Connection, interrupt: Interrupt) -> Mapping[str, int]:
    """Count the rows of every table, those of all shards together."""
    groups = replicas.find(
        target,
        cluster="",
        listed=(),
        through=False,
        settings=create_settings,
        errors=RESTORE_ERRORS,
        interrupt=interrupt,
    )
    everybody = [member for group in groups for member in group.members]
    held = {holding.member.label: holding for holding in server_catalog.look(everybody, interrupt)}
    counts: dict[str, int] = {}
    for item in plan.plan(groups, held, partitions={}, all_replicas=False).items:
        table = item.treated.table
        source = qualified(*table.key)
        [[rows]] = item.copies[0].member.server.rows(count(source), interrupt)
        counts[table.full_name] = counts.get(table.full_name, 0) + int(rows)
    return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loading:
    groups: Sequence[ShardReplicas]
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
        for member in self._members():
            there = member.server.rows(
                "SELECT database, name FROM system.tables WHERE database IN "  # noqa: S608  quoted
                f"({', '.join(map(literal, {database for database, _ in wanted}))})",
                self.interrupt,
            )
            for database, name in there:
                if (database, name) in wanted:
                    source = qualified(database, name)
                    [[rows]] = member.server.rows(count(source), self.interrupt)
                    if int(rows):
                        held.append(f"{database}.{name} on {member.server.where}")
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
        wanted, everybody = set(self.names.values()), list(self._members())
        for member in everybody:
            for (database, table), at in system_tables.paths(member.server, self.interrupt).items():
                if database in wanted and at.total > len(everybody):
                    raise TargetRefusedError(
                        f"{database}.{table} of {member.server.where} has {at.total} replicas at "
                        f"{at.path} in Keeper, more than the target has servers: it is a replica "
                        "of other servers' table; drop it, and restore with another Keeper"
                    )

    def run(self, kind: str) -> None:
        """Run on every server the script that was its own.

        One that there was not in the cluster that was dumped gets the first server's.
        """
        dumped = self._dumped()
        for piece in self.pieces:
            if piece.metadata.get("script") != kind:
                continue
            statements = scripts.statements(_read(piece))
            for member in self._members():
                label = member.label if member.label in dumped else dumped[0]
                if label in piece.metadata["replicas"]:
                    self._run(kind, member, statements)

    def _run(self, kind: str, member: Replica, statements: Sequence[str]) -> None:
        new = {name for old, name in self.names.items() if name != old}
        for name in sorted(new if kind == _TABLES else ()):
            member.server.run(f"CREATE DATABASE IF NOT EXISTS {identifier(name)}", self.interrupt)
        failed = self._run_all(member.server, statements)
        if failed and kind not in _OPTIONAL:
            statement, error = failed[0]
            raise TargetFailedError(f"{error} (of {len(failed)} such): {_shown(statement)}")
        self.notes.extend(f"{kind} on {member.label}: {error}" for _, error in failed)

    def _dumped(self) -> Sequence[str]:
        """The labels of the servers that were dumped."""
        return [
            label
            for piece in self.pieces
            if piece.metadata.get("script") == _TABLES
            for label in piece.metadata["replicas"]
        ] or [self.groups[0].members[0].label]

    def load(self, piece: StoredDump) -> None:
        """Load the rows of one object where they belong."""
        metadata = piece.metadata
        if metadata.get("redundant"):
            return
        server = self._place(metadata).server
        with piece.open() as reader:
            for table, blocks in _tables(piece, reader):
                if _has_rows(table):
                    into = qualified(self.names[table["database"]], table["table"])
                    server.insert(insert(into, table["columns"]), blocks, self.interrupt)

    def _run_all(
        self, server: Server, statements: Sequence[str]
    ) -> list[tuple[str, KsnapshotError]]:
        """Run what is not there yet, again while that helps; what fails in the end."""
        left = [text for text in map(self._renamed, statements) if text]
        while True:
            failed = list[tuple[str, KsnapshotError]]()
            for statement in left:
                try:
                    if not self._exists(server, statement):
                        server.run(statement, self.interrupt)
                except (TargetFailedError, TargetRefusedError) as error:
                    if code_of(error) in _EXISTING:
                        self.notes.append(f"left as it was on {server.where}: {_shown(statement)}")
                    else:
                        failed.append((statement, error))
            if not failed or len(failed) == len(left):
                return failed
            left = [statement for statement, _ in failed]

    def _renamed(self, statement: str) -> str:
        """The statement for the database's new name; empty where that cannot be done."""
        create = ddl.parse(statement)
        if create is None:
            return statement
        place = create.name if create.object == "DATABASE" else create.database
        old = create.tokens[place].value if place is not None else ""
        new = self.names.get(old, old)
        if new == old:
            return statement
        if create.names_elsewhere(old):
            self.notes.append(
                f"not created, as it speaks of the database {old!r} by that name: "
                f"{_shown(statement)}"
            )
            return ""
        # Of what has its id for its path in Keeper, the copy needs one of its own, everywhere the
        # same.
        own, inner = (*(_derived(id_, new) for id_ in create.ids), "", "")[:2]
        return ddl.rewrite(statement, database=new, id_=own, inner_id=inner)

    def _exists(self, server: Server, statement: str) -> bool:
        create = ddl.parse(statement)
        if create is None:
            return False
        name = create.tokens[create.name].value
        if create.object == "DATABASE":
            asked = f"SELECT name FROM system.databases WHERE name = {literal(name)}"  # noqa: S608  quoted
        else:
            database = create.tokens[create.database].value if create.database else ""
            asked = (
                f"SELECT name FROM system.tables WHERE name = {literal(name)} "  # noqa: S608  quoted
                f"AND database = {literal(database)}"
            )
        return server.rows(asked, self.interrupt) != []

    def _members(self) -> Iterator[Replica]:
        return (member for group in self.groups for member in group.members)

    def _place(self, metadata: Mapping[str, Any]) -> Replica:
        """The server that takes rows of this shard, or of this replica of it."""
        shard, replica = int(metadata["shard"]), int(metadata.get("replica", 1))
        if shard > len(self.groups):
            self.notes.append(
                "there are fewer shards than were dumped: rows of the others were spread over "
                "those that there are, whatever their sharding keys"
            )
        found = sorted(
            self.groups[(shard - 1) % len(self.groups)].members,
            key=lambda member: member.node.replica,
        )
        if replica > len(found):
            self.notes.append(
                "there are fewer replicas than were dumped: rows of tables that are not replicated "
                "were put together, doubled where several replicas had the same"
            )
        return found[(replica - 1) % len(found)]


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


def _derived(id_: str, database: str) -> str:
    """Another id, the same on every server."""
    return str(uuid.uuid5(uuid.UUID(id_), database))


def _shown(statement: str) -> str:
    """The beginning of a statement without its texts: some hold passwords."""
    words = ("'…'" if one.kind is TokenKind.STRING else one.text for one in tokens(statement))
    return " ".join("".join(words).split())[:_SHOWN]


def _has_rows(table: Mapping[str, Any]) -> bool:
    """Whether rows of it may be there: counts may say that there were none before, but after."""
    return bool(table.get("rows_at_most", table["rows"]))


def _read(piece: StoredDump) -> str:
    with piece.open() as reader:
        return b"".join(_blocks(reader)).decode()


def _blocks(reader: Reader) -> Iterator[bytes]:
    while block := reader.read(_BLOCK):
        yield block


def _tables(
    piece: StoredDump, reader: Reader
) -> Iterator[tuple[Mapping[str, Any], Iterator[bytes]]]:
    """The tables of an object with their rows, one after the other."""
    tables = piece.metadata["tables"]
    if piece.ending != ".tar":
        yield tables[0], _blocks(reader)
        return
    by_entry = {table["entry"]: table for table in tables}
    with tarfile.open(fileobj=cast("IO[bytes]", reader), mode="r|") as archive:
        for member in archive:
            data = archive.extractfile(member)
            assert data is not None
            yield by_entry[member.name], _blocks(data)
