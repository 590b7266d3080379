"""Dumps of ksnapshot 0.6.0, which left no records: all that is known stands in their keys. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from dumpers.contract.key_names import quote
from dumpers.repository.catalogue import Entry, State
from dumpers.repository.keys import stamp
from dumpers.repository.records import Encryption, Manifest, ObjectRecord, StartedRecord

# Before the time of the dump, in the id of one.
LEGACY = "legacy-"
_ENDING = ".sql"
# 0.6.0 stored other engines in several objects that nothing holds together.
_CRONJOB = re.compile(r"ksnapshot-(mysql|postgresql)-.+")
# Behind the CronJob's name: the minute for which the Job was due, which Kubernetes may have cut,
# then the pod's own letters; behind the database's name the time.
_REST = re.compile(
    r"(?P<pod>\d{4,}-?[a-z0-9]{5})-(?P<name>.+)-(?P<time>\d{14})\.sql\.gz(?P<age>\.age)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyDump:
    """One dump; `name` is the database's, as its key has it."""

    key: str
    name: str
    pod: str
    started: datetime
    is_encrypted: bool

    @property
    def id(self) -> str:
        """By which it is listed and chosen."""
        return f"{LEGACY}{stamp(self.started)}"


def engine_of(cronjob: str) -> str:
    """The engine whose dumps a CronJob makes; empty where 0.6.0's are not read."""
    found = _CRONJOB.fullmatch(cronjob)
    return found[1] if found else ""


def day_prefix(*, path: str, cronjob: str, day: date) -> str:
    """What the keys of a CronJob's dumps of one day begin with."""
    folder = f"{day:%Y/%m/%d}/{engine_of(cronjob)}/dump-{quote(cronjob)}-"
    return f"{path}/{folder}" if path else folder


def read_key(prefix: str, key: str, *, cronjob: str) -> LegacyDump | None:
    """The dump that a key names, behind its `day_prefix`; None where it names none."""
    found = _REST.fullmatch(key.removeprefix(prefix))
    try:
        started = datetime.strptime(found["time"], "%Y%m%d%H%M%S") if found else None  # noqa: DTZ007
    except ValueError:
        return None
    if found is None or started is None:
        return None
    return LegacyDump(
        key=key,
        name=found["name"],
        pod=f"{cronjob}-{found['pod']}",
        started=started.replace(tzinfo=UTC),
        is_encrypted=bool(found["age"]),
    )


def parse_id(wanted: str) -> datetime | None:
    """The time in the id of a dump; None where it is another id."""
    try:
        moment = datetime.strptime(wanted, f"{LEGACY}%Y%m%dT%H%M%SZ")  # noqa: DTZ007
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC)


def make_entry(dump: LegacyDump, *, cluster: str, cronjob: str, size: int) -> Entry:
    """The dump in a catalogue; `record` is its own key, as it has no records."""
    return Entry(
        id=dump.id,
        record=dump.key,
        started=dump.started,
        state=State.LEGACY,
        why="ksnapshot 0.6.0 left no checksums: only the ends of its formats can be checked",
        cluster=cluster,
        cronjob=cronjob,
        engine=engine_of(cronjob),
        stored_bytes=size,
        objects=1,
    )


def make_manifest(dump: LegacyDump, entry: Entry, *, bucket: str) -> Manifest:
    """What a manifest would say of the dump; what nobody knows is empty or 0."""
    item = ObjectRecord(
        key=dump.key,
        name=dump.name,
        ending=_ENDING,
        size=entry.stored_bytes,
        sha256="",
        crc32="",
        source_size=0,
        source_sha256="",
        checked=False,
    )
    begun = StartedRecord(
        run=entry.id,
        cluster=entry.cluster,
        workload="",
        cronjob=entry.cronjob,
        pod=dump.pod,
        engine=entry.engine,
        bucket=bucket,
        started=entry.started,
        deadline_seconds=None,
        keys=(dump.key,),
    )
    return Manifest(
        begun=begun,
        finished=entry.started,
        server_version="",
        tool_version="",
        encryption=Encryption(recipients=()) if dump.is_encrypted else None,
        objects=(item,),
    )
