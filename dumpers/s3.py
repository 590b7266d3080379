"""The object store's calls, and what their failures mean; the only module that knows the SDK.

Every method blocks for one call, retried by the SDK. Errors come out as StorageFailedError where
waiting may help and StorageRefusedError where somebody has to change something; what the caller
can answer has classes of its own in bucket.py. Loading the SDK takes half a second, so this module
is imported by `bucket.open_bucket` only.
"""

import base64
import hashlib
import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote, urlencode

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    SSLError,
    ValidationError,
)
from botocore.session import Session

from dumpers import __version__
from dumpers.bucket import (
    AlreadyThereError,
    CreatedUpload,
    ForbiddenByStoreError,
    Head,
    Pace,
    UnknownToStoreError,
)
from dumpers.errors import (
    ConfigurationError,
    KsnapshotError,
    StorageFailedError,
    StorageRefusedError,
)
from dumpers.location import S3_CA_BUNDLE, S3Location

_DEFAULT_REGION = "us-east-1"
_CONNECT_SECONDS, _READ_SECONDS, _ATTEMPTS, _CONNECTIONS = 5, 60, 5, 4
_READ_BLOCK = 1 << 18
_RUN_METADATA = "ksnapshot-run"

_HINTS = {
    "NoSuchBucket": "the bucket does not exist: create it, or correct S3_BUCKET",
    "InvalidBucketName": "this is no bucket name: correct S3_BUCKET",
    "AccessDenied": "the keys or role may not do this: grant it, or use others",
    "InvalidAccessKeyId": "the store does not know this access key: correct AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret key is wrong: correct AWS_SECRET_ACCESS_KEY",
    "AuthorizationHeaderMalformed": "the store is in another region: correct S3_REGION",
    "PermanentRedirect": "the bucket is in another region: correct S3_REGION or S3_ENDPOINT",
    "RequestTimeTooSkewed": "this node's clock is wrong: set it",
    "ExpiredToken": "the credentials ran out",
    "InvalidStorageClass": "the store does not know this class: correct S3_STORAGE_CLASS",
    "InvalidTag": "the store does not take these tags: correct S3_TAGS",
    "KMS.NotFoundException": "there is no such key: correct S3_SSE_KMS_KEY_ID",
    "KMS.DisabledException": "the key is disabled: enable it, or correct S3_SSE_KMS_KEY_ID",
    "NoSuchUpload": "somebody else removed the upload: a lifecycle rule, or a clean-up",
}
# Passing trouble, although the status says that the request was wrong.
_PASSING = {
    *("BadDigest", "ConditionalRequestConflict", "ExpiredToken", "ExpiredTokenException"),
    *("IDPCommunicationError", "IncompleteBody", "InvalidPart", "NoSuchUpload"),
    *("OperationAborted", "RequestTimeTooSkewed", "RequestTimeout", "SlowDown"),
    *("TooManyRequests", "XAmzContentSHA256Mismatch"),
}
_PASSING_STATUS = {408, 429}
_SERVER_ERROR = 500
_FORBIDDEN, _NOT_FOUND, _PRECONDITION_FAILED, _NOT_IMPLEMENTED = 403, 404, 412, 501
_MAY_BE_AN_OPTION = {400, _FORBIDDEN, _NOT_IMPLEMENTED}
_UNKNOWN_REQUEST = {"InvalidArgument", "InvalidRequest", "MalformedXML", "NotImplemented"}


class PartBody:
    """Bytes as a file: sent block by block, so that the time limit is on each block.

    Given to the SDK as plain bytes, a part would have to go out whole within one socket timeout.
    """

    def __init__(self, data: memoryview, pace: Pace | None = None) -> None:
        self._data = data
        self._at = 0
        self._pace = pace
        self.sending = False

    def __len__(self) -> int:
        return len(self._data)

    def read(self, size: int = -1, /) -> bytes:
        """Return the next `size` bytes, all that is left if negative."""
        end = len(self._data) if size < 0 else self._at + size
        block = bytes(self._data[self._at : end])
        self._at += len(block)
        if self.sending and self._pace is not None:
            self._pace(len(block))
        return block

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move as a file does; the SDK does so to send a part again."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: len(self._data)}[whence]
        self._at = base + offset
        self.sending = False
        return self._at

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at


class S3Bucket:
    """One bucket, as the keys of this location may use it.

    `pace` is told of every number of bytes that goes over the wire, and may take its time.
    """

    def __init__(self, location: S3Location, pace: Pace | None) -> None:
        self._location = location
        self._pace = pace
        # What every object gets, and what only dumps get: records are small and read often.
        self._options = _object_options(location)
        self._dump_options = self._options | _given(StorageClass=location.storage_class)
        with self._errors("set up the S3 client"):
            self._client = _client(location)
        # The body is read once more to sign it; what counts is what is sent.
        self._client.meta.events.register("before-send.s3.UploadPart", _pace_body)

    def put(self, key: str, body: bytes, *, only_new: bool) -> None:
        """Write a small object; AlreadyThereError if it exists and `only_new`."""
        condition = {"IfNoneMatch": "*"} if only_new else {}
        with self._errors(f"write {key}") as doing:
            answer = self._client.put_object(
                Bucket=self._location.bucket,
                Key=key,
                Body=body,
                ContentType="application/json",
                # Buckets with a default retention refuse an object without it.
                ContentMD5=_md5(body),
                **condition,
                **self._options,
            )
            _proof(answer, "ETag", doing)
            self._check_encryption(answer, doing)

    def get(self, key: str) -> bytes:
        """Read a small object."""
        with self._errors(f"read {key}"):
            answer = self._client.get_object(Bucket=self._location.bucket, Key=key)
            body: bytes = answer["Body"].read()
        return body

    def head(self, key: str) -> Head | None:
        """Look at an object; None if there is none."""
        with self._errors(f"check {key}"):
            try:
                answer: Mapping[str, Any] = self._client.head_object(
                    Bucket=self._location.bucket, Key=key, ChecksumMode="ENABLED"
                )
            except ClientError as error:
                if _status(error) == _NOT_FOUND:
                    return None
                raise
        crc32 = answer.get("ChecksumCRC32", "-")
        return Head(
            size=answer["ContentLength"],
            # With a dash and a number it is a checksum of the parts' checksums.
            crc32=None if "-" in crc32 else crc32,
            run=answer.get("Metadata", {}).get(_RUN_METADATA),
        )

    def create_upload(self, key: str, *, run: str, checksums: bool) -> CreatedUpload:
        """Begin a multipart upload that carries its run's id."""
        checksum = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}
        with self._errors(f"begin an upload of {key}") as doing:
            answer = self._client.create_multipart_upload(
                Bucket=self._location.bucket,
                Key=key,
                ContentType="application/octet-stream",
                Metadata={_RUN_METADATA: run},
                **(checksum if checksums else {}),
                **self._dump_options,
            )
            upload = _proof(answer, "UploadId", doing)
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
                retried=answer["ResponseMetadata"].get("RetryAttempts", 0) > 0,
            )

    def upload_part(
        self, key: str, upload: str, *, number: int, data: memoryview, crc32: str | None
    ) -> dict[str, Any]:
        """Send one part; what completion wants to know of it is returned."""
        checksum = {"ChecksumCRC32": crc32} if crc32 else {}
        with self._errors(f"upload part {number} of {key}") as doing:
            answer = self._client.upload_part(
                Bucket=self._location.bucket,
                Key=key,
                UploadId=upload,
                PartNumber=number,
                Body=PartBody(data, self._pace),
                **checksum,
            )
            return {"PartNumber": number, "ETag": _proof(answer, "ETag", doing), **checksum}

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
            _proof(answer, "ETag", doing)

    def abort_upload(self, key: str, upload: str) -> None:
        """Drop an upload and its parts; one that is gone already is fine."""
        with (
            self._errors(f"abort the upload of {key}"),
            suppress(self._client.exceptions.NoSuchUpload),
        ):
            self._client.abort_multipart_upload(
                Bucket=self._location.bucket, Key=key, UploadId=upload
            )

    def read(self, key: str) -> Iterator[bytes]:
        """Read an object of any size, block by block; a body that breaks off is an error."""
        with self._errors(f"read {key} back"):
            answer = self._client.get_object(Bucket=self._location.bucket, Key=key)
            for block in answer["Body"].iter_chunks(_READ_BLOCK):
                if self._pace is not None:
                    self._pace(len(block))
                yield block

    def uploads(self, prefix: str) -> list[tuple[str, str]]:
        """Key and id of the first thousand open uploads under a prefix."""
        with self._errors(f"list the open uploads under {prefix}"):
            answer = self._client.list_multipart_uploads(
                Bucket=self._location.bucket, Prefix=prefix
            )
            return [(item["Key"], item["UploadId"]) for item in answer.get("Uploads", [])]

    def keys(self, prefix: str, *, since: str, limit: int) -> list[str]:
        """Keys under a prefix that sort after `since`, in order, about `limit` at most."""
        with self._errors(f"list {prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._location.bucket,
                Prefix=prefix,
                StartAfter=since,
                PaginationConfig={"MaxItems": limit},
            )
            return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def delete(self, key: str) -> None:
        """Remove an object."""
        with self._errors(f"delete {key}"):
            self._client.delete_object(Bucket=self._location.bucket, Key=key)

    def _check_encryption(self, answer: Mapping[str, Any], doing: str) -> None:
        """A store that ignores the wish would keep plainly what was to be encrypted."""
        said = answer.get("ServerSideEncryption")
        if self._location.sse not in {None, said}:
            raise StorageRefusedError(
                f"cannot {doing}: S3_SSE asks for {self._location.sse}, and the store answered "
                f"with {said or 'no encryption'}: remove S3_SSE, or use a store that knows it"
            )

    @contextmanager
    def _errors(self, doing: str) -> Iterator[str]:
        try:
            yield doing
        except (ClientError, BotoCoreError) as error:
            raise _translate(error, doing=doing, location=self._location) from error
        except ValueError as error:
            # botocore's way to say that an endpoint is no URL.
            raise StorageRefusedError(f"cannot {doing}: {error}: correct S3_ENDPOINT") from error


def _client(location: S3Location) -> Any:
    # Without keys of ours the SDK's own chain decides: environment, web identity, pod identity,
    # instance role. Proxy variables are read by the SDK, too.
    addressing = {None: "path" if location.endpoint else "auto", True: "path", False: "virtual"}
    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=_CONNECTIONS,
        s3={"addressing_style": addressing[location.path_style]},
        # Checksums are ours to ask for: stores that do not know them refuse unasked ones.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        user_agent_extra=f"ksnapshot/{__version__}",
    )
    session = Session()
    if location.ca_bundle:
        # For every client of the session, the token service's too.
        session.set_config_variable("ca_bundle", _ca_file(location.ca_bundle))
    return session.create_client(
        "s3",
        region_name=location.region or session.get_config_variable("region") or _DEFAULT_REGION,
        endpoint_url=location.endpoint,
        aws_access_key_id=location.access_key,
        aws_secret_access_key=location.secret_key,
        config=config,
    )


def _ca_file(text: str) -> str:
    """A path to this text, in memory: the SDK wants a path, and the root file system is read-only.

    ConfigurationError if the text holds no certificate that TLS can use.
    """
    try:
        ssl.create_default_context(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigurationError(
            f"{S3_CA_BUNDLE} holds no usable certificate ({error}): give the CA's certificate as "
            "PEM text, as `openssl x509 -in ca.crt` prints it"
        ) from error
    # Open as long as the process lives.
    descriptor = os.memfd_create("ca-bundle")
    os.write(descriptor, text.encode())
    return f"/proc/self/fd/{descriptor}"


def _object_options(location: S3Location) -> dict[str, Any]:
    return _given(
        ServerSideEncryption=location.sse,
        SSEKMSKeyId=location.sse_kms_key_id,
        Tagging=urlencode(location.tags, quote_via=quote),
    )


def _given(**options: str | None) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value}


def _pace_body(request: Any, **_: object) -> None:
    if isinstance(request.body, PartBody):
        request.body.sending = True


def _translate(
    error: ClientError | BotoCoreError, *, doing: str, location: S3Location
) -> KsnapshotError:
    where = f"bucket {location.bucket!r} at {location.endpoint or 'AWS S3'}"
    if not isinstance(error, ClientError):
        text = f"cannot {doing} in {where}: {error}"
        if isinstance(error, NoCredentialsError | PartialCredentialsError):
            return StorageRefusedError(
                f"{text}: give the Secret with the S3 keys, or the job's ServiceAccount an identity"
            )
        if isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
            return StorageRefusedError(
                f"{text}: if the store has a CA of its own, give its certificate by S3_CA_BUNDLE"
            )
        if isinstance(error, ParamValidationError | ValidationError):
            return StorageRefusedError(text)
        return StorageFailedError(text)
    code, status = str(error.response.get("Error", {}).get("Code", "")), _status(error)
    # An error without a body, as HEAD gives, has its status as its code.
    said = str(error.response.get("Error", {}).get("Message") or "no explanation")
    hint = f"{_HINTS[code]} ({said})" if code in _HINTS else said
    text = f"cannot {doing} in {where}: {code} ({status}): {hint}"
    asked = _asked(location)
    if asked and status in _MAY_BE_AN_OPTION and code not in _HINTS.keys() - {"AccessDenied"}:
        text += (
            f" (asked for: {asked}; a store that does not know it, or keys that may not use it?)"
        )
    kind: type[KsnapshotError] = StorageRefusedError
    if status == _PRECONDITION_FAILED:
        kind = AlreadyThereError
    elif status == _NOT_IMPLEMENTED or code in _UNKNOWN_REQUEST:
        kind = UnknownToStoreError
    elif code in _PASSING or status in _PASSING_STATUS or status >= _SERVER_ERROR:
        kind = StorageFailedError
    elif status == _FORBIDDEN:
        kind = ForbiddenByStoreError
    return kind(text)


def _asked(location: S3Location) -> str:
    """The optional features that requests use, by their keys in the ConfigMap."""
    used = {
        "S3_STORAGE_CLASS": location.storage_class,
        "S3_SSE": location.sse,
        "S3_SSE_KMS_KEY_ID": location.sse_kms_key_id,
        "S3_TAGS": location.tags,
    }
    return ", ".join(name for name, value in used.items() if value)


def _proof(answer: Mapping[str, Any], name: str, doing: str) -> str:
    """What only the store itself can have answered; a proxy's page says 200, too."""
    value = answer.get(name)
    if not value:
        raise StorageFailedError(
            f"cannot {doing}: the answer was a success, but without {name}, so it is not the "
            "store's: see what stands between, such as a proxy or a login page"
        )
    return str(value)


def _md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
