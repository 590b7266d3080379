"""The environments of jobs that delete backups; see contract.restore.jobs for all others.

Every `from_env` raises ConfigurationError, which names every fault at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dumpers.contract.jobs import Job, job_reader
from dumpers.contract.names import (
    ALL_BACKUPS,
    BACKUPS,
    CRONJOB,
    DRY_RUN,
    REQUESTED_BY,
    RETENTION_FLOOR,
    SKIP_MISSING,
)


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
        reader = job_reader(env)
        shared = Job.read(reader)
        floor = reader.required(
            RETENTION_FLOOR, "what is kept whatever the policies say, such as keep-last=3, or none"
        )
        dry_run = reader.switch(DRY_RUN)
        reader.check()
        return cls(**shared.members(), floor=floor, dry_run=dry_run)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteJob(Job):
    """Deletes backups of one CronJob because somebody asked for it.

    `backups` are ids of runs, None for all of them. `requested_by` is who asked, as the API server
    knows them; empty where nobody said. With `dry_run` nothing is written or deleted; with
    `skip_missing` an id that is not there is named, and no fault.
    """

    backups: tuple[str, ...] | None
    requested_by: str
    dry_run: bool
    skip_missing: bool = False

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "DeleteJob":
        """Read the environment."""
        reader = job_reader(env)
        shared = Job.read(reader)
        reader.required(CRONJOB, "the CronJob whose backups are deleted")
        listed = reader.required(BACKUPS, f"ids of backups separated by commas, or {ALL_BACKUPS}")
        ids = tuple(dict.fromkeys(filter(None, map(str.strip, listed.split(",")))))
        if listed and (not ids or (ALL_BACKUPS in ids and len(ids) > 1)):
            reader.faults.append(
                f"{BACKUPS} is {listed[:40]!r}: it must hold ids separated by commas, or "
                f"{ALL_BACKUPS} alone"
            )
        dry_run, skip_missing = reader.switch(DRY_RUN), reader.switch(SKIP_MISSING)
        reader.check()
        return cls(
            **shared.members(),
            backups=None if ids == (ALL_BACKUPS,) else ids,
            requested_by=reader.text(REQUESTED_BY),
            dry_run=dry_run,
            skip_missing=skip_missing,
        )
