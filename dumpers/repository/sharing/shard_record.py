"""The record of one shard of a run that several pods share, and where it lies.

Each pod rewrites its own, on the condition that it is still the one that it wrote last.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dumpers.repository.added_records import CheckedObject
from dumpers.repository.records import NoteRecord, ObjectRecord, Time

_NAME = re.compile(r"shard-([1-9]\d*)\.json")
_CLAIMS = "jobs/"
_ID_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardObject:
    """An object that a pod has stored and proved.

    `stage` orders the objects of all shards: those of a lower one load first. `identity` is a
    digest of what was read, by which a later pod knows that it would read the same; empty for an
    object that is always made anew.
    """

    record: ObjectRecord
    stage: int
    identity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRecord:
    """What the pods of a shard, by its number, have stored so far; `done` when that is all of it.

    `writer` is the pod's own random word, `attempt` counts the pods of this shard from 1. `keys`
    are all that these pods were to write. `holds` names the tables whose rows are among the
    objects, `borrows` those that this shard has, too, and whose rows another one stores. `read` is
    how the objects were found where they are read back. `places` are the servers that its last pod
    saw, each with the number of its shard.
    """

    run: str
    shard: int
    writer: str
    attempt: int
    updated: Time
    done: bool = False
    keys: tuple[str, ...]
    objects: tuple[ShardObject, ...] = ()
    server_version: str
    tool_version: str
    notes: tuple[NoteRecord, ...] = ()
    holds: tuple[str, ...] = ()
    borrows: tuple[str, ...] = ()
    places: Mapping[str, int] = field(default_factory=dict)
    read: tuple[CheckedObject, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


def shard_name(number: int) -> str:
    """Name of the record of a shard, counted from 1."""
    return f"shard-{number}.json"


def is_shard_name(name: str) -> bool:
    """Whether a record's name is that of a shard."""
    return _NAME.fullmatch(name) is not None


def shared_run_id(job: str) -> str:
    """The id of the run of a Job, by the Job's uid: the same in all of its pods."""
    return hashlib.sha256(job.encode()).hexdigest()[:_ID_LENGTH]


def claim_key(records_prefix: str, run: str) -> str:
    """Key of the started record that settles when a shared run began, and so its folder.

    It lies beside the runs' folders, as nobody knows a run's folder before it is read.
    """
    return f"{records_prefix}{_CLAIMS}{run}.json"


def claimed_run(records_prefix: str, key: str) -> str:
    """The id of the run whose claim has this key; empty for another key."""
    name = key.removeprefix(f"{records_prefix}{_CLAIMS}")
    return name.removesuffix(".json") if name != key and name.endswith(".json") else ""
