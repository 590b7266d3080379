import pytest

from dumpers.contract.connection import Connection
from dumpers.engines.postgresql import errors


def connection(password: str = "p") -> Connection:
    return Connection(host="h", port=1, username="u", password=password, database="d")


@pytest.mark.parametrize(
    ("said", "final", "closed", "cure"),
    [
        ('FATAL:  password authentication failed for user "u"', True, False, ""),
        ("ERROR:  permission denied for table t", True, False, "pg_read_all_data"),
        ("ERROR:  permission denied for large object 7", True, False, "LARGE OBJECT"),
        ("FATAL:  permission denied for database d", True, True, ""),
        ("FATAL:  pg_hba.conf rejects connection for host", True, True, ""),
        ('FATAL:  no pg_hba.conf entry for host "h"', True, True, ""),
        ('FATAL:  cannot connect to invalid database "d"', True, True, ""),
        ('FATAL:  database "d" is not currently accepting connections', True, True, ""),
        ('FATAL:  too many connections for database "d"', False, True, "max_connections"),
        ("FATAL:  sorry, too many clients already", False, False, "max_connections"),
        ("canceling statement due to conflict with recovery", False, False, "hot_standby"),
        ("would be affected by row-level security policy", True, False, "BYPASSRLS"),
        ("connection to server was lost", False, False, ""),
    ],
)
def test_what_is_said(said: str, final: object, closed: object, cure: str) -> None:
    assert errors.is_final(said) is final
    assert errors.is_closed(said) is closed
    found = errors.cure(said, connection())
    assert cure in found
    assert bool(cure) == bool(found)


@pytest.mark.parametrize(
    ("password", "doubt"),
    [("s", ""), ("s\n", "line end"), ("s\r\n", "line end"), (" s", "a blank"), ("s t", "")],
)
def test_a_password_is_doubted_without_being_shown(password: str, doubt: str) -> None:
    found = errors.cure("password authentication failed", connection(password))
    assert doubt in found
    assert bool(found) == bool(doubt)
    assert errors.cure("connection refused", connection(password)) == ""


def test_a_lock_that_was_waited_for() -> None:
    waited = (
        "pg_dump: error: query failed: ERROR:  canceling statement due to statement timeout\n"
        "pg_dump: detail: Query was: LOCK TABLE public.busy IN ACCESS SHARE MODE"
    )
    assert errors.is_locked(waited)
    assert not errors.is_locked("ERROR:  canceling statement due to statement timeout")


@pytest.mark.parametrize(
    ("said", "gone"),
    [
        ('ERROR:  relation "public.t" does not exist', True),
        ('ERROR:  schema "app" does not exist', True),
        ('ERROR:  role "t" does not exist', False),
        ("ERROR:  permission denied for table t", False),
        ("ERROR:  canceling statement due to lock timeout", False),
    ],
)
def test_a_table_that_is_gone_before_it_is_locked(said: str, gone: bool) -> None:  # noqa: FBT001
    assert errors.is_gone(said) == gone
