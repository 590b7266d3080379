import subprocess
import sys
from pathlib import Path

import botocore.exceptions
import pytest

from tests.paths import REPOSITORY
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.stores.s3 import WRITE, S3Server
from tests.testbed.toolchain import processes


def test_a_server_that_ends_early_says_why(tmp_path: Path) -> None:
    with pytest.raises(processes.NotReadyError, match=r"ended with 7[^!]*no such luck"):
        processes.start(
            "doomed",
            ["sh", "-c", "echo no such luck; exit 7"],
            log=tmp_path / "log",
            ready=lambda: False,
        )


def test_a_server_that_is_not_ready_in_time_is_gone(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(processes.NotReadyError, match="not ready"):
        processes.start(
            "sleeper",
            ["sh", "-c", f"echo $$ > {pid}; exec sleep 1000"],
            log=tmp_path / "log",
            ready=lambda: False,
            seconds=0.3,
        )
    assert not Path("/proc", pid.read_text().strip()).exists()


def test_servers_die_with_a_killed_test_run(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys, time\n"
        "from tests.testbed.toolchain import processes\n"
        "server = processes.start('s', ['sleep', '1000'], log=pathlib.Path(sys.argv[1]))\n"
        "comm = pathlib.Path('/proc', str(server.pid), 'comm')\n"
        "processes.wait_until(lambda: 'sleep' in comm.read_text(), seconds=60, what='sleep')\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(1000)\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", program, tmp_path / "log"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    with run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        run.kill()

    def gone() -> bool:
        try:
            state = Path("/proc", str(pid), "stat").read_text().rpartition(") ")[2][0]
        except OSError:
            return True
        return state == "Z"

    processes.wait_until(gone, seconds=60, what="the end of the server")


def test_a_limited_user_may_write_and_not_read(s3: S3Server, bucket: str) -> None:
    keys = s3.create_user(f"writer-{bucket}")
    client = s3.client(keys)
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        client.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.allow(bucket, {keys.access: WRITE})
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        client.get_object(Bucket=bucket, Key="k")
    assert s3.read(bucket, "k") == b"x"


def test_an_open_upload_is_seen(s3: S3Server, bucket: str) -> None:
    client = s3.client()
    upload = client.create_multipart_upload(Bucket=bucket, Key="part/k")["UploadId"]
    assert s3.uploads(bucket, "part/") == [("part/k", upload)]
    client.abort_multipart_upload(Bucket=bucket, Key="part/k", UploadId=upload)
    assert s3.uploads(bucket) == []
    assert s3.objects(bucket) == {}


def test_a_dump_loads_into_another_database(postgres: PostgresServer, database: str) -> None:
    postgres.psql("create table t as select generate_series(1, 1000) as i", database)
    dump = postgres.run("pg_dump", database=database)
    copy = postgres.create_database(f"{database}_copy")
    postgres.psql(dump, copy)
    assert postgres.psql("select count(*), sum(i) from t", copy) == "1000|500500"


def test_a_wrong_password_is_refused(postgres: PostgresServer) -> None:
    with pytest.raises(RuntimeError, match="password authentication failed"):
        postgres.run("psql", "--command=select 1", env={"PGPASSWORD": "wrong"})


def test_a_killed_server_takes_its_sessions_along() -> None:
    with postgres_testbed.start() as server:
        command = [str(postgres_testbed.client("psql")), "--command=select pg_sleep(1000)"]
        session = subprocess.Popen(command, env=server.env(), stderr=subprocess.PIPE)
        active = "select count(*) from pg_stat_activity where query like '%sleep%'"
        processes.wait_until(lambda: server.psql(active) == "2", seconds=10, what="the session")
        server.kill()
        with session:
            assert session.wait(timeout=10) != 0
