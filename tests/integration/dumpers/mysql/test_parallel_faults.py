"""Dumps by several streams while others write, change, lock and kill: of one moment, or failed."""

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from dumpers.contract.jobs import DumpJob
from dumpers.engines.mysql import programs
from dumpers.engines.mysql.engine import ENGINE
from dumpers.engines.mysql.parallel import snapshot
from dumpers.engines.protocol import Dump, DumpStream
from dumpers.runtime.errors import KsnapshotError, SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.mysql.conftest import Case
from tests.integration.dumpers.mysql.test_locks import locked
from tests.testbed.databases.mysql import client_command
from tests.testbed.toolchain.processes import wait_until

SEVERAL = {"KSNAPSHOT_PARALLELISM": "3"}
_ACCOUNTS, _START = 6000, 1000
# `savings` and `till` are each in another share than `accounts`, which is cut.
_BANK = f"""
CREATE TABLE accounts (id INT PRIMARY KEY, balance INT, pad CHAR(200));
INSERT INTO accounts SELECT @n := @n + 1, {_START}, REPEAT('p', 200)
  FROM (SELECT @n := 0) zero, information_schema.collations a, information_schema.collations b,
  information_schema.collations c LIMIT {_ACCOUNTS};
CREATE TABLE savings (id INT PRIMARY KEY, balance INT, pad CHAR(200));
INSERT INTO savings SELECT id, {_START}, pad FROM accounts WHERE id <= 2000;
CREATE TABLE till (id INT PRIMARY KEY, amount INT);
INSERT INTO till VALUES (1, 0);
CREATE TABLE control (id INT PRIMARY KEY);
ANALYZE TABLE accounts, savings, till;
DELIMITER ;;
CREATE PROCEDURE work() BEGIN
  DECLARE a INT; DECLARE b INT; DECLARE n INT DEFAULT 0;
  WHILE NOT EXISTS (SELECT * FROM control) DO
    SET a = FLOOR(1 + RAND() * {_ACCOUNTS}), b = FLOOR(1 + RAND() * 2000), n = n + 1;
    START TRANSACTION;
    UPDATE accounts SET balance = balance - 3 WHERE id = a;
    UPDATE savings SET balance = balance + 2 WHERE id = b;
    UPDATE till SET amount = amount + 1 WHERE id = 1;
    COMMIT;
    DO SLEEP(0.002);
  END WHILE;
END;;
DELIMITER ;
"""
_TOTAL = _START * (_ACCOUNTS + 2000)
_ROW = re.compile(rb"\((\d+),(-?\d+)(?:,'p+')?\)")
_DUMPS = 100 if os.environ.get("KSNAPSHOT_FAULTS") == "all" else 3


@pytest.fixture
def bank(case: Case) -> str:
    database = case.database("bank")
    case.server.sql(_BANK, database)
    return database


@contextmanager
def transfers(case: Case, database: str) -> Iterator[None]:
    """Two sessions that move money between all tables all the time."""
    command = [str(word) for word in client_command(case.server.name, case.server.port)]
    command += [f"--user={case.server.user}", "--execute=CALL work()", "--", database]
    env = {"MYSQL_PWD": case.server.password, "PATH": "/usr/bin:/bin"}
    with ExitStack() as running:
        sessions = [running.enter_context(subprocess.Popen(command, env=env)) for _ in range(2)]
        try:
            wait_until(
                lambda: case.server.sql("SELECT amount > 20 FROM till", database) == "1",
                seconds=120,
                what="transfers",
            )
            yield
        finally:
            case.server.sql("INSERT INTO control VALUES (1)", database)
    assert [session.returncode for session in sessions] == [0, 0]


def read(stream: DumpStream) -> bytes:
    with stream.open(Interrupt()) as reader:
        return b"".join(iter(reader.read, b""))


@contextmanager
def begun(job: DumpJob) -> Iterator[tuple[Dump, list[DumpStream]]]:
    """A dump whose first stream was read, so that its snapshot is taken, and its other streams."""
    with ENGINE.open(job, Interrupt()) as opened:
        assert len(opened.streams) > 4
        read(opened.streams[0])
        yield opened, list(opened.streams[1:])


def finish(opened: Dump, streams: list[DumpStream]) -> None:
    """Read these streams, and prove all of them."""
    for stream in streams:
        read(stream)
    for stream in opened.streams:
        stream.metadata()


def sums(dumped: bytes) -> dict[str, tuple[int, int]]:
    """How many rows each table has, and the sum of their amounts."""
    found: dict[str, tuple[int, int]] = {}
    for table in ("accounts", "savings", "till"):
        head = rb"INSERT INTO `%b` VALUES\s(.*?);\n" % table.encode()
        statements = re.findall(head, dumped, re.DOTALL)
        rows = [row for text in statements for row in _ROW.findall(text)]
        found[table] = (len({row[0] for row in rows}), sum(int(row[1]) for row in rows))
        assert len(rows) == found[table][0]
    return found


def sessions(case: Case, database: str, condition: str = "1=1") -> list[str]:
    """The numbers of the sessions of a database that a condition is true of."""
    return case.server.sql(
        "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() "
        f"AND db = '{database}' AND {condition}"
    ).splitlines()


@pytest.mark.timeout(6000)
@pytest.mark.parametrize("case", ["mysql-5.7", "mysql-8.0", "mariadb-11.4"], indirect=True)
def test_money_is_neither_made_nor_lost(case: Case, bank: str) -> None:
    moments = set()
    with transfers(case, bank):
        for _ in range(_DUMPS):
            with ENGINE.open(case.job(bank, **SEVERAL), Interrupt()) as opened:
                dumped = b"".join(read(stream) for stream in opened.streams)
                for stream in opened.streams:
                    stream.metadata()
            found = sums(dumped)
            assert {table: rows for table, (rows, _) in found.items()} == {
                "accounts": _ACCOUNTS,
                "savings": 2000,
                "till": 1,
            }
            assert sum(amount for _, amount in found.values()) == _TOTAL
            moments.add(found["till"][1])
    # They were written to all the time.
    assert len(moments) == _DUMPS


@pytest.mark.parametrize("case", ["mysql-8.0", "mariadb-11.4"], indirect=True)
def test_one_moment_in_all_sessions(case: Case, bank: str) -> None:
    with begun(case.job(bank, **SEVERAL)) as (_, streams):
        rows = [stream for stream in streams if stream.part[0].startswith("2-rows")]
        waiting = sessions(case, bank, "state = 'User lock'")
        assert len(waiting) == len(rows) >= 3
        # The server's own list of transactions has each, and nobody is locked out any more.
        known = case.server.sql(
            "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx "
            "WHERE trx_isolation_level = 'REPEATABLE READ'"
        ).splitlines()
        assert set(waiting) <= set(known)
        case.server.sql(
            "UPDATE accounts SET balance = 0; UPDATE savings SET balance = 0; DELETE FROM till",
            bank,
        )
        found = sums(b"".join(map(read, rows)))
        assert found == {
            "accounts": (_ACCOUNTS, _START * _ACCOUNTS),
            "savings": (2000, _START * 2000),
            "till": (1, 0),
        }
        # With its last rows, no session is left.
        assert sessions(case, bank) == []


@pytest.mark.parametrize("case", ["mysql-8.0", "mariadb-11.4"], indirect=True)
def test_a_session_that_is_killed(case: Case, bank: str) -> None:
    with begun(case.job(bank, **SEVERAL)) as (_, streams):
        [victim, *_] = sessions(case, bank, "state = 'User lock'")
        case.server.sql(f"KILL {victim}")
        with pytest.raises(SourceFailedError, match=r"Lost conn|interrupted|killed|terminated"):
            b"".join(map(read, streams))
    wait_until(lambda: not sessions(case, bank), seconds=60, what="no session that is left")


@pytest.mark.parametrize("case", ["mysql-8.0", "mariadb-11.4"], indirect=True)
def test_the_session_that_locked_is_not_needed_any_more(case: Case, bank: str) -> None:
    with begun(case.job(bank, **SEVERAL)) as (opened, streams):
        [holder] = sessions(case, bank, "command = 'Sleep'")
        case.server.sql(f"KILL {holder}; UPDATE accounts SET balance = 0", bank)
        found = sums(b"".join(map(read, streams)))
        assert found["accounts"] == (_ACCOUNTS, _START * _ACCOUNTS)
        opened.streams[0].metadata()


@pytest.mark.parametrize("case", ["mysql-8.0", "mariadb-11.4"], indirect=True)
@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE savings ADD c INT",
        "ALTER TABLE savings MODIFY balance BIGINT",
        "DROP TABLE savings",
    ],
)
def test_a_table_that_is_changed_meanwhile(case: Case, bank: str, change: str) -> None:
    with begun(case.job(bank, **SEVERAL)) as (opened, streams):
        for stream in streams:
            read(stream)
        case.server.sql(change, bank)
        with pytest.raises(SourceFailedError, match="'savings'"):
            [stream.metadata() for stream in opened.streams]


@pytest.mark.parametrize("case", ["mysql-8.0", "mariadb-11.4"], indirect=True)
def test_a_table_that_is_changed_before_it_is_read(case: Case, bank: str) -> None:
    # Both in one share, of which the larger one is read first.
    case.server.sql("CREATE TABLE small (id INT PRIMARY KEY); INSERT INTO small VALUES (1)", bank)
    for change in ("ALTER TABLE till ADD c INT", "TRUNCATE TABLE till", "DROP TABLE till"):
        with begun(case.job(bank, **SEVERAL)) as (opened, streams):
            [share] = [one for one in streams if "till" in one.metadata().get("tables", ())]
            tables = share.metadata()["tables"]
            victim = tables[-1]
            assert victim != tables[0]
            case.server.sql(change.replace("till", victim), bank)
            # Where the server's own checks pass it, ours does not.
            with pytest.raises(SourceFailedError, match=victim):
                finish(opened, streams)


@pytest.mark.parametrize("case", ["mysql-8.0", "mariadb-11.4"], indirect=True)
def test_a_table_that_is_dropped_before_the_lock(case: Case, bank: str) -> None:
    with ENGINE.open(case.job(bank, **SEVERAL), Interrupt()) as opened:
        case.server.sql("DROP TABLE till", bank)
        for stream in opened.streams[:2]:
            with pytest.raises(SourceFailedError, match="till"):
                read(stream)
    assert sessions(case, bank) == []


def test_an_open_transaction_is_waited_for(case: Case, bank: str) -> None:
    found: list[bytes | KsnapshotError] = []

    def work() -> None:
        try:
            with ENGINE.open(case.job(bank, **SEVERAL), Interrupt()) as opened:
                found.append(b"".join(map(read, opened.streams)))
        except KsnapshotError as error:
            found.append(error)

    waits = "state LIKE 'Waiting for % lock' AND info LIKE 'LOCK TABLES%'"
    change = "START TRANSACTION; UPDATE till SET amount = 7"
    with locked(case.server, bank, change):
        thread = threading.Thread(target=work)
        thread.start()
        wait_until(lambda: sessions(case, bank, waits), seconds=60, what="a lock that is awaited")
    # The session that ends takes its changes back.
    thread.join()
    [dumped] = found
    assert isinstance(dumped, bytes)
    assert sums(dumped)["till"] == (1, 0)


@pytest.mark.parametrize("case", ["mysql-8.0", "mariadb-11.4"], indirect=True)
def test_a_lock_that_is_waited_for_in_vain(
    case: Case, bank: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (programs, snapshot):
        monkeypatch.setattr(module, "LOCK_WAIT_SECONDS", 0)
    monkeypatch.setattr(snapshot, "_LOCK_SECONDS", 1)
    with (
        locked(case.server, bank, "START TRANSACTION; UPDATE till SET amount = 7"),
        ENGINE.open(case.job(bank, **SEVERAL), Interrupt()) as opened,
        pytest.raises(SourceFailedError, match="may be held by session"),
    ):
        read(opened.streams[0])


@pytest.mark.parametrize("case", ["mysql-8.0", "mariadb-11.4"], indirect=True)
def test_the_session_that_locks_is_killed(case: Case, bank: str) -> None:
    found: list[KsnapshotError] = []

    def work() -> None:
        with ENGINE.open(case.job(bank, **SEVERAL), Interrupt()) as opened:
            try:
                read(opened.streams[0])
            except KsnapshotError as error:
                found.append(error)

    waits = "state LIKE 'Waiting for % lock' AND info LIKE 'LOCK TABLES%'"
    with locked(case.server, bank, "START TRANSACTION; UPDATE till SET amount = 7"):
        thread = threading.Thread(target=work)
        thread.start()
        wait_until(lambda: sessions(case, bank, waits), seconds=60, what="a lock that is awaited")
        [victim] = sessions(case, bank, waits)
        case.server.sql(f"KILL {victim}")
        thread.join()
    [error] = found
    assert isinstance(error, SourceFailedError)
