"""Dumps of a real PostgreSQL into a real S3 server: what a good run leaves, and how it restores."""

import gzip
import hashlib
import json
from pathlib import Path

import psutil
import pyrage
import pytest

from dumpers.repository.record_json import digest
from dumpers.runtime.errors import ExitCode
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import CRONJOB, DUMPING, POD, Dumper
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Hang, Rule
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.processes import wait_until

SCHEMA = """
CREATE TABLE people (id serial PRIMARY KEY, name text UNIQUE, picture bytea, born date);
CREATE TABLE notes (id bigint PRIMARY KEY, author int REFERENCES people, body text);
INSERT INTO people (name, picture, born)
  SELECT 'Zoë ' || g || ' 🐘 \\ ''"', decode(md5(g::text), 'hex'), date '1970-01-01' + g
  FROM generate_series(1, 500) g;
INSERT INTO notes SELECT g, 1 + g % 500, repeat(E'line\\n\\ttab \\\\ ' || g, 50)
  FROM generate_series(1, 5000) g;
CREATE INDEX notes_author ON notes (author);
CREATE VIEW authors AS
  SELECT name, count(*) FROM people JOIN notes ON author = people.id GROUP BY 1;
"""
FINGERPRINT = """
SELECT 'people', count(*), md5(string_agg(t::text, ',' ORDER BY id)) FROM people t UNION ALL
SELECT 'notes', count(*), md5(string_agg(t::text, ',' ORDER BY id)) FROM notes t UNION ALL
SELECT 'authors', count(*), md5(string_agg(t::text, ',' ORDER BY name)) FROM authors t ORDER BY 1;
"""


@pytest.mark.parametrize("encrypted", [True, False])
def test_a_dump_restores_with_stock_tools(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    postgres: PostgresServer,
    database: str,
    *,
    encrypted: bool,
) -> None:
    postgres.psql(SCHEMA, database)
    identity = pyrage.x25519.Identity.generate()
    if encrypted:
        recipient = str(identity.to_public())
        dumper.env |= {"ENCRYPTION_ENABLED": "true", "ENCRYPTION_RECIPIENT": recipient}
        # A policy is recorded, whatever it says, and so is a proof.
        dumper.env |= {"KSNAPSHOT_RETENTION": "keep-last=7", "KSNAPSHOT_TIME_ZONE": "Europe/Paris"}
        dumper.env["KSNAPSHOT_REQUIRED_PROOF"] = "read"
        # So is that somebody finds the size right; the controller hears it from the result alone.
        dumper.env |= {"KSNAPSHOT_ACCEPT": "shrunk"}

    ended = dumper.run()

    assert ended.exit_code == ExitCode.DONE, ended.log
    result = ended.result
    assert (result.succeeded, result.reason, result.key_count) == (True, "Succeeded", 1)
    [key] = result.keys
    assert key.endswith(".sql.gz.age" if encrypted else ".sql.gz")
    assert f"/postgresql/dump-{POD}-{database}-" in key
    prefix = result.record
    assert prefix.startswith(f"ksnapshot/manifests/test/{CRONJOB}/")
    objects = s3.objects(bucket)
    records = ("started.json", "fingerprint.json", "manifest.json")
    assert set(objects) == {key, *(f"{prefix}{name}" for name in records)}
    assert s3.uploads(bucket) == []

    stored = s3.read(bucket, key)
    manifest = json.loads(s3.read(bucket, f"{prefix}manifest.json"))
    [entry] = manifest["objects"]
    assert result.size_accepted == manifest["size_accepted"] == encrypted
    assert manifest["digest"] == digest(manifest)
    assert entry["key"] == key
    assert entry["size"] == result.stored_bytes == len(stored)
    assert entry["sha256"] == result.sha256 == hashlib.sha256(stored).hexdigest()
    assert entry["checked"] is True
    kept = {"policy": "keep-last=7", "time_zone": "Europe/Paris"}
    assert manifest["retention"] == (kept if encrypted else None)
    assert manifest.get("required_proof") == ("read" if encrypted else None)

    sql = gzip.decompress(pyrage.decrypt(stored, [identity]) if encrypted else stored)
    assert entry["source_size"] == result.source_bytes == len(sql)
    assert entry["source_sha256"] == hashlib.sha256(sql).hexdigest()
    copy = postgres.create_database(f"{database}_copy")
    try:
        postgres.psql(sql.decode(), copy)
        assert postgres.psql(FINGERPRINT, copy) == postgres.psql(FINGERPRINT, database)
    finally:
        postgres.run("dropdb", copy)


def test_an_empty_database_is_a_good_backup_of_an_empty_database(
    dumper: Dumper, s3: S3Server, bucket: str
) -> None:
    ended = dumper.run()
    assert ended.exit_code == ExitCode.DONE, ended.log
    [key] = ended.result.keys
    assert b"PostgreSQL database dump complete" in gzip.decompress(s3.read(bucket, key))


def test_two_runs_never_meet(dumper: Dumper, s3: S3Server, bucket: str) -> None:
    first, second = dumper.run(), dumper.run(HOSTNAME=f"{CRONJOB}-29384757-aaaaa")
    assert first.result.keys != second.result.keys
    assert len(s3.objects(bucket)) == 8


def test_a_database_name_cannot_leave_its_key_segment(
    dumper: Dumper, postgres: PostgresServer
) -> None:
    name = 'wei/rd $name "ü" dbname=x'
    postgres.create_database(name)
    try:
        ended = dumper.run(POSTGRESQL_DATABASE=name)
    finally:
        postgres.run("dropdb", name)
    assert ended.exit_code == ExitCode.DONE, ended.log
    [key] = ended.result.keys
    assert "-wei%2Frd%20%24name%20%22%C3%BC%22%20dbname%3Dx-" in key


def test_least_rights_are_enough(dumper: Dumper, s3: S3Server, bucket: str) -> None:
    keys = s3.create_user(f"dump-{bucket}")
    rights = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
    s3.allow(bucket, {keys.access: rights})
    credentials = {
        "BACKEND_S3_ACCESS_KEY": keys.access,
        "BACKEND_S3_SECRET_KEY": keys.secret,
    }
    unchecked = dumper.run(**credentials)
    assert unchecked.exit_code == ExitCode.DONE, unchecked.log
    assert "grant s3:GetObject" in unchecked.log

    s3.allow(bucket, {keys.access: (*rights, "s3:GetObject")})
    checked = dumper.run(**credentials)
    assert checked.exit_code == ExitCode.DONE, checked.log
    assert "grant s3:GetObject" not in checked.log
    # How many backups there are is told by keys that may list, and does not fail others.
    for ended in (unchecked, checked):
        assert (ended.result.oldest_backup, ended.result.backups) == ("", 0)
    listing = dumper.run()
    assert listing.result.backups == 3
    assert listing.result.oldest_backup.endswith("Z")
    stamp = listing.result.oldest_backup.replace("-", "").replace(":", "")
    assert stamp in unchecked.result.record


def test_keys_of_the_sdks_own_chain_serve(dumper: Dumper, s3: S3Server) -> None:
    ended = dumper.run(BACKEND_S3_ACCESS_KEY="", BACKEND_S3_SECRET_KEY="", **s3.root.env())
    assert ended.exit_code == ExitCode.DONE, ended.log


def test_secrets_and_data_stay_where_they_belong(
    dumper: Dumper, postgres: PostgresServer, database: str, s3: S3Server, faults: Faults
) -> None:
    """No secret in any argument list or log, no S3 key in the tool, no dump data on disk."""
    postgres.psql(
        "CREATE TABLE noise AS SELECT gen_random_uuid()::text || gen_random_uuid() AS text "
        "FROM generate_series(1, 1500000)",
        database,
    )
    # The parts hang, so the tool waits for its reader while we look at both.
    proxy = faults.http(s3.port)
    proxy.set(Rule(Hang(), "PUT", "partNumber="))
    process = dumper.start(BACKEND_S3_ENDPOINT=proxy.url)
    tool = dumper.tool(*DUMPING)
    wait_until(lambda: len(proxy.seen("PUT", "partNumber=")) > 1, seconds=120, what="two parts")
    arguments = " ".join(process.cmdline() + tool.cmdline())
    environment = tool.environ()
    proxy.clear()
    peak = 0

    def ended() -> bool:
        nonlocal peak
        assert dumper.process is not None
        try:
            peak = max(peak, process.memory_info().rss)
            files = [Path(file.path) for file in process.open_files()]
            assert [file for file in files if file.name != "log"] == []
        except psutil.NoSuchProcess:
            pass
        return dumper.process.poll() is not None

    wait_until(ended, seconds=120, what="the dump to end")
    outcome = dumper.wait()
    assert outcome.exit_code == ExitCode.DONE, outcome.log
    for secret in (postgres.password, s3.root.secret):
        assert secret not in arguments
        assert secret not in outcome.log
        assert secret not in outcome.result.to_json()
    assert s3.root.secret not in environment.values()
    assert list((dumper.folder / "tmp").iterdir()) == []
    assert peak <= 150 << 20
