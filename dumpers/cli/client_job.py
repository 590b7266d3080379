"""How the container begins that loads what another one reads."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from dumpers.contract.engine_spec import EngineSpec
from dumpers.contract.restore.jobs import exchange_folder
from dumpers.engines.protocol import Engine
from dumpers.engines.registry import ENGINES
from dumpers.engines.registry import load as load_engine
from dumpers.runs.restore.client import refuse
from dumpers.runtime.errors import ConfigurationError
from dumpers.runtime.interrupt import Interrupt


class ClientJob(Protocol):
    """A job for one engine that meets its reader in a folder."""

    @property
    def engine(self) -> EngineSpec: ...  # noqa: D102  see the class
    @property
    def exchange(self) -> str: ...  # noqa: D102


Job = TypeVar("Job", bound=ClientJob)


def read_client_job(
    read: Callable[[Mapping[str, str], Sequence[EngineSpec]], Job], interrupt: Interrupt
) -> tuple[Job, Engine]:
    """Read the job from the environment, and load its engine.

    ConfigurationError where it is wrong, of which the reader is told before.
    """
    folder = exchange_folder(os.environ)
    try:
        job = read(os.environ, ENGINES)
        engine = load_engine(job.engine)
    except ConfigurationError as error:
        refuse(folder, error, interrupt)
        raise
    return job, engine
