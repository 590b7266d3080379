"""The nearest good copy of the backup that a job is about, of all storages that the job has.

Another storage is only gone to before anything of a backup is handed on: no object is ever put
together from two copies.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from dumpers.contract.restore.jobs import BackupJob
from dumpers.contract.restore.request import AT, LATEST
from dumpers.contract.storages.named_storage import NamedStorage
from dumpers.repository.catalogue import Entry
from dumpers.repository.records import Manifest
from dumpers.runs.find import find_backup
from dumpers.runtime.errors import (
    ConfigurationError,
    KsnapshotError,
    NoKeyFitsError,
    StorageUnfitError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.stores import STORE_ERRORS

_LOG = logging.getLogger(__name__)
T = TypeVar("T")

_OF_STORAGE = (*STORE_ERRORS, StorageUnfitError)
# The header of one copy may be damaged; keys that are wrong fit no copy.
_OF_COPY = (*_OF_STORAGE, NoKeyFitsError)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCopy:
    """The backup that is meant, as one storage has it."""

    name: str
    storage: RunStorage
    entry: Entry
    manifest: Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest(Generic[T]):
    """What `prepare` made of the chosen copy; `notes` say which storages were passed over."""

    work: T
    notes: tuple[str, ...]


def find_nearest(
    job: BackupJob,
    opened: ExitStack,
    prepare: Callable[[StoredCopy], T],
    *,
    run: str,
    interrupt: Interrupt,
    now: Callable[[], datetime],
) -> Nearest[T]:
    """The copy of the job's backup that `choose_nearest` chooses; `opened` closes its storages."""

    def look(named: NamedStorage) -> StoredCopy:
        if named.fault:
            raise StorageUnfitError(named.fault)
        storage = opened.enter_context(RunStorage(named.location, run=run, interrupt=interrupt))
        entry, manifest = find_backup(replace(job, storages=(named,)), storage, now)
        return StoredCopy(name=named.name, storage=storage, entry=entry, manifest=manifest)

    return choose_nearest(job.storages, job.backup, look, prepare)


def choose_nearest(
    storages: Sequence[NamedStorage],
    backup: str,
    look: Callable[[NamedStorage], StoredCopy],
    prepare: Callable[[StoredCopy], T],
) -> Nearest[T]:
    """The first copy of the storages, in their order, of which `prepare` finds no fault.

    A storage is passed over where its variables are wrong, where the backup is not there, where it
    does not give what was asked for, or where the copy there is damaged, or opened by no key, as
    far as `prepare` looks. Of the newest backup, or the newest up to a time, all storages are asked
    first: one that missed it has an older one. Where none is left, the error of the first storage
    that could not be asked is raised, else that no key opened a copy, else that of the first one.
    """
    if len(storages) == 1:
        return Nearest(work=prepare(look(storages[0])), notes=())
    passed: dict[str, KsnapshotError] = {}
    found = _look_at_all(storages, look, passed)
    if backup == LATEST or backup.startswith(AT):
        found = iter(_newest([*found]))
    for copy in found:
        try:
            work = prepare(copy)
        except _OF_COPY as error:
            _pass_over(passed, copy.name, error)
            continue
        told = tuple(f"{name} was passed over: {error}" for name, error in passed.items())
        return Nearest(work=work, notes=(f"read from {copy.name}", *told) if told else ())
    errors = [*passed.values()]
    of_storage = [error for error in errors if isinstance(error, _OF_STORAGE)]
    unopened = [error for error in errors if isinstance(error, NoKeyFitsError)]
    raise [*of_storage, *unopened, *errors][0]


def _look_at_all(
    storages: Sequence[NamedStorage],
    look: Callable[[NamedStorage], StoredCopy],
    passed: dict[str, KsnapshotError],
) -> Iterator[StoredCopy]:
    """The copies of the backup in these storages, each looked for when it is asked for."""
    for named in storages:
        try:
            copy = look(named)
        except (*_OF_STORAGE, ConfigurationError) as error:
            _pass_over(passed, named.name, error)
        else:
            yield copy


def _newest(copies: Sequence[StoredCopy]) -> list[StoredCopy]:
    """Those of the newest backup among them."""
    newest = max((copy.entry.started for copy in copies), default=None)
    return [copy for copy in copies if copy.entry.started == newest]


def _pass_over(passed: dict[str, KsnapshotError], name: str, error: KsnapshotError) -> None:
    passed[name] = error
    _LOG.warning("a storage is passed over", extra=fields(storage=name, why=str(error)))
