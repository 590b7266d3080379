"""The verb `check`: what would stop a dump is found without one, and nothing is left behind."""

import pytest

from dumpers.runtime.errors import ExitCode
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper
from tests.testbed.stores.s3 import S3Server

_CHECKS = ("encryption", "database", "store")


def passed(log: str) -> list[str]:
    return [check for check in _CHECKS if f'"check": "{check}"' in log]


def test_all_is_well_and_nothing_is_left(
    dumper: Dumper, s3: S3Server, bucket: str, postgres: PostgresServer, database: str
) -> None:
    postgres.psql("CREATE TABLE t (id int)", database)
    dumper.verb = "check"
    ended = dumper.run()
    assert ended.exit_code == ExitCode.DONE, ended.log
    assert passed(ended.log) == list(_CHECKS)
    assert ended.result.server_version
    assert s3.objects(bucket) == {}
    assert s3.uploads(bucket) == []


@pytest.mark.parametrize(
    ("change", "code", "before"),
    [
        ({"POSTGRESQL_DATABASE": "nowhere"}, ExitCode.SOURCE_REFUSED, ["encryption"]),
        ({"BACKEND_BUCKET": "no-such-bucket"}, ExitCode.STORAGE_REFUSED, _CHECKS[:2]),
        (
            {"ENCRYPTION_ENABLED": "true", "ENCRYPTION_RECIPIENT": "age1typo"},
            ExitCode.ENCRYPTION,
            [],
        ),
        ({"POSTGRESQL_HOST": ""}, ExitCode.CONFIGURATION, []),
    ],
)
def test_the_first_broken_link_is_named(
    dumper: Dumper, database: str, change: dict[str, str], code: ExitCode, before: list[str]
) -> None:
    dumper.verb = "check"
    ended = dumper.run(**change)
    assert ended.exit_code == ended.result.exit_code == code, ended.log
    assert passed(ended.log) == list(before)
    assert ended.result.message
