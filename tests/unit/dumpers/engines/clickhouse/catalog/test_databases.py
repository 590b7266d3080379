import pytest

from dumpers.contract.notes import NoteCode
from dumpers.engines.clickhouse.catalog.databases import Database, _named, notes_on_databases


@pytest.mark.parametrize(
    ("name", "engine", "elsewhere"),
    [
        *(("d", engine, False) for engine in ("Atomic", "Ordinary", "Replicated", "Memory")),
        *(("d", engine, True) for engine in ("MySQL", "PostgreSQL", "SQLite", "DataLakeCatalog")),
        # One of tomorrow's is not asked either.
        *(("d", engine, True) for engine in ("Overlay", "Backup", "OfTomorrow")),
        ("default", "Overlay", False),
        ("default", "MySQL", True),
    ],
)
def test_which_databases_hold_tables_of_their_own(
    name: str, engine: str, *, elsewhere: bool
) -> None:
    assert Database(name=name, engine=engine).is_elsewhere is elsewhere


@pytest.mark.parametrize(
    ("create", "named"),
    [
        ("CREATE DATABASE crm\nENGINE = MySQL('h')", "CREATE DATABASE crm\nENGINE = MySQL('h')"),
        (
            "CREATE DATABASE SQLite\nENGINE = SQLite('x')",
            "CREATE DATABASE `crm`\nENGINE = SQLite('x')",
        ),
        ("FROBNICATE", "FROBNICATE"),
    ],
)
def test_a_statement_has_the_name_of_its_database(create: str, named: str) -> None:
    assert _named(Database(name="crm", engine="SQLite"), create) == named


def test_what_a_database_lacks_is_told() -> None:
    found = notes_on_databases(
        [
            Database(name="shop", engine="Atomic", create="CREATE DATABASE shop"),
            Database(
                name="crm", engine="MySQL", create="CREATE DATABASE crm ENGINE = M('[HIDDEN]')"
            ),
        ]
    )
    assert [(note.code, note.objects) for note in found] == [
        (NoteCode.FOREIGN_TABLES, ("crm",)),
        (NoteCode.SECRETS_HIDDEN, ("crm",)),
    ]
