"""The shape of what both sides know of an engine without doing its work."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a credential is for, whatever each engine calls it."""

    USERNAME = "username"
    PASSWORD = "password"  # noqa: S105  the name of a role, not a password
    DATABASE = "database"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One credential: `variable` in the job, and where it comes from in the database's container.

    `sources` are the container's variables, the first that is set wins. The dumper takes them too
    when `variable` is unset, as 0.6.0's did.
    """

    role: Role
    variable: str
    sources: tuple[str, ...]
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DumperImage:
    """The image for one value of the `version` annotation.

    `setting` is the controller's environment variable, `repository` the published image.
    """

    version: str
    setting: str
    repository: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """An engine as the annotations name it.

    `prefix` starts its variables (`POSTGRESQL_HOST`), `options` are further variables that its
    dump tool takes from the job's environment, `images` lists the default version first.
    """

    type: str
    title: str
    prefix: str
    port: int
    credentials: tuple[Credential, ...]
    options: tuple[str, ...]
    images: tuple[DumperImage, ...]

    @property
    def host_variable(self) -> str:
        """Name of the variable with the database's host name."""
        return f"{self.prefix}_HOST"

    @property
    def port_variable(self) -> str:
        """Name of the variable with the database's port."""
        return f"{self.prefix}_PORT"

    @property
    def source_variables(self) -> frozenset[str]:
        """The container's variables that tell a container of this engine from its sidecars."""
        return frozenset(name for item in self.credentials for name in item.sources)

    @property
    def variables(self) -> frozenset[str]:
        """All variables that say where the database is and who logs in, in the job's own names."""
        own = {item.variable for item in self.credentials}
        return self.source_variables | own | {self.host_variable, self.port_variable}

    def image(self, version: str) -> DumperImage | None:
        """Image for a `version` annotation; empty means the default, None that there is none."""
        if not version:
            return self.images[0]
        return next((image for image in self.images if image.version == version), None)
