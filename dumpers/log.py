"""Logging of both processes: JSON lines for machines, plain lines on a terminal."""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

_KEY = "ksnapshot_fields"


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


def configure(*, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send all logging to `stream` (stderr): JSON unless it is a terminal."""
    target = stream or sys.stderr
    handler = logging.StreamHandler(target)
    handler.setFormatter(PlainFormatter() if target.isatty() else JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # The SDKs log every request and retry at these levels; what matters of it is in our errors.
    for name in ("boto3", "botocore", "urllib3", "kubernetes"):
        logging.getLogger(name).setLevel(logging.WARNING)
