"""The storages of the operator, given as JSON by their names; every fault is named by its path."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from controller.settings import parsers
from controller.settings.storages import values
from controller.settings.storages.storage import Storage
from dumpers.contract.storages.named_storage import MAIN, NAME
from dumpers.contract.storages.place import store_of
from dumpers.contract.storages.variables import SSE_KMS
from dumpers.runtime.errors import ConfigurationError

# The member of a storage as the chart has it, the field that it fills, and how it is read.
_MEMBERS: Mapping[str, tuple[str, Callable[[Any], object]]] = {
    "bucket": ("bucket", values.bucket),
    "endpoint": ("endpoint", values.endpoint),
    "region": ("region", values.region),
    "path": ("path", values.path),
    "pathStyle": ("path_style", values.boolean),
    "credentialsSecret": ("credentials_secret", values.secret),
    "bucketInfoSecret": ("bucket_info_secret", values.secret),
    "readerSecret": ("reader_secret", values.secret),
    "pruneSecret": ("prune_secret", values.secret),
    "ca": ("ca", values.ca),
    "storageClass": ("storage_class", values.storage_class),
    "sse": ("sse", values.sse),
    "sseKmsKeyId": ("sse_kms_key_id", values.kms_key),
    "tags": ("tags", values.tags),
    "maxBandwidth": ("max_bandwidth", values.bandwidth),
    "patience": ("patience", values.patience),
    "uploadConcurrency": ("upload_concurrency", values.concurrency),
    "objectLock": ("object_lock", values.object_lock),
    "accessMode": ("access_mode", values.access_mode),
    "namespaces": ("namespaces", values.namespaces),
}
# All that may be said of main here.
_OF_MAIN = ("namespaces",)
# What counts as not said; an empty list of namespaces says that none may use it.
_UNSAID: tuple[object, ...] = ("", None, {})
_ROOT = "storages"
_SHOWN = 40


def parse_storages(text: str) -> Mapping[str, Storage]:
    """Read the storages; ConfigurationError names all faults, in no order that matters."""
    faults: list[str] = []
    found: dict[str, Storage] = {}
    for name, given in parsers.json_object(text).items():
        path = f"{_ROOT}.{name[:_SHOWN]}"
        if not NAME.fullmatch(name):
            faults.append(
                f"{path}: its name must have at most 32 small letters, digits and dashes, and "
                "begin with a letter"
            )
        elif not isinstance(given, dict):
            faults.append(f"{path}: must be an object")
        else:
            known = _OF_MAIN if name == MAIN else tuple(_MEMBERS)
            read, wrong = _read(path, given, known)
            storage = Storage(name=name, **read)
            faults += wrong or (_inconsistent(path, storage) if name != MAIN else ())
            found[name] = storage
    faults += _twins(found.values())
    if faults:
        raise ConfigurationError(*faults)
    return found


def _read(
    path: str, given: Mapping[str, Any], known: tuple[str, ...]
) -> tuple[dict[str, Any], list[str]]:
    """The fields of a storage, and the faults of its members."""
    read: dict[str, Any] = {}
    faults = []
    for member, value in given.items():
        if member not in known:
            faults.append(f"{path}.{member[:_SHOWN]}: {_unknown(member, known)}")
        elif value not in _UNSAID:
            field, reader = _MEMBERS[member]
            try:
                read[field] = reader(value)
            except values.MemberError as error:
                faults.append(f"{path}.{member}.{error.member[:_SHOWN]}: {error}")
            except ValueError as error:
                faults.append(f"{path}.{member}: {error}")
    return read, faults


def _unknown(member: str, known: tuple[str, ...]) -> str:
    if known == _OF_MAIN:
        return (
            "is not said here: what main is stands in its ConfigMap and Secret, by the values s3 "
            "and existingSecret"
        )
    return values.why_unknown(member, known)


def _inconsistent(path: str, storage: Storage) -> Iterator[str]:
    """What is wrong with a storage whose members are right one by one."""
    if not storage.bucket and not storage.bucket_info_secret:
        yield f"{path}.bucket: must name the bucket, or bucketInfoSecret the Secret of COSI with it"
    if storage.bucket_info_secret and storage.credentials_secret:
        yield f"{path}.credentialsSecret: must not be besides bucketInfoSecret, which has keys"
    if storage.sse_kms_key_id and storage.sse not in SSE_KMS:
        yield f"{path}.sseKmsKeyId: needs sse: {SSE_KMS[0]}"
    if storage.is_read_only and storage.object_lock:
        yield f"{path}.objectLock: has no meaning where accessMode is {storage.access_mode}"
    if storage.is_read_only and storage.prune_secret:
        yield f"{path}.pruneSecret: has no meaning where accessMode is {storage.access_mode}"


def _twins(storages: Iterable[Storage]) -> Iterator[str]:
    """Storages that are one place, so that one copy would be taken for two."""
    places: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for storage in storages:
        if bucket := storage.bucket or storage.bucket_info_secret:
            store = store_of(storage.endpoint, storage.region) if storage.bucket else "BucketInfo"
            places[store, bucket, storage.path].append(storage.name)
    for names in places.values():
        if len(names) > 1:
            yield (
                f"{_ROOT}.{names[1]}: is the same place as {_ROOT}.{names[0]}: endpoint, bucket "
                "and path"
            )
