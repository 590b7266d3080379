"""Attacks of docs/threat-model.md by a chosen host and by keys of the bucket, tried for real."""

import gzip
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest
from botocore.exceptions import ClientError

from controller.workloads.hosts.addresses import is_refused
from dumpers.runtime.errors import ExitCode
from tests.integration.dumpers.test_accounts import documented, env_of
from tests.integration.dumpers.test_backup import SCHEMA
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper
from tests.testbed.restorer import Restorer, look
from tests.testbed.stores.s3 import Keys, S3Server
from tests.testbed.toolchain.require import require_root

_REFUSED = "AccessDenied|locked|ObjectLock|InvalidRequest"


@dataclass(kw_only=True)
class Stored:
    """Two backups of one database in a bucket; `keys` are those of the account that wrote them."""

    s3: S3Server
    bucket: str
    dumper: Dumper
    keys: Keys
    objects: tuple[str, str]

    @property
    def as_root(self) -> dict[str, str]:
        """Variables by which a job reads whatever is there."""
        return env_of(self.s3.root)

    def versions(self) -> list[dict[str, Any]]:
        """Every version of every object, the latest of each key first."""
        found = self.s3.client().list_object_versions(Bucket=self.bucket)
        return list(found.get("Versions", []))

    def verdict(self) -> tuple[str, str]:
        """What a verification of the newest backup says."""
        looked = look(self.dumper, "verify", KSNAPSHOT_BACKUP="latest", **self.as_root)
        return looked.result.reason, looked.result.message


@pytest.fixture
def locked(s3: S3Server) -> str:
    """A bucket of this test's own with versions and object lock."""
    return s3.create_bucket(f"locked-{secrets.token_hex(4)}", locks=True)


@pytest.fixture
def stored(
    s3: S3Server, locked: str, dumper: Dumper, postgres: PostgresServer, database: str
) -> Stored:
    """Backups by an account that has the rights of docs/operations.md for a writer and no more."""
    postgres.psql(SCHEMA, database)
    keys = s3.create_user(f"writer-{secrets.token_hex(4)}")
    writer, _ = documented(locked)
    s3.set_policy(locked, {keys.access: writer})
    dumper.env["BACKEND_BUCKET"] = locked
    objects: list[str] = []
    for number in range(2):
        postgres.psql(f"CREATE TABLE run_{number} AS SELECT {number} AS run", database)
        ended = dumper.run(**env_of(keys))
        assert ended.exit_code == ExitCode.DONE, ended.log
        objects += ended.result.keys
    return Stored(s3=s3, bucket=locked, dumper=dumper, keys=keys, objects=(objects[0], objects[1]))


@pytest.mark.parametrize("content", ["anything", "the older backup's"])
def test_a_dump_pods_key_overwrites_and_is_found_out_and_undone(
    stored: Stored, content: str, postgres: PostgresServer, database: str
) -> None:
    s3, bucket, (older, newest) = stored.s3, stored.bucket, stored.objects
    attacker = s3.client(stored.keys)
    good = next(item for item in stored.versions() if item["Key"] == newest)
    body = b"anything" if content == "anything" else s3.read(bucket, older)
    attacker.put_object(Bucket=bucket, Key=newest, Body=body)
    # It deletes nothing, no version either.
    for at in ({"Key": older}, {"Key": newest, "VersionId": good["VersionId"]}):
        with pytest.raises(ClientError, match="AccessDenied"):
            attacker.delete_object(Bucket=bucket, **at)
    copy = postgres.create_database(f"{database}_copy")
    restorer = Restorer.of(stored.dumper, database=copy)
    restorer.reader_env |= stored.as_root
    ended = restorer.run()
    restorer.close()
    assert ended.reader.exit_code == ExitCode.STORAGE_REFUSED, ended.logs
    assert postgres.psql("SELECT count(*) FROM pg_tables WHERE schemaname='public'", copy) == "0"
    postgres.run("dropdb", "--force", copy)
    reason, message = stored.verdict()
    assert (reason, newest in message) == ("BackupDamaged", True)
    # The bucket keeps what was there before.
    source = {"Bucket": bucket, "Key": newest, "VersionId": good["VersionId"]}
    before = s3.client().get_object(**source)["Body"].read()
    s3.client().put_object(Bucket=bucket, Key=newest, Body=before)
    assert stored.verdict()[0] == "Succeeded"


def test_a_stolen_prune_key_deletes_nothing_that_is_locked(stored: Stored) -> None:
    s3, bucket = stored.s3, stored.bucket
    until = datetime.now(UTC) + timedelta(days=1)
    versions = stored.versions()
    for item in versions:
        s3.client().put_object_retention(
            Bucket=bucket,
            Key=item["Key"],
            VersionId=item["VersionId"],
            Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until},
        )
    thief = s3.create_user(f"prune-{secrets.token_hex(4)}")
    # More than docs/operations.md gives to prune: every version of every object.
    actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"]
    objects = {"Effect": "Allow", "Action": actions, "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.set_policy(bucket, {thief.access: [objects]})
    client = s3.client(thief)
    for item in versions:
        client.delete_object(Bucket=bucket, Key=item["Key"])
        with pytest.raises(ClientError, match=_REFUSED):
            client.delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])
    assert s3.objects(bucket) == {}
    # All is there again once the markers are gone.
    for marker in s3.client().list_object_versions(Bucket=bucket)["DeleteMarkers"]:
        at = {"Key": marker["Key"], "VersionId": marker["VersionId"]}
        s3.client().delete_object(Bucket=bucket, **at)
    assert stored.verdict()[0] == "Succeeded"


def test_a_name_that_leads_to_a_loopback_is_gone_to(
    dumper: Dumper, s3: S3Server, bucket: str, tmp_path: Path
) -> None:
    """Nothing of ksnapshot resolves the name, so nothing of it could refuse the address."""
    require_root()
    name = "database.attacker.example"
    assert is_refused("127.0.0.1")
    assert not is_refused(name)
    dumper.env["POSTGRESQL_HOST"] = name
    unknown = dumper.run()
    assert unknown.exit_code == ExitCode.SOURCE_FAILED, unknown.log
    # The name has its address for this process alone.
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {name}\n")
    script = 'mount --bind "$0" /etc/hosts && exec "$@"'
    dumper.wrapper = ("unshare", "--mount", "sh", "-c", script, str(hosts))
    ended = dumper.run()
    assert ended.exit_code == ExitCode.DONE, ended.log
    assert set(ended.result.keys) <= set(s3.objects(bucket))


def test_a_dump_pods_key_without_reading_reads_no_backup_of_others(
    stored: Stored, postgres: PostgresServer, database: str
) -> None:
    """A writer of its own makes a backup, and sees none of those that are there."""
    s3, bucket = stored.s3, stored.bucket
    taken = s3.create_user(f"taken-{secrets.token_hex(4)}")
    writer, _ = documented(bucket)
    blind = ("s3:GetObject", "s3:ListBucket")
    rights = [
        {**part, "Action": [action for action in part["Action"] if action not in blind]}
        for part in writer
    ]
    s3.set_policy(bucket, {taken.access: rights})
    postgres.psql("CREATE TABLE more AS SELECT 3 AS run", database)
    ended = stored.dumper.run(**env_of(taken))
    assert ended.exit_code == ExitCode.DONE, ended.log
    client = s3.client(taken)
    for key in (*stored.objects, *s3.objects(bucket)):
        with pytest.raises(ClientError, match="AccessDenied"):
            client.get_object(Bucket=bucket, Key=key)
    for version in stored.versions():
        with pytest.raises(ClientError, match="AccessDenied"):
            client.get_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    with pytest.raises(ClientError, match="AccessDenied"):
        client.list_objects_v2(Bucket=bucket)
    with pytest.raises(ClientError, match="AccessDenied"):
        client.list_object_versions(Bucket=bucket)
    source = {"Bucket": bucket, "Key": stored.objects[0]}
    with pytest.raises(ClientError, match="AccessDenied"):
        client.copy_object(Bucket=bucket, Key="ksnapshot/mine", CopySource=source)


def test_what_a_dump_pods_key_reads_is_sealed_where_it_is_encrypted(
    stored: Stored, postgres: PostgresServer, database: str
) -> None:
    """The account that reads what it wrote reads what others wrote, too: age's own bytes."""
    identity, others = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    postgres.psql("CREATE TABLE secret AS SELECT 'swordfish' AS word", database)
    keys = {"ENCRYPTION_ENABLED": "true", "ENCRYPTION_RECIPIENT": recipient}
    ended = stored.dumper.run(**env_of(stored.keys), **keys)
    assert ended.exit_code == ExitCode.DONE, ended.log
    [key] = ended.result.keys
    body = stored.s3.client(stored.keys).get_object(Bucket=stored.bucket, Key=key)["Body"].read()
    assert body.startswith(b"age-encryption.org/v1\n")
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(body, [others])
    assert b"swordfish" in gzip.decompress(pyrage.decrypt(body, [identity]))
    # What is in the pod besides does not open it.
    assert str(identity) not in json.dumps({**stored.dumper.env, **keys})
