"""Taking a snapshot behind the locks of its tables, and taking it on in other sessions.

Whoever empties or rewrites a table is through before the snapshot is taken: else it would hold the
table without a row. All settings are the transaction's own, so that they are where it is.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from dumpers.engines.postgresql import locks
from dumpers.engines.postgresql.catalog.server import Server
from dumpers.engines.postgresql.choice import Choice
from dumpers.engines.postgresql.clients import Session, quote_identifier, text_settings
from dumpers.engines.postgresql.errors import is_gone, is_lock_timeout
from dumpers.engines.postgresql.heads import TRANSACTION_TIMEOUT_SINCE
from dumpers.engines.postgresql.names import shown
from dumpers.engines.postgresql.parallel.conversation import Conversation
from dumpers.engines.postgresql.parallel.script import settings_statement
from dumpers.engines.postgresql.parallel.tables import (
    Table,
    lock_statements,
    lockable_query,
    read_tables,
    readable_query,
)
from dumpers.runtime.errors import SourceFailedError, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# Where tables come and go all the time, the last snapshot is taken as it is.
_ATTEMPTS = 5
_POOLED = (
    "sessions share the server's own, as poolers have it that hand one out for each transaction or "
    "statement: no snapshot can be shared through it; connect to the server itself (the "
    "annotations service, host and port), or leave out parallelism"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Of what a snapshot is taken, and how.

    Of the tables `oids` rows are read by COPY. A lock is waited for `lock_seconds`, 0 for ever.
    `encoding` is that of the sessions.
    """

    session: Session
    choice: Choice
    server: Server
    oids: Collection[int]
    lock_seconds: float
    encoding: str
    quotes_all: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A snapshot that is held: its name for other sessions, and the tables that are read by COPY.

    A table that was dropped before, or that the choice does not hold any more, is not among them.
    `locked` are the names, as SQL has them, of all tables that are locked.
    """

    name: str
    tables: Mapping[int, Table]
    locked: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a session of the server, by its number, sees: the tables to lock, as SQL has them."""

    pid: int
    encoding: str
    tables: Sequence[str]
    snapshot: str | None


def hold(wanted: Wanted, opened: ExitStack, interrupt: Interrupt) -> tuple[Conversation, Held]:
    """A session that holds a snapshot and the locks of every table in it, and what it holds.

    Leaving `opened` ends it. Raises SourceFailedError, where a lock was waited for in vain with the
    names of its holders, SourceRefusedError where sessions share one of the server's, and
    InterruptedRunError.
    """
    for left in reversed(range(_ATTEMPTS)):
        with ExitStack() as attempt:
            holder = attempt.enter_context(Conversation(wanted.session, interrupt))
            try:
                held = _hold_once(wanted, holder, interrupt, is_last=not left)
            except SourceFailedError as error:
                if not (left and is_gone(str(error))):
                    raise
                continue
            if held is not None:
                opened.enter_context(attempt.pop_all())
                return holder, held
            holder.finish()
    raise AssertionError


def take_on(wanted: Wanted, held: Held, opened: ExitStack, interrupt: Interrupt) -> Conversation:
    """One more session of a snapshot, ready to read rows, with the locks of what it reads.

    Policies may read any other table, so with row-level security it has all of them. Raises as
    `hold` does.
    """
    lane = opened.enter_context(Conversation(wanted.session, interrupt))
    locked = (
        held.locked
        if wanted.choice.row_security
        else [table.quoted for table in held.tables.values()]
    )
    settings = settings_statement(
        row_security=wanted.choice.row_security, others=_quoting(wanted), is_local=True
    )
    statements = [
        _BEGIN,
        f"SET TRANSACTION SNAPSHOT '{held.name}'",
        *_role(wanted),
        settings,
        # For its rows, too: what a policy or a type reads besides may not be of the choice.
        _lock_timeout(wanted),
        *lock_statements(locked),
    ]
    with holders_named(wanted.session, interrupt):
        lane.ask(_script(statements), interrupt, encoding=wanted.encoding)
    return lane


@contextmanager
def holders_named(session: Session, interrupt: Interrupt) -> Iterator[None]:
    """Where a lock was waited for in vain, the error that is raised names its holders."""
    try:
        yield
    except SourceFailedError as error:
        if not is_lock_timeout(str(error)):
            raise
        raise SourceFailedError(f"{locks.describe_holders(session, interrupt)}: {error}") from error


def _hold_once(
    wanted: Wanted, holder: Conversation, interrupt: Interrupt, *, is_last: bool
) -> Held | None:
    """None where the snapshot has tables that are not locked, unless this is the last attempt."""
    before = _listed(wanted, holder, interrupt)
    # A pooler may have another session of the server for us by now, or this one for others.
    asked = "SELECT pg_catalog.pg_backend_pid()"
    behind = int(holder.ask(f"{asked};", interrupt))
    [[other]] = wanted.session.ask(asked, interrupt)
    if before.pid != behind or behind == int(other):
        raise SourceRefusedError(_POOLED)
    with holders_named(wanted.session, interrupt):
        holder.ask(_script(_begin(wanted, before)), interrupt)
    now = _seen(wanted, holder, interrupt)
    if now.pid != before.pid:
        raise SourceRefusedError(_POOLED)
    newer = sorted(set(now.tables) - set(before.tables))
    if newer and not is_last:
        return None
    with holders_named(wanted.session, interrupt):
        holder.ask(_script(lock_statements(newer)), interrupt)
    text = holder.ask(f"{readable_query(wanted.choice, wanted.server, wanted.oids)};", interrupt)
    # A name that is no text cannot be told to whoever compares: pg_dump reads that table.
    tables = {
        table.oid: table
        for table in read_tables(text)
        if shown(table.schema + table.name) == table.schema + table.name
    }
    assert now.snapshot is not None
    return Held(name=now.snapshot, tables=tables, locked=now.tables)


def _begin(wanted: Wanted, before: _Found) -> list[str]:
    """The statements that begin the transaction and lock; none of them takes a snapshot."""
    timeouts = ["statement_timeout", "idle_in_transaction_session_timeout"]
    if wanted.server.major >= TRANSACTION_TIMEOUT_SINCE:
        timeouts.append("transaction_timeout")
    text = "SQL_ASCII" if before.encoding == "SQL_ASCII" else "UTF8"
    return [
        _BEGIN,
        *_role(wanted),
        f"SET LOCAL client_encoding = '{text}'",
        *(f"SET LOCAL {name} = 0" for name in timeouts),
        _lock_timeout(wanted),
        *lock_statements(before.tables),
    ]


def _listed(wanted: Wanted, holder: Conversation, interrupt: Interrupt) -> _Found:
    query = lockable_query(wanted.choice, snapshot="null")
    statements = ["BEGIN", *_settings(wanted), query, "COMMIT"]
    return _read_found(holder.ask(_script(statements), interrupt))


def _seen(wanted: Wanted, holder: Conversation, interrupt: Interrupt) -> _Found:
    """What the transaction sees, by its first query and for good."""
    query = lockable_query(wanted.choice, snapshot="pg_export_snapshot()")
    return _read_found(holder.ask(_script([*_settings(wanted), query]), interrupt))


def _settings(wanted: Wanted) -> list[str]:
    quoting = [f"SET LOCAL {name} = {value}" for name, value in _quoting(wanted).items()]
    return [*text_settings(wanted.choice.role), *quoting]


def _read_found(text: str) -> _Found:
    found = json.loads(text)
    return _Found(
        pid=found["pid"],
        encoding=found["encoding"],
        tables=found["tables"],
        snapshot=found["snapshot"],
    )


def _role(wanted: Wanted) -> list[str]:
    role = wanted.choice.role
    return [f"SET LOCAL ROLE {quote_identifier(role)}"] if role else []


def _quoting(wanted: Wanted) -> Mapping[str, str]:
    # As whoever compares sets it: it shows in values, too, such as those of regclass.
    return {"quote_all_identifiers": "on" if wanted.quotes_all else "off"}


def _lock_timeout(wanted: Wanted) -> str:
    return f"SET LOCAL lock_timeout = {int(wanted.lock_seconds * 1000)}"


def _script(statements: Sequence[str]) -> str:
    return "".join(f"{statement};\n" for statement in statements)
