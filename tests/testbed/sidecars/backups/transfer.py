"""Local backups to the bucket and back, whole or on top of another one."""

from collections.abc import Sequence
from dataclasses import replace

from tests.testbed.sidecars.backups import local, remote
from tests.testbed.sidecars.backups.context import Context, Progress
from tests.testbed.sidecars.backups.record import Backup, Part, Table
from tests.testbed.sidecars.backups.server import matches
from tests.testbed.sidecars.errors import FailedError, wrapping
from tests.testbed.sidecars.requests import Request

_FOLDERS = ("access", "configs")
EXISTS = "backup is already exists"


def upload(context: Context, request: Request) -> None:
    """Stores what the base does not have, and last the file that makes the backup whole."""
    server, name = context.server, request.name
    server.connect()
    with wrapping("validateUploadParams"):
        place = remote.storage(context, "upload")
        if name in {request.diff_from, request.diff_from_remote}:
            raise FailedError("you cannot upload diff from the same backup")
        if request.diff_from and request.diff_from_remote:
            raise FailedError("choose setup only `--diff-from-remote` or `--diff-from`, not both")
    with wrapping("can't find local backup"):
        if (known := local.find(context, name)) is None:
            raise FailedError(f"backup '{name}' is not found")
        if known.broken:
            raise FailedError(known.broken)
    resume = context.resumes(asked=request.resume)
    there = name in {one.name for one in remote.listed(context)}
    if there and not resume and context.settings.kind != "chbackup":
        raise FailedError(f"'{name}' already exists on remote storage")
    base = _base(context, request)
    with wrapping("b.ReadBackupMetadataLocal return error"):
        record = local.whole(context, name)
    chosen = [one for one in record.tables if matches(request.tables, one.database, one.table)]
    tables = [_without_known(context, record, table, base) for table in chosen]
    parameters: dict[str, object] = {
        "diffFromRemote": request.diff_from_remote,
        "tablePattern": request.tables,
    }
    progress = Progress.of(
        context.state(name, "upload") if resume else None, parameters, fresh=not there
    )
    with wrapping(
        "one of upload table go-routine return error",
        "uploadTableData",
        "one of uploadTableData go-routine return error",
        "can't upload",
    ):
        compressed = sum(
            _store(context, request, place, table, part, progress)
            for table in tables
            for part in table.parts
            if not part.required
        )
    compressed += _store_folders(context, place, name)
    record = replace(
        record,
        tables=tables,
        required=base.name if base else "",
        compressed_size=compressed,
        data_format=context.layout.archive,
    )
    *files, last = context.layout.files(record)
    with wrapping("one of upload table go-routine return error", "uploadTableMetadata"):
        for key, body in files:
            # What an upload has stored before under the same name is not looked at again, though
            # the table may have other parts by now: a second backup of a name is part of the first.
            if f"{name}/{key}" not in progress.done:
                place.put(f"{name}/{key}", body)
                progress.add(f"{name}/{key}", len(body))
    context.at("metadata")
    with wrapping(f"can't upload {name}/metadata.json"):
        place.put(f"{name}/{last[0]}", last[1])
    with wrapping("can't remove old backups on remote storage"):
        remote.remove_old(context)
    with wrapping("can't remove old local backups"):
        local.remove_old(context, keep_last=False)
    if context.settings.backups_to_keep_local >= 0 and request.delete_source:
        with wrapping("can't explicitly delete local source backup"):
            local.delete(context, name, force=True)


def _base(context: Context, request: Request) -> Backup | None:
    if request.diff_from:
        with wrapping("b.getTablesDiffFromLocal return error"):
            return local.whole(context, request.diff_from)
    if request.diff_from_remote:
        with wrapping("b.getTablesDiffFromRemote return error"):
            return remote.base_of(context, request.diff_from_remote)
    return None


def _without_known(context: Context, record: Backup, table: Table, base: Backup | None) -> Table:
    """The table with the parts marked that the base has by the same name and content."""
    known: dict[str, tuple[Table, Part]] = {}
    for one in base.tables if base else ():
        if (one.database, one.table) == (table.database, table.table):
            known = {part.name: (one, part) for part in one.parts}
    parts = []
    for part in table.parts:
        key = ""
        same = part.name in known and known[part.name][1].checksum == part.checksum
        if context.settings.kind == "chbackup":
            own = f"{record.name}/{context.layout.part_key(table, part.name)}"
            key = known[part.name][1].key if same else own
        parts.append(replace(part, required=same, key=key))
    return replace(table, parts=parts)


def _store(
    context: Context,
    request: Request,
    place: remote.Storage,
    table: Table,
    part: Part,
    progress: Progress,
) -> int:
    """One part's bytes, unless a former upload has stored them; how many there are."""
    key = f"{request.name}/{context.layout.part_key(table, part.name)}"
    if key in progress.done:
        return progress.done[key]
    context.at("upload")
    folder = context.server.stored(request.name, table) / part.name
    body = remote.packed(folder)
    with wrapping("UploadCompressedStream errgroup.Wait", "S3 PutFileAbsolute Upload"):
        place.put(key, body)
    progress.add(key, len(body))
    if request.delete_source:
        for file in folder.iterdir():
            file.unlink()
    return len(body)


def _store_folders(context: Context, place: remote.Storage, name: str) -> int:
    """Users' rights and configuration files, each as one archive; how many bytes."""
    stored = 0
    for folder in _FOLDERS:
        source = context.server.backups / name / folder
        if source.is_dir():
            body = remote.packed(source)
            place.put(f"{name}/{folder}.{context.layout.archive}", body)
            stored += len(body)
    return stored


def download(context: Context, request: Request) -> None:
    """Brings a whole backup back, with the parts that lie in those that it requires."""
    server, name = context.server, request.name
    server.connect()
    place = remote.storage(context, "download")
    if local.find(context, name):
        _go_on(context, request)
    with wrapping("BackupList"):
        found = remote.find(context, name)
    if found is None:
        raise FailedError(f"'{name}' is not found on remote storage")
    if found.broken or not (found.tables or found.rbac_size or found.config_size):
        raise FailedError(f"'{name}' is empty backup")
    with wrapping("one of Download Metadata go-routine return error", "downloadTableMetadata"):
        record = context.layout.whole(found, lambda key: place.get(f"{name}/{key}"))
    tables = [one for one in record.tables if matches(request.tables, one.database, one.table)]
    folder = server.backups / name
    context.faults.room(folder)
    folder.mkdir(parents=True, exist_ok=True)
    parameters: dict[str, object] = {"tablePattern": request.tables, "schemaOnly": request.schema}
    if context.resumes(asked=request.resume):
        Progress.of(context.state(name, "download"), parameters, fresh=False)
    with wrapping("one of Download go-routine return error", "downloadTableData"):
        tables = [_fetch(context, request, place, record, table) for table in tables]
    for kind in _FOLDERS:
        key = f"{name}/{kind}.{context.layout.archive}"
        if place.head(key):
            remote.unpack(place.get(key), folder)
    record = replace(record, tables=tables, compressed_size=0, data_format="")
    for key, body in context.layout.files(record):
        context.write(folder / key, body)
    server.own(folder)


def _go_on(context: Context, request: Request) -> None:
    """Nothing where a former download of the local backup is noted; FailedError else."""
    name = request.name
    if not context.resumes(asked=request.resume):
        raise FailedError(EXISTS)
    if not context.state(name, "download").exists():
        told = (
            f": local backup '{name}' exists but resumable state 'download.state2' is missing, so "
            "it is unknown which parts are complete and resuming on top of partial data risks "
            f"silent corruption; run `clickhouse-backup delete local {name}` and retry the "
            "download, or investigate why the resumable state was lost"
        )
        raise FailedError(EXISTS + (told if context.settings.release >= (2, 8) else ""))


def _fetch(
    context: Context, request: Request, place: remote.Storage, record: Backup, table: Table
) -> Table:
    """A table's parts that were asked for, unpacked into the local backup."""
    if not request.with_data:
        return replace(table, parts=(), metadata_only=True)
    if record.required and not table.metadata_only and context.settings.kind != "chbackup":
        # Even where no part of the table lies in it.
        with wrapping("downloadDiffParts"):
            remote.require_base(context, record)
    parts = chosen_parts(request.partitions, table)
    target = context.server.stored(record.name, table)
    for part in parts:
        context.at("download")
        context.faults.room(target)
        target.mkdir(parents=True, exist_ok=True)
        if not (target / part.name).exists():
            remote.unpack(place.get(remote.key_of(context, record, table, part)), target)
    return replace(table, parts=parts)


def chosen_parts(partitions: Sequence[str], table: Table) -> list[Part]:
    """Those of the partitions by id; all where none is named."""
    words = local.partition_words(partitions, table)
    if not partitions or "*" in words:
        return [*table.parts]
    return [part for part in table.parts if part.name.split("_")[0] in words]
