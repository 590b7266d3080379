"""Sweeps crashed runs in the midst of a prune: with its patience, and its interrupt."""

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from dumpers.repository.removal.crashed import WINDOW, CrashedRuns
from dumpers.repository.removal.deletion import Deletion, NotSwept
from dumpers.repository.removal.folders import Folder
from dumpers.repository.removal.store_traits import StoreTraits
from dumpers.storage.errors import ChangedInStoreError
from dumpers.storage.run_storage import RunStorage

# How long the sweep of one crashed run may take; the next prune goes on with it.
_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweeper:
    """Sweeps the crashed runs of one CronJob, as seen at `now`."""

    storage: RunStorage
    traits: StoreTraits
    cluster: str
    cronjob: str
    now: datetime

    def sweep(self, folder: Folder) -> Deletion | NotSwept:
        """Remove what a run left if it crashed; what that was, or why it stays."""
        record, conditional = folder.entry.record, self.traits.conditional
        return self.storage.call(lambda: self._runs(conditional=conditional).sweep(record))

    def foresee(self, folder: Folder) -> Deletion | NotSwept:
        """What `sweep` would do as things are now; nothing is written or deleted."""
        record, names = folder.entry.record, folder.names
        return self.storage.call(lambda: self._runs(conditional=True).foresee(record, names))

    def remove_tombstone(self, folder: Folder) -> None:
        """Remove the tombstone of a sweep once it has stood long enough."""
        record, names, removed = folder.entry.record, folder.names, folder.entry.finished
        # A store is not asked what it heeds before that matters.
        if removed is not None and self.now > removed + WINDOW:
            runs = self._runs(conditional=self.traits.conditional)
            # Where another was faster, the next prune looks again.
            with suppress(ChangedInStoreError):
                self.storage.call(lambda: runs.remove_tombstone(record, names))

    def _runs(self, *, conditional: bool) -> CrashedRuns:
        return CrashedRuns(
            bucket=self.storage.bucket,
            cluster=self.cluster,
            cronjob=self.cronjob,
            run="",
            now=self.now,
            ends=time.monotonic() + _SECONDS,
            conditional=lambda: conditional,
        )
