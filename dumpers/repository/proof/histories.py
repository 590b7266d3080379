"""Reads what was proved of a CronJob's backups, a piece at a time, however many there are."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from dumpers.repository.catalogue import group_keys, telling_record
from dumpers.repository.keys import CHECKED
from dumpers.repository.proof.evidence import (
    Evidence,
    is_within,
    names_to_read,
    read_evidence,
    was_asked,
)
from dumpers.storage.run_storage import RunStorage


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some runs, the oldest first. `older` counts runs before the period that nothing tells of."""

    evidence: tuple[Evidence, ...]
    older: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Histories:
    """What the records say that began, or was found out, since `since`, as seen at `now()`."""

    storage: RunStorage
    since: datetime
    now: Callable[[], datetime]

    def read(self, prefix: str) -> Iterator[Piece]:
        """Yield the runs whose records lie under a CronJob's `prefix`.

        One request for each thousand keys, and one for each record that tells something. What
        cannot be listed or read is an error, never a shorter history.
        """
        for folders in self._list(prefix):
            within = self._within(prefix, folders)
            yield Piece(evidence=self._read(prefix, within), older=len(folders) - len(within))

    def _within(
        self, prefix: str, folders: Mapping[str, Collection[str]]
    ) -> dict[str, Collection[str]]:
        """The runs of the period, by the names of their records, or by when the store was asked."""
        named = {name for name in folders if is_within(name, folders[name], self.since)}
        asked = {
            name: self.storage.submit(partial(self._was_asked, prefix, name))
            for name in folders
            if name not in named and CHECKED in folders[name]
        }
        named |= {name for name in asked if self.storage.interrupt.result(asked[name])}
        return {name: folders[name] for name in folders if name in named}

    def _was_asked(self, prefix: str, folder: str) -> bool:
        checked = self._get(f"{prefix}{folder}/{CHECKED}")
        return checked is not None and was_asked(folder, checked, self.since)

    def _list(self, prefix: str) -> Iterator[dict[str, set[str]]]:
        """Yield the names of the records of whole runs, by the folders of these."""
        since, more, left = prefix, True, list[str]()
        while more:
            keys, more = self.storage.call(partial(self._page, prefix, since))
            since = keys[-1] if keys else since
            left += keys
            # The last run of a page may go on in the next one.
            last = _folder_of(prefix, since)
            whole = [key for key in left if _folder_of(prefix, key) != last] if more else left
            left = left[len(whole) :]
            yield group_keys(prefix, whole)

    def _page(self, prefix: str, since: str) -> tuple[list[str], bool]:
        return self.storage.bucket.page(prefix, since=since)

    def _read(self, prefix: str, folders: Mapping[str, Collection[str]]) -> tuple[Evidence, ...]:
        """What the records of these runs prove, which are read side by side."""
        reading = [
            self.storage.submit(partial(self._evidence, prefix, folder, folders[folder]))
            for folder in sorted(folders)
        ]
        found = [self.storage.interrupt.result(evidence) for evidence in reading]
        return tuple(filter(None, found))

    def _evidence(self, prefix: str, folder: str, names: Collection[str]) -> Evidence | None:
        """What a run's records prove, in a worker thread; None where they went since the listing.

        A manifest may have megabytes: no more of them are held at a time than there are threads.
        """
        record = f"{prefix}{folder}/"
        telling = telling_record(names)
        body = self._get(record + telling) if telling else b""
        if body is None:
            return None
        bodies = {name: self._get(record + name) for name in names_to_read(names, self.since)}
        kept = {name: each for name, each in bodies.items() if each is not None}
        return read_evidence(prefix, folder, names, body, kept, since=self.since, now=self.now())

    def _get(self, key: str) -> bytes | None:
        found = self.storage.repeat(lambda: self.storage.bucket.get_version(key))
        return found[0] if found else None


def _folder_of(prefix: str, key: str) -> str:
    return key.removeprefix(prefix).partition("/")[0]
