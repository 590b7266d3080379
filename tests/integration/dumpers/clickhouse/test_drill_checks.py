"""Checks of a user's own, asked of a real restored ClickHouse of the oldest release."""

import re

from dumpers.contract.drill.checks import Check
from dumpers.engines.clickhouse.engine import ENGINE
from dumpers.engines.drilling.protocol import DrilledObject
from dumpers.runs.drill.checking import ask_checks
from tests.integration.dumpers.clickhouse.conftest import NOW
from tests.testbed.databases.clickhouse_throwaway import start_throwaway

SECRET = "of-nobody-else"
PASSING = (
    "SELECT 1",
    "SELECT count() = 2 FROM shop.people -- here",
    "SELECT id, name FROM shop.people",
    "SELECT toNullable(2.5)",
    "SELECT 'a;b' != '' /* c;d */",
    "SELECT currentUser() = 'ksnapshot_check'",
)
REFUSED = {
    "SELECT 1 = 2": "gave false",
    "SELECT NULL": "gave null",
    "SELECT 1 FROM shop.people WHERE 0": "gave no row",
    "SELECT name FROM shop.people": "gave what is neither true nor false",
    "SELECT [1]": "gave what is neither true nor false",
    "SELECT id - 2 FROM shop.people ORDER BY id": "gave false",
    "SELECT 1 FROM shop.nowhere": r"gave an error: .*shop\.nowhere doesn't exist.* \(60\)",
    "SELECT toUInt8(name) FROM shop.people": "gave an error: .* no more than 6 ",
    "SELECT 1 FROM shop.people WHERE id IN (SELECT (SELECT max(name) FROM shop.people))": (
        "gave an error: "
    ),
    "SELECT dictGetString((SELECT max(name) FROM shop.people), 'a', toUInt64(1))": (
        "gave an error: "
    ),
    "SELECT toTimeZone(now(), (SELECT max(name) FROM shop.people))": "gave an error: ",
    "SELECT (SELECT max(name) FROM shop.people)(1)": "gave an error: ",
    "SELECT CAST((SELECT max(name) FROM shop.people) AS Enum8('a' = 1))": "gave an error: ",
    "SELECT equals((SELECT max(name) FROM shop.people), [1])": "gave an error: ",
    "SELECT nam FROM shop.people": r"gave an error: .*\bnam\b.* \(47\)",
    "INSERT INTO shop.people VALUES (3, 'x')": "readonly|Cannot insert",
    "CREATE TABLE shop.other (a UInt8) ENGINE = Memory": "readonly|Syntax",
    "DROP TABLE shop.people": "readonly|Syntax",
    "SET readonly = 0": "readonly|Syntax",
    "SELECT 1 SETTINGS readonly = 0": "readonly",
    "SELECT 1; SELECT 1": "Syntax|Multi",
    "SELECT 1 FORMAT CSV": "Syntax",
    "SELECT 1 INTO OUTFILE '/tmp/made'": "OUTFILE|Syntax",
    "SYSTEM SHUTDOWN": "readonly|Syntax",
    "SELECT 1 FROM file('x.csv', 'CSV', 'a UInt8')": "readonly",
    "SELECT 1 FROM url('http://127.0.0.1:1/x', 'CSV', 'a UInt8')": "readonly",
    "SELECT 1 FROM remote('127.0.0.1', system.one, 'default')": "readonly",
    "SELECT 1 FROM cluster('drill', system.one)": "readonly",
    "SELECT 1 FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')": "readonly",
}


def test_what_holds_passes_and_nothing_reaches_further() -> None:
    with start_throwaway() as server:
        server.sql("CREATE DATABASE shop")
        server.sql("CREATE TABLE shop.people (id UInt64, name String) ENGINE = Log")
        server.sql(f"INSERT INTO shop.people VALUES (1, '{SECRET}'), (2, '{SECRET}')")

        def whys(*statements: str) -> list[str]:
            checks = [Check(number=place, sql=sql) for place, sql in enumerate(statements, 1)]
            objects: tuple[DrilledObject, ...] = ()
            found = ask_checks(ENGINE, server.connection, objects, checks, NOW)
            return [verdict.why for verdict in found]

        passing = PASSING if "currentUser" in server.sql(_FUNCTIONS) else PASSING[:-1]
        assert dict(zip(passing, whys(*passing), strict=True)) == dict.fromkeys(passing, "")
        found = whys(*REFUSED)
        for (sql, pattern), why in zip(REFUSED.items(), found, strict=True):
            assert re.search(pattern, why), (sql, why)
        assert SECRET not in str(found)
        assert server.sql("SELECT count() FROM shop.people").strip() == "2"


_FUNCTIONS = "SELECT name FROM system.functions WHERE name = 'currentUser'"
