"""Restores that are killed: the live database is whole, the old one or the new one, and open."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from dumpers.contract.restoring import RestoreMode, RestoreRequest
from dumpers.engines.postgresql.engine import ENGINE
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.postgresql.changed import World
from tests.integration.dumpers.postgresql.worlds import connection
from tests.paths import REPOSITORY
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.toolchain.processes import wait_until

# Restores, and dies as soon as the tool of this number runs: alone, or together with that tool.
_RESTORE = """
import json, os, signal, sys
from pathlib import Path
from dumpers.contract.restoring import RestoreRequest
from dumpers.engines.postgresql.engine import ENGINE
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams import tool
from tests.integration.dumpers.postgresql import worlds

given = json.loads(sys.argv[1])
begin, count = tool._start, 0

def start(*args, **options):
    global count
    count += 1
    process = begin(*args, **options)
    if count == given["moment"]:
        if given["with_tool"]:
            os.killpg(process.pid, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    return process

tool._start = start
target = worlds.Connection(**given["connection"])
piece = worlds.piece(Path(given["dump"]).read_bytes(), name=target.database)
ENGINE.restore(target, [piece], Interrupt(), RestoreRequest.from_json(given["request"]))
"""
# From the creation of the copy to the renames, and to the drop of what was replaced.
_MOMENTS = sorted(random.Random(17).sample(range(6, 20), 8))


@pytest.mark.parametrize("mode", [RestoreMode.SWAP, RestoreMode.OVERWRITE])
def test_whoever_is_killed_the_live_database_is_whole(
    world: World, tmp_path: Path, mode: RestoreMode
) -> None:
    with world.backup.open() as reader:
        (tmp_path / "dump").write_bytes(reader.read())
    target = connection(world.server, world.live)
    for number, moment in enumerate(_MOMENTS):
        request = RestoreRequest(mode=mode, suffix=f"_{moment}")
        given = {
            "moment": moment,
            "with_tool": bool(number % 2),
            "dump": str(tmp_path / "dump"),
            "request": request.to_json(),
            "connection": {
                "host": target.host,
                "port": target.port,
                "username": target.username,
                "password": target.password,
                "database": target.database,
            },
        }
        subprocess.run(
            [sys.executable, "-c", _RESTORE, json.dumps(given)],
            cwd=REPOSITORY,
            env={"PATH": f"{postgres_testbed.bin_folder()}:/usr/bin:/bin"},
            check=False,
        )
        # What the tool had begun, the server may still end.
        wait_until(lambda: not others(world), seconds=60, what="the sessions of the restore to end")
        found = world.dump(world.live)
        assert found in {world.before, world.after}, moment
        left = sorted(world.databases() - {world.live})
        kept = [name for name in left if "_replaced_" in name]
        for name in kept:
            assert world.dump(name) in {world.before, world.after}
        ENGINE.forget(target, left, Interrupt())
        assert world.databases() == {world.live}
        assert world.dump(world.live) == found


def others(world: World) -> str:
    """Sessions of a restore that are still there."""
    return world.server.psql(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'ksnapshot' "
        f"OR query LIKE '%{world.live}%' AND pid <> pg_backend_pid()"
    )
