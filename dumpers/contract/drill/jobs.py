"""The environments of the two jobs of a drill; see contract.restore.jobs for restores.

Both find EXCHANGE, the folder of their socket, and HOSTNAME. The reader finds the variables of the
store, CLUSTER, CRONJOB and WORKLOAD, DEADLINE, and what may be left out: BACKUP (LATEST unless it
is set), IDENTITY_FILE, REQUESTED_BY, DRILL_IMAGE for its record, and DRILL_CHECKS. It needs no
variable of the engine. The client finds the engine by ENGINE, which its image sets, may find
DRILL_SQL, and logs in where the engine's own variables lead; those that are not set are of the
throwaway server in the same pod: 127.0.0.1, the engine's default port, and the login of
EngineSpec.drill_server without a password.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dumpers.contract.connection import Connection
from dumpers.contract.drill.checks import Check, parse_checks
from dumpers.contract.engine_spec import EngineSpec, Role
from dumpers.contract.engine_variables import read_connection, read_engine
from dumpers.contract.env_reader import EnvReader
from dumpers.contract.jobs import job_reader
from dumpers.contract.names import (
    DRILL_CHECKS,
    DRILL_IMAGE,
    DRILL_SQL,
    EXCHANGE,
    IDENTITY_FILE,
)
from dumpers.contract.restore.jobs import BackupJob
from dumpers.contract.storages.variables import variables_with_lines
from dumpers.runtime.errors import ConfigurationError

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillJob(BackupJob):
    """The reader of a drill: it has the store's keys and the identity, and no database.

    `identity_file` is empty where no key was given: then an encrypted backup is not drilled.
    `exchange` is the folder that it shares with the client, `image` the throwaway server's, empty
    where nobody said. `checks` is how many of the user's own the client has to ask, None where
    nobody said.
    """

    identity_file: str
    exchange: str
    image: str
    checks: int | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "DrillJob":
        """Read the environment; ConfigurationError names every fault at once."""
        reader = job_reader(env)
        shared = BackupJob.read(reader)
        exchange, checks = _exchange(reader), reader.positive(DRILL_CHECKS)
        reader.check()
        return cls(
            **shared.members(),
            identity_file=reader.text(IDENTITY_FILE),
            exchange=exchange,
            image=reader.text(DRILL_IMAGE),
            checks=checks,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearseJob:
    """The client of a drill: it has the throwaway server's login, and neither keys nor identity.

    `checks` are the user's own, none where nothing is asked.
    """

    engine: EngineSpec
    connection: Connection
    exchange: str
    checks: tuple[Check, ...] = ()

    @classmethod
    def from_env(cls, env: Mapping[str, str], engines: Sequence[EngineSpec]) -> "RehearseJob":
        """Read the environment; `engines` are all of `dumpers.engines.registry.ENGINES`."""
        reader = EnvReader(env)
        engine = read_engine(reader, engines)
        exchange = _exchange(reader)
        connection = _server(reader, engine) if engine else None
        checks = _checks(reader, engine) if engine else ()
        if reader.faults or engine is None or connection is None:
            raise ConfigurationError(*reader.faults)
        return cls(engine=engine, connection=connection, exchange=exchange, checks=checks)


def _server(reader: EnvReader, engine: EngineSpec) -> Connection:
    """The throwaway server: what no variable says is as `engine.drill_server` has it."""
    own = engine.drill_server
    known = {Role.USERNAME: own.user, Role.DATABASE: own.database} if own else {}
    given = {name: value for name, value in reader.env.items() if value}
    # Nothing is required: the server takes its login without a password.
    optional = replace(
        engine, credentials=tuple(replace(item, required=False) for item in engine.credentials)
    )
    named = {
        item.variable: known.get(item.role, "")
        for item in engine.credentials
        if not any(given.get(name) for name in item.fallbacks)
    }
    # Its faults are the reader's.
    filled = replace(reader, env={engine.host_variable: _LOOPBACK, **named, **given})
    filled.check_text(
        logins=engine.variables, with_lines=variables_with_lines(filled.env) | {DRILL_SQL}
    )
    return read_connection(filled, optional)


def _checks(reader: EnvReader, engine: EngineSpec) -> tuple[Check, ...]:
    text = reader.text(DRILL_SQL)
    if text and not engine.takes_checks:
        reader.faults.append(f"{DRILL_SQL} is set, and {engine.title} is not asked by SQL")
    elif text:
        try:
            return parse_checks(text)
        except ValueError as error:
            reader.faults.append(f"{DRILL_SQL} {error}")
    return ()


def _exchange(reader: EnvReader) -> str:
    return reader.required(EXCHANGE, "the folder that the two containers of a drill share")
