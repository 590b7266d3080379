"""Deletes those backups of one CronJob that the plan says are covered, in one order of requests.

All keys are listed to the end, deletions that were interrupted go on, then the records that tell
are read, proofs that are missing are asked for, and what was found shrunk is written down before
anything goes that it was compared with. Then the oldest goes first. The plan alone decides; what
speaks against a deletion by then only keeps.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from urllib.parse import unquote

from dumpers.repository.added_records import ShrunkRecord
from dumpers.repository.catalogue import Entry, State
from dumpers.repository.keys import SHRUNK, STARTED, SWEEPING
from dumpers.repository.record_json import write_record
from dumpers.repository.removal.burial import Undertaker
from dumpers.repository.removal.deletion import Deletion
from dumpers.repository.removal.folders import Folder, entries_of, read_folders
from dumpers.repository.removal.leftovers import Burial, Leftovers
from dumpers.repository.removal.proving import Prover
from dumpers.repository.removal.store_traits import StoreTraits
from dumpers.repository.removal.sweeper import Sweeper
from dumpers.repository.retention.plan import Reason, Rules, Verdict, plan
from dumpers.repository.retention.policy import Policy, print_policy
from dumpers.repository.retention.proof import Grade, read_proofs
from dumpers.repository.retention.recorded import recorded_policy
from dumpers.repository.sharing.old_claims import remove_old_claims
from dumpers.repository.sharing.shard_record import is_shard_name
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage

_LOG = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Pruned:
    """What was found and done at one CronJob; `verdicts` are the plan's, newest first.

    `policy` is in its one form, `fault` says why a recorded one does not count. `kept` counts
    backups that stay, `deleted` those that do not, in a dry run those that would go; `held_back`
    those that a policy wants gone and no proof covers, `shrunk` those that are suspiciously small,
    `swept` crashed runs, `sweeps` what was deleted of each. `freed` is in bytes, of backups.
    """

    prefix: str
    cronjob: str
    workload: str = ""
    policy: str = ""
    fault: str = ""
    verdicts: list[Verdict] = field(default_factory=list)
    kept: int = 0
    held_back: int = 0
    shrunk: int = 0
    deleted: int = 0
    freed: int = 0
    swept: int = 0
    sweeps: list[tuple[Entry, Deletion]] = field(default_factory=list)
    left: Leftovers = field(default_factory=Leftovers)

    def judged(self, verdicts: list[Verdict]) -> None:
        """Take the plan's verdicts, before anything is deleted."""
        self.verdicts = verdicts
        self.kept = sum(verdict.entry.is_restorable for verdict in verdicts)
        self.held_back = sum(Reason.PROOF_MISSING in verdict.reasons for verdict in verdicts)
        self.shrunk = sum(verdict.is_shrunk for verdict in verdicts)
        self.workload = next((item.entry.workload for item in verdicts if item.entry.workload), "")

    def count_deletion(self, burial: Burial) -> None:
        """Count what became of a backup that was to go."""
        self.deleted += burial.is_done
        self.kept -= burial.is_done
        self.count(burial)

    def count(self, burial: Burial) -> None:
        """Count what was freed and what stays."""
        self.freed += burial.freed
        self.left.add(burial.left)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruner:
    """Prunes the CronJobs of a cluster, one at a time, as they are at `now`.

    `floor` is what is kept whatever the policies in the bucket say. With `dry_run` nothing is
    written or deleted.
    """

    storage: RunStorage
    traits: StoreTraits
    cluster: str
    floor: Policy | None
    now: datetime
    dry_run: bool

    def prune(self, prefix: str) -> Pruned:
        """Prune the CronJob whose records lie under `prefix`.

        Raises the store's errors; what was deleted by then is gone, and the next prune goes on.
        """
        cronjob = unquote(prefix.rstrip("/").rpartition("/")[2])
        folders = read_folders(self.storage, prefix, now=lambda: self.now)
        pruned = Pruned(prefix=prefix, cronjob=cronjob)
        if not self.dry_run and not self._finish(folders, pruned):
            # The manifest of one that was pinned may be back, and counts.
            folders = read_folders(self.storage, prefix, now=lambda: self.now)
        judged = self._judge(folders, pruned)
        if self.dry_run:
            self._foresee(judged, folders, pruned)
            self._sweep(folders, pruned)
            return pruned
        self._note_shrunk(judged, folders)
        for verdict in self._going(judged, folders, pruned):
            self._delete(verdict, folders, pruned)
        self._sweep(folders, pruned)
        if any(is_shard_name(name) for item in folders.values() for name in item.names):
            runs = {item.entry.id for item in folders.values()}
            remove_old_claims(self.storage, prefix, runs, now=self.now)
        return pruned

    def _finish(self, folders: Mapping[str, Folder], pruned: Pruned) -> bool:
        """Go on with deletions that were interrupted; whether all of them go."""
        pruned_before = [item for item in folders.values() if item.entry.state is State.PRUNED]
        burials = [self._undertaker.finish(folder) for folder in pruned_before]
        for burial in burials:
            pruned.count(burial)
        return all(burial.is_done for burial in burials)

    def _judge(self, folders: Mapping[str, Folder], pruned: Pruned) -> list[Verdict]:
        """The plan's verdicts, once the store was asked for the proofs that are missing."""
        entries = entries_of(folders)
        recorded = recorded_policy(entries, self.now)
        rules = Rules(
            policy=recorded.policy,
            floor=self.floor,
            zone=recorded.zone,
            required=recorded.required,
            accepted=_accepted(entries, self.now),
        )
        shrunk = {record for record, item in folders.items() if SHRUNK in item.names}

        def judge(proofs: Mapping[str, Grade]) -> list[Verdict]:
            return plan(
                entries,
                rules,
                cluster=self.cluster,
                proofs=proofs,
                now=self.now,
                shrunk_before=shrunk,
            )

        verdicts = judge(self._prover.prove(judge, folders, read_proofs(entries)))
        pruned.policy, pruned.fault = print_policy(recorded.policy), recorded.fault
        pruned.judged(verdicts)
        if recorded.fault:
            known = fields(records=pruned.prefix, why=recorded.fault)
            _LOG.warning("a policy does not count, everything is kept", extra=known)
        return verdicts

    def _note_shrunk(self, judged: list[Verdict], folders: Mapping[str, Folder]) -> None:
        """Write down what is shrunk: what shows it may be deleted next.

        In the backup's own folder, where every listing shows it without a request more, and which
        nobody else writes at the same time; it goes with the backup.
        """
        storage = self.storage
        for verdict in judged:
            entry = verdict.entry
            if verdict.is_shrunk and SHRUNK not in folders[entry.record].names:
                body = write_record(ShrunkRecord(run=entry.id, found=self.now))
                storage.call(partial(_put, storage, f"{entry.record}{SHRUNK}", body))

    def _going(
        self, judged: list[Verdict], folders: Mapping[str, Folder], pruned: Pruned
    ) -> Iterator[Verdict]:
        """The backups that go, the oldest first, as long as the store holds what covers them.

        What a dump was told of its objects is as old as the dump: they may have been deleted by
        hand since.
        """
        held: dict[str, bool] = {}
        for verdict in reversed(judged):
            if verdict.keep:
                continue
            cover = verdict.covered_by
            if cover not in held:
                held[cover] = self._prover.holds(folders[cover])
            if held[cover]:
                yield verdict
            else:
                pruned.held_back += 1

    def _delete(self, verdict: Verdict, folders: Mapping[str, Folder], pruned: Pruned) -> None:
        record = verdict.entry.record
        burial = self._undertaker.bury(folders[record], cover=folders[verdict.covered_by])
        pruned.count_deletion(burial)

    def _foresee(
        self, judged: list[Verdict], folders: Mapping[str, Folder], pruned: Pruned
    ) -> None:
        """Count what would be deleted, and find out what would stay."""
        for verdict in self._going(judged, folders, pruned):
            burial = self._undertaker.foresee(folders[verdict.entry.record])
            pruned.count_deletion(burial)

    def _sweep(self, folders: Mapping[str, Folder], pruned: Pruned) -> None:
        """Clear away what crashed runs left, and tombstones of sweeps that are old enough."""
        sweeper = self._sweeper(pruned.cronjob)
        for folder in folders.values():
            names, state = folder.names, folder.entry.state
            # Behind the tombstone of a run that crashed, a copy of its backup may have been killed.
            is_copy = state is State.SWEPT and STARTED in names
            if SWEEPING in names or state in {State.CRASHED, State.FAILED} or is_copy:
                found = sweeper.foresee(folder) if self.dry_run else sweeper.sweep(folder)
                if isinstance(found, Deletion) and found.is_anything:
                    pruned.swept += 1
                    pruned.sweeps.append((folder.entry, found))
            elif state is State.SWEPT and not self.dry_run:
                sweeper.remove_tombstone(folder)

    def _sweeper(self, cronjob: str) -> Sweeper:
        return Sweeper(
            storage=self.storage,
            traits=self.traits,
            cluster=self.cluster,
            cronjob=cronjob,
            now=self.now,
        )

    @property
    def _prover(self) -> Prover:
        return Prover(storage=self.storage, now=self.now, dry_run=self.dry_run)

    @property
    def _undertaker(self) -> Undertaker:
        return Undertaker(storage=self.storage, traits=self.traits, now=self.now, is_asked=False)


def _accepted(entries: Iterable[Entry], now: datetime) -> datetime | None:
    """Until when somebody found the sizes of backups right."""
    ends = (
        entry.finished or entry.started
        for entry in entries
        if entry.size_accepted and entry.is_restorable and entry.started <= now
    )
    return max(ends, default=None)


def _put(storage: RunStorage, key: str, body: bytes) -> None:
    storage.bucket.put(key, body, only_new=False)
