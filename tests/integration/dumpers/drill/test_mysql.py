"""Backups of real MySQL and MariaDB servers, tried on servers that the engine's script makes."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from dumpers.contract.connection import Connection
from dumpers.engines.drilling.protocol import Comparison, DrilledEngine
from dumpers.engines.mysql.engine import ENGINE
from dumpers.engines.mysql.spec import SPEC
from dumpers.runs.drill.patience import wait_for_server
from dumpers.runtime.errors import ExitCode
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.mysql.worlds import fill
from tests.testbed import throwaway
from tests.testbed.databases import mysql as mysql_testbed
from tests.testbed.databases.mysql import MySQLServer
from tests.testbed.drilled_objects import drilled_objects
from tests.testbed.driller import Drilled, Driller, drill_records
from tests.testbed.dumper import CRONJOB, POD, Dumper, storage_env
from tests.testbed.repetition import repeated
from tests.testbed.stores.s3 import S3Server
from tests.testbed.throwaway import Throwaway
from tests.testbed.toolchain.require import require, require_linux

MYSQL, MARIADB = "mysql-8.0", "mariadb-11.4"
# CI drills what differs most; `KSNAPSHOT_FAULTS=all` all of it.
_EVERY = os.environ.get("KSNAPSHOT_FAULTS") == "all"
NAMES = (
    *("mysql-5.7", MYSQL, mysql_testbed.NEWEST, MARIADB),
    *(("mariadb-10.11",) if _EVERY else ()),
)
PER_TABLE = {"KSNAPSHOT_PER_TABLE": "true"}
ALL = {"KSNAPSHOT_DATABASES": "*"}


def start(name: str) -> Throwaway:
    """A throwaway server of this release."""
    assert SPEC.drill_server
    return throwaway.start(
        SPEC.drill_server,
        port=SPEC.port,
        installation=mysql_testbed.installation(name),
        wrapped=partial(mysql_testbed.wrapped, name),
    )


def path() -> str:
    """Where the stock clients are found, first of all."""
    return f"{mysql_testbed.clients()}:/usr/bin:/bin"


def dumper_of(server: MySQLServer, s3: S3Server, bucket: str, folder: Path) -> Dumper:
    """A dumper of this server's `zoo` into the bucket."""
    env = {
        "PATH": path(),
        **storage_env(s3, bucket),
        "KSNAPSHOT_ENGINE": "mysql",
        "KSNAPSHOT_CLUSTER": "test",
        "KSNAPSHOT_WORKLOAD": "demo/db",
        "KSNAPSHOT_CRONJOB": CRONJOB,
        "KSNAPSHOT_TERMINATION_LOG": str(folder / "termination-log"),
        "HOSTNAME": POD,
        "MYSQL_HOST": server.host,
        "MYSQL_PORT": str(server.port),
        "MYSQL_USERNAME": server.user,
        "MYSQL_PASSWORD": server.password,
        "MYSQL_DATABASE": "zoo",
    }
    return Dumper(env=env, folder=folder)


@dataclass(kw_only=True)
class World:
    """A server with databases of its own, its dumper, and where its drills go."""

    name: str
    server: MySQLServer
    dumper: Dumper
    s3: S3Server
    bucket: str

    def dump(self, **changes: str) -> str:
        ended = self.dumper.run(**changes)
        assert ended.exit_code == ExitCode.DONE, ended.log
        return ended.result.record

    def drill(self, server: Throwaway, **changes: str) -> Drilled:
        driller = Driller.of(self.dumper.env, engine="mysql")
        driller.client_env["MYSQL_PORT"] = str(server.port)
        try:
            return driller.run(**changes)
        finally:
            driller.close()


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], MySQLServer]]:
    require_linux()
    running: dict[str, MySQLServer] = {}
    with ExitStack() as ending:

        def get(name: str) -> MySQLServer:
            problem = mysql_testbed.problem(name)
            require(not problem, problem)
            if name not in running:
                running[name] = ending.enter_context(
                    mysql_testbed.start(name, options=["--default-time-zone=+05:30"])
                )
            return running[name]

        yield get


@pytest.fixture(params=NAMES)
def world(
    request: pytest.FixtureRequest,
    servers: Callable[[str], MySQLServer],
    s3: S3Server,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    server = servers(request.param)
    monkeypatch.setenv("PATH", path())
    server.sql("CREATE DATABASE zoo CHARACTER SET latin1; CREATE DATABASE second")
    fill(server, "zoo")
    server.sql("CREATE USER IF NOT EXISTS maker@'10.%'; GRANT ALL ON *.* TO maker@'10.%'")
    server.sql(
        "CREATE TABLE t (a INT, at TIMESTAMP); INSERT INTO t VALUES (1, '2020-01-01 00:00:00');"
        "CREATE DEFINER=maker@'10.%' VIEW made AS SELECT a FROM t;"
        "CREATE VIEW abroad AS SELECT a FROM t, zoo.people;",
        "second",
    )
    yield World(
        name=request.param,
        server=server,
        dumper=dumper_of(server, s3, bucket, tmp_path),
        s3=s3,
        bucket=bucket,
    )
    for name in ("zoo", "second"):
        server.drop_database(name)


@pytest.mark.parametrize(
    "options", [{}, *([PER_TABLE, ALL] if _EVERY else []), ALL | PER_TABLE], ids=str
)
def test_a_backup_passes(world: World, options: Mapping[str, str]) -> None:
    record = world.dump(**options)
    with start(world.name) as server:
        ended = world.drill(server)
        assert ended.reader.exit_code == ended.client.exit_code == ExitCode.DONE, (
            f"{ended.logs}\n{server.server.tail()}"
        )
    result = ended.result
    assert (result.outcome, result.differing) == ("passed", 0)
    [(name, found)] = drill_records(world.s3, world.bucket)
    assert result.record == f"{record}{name}"
    assert "zoo.people" in {table.name for table in found.tables}
    assert found.method.startswith("dumped again, and compared by the digests that were taken")
    assert any("accounts" in sentence for sentence in found.unproved)


WRITES = """
INSERT INTO log (what) VALUES ('a'), ('b'), ('c');
INSERT INTO log (what) SELECT what FROM log LIMIT 200;
DELETE FROM log WHERE id % 3 = 0;
UPDATE people SET note = CONCAT(COALESCE(note, ''), 'x'), price = price + 1;
REPLACE INTO notes SELECT id + 1000, 7, body FROM notes WHERE id < 100;
INSERT INTO `select` SELECT `from` + 1, 'w' FROM `select` LIMIT 50;
"""
WRITES_OF_MARIADB = "UPDATE kept SET name = CONCAT(name, 'x'); SELECT NEXTVAL(numbers);"


# With `KSNAPSHOT_FAULTS=all` seventeen drills of each server: no false alarm in any.
@pytest.mark.parametrize("turn", range(17 if _EVERY else 1))
@pytest.mark.parametrize("world", NAMES if _EVERY else [MARIADB], indirect=True)
def test_a_backup_passes_under_write_load(world: World, turn: int) -> None:
    writes = WRITES + (WRITES_OF_MARIADB if world.server.is_mariadb else "")
    with repeated(lambda _: world.server.sql(f"SET sql_mode = ''; {writes}", "zoo")):
        record = world.dump(**({}, PER_TABLE, ALL, ALL | PER_TABLE)[turn % 4])
    with start(world.name) as server:
        ended = world.drill(server)
    result = ended.result
    assert (result.outcome, result.reason, result.differing) == ("passed", "Succeeded", 0), (
        ended.logs
    )
    [(name, found)] = drill_records(world.s3, world.bucket)
    assert result.record == f"{record}{name}"
    assert {"zoo.log", "zoo.people", "zoo.notes"} <= {table.name for table in found.tables}
    assert found.faults == ()


@pytest.mark.parametrize("world", [MYSQL, MARIADB], indirect=True)
def test_another_release_or_flavour_is_unfit(world: World) -> None:
    world.dump()
    for name in {"mysql-5.7", MYSQL, MARIADB} - {world.name}:
        with start(name) as server:
            ended = world.drill(server)
        assert ended.reader.exit_code == ExitCode.TARGET_REFUSED, ended.logs
        assert ended.result.reason == "DrillServerUnfit"
    assert not drill_records(world.s3, world.bucket)


REST = "more than the rows"
MUTATIONS = {
    "a value, size kept": ("UPDATE `select` SET `a b``c` = 'y'", {"zoo.select"}),
    "bytes": ("UPDATE people SET picture = X'0002' WHERE id = 0", {"zoo.people"}),
    "a row": ("DELETE FROM parts WHERE id = 1", {"zoo.parts"}),
    "a table": ("DROP TABLE `select`", {"zoo.select", REST}),
    "an index": ("ALTER TABLE people DROP KEY born", {REST}),
    "the next number": ("ALTER TABLE log AUTO_INCREMENT = 90000", {REST}),
    "a collation": (
        "ALTER TABLE people MODIFY note TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        {REST},
    ),
    "a trigger": ("DROP TRIGGER watch", {REST}),
    "a function": ("DROP FUNCTION `twice $é`; DROP VIEW doubled", {REST}),
    "a view": ("DROP VIEW authors; CREATE VIEW authors AS SELECT 1 AS name, 2 AS wrote", {REST}),
    "an event": ("DROP EVENT nightly", {REST}),
    "the database's own": ("ALTER DATABASE CHARACTER SET utf8mb4", {REST}),
}
OF_MARIADB = {
    "a sequence": ("SELECT NEXTVAL(numbers), NEXTVAL(numbers)", {REST}),
    "a row with a history": ("UPDATE kept SET name = 'then'", {"zoo.kept"}),
}


@pytest.mark.parametrize(
    ("world", "options"),
    [
        (MYSQL, PER_TABLE),
        (MARIADB, {}),
        *([(MYSQL, {}), (MARIADB, PER_TABLE)] if _EVERY else []),
    ],
    ids=str,
    indirect=["world"],
)
def test_every_change_fails_and_is_named(world: World, options: Mapping[str, str]) -> None:
    record = world.dump(**options)
    objects, manifest = drilled_objects(world.s3, world.bucket, record)
    assert manifest.options == options
    assert isinstance(ENGINE, DrilledEngine)
    assert SPEC.drill_server
    mutations = MUTATIONS | (OF_MARIADB if world.server.is_mariadb else {})
    shown = {}
    with start(world.name) as server:
        login = Connection(
            host="127.0.0.1", port=server.port, username=SPEC.drill_server.user, database=""
        )
        wait_for_server(ENGINE, login, Interrupt(), seconds=60)
        known: set[str] | None = None
        for change, (statement, places) in sorted(
            mutations.items(), key=lambda one: REST in one[1][1]
        ):
            if known is None or REST in places:
                # More cannot be seen of what is known to differ already.
                sql(world.server, login, "SET foreign_key_checks = 0; DROP DATABASE IF EXISTS zoo")
                request = ENGINE.prepare_drill(login, objects, Interrupt())
                assert request
                ENGINE.restore(login, [item.stored for item in objects], Interrupt(), request)
                good = known is not None or ENGINE.compare(
                    login, objects, manifest.options, Interrupt()
                )
                assert good is True or good.good, good
                known = set()
            sql(world.server, login, f"SET sql_mode = ''; {statement}", "zoo")
            found = ENGINE.compare(login, objects, manifest.options, Interrupt())
            assert not found.good, change
            shown[change] = named(found) - known
            known |= shown[change]
    expected = {change: places for change, (_, places) in mutations.items()}
    if options:
        # Its object is not there any more, and that of the others shows that it is gone.
        expected["a table"] = {"zoo.select is not there", REST}
    assert shown == expected


def named(found: Comparison) -> set[str]:
    """The tables that differ, and what else does."""
    tables = {table.name for table in found.tables if not table.good}
    places = (REST, "zoo.select is not there")
    others = {place for fault in found.faults for place in places if place in fault}
    assert bool(others) == bool(found.faults), found.faults
    return tables | others


def sql(like: MySQLServer, login: Connection, text: str, database: str = "") -> None:
    """Change something in the throwaway server."""
    command = [*mysql_testbed.client_command(like.name, login.port), f"--user={login.username}"]
    subprocess.run(
        [*command, "--", *([database] if database else [])],
        input=text.encode(),
        capture_output=True,
        check=True,
    )
