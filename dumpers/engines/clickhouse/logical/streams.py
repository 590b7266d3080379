"""All objects of a dump, as streams in the order in which they load."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from dumpers.engines.clickhouse.catalog.server_catalog import ServerCatalog
from dumpers.engines.clickhouse.logical import bundles
from dumpers.engines.clickhouse.logical.bundles import BundleStream
from dumpers.engines.clickhouse.logical.plan import TableRead
from dumpers.engines.clickhouse.logical.table_read import DumpContext, Reading, TableStream
from dumpers.engines.clickhouse.schema import scripts
from dumpers.engines.clickhouse.schema.names.references import is_view
from dumpers.engines.clickhouse.schema.names.rewriting import rewrite
from dumpers.engines.clickhouse.schema.table_engines import TableTreatment
from dumpers.engines.clickhouse.schema.tables import BackupTable
from dumpers.engines.protocol import DumpStream
from dumpers.engines.simple_stream import SimpleStream
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader

# Stages of what is behind views that have rows of their own, of which there may be many levels.
_LEVELS, _LAST = 5, 1_000_000


def arrange(
    name: str, catalogs: Sequence[ServerCatalog], items: Sequence[TableRead], context: DumpContext
) -> list[DumpStream]:
    """Scripts and rows, each behind what it needs; `catalogs` in the order of labels."""
    return [stream for _, stream in arrange_in_stages(name, catalogs, items, context)]


def arrange_in_stages(
    name: str,
    catalogs: Sequence[ServerCatalog],
    items: Sequence[TableRead],
    context: DumpContext,
    *,
    is_part: bool = False,
) -> Sequence[tuple[int, DumpStream]]:
    """As `arrange`, each with its stage: the same of all shards of a run that pods share.

    Where these are but a part of the cluster, every script is named after its first server.
    """

    def begin(item: TableRead) -> Reading:
        return Reading(item, context)

    def scripts_of(
        stage: int, kind: str, text_of: Callable[[ServerCatalog], str]
    ) -> list[tuple[int, DumpStream]]:
        made = _scripts(name, catalogs, kind, text_of, is_part=is_part)
        return [(stage, stream) for stream in made]

    views, others = list[TableRead](), list[TableRead]()
    for item in items:
        is_view = item.backup_table.kind is TableTreatment.VIEW_WITH_DATA
        (views if is_view else others).append(item)
    alone, packed = bundles.pack(others)
    numbers: dict[str, int] = {}
    packs_of = list[DumpStream]()
    for together in packed:
        label = together[0].label
        numbers[label] = numbers.get(label, 0) + 1
        packs_of.append(BundleStream(name, numbers[label], [*map(begin, together)]))
    of_views = _views_with_rows(name, catalogs, [*map(begin, views)], is_part=is_part)
    return [
        *scripts_of(0, scripts.TABLES_SCRIPT, _tables),
        *((1, TableStream(name=name, reading=begin(item))) for item in alone),
        *((1, stream) for stream in packs_of),
        # Before views, which may run as one of these accounts.
        *scripts_of(2, "access", lambda catalog: scripts.script(catalog.objects.access)),
        # Before views, which may read them; their systems may be away.
        *scripts_of(3, scripts.FOREIGN_DATABASES_SCRIPT, _foreign_databases),
        *scripts_of(4, "views", lambda catalog: scripts.views(_complete(catalog))),
        *((_LEVELS + level, stream) for level, stream in of_views),
        *scripts_of(
            _LAST,
            "materialized-views",
            lambda catalog: scripts.materialized_views(_complete(catalog)),
        ),
        *scripts_of(
            _LAST + 1,
            scripts.INCOMPLETE_SCRIPT,
            lambda catalog: scripts.all_views(_split(catalog)[1]),
        ),
    ]


def _scripts(
    name: str,
    catalogs: Sequence[ServerCatalog],
    kind: str,
    text_of: Callable[[ServerCatalog], str],
    *,
    is_part: bool,
) -> list[DumpStream]:
    """A script for each set of servers whose statements are the same: mostly one for all.

    A part has that which creates tables also where nothing is to be made, of no server then, so
    that it is never without an object.
    """
    labels: dict[str, list[str]] = {}
    releases = {catalog.replica.release for catalog in catalogs} - {""}
    # A restore asks for no older one; of several the newest.
    release = {"release": max(releases, key=_numbers)} if releases else {}
    for catalog in catalogs:
        labels.setdefault(text_of(catalog), []).append(catalog.replica.label)
    return [
        SimpleStream(
            name=name,
            part=(kind,) if len(labels) == 1 and not is_part else (those[0], kind),
            ending=".sql",
            estimate=len(text),
            opener=partial(_open_text, text),
            known_metadata={"script": kind, "replicas": those if text else [], **release},
        )
        for text, those in labels.items()
        if text or (is_part and kind == scripts.TABLES_SCRIPT)
    ]


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".") if part.isdigit())


@contextmanager
def _open_text(text: str, _: Interrupt) -> Iterator[Reader]:
    yield io.BytesIO(text.encode())


def _tables(catalog: ServerCatalog) -> str:
    return scripts.tables(
        [database.create for database in catalog.databases if not database.is_elsewhere],
        functions=catalog.objects.functions,
        collections=catalog.objects.collections,
        found=catalog.tables,
    )


def _complete(catalog: ServerCatalog) -> Sequence[BackupTable]:
    return _split(catalog)[0]


def _split(catalog: ServerCatalog) -> tuple[list[BackupTable], list[BackupTable]]:
    """Tables without the views that need what is not in the dump, and those views."""
    # Rows of views come right behind what makes them, whatever else they need.
    left = {
        item.table.key
        for item in catalog.tables
        if item.table.key in catalog.incomplete
        and is_view(item.table)
        and item.kind is not TableTreatment.VIEW_WITH_DATA
    }
    return (
        [item for item in catalog.tables if item.table.key not in left],
        [item for item in catalog.tables if item.table.key in left],
    )


def _foreign_databases(catalog: ServerCatalog) -> str:
    elsewhere = (item.create for item in catalog.databases if item.is_elsewhere)
    return scripts.script(map(rewrite, elsewhere))


def _views_with_rows(
    name: str, catalogs: Sequence[ServerCatalog], views: Sequence[Reading], *, is_part: bool
) -> Iterator[tuple[int, DumpStream]]:
    """Level after level, what creates views that have rows of their own, and then these rows.

    Each with its place among the levels: even ones create, odd ones have rows.
    """
    levels = {
        catalog.replica.label: scripts.views_with_rows(catalog.tables) for catalog in catalogs
    }

    def of(number: int, catalog: ServerCatalog) -> Sequence[BackupTable]:
        found = levels[catalog.replica.label]
        return found[number] if number < len(found) else ()

    def creates(number: int, catalog: ServerCatalog) -> str:
        return scripts.creates(of(number, catalog))

    count = max(map(len, levels.values()))
    # Where servers differ, behind the last that creates it: the rows are stored once.
    last = {
        item.table.key: number
        for number in range(count)
        for catalog in catalogs
        for item in of(number, catalog)
    }
    for number in range(count):
        kind = f"views-with-rows-{number + 1}"
        for script in _scripts(name, catalogs, kind, partial(creates, number), is_part=is_part):
            yield 2 * number, script
        for view in views:
            if last[view.item.backup_table.table.key] == number:
                yield 2 * number + 1, TableStream(name=name, reading=view)
