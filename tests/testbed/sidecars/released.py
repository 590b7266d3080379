"""A released clickhouse-backup in the place of the protocol server, where one is named.

Not tried with a released clickhouse-backup: what it is told was read in its own documentation of
the environment. Whether it still speaks with a server as old as the testbed's is not known.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.testbed.sidecars import server
from tests.testbed.sidecars.faults import Faults, Hold, Step
from tests.testbed.sidecars.settings import NEWEST, Settings
from tests.testbed.toolchain import processes

PROGRAM = "KSNAPSHOT_CLICKHOUSE_BACKUP"


def stands_in(settings: Settings) -> bool:
    """Whether a binary is named, and no other kind or version is asked for."""
    asked = settings.kind == "clickhouse-backup" and settings.version == NEWEST
    return asked and bool(os.environ.get(PROGRAM))


class NoFaults(Faults):
    """A released program does only what it does by itself: tests that need more are skipped."""

    @contextlib.contextmanager
    def held(
        self, step: Step, *, after: int = 0, stubborn: bool = False, every: bool = False
    ) -> Iterator[Hold]:
        self._cannot(f"be held at `{step}`")
        yield Hold(step=step, after=after, stubborn=stubborn)

    def fail(self, step: Step, error: str) -> None:
        self._cannot(f"fail at `{step}`")

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[None]:
        self._cannot("be told that its disk is full")
        yield

    @staticmethod
    def _cannot(what: str) -> None:
        pytest.skip(f"the program of {PROGRAM} cannot {what}")


@dataclass(slots=True, kw_only=True)
class ReleasedSidecar(server.Sidecar):
    """The named program as `clickhouse-backup server`, told everything by its environment."""

    faults: Faults = field(default_factory=NoFaults)
    _folder: Path | None = None
    _running: processes.Server | None = None

    def start(self) -> None:
        """Returns once it serves, or raises NotReadyError."""
        if self._folder is None:
            # Its locks and its cache lie in the folder for temporary files, named by the backup.
            self._folder = Path(tempfile.mkdtemp(prefix="clickhouse-backup-"))
        self._running = processes.start(
            "clickhouse-backup",
            [os.environ[PROGRAM], "server"],
            log=self._folder / "log",
            ready=lambda: processes.listens(self.port, self.host),
            env=environment(self.settings, self) | {"TMPDIR": f"{self._folder}"},
            cwd=Path("/"),
        )

    def kill(self) -> None:
        if self._running is not None:
            self._running.kill()
        self._running = None

    def stop(self) -> None:
        self.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def configure(self, **changes: Any) -> NoReturn:
        pytest.skip(f"the program of {PROGRAM} takes no other settings while it runs")


def environment(settings: Settings, sidecar: server.Sidecar) -> dict[str, str]:
    """The variables by which the program is told what `settings` say."""
    admin = settings.clickhouse or sidecar.replica.admin
    told: dict[str, object] = {
        "API_LISTEN": f"{sidecar.host}:{sidecar.port}",
        "API_ALLOW_PARALLEL": settings.allow_parallel,
        "API_CREATE_INTEGRATION_TABLES": settings.integration_tables,
        "API_INTEGRATION_TABLES_HOST": sidecar.host,
        "API_COMPLETE_RESUMABLE_AFTER_RESTART": settings.complete_resumable_after_restart,
        "API_BACKUP_ACTIONS_SKIP_COMMANDS": ",".join(settings.skip_actions),
        "CLICKHOUSE_HOST": sidecar.replica.host,
        "CLICKHOUSE_PORT": sidecar.replica.tcp_port,
        "CLICKHOUSE_USERNAME": admin.user,
        "CLICKHOUSE_PASSWORD": admin.password,
        "CLICKHOUSE_CONFIG_DIR": sidecar.server.home,
        "CLICKHOUSE_SKIP_TABLES": ",".join(settings.skip_tables),
        "USE_RESUMABLE_STATE": settings.use_resumable_state,
        "BACKUPS_TO_KEEP_LOCAL": settings.backups_to_keep_local,
        "BACKUPS_TO_KEEP_REMOTE": settings.backups_to_keep_remote,
        "RBAC_BACKUP_ALWAYS": settings.rbac_backup_always,
        "ALLOW_EMPTY_BACKUPS": settings.allow_empty_backups,
        "CALLBACK_URL": settings.callback_url,
        "RETRIES_ON_FAILURE": 1,
        "RETRIES_PAUSE": "100ms",
        "REMOTE_STORAGE": "s3" if settings.remote else "none",
    }
    if settings.login is not None:
        told |= {"API_USERNAME": settings.login.user, "API_PASSWORD": settings.login.password}
    if settings.tls is not None:
        told |= {"API_SECURE": True, "API_CERTIFICATE_FILE": settings.tls.cert}
        told |= {"API_PRIVATE_KEY_FILE": settings.tls.key}
    if remote := settings.remote:
        told |= {"S3_ENDPOINT": remote.endpoint, "S3_BUCKET": remote.bucket}
        told |= {"S3_ACCESS_KEY": remote.keys.access, "S3_SECRET_KEY": remote.keys.secret}
        told |= {"S3_REGION": remote.region, "S3_PATH": remote.path, "S3_FORCE_PATH_STYLE": True}
        told |= {"S3_DISABLE_SSL": remote.endpoint.startswith("http:"), "S3_ACL": ""}
        if remote.ca:
            told["AWS_CA_BUNDLE"] = remote.ca
    return {
        name: f"{value}".lower() if isinstance(value, bool) else f"{value}"
        for name, value in told.items()
    }
