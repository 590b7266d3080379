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
from tests.integration.dumpers.postgresql.changed import SWAP, World, dumped
from tests.integration.dumpers.postgresql.worlds import connection, piece
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer
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
        restore_killed(
            "postgresql", target, [world.backup], request, moment=moment, folder=tmp_path
        )
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


_LARGE = """
CREATE TABLE lines (line text);
INSERT INTO lines SELECT 'line ' || g FROM generate_series(1, 20000) g;
SELECT lo_from_bytea(4711, 'large');
"""
_LEFT = (
    "SELECT (SELECT count(*) FROM pg_class WHERE relname = 'lines') "
    "+ (SELECT count(*) FROM pg_largeobject_metadata)"
)


@pytest.fixture
def large(postgres: PostgresServer, database: str) -> bytes:
    """A dump of rows and of a large object, whose content is in a transaction of its own."""
    postgres.psql(_LARGE, database)
    with dumped(postgres, database).open() as reader:
        dump = b"".join(iter(reader.read, b""))
    assert b"\nBEGIN;\n" in dump
    return dump


def test_a_load_that_is_killed_at_a_line_leaves_nothing(
    postgres: PostgresServer, copy: str, large: bytes, tmp_path: Path
) -> None:
    places = [
        *(large.index(b"COPY "), large.index(b"line 7\n"), large.index(b"line 19000\n")),
        *(large.index(b"\nBEGIN;\n") + 1, large.index(b"\nCOMMIT;\n") + 9, len(large)),
    ]
    busy = f"SELECT pid FROM pg_stat_activity WHERE datname = '{copy}'"
    for place in places:
        restore_killed(
            "postgresql",
            connection(postgres, copy),
            [piece(large, name=copy)],
            RestoreRequest(mode=RestoreMode.EMPTY),
            folder=tmp_path,
            most_bytes=place,
        )
        wait_until(lambda: not postgres.psql(busy), seconds=60, what="its tool to end")
        assert postgres.psql(_LEFT, copy) == "0", large[max(place - 40, 0) : place]


def test_a_load_that_fails_behind_large_objects_leaves_nothing(
    postgres: PostgresServer, copy: str, large: bytes
) -> None:
    broken = large.replace(b"--\n-- PostgreSQL database dump complete", b"SELECT 1/0;\n--")
    target = connection(postgres, copy)
    with pytest.raises(TargetFailedError, match=r"division by zero.*nothing of this restore is"):
        ENGINE.restore(target, [piece(broken, name=copy)], Interrupt())
    assert postgres.psql(_LEFT, copy) == "0"

    ENGINE.restore(target, [piece(large, name=copy)], Interrupt())
    assert postgres.psql(_LEFT, copy) == "2"
    assert postgres.psql("SELECT convert_from(lo_get(4711), 'UTF8')", copy) == "large"


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
