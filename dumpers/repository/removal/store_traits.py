"""What prune has to know of a store before it deletes: found out once, when it first matters."""

import json
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial

from dumpers.repository.keys import probe_key
from dumpers.runtime.errors import StorageRefusedError
from dumpers.runtime.log import fields
from dumpers.storage.errors import (
    AlreadyThereError,
    ChangedInStoreError,
    ForbiddenByStoreError,
    SignatureRefusedError,
    UnknownToStoreError,
)
from dumpers.storage.run_storage import RunStorage

_LOG = logging.getLogger(__name__)

_PROBE = json.dumps({"format": 1, "record": "probe"}).encode()
# That of no object.
NO_ETAG = f'"{"0" * 32}"'


def refuses_conditions(*writes: Callable[[], object]) -> bool:
    """Whether a store refuses each of these writes, the condition of none of which holds.

    A store that refuses conditions as such heeds none. Raises its other errors.
    """
    for write in writes:
        try:
            write()
        except (AlreadyThereError, ChangedInStoreError):
            continue
        except (UnknownToStoreError, SignatureRefusedError):
            return False
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class StoreTraits:
    """The store of a cluster's records, which lie under `path`."""

    storage: RunStorage
    path: str
    cluster: str

    @cached_property
    def conditional(self) -> bool:
        """Whether the store refuses writes whose condition does not hold.

        Tried with a key of its own, which is removed again: so the rights to write and to delete
        are proved, too, before anything is deleted. ForbiddenByStoreError without them.
        """
        key, storage = probe_key(path=self.path, cluster=self.cluster), self.storage
        bucket, versions = storage.bucket, list[str]()
        storage.call(lambda: versions.append(bucket.put(key, _PROBE, only_new=False)))
        writes = (
            lambda: versions.append(bucket.put(key, _PROBE, only_new=True)),
            lambda: versions.append(bucket.replace(key, _PROBE, etag=NO_ETAG)),
        )
        holds = refuses_conditions(*(partial(storage.call, write) for write in writes))
        storage.call(lambda: versions.append(bucket.delete(key)))
        self._remove_versions(key, versions)
        if not holds:
            _LOG.warning(
                "the store takes writes whose condition does not hold, so that nothing is deleted "
                "within a day after a run's deadline",
                extra=fields(key=key),
            )
        return holds

    def _remove_versions(self, key: str, versions: Iterable[str]) -> None:
        """Remove what a bucket that keeps versions keeps of the probe, where the keys may."""
        bucket = self.storage.bucket
        # What is locked, or may not be deleted for good, ends by the bucket's lifecycle rule.
        with suppress(StorageRefusedError):
            for version in dict.fromkeys(filter(None, versions)):
                self.storage.call(partial(bucket.delete, key, version=version))

    @cached_property
    def keeps_versions(self) -> bool:
        """Whether old versions of what is deleted stay; taken for no where nobody may ask."""

        def ask() -> str:
            return self.storage.bucket.versioning()

        try:
            return self.storage.call(ask) != ""
        except (ForbiddenByStoreError, UnknownToStoreError):
            return False
