"""Remembers Secrets and ConfigMaps that containers refer to.

They are read again when a pod that refers to them changed, and from time to time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from zlib import crc32

from controller.kube.client import RESOURCES
from controller.kube.reader import ClusterReader
from controller.model.objects import Json, ObjectRef, version_of
from controller.model.status import ReadFailure
from controller.model.view import SecretData, allows_host
from controller.settings.settings import Settings
from controller.workloads.credentials.login import SecretKeys

# Uid and resourceVersion of each pod that refers to a Secret or ConfigMap.
PodVersions: TypeAlias = frozenset[tuple[str, str]]
# A namespace, the wanted keys of a Secret or ConfigMap in it, and who wants them.
_Key: TypeAlias = tuple[str, SecretKeys, PodVersions]


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedSecret:
    """A Secret or ConfigMap as it was read at `at` as this resourceVersion.

    `content` is None for a sure 404.
    """

    at: datetime
    version: str
    content: SecretData | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretCache:
    """The Secrets and ConfigMaps of one pass.

    `cache` holds those of earlier passes, `next_cache` collects those for the next one.
    """

    reader: ClusterReader
    settings: Settings
    cache: Mapping[tuple[object, ...], CachedSecret] = field(repr=False)
    now: datetime
    next_cache: dict[tuple[object, ...], CachedSecret] = field(default_factory=dict, repr=False)

    def read(
        self, namespace: str, wanted: Mapping[SecretKeys, PodVersions]
    ) -> Iterator[tuple[ObjectRef, SecretData | ReadFailure | None]]:
        """Yield the content of each wanted object of a namespace; None for a sure 404."""
        references = sorted(wanted.items(), key=lambda pair: pair[0].ref)
        # Another start each pass: a read that hangs must not keep the same others from their turn.
        passes = int(self.now.timestamp()) // self.settings.poll_interval
        start = passes % max(len(references), 1)
        for secret_keys, pods in (*references[start:], *references[:start]):
            yield secret_keys.ref, self._content((namespace, secret_keys, pods))

    def _content(self, key: _Key) -> SecretData | ReadFailure | None:
        """Return the content from the cache, or read again if that is due."""
        namespace, wanted, _ = key
        cached = self.cache.get(key)
        if cached is None or self._is_due(key, cached.at):
            since = cached.version if cached else ""
            resource = RESOURCES[wanted.ref.kind]
            found = self.reader.get(resource, namespace, wanted.ref.name, since=since)
            if isinstance(found, ReadFailure):
                return found
            version = version_of(found) if found else ""
            content = _wanted_data(found, wanted)
            cached = CachedSecret(at=self.now, version=version, content=content)
        self.next_cache[key] = cached
        return cached.content

    def _is_due(self, key: _Key, last: datetime) -> bool:
        """Whether the turn of this object has come since it was last read.

        Turns are spread over the refresh time, so that no pass reads everything.
        """
        # A turn may be noticed one pass late.
        period = self.settings.credentials_refresh - self.settings.poll_interval
        if period <= 0:
            return True
        namespace, secret_keys, _ = key
        offset = period * crc32(f"{namespace}/{secret_keys.ref}".encode()) / 2**32
        # Also unequal when the clock was set back.
        before, now = ((at.timestamp() + offset) // period for at in (last, self.now))
        return before != now


def _wanted_data(found: Json | None, wanted: SecretKeys) -> SecretData | None:
    """Cut an object down to the wanted keys; None stays None."""
    if found is None:
        return None
    data = found.get("data") or {}
    return SecretData(
        data={key: str(data[key]) for key in wanted.keys & data.keys()},
        allows_host=allows_host(found),
    )
