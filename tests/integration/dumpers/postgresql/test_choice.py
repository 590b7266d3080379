"""Tables and schemas that are chosen or left out: what they mean, and what they need besides."""

import pytest

from dumpers.runtime.errors import ExitCode
from tests.integration.dumpers.postgresql.worlds import (
    lead_to,
    load,
    notes,
    stored,
    with_clients,
)
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper
from tests.testbed.stores.s3 import S3Server

PARTED = """
CREATE TABLE orders (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE orders_2025 PARTITION OF orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE orders_2026 PARTITION OF orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
  PARTITION BY LIST (id);
CREATE TABLE "Orders 2026 ""x""|y" PARTITION OF orders_2026 DEFAULT;
INSERT INTO orders SELECT g, date '2025-06-01' + g FROM generate_series(1, 500) g;
CREATE TABLE logs (id int); CREATE TABLE logs_old () INHERITS (logs);
INSERT INTO logs VALUES (1); INSERT INTO logs_old VALUES (2);
CREATE TABLE other (a int);
"""


def clients(dumper: Dumper, tool: str) -> str:
    """PATH with the clients of one major version only, or Debian's: 15 in bookworm.

    Those of before 16 know no option for a table's children.
    """
    if tool == "debian":
        return f"{postgres_testbed.debian_bin_folder()}:/usr/bin:/bin"
    return with_clients(dumper, int(tool))


@pytest.mark.parametrize("tool", ["debian", "16", "18"])
def test_children_belong_to_the_table_that_is_asked_for(
    dumper: Dumper, s3: S3Server, bucket: str, thirteen: PostgresServer, tool: str
) -> None:
    name = thirteen.create_database(f"children_{tool}")
    target = thirteen.create_database(f"children_{tool}_copy")
    thirteen.psql(PARTED, name)
    lead_to(dumper, thirteen)
    path = clients(dumper, tool)
    ended = dumper.run(POSTGRESQL_DATABASE=name, KSNAPSHOT_TABLES="orders,log?", PATH=path)
    assert notes(s3, bucket, ended) == {}
    [sql] = stored(s3, bucket, ended).values()
    load(thirteen, sql, target)
    assert thirteen.psql("SELECT count(*) FROM orders", target) == "500"
    assert thirteen.psql("SELECT count(*) FROM logs", target) == "2"
    assert thirteen.psql("SELECT to_regclass('other') IS NULL", target) == "t"

    left_out = dumper.run(POSTGRESQL_DATABASE=name, KSNAPSHOT_EXCLUDE_TABLES="orders", PATH=path)
    [sql] = stored(s3, bucket, left_out).values()
    assert notes(s3, bucket, left_out) == {}
    assert b"orders" not in sql.lower()
    load(thirteen, sql, thirteen.create_database(f"children_{tool}_rest"))


def test_one_partition_alone_needs_its_table(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str, copy: str
) -> None:
    postgres.psql(PARTED, database)
    ended = dumper.run(KSNAPSHOT_TABLES="orders_2025")
    assert notes(s3, bucket, ended)["not-chosen"].objects == ["table public.orders"]
    [sql] = stored(s3, bucket, ended).values()
    with pytest.raises(RuntimeError, match=r'relation "public\.orders" does not exist'):
        load(postgres, sql, copy)
    postgres.psql("CREATE TABLE orders (id int, day date) PARTITION BY RANGE (day)", copy)
    load(postgres, sql, copy)
    assert postgres.psql("SELECT count(*) FROM orders", copy) == "213"


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"PG_DUMP_OPTIONS": "--table=orders"}, {"orders_2025", "orders_2026"}),
        ({"KSNAPSHOT_SCHEMAS": "app"}, {"orders_old"}),
        ({"KSNAPSHOT_EXCLUDE_TABLES": "app.orders_2026"}, set()),
        ({"PG_DUMP_OPTIONS": "--table-and-children=orders"}, set()),
    ],
)
def test_rows_of_partitions_that_are_left_out_unasked_are_told(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    postgres: PostgresServer,
    database: str,
    changes: dict[str, str],
    lost: set[str],
) -> None:
    postgres.psql(
        f"CREATE SCHEMA app; CREATE SCHEMA archive; SET search_path = app; {PARTED}"
        "CREATE TABLE archive.orders_old PARTITION OF orders FOR VALUES FROM ('2001-01-01') TO "
        "('2025-01-01');"
        f"ALTER DATABASE {database} SET search_path = app",
        database,
    )
    found = notes(s3, bucket, dumper.run(**changes))
    objects = found["not-chosen"].objects if lost else []
    told = {name.rpartition(".")[2] for name in objects} & {
        *("orders_2025", "orders_2026", "orders_old")
    }
    assert told == lost or told == lost | {"orders_old"}


def test_names_mean_what_pg_dump_takes_them_for(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str
) -> None:
    odd = ['"a.b"', '"A"', '"x*y"', '"q?"', '"s ""q"', '"d$1"', '"-n"', '"(p|q)"', '"ü[]"']
    postgres.psql("".join(f"CREATE TABLE {name} (i int);" for name in odd), database)
    postgres.psql(
        'CREATE TABLE xay (i int); CREATE TABLE a (i int); CREATE SCHEMA "S.1";'
        'CREATE TABLE "S.1".t (i int); CREATE TABLE p (i int)',
        database,
    )

    def tables(asked: str, **changes: str) -> set[str]:
        ended = dumper.run(KSNAPSHOT_TABLES=asked, **changes)
        assert "nothing-matched" not in notes(s3, bucket, ended)
        [sql] = stored(s3, bucket, ended).values()
        lines = (line for line in sql.decode().splitlines() if line.startswith("CREATE TABLE"))
        return {line.partition(" (")[0].removeprefix("CREATE TABLE ") for line in lines}

    for name in odd:
        assert tables(name) == {f"public.{name}"}, name
    assert tables("X*Y") == {'public."x*y"', "public.xay"}
    assert tables("A") == {"public.a"}
    assert tables('"S.1".*') == {'"S.1".t'}
    assert tables("(p|a)") == {"public.p", "public.a"}
    assert tables("a", PG_DUMP_OPTIONS="-t p") == {"public.a", "public.p"}


def test_a_name_that_fits_nothing_is_refused_and_a_pattern_noted(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str, copy: str
) -> None:
    postgres.psql("CREATE TABLE a (i int)", database)
    ended = dumper.run(KSNAPSHOT_TABLES="a,missing")
    assert ended.exit_code == ExitCode.SOURCE_REFUSED
    assert "'missing'" in ended.result.message
    ended = dumper.run(KSNAPSHOT_SCHEMAS="public,nowhere")
    assert ended.exit_code == ExitCode.SOURCE_REFUSED
    assert "'nowhere'" in ended.result.message
    ended = dumper.run(KSNAPSHOT_TABLES="a,miss*", KSNAPSHOT_EXCLUDE_TABLES="gone")
    assert notes(s3, bucket, ended)["nothing-matched"].objects == ["miss*", "gone"]


def test_tables_and_schemas_together_are_refused(dumper: Dumper) -> None:
    ended = dumper.run(KSNAPSHOT_TABLES="a", KSNAPSHOT_SCHEMAS="app")
    assert ended.exit_code == ExitCode.CONFIGURATION
    assert "pg_dump would dump the tables only" in ended.result.message


def test_schemas_left_out_of_chosen_tables_are_left_out(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str
) -> None:
    postgres.psql(
        "CREATE SCHEMA old; CREATE TABLE old.orders (i int); CREATE TABLE orders (i int)", database
    )
    ended = dumper.run(KSNAPSHOT_TABLES="*.orders", KSNAPSHOT_EXCLUDE_SCHEMAS="old")
    [sql] = stored(s3, bucket, ended).values()
    assert b"CREATE TABLE public.orders" in sql
    assert b"old.orders" not in sql


@pytest.mark.parametrize(
    "changes",
    [{"KSNAPSHOT_SCHEMAS": "app"}, {"KSNAPSHOT_TABLES": "app.docs"}],
)
def test_extensions_that_are_needed_come_along(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    postgres: PostgresServer,
    database: str,
    copy: str,
    changes: dict[str, str],
) -> None:
    postgres.psql(
        "CREATE SCHEMA ext; CREATE EXTENSION vector SCHEMA ext; CREATE SCHEMA app;"
        "CREATE TABLE app.docs (id int, places ext.vector(2)[]);"
        "INSERT INTO app.docs VALUES (1, ARRAY['[1,2]']::ext.vector[])",
        database,
    )
    ended = dumper.run(**changes)
    found = notes(s3, bucket, ended)
    needed = ["schema ext"] if "KSNAPSHOT_SCHEMAS" in changes else ["schema app", "schema ext"]
    assert found["not-chosen"].objects == needed
    [sql] = stored(s3, bucket, ended).values()
    with pytest.raises(RuntimeError, match=r'schema "(ext|app)" does not exist'):
        load(postgres, sql, copy)
    for schema in needed:
        postgres.psql(f"CREATE {schema}", copy)
    load(postgres, sql, copy)
    assert postgres.psql("SELECT places[1] FROM app.docs", copy) == "[1,2]"


def test_what_is_needed_and_not_chosen_is_named(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str
) -> None:
    postgres.psql(
        """
        CREATE SCHEMA app; CREATE SCHEMA lib;
        CREATE TYPE lib.mood AS ENUM ('glad'); CREATE DOMAIN lib.small AS int CHECK (VALUE < 9);
        CREATE FUNCTION lib.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE COLLATION lib.plain (locale = 'C');
        CREATE SEQUENCE lib.counter; CREATE TABLE lib.country (id int PRIMARY KEY);
        -- Nobody needs it: only the server's own cast to its multirange does.
        CREATE TYPE lib.span AS RANGE (subtype = int);
        CREATE TABLE lib.pair (a int, b int);
        CREATE TABLE app.people (id int DEFAULT nextval('lib.counter'), moods lib.mood[],
          small lib.small, name text COLLATE lib.plain, country int REFERENCES lib.country,
          pair lib.pair);
        CREATE TRIGGER touched BEFORE UPDATE ON app.people FOR EACH ROW
          EXECUTE FUNCTION lib.touch();
        CREATE VIEW app.seen AS SELECT p.id FROM app.people p JOIN lib.country c ON c.id = p.id;
        CREATE TABLE app.alone (id serial PRIMARY KEY, twice int GENERATED ALWAYS AS (2) STORED)
        """,
        database,
    )
    lib = {
        *("type lib.mood", "type lib.small", "function lib.touch()", "collation lib.plain"),
        *("sequence lib.counter", "table lib.country", "table lib.pair"),
    }
    by_schema = notes(s3, bucket, dumper.run(KSNAPSHOT_SCHEMAS="app"))["not-chosen"]
    assert set(by_schema.objects) == lib
    without = notes(s3, bucket, dumper.run(KSNAPSHOT_EXCLUDE_SCHEMAS="lib"))["not-chosen"]
    assert set(without.objects) == lib
    ended = dumper.run(KSNAPSHOT_TABLES="app.people")
    [sql] = stored(s3, bucket, ended).values()
    assert b"CREATE SEQUENCE lib.counter" in sql
    by_table = notes(s3, bucket, ended)["not-chosen"]
    assert set(by_table.objects) == lib - {"sequence lib.counter"} | {"schema app", "schema lib"}
    alone = notes(s3, bucket, dumper.run(KSNAPSHOT_TABLES="app.alone"))["not-chosen"]
    assert alone.objects == ["schema app"]
    whole = notes(s3, bucket, dumper.run(KSNAPSHOT_EXCLUDE_TABLES="app.people,app.seen"))
    assert whole == {}


@pytest.mark.parametrize("variable", ["KSNAPSHOT_TABLES", "KSNAPSHOT_SCHEMAS"])
def test_large_objects_come_along_where_a_chosen_column_may_name_them(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    postgres: PostgresServer,
    database: str,
    variable: str,
) -> None:
    postgres.psql(
        "CREATE SCHEMA app; CREATE DOMAIN app.lo AS oid; CREATE TABLE app.files (data app.lo);"
        "INSERT INTO app.files SELECT lo_from_bytea(0, 'precious'::bytea);"
        "CREATE SCHEMA b; CREATE TABLE b.plain (data text)",
        database,
    )
    names = {"KSNAPSHOT_TABLES": "{}.*", "KSNAPSHOT_SCHEMAS": "{}"}[variable]
    [sql] = stored(s3, bucket, dumper.run(**{variable: names.format("app")})).values()
    assert b"\\x" + b"precious".hex().encode() in sql
    ended = dumper.run(**{variable: names.format("b")})
    [sql] = stored(s3, bucket, ended).values()
    assert b"precious".hex().encode() not in sql
    assert "--blobs" in notes(s3, bucket, ended)["large-objects"].text
    asked = dumper.run(**{variable: names.format("b")}, PG_DUMP_OPTIONS="--blobs")
    [sql] = stored(s3, bucket, asked).values()
    assert b"precious".hex().encode() in sql
    assert "large-objects" not in notes(s3, bucket, asked)


def test_more_tables_than_a_function_has_arguments(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str
) -> None:
    names = [f"t{number}" for number in range(150)]
    postgres.psql("".join(f"CREATE TABLE {name} (i int);" for name in [*names, "other"]), database)
    ended = dumper.run(KSNAPSHOT_TABLES=",".join(names))
    assert notes(s3, bucket, ended) == {}
    [sql] = stored(s3, bucket, ended).values()
    assert sql.count(b"CREATE TABLE") == 150
