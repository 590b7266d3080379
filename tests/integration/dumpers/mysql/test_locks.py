"""A table that somebody has locked ends the dump after a while, with a name, and not never."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dumpers.engines.mysql import client, locks, programs
from dumpers.runtime.errors import DUMP_ERRORS, SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.mysql.conftest import Case, dump
from tests.testbed.databases.mysql import MySQLServer, client_command, quoted
from tests.testbed.toolchain.processes import wait_until


@contextmanager
def locked(server: MySQLServer, database: str, statement: str) -> Iterator[None]:
    """A session that has run a statement and goes on."""
    with subprocess.Popen(
        [
            *(str(word) for word in client_command(server.name, server.port)),
            *(f"--user={server.user}", "--unbuffered", "--", database),
        ],
        env={"MYSQL_PWD": server.password, "PATH": "/usr/bin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        session.stdin.write(f"{statement}; SELECT 'locked';\n")
        session.stdin.flush()
        assert session.stdout.readline() == "locked\n"
        yield
        session.stdin.close()


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch, clients: None) -> None:
    monkeypatch.setattr(programs, "LOCK_WAIT_SECONDS", 1)
    monkeypatch.setattr(locks, "LOCK_WAIT_SECONDS", 1)


def test_a_lock_that_somebody_holds(case: Case) -> None:
    database = case.database()
    case.server.sql("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)", database)
    with locked(case.server, database, "LOCK TABLES t WRITE"):
        with pytest.raises(SourceFailedError) as caught:
            dump(case.job(database))
        said = str(caught.value)
        assert "did not let go of it within 1 s" in said
        assert f"of {case.server.user}@localhost" in said or f"of {case.server.user}@127" in said
        # Whoever may not see the others is told so.
        user = case.user(f"ALL ON {quoted(database)}.*")
        with pytest.raises(SourceFailedError, match="with the right PROCESS"):
            dump(case.job(database, MYSQL_USERNAME=user, MYSQL_PASSWORD="pw"))
        # What is not dumped may be locked.
        case.server.sql("CREATE TABLE u (a INT)", database)
        dump(case.job(database, KSNAPSHOT_EXCLUDE_TABLES="t"))
    dump(case.job(database))


@contextmanager
def waiting(server: MySQLServer, database: str, statement: str) -> Iterator[None]:
    """A session that waits for a lock with its statement, for a second already."""
    command = client_command(server.name, server.port)
    with subprocess.Popen(
        [*map(str, command), f"--user={server.user}", f"--execute={statement}", "--", database],
        env={"MYSQL_PWD": server.password, "PATH": "/usr/bin:/bin"},
        stdout=subprocess.DEVNULL,
    ) as session:
        question = (
            "SELECT COUNT(*) FROM information_schema.processlist "
            f"WHERE db = '{database}' AND state LIKE 'Waiting for % lock' AND time >= 1"
        )
        wait_until(lambda: server.sql(question) == "1", seconds=60, what="a session that waits")
        try:
            yield
        finally:
            session.kill()


@pytest.mark.parametrize("case", ["mariadb-11.4"], indirect=True)
def test_other_sessions_of_the_account_are_not_the_dumps(case: Case) -> None:
    database, other = case.database(), case.database("other")
    for name in (database, other):
        case.server.sql("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)", name)
    server = client.connect(case.connection(""), errors=DUMP_ERRORS, interrupt=Interrupt())
    own = locks.Patience(server, [database], interrupt=Interrupt())
    tool = "SELECT /*!40001 SQL_NO_CACHE */ `a` FROM `t`"
    for name, statement, is_own in (
        (other, tool, False),
        (database, "INSERT INTO t VALUES (2)", False),
        (database, tool, True),
    ):
        with (
            locked(case.server, name, "LOCK TABLES t WRITE"),
            waiting(case.server, name, statement),
        ):
            assert bool(own.find_wait()) is is_own
