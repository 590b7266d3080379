import pytest

from dumpers.contract.connection import Connection
from dumpers.engines.mysql import commands
from dumpers.engines.mysql.errors import error_numbers, is_unopened
from dumpers.engines.mysql.restore.load import cure
from dumpers.runtime.errors import (
    DUMP_ERRORS,
    RESTORE_ERRORS,
    KsnapshotError,
    SourceFailedError,
    SourceRefusedError,
    TargetFailedError,
    TargetRefusedError,
)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("ERROR 1045 (28000): Access denied for user 'u'@'h'", {1045}),
        ('mysqldump: Got error: 1049: "Unknown database" when selecting the database', {1049}),
        ("mysqldump: Couldn't execute 'SHOW EVENTS': Access denied (1227)", {1227}),
        ("mariadb-dump: Error 2013: Lost connection to server during query", {2013}),
        ("ERROR 11045 (28000): x", set()),
        ("row 1227 of table t1419", set()),
        ("", set()),
    ],
)
def test_numbers_of_errors(text: str, numbers: set[int]) -> None:
    assert error_numbers(text) == numbers


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("ERROR 1045 (28000): Access denied", SourceRefusedError),
        ("ERROR 1146 (42S02) at line 3: Table 'd.t' doesn't exist", SourceRefusedError),
        ("mysqldump: Got error: 1146: \"Table 'd.t' doesn't exist\"", SourceFailedError),
        ("ERROR 2026 (HY000): SSL connection error: certificate verify failed", SourceRefusedError),
        (
            "ERROR 2026 (HY000): SSL is required, but the server does not support it",
            SourceRefusedError,
        ),
        ("ERROR 1062 (23000) at line 9: Duplicate entry 'certificate'", SourceFailedError),
        ("mysqldump: [ERROR] unknown option '--x'.", SourceRefusedError),
        ("ERROR 2003 (HY000): Can't connect to server on 'h' (111)", SourceFailedError),
        ("ERROR 1205 (HY000): Lock wait timeout at row 1045", SourceFailedError),
    ],
)
def test_an_error_is_final_by_its_number(said: str, kind: type[Exception]) -> None:
    connection = Connection(host="h", port=3306, username="u", password="p")
    command = commands.command(
        ["mysqldump"], connection, database="d", logged_in=False, errors=DUMP_ERRORS
    )
    assert type(command.failure(2, said)) is kind


@pytest.mark.parametrize(
    "said",
    [
        "ERROR 2026 (HY000): TLS/SSL error: self-signed certificate",
        "ERROR 2026 (HY000): SSL connection error: certificate verify failed",
        "ERROR 2026 (HY000): SSL is required, but the server does not support it",
    ],
)
def test_a_certificate_is_refused_at_the_first_login_only(said: str) -> None:
    connection = Connection(host="h", port=3306, username="u", password="p")

    def failure(*, logged_in: bool) -> KsnapshotError:
        command = commands.command(
            ["mariadb"], connection, database="d", logged_in=logged_in, errors=RESTORE_ERRORS
        )
        return command.failure(1, said)

    first, later = failure(logged_in=False), failure(logged_in=True)
    assert (type(first), type(later)) == (TargetRefusedError, TargetFailedError)
    assert "ca-secret" in str(first)
    assert "was restarted meanwhile" in str(later)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("ERROR 1227 (42000) at line 9: Access denied", "SUPER"),
        ("ERROR 1419 (HY000) at line 9: You do not have", "SUPER"),
        ("ERROR 1146 (42S02) at line 9: Table 'other.s'", "sequence"),
        ("ERROR 1273 (HY000) at line 9: Unknown collation", "collation"),
        ("ERROR 1062 (23000) at line 1227: Duplicate entry '1419' for key", ""),
        ("ERROR 1062 (23000) at line 9: Duplicate entry '1146'", ""),
    ],
)
def test_a_cure_goes_by_the_number_of_the_error(text: str, word: str) -> None:
    assert word in cure(text)
    assert bool(cure(text)) is bool(word)


@pytest.mark.parametrize(
    ("said", "is_so"),
    [
        ("Couldn't execute 'show create table `t`': Table `d`.`t` is corrupted. (1877)", True),
        ("Couldn't execute 'show create table `t`': Table 't' is marked as crashed (1194)", True),
        # What is damaged further on looks whole to whoever opens it.
        ("Error 1194: Table 't' is marked as crashed when dumping table `t` at row: 1", False),
        ("Error 1712: Index k is corrupted when dumping table `t` at row: 7", True),
        ("Couldn't execute 'show create table `t`': Table 'd.t' doesn't exist (1146)", False),
        ("Error 2013: Lost connection to server during query at row: 1877", False),
    ],
)
def test_a_table_that_cannot_be_opened(said: str, *, is_so: bool) -> None:
    assert is_unopened(f"mariadb-dump: {said}") is is_so
