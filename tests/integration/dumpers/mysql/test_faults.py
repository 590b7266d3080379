"""The whole dumper on MySQL and MariaDB: good runs, and everything that goes wrong."""

import contextlib
import gzip
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dumpers.runtime.errors import ExitCode
from tests.integration.dumpers.mysql.conftest import PATH, Case, Servers
from tests.integration.dumpers.mysql.worlds import fill, fingerprint
from tests.integration.dumpers.test_faults import assert_failed, assert_nothing_is_left
from tests.testbed.databases import mysql as mysql_testbed
from tests.testbed.databases.mysql import MySQLServer
from tests.testbed.dumper import CRONJOB, PATIENCE_SECONDS, Dumper, storage_env
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Slow
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.processes import free_port, wait_until

_TOOLS = ("mysqldump", "mariadb-dump")


@pytest.fixture(params=["mysql-8.0", "mariadb-11.4"])
def case(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Case]:
    made = Case(server=servers(request.param))
    yield made
    made.end()


@pytest.fixture
def run(case: Case, s3: S3Server, bucket: str, tmp_path: Path) -> Iterator[Dumper]:
    """A dump of a database with a bit of everything."""
    (tmp_path / "tmp").mkdir()
    database = case.database()
    fill(case.server, database)
    made = Dumper(
        folder=tmp_path,
        env={
            "PATH": f"{mysql_testbed.clients()}:{PATH}",
            "HOME": str(tmp_path / "tmp"),
            "TMPDIR": str(tmp_path / "tmp"),
            **storage_env(s3, bucket),
            **case.env(database),
            "KSNAPSHOT_CLUSTER": "test",
            "KSNAPSHOT_CRONJOB": CRONJOB,
            "KSNAPSHOT_TERMINATION_LOG": str(tmp_path / "termination-log"),
            "HOSTNAME": f"{CRONJOB}-29384756-x7k2p",
        },
    )
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def make_noise(server: MySQLServer, database: str) -> None:
    """About 14 MB that do not compress, the double of it in hexadecimal digits."""
    server.sql(
        "CREATE TABLE noise (id INT AUTO_INCREMENT PRIMARY KEY, a BLOB);"
        "INSERT INTO noise (a) SELECT RANDOM_BYTES(1000) FROM people, people b, people c;",
        database,
    )
    for _ in range(9):
        server.sql("INSERT INTO noise (a) SELECT RANDOM_BYTES(1000) FROM noise", database)


@pytest.fixture
def big(run: Dumper, case: Case) -> str:
    database = run.env["MYSQL_DATABASE"]
    make_noise(case.server, database)
    return database


def dumping(run: Dumper) -> psutil.Process:
    """The running dump tool."""
    found: list[psutil.Process] = []

    def look() -> bool:
        assert run.process is not None
        assert run.process.poll() is None, (run.folder / "log").read_text()
        for child in psutil.Process(run.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                words = child.cmdline()
                named = any(word.endswith(_TOOLS) for word in words)
                if named and "--single-transaction" in words:
                    found.append(child)
        return bool(found)

    wait_until(look, seconds=PATIENCE_SECONDS, what="the dump tool")
    return found[0]


def test_a_dump_restores_with_stock_tools(
    run: Dumper, case: Case, s3: S3Server, bucket: str
) -> None:
    ended = run.run()
    assert ended.exit_code == ExitCode.DONE, ended.log
    [key] = ended.result.keys
    database = run.env["MYSQL_DATABASE"]
    assert f"/mysql/dump-{run.env['HOSTNAME']}-{database}-" in key
    assert key.endswith(".sql.gz")
    copy = case.load(gzip.decompress(s3.read(bucket, key)))
    assert fingerprint(case.server, copy) == fingerprint(case.server, database)
    assert any("NOT consistent" in line["note"] for line in ended.lines("note"))


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"MYSQL_PASSWORD": "wr0ng-secret"}, ExitCode.SOURCE_REFUSED, ["Access denied"]),
        ({"MYSQL_PASSWORD": "wr0ng-secret\n"}, ExitCode.SOURCE_REFUSED, ["ends in a line end"]),
        ({"MYSQL_PASSWORD": ""}, ExitCode.SOURCE_REFUSED, ["Access denied"]),
        ({"MYSQL_USERNAME": "nobody"}, ExitCode.SOURCE_REFUSED, ["nobody"]),
        ({"MYSQL_DATABASE": "nowhere"}, ExitCode.SOURCE_REFUSED, ["'nowhere'"]),
        ({"MYSQL_HOST": "no.such.host.invalid"}, ExitCode.SOURCE_FAILED, ["no.such.host"]),
        ({"MYSQL_PORT": str(free_port())}, ExitCode.SOURCE_FAILED, ["connect"]),
        ({"MYSQLDUMP_TABLES": "nothing"}, ExitCode.SOURCE_REFUSED, ["'nothing'"]),
        ({"KSNAPSHOT_DATABASES": "a,,b"}, ExitCode.CONFIGURATION, ["KSNAPSHOT_DATABASES"]),
        ({"PATH": PATH}, ExitCode.SOURCE_REFUSED, ["image"]),
    ],
)
def test_what_is_wrong_from_the_start_is_told_before_dumping(
    run: Dumper,
    s3: S3Server,
    bucket: str,
    changes: dict[str, str],
    code: ExitCode,
    words: list[str],
) -> None:
    ended = run.run(**changes)
    assert_failed(ended, code, *words)
    assert "wr0ng-secret" not in ended.log + ended.result.to_json()
    assert_nothing_is_left(s3, bucket, started=False)


def test_only_the_other_flavours_tools(run: Dumper, case: Case, s3: S3Server, bucket: str) -> None:
    other = "mysql" if case.server.is_mariadb else "mariadb"
    ended = run.run(PATH=f"{mysql_testbed.clients_of(other)}:{PATH}")
    # MariaDB's client of this testbed has no plugin to log in to MySQL with.
    assert_failed(ended, ExitCode.SOURCE_REFUSED)
    assert_nothing_is_left(s3, bucket, started=False)


def test_the_dump_tool_is_killed(run: Dumper, s3: S3Server, bucket: str, big: str) -> None:
    run.start(KSNAPSHOT_PART_SIZE_MIB="5")
    tool = dumping(run)
    wait_until(lambda: s3.uploads(bucket) != [], seconds=PATIENCE_SECONDS, what="an upload")
    tool.kill()
    assert_failed(run.wait(), ExitCode.SOURCE_FAILED, "killed")
    assert_nothing_is_left(s3, bucket, started=True)


def test_no_secret_is_shown(
    run: Dumper, case: Case, s3: S3Server, bucket: str, big: str, faults: Faults
) -> None:
    proxy = faults.tcp(case.server.port)
    proxy.set(Slow(bytes_per_second=4 << 20))
    process = run.start(MYSQL_PORT=str(proxy.port), KSNAPSHOT_PART_SIZE_MIB="5")
    tool = dumping(run)
    words = [*process.cmdline(), *tool.cmdline()]
    assert not any(case.server.password in word for word in words)
    assert not set(tool.environ()) - {"PATH", "LC_ALL", "MYSQL_PWD", "LIBMYSQL_PLUGIN_DIR", "PWD"}
    proxy.clear()
    ended = run.wait()
    assert ended.exit_code == ExitCode.DONE, ended.log
    assert case.server.password not in ended.log + ended.result.to_json()
    for key in s3.objects(bucket):
        assert case.server.password.encode() not in s3.read(bucket, key)
    assert list((run.folder / "tmp").iterdir()) == []


def test_a_table_is_dropped_during_the_dump(
    run: Dumper, case: Case, s3: S3Server, bucket: str, big: str, faults: Faults
) -> None:
    proxy = faults.tcp(case.server.port)
    proxy.set(Slow(bytes_per_second=2 << 20))
    case.server.sql("CREATE TABLE zzz (a INT); INSERT INTO zzz VALUES (1)", big)
    run.start(MYSQL_PORT=str(proxy.port), KSNAPSHOT_PART_SIZE_MIB="5")

    def halfway() -> bool:
        return any(connection.received > 1 << 20 for connection in proxy.seen())

    wait_until(halfway, seconds=PATIENCE_SECONDS, what="the rows before it")
    case.server.sql("DROP TABLE zzz", big)
    proxy.clear()
    assert_failed(run.wait(), ExitCode.SOURCE_FAILED, "zzz")
    assert_nothing_is_left(s3, bucket, started=True)


@pytest.mark.parametrize("name", ["mysql-8.0", "mariadb-11.4"])
def test_the_server_is_killed_mid_dump(name: str, run: Dumper, s3: S3Server, bucket: str) -> None:
    with mysql_testbed.start(name) as server:
        database = server.create_database("shop")
        server.sql(
            "CREATE TABLE people (id INT); INSERT INTO people VALUES (1), (2), (3)", database
        )
        make_noise(server, database)
        run.env |= {
            "MYSQL_PORT": str(server.port),
            "MYSQL_PASSWORD": server.password,
            "MYSQL_DATABASE": database,
        }
        run.start(KSNAPSHOT_PART_SIZE_MIB="5")
        tool = dumping(run)
        wait_until(lambda: s3.uploads(bucket) != [], seconds=PATIENCE_SECONDS, what="an upload")
        tool.suspend()
        server.kill()
        tool.resume()
        assert_failed(run.wait(), ExitCode.SOURCE_FAILED)
    assert_nothing_is_left(s3, bucket, started=True)
