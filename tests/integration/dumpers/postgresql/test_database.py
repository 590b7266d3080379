"""What belongs to a database itself, and databases with strange names."""

import json
import secrets
from collections.abc import Iterator

import pytest

from dumpers.engines.postgresql.engine import ENGINE
from dumpers.runtime.errors import TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.postgresql.worlds import (
    connection,
    lead_to,
    load,
    manifest,
    notes,
    piece,
    stored,
)
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper
from tests.testbed.stores.s3 import S3Server

PROPERTIES = """
SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, datconnlimit,
  datistemplate, shobj_description(oid, 'pg_database'),
  (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a),
  (SELECT array_agg(format('%s %s', setrole::regrole, setconfig) ORDER BY setrole)
   FROM pg_db_role_setting WHERE setdatabase = d.oid)
FROM pg_database d WHERE datname = '{}'
"""


def script_of(globals_: bytes, name: str) -> str:
    """A database's section, as docs/restore.md cuts it out."""
    lines = globals_.decode().splitlines()
    start = lines.index(f"-- Database {name}")
    return "\n".join(lines[start : lines.index(f"-- End of database {name}") + 1])


@pytest.fixture
def owned(postgres: PostgresServer, database: str) -> Iterator[str]:
    """A database with everything that belongs to a database itself."""
    role = f"r_{database}"
    postgres.psql(
        f"""
        CREATE ROLE {role} LOGIN; CREATE ROLE "{role} B" LOGIN;
        ALTER DATABASE {database} OWNER TO "{role} B";
        ALTER DATABASE {database} SET search_path TO app, "Odd ""one"", x", public;
        ALTER DATABASE {database} SET timezone TO 'Europe/Paris';
        ALTER DATABASE {database} SET my.note TO E'it''s \\\\ a\nnote';
        ALTER DATABASE {database} SET temp_tablespaces TO '';
        ALTER ROLE {role} IN DATABASE {database} SET statement_timeout TO '5s';
        ALTER ROLE {role} IN DATABASE {database} SET search_path TO "$user";
        ALTER DATABASE {database} CONNECTION LIMIT 17;
        REVOKE CONNECT ON DATABASE {database} FROM PUBLIC;
        GRANT CONNECT ON DATABASE {database} TO {role};
        GRANT CREATE ON DATABASE {database} TO "{role} B" WITH GRANT OPTION;
        COMMENT ON DATABASE {database} IS E'the shop''s\nown \\\\ one';
        """
    )
    postgres.psql("CREATE TABLE t AS SELECT 1 AS i", database)
    yield database
    postgres.psql(
        f'ALTER DATABASE {database} OWNER TO postgres; DROP OWNED BY {role}, "{role} B";'
        f'DROP ROLE {role}, "{role} B"'
    )


def test_settings_and_rights_of_a_database_are_restored(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, owned: str
) -> None:
    ended = dumper.run(KSNAPSHOT_GLOBALS="")
    files = stored(s3, bucket, ended)
    script = script_of(files["globals.sql.gz"], owned)
    assert "'Europe/Paris'" in script
    wanted = postgres.psql(PROPERTIES.format(owned))

    # Beside the dumped one, under another name.
    beside = f"{owned}_beside"
    postgres.run(
        "psql",
        "--no-psqlrc",
        "--quiet",
        "--set=ON_ERROR_STOP=1",
        f"--set=database={beside}",
        stdin=script,
    )
    assert postgres.psql(PROPERTIES.format(beside)) == wanted
    load(postgres, files["sql.gz"], beside)
    assert postgres.psql("SELECT i FROM public.t", beside) == "1"
    # What is there already is left as it is, unless it is named.
    postgres.psql(f"ALTER DATABASE {owned} RESET ALL")
    changed = postgres.psql(PROPERTIES.format(owned))
    said = postgres.run("psql", "--no-psqlrc", "--quiet", stdin=files["globals.sql.gz"].decode())
    assert f"database {owned} is there already" in said
    assert postgres.psql(PROPERTIES.format(owned)) == changed
    postgres.run(
        "psql",
        "--no-psqlrc",
        "--quiet",
        "--set=ON_ERROR_STOP=1",
        f"--set=database={owned}",
        stdin=script,
    )
    assert postgres.psql(PROPERTIES.format(owned)) == wanted
    # As on a new server, where it is missing.
    postgres.psql(f"DROP DATABASE {beside}; ALTER DATABASE {owned} RENAME TO {beside}")
    try:
        postgres.run("psql", "--no-psqlrc", "--quiet", stdin=files["globals.sql.gz"].decode())
        assert postgres.psql(PROPERTIES.format(owned)) == wanted
    finally:
        postgres.psql(f"DROP DATABASE {owned}")
        postgres.psql(f"ALTER DATABASE {beside} RENAME TO {owned}")


def test_settings_of_everybody_are_restored(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str
) -> None:
    postgres.psql("ALTER ROLE ALL SET my.everywhere TO 'it''s here'")
    try:
        files = stored(s3, bucket, dumper.run(KSNAPSHOT_GLOBALS=""))
        postgres.psql("ALTER ROLE ALL RESET my.everywhere")
        postgres.run("psql", "--no-psqlrc", "--quiet", stdin=files["globals.sql.gz"].decode())
        assert postgres.psql("SHOW my.everywhere", database) == "it's here"
    finally:
        postgres.psql("ALTER ROLE ALL RESET my.everywhere")


@pytest.mark.parametrize(
    ("fixture", "options", "encoding"),
    [
        ("thirteen", "ENCODING 'LATIN1' LOCALE 'C'", "LATIN1"),
        ("postgres", "LOCALE 'C' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'", "UTF8"),
    ],
)
def test_encoding_and_locale_are_in_the_manifest_and_the_scripts(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    request: pytest.FixtureRequest,
    fixture: str,
    options: str,
    encoding: str,
) -> None:
    server: PostgresServer = request.getfixturevalue(fixture)
    query = (
        "SELECT to_jsonb(d) - ARRAY['oid', 'datname', 'datfrozenxid', 'datminmxid'] "
        "FROM pg_database d WHERE datname = "
    )
    server.psql(f"CREATE DATABASE other TEMPLATE template0 {options}")
    try:
        server.psql(
            "SET client_encoding = 'UTF8'; CREATE TABLE \"Zoë\" AS SELECT 'é' AS e", "other"
        )
        lead_to(dumper, server)
        ended = dumper.run(POSTGRESQL_DATABASE="other", KSNAPSHOT_GLOBALS="")
        files = stored(s3, bucket, ended)
        item, _ = manifest(s3, bucket, ended)["objects"]
        assert item["metadata"]["encoding"] == encoding
        wanted = server.psql(f"{query}'other'")
        server.psql(f"CREATE DATABASE by_hand {item['metadata']['create_options']}")
        assert server.psql(f"{query}'by_hand'") == wanted
        script = script_of(files["globals.sql.gz"], "other")
        strict = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1")
        server.run("psql", *strict, "--set=database=scripted", stdin=script)
        assert server.psql(f"{query}'scripted'") == wanted
        given = piece(files["sql.gz"], metadata=item["metadata"])
        assert ENGINE.restore(connection(server, "scripted"), [given], Interrupt()).notes == ()
        read = "SET client_encoding = 'UTF8'; SELECT e FROM \"Zoë\""
        assert server.psql(read, "scripted") == "é"
    finally:
        for name in ("by_hand", "scripted", "other"):
            server.psql(f"DROP DATABASE IF EXISTS {name}")


def test_a_restore_refuses_an_encoding_that_keeps_any_bytes(
    postgres: PostgresServer,
) -> None:
    name = f"ascii_{secrets.token_hex(4)}"
    postgres.psql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    try:
        given = piece(
            b"SELECT 1;", metadata={"encoding": "UTF8", "create_options": "ENCODING 'UTF8'"}
        )
        with pytest.raises(TargetRefusedError, match="ENCODING 'UTF8'"):
            ENGINE.restore(connection(postgres, name), [given], Interrupt())
    finally:
        postgres.psql(f"DROP DATABASE {name}")


@pytest.mark.parametrize(
    "name",
    [
        *("a=b", "postgresql://x", "host=nowhere dbname=y", "50%", "UPPER", "-d", "--file=x"),
        *(
            "it's",
            'q"uote',
            "back\\slash",
            "with space",
            "a.b",
            "*",
            "é🐘",
            "new\nline",
            "a:b",
            "-",
        ),
    ],
)
def test_a_database_of_any_name(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str, name: str
) -> None:
    quoted = '"{}"'.format(name.replace('"', '""'))
    postgres.psql(f"ALTER DATABASE {database} RENAME TO {quoted}")
    try:
        run = {"POSTGRESQL_DATABASE": name}
        if name.isprintable():
            run["KSNAPSHOT_DATABASES"] = quoted if name != "*" else ""
        inside = connection(postgres, name)
        ENGINE.restore(inside, [piece(b"CREATE TABLE t AS SELECT 7 AS i;")], Interrupt())
        ended = dumper.run(**run, KSNAPSHOT_GLOBALS="", KSNAPSHOT_TABLES="t")
        files = stored(s3, bucket, ended)
        assert notes(s3, bucket, ended) == {}
        assert b"CREATE TABLE public.t" in files["sql.gz"]
        shown = "".join(letter if letter.isprintable() else "?" for letter in name)
        script = script_of(files["globals.sql.gz"], shown)
        postgres.psql(f"ALTER DATABASE {quoted} RENAME TO {database}")
        postgres.run("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", stdin=script)
        ENGINE.restore(inside, [piece(files["sql.gz"])], Interrupt())
        assert ENGINE.inspect(inside, Interrupt()) == {f"{name}.public.t": 1}
    finally:
        there = json.loads(postgres.psql("SELECT json_agg(datname) FROM pg_database"))
        if database in there:
            postgres.psql(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")
        else:
            postgres.psql(f"ALTER DATABASE {quoted} RENAME TO {database}")
