"""Restoring beside, over and by a swap, and taking that back, on real servers."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from dumpers.contract.restore.request import RestoreRequest
from dumpers.engines.mysql.engine import ENGINE
from dumpers.runtime.errors import StorageFailedError, TargetFailedError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.mysql.changed import (
    BESIDE,
    OVERWRITE,
    SWAP,
    TABLES,
    World,
    make,
    torn,
)
from tests.integration.dumpers.mysql.conftest import Case, piece
from tests.testbed.databases.mysql import quoted

one_of_each = pytest.mark.parametrize("case", ["mysql-8.0", "mariadb-11.4"], indirect=True)
one_server = pytest.mark.parametrize("case", ["mysql-8.0"], indirect=True)


@pytest.fixture
def worlds(case: Case) -> Iterator[list[World]]:
    made: list[World] = []
    yield made
    for world in made:
        for name in world.databases():
            case.server.drop_database(name)


@pytest.fixture
def plain(case: Case, worlds: list[World]) -> World:
    """One whose tables can be swapped."""
    worlds.append(make(case, TABLES))
    return worlds[-1]


@pytest.fixture
def rich(case: Case, worlds: list[World]) -> World:
    """One with views, triggers, routines, events, and with MariaDB sequences."""
    worlds.append(make(case, ""))
    return worlds[-1]


@one_of_each
def test_a_login_that_names_no_database_takes_the_backups_own(plain: World) -> None:
    """As the root of mariadb-operator, with `databases: "*"` where there is but one."""
    target, beside = plain.case.connection(""), f"{plain.live}_restored"
    ENGINE.restore(target, plain.backup, Interrupt(), BESIDE)
    assert plain.state(beside) == plain.before
    assert plain.state(plain.live) == plain.after
    ENGINE.forget(target, [beside], Interrupt())
    ENGINE.restore(target, plain.backup, Interrupt(), SWAP)
    assert plain.state(plain.live) == plain.before


@one_of_each
def test_beside_leaves_the_live_one_alone(rich: World) -> None:
    case = rich.case
    target = case.connection(rich.live)
    plan = ENGINE.plan_restore(target, rich.backup, Interrupt(), BESIDE)
    beside = f"{rich.live}_restored"
    assert plan.creates == ((rich.live, beside),)
    assert rich.databases() == {rich.live}
    rich.restore(BESIDE)
    assert rich.state(beside) == rich.before
    assert rich.state(rich.live) == rich.after
    with pytest.raises(TargetRefusedError, match=r"already.*--forget"):
        rich.restore(BESIDE)
    # mariadb-dump, by which it is looked at, does not know how to quote sequences' databases.
    odd = f"{rich.live} é%-"
    rich.restore(replace(BESIDE, names={rich.live: odd}))
    assert rich.state(odd) == rich.before
    with pytest.raises(TargetRefusedError, match="nothing was dropped"):
        ENGINE.forget(target, [beside, rich.live], Interrupt())
    ENGINE.forget(target, [beside, odd, f"{rich.live}_gone"], Interrupt())
    assert rich.databases() == {rich.live}


def test_a_swap_keeps_what_it_replaces_for_an_undo(plain: World) -> None:
    case = plain.case
    [(live, kept)] = plain.restore(SWAP).kept
    assert live == plain.live
    assert plain.databases() == {live, kept}
    assert plain.state(live) == plain.before
    target = case.connection(live)
    for content in (plain.after, plain.before):
        ENGINE.undo(target, [(live, kept)], Interrupt())
        assert plain.state(live) == content
    # Foreign keys lead to where they led.
    case.server.sql("DELETE FROM people WHERE id = 2", live)
    assert case.server.sql("SELECT id FROM notes", live) == "1"
    ENGINE.forget(target, [kept], Interrupt())
    with pytest.raises(TargetRefusedError, match="nothing was exchanged"):
        ENGINE.undo(target, [(live, kept)], Interrupt())
    assert plain.databases() == {live}


@one_of_each
def test_a_swap_is_refused_where_something_stands_against_it(rich: World) -> None:
    with pytest.raises(TargetRefusedError, match=r"trigger 'watch'.*--overwrite works"):
        rich.restore(SWAP)
    assert rich.databases() == {rich.live}
    assert rich.state(rich.live) == rich.after
    # What only the backup has is found out once it is loaded.
    rich.case.server.sql(f"DROP DATABASE {rich.live}; CREATE DATABASE {rich.live}")
    rich.case.server.sql("CREATE TABLE old (a INT)", rich.live)
    with pytest.raises(TargetRefusedError, match=r"as it was before, and .* beside, whole"):
        rich.restore(SWAP)
    assert rich.databases() == {rich.live, f"{rich.live}_restored"}
    assert rich.case.server.sql("SHOW TABLES", rich.live) == "old"


@one_of_each
def test_a_key_of_another_database_stands_against_a_swap(plain: World) -> None:
    other = plain.case.database("other")
    plain.case.server.sql(
        f"CREATE TABLE o (p INT, FOREIGN KEY (p) REFERENCES {plain.live}.people (id))", other
    )
    with pytest.raises(TargetRefusedError, match=rf"foreign key .* of {other}\.o"):
        plain.restore(SWAP)
    plain.restore(OVERWRITE)
    assert plain.state(plain.live) == plain.before
    with pytest.raises(RuntimeError, match="1452"):
        plain.case.server.sql("INSERT INTO o VALUES (9)", other)


@pytest.mark.parametrize("what", ["plain", "rich"])
def test_overwriting_leaves_nothing_behind(
    case: Case, what: str, request: pytest.FixtureRequest
) -> None:
    world: World = request.getfixturevalue(what)
    assert world.restore(OVERWRITE).kept == ()
    assert world.databases() == {world.live}
    assert world.state(world.live) == world.before


@one_of_each
@pytest.mark.parametrize("mode", [BESIDE, OVERWRITE, SWAP], ids=lambda one: one.mode)
def test_a_backup_that_is_not_whole_changes_nothing(plain: World, mode: RestoreRequest) -> None:
    [whole] = plain.backup
    for broken, message in (
        (torn(whole), "sha256"),
        (piece(plain.live, b"CREATE TABLE t (a INT);\nBROKEN;\n"), "1064"),
    ):
        with pytest.raises((StorageFailedError, TargetFailedError), match=message) as caught:
            plain.restore(mode, broken)
        assert "nothing of this restore is left" in str(caught.value)
        assert plain.state(plain.live) == plain.after
        assert plain.databases() == {plain.live}


def test_chosen_tables(rich: World) -> None:
    case, live = rich.case, rich.live
    chosen = replace(BESIDE, tables=("people", f"{live}.parts", "doubled_"))
    with pytest.raises(TargetRefusedError, match="no table 'doubled_'"):
        rich.restore(chosen)
    rich.restore(replace(BESIDE, tables=("people", f"{live}.parts")))
    beside = f"{live}_restored"
    assert case.server.sql("SHOW TABLES", beside).splitlines() == ["parts", "people"]
    case.server.sql("DROP TABLE people", beside)
    rich.restore(replace(OVERWRITE, suffix="_2", names={live: beside}, tables=("people",)))
    assert case.server.sql("SELECT id FROM people ORDER BY 1", beside).split() == ["0", "7", "8"]
    with pytest.raises(TargetRefusedError, match=r"not empty, it holds 1 .*'people'"):
        rich.restore(RestoreRequest(tables=("people",)))
    # `notes` refers to it by a foreign key, and it has a trigger.
    case.server.sql("DELETE FROM notes WHERE id > 5", live)
    rich.restore(replace(OVERWRITE, suffix="_2", tables=("notes",)))
    case.server.sql("DROP TABLE parts", live)
    rich.restore(replace(OVERWRITE, suffix="_2", tables=("people",)))
    rich.restore(RestoreRequest(tables=("parts",)))
    case.server.sql("DROP TABLE newer", live)
    assert rich.state(live) == rich.before
    assert rich.databases() == {live, beside}


@one_of_each
def test_chosen_tables_of_one_object_per_table(case: Case, worlds: list[World]) -> None:
    worlds.append(world := make(case, TABLES, KSNAPSHOT_PER_TABLE="true"))
    with pytest.raises(TargetRefusedError, match="no table 'nothing'"):
        world.restore(replace(BESIDE, tables=("nothing",)))
    [(live, kept)] = world.restore(replace(SWAP, tables=("odd `na'me", "people", "notes"))).kept
    assert "newer" in case.server.sql("SHOW TABLES", live).splitlines()
    assert case.server.sql("SELECT COUNT(*) FROM people", live) == "2"
    ENGINE.undo(case.connection(live), [(live, kept)], Interrupt())
    assert world.state(live) == world.after


@one_server
def test_several_databases_each_into_its_own(case: Case, worlds: list[World]) -> None:
    one = make(case, TABLES)
    two = make(case, "CREATE TABLE people (id INT)")
    worlds += [one, two]
    both = (*one.backup, *two.backup)
    one.restore(replace(BESIDE, names={two.live: f"{two.live}_2"}), *both)
    assert one.state(f"{one.live}_restored") == one.before
    assert two.state(f"{two.live}_2") == two.before
    one.restore(replace(SWAP, databases=(two.live,)), *both)
    assert two.state(two.live) == two.before
    assert one.state(one.live) == one.after
    case.server.drop_database(two.live)
    case.server.sql("DROP TABLE notes, people, newer, `odd ``na'me`", one.live)
    one.restore(RestoreRequest(), *both)
    assert one.state(one.live) == one.before
    assert two.state(two.live) == two.before
    with pytest.raises(TargetRefusedError, match="holds no database 'nothing'"):
        one.restore(replace(BESIDE, databases=("nothing",)), *both)
    with pytest.raises(TargetRefusedError, match="choose one"):
        one.restore(replace(BESIDE, tables=("t",)), *both)


@one_server
def test_an_account_without_the_rights_is_told_which(plain: World) -> None:
    user = plain.case.user(f"ALL ON {quoted(plain.live)}.*")
    target = plain.case.connection(plain.live, user=user, password="pw")
    with pytest.raises(TargetRefusedError, match=r"lacks CREATE, .*_restored'"):
        ENGINE.plan_restore(target, plain.backup, Interrupt(), BESIDE)
    with pytest.raises(TargetRefusedError, match="hold no accounts"):
        ENGINE.plan_restore(target, plain.backup, Interrupt(), replace(BESIDE, globals=True))
