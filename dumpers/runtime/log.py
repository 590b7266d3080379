"""Logging of both processes: JSON lines for machines, plain lines on a terminal."""

import json
import logging
import shutil
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

_KEY = "ksnapshot_fields"
# The packages whose logging the level is about.
_OURS = ("controller", "dumpers")
# To the line's beginning, then clear to its end: what every terminal knows.
_ERASE = "\r\x1b[K"


class LogLevel(StrEnum):
    """The least important lines that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"


class LogFormat(StrEnum):
    """How a line looks; `auto` is text on a terminal, and JSON for all others."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


def fields(**values: object) -> dict[str, Mapping[str, object]]:
    """Structured fields of one log line, given to a logger as `extra=fields(…)`."""
    return {_KEY: values}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, message, then the line's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Render the record; an attached exception becomes the field `exception`."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        # A field never takes the place of one of these.
        line |= {key: value for key, value in getattr(record, _KEY, {}).items() if key not in line}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class PlainFormatter(logging.Formatter):
    """`12:00:00 warning  message  key=value …` for a person at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Render the record; an attached exception follows on its own lines."""
        moment = datetime.fromtimestamp(record.created, UTC)
        pairs = "".join(f"  {key}={value}" for key, value in getattr(record, _KEY, {}).items())
        line = f"{moment:%H:%M:%S} {record.levelname.lower():8} {record.getMessage()}{pairs}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class TerminalHandler(logging.StreamHandler[TextIO]):
    """Plain lines for a person, above one status line that is written over and over."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.setFormatter(PlainFormatter())
        self._status = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line in the place of the status line."""
        self.clear()
        super().emit(record)

    def show(self, text: str) -> None:
        """Put the status line, cut to the terminal's width."""
        width = shutil.get_terminal_size().columns
        with self.lock or nullcontext():
            self.stream.write(f"{_ERASE}{text[: width - 1]}")
            self.stream.flush()
            self._status = True

    def clear(self) -> None:
        """Take the status line away."""
        with self.lock or nullcontext():
            if self._status:
                self.stream.write(_ERASE)
                self.stream.flush()
                self._status = False


def terminal() -> TerminalHandler | None:
    """The terminal that logging goes to; None where machines read it."""
    handlers = logging.getLogger().handlers
    return next((item for item in handlers if isinstance(item, TerminalHandler)), None)


def configure(
    *,
    level: LogLevel = LogLevel.INFO,
    form: LogFormat = LogFormat.AUTO,
    stream: TextIO | None = None,
) -> None:
    """Send all logging to `stream` (stderr), our own from `level` on.

    Libraries are never heard below a warning, whatever the level: what they log of a request has
    headers, signatures and bodies in it.
    """
    target = stream or sys.stderr
    as_text = target.isatty() if form is LogFormat.AUTO else form is LogFormat.TEXT
    handler: logging.Handler
    if as_text and target.isatty():
        handler = TerminalHandler(target)
    else:
        handler = logging.StreamHandler(target)
        handler.setFormatter(PlainFormatter() if as_text else JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())
