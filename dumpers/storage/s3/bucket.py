"""The object store's calls, each a single attempt that blocks until it is answered.

Errors come out as StoreAwayError where the same call may go well later, StorageFailedError where
another run may, and StorageRefusedError where somebody has to change something; what the caller can
answer has classes of its own in storage.errors.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from dumpers.contract.storages.location import S3Location
from dumpers.runtime.errors import KsnapshotError, StorageRefusedError
from dumpers.storage.errors import AlreadyThereError, ChangedInStoreError
from dumpers.storage.rate_limit import OnSent
from dumpers.storage.s3 import errors, part_body
from dumpers.storage.s3.answers import CreatedUpload, proof
from dumpers.storage.s3.deletes import BatchDelete, md5_for_deletes, proven_deletion
from dumpers.storage.s3.object_lock import Lock, lock_options
from dumpers.storage.s3.options import given, md5, object_options
from dumpers.storage.s3.reads import RUN_METADATA, UPLOAD_METADATA, BucketReads


class S3Bucket(BucketReads):
    """One bucket, as the keys of this location may use it."""

    def __init__(self, location: S3Location, pace: OnSent | None) -> None:
        super().__init__(location, pace)
        # What every object gets, and what only dumps get: records are small and read often.
        self._options = object_options(location)
        self._dump_options = self._options | given(StorageClass=location.storage_class)
        # The SDK reads the body once more to sign it; only what is sent counts for the pace.
        self._client.meta.events.register("before-send.s3.UploadPart", part_body.mark_as_sent)
        self._client.meta.events.register("before-sign.s3.UploadPart", part_body.trust_checksum)
        self._client.meta.events.register("before-sign.s3.DeleteObjects", md5_for_deletes)
        self._deletes = BatchDelete(
            send=lambda keys: self._client.delete_objects(
                Bucket=location.bucket, Delete={"Objects": [{"Key": key} for key in keys]}
            ),
            send_one=self.delete,
            errors=self._errors,
        )

    def put(self, key: str, body: bytes, *, only_new: bool, lock: Lock | None = None) -> str:
        """Write a small object; AlreadyThereError if it exists and `only_new`.

        Returns its version, empty where the bucket keeps none.
        """
        condition = {"IfNoneMatch": "*"} if only_new else {}
        return self._put(key, body, condition | lock_options(lock))

    def replace(self, key: str, body: bytes, *, etag: str, lock: Lock | None = None) -> str:
        """Write a small object in place of the one that has this ETag, and return its version.

        ChangedInStoreError if there is another one, or none any more.
        """
        try:
            return self._put(key, body, {"IfMatch": etag} | lock_options(lock))
        except AlreadyThereError as error:
            raise ChangedInStoreError(f"{key} is not what it was when it was read") from error
        except KsnapshotError as error:
            # Where the condition is on a key that is gone, AWS says so; a bucket may be, too.
            if not errors.is_missing_key(error.__cause__):
                raise
            raise ChangedInStoreError(f"{key} is gone since it was read") from error

    def _put(self, key: str, body: bytes, asked: Mapping[str, Any]) -> str:
        with self._errors(f"write {key}") as doing:
            answer = self._client.put_object(
                Bucket=self._location.bucket,
                Key=key,
                Body=body,
                ContentType="application/json",
                # Buckets with a default retention, and locks, refuse an object without it.
                ContentMD5=md5(body),
                **asked,
                **self._options,
            )
            proof(answer, "ETag", doing)
            self._check_encryption(answer, doing)
            return str(answer.get("VersionId") or "")

    def create_upload(
        self, key: str, *, run: str, token: str, checksums: bool, lock: Lock | None = None
    ) -> CreatedUpload:
        """Begin a multipart upload whose object carries its run's id and the upload's `token`."""
        checksum = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}
        with self._errors(f"begin an upload of {key}") as doing:
            answer = self._client.create_multipart_upload(
                Bucket=self._location.bucket,
                Key=key,
                ContentType="application/octet-stream",
                Metadata={RUN_METADATA: run, UPLOAD_METADATA: token},
                **(checksum if checksums else {}),
                **lock_options(lock),
                **self._dump_options,
            )
            upload = proof(answer, "UploadId", doing)
            try:
                self._check_encryption(answer, doing)
            except StorageRefusedError:
                with suppress(KsnapshotError):
                    self.abort_upload(key, upload)
                raise
            return CreatedUpload(
                id=upload,
                # A store that ignores the wish refuses the completion, after the whole upload.
                checksums=answer.get("ChecksumType") == "FULL_OBJECT",
            )

    def upload_part(
        self, key: str, upload: str, *, number: int, data: memoryview, crc32: str | None
    ) -> dict[str, Any]:
        """Send one part and return its entry for `complete_upload`."""
        checksum = {"ChecksumCRC32": crc32} if crc32 else {}
        # One of the two is demanded of what is to be locked.
        is_bare = not crc32 and self._location.object_lock is not None
        digest = {"ContentMD5": md5(data)} if is_bare else {}
        with self._errors(f"upload part {number} of {key}") as doing:
            answer = self._client.upload_part(
                Bucket=self._location.bucket,
                Key=key,
                UploadId=upload,
                PartNumber=number,
                Body=part_body.PartBody(data, self.pace),
                **checksum,
                **digest,
            )
            return {"PartNumber": number, "ETag": proof(answer, "ETag", doing), **checksum}

    def complete_upload(
        self,
        key: str,
        upload: str,
        *,
        parts: Sequence[dict[str, Any]],
        size: int,
        crc32: str | None,
    ) -> None:
        """Make the object exist; the store compares size and checksum where it knows how."""
        whole = {"ChecksumCRC32": crc32, "ChecksumType": "FULL_OBJECT", "MpuObjectSize": size}
        with self._errors(f"complete the upload of {key}") as doing:
            answer = self._client.complete_multipart_upload(
                Bucket=self._location.bucket,
                Key=key,
                UploadId=upload,
                MultipartUpload={"Parts": list(parts)},
                **(whole if crc32 else {}),
            )
            proof(answer, "ETag", doing)

    def abort_upload(self, key: str, upload: str) -> None:
        """Drop an upload and its parts; one that is gone already is fine."""
        with (
            self._errors(f"abort the upload of {key}"),
            suppress(self._client.exceptions.NoSuchUpload),
        ):
            self._client.abort_multipart_upload(
                Bucket=self._location.bucket, Key=key, UploadId=upload
            )

    def delete(self, key: str, *, version: str = "") -> str:
        """Remove an object, or one version of it for good; one that is gone already is fine.

        Returns the version by which the bucket marks that it is gone, empty where it marks nothing.
        """
        which = {"VersionId": version} if version else {}
        with self._errors(f"delete {key}") as doing:
            answer = self._client.delete_object(Bucket=self._location.bucket, Key=key, **which)
            proven_deletion(answer, doing)
            return "" if version else str(answer.get("VersionId") or "")

    def delete_many(self, keys: Sequence[str]) -> dict[str, str]:
        """Remove objects, up to MAX_DELETED by a request; those that are gone already are fine.

        Returns why the store refused which of them. Where it does not know such requests, each
        object is removed by itself.
        """
        return self._deletes.delete(keys)

    def _check_encryption(self, answer: Mapping[str, Any], doing: str) -> None:
        """Refuse a store that ignores S3_SSE and would keep the objects in the clear."""
        said = answer.get("ServerSideEncryption")
        if self._location.sse not in {None, said}:
            raise StorageRefusedError(
                f"cannot {doing}: S3_SSE asks for {self._location.sse}, and the store answered "
                f"with {said or 'no encryption'}: remove S3_SSE, or use a store that knows it"
            )
