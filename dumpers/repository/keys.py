"""Where everything lies in the bucket: a pure mapping from a run to its S3 keys.

Dump keys follow ksnapshot 0.6.0 to the letter; run records are ours. All times are UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dumpers.contract.key_names import quote, segment

GZIP_SUFFIX = ".gz"
AGE_SUFFIX = ".age"
# Names of a run's records.
STARTED, MANIFEST, SWEPT = "started.json", "manifest.json", "swept.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a dump job: all that its keys are made of.

    `path` is BACKEND_PATH normalised, `host` the pod's name, `started` the run's one start time.
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

        What a dump has in parts lies in a folder that is called as the whole would be. With
        `time_first` the time, to the minute, stands before the name.
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
    def record_prefix(self) -> str:
        """Folder of this run's records, with its trailing slash."""
        run = f"{stamp(self.started)}-{quote(self.id)}"
        return (
            records_prefix(path=self.path, cluster=self.cluster, cronjob=self.cronjob) + f"{run}/"
        )

    @property
    def started_key(self) -> str:
        """Key of the record that is written before anything else."""
        return f"{self.record_prefix}{STARTED}"

    @property
    def manifest_key(self) -> str:
        """Key of the record that is written last: a backup exists when this does."""
        return f"{self.record_prefix}{MANIFEST}"

    def verified_key(self, moment: datetime) -> str:
        """Key of the record that says what a verification at this time found."""
        return f"{self.record_prefix}verified-{stamp(moment)}.json"


def stamp(moment: datetime) -> str:
    """A UTC time as it stands in the names of records; sorts by time."""
    return f"{moment:%Y%m%dT%H%M%SZ}"


def records_prefix(*, path: str, cluster: str, cronjob: str) -> str:
    """Folder of all run records of one CronJob, with its trailing slash."""
    return _join(path, "manifests", quote(cluster), quote(cronjob)) + "/"


def _join(*segments: str) -> str:
    return "/".join(segment for segment in segments if segment)
