"""The object store's calls that only read; see storage.s3.bucket for their errors."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dumpers.contract.storages.location import S3Location
from dumpers.runtime.errors import StorageFailedError, StorageRefusedError
from dumpers.runtime.log import fields
from dumpers.storage.rate_limit import OnSent
from dumpers.storage.s3 import client, errors
from dumpers.storage.s3.answers import Head, OpenObject, listed, no_list, proof

_LOG = logging.getLogger(__name__)
_READ_BLOCK = 1 << 18
RUN_METADATA, UPLOAD_METADATA = "ksnapshot-run", "ksnapshot-upload"


class BucketReads:
    """One bucket, as keys may use it that only read.

    `pace` is called with the size of every block that goes over the wire, and may wait.
    """

    def __init__(self, location: S3Location, pace: OnSent | None) -> None:
        self._location = location
        self.pace = pace
        self._asks_for_checksums = True
        with self._errors("set up the S3 client"):
            self._client = client.connect(location)

    @property
    def name(self) -> str:
        """The bucket's name."""
        return self._location.bucket

    def get(self, key: str) -> bytes:
        """Read a small object."""
        with self._errors(f"read {key}") as doing:
            answer = self._client.get_object(Bucket=self._location.bucket, Key=key)
            body: bytes = answer["Body"].read()
        if "LastModified" not in answer:
            proof(answer, "ETag", doing)
        return body

    def get_version(self, key: str) -> tuple[bytes, str] | None:
        """Read a small object and its ETag, by which `replace` knows it; None if there is none."""
        with self._errors(f"read {key}") as doing:
            try:
                answer = self._client.get_object(Bucket=self._location.bucket, Key=key)
            except self._client.exceptions.NoSuchKey:
                return None
            body: bytes = answer["Body"].read()
        return body, proof(answer, "ETag", doing)

    def versioning(self) -> str:
        """`Enabled` or `Suspended`; empty for a bucket, or a store, that keeps no old versions.

        ForbiddenByStoreError where the keys may not ask.
        """
        with self._errors("ask whether the bucket keeps versions"):
            try:
                answer = self._client.get_bucket_versioning(Bucket=self._location.bucket)
            except ClientError as error:
                if errors.http_status(error) in errors.MAY_BE_A_QUESTION:
                    return ""
                raise
        said = answer.get("Status", "")
        return str(said) if said in {"Enabled", "Suspended"} else ""

    def beginning(self, key: str, size: int) -> bytes:
        """Read the first bytes of an object, at most `size` of them."""
        with self._errors(f"read the beginning of {key}"):
            answer = self._client.get_object(
                Bucket=self._location.bucket, Key=key, Range=f"bytes=0-{size - 1}"
            )
            body = answer["Body"]
            try:
                # Of a store that does not heed the range, no more is taken.
                first: bytes = body.read(size)
            finally:
                body.close()
        return first

    def presign(self, keys: Sequence[str], *, seconds: int) -> list[str]:
        """URLs by which anybody reads these objects for so long; no request is made."""
        with self._errors("sign URLs"):
            # Left to itself, the SDK signs URLs in a way that stores no longer take.
            signing = client.connect(self._location, signature="s3v4")
            return [
                signing.generate_presigned_url(
                    "get_object",
                    Params={"Bucket": self._location.bucket, "Key": key},
                    ExpiresIn=seconds,
                )
                for key in keys
            ]

    def head(self, key: str) -> Head | None:
        """Look at an object; None if there is none."""
        with self._errors(f"check {key}"):
            try:
                answer = self._head(key)
            except ClientError as error:
                if errors.http_status(error) == errors.NOT_FOUND:
                    return None
                raise
        crc32 = answer.get("ChecksumCRC32", "-")
        return Head(
            size=answer["ContentLength"],
            # With a dash and a number it is a checksum of the parts' checksums.
            crc32=None if "-" in crc32 else crc32,
            run=answer.get("Metadata", {}).get(RUN_METADATA),
            upload=answer.get("Metadata", {}).get(UPLOAD_METADATA),
            etag=str(answer.get("ETag", "")),
            locked_until=answer.get("ObjectLockRetainUntilDate"),
            legal_hold=answer.get("ObjectLockLegalHoldStatus") == "ON",
        )

    def _head(self, key: str) -> Mapping[str, Any]:
        """Look with the stored checksum; without, where the store refuses to be asked for it."""
        wanted = {"Bucket": self._location.bucket, "Key": key}
        if self._asks_for_checksums:
            try:
                answer: Mapping[str, Any] = self._client.head_object(
                    **wanted, ChecksumMode="ENABLED"
                )
            except ClientError as error:
                # HEAD has no body, so the reason of a refusal cannot be told.
                if errors.http_status(error) not in errors.MAY_BE_A_HEADER:
                    raise
            else:
                return answer
        answer = self._client.head_object(**wanted)
        if self._asks_for_checksums:
            self._asks_for_checksums = False
            _LOG.info("the store may not be asked for checksums", extra=fields(key=key))
        return answer

    def open(self, key: str, *, start: int = 0, etag: str = "") -> OpenObject:
        """Begin to read an object from an offset on; reading its blocks raises as this does.

        StorageFailedError where the object is not the one that had this ETag.
        """
        doing = f"read {key} back"
        condition = {"IfMatch": etag} if etag else {}
        window = {"Range": f"bytes={start}-"} if start else {}
        with self._errors(doing):
            try:
                answer = self._client.get_object(
                    Bucket=self._location.bucket, Key=key, **condition, **window
                )
            except ClientError as error:
                if etag and errors.http_status(error) == errors.PRECONDITION_FAILED:
                    raise _changed(key) from error
                raise
        found = str(answer.get("ETag", ""))
        if etag and found != etag:
            raise _changed(key)
        if start and not str(answer.get("ContentRange", "")).startswith(f"bytes {start}-"):
            raise StorageRefusedError(
                f"cannot {doing}: the store, or what stands before it, was asked for the bytes from"
                f" {start} on, and does not say that it sends those"
            )
        return OpenObject(etag=found, blocks=self._blocks(answer["Body"], doing))

    def _blocks(self, body: Any, doing: str) -> Iterator[bytes]:
        """The blocks of an answer's body; one that breaks off is StoreAwayError."""
        try:
            with self._errors(doing):
                for block in body.iter_chunks(_READ_BLOCK):
                    if self.pace is not None:
                        self.pace(len(block))
                    yield block
        finally:
            body.close()

    def uploads(self, prefix: str) -> list[tuple[str, str]]:
        """Key and id of the open uploads under a prefix."""
        pages = self._pages("list_multipart_uploads", "Uploads", prefix, limit=None)
        return [(item["Key"], item["UploadId"]) for item in pages]

    def keys(self, prefix: str, *, since: str, limit: int) -> list[str]:
        """Keys of objects under a prefix that sort after `since`, in order, at most `limit`."""
        pages = self._pages("list_objects_v2", "Contents", prefix, limit=limit, StartAfter=since)
        return [item["Key"] for item in pages]

    def page(self, prefix: str, *, since: str) -> tuple[list[str], bool]:
        """Up to 1,000 keys that sort after `since`, in order, and whether there are more.

        One request.
        """
        with self._errors(f"list {prefix}") as doing:
            answer = self._client.list_objects_v2(
                Bucket=self._location.bucket, Prefix=prefix, StartAfter=since
            )
        keys = [item["Key"] for item in listed(answer, "Contents", doing)]
        more: bool = answer["IsTruncated"]
        if more and not keys:
            raise no_list(doing)
        return keys, more

    def folders(self, prefix: str) -> list[str]:
        """The folders right under a prefix, in order, with their trailing slashes."""
        pages = self._pages("list_objects_v2", "CommonPrefixes", prefix, limit=None, Delimiter="/")
        return [item["Prefix"] for item in pages]

    def _pages(
        self, operation: str, member: str, prefix: str, *, limit: int | None, **more: Any
    ) -> Iterator[Mapping[str, Any]]:
        """The items of all pages of a list, at most `limit`."""
        what = "the open uploads under " if member == "Uploads" else ""
        with self._errors(f"list {what}{prefix}") as doing:
            pages = self._client.get_paginator(operation).paginate(
                Bucket=self._location.bucket,
                Prefix=prefix,
                PaginationConfig={"MaxItems": limit},
                **more,
            )
            count, goes_on = 0, False
            for page in pages:
                items, goes_on = listed(page, member, doing), page["IsTruncated"]
                count += len(items)
                yield from items
        # The SDK takes a page that does not say where the next one begins for the last.
        if goes_on and (limit is None or count < limit):
            raise no_list(doing)

    @contextmanager
    def _errors(self, doing: str) -> Iterator[str]:
        try:
            yield doing
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, BotoCoreError):
                # The next attempt makes its connection anew: those that are open may be as dead.
                self._client.close()
            raise errors.translate(error, doing=doing, location=self._location) from error
        except ValueError as error:
            # botocore's way to say that an endpoint is no URL.
            raise StorageRefusedError(f"cannot {doing}: {error}: correct S3_ENDPOINT") from error


def _changed(key: str) -> StorageFailedError:
    return StorageFailedError(
        f"{key} changed while it was read: what was read of it is of no use, read it again"
    )
