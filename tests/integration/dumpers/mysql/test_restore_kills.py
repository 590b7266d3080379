"""Swaps that are watched, held up and killed: the live tables are the old ones or the new ones."""

import os
import random
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dumpers.engines.leftovers import Left, MarkingEngine
from dumpers.engines.mysql.engine import ENGINE
from dumpers.engines.mysql.restore.swap import LOADED
from dumpers.runtime.errors import TargetFailedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.killed import restore_killed
from tests.integration.dumpers.mysql.changed import SWAP, TABLES, World, make
from tests.integration.dumpers.mysql.conftest import Case
from tests.testbed.databases.mysql import client_command
from tests.testbed.toolchain.processes import wait_until

# From the look at the target to the drop of the empty copy.
_MOMENTS = sorted(random.Random(5).sample(range(9, 36), 7))

pytestmark = pytest.mark.parametrize("case", ["mysql-8.0"], indirect=True)


@pytest.fixture
def world(case: Case) -> Iterator[World]:
    made = make(case, TABLES)
    yield made
    for name in made.databases():
        case.server.drop_database(name)


def test_a_look_during_a_swap_sees_the_old_or_the_new(world: World) -> None:
    stop, seen = threading.Event(), list[str]()

    def look() -> None:
        counts = "SELECT (SELECT COUNT(*) FROM people), (SELECT COUNT(*) FROM notes)"
        while not stop.is_set():
            seen.append(world.case.server.sql(counts, world.live))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        kept = world.restore(SWAP).kept
        wait_until(lambda: "2\t2" in seen, seconds=60, what="a look at the new tables")
        ENGINE.undo(world.case.connection(world.live), kept, Interrupt())
    finally:
        stop.set()
        thread.join()
    assert set(seen) <= {"1\t1", "2\t2"}
    assert seen[0] == "1\t1"


def test_a_table_that_somebody_holds_leaves_all_as_it_was(world: World) -> None:
    server = world.case.server
    holder = subprocess.Popen(
        [
            *client_command(server.name, server.port),
            f"--user={server.user}",
            "--execute=BEGIN; SELECT * FROM notes; SELECT SLEEP(300)",
            world.live,
        ],
        env={**os.environ, "MYSQL_PWD": server.password},
        stdout=subprocess.DEVNULL,
    )
    beside = f"{world.live}_restored"
    try:
        sleeping = "SELECT id FROM information_schema.processlist WHERE info LIKE '%SLEEP(300)'"
        wait_until(lambda: server.sql(sleeping), seconds=60, what="the holder")
        with pytest.raises(TargetFailedError, match=rf"could not be moved.*whole, as '{beside}'"):
            world.restore(SWAP)
    finally:
        server.sql(f"KILL {server.sql(sleeping)}")
        holder.wait()
    assert world.databases() == {world.live, beside}
    assert world.state(world.live) == world.after
    server.sql(f"DROP TABLE {LOADED}", beside)
    assert world.state(beside) == world.before


def test_whoever_is_killed_the_live_database_is_whole(world: World, tmp_path: Path) -> None:
    [backup] = world.backup
    target = world.case.connection(world.live)
    running = (
        "SELECT id FROM information_schema.processlist "
        f"WHERE info LIKE '%{world.live}%' AND id <> CONNECTION_ID()"
    )
    for moment in _MOMENTS:
        request = replace(SWAP, suffix=f"_{moment}", by=f"restore-{moment}")
        restore_killed("mysql", target, [backup], request, moment=moment, folder=tmp_path)
        wait_until(
            lambda: not world.case.server.sql(running),
            seconds=60,
            what="the sessions of the restore to end",
        )
        found = world.state(world.live)
        assert found in {world.before, world.after}, moment
        left = sorted(world.databases() - {world.live})
        assert isinstance(ENGINE, MarkingEngine)
        told = ENGINE.find_left(target, Interrupt()).get(request.by, Left())
        # All of it can be told by its mark, and what was replaced comes back.
        assert sorted(told.names) == left, moment
        assert bool(told.kept) == (found == world.before)
        if told.kept:
            ENGINE.undo(target, told.kept, Interrupt())
            assert world.state(world.live) == world.after
            ENGINE.undo(target, told.kept, Interrupt())
        ENGINE.forget(target, told.names, Interrupt())
        assert world.databases() == {world.live}
        assert world.state(world.live) == found
