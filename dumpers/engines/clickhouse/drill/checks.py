"""Asking a user's own checks of restored tables, as an account that only reads."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from dumpers.contract.connection import Connection
from dumpers.contract.drill.checks import Check
from dumpers.engines.clickhouse.restore.target import find_target
from dumpers.engines.clickhouse.server.client import Server, connect
from dumpers.engines.clickhouse.server.errors import ClickHouseError, shorten
from dumpers.engines.clickhouse.stored.contents import read_contents
from dumpers.engines.clickhouse.throwaway import CHECK_USER
from dumpers.engines.drilling.checking import (
    CHECK_SECONDS,
    VALUE_BYTES,
    AskCheck,
    StatementError,
    StatementTimeoutError,
    choose_database,
    without_values,
)
from dumpers.engines.drilling.own_server import check_loopback
from dumpers.engines.drilling.protocol import DrilledObject
from dumpers.runtime.errors import (
    RESTORE_ERRORS,
    KsnapshotError,
    TargetFailedError,
    TargetRefusedError,
)
from dumpers.runtime.interrupt import Interrupt

_TIMEOUT = 159
# No memory, no room, too many queries, a disk or a neighbour that fails.
_OF_SERVER = frozenset((74, 75, 76, 202, 209, 210, 241, 243))
# These name what the statement names: no such thing, types, a syntax, a right, readonly. Those of
# bad arguments and of types that do not fit tell values.
_NAMING = frozenset((42, 43, 46, 47, 60, 62, 81, 115, 158, 164, 215, 358, 396, 497))
_HEAD = re.compile(r"\s*Code: \d+(?:\. |, e\.displayText\(\) = )(?:DB::Exception: )?")
_TAIL = re.compile(r"(?:, e\.what\(\) = |\(version |: While |: while ).*", re.DOTALL)


def open_checks(
    server: Connection,
    objects: Sequence[DrilledObject],
    interrupt: Interrupt,
    *,
    seconds: int = CHECK_SECONDS,  # noqa: ARG001  the server's script has the account's limits
) -> AskCheck:
    """See CheckedEngine: as the account of the server's script for checks.

    Its profile says readonly = 1, by which a server forbids all that writes, settings of a
    statement's own, and the functions that read files or other servers.
    """
    check_loopback(server)
    names = read_contents([item.stored for item in objects]).databases
    # It answers, and is the one that was restored into.
    find_target(server, interrupt)
    login = replace(server, username=CHECK_USER, password="", database="")

    def ask(check: Check, interrupt: Interrupt) -> Iterator[str | None]:
        database = choose_database(check, names)
        asked = connect(
            login, errors=RESTORE_ERRORS, settings={"database": database} if database else {}
        )
        return _first_values(asked, check.sql, interrupt)

    return ask


def _first_values(server: Server, sql: str, interrupt: Interrupt) -> Iterator[str | None]:
    try:
        # On a line of its own, where no comment reaches it.
        rows = server.rows(f"{sql}\n", interrupt)
    except (TargetFailedError, TargetRefusedError) as error:
        raise _meaning(error, sql) from error
    for row in rows:
        yield _text(row[0])


def _text(value: Any) -> str | None:
    """A cell as JSON has it, as a text; one of many values is neither true nor false."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)[:VALUE_BYTES] if isinstance(value, str | int | float) else ""


def _meaning(error: KsnapshotError, sql: str) -> KsnapshotError | StatementError:
    """What an error says of the statement, where the server has answered."""
    cause = error.__cause__
    if not isinstance(cause, ClickHouseError) or cause.code is None or cause.code in _OF_SERVER:
        return error
    if cause.code == _TIMEOUT:
        return StatementTimeoutError("it took too long")
    if cause.code not in _NAMING:
        return StatementError(f"the server says no more than {cause.code} without values")
    said = without_values(_TAIL.sub("", _HEAD.sub("", shorten(str(cause)))), sql=sql)
    return StatementError(f"{said} ({cause.code})")
