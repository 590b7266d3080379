"""Tables of InnoDB that cannot be opened, found with and without InnoDB's own lists."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dumpers.contract.jobs import DumpJob
from dumpers.contract.notes import NoteCode
from dumpers.runtime.errors import SourceRefusedError
from tests.integration.dumpers.mysql.conftest import Case, dump, dump_parts, noted
from tests.testbed.databases import mysql as mysql_testbed
from tests.testbed.databases.mysql import NEWEST, MySQLServer, quoted
from tests.testbed.toolchain.require import require, require_linux

_PAGE = 16 << 10
_NAMES = ("good", "missing", "discarded", "swapped", "cut", "blank", "other")
_RIGHTS = "SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE"


@pytest.fixture(scope="module", params=["mysql-5.7", NEWEST, "mariadb-11.4"])
def damaged(request: pytest.FixtureRequest) -> Iterator[tuple[MySQLServer, str, list[str]]]:
    """A server, a database of it, and the tables there that cannot be opened."""
    require_linux()
    name = request.param
    problem = mysql_testbed.problem(name)
    require(not problem, problem)
    server = mysql_testbed.start(name)
    try:
        database = server.create_database("shop")
        for table in _NAMES:
            more = "c DATE, d DOUBLE, " if table == "other" else ""
            server.sql(
                f"CREATE TABLE {table} (a INT PRIMARY KEY, {more}b VARCHAR(200), KEY (b));"
                f"INSERT INTO {table} (a, b) VALUES (1, 'x'), (2, 'y')",
                database,
            )
        server.sql(
            "ALTER TABLE discarded DISCARD TABLESPACE; CREATE TABLE healthy (a INT);"
            "CREATE VIEW of_cut AS SELECT a FROM cut; CREATE VIEW of_good AS SELECT a FROM good",
            database,
        )
        folder, unopened = server.folder / "data" / database, ["discarded", "missing"]

        def damage() -> None:
            (folder / "missing.ibd").unlink()
            if server.is_mariadb:
                unopened.extend(_damage_files(folder))

        server = server.restarted(damage)
        yield server, database, unopened
    finally:
        server.stop()


def test_what_cannot_be_opened_is_left_out(
    damaged: tuple[MySQLServer, str, list[str]], clients: None
) -> None:
    server, database, unopened = damaged
    case = Case(server=server)
    user = case.user(f"{_RIGHTS} ON {quoted(database)}.*")
    # With PROCESS first, while no table is open.
    jobs = [case.job(database), case.job(database, MYSQL_USERNAME=user, MYSQL_PASSWORD="pw")]
    kept = {*_NAMES, "healthy", "of_good", "of_cut"} - set(unopened)
    if "cut" in unopened:
        kept -= {"of_cut"}
    for job in jobs:
        server.sql("FLUSH TABLES")
        source, [(_, sql)] = dump(job)
        found = noted(source)
        expected = sorted(f"{database}.{name}" for name in unopened)
        assert sorted(found.pop(NoteCode.UNREADABLE)) == expected
        assert sorted(found) == ([NoteCode.BROKEN_VIEWS] if "cut" in unopened else [])
        assert set(server.sql("SHOW TABLES", case.load(sql)).split()) == kept
    case.end()


def test_objects_per_table_without_what_cannot_be_opened(
    damaged: tuple[MySQLServer, str, list[str]], clients: None
) -> None:
    server, database, unopened = damaged
    server.sql("FLUSH TABLES")
    source, found = dump_parts(Case(server=server).job(database, KSNAPSHOT_PER_TABLE="true"))
    assert len(noted(source)[NoteCode.UNREADABLE]) == len(unopened)
    parts = {part[0] for _, part, _ in found if part}
    assert parts == {*_NAMES, "healthy"} - set(unopened)


def test_what_was_named_and_cannot_be_opened_fails_the_run(
    damaged: tuple[MySQLServer, str, list[str]], clients: None
) -> None:
    server, database, unopened = damaged
    for name in unopened:
        server.sql("FLUSH TABLES")
        job: DumpJob = Case(server=server).job(database, KSNAPSHOT_TABLES=f"good,{name}")
        with pytest.raises(SourceRefusedError, match=f"'{name}' .* was asked for"):
            dump(job)


def _damage_files(folder: Path) -> list[str]:
    """Damage tables of MariaDB; MySQL itself ends when it meets such files."""
    owner = (folder / "good.frm").stat()
    (folder / "swapped.frm").write_bytes((folder / "other.frm").read_bytes())
    (folder / "unknown.frm").write_bytes((folder / "good.frm").read_bytes())
    os.chown(folder / "unknown.frm", owner.st_uid, owner.st_gid)
    cut, blank = folder / "cut.ibd", folder / "blank.ibd"
    cut.write_bytes(cut.read_bytes()[: 3 * _PAGE])
    rest = blank.stat().st_size - 3 * _PAGE
    blank.write_bytes(blank.read_bytes()[: 3 * _PAGE] + bytes(rest))
    return ["swapped", "unknown", "cut", "blank"]
