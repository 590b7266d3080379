"""At the debug level a dump says more, and neither a secret nor a row."""

import json

import pytest

from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper

# What libraries log of a request at their own debug level.
_WORDS = ("authorization", "signature", "x-amz-", "aws4-hmac", "credential=", "canonicalrequest")
_ROW = "row-Kaufmann-4711"


def test_a_debug_log_of_a_dump_holds_no_secret_and_no_row(
    dumper: Dumper, postgres: PostgresServer, database: str
) -> None:
    postgres.psql(f"CREATE TABLE t (a text); INSERT INTO t VALUES ('{_ROW}')", database)
    ended = dumper.run(KSNAPSHOT_LOG_LEVEL="debug", KSNAPSHOT_VERIFY="read-back")
    assert ended.result.succeeded, ended.log
    levels = {json.loads(line)["level"] for line in ended.log.splitlines()}
    assert "debug" in levels
    options = [line["options"] for line in ended.lines("tool starts") if line["tool"] == "pg_dump"]
    assert "--no-password" in options[-1]
    assert [word for words in options for word in words if "=" in word] == []
    secrets = [
        text
        for name, text in dumper.env.items()
        if name in {"POSTGRESQL_PASSWORD", "BACKEND_S3_ACCESS_KEY", "BACKEND_S3_SECRET_KEY"}
    ]
    assert len(secrets) == 3
    for text in (*secrets, _ROW):
        assert text not in ended.log
    assert [word for word in _WORDS if word in ended.log.lower()] == []


@pytest.mark.parametrize(("level", "shown"), [("warning", False), ("info", True), ("loud", True)])
def test_a_level_is_heeded_and_a_wrong_one_stops_no_dump(
    dumper: Dumper, database: str, level: str, *, shown: bool
) -> None:
    dumper.verb = "check"
    ended = dumper.run(KSNAPSHOT_LOG_LEVEL=level)
    assert ended.exit_code == 0, ended.log
    assert bool(ended.lines("check passed")) == shown
    assert bool(ended.lines("log level not known")) == (level == "loud")
