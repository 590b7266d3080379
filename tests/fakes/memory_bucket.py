"""A bucket in memory, with the methods of S3Bucket that tests of the storage need."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dumpers.storage.errors import AlreadyThereError, ChangedInStoreError
from dumpers.storage.s3.answers import CreatedUpload, Head, OpenObject
from dumpers.storage.s3.object_lock import Lock


@dataclass(slots=True, kw_only=True)
class MemoryBucket:
    """`faults` maps a method to the errors that its next calls raise; None lets a call pass.

    An error of `put` or `complete_upload` is raised after the write where `writes_first` is set,
    as if the answer got lost. With `keeps_metadata` false, objects lose what marks them.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    faults: dict[str, list[Exception | None]] = field(default_factory=dict)
    writes_first: bool = False
    keeps_metadata: bool = True
    pace: Callable[[int], None] | None = None
    name: str = "bucket"
    runs: dict[str, str] = field(default_factory=dict)
    """The run of each object that is not the run `run`'s."""
    uploads_begun: dict[str, tuple[str, dict[int, bytes]]] = field(default_factory=dict)

    def put(self, key: str, body: bytes, *, only_new: bool, lock: Lock | None = None) -> None:
        error = self._next_fault("put")
        if error and not self.writes_first:
            raise error
        if only_new and key in self.objects:
            raise AlreadyThereError(f"{key} exists already")
        self.objects[key] = body
        if error:
            raise error

    def replace(self, key: str, body: bytes, *, etag: str, lock: Lock | None = None) -> None:
        self._fail("replace")
        if key not in self.objects or _etag(self.objects[key]) != etag:
            raise ChangedInStoreError(f"{key} is not what it was")
        self.objects[key] = body

    def delete(self, key: str) -> None:
        self._fail("delete")
        self.objects.pop(key, None)
        self.runs.pop(key, None)

    def get_version(self, key: str) -> tuple[bytes, str] | None:
        self._fail("get_version")
        body = self.objects.get(key)
        return None if body is None else (body, _etag(body))

    def keys(self, prefix: str, *, since: str, limit: int) -> list[str]:
        self._fail("keys")
        found = (key for key in self.objects if key.startswith(prefix) and key > since)
        return sorted(found)[:limit]

    def page(self, prefix: str, *, since: str) -> tuple[list[str], bool]:
        return self.keys(prefix, since=since, limit=1 << 20), False

    def open(self, key: str, *, start: int = 0, etag: str = "") -> OpenObject:
        self._fail("open")
        body = self.objects[key]
        return OpenObject(etag=_etag(body), blocks=iter((body[start:],)))

    def get(self, key: str) -> bytes:
        self._fail("get")
        return self.objects[key]

    def head(self, key: str) -> Head | None:
        self._fail("head")
        if key not in self.objects:
            return None
        token = self.tokens.get(key) if self.keeps_metadata else None
        run = self.runs.get(key, "run") if self.keeps_metadata else None
        return Head(size=len(self.objects[key]), crc32=None, run=run, upload=token)

    def create_upload(
        self, key: str, *, run: str, token: str, checksums: bool, lock: Lock | None = None
    ) -> CreatedUpload:
        self._fail("create_upload")
        upload = f"upload-{len(self.uploads_begun)}"
        self.uploads_begun[upload] = (token, {})
        self.runs[key] = run
        return CreatedUpload(id=upload, checksums=False)

    def upload_part(
        self, key: str, upload: str, *, number: int, data: memoryview, crc32: str | None
    ) -> dict[str, Any]:
        self._fail("upload_part")
        if self.pace:
            self.pace(len(data))
        self.uploads_begun[upload][1][number] = bytes(data)
        return {"PartNumber": number}

    def complete_upload(
        self,
        key: str,
        upload: str,
        *,
        parts: Sequence[dict[str, Any]],
        size: int,
        crc32: str | None,
    ) -> None:
        error = self._next_fault("complete_upload")
        token, sent = self.uploads_begun[upload]
        if not error or self.writes_first:
            self.objects[key] = b"".join(sent[number] for number in sorted(sent))
            self.tokens[key] = token
        if error:
            raise error

    def abort_upload(self, key: str, upload: str) -> None:
        self.uploads_begun.pop(upload, None)

    def uploads(self, prefix: str) -> list[tuple[str, str]]:
        """No upload stays open whose answer was lost."""
        return []

    def _next_fault(self, method: str) -> Exception | None:
        errors = self.faults.get(method)
        return errors.pop(0) if errors else None

    def _fail(self, method: str) -> None:
        if error := self._next_fault(method):
            raise error


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
