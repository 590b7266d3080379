"""What is wrong with a stored backup, or with what a drill was given: found, and called by name."""

import gzip
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pyrage
import pytest

from dumpers.contract.connection import Connection
from dumpers.engines.postgresql.engine import ENGINE
from dumpers.engines.postgresql.spec import SPEC
from dumpers.repository.keys import FINGERPRINT, MANIFEST
from dumpers.repository.record_json import digest
from dumpers.runs.drill.patience import wait_for_server
from dumpers.runtime.errors import DrillServerFailedError, ExitCode
from dumpers.runtime.interrupt import Interrupt
from tests.testbed import throwaway
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.driller import Drilled, Driller, drill_records
from tests.testbed.dumper import Dumper
from tests.testbed.stores.s3 import READ, S3Server
from tests.testbed.toolchain import processes

MAJOR = 18
SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, name text);
INSERT INTO people SELECT g, 'name ' || g FROM generate_series(1, 2000) g;
"""


@pytest.fixture
def drill(
    dumper: Dumper, s3: S3Server, postgres: PostgresServer, database: str
) -> Iterator[Callable[..., Drilled]]:
    """Drills what the dumper has dumped, on a server of its own."""
    postgres.psql(SCHEMA, database)
    assert SPEC.drill_server
    installation, folder = postgres_testbed.installed(MAJOR)
    started = throwaway.start(
        SPEC.drill_server,
        port=SPEC.port,
        installation=installation,
        bins=[str(folder / "bin")],
        changes={"/usr/lib/postgresql/": "/nowhere/"},
    )
    with started as server:

        def run(identity: str = "", **changes: str) -> Drilled:
            driller = Driller.of(dumper.env, engine="postgresql", identity=identity)
            driller.client_env["POSTGRESQL_PORT"] = str(server.port)
            try:
                return driller.run(**changes)
            finally:
                driller.close()

        yield run


def dump(dumper: Dumper, **changes: str) -> tuple[str, str]:
    """The folder of a backup's records, and the key of its object."""
    ended = dumper.run(**changes)
    assert ended.exit_code == ExitCode.DONE, ended.log
    [key] = ended.result.keys
    return ended.result.record, key


def failed(ended: Drilled, code: ExitCode, reason: str, *words: str) -> None:
    assert ended.reader.exit_code == code, ended.logs
    # Where the reader ended before there was anything to do, the client only knows that.
    assert ended.client.exit_code in {code, ExitCode.TARGET_FAILED}, ended.logs
    assert (ended.result.outcome, ended.result.reason) == ("failed", reason), ended.logs
    for word in words:
        assert word in ended.result.message, ended.logs


def put(s3: S3Server, bucket: str, key: str, body: bytes) -> None:
    s3.client().put_object(Bucket=bucket, Key=key, Body=body)


def test_a_tail_that_is_cut_and_an_object_of_another_backup(
    drill: Callable[..., Drilled],
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    database: str,
    postgres: PostgresServer,
) -> None:
    _, first = dump(dumper)
    postgres.psql("UPDATE people SET name = 'other ' || id WHERE id = 7", database)
    record, key = dump(dumper)
    whole = s3.read(bucket, key)
    put(s3, bucket, key, whole[:-9])
    failed(drill(), ExitCode.STORAGE_REFUSED, "BackupDamaged", key)
    # Behind the same size another content: what the store says of it would not show that.
    other = s3.read(bucket, first)
    put(s3, bucket, key, (other + b"\0" * len(whole))[: len(whole)])
    failed(drill(), ExitCode.STORAGE_REFUSED, "BackupDamaged", key)
    found = drill_records(s3, bucket)
    assert all(name.startswith("drill-failed-") for name, _ in found)
    assert all(key in item.faults[0] for _, item in found)
    put(s3, bucket, key, whole)
    ended = drill()
    assert ended.result.outcome == "passed", ended.logs
    assert ended.result.record.startswith(record)


def test_a_forged_object_with_a_manifest_that_fits_it(
    drill: Callable[..., Drilled], dumper: Dumper, s3: S3Server, bucket: str, database: str
) -> None:
    record, key = dump(dumper)
    sql = gzip.decompress(s3.read(bucket, key)).replace(b"\tname 7\n", b"\tname 8\n")
    forged = gzip.compress(sql)
    put(s3, bucket, key, forged)
    manifest: dict[str, Any] = json.loads(s3.read(bucket, f"{record}{MANIFEST}"))
    manifest["objects"][0] |= {
        "size": len(forged),
        "sha256": hashlib.sha256(forged).hexdigest(),
        "source_size": len(sql),
        "source_sha256": hashlib.sha256(sql).hexdigest(),
    }
    manifest["digest"] = digest(manifest)
    put(s3, bucket, f"{record}{MANIFEST}", json.dumps(manifest).encode())
    failed(
        drill(), ExitCode.TARGET_REFUSED, "DrillDiffers", f"{database}.public.people", "rows differ"
    )
    [(name, found)] = drill_records(s3, bucket)
    assert name.startswith("drill-failed-")
    assert [table.good for table in found.tables] == [False]
    # The record of what was dumped cannot be changed to fit, as the manifest names it.
    body = s3.read(bucket, f"{record}{FINGERPRINT}")
    put(s3, bucket, f"{record}{FINGERPRINT}", body.replace(b"xxh3", b"xxh4"))
    failed(drill(), ExitCode.STORAGE_REFUSED, "BackupDamaged", FINGERPRINT)


def test_what_does_not_load_is_a_verdict(
    drill: Callable[..., Drilled],
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    database: str,
    postgres: PostgresServer,
) -> None:
    # A check that the rows no longer pass: PostgreSQL dumps that, and cannot load it.
    postgres.psql(
        "CREATE FUNCTION fine(int) RETURNS bool LANGUAGE sql AS 'SELECT true';"
        "ALTER TABLE people ADD CHECK (fine(id));"
        "CREATE OR REPLACE FUNCTION fine(int) RETURNS bool LANGUAGE sql AS 'SELECT false'",
        database,
    )
    dump(dumper)
    failed(drill(), ExitCode.TARGET_REFUSED, "DrillNotLoaded", "check constraint")
    [(_, found)] = drill_records(s3, bucket)
    assert "check constraint" in found.faults[0]


def test_a_key_that_is_missing_is_no_failure_and_a_wrong_one_no_verdict(
    drill: Callable[..., Drilled], dumper: Dumper, s3: S3Server, bucket: str
) -> None:
    # Without any run, then beside one that has begun.
    for _ in range(2):
        ended = drill()
        assert ended.reader.exit_code == ended.client.exit_code == ExitCode.DONE, ended.logs
        assert (ended.result.outcome, ended.result.reason) == ("not-drillable", "NotDrillable")
        assert "no backup yet" in ended.result.message
        record, _ = dump(dumper)
        s3.client().delete_object(Bucket=bucket, Key=f"{record}{MANIFEST}")

    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    dump(dumper, ENCRYPTION_ENABLED="true", ENCRYPTION_RECIPIENT=recipient)
    ended = drill()
    assert ended.reader.exit_code == ended.client.exit_code == ExitCode.DONE, ended.logs
    assert (ended.result.outcome, ended.result.reason) == ("not-drillable", "NotDrillable")
    assert recipient in ended.result.message
    assert "identitySecret" in ended.result.message
    assert ended.client.result.outcome == "not-drillable"

    other = str(pyrage.x25519.Identity.generate())
    ended = drill(identity=other)
    assert ended.reader.exit_code == ExitCode.ENCRYPTION, ended.logs
    assert ended.result.reason == "EncryptionFailed"
    assert other not in ended.logs
    assert not drill_records(s3, bucket)
    ended = drill(identity=str(identity))
    assert ended.result.outcome == "passed", ended.logs


def test_keys_that_may_only_read_are_enough_and_the_result_says_what_is_missing(
    drill: Callable[..., Drilled], dumper: Dumper, s3: S3Server, bucket: str
) -> None:
    dump(dumper)
    keys = s3.create_user(f"reader-{bucket}")
    s3.allow(bucket, {keys.access: READ})
    ended = drill(BACKEND_S3_ACCESS_KEY=keys.access, BACKEND_S3_SECRET_KEY=keys.secret)
    assert (ended.result.outcome, ended.result.record) == ("passed", ""), ended.logs
    assert "no record" in ended.result.message
    assert not drill_records(s3, bucket)


def test_a_server_that_never_answers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(postgres_testbed.bin_folder()), prepend=os.pathsep)
    port = processes.free_port()
    login = Connection(host="127.0.0.1", port=port, username="x", database="template1")
    with pytest.raises(DrillServerFailedError, match="the container `server`"):
        wait_for_server(ENGINE, login, Interrupt(), seconds=0)
