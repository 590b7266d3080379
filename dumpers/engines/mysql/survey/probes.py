"""Trying statements one after the other, and learning which of them the server refuses, and why."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.errors import LOCK_WAIT_TIMEOUT, error_numbers
from dumpers.engines.mysql.locks import lock_timeout
from dumpers.runtime.interrupt import Interrupt

# A script travels as an argument, which may have 128 KiB.
_SCRIPT_BYTES = 100_000
_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The server's errors for one statement: their numbers, and the last one's words."""

    numbers: frozenset[int]
    words: str


def attempt(
    server: Server, statements: Sequence[str], *, database: str, interrupt: Interrupt
) -> list[Refusal | None]:
    """Run each statement in one session; None stands for those that the server took.

    Raises SourceFailedError if an answer is missing, or if a statement waited for a lock in vain.
    """
    taken = 0
    for statement in statements:
        try:
            server.raw(statement, database=database, interrupt=interrupt)
        except (server.errors.failed, server.errors.refused) as error:
            if LOCK_WAIT_TIMEOUT in error_numbers(str(error)):
                raise lock_timeout(server, database, str(error), interrupt=interrupt) from error
            break
        taken += 1
    rest = _attempt_on(server, statements[taken:], database=database, interrupt=interrupt)
    return [*[None] * taken, *rest]


def _attempt_on(
    server: Server, statements: Sequence[str], *, database: str, interrupt: Interrupt
) -> list[Refusal | None]:
    """Go on after every error, as a client does that has a script."""
    found: list[Refusal | None] = []
    # Ends the answer of one statement; they are counted, so that a lost answer is noticed.
    mark = secrets.token_hex(8)
    for script in _scripts(statements, mark):
        rows = server.script(script, options=("--force",), database=database, interrupt=interrupt)
        errors: list[tuple[str, ...]] = []
        for row in rows:
            if len(row) == 3 and row[0] == "Error" and row[1].isdigit():  # noqa: PLR2004  as SHOW ERRORS prints
                errors.append(row)
            elif row == (mark, str(len(found))):
                found.append(_refusal(errors))
                errors = []
    if len(found) != len(statements):
        raise server.errors.failed(
            f"the server did not answer all that was asked about the database {database!r}: was "
            "the connection lost?"
        )
    for one in found:
        if one is not None and LOCK_WAIT_TIMEOUT in one.numbers:
            raise lock_timeout(server, database, one.words, interrupt=interrupt)
    return found


def _scripts(statements: Sequence[str], mark: str) -> Iterator[str]:
    script = ""
    for number, statement in enumerate(statements):
        step = f"{statement};\nSHOW ERRORS;\nSELECT '{mark}', {number};\n"
        if script and len((script + step).encode()) > _SCRIPT_BYTES:
            yield script
            script = ""
        script += step
    if script:
        yield script


def _refusal(errors: Sequence[tuple[str, ...]]) -> Refusal | None:
    if not errors:
        return None
    numbers = frozenset(int(number) for _, number, _ in errors)
    return Refusal(numbers=numbers, words=f"{errors[-1][2][:_SHOWN]} ({errors[-1][1]})")
