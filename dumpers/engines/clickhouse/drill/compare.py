"""Comparing what a drill has restored with what is stored."""

from collections.abc import Mapping, Sequence

from dumpers.contract.connection import Connection
from dumpers.engines.clickhouse.catalog.server_catalog import read_catalogs
from dumpers.engines.clickhouse.cluster import replicas
from dumpers.engines.clickhouse.cluster.replicas import Replica
from dumpers.engines.clickhouse.drill.rows import RowComparison
from dumpers.engines.clickhouse.drill.stand_ins import find_stand_ins
from dumpers.engines.clickhouse.drill.structure import StructureComparison
from dumpers.engines.clickhouse.drill.unstored import skipped_by_mistake
from dumpers.engines.clickhouse.filters import TableFilter
from dumpers.engines.clickhouse.restore.target import find_target
from dumpers.engines.clickhouse.schema.names.naming import full_name
from dumpers.engines.clickhouse.server.settings import KnownSettings, dump_settings
from dumpers.engines.clickhouse.stored.contents import Contents, read_contents
from dumpers.engines.drilling.protocol import Comparison, DrilledObject
from dumpers.engines.names import abbreviate, free_name
from dumpers.runtime.errors import (
    RESTORE_ERRORS,
    SourceFailedError,
    SourceRefusedError,
    TargetFailedError,
)
from dumpers.runtime.interrupt import Interrupt

_METHOD = (
    "the server's own digests of all rows of each table, in any order, of what is stored against "
    "what was restored; statements of all tables, views, functions and accounts"
)


def compare(
    server: Connection,
    objects: Sequence[DrilledObject],
    options: Mapping[str, str],  # noqa: ARG001  see DrilledEngine; the backup says what it has
    interrupt: Interrupt,
) -> Comparison:
    """See DrilledEngine.compare."""
    contents = read_contents([item.stored for item in objects])
    try:
        [replica] = _replicas(server, interrupt)
        structure = StructureComparison(
            contents=contents,
            restored=read_catalogs([replica], TableFilter(), interrupt)[0],
            stand_ins=tuple(find_stand_ins(contents)),
            label=_label(contents, replica),
        )
        structure.compare()
    except (SourceFailedError, SourceRefusedError) as error:
        raise TargetFailedError(str(error)) from error
    rows = RowComparison(
        server=find_target(server, interrupt).servers[0],
        contents=contents,
        own=free_name("ksnapshot_drill", structure.restored.every_database),
        interrupt=interrupt,
    )
    tables = rows.verdicts()
    return Comparison(
        method=_METHOD,
        tables=tables,
        faults=tuple(dict.fromkeys((*structure.faults, *_of_copies(contents)))),
        unproved=(*structure.unproved, *rows.unproved, *_of_shards(contents)),
    )


def _replicas(connection: Connection, interrupt: Interrupt) -> Sequence[Replica]:
    """The throwaway server, as a dump reads it."""

    def settings(known: KnownSettings) -> Mapping[str, str]:
        return dump_settings(known, RESTORE_ERRORS)

    shards = replicas.find(
        connection,
        cluster="",
        listed=(),
        through=False,
        settings=settings,
        errors=RESTORE_ERRORS,
        interrupt=interrupt,
    )
    return [replica for shard in shards for replica in shard.replicas]


def _label(contents: Contents, replica: Replica) -> str:
    """The dumped server whose scripts a restore runs here; see Loading.by_server."""
    labels = contents.labels
    return replica.label if replica.label in labels or not labels else labels[0]


def _of_copies(contents: Contents) -> Sequence[str]:
    skipped = [full_name(*key) for key in skipped_by_mistake(contents)]
    if not skipped:
        return ()
    text = (
        "rows of these tables, which only one replica has, lie in objects that a restore skips as "
        f"copies of others: {abbreviate(skipped)}"
    )
    return (text,)


def _of_shards(contents: Contents) -> Sequence[str]:
    shards = {piece.metadata["shard"] for piece in contents.pieces if "shard" in piece.metadata}
    if len(shards) < len(("one", "other")):
        return ()
    text = (
        f"the rows of {len(shards)} shards were loaded into one server: which shard has which of "
        "them is not compared"
    )
    return (text,)
