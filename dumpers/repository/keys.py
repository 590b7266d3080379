"""Where everything lies in the bucket: a pure mapping from a run to its S3 keys.

Dump keys follow ksnapshot 0.6.0 to the letter; run records are ours. All times are UTC.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import unquote

from dumpers.contract.key_names import quote, segment
from dumpers.contract.names import GZIP, ZSTD

COMPRESSION_SUFFIXES = {GZIP: ".gz", ZSTD: ".zst"}
AGE_SUFFIX = ".age"
_STAMP = "%Y%m%dT%H%M%SZ"
# Names of a run's records.
STARTED, MANIFEST, FAILED = "started.json", "manifest.json", "failed.json"
FINGERPRINT = "fingerprint.json"
PINNED, ACCEPTED = "pinned.json", "accepted.json"
# Lies beside a backup that was copied here.
COPIED = "copied.json"
# What prune finds out: that the store holds what the manifest says, and that a backup is small.
CHECKED, SHRUNK = "checked.json", "shrunk.json"
# The only record that belongs to a CronJob, and not to one of its runs.
BOOTSTRAP = "bootstrap.json"
# The mark of a sweep that has begun and not ended; holds what the tombstone holds.
SWEEPING = "sweeping.json"
_FOLDER = re.compile(r"(\d{8}T\d{6}Z)-(.+)")
# Records with a time in their name: what was found out about a backup, and when.
VERIFIED, DAMAGED, UNREAD = "verified", "damaged", "unread"
DRILLED, DRILL_FAILED, RESTORED = "drilled", "drill-failed", "restored"
_TOLD = re.compile(r"(verified|damaged|unread|drilled|drill-failed|restored)-(\d{8}T\d{6}Z)\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a dump job: everything that its keys are made of.

    `path` is the normalised BACKEND_PATH, `host` the pod's name, `started` the run's only start
    time.
    """

    path: str
    cluster: str
    cronjob: str
    host: str
    started: datetime
    id: str

    def __post_init__(self) -> None:
        if self.started.tzinfo is not UTC:
            raise ValueError("a run's start time is UTC")

    def dump_key(
        self,
        *,
        engine: str,
        name: str,
        part: Sequence[str] = (),
        ending: str,
        encrypted: bool,
        compression: str = GZIP,
        time_first: bool = False,
    ) -> str:
        """Key of one dump object; `ending` is the format's own, such as `.sql`.

        The parts of a dump lie in a folder named like the key of the whole. With `time_first` the
        time, to the minute, stands before the name.
        """
        suffix = ending + COMPRESSION_SUFFIXES[compression] + (AGE_SUFFIX if encrypted else "")
        if time_first:
            named = f"{self.started:%Y%m%d%H%M}-{quote(name)}"
        else:
            named = f"{quote(name)}-{self.started:%Y%m%d%H%M%S}"
        whole = f"dump-{quote(self.host)}-{named}"
        file = f"{_join(whole, *map(segment, part))}{suffix}"
        return _join(self.path, f"{self.started:%Y/%m/%d}", engine, file)

    @property
    def records_prefix(self) -> str:
        """Folder of the records of all runs of the CronJob, with its trailing slash."""
        return records_prefix(path=self.path, cluster=self.cluster, cronjob=self.cronjob)

    @property
    def record_prefix(self) -> str:
        """Folder of this run's records, with its trailing slash."""
        return f"{self.records_prefix}{stamp(self.started)}-{quote(self.id)}/"

    @property
    def started_key(self) -> str:
        """Key of the record that is written before anything else."""
        return f"{self.record_prefix}{STARTED}"

    @property
    def manifest_key(self) -> str:
        """Key of the record that is written last, or of the tombstone in its place."""
        return f"{self.record_prefix}{MANIFEST}"

    @property
    def fingerprint_key(self) -> str:
        """Key of the record that tells what the backup holds, written before the manifest."""
        return f"{self.record_prefix}{FINGERPRINT}"

    @property
    def failed_key(self) -> str:
        """Key of the record that a run leaves when it fails."""
        return f"{self.record_prefix}{FAILED}"

    def verification_key(self, moment: datetime, *, good: bool) -> str:
        """Key of what a verification at this time found; the verdict is in the name."""
        return self.record_prefix + verification_name(moment, good=good)


class Proof(NamedTuple):
    """The last verification: when, and whether all objects were as they had been stored."""

    when: datetime
    good: bool


class Drilled(NamedTuple):
    """The last drill: when, and whether the restored backup held what had been dumped."""

    when: datetime
    good: bool


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class RunFolder:
    """What the name of a run's folder of records says; sorts by time."""

    started: datetime
    id: str

    @classmethod
    def parse(cls, name: str) -> "RunFolder | None":
        """Read a folder's name, without slashes; None where it is not one of ours."""
        found = _FOLDER.fullmatch(name)
        moment = _moment(found[1]) if found else None
        return cls(started=moment, id=unquote(found[2])) if found and moment else None


def verification_name(moment: datetime, *, good: bool) -> str:
    """Name of the record of what a verification at this time found."""
    return f"{VERIFIED if good else DAMAGED}-{stamp(moment)}.json"


def drill_name(moment: datetime, *, good: bool) -> str:
    """Name of the record of what a drill that ended at this time found."""
    return f"{DRILLED if good else DRILL_FAILED}-{stamp(moment)}.json"


def unread_name(moment: datetime) -> str:
    """Name of the record of a verification that ended at this time, and could not read all."""
    return f"{UNREAD}-{stamp(moment)}.json"


def restored_name(moment: datetime) -> str:
    """Name of the record of a restore that ended at this time."""
    return f"{RESTORED}-{stamp(moment)}.json"


def read_told(name: str) -> tuple[str, datetime] | None:
    """What a record's name says that was found out about its backup, such as DRILLED, and when."""
    found = _TOLD.fullmatch(name)
    moment = _moment(found[2]) if found else None
    return (found[1], moment) if found and moment else None


def read_proof(name: str) -> tuple[datetime, bool] | None:
    """When a record's name says that its backup was verified, and whether it was good."""
    return _read_verdict(VERIFIED, DAMAGED, name)


def read_drill(name: str) -> tuple[datetime, bool] | None:
    """When a record's name says that its backup was drilled, and whether it held what it should."""
    return _read_verdict(DRILLED, DRILL_FAILED, name)


def last_proof(names: Iterable[str], *, now: datetime) -> Proof | None:
    """The verdict that counts of a run's records: when it was found, and whether it is good.

    It is the newest. A good one that is dated later than `now`, by a clock that was ahead,
    outweighs a bad one only if that is dated so, too: who wrote it knew that one.
    """
    last = _last([proof for proof in map(read_proof, names) if proof], now)
    return Proof(*last) if last else None


def last_drill(names: Iterable[str], *, now: datetime) -> Drilled | None:
    """The verdict of the drill that counts, of all by a run's records; as `last_proof` chooses."""
    last = _last([drill for drill in map(read_drill, names) if drill], now)
    return Drilled(*last) if last else None


def last_unread(names: Iterable[str]) -> datetime | None:
    """When a verification last could not read a backup with these records; None if none tried."""
    told = filter(None, map(read_told, names))
    return max((moment for kind, moment in told if kind == UNREAD), default=None)


def stamp(moment: datetime) -> str:
    """A UTC time as it stands in the names of records; sorts by time."""
    return moment.strftime(_STAMP)


def records_prefix(*, path: str, cluster: str, cronjob: str) -> str:
    """Folder of all run records of one CronJob, with its trailing slash."""
    return _join(path, "manifests", quote(cluster), quote(cronjob)) + "/"


def bootstrap_key(*, path: str, cluster: str, cronjob: str) -> str:
    """Key of the record of the restore that a CronJob's workload began with."""
    return records_prefix(path=path, cluster=cluster, cronjob=cronjob) + BOOTSTRAP


def probe_key(*, path: str, cluster: str) -> str:
    """Key of a small object by which prune finds out what the store and its keys can do."""
    return _join(path, "manifests", quote(cluster), "probe.json")


def _read_verdict(good: str, bad: str, name: str) -> tuple[datetime, bool] | None:
    told = read_told(name)
    return (told[1], told[0] == good) if told and told[0] in {good, bad} else None


def _last(verdicts: list[tuple[datetime, bool]], now: datetime) -> tuple[datetime, bool] | None:
    ahead = [moment for moment, good in verdicts if not good and moment > now]
    known = min(ahead, default=None)
    counting = [
        (moment, good)
        for moment, good in verdicts
        if not good or moment <= now or (known is not None and moment > known)
    ]
    return max(counting or verdicts, default=None)


def _moment(text: str) -> datetime | None:
    """The time that a stamp says; None where it is none."""
    try:
        return datetime.strptime(text, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def _join(*segments: str) -> str:
    return "/".join(segment for segment in segments if segment)
