"""Loading a dump into an empty database, in one transaction, and counting what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dumpers.contract.connection import Connection
from dumpers.contract.restoring import RestoreRequest
from dumpers.engines.postgresql import clients
from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.options import CUSTOM_ENDING, GLOBALS_ENDING, PLAIN_ENDING
from dumpers.engines.protocol import WHOLE, Restored, RestorePlan, StoredDump
from dumpers.runtime.errors import RESTORE_ERRORS, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.tool import run_with_stdin

# Without a failed statement's details and context, which show the rows.
_PSQL = (
    *("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"),
    *("--set=VERBOSITY=terse", "--file=-"),
)
_PG_RESTORE = ("--single-transaction", "--exit-on-error")


def load_backup(
    target: Connection,
    pieces: Sequence[StoredDump],
    interrupt: Interrupt,
    request: RestoreRequest = WHOLE,  # noqa: ARG001
) -> Restored:
    """Load the one database among the pieces into the target's database."""
    session = _session(target, interrupt)
    notes = []
    databases = [piece for piece in pieces if piece.ending in {PLAIN_ENDING, CUSTOM_ENDING}]
    if len(databases) != 1:
        names = ", ".join(piece.name for piece in databases) or "none"
        raise TargetRefusedError(f"one database goes into one, the backup has {names}: choose one")
    if any(piece.ending == GLOBALS_ENDING for piece in pieces):
        # They would change the passwords of roles that exist, the one that restores among them.
        notes.append(
            "roles, tablespaces, and the database's own settings and rights are not restored: load "
            "their file by hand"
        )
    there = first_object(session, interrupt)
    if there is not None:
        raise TargetRefusedError(
            f"the database {target.database!r} is not empty, it has {there}: restore into a new one"
        )
    [piece] = databases
    notes += _compare_encodings(piece, session, interrupt)
    program, arguments = (
        ("pg_restore", _PG_RESTORE) if piece.ending == CUSTOM_ENDING else ("psql", _PSQL)
    )
    with piece.open() as reader:
        run_with_stdin(session.command(program, arguments), reader, interrupt=interrupt)
    return Restored(notes=tuple(notes))


_ANY_BYTES = "SQL_ASCII"
# One argument holds at most 128 KiB, a quoted name with its schema at most 260 bytes twice.
_TABLES_PER_QUERY = 100
# Partitions hold the rows of their table.
_TABLES = (
    "SELECT n.nspname, c.relname, "
    "format('SELECT %L, %L, count(*) FROM ONLY %I.%I', n.nspname, c.relname, n.nspname, c.relname) "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' "
    "AND n.nspname <> 'information_schema' ORDER BY 1, 2"
)
# What an extension brought belongs to it; an empty database of a provider may well have some.
_FIRST = (
    "SELECT c.relkind, n.nspname, c.relname FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname NOT LIKE 'pg\\_%' "
    "AND n.nspname <> 'information_schema' AND NOT EXISTS "
    "(SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') LIMIT 1"
)


def first_object(session: Session, interrupt: Interrupt) -> str | None:
    """The name of a table, view or sequence that is there already; None in an empty database."""
    rows = session.ask(_FIRST, interrupt)
    return ".".join(rows[0][1:]) if rows else None


def _compare_encodings(
    piece: StoredDump, session: Session, interrupt: Interrupt
) -> tuple[str, ...]:
    """Return a note where the target has another encoding than the dumped database.

    Raises TargetRefusedError where the target takes any bytes: texts would be there, and wrong.
    """
    dumped = piece.metadata.get("encoding")
    [[found]] = session.ask("SHOW server_encoding", interrupt)
    if dumped in {None, found}:
        return ()
    if found == _ANY_BYTES:
        raise TargetRefusedError(
            f"the dump is of encoding {dumped}, and the database {session.connection.database!r} "
            f"of {found}, which takes any bytes for text: make another one, by CREATE DATABASE "
            f"NAME {piece.metadata.get('create_options', '')}"
        )
    return (f"the dump is of encoding {dumped}, the database that it was loaded into of {found}",)


def count_rows(target: Connection, interrupt: Interrupt) -> Mapping[str, int]:
    """Count the rows of every table, by `database.schema.table`."""
    session = _session(target, interrupt)
    queries = [query for _, _, query in session.ask(_TABLES, interrupt)]
    database = target.database
    return {
        f"{database}.{schema}.{table}": int(count)
        for start in range(0, len(queries), _TABLES_PER_QUERY)
        for schema, table, count in session.ask(
            " UNION ALL ".join(queries[start : start + _TABLES_PER_QUERY]), interrupt
        )
    }


def _session(target: Connection, interrupt: Interrupt) -> Session:
    """A session of the server's own clients, else of the newest, which load into older servers.

    pg_restore of 17 and newer does not: it sets what older servers do not know.
    """
    installed = clients.find(interrupt)
    newest = installed[max(installed)]
    session = Session(connection=target, folder=newest.folder, errors=RESTORE_ERRORS)
    [[number]] = session.ask("SHOW server_version_num", interrupt)
    own = installed.get(int(number) // 10_000, newest) if number.isdigit() else newest
    return replace(session, folder=own.folder)


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
