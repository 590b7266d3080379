"""Asking the user's own checks of what a drill has restored, one after the other."""

import logging
import time
from collections.abc import Sequence

from dumpers.contract.connection import Connection
from dumpers.contract.drill.checks import Check
from dumpers.engines.drilling.checking import (
    CHECK_SECONDS,
    AskCheck,
    CheckedEngine,
    CheckVerdict,
    StatementError,
    StatementTimeoutError,
    judge,
)
from dumpers.engines.drilling.protocol import DrilledObject
from dumpers.engines.protocol import Engine
from dumpers.runs.drill.failures import server_failure
from dumpers.runtime.errors import (
    ConfigurationError,
    InterruptedRunError,
    TargetFailedError,
    TargetRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields

_LOG = logging.getLogger(__name__)

# The server ends a check first, and says so.
_GRACE_SECONDS = 30


def ask_checks(
    engine: Engine,
    server: Connection,
    objects: Sequence[DrilledObject],
    checks: Sequence[Check],
    interrupt: Interrupt,
    *,
    seconds: int = CHECK_SECONDS,
) -> tuple[CheckVerdict, ...]:
    """A verdict on each check; all are asked, whatever the others give.

    Each may take `seconds`. Raises DrillServerFailedError where the server does not answer, and
    InterruptedRunError.
    """
    if not isinstance(engine, CheckedEngine):
        raise ConfigurationError("this version asks no checks of this engine")
    try:
        ask = engine.open_checks(server, objects, interrupt, seconds=seconds)
        return tuple(_verdict(ask, check, interrupt, seconds) for check in checks)
    except (TargetFailedError, TargetRefusedError) as error:
        raise server_failure(error) from error


def _verdict(ask: AskCheck, check: Check, interrupt: Interrupt, seconds: int) -> CheckVerdict:
    began = time.monotonic()
    part = interrupt.child(seconds + _GRACE_SECONDS, work="check")
    why = ""
    try:
        why = judge(ask(check, part))
    except StatementTimeoutError:
        why = _too_long(seconds)
    except StatementError as error:
        why = f"gave an error: {error}"
    except InterruptedRunError:
        # Unless it is the drill that has to stop.
        interrupt.check()
        why = _too_long(seconds)
    taken = round(time.monotonic() - began, 3)
    _LOG.info("check asked", extra=fields(number=check.number, good=not why, seconds=taken))
    return CheckVerdict(number=check.number, good=not why, seconds=taken, why=why)


def _too_long(seconds: int) -> str:
    return f"took longer than {seconds} s"
