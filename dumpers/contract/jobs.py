"""What passes between controller and dump job: environment in, result JSON out.

This is the only definition of both. The controller builds a CronJob's environment from the names
here, and a test holds that what it builds is what `DumpJob.from_env` reads.
"""

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from dumpers.contract.connection import Connection
from dumpers.contract.engine_spec import EngineSpec
from dumpers.contract.engine_variables import (
    read_connection,
    read_engine,
    read_numbers,
    read_options,
)
from dumpers.contract.env_reader import EnvReader
from dumpers.contract.names import (
    ACCEPT,
    CLUSTER,
    COMPRESSION,
    COMPRESSIONS,
    CRONJOB,
    DEADLINE,
    DEFAULT_CLUSTER,
    ENCRYPTION_ENABLED,
    ENCRYPTION_RECIPIENT,
    HOSTNAME,
    MAX_PART_MIB,
    MIN_PART_MIB,
    PART_SIZE,
    PROOF_DRILLED,
    PROOF_READ,
    REQUIRED_PROOF,
    RETENTION,
    TIME_ZONE,
    WORKLOAD,
)
from dumpers.contract.notes import SHRUNK, parse_codes
from dumpers.contract.recipients import PRIVATE_KEY, holds_private_key, split_recipients
from dumpers.contract.sharing import Share, read_share
from dumpers.contract.storages.location import S3Location
from dumpers.contract.storages.named_storage import NamedStorage, read_storages
from dumpers.contract.storages.reading_back import read_verify, readable
from dumpers.contract.storages.variables import variables_with_lines
from dumpers.runtime.errors import ConfigurationError

# A CronJob's pod is `<cronjob>-<scheduled minute>-<random>`, cut to 58 characters before the random
# part; our CronJobs end in a hash. Enough to name the CronJob when the controller that made it
# (0.6.0) did not.
_POD_NAME = re.compile(r"(?P<cronjob>.+-[0-9a-f]{8})-\d{4,}-?[a-z0-9]{5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What every kind of job knows: its storages, for whom it runs, and how long it may.

    `host` is the pod's name, `deadline` in seconds, None without one; `storages` has at least one.
    """

    storages: tuple[NamedStorage, ...]
    host: str
    cluster: str
    workload: str
    cronjob: str
    deadline: int | None

    @property
    def location(self) -> S3Location:
        """Where the first storage is."""
        return self.storages[0].location

    @classmethod
    def read(cls, reader: EnvReader) -> "Job":
        """Read what all kinds of job share; faults are the reader's."""
        host = reader.required(HOSTNAME, "the name of this pod")
        derived = _POD_NAME.fullmatch(host)
        return Job(
            storages=read_storages(reader),
            host=host,
            cluster=reader.text(CLUSTER) or DEFAULT_CLUSTER,
            workload=reader.text(WORKLOAD),
            cronjob=reader.text(CRONJOB) or (derived["cronjob"] if derived else host),
            deadline=reader.positive(DEADLINE),
        )

    def members(self) -> dict[str, Any]:
        """All that is known, by name, to make a job of another kind with."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpJob(Job):
    """Everything that a dump needs to know.

    `recipients` are age recipients, none meaning no encryption; `options` holds the engine's own
    variables that are set, `numbers` all those that are numbers; `part_size` is in bytes, None
    meaning that the estimate decides; `compression` is one of COMPRESSIONS; `verify` is READ_BACK
    or empty; `accepted` holds the codes of notes that are no reason to look at a dump.
    `size_accepted` is true where somebody found the size of the backups right. `retention` is a
    policy as the controller checked it, empty where everything is kept, and `time_zone` the zone
    that cuts its days. `required_proof` is the proof that a backup needs to cover others, empty for
    the store's word.
    """

    engine: EngineSpec
    connection: Connection
    recipients: tuple[str, ...]
    options: Mapping[str, str]
    numbers: Mapping[str, int]
    part_size: int | None
    compression: str = COMPRESSIONS[0]
    verify: str = ""
    accepted: frozenset[str] = frozenset()
    size_accepted: bool = False
    retention: str = ""
    time_zone: str = ""
    required_proof: str = ""
    share: Share | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str], engines: Sequence[EngineSpec]) -> "DumpJob":
        """Read the job's environment; ConfigurationError names every fault at once.

        `engines` are those that a job may be for, all of `dumpers.engines.registry.ENGINES`.
        """
        reader = job_reader(env, logins={name for item in engines for name in item.variables})
        engine = read_engine(reader, engines)
        shared = Job.read(reader)
        share = read_share(reader, engine, storages=len(shared.storages))
        if share:
            # All of the Job's pods write under its name.
            shared = replace(shared, host=share.name)
        verify = read_verify(reader, shared.location)
        if verify:
            shared = replace(shared, storages=readable(shared.storages))
        recipients = _recipients(reader)
        connection = read_connection(reader, engine) if engine else None
        numbers = read_numbers(reader, engine) if engine else {}
        options = read_options(reader, engine) if engine else {}
        part_size = _part_size(reader)
        compression = reader.choice(COMPRESSION, COMPRESSIONS, " or ".join(COMPRESSIONS))
        accepted = _accepted(reader)
        if reader.faults or engine is None or connection is None:
            raise ConfigurationError(*reader.faults)
        return cls(
            **shared.members(),
            engine=engine,
            connection=connection,
            recipients=recipients,
            options=options,
            numbers=numbers,
            part_size=part_size,
            compression=compression,
            verify=verify,
            accepted=accepted - {SHRUNK},
            size_accepted=SHRUNK in accepted,
            # Not read here: a policy that nobody understands keeps everything, and fails no dump.
            retention=reader.text(RETENTION),
            time_zone=reader.text(TIME_ZONE),
            required_proof=reader.text(REQUIRED_PROOF),
            share=share,
        )

    def proof_required_in(self, storage: str) -> str:
        """What a backup needs to cover others in the storage of this name.

        Schedules read and drill the first storage alone: asked for the same, no backup in another
        one would ever cover any. The bytes there are those of the first one.
        """
        is_first = storage == self.storages[0].name
        if is_first or self.required_proof not in {PROOF_READ, PROOF_DRILLED}:
            return self.required_proof
        return PROOF_READ if self.verify else ""


def job_reader(env: Mapping[str, str], *, logins: Container[str] = ()) -> EnvReader:
    """What reads a job's environment, of which each value was looked at.

    `logins` are the variables of a database's login.
    """
    reader = EnvReader(env)
    reader.check_text(logins=logins, with_lines=variables_with_lines(env))
    return reader


def _part_size(reader: EnvReader) -> int | None:
    """The size of an upload's parts in bytes; None leaves it to the estimate."""
    mebibytes = reader.positive(PART_SIZE)
    if mebibytes is None:
        return None
    if not MIN_PART_MIB <= mebibytes <= MAX_PART_MIB:
        reader.faults.append(
            f"{PART_SIZE} is {mebibytes}: it must be {MIN_PART_MIB} to {MAX_PART_MIB}"
        )
    return mebibytes << 20


def _accepted(reader: EnvReader) -> frozenset[str]:
    """The codes of the notes that are accepted, and SHRUNK where the size is."""
    try:
        return parse_codes(reader.text(ACCEPT))
    except ValueError as error:
        reader.faults.append(f"{ACCEPT}: {error}")
        return frozenset()


def _recipients(reader: EnvReader) -> tuple[str, ...]:
    """The age recipients; empty where nothing is encrypted."""
    if reader.text(ENCRYPTION_ENABLED) != "true":
        return ()
    listed = reader.text(ENCRYPTION_RECIPIENT)
    if holds_private_key(listed):
        reader.faults.append(f"{ENCRYPTION_RECIPIENT} {PRIVATE_KEY}")
        return ()
    recipients = split_recipients(listed)
    if not recipients:
        reader.faults.append(
            f"{ENCRYPTION_RECIPIENT} is not set, but {ENCRYPTION_ENABLED} is true: "
            "it must hold an age recipient (age1…)"
        )
    return recipients
