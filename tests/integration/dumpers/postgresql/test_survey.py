"""What pg_dump leaves out, hides or alters without a word is a note, and what it takes is none."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dumpers.runtime.errors import ExitCode
from tests.integration.dumpers.postgresql.worlds import (
    LOGIN,
    RICH,
    lead_to,
    load,
    manifest,
    notes,
    stored,
)
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper
from tests.testbed.stores.s3 import S3Server


@contextmanager
def account(server: PostgresServer, database: str, grants: str = "") -> Iterator[dict[str, str]]:
    """Variables of a login without more rights than `grants`, SQL with {role} for its name."""
    role = f"role_{database}"
    server.psql(f"CREATE ROLE {role} LOGIN PASSWORD '{LOGIN}'")
    try:
        server.psql(grants.replace("{role}", role), database)
        yield {"POSTGRESQL_USERNAME": role, "POSTGRESQL_PASSWORD": LOGIN}
    finally:
        server.psql(f"REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}", database)
        server.psql(f"DROP ROLE {role}")


@contextmanager
def holding(server: PostgresServer, database: str, statement: str) -> Iterator[None]:
    """A session in a transaction that has made a statement and goes on."""
    session = subprocess.Popen(
        [postgres_testbed.client("psql"), "--no-psqlrc", "--quiet", "-At", database],
        env={**os.environ, **server.env(database), "PGAPPNAME": "migration"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert session.stdin is not None
    assert session.stdout is not None
    session.stdin.write(f"BEGIN; {statement}; SELECT 'held';\n")
    session.stdin.flush()
    assert session.stdout.readline() == "held\n"
    try:
        yield
    finally:
        session.kill()
        session.wait()
        session.stdin.close()
        session.stdout.close()


def test_rows_of_foreign_tables(
    dumper: Dumper, s3: S3Server, bucket: str, thirteen: PostgresServer
) -> None:
    name = thirteen.create_database("foreign_tables")
    lead_to(dumper, thirteen)
    connect = f"host '127.0.0.1', port '{thirteen.port}', dbname 'foreign_tables'"
    thirteen.psql(
        "CREATE EXTENSION postgres_fdw; CREATE EXTENSION file_fdw;"
        "CREATE SCHEMA app; CREATE TABLE app.real AS SELECT 7 AS i;"
        "CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;"
        f"CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS ({connect});"
        f"CREATE USER MAPPING FOR postgres SERVER loop OPTIONS (user 'postgres', password "
        f"'{thirteen.password}');"
        "CREATE FOREIGN TABLE app.ledger (i int) SERVER loop OPTIONS (table_name 'real');"
        "CREATE FOREIGN TABLE passwd (line text) SERVER files OPTIONS (filename '/etc/passwd');"
        "CREATE TABLE parts (i int) PARTITION BY RANGE (i);"
        "CREATE FOREIGN TABLE cold PARTITION OF parts DEFAULT SERVER files OPTIONS (filename '/x')",
        name,
    )
    run = {"POSTGRESQL_DATABASE": name}
    found = notes(s3, bucket, dumper.run(**run))
    assert found["foreign-tables"].objects == ["app.ledger", "public.cold", "public.passwd"]
    asked = notes(s3, bucket, dumper.run(**run, PG_DUMP_OPTIONS="--include-foreign-data=loop"))
    assert asked["foreign-tables"].objects == ["public.cold", "public.passwd"]
    left_out = dumper.run(**run, KSNAPSHOT_EXCLUDE_TABLES="app.ledger,passwd,parts")
    assert "foreign-tables" not in notes(s3, bucket, left_out)
    chosen = notes(s3, bucket, dumper.run(**run, KSNAPSHOT_SCHEMAS="app"))
    assert chosen["foreign-tables"].objects == ["app.ledger"]
    assert chosen["not-chosen"].objects == ["server loop"]
    definitions = dumper.run(**run, PG_DUMP_OPTIONS="--schema-only")
    assert "foreign-tables" not in notes(s3, bucket, definitions)
    with account(
        thirteen,
        name,
        "GRANT USAGE ON SCHEMA app TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA "
        "app, public TO {role}",
    ) as login:
        hidden = notes(s3, bucket, dumper.run(**run, **login))
    assert hidden["secrets-hidden"].objects == ["loop for postgres"]


@pytest.fixture(scope="module")
def standby() -> Iterator[PostgresServer]:
    """A hot standby of a server with an unlogged table."""
    primary = postgres_testbed.start()
    try:
        shop = primary.create_database("shop")
        primary.psql(
            "CREATE TABLE orders AS SELECT g AS id FROM generate_series(1, 100) g;"
            "CREATE UNLOGGED TABLE sessions AS SELECT g AS id FROM generate_series(1, 50) g;"
            "CREATE UNLOGGED TABLE ids (id int GENERATED ALWAYS AS IDENTITY);"
            "CREATE UNLOGGED TABLE tokens (id bigserial)",
            shop,
        )
        with postgres_testbed.start_standby(primary) as server:
            yield server
    finally:
        primary.stop()


def test_a_standby_is_told_with_what_it_lacks(
    dumper: Dumper, s3: S3Server, bucket: str, standby: PostgresServer
) -> None:
    lead_to(dumper, standby)
    ended = dumper.run(POSTGRESQL_DATABASE="shop", KSNAPSHOT_ACCEPT="standby")
    found = notes(s3, bucket, ended)
    assert found["standby"].accepted
    assert "dumped from a standby: " in found["standby"].text
    assert found["unlogged-tables"].objects == [
        "public.ids",
        "public.ids_id_seq",
        "public.sessions",
        "public.tokens",
        "public.tokens_id_seq",
    ]
    assert ended.result.notes == ("unlogged-tables",)
    [sql] = stored(s3, bucket, ended).values()
    assert b"COPY public.orders" in sql
    assert b"COPY public.sessions" not in sql
    left_out = {"KSNAPSHOT_EXCLUDE_TABLES": "sessions,tokens,ids"}
    found = notes(s3, bucket, dumper.run(POSTGRESQL_DATABASE="shop", **left_out))
    # pg_dump takes a sequence without the table that owns it, unless it is the table's identity.
    assert found["unlogged-tables"].objects == ["public.tokens_id_seq"]


def test_row_security(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str
) -> None:
    postgres.psql(
        "CREATE TABLE tenants (who text); INSERT INTO tenants VALUES ('mine'), ('other');"
        "ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON tenants USING (who = 'mine'); CREATE TABLE plain (i int)",
        database,
    )
    enabled = "--enable-row-security"
    with account(
        postgres, database, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
    ) as login:
        refused = dumper.run(**login)
        ended = dumper.run(**login, PG_DUMP_OPTIONS=enabled)
        # Pods of their own, as dumps of one second and pod have the same name.
        as_role = dumper.run(
            PG_DUMP_OPTIONS=f"{enabled} --role={login['POSTGRESQL_USERNAME']}", HOSTNAME="role"
        )
        left_out = dumper.run(
            **login,
            PG_DUMP_OPTIONS=enabled,
            KSNAPSHOT_EXCLUDE_TABLES="tenants",
            HOSTNAME="left-out",
        )
    assert refused.exit_code == ExitCode.SOURCE_REFUSED
    assert "BYPASSRLS" in refused.result.message
    for partial in (ended, as_role):
        assert notes(s3, bucket, partial)["row-security"].objects == ["public.tenants"]
        [sql] = stored(s3, bucket, partial).values()
        assert b"\nmine\n" in sql
        assert b"\nother\n" not in sql
    assert notes(s3, bucket, left_out) == {}
    assert notes(s3, bucket, dumper.run(PG_DUMP_OPTIONS=enabled)) == {}


def test_what_no_dump_takes(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str, copy: str
) -> None:
    postgres.psql(
        "CREATE EXTENSION vector; CREATE TABLE settings AS SELECT 1 AS i;"
        "ALTER EXTENSION vector ADD TABLE settings;"
        "CREATE TABLE twice (i int); INSERT INTO twice VALUES (1), (1)",
        database,
    )
    with pytest.raises(RuntimeError, match="could not create unique index"):
        postgres.psql("CREATE UNIQUE INDEX CONCURRENTLY half ON twice (i)", database)
    for made in (
        "CREATE FUNCTION pg_catalog.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TYPE pg_catalog.mood AS ENUM ('glad')",
        "CREATE TABLE information_schema.own AS SELECT 1 AS i",
        "CREATE TABLE pg_catalog.dist AS SELECT 1 AS i",
        "ALTER EXTENSION vector ADD TABLE pg_catalog.dist",
    ):
        postgres.run(
            "psql",
            *("--no-psqlrc", "--quiet", f"--command={made}"),
            database=database,
            env={"PGOPTIONS": "-c allow_system_table_mods=on"},
        )
    postgres.psql(
        "CREATE SUBSCRIPTION feed CONNECTION 'host=127.0.0.1 port=9' PUBLICATION p "
        "WITH (connect = false, slot_name = none)",
        database,
    )
    try:
        ended = dumper.run()
        found = notes(s3, bucket, ended)
        assert found["restore-needs"].objects == ["feed"]
        told = [line["note"] for line in ended.lines("note") if line["code"] == "not-dumped"]
        assert [text.rpartition(": ")[2] for text in told] == [
            "pg_catalog.dist, public.settings",
            "public.half",
            "information_schema.own, mine(), pg_catalog.mood",
        ]
        [sql] = stored(s3, bucket, ended).values()
        assert b"half" not in sql
        load(postgres, sql, copy)
        with account(postgres, database, "GRANT pg_read_all_data TO {role}") as login:
            hidden = dumper.run(**login)
        found = notes(s3, bucket, hidden)
        assert found["unreadable"].objects == ["feed"]
        assert "subscriptions not dumped" in found["tool-warning"].text
        assert "tool-warning" in hidden.result.notes
        rest = dumper.run(KSNAPSHOT_TABLES="twice")
        assert notes(s3, bucket, rest)["not-dumped"].objects == ["public.half"]
    finally:
        postgres.psql(
            "ALTER SUBSCRIPTION feed DISABLE; ALTER SUBSCRIPTION feed SET "
            "(slot_name = NONE); DROP SUBSCRIPTION feed",
            database,
        )
        copied = postgres.psql("SELECT count(*) FROM pg_subscription WHERE subname = 'feed'", copy)
        if copied != "0":
            postgres.psql(
                "ALTER SUBSCRIPTION feed SET (slot_name = NONE);DROP SUBSCRIPTION feed", copy
            )


def test_foreign_keys_that_nobody_checks(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str
) -> None:
    postgres.psql(
        "CREATE TABLE p (i int PRIMARY KEY); CREATE TABLE c (i int REFERENCES p);"
        "CREATE TABLE parts (i int REFERENCES p) PARTITION BY LIST (i);"
        "CREATE TABLE part PARTITION OF parts DEFAULT; CREATE TABLE fine (i int REFERENCES p);"
        "ALTER TABLE c DISABLE TRIGGER ALL; ALTER TABLE part DISABLE TRIGGER ALL",
        database,
    )
    found = notes(s3, bucket, dumper.run())
    assert found["restore-needs"].objects == ["public.c.c_i_fkey", "public.part.parts_i_fkey"]
    left_out = dumper.run(KSNAPSHOT_EXCLUDE_TABLES="c,parts")
    assert notes(s3, bucket, left_out) == {}


def test_a_server_that_passes_over_damaged_pages(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str
) -> None:
    postgres.psql(
        f"CREATE TABLE t AS SELECT 1 AS i; ALTER DATABASE {database} SET zero_damaged_pages TO on",
        database,
    )
    found = notes(s3, bucket, dumper.run())
    assert found["not-dumped"].objects == ["zero_damaged_pages"]


def test_tables_that_a_subscription_fills(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str
) -> None:
    postgres.psql("CREATE TABLE whole (i int); CREATE TABLE half (i int)", database)
    postgres.psql(
        "CREATE SUBSCRIPTION shop CONNECTION 'host=127.0.0.1 port=9' PUBLICATION p "
        "WITH (connect = false, slot_name = none)",
        database,
    )
    try:
        # As the server itself notes how far the first copy of each has come.
        postgres.psql(
            "INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) "
            "SELECT oid, 'whole'::regclass, 'r' FROM pg_subscription WHERE subname = 'shop' "
            "UNION ALL SELECT oid, 'half'::regclass, 'd' FROM pg_subscription "
            "WHERE subname = 'shop'",
            database,
        )
        ended = dumper.run()
    finally:
        postgres.psql("DROP SUBSCRIPTION shop", database)
    told = [line["note"] for line in ended.lines("note") if line["code"] == "standby"]
    assert [text.rpartition(": ")[2] for text in told] == [
        "public.half, public.whole",
        "public.half",
    ]


def test_prepared_transactions(
    dumper: Dumper, s3: S3Server, bucket: str, thirteen: PostgresServer
) -> None:
    name = thirteen.create_database("prepared")
    lead_to(dumper, thirteen)
    thirteen.psql("CREATE TABLE t (i int)", name)
    thirteen.psql("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'transfer 7'", name)
    try:
        ended = dumper.run(POSTGRESQL_DATABASE=name)
    finally:
        thirteen.psql("ROLLBACK PREPARED 'transfer 7'", name)
    assert notes(s3, bucket, ended)["not-dumped"].objects == ["transfer 7"]


def test_a_whole_dump_has_one_note_on_what_is_computed_anew(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str
) -> None:
    postgres.psql(f"{RICH}; CREATE MATERIALIZED VIEW idle AS SELECT 1 WITH NO DATA", database)
    ended = dumper.run()
    found = notes(s3, bucket, ended)
    assert found.keys() == {"restore-needs"}
    assert found["restore-needs"].objects == ["public.loud"]
    [item] = manifest(s3, bucket, ended)["objects"]
    assert item["metadata"]["encoding"] == "UTF8"
    assert item["metadata"]["extensions"] == {"plpgsql": "1.0"}


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_a_table_that_somebody_holds_locked(
    dumper: Dumper, postgres: PostgresServer, database: str, form: str
) -> None:
    postgres.psql("CREATE TABLE busy (a int); CREATE TABLE free (a int)", database)
    quick = {"PG_DUMP_OPTIONS": "--lock-wait-timeout=200", "KSNAPSHOT_FORMAT": form}
    with holding(postgres, database, "LOCK TABLE busy"):
        ended = dumper.run(**quick)
        by_deadline = dumper.run(KSNAPSHOT_DEADLINE_SECONDS="44", KSNAPSHOT_FORMAT=form)
        left_out = dumper.run(KSNAPSHOT_EXCLUDE_TABLES="busy", **quick)
    for failed in (ended, by_deadline):
        assert failed.exit_code == ExitCode.SOURCE_FAILED
        message = failed.result.message
        assert "public.busy is locked by pid " in message
        assert "user postgres, application migration" in message
        assert " since 20" in message
        assert "pg_terminate_backend" in message
    assert left_out.exit_code == ExitCode.DONE, left_out.log


def test_every_database_but_those_that_are_closed(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str, copy: str
) -> None:
    template, shut = f"{database}_template", f"{database}_shut"
    for name in (template, shut):
        postgres.create_database(name)
    try:
        postgres.psql(
            f"ALTER DATABASE {template} IS_TEMPLATE true;"
            f"ALTER DATABASE {shut} ALLOW_CONNECTIONS false;"
            f"REVOKE CONNECT ON DATABASE {copy} FROM PUBLIC"
        )
        with account(postgres, database) as login:
            ended = dumper.run(KSNAPSHOT_DATABASES="*", **login)
            named = dumper.run(KSNAPSHOT_DATABASES=f"{database},{copy}", **login)
            also_shut = dumper.run(KSNAPSHOT_DATABASES=f"{database},{shut}")
    finally:
        postgres.psql(f"ALTER DATABASE {template} IS_TEMPLATE false")
        for name in (template, shut):
            postgres.run("dropdb", name)
    assert notes(s3, bucket, ended)["unreadable"].objects == [copy, shut]
    objects = manifest(s3, bucket, ended)["objects"]
    names = [item["name"] for item in objects]
    assert database in names
    assert template in names
    for refused in (named, also_shut):
        assert refused.exit_code == ExitCode.SOURCE_REFUSED


def test_every_database_but_those_that_the_server_cannot_open(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str, copy: str
) -> None:
    postgres.psql(f"ALTER DATABASE {copy} SET session_preload_libraries TO 'gone_with_the_image'")
    strange = postgres.create_database(f"{database}_strange")
    postgres.psql(
        f"UPDATE pg_database SET datcollate = 'xx_XX', datctype = 'xx_XX' "
        f"WHERE datname = '{strange}'"
    )
    try:
        ended = dumper.run(KSNAPSHOT_DATABASES="*")
        named = dumper.run(KSNAPSHOT_DATABASES=f"{database},{copy}")
    finally:
        postgres.run("dropdb", strange)
    found = notes(s3, bucket, ended)["unreadable"]
    assert found.objects == [copy, strange]
    assert "gone_with_the_image" in found.text
    assert database in [item["name"] for item in manifest(s3, bucket, ended)["objects"]]
    assert named.exit_code != ExitCode.DONE
    assert "gone_with_the_image" in named.result.message


def test_what_is_in_the_template_of_new_databases(
    dumper: Dumper, s3: S3Server, bucket: str, sixteen: PostgresServer
) -> None:
    lead_to(dumper, sixteen)
    every = {"POSTGRESQL_DATABASE": "postgres", "KSNAPSHOT_DATABASES": "*"}
    assert "not-dumped" not in notes(s3, bucket, dumper.run(**every))
    sixteen.psql(
        "CREATE FUNCTION of_the_house() RETURNS int LANGUAGE sql AS 'SELECT 1'", "template1"
    )
    try:
        found = notes(s3, bucket, dumper.run(**every))
        assert found["not-dumped"].objects == ["template1"]
        asked = dumper.run(POSTGRESQL_DATABASE="postgres", KSNAPSHOT_DATABASES="postgres,template1")
        assert "not-dumped" not in notes(s3, bucket, asked)
    finally:
        sixteen.psql("DROP FUNCTION of_the_house()", "template1")


def test_a_database_that_pg_hba_closes(
    dumper: Dumper, s3: S3Server, bucket: str, sixteen: PostgresServer
) -> None:
    sixteen.create_database("rdsadmin")
    rules = sixteen.data / "pg_hba.conf"
    before = rules.read_text()
    lead_to(dumper, sixteen)
    try:
        rules.write_text(f"host rdsadmin all 127.0.0.1/32 reject\n{before}")
        sixteen.psql("SELECT pg_reload_conf()")
        ended = dumper.run(POSTGRESQL_DATABASE="postgres", KSNAPSHOT_DATABASES="*")
        named = dumper.run(POSTGRESQL_DATABASE="postgres", KSNAPSHOT_DATABASES="rdsadmin")
    finally:
        rules.write_text(before)
        sixteen.psql("SELECT pg_reload_conf()")
    assert notes(s3, bucket, ended)["unreadable"].objects == ["rdsadmin"]
    assert named.exit_code == ExitCode.SOURCE_REFUSED


@pytest.mark.parametrize(
    ("end", "said"), [("\n", "line end"), ("\r\n", "line end"), (" ", "a blank")]
)
def test_a_password_with_something_behind_it(dumper: Dumper, end: str, said: str) -> None:
    ended = dumper.run(POSTGRESQL_PASSWORD=dumper.env["POSTGRESQL_PASSWORD"] + end)
    assert ended.exit_code == ExitCode.SOURCE_REFUSED
    assert said in ended.result.message
    wrong = dumper.run(POSTGRESQL_PASSWORD="wrong")
    assert said not in wrong.result.message


def test_rights_that_are_missing_are_named_with_their_cure(
    dumper: Dumper, postgres: PostgresServer, database: str
) -> None:
    postgres.psql(
        "CREATE TABLE open (a int); CREATE TABLE secret (a int); CREATE SCHEMA app;"
        "CREATE TABLE app.t (a int); SELECT lo_from_bytea(0, 'x'); CREATE SEQUENCE ids",
        database,
    )
    with account(postgres, database, "GRANT SELECT ON open TO {role}") as login:
        sequence = dumper.run(**login, KSNAPSHOT_TABLES="open,ids")
        table = dumper.run(**login, KSNAPSHOT_EXCLUDE_SCHEMAS="app", KSNAPSHOT_EXCLUDE_TABLES="ids")
        schema = dumper.run(**login, KSNAPSHOT_EXCLUDE_TABLES="secret,ids")
        large = dumper.run(
            **login, KSNAPSHOT_EXCLUDE_TABLES="secret,ids", KSNAPSHOT_EXCLUDE_SCHEMAS="app"
        )
        chosen = dumper.run(**login, KSNAPSHOT_TABLES="open")
    for ended, said in (
        (sequence, "permission denied for sequence 'public.ids'"),
        (table, "permission denied for table secret"),
        (schema, "permission denied for schema app"),
        (large, "permission denied for large object"),
    ):
        assert ended.exit_code == ExitCode.SOURCE_REFUSED
        assert said in ended.result.message
        assert "grant" in ended.result.message
    assert chosen.exit_code == ExitCode.DONE, chosen.log
