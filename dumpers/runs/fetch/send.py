"""Sends a backup's stored bytes to one person through the cluster: where only pods reach the store.

It listens on the pod's loopback, which a port-forward leads to, for requests that carry a token;
the token is in the offer, which is encrypted for that person.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import ThreadingHTTPServer

from dumpers.contract.fetch.jobs import FetchJob
from dumpers.contract.restore.result import BackupResult
from dumpers.runs.fetch.offering import make_offer, offered, seal
from dumpers.runs.fetch.requests import Sending, handler_of
from dumpers.runs.find import find_backup
from dumpers.runtime.errors import InterruptedRunError
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage

_LOG = logging.getLogger(__name__)

# After so long without a request, nobody comes any more.
IDLE_SECONDS = 300.0
_LOOK_SECONDS = 0.2


def send(
    job: FetchJob,
    *,
    interrupt: Interrupt,
    now: Callable[[], datetime],
    tell: Callable[[Iterator[str]], None],
    idle_seconds: float = IDLE_SECONDS,
) -> BackupResult:
    """Send objects until the one who fetches them says that it is done, and return the result.

    `tell` gets the sealed lines once the job listens. InterruptedRunError where nobody comes.
    """
    began, about = time.monotonic(), job.about
    with RunStorage(about.location, run="send", interrupt=interrupt) as storage:
        entry, manifest = find_backup(about, storage, now)
        sending = Sending(
            storage=storage,
            keys=[item.key for item in manifest.objects],
            token=secrets.token_urlsafe(32),
        )
        with _serving(sending) as port:
            places = [f"/{number}" for number in range(len(manifest.objects))]
            tell(
                seal(
                    make_offer(entry, manifest, places, port=port, token=sending.token),
                    job.reply_to,
                )
            )
            _LOG.info(
                "sending a backup", extra=fields(backup=entry.id, requested_by=about.requested_by)
            )
            _wait(sending, interrupt, idle_seconds)
    return offered(entry, seconds=time.monotonic() - began)


@contextmanager
def _serving(sending: Sending) -> Iterator[int]:
    """Serve on a free port of loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(sending))
    server.daemon_threads = True
    # Requests that are under way end with the process.
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _wait(sending: Sending, interrupt: Interrupt, idle_seconds: float) -> None:
    while not sending.is_done:
        interrupt.sleep(_LOOK_SECONDS)
        if sending.idle_seconds() > idle_seconds:
            raise InterruptedRunError(
                f"nobody has fetched anything for {idle_seconds:.0f} s: the command that started "
                "this job is gone"
            )
