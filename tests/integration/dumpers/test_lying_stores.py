"""Attacks of docs/threat-model.md by the store: it answers an old list, or forges a backup."""

import hashlib
import json
from datetime import datetime
from typing import Any

from dumpers.contract.proof.delivery import receive
from dumpers.repository.keys import FINGERPRINT, MANIFEST
from dumpers.repository.record_json import seal
from dumpers.runtime.errors import ExitCode
from tests.integration.dumpers.test_backup import SCHEMA
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Rule, Status
from tests.testbed.restorer import Restored, Restorer, look
from tests.testbed.stores.s3 import S3Server

_LIST = "list-type=2"


def dumped(dumper: Dumper, **changes: str) -> tuple[str, str]:
    """The folder of a backup's records, and the key of its object."""
    ended = dumper.run(**changes)
    assert ended.exit_code == ExitCode.DONE, ended.log
    [key] = ended.result.keys
    return ended.result.record, key


def restored(dumper: Dumper, database: str, **changes: str) -> Restored:
    restorer = Restorer.of(dumper, database=database)
    try:
        return restorer.run(**changes)
    finally:
        restorer.close()


def list_answer(s3: S3Server, bucket: str, prefix: str) -> bytes:
    """What the store itself answers now to whoever lists below the prefix."""
    client, bodies = s3.client(), []
    client.meta.events.register(
        "before-parse.s3.ListObjectsV2", lambda response_dict, **_: bodies.append(response_dict)
    )
    client.list_objects_v2(Bucket=bucket, Prefix=prefix)
    body: bytes = bodies[0]["body"]
    return body


def test_a_store_that_hides_the_newest_backups_gives_an_older_one_and_it_is_named(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    postgres: PostgresServer,
    database: str,
    copy: str,
    faults: Faults,
) -> None:
    postgres.psql("CREATE TABLE moment AS SELECT 'older' AS word", database)
    older, _ = dumped(dumper)
    before = list_answer(s3, bucket, older.rsplit("/", 2)[0] + "/")
    postgres.psql("UPDATE moment SET word = 'newest'", database)
    newest, _ = dumped(dumper)
    proxy = faults.http(s3.port)
    dumper.env["BACKEND_S3_ENDPOINT"] = proxy.url
    proxy.set(Rule(Status(200, before, (("Content-Type", "application/xml"),)), "GET", _LIST))

    ended = restored(dumper, copy)

    assert ended.reader.exit_code == ExitCode.DONE, ended.logs
    assert postgres.psql("SELECT word FROM moment", copy) == "older"
    manifest = json.loads(s3.read(bucket, f"{older}{MANIFEST}"))
    assert ended.result.backup == manifest["run"]
    assert newest != older
    assert proxy.seen("GET", _LIST)
    # Before anything is loaded, it says of which moment it is.
    [named] = ended.reader.lines("restoring a backup")
    [planned] = ended.reader.lines("planned")
    assert named["time"] < planned["time"]
    assert (named["backup"], named["began"]) == (manifest["run"], ended.result.began)
    began = datetime.fromisoformat(named["began"])
    assert began == datetime.fromisoformat(manifest["started"]).replace(microsecond=0)


def forge(s3: S3Server, bucket: str, backup: tuple[str, str], by: tuple[str, str]) -> None:
    """Put a backup in the place of another one, whole: object, fingerprint and manifest."""
    (record, key), (model, model_key) = backup, by
    document: dict[str, Any] = json.loads(s3.read(bucket, f"{record}{MANIFEST}"))
    other: dict[str, Any] = json.loads(s3.read(bucket, f"{model}{MANIFEST}"))
    prints: dict[str, Any] = json.loads(s3.read(bucket, f"{model}{FINGERPRINT}"))
    own: dict[str, Any] = json.loads(s3.read(bucket, f"{record}{FINGERPRINT}"))
    sealed = seal(own | {"objects": [{**prints["objects"][0], "key": key}]})
    said: dict[str, Any] = {"objects": [{**other["objects"][0], "key": key}]}
    said |= {"fingerprint": hashlib.sha256(sealed).hexdigest()}
    client = s3.client()
    client.put_object(Bucket=bucket, Key=key, Body=s3.read(bucket, model_key))
    client.put_object(Bucket=bucket, Key=f"{record}{FINGERPRINT}", Body=sealed)
    client.put_object(Bucket=bucket, Key=f"{record}{MANIFEST}", Body=seal(document | said))
    for name in s3.objects(bucket, model):
        client.delete_object(Bucket=bucket, Key=name)
    client.delete_object(Bucket=bucket, Key=model_key)


def test_a_whole_forged_backup_restores_and_a_proof_from_before_is_not_of_it(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str, copy: str
) -> None:
    dumper.env["KSNAPSHOT_PROOF_SINCE"] = "50y"
    postgres.psql(SCHEMA, database)
    postgres.psql("CREATE TABLE balance AS SELECT 7 AS euros", database)
    backup = dumped(dumper)
    assert look(dumper, "verify", KSNAPSHOT_BACKUP="latest").exit_code == ExitCode.DONE
    (proved,) = subjects(dumper)
    postgres.psql("UPDATE balance SET euros = 7000", database)
    forge(s3, bucket, backup, dumped(dumper))

    # Whatever reads it takes it for good.
    assert look(dumper, "verify", KSNAPSHOT_BACKUP="latest").exit_code == ExitCode.DONE
    ended = restored(dumper, copy)
    assert ended.reader.exit_code == ExitCode.DONE, ended.logs
    assert postgres.psql("SELECT euros FROM balance", copy) == "7000"
    # The same key, and other bytes than those that were signed for.
    (now,) = subjects(dumper)
    assert now["name"] == proved["name"] == f"{backup[0]}{MANIFEST}"
    assert now["digest"] != proved["digest"]
    found = hashlib.sha256(s3.read(bucket, now["name"])).hexdigest()
    assert now["digest"] == {"sha256": found}


def subjects(dumper: Dumper) -> list[Any]:
    """The manifests that a proof is of, with the digests of their bytes."""
    done = look(dumper, "prove")
    assert done.exit_code == ExitCode.DONE, done.log
    signed = receive([item for item in done.documents if item["proof"] != "reading"])
    listed: list[Any] = signed.statement["subject"]
    return listed
