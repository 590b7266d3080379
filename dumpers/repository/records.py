"""The run records: what a run is going to write, and, once all of it is whole, what it wrote.

A backup exists when its manifest exists. The format is documented in docs/restore.md; readers
ignore members they do not know.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

FORMAT = 1
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_TEXTS = ("run", "cluster", "workload", "cronjob", "pod", "engine", "bucket")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What both records say of a run: who ran, for which workload, and where it writes.

    `started` is UTC, `deadline_seconds` None without a deadline: a run that has a started record,
    no manifest, and a deadline that is long past, crashed.
    """

    run: str
    cluster: str
    workload: str
    cronjob: str
    pod: str
    engine: str
    bucket: str
    started: datetime
    deadline_seconds: int | None
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRecord:
    """One object of a backup. Sizes are bytes: `size` in the store, `source_size` before gzip.

    `part` is empty unless `name` is stored in parts. `sha256` is of the object as stored,
    `source_sha256` of what the dump tool wrote. `metadata` are what the engine knows of it besides.
    """

    key: str
    name: str
    part: tuple[str, ...] = ()
    size: int
    sha256: str
    crc32: str
    source_size: int
    source_sha256: str
    checked: bool
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedObject:
    """What reading one object back found; `good` if size and sha256 are those that were sent."""

    key: str
    size: int
    sha256: str
    good: bool


def started_record(record: RunRecord) -> bytes:
    """JSON of the record that is written before anything else."""
    return _encode({"format": FORMAT, "record": "started", **_run(record)})


def manifest(
    record: RunRecord,
    *,
    finished: datetime,
    server_version: str,
    tool_version: str,
    recipients: Sequence[str],
    objects: Sequence[ObjectRecord],
    notes: Sequence[str],
    metadata: Mapping[str, Any],
) -> bytes:
    """JSON of the record that makes the backup exist, with a digest of itself.

    `metadata` are what the engine knows of the whole.
    """
    document = {
        "format": FORMAT,
        "record": "manifest",
        **_run(record),
        "finished": _time(finished),
        "server_version": server_version,
        "tool_version": tool_version,
        "compression": "gzip",
        "encryption": {"scheme": "age", "recipients": list(recipients)} if recipients else None,
        "objects": [_object(item) for item in objects],
        "notes": list(notes),
    }
    if metadata:
        document["metadata"] = metadata
    return _encode(document | {"digest": digest(document)})


def verified_record(
    record: RunRecord, *, method: str, finished: datetime, objects: Sequence[CheckedObject]
) -> bytes:
    """JSON of what a verification found, with a digest of itself; `good` is the verdict."""
    document = {
        "format": FORMAT,
        "record": "verified",
        "run": record.run,
        "method": method,
        "finished": _time(finished),
        "good": all(item.good for item in objects),
        "objects": [asdict(item) for item in objects],
    }
    return _encode(document | {"digest": digest(document)})


def swept_record(record: RunRecord, *, uploads: int, objects: int) -> bytes:
    """JSON of how many open uploads and objects of a crashed run were cleared away."""
    return _encode(
        {
            "format": FORMAT,
            "record": "swept",
            "run": record.run,
            "uploads": uploads,
            "objects": objects,
        }
    )


def read_started(body: bytes) -> RunRecord | None:
    """Read a started record; None if it is none of this format."""
    try:
        document = json.loads(body)
        if (document["format"], document["record"]) != (FORMAT, "started"):
            return None
        deadline = document["deadline_seconds"]
        return RunRecord(
            **{name: str(document[name]) for name in _TEXTS},
            started=datetime.strptime(document["started"], _TIME).replace(tzinfo=UTC),
            deadline_seconds=None if deadline is None else int(deadline),
            keys=tuple(str(key) for key in document["keys"]),
        )
    except (KeyError, TypeError, ValueError, RecursionError):
        return None


def digest(document: dict[str, Any]) -> str:
    """sha256 of a record's canonical JSON (sorted, compact, UTF-8) without its own digest."""
    bare = {name: value for name, value in document.items() if name != "digest"}
    canonical = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _run(record: RunRecord) -> dict[str, Any]:
    return asdict(record) | {"started": _time(record.started), "keys": list(record.keys)}


def _object(item: ObjectRecord) -> dict[str, Any]:
    document = asdict(item)
    if not item.metadata:
        del document["metadata"]
    return document


def _time(moment: datetime) -> str:
    return moment.strftime(_TIME)


def _encode(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
