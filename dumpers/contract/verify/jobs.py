"""The environment of jobs that verify backups; see contract.restore.jobs for most others."""

from collections.abc import Mapping
from dataclasses import dataclass

from dumpers.contract.env_reader import EnvReader
from dumpers.contract.jobs import Job, job_reader
from dumpers.contract.names import BACKUP, IDENTITY_FILE, VERIFY_SAMPLE
from dumpers.contract.verify.sample import Sample, parse_sample


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyJob(Job):
    """A job that reads backups of one CronJob back.

    `backup` is LATEST, an id, or AT and a time; empty for a scheduled run, which chooses by itself.
    `sample` is the share of all backups that such a run reads, None where it reads the newest
    alone. `identity_file` holds the private keys, and is empty where encrypted backups are read as
    they are stored.
    """

    backup: str
    sample: Sample | None
    identity_file: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "VerifyJob":
        """Read the environment; ConfigurationError names every fault at once."""
        reader = job_reader(env)
        shared = Job.read(reader)
        sample = _sample(reader)
        reader.check()
        return cls(
            **shared.members(),
            backup=reader.text(BACKUP),
            sample=sample,
            identity_file=reader.text(IDENTITY_FILE),
        )


def _sample(reader: EnvReader) -> Sample | None:
    text = reader.text(VERIFY_SAMPLE)
    try:
        return parse_sample(text) if text else None
    except ValueError as error:
        reader.faults.append(f"{VERIFY_SAMPLE} {error}")
        return None
