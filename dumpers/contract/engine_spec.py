"""The description of an engine that controller and dumpers share."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dumpers.contract.drill.server import ThrowawayServer


class Role(StrEnum):
    """What a credential is for, independent of the engine's own name for it."""

    USERNAME = "username"
    PASSWORD = "password"  # noqa: S105  the name of a role, not a password
    DATABASE = "database"
    API_KEY = "API key"
    CERTIFICATE = "client certificate"
    CERTIFICATE_KEY = "client certificate's key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One credential of the job: `variable` in its environment.

    `fallbacks` are variables that the dumper reads when `variable` is unset, as 0.6.0's did. A
    required credential may be missing where the option's variable `unless` is set.
    """

    role: Role
    variable: str
    required: bool = False
    unless: str = ""
    fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One way to log in, by the variables of a database's container.

    The first variable of `username` that is set wins, likewise of `password`; `default` is the user
    where no variable names one. The login counts when a variable of its `sign` is set, or one of
    `empty`, which mean that there is no password.
    """

    username: tuple[str, ...]
    password: tuple[str, ...]
    sign: Role
    default: str = ""
    empty: tuple[str, ...] = ()

    @property
    def signs(self) -> tuple[str, ...]:
        """The variables of which one is enough to make the login count."""
        return (*(self.username if self.sign is Role.USERNAME else self.password), *self.empty)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberOption:
    """An annotation of one engine that its dumper gets as a whole number from `low` to `high`."""

    key: str
    variable: str
    default: int
    low: int
    high: int
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOption:
    """An annotation that a dumper gets as text, which has to match `pattern` as a whole.

    `wanted` says in words what it must be, `longest` how many characters it may have. One that
    `names_hosts` says where the login goes: hosts, each with or without a port, between `,`, `;` or
    spaces. Several engines may share one.
    """

    key: str
    variable: str
    help: str
    wanted: str
    pattern: str = r"[^\0-\x1f\x7f]+"
    longest: int = 4096
    names_hosts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DumperImage:
    """An image and the values of the `version` annotation that lead to it.

    `setting` is the controller's environment variable, `chart` the value's path in values.yaml,
    `repository` the published image.
    """

    versions: tuple[str, ...]
    setting: str
    chart: str
    repository: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLabel:
    """A label by which an operator marks all owners of one database's pods.

    `marks` are labels that only the database's own pods have, not what else the operator makes for
    it. With `alone` even a single owner forms a group; otherwise it takes several, so that a single
    one keeps the name that 0.6.0 gave its CronJob.
    """

    key: str
    marks: tuple[tuple[str, str], ...] = ()
    alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """An engine as the annotations name it.

    `prefix` starts its variables (`POSTGRESQL_HOST`). `logins` are tried in order, `databases` are
    the container's variables with a database's name; `marks` are variables by which 0.6.0
    recognised the database's container among sidecars. `user_keys` are keys of a Secret that name
    a user and hold its password, as ECK writes them. `options` are further variables that its dump
    tool takes from the job's environment, `images` lists the default first; where the `version`
    annotation is ignored there is one without versions. `group_labels` mark the pods of one
    database that several owners make up. With `has_replicas` a server may be a replica of another
    one, which is not read unless that is asked for. With `time_first` the time stands before the
    name in the names of its files, as it did in 0.6.0. `server_images` is a pattern for the last
    part of the names of images that hold its server, by which databases are found that nobody backs
    up. `server_texts` are those of `texts` that say which servers make up the database, so that a
    restore has them, too. With `swaps_aliases` a swap moves aliases and renames nothing: what was
    loaded keeps the name that it was loaded under. With `spreads` its shards may be dumped by a pod
    each. `drill_server` is how an image with its server runs one for a drill, None where no drill
    is made of its backups; with `takes_checks` a user may have it asked statements of SQL then.
    With `restores_by_sessions` a database is restored by several sessions where that is asked for.
    """

    type: str
    title: str
    prefix: str
    port: int
    credentials: tuple[Credential, ...]
    logins: tuple[Login, ...]
    images: tuple[DumperImage, ...]
    databases: tuple[str, ...] = ()
    database_is_user: bool = False
    marks: tuple[str, ...] = ()
    user_keys: tuple[str, ...] = ()
    numbers: tuple[NumberOption, ...] = ()
    texts: tuple[TextOption, ...] = ()
    options: tuple[str, ...] = ()
    group_labels: tuple[GroupLabel, ...] = ()
    has_replicas: bool = False
    time_first: bool = False
    server_images: str = ""
    server_texts: tuple[TextOption, ...] = ()
    swaps_aliases: bool = False
    spreads: bool = False
    drill_server: ThrowawayServer | None = None
    takes_checks: bool = False
    restores_by_sessions: bool = False

    def __hash__(self) -> int:
        """Hash by the name alone: engines are keys of many lookups, and their fields are deep."""
        return hash(self.type)

    @property
    def host_variable(self) -> str:
        """Name of the variable with the database's host name."""
        return f"{self.prefix}_HOST"

    @property
    def port_variable(self) -> str:
        """Name of the variable with the database's port."""
        return f"{self.prefix}_PORT"

    @property
    def tls_variable(self) -> str:
        """Name of the variable with the TLS mode of the connection."""
        return f"{self.prefix}_TLS"

    @property
    def ca_file_variable(self) -> str:
        """Name of the variable with the path of the certificates to trust."""
        return f"{self.prefix}_CA_FILE"

    @property
    def source_variables(self) -> frozenset[str]:
        """The container's variables with credentials, without their `_FILE` variants."""
        logins = (
            name for item in self.logins for name in (*item.username, *item.password, *item.empty)
        )
        return frozenset((*logins, *self.databases))

    @property
    def option_variables(self) -> frozenset[str]:
        """The variables of options that are texts."""
        return frozenset((*self.options, *(item.variable for item in self.texts)))

    @property
    def server_variables(self) -> frozenset[str]:
        """The variables of options that say which servers make up the database."""
        return frozenset(item.variable for item in self.server_texts)

    @property
    def variables(self) -> frozenset[str]:
        """The job's variables for the database's address and login."""
        own = {name for item in self.credentials for name in (item.variable, *item.fallbacks)}
        return frozenset(own | {self.host_variable, self.port_variable})

    def required_roles(self, options: Mapping[str, str]) -> frozenset[Role]:
        """The credentials that a job must have, given the variables of its options."""
        return frozenset(
            item.role for item in self.credentials if item.required and not options.get(item.unless)
        )

    def image(self, version: str) -> DumperImage | None:
        """Image for a `version` annotation; empty means the default, None that there is none."""
        default = self.images[0]
        if not version or not default.versions:
            return default
        return next((image for image in self.images if version in image.versions), None)
