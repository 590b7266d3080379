"""Restores that load beside first, and then put what was loaded in the place of the live tables."""

from collections.abc import Mapping, Sequence

from dumpers.contract.restore.request import RestoreMode
from dumpers.engines.clickhouse.cluster.replicas import Replica
from dumpers.engines.clickhouse.restore.catching_up import wait_for_replicas
from dumpers.engines.clickhouse.restore.exchange import Exchange, Pair, carry_out, make_record
from dumpers.engines.clickhouse.restore.loading import OPTIONAL, Loading
from dumpers.engines.clickhouse.restore.script_runner import Renamer
from dumpers.engines.clickhouse.restore.target import Held, drop
from dumpers.engines.clickhouse.schema import ddl, scripts
from dumpers.engines.clickhouse.schema.lexer import significant
from dumpers.engines.clickhouse.schema.names.naming import Key, full_name
from dumpers.engines.clickhouse.schema.names.rewriting import rewrite
from dumpers.engines.clickhouse.server.sql import identifier, qualified
from dumpers.engines.clickhouse.stored.beside import table_of_view
from dumpers.engines.clickhouse.stored.contents import Statement

# What can be dropped and made anew without a loss: these have no rows of their own.
_WITHOUT_ROWS = frozenset(
    ("View", "LiveView", "MaterializedView", "Dictionary", "Distributed", "Merge", "Alias")
)


def beside_databases(loading: Loading) -> Sequence[str]:
    """The databases that hold what is loaded until it takes its place."""
    wanted = loading.wanted
    return sorted({wanted.own.table(key)[0] for key in wanted.keys})


def load_beside(loading: Loading) -> None:
    """Load all rows under names of their own and wait for the replicas; the live ones are not used.

    No view is made: nothing is filled but by the backup's own rows. The rows that views keep
    themselves go into plain tables.
    """
    target, wanted = loading.target, loading.wanted
    make_record(target, beside_databases(loading), by=loading.by)
    tables = Renamer(own=wanted.own, references=wanted.live, mark=loading.mark)
    data, views = {*wanted.data}, {*wanted.views_with_rows}
    for kind in dict.fromkeys(script.kind for script in wanted.contents.scripts.values()):
        for replica, script in loading.by_server(kind):
            texts = []
            for statement in script.statements:
                if statement.key in data and not statement.is_view:
                    texts.append(tables.rename(statement)[0])
                elif statement.key in views:
                    plain = table_of_view(statement)
                    texts.append(tables.rename(Statement(text=plain, create=ddl.parse(plain)))[0])
                elif kind == scripts.TABLES_SCRIPT and _is_global(statement):
                    texts.append(statement.text)
            loading.run(replica, kind, texts, optional=False)
    for place, piece in enumerate(wanted.contents.pieces):
        if place not in wanted.contents.scripts:
            loading.load_rows(piece)
    loading.check_counts()
    wait_for_replicas(target, beside_databases(loading))


def exchange(loading: Loading) -> tuple[tuple[str, str], ...]:
    """Let the tables change places; return full names of live ones and of what they replaced."""
    target, wanted = loading.target, loading.wanted
    for name in sorted({wanted.live.table(key)[0] for key in wanted.data}):
        target.everywhere(f"CREATE DATABASE IF NOT EXISTS {identifier(name)}")
    pairs = [Pair(live=wanted.live.table(key), beside=wanted.own.table(key)) for key in wanted.data]
    exchanging = Exchange(target=target, pairs=pairs)
    exchanging.record()
    carry_out(target, list(exchanging.steps()))
    return tuple((full_name(*pair.live), full_name(*pair.beside)) for pair in pairs)


def finish(loading: Loading) -> None:
    """Make what has no rows where it is missing; with OVERWRITE also what is different.

    Views that keep their rows themselves are made anew, and filled from beside. Failures of what a
    restore can do without, and after a swap all failures, are notes: the tables are in place.
    """
    wanted = loading.wanted
    overwrites = wanted.mode is RestoreMode.OVERWRITE
    renamer = Renamer(own=wanted.live, references=wanted.live)
    for kind in dict.fromkeys(script.kind for script in wanted.contents.scripts.values()):
        for replica, script in loading.by_server(kind):
            asked = [
                statement
                for statement in script.statements
                if statement.key in wanted.keys and statement.key not in wanted.data
            ]
            if not asked:
                continue
            databases = {
                wanted.live.table(statement.key)[0] for statement in asked if statement.key
            }
            for name in sorted(databases):
                replica.server.run(
                    f"CREATE DATABASE IF NOT EXISTS {identifier(name)}", loading.target.interrupt
                )
            held = loading.target.held(replica.server, databases)
            texts = _to_make(loading, replica, asked, held, renamer)
            loading.run(replica, kind, texts, optional=kind in OPTIONAL or not overwrites)
    for key in wanted.views_with_rows:
        _fill(loading, key)


def _to_make(
    loading: Loading,
    replica: Replica,
    asked: Sequence[Statement],
    held: Mapping[Key, Held],
    renamer: Renamer,
) -> Sequence[str]:
    """The statements of what is missing on a server, or was dropped to be made anew."""
    wanted, texts = loading.wanted, list[str]()
    for statement in asked:
        assert statement.key is not None
        text, _ = renamer.rename(statement)
        live = wanted.live.table(statement.key)
        there = held.get(live)
        if there is not None:
            fresh = statement.key in wanted.views_with_rows
            if not fresh and is_same(there.create, text):
                continue
            if not fresh and (wanted.mode is RestoreMode.SWAP or not _can_go(there)):
                loading.note(
                    f"{full_name(*live)} is another one than in the backup, and was left as it is"
                )
                continue
            replica.server.run(drop(live, there), loading.target.interrupt)
        texts.append(text)
    return texts


def is_same(one: str, other: str) -> bool:
    """Whether two statements make the same, however they are spelled, but for ids."""
    words = [
        [token.value for token in significant(rewrite(text))] if ddl.parse(text) else [text]
        for text in (one, other)
    ]
    return words[0] == words[1]


def _can_go(held: Held) -> bool:
    """Whether nothing is lost with it that no backup has."""
    create = ddl.parse(held.create)
    inner = held.engine == "MaterializedView" and (create is None or create.target is None)
    return held.engine in _WITHOUT_ROWS and not inner


def _is_global(statement: Statement) -> bool:
    """Whether it makes what belongs to no database: a function or a named collection."""
    return statement.key is None and not statement.database


def _fill(loading: Loading, key: Key) -> None:
    """Copy the rows of a view from the table beside into the view."""
    wanted = loading.wanted
    columns = ", ".join(map(identifier, wanted.contents.rows[key][0]["columns"]))
    live, beside = qualified(*wanted.live.table(key)), qualified(*wanted.own.table(key))
    for server in loading.took.get(key, ()):
        server.run(
            f"INSERT INTO {live} ({columns}) SELECT {columns} FROM {beside}",  # noqa: S608  quoted
            loading.target.interrupt,
        )
