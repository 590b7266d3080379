import io
import logging

import pytest

from dumpers.runtime.log import TerminalHandler, configure, terminal
from dumpers.runtime.progress import Progress, State, line

pytestmark = pytest.mark.usefixtures("logging_as_it_was")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("names", "done", "total", "read", "sent", "seconds", "expected"),
    [
        (("db",), 0, 1, 0, 0, 0.0, "db  0:00  0 B read  0 B sent  0 B/s"),
        (
            *(("db",), 0, 1, 1300 << 20, 310 << 20, 65.0),
            "db  1:05  1.3 GiB read  310 MiB sent  20 MiB/s",
        ),
        (
            *(("db",), 0, 1, 5 << 50, 1023, 7200.9),
            "db  120:00  5120 TiB read  1023 B sent  728 GiB/s",
        ),
        (("a", "b", "c"), 3, 40, 10, 5, 1.0, "a +2  3/40  0:01  10 B read  5 B sent  10 B/s"),
        ((), 40, 40, 10, 5, 1.0, "waiting  40/40  0:01  10 B read  5 B sent  10 B/s"),
    ],
)
def test_the_line_of_a_terminal(
    names: tuple[str, ...],
    done: int,
    total: int,
    read: int,
    sent: int,
    seconds: float,
    expected: str,
) -> None:
    state = State(names=names, done=done, total=total, read=read, sent=sent)
    assert line(state, seconds=seconds) == expected


def test_what_begins_anew_does_not_count_twice() -> None:
    progress = Progress(total=2)
    with pytest.raises(OSError, match="broke"):  # noqa: PT012, SIM117  one after the other
        with progress.of("a", read=lambda: 7, sent=lambda: 3):
            assert (progress.state().names, progress.state().read) == (("a",), 7)
            raise OSError("broke")
    with progress.of("a", read=lambda: 10, sent=lambda: 5):
        pass
    with progress.of("b", read=lambda: 1, sent=lambda: 1):
        assert progress.state() == State(names=("b",), done=1, total=2, read=11, sent=6)
    assert progress.state() == State(names=(), done=2, total=2, read=11, sent=6)


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
        progress = Progress(total=1)
        with progress.shown(), progress.of("db", read=lambda: 1, sent=lambda: 1):
            pass
        assert stream.getvalue() == ""


def test_where_machines_read_there_is_no_terminal() -> None:
    configure(stream=io.StringIO())
    assert terminal() is None
