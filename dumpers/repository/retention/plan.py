"""Which backups are kept and which may be deleted, and why: one pure function.

A backup may be deleted where the policy and the floor want it gone and a newer backup covers it:
one that is good, proved, not shrunk, and lacks nothing that the older one has. Everything else is
kept. Whether a backup is covered does not depend on the policy, so that a policy that keeps more
never deletes more.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum

from dumpers.repository.catalogue import Entry, State
from dumpers.repository.retention.covering import Coverage, Gap, is_accepted
from dumpers.repository.retention.keeping import kept_by
from dumpers.repository.retention.policy import Policy, Word
from dumpers.repository.retention.proof import Grade
from dumpers.repository.retention.shrinking import Size, find_shrunk


class Reason(StrEnum):
    """Why a backup is kept or deleted, besides the words of its policy; the names are stable."""

    NO_POLICY = "NoPolicy"
    FLOOR = "Floor"  # prune's own setting keeps it, whatever the policy says
    PINNED = "Pinned"
    NEWEST_GOOD = "NewestGood"
    # The policy wants it gone, and no newer backup that is proved covers it.
    PROOF_MISSING = "ProofMissing"
    # … as those that are proved are shrunk, or less than half its size.
    SHRUNK = "Shrunk"
    # … as those that are proved lack, by their notes, what it has.
    NEW_NOTES = "NewNotes"
    # What no policy judges.
    LEGACY = "Legacy"
    FOREIGN = "Foreign"  # it is another cluster's
    OF_THE_FUTURE = "OfTheFuture"
    UNKNOWN_FORMAT = "UnknownFormat"
    DAMAGED = "Damaged"  # it reads differently, or its record is missing or unreadable
    NO_BACKUP = "NoBackup"  # a run that goes on, failed or crashed, or what is left of a deletion
    # The one reason to delete a backup.
    COVERED = "Covered"


# One backup before it is enough: an alarm may wait for more, what is deleted is gone.
_ENOUGH = 1
_MISSING: dict[Gap, tuple[Reason, ...]] = {
    Gap.UNPROVED: (Reason.PROOF_MISSING,),
    Gap.SHRUNK: (Reason.PROOF_MISSING, Reason.SHRUNK),
    Gap.NOTES: (Reason.PROOF_MISSING, Reason.NEW_NOTES),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How the backups of a workload are judged.

    `policy` is None where all are kept; `floor` is what is kept whatever the policy says, None for
    nothing. `zone` cuts the days of both. `required` is the strongest proof that is configured for
    the workload, at least STORED. The sizes of backups that ended at `accepted` or before it were
    found right.
    """

    policy: Policy | None
    floor: Policy | None
    zone: tzinfo
    required: Grade
    accepted: datetime | None = None

    def __post_init__(self) -> None:
        if self.required < Grade.STORED:
            raise ValueError("what is not proved covers nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether one backup is kept, and all reasons for that.

    `covered_by` is the newer backup by which one that is not kept may be deleted: the folder of its
    records. `is_shrunk` stays true once it was, until the size is accepted: see `plan`.
    """

    entry: Entry
    keep: bool
    reasons: tuple[Reason | Word, ...]
    covered_by: str = ""
    is_shrunk: bool = False


def plan(
    entries: Iterable[Entry],
    rules: Rules,
    *,
    cluster: str,
    proofs: Mapping[str, Grade],
    now: datetime,
    shrunk_before: Collection[str] = (),
) -> list[Verdict]:
    """Judge the backups of a cluster, each CronJob's by themselves, newest first.

    `proofs` are by the folder of a backup's records; one without a proof covers nothing.
    `shrunk_before` are the folders of those that an earlier plan found shrunk: what they were
    compared with may have been deleted since.
    """
    groups: dict[tuple[str, str], dict[str, Entry]] = defaultdict(dict)
    for entry in entries:
        # A backup that is listed twice counts once.
        groups[entry.cluster, entry.cronjob][entry.record] = entry
    verdicts: list[Verdict] = []
    for found in groups.values():
        judged: list[Entry] = []
        for entry in found.values():
            if reason := _out_of_policy(entry, cluster=cluster, now=now):
                verdicts.append(Verdict(entry=entry, keep=True, reasons=_always(entry, reason)))
            else:
                judged.append(entry)
        judged.sort(key=_order, reverse=True)
        verdicts += _judge(judged, rules, proofs, shrunk_before)
    return sorted(verdicts, key=lambda verdict: _order(verdict.entry), reverse=True)


def _order(entry: Entry) -> tuple[datetime, str]:
    return entry.started, entry.record


def _out_of_policy(entry: Entry, *, cluster: str, now: datetime) -> Reason | None:
    """Why no policy judges a run; None for a good backup."""
    match entry.state:
        case State.LEGACY:
            return Reason.LEGACY
        case State.UNKNOWN:
            return Reason.UNKNOWN_FORMAT
        case State.DAMAGED:
            return Reason.DAMAGED
        case State.COMPLETE | State.NOTES:
            if entry.cluster != cluster:
                return Reason.FOREIGN
            return Reason.OF_THE_FUTURE if entry.started > now else None
    return Reason.NO_BACKUP


def _always(entry: Entry, reason: Reason) -> tuple[Reason, ...]:
    return (Reason.PINNED, reason) if entry.pinned else (reason,)


def _judge(
    entries: Sequence[Entry],
    rules: Rules,
    proofs: Mapping[str, Grade],
    shrunk_before: Collection[str],
) -> list[Verdict]:
    """Judge the good backups of one CronJob, newest first."""
    moments = [entry.started for entry in entries]
    words = kept_by(rules.policy, moments, rules.zone) if rules.policy else None
    floor = kept_by(rules.floor, moments, rules.zone) if rules.floor else None
    shrunk = _shrunk(entries, rules.accepted, shrunk_before)
    coverage = Coverage(accepted=rules.accepted)
    verdicts: list[Verdict] = []
    for number, entry in enumerate(entries):
        reasons: list[Reason | Word] = [*words[number]] if words else [Reason.NO_POLICY]
        if floor and floor[number]:
            reasons.append(Reason.FLOOR)
        if entry.pinned:
            reasons.append(Reason.PINNED)
        if number == 0:
            reasons.append(Reason.NEWEST_GOOD)
        cover = coverage.find(entry)
        keep = bool(reasons) or isinstance(cover, Gap)
        if not reasons:
            reasons += _MISSING[cover] if isinstance(cover, Gap) else (Reason.COVERED,)
        verdicts.append(
            Verdict(
                entry=entry,
                keep=keep,
                reasons=tuple(reasons),
                covered_by="" if keep or isinstance(cover, Gap) else cover.record,
                is_shrunk=shrunk[number],
            )
        )
        if proofs.get(entry.record, Grade.NONE) >= rules.required:
            coverage.add(entry, is_shrunk=shrunk[number])
    return verdicts


def _shrunk(
    entries: Sequence[Entry], accepted: datetime | None, before: Collection[str]
) -> tuple[bool, ...]:
    sizes = [
        Size(
            source=entry.source_bytes,
            stored=entry.stored_bytes,
            is_accepted=is_accepted(entry, accepted),
            is_shrunk=entry.record in before,
        )
        for entry in entries
    ]
    return find_shrunk(sizes, enough=_ENOUGH)
