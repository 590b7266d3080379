"""What of a database's columns does not survive a dump that is read as UTF-8."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.mysql.client import Server, identifier, literal
from dumpers.engines.mysql.programs import Flavour
from dumpers.engines.names import abbreviate
from dumpers.runtime.interrupt import Interrupt

# Character sets of which every value comes back from UTF-8 with the bytes that it had; a test
# tries them. In others several bytes stand for one character of Unicode, or some for none; and
# most servers let any bytes into columns of `ascii`.
EXACT = frozenset(
    (
        *("binary", "latin1", "latin2", "latin5", "latin7", "cp850", "cp852", "cp866"),
        *("keybcs2", "koi8r", "koi8u", "macce", "macroman"),
        *("ucs2", "utf16", "utf16le", "utf32", "utf8", "utf8mb3", "utf8mb4"),
    )
)
# Types of MariaDB that take a string without a character set for their own inner form.
_INNER = frozenset(("inet4", "inet6", "uuid"))
_MEMBERS = frozenset(("enum", "set"))
_SEQUENCE = re.compile(r"nextval\(`((?:[^`]|``)+)`\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFacts:
    """Facts about the columns of some tables.

    `bytewise`: strings have to be dumped as the bytes that they are. `sequences_of` names the
    databases whose sequences defaults draw from.
    """

    bytewise: bool
    sequences_of: frozenset[str]
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class _Column:
    table: str
    name: str
    kind: str
    characters: str
    default: str
    members: str


def look_at_columns(
    server: Server, database: str, tables: Collection[str], *, interrupt: Interrupt
) -> ColumnFacts:
    """Find what a dump of these tables has to mind.

    Raises SourceRefusedError if it would alter values in a way that nothing can be done about.
    """
    rows = server.rows(
        "table_name, column_name, data_type, IFNULL(character_set_name, ''), "
        "IFNULL(column_default, ''), column_type",
        "FROM information_schema.columns WHERE table_schema = DATABASE() "
        "AND extra NOT LIKE '% GENERATED%' "
        "AND ((data_type = 'float' AND numeric_scale IS NULL) "
        f"OR character_set_name NOT IN ({_listed(EXACT)}) OR data_type IN ({_listed(_INNER)}) "
        "OR column_default LIKE 'nextval(%') ORDER BY table_name, ordinal_position",
        database=database,
        interrupt=interrupt,
    )
    found = [column for column in (_Column(*row) for row in rows) if column.table in tables]
    old = [column for column in found if column.characters not in {"", *EXACT}]
    # MariaDB's tool can write strings without a character set as hexadecimal digits only, and
    # these types would take them for something else.
    torn = server.flavour is Flavour.MARIADB and any(column.kind in _INNER for column in found)
    # A server shows members in UTF-8 only, so a table that is made of what it shows has not those
    # of other bytes.
    _check_unaltered(
        server,
        database,
        old if torn else [column for column in old if column.kind in _MEMBERS],
        interrupt=interrupt,
    )
    return ColumnFacts(
        bytewise=bool(old) and not torn,
        sequences_of=frozenset(
            name[1].replace("``", "`")
            for column in found
            for name in _SEQUENCE.finditer(column.default)
        ),
        notes=_notes(database, found, old),
    )


def _notes(database: str, found: Sequence[_Column], old: Sequence[_Column]) -> tuple[Note, ...]:
    floats = [column for column in found if column.kind == "float"]
    # The server shows a character that it cannot map as a question mark.
    shown = [
        column
        for column in old
        for text in (column.default, column.members if column.kind in _MEMBERS else "")
        if not text.isascii() or "?" in text
    ]
    notes = []
    if floats:
        notes.append(
            Note(
                code=NoteCode.ALTERED,
                text="values of these FLOAT columns are in the dump with six significant digits, "
                "as the server shows them to everybody; only columns of the type DOUBLE are exact",
                objects=_full_names(database, floats),
            )
        )
    if shown:
        notes.append(
            Note(
                code=NoteCode.ALTERED,
                text="defaults or members of these columns are in the dump as the server shows "
                "them, in UTF-8: a character that their character set has several codes for may "
                "get another one; the rows keep theirs",
                objects=_full_names(database, shown),
            )
        )
    return tuple(notes)


def _check_unaltered(
    server: Server, database: str, columns: Sequence[_Column], *, interrupt: Interrupt
) -> None:
    """Raise the server's refusal if a value of these columns would come back as other bytes."""
    altered = []
    for column in columns:
        name, table = identifier(column.name), identifier(column.table)
        back = f"CONVERT(CONVERT({name} USING utf8mb4) USING {column.characters})"
        rows = server.rows(
            "place",
            f"FROM (SELECT {literal(column.name)} AS place) AS one WHERE EXISTS "  # noqa: S608  quoted
            f"(SELECT 1 FROM {table} WHERE CAST({name} AS BINARY) <> CAST({back} AS BINARY))",
            database=database,
            interrupt=interrupt,
        )
        if rows:
            altered.append(column)
    if altered:
        raise server.errors.refused(
            "a dump would hold other bytes than the server does for values of the columns "
            f"{abbreviate(_full_names(database, altered))}: their character set has characters "
            "that UTF-8 does not give back, and the dump tool cannot write these tables in bytes; "
            "convert the columns to utf8mb4, or leave the tables out and dump them by themselves"
        )


def _full_names(database: str, columns: Sequence[_Column]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{database}.{column.table}.{column.name}" for column in columns))


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))
