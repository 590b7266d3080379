"""Dumps by several streams of tables that somebody changes while they begin, or has chosen."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from dumpers.engines.postgresql.catalog.patterns import parse_pattern, quote_patterns
from dumpers.engines.postgresql.catalog.server import ask_server
from dumpers.engines.postgresql.choice import Choice, Tables, as_told
from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.parallel.holding import Wanted, hold
from dumpers.engines.protocol import Dump
from dumpers.runtime.errors import ExitCode, SourceFailedError, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.postgresql.test_parallel_faults import (
    SLOW,
    TOTAL,
    bank,
    in_background,
    opened,
    read,
)
from tests.integration.dumpers.postgresql.test_survey import holding
from tests.integration.dumpers.postgresql.worlds import LOGIN, connection, load
from tests.testbed.databases import pgbouncer
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper
from tests.testbed.proxies.tcp_faults import TcpProxy
from tests.testbed.toolchain.processes import wait_until

__all__ = ["bank"]

_WAITING = """SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '{}%'"""


def waits(server: PostgresServer, database: str, statement: str) -> None:
    """Wait until a session waits for a lock by such a statement."""
    wait_until(
        lambda: server.psql(_WAITING.format(statement), database) != "0",
        seconds=60,
        what=f"a {statement} that waits",
    )


@pytest.mark.parametrize(
    ("settings", "change", "gone"),
    [
        ({"KSNAPSHOT_TABLES": "savings,till"}, "ALTER TABLE savings RENAME TO old", "old"),
        (
            {"KSNAPSHOT_EXCLUDE_TABLES": "middling,*_old"},
            "ALTER TABLE savings RENAME TO savings_old",
            "savings_old",
        ),
        (
            {"KSNAPSHOT_SCHEMAS": "public"},
            "CREATE SCHEMA past; ALTER TABLE savings SET SCHEMA past",
            "savings",
        ),
        (
            {"KSNAPSHOT_TABLES": "years,till"},
            "ALTER TABLE years DETACH PARTITION year",
            "year",
        ),
        (
            {"PG_DUMP_OPTIONS": "--exclude-table-data=*_old"},
            "ALTER TABLE savings RENAME TO savings_old",
            "savings_old",
        ),
    ],
    ids=["named", "left out", "schema", "partition", "rows left out"],
)
def test_a_table_that_leaves_the_choice_before_the_snapshot_leaves_its_rows(
    postgres: PostgresServer,
    bank: str,
    copy: str,
    settings: dict[str, str],
    change: str,
    gone: str,
) -> None:
    postgres.psql(
        "CREATE TABLE years (id int, balance int, filler text) PARTITION BY RANGE (id);"
        "CREATE TABLE year PARTITION OF years FOR VALUES FROM (1) TO (50000);"
        "INSERT INTO years SELECT * FROM savings; ANALYZE",
        bank,
    )
    with opened(postgres, bank, 2, settings=settings) as dump:
        assert len(dump.streams) > 5
        postgres.psql(change, bank)
        found = read(dump)
    sql = b"".join(data for _, data in sorted(found.items()))
    assert f".{gone} (id, balance, filler) FROM stdin;".encode() not in sql
    assert b"COPY public.till" in sql
    if "KSNAPSHOT_SCHEMAS" in settings:
        postgres.psql("DROP SCHEMA public", copy)
    load(postgres, sql, copy)


@pytest.mark.parametrize(("major", "names"), [(15, {"second"}), (16, {"past", "second"})])
def test_rows_of_a_partition_are_read_where_pg_dump_is_told_of_it(
    postgres: PostgresServer, database: str, major: int, names: set[str]
) -> None:
    postgres.psql(
        "CREATE TABLE years (id int) PARTITION BY RANGE (id);"
        "CREATE TABLE first PARTITION OF years FOR VALUES FROM (1) TO (2);"
        "CREATE TABLE second PARTITION OF years FOR VALUES FROM (2) TO (3)",
        database,
    )
    oids = postgres.psql("SELECT inhrelid FROM pg_inherits ORDER BY 1", database)
    # As the survey names them to a pg_dump that has no option for a table's children.
    added = [
        f"--table={one}" for one in quote_patterns([("public", "first"), ("public", "second")])
    ]
    postgres.psql("ALTER TABLE first RENAME TO past", database)
    session = Session(
        connection=connection(postgres, database), folder=postgres_testbed.bin_folder()
    )
    chosen = Choice(tables=Tables(with_children=(parse_pattern("years"),)))
    wanted = Wanted(
        session=session,
        choice=as_told(chosen, added, major=major),
        server=ask_server(session, Interrupt()),
        oids=[int(oid) for oid in oids.splitlines()],
        lock_seconds=10,
        encoding="UTF8",
    )
    with ExitStack() as opened_:
        holder, held = hold(wanted, opened_, Interrupt())
        holder.finish()
    assert {table.name for table in held.tables.values()} == names
    assert set(held.locked) == {"public.years", *(f"public.{name}" for name in names)}


@contextmanager
def committing(server: PostgresServer, database: str, script: str) -> Iterator[threading.Event]:
    """A transaction that has made a script, and ends well once the event is set."""
    commit = threading.Event()
    session = subprocess.Popen(
        [postgres_testbed.client("psql"), "--no-psqlrc", "--quiet", "-At", database],
        env={**os.environ, **server.env(database)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert session.stdin is not None
    assert session.stdout is not None
    session.stdin.write(f"BEGIN; {script}; SELECT 'made';\n")
    session.stdin.flush()
    assert session.stdout.readline() == "made\n"

    def end(_stop: threading.Event) -> None:
        commit.wait()
        session.communicate("COMMIT;\n")

    try:
        with in_background(end):
            try:
                yield commit
            finally:
                commit.set()
    finally:
        session.wait()


@pytest.mark.parametrize(
    "script",
    [
        "TRUNCATE savings; INSERT INTO savings SELECT * FROM accounts",
        "ALTER TABLE savings ALTER balance TYPE bigint",
        # Another table by the name that was listed.
        "ALTER TABLE savings RENAME TO spent; CREATE TABLE savings AS TABLE accounts",
        "DROP TABLE savings; CREATE TABLE saved AS TABLE accounts",
    ],
    ids=["filled anew", "rewritten", "another", "gone"],
)
def test_what_is_in_a_transaction_when_the_dump_begins_is_whole_in_it(
    postgres: PostgresServer, bank: str, script: str
) -> None:
    with opened(postgres, bank, 2) as dump, committing(postgres, bank, script) as commit:
        found: dict[str, bytes] = {}
        with in_background(lambda _stop: found.update(read(dump))):
            waits(postgres, bank, "LOCK TABLE")
            commit.set()
    sql = b"".join(found.values())
    # Both that are cut, and the one of which there are rows of nine thousand.
    assert sql.count(b"\t100\t") == TOTAL // 100 + 9000 + (40_000 if b"spent" in sql else 0)


def read_definitions(dump: Dump) -> None:
    """Read the first object, by which the snapshot is taken."""
    with dump.streams[0].open(Interrupt()) as reader:
        while reader.read(1 << 20):
            pass


def rows_of(dump: Dump) -> bytes:
    """The first object of rows by COPY."""
    [one] = [stream for stream in dump.streams if stream.part == ("2-data-0001",)]
    with one.open(Interrupt()) as reader:
        return b"".join(iter(lambda: reader.read(1 << 20), b""))


@pytest.fixture
def policed(postgres: PostgresServer, bank: str) -> Iterator[str]:
    """A role that sees accounts by a policy which reads another table."""
    role = f"reader_{bank}"
    postgres.psql(
        f"CREATE ROLE {role}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};"
        "ALTER TABLE accounts ENABLE ROW LEVEL SECURITY; ALTER TABLE savings ENABLE ROW LEVEL "
        "SECURITY;"
        "CREATE POLICY few ON accounts FOR SELECT USING (EXISTS (SELECT FROM till));"
        "CREATE POLICY few ON savings FOR SELECT USING (EXISTS (SELECT FROM till));",
        bank,
    )
    yield f"--role={role} --enable-row-security"
    postgres.psql(f"DROP OWNED BY {role}; DROP ROLE {role}", bank)


def test_a_change_of_what_a_policy_reads_waits_for_the_end(
    postgres: PostgresServer, bank: str, policed: str
) -> None:
    change = "ALTER TABLE till ADD COLUMN more int"
    with ExitStack() as behind, opened(postgres, bank, 2, policed) as dump:
        read_definitions(dump)
        behind.enter_context(in_background(lambda _stop: postgres.psql(change, bank)))
        waits(postgres, bank, "ALTER TABLE")
        assert rows_of(dump).count(b"\t100\t") > 1000


def test_what_only_a_policy_reads_is_not_waited_for_for_ever(
    postgres: PostgresServer, bank: str, policed: str
) -> None:
    options = f"{policed} --lock-wait-timeout=1s"
    without = {"KSNAPSHOT_EXCLUDE_TABLES": "till"}
    with opened(postgres, bank, 2, options, settings=without) as dump:
        read_definitions(dump)
        with (
            holding(postgres, bank, "LOCK TABLE till IN ACCESS EXCLUSIVE MODE"),
            pytest.raises(SourceFailedError, match=r"public\.till is locked by pid .*migration"),
        ):
            rows_of(dump)


@pytest.mark.parametrize("options", ["", "--quote-all-identifiers"])
def test_names_in_values_are_written_as_the_drill_reads_them(
    postgres: PostgresServer, bank: str, options: str
) -> None:
    postgres.psql(
        "CREATE TABLE links AS SELECT 'accounts'::regclass AS r, repeat('.', 80) AS filler "
        f"FROM accounts; ALTER DATABASE {bank} SET quote_all_identifiers = "
        f"{'off' if options else 'on'}; ANALYZE",
        bank,
    )
    with opened(postgres, bank, 2, options) as dump:
        sql = b"".join(data for part, data in read(dump).items() if part > "2-data-0000")
    name = b'"public"."accounts"' if options else b"public.accounts"
    assert sql.count(b"\n" + name + b"\t.") == 40_000


def test_many_databases_keep_to_the_connections_that_were_asked_for(
    dumper: Dumper, postgres: PostgresServer, database: str
) -> None:
    names = [f"{database}_{number}" for number in range(6)]
    role = f"few_{database}"
    # Each snapshot has one session that holds it and two that read, two of them at a time; four
    # pg_dump and one that asks.
    postgres.psql(f"CREATE ROLE {role} LOGIN PASSWORD '{LOGIN}' CONNECTION LIMIT 11")
    try:
        for name in names:
            postgres.create_database(name)
            postgres.psql(
                "CREATE TABLE large AS SELECT g, repeat('.', 80) FROM generate_series(1, 15000) g;"
                "CREATE TABLE rest AS SELECT g, repeat('.', 80) FROM generate_series(1, 8000) g;"
                f"GRANT SELECT ON large, rest TO {role}; ANALYZE",
                name,
            )
        with TcpProxy(postgres.host, postgres.port) as proxy:
            proxy.set(SLOW)
            ended = dumper.run(
                KSNAPSHOT_PARALLELISM="4",
                KSNAPSHOT_DATABASES=",".join(names),
                KSNAPSHOT_GLOBALS="false",
                POSTGRESQL_PORT=str(proxy.port),
                POSTGRESQL_USERNAME=role,
                POSTGRESQL_PASSWORD=LOGIN,
            )
        assert ended.exit_code == ExitCode.DONE, ended.log
        postgres.psql(f"ALTER ROLE {role} CONNECTION LIMIT 10")
        ended = dumper.run(
            KSNAPSHOT_PARALLELISM="4",
            KSNAPSHOT_DATABASES=",".join(names),
            KSNAPSHOT_GLOBALS="false",
            POSTGRESQL_USERNAME=role,
            POSTGRESQL_PASSWORD=LOGIN,
        )
        assert "needs up to 11 connections at a time, and the role has 10" in ended.result.message
    finally:
        for name in names:
            postgres.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        postgres.psql(f"DROP ROLE {role}")


def test_a_pooler_with_sessions_of_others_is_refused(postgres: PostgresServer, bank: str) -> None:
    # Each transaction has the next of these, as it would where others are busy with the rest.
    with pgbouncer.start(postgres, mode="transaction", in_turns=True) as port, ExitStack() as held:
        pooled = replace(postgres, port=port)
        for _ in range(4):
            held.enter_context(committing(pooled, bank, "SET LOCAL jit = off"))
        held.close()
        with (
            pytest.raises(SourceRefusedError, match="poolers have it that hand one out"),
            opened(postgres, bank, 2, port=port) as dump,
        ):
            read(dump)
