"""A bucket with backups of one CronJob that can be unpacked, and verifications of them."""

import gzip
import hashlib
import json
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyrage

from dumpers.contract.names import PROOF_READ
from dumpers.contract.restore.result import BackupResult
from dumpers.contract.retention.jobs import PruneJob
from dumpers.contract.storages.location import S3Location
from dumpers.contract.storages.named_storage import MAIN, NamedStorage
from dumpers.contract.verify.jobs import VerifyJob
from dumpers.contract.verify.result import VerifyResult
from dumpers.contract.verify.sample import parse_sample
from dumpers.repository.catalogue import Entry
from dumpers.repository.keys import Run, records_prefix
from dumpers.repository.record_json import digest, make_tombstone, write_record
from dumpers.repository.records import (
    Encryption,
    Manifest,
    ObjectRecord,
    Removal,
    Retention,
    StartedRecord,
    Tombstone,
)
from dumpers.repository.removal.folders import entries_of, read_folders
from dumpers.runs.retention.prune import prune
from dumpers.runs.verify.one import verify_backup
from dumpers.runs.verify.scheduled import verify_on_schedule
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.run_storage import RunStorage
from tests.testbed.stores.s3 import Keys, S3Server

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CLUSTER, CRONJOB = "test", "cj"
# Several blocks of a download.
_MIB = 1 << 20


class Clock:
    """Each look at it is a second later."""

    def __init__(self) -> None:
        self.moment = NOW

    def __call__(self) -> datetime:
        self.moment += timedelta(seconds=1)
        return self.moment


@dataclass(kw_only=True)
class World:
    """A backup has two objects, and the id `d<days>`; the newest is the one of the fewest days.

    `size` is that of the dump in each object, in MiB.
    """

    s3: S3Server
    bucket: str
    folder: Path
    size: int = 1
    now: Clock = field(default_factory=Clock)

    def backup(self, days: int, recipient: str = "", *, policy: str = "", **changes: Any) -> Run:
        """Store a backup so many days old; `changes` are to what its manifest says of objects.

        With a `policy` of retention, what covers others must have been read.
        """
        run = Run(
            path="ksnapshot",
            cluster=CLUSTER,
            cronjob=CRONJOB,
            host="pod",
            started=NOW - timedelta(days=days),
            id=f"d{days}",
        )
        objects = tuple(
            replace(self._object(f"ksnapshot/dump-{run.id}-{number}", recipient), **changes)
            for number in range(2)
        )
        begun = StartedRecord(
            run=run.id,
            cluster=CLUSTER,
            workload="demo/db",
            cronjob=CRONJOB,
            pod="pod",
            engine="postgresql",
            bucket=self.bucket,
            started=run.started,
            deadline_seconds=3600,
            keys=tuple(item.key for item in objects),
        )
        manifest = Manifest(
            begun=begun,
            finished=run.started,
            server_version="17",
            tool_version="17",
            encryption=Encryption(recipients=(recipient,)) if recipient else None,
            objects=objects,
            retention=Retention(policy=policy, time_zone="Etc/UTC") if policy else None,
            required_proof=PROOF_READ if policy else "",
        )
        self.put(run.started_key, write_record(begun))
        self.put(run.manifest_key, write_record(manifest))
        return run

    def put(self, key: str, body: bytes) -> None:
        self.s3.client().put_object(Bucket=self.bucket, Key=key, Body=body)

    def delete(self, key: str) -> None:
        self.s3.client().delete_object(Bucket=self.bucket, Key=key)

    def reasons(self) -> dict[str, list[str]]:
        """Why a prune would keep or delete each backup, by its id."""
        documents: list[Mapping[str, Any]] = []
        storages = (NamedStorage(name=MAIN, location=self.location()),)
        job = PruneJob(
            storages=storages,
            host="pod",
            cluster=CLUSTER,
            workload="",
            cronjob="",
            deadline=None,
            floor="none",
            dry_run=True,
        )
        prune(job, interrupt=Interrupt(), now=self.now, emit=documents.append)
        return {item["id"]: item["reasons"] for item in documents if item["prune"] == "verdict"}

    def remove(self, run: Run) -> None:
        """Remove a backup as a prune does: its manifest says so first."""
        manifest = self.s3.read(self.bucket, run.manifest_key)
        tombstone = make_tombstone(manifest, removal=Removal.PRUNED, removed=NOW)
        assert isinstance(tombstone, Tombstone)
        self.put(run.manifest_key, write_record(tombstone))
        for key in tombstone.buried.begun.keys if isinstance(tombstone.buried, Manifest) else ():
            self.delete(key)

    def identity(self, name: str = "keys.txt", *keys: str) -> Path:
        """A file with these private keys."""
        path = self.folder / name
        path.write_text("\n".join(keys))
        return path

    def verify(
        self,
        sample: str = "",
        *,
        identity: Path | None = None,
        url: str = "",
        keys: Keys | None = None,
        interrupt: Interrupt | None = None,
    ) -> VerifyResult:
        """Verify as a schedule does, a day after whatever was done before."""
        self.now.moment += timedelta(days=1)
        job = self._job(url, keys, identity, backup="", sample=sample)
        result = verify_on_schedule(job, interrupt=interrupt or Interrupt(), now=self.now)
        assert VerifyResult.from_json(result.to_json()) == result
        return result

    def verify_one(
        self,
        backup: str = "latest",
        *,
        identity: Path | None = None,
        url: str = "",
        keys: Keys | None = None,
    ) -> BackupResult:
        """Verify as a person does."""
        self.now.moment += timedelta(days=1)
        job = self._job(url, keys, identity, backup=backup, sample="")
        return verify_backup(job, interrupt=Interrupt(), now=self.now)

    def verdicts(self) -> dict[str, Mapping[str, Any]]:
        """The last verdict that is recorded of each backup, by its id."""
        found: dict[str, Mapping[str, Any]] = {}
        for key in sorted(self.s3.objects(self.bucket), key=lambda key: key[-21:]):
            if "/verified-" in key or "/damaged-" in key:
                document = json.loads(self.s3.read(self.bucket, key))
                assert document["digest"] == digest(document)
                assert document["record"] == key.rpartition("/")[2].partition("-")[0]
                found[document["run"]] = document
        return found

    def unread(self) -> dict[str, int]:
        """How often it is recorded of each backup that it could not be read, by its id."""
        keys = [key for key in self.s3.objects(self.bucket) if "/unread-" in key]
        return dict(Counter(json.loads(self.s3.read(self.bucket, key))["run"] for key in keys))

    def methods(self) -> dict[str, tuple[str, bool]]:
        """How each backup was read, and whether it was good."""
        return {run: (item["method"], item["good"]) for run, item in self.verdicts().items()}

    def entries(self) -> dict[str, Entry]:
        """The catalogue by the ids of the runs."""
        prefix = records_prefix(path="ksnapshot", cluster=CLUSTER, cronjob=CRONJOB)
        with RunStorage(self.location(), run="list", interrupt=Interrupt()) as storage:
            return {
                entry.id: entry for entry in entries_of(read_folders(storage, prefix, now=self.now))
            }

    def location(self, url: str = "", keys: Keys | None = None) -> S3Location:
        keys = keys or self.s3.root
        return S3Location(
            bucket=self.bucket,
            path="ksnapshot",
            endpoint=url or self.s3.endpoint,
            access_key=keys.access,
            secret_key=keys.secret,
            patience=1,
        )

    def _job(
        self, url: str, keys: Keys | None, identity: Path | None, *, backup: str, sample: str
    ) -> VerifyJob:
        return VerifyJob(
            storages=(NamedStorage(name=MAIN, location=self.location(url, keys)),),
            host="pod",
            cluster=CLUSTER,
            workload="demo/db",
            cronjob=CRONJOB,
            deadline=None,
            backup=backup,
            sample=parse_sample(sample) if sample else None,
            identity_file=str(identity or ""),
        )

    def _object(self, key: str, recipient: str) -> ObjectRecord:
        plain = random.Random(key).randbytes(_MIB) * self.size
        stored = gzip.compress(plain, 1)
        if recipient:
            stored = pyrage.encrypt(stored, [pyrage.x25519.Recipient.from_str(recipient)])
        self.put(key, stored)
        return ObjectRecord(
            key=key,
            name="db",
            ending=".sql",
            size=len(stored),
            sha256=hashlib.sha256(stored).hexdigest(),
            crc32="",
            source_size=len(plain),
            source_sha256=hashlib.sha256(plain).hexdigest(),
            checked=True,
        )
