"""The environment of jobs that say what was proved of the backups."""

from collections.abc import Mapping
from dataclasses import dataclass

from dumpers.contract.jobs import Job, job_reader
from dumpers.contract.names import (
    PROOF_NAMESPACE,
    PROOF_SINCE,
    REQUESTED_BY,
    SIGNING_KEY_FILE,
)
from dumpers.contract.restore.jobs import read_scope

DEFAULT_SINCE = "90d"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProveJob(Job):
    """A job that says what was proved of backups within the time `since`, an age such as `90d`.

    `scope` is one of LIST_SCOPES. With a `namespace`, only workloads of it are meant.
    `signing_key_file` is empty where nothing is signed. `requested_by` is who asked, as the API
    server knows them; empty where nobody said.
    """

    since: str
    scope: str
    namespace: str
    signing_key_file: str
    requested_by: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "ProveJob":
        """Read the environment; ConfigurationError names every fault at once."""
        reader = job_reader(env)
        shared = Job.read(reader)
        scope = read_scope(reader)
        reader.check()
        return cls(
            **shared.members(),
            # Not read here: what an age is, the records' own modules know.
            since=reader.text(PROOF_SINCE) or DEFAULT_SINCE,
            scope=scope,
            namespace=reader.text(PROOF_NAMESPACE),
            signing_key_file=reader.text(SIGNING_KEY_FILE),
            requested_by=reader.text(REQUESTED_BY),
        )
