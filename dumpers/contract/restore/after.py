"""What the jobs are asked that take back or clear away what a restore made."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dumpers.contract.connection import Connection
from dumpers.contract.engine_spec import EngineSpec
from dumpers.contract.engine_variables import read_engine, read_target
from dumpers.contract.env_reader import EnvReader
from dumpers.contract.names import DEADLINE, FORGET, FORGET_OF, UNDO, UNDO_OF
from dumpers.runtime.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterRestoreJob:
    """What a restore left: `kept` as in engines.protocol.Restored, or `names` to drop; not both.

    `undo_of` and `forget_of` name restores whose leftovers the target itself has to tell: of the
    first, the newest that has kept something is taken back; of the second, all are dropped.
    `deadline` is in seconds, None without one.
    """

    engine: EngineSpec
    connection: Connection
    kept: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] = ()
    undo_of: tuple[str, ...] = ()
    forget_of: tuple[str, ...] = ()
    deadline: int | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str], engines: Sequence[EngineSpec]) -> "AfterRestoreJob":
        """Read the job's environment; ConfigurationError names every fault at once."""
        reader = EnvReader(env)
        reader.check_text(
            logins={name for engine in engines for name in engine.variables}, with_lines=set()
        )
        engine = read_engine(reader, engines)
        connection = read_target(reader, engine) if engine else None
        kept = _pairs(reader)
        dropped = _names(reader, FORGET)
        undo_of, forget_of = _names(reader, UNDO_OF), _names(reader, FORGET_OF)
        deadline = reader.positive(DEADLINE)
        if bool(kept or undo_of) == bool(dropped or forget_of):
            reader.faults.append(
                f"one of {UNDO} and {FORGET} must be set (or {UNDO_OF}, {FORGET_OF}), and not both"
            )
        if reader.faults or engine is None or connection is None:
            raise ConfigurationError(*reader.faults)
        return cls(
            engine=engine,
            connection=connection,
            kept=kept,
            names=dropped,
            undo_of=undo_of,
            forget_of=forget_of,
            deadline=deadline,
        )


def _names(reader: EnvReader, variable: str) -> tuple[str, ...]:
    names = _list(reader, variable)
    if not all(isinstance(name, str) and name for name in names):
        reader.faults.append(f"{variable} must be a JSON list of names")
        return ()
    return tuple(map(str, names))


def _pairs(reader: EnvReader) -> tuple[tuple[str, str], ...]:
    pairs = _list(reader, UNDO)
    if not all(_is_pair(pair) for pair in pairs):
        reader.faults.append(f"{UNDO} must be a JSON list of pairs of names")
        return ()
    return tuple((live, kept) for live, kept in pairs)


def _is_pair(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == len(("live", "kept"))
        and all(isinstance(name, str) and name for name in value)
    )


def _list(reader: EnvReader, variable: str) -> list[Any]:
    text = reader.text(variable)
    try:
        found = json.loads(text) if text else []
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        reader.faults.append(f"{variable} must be a JSON list")
        return []
    return found
