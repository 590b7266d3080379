"""Reads the age header of each workload's newest backup: by it a key says what it opens."""

import base64
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from dumpers.contract.fetch.age_header import LONGEST, cut_header
from dumpers.contract.restore.jobs import ListJob
from dumpers.contract.restore.request import LATEST
from dumpers.repository.catalogue import Entry, rfc3339
from dumpers.repository.listing import Catalogue, list_cronjobs
from dumpers.repository.records import Manifest
from dumpers.runtime.errors import (
    BackupDamagedError,
    ConfigurationError,
    StorageRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.threads import map_parallel
from dumpers.storage.run_storage import RunStorage

# Holds the header for some ten recipients; where it is longer, more is read.
_FIRST_BYTES = 4 << 10
_AT_A_TIME = 16


def read_headers(
    job: ListJob, *, interrupt: Interrupt, now: Callable[[], datetime]
) -> Iterator[Mapping[str, Any]]:
    """Yield the documents of docs/keys.md: one for each CronJob that left records, then the end.

    Raises what keeps the list from being complete; what is wrong with one backup is in its own
    document.
    """
    found: list[Mapping[str, Any]] = []
    lock = threading.Lock()
    scope = interrupt.child()
    with RunStorage(job.location, run="headers", interrupt=scope) as storage:

        def read(prefix: str) -> None:
            document = _read(Catalogue(storage=storage, prefix=prefix, now=now))
            with lock:
                found.append(document)

        map_parallel(
            read,
            list_cronjobs(storage, path=job.location.path, cluster=job.cluster),
            at_a_time=_AT_A_TIME,
            name="header",
            stop=lambda: scope.cancel("a failure beside it"),
        )
    yield from sorted(found, key=lambda document: str(document["cronjob"]))
    yield {"keys": "end", "cronjobs": len(found)}


def _read(catalogue: Catalogue) -> Mapping[str, Any]:
    """The newest backup of one CronJob, and its header."""
    cluster, cronjob = map(unquote, catalogue.prefix.rstrip("/").split("/")[-2:])
    document: dict[str, Any] = {
        "keys": "backup",
        "cluster": cluster,
        "cronjob": cronjob,
        "workload": "",
        "backup": "",
        "began": "",
        "recipients": None,
        "header": "",
        "why": "",
    }
    try:
        entry = _newest(catalogue)
        manifest = catalogue.manifest(entry)
    except ConfigurationError as error:
        return document | {"why": str(error)}
    except BackupDamagedError as error:
        return document | {"why": str(error)}
    document |= {
        "workload": entry.workload,
        "backup": entry.id,
        "began": rfc3339(entry.started),
    }
    if manifest.encryption is None:
        return document
    document["recipients"] = list(manifest.encryption.recipients)
    try:
        header = _header(catalogue.storage, manifest)
    except (StorageRefusedError, ValueError) as error:
        return document | {"why": str(error)}
    return document | {"header": base64.b64encode(header).decode()}


def _newest(catalogue: Catalogue) -> Entry:
    """The newest backup; of a CronJob whose last run was one, only that run's records are read."""
    page = catalogue.page(limit=1)
    if page.entries and page.entries[0].is_restorable:
        return page.entries[0]
    return catalogue.find(LATEST)


def _header(storage: RunStorage, manifest: Manifest) -> bytes:
    """The header of the smallest object; ValueError where it is none of age's."""
    if not manifest.objects:
        raise ValueError("the backup holds no object")
    key = min(manifest.objects, key=lambda item: item.size).key
    for size in (_FIRST_BYTES, LONGEST):
        beginning = storage.call(lambda size=size: storage.bucket.beginning(key, size))  # type: ignore[misc]  # mypy knows no default of a lambda
        try:
            header = cut_header(beginning)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from error
        if header is not None:
            return header
    raise ValueError(f"{key}: the header of the age file has no end")
