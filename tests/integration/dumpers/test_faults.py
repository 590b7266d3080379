"""Everything that goes wrong: right exit code, a message that helps, nothing half-way kept."""

import json
import signal
from collections.abc import Iterator

import pytest

from dumpers.runtime.errors import ExitCode
from tests.integration.dumpers.noise import noise_database
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import CRONJOB, DUMPING, PATIENCE_SECONDS, Dumper, Ended
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Fault, Hang, Rule, Slow, Status, Truncate
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.processes import free_port, wait_until

# For faults that last: how long a run waits is looked at in test_patience.py.
IMPATIENT = {"BACKEND_S3_PATIENCE": "1"}
ERROR = Status(500, b"<Error><Code>InternalError</Code><Message>no</Message></Error>")


@pytest.fixture(scope="module")
def noise(postgres: PostgresServer) -> Iterator[str]:
    """A database of about 60 MiB that do not compress: several parts of the smallest size."""
    with noise_database(postgres, "noise", rows=800000) as name:
        yield name


@pytest.fixture
def big(dumper: Dumper, noise: str) -> str:
    """The dumper's database is the large one."""
    dumper.env["POSTGRESQL_DATABASE"] = noise
    return noise


def assert_nothing_is_left(s3: S3Server, bucket: str, *, started: bool) -> None:
    """No manifest, no open upload, no object but the records of the start and the failure."""
    assert s3.uploads(bucket) == []
    names = [key.rpartition("/")[2] for key in s3.objects(bucket)]
    assert names == (["failed.json", "started.json"] if started else [])


def assert_failed(ended: Ended, code: ExitCode, *words: str) -> None:
    assert ended.exit_code == code, ended.log
    assert ended.result.exit_code == code
    assert not ended.result.succeeded
    for word in words:
        assert word in ended.result.message, ended.result.message
    assert "Traceback" not in ended.log


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"POSTGRESQL_PASSWORD": "wrong"}, ExitCode.SOURCE_REFUSED, ["password authentication"]),
        ({"POSTGRESQL_USERNAME": "nobody"}, ExitCode.SOURCE_REFUSED, ["nobody"]),
        ({"POSTGRESQL_DATABASE": "nowhere"}, ExitCode.SOURCE_REFUSED, ['"nowhere" does not exist']),
        ({"POSTGRESQL_HOST": "no.such.host.invalid"}, ExitCode.SOURCE_FAILED, ["no.such.host"]),
        ({"PG_DUMP_OPTIONS": "--table=nothing"}, ExitCode.SOURCE_REFUSED, ["no matching tables"]),
        ({"PG_DUMP_OPTIONS": "-e nothing"}, ExitCode.SOURCE_REFUSED, ["no matching extensions"]),
        ({"PG_DUMP_OPTIONS": "template1"}, ExitCode.CONFIGURATION, ["'template1'"]),
        ({"PG_DUMP_OPTIONS": "--file=/tmp/x"}, ExitCode.CONFIGURATION, ["PG_DUMP_OPTIONS"]),
        ({"BACKEND_BUCKET": "no-such-bucket"}, ExitCode.STORAGE_REFUSED, ["S3_BUCKET"]),
        ({"BACKEND_BUCKET": "Bad_Bucket!"}, ExitCode.STORAGE_REFUSED, ["Bad_Bucket!"]),
        ({"BACKEND_S3_ACCESS_KEY": "nobody"}, ExitCode.STORAGE_REFUSED, ["AWS_ACCESS_KEY_ID"]),
        ({"BACKEND_S3_SECRET_KEY": "wrong"}, ExitCode.STORAGE_REFUSED, ["AWS_SECRET_ACCESS_KEY"]),
        ({"BACKEND_BUCKET": ""}, ExitCode.CONFIGURATION, ["BACKEND_BUCKET is not set"]),
        (
            {"ENCRYPTION_ENABLED": "true", "ENCRYPTION_RECIPIENT": "age1typo"},
            ExitCode.ENCRYPTION,
            ["the recipient is not an age recipient"],
        ),
    ],
    ids=lambda value: (
        ",".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else ""
    ),
)
def test_what_is_wrong_from_the_start_is_told_before_dumping(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    changes: dict[str, str],
    code: ExitCode,
    words: list[str],
) -> None:
    ended = dumper.run(**changes)
    assert_failed(ended, code, *words)
    assert ended.lines("progress") == []
    # Other options of pg_dump are judged by pg_dump itself, once the store was found good.
    assert_nothing_is_left(s3, bucket, started=changes.get("PG_DUMP_OPTIONS") == "-e nothing")


def test_nobody_listens_at_the_databases_port(dumper: Dumper, s3: S3Server, bucket: str) -> None:
    assert_failed(dumper.run(POSTGRESQL_PORT=str(free_port())), ExitCode.SOURCE_FAILED, "refused")
    assert_nothing_is_left(s3, bucket, started=False)


def test_nobody_listens_at_the_stores_port(dumper: Dumper) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    ended = dumper.run(BACKEND_S3_ENDPOINT=endpoint, **IMPATIENT)
    assert_failed(ended, ExitCode.STORAGE_FAILED, endpoint, "refused", "correct S3_ENDPOINT")


def test_a_role_that_may_not_read_a_table(
    dumper: Dumper, postgres: PostgresServer, database: str, s3: S3Server, bucket: str
) -> None:
    role = f"reader_{database}"
    postgres.psql(f"CREATE ROLE {role} LOGIN PASSWORD 'x'; CREATE TABLE hidden (a int)", database)
    try:
        ended = dumper.run(POSTGRESQL_USERNAME=role, POSTGRESQL_PASSWORD="x")
    finally:
        postgres.psql(f"DROP ROLE {role}")
    assert_failed(ended, ExitCode.SOURCE_REFUSED, "permission denied", "hidden")
    assert_nothing_is_left(s3, bucket, started=True)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
def test_pg_dump_is_killed_mid_stream(
    dumper: Dumper, s3: S3Server, bucket: str, big: str, number: signal.Signals
) -> None:
    dumper.start(KSNAPSHOT_PART_SIZE_MIB="5")
    tool = dumper.tool(*DUMPING)
    wait_until(lambda: s3.uploads(bucket) != [], seconds=PATIENCE_SECONDS, what="an upload")
    tool.send_signal(number)
    assert_failed(dumper.wait(), ExitCode.SOURCE_FAILED, "pg_dump")
    assert_nothing_is_left(s3, bucket, started=True)


@pytest.mark.parametrize("after", [3 << 20, 30 << 20], ids=["early", "late"])
@pytest.mark.parametrize("reset", [True, False], ids=["RST", "FIN"])
def test_the_connection_to_the_database_is_cut(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    big: str,
    postgres: PostgresServer,
    faults: Faults,
    after: int,
    *,
    reset: bool,
) -> None:
    proxy = faults.tcp(postgres.port)
    proxy.set(Rule(Cut(after=after, reset=reset)))
    assert_failed(dumper.run(POSTGRESQL_PORT=str(proxy.port)), ExitCode.SOURCE_FAILED, "pg_dump")
    assert_nothing_is_left(s3, bucket, started=True)


PART, CREATE, COMPLETE = "partNumber=", r"\?uploads", r"\.gz\?uploadId="


@pytest.mark.parametrize(
    ("rule", "started"),
    [
        (Rule(ERROR, "PUT", "started.json"), False),
        (Rule(ERROR, "POST", CREATE), True),
        (Rule(ERROR, "PUT", PART), True),
        (Rule(ERROR, "PUT", f"{PART}3"), True),
        (Rule(Status(503, b"<Error><Code>SlowDown</Code></Error>"), "PUT", PART), True),
        (Rule(Cut(after=1 << 20, of="request"), "PUT", PART), True),
        (Rule(ERROR, "POST", COMPLETE), True),
    ],
    ids=["started", "create", "parts", "third part", "slow down", "cut parts", "complete"],
)
def test_the_store_fails_for_good(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    big: str,
    faults: Faults,
    rule: Rule,
    *,
    started: bool,
) -> None:
    proxy = faults.http(s3.port)
    proxy.set(rule)
    ended = dumper.run(BACKEND_S3_ENDPOINT=proxy.url, KSNAPSHOT_PART_SIZE_MIB="5", **IMPATIENT)
    assert_failed(ended, ExitCode.STORAGE_FAILED, bucket, "S3_PATIENCE")
    assert_nothing_is_left(s3, bucket, started=started)


@pytest.mark.parametrize(
    ("fault", "method", "path"),
    [
        (ERROR, "PUT", PART),
        (Cut(), "PUT", PART),
        (Cut(), "POST", CREATE),
        (Cut(), "POST", COMPLETE),
        (Cut(), "PUT", r"manifest\.json"),
        (Cut(), "PUT", r"started\.json"),
        (Truncate(after=20), "POST", COMPLETE),
        (Slow(bytes_per_second=4 << 20, of="request"), "PUT", PART),
    ],
    ids=[
        "part 500",
        "part's answer lost",
        "begin's answer lost",
        "completion's answer lost",
        "manifest's answer lost",
        "started record's answer lost",
        "completion's answer torn",
        "slow part",
    ],
)
def test_the_store_fails_once_and_the_backup_is_good(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    big: str,
    faults: Faults,
    fault: Fault,
    method: str,
    path: str,
) -> None:
    proxy = faults.http(s3.port)
    proxy.set(Rule(fault, method, path, times=1))
    ended = dumper.run(BACKEND_S3_ENDPOINT=proxy.url, KSNAPSHOT_PART_SIZE_MIB="5")
    assert ended.exit_code == ExitCode.DONE, ended.log
    [key] = ended.result.keys
    assert s3.objects(bucket)[key] == ended.result.stored_bytes
    assert s3.uploads(bucket) == []
    # A look at the object settles a completion whose answer got lost.
    is_settled = isinstance(fault, Slow) or path == COMPLETE
    assert len(proxy.seen(method, path)) > (0 if is_settled else 1)


@pytest.mark.parametrize(
    ("method", "path", "started"),
    [
        ("PUT", r"started\.json", False),
        ("POST", CREATE, True),
        ("PUT", PART, True),
        ("POST", COMPLETE, True),
        ("PUT", r"manifest\.json", True),
    ],
    ids=["started", "create", "part", "completion", "manifest"],
)
@pytest.mark.parametrize("body", [b"", b"<html>please log in</html>"], ids=["empty", "page"])
def test_a_success_that_is_not_the_stores_own_is_none(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    faults: Faults,
    method: str,
    path: str,
    body: bytes,
    *,
    started: bool,
) -> None:
    """A proxy's page says 200, too; with the least rights nothing else would tell."""
    keys = s3.create_user(f"u-{bucket}")
    s3.allow(bucket, {keys.access: ("s3:PutObject", "s3:AbortMultipartUpload")})
    proxy = faults.http(s3.port)
    proxy.set(Rule(Status(200, body), method, path))
    ended = dumper.run(
        BACKEND_S3_ENDPOINT=proxy.url,
        BACKEND_S3_ACCESS_KEY=keys.access,
        BACKEND_S3_SECRET_KEY=keys.secret,
        **IMPATIENT,
    )
    assert_failed(ended, ExitCode.STORAGE_FAILED)
    assert s3.uploads(bucket) == []
    names = {key.rpartition("/")[2] for key in s3.objects(bucket)}
    assert "manifest.json" not in names
    assert ("started.json" in names) == started


@pytest.mark.parametrize("path", [r"started\.json", r"manifest\.json"])
def test_a_lost_answer_with_the_least_rights(
    dumper: Dumper, s3: S3Server, bucket: str, faults: Faults, path: str
) -> None:
    keys = s3.create_user(f"u-{bucket}")
    s3.allow(bucket, {keys.access: ("s3:PutObject", "s3:AbortMultipartUpload")})
    proxy = faults.http(s3.port)
    proxy.set(Rule(Cut(), "PUT", path, times=1))
    ended = dumper.run(
        BACKEND_S3_ENDPOINT=proxy.url,
        BACKEND_S3_ACCESS_KEY=keys.access,
        BACKEND_S3_SECRET_KEY=keys.secret,
    )
    assert ended.exit_code == ExitCode.DONE, ended.log


def test_sigterm_while_an_upload_is_being_begun(
    dumper: Dumper, s3: S3Server, bucket: str, faults: Faults
) -> None:
    proxy = faults.http(s3.port)
    proxy.set(Rule(Hang(seconds=2, of="response"), "POST", CREATE))
    process = dumper.start(BACKEND_S3_ENDPOINT=proxy.url)
    wait_until(lambda: s3.uploads(bucket) != [], seconds=PATIENCE_SECONDS, what="an upload")
    process.terminate()
    assert_failed(dumper.wait(), ExitCode.INTERRUPTED, "SIGTERM")
    assert_nothing_is_left(s3, bucket, started=True)


def test_a_password_that_is_a_word_of_the_servers_own(dumper: Dumper) -> None:
    ended = dumper.run(POSTGRESQL_PASSWORD="password")
    assert_failed(ended, ExitCode.SOURCE_REFUSED, "password authentication failed")


def test_a_line_end_behind_the_password(dumper: Dumper) -> None:
    password = dumper.env["POSTGRESQL_PASSWORD"]
    ended = dumper.run(POSTGRESQL_PASSWORD=f"{password}\n")
    assert_failed(ended, ExitCode.SOURCE_REFUSED, "the password ends in a line end", "echo")
    assert password not in ended.log


def test_one_table_of_many_that_may_not_be_read(
    dumper: Dumper, postgres: PostgresServer, database: str
) -> None:
    """What pg_dump says names the table first, and then 1,500 that it wanted to lock."""
    role = f"reader_{database}"
    postgres.psql(f"CREATE ROLE {role} LOGIN PASSWORD 'Quokka7'")
    for first in range(0, 1500, 250):
        names = (f"measurements_{number}" for number in range(first, first + 250))
        postgres.psql("".join(f"CREATE TABLE {name} (a int);" for name in names), database)
    postgres.psql(
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};"
        f"REVOKE SELECT ON measurements_7 FROM {role}",
        database,
    )
    try:
        ended = dumper.run(POSTGRESQL_USERNAME=role, POSTGRESQL_PASSWORD="Quokka7")
    finally:
        postgres.psql(f"DROP OWNED BY {role}", database)
        postgres.psql(f"DROP ROLE {role}")
    denied = "permission denied for table measurements_7"
    assert_failed(ended, ExitCode.SOURCE_REFUSED, denied)
    assert denied in ended.result.message[:200]
    assert "measurements_700" not in ended.result.message


def test_the_manifest_cannot_be_written(
    dumper: Dumper, s3: S3Server, bucket: str, faults: Faults
) -> None:
    proxy = faults.http(s3.port)
    proxy.set(Rule(ERROR, "PUT", r"manifest\.json"))
    ended = dumper.run(BACKEND_S3_ENDPOINT=proxy.url, **IMPATIENT)
    assert_failed(ended, ExitCode.STORAGE_FAILED, "manifest.json")
    names = {key.rpartition("/")[2] for key in s3.objects(bucket)}
    assert "manifest.json" not in names
    [started] = [key for key in s3.objects(bucket) if key.endswith("started.json")]
    named = json.loads(s3.read(bucket, started))["keys"]
    failed = started.replace("started.json", "failed.json")
    fingerprint = started.replace("started.json", "fingerprint.json")
    assert set(s3.objects(bucket)) == {started, failed, fingerprint, *named}


def test_sigterm_aborts_in_good_order(dumper: Dumper, s3: S3Server, bucket: str, big: str) -> None:
    process = dumper.start(KSNAPSHOT_PART_SIZE_MIB="5")
    dumper.tool(*DUMPING)
    process.terminate()
    assert_failed(dumper.wait(), ExitCode.INTERRUPTED, "SIGTERM")
    assert_nothing_is_left(s3, bucket, started=True)


def test_a_slow_uplink_is_no_fault(
    dumper: Dumper, s3: S3Server, bucket: str, big: str, faults: Faults
) -> None:
    """A part takes longer than any one send may: the limit is on silence, not on size."""
    proxy = faults.http(s3.port)
    proxy.set(Rule(Slow(bytes_per_second=3 << 20, of="request"), "PUT", PART))
    ended = dumper.run(BACKEND_S3_ENDPOINT=proxy.url, KSNAPSHOT_PART_SIZE_MIB="30")
    assert ended.exit_code == ExitCode.DONE, ended.log
    assert len(proxy.settled("PUT", PART)) == s3_parts(ended, 30 << 20)


def s3_parts(ended: Ended, part_size: int) -> int:
    return -(-ended.result.stored_bytes // part_size)


@pytest.mark.parametrize(
    "path", [PART, r"started\.json", "uploadId="], ids=["parts", "first call", "parts and abort"]
)
def test_sigterm_is_heard_while_the_store_hangs(
    dumper: Dumper, s3: S3Server, bucket: str, big: str, faults: Faults, path: str
) -> None:
    proxy = faults.http(s3.port)
    # The probe's own abort has to pass.
    nth = Rule(Hang(), "DELETE", path, nth=2), Rule(Hang(), "PUT", path)
    proxy.set(*nth)
    process = dumper.start(BACKEND_S3_ENDPOINT=proxy.url, KSNAPSHOT_PART_SIZE_MIB="5")
    wait_until(lambda: bool(proxy.seen("PUT", path)), seconds=PATIENCE_SECONDS, what="a hang")
    process.terminate()
    ended = dumper.wait()
    proxy.clear()
    assert_failed(ended, ExitCode.INTERRUPTED, "SIGTERM")
    if path == "uploadId=":
        [(left, _)] = s3.uploads(bucket)
        assert "an unfinished upload stays" in ended.log
        assert left in ended.log
    else:
        assert_nothing_is_left(s3, bucket, started=path == PART)


def test_the_deadline_ends_a_dump_whose_server_falls_silent(
    dumper: Dumper,
    s3: S3Server,
    bucket: str,
    postgres: PostgresServer,
    database: str,
    faults: Faults,
) -> None:
    proxy = faults.tcp(postgres.port)
    postgres.psql("CREATE TABLE t (a int)", database)
    dumper.env["POSTGRESQL_PORT"] = str(proxy.port)
    assert dumper.run().exit_code == ExitCode.DONE
    whole = s3.objects(bucket)
    # The last connection is the dump tool's.
    proxy.set(Rule(Hang(), nth=len(proxy.seen())))
    ended = dumper.run(KSNAPSHOT_DEADLINE_SECONDS="5")
    assert_failed(ended, ExitCode.INTERRUPTED, "deadline")
    assert s3.uploads(bucket) == []
    left = sorted(key.rpartition("/")[2] for key in set(s3.objects(bucket)) - set(whole))
    assert left == ["failed.json", "started.json"]


def test_sigkill_leaves_only_what_the_started_record_names_and_the_next_run_succeeds(
    dumper: Dumper, s3: S3Server, bucket: str, big: str
) -> None:
    process = dumper.start(KSNAPSHOT_PART_SIZE_MIB="5")
    tool = dumper.tool(*DUMPING)
    wait_until(lambda: s3.uploads(bucket) != [], seconds=PATIENCE_SECONDS, what="an upload")
    tool.suspend()
    process.kill()
    tool.kill()
    dumper.wait()
    [started] = s3.objects(bucket)
    assert started.startswith(f"ksnapshot/manifests/test/{CRONJOB}/")
    named = json.loads(s3.read(bucket, started))["keys"]
    assert [key for key, _ in s3.uploads(bucket)] == named

    ended = dumper.run(HOSTNAME=f"{CRONJOB}-29384757-aaaaa")
    assert ended.exit_code == ExitCode.DONE, ended.log
    assert [key for key, _ in s3.uploads(bucket)] == named
