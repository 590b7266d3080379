"""Databases of other encodings, whose names an annotation and the tools have in other bytes."""

import os
import subprocess
from collections.abc import Iterator, Mapping

import pytest

from dumpers.runtime.errors import ExitCode
from tests.integration.dumpers.postgresql.worlds import notes, stored
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper
from tests.testbed.stores.s3 import S3Server

_NAMES = """
SET client_encoding = 'UTF8';
CREATE TABLE "café" AS SELECT 7 AS i; CREATE TABLE other (i int);
CREATE SEQUENCE "zähler"; CREATE TABLE drawing (i int DEFAULT nextval('"zähler"'));
"""
# Bytes that are no UTF-8: names, a value, and what the survey has to name or to take in.
_NO_TEXT = b"""
CREATE TABLE "caf\xe9" AS SELECT 'r\xe9'::text AS t; CREATE TABLE other (i int);
CREATE SEQUENCE "z\xe4hler"; CREATE TABLE drawing (i int DEFAULT nextval('"z\xe4hler"'));
CREATE FOREIGN DATA WRAPPER none; CREATE SERVER away FOREIGN DATA WRAPPER none;
CREATE FOREIGN TABLE "f\xe9rn" (i int) SERVER away;
"""


def made(server: PostgresServer, name: str, encoding: str, sql: bytes) -> str:
    """A database of an encoding, filled by a client that sends bytes as they are."""
    server.psql(
        f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' "
        "TEMPLATE template0"
    )
    psql = str(postgres_testbed.client("psql"))
    strict = [psql, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    subprocess.run(strict, env={**os.environ, **server.env(name)}, input=sql, check=True)
    return name


@pytest.fixture
def latin(postgres: PostgresServer, database: str) -> Iterator[str]:
    name = made(postgres, f"{database}_latin", "LATIN1", _NAMES.encode())
    yield name
    postgres.run("dropdb", "--force", name)


@pytest.fixture
def bare(postgres: PostgresServer, database: str) -> Iterator[str]:
    name = made(postgres, f"{database}_bare", "SQL_ASCII", _NO_TEXT)
    yield name
    postgres.run("dropdb", "--force", name)


@pytest.mark.parametrize(
    ("options", "there", "gone"),
    [
        ({"KSNAPSHOT_TABLES": "café"}, ['TABLE public."café"'], ["other"]),
        ({"KSNAPSHOT_TABLES": "other,c*é"}, ["TABLE public.other", 'TABLE public."café"'], []),
        ({"KSNAPSHOT_EXCLUDE_TABLES": "café"}, ["TABLE public.other"], ["café"]),
        ({"KSNAPSHOT_TABLES": "drawing"}, ['SEQUENCE public."zähler"'], ["café"]),
        ({"PG_DUMP_OPTIONS": "--encoding=utf8 --table=café"}, ['TABLE public."café"'], ["other"]),
    ],
)
def test_names_in_the_encoding_of_the_database(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    latin: str,
    options: Mapping[str, str],
    there: list[str],
    gone: list[str],
) -> None:
    ended = dumper.run(POSTGRESQL_DATABASE=latin, **options)
    code = "utf-8" if "PG_DUMP_OPTIONS" in options else "latin-1"
    sql = stored(s3, bucket, ended)["sql.gz"].decode(code)
    assert all(f"CREATE {text}" in sql for text in there)
    assert not any(name in sql for name in gone)


def test_names_that_are_no_text(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, bare: str, copy: str
) -> None:
    ended = dumper.run(POSTGRESQL_DATABASE=bare)
    assert notes(s3, bucket, ended)["foreign-tables"].objects == ['public."f\ufffdrn"']
    sql = stored(s3, bucket, ended)["sql.gz"]
    assert b'COPY public."caf\xe9" (t) FROM stdin;\nr\xe9\n' in sql
    ended = dumper.run(POSTGRESQL_DATABASE=bare, KSNAPSHOT_TABLES="drawing")
    assert ended.exit_code == ExitCode.DONE
    assert b'CREATE SEQUENCE public."z\xe4hler"' in stored(s3, bucket, ended)["sql.gz"]


def test_money(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str
) -> None:
    postgres.psql(
        "CREATE DOMAIN price AS money; CREATE TABLE sold (a money, b price, c money[], d numeric);"
        "INSERT INTO sold VALUES (12.34, 1, '{2}', 3)",
        database,
    )
    note = notes(s3, bucket, dumper.run())["restore-needs"]
    assert note.objects == ["public.sold.a", "public.sold.b", "public.sold.c"]
    assert f"lc_monetary={postgres.psql('SHOW lc_monetary')}'" in note.text
