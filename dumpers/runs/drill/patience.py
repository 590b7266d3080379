"""Waiting for the throwaway server, which starts beside the client."""

import time

from dumpers.contract.connection import Connection
from dumpers.engines.protocol import Engine
from dumpers.runtime.errors import (
    DrillServerFailedError,
    TargetFailedError,
    TargetRefusedError,
)
from dumpers.runtime.interrupt import Interrupt

# Its image may have to come first, and it makes its data.
SERVER_SECONDS = 600.0
_PAUSE_SECONDS = 0.5


def wait_for_server(
    engine: Engine, server: Connection, interrupt: Interrupt, *, seconds: float
) -> None:
    """Return once the server answers the engine; DrillServerFailedError where it does not in time.

    One that refuses the login may not have made it yet.
    """
    ends = time.monotonic() + seconds
    while True:
        try:
            engine.inspect(server, interrupt)
        except (TargetFailedError, TargetRefusedError) as error:
            if time.monotonic() >= ends:
                raise DrillServerFailedError(
                    f"the throwaway server did not answer within {seconds:.0f} s: see the log of "
                    f"the container `server` of this pod ({error})"
                ) from error
            interrupt.sleep(_PAUSE_SECONDS)
        else:
            return
