"""Dumps by several streams where something happens meanwhile: one moment, or a clear failure."""

import contextlib
import os
import random
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace

import pytest

from dumpers.contract.connection import RestoredSource
from dumpers.engines.postgresql.engine import open_dump
from dumpers.engines.protocol import Dump, StoredDump
from dumpers.runtime.errors import ExitCode, KsnapshotError, SourceFailedError, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.postgresql.parted import parts
from tests.integration.dumpers.postgresql.test_survey import holding
from tests.integration.dumpers.postgresql.worlds import LOGIN, connection, lead_to
from tests.testbed.databases import pgbouncer
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper
from tests.testbed.proxies.faults import Slow
from tests.testbed.proxies.tcp_faults import TcpProxy
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.processes import wait_until

# Two tables that are cut, one that is not, and a small one, of which pg_dump takes care.
BANK = """
CREATE TABLE accounts (id int PRIMARY KEY, balance int, filler text);
CREATE TABLE savings (id int PRIMARY KEY, balance int, filler text);
INSERT INTO accounts SELECT g, 100, repeat('.', 80) FROM generate_series(1, 40000) g;
INSERT INTO savings SELECT * FROM accounts;
CREATE TABLE middling AS SELECT * FROM accounts LIMIT 9000;
CREATE TABLE till (id int PRIMARY KEY, balance int);
INSERT INTO till VALUES (1, 0);
ANALYZE;
"""
TOTAL = 2 * 40_000 * 100
SLOW = Slow(bytes_per_second=400_000)
SESSIONS = """FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'ksnapshot%'"""
# The server may be through while psql still reads.
READING = f"SELECT count(*) {SESSIONS} AND query LIKE 'COPY (SELECT%'"
_HOLDER = f"""SELECT pg_terminate_backend(pid) FROM (
  SELECT pid {SESSIONS} AND application_name = 'ksnapshot'
  ORDER BY backend_start LIMIT 1) AS q"""
_WORKER = f"""SELECT pg_terminate_backend(pid) FROM (
  SELECT pid {SESSIONS} AND query LIKE 'COPY (SELECT%' LIMIT 1) AS q"""


@pytest.fixture
def bank(postgres: PostgresServer, database: str) -> str:
    postgres.psql(BANK, database)
    return database


@pytest.fixture
def slow(dumper: Dumper, postgres: PostgresServer) -> Iterator[TcpProxy]:
    """A proxy that lets each of the dumper's connections read a little at a time, until cleared."""
    with TcpProxy(postgres.host, postgres.port) as proxy:
        proxy.set(SLOW)
        dumper.env["POSTGRESQL_PORT"] = str(proxy.port)
        yield proxy


def reading(server: PostgresServer, database: str, count: int = 1) -> None:
    """Wait until so many sessions of a dump read ranges of tables."""
    wait_until(
        lambda: int(server.psql(READING, database)) >= count,
        seconds=60,
        what="sessions that read",
    )


@contextlib.contextmanager
def in_background(work: Callable[[threading.Event], object]) -> Iterator[None]:
    """Somebody else's work, until this is left."""
    stop = threading.Event()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work(stop)
        except BaseException as error:  # noqa: BLE001  raised in the test
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert not errors, errors


def transfers(
    server: PostgresServer, database: str, seed: int
) -> Callable[[threading.Event], object]:
    """Moves money between all of the tables, in transactions, and makes and ends accounts."""
    chance = random.Random(seed)

    def one() -> str:
        tables = [chance.choice(("accounts", "savings", "till")) for _ in range(2)]
        places = [1 if name == "till" else chance.randrange(1, 40_001) for name in tables]
        amount = chance.randrange(1, 50)
        moves = [
            f"UPDATE {name} SET balance = balance + {sign * amount} WHERE id = {place};"
            for name, place, sign in zip(tables, places, (1, -1), strict=True)
        ]
        number = chance.randrange(50_000, 1 << 30)
        made = f"INSERT INTO savings VALUES ({number}, 0, 'new') ON CONFLICT DO NOTHING;"
        return f"BEGIN;{''.join(moves)}{made}COMMIT;"

    def work(stop: threading.Event) -> None:
        while not stop.is_set():
            server.psql("\n".join(one() for _ in range(40)), database)

    return work


def balances(pieces: list[StoredDump]) -> dict[str, int]:
    """The sum of the second column of each table, over all objects of a dump."""
    found: dict[str, int] = {}
    for piece in pieces:
        with piece.open() as reader:
            sql = b"".join(iter(lambda: reader.read(1 << 20), b"")).decode()
        for name, rows in re.findall(
            r"^COPY public\.(\w+) \([^)]*\) FROM stdin;\n(.*?)^\\\.$", sql, re.DOTALL | re.MULTILINE
        ):
            values = [int(row.split("\t")[1]) for row in rows.splitlines()]
            found[name] = found.get(name, 0) + sum(values)
    return found


def turns() -> list[int]:
    """Seeds of what is written meanwhile."""
    if os.environ.get("KSNAPSHOT_FAULTS") == "all":
        return list(range(100))
    seed = int(os.environ.get("KSNAPSHOT_FAULT_SEED", "7"))
    return [seed, seed + 1]


@pytest.mark.parametrize("seed", turns())
def test_no_money_is_lost_under_write_load(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, bank: str, seed: int
) -> None:
    streams = random.Random(seed).randrange(2, 6)
    with in_background(transfers(postgres, bank, seed)):
        ended = dumper.run(KSNAPSHOT_PARALLELISM=str(streams))
    pieces = parts(s3, bucket, ended)
    assert len(pieces) > 8
    found = balances(pieces)
    assert set(found) == {"accounts", "savings", "middling", "till"}
    assert sum(found.values()) - found["middling"] == TOTAL


def test_all_sessions_have_one_snapshot(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, bank: str, slow: TcpProxy
) -> None:
    with in_background(transfers(postgres, bank, 1)):
        dumper.start(KSNAPSHOT_PARALLELISM="3")
        reading(postgres, bank, 3)
        [held] = postgres.psql(
            f"SELECT count(*), count(DISTINCT backend_xmin::text) {SESSIONS} "
            "AND backend_xmin IS NOT NULL",
            bank,
        ).splitlines()
        slow.clear()
        ended = dumper.wait()
    sessions, snapshots = map(int, held.split("|"))
    # One holds it, three read.
    assert sessions >= 4
    assert snapshots == 1
    found = balances(parts(s3, bucket, ended))
    assert sum(found.values()) - found["middling"] == TOTAL
    assert postgres.psql(f"SELECT count(*) {SESSIONS}", bank) == "0"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (_WORKER, "terminating connection due to administrator command"),
        (_HOLDER, "the session that held the snapshot of"),
    ],
    ids=["who reads", "who holds the snapshot"],
)
def test_a_session_that_is_ended_fails_the_run(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    postgres: PostgresServer,
    bank: str,
    slow: TcpProxy,
    statement: str,
    said: str,
) -> None:
    dumper.start(KSNAPSHOT_PARALLELISM="2")
    reading(postgres, bank, 2)
    assert postgres.psql(statement, bank) == "t"
    slow.clear()
    ended = dumper.wait()
    assert ended.exit_code == ExitCode.SOURCE_FAILED, ended.log
    assert said in ended.result.message
    assert not [key for key in s3.objects(bucket) if key.endswith("manifest.json")]
    assert not s3.uploads(bucket)
    assert dumper.run(KSNAPSHOT_PARALLELISM="2").exit_code == ExitCode.DONE


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE accounts ADD COLUMN more int DEFAULT 3",
        "DROP TABLE savings",
        "TRUNCATE savings",
        "ALTER TABLE till RENAME TO box",
    ],
)
def test_changes_of_tables_wait_for_the_end(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    postgres: PostgresServer,
    bank: str,
    slow: TcpProxy,
    statement: str,
) -> None:
    dumper.start(KSNAPSHOT_PARALLELISM="2")
    reading(postgres, bank, 2)
    with in_background(lambda _stop: postgres.psql(statement, bank)):
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        wait_until(
            lambda: postgres.psql(waiting, bank) == "1", seconds=30, what="a statement that waits"
        )
        slow.clear()
        ended = dumper.wait()
    found = balances(parts(s3, bucket, ended))
    assert found["accounts"] == found["savings"] == TOTAL // 2
    assert found["till"] == 0


@contextlib.contextmanager
def opened(
    server: PostgresServer,
    database: str,
    lanes: int,
    options: str = "",
    port: int = 0,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Dump]:
    login = connection(server, database)
    source = RestoredSource(
        connection=replace(login, port=port or login.port),
        options={
            "KSNAPSHOT_PARALLELISM": str(lanes),
            "KSNAPSHOT_GLOBALS": "false",
            "PG_DUMP_OPTIONS": options,
            **(settings or {}),
        },
        numbers={},
    )
    with open_dump(source, Interrupt()) as dump:
        yield dump


def read(dump: Dump) -> dict[str, bytes]:
    """What all streams hold, one after the other, by their parts."""
    found = {}
    for stream in dump.streams:
        with stream.open(Interrupt()) as reader:
            found["/".join(stream.part)] = b"".join(iter(lambda: reader.read(1 << 20), b""))
    return found


def test_tables_that_change_before_the_snapshot(postgres: PostgresServer, bank: str) -> None:
    with opened(postgres, bank, 2) as dump:
        assert len(dump.streams) > 8
        postgres.psql(
            "DROP TABLE savings; ALTER TABLE accounts RENAME TO people;"
            "ALTER TABLE people DROP COLUMN filler; CREATE TABLE newer AS SELECT 7 AS i",
            bank,
        )
        found = read(dump)
    sql = b"".join(found.values())
    assert b"savings" not in sql
    assert sql.count(b"COPY public.people (id, balance) FROM stdin;") > 2
    assert b"COPY public.newer (i) FROM stdin;\n7\n\\.\n" in found["2-data-0000"]
    assert b"COPY public.people" not in found["2-data-0000"]


def test_all_tables_are_dropped_before_the_snapshot(postgres: PostgresServer, bank: str) -> None:
    with opened(postgres, bank, 2) as dump:
        postgres.psql("DROP TABLE savings, accounts, middling, till", bank)
        found = read(dump)
    assert len(found) == len(dump.streams) > 8
    assert all(data.endswith(b"\n\n") for data in found.values())
    assert b"COPY" not in b"".join(found.values())


def test_a_table_that_somebody_holds_is_waited_for_and_told(
    postgres: PostgresServer, bank: str
) -> None:
    locked = "LOCK TABLE savings IN ACCESS EXCLUSIVE MODE"
    with (
        opened(postgres, bank, 2, "--lock-wait-timeout=1s") as dump,
        holding(postgres, bank, locked),
        pytest.raises(SourceFailedError, match=r"public\.savings is locked by pid .*migration"),
    ):
        read(dump)
    with opened(postgres, bank, 2, "--lock-wait-timeout=1s") as dump:
        assert len(read(dump)) == len(dump.streams)


def test_options_of_pg_dump_count_for_all_parts(postgres: PostgresServer, bank: str) -> None:
    role = f"reader_{bank}"
    postgres.psql(
        f"CREATE ROLE {role}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};"
        "ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY few ON accounts FOR SELECT USING (id <= 100);",
        bank,
    )
    try:
        options = f"--role={role} --enable-row-security --quote-all-identifiers"
        with opened(postgres, bank, 2, f"{options} --exclude-table-data=savings") as dump:
            found = read(dump)
        with (
            pytest.raises(KsnapshotError, match="row-level security"),
            opened(postgres, bank, 2, f"--role={role}") as dump,
        ):
            read(dump)
    finally:
        postgres.psql(f"DROP OWNED BY {role}; DROP ROLE {role}", bank)
    sql = b"".join(found.values())
    heads = set(re.findall(rb"^COPY .* FROM stdin;$", sql, re.MULTILINE))
    assert heads == {
        b'COPY "public"."accounts" ("id", "balance", "filler") FROM stdin;',
        b'COPY "public"."middling" ("id", "balance", "filler") FROM stdin;',
        b'COPY "public"."till" ("id", "balance") FROM stdin;',
    }
    assert sql.count(b"\t100\t") == 100 + 9000
    assert b"SET row_security = on;" in found["2-data-0001"]


def test_too_few_connections(dumper: Dumper) -> None:
    with postgres_testbed.start(options={"max_connections": "12"}) as server:
        lead_to(dumper, server)
        dumper.env["POSTGRESQL_DATABASE"] = server.create_database("bank")
        server.psql(BANK, "bank")
        never = dumper.run(KSNAPSHOT_PARALLELISM="64")
        assert never.exit_code == ExitCode.SOURCE_REFUSED
        assert "needs up to 17 connections at a time, and the server has 12" in never.result.message
        with ExitStack() as held:
            for _ in range(8):
                held.enter_context(holding(server, "postgres", "SET jit = off"))
            busy = dumper.run(KSNAPSHOT_PARALLELISM="2")
        assert busy.exit_code == ExitCode.SOURCE_FAILED
        assert "of the server's 12 are 4 left" in busy.result.message
        server.psql(f"CREATE ROLE narrow LOGIN PASSWORD '{LOGIN}' CONNECTION LIMIT 2")
        server.psql("GRANT pg_read_all_data TO narrow")
        few = dumper.run(
            KSNAPSHOT_PARALLELISM="2", POSTGRESQL_USERNAME="narrow", POSTGRESQL_PASSWORD=LOGIN
        )
        assert few.exit_code == ExitCode.SOURCE_REFUSED
        assert "and the role has 2: ALTER ROLE" in few.result.message
        assert dumper.run(KSNAPSHOT_PARALLELISM="2").exit_code == ExitCode.DONE


def test_a_standby(dumper: Dumper, s3: S3Server, bucket: str) -> None:
    with postgres_testbed.start() as primary:
        primary.create_database("bank")
        primary.psql(BANK, "bank")
        with postgres_testbed.start_standby(primary) as standby:
            lead_to(dumper, standby)
            ended = dumper.run(KSNAPSHOT_PARALLELISM="3", POSTGRESQL_DATABASE="bank")
            pieces = parts(s3, bucket, ended)
    assert len(pieces) > 8
    assert balances(pieces)["accounts"] == TOTAL // 2


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_pooler_is_refused_unless_it_keeps_sessions(
    postgres: PostgresServer, bank: str, mode: str
) -> None:
    with pgbouncer.start(postgres, mode=mode) as port:
        if mode == "session":
            with opened(postgres, bank, 2, port=port) as dump:
                assert sum(b"COPY public.till" in data for data in read(dump).values()) == 1
            return
        with (
            pytest.raises(SourceRefusedError, match="poolers have it that hand one out"),
            opened(postgres, bank, 2, port=port) as dump,
        ):
            read(dump)


def test_servers_behind_a_balancer_are_refused(postgres: PostgresServer, bank: str) -> None:
    class Balancer(TcpProxy):
        def _serve(self, client: object) -> None:
            self.upstream, self.other = self.other, self.upstream
            super()._serve(client)  # type: ignore[arg-type]

        other = (postgres.host, postgres.port)

    with postgres_testbed.start() as second:
        second.create_database(bank)
        second.psql(BANK, bank)
        second.psql(f"ALTER ROLE postgres PASSWORD '{postgres.password}'")
        with (
            Balancer(second.host, second.port) as balancer,
            pytest.raises(SourceRefusedError, match="so it came to another server"),
            opened(postgres, bank, 2, port=balancer.port) as dump,
        ):
            read(dump)


def test_databases_one_after_the_other(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, bank: str, copy: str
) -> None:
    postgres.psql("CREATE TABLE t AS SELECT generate_series(1, 90000) AS i; ANALYZE", copy)
    ended = dumper.run(
        KSNAPSHOT_PARALLELISM="2", KSNAPSHOT_DATABASES=f"{bank},{copy}", KSNAPSHOT_GLOBALS=""
    )
    pieces = parts(s3, bucket, ended)
    assert {piece.name for piece in pieces} == {bank, copy}
    keys = [key.rpartition("/")[2] for key in ended.result.keys if "/dump-" in key]
    assert any(key == "1-pre-data.sql.gz" for key in keys)
    assert subprocess.list2cmdline(keys).count("globals.sql.gz") == 1
