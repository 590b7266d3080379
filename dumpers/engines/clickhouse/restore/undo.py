"""Taking a swap back, and dropping what a restore loaded beside or kept."""

from collections.abc import Iterable, Mapping, Sequence

from dumpers.contract.connection import Connection
from dumpers.engines.clickhouse.restore.exchange import (
    RECORD,
    Pair,
    Step,
    carry_out,
    find_marked,
    recorded,
)
from dumpers.engines.clickhouse.restore.target import Target, drop, find_target
from dumpers.engines.clickhouse.schema.names.naming import Key, full_name, read_full_name
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.errors import UNKNOWN_DATABASE, UNKNOWN_TABLE, code_of
from dumpers.engines.clickhouse.server.sql import identifier, qualified
from dumpers.engines.leftovers import Left
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import KsnapshotError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt

_TABLE_PARTS = 2


def undo_swap(target: Connection, kept: Sequence[tuple[str, str]], interrupt: Interrupt) -> None:
    """Exchange every table with the one that it replaced, on every server; see Engine.undo.

    What has been taken back already stays as it is. Where one exchange fails, those before it are
    taken back, and the error says so.
    """
    to = find_target(target, interrupt)
    pairs = [Pair(live=_key(live), beside=_key(beside)) for live, beside in kept]
    steps, gone = list[Step](), list[str]()
    for server in to.servers:
        held = to.held(server, {key[0] for pair in pairs for key in (pair.live, pair.beside)})
        ids = _recorded(to, server, {pair.beside[0] for pair in pairs})
        for pair in pairs:
            live_id = ids.get(pair.beside)
            live, beside = held.get(pair.live), held.get(pair.beside)
            if live_id is None:
                gone.append(f"{full_name(*pair.beside)} on {server.where}")
            elif not live_id and (live is None) != (beside is None):
                # Nothing was replaced: what was put there goes back.
                if live is not None:
                    steps.append(_rename(server, pair))
            elif live is not None and live_id == live.uuid:
                continue
            elif live is not None and beside is not None and live_id == beside.uuid:
                exchange = f"EXCHANGE TABLES {qualified(*pair.live)} AND {qualified(*pair.beside)}"
                steps.append(
                    Step(
                        server=server,
                        pair=pair,
                        forth=exchange,
                        back=exchange,
                        live_id=live.uuid,
                    )
                )
            else:
                gone.append(f"{full_name(*pair.beside)} on {server.where}")
    if gone:
        raise TargetRefusedError(
            f"what was replaced is not there any more: {abbreviate(gone)}: it was dropped, moved "
            "or forgotten since; nothing was changed"
        )
    carry_out(to, steps)


def find_left(target: Connection, interrupt: Interrupt) -> Mapping[str, Left]:
    """See MarkingEngine.find_left."""
    return find_marked(find_target(target, interrupt))


def forget_restored(target: Connection, names: Sequence[str], interrupt: Interrupt) -> None:
    """Drop databases and tables by their full names, on every server; see Engine.forget.

    A database that is left without tables goes, too.
    """
    to = find_target(target, interrupt)
    for server in to.servers:
        engines = to.engines(server)
        databases, tables = set[str](), set[Key]()
        for name in names:
            read = read_full_name(name)
            if len(read) == _TABLE_PARTS:
                tables.add((read[0], read[1]))
            else:
                databases.add(read[0])
        for name in sorted(databases & engines.keys()):
            server.run(f"DROP DATABASE IF EXISTS {identifier(name)}", interrupt)
        left = {database for database, _ in tables} & (engines.keys() - databases)
        held = to.held(server, left)
        for key in sorted(tables & held.keys()):
            server.run(drop(key, held[key]), interrupt)
        held = to.held(server, left)
        for name in sorted(left):
            if not {table for database, table in held if database == name} - {RECORD}:
                server.run(f"DROP DATABASE IF EXISTS {identifier(name)}", interrupt)


def _key(name: str) -> Key:
    read = read_full_name(name)
    if len(read) != _TABLE_PARTS:
        raise TargetRefusedError(f"{name!r} is no full name of a table")
    return read[0], read[1]


def _rename(server: Server, pair: Pair) -> Step:
    return Step(
        server=server,
        pair=Pair(live=pair.beside, beside=pair.live),
        forth=f"RENAME TABLE {qualified(*pair.live)} TO {qualified(*pair.beside)}",
        back=f"RENAME TABLE {qualified(*pair.beside)} TO {qualified(*pair.live)}",
    )


def _recorded(target: Target, server: Server, databases: Iterable[str]) -> dict[Key, str]:
    found: dict[Key, str] = {}
    for name in sorted(databases):
        try:
            found |= recorded(target, server, name)
        except KsnapshotError as error:
            if code_of(error) not in {UNKNOWN_TABLE, UNKNOWN_DATABASE}:
                raise
    return found
