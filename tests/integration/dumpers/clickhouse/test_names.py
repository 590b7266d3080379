"""Names that something on the way might take for something else."""

import pytest

from dumpers.engines.clickhouse.engine import ENGINE
from dumpers.engines.clickhouse.server.sql import identifier
from tests.integration.dumpers.clickhouse.conftest import NOW, Dumps, connection
from tests.testbed.databases import clickhouse_front

TABLES = (
    *("vq/History$", "2table", "a.b", "`tick`", "tab'le", "ünï", "x" * 150, "{p:String}", "%41"),
    *("a&query=SELECT 1#", "?a=b", "../up", "--", "/* */", 'dou"ble', "back\\slash", "new\nline"),
    *("[x]", "*", "FORMAT", "tab\tle", " blank ", "a;b", "ü" * 30, "{shard}", "s1", "$1", "@x"),
)
DATABASES = ("a=b", "select", "a.b", "{uuid}", "x/y", "ü'`")


def test_every_name_comes_back(dumps: Dumps) -> None:
    with clickhouse_front.start_front() as own:
        for database in DATABASES:
            own.sql(f"CREATE DATABASE {identifier(database)}")
            for name in TABLES if database == DATABASES[0] else TABLES[:3]:
                table = f"{identifier(database)}.{identifier(name)}"
                own.sql(
                    f"CREATE TABLE {table} (id UInt64, `a/b.c` String, `{{x:y}}` UInt8, `?` UInt8) "
                    "ENGINE = MergeTree ORDER BY id"
                )
                own.sql(
                    f"INSERT INTO {table} SELECT number, '{{p:String}} ?', 1, 2 FROM numbers(10)"
                )
        # One that looks like another's full name.
        own.sql("CREATE DATABASE a")
        own.sql("CREATE TABLE a.`b.a.b` (id UInt64) ENGINE = MergeTree ORDER BY id")
        own.sql(r"CREATE FUNCTION `f{x}` AS (x) -> concat(x, '\\\'')")
        own.sql(
            r"CREATE VIEW a.escapes AS SELECT replaceRegexpAll('a=b', '(=|\\\\)', '\\\\\\1') AS x"
        )
        query = "SELECT database, name FROM system.tables WHERE engine = 'MergeTree' ORDER BY ALL"
        listed, shown = own.sql(query), own.sql("SELECT x, `f{x}`('y') FROM a.escapes")
        backup = dumps.of_front(own)
    assert backup.document["notes"] == []
    assert len(backup.tables()) == len(TABLES) + 3 * len(DATABASES) - 3 + 1
    assert {said["rows"] for said in backup.tables().values()} == {0, 10}
    with clickhouse_front.start_front() as new:
        assert ENGINE.restore(connection(new), backup.pieces(), NOW).notes == ()
        assert new.sql(query) == listed
        assert new.sql("SELECT x, `f{x}`('y') FROM a.escapes") == shown
        # Two of them look alike when they are written in full.
        assert set(ENGINE.inspect(connection(new), NOW).values()) == {10}


@pytest.mark.parametrize("name", ["a=b", "{x}", "per%cent"])
def test_a_database_of_such_a_name_is_chosen(dumps: Dumps, name: str) -> None:
    with clickhouse_front.start_front() as own:
        for database in (name, "other"):
            own.sql(f"CREATE DATABASE {identifier(database)}")
            own.sql(f"CREATE TABLE {identifier(database)}.t (a UInt8) ENGINE = Memory")
        backup = dumps.of_front(own, {"KSNAPSHOT_DATABASES": name})
    assert set(backup.tables()) == {("s1", name, "t")}
