"""A restored database has the fingerprint of what was dumped; what differs shows in it."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from dumpers.contract.fingerprint import Fingerprint
from dumpers.engines.postgresql.engine import ENGINE
from dumpers.engines.postgresql.fingerprint import PLAIN_FORM
from dumpers.engines.script_scanner import ScriptScanner
from dumpers.repository.keys import FINGERPRINT
from dumpers.repository.record_json import read_record
from dumpers.repository.records import FingerprintRecord, ObjectFingerprint
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.postgresql.test_zoo import VECTOR, ZOO
from tests.integration.dumpers.postgresql.worlds import (
    connection,
    lead_to,
    manifest,
    piece,
    stored,
)
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper
from tests.testbed.stores.s3 import S3Server

REST = "all else"
# One change each, and where a fingerprint shows it.
CHANGES = {
    # The first, as they keep rows from being changed.
    "publications": ("DROP PUBLICATION every, part", {REST}),
    "a value, size and rows kept": ("UPDATE app.base SET i = 7 WHERE i = 1", {"app.base"}),
    "a row": ("DELETE FROM app.visits_old WHERE at = '2019-12-05'", {"app.visits_old"}),
    "the order of rows": (
        (
            "CREATE TEMP TABLE held AS SELECT * FROM app.visits_old LIMIT 1;"
            "DELETE FROM app.visits_old WHERE at = (SELECT at FROM held);"
            "VACUUM FULL app.visits_old; INSERT INTO app.visits SELECT * FROM held"
        ),
        {"app.visits_old"},
    ),
    "a table": ("DROP TABLE app.twice", {"app.twice", REST}),
    "an index": ("DROP INDEX app.loud_name", {REST}),
    "a sequence": ("SELECT nextval('app.counter')", {REST}),
    "a grant": ("REVOKE SELECT (id) ON app.people FROM PUBLIC", {REST}),
    "a comment": ("COMMENT ON SCHEMA app IS 'another'", {REST}),
    "a large object": ("SELECT lo_put(4711, 0, 'L')", {REST}),
    "a function": (
        (
            "CREATE OR REPLACE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN RETURN OLD; END'"
        ),
        {REST},
    ),
    "a collation": (
        'ALTER TABLE "Odd ""one"".x"."Tab\'le; --" ADD COLUMN t text COLLATE "C"',
        {'"Odd ""one"".x"."Tab\'le; --"', REST},
    ),
    "what is empty": ("TRUNCATE app.cache", {"app.cache"}),
}

CHANGES_SHOWN = {change: places for change, (_, places) in CHANGES.items()}


@pytest.fixture(params=[18, 16, 13])
def server(request: pytest.FixtureRequest) -> PostgresServer:
    names = {18: "postgres", 16: "sixteen", 13: "thirteen"}
    found: PostgresServer = request.getfixturevalue(names[request.param])
    return found


@pytest.fixture
def databases(server: PostgresServer) -> Iterator[tuple[str, str]]:
    names = server.create_database("fingered"), server.create_database("fingered_copy")
    yield names
    for name in names:
        server.run("dropdb", "--force", name)


def test_a_restored_zoo_has_the_fingerprint_of_the_dumped_one_until_it_is_changed(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    server: PostgresServer,
    databases: tuple[str, str],
) -> None:
    live, copy = databases
    lead_to(dumper, server)
    is_old = server.psql("SHOW server_version").startswith("13")
    server.psql(ZOO.replace(", multirange_type_name = lib.spans", "") if is_old else ZOO, live)
    if server.psql("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'") == "1":
        server.psql(VECTOR, live)
    # Holes, and rows at other places than they were made.
    server.psql("DROP PUBLICATION every, part", live)
    server.psql("UPDATE app.people SET size = size + 1 WHERE id % 3 = 0", live)
    server.psql("DELETE FROM app.people WHERE id % 7 = 0", live)
    server.psql("CREATE PUBLICATION part FOR TABLE app.people", live)
    server.psql("CREATE PUBLICATION every FOR ALL TABLES", live)

    def dump(database: str) -> tuple[bytes, ObjectFingerprint]:
        ended = dumper.run(POSTGRESQL_DATABASE=database)
        [sql] = stored(s3, bucket, ended).values()
        body = s3.read(bucket, f"{ended.result.record}{FINGERPRINT}")
        made = manifest(s3, bucket, ended)
        assert made["fingerprint"] == hashlib.sha256(body).hexdigest()
        found = read_record(body)
        assert isinstance(found, FingerprintRecord)
        [item] = found.objects
        assert item.key == made["objects"][0]["key"]
        return sql, replace(item, key="")

    sql, dumped = dump(live)
    ENGINE.restore(connection(server, copy), [piece(sql)], Interrupt())
    _, restored = dump(copy)
    assert restored == dumped
    assert dumped.tables["app.base"].rows == 1
    if server.psql("SHOW server_version").startswith("18"):
        assert changes_shown(server, copy) == CHANGES_SHOWN


def changes_shown(server: PostgresServer, database: str) -> Mapping[str, set[str]]:
    """Make one change after the other, and find where the fingerprint shows each."""
    before, shown = scan(server, database), {}
    for change, (statement, _) in CHANGES.items():
        server.psql(statement, database)
        after = scan(server, database)
        shown[change] = {
            name
            for name in {**before.tables, **after.tables}
            if before.tables.get(name) != after.tables.get(name)
        } | ({REST} if before.rest != after.rest else set())
        before = after
    return shown


def scan(server: PostgresServer, database: str) -> Fingerprint:
    """The fingerprint of what pg_dump writes, without a dumper around it."""
    scanner = ScriptScanner(PLAIN_FORM)
    scanner.update(f"{server.run('pg_dump', database=database)}\n".encode())
    return scanner.end()
