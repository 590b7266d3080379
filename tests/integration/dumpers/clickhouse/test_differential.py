"""What servers hold against what is in dump and notes: nothing unexplained.

The servers are asked by other queries than the dump's own, for all that there is.
"""

import json
from collections.abc import Callable, Iterable, Iterator

import pytest

from dumpers.engines.clickhouse.schema import ddl, scripts
from tests.integration.dumpers.clickhouse.conftest import Backup, Dumps, started
from tests.integration.dumpers.clickhouse.test_left_out import MADE
from tests.integration.dumpers.clickhouse.test_other_systems import OWN_TABLES, TABLES
from tests.integration.dumpers.clickhouse.worlds import NEWEST, fill
from tests.testbed.databases import clickhouse_front
from tests.testbed.databases.clickhouse import Cluster
from tests.testbed.databases.clickhouse_front import Front
from tests.testbed.toolchain.processes import free_port

_OWN = "('system', 'information_schema', 'INFORMATION_SCHEMA')"
# What has no rows of its own: they are others', or computed.
_NO_ROWS = frozenset(
    (
        *("View", "MaterializedView", "Merge", "Alias", "Null", "Distributed", "Dictionary"),
        *("SystemNumbers", "Buffer"),
    )
)
Run = Callable[[str], str]


def rows_of(run: Run, query: str) -> list[list[str]]:
    return [line.split("\t") for line in run(query).splitlines()]


def made_by(backup: Backup) -> tuple[set[str], set[str]]:
    """Databases and tables that the scripts make, by their full names."""
    databases, tables = set(), set()
    for item in backup.objects:
        if "script" not in item["metadata"]:
            continue
        for text in scripts.statements(backup.read(item).decode()):
            create = ddl.parse(text)
            if create is None:
                continue
            name = create.tokens[create.name].value
            if create.object == "DATABASE":
                databases.add(name)
            else:
                assert create.database is not None
                tables.add(f"{create.tokens[create.database].value}.{name}")
    return databases, tables


def saved_columns(backup: Backup) -> dict[str, set[str]]:
    return {f"{key[1]}.{key[2]}": set(said["columns"]) for key, said in backup.tables().items()}


def noted(backup: Backup) -> set[str]:
    return {name for note in backup.document["notes"] for name in note["objects"]}


def unexplained(run: Run, backup: Backup) -> Iterable[str]:
    """What a server holds that is neither in the dump nor in its notes."""
    databases, tables = made_by(backup)
    columns, named = saved_columns(backup), noted(backup)
    listed = rows_of(run, f"SELECT name, engine FROM system.databases WHERE name NOT IN {_OWN}")
    for name, _ in listed:
        if name not in databases and name != "default":
            yield f"database {name}"
    near = ", ".join(f"'{name}'" for name, engine in listed if engine in {"Atomic", "Ordinary"})
    listed = rows_of(
        run, f"SELECT database, name, engine FROM system.tables WHERE database IN ({near})"
    )
    for database, name, engine in listed:
        full = f"{database}.{name}"
        if name.startswith(".inner"):
            continue
        if full not in tables and full not in named:
            yield f"table {full}"
        if full not in columns and engine not in _NO_ROWS and full not in named:
            yield f"rows of {full} ({engine})"
    kinds = "('', 'DEFAULT', 'MATERIALIZED')"
    for database, table, column in rows_of(
        run,
        f"SELECT database, table, name FROM system.columns WHERE database IN ({near}) "
        f"AND default_kind IN {kinds}",
    ):
        full = f"{database}.{table}"
        if full in columns and column not in columns[full] and f"{full}.{column}" not in named:
            yield f"column {full}.{column}"


def test_the_newest_engine(dumps: Dumps) -> None:
    away = f"127.0.0.1:{free_port()}"
    with clickhouse_front.start_front() as front:
        for text in (*NEWEST, *MADE):
            front.sql(text)
        front.sql("CREATE DATABASE zoo")
        for name, how in {**TABLES, **OWN_TABLES}.items():
            front.sql(f"CREATE TABLE zoo.{name} {how.format(away=away)}")
        front.sql(f"ATTACH DATABASE crm ENGINE = MySQL('{away}', 'crm', 'u', 'p')")
        front.sql("CREATE DATABASE files ENGINE = Filesystem('/tmp')")
        backup = dumps.of_front(front)
        assert list(unexplained(front.sql, backup)) == []
        assert rest_of(front, backup) == []
        # It would be seen.
        front.sql("CREATE TABLE shop.late (id UInt64) ENGINE = Log")
        assert list(unexplained(front.sql, backup)) == [
            "table shop.late",
            "rows of shop.late (Log)",
        ]


def rest_of(front: Front, backup: Backup) -> list[str]:
    """What belongs to no database and is neither in a script nor in a note."""
    text = json.dumps([backup.script("schema"), backup.script("access"), backup.document["notes"]])
    queries = (
        "SELECT name FROM system.functions WHERE origin = 'SQLUserDefined'",
        "SELECT name FROM system.named_collections",
        "SELECT table FROM system.detached_tables",
        "SELECT DISTINCT table FROM system.detached_parts WHERE database IN ('shop', 'new')",
        "SELECT DISTINCT table FROM system.mutations WHERE NOT is_done AND database = 'shop'",
    )
    return [name for query in queries for (name,) in rows_of(front.sql, query) if name not in text]


@pytest.fixture(scope="module")
def world() -> Iterator[Cluster]:
    with started() as running:
        fill(running)
        yield running


def test_the_oldest_release(world: Cluster, dumps: Dumps) -> None:
    backup = dumps.of(world)
    for replica in world.replicas:

        def run(text: str, of: Callable[..., str] = replica.sql) -> str:
            return of(text)

        assert [
            said for said in unexplained(run, backup) if "`" not in said and "\\" not in said
        ] == []
