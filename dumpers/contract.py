"""What passes between controller and dump job: environment in, result JSON out.

This is the only definition of both. The controller builds a CronJob's environment from the names
here, and a test holds that what it builds is what `DumpJob.from_env` reads.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dumpers.engines import ENGINES, find
from dumpers.engines.facts import EngineFacts, Role
from dumpers.location import ARCHIVES, S3_CA_BUNDLE, S3_STORAGE_CLASS, S3Location, read_location
from dumpers.runtime.errors import ConfigurationError

ENCRYPTION_ENABLED = "ENCRYPTION_ENABLED"
ENCRYPTION_RECIPIENT = "ENCRYPTION_RECIPIENT"
ENGINE = "KSNAPSHOT_ENGINE"
CLUSTER = "KSNAPSHOT_CLUSTER"
WORKLOAD = "KSNAPSHOT_WORKLOAD"
CRONJOB = "KSNAPSHOT_CRONJOB"
DEADLINE = "KSNAPSHOT_DEADLINE_SECONDS"
PART_SIZE = "KSNAPSHOT_PART_SIZE_MIB"
VERIFY = "KSNAPSHOT_VERIFY"
TERMINATION_LOG = "KSNAPSHOT_TERMINATION_LOG"
HOSTNAME = "HOSTNAME"

# In libpq's words, which say best what is checked.
TLS_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
# The key of a Secret with certificates to trust, as cert-manager and CloudNativePG have it.
CA_KEY = "ca.crt"
READ_BACK = "read-back"
DEFAULT_CLUSTER = "default"
DEFAULT_TERMINATION_LOG = "/dev/termination-log"

# Kubernetes keeps at most this much of a container's termination message.
RESULT_MAX_BYTES = 4096
_MAX_PORT = 65535
# A key with the line end of `echo | base64` breaks in ways that show the key.
_OWN_PREFIXES = ("BACKEND_", "ENCRYPTION_", "KSNAPSHOT_", HOSTNAME)
_LINES = (S3_CA_BUNDLE,)
_POSITIVE = re.compile(r"[1-9][0-9]{0,8}")
# What S3 takes; the last part may be smaller.
MIN_PART_MIB, MAX_PART_MIB = 5, 5120
# A CronJob's pod is `<cronjob>-<scheduled minute>-<random>`, cut to 58 characters before the random
# part; our CronJobs end in a hash. Enough to name the CronJob when the controller that made it
# (0.6.0) did not.
_POD_NAME = re.compile(r"(?P<cronjob>.+-[0-9a-f]{8})-\d{4,}-?[a-z0-9]{5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the database answers and as whom; what is not given is empty.

    An API key stands for user and password. `tls` is one of TLS_MODES or empty for the client's
    own way, `ca_file` the path of the certificates to trust; `certificate` is the client's own and
    `certificate_key` its key, as PEM texts.
    """

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    database: str = ""
    tls: str = ""
    ca_file: str = ""
    certificate: str = ""
    certificate_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpJob:
    """Everything a dump job is told. `deadline` is in seconds, None without one.

    `recipients` are age recipients, none meaning no encryption; `options` holds the engine's own
    variables that are set, `numbers` all those that are numbers; `part_size` is in bytes, None
    meaning that the estimate decides; `verify` is READ_BACK or empty.
    """

    engine: EngineFacts
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
    def from_env(cls, env: Mapping[str, str]) -> "DumpJob":
        """Read the job's environment; ConfigurationError names every fault at once.

        An empty variable counts as unset: a Kubernetes API server drops empty values.
        """
        reader = _Reader(env)
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


@dataclass(frozen=True, slots=True)
class _Reader:
    env: Mapping[str, str]
    faults: list[str] = field(default_factory=list)

    def check_text(self) -> None:
        login = {name for engine in ENGINES for name in engine.variables}
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
        value = self.env.get(name, "")
        if not value:
            self.faults.append(f"{name} is not set: it must hold {what}")
        return value

    def positive(self, name: str) -> int | None:
        value = self.env.get(name, "")
        if not value:
            return None
        if not _POSITIVE.fullmatch(value):
            self.faults.append(f"{name} is {value[:20]!r}: it must be a whole number above 0")
            return None
        return int(value)

    def part_size(self) -> int | None:
        mebibytes = self.positive(PART_SIZE)
        if mebibytes is None:
            return None
        if not MIN_PART_MIB <= mebibytes <= MAX_PART_MIB:
            self.faults.append(
                f"{PART_SIZE} is {mebibytes}: it must be {MIN_PART_MIB} to {MAX_PART_MIB}"
            )
        return mebibytes << 20

    def engine(self) -> EngineFacts | None:
        known = ", ".join(engine.type for engine in ENGINES)
        name = self.required(ENGINE, f"one of: {known} (each dumper image sets its own)")
        engine = find(name)
        if name and engine is None:
            self.faults.append(f"{ENGINE} is {name!r}: it must be one of: {known}")
        return engine

    def verify(self, location: S3Location) -> str:
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

    def connection(self, engine: EngineFacts) -> Connection:
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

    def tls(self, engine: EngineFacts) -> str:
        mode = self.env.get(engine.tls_variable, "")
        if mode and mode not in TLS_MODES:
            self.faults.append(
                f"{engine.tls_variable} is {mode!r}: it must be one of: {', '.join(TLS_MODES)}"
            )
        return mode

    def numbers(self, engine: EngineFacts) -> dict[str, int]:
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

    def options(self, engine: EngineFacts) -> dict[str, str]:
        for item in engine.texts:
            value = self.env.get(item.variable, "")
            if value and not re.fullmatch(item.pattern, value):
                self.faults.append(f"{item.variable} is {value[:20]!r}: it must be {item.wanted}")
        return {name: self.env[name] for name in engine.option_variables if self.env.get(name)}

    def port(self, engine: EngineFacts) -> int:
        port = self.positive(engine.port_variable) or engine.port
        if port > _MAX_PORT:
            self.faults.append(f"{engine.port_variable} is {port}: the highest port is {_MAX_PORT}")
        return port


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpResult:
    """How a run ended, as the container's termination message tells the controller.

    `source_bytes` left the dump tool, `stored_bytes` reached S3; `sha256` is that of the stored
    object when there is exactly one. `seconds` is wall time. `verified` is READ_BACK when all
    objects were read back and were as they had been sent, else empty.
    """

    succeeded: bool
    exit_code: int
    reason: str
    message: str
    engine: str = ""
    server_version: str = ""
    tool_version: str = ""
    keys: tuple[str, ...] = ()
    key_count: int = 0
    source_bytes: int = 0
    stored_bytes: int = 0
    sha256: str = ""
    seconds: float = 0.0
    record: str = ""
    verified: str = ""

    def to_json(self) -> str:
        """Compact JSON of at most RESULT_MAX_BYTES bytes; keys, then the message, give way."""
        document: dict[str, Any] = {"version": 1} | {
            name: getattr(self, name) for name in self.__slots__
        }
        if _size(document) > RESULT_MAX_BYTES:
            document["keys"] = []
        message = self.message
        while _size(document) > RESULT_MAX_BYTES and message:
            message = message[: len(message) * 3 // 4]
            document["message"] = message + "…"
        return _compact(document)

    @classmethod
    def from_json(cls, text: str) -> "DumpResult":
        """Read a termination message; ValueError if it is not one of ours."""
        try:
            document = json.loads(text)
            values = {name: document[name] for name in cls.__slots__ if name in document}
            result = cls(**values | {"keys": tuple(document.get("keys", ()))})
        except (TypeError, KeyError, AttributeError, RecursionError, ValueError) as error:
            raise ValueError(f"no dump result: {type(error).__name__}") from error
        typed = all(isinstance(getattr(result, name), kind) for name, kind in _TYPES.items())
        if not typed or not all(isinstance(key, str) for key in result.keys):
            raise ValueError("no dump result: a member has another type")
        return result


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("reason", "message", "engine", "server_version", "tool_version"), str),
    **dict.fromkeys(("sha256", "record", "verified"), str),
    **dict.fromkeys(("exit_code", "key_count", "source_bytes", "stored_bytes"), int),
    "succeeded": bool,
    "seconds": (int, float),
}


def _is_unicode(text: str) -> bool:
    """Tell whether a variable's bytes were UTF-8; surrogates stand for those that were not."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _compact(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair has no UTF-8 form, and a result has to be written whatever it holds.
    return text.encode("utf-8", "replace").decode()


def _size(document: Mapping[str, Any]) -> int:
    return len(_compact(document).encode())
