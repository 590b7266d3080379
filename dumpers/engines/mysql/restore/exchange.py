"""Moving tables from one database into another in one step, by RENAME TABLE."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dumpers.engines.mysql.client import Server, identifier, literal
from dumpers.engines.mysql.errors import LOCK_WAIT_TIMEOUT, error_numbers
from dumpers.engines.mysql.restore.load import Loader
from dumpers.engines.mysql.survey.schema import tables
from dumpers.runtime.errors import KsnapshotError, TargetFailedError
from dumpers.runtime.interrupt import Interrupt

# While a rename waits for a table's lock, whoever wants to read that table waits behind it.
_LOCK_SECONDS = 1
_ATTEMPTS = 3
_PAUSE_SECONDS = 1.0
_ANSWER_SECONDS = 15.0
# Of tables, by the views of information_schema.
_PROGRAMS = {"views": "table", "routines": "routine", "events": "event"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One table that moves to another database, there of this name."""

    table: str
    source: str
    target: str
    name: str = ""

    def sql(self) -> str:
        """The step as RENAME TABLE has it."""
        after = self.name or self.table
        return (
            f"{identifier(self.source)}.{identifier(self.table)} TO "
            f"{identifier(self.target)}.{identifier(after)}"
        )


def table_names(server: Server, database: str, *, interrupt: Interrupt) -> tuple[str, ...]:
    """The tables and sequences of a database, without views."""
    found = tables(server, database, interrupt=interrupt)
    return tuple(table.name for table in found if not table.is_view)


def stands_against(
    server: Server, database: str, names: Collection[str], *, is_whole: bool, interrupt: Interrupt
) -> list[str]:
    """What keeps these tables from moving to another database, in words.

    Of a database that is replaced whole that is also what does not move: views and programs.
    """
    moving = frozenset(map(server.fold, names))
    found = [
        f"the trigger {trigger!r}"
        for trigger, table in server.rows(
            "trigger_name, event_object_table",
            "FROM information_schema.triggers WHERE event_object_schema = DATABASE()",
            database=database,
            interrupt=interrupt,
        )
        if server.fold(table) in moving
    ]
    for kind, column in _PROGRAMS.items() if is_whole else ():
        rows = server.rows(
            f"{column}_name",
            f"FROM information_schema.{kind} WHERE {column}_schema = DATABASE()",
            database=database,
            interrupt=interrupt,
        )
        found += [f"the {kind.removesuffix('s')} {name!r}" for (name,) in rows]
    here = literal(database)
    keys = server.rows(
        "constraint_name, table_schema, table_name, referenced_table_schema, referenced_table_name",
        "FROM information_schema.key_column_usage WHERE referenced_table_schema = DATABASE() "
        f"OR (table_schema = {here} AND referenced_table_name IS NOT NULL)",
        database=database,
        interrupt=interrupt,
    )
    for name, schema, table, other_schema, other in dict.fromkeys(keys):
        ends = [
            one == database and server.fold(each) in moving
            for one, each in ((schema, table), (other_schema, other))
        ]
        if any(ends) and not all(ends) and other_schema == database:
            found.append(f"the foreign key {name!r} of {schema}.{table}")
    return found


def rename(
    loader: Loader, steps: Sequence[Step], *, databases: Sequence[str], interrupt: Interrupt
) -> None:
    """Take all steps in one statement; tried three times while others hold the tables.

    `databases` are those whose tables tell, where the answer is lost, what has become of it.
    TargetFailedError and TargetRefusedError mean that nothing has moved.
    """
    before = _state(loader.server, databases, interrupt)
    statements = (
        f"SET SESSION lock_wait_timeout = {_LOCK_SECONDS}",
        "RENAME TABLE " + ", ".join(step.sql() for step in steps),
    )
    for attempt in range(_ATTEMPTS):
        if attempt:
            interrupt.sleep(_PAUSE_SECONDS)
        try:
            loader.run(statements, interrupt=interrupt)
        except KsnapshotError as error:
            refusal = error
            if LOCK_WAIT_TIMEOUT in error_numbers(str(error)):
                continue
            if _has_moved(loader.server, databases, before):
                return
            raise
        return
    raise TargetFailedError(
        "the tables could not be moved, as others hold them, such as in an open transaction, and "
        f"everything is as it was: end those sessions, and try again ({refusal})"
    ) from refusal


def _state(
    server: Server, databases: Sequence[str], interrupt: Interrupt
) -> tuple[tuple[str, ...], ...]:
    return tuple(table_names(server, name, interrupt=interrupt) for name in databases)


def _has_moved(
    server: Server, databases: Sequence[str], before: tuple[tuple[str, ...], ...]
) -> bool:
    """Whether the tables are elsewhere now; the error stands where nobody answers."""
    try:
        looking = Interrupt(_ANSWER_SECONDS, work="look at the tables", is_part=True)
        return _state(server, databases, looking) != before
    except KsnapshotError:
        return False
