"""Giving databases other names in one step, while applications are connected to them.

One transaction renames all; until it ends, nobody can log in to them, and nothing else is ever
committed: whoever is killed at whatever moment, each name leads to a whole database that takes
logins. Sessions that are there are ended from beside, as a rename waits for the last of them to go.
"""

import contextlib
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dumpers.engines.postgresql.catalog.patterns import literal
from dumpers.engines.postgresql.clients import Session, quote_identifier
from dumpers.engines.postgresql.restore.load import run_script
from dumpers.runtime.errors import KsnapshotError, TargetFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import IterReader

# How long a login may have to wait.
_LONGEST_MILLISECONDS = 1800
_ATTEMPTS = 3
_PAUSE_SECONDS = 1.0
_ANSWER_SECONDS = 15.0
_HELD = ("being accessed by other users", "timeout")


@dataclass(frozen=True, slots=True, kw_only=True)
class Renames:
    """What is renamed, in this order, and the comments of databases by their names afterwards."""

    steps: tuple[tuple[str, str], ...]
    comments: Mapping[str, str]

    def results(self) -> Mapping[str, str]:
        """The names of databases in the end, by those at the beginning."""
        ends: dict[str, str] = {}
        for before, after in self.steps:
            origin = next((name for name, end in ends.items() if end == before), before)
            ends[origin] = after
        return ends


def rename(
    session: Session, renames: Renames, oids: Mapping[str, int], interrupt: Interrupt
) -> None:
    """Rename in one transaction; `oids` are those of the databases by their names before.

    The session is at another database. Sessions in the renamed ones end. It is tried three times;
    TargetFailedError means that all names are as they were, and says who stands in the way.
    """
    numbers = {oids[name]: name for name in renames.results()}
    wanted = {oids[name]: end for name, end in renames.results().items()}
    for attempt in range(_ATTEMPTS):
        if attempt:
            interrupt.sleep(_PAUSE_SECONDS)
        try:
            with _ending_sessions(session, numbers, interrupt):
                run_script(session, IterReader(iter([_script(renames)])), interrupt)
        except KsnapshotError as error:
            # Nobody knows of a transaction whose answer was lost; asked in any case.
            if _is_done(session, wanted):
                return
            if not any(word in str(error) for word in _HELD):
                raise
            refusal = error
        else:
            return
    who = _who_is_there(session, numbers, interrupt)
    raise TargetFailedError(
        f"the databases could not change their names, as they are in use{who}, and everything is "
        f"as it was: stop what uses them, and try again ({refusal})"
    ) from refusal


def _script(renames: Renames) -> bytes:
    longest = max(_LONGEST_MILLISECONDS // len(renames.steps), 1)
    lines = [
        f"SET statement_timeout = {longest}",
        f"SET lock_timeout = {longest}",
        "BEGIN",
        *(
            f"ALTER DATABASE {quote_identifier(before)} RENAME TO {quote_identifier(after)}"
            for before, after in renames.steps
        ),
        *(
            f"COMMENT ON DATABASE {quote_identifier(name)} IS "
            + (literal(comment) if comment else "NULL")
            for name, comment in renames.comments.items()
        ),
        "COMMIT",
    ]
    return "".join(f"{line};\n" for line in lines).encode()


@contextlib.contextmanager
def _ending_sessions(
    session: Session, numbers: Mapping[int, str], interrupt: Interrupt
) -> Iterator[None]:
    """End the databases' sessions again and again, as long as they have these names."""
    ending = interrupt.child()

    def end_them() -> None:
        # The rename says what is wrong, if this does not work.
        with contextlib.suppress(KsnapshotError):
            session.ask(_terminate(numbers), ending)

    thread = threading.Thread(target=end_them, name="sessions", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.cancel("the end of the renames")
        thread.join()


def _terminate(numbers: Mapping[int, str]) -> str:
    # By number and name: whoever logs in under a name after the renames is left alone.
    named = ", ".join(f"({number}::oid, {literal(name)})" for number, name in numbers.items())
    tag = f"$k{secrets.token_hex(8)}$"
    return f"""DO {tag}
DECLARE
  ends timestamptz := clock_timestamp() + interval '{_LONGEST_MILLISECONDS} ms';
  victim int;
BEGIN
  WHILE clock_timestamp() < ends
  AND EXISTS (SELECT FROM pg_database d WHERE (d.oid, d.datname) IN ({named})) LOOP
    PERFORM pg_stat_clear_snapshot();
    FOR victim IN SELECT a.pid FROM pg_stat_activity a JOIN pg_database d ON d.oid = a.datid
      WHERE (d.oid, d.datname) IN ({named}) LOOP
      BEGIN
        PERFORM pg_terminate_backend(victim);
      EXCEPTION WHEN insufficient_privilege THEN
        NULL;
      END;
    END LOOP;
    PERFORM pg_sleep(0.02);
  END LOOP;
END {tag}"""  # noqa: S608  numbers, and names that `literal` has quoted


def _is_done(session: Session, wanted: Mapping[int, str]) -> bool:
    """Whether the databases have their new names; the error stands where nobody answers."""
    try:
        looking = Interrupt(_ANSWER_SECONDS, work="look at the names", is_part=True)
        rows = session.ask("SELECT oid, datname FROM pg_database", looking)
    except KsnapshotError:
        return False
    found = {int(number): name for number, name in rows}
    return all(found.get(number) == name for number, name in wanted.items())


def _who_is_there(
    session: Session, numbers: Sequence[int] | Mapping[int, str], interrupt: Interrupt
) -> str:
    listed = ", ".join(str(number) for number in numbers)
    rows = session.ask(
        "SELECT pid, coalesce(usename, ''), coalesce(application_name, '') FROM pg_stat_activity "  # noqa: S608  numbers
        f"WHERE datid IN ({listed}) LIMIT 5",
        interrupt,
    )
    found = "; ".join(f"pid {pid}, user {who}, application {what!r}" for pid, who, what in rows)
    return f" ({found})" if found else ""
