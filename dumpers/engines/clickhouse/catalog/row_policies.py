"""Which tables' rows a policy may hide from the account, or mask for it."""

from collections.abc import Sequence
from typing import Any

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.clickhouse.catalog.system_tables import Scope
from dumpers.engines.clickhouse.schema.table_notes import note
from dumpers.engines.clickhouse.schema.tables import BackupTable
from dumpers.engines.clickhouse.server.client import Server
from dumpers.runtime.interrupt import Interrupt

_COLUMNS = (
    *("database", "table", "select_filter", "is_restrictive"),
    *("apply_to_all", "apply_to_list", "apply_to_except"),
)
_MASKS = ("database", "table", "apply_to_all", "apply_to_list", "apply_to_except")
_ALL_ROWS = frozenset(("1", "true", ""))
_MASKED = (
    "columns of these tables are in this dump as a masking policy shows them to this account: dump "
    "with an account that none applies to"
)
_HIDDEN = (
    "rows of these tables that a policy or filter hides from this account are not in this dump: "
    "dump with an account that sees all rows"
)


def read_hidden_rows(
    server: Server, scope: Scope, tables: Sequence[BackupTable], interrupt: Interrupt
) -> tuple[Note, ...]:
    """Notes on the tables of which the account does not see all rows; `tables` were asked for."""
    saved = [item for item in tables if item.has_data]
    # Old releases have such filters in a file, which no query shows.
    if not saved or not scope.has("row_policies"):
        return ()
    masked: list[BackupTable] = []
    if not scope.has("row_policies", *_COLUMNS):
        hidden = _named(server, saved, interrupt)
    else:
        try:
            hidden = _hidden(server, scope, saved, interrupt)
            masked = _masked(server, scope, saved, interrupt)
        except server.errors.refused:
            return (
                Note(
                    code=NoteCode.ROW_SECURITY,
                    text="this account may not see row policies, so whether they hide rows from it "
                    "is not known: GRANT SHOW ROW POLICIES ON *.*",
                ),
            )
    return tuple(
        note(NoteCode.ROW_SECURITY, text, *(item.table.full_name for item in found))
        for text, found in ((_HIDDEN, hidden), (_MASKED, masked))
        if found
    )


def _hidden(
    server: Server, scope: Scope, saved: Sequence[BackupTable], interrupt: Interrupt
) -> list[BackupTable]:
    source = server.source("system", "row_policies")
    rows = server.rows(f"SELECT {', '.join(_COLUMNS)} FROM {source}", interrupt)  # noqa: S608  quoted
    if not rows:
        return []
    names = _names(server, scope, interrupt)
    by_table: dict[tuple[str, str], list[list[Any]]] = {}
    for row in rows:
        by_table.setdefault((row[0], row[1]), []).append(row)
    hidden = []
    for item in saved:
        database, name = item.store.key
        policies = [*by_table.get((database, name), ()), *by_table.get((database, ""), ())]
        sees = sees_all(policies, names) if policies else True
        if sees is None:
            # What nobody is allowed by name depends on a setting that no query shows.
            seen = server.rows(f"SELECT 1 FROM {server.source(*item.table.key)} LIMIT 1", interrupt)  # noqa: S608  quoted
            sees = bool(seen) or not item.store.total_rows
        if not sees:
            hidden.append(item)
    return hidden


def _names(server: Server, scope: Scope, interrupt: Interrupt) -> set[str]:
    """The account's name, and those of its roles."""
    [[user]] = server.rows("SELECT currentUser()", interrupt)
    names = {user}
    if scope.has("enabled_roles"):
        found = server.rows("SELECT DISTINCT role_name FROM system.enabled_roles", interrupt)
        names.update(row[0] for row in found)
    return names


def _masked(
    server: Server, scope: Scope, saved: Sequence[BackupTable], interrupt: Interrupt
) -> list[BackupTable]:
    """The tables that a masking policy, which ClickHouse Cloud has, changes for this account."""
    if not scope.has("masking_policies", *_MASKS):
        return []
    source = server.source("system", "masking_policies")
    try:
        rows = server.rows(f"SELECT {', '.join(_MASKS)} FROM {source}", interrupt)  # noqa: S608  quoted
    except server.errors.refused:
        if _is_cloud(server, interrupt):
            raise
        # Other servers have the table, and nothing can be in it.
        return []
    names = _names(server, scope, interrupt) if rows else set()
    tables = {
        (database, table)
        for database, table, all_, listed, excepted in rows
        if (int(all_) and not names & set(excepted)) or names & set(listed)
    }
    return [item for item in saved if item.store.key in tables]


def _is_cloud(server: Server, interrupt: Interrupt) -> bool:
    source = server.source("system", "settings")
    rows = server.rows(f"SELECT value FROM {source} WHERE name = 'cloud_mode'", interrupt)  # noqa: S608  quoted
    return rows != [] and rows[0][0] not in {"0", "false"}


def sees_all(policies: Sequence[Sequence[Any]], names: set[str]) -> bool | None:
    """Whether these policies of a table let an account with these names see all rows.

    None where policies are there for others only, and the server's settings decide.
    """
    permissive, mine = False, list[str]()
    for _, _, select_filter, restrictive, all_, listed, excepted in policies:
        applies = (int(all_) and not names & set(excepted)) or bool(names & set(listed))
        if int(restrictive):
            if applies and select_filter not in _ALL_ROWS:
                return False
            continue
        permissive = True
        if applies:
            mine.append(select_filter or "1")
    if not permissive:
        return True
    return any(each in _ALL_ROWS for each in mine) if mine else None


def _named(server: Server, saved: Sequence[BackupTable], interrupt: Interrupt) -> list[BackupTable]:
    """Those that any policy is about, where the server tells no more."""
    source = server.source("system", "row_policies")
    rows = server.rows(f"SELECT database, table FROM {source}", interrupt)  # noqa: S608  quoted
    about = {(database, table) for database, table in rows}
    return [item for item in saved if about & {item.store.key, (item.store.database, "")}]
