"""Restores that are killed beside and in a swap: what is live is never worse.

`KSNAPSHOT_FAULTS=all` kills at every request, on three releases, otherwise at a few on one.
"""

import os
from pathlib import Path

import pytest

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.elasticsearch.engine import ENGINE
from tests.integration.dumpers.elasticsearch.conftest import connection
from tests.integration.dumpers.elasticsearch.test_restore_modes import (
    NOW,
    backed_up,
    content,
    go_on,
    names,
)
from tests.integration.dumpers.elasticsearch.worlds import ODD
from tests.integration.dumpers.killed import restore_killed, some_moments
from tests.testbed.databases.search import SearchServer

_FEW, _BYTES = 3, 200
_ALL = os.environ.get("KSNAPSHOT_FAULTS") == "all"
_SERVERS = ["elasticsearch-6", "elasticsearch-9", "opensearch-3"] if _ALL else ["opensearch-3"]


@pytest.mark.parametrize("server", _SERVERS, indirect=True)
@pytest.mark.parametrize("mode", [RestoreMode.BESIDE, RestoreMode.SWAP])
def test_whoever_is_killed_what_is_live_is_whole(
    server: SearchServer, tmp_path: Path, mode: RestoreMode
) -> None:
    parts = backed_up(server)
    stored = content(server, "books")
    go_on(server)
    changed = {name: content(server, name) for name in ("books", "books-1", ODD)}
    alias = server.ask("GET", "/_alias/books")["books-1"]
    assert changed["books"] != stored

    def restore(suffix: str, moment: int = 0, most_bytes: int | None = None) -> tuple[bool, int]:
        """Whether the alias leads to the backup, and the count of requests; all is put back."""
        request = RestoreRequest(mode=mode, tables=("books-1",), suffix=suffix)
        count = restore_killed(
            "elasticsearch",
            connection(server),
            parts,
            request,
            folder=tmp_path,
            moment=moment,
            most_bytes=most_bytes,
        )
        own, leads = f"books-1{suffix}", server.ask("GET", "/_alias/books")
        is_swapped = mode is RestoreMode.SWAP and leads == {own: alias}
        assert is_swapped or leads == {"books-1": alias}
        now = {name: content(server, name) for name in changed}
        assert now == (changed | {"books": stored} if is_swapped else changed)
        left = names(server) - {"books-1", ODD}
        assert left <= {own}
        if is_swapped:
            ENGINE.undo(connection(server), [("books", "books-1")], NOW)
        ENGINE.forget(connection(server), [*left], NOW)
        assert {name: content(server, name) for name in changed} == changed
        assert names(server) == {"books-1", ODD}
        return is_swapped, count

    is_swapped, count = restore("_uncut")
    assert is_swapped == (mode is RestoreMode.SWAP)
    assert count > _FEW
    ends = {restore(f"_{moment}", moment) for moment in some_moments(count, _FEW)}
    # Every one was killed, the last one behind all that changes anything or not.
    assert {killed for _, killed in ends} == {0}
    assert (False, 0) in ends
    assert restore("_bytes", most_bytes=_BYTES) == (False, 0)
