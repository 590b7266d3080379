"""Waiting until every replica has what was loaded into another one of its shard."""

import logging
import time
from collections.abc import Sequence

from dumpers.engines.clickhouse.restore.target import Target
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.sql import literal
from dumpers.runtime.errors import TargetFailedError
from dumpers.runtime.log import fields

_LOG = logging.getLogger(__name__)
_PAUSE_SECONDS = 0.5
# How long a queue may stay as it is before the wait ends: fetches of one part may take minutes.
_STILL_SECONDS = 600.0


def wait_for_replicas(target: Target, databases: Sequence[str]) -> None:
    """Return once no replicated table of these databases waits for what another replica has.

    Raises TargetFailedError where a server has lost its Keeper, and where nothing moves for ten
    minutes.
    """
    for server in target.servers:
        _wait(target, server, sorted({*databases}))


def _wait(target: Target, server: Server, databases: Sequence[str]) -> None:
    # Old servers do not know an empty list.
    if not databases:
        return
    before, since = -1, time.monotonic()
    while True:
        missing, lost = _missing(target, server, databases)
        if lost:
            raise TargetFailedError(
                f"{server.where} has lost its Keeper, so that it cannot be known whether it has "
                f"all rows: {lost} of its tables are read-only"
            )
        if not missing:
            target.interrupt.hold_up("")
            return
        if missing != before:
            _LOG.info("replica is catching up", extra=fields(server=server.where, entries=missing))
            target.interrupt.hold_up(f"{server.where} to fetch rows from the other replicas")
            before, since = missing, time.monotonic()
        elif time.monotonic() - since > _STILL_SECONDS:
            raise TargetFailedError(
                f"all rows are loaded, but {server.where} has not fetched them from the other "
                f"replicas: {missing} entries of its queues have not moved for ten minutes; see "
                "system.replication_queue there"
            )
        target.interrupt.sleep(_PAUSE_SECONDS)


def _missing(target: Target, server: Server, databases: Sequence[str]) -> tuple[int, int]:
    """How many entries wait in queues and logs, and how many tables have lost their Keeper."""
    # What waits to be merged is there already; an empty log and one with a first entry look alike.
    [[queued, unheard, lost]] = server.rows(
        "SELECT sum(toInt64(queue_size) - toInt64(merges_in_queue)), "  # noqa: S608  quoted
        "sum(if(log_max_index = 0, 0, "
        "greatest(toInt64(log_max_index) + 1 - toInt64(log_pointer), 0))), "
        "sum(is_readonly OR is_session_expired) FROM system.replicas "
        f"WHERE database IN ({', '.join(map(literal, databases))})",
        target.interrupt,
    )
    return int(queued or 0) + int(unheard or 0), int(lost or 0)
