"""Backups of a real PostgreSQL in a real S3 server, restored by two real processes."""

import gzip
import signal
from collections.abc import Iterator

import pyrage
import pytest

from dumpers.cli.clock import now
from dumpers.contract.restore.jobs import RestoreJob
from dumpers.repository.added_records import Restoration
from dumpers.repository.record_json import read_record
from dumpers.runs.restore.exchange.serving import Listener
from dumpers.runs.restore.reader import restore
from dumpers.runtime.errors import (
    BackupDamagedError,
    ConfigurationError,
    EncryptionError,
    ExitCode,
    KsnapshotError,
)
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.test_backup import FINGERPRINT, SCHEMA
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import CRONJOB, POD, Dumper, Ended
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Rule, Slow, Status
from tests.testbed.restorer import Restored, Restorer, look
from tests.testbed.stores.s3 import READ, S3Server
from tests.testbed.toolchain.processes import wait_until

IDENTITY = pyrage.x25519.Identity.generate()
KEY = str(IDENTITY)
# Some 2 MiB in the store.
NOISE = "CREATE TABLE noise AS SELECT gen_random_uuid() AS id FROM generate_series(1, 120000);"
OTHER = str(pyrage.x25519.Identity.generate())


@pytest.fixture
def dumped(dumper: Dumper, postgres: PostgresServer, database: str) -> Ended:
    """An encrypted backup of a small database."""
    postgres.psql(SCHEMA + NOISE, database)
    recipient = str(IDENTITY.to_public())
    dumper.env |= {"ENCRYPTION_ENABLED": "true", "ENCRYPTION_RECIPIENT": recipient}
    ended = dumper.run()
    assert ended.exit_code == ExitCode.DONE, ended.log
    return ended


@pytest.fixture
def restorer(dumper: Dumper, dumped: Ended, copy: str) -> Iterator[Restorer]:
    made = Restorer.of(dumper, database=copy, identity=f"# mine\n{OTHER}\n{KEY}\n")
    yield made
    made.close()


def is_empty(postgres: PostgresServer, database: str) -> bool:
    return postgres.psql("SELECT count(*) FROM pg_class WHERE relname = 'people'", database) == "0"


def failed(ended: Restored, code: ExitCode, *words: str) -> None:
    assert ended.reader.exit_code == ended.result.exit_code == code, ended.logs
    assert not ended.result.succeeded
    for word in words:
        assert word in ended.result.message, ended.logs
    for secret in (KEY, OTHER):
        assert secret not in ended.logs


def test_a_backup_is_restored(
    restorer: Restorer,
    dumped: Ended,
    s3: S3Server,
    bucket: str,
    postgres: PostgresServer,
    database: str,
    copy: str,
) -> None:
    ended = restorer.run(KSNAPSHOT_REQUESTED_BY="jane@example.com")

    assert ended.reader.exit_code == ended.client.exit_code == ExitCode.DONE, ended.logs
    assert postgres.psql(FINGERPRINT, copy) == postgres.psql(FINGERPRINT, database)
    result = ended.result
    assert (result.succeeded, result.reason, result.target_partial) == (True, "Succeeded", False)
    assert result.target == f"{postgres.host}:{postgres.port}/{copy}"
    assert result.restored == ((database, copy),)
    assert result.source_bytes == dumped.result.source_bytes
    assert result.stored_bytes == dumped.result.stored_bytes
    assert f"-{result.backup}/" in dumped.result.record

    assert result.record.startswith(f"{dumped.result.record}restored-")
    record = read_record(s3.read(bucket, result.record))
    assert isinstance(record, Restoration)
    assert (record.run, record.by, record.reason) == (
        result.backup,
        "jane@example.com",
        "Succeeded",
    )
    assert (record.target, record.restored) == (result.target, result.restored)
    for secret in (KEY, OTHER, postgres.password):
        assert secret not in ended.logs


def test_a_plan_and_a_restore_with_keys_that_may_only_read(
    restorer: Restorer, s3: S3Server, bucket: str, postgres: PostgresServer, copy: str
) -> None:
    keys = s3.create_user(f"reader-{bucket}")
    s3.allow(bucket, {keys.access: READ})
    restorer.reader_env |= {
        "BACKEND_S3_ACCESS_KEY": keys.access,
        "BACKEND_S3_SECRET_KEY": keys.secret,
    }
    before = set(s3.objects(bucket))
    ended = restorer.run(KSNAPSHOT_PLAN_ONLY="true")
    assert ended.reader.exit_code == ended.client.exit_code == ExitCode.DONE, ended.logs
    assert ended.result.actions
    assert ended.result.source_bytes > 0
    assert is_empty(postgres, copy)

    ended = restorer.run()
    assert ended.reader.exit_code == ExitCode.DONE, ended.logs
    assert ended.result.record == ""
    [warning] = ended.reader.lines("the restore is not recorded beside the backup")
    assert warning["level"] == "warning"
    assert not is_empty(postgres, copy)
    assert set(s3.objects(bucket)) == before


def refused(restorer: Restorer, kind: type[KsnapshotError], *words: str, **changes: str) -> None:
    """What the reader says before it asks the client for anything; in this process."""
    env = {name: value for name, value in {**restorer.reader_env, **changes}.items() if value}
    with pytest.raises(kind) as raised, Listener(env["KSNAPSHOT_EXCHANGE"]) as listener:
        restore(RestoreJob.from_env(env), listener, interrupt=Interrupt(), now=now)
    for word in words:
        assert word in str(raised.value)
    for secret in (KEY, OTHER):
        assert secret not in str(raised.value)


def test_what_stands_in_the_way_is_named_before_anything_is_read(
    restorer: Restorer, dumped: Ended, s3: S3Server, bucket: str
) -> None:
    key = restorer.folder / "key.txt"
    [stored] = dumped.result.keys
    body = s3.read(bucket, stored)
    recipient = str(IDENTITY.to_public())

    refused(restorer, ConfigurationError, "no backup 'nope'", KSNAPSHOT_BACKUP="nope")
    early = "at:2020-01-01T00:00:00Z"
    refused(restorer, ConfigurationError, "2020-01-01T00:00:00Z or before", KSNAPSHOT_BACKUP=early)
    refused(restorer, ConfigurationError, "no records of backups", KSNAPSHOT_CRONJOB="other")
    refused(restorer, ConfigurationError, "no records of backups", KSNAPSHOT_CLUSTER="other")
    refused(restorer, EncryptionError, recipient, "private key", KSNAPSHOT_IDENTITY_FILE="")
    key.write_text(OTHER)
    refused(restorer, EncryptionError, "does not open", recipient, "age-keygen -y")
    key.write_text(f"{OTHER}\n{pyrage.x25519.Identity.generate()}")
    refused(restorer, EncryptionError, "none of the 2 keys")
    key.write_text(KEY.lower()[:-3])
    refused(restorer, EncryptionError, "line 1 of the identity file")
    refused(restorer, EncryptionError, "cannot read", KSNAPSHOT_IDENTITY_FILE="/no/such/file")
    key.write_text(KEY)

    s3.client().put_object(Bucket=bucket, Key=stored, Body=body[:-1])
    refused(restorer, BackupDamagedError, stored, "the manifest says")
    s3.client().put_object(Bucket=bucket, Key=stored, Body=body[:30] + b"x" + body[31:])
    refused(restorer, BackupDamagedError, stored, "its header does not fit the key")
    s3.client().delete_object(Bucket=bucket, Key=stored)
    refused(restorer, BackupDamagedError, stored, "is gone")


def test_what_is_wrong_with_one_side_ends_the_other(
    restorer: Restorer, postgres: PostgresServer, database: str, copy: str
) -> None:
    ended = restorer.run(BACKEND_BUCKET="")
    failed(ended, ExitCode.CONFIGURATION, "BACKEND_BUCKET is not set")
    assert "BACKEND_BUCKET is not set" in ended.client.result.message, ended.logs

    client = restorer.client_env
    restorer.client_env = client | {"POSTGRESQL_HOST": ""}
    ended = restorer.run()
    failed(ended, ExitCode.CONFIGURATION, "POSTGRESQL_HOST is not set")
    assert ended.client.exit_code == ExitCode.CONFIGURATION
    restorer.client_env = client | {"POSTGRESQL_DATABASE": database}
    failed(restorer.run(), ExitCode.TARGET_REFUSED, "not empty")
    restorer.client_env = client | {"KSNAPSHOT_RESTORE": '{"suffix":"_a"}'}
    failed(restorer.run(KSNAPSHOT_RESTORE='{"suffix":"_b"}'), ExitCode.CONFIGURATION, "different")
    assert is_empty(postgres, copy)


def test_damage_in_the_middle_leaves_nothing(
    restorer: Restorer,
    dumped: Ended,
    s3: S3Server,
    bucket: str,
    postgres: PostgresServer,
    copy: str,
) -> None:
    [stored] = dumped.result.keys
    body = bytearray(s3.read(bucket, stored))
    body[-100] ^= 1
    s3.client().put_object(Bucket=bucket, Key=stored, Body=bytes(body))
    ended = restorer.run()
    failed(ended, ExitCode.STORAGE_REFUSED, stored, "is damaged", "the target may hold a part")
    assert (ended.result.reason, ended.result.target_partial) == ("BackupDamaged", True)
    record = read_record(s3.read(bucket, ended.result.record))
    assert isinstance(record, Restoration)
    assert (record.reason, record.target_partial) == ("BackupDamaged", True)
    assert is_empty(postgres, copy)


DUMP = r"\.sql\.gz"


@pytest.mark.parametrize(
    ("side", "number"),
    [
        *(("reader", signal.SIGKILL), ("client", signal.SIGKILL)),
        *(("reader", signal.SIGTERM), ("client", signal.SIGTERM)),
    ],
    ids=lambda value: str(getattr(value, "name", value)),
)
def test_either_side_ends_with_the_other(
    restorer: Restorer,
    s3: S3Server,
    postgres: PostgresServer,
    copy: str,
    faults: Faults,
    side: str,
    number: signal.Signals,
) -> None:
    proxy = faults.http(s3.port)
    proxy.set(Rule(Slow(bytes_per_second=200_000), "GET", DUMP))
    restorer.reader_env["BACKEND_S3_ENDPOINT"] = proxy.url
    restorer.start("reader")
    restorer.start("client")

    def is_loading() -> bool:
        # The first request looks whether the key fits.
        later = proxy.seen("GET", DUMP)[1:]
        return any(seen.received > 1 << 19 for seen in later)

    wait_until(is_loading, seconds=120, what="the backup to be read")
    restorer.processes[side].send_signal(number)
    ended = restorer.wait()

    sides = {"reader": ended.reader, "client": ended.client}
    if number is signal.SIGKILL:
        del sides[side]
    for survivor in sides.values():
        assert survivor.result.target_partial, ended.logs
        assert "the target may hold a part of the backup" in survivor.result.message
    if number is signal.SIGTERM:
        assert ended.reader.exit_code == ended.client.exit_code == ExitCode.INTERRUPTED, ended.logs
        assert "SIGTERM" in ended.result.message
        assert ended.result.record
    elif side == "reader":
        assert ended.client.exit_code == ExitCode.INTERRUPTED, ended.logs
        assert "the end of the container that reads the backup" in ended.client.result.message
    else:
        assert ended.reader.exit_code == ExitCode.TARGET_FAILED, ended.logs
        assert "ended without a verdict" in ended.result.message
        assert ended.result.record
    assert is_empty(postgres, copy)


def test_the_deadline_is_the_reason_of_a_restore_whose_client_still_answers(
    restorer: Restorer, s3: S3Server, postgres: PostgresServer, copy: str, faults: Faults
) -> None:
    proxy = faults.http(s3.port)
    proxy.set(Rule(Slow(bytes_per_second=200_000), "GET", DUMP))
    restorer.reader_env |= {
        "BACKEND_S3_ENDPOINT": proxy.url,
        "KSNAPSHOT_DEADLINE_SECONDS": "10",
    }
    ended = restorer.run()
    assert ended.reader.exit_code == ended.client.exit_code == ExitCode.INTERRUPTED, ended.logs
    assert ended.result.reason == "DeadlineExceeded", ended.result.message
    assert "close to the job's deadline" in ended.result.message
    assert ended.result.target_partial
    assert is_empty(postgres, copy)


def test_a_store_that_is_away_for_a_while_is_waited_for(
    restorer: Restorer,
    s3: S3Server,
    postgres: PostgresServer,
    database: str,
    copy: str,
    faults: Faults,
) -> None:
    proxy = faults.http(s3.port)
    proxy.set(
        Rule(Status(503), "GET", "manifest", times=1),
        Rule(Cut(after=1 << 20, reset=False), "GET", DUMP, times=2),
    )
    ended = restorer.run(BACKEND_S3_ENDPOINT=proxy.url)
    assert ended.reader.exit_code == ExitCode.DONE, ended.logs
    assert postgres.psql(FINGERPRINT, copy) == postgres.psql(FINGERPRINT, database)


def test_a_backup_is_listed_verified_and_pinned(
    dumper: Dumper, dumped: Ended, s3: S3Server, bucket: str
) -> None:
    listed = look(dumper, "list")
    assert listed.exit_code == ExitCode.DONE, listed.log
    run, end = listed.documents
    assert end == {
        "catalogue": "end",
        "records": f"ksnapshot/manifests/test/{CRONJOB}/",
        "runs": 1,
        "next": "",
    }
    id_ = run["id"]
    assert (run["catalogue"], run["state"], run["restorable"]) == ("run", "complete", True)
    assert (run["record"], run["stored_bytes"]) == (
        dumped.result.record,
        dumped.result.stored_bytes,
    )
    assert run["recipients"] == [str(IDENTITY.to_public())]

    verified = look(dumper, "verify", KSNAPSHOT_BACKUP="latest")
    assert verified.exit_code == ExitCode.DONE, verified.log
    assert (verified.result.backup, verified.result.objects) == (id_, 1)
    assert look(dumper, "pin", KSNAPSHOT_BACKUP=id_[:6]).exit_code == ExitCode.DONE
    for scope in ("cronjob", "cluster", "all"):
        run = look(dumper, "list", KSNAPSHOT_LIST_SCOPE=scope).documents[0]
        assert (run["id"], run["pinned"], run["proof"]["good"]) == (id_, True, True)
    assert look(dumper, "unpin").exit_code == ExitCode.DONE

    [stored] = dumped.result.keys
    body = s3.read(bucket, stored)
    s3.client().put_object(Bucket=bucket, Key=stored, Body=body[::-1])
    damaged = look(dumper, "verify", KSNAPSHOT_BACKUP="latest")
    assert damaged.exit_code == ExitCode.STORAGE_REFUSED, damaged.log
    assert (damaged.result.reason, damaged.result.succeeded) == ("BackupDamaged", False)
    assert stored in damaged.result.message
    [run] = look(dumper, "list", KSNAPSHOT_BACKUP=id_).documents
    assert (run["state"], run["restorable"], run["pinned"]) == ("damaged", False, False)
    missing = look(dumper, "list", KSNAPSHOT_BACKUP="nope")
    assert (missing.exit_code, missing.documents) == (ExitCode.CONFIGURATION, [])
    assert look(dumper, "verify", KSNAPSHOT_BACKUP="latest").exit_code == ExitCode.CONFIGURATION


def test_a_dump_of_0_6_0_is_listed_and_restored(
    dumper: Dumper,
    restorer: Restorer,
    dumped: Ended,
    s3: S3Server,
    bucket: str,
    postgres: PostgresServer,
    database: str,
    copy: str,
) -> None:
    [stored] = dumped.result.keys
    body = s3.read(bucket, stored)
    folder = f"ksnapshot/2025/01/02/postgresql/dump-{POD}"
    whole = f"{folder}-{database}-20250102030405.sql.gz.age"
    cut = f"{folder}-{database}-20250102030406.sql.gz"
    sql = gzip.decompress(pyrage.decrypt(body, [IDENTITY]))
    s3.client().put_object(Bucket=bucket, Key=whole, Body=body)
    # As 0.6.0 stored it where pg_dump failed.
    s3.client().put_object(Bucket=bucket, Key=cut, Body=gzip.compress(sql[:-500]))
    s3.client().put_object(Bucket=bucket, Key=f"{folder}-notes.txt", Body=b"x")

    listed = look(dumper, "list", KSNAPSHOT_LIST_LEGACY="true")
    assert [run.get("id") for run in listed.documents[1:]] == [
        *("legacy-20250102T030406Z", "legacy-20250102T030405Z", None),
    ]
    run = listed.documents[2]
    assert (run["state"], run["restorable"], run["record"]) == ("legacy", True, whole)
    assert run["stored_bytes"] == len(body)
    assert [item["state"] for item in look(dumper, "list").documents[:-1]] == ["complete"]

    broken = restorer.run(KSNAPSHOT_BACKUP="legacy-20250102T030406Z")
    failed(broken, ExitCode.STORAGE_REFUSED, cut, "does not end as a whole dump does")
    assert is_empty(postgres, copy)
    ended = restorer.run(KSNAPSHOT_BACKUP="legacy-20250102T030405Z")
    assert ended.reader.exit_code == ExitCode.DONE, ended.logs
    assert ended.result.record == ""
    assert postgres.psql(FINGERPRINT, copy) == postgres.psql(FINGERPRINT, database)
    refused(
        restorer,
        ConfigurationError,
        "there are 0 dumps",
        KSNAPSHOT_BACKUP="legacy-20250102T030407Z",
    )
