"""Restoring by several sessions: the same database, or nothing of it."""

import threading
from contextlib import suppress
from dataclasses import replace

import pytest

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.postgresql.engine import ENGINE
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import (
    InterruptedRunError,
    KsnapshotError,
    StorageFailedError,
    TargetFailedError,
)
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.postgresql.changed import (
    BESIDE,
    OVERWRITE,
    SWAP,
    World,
    dumped,
    torn,
)
from tests.integration.dumpers.postgresql.parted import FILL, LEVELS, parts
from tests.integration.dumpers.postgresql.test_zoo import both, holdings, zoo
from tests.integration.dumpers.postgresql.worlds import connection, piece
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.processes import wait_until

__all__ = ["zoo"]

# Two tables whose indexes are worth a session each, and what is behind them.
_LARGE = """
CREATE TABLE big (i int PRIMARY KEY, filler text);
INSERT INTO big SELECT g, repeat('.', 400) FROM generate_series(1, 30000) g;
CREATE TABLE large (i int NOT NULL REFERENCES big, filler text);
INSERT INTO large SELECT i, filler FROM big;
CREATE INDEX ON big (filler, i);
CREATE UNIQUE INDEX ON large (i);
ALTER TABLE large REPLICA IDENTITY USING INDEX large_i_idx;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM big;
CREATE VIEW grouped AS SELECT i, filler FROM big GROUP BY i;
"""
# Each waits until the other one is being built.
_MEETING = """
CREATE FUNCTION meet(mine int, yours int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_lock_shared(mine);
  FOR attempt IN 1..6000 LOOP
    PERFORM 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = yours;
    EXIT WHEN FOUND;
    PERFORM pg_sleep(0.01);
  END LOOP;
  IF NOT FOUND THEN RAISE 'nobody came'; END IF;
  RETURN 1;
END $$;
CREATE INDEX one ON big (meet(1, 2)) WHERE i = 7;
CREATE INDEX two ON large (meet(2, 1)) WHERE i = 7;
"""


def by(request: RestoreRequest, sessions: int = 3) -> RestoreRequest:
    return replace(request, parallelism=sessions)


@pytest.fixture
def shop(world: World) -> World:
    """With tables that are large enough."""
    world.server.psql("DROP TABLE newer", world.live)
    world.server.psql(_LARGE, world.live)
    world.before = world.dump(world.live)
    world.backup = dumped(world.server, world.live)
    return world


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_it_is_the_same(shop: World, form: str) -> None:
    shop.backup = dumped(shop.server, shop.live, form)
    target = connection(shop.server, shop.live)
    plan = ENGINE.plan_restore(target, [shop.backup], Interrupt(), by(BESIDE))
    assert any("all or nothing, by 3 sessions" in action for action in plan.actions)
    shop.restore(by(BESIDE))
    assert shop.dump(f"{shop.live}_restored") == shop.before
    ENGINE.forget(target, [f"{shop.live}_restored"], Interrupt())
    shop.server.psql("DROP TABLE large", shop.live)
    [(_, kept)] = shop.restore(by(SWAP, 2))
    assert shop.dump(shop.live) == shop.before
    shop.restore(by(OVERWRITE))
    assert shop.dump(shop.live) == shop.before
    ENGINE.forget(target, [kept], Interrupt())
    assert shop.databases() == {shop.live}


@both
def test_the_zoo_in_parts(
    dumper: Dumper, s3: S3Server, bucket: str, zoo: tuple[PostgresServer, str]
) -> None:
    server, name = zoo
    server.psql(FILL + LEVELS, name)
    pieces = parts(s3, bucket, dumper.run(KSNAPSHOT_PARALLELISM="4"))
    assert len(pieces) > 8
    target, copies = connection(server, name), []
    for sessions in (1, 4):
        ENGINE.restore(target, pieces, Interrupt(), by(BESIDE, sessions))
        copies.append(
            {
                kind: held
                for kind, held in holdings(server, f"{name}_restored").items()
                if not kind.startswith("rows of app.levels_")
            }
        )
        ENGINE.forget(target, [f"{name}_restored"], Interrupt())
    assert copies[0] == copies[1]
    torn_last = [*pieces[:-1], torn(pieces[-1])]
    torn_rows = [torn(piece) if "2-data-0002" in piece.part else piece for piece in pieces]
    for broken in (torn_last, torn_rows):
        with pytest.raises(StorageFailedError, match=r"sha256.*nothing of this restore is left"):
            ENGINE.restore(target, broken, Interrupt(), by(BESIDE))
        assert f"{name}_restored" not in server.psql("SELECT datname FROM pg_database")


def test_indexes_are_built_side_by_side(shop: World) -> None:
    shop.server.psql(_MEETING.replace("IF NOT FOUND", "IF false"), shop.live)
    shop.server.psql(
        _MEETING.partition("CREATE INDEX")[0].replace("CREATE", "CREATE OR REPLACE"), shop.live
    )
    shop.backup = dumped(shop.server, shop.live)
    shop.before = shop.dump(shop.live)
    shop.restore(by(BESIDE, 2))
    assert shop.dump(f"{shop.live}_restored") == shop.before


def test_an_index_that_cannot_be_built_leaves_nothing(shop: World) -> None:
    with shop.backup.open() as reader:
        script = reader.read()
    # A row twice, so that the key is none.
    row = b"\n7\t"
    assert script.count(row) > 1
    place = script.index(row, script.index(b"COPY public.big "))
    line = script[place : script.index(b"\n", place + 1)]
    shop.backup = _with(shop.backup, script[:place] + line + script[place:])
    with pytest.raises(TargetFailedError, match=r"unique.*nothing of this restore is left"):
        shop.restore(by(SWAP))
    assert shop.databases() == {shop.live}
    assert shop.dump(shop.live) == shop.before


def test_a_session_that_is_ended_is_made_up_for(shop: World) -> None:
    """That of one index, while it is built: it is built again behind the others."""
    server = shop.server
    waiting = "SELECT pg_advisory_lock_shared(99)"
    function = (
        "CREATE FUNCTION slow() RETURNS int IMMUTABLE LANGUAGE plpgsql AS "
        f"$$ BEGIN PERFORM 1 FROM ({waiting}) q; RETURN 1; END $$;"
    )
    server.psql(f"{function} CREATE INDEX slow ON big (slow()) WHERE i = 7", shop.live)
    shop.backup = dumped(server, shop.live)
    shop.before = shop.dump(shop.live)
    beside = f"{shop.live}_restored"

    def hold() -> None:
        # Until its session is ended, which is an error to psql.
        with suppress(RuntimeError):
            server.psql("SELECT pg_advisory_lock(99), pg_sleep(600)", beside)

    holder = threading.Thread(target=hold)
    errors: list[KsnapshotError] = []

    def restore() -> None:
        try:
            shop.restore(by(BESIDE))
        except KsnapshotError as error:
            errors.append(error)

    restoring = threading.Thread(target=restore)
    restoring.start()
    there = f"SELECT count(*) FROM pg_database WHERE datname = '{beside}'"
    wait_until(lambda: server.psql(there) == "1", seconds=60, what="the database")
    holder.start()
    blocked = f"FROM pg_stat_activity WHERE datname = '{beside}' AND wait_event = 'advisory'"
    wait_until(
        lambda: server.psql(f"SELECT count(*) {blocked}") == "1", seconds=60, what="the index"
    )
    server.psql(f"SELECT pg_terminate_backend(pid) {blocked}")
    ending = f"FROM pg_stat_activity WHERE datname = '{beside}' AND query LIKE '%pg_sleep(600)'"
    server.psql(f"SELECT pg_terminate_backend(pid) {ending} AND pid <> pg_backend_pid()")
    restoring.join()
    holder.join()
    assert not errors
    assert shop.dump(beside) == shop.before


def test_who_stops_it_leaves_nothing(shop: World) -> None:
    interrupt = Interrupt()
    interrupt.cancel("a test")
    target = connection(shop.server, shop.live)
    with pytest.raises(InterruptedRunError):
        ENGINE.restore(target, [shop.backup], interrupt, by(BESIDE))
    assert shop.databases() == {shop.live}


@pytest.mark.parametrize(
    "request_",
    [
        RestoreRequest(mode=RestoreMode.EMPTY),
        replace(OVERWRITE, tables=("large",)),
        replace(BESIDE, tables=("large",)),
    ],
    ids=["empty", "tables over", "tables beside"],
)
def test_where_one_session_loads_the_plan_says_so(
    shop: World, copy: str, request_: RestoreRequest
) -> None:
    name = copy if request_.mode is RestoreMode.EMPTY else shop.live
    target = connection(shop.server, name)
    plan = ENGINE.plan_restore(target, [shop.backup], Interrupt(), by(request_))
    assert any("by one session" in note for note in plan.notes)
    assert not any("sessions" in action for action in plan.actions)


def _with(whole: StoredDump, script: bytes) -> StoredDump:
    return piece(script, name=whole.name, metadata=dict(whole.metadata))
