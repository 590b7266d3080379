"""The environment of jobs that hand a backup to one person, by URLs or byte by byte."""

from collections.abc import Mapping
from dataclasses import dataclass

from dumpers.contract.env_reader import EnvReader
from dumpers.contract.names import REPLY_TO, URL_SECONDS
from dumpers.contract.recipients import recipient_fault
from dumpers.contract.restore.jobs import BackupJob
from dumpers.runtime.errors import ConfigurationError

_DEFAULT_SECONDS = 3600
# What S3 allows: seven days.
_MAX_SECONDS = 7 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchJob:
    """A job about one backup, whose answer only the holder of one key may read.

    `reply_to` is the age recipient of the answer; URLs hold for `url_seconds`.
    """

    about: BackupJob
    reply_to: str
    url_seconds: int = _DEFAULT_SECONDS

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "FetchJob":
        """Read the environment; ConfigurationError names every fault at once."""
        reader = EnvReader(env)
        reply_to = reader.required(REPLY_TO, "the age recipient of the answer")
        if reply_to and (fault := recipient_fault(reply_to)):
            reader.faults.append(f"{REPLY_TO} {fault}")
        seconds = reader.positive(URL_SECONDS) or _DEFAULT_SECONDS
        if seconds > _MAX_SECONDS:
            reader.faults.append(f"{URL_SECONDS} is {seconds}: it must be 1 to {_MAX_SECONDS}")
        try:
            about = BackupJob.from_env(env)
        except ConfigurationError as error:
            raise ConfigurationError(*error.faults, *reader.faults) from error
        reader.check()
        return cls(about=about, reply_to=reply_to, url_seconds=seconds)
