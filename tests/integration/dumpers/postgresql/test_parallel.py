"""Dumps by several streams hold what a dump by one holds, and load as it does."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.postgresql.engine import ENGINE
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import StorageFailedError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.postgresql.changed import torn
from tests.integration.dumpers.postgresql.parted import FILL, LEVELS, parts, rows_in_pieces
from tests.integration.dumpers.postgresql.test_zoo import both, holdings, zoo
from tests.integration.dumpers.postgresql.worlds import connection
from tests.paths import REPOSITORY
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper, Ended
from tests.testbed.stores.s3 import S3Server

__all__ = ["zoo"]

_GUIDE = (REPOSITORY / "docs/restore.md").read_text()


def fingerprints(s3: S3Server, bucket: str, ended: Ended) -> Mapping[str, object]:
    """The digests of all objects of a dump by one stream, but of enumerations' partitions."""
    [found] = json.loads(s3.read(bucket, f"{ended.result.record}fingerprint.json"))["objects"]
    tables = {name: table for name, table in found["tables"].items() if "levels" not in name}
    return {"rest": found["rest"], "tables": tables}


@both
def test_the_zoo(
    dumper: Dumper, s3: S3Server, bucket: str, zoo: tuple[PostgresServer, str]
) -> None:
    server, name = zoo
    server.psql(FILL + LEVELS, name)
    copies = {}
    ended = {streams: dumper.run(KSNAPSHOT_PARALLELISM=streams) for streams in ("", "4")}
    for streams, one in ended.items():
        server.psql("DROP DATABASE IF EXISTS zoo_copy")
        server.create_database("zoo_copy")
        pieces = parts(s3, bucket, one)
        assert (len(pieces) > 8) == bool(streams)
        ENGINE.restore(connection(server, "zoo_copy"), pieces, Interrupt())
        copies[streams] = {
            name: held
            for name, held in holdings(server, "zoo_copy").items()
            if not name.startswith("rows of app.levels_")
        } | {"levels": server.psql("SELECT l, sum(i) FROM app.levels GROUP BY l", "zoo_copy")}
    assert copies["4"] == copies[""]
    again = dumper.run(POSTGRESQL_DATABASE="zoo_copy")
    assert fingerprints(s3, bucket, again) == fingerprints(s3, bucket, ended[""])
    single = rows_in_pieces(s3, bucket, ended[""])
    several = rows_in_pieces(s3, bucket, ended["4"])
    assert {table: [sum(rows)] for table, rows in several.items()} == single
    # Before 14 the server cannot find a range of pages without reading all of them.
    cut = {table for table, rows in several.items() if len(rows) > 1}
    assert (cut >= {"app.people", "app.visits_old", "app.derived", "app.base"}) == (
        not server.psql("SHOW server_version").startswith("13")
    )


def test_one_stream_is_what_it_was(dumper: Dumper, database: str, postgres: PostgresServer) -> None:
    postgres.psql("CREATE TABLE t AS SELECT 1 AS i", database)
    keys = [dumper.run(KSNAPSHOT_PARALLELISM=text).result.keys for text in ("", "1")]
    assert [len(found) for found in keys] == [1, 1]
    assert all(key.endswith(".sql.gz") and f"-{database}-" in key for [key] in keys)


@pytest.fixture
def backup(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str
) -> list[StoredDump]:
    postgres.psql(
        "CREATE TABLE orders (id int PRIMARY KEY, note text);"
        "INSERT INTO orders SELECT g, repeat('.', 90) FROM generate_series(1, 60000) g;"
        "CREATE TABLE lines (id serial, of int REFERENCES orders);"
        "INSERT INTO lines (of) VALUES (7);"
        "CREATE MATERIALIZED VIEW last AS SELECT max(id) FROM orders;"
        "ANALYZE",
        database,
    )
    return parts(s3, bucket, dumper.run(KSNAPSHOT_PARALLELISM="2"))


def test_a_part_whose_end_is_not_proven_leaves_nothing(
    postgres: PostgresServer, copy: str, backup: list[StoredDump]
) -> None:
    assert len(backup) > 6
    target = connection(postgres, copy)
    for place in range(len(backup)):
        pieces = [torn(piece) if place == at else piece for at, piece in enumerate(backup)]
        with pytest.raises(StorageFailedError, match="sha256"):
            ENGINE.restore(target, pieces, Interrupt())
        assert ENGINE.inspect(target, Interrupt()) == {}
        with pytest.raises(TargetRefusedError, match="not all of them are there"):
            ENGINE.restore(target, [*backup[:place], *backup[place + 1 :]], Interrupt())
    ENGINE.restore(target, backup[::-1], Interrupt())
    assert ENGINE.inspect(target, Interrupt())[f"{copy}.public.orders"] == 60_000


def test_other_ways_to_restore(
    postgres: PostgresServer, database: str, copy: str, backup: list[StoredDump]
) -> None:
    live = connection(postgres, database)
    postgres.psql("DELETE FROM lines", database)
    plan = ENGINE.plan_restore(live, backup, Interrupt(), RestoreRequest(mode=RestoreMode.SWAP))
    assert plan.size == sum(piece.size for piece in backup)
    [(name, kept)] = ENGINE.restore(
        live, backup, Interrupt(), RestoreRequest(mode=RestoreMode.SWAP)
    ).kept
    assert postgres.psql("SELECT count(*) FROM lines", name) == "1"
    assert postgres.psql("SELECT count(*) FROM lines", kept) == "0"
    ENGINE.forget(live, [kept], Interrupt())
    chosen = RestoreRequest(tables=("orders",))
    ENGINE.restore(connection(postgres, copy), backup, Interrupt(), chosen)
    assert postgres.psql("SELECT count(*), min(id), max(id) FROM orders", copy) == "60000|1|60000"
    assert postgres.psql("SELECT to_regclass('lines') IS NULL", copy) == "t"
    assert postgres.psql("SELECT count(*) FROM pg_index WHERE indrelid = 'orders'::regclass", copy)


def test_encodings_of_names_and_rows(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str
) -> None:
    for encoding in ("LATIN1", "SQL_ASCII"):
        name, target = f"{database}_{encoding.lower()}", f"{database}_target"
        for made in (name, target):
            postgres.psql(
                f"CREATE DATABASE {made} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"
            )
        env = {"PGCLIENTENCODING": encoding}
        sql = (
            'CREATE TABLE "é" ("ü" text); '
            "INSERT INTO \"é\" SELECT 'ö' || g FROM generate_series(1, 150000) g; ANALYZE;"
        )
        subprocess.run(
            [postgres_client("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"],
            env={**os.environ, **postgres.env(name), **env},
            input=sql.encode("latin-1"),
            check=True,
        )
        try:
            ended = dumper.run(POSTGRESQL_DATABASE=name, KSNAPSHOT_PARALLELISM="2")
            pieces = parts(s3, bucket, ended)
            assert len(pieces) > (3 if encoding == "LATIN1" else 2)
            ENGINE.restore(connection(postgres, target), pieces, Interrupt())
            counts = [holdings_of(postgres, one) for one in (name, target)]
            assert counts[0] == counts[1]
        finally:
            for made in (name, target):
                postgres.psql(f"DROP DATABASE {made} WITH (FORCE)")


def postgres_client(program: str) -> str:
    return str(postgres_testbed.client(program))


def holdings_of(server: PostgresServer, database: str) -> bytes:
    """A dump of a database by stock pg_dump, but for its tokens."""
    found = subprocess.run(
        [postgres_client("pg_dump")],
        env={**os.environ, **server.env(database)},
        capture_output=True,
        check=True,
    ).stdout
    return b"\n".join(line for line in found.splitlines() if b"restrict " not in line)


def test_the_guide_loads_them_with_stock_tools(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    postgres: PostgresServer,
    database: str,
    copy: str,
    backup: list[StoredDump],
    tmp_path: Path,
) -> None:
    section = _GUIDE.partition("### Several objects of one database")[2].partition("\n### ")[0]
    console = section.partition("```console\n")[2].partition("```")[0]
    script = "\n".join(line.removeprefix("$ ").removeprefix("> ") for line in console.splitlines())
    for before, now in (
        ('aws s3 cp "s3://BUCKET/$key" - | age -d -i key.txt', 'cat "$key"'),
        ('"shop"', f'"{database}"'),
        (" restored", f" {copy}"),
    ):
        assert before in script
        script = script.replace(before, now)
    [record] = [key for key in s3.objects(bucket) if key.endswith("manifest.json")]
    for key in (record, *(item["key"] for item in json.loads(s3.read(bucket, record))["objects"])):
        (tmp_path / "got" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "got" / key).write_bytes(s3.read(bucket, key))
    (tmp_path / "got" / record).rename(tmp_path / "got" / "manifest.json")
    path = f"{Path(postgres_client('psql')).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        env={**postgres.env(copy), "PATH": path},
        cwd=tmp_path / "got",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert holdings_of(postgres, copy) == holdings_of(postgres, database)
    # A part that is missing leaves nothing.
    postgres.psql(f"DROP DATABASE {copy}")
    postgres.create_database(copy)
    for lost in tmp_path.rglob("2-data-0002.sql.gz"):
        lost.unlink()
    done = subprocess.run(
        ["bash", "-c", script],
        env={**postgres.env(copy), "PATH": path},
        cwd=tmp_path / "got",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert postgres.psql("SELECT to_regclass('orders') IS NULL", copy) == "t"
