"""Putting tables that were loaded beside in the place of the live ones, and back again.

Every server exchanges its own tables, one after the other: there is no step that is one for all of
them. Which table was the live one is kept by its id beside those that were replaced, so that a
step which is repeated does nothing twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dumpers.engines.clickhouse.restore.target import EXCHANGING, Held, Target
from dumpers.engines.clickhouse.schema.names.naming import Key, full_name
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.sql import identifier, literal, qualified
from dumpers.engines.leftovers import Left
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.interrupt import Interrupt

# The table by which a database is known to be one of ours; its name is no name of a dump's.
RECORD = ".ksnapshot"
_NOBODY = ("", "")
# Engines of databases that hold tables of the server's own, and not somebody else's.
_OF_TABLES = frozenset((EXCHANGING, "Ordinary"))
# Behind the name of a table that was renamed out of the way.
_AWAY = " (replaced)"
_BACK_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A live table and the one beside it that changes places with it."""

    live: Key
    beside: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One statement on one server, and the one that takes it back.

    `live_id` is the id of the live table before, empty where there was none or it has none. `away`
    is where the live table goes where it does not change places.
    """

    server: Server
    pair: Pair
    forth: str
    back: str
    live_id: str = ""
    away: Key | None = None

    @property
    def place(self) -> str:
        """Table and server, for messages."""
        return f"{full_name(*self.pair.live)} on {self.server.where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Tables that change places, on every server."""

    target: Target
    pairs: Sequence[Pair]

    def record(self) -> None:
        """Keep on every server which tables are live, by their ids; empty where there is none."""
        for server in self.target.servers:
            held = self.target.held(server, {pair.live[0] for pair in self.pairs})
            for pair in self.pairs:
                live = held.get(pair.live)
                values = (*pair.live, *pair.beside, live.uuid if live else "")
                server.run(
                    f"INSERT INTO {qualified(pair.beside[0], RECORD)} VALUES "  # noqa: S608  quoted
                    f"({', '.join(map(literal, values))})",
                    self.target.interrupt,
                )

    def steps(self) -> Iterator[Step]:
        """The statements that exchange all, in their order."""
        for server in self.target.servers:
            engines = self.target.engines(server)
            held = self.target.held(server, {pair.live[0] for pair in self.pairs})
            for pair in self.pairs:
                live, beside = qualified(*pair.live), qualified(*pair.beside)
                if pair.live not in held:
                    yield Step(
                        server=server,
                        pair=pair,
                        forth=f"RENAME TABLE {beside} TO {live}",
                        back=f"RENAME TABLE {live} TO {beside}",
                    )
                elif engines.get(pair.live[0]) == EXCHANGING:
                    exchange = f"EXCHANGE TABLES {live} AND {beside}"
                    yield Step(
                        server=server,
                        pair=pair,
                        forth=exchange,
                        back=exchange,
                        live_id=held[pair.live].uuid,
                    )
                else:
                    away = (pair.beside[0], pair.beside[1] + _AWAY)
                    gone = qualified(*away)
                    yield Step(
                        server=server,
                        pair=pair,
                        forth=f"RENAME TABLE {live} TO {gone}, {beside} TO {live}",
                        back=f"RENAME TABLE {live} TO {beside}, {gone} TO {live}",
                        away=away,
                    )


def carry_out(target: Target, steps: Sequence[Step]) -> None:
    """Run steps; where one fails, those done before are taken back.

    Raises the error with what the target holds now.
    """
    done: list[Step] = []
    for step in steps:
        try:
            step.server.run(step.forth, target.interrupt)
        except KsnapshotError as error:
            raise type(error)(f"{error}; {_take_back(target, step, done)}") from error
        done.append(step)


def _take_back(target: Target, failed: Step, done: Sequence[Step]) -> str:
    """Take back what was done; a sentence on what the target holds now."""
    # Also where the run has to stop.
    own = Interrupt(_BACK_SECONDS, work="undoing of the exchange", is_part=True)
    spared = replace(target, interrupt=own)
    changed, unsure = list[str](), list[str]()
    for step in (failed, *reversed(done)):
        try:
            if step is not failed or _has_happened(spared, step):
                step.server.run(step.back, spared.interrupt)
        except KsnapshotError:
            (unsure if step is failed else changed).append(step.place)
    told = [
        *(
            [f"these have changed places: {abbreviate(changed)}, all others have not"]
            * bool(changed)
        ),
        *([f"whether {abbreviate(unsure)} has changed places is not known"] * bool(unsure)),
    ]
    return "; ".join(told) or "every table is where it was before"


def _has_happened(target: Target, step: Step) -> bool:
    """Whether a server has done a step that it did not confirm."""
    names = {step.pair.live[0], step.pair.beside[0]}
    held = target.held(step.server, names)
    if step.away is not None:
        return step.away in held
    live = held.get(step.pair.live)
    return live is not None and live.uuid != step.live_id if step.live_id else live is not None


def make_record(target: Target, databases: Sequence[str], *, by: str) -> None:
    """Make the databases for what is loaded beside, known as ours and of the restore `by`."""
    columns = ("live_database", "live_table", "database", "table", "live_id")
    for name in databases:
        target.everywhere(f"CREATE DATABASE IF NOT EXISTS {identifier(name)}")
        target.everywhere(
            f"CREATE TABLE IF NOT EXISTS {qualified(name, RECORD)} "
            f"({', '.join(f'{column} String' for column in columns)}) ENGINE = TinyLog"
        )
        if by:
            # No table has this name: in the place of an id stands the restore's.
            values = ", ".join(map(literal, (*_NOBODY, *_NOBODY, by)))
            target.everywhere(f"INSERT INTO {qualified(name, RECORD)} VALUES ({values})")  # noqa: S608  quoted


def recorded(target: Target, server: Server, database: str) -> dict[Key, str]:
    """The id of the table that was live, by the name of the one beside."""
    return {pair.beside: id_ for pair, id_ in _rows(target, server, database) if any(pair.live)}


def find_marked(target: Target) -> dict[str, Left]:
    """What restores have loaded beside or exchanged, by their `by`; see MarkingEngine.find_left.

    What was renamed, for want of an exchange, is not told as kept: only people can put that back.
    """
    kept: dict[str, dict[Pair, None]] = {}
    beside: dict[str, dict[str, None]] = {}
    for server in target.servers:
        engines = target.engines(server).items()
        held = target.held(server, [name for name, engine in engines if engine in _OF_TABLES])
        for database, _ in (key for key in held if key[1] == RECORD):
            rows = _rows(target, server, database)
            by = next((id_ for pair, id_ in rows if not any(pair.live)), "")
            if not by:
                continue
            beside.setdefault(by, {})[database] = None
            pairs = {pair: id_ for pair, id_ in rows if any(pair.live)}
            is_renamed = any((pair.beside[0], pair.beside[1] + _AWAY) in held for pair in pairs)
            is_begun = any(_is_exchanged(held, pair, id_) for pair, id_ in pairs.items())
            if is_begun and not is_renamed:
                kept.setdefault(by, {}).update(dict.fromkeys(pairs))
    return {
        by: Left(
            kept=tuple(
                (full_name(*pair.live), full_name(*pair.beside)) for pair in kept.get(by, ())
            ),
            beside=tuple(full_name(name) for name in names),
        )
        for by, names in beside.items()
    }


def _is_exchanged(held: Mapping[Key, Held], pair: Pair, live_id: str) -> bool:
    live = held.get(pair.live)
    if not live_id:
        return live is not None and pair.beside not in held
    return live is not None and live.uuid != live_id


def _rows(target: Target, server: Server, database: str) -> list[tuple[Pair, str]]:
    rows = server.rows(
        f"SELECT * FROM {qualified(database, RECORD)}",  # noqa: S608  quoted
        target.interrupt,
    )
    return [
        (Pair(live=(live_database, live_table), beside=(one, name)), id_)
        for live_database, live_table, one, name, id_ in rows
    ]
