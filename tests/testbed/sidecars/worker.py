"""Does what a request asks for, whichever sidecar and whichever of its doors it came by."""

import contextlib
import datetime as dt
import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.testbed.sidecars.backups import local, remote, restore, transfer
from tests.testbed.sidecars.backups.chbackup_record import RustLayout
from tests.testbed.sidecars.backups.context import Context
from tests.testbed.sidecars.backups.record import GoLayout, Layout
from tests.testbed.sidecars.backups.server import Server
from tests.testbed.sidecars.errors import FailedError, wrapping
from tests.testbed.sidecars.faults import Faults
from tests.testbed.sidecars.metrics import Metrics
from tests.testbed.sidecars.operations import Operations, Row
from tests.testbed.sidecars.requests import Request
from tests.testbed.sidecars.settings import Settings

_FIRST = {"create_remote": "create", "restore_remote": "download"}


@dataclass(slots=True, kw_only=True)
class Process:
    """A sidecar's process from its start to its end."""

    settings: Settings
    server: Server
    faults: Faults
    operations: Operations
    metrics: Metrics = field(default_factory=Metrics)
    _locks: dict[str, tuple[str, str]] = field(default_factory=dict)

    def context(self, row: Row) -> Context:
        return Context(
            settings=self.settings,
            server=replace(self.server, login=self.settings.clickhouse),
            layout=self.layout(),
            faults=self.faults,
            life=row.life,
        )

    def layout(self) -> Layout:
        return RustLayout() if self.settings.kind == "chbackup" else GoLayout()

    def work(self, row: Row, request: Request) -> None:
        """Does it to its end; FailedError."""
        with self.metrics.measured(request.command), self._locked(request):
            _DOING[request.command](self.context(row), request)

    @contextlib.contextmanager
    def _locked(self, request: Request) -> Iterator[None]:
        """One operation on a backup at a time, even where several may run."""
        name, kept = request.name, self._locks
        if request.command.startswith(("delete", "clean")):
            yield
            return
        if name in kept:
            command, since = kept[name]
            raise FailedError(
                f"another clickhouse-backup `{command}` command is already running {since} (pid=1, "
                f"pidPath=/tmp/clickhouse-backup.{name}.pid, cmdLine=clickhouse-backup server)"
            )
        since = dt.datetime.now().astimezone().isoformat(timespec="seconds")
        kept[name] = (_FIRST.get(request.command, request.command), since)
        try:
            yield
        finally:
            del kept[name]

    def forget(self, name: str) -> None:
        """Deletes a local backup, and does not mind where there is none."""
        with contextlib.suppress(FailedError):
            local.delete(self.context(self.operations.unseen()), name, force=True)

    def resume(self) -> None:
        """Goes on with what an ended process left, as the sidecar does by itself at its start.

        What had ended well is done again as well: an upload that finds nothing missing, or all of
        it, where the remote backup was deleted meanwhile and the local one was not.
        """
        if not self.settings.complete_resumable_after_restart:
            return
        context = self.context(self.operations.unseen())
        for file in sorted(context.server.backups.glob("*/*.state2")):
            name, command = file.parent.name, file.name.removesuffix(".state2")
            told = json.loads(file.read_text())["parameters"]
            # A download is gone on with as one of all, whatever of it was asked for.
            told = told if command == "upload" else {}
            base, tables = told.get("diffFromRemote", ""), told.get("tablePattern", "")
            flags = f"--diff-from-remote={base} " if base else ""
            flags += f"--tables={tables} " if tables else ""
            row = self.operations.start(f"{command} {flags}--resumable=1 {name}")
            request = Request(
                command=command, name=name, tables=tables, diff_from_remote=base, resume=True
            )
            if self.operations.run(row, functools.partial(self._again, request, file)):
                return

    def _again(self, request: Request, state: Path, row: Row) -> None:
        self.work(row, request)
        state.unlink(missing_ok=True)


def new_name() -> str:
    return dt.datetime.now().astimezone().strftime("%Y-%m-%dT%H-%M-%S")


def _create_remote(context: Context, request: Request) -> None:
    local.create(context, request)
    transfer.upload(context, request)


def _restore_remote(context: Context, request: Request) -> None:
    try:
        transfer.download(context, request)
    except FailedError as error:
        # What is there already is taken, whatever it holds.
        if not f"{error}".startswith(transfer.EXISTS):
            with wrapping("RestoreFromRemote Download"):
                raise
    restore.restore(context, request)


def _delete(context: Context, request: Request) -> None:
    where, _, name = request.name.partition(" ")
    if where == "local":
        local.delete(context, name, force=request.force)
    elif where == "remote":
        remote.delete(context, name, force=request.force)
    else:
        raise FailedError("backup location must be 'local' or 'remote'")


def _clean(context: Context, request: Request) -> None:
    context.server.connect()
    context.server.clean_shadow()


_DOING: dict[str, Callable[[Context, Request], None]] = {
    "create": local.create,
    "upload": transfer.upload,
    "create_remote": _create_remote,
    "download": transfer.download,
    "restore": restore.restore,
    "restore_remote": _restore_remote,
    "delete": _delete,
    "clean": _clean,
    "clean_local_broken": lambda context, _: local.clean_broken(context),
    "clean_remote_broken": lambda context, _: remote.clean_broken(context),
}
