"""Secrets and ConfigMaps that containers refer to, read when a pod changed and now and then."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zlib import crc32

from controller.kube.client import RESOURCES
from controller.kube.reader import ClusterReader
from controller.model.objects import Json, ObjectRef, version_of
from controller.model.status import ReadFailure
from controller.model.view import SecretData
from controller.settings.settings import Settings
from controller.workloads.credentials.login import SecretKeys

# A Secret or ConfigMap, as these versions of pods of a namespace refer to it.
_Key = tuple[str, SecretKeys, frozenset[tuple[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedSecret:
    """What was read when, as which resourceVersion; None stands for a sure 404."""

    at: datetime
    version: str
    content: SecretData | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretCache:
    """The sources of one pass; `fresh` collects those to remember."""

    answers: ClusterReader
    settings: Settings
    known: Mapping[tuple[object, ...], CachedSecret] = field(repr=False)
    now: datetime
    fresh: dict[tuple[object, ...], CachedSecret] = field(default_factory=dict, repr=False)

    def read(
        self, namespace: str, wanted: Mapping[SecretKeys, frozenset[tuple[str, str]]]
    ) -> Iterator[tuple[ObjectRef, SecretData | ReadFailure | None]]:
        """The content of each; the pods that refer to it by uid and resourceVersion."""
        items = sorted(wanted.items(), key=lambda item: item[0].ref)
        # Another start each time: what hangs must not keep the same ones from their turn for ever.
        start = int(self.now.timestamp()) // self.settings.poll_interval % max(len(items), 1)
        for reference, pods in (*items[start:], *items[:start]):
            yield reference.ref, self._content((namespace, reference, pods))

    def _content(self, key: _Key) -> SecretData | ReadFailure | None:
        namespace, wanted, _ = key
        known = self.known.get(key)
        if known is None or self._due(key, known.at):
            since = known.version if known else ""
            resource = RESOURCES[wanted.ref.kind]
            found = self.answers.get(resource, namespace, wanted.ref.name, since=since)
            if isinstance(found, ReadFailure):
                return found
            version = version_of(found) if found else ""
            known = CachedSecret(at=self.now, version=version, content=_trim(found, wanted))
        self.fresh[key] = known
        return known.content

    def _due(self, key: _Key, last: datetime) -> bool:
        """Whether its turn has come since; turns are spread, so that no pass reads everything."""
        # It may come one pass late.
        period = self.settings.credentials_refresh - self.settings.poll_interval
        if period <= 0:
            return True
        namespace, reference, _ = key
        offset = period * crc32(f"{namespace}/{reference.ref}".encode()) / 2**32
        # Also unequal when the clock was set back.
        before, now = ((at.timestamp() + offset) // period for at in (last, self.now))
        return before != now


def _trim(found: Json | None, wanted: SecretKeys) -> SecretData | None:
    if found is None:
        return None
    data = found.get("data") or {}
    return SecretData(data={key: str(data[key]) for key in wanted.keys & data.keys()})
