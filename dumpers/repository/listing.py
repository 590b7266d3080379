"""Reads the catalogue from the bucket: a page of entries, or the one backup that is meant.

What cannot be listed or read to its end is an error, never a shorter list.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from dumpers.contract.key_names import quote
from dumpers.contract.restore.request import AT, LATEST
from dumpers.repository.catalogue import Entry, State, group_keys, read_entry, telling_record
from dumpers.repository.choice import (
    check_restorable,
    choose,
    choose_by_id,
    is_latest,
    parse_moment,
)
from dumpers.repository.keys import MANIFEST, RunFolder, stamp
from dumpers.repository.newest_first import list_newest
from dumpers.repository.record_json import read_record
from dumpers.repository.records import Manifest
from dumpers.runtime.errors import BackupDamagedError
from dumpers.storage.run_storage import RunStorage

# Where the first page holds nothing that can be restored, more are looked at.
_PAGE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Entries, newest first; `next` continues the list as `before`, and is empty at its end."""

    entries: tuple[Entry, ...]
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The records of one CronJob, whose folder is `prefix`, as seen at `now()`."""

    storage: RunStorage
    prefix: str
    now: Callable[[], datetime]

    def page(self, *, before: str = "", limit: int = _PAGE) -> Page:
        """The newest `limit` runs before a folder's name; StorageFailedError and its like."""

        def list_page(since: str) -> tuple[list[str], bool]:
            return self.storage.call(lambda: self.storage.bucket.page(self.prefix, since=since))

        found = list_newest(list_page, self.prefix, before=before, limit=limit, now=self.now())
        return Page(entries=self._read(found.folders), next=found.next)

    def find(self, wanted: str) -> Entry:
        """The backup that is meant, see `choice.choose`; ConfigurationError where there is none."""
        if wanted != LATEST and not wanted.startswith(AT):
            return check_restorable(self.find_run(wanted))
        before = ""
        if wanted.startswith(AT):
            # Folders of this second sort before those of the next.
            before = stamp(parse_moment(wanted) + timedelta(seconds=1))
        seen: list[Entry] = []
        while True:
            page = self.page(before=before)
            seen += page.entries
            if not page.next or any(is_latest(entry, self.now()) for entry in page.entries):
                return choose(seen or self.page(limit=5).entries, wanted, now=self.now())
            before = page.next

    def find_run(self, wanted: str) -> Entry:
        """The run with this id, or the beginning of one, in whatever state it is."""
        everything = self.storage.call(self._all_keys)
        folders = group_keys(self.prefix, everything)
        runs = [_unread(self.prefix, folder) for folder in sorted(folders, reverse=True)]
        chosen = choose_by_id(runs, wanted)
        folder = chosen.record.removeprefix(self.prefix).rstrip("/")
        [entry] = self._read({folder: folders[folder]})
        return entry

    def manifest(self, entry: Entry) -> Manifest:
        """The manifest of a backup; BackupDamagedError where it is gone or damaged by now."""
        key = f"{entry.record}{MANIFEST}"
        body = self.storage.call(lambda: self.storage.bucket.get(key))
        folder = entry.record.removeprefix(self.prefix).rstrip("/")
        found = read_record(body)
        again = read_entry(self.prefix, folder, {MANIFEST}, body, now=self.now())
        if not isinstance(found, Manifest) or not again.is_restorable:
            raise BackupDamagedError(f"{key}: {again.why}")
        return found

    def _all_keys(self) -> list[str]:
        keys: list[str] = []
        since, more = self.prefix, True
        while more:
            page, more = self.storage.bucket.page(self.prefix, since=since)
            keys += page
            since = keys[-1] if keys else since
        return keys

    def _read(self, folders: Mapping[str, Collection[str]]) -> tuple[Entry, ...]:
        """The entries of these folders, whose records are read side by side."""
        reading = {
            folder: self.storage.submit(partial(self._read_telling, folder, names))
            for folder, names in folders.items()
        }
        bodies = {name: self.storage.interrupt.result(body) for name, body in reading.items()}
        now = self.now()
        return tuple(
            read_entry(self.prefix, folder, folders[folder], body, now=now)
            for folder, body in bodies.items()
        )

    def _read_telling(self, folder: str, names: Collection[str]) -> bytes:
        """The record that tells how a run stands, in a worker thread; empty if there is none."""
        name = telling_record(names)
        if not name:
            return b""
        return self.storage.repeat(lambda: self.storage.bucket.get(f"{self.prefix}{folder}/{name}"))


def _unread(prefix: str, folder: str) -> Entry:
    """An entry of which no record was read."""
    run = RunFolder.parse(folder)
    assert run is not None
    return Entry(id=run.id, record=f"{prefix}{folder}/", started=run.started, state=State.UNKNOWN)


def list_cronjobs(storage: RunStorage, *, path: str, cluster: str) -> list[str]:
    """The folders of records of all CronJobs of a cluster; of all clusters where it is empty."""

    def list_folders(prefix: str) -> list[str]:
        return storage.call(lambda: storage.bucket.folders(prefix))

    root = f"{path}/manifests/" if path else "manifests/"
    if cluster:
        return list_folders(f"{root}{quote(cluster)}/")
    return [folder for each in list_folders(root) for folder in list_folders(each)]
