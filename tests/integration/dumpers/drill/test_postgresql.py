"""Backups of real PostgreSQL servers, tried on throwaway servers that the engine's script makes."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pyrage
import pytest

from dumpers.contract.connection import Connection
from dumpers.engines.drilling.protocol import Comparison, DrilledEngine
from dumpers.engines.postgresql.engine import ENGINE
from dumpers.engines.postgresql.spec import SPEC
from dumpers.runtime.errors import ExitCode
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.postgresql.parted import FILL
from tests.integration.dumpers.postgresql.test_zoo import VECTOR, ZOO
from tests.integration.dumpers.postgresql.worlds import lead_to
from tests.testbed import throwaway
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.drilled_objects import drilled_objects, restore_into
from tests.testbed.driller import Drilled, Driller, drill_records
from tests.testbed.dumper import Dumper
from tests.testbed.stores.s3 import S3Server
from tests.testbed.throwaway import Throwaway

MAJORS = (18, 16, 13)
assert SPEC.drill_server
assert isinstance(ENGINE, DrilledEngine)


def start(major: int) -> Throwaway:
    """A throwaway server of this major version, whatever the machine has besides."""
    installation, folder = postgres_testbed.installed(major)
    assert SPEC.drill_server
    return throwaway.start(
        SPEC.drill_server,
        port=SPEC.port,
        installation=installation,
        bins=[str(folder / "bin")],
        changes={"/usr/lib/postgresql/": "/nowhere/"},
    )


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[int], PostgresServer]]:
    """Servers to dump, with what a production server may have set otherwise."""
    running: dict[int, PostgresServer] = {}
    options = {"timezone": "America/St_Johns", "bytea_output": "escape"}
    with ExitStack() as ending:

        def get(major: int) -> PostgresServer:
            if major not in running:
                started = postgres_testbed.start(major=major, options=options)
                running[major] = ending.enter_context(started)
            return running[major]

        yield get


@dataclass(kw_only=True)
class World:
    """A server with databases, its dumper, and where its drills go."""

    server: PostgresServer
    dumper: Dumper
    s3: S3Server
    bucket: str

    def dump(self, **changes: str) -> str:
        ended = self.dumper.run(**changes)
        assert ended.exit_code == ExitCode.DONE, ended.log
        return ended.result.record

    def drill(self, server: Throwaway, identity: str = "", **changes: str) -> Drilled:
        driller = Driller.of(self.dumper.env, engine="postgresql", identity=identity)
        driller.client_env["POSTGRESQL_PORT"] = str(server.port)
        try:
            return driller.run(**changes)
        finally:
            driller.close()


@pytest.fixture(params=MAJORS)
def world(
    request: pytest.FixtureRequest,
    servers: Callable[[int], PostgresServer],
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
) -> Iterator[World]:
    server = servers(request.param)
    lead_to(dumper, server)
    dumper.env.pop("KSNAPSHOT_GLOBALS")
    yield World(server=server, dumper=dumper, s3=s3, bucket=bucket)
    for name in ("zoo", "second"):
        server.run("dropdb", "--if-exists", "--force", name)
    for role in ("owner", '"Odd ""role"', "member"):
        server.psql(f"DROP ROLE IF EXISTS {role}")


def fill(server: PostgresServer) -> None:
    server.psql(
        "CREATE ROLE owner LOGIN PASSWORD 'x' CONNECTION LIMIT 5;"
        'CREATE ROLE "Odd ""role"; CREATE ROLE member; GRANT owner TO member;'
        "ALTER ROLE member SET work_mem = '9MB'; COMMENT ON ROLE owner IS 'who owns';"
    )
    server.psql("CREATE DATABASE zoo OWNER owner")
    server.psql(
        "COMMENT ON DATABASE zoo IS 'the zoo'; ALTER DATABASE zoo SET search_path = app, public;"
        "GRANT CONNECT ON DATABASE zoo TO member; ALTER ROLE owner IN DATABASE zoo SET jit = off"
    )
    is_old = server.psql("SHOW server_version").startswith("13")
    server.psql(ZOO.replace(", multirange_type_name = lib.spans", "") if is_old else ZOO, "zoo")
    if server.psql("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'") == "1":
        server.psql(VECTOR, "zoo")
    server.psql(
        "DROP PUBLICATION every, part;"
        "UPDATE app.people SET size = size + 1 WHERE id % 3 = 0;"
        "DELETE FROM app.people WHERE id % 7 = 0;"
        "CREATE TABLE app.words (w text COLLATE \"C\"); INSERT INTO app.words VALUES ('a');"
        "CREATE TABLE app.times (at timestamptz DEFAULT '2020-07-01 12:00+02', raw bytea);"
        "INSERT INTO app.times VALUES (DEFAULT, '\\x00ff41'), ('2020-01-01 00:00+00', '');"
        'ALTER TABLE app.times OWNER TO owner; GRANT SELECT ON app.times TO "Odd ""role";'
        "GRANT USAGE ON SCHEMA public TO member; COMMENT ON SCHEMA public IS 'of all';",
        "zoo",
    )


# With `KSNAPSHOT_FAULTS=all` fifty-one drills of the three servers: no false alarm in any.
@pytest.mark.parametrize("_turn", range(17 if os.environ.get("KSNAPSHOT_FAULTS") == "all" else 1))
@pytest.mark.parametrize("parallelism", ["1", "3"])
def test_a_backup_of_a_zoo_passes_under_write_load(
    world: World, _turn: int, parallelism: str
) -> None:
    fill(world.server)
    if parallelism != "1":
        world.server.psql(FILL, "zoo")
    identity = pyrage.x25519.Identity.generate()
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            world.server.psql(
                "INSERT INTO app.times SELECT now(), 'x' FROM generate_series(1, 500);"
                "UPDATE app.people SET name = name || 'x'; SELECT nextval('app.counter')",
                "zoo",
            )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        record = world.dump(
            POSTGRESQL_DATABASE="zoo",
            KSNAPSHOT_PARALLELISM=parallelism,
            ENCRYPTION_ENABLED="true",
            ENCRYPTION_RECIPIENT=str(identity.to_public()),
        )
    finally:
        stop.set()
        writer.join()
    with start(int(world.server.psql("SHOW server_version_num")) // 10000) as server:
        ended = world.drill(server, str(identity), KSNAPSHOT_DRILL_IMAGE="example/postgres:1")
    assert ended.reader.exit_code == ended.client.exit_code == ExitCode.DONE, ended.logs
    result = ended.result
    assert (result.outcome, result.reason, result.differing) == ("passed", "Succeeded", 0)
    assert result.tables > 5
    [(name, found)] = drill_records(world.s3, world.bucket)
    assert result.record == f"{record}{name}"
    assert name.startswith("drilled-")
    assert found.image == result.image == "example/postgres:1"
    assert found.server_version == world.server.psql("SHOW server_version")
    assert {"zoo.app.people", "zoo.app.times"} <= {table.name for table in found.tables}
    assert found.faults == ()
    assert found.restore_seconds > 0 < found.compare_seconds
    assert 0 < found.age_seconds < 600
    assert str(identity) not in ended.logs


def test_another_major_is_unfit_and_no_verdict(world: World) -> None:
    world.server.psql("CREATE DATABASE zoo")
    world.dump(POSTGRESQL_DATABASE="zoo")
    major = int(world.server.psql("SHOW server_version_num")) // 10000
    with start(16 if major == 18 else 18) as server:
        ended = world.drill(server)
    assert ended.reader.exit_code == ended.client.exit_code == ExitCode.TARGET_REFUSED, ended.logs
    assert (ended.result.outcome, ended.result.reason) == ("failed", "DrillServerUnfit")
    assert f"PostgreSQL {major}" in ended.result.message
    assert not drill_records(world.s3, world.bucket)


REST = "more than the rows"
ROLES = "roles"
# One change each in the throwaway server, and the tables that differ, or what else is named.
MUTATIONS = {
    "a value, size kept": ("UPDATE app.base SET i = 7 WHERE i = 1", {"zoo.app.base"}),
    "a moment": ("UPDATE app.times SET at = at + interval '1 us'", {"zoo.app.times"}),
    "a byte": ("UPDATE app.times SET raw = '\\x00ff42' WHERE raw <> ''", {"zoo.app.times"}),
    "a row": ("DELETE FROM app.visits_old WHERE at = '2019-12-05'", {"zoo.app.visits_old"}),
    "a row twice": ("INSERT INTO app.twice VALUES (1)", {"zoo.app.twice"}),
    "all rows": ("TRUNCATE app.cache", {"zoo.app.cache"}),
    "a table": ("DROP TABLE app.twice", {"zoo.app.twice", REST}),
    "a new table": ("CREATE TABLE app.new AS SELECT 1 AS i", {"zoo.app.new", REST}),
    "an index": ("DROP INDEX app.loud_name", {REST}),
    "a constraint": ("ALTER TABLE app.people DROP CONSTRAINT named", {REST}),
    "a sequence": ("SELECT nextval('app.counter')", {REST}),
    "a grant": ('REVOKE SELECT ON app.times FROM "Odd ""role"', {REST}),
    "an owner": ("ALTER TABLE app.times OWNER TO member", {REST}),
    "a default right": (
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA app "
            "REVOKE SELECT ON TABLES FROM PUBLIC"
        ),
        {REST},
    ),
    "a collation": ('ALTER TABLE app.words ALTER w TYPE text COLLATE "POSIX"', {REST}),
    "a function": (
        (
            "CREATE OR REPLACE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN RETURN OLD; END'"
        ),
        {REST},
    ),
    "a trigger": ("DROP TRIGGER touched ON app.people", {REST}),
    "a policy": ("DROP POLICY mine ON app.people", {REST}),
    "a default": ("ALTER TABLE app.times ALTER at DROP DEFAULT", {REST}),
    "a comment": ("COMMENT ON SCHEMA public IS NULL", {REST}),
    "a large object": ("SELECT lo_put(4711, 0, 'L')", {REST}),
    "an extension": ("CREATE SCHEMA other; CREATE TYPE other.t AS (a int)", {REST}),
    "a setting of the database": ("ALTER DATABASE zoo RESET search_path", {"database zoo"}),
    "a right on the database": (
        "REVOKE CONNECT ON DATABASE zoo FROM member",
        {"database zoo"},
    ),
    "a password": ("ALTER ROLE owner PASSWORD 'y'", {ROLES}),
    "a membership": ("REVOKE owner FROM member", {ROLES}),
    "a role": ("CREATE ROLE newer", {ROLES}),
}


@dataclass(kw_only=True)
class Rehearsed:
    """A backup that was restored into a throwaway server."""

    login: Connection
    compare: Callable[[], Comparison]

    def psql(self, sql: str, database: str) -> None:
        """Change something there."""
        login = self.login
        subprocess.run(
            [postgres_testbed.client("psql"), "--no-psqlrc", "--quiet", f"--command={sql}"],
            env={
                **os.environ,
                "PGHOST": login.host,
                "PGPORT": str(login.port),
                "PGUSER": login.username,
                "PGDATABASE": database,
            },
            capture_output=True,
            check=True,
        )


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stock clients, for an engine in this process."""
    monkeypatch.setenv("PATH", str(postgres_testbed.bin_folder()), prepend=os.pathsep)


def rehearse(server: Throwaway, world: World, record: str) -> Rehearsed:
    objects, manifest = drilled_objects(world.s3, world.bucket, record)
    login = restore_into(server, SPEC, ENGINE, objects)

    def compare() -> Comparison:
        assert isinstance(ENGINE, DrilledEngine)
        return ENGINE.compare(login, objects, manifest.options, Interrupt())

    return Rehearsed(login=login, compare=compare)


def named(found: Comparison) -> set[str]:
    """The tables that differ, and what else does."""
    tables = {table.name for table in found.tables if not table.good}
    places = (REST, ROLES, "database zoo")
    others = {place for fault in found.faults for place in places if place in fault}
    assert all(any(place in fault for place in places) for fault in found.faults), found.faults
    return tables | others


@pytest.mark.parametrize("world", [18], indirect=True)
@pytest.mark.parametrize("parallelism", ["1", "3"])
def test_every_change_fails_and_is_named(world: World, clients: None, parallelism: str) -> None:
    fill(world.server)
    if parallelism != "1":
        world.server.psql(FILL, "zoo")
    record = world.dump(POSTGRESQL_DATABASE="zoo", KSNAPSHOT_PARALLELISM=parallelism)
    shown = {}
    with start(18) as server:
        for number, (change, (statement, _)) in enumerate(MUTATIONS.items()):
            made = rehearse(server, world, record)
            if not number:
                good = made.compare()
                assert good.good, good
            made.psql(statement, "zoo")
            found = made.compare()
            assert not found.good, change
            shown[change] = named(found)
            made.psql("DROP DATABASE zoo WITH (FORCE)", "template1")
            for role in ("owner", '"Odd ""role"', "member", "newer"):
                made.psql(f"DROP ROLE IF EXISTS {role}", "template1")
    assert shown == {change: places for change, (_, places) in MUTATIONS.items()}


@pytest.mark.parametrize("world", [18], indirect=True)
@pytest.mark.parametrize(
    "options",
    [
        {"KSNAPSHOT_FORMAT": "custom"},
        {"KSNAPSHOT_GLOBALS": "false"},
        {"KSNAPSHOT_DATABASES": "*"},
        {"PG_DUMP_OPTIONS": "--no-owner --no-privileges --inserts"},
        {"KSNAPSHOT_EXCLUDE_TABLES": "app.far"},
        {"PG_DUMP_OPTIONS": "--quote-all-identifiers", "KSNAPSHOT_PARALLELISM": "3"},
    ],
    ids=["custom", "no globals", "all databases", "options", "parts", "quoted by streams"],
)
def test_what_is_dumped_otherwise_passes_and_a_change_of_it_fails(
    world: World, options: dict[str, str], clients: None
) -> None:
    fill(world.server)
    world.server.psql(
        "CREATE DATABASE second ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    # Its sessions have settings of their own.
    world.server.psql("ALTER DATABASE second SET timezone = 'Asia/Tokyo'")
    world.server.psql("CREATE TABLE t AS SELECT 'é' AS é, now() AS at, ARRAY['1'::money]", "second")
    # Names in rows are quoted as others are; the table is so large that it is read by COPY.
    world.server.psql(
        "CREATE TABLE app.links AS SELECT 'app.times'::regclass AS r, repeat('.', 80) AS filler "
        "FROM generate_series(1, 40000); ANALYZE",
        "zoo",
    )
    record = world.dump(POSTGRESQL_DATABASE="zoo", **options)
    with start(18) as server:
        ended = world.drill(server)
        assert ended.reader.exit_code == ExitCode.DONE, ended.logs
        assert ended.result.outcome == "passed"
    with start(18) as server:
        made = rehearse(server, world, record)
        made.psql("INSERT INTO app.times VALUES (now(), 'x')", "zoo")
        found = made.compare()
        assert not found.good
        if "--inserts" not in options.get("PG_DUMP_OPTIONS", ""):
            differing = {table.name.replace('"', "") for table in found.tables if not table.good}
            assert "zoo.app.times" in differing


@pytest.mark.parametrize("world", [18], indirect=True)
def test_without_globals_what_a_dump_names_is_made(world: World) -> None:
    fill(world.server)
    world.server.psql("SET allow_in_place_tablespaces = on; CREATE TABLESPACE fast LOCATION ''")
    try:
        world.server.psql(
            "CREATE TABLE app.quick TABLESPACE fast AS SELECT 1 AS i;"
            "CREATE USER MAPPING FOR member SERVER away OPTIONS (user 'a', password 'b')",
            "zoo",
        )
        world.dump(POSTGRESQL_DATABASE="zoo", KSNAPSHOT_GLOBALS="false")
        with start(18) as server:
            ended = world.drill(server)
        assert ended.reader.exit_code == ExitCode.DONE, ended.logs
        assert ended.result.outcome == "passed"
    finally:
        world.server.psql("DROP TABLE app.quick", "zoo")
        world.server.psql("DROP TABLESPACE fast")


@pytest.mark.parametrize("world", [18], indirect=True)
def test_rows_of_foreign_tables_are_loaded_nowhere(world: World) -> None:
    fill(world.server)
    world.server.psql("CREATE SERVER bare FOREIGN DATA WRAPPER none", "zoo")
    world.dump(POSTGRESQL_DATABASE="zoo", PG_DUMP_OPTIONS="--include-foreign-data=bare")
    with start(18) as server:
        ended = world.drill(server)
    assert ended.result.reason == "NotDrillable", ended.logs
    assert "--include-foreign-data" in ended.result.message


@pytest.mark.parametrize("world", [18], indirect=True)
def test_chosen_tables_that_need_others_are_not_drillable(world: World) -> None:
    fill(world.server)
    world.dump(POSTGRESQL_DATABASE="zoo", KSNAPSHOT_TABLES="app.times")
    with start(18) as server:
        ended = world.drill(server)
    assert ended.reader.exit_code == ended.client.exit_code == ExitCode.DONE, ended.logs
    assert (ended.result.outcome, ended.result.reason) == ("not-drillable", "NotDrillable")
    assert "KSNAPSHOT_TABLES" in ended.result.message
    assert not drill_records(world.s3, world.bucket)
