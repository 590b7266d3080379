"""Backups made by hand: objects and records as a dump leaves them, of whatever content."""

import gzip
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyrage

from dumpers.contract.names import GZIP
from dumpers.repository.keys import Run
from dumpers.repository.record_json import write_record
from dumpers.repository.records import Encryption, Manifest, ObjectRecord, StartedRecord
from dumpers.streams.packing import pack
from dumpers.streams.reader import copy
from tests.testbed.stores.s3 import S3Server

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeBackup:
    """A backup in the bucket: its run, its keys, and what is stored under them."""

    run: Run
    keys: tuple[str, ...]
    stored: Mapping[str, bytes]


def make_backup(
    s3: S3Server,
    bucket: str,
    contents: Mapping[tuple[str, ...], bytes],
    *,
    cluster: str,
    cronjob: str,
    workload: str = "demo/db",
    recipients: Sequence[Any] = (),
    run_id: str = "3f9c0a51b2d4",
    started: datetime = STARTED,
    ending: str = ".sql",
    compression: str = GZIP,
) -> MadeBackup:
    """Store a backup whose objects have these names (name, then part) and this content."""
    run = Run(
        path="ksnapshot",
        cluster=cluster,
        cronjob=cronjob,
        host=f"{cronjob}-1-abcde",
        started=started,
        id=run_id,
    )
    client, objects, stored = s3.client(), [], {}
    for (name, *part), content in contents.items():
        body = _packed(content, compression)
        if recipients:
            body = pyrage.encrypt(body, list(recipients))
        key = run.dump_key(
            engine="postgresql",
            name=name,
            part=part,
            ending=ending,
            encrypted=bool(recipients),
            compression=compression,
        )
        client.put_object(Bucket=bucket, Key=key, Body=body)
        stored[key] = body
        objects.append(
            ObjectRecord(
                key=key,
                name=name,
                part=tuple(part),
                ending=ending,
                size=len(body),
                sha256=hashlib.sha256(body).hexdigest(),
                crc32="",
                source_size=len(content),
                source_sha256=hashlib.sha256(content).hexdigest(),
                checked=True,
            )
        )
    begun = StartedRecord(
        run=run_id,
        cluster=cluster,
        workload=workload,
        cronjob=cronjob,
        pod=run.host,
        engine="postgresql",
        bucket=bucket,
        started=started,
        deadline_seconds=3600,
        keys=tuple(stored),
    )
    manifest = Manifest(
        begun=begun,
        finished=started,
        server_version="17.2",
        tool_version="17.2",
        compression=compression,
        encryption=Encryption(recipients=tuple(map(str, recipients))) if recipients else None,
        objects=tuple(objects),
    )
    client.put_object(Bucket=bucket, Key=run.manifest_key, Body=write_record(manifest))
    return MadeBackup(run=run, keys=tuple(stored), stored=stored)


def _packed(content: bytes, compression: str) -> bytes:
    if compression == GZIP:
        return gzip.compress(content, 1)
    target = io.BytesIO()
    copy(pack(io.BytesIO(content), compression), target)
    return target.getvalue()
