"""Where a database answers and as whom."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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
