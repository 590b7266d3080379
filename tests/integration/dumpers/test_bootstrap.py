"""A new workload's restore, by the two real processes: once, and with a record in the store."""

import json
from collections.abc import Iterator

import pyrage
import pytest

from dumpers.repository.record_json import read_record
from dumpers.repository.records import BootstrapRecord
from dumpers.runtime.errors import ExitCode
from tests.integration.dumpers.test_backup import FINGERPRINT, SCHEMA
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import CRONJOB, Dumper, Ended
from tests.testbed.restorer import Restored, Restorer, look
from tests.testbed.stores.s3 import READ, S3Server

IDENTITY = pyrage.x25519.Identity.generate()
NEW = "ksnapshot-postgresql-demo-staging-12345678"


@pytest.fixture
def dumped(dumper: Dumper, postgres: PostgresServer, database: str) -> Ended:
    postgres.psql(SCHEMA, database)
    recipient = str(IDENTITY.to_public())
    dumper.env |= {"ENCRYPTION_ENABLED": "true", "ENCRYPTION_RECIPIENT": recipient}
    ended = dumper.run()
    assert ended.exit_code == ExitCode.DONE, ended.log
    return ended


@pytest.fixture
def restorer(dumper: Dumper, dumped: Ended, copy: str) -> Iterator[Restorer]:
    made = Restorer.of(dumper, database=copy, identity=f"{IDENTITY}\n")
    yield made
    made.close()


def begin(restorer: Restorer, *, owner: str = "uid-1", **changes: str) -> Restored:
    wanted = {"cronjob": NEW, "owner": owner, "asked": "database@latest"}
    return restorer.run(KSNAPSHOT_BOOTSTRAP=json.dumps(wanted), **changes)


def record(s3: S3Server, bucket: str) -> BootstrapRecord | None:
    keys = [key for key in s3.objects(bucket) if key.endswith("bootstrap.json")]
    if not keys:
        return None
    [key] = keys
    assert key.endswith(f"/{NEW}/bootstrap.json")
    found = read_record(s3.read(bucket, key))
    assert isinstance(found, BootstrapRecord)
    return found


def empty(postgres: PostgresServer, name: str) -> None:
    postgres.run("dropdb", "--force", name)
    postgres.run("createdb", name)


def test_a_new_workload_is_restored_once(
    restorer: Restorer,
    dumper: Dumper,
    dumped: Ended,
    s3: S3Server,
    bucket: str,
    postgres: PostgresServer,
    database: str,
    copy: str,
) -> None:
    # What fails is recorded, and may be tried again.
    ended = begin(restorer, KSNAPSHOT_BACKUP="20200101T000000Z")
    assert ended.reader.exit_code == ExitCode.CONFIGURATION, ended.logs
    found = record(s3, bucket)
    assert found
    assert (found.done, found.reason, found.run) == (False, "ConfigurationInvalid", "")

    ended = begin(restorer)
    assert ended.reader.exit_code == ended.client.exit_code == ExitCode.DONE, ended.logs
    assert postgres.psql(FINGERPRINT, copy) == postgres.psql(FINGERPRINT, database)
    found = record(s3, bucket)
    assert found
    assert (found.done, found.reason, found.message) == (True, "Succeeded", "")
    assert (found.owner, found.asked, found.source) == ("uid-1", "database@latest", CRONJOB)
    assert found.run == ended.result.backup
    assert found.started <= found.finished

    # A database that was emptied on purpose stays empty.
    empty(postgres, copy)
    ended = begin(restorer)
    assert ended.reader.exit_code == ExitCode.TARGET_REFUSED, ended.logs
    assert ended.result.reason == "BootstrappedBefore"
    assert found.run in ended.result.message
    assert postgres.psql("SELECT count(*) FROM pg_class WHERE relname = 'people'", copy) == "0"
    assert record(s3, bucket) == found

    # Another owner is another workload, whose database must be empty, too.
    postgres.psql("CREATE TABLE mine AS SELECT 1", copy)
    ended = begin(restorer, owner="uid-2")
    assert ended.result.reason == "TargetRefused", ended.logs
    second = record(s3, bucket)
    assert second
    assert (second.owner, second.done, second.reason) == ("uid-2", False, "TargetRefused")
    assert postgres.psql("SELECT count(*) FROM mine", copy) == "1"

    # The record is none of a run: neither lists nor sweeps take it for one.
    listed = look(dumper, "list", KSNAPSHOT_LIST_SCOPE="all")
    assert listed.exit_code == ExitCode.DONE, listed.log
    dumper.env |= {"KSNAPSHOT_CRONJOB": NEW}
    assert dumper.run().exit_code == ExitCode.DONE
    assert record(s3, bucket) == second


def test_keys_that_may_only_read_are_enough(
    restorer: Restorer, s3: S3Server, bucket: str, postgres: PostgresServer, copy: str
) -> None:
    keys = s3.create_user(f"reader-{bucket}")
    s3.allow(bucket, {keys.access: READ})
    restorer.reader_env |= {
        "BACKEND_S3_ACCESS_KEY": keys.access,
        "BACKEND_S3_SECRET_KEY": keys.secret,
    }
    ended = begin(restorer)
    assert ended.reader.exit_code == ExitCode.DONE, ended.logs
    [warning] = ended.reader.lines("the bootstrap is not recorded in the store")
    assert warning["level"] == "warning"
    assert record(s3, bucket) is None
    # What keeps it from a second time is that something is there.
    ended = begin(restorer)
    assert ended.result.reason == "TargetRefused", ended.logs
    assert postgres.psql("SELECT count(*) > 0 FROM people", copy) == "t"
