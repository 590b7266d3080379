"""Where everything lies in the bucket: a pure mapping from a run to its S3 keys.

Dump keys follow ksnapshot 0.6.0 to the letter; run records are ours. All times are UTC.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote

from dumpers.contract.key_names import quote, segment

GZIP_SUFFIX = ".gz"
AGE_SUFFIX = ".age"
_STAMP = "%Y%m%dT%H%M%SZ"
# Names of a run's records.
STARTED, MANIFEST, FAILED = "started.json", "manifest.json", "failed.json"
FINGERPRINT = "fingerprint.json"
PINNED, ACCEPTED = "pinned.json", "accepted.json"
# What prune finds out: that the store holds what the manifest says, and that a backup is small.
CHECKED, SHRUNK = "checked.json", "shrunk.json"
# The only record that belongs to a CronJob, and not to one of its runs.
BOOTSTRAP = "bootstrap.json"
# The mark of a sweep that has begun and not ended; holds what the tombstone holds.
SWEEPING = "sweeping.json"
_FOLDER = re.compile(r"(\d{8}T\d{6}Z)-(.+)")
_PROOF = re.compile(r"(verified|damaged)-(\d{8}T\d{6}Z)\.json")
_UNREAD = re.compile(r"unread-(\d{8}T\d{6}Z)\.json")


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
        time_first: bool = False,
    ) -> str:
        """Key of one dump object; `ending` is the format's own, such as `.sql`.

        The parts of a dump lie in a folder named like the key of the whole. With `time_first` the
        time, to the minute, stands before the name.
        """
        suffix = f"{ending}{GZIP_SUFFIX}{AGE_SUFFIX if encrypted else ''}"
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


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class RunFolder:
    """What the name of a run's folder of records says; sorts by time."""

    started: datetime
    id: str

    @classmethod
    def parse(cls, name: str) -> "RunFolder | None":
        """Read a folder's name, without slashes; None where it is not one of ours."""
        found = _FOLDER.fullmatch(name)
        try:
            moment = datetime.strptime(found[1], _STAMP) if found else None  # noqa: DTZ007
        except ValueError:
            moment = None
        if found is None or moment is None:
            return None
        return cls(started=moment.replace(tzinfo=UTC), id=unquote(found[2]))


def verification_name(moment: datetime, *, good: bool) -> str:
    """Name of the record of what a verification at this time found."""
    return f"{'verified' if good else 'damaged'}-{stamp(moment)}.json"


def unread_name(moment: datetime) -> str:
    """Name of the record of a verification that ended at this time, and could not read all."""
    return f"unread-{stamp(moment)}.json"


def restored_name(moment: datetime) -> str:
    """Name of the record of a restore that ended at this time."""
    return f"restored-{stamp(moment)}.json"


def read_proof(name: str) -> tuple[datetime, bool] | None:
    """When a record's name says that its backup was verified, and whether it was good."""
    found = _PROOF.fullmatch(name)
    moment = _moment(found[2]) if found else None
    return (moment, found[1] == "verified") if found and moment else None


def last_proof(names: Iterable[str], *, now: datetime) -> tuple[datetime, bool] | None:
    """The verdict that counts of a run's records: when it was found, and whether it is good.

    It is the newest. A good one that is dated later than `now`, by a clock that was ahead,
    outweighs a bad one only if that is dated so, too: who wrote it knew that one.
    """
    proofs = [proof for proof in map(read_proof, names) if proof]
    ahead = [moment for moment, good in proofs if not good and moment > now]
    known = min(ahead, default=None)
    counting = [
        (moment, good)
        for moment, good in proofs
        if not good or moment <= now or (known is not None and moment > known)
    ]
    return max(counting or proofs, default=None)


def last_unread(names: Iterable[str]) -> datetime | None:
    """When a verification last could not read a backup with these records; None if none tried."""
    found = filter(None, map(_UNREAD.fullmatch, names))
    return max(filter(None, (_moment(each[1]) for each in found)), default=None)


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


def _moment(text: str) -> datetime | None:
    """The time that a stamp says; None where it is none."""
    try:
        return datetime.strptime(text, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def _join(*segments: str) -> str:
    return "/".join(segment for segment in segments if segment)
