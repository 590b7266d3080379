"""Deletes backups of one CronJob because somebody asked for it, whatever the policies say."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dumpers.contract.retention.jobs import DeleteJob
from dumpers.contract.retention.result import MAX_NAMES, DeleteResult
from dumpers.repository.catalogue import Entry, State, rfc3339
from dumpers.repository.choice import NoSuchBackupError, choose_by_id
from dumpers.repository.keys import records_prefix
from dumpers.repository.legacy_listing import LegacyDumps
from dumpers.repository.removal.burial import Undertaker
from dumpers.repository.removal.deletion import Deletion, NotSwept
from dumpers.repository.removal.folders import Folder, entries_of, read_folders
from dumpers.repository.removal.leftovers import OLD_VERSIONS, Burial, Leftover, Leftovers
from dumpers.repository.removal.store_traits import StoreTraits
from dumpers.repository.removal.sweeper import Sweeper
from dumpers.runtime.errors import ExitCode, StorageRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage

_LOG = logging.getLogger(__name__)

# Takes the documents of docs/retention.md, one after the other.
Emit = Callable[[Mapping[str, Any]], None]
_BACKUPS = {State.COMPLETE, State.NOTES, State.DAMAGED}
_CRASHED = {State.CRASHED, State.FAILED}
_MAX_LEGACY = 1000


class DeletionRefusedError(StorageRefusedError):
    """Something of what was to be deleted is pinned or locked; nothing was deleted."""

    reason = "DeletionRefused"


@dataclass(slots=True)
class _Done:
    """What was done so far; `freed` is in bytes."""

    deleted: int = 0
    freed: int = 0
    left: Leftovers = field(default_factory=Leftovers)


def delete(
    job: DeleteJob, *, interrupt: Interrupt, now: Callable[[], datetime], emit: Emit
) -> DeleteResult:
    """Delete the runs that are asked for, with their objects and records, the oldest first.

    DeletionRefusedError where one of them is pinned, locked, may still run, or of a format that
    this version does not know: then nothing is deleted. Of all runs of a CronJob, those that may
    still run, or are not known, stay and are named, as are the dumps of ksnapshot 0.6.0.
    """
    began, done = time.monotonic(), _Done()
    with RunStorage(job.location, run="delete", interrupt=interrupt) as storage:
        path, moment = job.location.path, now()
        prefix = records_prefix(path=path, cluster=job.cluster, cronjob=job.cronjob)
        folders = read_folders(storage, prefix, now=lambda: moment)
        traits = StoreTraits(storage=storage, path=path, cluster=job.cluster)
        undertaker = Undertaker(storage=storage, traits=traits, now=moment, is_asked=True)
        wanted, missing = _wanted(job, folders)
        sweeper = Sweeper(
            storage=storage, traits=traits, cluster=job.cluster, cronjob=job.cronjob, now=moment
        )
        foreseen = _check(job, wanted, undertaker, sweeper)
        _LOG.info(
            "deleting", extra=fields(records=prefix, backups=len(wanted), dry_run=job.dry_run)
        )
        for id_ in missing:
            emit({"delete": "missing", "id": id_})
        for folder in wanted:
            record = folder.entry.record
            why = _stays(folder.entry)
            if not why and not job.dry_run:
                burial = _delete(folder, undertaker, sweeper)
            else:
                burial = foreseen.get(record, Burial(is_done=not why, freed=0))
            if why:
                burial = Burial(is_done=False, freed=0, left=(Leftover(key=record, why=why),))
            _count(done, folder.entry, burial, emit)
        if job.backups is None:
            _name_legacy(job, storage, done, emit)
    figures = {"deleted": done.deleted, "freed_bytes": done.freed, "left": done.left.count}
    emit({"delete": "end", **figures, "dry_run": job.dry_run})
    return DeleteResult(
        succeeded=True,
        exit_code=ExitCode.DONE,
        reason="Succeeded",
        message="",
        seconds=round(time.monotonic() - began, 3),
        deleted=done.deleted,
        freed_bytes=done.freed,
        left=done.left.count,
        left_keys=tuple(item.key for item in done.left.first[:MAX_NAMES]),
        dry_run=job.dry_run,
    )


def _wanted(job: DeleteJob, folders: Mapping[str, Folder]) -> tuple[list[Folder], list[str]]:
    """The runs that are asked for, the oldest first, and the ids that are not there.

    ConfigurationError where there is no such run, unless the job passes over it.
    """
    if job.backups is None:
        return [folders[record] for record in sorted(folders)], []
    chosen: set[str] = set()
    missing: list[str] = []
    newest_first = sorted(entries_of(folders), key=lambda entry: entry.record, reverse=True)
    for wanted in job.backups:
        try:
            entry = choose_by_id(newest_first, wanted)
        except NoSuchBackupError:
            if not job.skip_missing:
                raise
            missing.append(wanted)
            continue
        if job.skip_missing and entry.state is State.SWEPT:
            # Only a tombstone is left of it here.
            missing.append(wanted)
        else:
            chosen.add(entry.record)
    return [folders[record] for record in sorted(chosen)], missing


def _check(
    job: DeleteJob, wanted: Sequence[Folder], undertaker: Undertaker, sweeper: Sweeper
) -> dict[str, Burial]:
    """What the deletion of each backup would do; DeletionRefusedError where one must stay."""
    foreseen: dict[str, Burial] = {}
    against: list[str] = []
    for folder in wanted:
        entry = folder.entry
        if entry.state is State.PRUNED:
            foreseen[entry.record] = undertaker.foresee_finish(folder)
        elif entry.pinned:
            against.append(f"{entry.id} of {rfc3339(entry.started)} is pinned: unpin it first")
        elif job.backups is not None and (why := _stays(entry)):
            against.append(f"{entry.id} of {rfc3339(entry.started)}: {why}")
        elif entry.state in _CRASHED:
            burial = foreseen[entry.record] = _swept(folder, sweeper.foresee(folder), sweeper)
            if job.backups is not None and not burial.is_done:
                against.append(f"{entry.id} of {rfc3339(entry.started)}: {burial.left[0].why}")
        elif entry.state in _BACKUPS:
            burial = foreseen[entry.record] = undertaker.foresee(folder)
            # Of all runs, one that no record describes any more stays alone.
            is_whole = (
                job.backups is None and burial.left[:1] and burial.left[0].key == entry.record
            )
            if not burial.is_done and not is_whole:
                item = burial.left[0]
                until = f" until {item.until}" if item.until else ""
                against.append(
                    f"{entry.id} of {rfc3339(entry.started)}: {item.key}: {item.why}{until}"
                )
    if against:
        raise DeletionRefusedError(f"nothing was deleted: {'; '.join(against)}")
    return foreseen


def _stays(entry: Entry) -> str:
    """Why a run cannot be deleted now; empty where it can."""
    match entry.state:
        case State.RUNNING:
            return "it has not ended yet"
        case State.UNKNOWN:
            return "a newer version of ksnapshot wrote its record"
        case State.SWEPT:
            return "it was removed already; its tombstone goes after 60 days"
    return ""


def _delete(folder: Folder, undertaker: Undertaker, sweeper: Sweeper) -> Burial:
    if folder.entry.state is State.PRUNED:
        return undertaker.finish(folder)
    if folder.entry.state in _CRASHED:
        return _swept(folder, sweeper.sweep(folder), sweeper)
    return undertaker.bury(folder, cover=None)


def _swept(folder: Folder, found: Deletion | NotSwept, sweeper: Sweeper) -> Burial:
    """What became of a run that crashed or failed; it is kept where nothing was touched."""
    record = folder.entry.record
    if isinstance(found, NotSwept):
        return Burial(is_done=False, freed=0, left=(Leftover(key=record, why=found.why),))
    left, freed = list(found.left), found.size
    if found.objects and sweeper.traits.keeps_versions:
        left.append(Leftover(key=record, why=f"{OLD_VERSIONS} of {found.objects} objects"))
        freed = 0
    if not (left or found.is_complete):
        left.append(Leftover(key=record, why="the store does not list all that it left"))
    return Burial(is_done=True, freed=freed, left=tuple(left))


def _count(done: _Done, entry: Entry, burial: Burial, emit: Emit) -> None:
    done.deleted += burial.is_done
    done.freed += burial.freed
    done.left.add(burial.left)
    why = burial.left[0].why if burial.left and not burial.is_done else ""
    emit({"delete": "backup", **entry.to_document(), "deleted": burial.is_done, "why": why})
    for item in burial.left:
        emit({"delete": "left", **item.to_document()})


def _name_legacy(job: DeleteJob, storage: RunStorage, done: _Done, emit: Emit) -> None:
    """Name the dumps of ksnapshot 0.6.0, which have no records: they stay."""
    dumps = LegacyDumps(
        storage=storage, path=job.location.path, cluster=job.cluster, cronjob=job.cronjob
    )
    why = "a dump of ksnapshot 0.6.0 has no record that says what belongs to it"
    left = [Leftover(key=entry.record, why=why) for entry in dumps.newest(_MAX_LEGACY)]
    done.left.add(left)
    for item in left:
        emit({"delete": "left", **item.to_document()})
