"""What a target has to do with a message, how that may fail, and what came of all of them."""

from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import TypeAlias

from controller.report.notifications.messages import Message


class DeliveryError(Exception):
    """A message did not arrive. The text never holds any part of a URL or of a login.

    With `may_heal` it is worth to try again.
    """

    def __init__(self, why: str, *, may_heal: bool) -> None:
        super().__init__(why)
        self.may_heal = may_heal


# Sends a message; False where the target is not set up. DeliveryError if it does not arrive.
Deliver: TypeAlias = Callable[[Message], bool]


class Outcome(StrEnum):
    """What came of a message for one target."""

    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"


class DeliveryCounts:
    """Messages by target and outcome; for all threads."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = Lock()

    def count(self, target: str, outcome: Outcome) -> None:
        """Count one message."""
        with self._lock:
            self._counts[target, str(outcome)] += 1

    def counted(self) -> Mapping[tuple[str, str], int]:
        """The counts so far."""
        with self._lock:
            return dict(self._counts)


def read_key(folder: Path, key: str) -> str:
    """Read a key of the mounted Secret, without blanks around it; empty where it is not there.

    It is read for each message, so that a Secret that was changed counts at once.
    """
    try:
        return (folder / key).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        # From None: the decoder's error holds the bytes.
        why = f"the key {key} of the Secret cannot be read ({type(error).__name__})"
        raise DeliveryError(why, may_heal=True) from None
