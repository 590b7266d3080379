"""Says on stderr what takes long, so that a quiet run is not taken for a dead one."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

_EVERY_SECONDS = 15


def say(text: str) -> None:
    """One line of progress."""
    print(f"[testbed] {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def progress(what: str) -> Iterator[None]:
    """Announces a step, says that it goes on, and how long it took."""
    started = time.monotonic()
    done = threading.Event()

    def remind() -> None:
        while not done.wait(_EVERY_SECONDS):
            say(f"{what}: still at it, {time.monotonic() - started:.0f} s")

    say(f"{what} ...")
    reminder = threading.Thread(target=remind, daemon=True)
    reminder.start()
    try:
        yield
    except BaseException:
        say(f"{what}: failed after {time.monotonic() - started:.1f} s")
        raise
    else:
        say(f"{what}: {time.monotonic() - started:.1f} s")
    finally:
        done.set()
        reminder.join()
