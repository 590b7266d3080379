"""What may be asked of one storage beyond where it is: classes, tags, limits, locks.

Faults are those of the reader: with one, what is returned is not to be used.
"""

import re

from dumpers.contract.storages.object_lock import ObjectLock, parse_object_lock
from dumpers.contract.storages.storage_reader import StorageReader
from dumpers.contract.storages.variables import (
    S3_MAX_BANDWIDTH,
    S3_OBJECT_LOCK,
    S3_PATIENCE,
    S3_SSE,
    S3_SSE_KMS_KEY_ID,
    S3_STORAGE_CLASS,
    S3_TAGS,
    S3_UPLOAD_CONCURRENCY,
    SSE_KMS,
    SSE_S3,
)

# Seconds, and parts.
DEFAULT_PATIENCE, DEFAULT_UPLOAD_CONCURRENCY = 300, 2
MAX_UPLOAD_CONCURRENCY = 16
_CLASS = re.compile(r"[A-Z0-9_-]{1,64}")
_BANDWIDTH = re.compile(r"([1-9][0-9]{0,11})(Ki|Mi|Gi|)")
_UNITS = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
_MIN_BANDWIDTH = 16 << 10
_DURATION = re.compile(r"(0|[1-9][0-9]{0,4})(s|m|h|)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_MAX_PATIENCE = 86_400
_CONCURRENCY = re.compile(r"[1-9][0-9]?")
# S3's own rules for object tags.
_MAX_TAGS, _MAX_TAG_KEY, _MAX_TAG_VALUE = 10, 128, 256
_TAG_TEXT = re.compile(r"[\w +\-=.:/@]*")
_SHOWN = 40


def read_storage_class(reader: StorageReader) -> str | None:
    """The class that dumps are stored in; None leaves it to the store."""
    name = reader.text(S3_STORAGE_CLASS) or None
    if name and not _CLASS.fullmatch(name):
        reader.fault(
            S3_STORAGE_CLASS,
            f"is {name[:_SHOWN]!r}: it must be a storage class of the store, such as STANDARD_IA",
        )
    return name


def read_sse(reader: StorageReader) -> str | None:
    """How the store is asked to encrypt, in S3's own words; None leaves it to the store."""
    sse = reader.text(S3_SSE) or None
    if sse and sse not in {SSE_S3, *SSE_KMS}:
        known = ", ".join((SSE_S3, *SSE_KMS))
        reader.fault(S3_SSE, f"is {sse[:_SHOWN]!r}: it must be one of: {known}")
    elif reader.text(S3_SSE_KMS_KEY_ID) and sse not in SSE_KMS:
        reader.fault(
            S3_SSE_KMS_KEY_ID,
            f"is set, but {reader.name(S3_SSE)} is not aws:kms: set it, or drop the key's id",
        )
    return sse


def read_tags(reader: StorageReader) -> tuple[tuple[str, str], ...]:
    """The tags of all objects, (key, value) each."""
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
        reader.fault(S3_TAGS, f"holds {item[:_SHOWN]!r}: {fault}")
    if len(tags) > _MAX_TAGS:
        reader.fault(S3_TAGS, f"holds {len(tags)} tags: S3 takes at most {_MAX_TAGS}")
    return tuple(tags.items())


def read_bandwidth(reader: StorageReader) -> int | None:
    """Bytes a second; None for as fast as it goes."""
    text = reader.text(S3_MAX_BANDWIDTH)
    if not text:
        return None
    found = _BANDWIDTH.fullmatch(text)
    rate = int(found[1]) * _UNITS[found[2]] if found else 0
    if rate < _MIN_BANDWIDTH:
        reader.fault(
            S3_MAX_BANDWIDTH,
            f"is {text[:_SHOWN]!r}: it must be bytes a second, at least 16Ki, "
            "as a whole number that may end in Ki, Mi or Gi",
        )
        return None
    return rate


def read_patience(reader: StorageReader) -> int:
    """How many seconds a store that is away is waited for."""
    text = reader.text(S3_PATIENCE)
    if not text:
        return DEFAULT_PATIENCE
    found = _DURATION.fullmatch(text)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else -1
    if not 0 <= seconds <= _MAX_PATIENCE:
        reader.fault(
            S3_PATIENCE,
            f"is {text[:_SHOWN]!r}: it must be a whole number of seconds, or one "
            "that ends in s, m or h, and at most 24h",
        )
        return DEFAULT_PATIENCE
    return seconds


def read_upload_concurrency(reader: StorageReader) -> int:
    """How many parts of one object are under way at a time."""
    text = reader.text(S3_UPLOAD_CONCURRENCY)
    if not text:
        return DEFAULT_UPLOAD_CONCURRENCY
    if not _CONCURRENCY.fullmatch(text) or int(text) > MAX_UPLOAD_CONCURRENCY:
        reader.fault(
            S3_UPLOAD_CONCURRENCY,
            f"is {text[:_SHOWN]!r}: it must be 1 to {MAX_UPLOAD_CONCURRENCY}",
        )
        return DEFAULT_UPLOAD_CONCURRENCY
    return int(text)


def read_object_lock(reader: StorageReader) -> ObjectLock | None:
    """The lock of dumps and manifests; None for none."""
    text = reader.text(S3_OBJECT_LOCK)
    if not text:
        return None
    try:
        return parse_object_lock(text)
    except ValueError as error:
        reader.fault(S3_OBJECT_LOCK, f"is {text[:_SHOWN]!r}: it {error}")
        return None
