"""What the account may not read of what was asked for, by its grants and by trying.

Where its grants cover everything, nothing is tried. A table that the account does not even see
cannot be told of; that there may be such tables can.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.clickhouse.catalog.system_tables import Scope
from dumpers.engines.clickhouse.filters import TableFilter
from dumpers.engines.clickhouse.schema import ddl
from dumpers.engines.clickhouse.schema.lexer import Token, significant
from dumpers.engines.clickhouse.schema.table_engines import TableTreatment
from dumpers.engines.clickhouse.schema.table_notes import note
from dumpers.engines.clickhouse.schema.tables import BackupTable
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.errors import ACCESS_DENIED, code_of
from dumpers.engines.clickhouse.server.sql import identifier
from dumpers.engines.names import abbreviate
from dumpers.runtime.interrupt import Interrupt

_TRIED_TOGETHER = 50


def read_grants(server: Server, scope: Scope, interrupt: Interrupt) -> tuple[str, ...]:
    """The account's grants with those of its roles; empty where the server has none in SQL."""
    if not scope.has("grants"):
        return ()
    grants = [row[0] for row in server.rows("SHOW GRANTS", interrupt)]
    if not any(_on(grant) is None for grant in grants) or not scope.has("enabled_roles"):
        return tuple(grants)
    roles = server.rows("SELECT DISTINCT role_name FROM system.enabled_roles", interrupt)
    for (role,) in roles:
        try:
            grants += [
                row[0] for row in server.rows(f"SHOW GRANTS FOR {identifier(role)}", interrupt)
            ]
        except server.errors.refused:
            # What the role allows is found by trying then.
            continue
    return tuple(grants)


def covers(grants: Iterable[str], databases: Iterable[str] | None) -> bool:
    """Whether grants let an account read all of these databases, or with None of the server."""
    everything, covered = False, set[str]()
    for grant in grants:
        words = significant(grant)
        on = _on(grant)
        if words[0].is_word("REVOKE"):
            return False
        if on is None or not _reads(words):
            continue
        if on == ("*", "*"):
            everything = True
        elif on[1] == "*":
            covered.add(on[0])
    return everything or (databases is not None and covered.issuperset(databases))


def check_rights(
    server: Server,
    scope: Scope,
    tables: Sequence[BackupTable],
    interrupt: Interrupt,
    *,
    table_filter: TableFilter,
    grants: Sequence[str],
) -> tuple[tuple[BackupTable, ...], tuple[Note, ...]]:
    """The tables, those without rows that the account may not read, with notes.

    Raises the `refused` error for such a table if tables or databases were named.
    """
    asked = None if not table_filter.databases else scope.databases
    if not grants or covers(grants, asked):
        return tuple(tables), ()
    tried = [
        item
        for item in tables
        if item.has_data and item.columns and table_filter.has_table(*item.table.key)
    ]
    denied = {item.table.key for item in _denied(server, tried, interrupt)}
    denied |= {
        item.table.key
        for item in tables
        if item.has_data and not item.columns and table_filter.has_table(*item.table.key)
    }
    names = sorted(".".join(key) for key in denied)
    if denied and not table_filter.is_everything:
        raise server.errors.refused(
            f"this account may not read {abbreviate(names)} of {server.where}: GRANT SELECT on "
            "what it is to dump, or leave that out by the annotation exclude-tables"
        )
    notes = [_UNSEEN] if table_filter.is_everything else []
    notes += [note(_UNREAD.code, _UNREAD.text, name) for name in names]
    kept = []
    for item in tables:
        if item.table.key in denied:
            kept.append(replace(item, kind=TableTreatment.SCHEMA, notes=()))
            continue
        kept.append(item)
        if item.has_data and table_filter.has_table(*item.table.key):
            notes += _hidden_columns(item)
    return tuple(kept), tuple(notes)


_UNSEEN = Note(
    code=NoteCode.UNREADABLE,
    text="the grants of this account do not cover everything, and what it does not see is not in "
    "this dump: GRANT SELECT, SHOW ON *.*, or name what is to be dumped",
)
_UNREAD = Note(
    code=NoteCode.UNREADABLE,
    text="this account may not read the rows of these tables, so only their statements are in this "
    "dump: GRANT SELECT ON them",
)


def _denied(
    server: Server, tables: Sequence[BackupTable], interrupt: Interrupt
) -> Iterator[BackupTable]:
    """Those that the account may not read: many are tried in one query, halved where it fails."""
    for start in range(0, len(tables), _TRIED_TOGETHER):
        yield from _denied_of(server, tables[start : start + _TRIED_TOGETHER], interrupt)


def _denied_of(
    server: Server, tables: Sequence[BackupTable], interrupt: Interrupt
) -> Iterator[BackupTable]:
    parts = (
        f"SELECT ignore({', '.join(map(identifier, item.columns))}) AS n "  # noqa: S608  quoted
        f"FROM {server.source(*item.table.key)} LIMIT 0"
        for item in tables
    )
    try:
        server.rows(" UNION ALL ".join(parts), interrupt)
    except server.errors.refused as error:
        if code_of(error) != ACCESS_DENIED:
            raise
        if len(tables) == 1:
            yield tables[0]
            return
        middle = len(tables) // 2
        yield from _denied_of(server, tables[:middle], interrupt)
        yield from _denied_of(server, tables[middle:], interrupt)


def _hidden_columns(item: BackupTable) -> list[Note]:
    """A note on columns that stand in a table's statement and are not shown to the account."""
    create = ddl.parse(item.store.create)
    shown = {column.name for column in item.store.columns}
    hidden = [name for name in (create.columns if create else ()) if name not in shown]
    if not hidden:
        return []
    return [
        note(
            NoteCode.ROW_SECURITY,
            "this account may not read these columns, so their values are not in this dump, and a "
            "restore gives them their defaults: GRANT SELECT ON the whole tables",
            *(f"{item.table.full_name}.{name}" for name in hidden),
        )
    ]


def _on(grant: str) -> tuple[str, str] | None:
    """Database and table that a grant is about, `*` for all; None for one of a role."""
    words = significant(grant)
    for place, word in enumerate(words[:-3]):
        if word.is_word("ON") and words[place + 2].text == ".":
            return words[place + 1].value, words[place + 3].value
    return None


def _reads(words: Sequence[Token]) -> bool:
    """Whether a grant allows to read all columns."""
    for word, following in pairwise(words):
        if word.is_word("ON"):
            return False
        if word.is_word("ALL") or (word.is_word("SELECT") and following.text != "("):
            return True
    return False
