"""Remembers full objects from pass to pass, so that lists need to read metadata only."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

import msgspec

from controller.kube.client import Document, Resource
from controller.kube.reader import ClusterReader
from controller.model.kinds import READABLE_KINDS
from controller.model.objects import Json, ObjectRef, Objects, metadata, name_of, uid_of, version_of
from controller.model.status import ReadFailure

# Objects are read one by one if they are few, or few among those that a list would bring: a single
# read costs about as much as eight entries of a list. More than the last number of single reads
# would take too long on a slow API server.
_ONE_BY_ONE = 20
_ENTRIES = 8
_MAX_ONE_BY_ONE = 200
_DIGEST_BYTES = 16
# With more parts the interner starts afresh: what changed over the weeks must not pile up.
_MAX_PARTS = 500_000


class JsonInterner:
    """Parts of JSON documents that were seen, of which equal ones are kept once.

    None of them may be changed.
    """

    def __init__(self) -> None:
        self._parts: dict[str | bytes, Any] = {}

    def intern(self, document: Json) -> Document:
        """Return an equal document that shares its parts with those before."""
        if len(self._parts) > _MAX_PARTS:
            self._parts = {}
        return {name: self._part(value) for name, value in document.items()}

    def _part(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._parts.setdefault(value, value)
        if not isinstance(value, dict | list):
            return value
        # By digest: the text itself would be as large as what is saved.
        key = blake2b(msgspec.json.encode(value), digest_size=_DIGEST_BYTES).digest()
        part = self._parts.get(key)
        if part is None:
            part = (
                [self._part(inner) for inner in value]
                if isinstance(value, list)
                else {self._part(name): self._part(inner) for name, inner in value.items()}
            )
            part = self._parts.setdefault(key, part)
        return part


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedObject:
    """An object as it was read in full; `version` changes whenever a wanted part of it does."""

    version: str
    content: Json = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectCache:
    """Full objects by uid: `cache` of earlier passes, `next_cache` collects those for the next one.

    Equal parts of them are kept once by `interner`: generated CronJobs differ in little but names,
    and so do the pods of one owner.
    """

    reader: ClusterReader
    cache: Mapping[str, CachedObject] = field(repr=False)
    interner: JsonInterner = field(repr=False)
    next_cache: dict[str, CachedObject] = field(default_factory=dict, repr=False)

    def load_full(
        self,
        resource: Resource,
        namespace: str,
        listed: Objects,
        wanted: Collection[str],
        **options: Any,
    ) -> tuple[Objects, Mapping[ObjectRef, ReadFailure]]:
        """Replace the metadata-only objects of `listed` whose names are `wanted` by full objects.

        They come from the cache if their version is unchanged. An object that could not be read
        stays as metadata, and is returned by its reference with the failure; an object that is
        gone meanwhile is left out. `options` are those that the list was made with.
        """
        found: dict[str, Json | ReadFailure | None] = {}
        missing: list[str] = []
        names = [*map(name_of, listed)]
        for name, item in zip(names, listed, strict=True):
            if name in wanted:
                if cached := self._cached(resource, item):
                    self.next_cache[uid_of(item)] = cached
                    found[name] = _with_metadata(cached.content, item)
                else:
                    missing.append(name)
        for name, answer in self._read(resource, namespace, missing, len(listed), **options):
            found[name] = answer
            if answer and not isinstance(answer, ReadFailure):
                version = _wanted_version(resource, answer)
                self.next_cache[uid_of(answer)] = CachedObject(version=version, content=answer)
        objects = map(found.get, names, listed)
        return (
            tuple(
                item if isinstance(answer, ReadFailure) else answer
                for item, answer in zip(listed, objects, strict=True)
                if answer is not None
            ),
            {
                ObjectRef(kind=resource.kind, name=name): answer
                for name, answer in found.items()
                if isinstance(answer, ReadFailure)
            },
        )

    def with_all(self, resource: Resource, listed: Objects) -> "ObjectCache":
        """Also hold what is missing of `listed`, which may lie in many namespaces.

        By one list of all namespaces, where that costs less than to read each of them. A list
        without an answer leaves them to be read later.
        """
        missing = {uid_of(item) for item in listed if self._cached(resource, item) is None}
        if len(missing) <= _most_one_by_one(len(listed)):
            return self

        def keep(item: Document) -> Document | None:
            return self.interner.intern(item) if uid_of(item) in missing else None

        found = self.reader.list(resource, "", keep=keep)
        if isinstance(found, ReadFailure):
            return self
        new = {
            uid_of(item): CachedObject(version=_wanted_version(resource, item), content=item)
            for item in found
        }
        return replace(self, cache={**self.cache, **new})

    def _cached(self, resource: Resource, item: Json) -> CachedObject | None:
        """What is known of an object that was listed, unless it changed since."""
        cached = self.cache.get(uid_of(item))
        return cached if cached and cached.version == _wanted_version(resource, item) else None

    def _read(
        self, resource: Resource, namespace: str, names: Sequence[str], among: int, **options: Any
    ) -> Iterator[tuple[str, Json | ReadFailure | None]]:
        """Read full objects by name, singly or by one list; `among` is how many a list would bring.

        None stands for an object that is gone.
        """
        if len(names) <= _most_one_by_one(among):
            for name in names:
                answer = self.reader.get(resource, namespace, name)
                if answer and not isinstance(answer, ReadFailure):
                    answer = self.interner.intern(answer)
                yield name, answer
            return
        wanted = frozenset(names)

        def keep(item: Document) -> Document | None:
            return self.interner.intern(item) if name_of(item) in wanted else None

        listed = self.reader.list(resource, namespace, keep=keep, **options)
        if isinstance(listed, ReadFailure):
            yield from ((name, listed) for name in names)
            return
        by_name = {name_of(item): item for item in listed}
        yield from ((name, by_name.get(name)) for name in names)


def _most_one_by_one(among: int) -> int:
    """Up to how many objects are read one by one that lie `among` so many."""
    return max(_ONE_BY_ONE, min(among // _ENTRIES, _MAX_ONE_BY_ONE))


def _wanted_version(resource: Resource, item: Json) -> str:
    """Return what changes with the wanted part of an object: of an owner that is its template."""
    generation = metadata(item).get("generation") if resource.kind in READABLE_KINDS else None
    return f"generation {generation}" if generation else version_of(item)


def _with_metadata(content: Json, item: Json) -> Json:
    """Return the cached object with the metadata just read."""
    if version_of(content) == version_of(item):
        return content
    return {**content, "metadata": item["metadata"]}
