"""Where objects go and how: the S3 part of a job's environment, read and checked.

Pure: whether a certificate, a bucket or a right is good shows in use, in `storage.s3`.
"""

import re
from dataclasses import dataclass, field

from dumpers.contract.env_reader import EnvReader
from dumpers.contract.key_names import normalise_path

BACKEND_TYPE = "BACKEND_TYPE"
BACKEND_PATH = "BACKEND_PATH"
S3_REGION = "BACKEND_S3_REGION"
S3_ENDPOINT = "BACKEND_S3_ENDPOINT"
S3_BUCKET = "BACKEND_BUCKET"
S3_ACCESS_KEY = "BACKEND_S3_ACCESS_KEY"
S3_SECRET_KEY = "BACKEND_S3_SECRET_KEY"  # noqa: S105  a variable's name
S3_PATH_STYLE = "BACKEND_S3_PATH_STYLE"
S3_CA_BUNDLE = "BACKEND_S3_CA_BUNDLE"
S3_STORAGE_CLASS = "BACKEND_S3_STORAGE_CLASS"
S3_SSE = "BACKEND_S3_SSE"
S3_SSE_KMS_KEY_ID = "BACKEND_S3_SSE_KMS_KEY_ID"
S3_TAGS = "BACKEND_S3_TAGS"
S3_MAX_BANDWIDTH = "BACKEND_S3_MAX_BANDWIDTH"
S3_PATIENCE = "BACKEND_S3_PATIENCE"
# Every HTTP client's own names, read by the SDK itself.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")

BACKEND_S3 = "s3"
SSE_S3 = "AES256"
SSE_KMS = ("aws:kms", "aws:kms:dsse")
# Objects of these classes have to be thawed before anybody can read them.
ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")

_SWITCH = {"": None, "true": True, "false": False}
_CLASS = re.compile(r"[A-Z0-9_-]{1,64}")
_BANDWIDTH = re.compile(r"([1-9][0-9]{0,11})(Ki|Mi|Gi|)")
_UNITS = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
_MIN_BANDWIDTH = 16 << 10
_DURATION = re.compile(r"(0|[1-9][0-9]{0,4})(s|m|h|)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_DEFAULT_PATIENCE, _MAX_PATIENCE = 300, 86_400
# S3's own rules for object tags.
_MAX_TAGS, _MAX_TAG_KEY, _MAX_TAG_VALUE = 10, 128, 256
_TAG_TEXT = re.compile(r"[\w +\-=.:/@]*")
_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Location:
    """Where objects go. Without keys the SDK's default credential chain decides.

    Raises nothing by itself; `endpoint` beats the region's own endpoint, the region still signs.
    `ca_bundle` is PEM text; `path_style` None means: where an endpoint is set; `max_bandwidth` is
    in bytes a second, None for as fast as it goes; `patience` is how many seconds a run waits for
    a store that is away. `storage_class` is for dumps, not for records.
    """

    bucket: str
    path: str
    region: str | None = None
    endpoint: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    path_style: bool | None = None
    ca_bundle: str | None = field(default=None, repr=False)
    storage_class: str | None = None
    sse: str | None = None
    sse_kms_key_id: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    max_bandwidth: int | None = None
    patience: int = _DEFAULT_PATIENCE


def read_location(reader: EnvReader) -> S3Location:
    """Read the location; faults are the reader's."""
    backend = reader.text(BACKEND_TYPE) or BACKEND_S3
    if backend != BACKEND_S3:
        reader.faults.append(f"{BACKEND_TYPE} is {backend!r}: the only backend is 's3'")
    access, secret = reader.text(S3_ACCESS_KEY), reader.text(S3_SECRET_KEY)
    if bool(access) != bool(secret):
        missing = S3_SECRET_KEY if access else S3_ACCESS_KEY
        reader.faults.append(f"{missing} is not set: give both S3 keys, or none for identity")
    bucket = reader.text(S3_BUCKET)
    if not bucket:
        reader.faults.append(
            f"{S3_BUCKET} is not set: it must hold the S3 bucket's name (ConfigMap key S3_BUCKET)"
        )
    sse = _sse(reader)
    return S3Location(
        bucket=bucket,
        path=normalise_path(reader.text(BACKEND_PATH)),
        region=reader.text(S3_REGION) or None,
        endpoint=_endpoint(reader),
        access_key=access or None,
        secret_key=secret or None,
        path_style=_path_style(reader),
        ca_bundle=_ca_bundle(reader),
        storage_class=_storage_class(reader),
        sse=sse,
        sse_kms_key_id=reader.text(S3_SSE_KMS_KEY_ID) or None,
        tags=_tags(reader),
        max_bandwidth=_bandwidth(reader),
        patience=_patience(reader),
    )


def _endpoint(reader: EnvReader) -> str | None:
    endpoint = reader.text(S3_ENDPOINT) or None
    if endpoint and "@" in endpoint:
        reader.faults.append(f"{S3_ENDPOINT} holds a user name: give keys in the Secret instead")
    elif endpoint and not endpoint.startswith(("http://", "https://")):
        reader.faults.append(f"{S3_ENDPOINT} is {endpoint!r}: it must start with http(s)://")
    return endpoint


def _path_style(reader: EnvReader) -> bool | None:
    text = reader.text(S3_PATH_STYLE)
    if text not in _SWITCH:
        reader.faults.append(f"{S3_PATH_STYLE} is {text[:_SHOWN]!r}: it must be true or false")
        return None
    return _SWITCH[text]


def _ca_bundle(reader: EnvReader) -> str | None:
    text = reader.text(S3_CA_BUNDLE)
    if not text.strip():
        return None
    # None of the faults shows the value: what was pasted may be a key.
    if "PRIVATE KEY-----" in text:
        reader.faults.append(
            f"{S3_CA_BUNDLE} holds a private key: give only the CA's certificate, and treat the "
            "key as leaked"
        )
    elif "-----BEGIN CERTIFICATE-----" not in text or "-----END CERTIFICATE-----" not in text:
        reader.faults.append(
            f"{S3_CA_BUNDLE} holds no certificate: it must be PEM text, from -----BEGIN "
            "CERTIFICATE----- to -----END CERTIFICATE-----, not a path"
        )
    return text


def _storage_class(reader: EnvReader) -> str | None:
    name = reader.text(S3_STORAGE_CLASS) or None
    if name and not _CLASS.fullmatch(name):
        reader.faults.append(
            f"{S3_STORAGE_CLASS} is {name[:_SHOWN]!r}: it must be a storage class of the store, "
            "such as STANDARD_IA"
        )
    return name


def _sse(reader: EnvReader) -> str | None:
    sse = reader.text(S3_SSE) or None
    if sse and sse not in {SSE_S3, *SSE_KMS}:
        known = ", ".join((SSE_S3, *SSE_KMS))
        reader.faults.append(f"{S3_SSE} is {sse[:_SHOWN]!r}: it must be one of: {known}")
    elif reader.text(S3_SSE_KMS_KEY_ID) and sse not in SSE_KMS:
        reader.faults.append(
            f"{S3_SSE_KMS_KEY_ID} is set, but {S3_SSE} is not aws:kms: set it, or drop the key's id"
        )
    return sse


def _tags(reader: EnvReader) -> tuple[tuple[str, str], ...]:
    text = reader.text(S3_TAGS)
    tags: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals or not key:
            fault = "it must be key=value"
        elif key in tags:
            fault = "its key is there twice"
        elif key.lower().startswith("aws:"):
            fault = "keys with aws: are the store's own"
        elif len(key) > _MAX_TAG_KEY or len(value) > _MAX_TAG_VALUE:
            fault = f"at most {_MAX_TAG_KEY} characters of key and {_MAX_TAG_VALUE} of value"
        elif not (_TAG_TEXT.fullmatch(key) and _TAG_TEXT.fullmatch(value)):
            fault = "it may hold letters, digits, spaces and + - = . _ : / @"
        else:
            tags[key] = value
            continue
        reader.faults.append(f"{S3_TAGS} holds {item[:_SHOWN]!r}: {fault}")
    if len(tags) > _MAX_TAGS:
        reader.faults.append(f"{S3_TAGS} holds {len(tags)} tags: S3 takes at most {_MAX_TAGS}")
    return tuple(tags.items())


def _bandwidth(reader: EnvReader) -> int | None:
    text = reader.text(S3_MAX_BANDWIDTH)
    if not text:
        return None
    found = _BANDWIDTH.fullmatch(text)
    rate = int(found[1]) * _UNITS[found[2]] if found else 0
    if rate < _MIN_BANDWIDTH:
        reader.faults.append(
            f"{S3_MAX_BANDWIDTH} is {text[:_SHOWN]!r}: it must be bytes a second, at least 16Ki, "
            "as a whole number that may end in Ki, Mi or Gi"
        )
        return None
    return rate


def _patience(reader: EnvReader) -> int:
    text = reader.text(S3_PATIENCE)
    if not text:
        return _DEFAULT_PATIENCE
    found = _DURATION.fullmatch(text)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else -1
    if not 0 <= seconds <= _MAX_PATIENCE:
        reader.faults.append(
            f"{S3_PATIENCE} is {text[:_SHOWN]!r}: it must be a whole number of seconds, or one "
            "that ends in s, m or h, and at most 24h"
        )
        return _DEFAULT_PATIENCE
    return seconds
