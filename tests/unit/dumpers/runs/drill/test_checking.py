"""Checks that are asked: one verdict each, and none of the backup where the server is gone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from dumpers.contract.connection import Connection
from dumpers.contract.drill.checks import Check
from dumpers.engines.drilling.checking import AskCheck, StatementError, StatementTimeoutError
from dumpers.engines.drilling.protocol import DrilledObject
from dumpers.runs.drill.checking import ask_checks
from dumpers.runs.drill.sentences import what_does_not_hold
from dumpers.runtime.errors import (
    DrillServerFailedError,
    InterruptedRunError,
    KsnapshotError,
    TargetFailedError,
    TargetRefusedError,
)
from dumpers.runtime.interrupt import Interrupt

SERVER = Connection(host="127.0.0.1", port=1)


@dataclass(frozen=True)
class Asked:
    """An engine that answers each statement as it is told to."""

    answers: dict[str, Sequence[str | None] | Exception]
    before: Callable[[], object] = lambda: None

    def open_checks(
        self,
        server: Connection,
        objects: Sequence[DrilledObject],
        interrupt: Interrupt,
        *,
        seconds: int,
    ) -> AskCheck:
        assert (server, list(objects), seconds) == (SERVER, [], 60)

        def ask(check: Check, interrupt: Interrupt) -> Iterator[str | None]:
            self.before()
            answer = self.answers[check.sql]
            if isinstance(answer, Exception):
                raise answer
            yield from answer

        return ask


def whys(engine: Asked, interrupt: Interrupt | None = None) -> list[str]:
    checks = [Check(number=place, sql=sql) for place, sql in enumerate(engine.answers, 1)]
    found = ask_checks(
        engine,  # type: ignore[arg-type]  # the part of an engine that is asked
        SERVER,
        [],
        checks,
        interrupt or Interrupt(),
        seconds=60,
    )
    assert [verdict.number for verdict in found] == [check.number for check in checks]
    assert [verdict.good for verdict in found] == [not verdict.why for verdict in found]
    return [verdict.why for verdict in found]


def test_all_are_asked_whatever_the_others_give() -> None:
    answers: dict[str, Sequence[str | None] | Exception] = {
        "a": ["f"],
        "b": StatementError("no '…'"),
        "c": StatementTimeoutError("canceled"),
        "d": InterruptedRunError("the check was stopped"),
        "e": ["1", "2"],
    }
    assert whys(Asked(answers)) == [
        "gave false",
        "gave an error: no '…'",
        "took longer than 60 s",
        "took longer than 60 s",
        "",
    ]


@pytest.mark.parametrize(
    "error", [TargetFailedError("gone"), TargetRefusedError("no throwaway server")]
)
def test_a_server_that_fails_is_no_verdict(error: KsnapshotError) -> None:
    with pytest.raises(DrillServerFailedError, match="not judged"):
        whys(Asked({"a": ["t"], "b": error}))


def test_a_drill_that_has_to_stop_stops() -> None:
    interrupt = Interrupt()
    engine = Asked(
        {"a": InterruptedRunError("stopped")}, before=lambda: interrupt.cancel("SIGTERM")
    )
    with pytest.raises(InterruptedRunError, match="SIGTERM"):
        whys(engine, interrupt)


def test_a_message_names_the_first_checks_that_do_not_hold() -> None:
    engine = Asked({str(place): ["t"] if place % 2 else ["f"] for place in range(1, 15)})
    checks = ask_checks(
        engine,  # type: ignore[arg-type]  # as above
        SERVER,
        [],
        [Check(number=int(sql), sql=sql) for sql in engine.answers],
        Interrupt(),
        seconds=60,
    )
    said = what_does_not_hold(checks)
    assert said.endswith(
        "drill-sql: check 2 gave false; check 4 gave false; check 6 gave false; "
        "check 8 gave false; check 10 gave false; 2 checks more"
    )
