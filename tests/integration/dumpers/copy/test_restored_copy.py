"""A backup of a real PostgreSQL, copied, and restored from the copy."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pyrage
import pytest

from controller.manifests.cronjob import build_cronjob
from controller.manifests.overlay import overlay
from controller.manifests.storages.every_storage import every_store_variables
from controller.manifests.storages.sources import reader_account
from controller.manifests.verb_job import container_of
from dumpers.repository.record_json import read_record
from dumpers.repository.records import Manifest
from dumpers.runtime.errors import ExitCode
from tests.fakes.worlds import settings
from tests.integration.dumpers.test_backup import SCHEMA
from tests.integration.dumpers.test_bootstrap import NEW, empty
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper
from tests.testbed.restorer import Restored, Restorer, look
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.processes import free_port
from tests.unit.controller.manifests.storages.test_storage_env import kubelet, spec

IDENTITY = pyrage.x25519.Identity.generate()
OFF_SITE = "STORAGE_OFF_SITE__"


@dataclass(frozen=True, kw_only=True)
class Copied:
    """A backup in two storages, and a restore that has both; `other` is the second bucket."""

    restorer: Restorer
    other: str
    manifest: Manifest
    key: str


@pytest.fixture
def copied(
    dumper: Dumper,
    postgres: PostgresServer,
    database: str,
    copy: str,
    s3: S3Server,
    bucket: str,
) -> Iterator[Copied]:
    postgres.psql(SCHEMA, database)
    recipient = {
        "ENCRYPTION_ENABLED": "true",
        "ENCRYPTION_RECIPIENT": str(IDENTITY.to_public()),
    }
    ended = dumper.run(**recipient)
    assert ended.exit_code == ExitCode.DONE, ended.log
    other = s3.create_bucket(f"{bucket}-other")
    both = {"KSNAPSHOT_STORAGES": "main,off-site", "BACKEND_S3_PATIENCE": "0"} | {
        f"{OFF_SITE}{name.removeprefix('BACKEND_')}": value
        for name, value in dumper.env.items()
        if name.startswith("BACKEND_")
    }
    both |= {f"{OFF_SITE}BUCKET": other, f"{OFF_SITE}PATH": "elsewhere"}
    looked = look(dumper, "copy", KSNAPSHOT_BACKUP="latest", **both)
    assert looked.exit_code == ExitCode.DONE, looked.log
    found = read_record(s3.read(other, looked.result.record))
    assert isinstance(found, Manifest)
    restorer = Restorer.of(dumper, database=copy, identity=str(IDENTITY))
    restorer.reader_env |= both
    yield Copied(restorer=restorer, other=other, manifest=found, key=ended.result.keys[0])
    restorer.close()


def people(postgres: PostgresServer, database: str) -> str:
    return postgres.psql("SELECT count(*) FROM people", database)


def test_a_copy_is_read_by_the_stock_tools(copied: Copied, s3: S3Server) -> None:
    [item] = copied.manifest.objects
    stored = s3.read(copied.other, item.key)
    assert hashlib.sha256(stored).hexdigest() == item.sha256
    plain = gzip.decompress(pyrage.decrypt(stored, [IDENTITY]))
    assert hashlib.sha256(plain).hexdigest() == item.source_sha256


def test_a_restore_reads_the_copy_where_the_first_store_is_away(
    copied: Copied, postgres: PostgresServer, database: str, copy: str
) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    ended = copied.restorer.run(BACKEND_S3_ENDPOINT=away)
    assert ended.reader.exit_code == ExitCode.DONE, ended.logs
    assert "read from off-site" in ended.result.notes
    assert any(note.startswith("main was passed over: ") for note in ended.result.notes)
    assert ended.result.record.startswith("elsewhere/")
    assert people(postgres, copy) == people(postgres, database)


def test_a_restore_falls_over_with_the_variables_that_the_controller_builds(
    copied: Copied, dumper: Dumper, postgres: PostgresServer, database: str, copy: str
) -> None:
    keys = {
        "AWS_ACCESS_KEY_ID": dumper.env["BACKEND_S3_ACCESS_KEY"],
        "AWS_SECRET_ACCESS_KEY": dumper.env["BACKEND_S3_SECRET_KEY"],
    }
    defined = {
        "bucket": copied.other,
        "path": "elsewhere",
        "endpoint": dumper.env["BACKEND_S3_ENDPOINT"],
        "credentialsSecret": "nowhere",
        "readerSecret": "off-reading",
    }
    where = settings(
        STORAGES=json.dumps({"off-site": defined}),
        BACKUP_SECRET_NAME="nowhere",
        READER_SECRET_NAME="reading",
    )
    made = overlay(None, build_cronjob(spec("main,off-site", where), where, "c", None))
    env = every_store_variables(container_of(made), {}, reader_account(where))
    config_map = {
        "S3_BUCKET": "gone",
        "S3_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "S3_PATIENCE": "0",
    }
    objects = {"ksnapshot-cm": config_map, "reading": keys, "off-reading": keys}
    reader_env = copied.restorer.reader_env
    for name in [*reader_env]:
        if name.startswith(("BACKEND_", "STORAGE_")):
            del reader_env[name]
    own = kubelet(env, objects)
    reader_env |= {name: text for name, text in own.items() if name not in reader_env}
    reader_env["KSNAPSHOT_STORAGES"] = own["KSNAPSHOT_STORAGES"]
    ended = copied.restorer.run()
    assert ended.reader.exit_code == ExitCode.DONE, ended.logs
    assert "read from off-site" in ended.result.notes
    assert people(postgres, copy) == people(postgres, database)


@pytest.mark.parametrize("what", ["size", "header"])
def test_a_restore_reads_the_copy_where_the_first_one_is_damaged(
    what: str,
    copied: Copied,
    postgres: PostgresServer,
    database: str,
    copy: str,
    s3: S3Server,
    bucket: str,
) -> None:
    body = b"short"
    if what == "header":
        # Of the same size, so that nothing but the key shows it.
        body = s3.read(bucket, copied.key).replace(b"-> X25519 ", b"-> X25518 ", 1)
    s3.client().put_object(Bucket=bucket, Key=copied.key, Body=body)
    ended = copied.restorer.run()
    assert ended.reader.exit_code == ExitCode.DONE, ended.logs
    assert "read from off-site" in ended.result.notes
    assert people(postgres, copy) == people(postgres, database)


def test_the_first_store_is_read_where_it_is_good(
    copied: Copied, s3: S3Server, postgres: PostgresServer, database: str, copy: str
) -> None:
    s3.client().delete_object(Bucket=copied.other, Key=copied.manifest.objects[0].key)
    ended = copied.restorer.run()
    assert ended.reader.exit_code == ExitCode.DONE, ended.logs
    assert not [note for note in ended.result.notes if "read from" in note]
    assert people(postgres, copy) == people(postgres, database)


def test_a_new_workload_is_restored_from_the_copy_and_once_whichever_store_is_away(
    copied: Copied, s3: S3Server, bucket: str, postgres: PostgresServer, database: str, copy: str
) -> None:
    wanted = {"cronjob": NEW, "owner": "uid-1", "asked": "database@latest"}
    away = f"http://127.0.0.1:{free_port()}"
    copied.restorer.reader_env[f"{OFF_SITE}S3_PATIENCE"] = "0"

    def begin(**changes: str) -> Restored:
        return copied.restorer.run(KSNAPSHOT_BOOTSTRAP=json.dumps(wanted), **changes)

    ended = begin(BACKEND_S3_ENDPOINT=away)
    assert ended.reader.exit_code == ExitCode.DONE, ended.logs
    assert people(postgres, copy) == people(postgres, database)
    [key] = [key for key in s3.objects(copied.other) if key.endswith("bootstrap.json")]
    assert key.startswith("elsewhere/")
    assert not [key for key in s3.objects(bucket) if key.endswith("bootstrap.json")]
    [warning] = ended.reader.lines("the bootstrap is not recorded in the store")
    assert warning["key"] == f"ksnapshot/{key.removeprefix('elsewhere/')}"

    # The first store is back, and knows nothing of it.
    empty(postgres, copy)
    ended = begin()
    assert ended.result.reason == "BootstrappedBefore", ended.logs
    # What no store says is not taken for nothing.
    ended = begin(**{"BACKEND_S3_ENDPOINT": away, f"{OFF_SITE}S3_ENDPOINT": away})
    assert ended.reader.exit_code == ExitCode.STORAGE_FAILED, ended.logs

    # Another workload, while all are there, is recorded in each of them.
    wanted["owner"] = "uid-2"
    ended = begin()
    assert ended.reader.exit_code == ExitCode.DONE, ended.logs
    assert len([key for key in s3.objects(bucket) if key.endswith("bootstrap.json")]) == 1
    empty(postgres, copy)
    ended = begin(**{f"{OFF_SITE}S3_ENDPOINT": away})
    assert ended.result.reason == "BootstrappedBefore", ended.logs
