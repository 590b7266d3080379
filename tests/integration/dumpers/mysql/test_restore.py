"""Restore and inspect, through the engine, into real servers."""

import contextlib
import io
from dataclasses import replace
from pathlib import Path

import pytest

from dumpers.engines.mysql.engine import ENGINE
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import StorageFailedError, TargetFailedError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.mysql.conftest import Case, dump, piece
from tests.integration.dumpers.mysql.worlds import fill, fingerprint
from tests.testbed.databases.mysql import quoted
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Rule


class _Torn:
    """A piece whose stored object is not what the manifest says."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1, /) -> bytes:
        data = self._data.read(size)
        if not data:
            raise StorageFailedError("the object has another sha256")
        return data


def test_a_backup_restores_and_counts_alike(case: Case) -> None:
    database = case.database()
    fill(case.server, database)
    _, [(_, sql)] = dump(case.job(database))
    copy = case.database("copy")
    notes = ENGINE.restore(case.connection(copy), [piece(database, sql)], Interrupt()).notes
    assert notes == ()
    assert fingerprint(case.server, copy) == fingerprint(case.server, database)

    counted = ENGINE.inspect(case.connection(copy), Interrupt())
    assert counted[f"{copy}.people"] == 3
    assert counted[f"{copy}.notes"] == 729
    original = ENGINE.inspect(case.connection(database), Interrupt())
    assert {name.partition(".")[2]: count for name, count in counted.items()} == {
        name.partition(".")[2]: count for name, count in original.items()
    }
    assert not any("authors" in name for name in counted)


def test_a_target_of_an_odd_name(case: Case) -> None:
    copy = case.database("é中 `'$")
    ENGINE.restore(
        case.connection(copy), [piece("x", b"CREATE TABLE t (a INT) SELECT 5 AS a;\n")], Interrupt()
    )
    assert ENGINE.inspect(case.connection(copy), Interrupt()) == {f"{copy}.t": 1}


@pytest.mark.parametrize(
    ("held", "word"),
    [
        ("CREATE TABLE t (a INT)", "'t'"),
        ("CREATE VIEW v AS SELECT 1", "'v'"),
        ("CREATE PROCEDURE p() SELECT 1", "routines"),
        ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1", "events"),
    ],
)
def test_a_database_that_is_not_empty_is_left_alone(case: Case, held: str, word: str) -> None:
    database = case.database()
    case.server.sql(held, database)
    with pytest.raises(TargetRefusedError, match="not empty") as caught:
        ENGINE.restore(case.connection(database), [piece("x", b"DROP TABLE t;")], Interrupt())
    assert word in str(caught.value)


def test_a_target_that_is_not_there_or_says_no(case: Case) -> None:
    for connection in (
        case.connection("no_such_database"),
        case.connection(case.database(), password="wrong"),
    ):
        with pytest.raises(TargetRefusedError) as caught:
            ENGINE.restore(connection, [piece("x", b"")], Interrupt())
        assert "wrong" not in str(caught.value)
        with pytest.raises(TargetRefusedError):
            ENGINE.inspect(connection, Interrupt())


def test_a_piece_that_is_not_what_it_should_be(case: Case) -> None:
    database = case.database()
    torn = StoredDump(
        name="x",
        ending=".sql",
        size=1,
        open=lambda: contextlib.nullcontext(_Torn(b"CREATE TABLE t (a INT);\n")),
    )
    with pytest.raises(StorageFailedError, match=r"another sha256.*partly filled"):
        ENGINE.restore(case.connection(database), [torn], Interrupt())


def test_a_dump_that_does_not_load(case: Case) -> None:
    database = case.database()
    with pytest.raises(TargetFailedError, match="partly filled"):
        ENGINE.restore(
            case.connection(database),
            [piece("x", b"CREATE TABLE t (a INT);\nBROKEN;\n")],
            Interrupt(),
        )


def test_objects_of_another_definer(case: Case) -> None:
    database = case.database()
    case.server.sql("CREATE TABLE t (a INT); CREATE VIEW v AS SELECT a FROM t", database)
    _, [(_, sql)] = dump(case.job(database))
    copy = case.database("copy")
    user = case.user(f"ALL ON {quoted(copy)}.*")
    with pytest.raises(TargetRefusedError, match="defined by another"):
        ENGINE.restore(
            case.connection(copy, user=user, password="pw"), [piece("x", sql)], Interrupt()
        )
    other = case.database("other")
    moved = sql.replace(b"`admin`@`%`", b"`ghost`@`%`")
    [note] = ENGINE.restore(case.connection(other), [piece("x", moved)], Interrupt()).notes
    assert "ghost@%" in note


def test_a_dump_runs_no_commands_of_the_client(case: Case, tmp_path: Path) -> None:
    database = case.database()
    sql = f"CREATE TABLE t (a INT);\n\\! touch {tmp_path}/owned\nsystem touch {tmp_path}/owned\n"
    with pytest.raises((TargetFailedError, TargetRefusedError)):
        ENGINE.restore(case.connection(database), [piece("x", sql.encode())], Interrupt())
    assert list(tmp_path.iterdir()) == []


def test_the_connection_is_cut(case: Case, faults: Faults) -> None:
    database = case.database()
    proxy = faults.tcp(case.server.port)
    sql = b"CREATE TABLE t (a TEXT);\n" + b"INSERT INTO t VALUES ('%s');\n" % (b"x" * 4000) * 3000
    target = replace(case.connection(database), port=proxy.port)
    proxy.set(Rule(Cut(after=1 << 20, of="request")))
    with pytest.raises(TargetFailedError, match="partly filled"):
        ENGINE.restore(target, [piece("x", sql)], Interrupt())


@pytest.mark.parametrize("case", ["mariadb-11.4"], indirect=True)
def test_defaults_that_come_from_a_sequence(case: Case) -> None:
    database = case.database()
    case.server.sql(
        "CREATE SEQUENCE numbers START WITH 100;"
        "CREATE TABLE numbered (id INT PRIMARY KEY DEFAULT NEXTVAL(numbers), what TEXT);"
        "INSERT INTO numbered (what) VALUES ('first'), ('second')",
        database,
    )
    _, [(_, sql)] = dump(case.job(database))
    case.server.drop_database(database)
    # MariaDB writes the sequence with the name of its database.
    with pytest.raises(TargetRefusedError, match=r"numbers.*under that database's own name"):
        ENGINE.restore(case.connection(case.database("copy")), [piece(database, sql)], Interrupt())
    case.server.create_database(database)
    ENGINE.restore(case.connection(database), [piece(database, sql)], Interrupt())
    case.server.sql("INSERT INTO numbered (what) VALUES ('third')", database)
    rows = case.server.sql("SELECT id > 101, what FROM numbered ORDER BY id", database)
    assert rows.splitlines() == ["0\tfirst", "0\tsecond", "1\tthird"]
