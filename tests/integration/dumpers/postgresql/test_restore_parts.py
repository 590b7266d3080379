"""Restoring some tables, several databases, and roles; and what is refused before it begins."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from dumpers.contract.restore.request import RestoreRequest
from dumpers.engines.postgresql.engine import ENGINE
from dumpers.engines.postgresql.options import GLOBALS_ENDING
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import StorageFailedError, TargetFailedError, TargetRefusedError
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

_ORDERS = """
CREATE TABLE orders (id serial PRIMARY KEY, who int REFERENCES people (id), at mood);
INSERT INTO orders (who, at) SELECT id, 'sad' FROM people LIMIT 5;
CREATE INDEX shouted ON people (shout(name));
COMMENT ON COLUMN orders.at IS 'when; -- not';
"""


@pytest.fixture
def shop(world: World) -> World:
    """With a table that refers to another."""
    world.server.psql("DROP TABLE newer; TRUNCATE people", world.live)
    world.restore(OVERWRITE)
    world.server.psql(_ORDERS, world.live)
    world.backup = dumped(world.server, world.live)
    world.before = world.dump(world.live)
    return world


def rows(world: World, table: str, database: str = "") -> str:
    return world.server.psql(f"SELECT count(*) FROM {table}", database or world.live)


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_chosen_tables(shop: World, form: str) -> None:
    shop.backup = dumped(shop.server, shop.live, form)
    beside = f"{shop.live}_restored"
    target = connection(shop.server, shop.live)
    chosen = replace(BESIDE, tables=("orders", "public.parted", 'Odd "schema" $1.Tab\'le, x'))
    notes = ENGINE.restore(target, [shop.backup], Interrupt(), chosen).notes
    assert any("'fk constraint orders orders_who_fkey'" in note for note in notes)
    made = shop.server.psql("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'S')", beside)
    wanted = {"orders", "orders_id_seq", "parted", "parted_low", "Tab'le, x"}
    assert {name for name in made.splitlines() if name[:3] not in {"pg_", "sql"}} == wanted
    assert rows(shop, "orders", beside) == "5"
    assert rows(shop, "parted", beside) == "50"
    assert shop.server.psql("INSERT INTO orders (at) VALUES ('sad') RETURNING id", beside) == "6"

    # Into the live one, where it is gone, and where it is not.
    shop.server.psql("DROP TABLE orders", shop.live)
    ENGINE.restore(target, [shop.backup], Interrupt(), RestoreRequest(tables=("orders",)))
    with pytest.raises(TargetRefusedError, match=r"already exists.*nothing else"):
        ENGINE.restore(target, [shop.backup], Interrupt(), RestoreRequest(tables=("orders",)))
    shop.server.psql("DELETE FROM orders; ALTER TABLE orders ADD extra int", shop.live)
    broken = shop.dump(shop.live)
    over = replace(OVERWRITE, tables=("orders",))
    with pytest.raises(StorageFailedError):
        ENGINE.restore(target, [torn(shop.backup)], Interrupt(), over)
    assert shop.dump(shop.live) == broken
    with pytest.raises((TargetRefusedError, TargetFailedError), match="depend"):
        ENGINE.restore(target, [shop.backup], Interrupt(), replace(over, tables=("people",)))
    assert shop.dump(shop.live) == broken
    ENGINE.restore(target, [shop.backup], Interrupt(), over)
    foreign = "ALTER TABLE orders ADD CONSTRAINT orders_who_fkey FOREIGN KEY (who)"
    shop.server.psql(f"{foreign} REFERENCES people (id)", shop.live)
    assert shop.dump(shop.live) == shop.before
    with pytest.raises(TargetRefusedError, match="no table 'nobody'"):
        ENGINE.restore(target, [shop.backup], Interrupt(), replace(over, tables=("nobody",)))
    with pytest.raises(TargetRefusedError, match="swaps whole databases"):
        ENGINE.restore(target, [shop.backup], Interrupt(), replace(SWAP, tables=("orders",)))


def test_several_databases_each_into_its_own(world: World) -> None:
    other = f"{world.live}_b"
    second = piece(b"CREATE TABLE b AS SELECT 7 AS i;", name=other)
    both = (world.backup, second)
    world.restore(BESIDE, *both)
    beside = f"{world.live}_restored"
    assert world.dump(beside) == world.before
    assert rows(world, "b", f"{other}_restored") == "1"
    # The second fails: the first, which was loaded, goes, too.
    with pytest.raises(StorageFailedError, match="nothing of this restore is left"):
        world.restore(replace(BESIDE, suffix="_2"), world.backup, torn(second))
    assert world.databases() == {world.live, beside, f"{other}_restored"}
    kept = world.restore(replace(SWAP, suffix="_2"), *both)
    assert [live for live, _ in kept] == [world.live]
    assert world.dump(world.live) == world.before
    assert rows(world, "b", other) == "1"
    world.restore(replace(BESIDE, suffix="_3", databases=(other,)), *both)
    assert f"{world.live}_3" not in world.databases()


@pytest.fixture
def roles(world: World) -> Iterator[str]:
    yield f"app_{world.live}"
    for database in world.databases():
        world.server.psql(f"ALTER DATABASE {database} OWNER TO postgres")
    for name in ("app", "old"):
        world.server.psql(f"DROP ROLE IF EXISTS {name}_{world.live}")


def test_roles_come_on_request_and_those_that_exist_stay(world: World, roles: str) -> None:
    old = roles.replace("app_", "old_")
    world.server.psql(f"CREATE ROLE {old} LOGIN PASSWORD 'mine'")
    secret = f"SELECT rolpassword FROM pg_authid WHERE rolname = '{old}'"
    before = world.server.psql(secret)
    script = f"""
CREATE ROLE {roles};
ALTER ROLE {roles} WITH LOGIN PASSWORD 'new';
ALTER ROLE {old} WITH SUPERUSER PASSWORD 'theirs';
CREATE TABLESPACE nowhere OWNER {roles} LOCATION '/nowhere';

--
-- Databases: encoding and others
--

-- Database {world.live}
ALTER DATABASE :"database" OWNER TO {roles};
ALTER DATABASE :"database" SET work_mem TO '9MB';
-- End of database {world.live}
"""
    globals_ = piece(script.encode(), GLOBALS_ENDING)
    metadata = {**world.backup.metadata, "owner": roles}
    backup = replace(world.backup, metadata=metadata)
    target = connection(world.server, world.live)
    plain = ENGINE.plan_restore(target, [backup, globals_], Interrupt(), BESIDE)
    assert any(roles in note and "--globals" in note for note in plain.notes)
    asked = replace(BESIDE, globals=True)
    notes = ENGINE.restore(target, [backup, globals_], Interrupt(), asked).notes
    assert any("tablespace" in note for note in notes)
    assert world.server.psql(secret) == before
    beside = f"{world.live}_restored"
    assert world.server.psql("SHOW work_mem", beside) == "9MB"
    owner = f"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{beside}'"
    assert world.server.psql(owner) == roles
    with pytest.raises(TargetRefusedError, match="holds no roles"):
        ENGINE.plan_restore(target, [backup], Interrupt(), replace(asked, suffix="_2"))


def test_what_is_refused_before_anything_is_changed(world: World) -> None:
    server, live = world.server, world.live
    role = f"plain_{live}"
    server.psql(f"CREATE ROLE {role} LOGIN PASSWORD 'p'")
    server.psql(f"GRANT CONNECT ON DATABASE {live} TO {role}")

    def refusal(request: RestoreRequest, *pieces: StoredDump, user: str = "postgres") -> str:
        login = {"username": role, "password": "p"} if user == role else {}
        target = connection(server, live, **login)
        with pytest.raises(TargetRefusedError) as caught:
            ENGINE.plan_restore(target, pieces or [world.backup], Interrupt(), request)
        return str(caught.value)

    try:
        assert "may not create databases" in refusal(BESIDE, user=role)
        server.psql(f"ALTER ROLE {role} CREATEDB")
        assert "belongs to 'postgres'" in refusal(SWAP, user=role)
        server.psql(f"ALTER DATABASE {live} OWNER TO {role}")
        assert "GRANT pg_signal_backend" in refusal(OVERWRITE, user=role)
        assert "not empty" in refusal(RestoreRequest())
        newer = replace(world.backup, metadata={"server_major": 99})
        assert "PostgreSQL 99" in refusal(BESIDE, newer)
        lacking = replace(world.backup, metadata={"extensions": {"no_such": "1"}})
        assert "no_such: install" in refusal(BESIDE, lacking)
        nowhere = connection(server, f"{live}_nowhere")
        with pytest.raises(TargetRefusedError, match="does not exist there: create it"):
            ENGINE.plan_restore(nowhere, [world.backup], Interrupt(), RestoreRequest())
        assert "by a superuser" in refusal(
            replace(BESIDE, globals=True), world.backup, piece(b"", GLOBALS_ENDING), user=role
        )
        assert "partitions" in refusal(RestoreRequest(partitions="x"))
    finally:
        server.psql(f"ALTER DATABASE {live} OWNER TO postgres; DROP OWNED BY {role}", live)
        server.psql(f"DROP ROLE {role}")
    assert world.databases() == {live}
    assert world.dump(live) == world.after
