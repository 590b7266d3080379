"""The stores that one run writes to: which of them still take part, and giving one of them up."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_futures
from contextlib import ExitStack, contextmanager
from copy import copy
from datetime import datetime
from functools import partial
from typing import TypeVar

from dumpers.contract.storages.named_storage import NamedStorage
from dumpers.runtime.errors import (
    KsnapshotError,
    StorageFailedError,
    StorageRefusedError,
    StorageUnfitError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.patience import Patience
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.way_out import run_detached

_LOG = logging.getLogger(__name__)
T = TypeVar("T")

# A store that neither takes a byte nor answers for so long is given up where there are others.
STALLED_SECONDS = 600.0
# What calls may take that a run leaves behind by an error: they end by its interrupt.
_LAST_SECONDS = 25.0
# What is left at a run's end for cleaning up at stores that were given up.
_CLEANING_SECONDS = 15.0

# A store's own failures. All others, such as an interrupt, are the run's.
STORE_ERRORS = (StorageFailedError, StorageRefusedError)


class Stores:
    """The stores of one run, by the names of their storages; threads may share it.

    A store that fails is given up and the others go on. The failure of the last one is the run's,
    and so is that of a run's only store, which is told as it is. `unfit` are storages that are
    given up from the start, with why; `names` has all of them, in the job's order.
    """

    def __init__(
        self,
        storages: Mapping[str, RunStorage],
        *,
        interrupt: Interrupt,
        unfit: Mapping[str, KsnapshotError] | None = None,
        names: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.interrupt = interrupt
        self.clock = clock
        self._storages = storages
        self._names = tuple(names or storages)
        self._failures: dict[str, KsnapshotError] = {}
        self._cleaning: list[Future[None]] = []
        self._lock = threading.Lock()
        for name, error in (unfit or {}).items():
            self.give_up(name, error)

    def with_interrupt(self, interrupt: Interrupt) -> "Stores":
        """The same stores, for calls that end with `interrupt`; one given up is so in both."""
        other = copy(self)
        other.interrupt = interrupt
        other._storages = {  # noqa: SLF001  of this class
            name: storage.with_interrupt(interrupt) for name, storage in self._storages.items()
        }
        return other

    @property
    def is_one(self) -> bool:
        """Whether the run has only one store, given up or not."""
        return len(self._names) == 1

    @property
    def still_in(self) -> tuple[str, ...]:
        """The names of those that were not given up, in the job's order."""
        return tuple(name for name in self._names if name not in self._failures)

    @property
    def failures(self) -> Mapping[str, KsnapshotError]:
        """Why which stores were given up, in the job's order."""
        return {name: self._failures[name] for name in self._names if name in self._failures}

    def __getitem__(self, name: str) -> RunStorage:
        return self._storages[name]

    def give_up(self, name: str, error: KsnapshotError) -> None:
        """Go on without a store because of `error`; raises the run's error if it is the last."""
        if self.is_one:
            raise error
        with self._lock:
            if name in self._failures:
                return
            self._failures[name] = error
            left = self.still_in
        # Nobody waits for it any more, so a deadline is not its fault.
        self.interrupt.hold_up("")
        _LOG.warning(
            "storage given up",
            extra=fields(storage=name, reason=error.reason, why=str(error), left=", ".join(left)),
        )
        self.check_left()

    def check_left(self) -> None:
        """Raise the run's error if all of several stores were given up, by whatever thread."""
        if not self.still_in:
            raise _none_left(self.failures)

    def clean_up(self, call: Callable[[], None]) -> None:
        """Begin to clean up at a store that was given up; nobody waits for it before the end."""
        self._cleaning.append(run_detached(call))

    def wait_for_cleaning(self) -> None:
        """Wait for what was begun by `clean_up`, for some seconds at most."""
        wait_futures(self._cleaning, _CLEANING_SECONDS)

    def each(self, work: Callable[[str], T]) -> dict[str, T]:
        """Do `work` for every store that is still in, side by side; returns what it returned.

        A store at which it fails is given up, and so is one of which the job was told what cannot
        be right, unless it is the job's first. A run's only store is worked for in this thread.
        """
        if self.is_one:
            return {name: work(name) for name in self.still_in}
        self.check_left()
        begun = {name: run_detached(partial(work, name)) for name in self.still_in}
        results: dict[str, T] = {}
        try:
            for name, future in begun.items():
                try:
                    results[name] = self.interrupt.result(future)
                except STORE_ERRORS as error:
                    self.give_up(name, error)
                except StorageUnfitError as error:
                    if name == self._names[0]:
                        raise
                    self.give_up(name, error)
        except BaseException:
            # Calls that end by the interrupt still drop what they have begun.
            wait_futures(begun.values(), _LAST_SECONDS)
            raise
        # One may have been given up by another thread meanwhile.
        self.check_left()
        return {name: result for name, result in results.items() if name in self.still_in}


def _none_left(failures: Mapping[str, KsnapshotError]) -> KsnapshotError:
    """The error of a run all of whose stores were given up; one that may heal if any of them may.

    So a Job is tried again as long as there is hope for one of them.
    """
    may_heal = any(isinstance(error, StorageFailedError) for error in failures.values())
    kind = StorageFailedError if may_heal else StorageRefusedError
    told = "; ".join(f"{name}: {error}" for name, error in failures.items())
    return kind(f"none of the storages took the backup: {told}")


@contextmanager
def open_stores(
    storages: tuple[NamedStorage, ...], *, run: str, started: datetime, interrupt: Interrupt
) -> Iterator[Stores]:
    """The stores of a run that began at `started` (UTC), set up in the background.

    Faults of a location that show in use are raised by its first call; storages whose faults were
    found before are given up at once. With several, no call waits longer for one that is away than
    for one without progress: its patience ends there.
    """
    with ExitStack() as opened:
        stores = Stores(
            {
                item.name: opened.enter_context(
                    RunStorage(
                        item.location,
                        run=run,
                        interrupt=interrupt,
                        started=started,
                        patience=_patience(item, is_one=len(storages) == 1),
                    )
                )
                for item in storages
                if not item.fault
            },
            interrupt=interrupt,
            unfit={item.name: StorageUnfitError(item.fault) for item in storages if item.fault},
            names=[item.name for item in storages],
        )
        opened.callback(stores.wait_for_cleaning)
        yield stores


def _patience(storage: NamedStorage, *, is_one: bool) -> Patience | None:
    if is_one:
        return None
    return Patience(seconds=min(storage.location.patience, STALLED_SECONDS))
