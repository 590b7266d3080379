"""Restores that are killed beside and in a swap: every live table is the old or the new one, whole.

By the newest engine, as old releases do not swap. `KSNAPSHOT_FAULTS=all` kills at every request,
otherwise at a few.
"""

from pathlib import Path

import pytest

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.clickhouse.engine import ENGINE
from dumpers.engines.leftovers import Left, MarkingEngine
from tests.integration.dumpers.clickhouse.changed import content, databases
from tests.integration.dumpers.clickhouse.conftest import NOW, Backup, connection
from tests.integration.dumpers.killed import restore_killed, some_moments
from tests.testbed.databases.clickhouse_front import Front

_FEW, _BYTES = 4, 10
# Those that have rows of their own, and so change places.
_SWAPPED = 4


@pytest.mark.parametrize("mode", [RestoreMode.BESIDE, RestoreMode.SWAP])
def test_whoever_is_killed_every_live_table_is_whole(
    live: Front, shop: Backup, tmp_path: Path, mode: RestoreMode
) -> None:
    target, pieces = connection(live), shop.pieces()
    changed = content(live)

    def restore(suffix: str, moment: int = 0, most_bytes: int | None = None) -> tuple[int, int]:
        """How many live tables are those of the backup, and the count of requests."""
        count = restore_killed(
            "clickhouse",
            target,
            pieces,
            RestoreRequest(mode=mode, suffix=suffix, by=f"restore{suffix}"),
            folder=tmp_path,
            moment=moment,
            most_bytes=most_bytes,
        )
        now = content(live)
        for table, each in enumerate(now):
            assert each == changed[table] or (mode is RestoreMode.SWAP and each == stored[table])
        swapped = sum(each != before for each, before in zip(now, changed, strict=True))
        left = [name for name in databases(live) if name != "shop"]
        assert left in ([], [f"shop{suffix}"])
        assert isinstance(ENGINE, MarkingEngine)
        told = ENGINE.find_left(target, NOW).get(f"restore{suffix}", Left())
        assert bool(told.kept) == bool(swapped)
        if swapped:
            assert told.beside == (f"shop{suffix}",)
            for _ in range(2):
                ENGINE.undo(target, told.kept, NOW)
                assert content(live) == changed
        ENGINE.forget(target, told.names if swapped else left, NOW)
        assert content(live) == changed
        assert databases(live) == ["shop"]
        return swapped, count

    swap = ENGINE.restore(target, pieces, NOW, RestoreRequest(mode=RestoreMode.SWAP))
    stored = content(live)
    assert len(swap.kept) == _SWAPPED
    ENGINE.undo(target, swap.kept, NOW)
    ENGINE.forget(target, [name for _, name in swap.kept], NOW)

    swapped, count = restore("_uncut")
    assert bool(swapped) == (mode is RestoreMode.SWAP)
    assert count > _FEW
    ends = [restore(f"_{moment}", moment) for moment in some_moments(count, _FEW)]
    assert {killed for _, killed in ends} == {0}
    assert (0, 0) in ends
    assert restore("_bytes", most_bytes=_BYTES) == (0, 0)
