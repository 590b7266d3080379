"""Local backups: made of frozen parts, listed and deleted, in the server's own data folder."""

import datetime as dt
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.testbed.sidecars.backups import remote
from tests.testbed.sidecars.backups.context import Context
from tests.testbed.sidecars.backups.record import METADATA, Backup, Part, Table
from tests.testbed.sidecars.backups.server import read_part
from tests.testbed.sidecars.errors import DiedError, FailedError, wrapping
from tests.testbed.sidecars.requests import Request

_CONFIGS = ("config.xml", "users.xml")


def listed(context: Context) -> list[Backup]:
    """Every folder, the oldest first; one without metadata is broken."""
    context.server.connect()
    folder = context.server.backups
    found = (
        [_read(context, one) for one in folder.iterdir() if one.is_dir()] if folder.is_dir() else []
    )
    return sorted(found, key=lambda one: one.created)


def _read(context: Context, folder: Path) -> Backup:
    made = dt.datetime.fromtimestamp(folder.stat().st_mtime).astimezone()
    try:
        return context.layout.summary((folder / METADATA).read_bytes())
    except FileNotFoundError:
        reason = context.layout.local_not_found
    except ValueError as error:
        reason = f"parse metadata.json error: {error}"
    return Backup(name=folder.name, created=made, broken=reason)


def find(context: Context, name: str) -> Backup | None:
    return next((one for one in listed(context) if one.name == name), None)


def whole(context: Context, name: str) -> Backup:
    """A local backup with all its parts; FailedError."""
    folder = context.server.backups / name
    with wrapping("read backup metadata file"):
        found = context.layout.summary((folder / METADATA).read_bytes())
        return context.layout.whole(found, lambda key: (folder / key).read_bytes())


def create(context: Context, request: Request) -> None:
    """Freezes every table that matches and keeps its parts; nothing stays of one that failed."""
    context.server.connect()
    context.at("create")
    name = request.name
    tables = context.server.tables(request.tables, context.settings.skip_tables)
    if not tables and not context.settings.allow_empty_backups:
        raise FailedError("no tables for backup")
    frozen: list[str] = []
    try:
        with wrapping("createBackup failed"):
            _create(context, request, tables, frozen)
    except DiedError:
        raise
    except FailedError:
        shutil.rmtree(context.server.backups / name, ignore_errors=True)
        raise
    finally:
        if not context.life.dead.is_set():
            for shadow in frozen:
                context.server.clean_shadow(shadow)
    remove_old(context, keep_last=True)


def _create(context: Context, request: Request, tables: Sequence[Table], frozen: list[str]) -> None:
    server, name = context.server, request.name
    folder = server.backups / name
    resume = context.resumes(asked=request.resume)
    if context.settings.kind == "chbackup" and folder.exists():
        raise FailedError(f"backup '{name}' already exists at {folder}")
    if (folder / METADATA).exists() and not resume:
        raise FailedError(f"'{name}' medatata.json already exists")
    if request.diff_from_remote:
        # Read already here, though the parts are compared when they are uploaded.
        with wrapping("b.getTablesDiffFromRemote return error"):
            remote.base_of(context, request.diff_from_remote)
    context.faults.room(folder)
    folder.mkdir(parents=True, exist_ok=True)
    kept, data_size = [], 0
    for table in tables:
        parts: list[Part] = []
        if request.with_data and not table.metadata_only:
            shadow = uuid.uuid4().hex
            frozen.append(shadow)
            with wrapping(
                "one of createBackupLocal go-routine return error", "b.AddTableToLocalBackup"
            ):
                parts = _freeze(context, request, table, shadow)
        data_size += sum(part.size for part in parts)
        bare = not request.with_data or table.metadata_only
        if request.with_data or request.schema:
            kept.append(replace(table, parts=parts, metadata_only=bare))
    record = Backup(
        name=name,
        created=dt.datetime.now().astimezone(),
        tables=kept,
        databases=server.databases(),
        data_size=data_size,
        rbac_size=_copy_access(context, request),
        config_size=_copy_configs(context, request),
        version=context.settings.shown_version,
        clickhouse_version=server.version(),
    )
    files = list(context.layout.files(record))
    record = replace(record, metadata_size=sum(len(body) for _, body in files[:-1]))
    for key, body in context.layout.files(record):
        context.write(folder / key, body)
    server.own(server.backups)


def _freeze(context: Context, request: Request, table: Table, shadow: str) -> list[Part]:
    server = context.server
    server.freeze(table, shadow, chosen_partitions(context, request, table))
    context.at("frozen")
    source, target = server.shadow(table, shadow), server.stored(request.name, table)
    context.faults.room(target)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    parts = []
    for part in sorted(source.iterdir()) if source.is_dir() else []:
        part.rename(target / part.name)
        parts.append(read_part(target / part.name))
    return parts


def chosen_partitions(context: Context, request: Request, table: Table) -> list[str]:
    """The ids that were asked for, of this table; none where all are. Values are looked up."""
    if not request.partitions:
        return []
    there = context.server.partitions(table)
    wanted = set(partition_words(request.partitions, table))
    if "*" in wanted:
        return [*there]
    found = [
        identity for identity, value in there.items() if wanted & {identity, value, f"({value})"}
    ]
    # An id that no partition has: nothing of this table, instead of all of it.
    return found or ["-"]


def partition_words(partitions: Sequence[str], table: Table) -> list[str]:
    """What the option says of a table: `id,id`, or `database.table:id,id`."""
    words: list[str] = []
    for one in partitions:
        head, colon, tail = one.partition(":")
        if colon and "." in head:
            if head == f"{table.database}.{table.table}":
                words += tail.split(",")
        else:
            words += [one] if one.startswith("(") else one.split(",")
    return words


def _copy_access(context: Context, request: Request) -> int:
    """Users and rights, where the server has some that were made by SQL."""
    if not (request.rbac or request.rbac_only or context.settings.rbac_backup_always):
        return 0
    return _copy(context, [*context.server.data.glob("access/*.sql")], request.name, "access")


def _copy_configs(context: Context, request: Request) -> int:
    if not (request.configs or request.configs_only):
        return 0
    files = [context.server.home / name for name in _CONFIGS]
    return _copy(context, files, request.name, "configs")


def _copy(context: Context, files: Sequence[Path], name: str, folder: str) -> int:
    for file in files:
        context.write(context.server.backups / name / folder / file.name, file.read_bytes())
    return sum(file.stat().st_size for file in files)


def delete(context: Context, name: str, *, force: bool) -> None:
    """FailedError where there is none, or another local one requires it and nobody insists."""
    found = listed(context)
    if name not in {one.name for one in found}:
        raise FailedError(f"'{name}' is not found on local storage")
    needing = sorted(one.name for one in found if one.required == name and one.name != name)
    if needing and not force and context.settings.keeps_what_others_require:
        raise FailedError(
            f"'{name}' is required by local backup(s) {', '.join(needing)}, deleting it breaks "
            "the incremental backups chain, delete the dependent backup(s) first or use `--force`"
        )
    shutil.rmtree(context.server.backups / name)


def remove_old(context: Context, *, keep_last: bool) -> None:
    """As `backups_to_keep_local` says: 0 keeps all, below that none but perhaps the last one."""
    keep = context.settings.backups_to_keep_local
    if keep == 0:
        return
    keep = max(keep, 1 if keep_last else 0)
    found = listed(context)
    for one in found[: max(0, len(found) - keep)]:
        delete(context, one.name, force=True)


def clean_broken(context: Context) -> None:
    for one in listed(context):
        if one.broken:
            delete(context, one.name, force=True)
