"""How often, and after which wait, a call that got no answer is made again."""

from threading import Event

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    stop_any,
    stop_when_event_set,
    wait_random_exponential,
)
from tenacity.nap import sleep_using_event

from controller.kube.client import UnavailableError

_LONGEST_WAIT = 10.0


def retries(timeout: float, stopping: Event, attempts: int) -> Retrying:
    """Return what calls a function again as long as it raises UnavailableError.

    The last such error is raised. It is called so many times at most. `timeout` of one call is in
    seconds; `stopping` ends waiting.
    """
    return Retrying(
        stop=stop_any(
            stop_after_attempt(attempts),
            # A call that hung once has used up its time.
            stop_after_delay(timeout),
            stop_when_event_set(stopping),
        ),
        retry=retry_if_exception_type(UnavailableError),
        wait=_wait,
        sleep=sleep_using_event(stopping),
        reraise=True,
    )


def _wait(state: RetryCallState) -> float:
    """Wait as long as the server asks, within bounds, else a random and growing time."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, UnavailableError) else None
    if asked is not None:
        return min(asked, _LONGEST_WAIT)
    return float(wait_random_exponential(multiplier=0.2, max=2)(state))
