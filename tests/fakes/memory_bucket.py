"""A bucket in memory, with the methods of S3Bucket that tests of the storage need."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dumpers.storage.errors import AlreadyThereError
from dumpers.storage.s3.answers import CreatedUpload, Head


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
    uploads_begun: dict[str, tuple[str, dict[int, bytes]]] = field(default_factory=dict)

    def put(self, key: str, body: bytes, *, only_new: bool) -> None:
        error = self._next_fault("put")
        if error and not self.writes_first:
            raise error
        if only_new and key in self.objects:
            raise AlreadyThereError(f"{key} exists already")
        self.objects[key] = body
        if error:
            raise error

    def get(self, key: str) -> bytes:
        self._fail("get")
        return self.objects[key]

    def head(self, key: str) -> Head | None:
        self._fail("head")
        if key not in self.objects:
            return None
        token = self.tokens.get(key) if self.keeps_metadata else None
        run = "run" if self.keeps_metadata else None
        return Head(size=len(self.objects[key]), crc32=None, run=run, upload=token)

    def create_upload(self, key: str, *, run: str, token: str, checksums: bool) -> CreatedUpload:
        upload = f"upload-{len(self.uploads_begun)}"
        self.uploads_begun[upload] = (token, {})
        return CreatedUpload(id=upload, checksums=False)

    def upload_part(
        self, key: str, upload: str, *, number: int, data: memoryview, crc32: str | None
    ) -> dict[str, Any]:
        self._fail("upload_part")
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

    def _next_fault(self, method: str) -> Exception | None:
        errors = self.faults.get(method)
        return errors.pop(0) if errors else None

    def _fail(self, method: str) -> None:
        if error := self._next_fault(method):
            raise error
