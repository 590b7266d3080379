"""The variables that say where one storage is, and how it is written.

Those of a job's first storage have these names, those of the others the names of
`named_variable`.
"""

from collections.abc import Iterable

BACKEND_TYPE = "BACKEND_TYPE"
BACKEND_PATH = "BACKEND_PATH"
S3_REGION = "BACKEND_S3_REGION"
S3_ENDPOINT = "BACKEND_S3_ENDPOINT"
S3_BUCKET = "BACKEND_BUCKET"
S3_ACCESS_KEY = "BACKEND_S3_ACCESS_KEY"
S3_SECRET_KEY = "BACKEND_S3_SECRET_KEY"  # noqa: S105  a variable's name
# Says that a Secret has the two keys of a further storage, whose references are optional.
KEYS_SAID = "BACKEND_S3_KEYS"
S3_PATH_STYLE = "BACKEND_S3_PATH_STYLE"
S3_CA_BUNDLE = "BACKEND_S3_CA_BUNDLE"
S3_STORAGE_CLASS = "BACKEND_S3_STORAGE_CLASS"
S3_SSE = "BACKEND_S3_SSE"
S3_SSE_KMS_KEY_ID = "BACKEND_S3_SSE_KMS_KEY_ID"
S3_TAGS = "BACKEND_S3_TAGS"
S3_MAX_BANDWIDTH = "BACKEND_S3_MAX_BANDWIDTH"
S3_PATIENCE = "BACKEND_S3_PATIENCE"
S3_UPLOAD_CONCURRENCY = "BACKEND_S3_UPLOAD_CONCURRENCY"
# `MODE:DAYS`, such as `COMPLIANCE:30`.
S3_OBJECT_LOCK = "BACKEND_S3_OBJECT_LOCK"
# The JSON of a COSI Secret: bucket, endpoint, region and keys at once.
S3_BUCKET_INFO = "BACKEND_S3_BUCKET_INFO"
# Every HTTP client's own names, read by the SDK itself.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")

BACKEND_S3 = "s3"
KEYS_OF_SECRET = "secret"  # noqa: S105  where they are
SSE_S3 = "AES256"
SSE_KMS = ("aws:kms", "aws:kms:dsse")
# Objects of these classes have to be thawed before anybody can read them.
ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")

_PREFIX = "BACKEND_"
# Those whose values have line ends.
WITH_LINES = (S3_CA_BUNDLE, S3_BUCKET_INFO)


def named_variable(variable: str, storage: str) -> str:
    """What a variable of this module is called for a storage that is not a job's first one.

    `BACKEND_S3_REGION` of the storage `off-site` is `STORAGE_OFF_SITE__S3_REGION`.
    """
    return f"{_prefix_of(storage)}{variable.removeprefix(_PREFIX)}"


def first_variable(named: str, storage: str) -> str:
    """What a variable of a named storage is called where that is the job's first one.

    Empty for a variable that is not of this storage.
    """
    if not named.startswith(_prefix_of(storage)):
        return ""
    rest = named.removeprefix(_prefix_of(storage))
    # `STORAGE_A__B__BUCKET` is of the storage `a--b`, and not of `a`.
    return "" if "__" in rest else f"{_PREFIX}{rest}"


def variables_with_lines(env: Iterable[str]) -> frozenset[str]:
    """Those of these variables whose values may have line ends: certificates, and JSON of COSI."""
    named = tuple(f"__{name.removeprefix(_PREFIX)}" for name in WITH_LINES)
    return frozenset(name for name in env if name in WITH_LINES or name.endswith(named))


def _prefix_of(storage: str) -> str:
    return f"STORAGE_{storage.upper().replace('-', '_')}__"
