import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from controller.client.jobs.log_lines import parse_line
from controller.client.restore.stopping import result_in, stop_and_hear
from controller.kube.client import ForbiddenError, KubeError

BEFORE = json.dumps({"message": "restoring", "bytes_done": 1})
FAILED = json.dumps(
    {
        "level": "error",
        "message": "restore failed",
        "succeeded": False,
        "exit_code": 14,
        "reason": "Interrupted",
        "error": "it was stopped; the target may hold a part of the backup",
        "target_partial": True,
    }
)


@dataclass
class Log:
    """The lines of a log, or why it cannot be read."""

    lines: list[str]
    error: KubeError | None = None
    closed: list[bool] = field(default_factory=list)

    def __iter__(self) -> Iterator[str]:
        if self.error:
            raise self.error
        yield from self.lines

    def close(self) -> None:
        self.closed.append(True)


def test_the_last_line_says_what_the_target_holds() -> None:
    stopped: list[bool] = []
    log = Log([BEFORE, FAILED])
    result = stop_and_hear(lambda: log, lambda: stopped.append(True))
    assert result
    assert (result.reason, result.target_partial) == ("Interrupted", True)
    assert "may hold a part" in result.message
    assert stopped == log.closed == [True]


@pytest.mark.parametrize(
    "log", [Log([]), Log([BEFORE]), Log(["no JSON"]), Log([], error=ForbiddenError("no"))]
)
def test_what_was_not_said_is_not_known(log: Log) -> None:
    stopped: list[bool] = []
    assert stop_and_hear(lambda: log, lambda: stopped.append(True)) is None
    assert stopped == [True]


def test_what_cannot_be_stopped_is_raised_and_the_log_is_closed() -> None:
    log = Log([BEFORE, FAILED])

    def stop() -> None:
        raise ForbiddenError("no")

    with pytest.raises(ForbiddenError):
        stop_and_hear(lambda: log, stop)
    assert log.closed == [True]


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (FAILED, True),
        ('{"message": "restore done", "succeeded": true, "reason": "Succeeded"}', True),
        ('{"message": "undo failed", "succeeded": false, "reason": "TargetRefused"}', True),
        ('{"message": "restore failed"}', False),
        ('{"message": "restore failed", "succeeded": "x"}', False),
        (BEFORE, False),
    ],
)
def test_only_the_end_of_a_restore_has_a_result(text: str, *, known: bool) -> None:
    assert (result_in(parse_line(text)) is not None) == known
