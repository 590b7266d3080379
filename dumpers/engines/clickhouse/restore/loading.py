"""Loading a backup under the names that a restore gives it: scripts on every server, then rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dumpers.contract.restore.request import RestoreMode
from dumpers.engines.clickhouse.cluster.replicas import Replica
from dumpers.engines.clickhouse.filters import TableFilter
from dumpers.engines.clickhouse.logical.stored_rows import has_rows, read_tables
from dumpers.engines.clickhouse.restore.script_runner import Renamer, ScriptRunner, shown
from dumpers.engines.clickhouse.restore.target import Target
from dumpers.engines.clickhouse.schema import scripts
from dumpers.engines.clickhouse.schema.names.naming import Key, full_name
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.sql import count, identifier, insert, qualified
from dumpers.engines.clickhouse.stored.beside import why_not_beside
from dumpers.engines.clickhouse.stored.contents import Script, Statement
from dumpers.engines.clickhouse.stored.wanted import Wanted
from dumpers.engines.names import abbreviate
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import TargetFailedError

ACCESS = "access"
# Scripts that a restore can do without: their failures become notes.
OPTIONAL = frozenset((ACCESS, scripts.FOREIGN_DATABASES_SCRIPT, scripts.INCOMPLETE_SCRIPT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """One restore. `mark` is in the new paths and ids of what is loaded beside, `by` its name.

    `took` are the servers that were given rows of each table, by its name in the backup. `notes`
    grow.
    """

    target: Target
    wanted: Wanted
    mark: str = ""
    by: str = ""
    took: dict[Key, list[Server]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def load_in_order(self, after_tables: Callable[[], None]) -> None:
        """Run every script and load all rows, as they come; `after_tables` once tables are made."""
        renamer = Renamer(own=self.wanted.own, references=self.wanted.own, mark=self.mark)
        done: set[str] = set()
        for place, piece in enumerate(self.wanted.contents.pieces):
            script = self.wanted.contents.scripts.get(place)
            if script is None:
                self.load_rows(piece)
            elif script.kind not in done:
                done.add(script.kind)
                self._run_kind(script.kind, renamer)
                if script.kind == scripts.TABLES_SCRIPT:
                    after_tables()

    def make_databases(self) -> None:
        """Make the databases of tables that get another one's name."""
        wanted = self.wanted
        kept = {name for name in wanted.databases if wanted.own.database(name) == name}
        new = {wanted.own.table(key)[0] for key in wanted.keys}
        if not wanted.is_by_table:
            new |= {wanted.own.database(name) for name in wanted.databases}
        for name in sorted(new - kept):
            self.target.everywhere(f"CREATE DATABASE IF NOT EXISTS {identifier(name)}")

    def _run_kind(self, kind: str, renamer: Renamer) -> None:
        if kind == scripts.TABLES_SCRIPT:
            self.make_databases()
        for replica, script in self.by_server(kind):
            texts = [
                text
                for statement in script.statements
                if (text := self._prepared(kind, statement, renamer))
            ]
            self.run(replica, kind, texts, optional=kind in OPTIONAL)

    def run(self, replica: Replica, kind: str, texts: Sequence[str], *, optional: bool) -> None:
        """Run statements that exist under their new names; failures are notes where `optional`."""
        runner = ScriptRunner(interrupt=self.target.interrupt, notes=self.notes)
        failed = runner.run_all(replica.server, texts)
        if failed and not optional:
            text, error = failed[0]
            raise TargetFailedError(f"{error} (of {len(failed)} such): {shown(text)}")
        self.notes.extend(f"{kind} on {replica.label}: {error}" for _, error in failed)

    def by_server(self, kind: str) -> Iterator[tuple[Replica, Script]]:
        """Every server with each script of a kind that is its own.

        It is the one of the dumped server with the same label, or of the first where none has it.
        """
        labels = self.wanted.contents.labels or [self.target.replicas[0].label]
        for script in self.wanted.contents.scripts.values():
            if script.kind != kind:
                continue
            for replica in self.target.replicas:
                label = replica.label if replica.label in labels else labels[0]
                if label in script.labels:
                    yield replica, script

    def _prepared(self, kind: str, statement: Statement, renamer: Renamer) -> str:
        """A statement as it is run; empty, mostly with a note, where it is not to be run."""
        if statement.key is None:
            return statement.text if self._is_asked(kind, statement) else ""
        if statement.key not in self.wanted.keys:
            return ""
        beside = self.wanted.mode is RestoreMode.BESIDE
        text, left = renamer.rename(statement)
        why = why_not_beside(statement, self.wanted) if beside else ""
        if left:
            why = f"it speaks of {abbreviate(left)}, which gets no new name here"
        if why:
            self.note(f"{full_name(*statement.key)} was not created: {why}")
        return "" if why else text

    def _is_asked(self, kind: str, statement: Statement) -> bool:
        """Whether to run what makes no table: an account, a function, a database."""
        wanted, database = self.wanted, statement.database
        if kind == ACCESS:
            return wanted.request.globals
        if database and kind == scripts.FOREIGN_DATABASES_SCRIPT:
            asked = TableFilter(databases=wanted.request.databases, tables=wanted.request.tables)
            return wanted.mode is RestoreMode.EMPTY and asked.names_database(database)
        # A database under a new name is there already.
        return not database or (
            database in wanted.databases and wanted.own.database(database) == database
        )

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def load_rows(self, piece: StoredDump) -> None:
        """Load the chosen tables of one object where their rows belong."""
        metadata, wanted = piece.metadata, self.wanted
        if metadata.get("redundant"):
            return
        if not any((one["database"], one["table"]) in wanted.keys for one in metadata["tables"]):
            return
        server = self._replica_for(metadata).server
        with piece.open() as reader:
            for table, blocks in read_tables(piece, reader):
                key = (table["database"], table["table"])
                if has_rows(table) and key in wanted.keys:
                    into = qualified(*wanted.own.table(key))
                    server.insert(insert(into, table["columns"]), blocks, self.target.interrupt)
                    took = self.took.setdefault(key, [])
                    if server not in took:
                        took.append(server)
            # Whatever was passed over has to be whole, too.
            while reader.read(1 << 18):
                pass

    def check_counts(self) -> None:
        """Raise TargetFailedError where a table holds another number of rows than the backup."""
        wrong = []
        for key, said in self.wanted.contents.rows.items():
            if key not in self.took or any(table.get("loses_rows") for table in said):
                continue
            least = sum(int(table["rows"]) for table in said)
            most = sum(int(table.get("rows_at_most", table["rows"])) for table in said)
            new = self.wanted.own.table(key)
            there = sum(
                int(server.rows(count(qualified(*new)), self.target.interrupt)[0][0])
                for server in self.took[key]
            )
            if not least <= there <= most:
                wrong.append(f"{full_name(*new)} has {there} rows, the backup {least}")
        if wrong:
            raise TargetFailedError(f"rows are missing, or too many: {'; '.join(wrong[:10])}")

    def _replica_for(self, metadata: Mapping[str, Any]) -> Replica:
        """The server that takes rows of this shard, or of this replica of it."""
        shards = self.target.shards
        shard_number, replica_number = int(metadata["shard"]), int(metadata.get("replica", 1))
        if shard_number > len(shards):
            self.note(
                "there are fewer shards than were dumped: rows of the others were spread over "
                "those that there are, whatever their sharding keys"
            )
        found = sorted(
            shards[(shard_number - 1) % len(shards)].replicas,
            key=lambda replica: replica.node.replica,
        )
        if replica_number > len(found):
            self.note(
                "there are fewer replicas than were dumped: rows of tables that are not replicated "
                "were put together, doubled where several replicas had the same"
            )
        return found[(replica_number - 1) % len(found)]
