"""Reads a job's environment and collects every fault of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dumpers.contract.connection import Connection
from dumpers.contract.engine_spec import EngineSpec, Role
from dumpers.contract.location import ARCHIVES, S3_CA_BUNDLE, S3_STORAGE_CLASS, S3Location
from dumpers.contract.names import (
    ENCRYPTION_ENABLED,
    ENCRYPTION_RECIPIENT,
    ENGINE,
    HOSTNAME,
    MAX_PART_MIB,
    MIN_PART_MIB,
    PART_SIZE,
    READ_BACK,
    TLS_MODES,
    VERIFY,
)

_MAX_PORT = 65535
# A key with the line end of `echo | base64` breaks in ways that show the key.
_OWN_PREFIXES = ("BACKEND_", "ENCRYPTION_", "KSNAPSHOT_", HOSTNAME)
_LINES = (S3_CA_BUNDLE,)
_POSITIVE = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class EnvReader:
    """Reads one variable, or one group of them, at a time; `faults` collects what is wrong.

    A value that is at fault is returned as if it were unset, so that reading goes on.
    """

    env: Mapping[str, str]
    engines: Sequence[EngineSpec]
    faults: list[str] = field(default_factory=list)

    def check_text(self) -> None:
        """Find values that are no text, in a login, or do not print, in a variable of ours."""
        login = {name for engine in self.engines for name in engine.variables}
        for name, value in self.env.items():
            # Neither fault shows the value: it may be a secret.
            if name in login and not _is_unicode(value):
                self.faults.append(
                    f"{name} is not UTF-8: such a value cannot travel by environment"
                )
            elif name.startswith(_OWN_PREFIXES) and name not in _LINES and not value.isprintable():
                self.faults.append(
                    f"{name} holds a character that does not print, such as a line end: write the "
                    "value without it"
                )

    def required(self, name: str, what: str) -> str:
        """A value that must be set; `what` says in words what it holds."""
        value = self.env.get(name, "")
        if not value:
            self.faults.append(f"{name} is not set: it must hold {what}")
        return value

    def positive(self, name: str) -> int | None:
        """A whole number above 0; None if it is not set."""
        value = self.env.get(name, "")
        if not value:
            return None
        if not _POSITIVE.fullmatch(value):
            self.faults.append(f"{name} is {value[:20]!r}: it must be a whole number above 0")
            return None
        return int(value)

    def part_size(self) -> int | None:
        """The size of an upload's parts in bytes; None leaves it to the estimate."""
        mebibytes = self.positive(PART_SIZE)
        if mebibytes is None:
            return None
        if not MIN_PART_MIB <= mebibytes <= MAX_PART_MIB:
            self.faults.append(
                f"{PART_SIZE} is {mebibytes}: it must be {MIN_PART_MIB} to {MAX_PART_MIB}"
            )
        return mebibytes << 20

    def engine(self) -> EngineSpec | None:
        """The engine that the image names."""
        known = ", ".join(engine.type for engine in self.engines)
        name = self.required(ENGINE, f"one of: {known} (each dumper image sets its own)")
        engine = next((item for item in self.engines if item.type == name), None)
        if name and engine is None:
            self.faults.append(f"{ENGINE} is {name!r}: it must be one of: {known}")
        return engine

    def verify(self, location: S3Location) -> str:
        """READ_BACK, or empty where nothing is read back."""
        value = self.env.get(VERIFY, "")
        if value not in {"", READ_BACK}:
            self.faults.append(f"{VERIFY} is {value[:20]!r}: it must be {READ_BACK} or not be set")
        elif value and location.storage_class in ARCHIVES:
            self.faults.append(
                f"{VERIFY} is {READ_BACK}, but objects in {S3_STORAGE_CLASS}="
                f"{location.storage_class} cannot be read: drop one of the two"
            )
        return value

    def recipients(self) -> tuple[str, ...]:
        """The age recipients; empty where nothing is encrypted."""
        if self.env.get(ENCRYPTION_ENABLED) != "true":
            return ()
        listed = self.env.get(ENCRYPTION_RECIPIENT, "").split(",")
        recipients = tuple(item.strip() for item in listed if item.strip())
        if not recipients:
            self.faults.append(
                f"{ENCRYPTION_RECIPIENT} is not set, but {ENCRYPTION_ENABLED} is true: "
                "it must hold an age recipient (age1…)"
            )
        return recipients

    def connection(self, engine: EngineSpec) -> Connection:
        """Where the engine's database answers and as whom."""
        values = dict.fromkeys(Role, "")
        required = engine.required_roles(self.env)
        for item in engine.credentials:
            names = (item.variable, *item.fallbacks)
            value = next((self.env[name] for name in names if self.env.get(name)), "")
            if item.role in required and not value:
                self.faults.append(f"{item.variable} is not set: no {item.role} for the database")
            values[item.role] = value
        return Connection(
            host=self.required(engine.host_variable, "the database's host name"),
            port=self.port(engine),
            username=values[Role.USERNAME],
            password=values[Role.PASSWORD],
            api_key=values[Role.API_KEY],
            database=values[Role.DATABASE],
            tls=self.tls(engine),
            ca_file=self.env.get(engine.ca_file_variable, ""),
            certificate=values[Role.CERTIFICATE],
            certificate_key=values[Role.CERTIFICATE_KEY],
        )

    def tls(self, engine: EngineSpec) -> str:
        """One of TLS_MODES; empty leaves it to the engine's client."""
        mode = self.env.get(engine.tls_variable, "")
        if mode and mode not in TLS_MODES:
            self.faults.append(
                f"{engine.tls_variable} is {mode!r}: it must be one of: {', '.join(TLS_MODES)}"
            )
        return mode

    def numbers(self, engine: EngineSpec) -> dict[str, int]:
        """The engine's options that are numbers, by variable, defaults filled in."""
        found: dict[str, int] = {}
        for item in engine.numbers:
            number = self.positive(item.variable)
            if number is None:
                number = item.default
            elif not item.low <= number <= item.high:
                self.faults.append(
                    f"{item.variable} is {number}: it must be {item.low} to {item.high}"
                )
            found[item.variable] = number
        return found

    def options(self, engine: EngineSpec) -> dict[str, str]:
        """The engine's options that are texts, by variable, as far as they are set."""
        for item in engine.texts:
            value = self.env.get(item.variable, "")
            if value and not re.fullmatch(item.pattern, value):
                self.faults.append(f"{item.variable} is {value[:20]!r}: it must be {item.wanted}")
        return {name: self.env[name] for name in engine.option_variables if self.env.get(name)}

    def port(self, engine: EngineSpec) -> int:
        """The database's port; the engine's own where none is set."""
        port = self.positive(engine.port_variable) or engine.port
        if port > _MAX_PORT:
            self.faults.append(f"{engine.port_variable} is {port}: the highest port is {_MAX_PORT}")
        return port


def _is_unicode(text: str) -> bool:
    """Tell whether a variable's bytes were UTF-8; surrogates stand for those that were not."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
