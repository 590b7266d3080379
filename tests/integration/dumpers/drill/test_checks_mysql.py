"""Checks of a user's own, asked of real restored servers of MySQL and MariaDB."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dumpers.contract.drill.checks import Check
from dumpers.engines.mysql.engine import ENGINE
from dumpers.engines.mysql.spec import SPEC
from dumpers.runs.drill.checking import ask_checks
from dumpers.runtime.errors import DrillServerFailedError, ExitCode
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.drill.test_mysql import MARIADB, MYSQL, dumper_of, path, start
from tests.testbed.databases import mysql as mysql_testbed
from tests.testbed.databases.mysql import MySQLServer
from tests.testbed.drilled_objects import drilled_objects, restore_into
from tests.testbed.driller import Driller, drill_records
from tests.testbed.dumper import Dumper
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.require import require, require_linux

SECRET = "of-nobody-else"
SCHEMA = f"""
CREATE TABLE people (id INT PRIMARY KEY, name TEXT, flag BIT(1), picture MEDIUMBLOB);
INSERT INTO people VALUES (1, '{SECRET}', b'1', REPEAT('x', 100000)), (2, '{SECRET}', b'1', NULL);
CREATE VIEW known AS SELECT id FROM people;
CREATE FUNCTION twice(a INT) RETURNS INT DETERMINISTIC RETURN 2 * a;
DELIMITER //
CREATE FUNCTION tell(said TEXT) RETURNS INT DETERMINISTIC BEGIN
  SIGNAL SQLSTATE '42000' SET MYSQL_ERRNO = 1064, MESSAGE_TEXT = said; RETURN 1;
END//
CREATE FUNCTION run_out(said TEXT) RETURNS INT DETERMINISTIC BEGIN
  SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1021, MESSAGE_TEXT = said; RETURN 1;
END//
DELIMITER ;
CREATE FUNCTION leaks() RETURNS TEXT READS SQL DATA RETURN LOAD_FILE('/etc/passwd');
"""
PASSING = (
    "SELECT TRUE",
    "SELECT 2.5e-3, 'anything', NULL",
    "SELECT id FROM people",
    "SELECT flag FROM people",
    "SELECT COUNT(*) = 2 FROM known -- here",
    "SELECT twice(2) = 4",
    "SELECT 'a;b' <> '' /* not ended; */ # here",
    r"SELECT '\\! touch' <> '`touch`'",
    "SELECT picture IS NULL OR LENGTH(picture) = 100000, picture FROM people",
    "SELECT CURRENT_USER() LIKE 'ksnapshot_check_%'",
)
REFUSED = {
    "SELECT FALSE": "gave false",
    "SELECT 0.00": "gave false",
    "SELECT b'0'": "gave what is neither true nor false",
    "SELECT NULL": "gave null",
    f"SELECT '{SECRET}'": "gave what is neither true nor false",
    "SELECT REPEAT('x', 100000)": "gave what is neither true nor false",
    "SELECT TRUE FROM people WHERE FALSE": "gave no row",
    "SELECT id - 2 FROM people ORDER BY id": "gave false",
    "SELECT tell(name) FROM people": "gave an error: an error in the SQL syntax (1064)",
    "SELECT EXTRACTVALUE(1, CONCAT('/', name, '!')) FROM people": (
        "gave an error: the server says no more than 1105 without values"
    ),
}
# Each with a pattern of the refusal.
BREAKING_OUT = {
    "SELECT 1 FROM nowhere": r"there is no such table: 'zoo.nowhere' \(1146\)",
    "SELECT TRUE; SELECT TRUE": "SQL syntax",
    "SELECT TRUE; COMMIT": "SQL syntax",
    "COMMIT": "gave no row",
    "DELETE FROM people": "denied",
    "INSERT INTO people (id) VALUES (3)": "denied",
    "CREATE TABLE other (a INT)": "denied",
    "SELECT 1 INTO OUTFILE '{made}'": "denied",
    "SELECT 1 INTO DUMPFILE '{made}'": "denied",
    "LOAD DATA INFILE '/etc/hostname' INTO TABLE people": "denied",
    "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE people": "not allow|denied|no more than",
    "SELECT LOAD_FILE('/etc/hostname')": "gave null",
    "SELECT leaks()": "gave null",
    "SELECT COUNT(*) FROM mysql.user": "denied",
    "SET GLOBAL max_connections = 1": "denied",
    "SET PASSWORD = 'x'": "gave no row|",
    "GRANT ALL ON *.* TO CURRENT_USER()": "denied",
    "SHUTDOWN": "denied",
    r"\! touch {made}": "SQL syntax",
    "system touch {made}": "SQL syntax",
    "source {made}": "SQL syntax",
    "tee {made}": "SQL syntax",
    "SELECT TRUE\n\\! touch {made}\n": "SQL syntax",
    "SELECT TRUE \\g\nsystem touch {made}\n": "SQL syntax",
    "DELIMITER //\nsystem touch {made}\n//": "SQL syntax",
}


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], MySQLServer]]:
    require_linux()
    running: dict[str, MySQLServer] = {}
    with ExitStack() as ending:

        def get(name: str) -> MySQLServer:
            problem = mysql_testbed.problem(name)
            require(not problem, problem)
            if name not in running:
                server = ending.enter_context(mysql_testbed.start(name))
                server.sql("CREATE DATABASE zoo; CREATE DATABASE `zoo_2`")
                server.sql("SET GLOBAL log_bin_trust_function_creators = 1")
                server.sql(SCHEMA, "zoo")
                server.sql("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)", "zoo_2")
                running[name] = server
            return running[name]

        yield get


@pytest.fixture
def dumped(
    servers: Callable[[str], MySQLServer],
    s3: S3Server,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[Dumper, str]]:
    """Dumps a server by its name; the dumper, and the folder of the backup's records."""
    monkeypatch.setenv("PATH", path())

    def dump(name: str, **changes: str) -> tuple[Dumper, str]:
        dumper = dumper_of(servers(name), s3, bucket, tmp_path)
        ended = dumper.run(**changes)
        assert ended.exit_code == ExitCode.DONE, ended.log
        return dumper, ended.result.record

    return dump


@pytest.mark.parametrize("name", ["mysql-5.7", mysql_testbed.NEWEST, MARIADB])
def test_what_holds_passes_and_nothing_reaches_further(
    name: str,
    dumped: Callable[..., tuple[Dumper, str]],
    s3: S3Server,
    bucket: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    _, record = dumped(name, KSNAPSHOT_DATABASES="zoo,zoo_2")
    objects, _ = drilled_objects(s3, bucket, record)
    folder = tmp_path_factory.mktemp("open")
    folder.chmod(0o777)
    with start(name) as server:
        login = restore_into(server, SPEC, ENGINE, objects)

        def whys(*statements: str, database: str = "zoo", seconds: int = 60) -> list[str]:
            checks = [
                Check(number=1, sql=sql.replace("{made}", f"{folder}/made"), database=database)
                for sql in statements
            ]
            found = ask_checks(ENGINE, login, objects, checks, Interrupt(), seconds=seconds)
            return [verdict.why for verdict in found]

        assert dict(zip(PASSING, whys(*PASSING), strict=True)) == dict.fromkeys(PASSING, "")
        found = whys(*REFUSED)
        assert dict(zip(REFUSED, found, strict=True)) == REFUSED
        refused = whys(*BREAKING_OUT)
        for (sql, pattern), why in zip(BREAKING_OUT.items(), refused, strict=True):
            assert re.search(pattern, why), (sql, why)
        assert SECRET not in str((found, refused))
        with pytest.raises(DrillServerFailedError) as raised:
            whys("SELECT run_out(name) FROM people")
        assert "says 1021" in str(raised.value)
        assert SECRET not in str(raised.value)
        assert whys("SELECT COUNT(*) = 2 FROM people", "SELECT a FROM zoo_2.t") == ["", ""]
        [unnamed] = whys("SELECT a FROM t", database="")
        assert "no database is selected" in unnamed
        assert whys("SELECT SUM(a.a) > 0 FROM zoo_2.t a", database="") == [""]
        many = ", ".join(f"people p{number}" for number in range(40))
        slow = f"SELECT STRAIGHT_JOIN COUNT(*) > 0 FROM {many} WHERE RAND() < 2"
        assert whys(slow, seconds=1) == ["took longer than 1 s"]
    assert not [*folder.iterdir()]


@pytest.mark.parametrize("name", [MYSQL])
def test_a_drill_passes_with_its_checks_and_fails_by_one(
    name: str, dumped: Callable[..., tuple[Dumper, str]], s3: S3Server, bucket: str
) -> None:
    dumper, _ = dumped(name)
    results = []
    for limit in (1, 2):
        with start(name) as server:
            driller = Driller.of(dumper.env, engine="mysql")
            sql = f"-- ours\nSELECT TRUE;\nSELECT COUNT(*) > {limit}\nFROM people"
            driller.client_env |= {"MYSQL_PORT": str(server.port), "KSNAPSHOT_DRILL_SQL": sql}
            try:
                results.append(driller.run())
            finally:
                driller.close()
    good, bad = results
    assert (good.result.outcome, good.result.checks) == ("passed", 2), good.logs
    assert bad.reader.exit_code == bad.client.exit_code == ExitCode.TARGET_REFUSED, bad.logs
    assert (bad.result.reason, bad.result.checks_failed) == ("DrillCheckFailed", 1)
    assert bad.result.message.endswith("check 2 gave false")
    records = {name[: name.index("-2")]: record for name, record in drill_records(s3, bucket)}
    assert [item.good for item in records["drilled"].checks] == [True, True]
    assert [item.why for item in records["drill-failed"].checks] == ["", "gave false"]
