"""Where a database answers and as whom, and what is wanted of its dump."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from dumpers.contract.sharing import Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the database answers and as whom; what is not given is empty.

    An API key stands for user and password. `tls` is one of TLS_MODES or empty for the client's
    own way, `ca_file` the path of the certificates to trust; `certificate` is the client's own and
    `certificate_key` its key, as PEM texts. `servers` are a restore's options, by variable, that
    say which servers make up the database; a dump has them among all of its options.
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
    servers: Mapping[str, str] = field(default_factory=dict)


class DumpSource(Protocol):
    """A database, and what is wanted of it; a DumpJob is one.

    `options` holds the engine's own variables that are set, `numbers` all those that are numbers.
    `deadline` is in seconds, None without one; `share` is None where all of it is wanted.
    """

    @property
    def connection(self) -> Connection: ...  # noqa: D102  see the class
    @property
    def options(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def numbers(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def deadline(self) -> int | None: ...  # noqa: D102
    @property
    def share(self) -> Share | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredSource:
    """A DumpSource that a drill has restored, and dumps once more to nowhere."""

    connection: Connection
    options: Mapping[str, str]
    numbers: Mapping[str, int]
    deadline: int | None = None
    share: Share | None = None
