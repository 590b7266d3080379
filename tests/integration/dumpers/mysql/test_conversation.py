"""One client stays logged in for all the questions of a survey, and what may happen to it."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from dumpers.contract.jobs import DumpJob
from dumpers.contract.notes import NoteCode
from dumpers.engines.mysql import client
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.engine import ENGINE
from dumpers.engines.mysql.survey.probes import attempt
from dumpers.runtime.errors import (
    DUMP_ERRORS,
    InterruptedRunError,
    SourceFailedError,
    SourceRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.mysql.conftest import Case, Servers, dump, noted
from tests.testbed.databases.mysql import NEWEST, quoted

_ODD = 'it\'s; {a} "good"\n\\ `one`\t--'


@pytest.fixture(params=["mysql-5.7", NEWEST, "mariadb-11.4"])
def case(request: pytest.FixtureRequest, servers: Servers, clients: None) -> Iterator[Case]:
    made = Case(server=servers(request.param))
    yield made
    made.end()


def talk(case: Case, kept: ExitStack, *, database: str = "", interrupt: Interrupt) -> Server:
    return client.connect(
        case.connection(""), errors=DUMP_ERRORS, interrupt=interrupt, database=database, kept=kept
    )


def ask(server: Server, columns: str, *, database: str = "", interrupt: Interrupt) -> str:
    [(answer,)] = server.rows(columns, "", database=database, interrupt=interrupt)
    return answer


def session(server: Server, *, database: str = "", interrupt: Interrupt) -> str:
    return ask(server, "CONNECTION_ID()", database=database, interrupt=interrupt)


def test_one_session_answers_all_about_a_database(case: Case) -> None:
    one, other, interrupt = case.database(), case.database("other"), Interrupt()
    with ExitStack() as kept:
        server = talk(case, kept, database=one, interrupt=interrupt)
        first = session(server, interrupt=interrupt)
        odd = f"{client.literal(_ODD)} AS odd"
        assert ask(server, odd, database=one, interrupt=interrupt) == _ODD
        assert server.rows("1", "FROM DUAL WHERE FALSE", interrupt=interrupt) == []
        assert ask(server, "REPEAT('x', 3000000)", interrupt=interrupt) == "x" * 3_000_000
        [heads, row] = server.raw("SELECT 1 AS a, '' AS b", heads=True, interrupt=interrupt)
        assert (heads, row) == (("a", "b"), ("1", ""))
        assert session(server, database=one, interrupt=interrupt) == first
        assert ask(server, "DATABASE()", database=other, interrupt=interrupt) == other
        second = session(server, interrupt=interrupt)
    assert second != first
    # Whoever asks later, as for the holders of a lock, logs in anew.
    assert session(server, interrupt=interrupt) not in {first, second}


def test_an_error_ends_a_session_and_not_the_survey(case: Case) -> None:
    database, interrupt = case.database(), Interrupt()
    with ExitStack() as kept:
        server = talk(case, kept, database=database, interrupt=interrupt)
        first = session(server, interrupt=interrupt)
        with pytest.raises(SourceRefusedError, match="1146"):
            server.raw("SELECT * FROM gone", database=database, interrupt=interrupt)
        assert ask(server, "DATABASE()", interrupt=interrupt) == database
        assert session(server, interrupt=interrupt) != first
        case.server.sql("CREATE TABLE good (a INT)", database)
        read = "SELECT * FROM {}".format
        statements = [read(name) for name in ("good", "gone", "good", "lost")]
        answers = attempt(server, statements, database=database, interrupt=interrupt)
        words = ["" if answer is None else answer.words for answer in answers]
        assert ["gone" in words[1], "lost" in words[3], words[0], words[2]] == [True, True, "", ""]


def test_a_session_that_the_server_ends(case: Case) -> None:
    interrupt = Interrupt()
    with ExitStack() as kept:
        server = talk(case, kept, interrupt=interrupt)
        first = session(server, interrupt=interrupt)
        case.server.sql(f"KILL {first}")
        with pytest.raises((SourceFailedError, SourceRefusedError), match="ended with status 1"):
            server.raw("SELECT 1", interrupt=interrupt)
        assert session(server, interrupt=interrupt) != first


def test_a_session_that_hangs(case: Case) -> None:
    interrupt = Interrupt()
    with ExitStack() as kept:
        server = talk(case, kept, interrupt=interrupt)
        number = session(server, interrupt=interrupt)
        asleep = f"SELECT COUNT(*) FROM information_schema.processlist WHERE id = {number} AND "

        def cancel() -> None:
            while case.server.sql(f"{asleep} info LIKE '%SLEEP%'") != "1":
                pass
            interrupt.cancel("the test")

        thread = threading.Thread(target=cancel)
        thread.start()
        began = time.monotonic()
        with pytest.raises(InterruptedRunError, match="the test"):
            server.raw("SELECT SLEEP(3600)", interrupt=interrupt)
        thread.join()
        assert time.monotonic() - began < 600


def test_a_survey_logs_in_once(case: Case) -> None:
    database = case.database()
    case.server.sql("CREATE TABLE t (a INT); CREATE VIEW v AS SELECT a FROM t", database)
    before = logins(case)
    with ENGINE.open(case.job(database), Interrupt()):
        pass
    # One is that of the question itself, one that of a client that lacks the server's plugin.
    assert logins(case) - before <= (2 if case.server.is_mariadb else 3)


@pytest.mark.parametrize("case", [NEWEST, "mariadb-11.4"], indirect=True)
def test_a_survey_opens_no_table_that_innodb_lists(case: Case) -> None:
    database = case.database()
    case.server.sql(
        "CREATE TABLE parent (a INT PRIMARY KEY);"
        + "".join(
            f"CREATE TABLE t{number} (a INT PRIMARY KEY, p INT,"
            f"CONSTRAINT k{number} FOREIGN KEY (p) REFERENCES parent (a));"
            for number in range(40)
        ),
        database,
    )
    rights = f"SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON {quoted(database)}.*"
    user = case.user(rights)
    without = case.job(database, MYSQL_USERNAME=user, MYSQL_PASSWORD="pw")
    # MySQL's own dictionary is tables, too.
    kept_shut = 30
    lists = opened_by_a_survey(case, case.job(database))
    assert opened_by_a_survey(case, without) - lists >= kept_shut


def test_what_innodb_lists_and_nobody_can_read(case: Case) -> None:
    database, other = case.database(), case.database("other")
    case.server.sql("CREATE TABLE parent (a INT PRIMARY KEY)", other)
    case.server.sql(
        "CREATE TABLE `good ü/#p` (a INT); CREATE TABLE gone (a INT);"
        "CREATE TABLE parts (a INT) PARTITION BY HASH (a) PARTITIONS 3;"
        "CREATE TABLE child (a INT, CONSTRAINT abroad FOREIGN KEY (a) "
        f"REFERENCES {quoted(other)}.parent (a)); ALTER TABLE gone DISCARD TABLESPACE;",
        database,
    )
    source, _ = dump(case.job(database))
    assert noted(source) == {
        NoteCode.UNREADABLE: (f"{database}.gone",),
        NoteCode.NOT_CHOSEN: (f"{database}.child.abroad",),
    }


def opened_by_a_survey(case: Case, job: DumpJob) -> int:
    case.server.sql("FLUSH TABLES")
    before = status(case, "Opened_tables")
    with ENGINE.open(job, Interrupt()):
        pass
    return status(case, "Opened_tables") - before


def logins(case: Case) -> int:
    return status(case, "Connections")


def status(case: Case, name: str) -> int:
    return int(case.server.sql(f"SHOW GLOBAL STATUS LIKE '{name}'").split("\t")[1])
