"""The two accounts of docs/operations.md, by policies on a real S3 server."""

import json
import re
import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dumpers.runtime.errors import ExitCode
from tests.integration.dumpers.test_backup import SCHEMA
from tests.paths import REPOSITORY
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper
from tests.testbed.restorer import Restorer, look
from tests.testbed.stores.s3 import Keys, S3Server

_PAGE = (REPOSITORY / "docs" / "operations.md").read_text()


def documented(bucket: str) -> tuple[list[Any], list[Any]]:
    """The statements of the writer and the reader."""
    section = _PAGE.split("\n## Two accounts for the bucket", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
    writer, reader = (json.loads(text.replace("BUCKET", bucket))["Statement"] for text in blocks)
    return writer, reader


@pytest.fixture
def keys(s3: S3Server, bucket: str) -> dict[str, Keys]:
    """The two accounts, and one that has no right to write any record."""
    writer, reader = documented(bucket)
    rights = {"writer": writer, "reader": reader, "looker": reader[:2]}
    made = {name: s3.create_user(f"{name}-{secrets.token_hex(4)}") for name in rights}
    s3.set_policy(bucket, {made[name].access: listed for name, listed in rights.items()})
    return made


def env_of(keys: Keys) -> dict[str, str]:
    return {"BACKEND_S3_ACCESS_KEY": keys.access, "BACKEND_S3_SECRET_KEY": keys.secret}


def test_a_writer_dumps_and_a_reader_lists_verifies_and_restores(
    keys: dict[str, Keys],
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    postgres: PostgresServer,
    database: str,
) -> None:
    postgres.psql(SCHEMA, database)
    dumped = dumper.run(**env_of(keys["writer"]))
    assert dumped.exit_code == ExitCode.DONE, dumped.log
    backup = set(s3.objects(bucket))

    for who, records in (("looker", False), ("reader", True)):
        listed = look(dumper, "list", **env_of(keys[who]))
        assert [item["catalogue"] for item in listed.documents] == ["run", "end"], listed.log
        verified = look(dumper, "verify", KSNAPSHOT_BACKUP="latest", **env_of(keys[who]))
        assert verified.exit_code == ExitCode.DONE, verified.log
        assert bool(verified.result.record) == records, verified.log
        assert ("may not write it" in verified.result.message) == (not records)
        copy = postgres.create_database(f"{database}_{who}")
        restorer = Restorer.of(dumper, database=copy)
        restorer.reader_env |= env_of(keys[who])
        wanted = {"cronjob": "a-new-one", "owner": "uid-1", "asked": "database@latest"}
        ended = restorer.run(KSNAPSHOT_BOOTSTRAP=json.dumps(wanted))
        restorer.close()
        assert ended.reader.exit_code == ExitCode.DONE, ended.logs
        assert bool(ended.result.record) == records
        assert any("no record of this restore" in note for note in ended.result.notes) != records
        postgres.run("dropdb", "--force", copy)
        if not records:
            assert set(s3.objects(bucket)) == backup

    names = {key.rpartition("/")[2].partition("-")[0] for key in set(s3.objects(bucket)) - backup}
    assert names == {"verified", "restored", "bootstrap.json"}
    client = s3.client(keys["reader"])
    for key in backup:
        with pytest.raises(ClientError, match="AccessDenied"):
            client.put_object(Bucket=bucket, Key=key, Body=b"x")
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(Bucket=bucket, Key=key)


def test_a_damaged_backup_is_said_even_where_nothing_can_be_recorded(
    keys: dict[str, Keys],
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    postgres: PostgresServer,
    database: str,
) -> None:
    postgres.psql(SCHEMA, database)
    [stored] = dumper.run(**env_of(keys["writer"])).result.keys
    s3.client().put_object(Bucket=bucket, Key=stored, Body=b"other bytes")
    verified = look(dumper, "verify", KSNAPSHOT_BACKUP="latest", **env_of(keys["looker"]))
    assert verified.exit_code == verified.result.exit_code == ExitCode.STORAGE_REFUSED
    assert verified.result.reason == "BackupDamaged"
    assert stored in verified.result.message
    assert "could not be written" in verified.result.message
