"""What passes between controller and dump job: environment in, result JSON out.

This is the only definition of both. The controller builds a CronJob's environment from the names
here, and a test holds that what it builds is what `DumpJob.from_env` reads.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dumpers.contract.connection import Connection
from dumpers.contract.engine_spec import EngineSpec
from dumpers.contract.env_reader import EnvReader
from dumpers.contract.location import S3Location, read_location
from dumpers.contract.names import CLUSTER, CRONJOB, DEADLINE, DEFAULT_CLUSTER, HOSTNAME, WORKLOAD
from dumpers.runtime.errors import ConfigurationError

# A CronJob's pod is `<cronjob>-<scheduled minute>-<random>`, cut to 58 characters before the random
# part; our CronJobs end in a hash. Enough to name the CronJob when the controller that made it
# (0.6.0) did not.
_POD_NAME = re.compile(r"(?P<cronjob>.+-[0-9a-f]{8})-\d{4,}-?[a-z0-9]{5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpJob:
    """Everything a dump job is told. `deadline` is in seconds, None without one.

    `recipients` are age recipients, none meaning no encryption; `options` holds the engine's own
    variables that are set, `numbers` all those that are numbers; `part_size` is in bytes, None
    meaning that the estimate decides; `verify` is READ_BACK or empty.
    """

    engine: EngineSpec
    connection: Connection
    location: S3Location
    recipients: tuple[str, ...]
    options: Mapping[str, str]
    numbers: Mapping[str, int]
    host: str
    cluster: str
    workload: str
    cronjob: str
    deadline: int | None
    part_size: int | None
    verify: str = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str], engines: Sequence[EngineSpec]) -> "DumpJob":
        """Read the job's environment; ConfigurationError names every fault at once.

        `engines` are those that a job may be for, all of `dumpers.engines.registry.ENGINES`.
        An empty variable counts as unset: a Kubernetes API server drops empty values.
        """
        reader = EnvReader(env, engines)
        reader.check_text()
        engine = reader.engine()
        location = read_location(env, reader.faults)
        verify = reader.verify(location)
        recipients = reader.recipients()
        connection = reader.connection(engine) if engine else None
        numbers = reader.numbers(engine) if engine else {}
        options = reader.options(engine) if engine else {}
        host = reader.required(HOSTNAME, "the name of this pod")
        deadline = reader.positive(DEADLINE)
        part_size = reader.part_size()
        if reader.faults or engine is None or connection is None:
            raise ConfigurationError(*reader.faults)
        derived = _POD_NAME.fullmatch(host)
        return cls(
            engine=engine,
            connection=connection,
            location=location,
            recipients=recipients,
            options=options,
            numbers=numbers,
            host=host,
            cluster=env.get(CLUSTER) or DEFAULT_CLUSTER,
            workload=env.get(WORKLOAD, ""),
            cronjob=env.get(CRONJOB) or (derived["cronjob"] if derived else host),
            deadline=deadline,
            part_size=part_size,
            verify=verify,
        )
