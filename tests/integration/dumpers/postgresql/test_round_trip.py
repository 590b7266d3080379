"""PostgreSQL in its variety: versions, formats, several databases, globals, restore and inspect."""

import io
from contextlib import nullcontext

import pytest

from dumpers.contract.connection import Connection
from dumpers.contract.restore.request import RestoreRequest
from dumpers.engines.postgresql.engine import ENGINE
from dumpers.engines.postgresql.options import GLOBALS_ENDING, PLAIN_ENDING
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import (
    ExitCode,
    SourceFailedError,
    TargetFailedError,
    TargetRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.postgresql.worlds import (
    FINGERPRINT,
    RICH,
    connection,
    lead_to,
    load,
    piece,
    stored,
    with_clients,
)
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper
from tests.testbed.stores.s3 import S3Server


@pytest.mark.parametrize("majors", [(16, 18), (18,)])
def test_an_older_server_loads_its_own_dump_with_its_own_client(
    dumper: Dumper, s3: S3Server, bucket: str, older: PostgresServer, majors: tuple[int, ...]
) -> None:
    name = older.create_database(f"shop{len(majors)}")
    older.psql(RICH, name)
    lead_to(dumper, older)
    ended = dumper.run(POSTGRESQL_DATABASE=name, PATH=with_clients(dumper, *majors))
    [sql] = stored(s3, bucket, ended).values()
    own = older.psql("SHOW server_version").startswith(f"{majors[0]}.")
    chosen = majors[0] if own else max(majors)
    assert f"(PostgreSQL) {chosen}." in ended.result.tool_version
    assert b"transaction_timeout" not in sql
    target = older.create_database(f"{name}_copy")
    load(older, sql, target, major=16)
    assert older.psql(FINGERPRINT, target) == older.psql(FINGERPRINT, name)


def test_a_server_newer_than_every_client_is_refused(
    dumper: Dumper, postgres: PostgresServer
) -> None:
    dumper.env["PATH"] = "/usr/bin:/bin"
    ended = dumper.run(PATH=with_clients(dumper, 16))
    assert ended.exit_code == ExitCode.SOURCE_REFUSED
    assert "newer than this image's clients" in ended.result.message


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_what_is_restored_is_what_was_dumped(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    postgres: PostgresServer,
    database: str,
    copy: str,
    form: str,
) -> None:
    postgres.psql(RICH, database)
    [(ending, data)] = stored(s3, bucket, dumper.run(KSNAPSHOT_FORMAT=form)).items()
    assert ending == {"plain": "sql.gz", "custom": "dump.gz"}[form]
    target = connection(postgres, copy)
    ENGINE.restore(target, [piece(data, f".{ending.removesuffix('.gz')}")], Interrupt())
    assert postgres.psql(FINGERPRINT, copy) == postgres.psql(FINGERPRINT, database)
    found = ENGINE.inspect(target, Interrupt())
    assert found == {
        f'{copy}.Odd "schema" $1.Tab\'le, x': 2,
        f"{copy}.public.parted_low": 50,
        f"{copy}.public.people": 300,
    }


def test_several_databases_are_an_object_each(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str, copy: str
) -> None:
    listed = dumper.run(KSNAPSHOT_DATABASES=f'{database}, "{copy}"')
    assert listed.exit_code == ExitCode.DONE, listed.log
    assert [
        f"-{name}-" in key for name, key in zip((database, copy), listed.result.keys, strict=True)
    ]
    every = dumper.run(KSNAPSHOT_DATABASES="*")
    assert every.exit_code == ExitCode.DONE, every.log
    assert every.result.key_count >= 3
    missing = dumper.run(KSNAPSHOT_DATABASES=f"{database},nowhere")
    assert missing.exit_code == ExitCode.CONFIGURATION
    assert "'nowhere'" in missing.result.message


def test_a_database_that_the_role_may_not_connect_to_is_no_matter_of_the_others(
    dumper: Dumper, postgres: PostgresServer, database: str, copy: str
) -> None:
    role = f"narrow_{database}"
    postgres.psql(
        f"CREATE ROLE {role} LOGIN PASSWORD 'p'; ALTER DATABASE {database} OWNER TO {role};"
        f"REVOKE CONNECT ON DATABASE {copy} FROM PUBLIC"
    )
    try:
        ended = dumper.run(
            KSNAPSHOT_DATABASES=database, POSTGRESQL_USERNAME=role, POSTGRESQL_PASSWORD="p"
        )
    finally:
        postgres.psql(f"ALTER DATABASE {database} OWNER TO postgres; DROP ROLE {role}")
    assert ended.exit_code == ExitCode.DONE, ended.log


def test_globals_are_a_second_object_and_tell_what_only_a_superuser_may_read(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str
) -> None:
    files = stored(s3, bucket, dumper.run(KSNAPSHOT_GLOBALS=""))
    assert set(files) == {"sql.gz", "globals.sql.gz"}
    assert b"SCRAM-SHA-256" in files["globals.sql.gz"]
    role = f"plain_{database}"
    postgres.psql(
        f"CREATE ROLE {role} LOGIN PASSWORD 'p'; ALTER DATABASE {database} OWNER TO {role}"
    )
    try:
        ended = dumper.run(KSNAPSHOT_GLOBALS="", POSTGRESQL_USERNAME=role, POSTGRESQL_PASSWORD="p")
    finally:
        postgres.psql(f"ALTER DATABASE {database} OWNER TO postgres; DROP ROLE {role}")
    files = stored(s3, bucket, ended)
    assert role.encode() in files["globals.sql.gz"]
    assert b"SCRAM-SHA-256" not in files["globals.sql.gz"]
    assert "without their passwords" in ended.log


def test_tables_and_schemas_are_chosen_by_annotation_and_options(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str
) -> None:
    postgres.psql(RICH, database)

    def tables(**changes: str) -> set[bytes]:
        [sql] = stored(s3, bucket, dumper.run(**changes)).values()
        lines = (line for line in sql.splitlines() if line.startswith(b"CREATE TABLE"))
        return {line.split(b" (")[0].removeprefix(b"CREATE TABLE ") for line in lines}

    chosen = tables(KSNAPSHOT_TABLES="people, public.parted")
    assert chosen == {b"public.people", b"public.parted", b"public.parted_low"}
    rest = tables(KSNAPSHOT_EXCLUDE_TABLES="people")
    assert b"public.people" not in rest
    assert b"public.parted" in rest
    odd = b'"Odd ""schema"" $1"."Tab\'le, x"'
    assert tables(KSNAPSHOT_SCHEMAS='"Odd ""schema"" $1"') == {odd}
    assert odd not in tables(KSNAPSHOT_EXCLUDE_SCHEMAS='"Odd ""schema"" $1"')
    assert tables(PG_DUMP_OPTIONS="--table=people --no-owner") == {b"public.people"}
    ended = dumper.run(KSNAPSHOT_TABLES="nothing_like_it")
    assert ended.exit_code == ExitCode.SOURCE_REFUSED


def test_a_restore_that_does_not_end_well_leaves_nothing(
    postgres: PostgresServer, database: str
) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if data := super().read(size):
                return data
            raise SourceFailedError("its sha256 is another")

    sql = RICH.encode() + b"\n-- end\n"
    broken = StoredDump(
        name="x", ending=PLAIN_ENDING, size=9, open=lambda: nullcontext(Broken(sql))
    )
    target = connection(postgres, database)
    with pytest.raises(SourceFailedError, match="sha256"):
        ENGINE.restore(target, [broken], Interrupt())
    assert ENGINE.inspect(target, Interrupt()) == {}
    with pytest.raises(TargetRefusedError, match="syntax error"):
        ENGINE.restore(target, [piece(sql + b"BROKEN;")], Interrupt())
    assert ENGINE.inspect(target, Interrupt()) == {}


def test_a_restore_goes_into_one_empty_database(postgres: PostgresServer, database: str) -> None:
    target = connection(postgres, database)
    two = [piece(b"", name="a"), piece(b"", name="b")]
    with pytest.raises(TargetRefusedError, match="choose one"):
        ENGINE.restore(target, two, Interrupt(), RestoreRequest(tables=("t",)))
    globals_ = piece(b"", GLOBALS_ENDING)
    notes = ENGINE.restore(target, [piece(b"CREATE TABLE t ();"), globals_], Interrupt()).notes
    assert "roles" in notes[0]
    with pytest.raises(TargetRefusedError, match=r"public\.t"):
        ENGINE.restore(target, [piece(b"")], Interrupt())
    wrong = connection(postgres, database, password="wrong")
    with pytest.raises(TargetRefusedError, match="authentication"):
        ENGINE.inspect(wrong, Interrupt())
    nobody = Connection(host="127.0.0.1", port=9, username="u", database="d")
    with pytest.raises(TargetFailedError, match="refused"):
        ENGINE.inspect(nobody, Interrupt())
