"""Turns errors of the SDK and the store into ours: whether waiting helps, and what to change."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    SSLError,
    ValidationError,
)

from dumpers.contract.location import S3Location
from dumpers.runtime.errors import KsnapshotError, StorageFailedError, StorageRefusedError
from dumpers.storage.errors import AlreadyThereError, ForbiddenByStoreError, UnknownToStoreError

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
# Passing trouble, although the status blames the request.
_PASSING = {
    *("BadDigest", "ConditionalRequestConflict", "ExpiredToken", "ExpiredTokenException"),
    *("IDPCommunicationError", "IncompleteBody", "InvalidPart", "NoSuchUpload"),
    *("OperationAborted", "RequestTimeTooSkewed", "RequestTimeout", "SlowDown"),
    *("TooManyRequests", "XAmzContentSHA256Mismatch"),
}
_PASSING_STATUS = {408, 429}
_SERVER_ERROR = 500
_FORBIDDEN, NOT_FOUND, _PRECONDITION_FAILED, _NOT_IMPLEMENTED = 403, 404, 412, 501
_MAY_BE_AN_OPTION = {400, _FORBIDDEN, _NOT_IMPLEMENTED}
_UNKNOWN_REQUEST = {"InvalidArgument", "InvalidRequest", "MalformedXML", "NotImplemented"}


def translate(
    error: ClientError | BotoCoreError, *, doing: str, location: S3Location
) -> KsnapshotError:
    """The error to raise instead of the SDK's, which says what was being done and where."""
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
    code, status = str(error.response.get("Error", {}).get("Code", "")), http_status(error)
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


def http_status(error: ClientError) -> int:
    """The HTTP status of an error that the store answered with; 0 if it has none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
