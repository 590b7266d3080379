"""The environments of jobs that restore, list and pin; see contract.jobs for dumps.

Every `from_env` raises ConfigurationError, which names every fault at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dumpers.contract.connection import Connection
from dumpers.contract.engine_spec import EngineSpec
from dumpers.contract.engine_variables import read_engine, read_target
from dumpers.contract.env_reader import EnvReader
from dumpers.contract.jobs import Job, job_reader
from dumpers.contract.names import (
    BACKUP,
    BOOTSTRAP,
    EXCHANGE,
    IDENTITY_FILE,
    LIST_BEFORE,
    LIST_LEGACY,
    LIST_LIMIT,
    LIST_SCOPE,
    LIST_SCOPES,
    PLAN_ONLY,
    REQUESTED_BY,
    RESTORE,
)
from dumpers.contract.restore.bootstrap import Bootstrap
from dumpers.contract.restore.request import LATEST, RestoreRequest
from dumpers.runtime.errors import ConfigurationError

_DEFAULT_LIMIT, _MAX_LIMIT = 20, 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupJob(Job):
    """A job that is about one backup of a CronJob: LATEST, an id, or AT and a time.

    `requested_by` is who asked, as the API server knows them; empty where nobody said.
    """

    backup: str = LATEST
    requested_by: str = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "BackupJob":
        """Read the environment of a job that pins, or accepts a size."""
        reader = job_reader(env)
        shared = cls.read(reader)
        reader.check()
        return shared

    @classmethod
    def read(cls, reader: EnvReader) -> "BackupJob":
        """Read what all jobs about one backup share; faults are the reader's."""
        return BackupJob(
            **Job.read(reader).members(),
            backup=reader.text(BACKUP) or LATEST,
            requested_by=reader.text(REQUESTED_BY),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreJob(BackupJob):
    """The reader of a restore: it has the store's keys and the identity, and no database login.

    `identity_file` is empty where a backup in the clear is expected. `exchange` is the folder that
    it shares with the client. With `plan_only` nothing is changed. `bootstrap` is the new workload
    that is restored; None for any other restore.
    """

    identity_file: str
    exchange: str
    request: RestoreRequest
    plan_only: bool
    bootstrap: Bootstrap | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "RestoreJob":
        """Read the environment."""
        reader = job_reader(env)
        shared = BackupJob.read(reader)
        request, plan_only = _request(reader), reader.switch(PLAN_ONLY)
        exchange, bootstrap = _exchange(reader), _bootstrap(reader)
        reader.check()
        return cls(
            **shared.members(),
            bootstrap=bootstrap,
            identity_file=reader.text(IDENTITY_FILE),
            exchange=exchange,
            request=request,
            plan_only=plan_only,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadJob:
    """The client of a restore: it has the target's login, and neither keys nor identity."""

    engine: EngineSpec
    connection: Connection
    exchange: str
    request: RestoreRequest
    plan_only: bool

    @property
    def target(self) -> str:
        """Where the backup goes, as `host:port/database`."""
        at = f"{self.connection.host}:{self.connection.port}"
        return f"{at}/{self.connection.database}" if self.connection.database else at

    @classmethod
    def from_env(cls, env: Mapping[str, str], engines: Sequence[EngineSpec]) -> "LoadJob":
        """Read the environment; `engines` are all of `dumpers.engines.registry.ENGINES`."""
        reader = job_reader(env, logins={name for item in engines for name in item.variables})
        engine = read_engine(reader, engines)
        connection = read_target(reader, engine) if engine else None
        request, plan_only = _request(reader), reader.switch(PLAN_ONLY)
        exchange = _exchange(reader)
        if reader.faults or engine is None or connection is None:
            raise ConfigurationError(*reader.faults)
        return cls(
            engine=engine,
            connection=connection,
            exchange=exchange,
            request=request,
            plan_only=plan_only,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListJob(Job):
    """A job that lists runs, newest first: `limit` of them before the folder `before`.

    `backup` names the one that is to be listed, empty for a page. `scope` is one of LIST_SCOPES.
    With `legacy`, dumps of ksnapshot 0.6.0 are listed behind the first page of a CronJob.
    """

    limit: int
    before: str
    backup: str
    scope: str
    legacy: bool

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "ListJob":
        """Read the environment."""
        reader = job_reader(env)
        shared = Job.read(reader)
        limit = reader.positive(LIST_LIMIT) or _DEFAULT_LIMIT
        if limit > _MAX_LIMIT:
            reader.faults.append(f"{LIST_LIMIT} is {limit}: it must be 1 to {_MAX_LIMIT}")
        scope, legacy = read_scope(reader), reader.switch(LIST_LEGACY)
        reader.check()
        return cls(
            **shared.members(),
            limit=limit,
            before=reader.text(LIST_BEFORE),
            backup=reader.text(BACKUP),
            scope=scope,
            legacy=legacy,
        )


def exchange_folder(env: Mapping[str, str]) -> str:
    """The folder that the two containers share, read alone.

    By this each side can tell the other that something else is wrong with its environment.
    """
    reader = EnvReader(env)
    folder = _exchange(reader)
    reader.check()
    return folder


def read_scope(reader: EnvReader) -> str:
    """Whose runs are meant, one of LIST_SCOPES."""
    return reader.choice(LIST_SCOPE, LIST_SCOPES, f"one of: {', '.join(LIST_SCOPES)}")


def _exchange(reader: EnvReader) -> str:
    return reader.required(EXCHANGE, "the folder that the two containers of a restore share")


def _bootstrap(reader: EnvReader) -> Bootstrap | None:
    text = reader.text(BOOTSTRAP)
    try:
        return Bootstrap.from_json(text) if text else None
    except ValueError as error:
        reader.faults.append(f"{BOOTSTRAP}: {error}")
        return None


def _request(reader: EnvReader) -> RestoreRequest:
    try:
        return RestoreRequest.from_json(reader.text(RESTORE))
    except ValueError as error:
        reader.faults.append(f"{RESTORE}: {error}")
        return RestoreRequest()
