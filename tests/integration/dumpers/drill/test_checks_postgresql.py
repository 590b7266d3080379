"""Checks of a user's own, asked of real restored PostgreSQL servers."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from dumpers.contract.connection import Connection
from dumpers.contract.drill.checks import Check
from dumpers.engines.drilling.protocol import DrilledObject
from dumpers.engines.postgresql.engine import ENGINE
from dumpers.engines.postgresql.spec import SPEC
from dumpers.runs.drill.checking import ask_checks
from dumpers.runtime.errors import DrillServerFailedError, ExitCode
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.drill.test_postgresql import start
from tests.integration.dumpers.postgresql.worlds import lead_to
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.drilled_objects import drilled_objects, restore_into
from tests.testbed.driller import Drilled, Driller, drill_records
from tests.testbed.dumper import Dumper
from tests.testbed.stores.s3 import S3Server

SECRET = "of-nobody-else"
SCHEMA = f"""
CREATE SCHEMA app AUTHORIZATION owner;
CREATE TABLE app.people (id int PRIMARY KEY, name text, "isn't" bool DEFAULT false);
INSERT INTO app.people SELECT g, '{SECRET}' FROM generate_series(1, 100) g;
CREATE SEQUENCE app.counter;
CREATE FUNCTION app.tell() RETURNS bool LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'it is %', (SELECT min(name) FROM app.people); END $$;
CREATE FUNCTION app.tell_as(code text) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'it is %', (SELECT min(name) FROM app.people) USING ERRCODE = code;
END $$;
ALTER TABLE app.people OWNER TO owner; ALTER SEQUENCE app.counter OWNER TO owner;
"""
PASSING = (
    "SELECT true",
    "SELECT 2.5e-3, 'anything', NULL",
    "SELECT 'T'",
    "SELECT id FROM app.people",
    "VALUES (1), (-2)",
    "WITH found AS (SELECT count(*) AS n FROM app.people) SELECT n = 100 FROM found",
    "SELECT $$a;b'$$ <> '' /* not ended; */ -- here",
    r"SELECT '\! touch' <> '`touch`' AND ':name' <> ''",
    "SELECT current_setting('transaction_read_only') = 'on'",
    "SELECT repeat('x', 1000000) <> ''",
)
REFUSED = {
    "SELECT false": "gave false",
    "SELECT 0.00": "gave false",
    "SELECT NULL": "gave null",
    "SELECT": "gave what is neither true nor false",
    f"SELECT '{SECRET}'": "gave what is neither true nor false",
    "SELECT repeat('x', 1000000)": "gave what is neither true nor false",
    "SELECT true WHERE false": "gave no row",
    "SELECT i FROM (VALUES (1), (0)) t (i)": "gave false",
    "SELECT count(*) FROM nowhere": 'gave an error: relation "nowhere" does not exist (42P01)',
    "SELECT name::int FROM app.people": (
        "gave an error: the server says no more than 22P02 without values"
    ),
    "SELECT app.tell()": "gave an error: a function of the database raised an error (P0001)",
    "SELECT app.tell_as('42000')": (
        "gave an error: a function of the database raised an error (42000)"
    ),
    "SELECT to_tsquery('simple', name || ' x') FROM app.people": (
        "gave an error: syntax error in tsquery: '…' (42601)"
    ),
    "SELECT name::regclass FROM app.people": ("gave an error: relation '…' does not exist (42P01)"),
    "SELECT query_to_xml(name, false, false, '') FROM app.people": (
        "gave an error: a function of the database raised an error (42601)"
    ),
    "SELECT 1 / (id - 1) FROM app.people": (
        "gave an error: the server says no more than 22012 without values"
    ),
}
# Each with a pattern of the refusal, which releases write in several ways.
BREAKING_OUT = {
    "SELECT true; SELECT true": "multiple commands",
    "COMMIT; DROP TABLE app.people; SELECT true": "multiple commands",
    "COMMIT": "gave no row",
    "DELETE FROM app.people RETURNING true": "read-only",
    "SELECT nextval('app.counter')": "read-only|denied",
    "SELECT set_config('transaction_read_only', 'off', true) = 'off'": "read-write",
    "COPY (SELECT 1) TO PROGRAM 'touch {made}'": "denied|must be superuser",
    "COPY (SELECT 1) TO '{made}'": "denied|must be superuser",
    "COPY (SELECT 1) TO STDOUT": "COPY",
    "COPY app.people FROM STDIN": "read-only|denied",
    "SELECT pg_read_file('PG_VERSION') <> ''": "denied",
    "SELECT lo_import('/etc/hostname') > 0": "denied",
    "SELECT lo_export(1, '{made}') > 0": "denied",
    "SELECT pg_ls_dir('.') <> ''": "denied",
    "SELECT set_config('role', 'postgres', true) <> ''": "denied",
    "SET ROLE postgres": "denied",
    "SET SESSION AUTHORIZATION ksnapshot_drill": "denied",
    "RESET ROLE": "gave no row",
    "ALTER ROLE CURRENT_USER SUPERUSER": "read-only",
    r"\! touch {made}": "syntax error",
    r"\copy app.people to {made}": "syntax error",
    r"SELECT true \g {made}": "syntax error",
    "SELECT true\n\\! touch {made}\n": "syntax error",
    "SELECT `touch {made}`": "does not exist|syntax error",
    r"\if `touch {made}` SELECT true \endif": "syntax error",
}


@dataclass(kw_only=True)
class Restored:
    """A backup of two databases in a throwaway server; `made` is a file that nobody makes."""

    login: Connection
    objects: tuple[DrilledObject, ...]
    made: str

    def whys(self, database: str, *statements: str, seconds: int = 60) -> list[str]:
        """What each of the statements gives instead of true."""
        checks = [
            Check(number=number, sql=sql.replace("{made}", self.made), database=database)
            for number, sql in enumerate(statements, 1)
        ]
        found = ask_checks(ENGINE, self.login, self.objects, checks, Interrupt(), seconds=seconds)
        assert [verdict.number for verdict in found] == [check.number for check in checks]
        assert all(verdict.good is (not verdict.why) for verdict in found)
        return [verdict.why for verdict in found]


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[int], PostgresServer]]:
    """Servers to dump: `zoo` has an owner without rights, `second` a superuser's, `third` half."""
    running: dict[int, PostgresServer] = {}
    with ExitStack() as ending:

        def get(major: int) -> PostgresServer:
            if major not in running:
                server = ending.enter_context(postgres_testbed.start(major=major))
                server.psql(
                    "CREATE ROLE owner; CREATE ROLE reader; CREATE ROLE ksnapshot_check SUPERUSER;"
                    "GRANT pg_read_server_files TO reader"
                )
                owners = {"zoo": "owner", "second": "postgres", "third": "reader"}
                for database, owner in owners.items():
                    server.psql(f"CREATE DATABASE {database} OWNER {owner}")
                    server.psql(SCHEMA, database)
                server.psql("ALTER DATABASE zoo SET role = 'owner'")
                policy = (
                    "ALTER TABLE app.people ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
                )
                server.psql(policy, "second")
                running[major] = server
            return running[major]

        yield get


@pytest.fixture(params=(18, 13))
def restored(
    request: pytest.FixtureRequest,
    servers: Callable[[int], PostgresServer],
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Restored]:
    monkeypatch.setenv("PATH", str(postgres_testbed.bin_folder()), prepend=":")
    lead_to(dumper, servers(request.param))
    dumper.env.pop("KSNAPSHOT_GLOBALS")
    ended = dumper.run(POSTGRESQL_DATABASE="zoo", KSNAPSHOT_DATABASES="zoo,second,third")
    assert ended.exit_code == ExitCode.DONE, ended.log
    objects, _ = drilled_objects(s3, bucket, ended.result.record)
    folder = tmp_path_factory.mktemp("open")
    folder.chmod(0o777)
    with start(request.param) as server:
        login = restore_into(server, SPEC, ENGINE, objects)
        yield Restored(login=login, objects=objects, made=str(folder / "made"))
        assert not [*folder.iterdir()]


def test_what_holds_passes_and_what_does_not_is_told_without_data(restored: Restored) -> None:
    for database, user in {"zoo": "owner", "second": "ksnapshot_check_"}.items():
        own = (
            f"SELECT current_user = '{user}' AND session_user = '{user}' AND NOT rolsuper "
            "FROM pg_roles WHERE rolname = current_user"
        )
        assert restored.whys(database, *PASSING, own) == [""] * (len(PASSING) + 1)
        found = restored.whys(database, *REFUSED)
        assert dict(zip(REFUSED, found, strict=True)) == REFUSED
        assert SECRET not in str(found)
        with pytest.raises(DrillServerFailedError) as raised:
            restored.whys(database, "SELECT app.tell_as('53100')")
        assert "says 53100" in str(raised.value)
        assert SECRET not in str(raised.value)


def test_no_check_is_a_superuser_or_reaches_files_programs_and_clients(restored: Restored) -> None:
    for database in ("zoo", "second", "third"):
        found = restored.whys(database, *BREAKING_OUT)
        for (sql, pattern), why in zip(BREAKING_OUT.items(), found, strict=True):
            assert re.search(pattern, why), (database, sql, why)
        # Nothing was changed by any of them.
        assert restored.whys(database, "SELECT count(*) = 100 FROM app.people") == [""]


def test_which_database_is_asked_and_for_how_long(restored: Restored) -> None:
    [unclear, unknown] = [*restored.whys("", "SELECT true"), *restored.whys("x", "SELECT true")]
    assert "-- database: NAME" in unclear
    assert "no database of the name" in unknown
    sleeping = "SELECT pg_sleep(600) IS NOT NULL"
    assert restored.whys("zoo", sleeping, "SELECT true", seconds=1) == ["took longer than 1 s", ""]


@pytest.fixture
def drill(dumper: Dumper, postgres: PostgresServer, database: str) -> Callable[..., Drilled]:
    """Drills what the dumper has dumped with these checks, on a server of its own each.

    The reader is told that they are `wanted`.
    """
    postgres.psql("CREATE TABLE people (id int); INSERT INTO people VALUES (1), (2)", database)
    ended = dumper.run()
    assert ended.exit_code == ExitCode.DONE, ended.log

    def run(sql: str, wanted: int) -> Drilled:
        with start(18) as server:
            driller = Driller.of(dumper.env, engine="postgresql")
            driller.client_env |= {
                "POSTGRESQL_PORT": str(server.port),
                "KSNAPSHOT_DRILL_SQL": sql,
            }
            driller.reader_env |= {"KSNAPSHOT_DRILL_CHECKS": str(wanted)}
            try:
                return driller.run()
            finally:
                driller.close()

    return run


def test_a_drill_passes_with_its_checks_and_fails_by_one(
    drill: Callable[..., Drilled], s3: S3Server, bucket: str
) -> None:
    ended = drill("-- ours\nSELECT count(*) = 2\nFROM people;\nSELECT max(id) FROM people", 2)
    assert ended.reader.exit_code == ended.client.exit_code == ExitCode.DONE, ended.logs
    assert (ended.result.outcome, ended.result.checks, ended.result.checks_failed) == (
        "passed",
        2,
        0,
    )
    failed = drill("SELECT true;\nSELECT count(*) > 2 FROM people;\nSELECT x FROM people;", 3)
    assert failed.reader.exit_code == failed.client.exit_code == ExitCode.TARGET_REFUSED
    result = failed.result
    assert (result.outcome, result.reason) == ("failed", "DrillCheckFailed"), failed.logs
    assert "check 2 gave false; check 3 gave an error: column" in result.message
    assert (result.checks, result.checks_failed, result.differing) == (3, 2, 0)
    found = {name[: name.index("-2")]: record for name, record in drill_records(s3, bucket)}
    good, bad = found["drilled"], found["drill-failed"]
    assert [(item.number, item.good, item.why) for item in good.checks] == [
        (1, True, ""),
        (2, True, ""),
    ]
    assert [item.why[:10] for item in bad.checks] == ["", "gave false", "gave an er"]
    assert bad.faults == (bad.message,)
    assert all(table.good for table in bad.tables)


def test_checks_that_were_not_asked_are_no_good_drill(
    drill: Callable[..., Drilled], s3: S3Server, bucket: str
) -> None:
    """As by a client's image that does not know the variable with the checks."""
    ended = drill("", 2)
    result = ended.result
    assert (result.outcome, result.reason) == ("failed", "DrillServerFailed"), ended.logs
    assert "has asked 0 of 2 checks" in result.message
    assert drill_records(s3, bucket) == []


def test_bad_checks_are_told_before_anything_is_restored(drill: Callable[..., Drilled]) -> None:
    ended = drill("SELECT true;\n;\n", 2)
    assert ended.client.exit_code == ExitCode.CONFIGURATION, ended.logs
    assert "KSNAPSHOT_DRILL_SQL has no statement" in ended.result.message, ended.logs
