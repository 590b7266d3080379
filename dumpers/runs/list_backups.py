"""Lists the catalogue, as one JSON document per run."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from dumpers.contract.names import LIST_SCOPES
from dumpers.contract.restore.jobs import ListJob
from dumpers.contract.restore.request import AT, LATEST
from dumpers.repository.catalogue import Entry
from dumpers.repository.keys import records_prefix
from dumpers.repository.legacy import LEGACY
from dumpers.repository.legacy_listing import LegacyDumps
from dumpers.repository.listing import Catalogue, list_cronjobs
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.run_storage import RunStorage

_THIS_CRONJOB, _THIS_CLUSTER, _ALL = LIST_SCOPES


def list_backups(
    job: ListJob, *, interrupt: Interrupt, now: Callable[[], datetime]
) -> Iterator[Mapping[str, Any]]:
    """Yield the documents of docs/catalogue.md: runs, and `end` behind those of each CronJob.

    Raises what keeps the list from being complete, after which no `end` follows.
    """
    with RunStorage(job.location, run="list", interrupt=interrupt) as storage:
        for prefix in _prefixes(job, storage):
            catalogue = Catalogue(storage=storage, prefix=prefix, now=now)
            if job.backup.startswith(LEGACY):
                yield _document(_legacy(job, storage, prefix).find(job.backup)[1])
                continue
            if job.backup:
                yield _document(_find(catalogue, job.backup))
                continue
            page = catalogue.page(before=job.before, limit=job.limit)
            entries = [*page.entries]
            if job.legacy and not job.before:
                entries += _legacy(job, storage, prefix).newest(job.limit)
            yield from map(_document, entries)
            yield {
                "catalogue": "end",
                "records": prefix,
                "runs": len(entries),
                "next": page.next,
            }


def _legacy(job: ListJob, storage: RunStorage, prefix: str) -> LegacyDumps:
    """The dumps without records of the CronJob whose records lie under `prefix`."""
    cluster, cronjob = map(unquote, prefix.rstrip("/").split("/")[-2:])
    return LegacyDumps(storage=storage, path=job.location.path, cluster=cluster, cronjob=cronjob)


def _find(catalogue: Catalogue, wanted: str) -> Entry:
    """The one run that is meant: to be restored where it is chosen by time, else in any state."""
    is_choice = wanted == LATEST or wanted.startswith(AT)
    return catalogue.find(wanted) if is_choice else catalogue.find_run(wanted)


def _document(entry: Entry) -> Mapping[str, Any]:
    return {"catalogue": "run", **entry.to_document()}


def _prefixes(job: ListJob, storage: RunStorage) -> list[str]:
    path = job.location.path
    if job.scope == _THIS_CRONJOB:
        return [records_prefix(path=path, cluster=job.cluster, cronjob=job.cronjob)]
    return list_cronjobs(
        storage, path=path, cluster=job.cluster if job.scope == _THIS_CLUSTER else ""
    )
