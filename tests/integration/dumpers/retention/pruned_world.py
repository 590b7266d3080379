"""A bucket with the backups of several CronJobs, and prunes of it in this process."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from dumpers.contract.names import READ_BACK
from dumpers.contract.retention.jobs import DeleteJob, PruneJob
from dumpers.contract.retention.result import DeleteResult, PruneResult
from dumpers.contract.storages.location import S3Location
from dumpers.contract.storages.named_storage import MAIN, NamedStorage
from dumpers.repository.added_records import Pin, Verification
from dumpers.repository.catalogue import Entry
from dumpers.repository.keys import PINNED, Run
from dumpers.repository.listing import list_cronjobs
from dumpers.repository.record_json import make_tombstone, write_record
from dumpers.repository.records import (
    FailedRecord,
    Manifest,
    ObjectRecord,
    Removal,
    Retention,
    StartedRecord,
    Tombstone,
)
from dumpers.repository.removal.folders import read_folders
from dumpers.runs.retention.delete import delete
from dumpers.runs.retention.prune import prune
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.run_storage import RunStorage
from tests.testbed.stores.s3 import Keys, S3Server

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CLUSTER = "c"
_SIZE = 1000


@dataclass(kw_only=True)
class World:
    """What is put is written by `store`, all at once; ages count from `now`."""

    s3: S3Server
    bucket: str
    patience: int = 0
    now: datetime = NOW
    bodies: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def backup(
        self,
        cronjob: str,
        days: float,
        *,
        policy: str = "",
        size: int = _SIZE,
        checked: bool = True,
        pinned: bool = False,
        owner: str | None = None,
        deadline: int | None = 3600,
        accepted: bool = False,
        proof: str = "",
        read: bool = False,
    ) -> Run:
        """A backup of two objects, so many days old; `owner` is the run that the objects name.

        `proof` is what its manifest wants of a backup that covers others; `read` is true for one
        that was read back.
        """
        run = Run(
            path="p",
            cluster=CLUSTER,
            cronjob=cronjob,
            host="pod",
            started=self.now - timedelta(days=days),
            id=f"{cronjob}-{days}",
        )
        keys = tuple(f"p/dump-{run.id}-{number}" for number in range(2))
        for key in keys:
            self.bodies[key] = (b"x" * 10, run.id if owner is None else owner)
        begun = self._begun(run, keys, deadline)
        manifest = Manifest(
            begun=begun,
            finished=run.started,
            server_version="17",
            tool_version="17",
            encryption=None,
            objects=tuple(_object(key, size, checked=checked) for key in keys),
            retention=Retention(policy=policy, time_zone="Etc/UTC") if policy else None,
            size_accepted=accepted,
            required_proof=proof,
        )
        self.bodies[run.started_key] = (write_record(begun), "")
        self.bodies[run.manifest_key] = (write_record(manifest), "")
        if read:
            found = Verification(run=run.id, method=READ_BACK, finished=self.now, objects=())
            key = run.verification_key(found.finished, good=True)
            self.bodies[key] = (write_record(found), "")
        if pinned:
            pin = write_record(Pin(run=run.id, pinned=self.now, by="me"))
            self.bodies[f"{run.record_prefix}{PINNED}"] = (pin, "")
        return run

    def crashed(
        self, cronjob: str, days: float, *, deadline: int | None = 3600, owner: str | None = None
    ) -> Run:
        """A run that ended without a word, with one of its two objects."""
        run = self.backup(cronjob, days, deadline=deadline, owner=owner)
        del self.bodies[run.manifest_key], self.bodies[f"p/dump-{run.id}-1"]
        return run

    def failed(self, cronjob: str, days: float) -> Run:
        """The same, and it said why."""
        run = self.crashed(cronjob, days)
        said = FailedRecord(run=run.id, finished=self.now, exit_code=10, reason="r", message="m")
        self.bodies[run.failed_key] = (write_record(said), "")
        return run

    def half_deleted(self, cronjob: str, days: int) -> Run:
        """A backup whose deletion was interrupted when one of its objects was gone."""
        run = self.backup(cronjob, days)
        manifest, _ = self.bodies[run.manifest_key]
        tombstone = make_tombstone(manifest, removal=Removal.PRUNED, removed=self.now)
        assert isinstance(tombstone, Tombstone)
        self.bodies[run.manifest_key] = (write_record(tombstone), "")
        del self.bodies[f"p/dump-{run.id}-0"]
        return run

    def store(self) -> None:
        client = self.s3.client()

        def put(key: str) -> None:
            body, owner = self.bodies[key]
            metadata = {"ksnapshot-run": owner} if owner else {}
            client.put_object(Bucket=self.bucket, Key=key, Body=body, Metadata=metadata)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put, self.bodies))

    def prune(
        self,
        *,
        url: str = "",
        floor: str = "none",
        dry_run: bool = False,
        keys: Keys | None = None,
        now: datetime = NOW,
        interrupt: Interrupt | None = None,
    ) -> tuple[PruneResult, list[Mapping[str, Any]]]:
        """Prune the cluster; the result, and the documents that were printed."""
        documents: list[Mapping[str, Any]] = []
        job = PruneJob(**self._job(url, keys), cronjob="", floor=floor, dry_run=dry_run)
        result = prune(
            job, interrupt=interrupt or Interrupt(), now=lambda: now, emit=documents.append
        )
        return result, documents

    def delete(
        self,
        cronjob: str,
        *backups: str,
        dry_run: bool = False,
        skip_missing: bool = False,
        url: str = "",
    ) -> tuple[DeleteResult, list[Mapping[str, Any]]]:
        """Delete these backups of a CronJob; all of them where none is named."""
        documents: list[Mapping[str, Any]] = []
        job = DeleteJob(
            **self._job(url, None),
            cronjob=cronjob,
            backups=backups or None,
            requested_by="me",
            dry_run=dry_run,
            skip_missing=skip_missing,
        )
        return delete(job, interrupt=Interrupt(), now=lambda: NOW, emit=documents.append), documents

    def entries(self) -> list[Entry]:
        """The catalogue of the whole cluster."""
        with RunStorage(self.location(), run="list", interrupt=Interrupt()) as storage:
            return [
                folder.entry
                for prefix in list_cronjobs(storage, path="p", cluster=CLUSTER)
                for folder in read_folders(storage, prefix, now=lambda: self.now).values()
            ]

    def unreadable(self) -> list[str]:
        """The backups that are listed as restorable, and of which an object is not there."""
        there = self.s3.objects(self.bucket)
        return [
            entry.id
            for entry in self.entries()
            if entry.is_restorable
            and not {f"p/dump-{entry.id}-{number}" for number in range(2)} <= there.keys()
        ]

    def left(self) -> set[str]:
        return set(self.s3.objects(self.bucket))

    def ids(self) -> set[str]:
        """The backups that can be restored."""
        return {entry.id for entry in self.entries() if entry.is_restorable}

    def location(self, url: str = "", keys: Keys | None = None) -> S3Location:
        keys = keys or self.s3.root
        return S3Location(
            bucket=self.bucket,
            path="p",
            endpoint=url or self.s3.endpoint,
            access_key=keys.access,
            secret_key=keys.secret,
            patience=self.patience,
        )

    def storages(self, url: str = "", keys: Keys | None = None) -> tuple[NamedStorage, ...]:
        return (NamedStorage(name=MAIN, location=self.location(url, keys)),)

    def _job(self, url: str, keys: Keys | None) -> dict[str, Any]:
        return {
            "storages": self.storages(url, keys),
            "host": "pod",
            "cluster": CLUSTER,
            "workload": "",
            "deadline": None,
        }

    def _begun(self, run: Run, keys: Sequence[str], deadline: int | None) -> StartedRecord:
        return StartedRecord(
            run=run.id,
            cluster=run.cluster,
            workload=f"demo/{run.cronjob}",
            cronjob=run.cronjob,
            pod=run.host,
            engine="postgresql",
            bucket=self.bucket,
            started=run.started,
            deadline_seconds=deadline,
            keys=tuple(keys),
        )


def fill(world: World) -> World:
    """Several CronJobs, with all that a prune meets."""
    for days in range(6):
        world.backup("alpha", days, policy="keep-last=2", pinned=days == 4)
    for days in range(3):
        world.backup("beta", days, policy="keep-last=1", checked=False)
    for days in range(5):
        world.backup("gamma", days, policy="keep-last=1", size=_SIZE // 100 if days < 2 else _SIZE)
    world.backup("delta", 0, policy="keep-last=1")
    world.half_deleted("delta", 3)
    world.crashed("delta", 2)
    world.store()
    return world


def _object(key: str, size: int, *, checked: bool) -> ObjectRecord:
    return ObjectRecord(
        key=key,
        name="db",
        ending=".sql",
        size=10,
        sha256="",
        crc32="",
        source_size=size,
        source_sha256="",
        checked=checked,
    )
