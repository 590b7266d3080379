"""Two buckets, a backup in the one, and copies of it to the other in this process."""

import base64
import hashlib
import os
import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dumpers.contract.copy.jobs import CopyJob
from dumpers.contract.fingerprint import TableDigest
from dumpers.contract.names import READ_BACK
from dumpers.contract.restore.request import LATEST
from dumpers.contract.restore.result import BackupResult
from dumpers.contract.storages.location import S3Location
from dumpers.contract.storages.named_storage import NamedStorage
from dumpers.contract.storages.object_lock import ObjectLock
from dumpers.repository.added_records import Pin, Verification
from dumpers.repository.catalogue import Entry
from dumpers.repository.keys import PINNED, Run
from dumpers.repository.listing import Catalogue
from dumpers.repository.record_json import write_record
from dumpers.repository.records import (
    FingerprintRecord,
    Manifest,
    ObjectFingerprint,
    ObjectRecord,
    StartedRecord,
)
from dumpers.runs.copy.copy import copy
from dumpers.runtime.errors import ConfigurationError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.run_storage import RunStorage
from tests.testbed.stores.s3 import S3Server

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CLUSTER, CRONJOB = "c", "cj"
SOURCE_PATH, TARGET_PATH = "here/it", "there"


@dataclass(frozen=True, kw_only=True)
class World:
    """Where a backup is, and where it is to be."""

    s3: S3Server
    source: str
    target: str
    run: Run
    bodies: Sequence[bytes]
    lock: ObjectLock | None = None
    """What the target asks for."""

    @classmethod
    def make(
        cls,
        s3: S3Server,
        bodies: Sequence[bytes] = (b"one" * 99, b"two" * 999),
        *,
        lock: ObjectLock | None = None,
    ) -> "World":
        dice = random.Random()
        run = Run(
            path=SOURCE_PATH,
            cluster=CLUSTER,
            cronjob=CRONJOB,
            host="pod",
            started=NOW - timedelta(days=3),
            id=f"{dice.getrandbits(40):x}",
        )
        world = cls(
            s3=s3,
            source=s3.create_bucket(f"s-{run.id}"),
            target=s3.create_bucket(f"t-{run.id}", locks=lock is not None),
            lock=lock,
            run=run,
            bodies=bodies,
        )
        world._store()
        return world

    def copy(
        self,
        *,
        source_url: str = "",
        target_url: str = "",
        backup: str = LATEST,
        now: datetime = NOW,
    ) -> BackupResult:
        job = CopyJob(
            storages=(
                NamedStorage(name="main", location=self.location(self.source, url=source_url)),
                NamedStorage(name="off-site", location=self.location(self.target, url=target_url)),
            ),
            host="copier",
            cluster=CLUSTER,
            workload="demo/db",
            cronjob=CRONJOB,
            deadline=3600,
            backup=backup,
            requested_by="jane",
        )
        return copy(job, interrupt=Interrupt(), now=lambda: now)

    def env(self) -> dict[str, str]:
        """The environment of a job that copies."""
        of_both = {
            "S3_ENDPOINT": self.s3.endpoint,
            "S3_ACCESS_KEY": self.s3.root.access,
            "S3_SECRET_KEY": self.s3.root.secret,
        }
        source = of_both | {"BUCKET": self.source, "PATH": SOURCE_PATH}
        target = of_both | {"BUCKET": self.target, "PATH": TARGET_PATH}
        return {
            "PATH": os.environ["PATH"],
            "HOSTNAME": "copier",
            "NO_PROXY": "*",
            "KSNAPSHOT_CLUSTER": CLUSTER,
            "KSNAPSHOT_CRONJOB": CRONJOB,
            "KSNAPSHOT_BACKUP": self.run.id,
            "KSNAPSHOT_STORAGES": "main,off-site",
            **{f"BACKEND_{name}": value for name, value in source.items()},
            **{f"STORAGE_OFF_SITE__{name}": value for name, value in target.items()},
        }

    def location(self, bucket: str, *, url: str = "") -> S3Location:
        return S3Location(
            bucket=bucket,
            path=SOURCE_PATH if bucket == self.source else TARGET_PATH,
            endpoint=url or self.s3.endpoint,
            access_key=self.s3.root.access,
            secret_key=self.s3.root.secret,
            patience=0,
            object_lock=self.lock if bucket == self.target else None,
        )

    @property
    def prefix(self) -> str:
        """The folder of the run's records in the target."""
        return TARGET_PATH + self.run.record_prefix.removeprefix(SOURCE_PATH)

    @property
    def keys(self) -> list[str]:
        """The keys of the objects in the source."""
        return [f"{SOURCE_PATH}/2026/dump-{number}" for number in range(len(self.bodies))]

    def copies(self) -> list[str]:
        """The keys of the objects in the target."""
        return [TARGET_PATH + key.removeprefix(SOURCE_PATH) for key in self.keys]

    def entry(self) -> Entry | None:
        """The backup as the target lists it; None where there is no run at all."""
        with RunStorage(self.location(self.target), run="", interrupt=Interrupt()) as storage:
            prefix = TARGET_PATH + self.run.records_prefix.removeprefix(SOURCE_PATH)
            catalogue = Catalogue(storage=storage, prefix=prefix, now=lambda: NOW)
            try:
                return catalogue.find_run(self.run.id)
            except ConfigurationError:
                return None

    def is_whole(self) -> bool:
        """Whether every object in the target has the bytes of the source."""
        there = self.s3.objects(self.target)
        return set(self.copies()) <= set(there) and all(
            self.s3.read(self.target, key) == body
            for key, body in zip(self.copies(), self.bodies, strict=True)
        )

    def put(self, bucket: str, key: str, body: bytes, *, run: str = "") -> None:
        metadata = {"ksnapshot-run": run} if run else {}
        self.s3.client().put_object(Bucket=bucket, Key=key, Body=body, Metadata=metadata)

    def _store(self) -> None:
        begun = StartedRecord(
            run=self.run.id,
            cluster=CLUSTER,
            workload="demo/db",
            cronjob=CRONJOB,
            pod="pod",
            engine="postgresql",
            bucket=self.source,
            started=self.run.started,
            deadline_seconds=3600,
            keys=tuple(self.keys),
        )
        prints = write_record(
            FingerprintRecord(
                run=self.run.id,
                objects=tuple(
                    ObjectFingerprint(
                        key=key, algorithm="x", tables={"t": TableDigest(digest="d")}, rest=""
                    )
                    for key in self.keys
                ),
            )
        )
        manifest = Manifest(
            begun=begun,
            finished=self.run.started,
            server_version="17",
            tool_version="17",
            encryption=None,
            objects=tuple(map(_object, self.keys, self.bodies)),
            fingerprint=hashlib.sha256(prints).hexdigest(),
        )
        for key, body in zip(self.keys, self.bodies, strict=True):
            self.put(self.source, key, body, run=self.run.id)
        self.put(self.source, self.run.started_key, write_record(begun))
        self.put(self.source, self.run.fingerprint_key, prints)
        pin = Pin(run=self.run.id, pinned=NOW, by="jane")
        self.put(self.source, f"{self.run.record_prefix}{PINNED}", write_record(pin))
        read = Verification(run=self.run.id, method=READ_BACK, finished=NOW, objects=())
        self.put(self.source, self.run.verification_key(NOW, good=True), write_record(read))
        self.put(self.source, self.run.manifest_key, write_record(manifest))


def _object(key: str, body: bytes) -> ObjectRecord:
    return ObjectRecord(
        key=key,
        name="db",
        ending=".sql",
        size=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        crc32=base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode(),
        source_size=1,
        source_sha256="",
        checked=True,
    )
