"""Restoring beside, over and by a swap, and taking that back, on a real server."""

import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.postgresql.engine import ENGINE
from dumpers.runtime.errors import StorageFailedError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.postgresql.changed import (
    BESIDE,
    OVERWRITE,
    SWAP,
    World,
    dumped,
    torn,
)
from tests.integration.dumpers.postgresql.worlds import connection, piece
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer


def test_beside_leaves_the_live_one_alone(world: World) -> None:
    target = connection(world.server, world.live)
    plan = ENGINE.plan_restore(target, [world.backup], Interrupt(), BESIDE)
    beside = f"{world.live}_restored"
    assert plan.creates == ((world.live, beside),)
    assert any(beside in action for action in plan.actions)
    assert world.databases() == {world.live}
    assert world.restore(BESIDE) == ()
    assert world.dump(beside) == world.before
    assert world.dump(world.live) == world.after
    with pytest.raises(TargetRefusedError, match=r"earlier restore.*--forget"):
        world.restore(BESIDE)
    named = replace(BESIDE, names={world.live: f'{world.live} "Odd" é'})
    world.restore(named)
    assert world.dump(f'{world.live} "Odd" é') == world.before
    with pytest.raises(TargetRefusedError, match="no database that a restore has left"):
        ENGINE.forget(target, [beside, world.live], Interrupt())
    ENGINE.forget(target, [beside, f'{world.live} "Odd" é', "gone"], Interrupt())
    assert world.databases() == {world.live}


def test_a_swap_keeps_what_it_replaces_for_an_undo(world: World) -> None:
    server, live = world.server, world.live
    role = f"app_{live}"
    server.psql(
        f"CREATE ROLE {role}; COMMENT ON DATABASE {live} IS 'the shop'; "
        f"ALTER DATABASE {live} OWNER TO {role}; ALTER DATABASE {live} SET work_mem = '7MB'; "
        f"ALTER DATABASE {live} CONNECTION LIMIT 50; REVOKE ALL ON DATABASE {live} FROM PUBLIC"
    )
    kinds = (
        "SELECT pg_get_userbyid(datdba), datconnlimit, datacl, "
        "shobj_description(oid, 'pg_database'), (SELECT setconfig FROM pg_db_role_setting "
        f"WHERE setdatabase = oid) FROM pg_database WHERE datname = '{live}'"
    )
    own = server.psql(kinds)
    try:
        [(name, kept)] = world.restore(SWAP)
        assert name == live
        assert kept.startswith(f"{live}_replaced_2")
        assert world.databases() == {live, kept}
        assert world.dump(live) == world.before
        assert world.dump(kept) == world.after
        assert server.psql(kinds) == own
        target = connection(server, live)
        for content in (world.after, world.before):
            ENGINE.undo(target, [(live, kept)], Interrupt())
            assert world.dump(live) == content
            assert server.psql(kinds) == own
        ENGINE.forget(target, [kept], Interrupt())
        with pytest.raises(TargetRefusedError, match="nothing was exchanged"):
            ENGINE.undo(target, [(live, kept)], Interrupt())
        assert world.dump(live) == world.before
    finally:
        server.psql(
            f"ALTER DATABASE {live} OWNER TO postgres; DROP OWNED BY {role}; DROP ROLE {role}"
        )


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_overwriting_leaves_nothing_behind(world: World, form: str) -> None:
    copied = dumped(world.server, world.live, form)
    world.server.psql("DROP TABLE newer", world.live)
    changed = world.dump(world.live)
    assert world.restore(OVERWRITE, copied) == ()
    assert world.databases() == {world.live}
    assert world.dump(world.live) == world.after != changed


@pytest.mark.parametrize(
    "request_", [RestoreRequest(), BESIDE, OVERWRITE, SWAP], ids=lambda one: one.mode
)
def test_a_backup_that_is_not_whole_changes_nothing(world: World, request_: RestoreRequest) -> None:
    archive = dumped(world.server, world.live, "custom")
    if request_.mode is RestoreMode.EMPTY:
        odd = '"Odd ""schema"" $1"'
        world.server.psql(f"DROP SCHEMA public, {odd} CASCADE; CREATE SCHEMA public", world.live)
        world.after = world.dump(world.live)
    with pytest.raises(StorageFailedError, match=r"sha256.*nothing of this restore is left"):
        world.restore(request_, torn(world.backup))
    assert world.dump(world.live) == world.after
    assert world.databases() == {world.live}
    with pytest.raises(StorageFailedError, match=r"sha256.*nothing of this restore is left"):
        world.restore(request_, torn(archive))
    assert world.dump(world.live) == world.after
    assert world.databases() == {world.live}
    with pytest.raises(TargetRefusedError, match=r"syntax error.*nothing of this restore is left"):
        world.restore(request_, piece(b"CREATE TABLE t ();\nBROKEN;\n", name=world.live))
    assert world.dump(world.live) == world.after
    assert world.databases() == {world.live}


def looks(server: PostgresServer, live: str, stop: threading.Event) -> Callable[[], list[str]]:
    """Look at the live database every 20 ms with a login of its own each time.

    The last look begins when all is over.
    """
    seen: list[str] = []

    def look() -> None:
        try:
            seen.append(server.psql("SELECT count(*) FROM people", live))
        except RuntimeError:
            seen.append("refused")

    def look_on() -> None:
        while not stop.is_set():
            look()
            time.sleep(0.02)
        look()

    thread = threading.Thread(target=look_on)
    thread.start()

    def end() -> list[str]:
        stop.set()
        thread.join()
        return seen

    return end


def test_a_look_during_a_swap_sees_the_old_or_the_new(world: World) -> None:
    # A pool that comes back at once after its sessions were ended.
    stop = threading.Event()
    ends = [looks(world.server, world.live, stop) for _ in range(3)]
    holder = subprocess.Popen(
        [postgres_testbed.client("psql"), "--command=SELECT pg_sleep(60)"],
        env=world.server.env(world.live),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        [(live, kept)] = world.restore(SWAP)
        ENGINE.undo(connection(world.server, live), [(live, kept)], Interrupt())
    finally:
        stop.set()
        seen = [end() for end in ends]
        holder.wait()
    for one in seen:
        assert set(one) <= {"0", "300", "refused"}
        assert "300" in one
        assert one[0] == one[-1] == "0"
        print(len(one), one.count("refused"))
