"""Turns errors of the SDK and the store into ours: whether waiting helps, and what to change."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    SSLError,
    ValidationError,
)

from dumpers.contract.storages.location import S3Location
from dumpers.runtime.errors import KsnapshotError, StorageFailedError, StorageRefusedError
from dumpers.storage.errors import (
    AlreadyThereError,
    ForbiddenByStoreError,
    SignatureRefusedError,
    StoreAwayError,
    UnknownToStoreError,
)
from dumpers.storage.s3.hints import HINTS, doubts, find_hint, unreachable

# Trouble that a later attempt may not meet, although the status blames the request.
_AWAY = {
    *("BadDigest", "ConditionalRequestConflict", "IDPCommunicationError", "IncompleteBody"),
    *("OperationAborted", "RequestTimeout", "SlowDown", "Throttling", "ThrottlingException"),
    *("TooManyRequests", "TooManyRequestsException", "XAmzContentSHA256Mismatch"),
}
_AWAY_STATUS = {408, 425, 429}
# Nothing that waiting helps against, but another run may go well.
_FAILED = {"InvalidPart", "NoSuchUpload", "XMinioStorageFull"}
_FULL = 507
_SERVER_ERROR = 500
_FORBIDDEN, NOT_FOUND, PRECONDITION_FAILED, _NOT_IMPLEMENTED = 403, 404, 412, 501
_MAY_BE_AN_OPTION = {400, _FORBIDDEN, _NOT_IMPLEMENTED}
# How a store refuses a header that it does not know; GCS and proxies by the signature, which covers
# the header.
MAY_BE_A_HEADER = {400, _FORBIDDEN, PRECONDITION_FAILED, _NOT_IMPLEMENTED}
# How a store answers a question that it does not know.
MAY_BE_A_QUESTION = {NOT_FOUND, 405, _NOT_IMPLEMENTED}
# Handshakes that fail again; all others may be those of a store that is just starting or ending.
_TLS_HINTS = {
    "Hostname mismatch": (
        "the certificate is for another host: correct S3_ENDPOINT, or S3_PATH_STYLE, which says "
        "whether the bucket's name is in the host"
    ),
    "CERTIFICATE_VERIFY_FAILED": (
        "if the store has a CA of its own, give its certificate by S3_CA_BUNDLE"
    ),
    "WRONG_VERSION_NUMBER": (
        "the store does not speak TLS there: write S3_ENDPOINT with http://, or with its TLS port"
    ),
}
_UNKNOWN_REQUEST = {"InvalidArgument", "InvalidRequest", "MalformedXML", "NotImplemented"}


def translate(
    error: ClientError | BotoCoreError, *, doing: str, location: S3Location
) -> KsnapshotError:
    """The error to raise instead of the SDK's, which says what was being done and where."""
    where = f"bucket {location.bucket!r} at {location.endpoint or 'AWS S3'}"
    if not isinstance(error, ClientError):
        return _without_answer(error, f"cannot {doing} in {where}", location)
    code, status = str(error.response.get("Error", {}).get("Code", "")), http_status(error)
    # An error without a body, as HEAD gives, has its status as its code.
    said = str(error.response.get("Error", {}).get("Message") or "no explanation")
    hint = find_hint(code, said)
    explained = f"{hint} ({said})" if hint else said
    text = f"cannot {doing} in {where}: {code} ({status}): {explained}{doubts(code, location)}"
    asked = _asked(location)
    if asked and status in _MAY_BE_AN_OPTION and code not in HINTS.keys() - {"AccessDenied"}:
        text += (
            f" (asked for: {asked}; a store that does not know it, or keys that may not use it?)"
        )
    kind = _kind(code, status)
    if issubclass(kind, StoreAwayError):
        return kind(text, retry_after=_retry_after(error))
    return kind(text)


def _retry_after(error: ClientError) -> float:
    """The seconds of the header Retry-After, which may be a date instead; 0 if it is neither."""
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    said = str(headers.get("retry-after", "")).strip()
    if said.isdecimal():
        return float(said)
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        return 0.0
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _kind(code: str, status: int) -> type[KsnapshotError]:
    kind: type[KsnapshotError] = StorageRefusedError
    if status == PRECONDITION_FAILED:
        kind = AlreadyThereError
    elif status == _NOT_IMPLEMENTED or code in _UNKNOWN_REQUEST:
        kind = UnknownToStoreError
    elif code in _FAILED or status == _FULL:
        kind = StorageFailedError
    elif code in _AWAY or status in _AWAY_STATUS or status >= _SERVER_ERROR:
        kind = StoreAwayError
    elif status == _FORBIDDEN:
        refused = code == "SignatureDoesNotMatch"
        kind = SignatureRefusedError if refused else ForbiddenByStoreError
    return kind


def _without_answer(error: BotoCoreError, text: str, location: S3Location) -> KsnapshotError:
    """The error for a request that got no answer, or was not even sent."""
    said = f"{text}: {error}"
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return StorageRefusedError(
            f"{said}: give the Secret with the S3 keys, or the job's ServiceAccount an identity"
        )
    if isinstance(error, ParamValidationError | ValidationError):
        return StorageRefusedError(said)
    if isinstance(error, SSLError):
        hints = (hint for words, hint in _TLS_HINTS.items() if words in str(error))
        if hint := next(hints, ""):
            return StorageRefusedError(f"{said}: {hint}")
    if isinstance(error, EndpointConnectionError):
        # The system's own words stand at the end of the library's.
        reason = str(error.kwargs.get("error", "")).rpartition(": ")[2].rstrip(")'\"")
        return StoreAwayError(f"{said} ({reason or 'no reason'}){unreachable(location)}")
    return StoreAwayError(said)


def _asked(location: S3Location) -> str:
    """The optional features that requests use, by their keys in the ConfigMap."""
    used = {
        "S3_STORAGE_CLASS": location.storage_class,
        "S3_SSE": location.sse,
        "S3_SSE_KMS_KEY_ID": location.sse_kms_key_id,
        "S3_TAGS": location.tags,
        "S3_OBJECT_LOCK": location.object_lock,
    }
    return ", ".join(name for name, value in used.items() if value)


def http_status(error: ClientError) -> int:
    """The HTTP status of an error that the store answered with; 0 if it has none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_missing_key(error: BaseException | None) -> bool:
    """Whether the store has answered that there is no such object; a missing bucket is another."""
    if not isinstance(error, ClientError) or http_status(error) != NOT_FOUND:
        return False
    return str(error.response.get("Error", {}).get("Code", "")) == "NoSuchKey"
