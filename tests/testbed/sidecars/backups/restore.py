"""Local backups into the server: tables made anew, parts attached."""

import re
from dataclasses import replace

from tests.testbed.sidecars.backups import local
from tests.testbed.sidecars.backups.context import Context
from tests.testbed.sidecars.backups.record import Backup, Table
from tests.testbed.sidecars.backups.server import matches, of
from tests.testbed.sidecars.backups.transfer import chosen_parts
from tests.testbed.sidecars.errors import FailedError, wrapping
from tests.testbed.sidecars.requests import Request

_NAME = r"(?:`(?:[^`\\]|\\.)+`|[\w]+)"
_TITLE = re.compile(rf"^(CREATE(?: MATERIALIZED)? \w+ )({_NAME}\.)?({_NAME})")


def restore(context: Context, request: Request) -> None:
    """Schema and data, or only what was asked for.

    A restore with schema drops every table that it makes, whether `--rm` was said or not.
    """
    server, name = context.server, request.name
    server.connect()
    if not name:
        raise FailedError("select backup for restore")
    record = local.whole(context, name)
    schema = request.schema or request.schema == request.data
    data = request.data or request.schema == request.data
    only = request.rbac_only or request.configs_only
    if not record.tables and not (request.rbac or request.configs or only):
        raise FailedError(
            f"'{name}' doesn't contains tables for restore, if you need it, you can setup "
            "`allow_empty_backups: true` in `general` config section"
        )
    _files(context, request)
    if only:
        return
    for database, query in record.databases if schema else ():
        if database not in {"default", "system"}:
            server.sql(_mapped_database(request, database, query))
    tables = _tables(context, request, record)
    if schema or request.drop:
        with wrapping("RestoreSchema"):
            _schema(context, request, tables)
    if data:
        with wrapping("RestoreData", "restoreData"):
            _data(context, request, record, tables)


def _tables(context: Context, request: Request, record: Backup) -> list[tuple[Table, Table]]:
    """What is restored: as the backup has it, and as it is to be called."""
    found = [
        replace(one, parts=chosen_parts(request.partitions, one))
        for one in record.tables
        if matches(request.tables, one.database, one.table)
    ]
    if request.partitions:
        found = [one for one in found if one.parts]
    if not found:
        raise FailedError(
            f"not found schemas by {request.tables or '*'} in {record.name}, also check "
            "skip_tables and skip_table_engines setting"
        )
    return [(one, _renamed(request, one)) for one in found]


def _renamed(request: Request, table: Table) -> Table:
    database = request.database_mapping.get(table.database, table.database)
    name = request.table_mapping.get(table.table, table.table)
    query = _TITLE.sub(lambda found: f"{found[1]}`{database}`.`{name}`", table.query, count=1)
    # Attached, a view does not make its inner table, which is a table of the backup itself.
    query = query.replace("CREATE MATERIALIZED VIEW", "ATTACH MATERIALIZED VIEW", 1)
    return replace(table, database=database, table=name, query=query)


def _mapped_database(request: Request, database: str, query: str) -> str:
    return query.replace(f"`{database}`", f"`{request.database_mapping.get(database, database)}`")


def _schema(context: Context, request: Request, tables: list[tuple[Table, Table]]) -> None:
    """Drops and makes, again and again while some depend on others that are still missing."""
    for _, table in tables:
        with wrapping("dropExistsTables", f"can't drop table {of(table)}"):
            context.server.sql(f"DROP TABLE IF EXISTS {of(table)}")
    waiting = [table for _, table in tables]
    while waiting:
        failed: list[tuple[Table, Exception]] = []
        for table in waiting:
            context.life.check()
            try:
                context.server.sql(table.query)
            except RuntimeError as error:
                failed.append((table, error))
        if len(failed) == len(waiting):
            table, first = failed[0]
            with wrapping("restoreSchema", f"can't create table {of(table)}"):
                raise first
        waiting = [table for table, _ in failed]


def _data(
    context: Context, request: Request, record: Backup, tables: list[tuple[Table, Table]]
) -> None:
    there = {(one.database, one.table) for one in context.server.tables("")}
    missing = [of(new) for _, new in tables if (new.database, new.table) not in there]
    if missing:
        raise FailedError(
            f"{', '.join(missing)} is not created. Restore schema first or create missing tables "
            "manually"
        )
    for old, new in tables:
        if old.metadata_only:
            continue
        if request.data and not request.schema and request.partitions:
            for identity in sorted({part.name.split("_")[0] for part in old.parts}):
                which = "tuple()" if identity == "all" else f"ID '{identity}'"
                context.server.sql(f"ALTER TABLE {of(new)} DROP PARTITION {which}")
        context.at("attach")
        # Whether another replica has the rows already is not asked: the sidecar looks for the
        # word in a statement that it does not pass along, so they are doubled there.
        with wrapping(
            "one of restoreDataRegular go-routine return error",
            f"can't attach data parts for table '{new.database}.{new.table}'",
        ):
            context.server.attach(record.name, old, new)


def _files(context: Context, request: Request) -> None:
    """Configuration files and rights, and then the server is restarted, as it has to be."""
    folder, changed = context.server.backups / request.name, False
    wanted = {"configs": request.configs or request.configs_only}
    wanted["access"] = request.rbac or request.rbac_only
    places = {"configs": context.server.home, "access": context.server.data / "access"}
    for kind, target in places.items():
        if not wanted[kind]:
            continue
        changed = True
        for file in (folder / kind).glob("*"):
            context.write(target / file.name, file.read_bytes())
            context.server.own(target / file.name)
    if changed:
        context.server.replica.kill()
        context.server.replica.start()
