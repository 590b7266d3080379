import io
import logging
from collections.abc import Iterator

import pytest

from dumpers.log import TerminalHandler, configure, terminal
from dumpers.progress import line, shown


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("read", "sent", "seconds", "expected"),
    [
        (0, 0, 0.0, "db  0:00  0 B read  0 B sent  0 B/s"),
        (1300 << 20, 310 << 20, 65.0, "db  1:05  1.3 GiB read  310 MiB sent  20 MiB/s"),
        (5 << 50, 1023, 7200.9, "db  120:00  5120 TiB read  1023 B sent  728 GiB/s"),
    ],
)
def test_the_line_of_a_terminal(read: int, sent: int, seconds: float, expected: str) -> None:
    assert line("db", read=read, sent=sent, seconds=seconds) == expected


def test_log_lines_take_the_place_of_the_status_line() -> None:
    screen = Screen()
    configure(stream=screen)
    handler = terminal()
    assert isinstance(handler, TerminalHandler)
    handler.show("half way")
    logging.getLogger("x").warning("watch out")
    handler.clear()
    said = screen.getvalue()
    assert said.startswith("\r\x1b[Khalf way\r\x1b[K")
    assert said.endswith("warning  watch out\n")


def test_a_short_dump_leaves_no_line() -> None:
    for stream in (Screen(), io.StringIO()):
        configure(stream=stream)
        with shown("db", read=lambda: 1, sent=lambda: 1):
            pass
        assert stream.getvalue() == ""


def test_where_machines_read_there_is_no_terminal() -> None:
    configure(stream=io.StringIO())
    assert terminal() is None
