"""Restores that are killed: the live database is whole, the old one or the new one, and open."""

import random
import subprocess
from pathlib import Path

import pytest

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.leftovers import Left, MarkingEngine
from dumpers.engines.postgresql.engine import ENGINE
from dumpers.runtime.errors import TargetFailedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.killed import restore_killed
from tests.integration.dumpers.postgresql.changed import SWAP, World
from tests.integration.dumpers.postgresql.worlds import connection, piece
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.toolchain.processes import wait_until

# From the creation of the copy to the renames, and to the drop of what was replaced.
_MOMENTS = sorted(random.Random(17).sample(range(6, 20), 8))


@pytest.mark.parametrize("mode", [RestoreMode.SWAP, RestoreMode.OVERWRITE])
def test_whoever_is_killed_the_live_database_is_whole(
    world: World, tmp_path: Path, mode: RestoreMode
) -> None:
    target = connection(world.server, world.live)
    for moment in _MOMENTS:
        request = RestoreRequest(mode=mode, suffix=f"_{moment}", by=f"restore-{moment}")
        restore_killed("postgresql", target, world.backup, request, moment=moment, folder=tmp_path)
        # What the tool had begun, the server may still end.
        wait_until(lambda: not others(world), seconds=60, what="the sessions of the restore to end")
        found = world.dump(world.live)
        assert found in {world.before, world.after}, moment
        left = sorted(world.databases() - {world.live})
        kept = [name for name in left if "_replaced_" in name]
        for name in kept:
            assert world.dump(name) in {world.before, world.after}
        assert isinstance(ENGINE, MarkingEngine)
        told = ENGINE.find_left(target, Interrupt()).get(request.by, Left())
        # Nobody else has marked anything, and all of it can be told by its mark.
        assert sorted(told.names) == left, moment
        assert told.kept == tuple((world.live, name) for name in kept)
        ENGINE.forget(target, told.names, Interrupt())
        assert world.databases() == {world.live}
        assert world.dump(world.live) == found


def others(world: World) -> str:
    """Sessions of a restore that are still there."""
    return world.server.psql(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'ksnapshot' "
        f"OR query LIKE '%{world.live}%' AND pid <> pg_backend_pid()"
    )


def test_a_session_that_cannot_be_ended_leaves_all_as_it_was(world: World) -> None:
    server, live, role = world.server, world.live, f"app_{world.live}"
    server.psql(
        f"CREATE ROLE {role} LOGIN PASSWORD 'p' CREATEDB; GRANT pg_signal_backend TO {role}"
    )
    server.psql(f"ALTER DATABASE {live} OWNER TO {role}")
    holder = subprocess.Popen(
        [postgres_testbed.client("psql"), "--command=SELECT pg_sleep(300)"],
        env=server.env(live),
        stdout=subprocess.DEVNULL,
    )
    target = connection(server, live, username=role, password="p")
    backup = piece(b"CREATE TABLE t ();", name=live)
    try:
        held = f"SELECT pid FROM pg_stat_activity WHERE datname = '{live}' AND state = 'active'"
        wait_until(lambda: server.psql(held), seconds=60, what="the superuser's session")
        with pytest.raises(TargetFailedError, match=r"in use \(pid .*beside, whole: .*_restored"):
            ENGINE.restore(target, [backup], Interrupt(), SWAP)
        assert world.databases() == {live, f"{live}_restored"}
        assert world.dump(live) == world.after
    finally:
        holder.kill()
        holder.wait()
        ENGINE.forget(connection(server, live), [f"{live}_restored"], Interrupt())
        server.psql(f"ALTER DATABASE {live} OWNER TO postgres; DROP ROLE {role}")
