"""A job's process: signals that end it, its exit code, and its termination message."""

import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Protocol

from dumpers.contract.names import DEFAULT_TERMINATION_LOG, LOG_LEVEL, TERMINATION_LOG
from dumpers.contract.result import DumpResult
from dumpers.runtime.errors import KsnapshotError, describe_failure, frames_of
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import LogLevel, configure, fields

_LOG = logging.getLogger(__name__)

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# What is left of the deadline when the process ends itself: enough to abort the upload in good
# order before Kubernetes kills the pod, a small part of a long deadline.
_MARGIN_SECONDS = 30.0
_MARGIN_SHARE = 0.1
# So many keys of objects are logged at most.
_KEYS_SHOWN = 10


def configure_log() -> None:
    """Log from the level of the environment on; a word that is none keeps no run from its work."""
    level = os.environ.get(LOG_LEVEL, "")
    is_known = level in set(LogLevel)
    configure(level=LogLevel(level) if is_known else LogLevel.INFO)
    if level and not is_known:
        _LOG.warning("log level not known", extra=fields(variable=LOG_LEVEL, known=[*LogLevel]))


def interrupt_by_signals(deadline: int | None, *, work: str = "dump") -> Interrupt:
    """Make the interrupt that SIGTERM, SIGINT and the deadline (seconds, None for none) cancel.

    `work` names what they stop. The run has to stop a little before the deadline, which Kubernetes
    counts from the pod's start.
    """
    allowed = None
    if deadline is not None:
        allowed = deadline - min(_MARGIN_SECONDS, deadline * _MARGIN_SHARE)
    interrupt = Interrupt(allowed, work=work)
    for number in _STOP_SIGNALS:
        signal.signal(number, lambda number, _: interrupt.cancel(signal.Signals(number).name))
    # __main__ blocked them until somebody listens.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
    return interrupt


class Result(Protocol):
    """How a job ended: a dataclass that is the job's termination message."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def succeeded(self) -> bool: ...  # noqa: D102  see the class
    @property
    def exit_code(self) -> int: ...  # noqa: D102

    def to_json(self) -> str:
        """The termination message."""
        ...


class FailedResult(Protocol):
    """Makes the result of a job that has failed."""

    def __call__(  # noqa: D102  see the class
        self, *, succeeded: bool, exit_code: int, reason: str, message: str, seconds: float
    ) -> Result: ...


def run_to_end(
    operation: str, work: Callable[[], Result], *, failed: FailedResult = DumpResult
) -> NoReturn:
    """Do the work of a job, then end the process with its exit code.

    The result, also that of a failure, goes to the log and to the termination message.
    `operation` names it in the log: "dump done", "dump failed". `failed` makes the result where
    `work` raises.
    """
    began = time.monotonic()
    termination_log = os.environ.get(TERMINATION_LOG) or DEFAULT_TERMINATION_LOG
    try:
        result = work()
    except KsnapshotError as error:
        result = _failed(failed, error, began)
    except Exception as error:  # noqa: BLE001  the edge: whatever it is becomes a result
        shown = fields(kind=type(error).__name__, where=frames_of(error))
        _LOG.error("internal error", extra=shown)
        result = _failed(failed, error, began)
    _report(operation, result, termination_log=Path(termination_log))
    raise SystemExit(result.exit_code)


def _failed(make: FailedResult, error: Exception, began: float) -> Result:
    failure = describe_failure(error)
    return make(
        succeeded=False,
        exit_code=failure.exit_code,
        reason=failure.reason,
        message=failure.message,
        seconds=round(time.monotonic() - began, 3),
    )


def _report(operation: str, result: Result, *, termination_log: Path) -> None:
    level = logging.INFO if result.succeeded else logging.ERROR
    shown = {name: value for name, value in asdict(result).items() if value or name == "succeeded"}
    shown["error"] = shown.pop("message", "")
    # A search cluster or a schema has thousands; the record names them all.
    if isinstance(result, DumpResult) and result.key_count > _KEYS_SHOWN:
        shown.pop("keys", None)
    event = f"{operation} {'done' if result.succeeded else 'failed'}"
    _LOG.log(level, event, extra=fields(**shown))
    try:
        termination_log.write_text(result.to_json(), encoding="utf-8")
    except OSError as error:
        _LOG.warning("no termination log", extra=fields(error=str(error)))
