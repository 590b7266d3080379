"""Backups in the bucket: uploaded part by part, listed, fetched and deleted."""

import contextlib
import datetime as dt
import functools
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.testbed.sidecars.backups.context import Context
from tests.testbed.sidecars.backups.record import METADATA, Backup, Part, Table
from tests.testbed.sidecars.errors import FailedError, wrapping
from tests.testbed.sidecars.settings import Remote
from tests.testbed.stores.s3 import Keys

_EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """A bucket by keys below its prefix."""

    remote: Remote
    client: Any

    def _full(self, key: str) -> str:
        return f"{self.remote.path.strip('/')}/{key}".lstrip("/")

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=self.remote.bucket, Key=self._full(key), Body=body)

    def get(self, key: str) -> bytes:
        found = self.client.get_object(Bucket=self.remote.bucket, Key=self._full(key))
        body: bytes = found["Body"].read()
        return body

    def head(self, key: str) -> dict[str, Any] | None:
        """None where there is no such object."""
        try:
            found = self.client.head_object(Bucket=self.remote.bucket, Key=self._full(key))
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            return None
        told: dict[str, Any] = found
        return told

    def keys(self, prefix: str) -> Iterator[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.remote.bucket, Prefix=self._full(prefix)
        )
        start = len(self._full(""))
        for page in pages:
            yield from (one["Key"][start:] for one in page.get("Contents", []))

    def folders(self) -> Iterator[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.remote.bucket, Prefix=self._full(""), Delimiter="/"
        )
        start = len(self._full(""))
        for page in pages:
            yield from (one["Prefix"][start:-1] for one in page.get("CommonPrefixes", []))

    def delete(self, prefix: str) -> None:
        for key in [*self.keys(prefix)]:
            self.client.delete_object(Bucket=self.remote.bucket, Key=self._full(key))


@functools.lru_cache(maxsize=32)
def _client(endpoint: str, region: str, keys: Keys, ca: str | None) -> Any:
    """One for all buckets: making one takes longer than what it is made for."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=keys.access,
        aws_secret_access_key=keys.secret,
        verify=ca,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            proxies={},
            retries={"total_max_attempts": 1},
            request_checksum_calculation="when_required",
        ),
    )


def storage(context: Context, what: str = "") -> Storage:
    """FailedError where none is configured."""
    if (found := context.settings.remote) is not None:
        client = _client(found.endpoint, found.region, found.keys, found.ca)
        return Storage(remote=found, client=client)
    if what == "delete":
        raise FailedError('aborted: RemoteStorage set to "none"')
    if what:
        raise FailedError(
            f'general->remote_storage shall not be "none" for {what}, change you config or use '
            "REMOTE_STORAGE environment variable"
        )
    raise FailedError("remote_storage is 'none'")


def listed(context: Context) -> list[Backup]:
    """Every folder, the first uploaded first.

    Where the bucket does not answer, this is empty, without an error: the sidecars only log it.
    """
    place, found = storage(context), []
    with contextlib.suppress(ClientError, BotoCoreError):
        found += [read for name in place.folders() if (read := find(context, name))]
    return sorted(found, key=lambda one: (one.uploaded or _EPOCH, one.name))


def find(context: Context, name: str) -> Backup | None:
    """A backup by its last file, broken where that is not to be had; None where nothing is."""
    place, layout = storage(context), context.layout
    reason, uploaded = layout.not_found, _EPOCH
    with contextlib.suppress(ClientError, BotoCoreError):
        if head := place.head(f"{name}/{METADATA}"):
            uploaded = head["LastModified"]
            reason = "broken (bad metadata.json)"
            with contextlib.suppress(ValueError, KeyError):
                return replace(layout.summary(place.get(f"{name}/{METADATA}")), uploaded=uploaded)
        elif next(place.keys(f"{name}/"), None) is None:
            return None
    return Backup(name=name, created=_EPOCH, broken=reason, uploaded=uploaded)


def base_of(context: Context, name: str) -> Backup:
    """A remote backup with its parts, to compare with; FailedError."""
    place = storage(context, "upload")
    with wrapping("b.dst.BackupList return error"):
        found = find(context, name)
    if found is None:
        raise FailedError(f"{name} not found on remote storage")
    # A broken one is not refused: it has no tables, so all is uploaded, and yet it is required.
    with wrapping("getTableListByPatternRemote return error"):
        return context.layout.whole(found, lambda key: place.get(f"{name}/{key}"))


def require_base(context: Context, backup: Backup) -> None:
    """FailedError where the backup that this one requires is not there, or broken."""
    with wrapping("ReadBackupMetadataRemote"):
        found = find(context, backup.required)
        if found is None:
            raise FailedError(f"{backup.required} not found on remote storage")
        if found.broken:
            raise FailedError(f"{backup.required} is {found.broken} on remote storage")


def key_of(context: Context, backup: Backup, table: Table, part: Part) -> str:
    """Where a part's bytes lie, looked for along the chain; FailedError."""
    if part.key:
        return part.key
    if not part.required:
        return f"{backup.name}/{context.layout.part_key(table, part.name)}"
    require_base(context, backup)
    base = base_of(context, backup.required)
    for one in base.tables:
        if (one.database, one.table) == (table.database, table.table):
            for other in one.parts:
                if other.name == part.name:
                    return key_of(context, base, one, other)
    raise FailedError(
        f"{table.database}.{table.table} {part.name} not found on {base.name} and all required "
        "backups sequence"
    )


def packed(folder: Path) -> bytes:
    """A part as an archive of its folder."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as archive:
        for file in sorted(folder.iterdir()):
            archive.add(file, f"{folder.name}/{file.name}")
    return body.getvalue()


def unpack(body: bytes, target: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        archive.extractall(target, filter="data")


def delete(context: Context, name: str, *, force: bool) -> None:
    """FailedError where there is none, or another remote one requires it and nobody insists."""
    place = storage(context, "delete")
    context.server.connect()
    needing = sorted(one.name for one in listed(context) if one.required == name)
    if needing and not force and context.settings.keeps_what_others_require:
        raise FailedError(
            f"'{name}' is required by remote backup(s) {', '.join(needing)}, deleting it breaks "
            "the incremental backups chain, delete the dependent backup(s) first, run `rebase` "
            "for them, set `general.rebase_during_delete: true` or use `--force`"
        )
    with wrapping("bd.BackupList"):
        found = find(context, name)
    if found is None:
        raise FailedError(f"'{name}' is not found on remote storage")
    with wrapping("bd.RemoveBackupRemote"):
        place.delete(f"{name}/")


def remove_old(context: Context) -> None:
    """As `backups_to_keep_remote` says, but none that a kept one requires."""
    keep = context.settings.backups_to_keep_remote
    if keep < 1:
        return
    found = [one for one in listed(context) if not one.broken]
    kept, required = found[-keep:], set[str]()
    for one in reversed(found):
        if one in kept or one.name in required:
            required.add(one.required)
    for one in found[:-keep]:
        if one.name not in required:
            delete(context, one.name, force=True)


def clean_broken(context: Context) -> None:
    context.server.connect()
    for one in listed(context):
        if one.broken:
            delete(context, one.name, force=True)
