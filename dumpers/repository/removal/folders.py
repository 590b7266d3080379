"""All runs of a CronJob, read to the end: what cannot be listed or read is an error."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from dumpers.repository.catalogue import Entry, group_keys, read_entry, telling_record
from dumpers.storage.run_storage import RunStorage


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The records of one run: their names, and the entry that they make.

    `etag` is that of the record which tells how the run stands, empty where there is none.
    """

    entry: Entry
    names: frozenset[str]
    etag: str


def read_folders(
    storage: RunStorage, prefix: str, *, now: Callable[[], datetime]
) -> dict[str, Folder]:
    """Every run whose records lie under a CronJob's `prefix`, by its folder."""
    folders = group_keys(prefix, list_all(storage, prefix))
    moment = now()
    reading = {
        name: storage.submit(partial(_read, storage, prefix, name, names, moment))
        for name, names in folders.items()
    }
    found = [storage.interrupt.result(folder) for folder in reading.values()]
    return {folder.entry.record: folder for folder in found}


def list_all(storage: RunStorage, prefix: str) -> list[str]:
    """All keys under a prefix."""
    keys: list[str] = []
    since, more = prefix, True
    while more:
        page, more = storage.call(partial(_list_page, storage, prefix, since))
        keys += page
        since = keys[-1] if keys else since
    return keys


def list_names(storage: RunStorage, record: str) -> frozenset[str]:
    """The names of a run's records as they are now; `record` is its folder."""
    return frozenset(key.removeprefix(record) for key in list_all(storage, record))


def entries_of(folders: Mapping[str, Folder]) -> list[Entry]:
    """The entries of these folders."""
    return [folder.entry for folder in folders.values()]


def _list_page(storage: RunStorage, prefix: str, since: str) -> tuple[list[str], bool]:
    return storage.bucket.page(prefix, since=since)


def _read(
    storage: RunStorage, prefix: str, name: str, names: Collection[str], now: datetime
) -> Folder:
    """Read a run's telling record, in a worker thread."""
    telling = telling_record(names)
    found: tuple[bytes, str] | None = None
    if telling:
        key = f"{prefix}{name}/{telling}"
        found = storage.repeat(lambda: storage.bucket.get_version(key))
    # One that has gone since is none that can be read: whoever removed it goes on with its run.
    body, etag = found or (b"", "")
    entry = read_entry(prefix, name, names, body, now=now)
    return Folder(entry=entry, names=frozenset(names), etag=etag)
