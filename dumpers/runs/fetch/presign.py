"""Offers a backup by URLs that somebody without keys can read it by, for a while."""

import logging
import time
from collections.abc import Callable, Iterator
from datetime import datetime

from dumpers.contract.fetch.jobs import FetchJob
from dumpers.contract.restore.result import BackupResult
from dumpers.runs.fetch.offering import make_offer, offered, seal
from dumpers.runs.find import find_backup
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage

_LOG = logging.getLogger(__name__)


def presign(
    job: FetchJob, *, interrupt: Interrupt, now: Callable[[], datetime]
) -> tuple[Iterator[str], BackupResult]:
    """The sealed lines with the URLs of all objects, and the job's result.

    URLs that are signed with credentials of a short life end with those, whatever was asked for.
    """
    began, about = time.monotonic(), job.about
    with RunStorage(about.location, run="presign", interrupt=interrupt) as storage:
        entry, manifest = find_backup(about, storage, now)
        keys = [item.key for item in manifest.objects]
        urls = storage.call(lambda: storage.bucket.presign(keys, seconds=job.url_seconds))
    offer = make_offer(
        entry, manifest, urls, seconds=job.url_seconds, ca=about.location.ca_bundle or ""
    )
    _LOG.info(
        "URLs signed",
        extra=fields(
            backup=entry.id,
            objects=len(urls),
            seconds=job.url_seconds,
            requested_by=about.requested_by,
        ),
    )
    return seal(offer, job.reply_to), offered(entry, seconds=time.monotonic() - began)
