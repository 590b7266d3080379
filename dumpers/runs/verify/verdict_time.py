"""When a verdict on a backup is dated, so that the last one found is the one that counts."""

from datetime import datetime, timedelta

from dumpers.repository.keys import Drilled, Proof

SECOND = timedelta(seconds=1)


def verdict_time(last: Proof | Drilled | None, now: datetime, *, good: bool) -> datetime:
    """When a verdict is found: later than the one that it takes the place of.

    The clocks of nodes differ. A good verdict that says again what one of the future says is of
    now: it changes nothing, and its time is right.
    """
    says_it_again = last is not None and last.good and good and last.when > now
    if last is None or says_it_again or last.when < now.replace(microsecond=0):
        return now
    return last.when + SECOND
