import io
import json
import logging

import pytest

from dumpers.runtime.log import LogFormat, LogLevel, configure, fields, terminal

OURS = ("controller.loop", "dumpers.runs")
# Those that log requests with headers and signatures, one of a name that nobody thought of, and
# the root itself.
OTHERS = ("botocore.auth", "urllib3.connectionpool", "kubernetes.client", "apprise", "other", "")


pytestmark = pytest.mark.usefixtures("logging_as_it_was")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def said(level: LogLevel, names: tuple[str, ...], number: int) -> int:
    """How many of these loggers are heard at a level of the standard library."""
    stream = io.StringIO()
    configure(level=level, stream=stream)
    for name in names:
        logging.getLogger(name).log(number, "x")
    return len(stream.getvalue().splitlines())


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        (LogLevel.DEBUG, [logging.DEBUG, logging.INFO, logging.WARNING]),
        (LogLevel.INFO, [logging.INFO, logging.WARNING]),
        (LogLevel.WARNING, [logging.WARNING]),
    ],
)
def test_a_level_is_about_our_own_lines(level: LogLevel, heard: list[int]) -> None:
    numbers = (logging.DEBUG, logging.INFO, logging.WARNING)
    assert [number for number in numbers if said(level, OURS, number) == len(OURS)] == heard
    assert [number for number in numbers if said(level, OTHERS, number)] == [logging.WARNING]
    assert not any(logging.getLogger(name).isEnabledFor(logging.DEBUG) for name in OTHERS)


@pytest.mark.parametrize(
    ("form", "stream", "is_json"),
    [
        (LogFormat.AUTO, io.StringIO(), True),
        (LogFormat.AUTO, Screen(), False),
        (LogFormat.JSON, io.StringIO(), True),
        (LogFormat.JSON, Screen(), True),
        (LogFormat.TEXT, io.StringIO(), False),
        (LogFormat.TEXT, Screen(), False),
    ],
)
def test_a_line_has_the_format_that_was_asked_for(
    form: LogFormat, stream: io.StringIO, *, is_json: bool
) -> None:
    configure(form=form, stream=stream)
    logging.getLogger(OURS[0]).info("event", extra=fields(workload="demo/db", message="other"))
    line = stream.getvalue()
    if is_json:
        found = json.loads(line)
        assert list(found) == ["time", "level", "message", "workload"]
        assert (found["level"], found["message"]) == ("info", "event")
    else:
        assert "info     event  workload=demo/db" in line
    # Only where a person looks on is there a line that is written over.
    assert (terminal() is not None) == (stream.isatty() and not is_json)
