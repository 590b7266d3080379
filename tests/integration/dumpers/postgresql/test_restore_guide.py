"""What may stop a load, as docs/restore.md has it: each message, and that its cure helps."""

import re
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from dumpers.engines.postgresql.engine import ENGINE
from dumpers.engines.postgresql.options import CUSTOM_ENDING
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.postgresql.worlds import (
    LOGIN,
    STRICT,
    as_one,
    connection,
    lead_to,
    load,
    manifest,
    notes,
    piece,
    stored,
    with_clients,
)
from tests.paths import REPOSITORY
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper
from tests.testbed.stores.s3 import S3Server

_GUIDE = (REPOSITORY / "docs/restore.md").read_text()
_POSTGRESQL = _GUIDE.partition("## 3. Load it")[2].partition("\n## ")[0]
_MESSAGES = re.findall(r"^\| `(.+?)` \|", _POSTGRESQL, re.MULTILINE)
# No psql that is as old is to be had here.
_UNTESTED = {r"invalid command \restrict"}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A dumped database and an empty one, on one server."""

    server: PostgresServer
    name: str
    copy: str
    dump: Callable[[Mapping[str, str]], bytes]
    other: PostgresServer
    seen: list[str]

    def stops(self, message: str, load_: Callable[[], object]) -> None:
        """Assert that a load ends with a message of the guide, whose … stands for anything."""
        assert message in _MESSAGES
        self.seen.append(message)
        pattern = ".*".join(map(re.escape, message.split("…")))
        with pytest.raises(RuntimeError, match=pattern):
            load_()


SEEN: list[str] = []


@pytest.fixture
def world(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    postgres: PostgresServer,
    database: str,
    copy: str,
    sixteen: PostgresServer,
) -> World:
    def dump(changes: Mapping[str, str]) -> bytes:
        [data] = stored(s3, bucket, dumper.run(**changes)).values()
        return data

    return World(server=postgres, name=database, copy=copy, dump=dump, other=sixteen, seen=SEEN)


@pytest.fixture
def role(postgres: PostgresServer, database: str, copy: str) -> Iterator[str]:
    name = f"owner_{database}"
    postgres.psql(f"CREATE ROLE {name} LOGIN PASSWORD '{LOGIN}'")
    yield name
    for place in (database, copy):
        postgres.psql(f"DROP OWNED BY {name} CASCADE", place)
    postgres.psql(f"ALTER DATABASE {copy} OWNER TO postgres; DROP ROLE IF EXISTS {name}")


def test_a_role_that_is_missing(world: World, role: str) -> None:
    world.server.psql(f"CREATE TABLE t (); ALTER TABLE t OWNER TO {role}", world.name)
    sql = world.dump({})
    world.server.psql(f"REASSIGN OWNED BY {role} TO postgres", world.name)
    world.server.psql(f"DROP ROLE {role}")
    world.stops('role "…" does not exist', lambda: load(world.server, sql, world.copy))
    world.server.psql(f"CREATE ROLE {role}")
    load(world.server, sql, world.copy)


def test_an_extension_that_is_missing(
    dumper: Dumper, s3: S3Server, bucket: str, world: World, thirteen: PostgresServer
) -> None:
    name = thirteen.create_database("with_hstore")
    thirteen.psql("CREATE EXTENSION hstore; CREATE TABLE t AS SELECT 'a=>1'::hstore AS h", name)
    lead_to(dumper, thirteen)
    sql = world.dump({"POSTGRESQL_DATABASE": name})
    world.stops('extension "…" is not available', lambda: load(world.server, sql, world.copy))
    load(thirteen, sql, thirteen.create_database("with_hstore_copy"))


def _copy_of_own(server: PostgresServer, setting: str, name: str) -> Iterator[Path]:
    """A file of the server's installation, under a name of the test's own."""
    folder = server.psql(f"SELECT setting FROM pg_config WHERE name = '{setting}'")
    found = Path(folder) / name
    copied = found.with_name(f"k{secrets.token_hex(4)}{found.suffix}")
    shutil.copy(found, copied)
    yield copied
    copied.unlink(missing_ok=True)


@pytest.fixture
def synonyms(postgres: PostgresServer) -> Iterator[Path]:
    yield from _copy_of_own(postgres, "SHAREDIR", "tsearch_data/synonym_sample.syn")


@pytest.fixture
def library(postgres: PostgresServer) -> Iterator[Path]:
    yield from _copy_of_own(postgres, "PKGLIBDIR", "utf8_and_win.so")


def test_files_of_the_server_that_are_missing(
    dumper: Dumper, s3: S3Server, bucket: str, world: World, synonyms: Path, library: Path
) -> None:
    world.server.psql(
        "CREATE SCHEMA app; CREATE TEXT SEARCH DICTIONARY app.words "
        f"(TEMPLATE = synonym, SYNONYMS = '{synonyms.stem}');"
        "CREATE TEXT SEARCH DICTIONARY stems (TEMPLATE = snowball, LANGUAGE = english, "
        "STOPWORDS = english); CREATE EXTENSION vector;"
        "CREATE FUNCTION mine(integer, integer, cstring, internal, integer, boolean) "
        f"RETURNS integer LANGUAGE c STRICT AS '$libdir/{library.stem}', 'utf8_to_win'",
        world.name,
    )
    ended = dumper.run()
    assert notes(s3, bucket, ended)["restore-needs"].objects == [
        f"app.words: {synonyms.stem}",
        f"public.mine(integer,integer,cstring,internal,integer,boolean): $libdir/{library.stem}",
    ]
    assert notes(s3, bucket, dumper.run(KSNAPSHOT_EXCLUDE_SCHEMAS="app,public")) == {}
    [sql] = stored(s3, bucket, ended).values()
    kept = {path: path.read_bytes() for path in (synonyms, library)}
    for path, message in (
        (library, 'could not access file "…"'),
        (synonyms, 'could not open … file "…"'),
    ):
        path.unlink()
        world.stops(message, lambda: load(world.server, sql, world.copy))
        path.write_bytes(kept[path])
    load(world.server, sql, world.copy)


def test_a_database_that_is_not_empty(world: World) -> None:
    world.server.psql("CREATE TABLE t ()", world.name)
    sql = world.dump({})
    world.server.psql("CREATE TABLE t ()", world.copy)
    world.stops('relation "…" already exists', lambda: load(world.server, sql, world.copy))
    new = world.server.create_database(f"{world.copy}_new")
    load(world.server, sql, new)
    world.server.run("dropdb", new)


def test_a_schema_that_is_missing(world: World) -> None:
    world.server.psql("CREATE SCHEMA app; CREATE TABLE app.t AS SELECT 7 AS i", world.name)
    sql = world.dump({"KSNAPSHOT_TABLES": "app.t"})
    world.stops('schema "…" does not exist', lambda: load(world.server, sql, world.copy))
    world.server.psql("CREATE SCHEMA app", world.copy)
    load(world.server, sql, world.copy)


@pytest.mark.parametrize(
    ("message", "made", "uses"),
    [
        (
            'type "…" does not exist',
            "CREATE TYPE lib.mood AS ENUM ('glad')",
            "m lib.mood",
        ),
        (
            'relation "…" does not exist',
            "CREATE TABLE lib.country (i int PRIMARY KEY)",
            "m int REFERENCES lib.country",
        ),
        (
            "function … does not exist",
            "CREATE FUNCTION lib.f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'",
            "m int CHECK (lib.f(1) = 1)",
        ),
    ],
)
def test_what_was_needed_and_not_chosen(world: World, message: str, made: str, uses: str) -> None:
    needed = f"CREATE SCHEMA lib; {made};"
    world.server.psql(f"{needed} CREATE TABLE t ({uses})", world.name)
    sql = world.dump({"KSNAPSHOT_TABLES": "t"})
    world.server.psql("CREATE SCHEMA lib", world.copy)
    world.stops(message, lambda: load(world.server, sql, world.copy))
    world.server.psql(f"DROP SCHEMA lib; {needed}", world.copy)
    load(world.server, sql, world.copy)


def test_a_database_that_is_read_only(world: World) -> None:
    world.server.psql("CREATE TABLE t ()", world.name)
    sql = world.dump({})
    world.server.psql(f"ALTER DATABASE {world.copy} SET default_transaction_read_only TO on")
    world.stops(
        "cannot execute … in a read-only transaction", lambda: load(world.server, sql, world.copy)
    )
    writing = {"PGOPTIONS": "-c default_transaction_read_only=off"}
    assert "PGOPTIONS='-c default_transaction_read_only=off'" in _POSTGRESQL
    world.server.run("psql", *STRICT, database=world.copy, stdin=as_one(sql), env=writing)


@pytest.mark.parametrize(
    ("message", "made"),
    [
        ('must be able to SET ROLE "…"', "CREATE TABLE t ()"),
        (
            "permission denied to create event trigger",
            (
                "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
                "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()"
            ),
        ),
        (
            "must be superuser to create FOR ALL TABLES publication",
            "CREATE PUBLICATION p FOR ALL TABLES",
        ),
    ],
)
def test_a_load_without_enough_rights(world: World, role: str, message: str, made: str) -> None:
    world.server.psql(made, world.name)
    options = "" if "SET ROLE" in message else "--no-owner"
    sql = world.dump({"PG_DUMP_OPTIONS": options})
    world.server.psql(f"ALTER DATABASE {world.copy} OWNER TO {role}")
    as_role = {"PGUSER": role, "PGPASSWORD": LOGIN}
    world.stops(
        message,
        lambda: world.server.run(
            "psql", *STRICT, database=world.copy, stdin=as_one(sql), env=as_role
        ),
    )
    load(world.server, sql, world.copy)


def test_a_tablespace_that_is_missing(world: World) -> None:
    inside = "SET allow_in_place_tablespaces = on; CREATE TABLESPACE {} LOCATION ''"
    place = f"fast_{world.name}"
    world.server.psql(inside.format(place))
    world.server.psql(f"CREATE TABLE t (i int) TABLESPACE {place}", world.name)
    sql = world.dump({})
    world.server.psql("ALTER TABLE t SET TABLESPACE pg_default", world.name)
    world.server.psql(f"DROP TABLESPACE {place}")
    message = 'invalid value for parameter "default_tablespace": "…"'
    world.stops(message, lambda: load(world.server, sql, world.copy))
    world.server.psql(inside.format(place))
    load(world.server, sql, world.copy)
    world.server.psql("DROP TABLE t", world.copy)
    world.server.psql(f"DROP TABLESPACE {place}")


def test_an_encoding_without_some_of_the_letters(world: World) -> None:
    world.server.psql("CREATE TABLE t AS SELECT 'Ω' AS x", world.name)
    sql = world.dump({})
    narrow = f"{world.copy}_narrow"
    world.server.psql(f"CREATE DATABASE {narrow} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    message = 'character with byte sequence … has no equivalent in encoding "…"'
    world.stops(message, lambda: load(world.server, sql, narrow))
    world.server.run("dropdb", narrow)
    load(world.server, sql, world.copy)


def test_a_server_that_is_older(world: World) -> None:
    world.server.psql("CREATE TABLE t ()", world.name)
    sql = world.dump({})
    target = world.other.create_database(f"older_{world.name}")
    message = 'unrecognized configuration parameter "transaction_timeout"'
    world.stops(message, lambda: load(world.other, sql, target))
    load(world.server, sql, world.copy)


def test_a_check_that_reads_another_table(world: World) -> None:
    world.server.psql(
        "CREATE TABLE rates (v int); INSERT INTO rates VALUES (7);"
        "CREATE FUNCTION rate() RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM public.rates';"
        # NULL would satisfy a check.
        "CREATE TABLE a (v int CHECK (coalesce(v < rate(), false))); INSERT INTO a VALUES (1)",
        world.name,
    )
    message = 'new row for relation "…" violates check constraint'
    sql = world.dump({})
    world.stops(message, lambda: load(world.server, sql, world.copy))
    world.server.run("psql", "--no-psqlrc", "--quiet", database=world.copy, stdin=sql.decode())
    cut = r"/^COPY public\.a /,/^\\\.$/p"
    assert f"sed -n '{cut}'" in _POSTGRESQL
    rows = subprocess.run(["sed", "-n", cut], input=sql, capture_output=True, check=True).stdout
    load(world.server, rows, world.copy)
    assert world.server.psql("SELECT v FROM a", world.copy) == "1"


def test_rows_that_break_a_foreign_key(world: World) -> None:
    world.server.psql(
        "CREATE TABLE p (i int PRIMARY KEY); CREATE TABLE c (i int REFERENCES p);"
        "ALTER TABLE c DISABLE TRIGGER ALL; INSERT INTO c VALUES (7)",
        world.name,
    )
    sql = world.dump({})
    message = 'insert or update on table "…" violates foreign key constraint "…"'
    world.stops(message, lambda: load(world.server, sql, world.copy))
    # All but the key is there then.
    world.server.run("psql", "--no-psqlrc", "--quiet", database=world.copy, stdin=sql.decode())
    world.server.psql(
        "ALTER TABLE c ADD CONSTRAINT c_i_fkey FOREIGN KEY (i) REFERENCES p NOT VALID", world.copy
    )
    assert "NOT VALID" in _POSTGRESQL
    assert world.server.psql("SELECT i FROM c", world.copy) == "7"


def test_rows_that_a_unique_index_should_not_hold(world: World) -> None:
    world.server.psql(
        "CREATE TABLE t (i int); CREATE UNIQUE INDEX one ON t (i); INSERT INTO t VALUES (1);"
        # As an index that another C library sorts otherwise lets the second one in.
        "UPDATE pg_index SET indisready = false WHERE indexrelid = 'one'::regclass",
        world.name,
    )
    world.server.psql("INSERT INTO t VALUES (1)", world.name)
    world.server.psql(
        "UPDATE pg_index SET indisready = true WHERE indexrelid = 'one'::regclass", world.name
    )
    sql = world.dump({})
    message = 'could not create unique index "…"'
    world.stops(message, lambda: load(world.server, sql, world.copy))
    world.server.run("psql", "--no-psqlrc", "--quiet", database=world.copy, stdin=sql.decode())
    world.server.psql(
        "DELETE FROM t WHERE ctid <> (SELECT min(ctid) FROM t AS other WHERE other.i = t.i);"
        "CREATE UNIQUE INDEX one ON t (i)",
        world.copy,
    )
    assert world.server.psql("SELECT i FROM t", world.copy) == "1"


RATES = (
    "CREATE TABLE rates (k int PRIMARY KEY, v int); INSERT INTO rates VALUES (1, 7);"
    "CREATE FUNCTION rate(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS "
    "$$ BEGIN RETURN (SELECT v FROM rates WHERE k = x); END $$;"
)
CALLERS = {
    "matview": "CREATE MATERIALIZED VIEW m AS SELECT rate(1) AS r;",
    "nested": "CREATE VIEW v AS SELECT rate(1) AS r; CREATE MATERIALIZED VIEW m AS TABLE v;",
    "index": "CREATE TABLE t (a int); INSERT INTO t VALUES (1); CREATE INDEX ON t (rate(a));",
    "generated": "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (rate(a)) STORED);"
    "INSERT INTO t VALUES (1);",
    "check": "CREATE TABLE t (a int CHECK (rate(a) = 7)); INSERT INTO t VALUES (1);",
    "domain": "CREATE DOMAIN d AS int CHECK (rate(VALUE) = 7); CREATE TABLE t (a d);"
    "INSERT INTO t VALUES (1);",
    "bounds": "CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql IMMUTABLE AS "
    "'SELECT x * (SELECT 2 FROM rates WHERE k = 1)';"
    "CREATE TABLE t (a int) PARTITION BY RANGE (twice(a));"
    "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (9); INSERT INTO t VALUES (1);",
}


@pytest.mark.parametrize("kind", CALLERS)
def test_functions_that_rely_on_the_search_path_load(
    dumper: Dumper, s3: S3Server, bucket: str, sixteen: PostgresServer, kind: str
) -> None:
    """From 17 on the server itself refuses most of them; to 16 people have them."""
    name = sixteen.create_database(f"path_{kind}")
    sixteen.psql(RATES + CALLERS[kind], name)
    lead_to(dumper, sixteen)
    run = {"POSTGRESQL_DATABASE": name, "PATH": with_clients(dumper, 16, 18)}
    ended = dumper.run(**run)
    told = [line["note"] for line in ended.lines("note") if "search path" in line["note"]]
    assert len(told) == 1
    assert "rate(integer)" in told[0] or "twice(integer)" in told[0]
    [sql] = stored(s3, bucket, ended).values()
    load(sixteen, sql, sixteen.create_database(f"path_{kind}_copy"), major=16)
    # pg_restore sets its own empty path: the guide has what to do.
    custom = dumper.run(**run, KSNAPSHOT_FORMAT="custom")
    assert "pg_restore sets an empty one" in custom.log
    [data] = stored(s3, bucket, custom).values()
    target = sixteen.create_database(f"path_{kind}_custom")
    pg_restore = str(postgres_testbed.bin_folder(16) / "pg_restore")
    done = subprocess.run([pg_restore, "--file=-"], input=data, capture_output=True, check=True)
    with pytest.raises(RuntimeError, match=r'relation "rates" does not exist'):
        load(sixteen, done.stdout, target, major=16)
    cure = "s/^\\(SELECT pg_catalog.set_config('search_path', '\\)'/\\1public'/"
    assert f'sed "{cure}"' in _POSTGRESQL
    changed = subprocess.run(["sed", cure], input=done.stdout, capture_output=True, check=True)
    load(sixteen, changed.stdout, target, major=16)
    # The command needs no cure, nor the clients of the server's own version.
    [item] = manifest(s3, bucket, custom)["objects"]
    restored = sixteen.create_database(f"path_{kind}_restored")
    dump = piece(data, CUSTOM_ENDING, metadata=item["metadata"])
    ENGINE.restore(connection(sixteen, restored), [dump], Interrupt())
    assert sixteen.psql("SELECT v FROM rates", restored) == sixteen.psql(
        "SELECT v FROM rates", name
    )


def test_functions_that_name_everything_leave_the_dump_as_it_is(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str
) -> None:
    postgres.psql(
        "CREATE TABLE rates (v int);"
        "CREATE FUNCTION full_name(x int) RETURNS int LANGUAGE sql IMMUTABLE AS "
        "'SELECT v FROM public.rates';"
        "CREATE FUNCTION pinned(x int) RETURNS int LANGUAGE sql IMMUTABLE SET search_path = public "
        "AS 'SELECT v FROM rates';"
        "CREATE FUNCTION parsed(x int) RETURNS int LANGUAGE sql IMMUTABLE "
        "RETURN (SELECT v FROM rates);"
        "CREATE FUNCTION plain(x text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(x)';"
        "CREATE TABLE t (a int, b text, c int GENERATED ALWAYS AS (full_name(a) + pinned(a)) "
        "STORED, d int GENERATED ALWAYS AS (parsed(a)) STORED, "
        "e text GENERATED ALWAYS AS (plain(b)) STORED)",
        database,
    )
    ended = dumper.run()
    assert notes(s3, bucket, ended) == {}
    [sql] = stored(s3, bucket, ended).values()
    assert b"set_config('search_path', '', false)" in sql


def test_a_newer_server_looks_for_names_in_pg_catalog_only(
    dumper: Dumper, s3: S3Server, bucket: str, sixteen: PostgresServer, world: World
) -> None:
    name = sixteen.create_database("path_newer")
    sixteen.psql(RATES + CALLERS["matview"] + CALLERS["index"], name)
    lead_to(dumper, sixteen)
    run = {"POSTGRESQL_DATABASE": name, "PATH": with_clients(dumper, 16, 18)}
    sql = world.dump(run)
    world.stops('relation "…" does not exist', lambda: load(world.server, sql, world.copy))
    cure = "ALTER FUNCTION {} SET search_path = public"
    assert cure.format("NAME(ARGUMENTS)") in _POSTGRESQL
    sixteen.psql(cure.format("rate(int)"), name)
    load(world.server, world.dump(run), world.copy)
    assert world.server.psql("SELECT r FROM m", world.copy) == "7"


def test_every_row_of_the_guide_was_tried() -> None:
    """The tests before have seen each message, unless only some of them ran."""
    if len(SEEN) < len(_MESSAGES) // 2:
        pytest.skip("not all tests of this module ran")
    assert set(SEEN) == set(_MESSAGES) - _UNTESTED
