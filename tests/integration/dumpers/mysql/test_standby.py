"""A dump from a replica says so, with its lag; an account that may not ask is not refused."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dumpers.contract.notes import Note, NoteCode
from tests.integration.dumpers.mysql.conftest import Case, dump
from tests.testbed.databases.mysql import NEWEST, quoted


@contextmanager
def replica(case: Case) -> Iterator[None]:
    """The server with a source set up, from which it does not read."""
    new = case.server.name == NEWEST
    source = "REPLICATION SOURCE TO SOURCE" if new else "MASTER TO MASTER"
    prefix = "SOURCE" if new else "MASTER"
    what = "REPLICA" if new else "SLAVE"
    case.server.sql(f"CHANGE {source}_HOST='primary.example', {prefix}_USER='r'")
    try:
        yield
    finally:
        case.server.sql(f"RESET {what} ALL")


def standby(case: Case, database: str, **login: str) -> list[Note]:
    source, _ = dump(case.job(database, **login))
    return [note for note in source.notes if note.code is NoteCode.STANDBY]


@pytest.mark.parametrize("case", ["mysql-8.0", NEWEST, "mariadb-11.4"], indirect=True)
def test_a_replica(case: Case) -> None:
    database = case.database()
    user = case.user(f"ALL ON {quoted(database)}.*")
    poor = {"MYSQL_USERNAME": user, "MYSQL_PASSWORD": "pw"}
    assert standby(case, database) == []
    with replica(case):
        [note] = standby(case, database)
        assert "replica of primary.example that does not receive and apply changes" in note.text
        assert standby(case, database, **poor) == []
        case.server.sql("SET GLOBAL read_only = ON")
        try:
            [note] = standby(case, database, **poor)
            assert "grant this account" in note.text
        finally:
            case.server.sql("SET GLOBAL read_only = OFF")
        right = "SLAVE MONITOR" if case.server.is_mariadb else "REPLICATION CLIENT"
        case.server.sql(f"GRANT {right} ON *.* TO {user}@'%'")
        [note] = standby(case, database, **poor)
        assert "primary.example" in note.text


@pytest.mark.parametrize("case", ["mysql-8.0", NEWEST, "mariadb-11.4"], indirect=True)
def test_a_replica_that_takes_a_part_only(case: Case) -> None:
    database = case.database()
    clear, name = ("''", "replicate_do_db") if case.server.is_mariadb else ("()", "")
    set_filter = (
        f"SET GLOBAL {name} = {{}}" if name else "CHANGE REPLICATION FILTER REPLICATE_DO_DB = {}"
    )
    with replica(case):
        case.server.sql(set_filter.format("'shop'" if name else "(shop)"))
        try:
            [note] = standby(case, database)
        finally:
            case.server.sql(set_filter.format(clear))
    assert "takes but a part of what its source does (Replicate_Do_DB: shop)" in note.text
