"""What to change where a store refuses: cures by the store's error code and what was set.

The codes are those of AWS, MinIO, Ceph, Cloudflare R2, Backblaze B2, Wasabi, Google Cloud Storage
and others; the settings are keys of the ConfigMap.
"""

import re
from urllib.parse import urlsplit

from dumpers.contract.storages.location import S3Location

_REGION = "the store is in another region: correct S3_REGION"
_PATH_STYLE = "the store wants the bucket's name in the host: set S3_PATH_STYLE to false"
_CREDENTIALS_ENDED = (
    "the credentials ran out: see what renews them (the role's session, the ServiceAccount's "
    "token), and that this node's clock is right"
)
_NO_LOCKS = (
    "the bucket knows no locks: turn object lock on for it, as most stores do only when a bucket "
    "is made, or drop S3_OBJECT_LOCK"
)
_FULL = "the bucket or the store is full: remove what is not needed, or raise the quota"
HINTS = {
    "NoSuchBucket": "the bucket does not exist: create it, or correct S3_BUCKET",
    "InvalidBucketName": "this is no bucket name: correct S3_BUCKET",
    "AccessDenied": "the keys or role may not do this: grant it, or use others",
    "InvalidAccessKeyId": "the store does not know this access key: correct AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": (
        "the secret key is wrong: correct AWS_SECRET_ACCESS_KEY; if it is right, correct "
        "S3_REGION, or see what stands between and alters requests, such as a proxy"
    ),
    "AuthorizationHeaderMalformed": _REGION,
    "InvalidRegionName": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "PermanentRedirect": "the bucket is in another region: correct S3_REGION or S3_ENDPOINT",
    "SecondLevelDomainForbidden": _PATH_STYLE,
    "PathStyleDomainForbidden": _PATH_STYLE,
    "MethodNotAllowed": (
        "this is not the address of the store's S3 API, but of a website or a console: correct "
        "S3_ENDPOINT"
    ),
    "RequestTimeTooSkewed": "this node's clock is wrong: set it, by NTP",
    "RequestExpired": "this node's clock is wrong: set it, by NTP",
    "ExpiredToken": _CREDENTIALS_ENDED,
    "ExpiredTokenException": _CREDENTIALS_ENDED,
    "TokenRefreshRequired": _CREDENTIALS_ENDED,
    "InvalidToken": _CREDENTIALS_ENDED,
    "InvalidStorageClass": "the store does not know this class: correct S3_STORAGE_CLASS",
    "InvalidTag": "the store does not take these tags: correct S3_TAGS",
    "KMS.NotFoundException": "there is no such key: correct S3_SSE_KMS_KEY_ID",
    "KMS.DisabledException": "the key is disabled: enable it, or correct S3_SSE_KMS_KEY_ID",
    "NoSuchUpload": "somebody else removed the upload: a lifecycle rule, or a clean-up",
    "QuotaExceeded": _FULL,
    "XMinioAdminBucketQuotaExceeded": _FULL,
    "XMinioStorageFull": _FULL,
}
# What stores say in words only, under codes that say little.
_WORDS = (
    (re.compile(r"missing object ?lock ?configuration", re.IGNORECASE), _NO_LOCKS),
    (re.compile(r"must be made to API port"), HINTS["MethodNotAllowed"]),
    (re.compile(r"access key (?:has|id) ", re.IGNORECASE), "correct AWS_ACCESS_KEY_ID"),
    (re.compile(r"the region '[^']*' is wrong", re.IGNORECASE), _REGION),
)
# How a store answers that takes the bucket's name in the host for nothing, and the key's first
# segment for the bucket.
_HOST_IGNORED = frozenset(
    ("NoSuchBucket", "InvalidBucketName", "MalformedXML", "MethodNotAllowed", "NotImplemented")
)
_NOT_AWS = frozenset(("InvalidAccessKeyId", "InvalidToken"))


def find_hint(code: str, said: str) -> str:
    """The cure for an error of this code and text; empty where none is known."""
    if code in HINTS:
        return HINTS[code]
    return next((hint for pattern, hint in _WORDS if pattern.search(said)), "")


def doubts(code: str, location: S3Location) -> str:
    """What in the location may be wrong besides, as the end of a message; mostly empty."""
    found: list[str] = []
    if location.path_style is False and code in _HOST_IGNORED:
        found.append(
            "S3_PATH_STYLE=false puts the bucket's name into the host: set it to true if the store "
            "does not know that"
        )
    if location.endpoint is None and code in _NOT_AWS:
        found.append("without S3_ENDPOINT requests go to AWS: set it for another store")
    if location.endpoint and _names_bucket(location.endpoint, location.bucket):
        found.append("S3_ENDPOINT seems to name the bucket already: write it without")
    return "".join(f"; {item}" for item in found)


def unreachable(location: S3Location) -> str:
    """What may be wrong where nobody answers at all, as the end of a message."""
    if location.endpoint is None:
        return f"; is S3_REGION ({location.region or 'not set'}) a region of AWS?"
    if location.path_style is False:
        return (
            "; S3_PATH_STYLE=false puts the bucket's name into the host: set it to true if there "
            "is no such host"
        )
    return "; correct S3_ENDPOINT if the store is elsewhere"


def _names_bucket(endpoint: str, bucket: str) -> bool:
    """Whether an endpoint has the bucket's name as its host's first label, or in its path."""
    parts = urlsplit(endpoint)
    return (parts.hostname or "").startswith(f"{bucket}.") or bucket in parts.path.split("/")
