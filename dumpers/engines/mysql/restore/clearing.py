"""Dropping what a database holds, while the database itself and its rights stay."""

from collections.abc import Collection

from dumpers.engines.mysql.client import identifier
from dumpers.engines.mysql.restore.load import Loader
from dumpers.engines.mysql.survey.schema import tables
from dumpers.runtime.interrupt import Interrupt


def clear(
    loader: Loader, database: str, names: Collection[str] = (), *, interrupt: Interrupt
) -> None:
    """Drop these tables and views, or everything: tables, views, routines, events.

    Foreign keys of other tables to them stay, and fit again once such tables are there again.
    """
    server = loader.server
    wanted = {server.fold(name) for name in names}
    statements = ["SET foreign_key_checks = 0"]
    for table in tables(server, database, interrupt=interrupt):
        if not wanted or server.fold(table.name) in wanted:
            kind = "VIEW" if table.is_view else "SEQUENCE" if table.is_sequence else "TABLE"
            statements.append(f"DROP {kind} {identifier(table.name)}")
    if not wanted:
        routines = server.rows(
            "routine_type, routine_name",
            "FROM information_schema.routines WHERE routine_schema = DATABASE()",
            database=database,
            interrupt=interrupt,
        )
        events = server.rows(
            "event_name",
            "FROM information_schema.events WHERE event_schema = DATABASE()",
            database=database,
            interrupt=interrupt,
        )
        statements += [f"DROP {kind} IF EXISTS {identifier(name)}" for kind, name in routines]
        statements += [f"DROP EVENT {identifier(name)}" for (name,) in events]
    loader.run(statements, database=database, interrupt=interrupt)
