"""What a sidecar is told, as its configuration file or its environment would say it.

The facts that differ by version were read in clickhouse-backup's repository at its tags v2.5.0 to
v2.8.0 and at what becomes v2.8.1, which was not released then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from tests.testbed.databases.clickhouse_http import Login
from tests.testbed.stores.s3 import Keys, S3Server
from tests.testbed.toolchain.pki import KeyPair

Kind = Literal["clickhouse-backup", "chbackup"]
NEWEST = "2.8.1"
_CHBACKUP = "0.1.0"
# The first release whose command line knows the flag; flags that are not named here are older.
FLAGS = {
    "skip-projections": (2, 6, 6),
    "replicated-copy-to-detached": (2, 6, 6),
    "hardlink-exists-files": (2, 6, 30),
    "named-collections": (2, 6, 34),
    "named-collections-only": (2, 6, 34),
    "skip-empty-tables": (2, 6, 42),
    "force": (2, 8, 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Where backups go: a bucket, and the prefix of the keys in it."""

    endpoint: str
    keys: Keys
    bucket: str
    path: str = ""
    region: str = "us-east-1"
    ca: str | None = None

    @classmethod
    def of(cls, store: S3Server, bucket: str, path: str = "", keys: Keys | None = None) -> "Remote":
        return cls(
            endpoint=store.endpoint,
            keys=keys or store.root,
            bucket=bucket,
            path=path,
            region=store.region,
            ca=f"{store.ca}" if store.ca else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Read anew for every request, as a sidecar reads its file; defaults are the sidecar's own."""

    kind: Kind = "clickhouse-backup"
    version: str = NEWEST
    login: Login | None = field(default=None, repr=False)
    """Who may ask the API; everybody where it is None."""
    clickhouse: Login | None = field(default=None, repr=False)
    """Whom the sidecar is for ClickHouse; the server's admin where it is None."""
    remote: Remote | None = None
    """Without it the remote storage is `none`."""
    tls: KeyPair | None = None
    allow_parallel: bool = False
    integration_tables: bool = False
    use_resumable_state: bool = True
    complete_resumable_after_restart: bool = True
    backups_to_keep_local: int = 0
    backups_to_keep_remote: int = 0
    rbac_backup_always: bool = True
    allow_empty_backups: bool = False
    skip_tables: Sequence[str] = ("system.*", "INFORMATION_SCHEMA.*", "information_schema.*")
    skip_actions: Sequence[str] = ()
    """The commands that leave no row among the actions."""
    callback_url: str = ""
    callback_seconds: float = 5

    @property
    def release(self) -> tuple[int, ...]:
        """The version as numbers; chbackup's own is always the same."""
        return tuple(int(number) for number in self.version.split("."))

    @property
    def shown_version(self) -> str:
        return _CHBACKUP if self.kind == "chbackup" else self.version

    @property
    def has_remote_routes(self) -> bool:
        """Whether `create_remote` and `restore_remote` are routes, and answers name operations."""
        return self.release >= (2, 6, 30)

    @property
    def rows_name_remote_operations(self) -> bool:
        """Whether the operation of `create_remote` and `restore_remote` can be asked for by id."""
        return self.release >= (2, 6, 40)

    @property
    def keeps_what_others_require(self) -> bool:
        """Whether a delete is refused where another backup needs that one."""
        return self.release >= (2, 8, 1)

    @property
    def callbacks_tell_more(self) -> bool:
        """Whether a callback says which command ended, after how long, and `cancel`."""
        return self.release >= (2, 8, 1)

    def knows(self, flag: str) -> bool:
        return self.release >= FLAGS.get(flag, (0,))
