"""The environment of jobs that verify backups; see contract.restore.jobs for most others."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from dumpers.contract.env_reader import EnvReader
from dumpers.contract.jobs import Job
from dumpers.contract.location import S3_CA_BUNDLE
from dumpers.contract.names import BACKUP, IDENTITY_FILE, VERIFY_SAMPLE
from dumpers.contract.verify.sample import Sample, parse_sample
from dumpers.runtime.errors import ConfigurationError


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
        reader = EnvReader(env)
        reader.check_text(logins=set(), with_lines={S3_CA_BUNDLE})
        shared = Job.read(reader)
        sample = _sample(reader)
        if reader.faults:
            raise ConfigurationError(*reader.faults)
        return cls(
            **{item.name: getattr(shared, item.name) for item in fields(shared)},
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
