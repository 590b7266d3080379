"""The environments of jobs that delete backups; see contract.restore.jobs for all others.

Every `from_env` raises ConfigurationError, which names every fault at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from dumpers.contract.env_reader import EnvReader
from dumpers.contract.jobs import Job
from dumpers.contract.location import S3_CA_BUNDLE
from dumpers.contract.names import (
    ALL_BACKUPS,
    BACKUPS,
    CRONJOB,
    DRY_RUN,
    REQUESTED_BY,
    RETENTION_FLOOR,
)
from dumpers.runtime.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneJob(Job):
    """Judges the backups of all CronJobs of the cluster, and deletes what is not to be kept.

    `floor` is a policy as `repository.retention.policy` reads it, or `none`; it comes from nowhere
    but the environment. With `dry_run` nothing is written or deleted.
    """

    floor: str
    dry_run: bool

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "PruneJob":
        """Read the environment; whether the floor is a policy is found where it is parsed."""
        reader = _reader(env)
        shared = _members(Job.read(reader))
        floor = reader.required(
            RETENTION_FLOOR, "what is kept whatever the policies say, such as keep-last=3, or none"
        )
        dry_run = _dry_run(reader)
        _check(reader)
        return cls(**shared, floor=floor, dry_run=dry_run)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteJob(Job):
    """Deletes backups of one CronJob because somebody asked for it.

    `backups` are ids of runs, None for all of them. `requested_by` is who asked, as the API server
    knows them; empty where nobody said. With `dry_run` nothing is written or deleted.
    """

    backups: tuple[str, ...] | None
    requested_by: str
    dry_run: bool

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "DeleteJob":
        """Read the environment."""
        reader = _reader(env)
        shared = _members(Job.read(reader))
        reader.required(CRONJOB, "the CronJob whose backups are deleted")
        listed = reader.required(BACKUPS, f"ids of backups separated by commas, or {ALL_BACKUPS}")
        ids = tuple(dict.fromkeys(filter(None, map(str.strip, listed.split(",")))))
        if listed and (not ids or (ALL_BACKUPS in ids and len(ids) > 1)):
            reader.faults.append(
                f"{BACKUPS} is {listed[:40]!r}: it must hold ids separated by commas, or "
                f"{ALL_BACKUPS} alone"
            )
        dry_run = _dry_run(reader)
        _check(reader)
        return cls(
            **shared,
            backups=None if ids == (ALL_BACKUPS,) else ids,
            requested_by=reader.text(REQUESTED_BY),
            dry_run=dry_run,
        )


def _reader(env: Mapping[str, str]) -> EnvReader:
    reader = EnvReader(env)
    reader.check_text(logins=set(), with_lines={S3_CA_BUNDLE})
    return reader


def _members(job: Job) -> dict[str, Any]:
    return {item.name: getattr(job, item.name) for item in fields(job)}


def _dry_run(reader: EnvReader) -> bool:
    value = reader.text(DRY_RUN)
    if value not in {"", "true", "false"}:
        reader.faults.append(f"{DRY_RUN} is {value[:20]!r}: it must be true or false")
    return value == "true"


def _check(reader: EnvReader) -> None:
    if reader.faults:
        raise ConfigurationError(*reader.faults)
