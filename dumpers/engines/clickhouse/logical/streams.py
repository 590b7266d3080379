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
from dumpers.engines.clickhouse.schema.table_engines import TableTreatment
from dumpers.engines.clickhouse.schema.tables import BackupTable
from dumpers.engines.protocol import DumpStream
from dumpers.engines.simple_stream import SimpleStream
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader


def arrange(
    name: str, held: Sequence[ServerCatalog], items: Sequence[TableRead], context: DumpContext
) -> list[DumpStream]:
    """Scripts and rows, each behind what it needs; `held` in the order of labels."""

    def begin(item: TableRead) -> Reading:
        return Reading(item, context)

    def scripts_of(kind: str, text_of: Callable[[ServerCatalog], str]) -> list[DumpStream]:
        return _scripts(name, held, kind, text_of)

    views, others = list[TableRead](), list[TableRead]()
    for item in items:
        is_view = item.treated.kind is TableTreatment.VIEW_WITH_DATA
        (views if is_view else others).append(item)
    alone, packed = bundles.pack(others)
    numbers: dict[str, int] = {}
    packs_of = list[DumpStream]()
    for together in packed:
        label = together[0].label
        numbers[label] = numbers.get(label, 0) + 1
        packs_of.append(BundleStream(name, numbers[label], [*map(begin, together)]))
    return [
        *scripts_of("schema", _tables),
        *(TableStream(name=name, reading=begin(item)) for item in alone),
        *packs_of,
        # Before views, which may run as one of these accounts.
        *scripts_of("access", lambda holding: scripts.script(holding.access)),
        *scripts_of("views", lambda holding: scripts.views(holding.tables)),
        *_views_with_rows(name, held, [*map(begin, views)]),
        *scripts_of(
            "materialized-views", lambda holding: scripts.materialized_views(holding.tables)
        ),
    ]


def _scripts(
    name: str, held: Sequence[ServerCatalog], kind: str, text_of: Callable[[ServerCatalog], str]
) -> list[DumpStream]:
    """A script for each set of servers whose statements are the same: mostly one for all."""
    labels: dict[str, list[str]] = {}
    for holding in held:
        labels.setdefault(text_of(holding), []).append(holding.member.label)
    return [
        SimpleStream(
            name=name,
            part=(kind,) if len(labels) == 1 else (those[0], kind),
            ending=".sql",
            estimate=len(text),
            opener=partial(_open_text, text),
            known_metadata={"script": kind, "replicas": those},
        )
        for text, those in labels.items()
        if text
    ]


@contextmanager
def _open_text(text: str, _: Interrupt) -> Iterator[Reader]:
    yield io.BytesIO(text.encode())


def _tables(holding: ServerCatalog) -> str:
    return scripts.tables(
        [database.create for database in holding.databases],
        functions=holding.functions,
        collections=holding.collections,
        found=holding.tables,
    )


def _views_with_rows(
    name: str, held: Sequence[ServerCatalog], views: Sequence[Reading]
) -> Iterator[DumpStream]:
    """Level after level, what creates views that have rows of their own, and then these rows."""
    levels = {holding.member.label: scripts.views_with_rows(holding.tables) for holding in held}

    def of(number: int, holding: ServerCatalog) -> Sequence[BackupTable]:
        found = levels[holding.member.label]
        return found[number] if number < len(found) else ()

    def creates(number: int, holding: ServerCatalog) -> str:
        return scripts.creates(of(number, holding))

    count = max(map(len, levels.values()))
    # Where servers differ, behind the last that creates it: the rows are stored once.
    last = {
        item.table.full_name: number
        for number in range(count)
        for holding in held
        for item in of(number, holding)
    }
    for number in range(count):
        yield from _scripts(name, held, f"views-with-rows-{number + 1}", partial(creates, number))
        for view in views:
            if last[view.item.treated.table.full_name] == number:
                yield TableStream(name=name, reading=view)
