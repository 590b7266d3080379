"""A storage besides the one that ConfigMap and Secret describe, as the operator defines it."""

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from dumpers.contract.names import CA_KEY
from dumpers.contract.storages.object_lock import ObjectLock

# Where backups lie in a bucket.
PATH = "ksnapshot"
EVERY_NAMESPACE = ("*",)


class AccessMode(StrEnum):
    """What may be done with a storage: dumps go to it, or what lies there is only read."""

    READ_WRITE = "ReadWrite"
    READ_ONLY = "ReadOnly"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaReference:
    """The key of a Secret or a ConfigMap, one of the two, with certificates to trust as PEM."""

    secret: str = ""
    config_map: str = ""
    key: str = CA_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """One storage; what is empty or None is not said.

    The Secrets hold S3 keys, or BucketInfo of COSI where `bucket_info_secret` is set; without one
    for readers or for prune, they use that of dumps. The storage `main` has namespaces only: all
    else of it is in the ConfigMap and the Secret. `namespaces` are patterns of those that may use
    it; where there are none it is retired: what uses it goes on, and nobody else may ask for it.
    """

    name: str
    bucket: str = ""
    endpoint: str = ""
    region: str = ""
    path: str = PATH
    path_style: bool | None = None
    credentials_secret: str = ""
    bucket_info_secret: str = ""
    reader_secret: str = ""
    prune_secret: str = ""
    ca: CaReference | None = None
    storage_class: str = ""
    sse: str = ""
    sse_kms_key_id: str = ""
    tags: str = ""
    max_bandwidth: str = ""
    patience: str = ""
    upload_concurrency: int | None = None
    object_lock: ObjectLock | None = None
    access_mode: AccessMode = AccessMode.READ_WRITE
    namespaces: tuple[str, ...] = EVERY_NAMESPACE

    @property
    def is_read_only(self) -> bool:
        """Whether nothing is dumped to it."""
        return self.access_mode is AccessMode.READ_ONLY

    def serves(self, namespace: str) -> bool:
        """Whether workloads of a namespace may use it."""
        return any(fnmatchcase(namespace, pattern) for pattern in self.namespaces)
