"""Reads the variables of an engine: which one it is, its database's connection, its options."""

import re
from collections.abc import Sequence
from dataclasses import replace

from dumpers.contract.connection import Connection
from dumpers.contract.engine_spec import EngineSpec, Role
from dumpers.contract.env_reader import EnvReader
from dumpers.contract.names import ENGINE, TLS_MODES

_MAX_PORT = 65535


def read_engine(reader: EnvReader, engines: Sequence[EngineSpec]) -> EngineSpec | None:
    """The engine that the image names; None where that is a fault."""
    known = ", ".join(engine.type for engine in engines)
    name = reader.required(ENGINE, f"one of: {known} (each dumper image sets its own)")
    engine = next((item for item in engines if item.type == name), None)
    if name and engine is None:
        reader.faults.append(f"{ENGINE} is {name!r}: it must be one of: {known}")
    return engine


def read_connection(reader: EnvReader, engine: EngineSpec) -> Connection:
    """Where the engine's database answers and as whom."""
    values = dict.fromkeys(Role, "")
    required = engine.required_roles(reader.env)
    for item in engine.credentials:
        names = (item.variable, *item.fallbacks)
        value = next((reader.env[name] for name in names if reader.env.get(name)), "")
        if item.role in required and not value:
            reader.faults.append(f"{item.variable} is not set: no {item.role} for the database")
        values[item.role] = value
    return Connection(
        host=reader.required(engine.host_variable, "the database's host name"),
        port=_port(reader, engine),
        username=values[Role.USERNAME],
        password=values[Role.PASSWORD],
        api_key=values[Role.API_KEY],
        database=values[Role.DATABASE],
        tls=_tls(reader, engine),
        ca_file=reader.env.get(engine.ca_file_variable, ""),
        certificate=values[Role.CERTIFICATE],
        certificate_key=values[Role.CERTIFICATE_KEY],
    )


def read_target(reader: EnvReader, engine: EngineSpec) -> Connection:
    """Where a restore goes, with the options that say which servers there are."""
    options = read_options(reader, engine)
    servers = {name: text for name, text in options.items() if name in engine.server_variables}
    return replace(read_connection(reader, engine), servers=servers)


def _tls(reader: EnvReader, engine: EngineSpec) -> str:
    """One of TLS_MODES; empty leaves it to the engine's client."""
    mode = reader.env.get(engine.tls_variable, "")
    if mode and mode not in TLS_MODES:
        reader.faults.append(
            f"{engine.tls_variable} is {mode!r}: it must be one of: {', '.join(TLS_MODES)}"
        )
    return mode


def read_numbers(reader: EnvReader, engine: EngineSpec) -> dict[str, int]:
    """The engine's options that are numbers, by variable, defaults filled in."""
    found: dict[str, int] = {}
    for item in engine.numbers:
        number = reader.positive(item.variable)
        if number is None:
            number = item.default
        elif not item.low <= number <= item.high:
            reader.faults.append(
                f"{item.variable} is {number}: it must be {item.low} to {item.high}"
            )
        found[item.variable] = number
    return found


def read_options(reader: EnvReader, engine: EngineSpec) -> dict[str, str]:
    """The engine's options that are texts, by variable, as far as they are set."""
    for item in engine.texts:
        value = reader.env.get(item.variable, "")
        if value and not re.fullmatch(item.pattern, value):
            reader.faults.append(f"{item.variable} is {value[:20]!r}: it must be {item.wanted}")
    return {name: reader.env[name] for name in engine.option_variables if reader.env.get(name)}


def _port(reader: EnvReader, engine: EngineSpec) -> int:
    """The database's port; the engine's own where none is set."""
    port = reader.positive(engine.port_variable) or engine.port
    if port > _MAX_PORT:
        reader.faults.append(f"{engine.port_variable} is {port}: the highest port is {_MAX_PORT}")
    return port
