"""Dumping what a drill has restored once more, and comparing that with what was dumped."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace

from dumpers.contract.connection import Connection, DumpSource, RestoredSource
from dumpers.contract.fingerprint import Fingerprint
from dumpers.engines.drilling.protocol import Comparison, DrilledObject, TableVerdict
from dumpers.engines.drilling.rescanning import compare_tables, describe_rest, scan, weigh
from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.drill.parts import compare_parts, is_recorded, parts_of
from dumpers.engines.postgresql.drill.prepare import first_role, set_session, settings_of, split
from dumpers.engines.postgresql.drill.roles import compare_globals
from dumpers.engines.postgresql.fingerprint import PLAIN_FORM
from dumpers.engines.postgresql.options import CUSTOM_ENDING, GLOBALS_ENDING, without_snapshot
from dumpers.engines.postgresql.restore.script.archive import as_script
from dumpers.engines.postgresql.restore.target import open_session
from dumpers.engines.postgresql.spec import PG_DUMP_OPTIONS
from dumpers.engines.postgresql.streams import DatabaseStream
from dumpers.engines.protocol import Dump, DumpStream, SourceInfo, StoredDump
from dumpers.engines.script_scanner import ScriptScanner
from dumpers.engines.shared_options import DATABASES, PARALLELISM
from dumpers.runtime.errors import (
    NotDrillableError,
    SourceFailedError,
    SourceRefusedError,
    TargetFailedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.fingerprint import ALGORITHM
from dumpers.streams.reader import Reader

Open = Callable[[DumpSource, Interrupt], AbstractContextManager[Dump]]

_RECORDED = "dumped again, and compared by the digests that were taken as the dump passed"
_READ_AGAIN = (
    "dumped again, and compared by digests of the stored objects, which were read once more"
)
_CUSTOM = f"{_READ_AGAIN}, both as pg_restore makes plain SQL of them"
_UNREPEATABLE = (
    "all of {name!r} but the rows of its tables: no two dumps are alike with the options of its own"
)
_NO_ROLES = "roles and settings of the server: the backup does not hold them"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What was found of one database."""

    method: str
    tables: Sequence[TableVerdict]
    rest: Sequence[str]
    unproved: Sequence[str] = ()


def compare(
    open_dump: Open,
    server: Connection,
    objects: Sequence[DrilledObject],
    options: Mapping[str, str],
    interrupt: Interrupt,
) -> Comparison:
    """See DrilledEngine: the databases are dumped by the code that has dumped them, to nowhere."""
    databases, globals_ = split(objects)
    recorded = {
        item.stored.name: item.fingerprint
        for item in objects
        if item.stored.ending != GLOBALS_ENDING
    }
    parts = parts_of(objects)
    session = open_session(server, interrupt)
    found: list[_Found] = []
    others: list[str] = []
    info: SourceInfo | None = None
    unproved = [] if globals_ else [_NO_ROLES]
    try:
        # Each by itself: the settings of their sessions may differ.
        for piece in databases:
            set_session(session, settings_of(piece), interrupt)
            with open_dump(_source(server, piece, options), interrupt) as dump:
                info = dump.info
                stream = _stream(dump, piece.ending)
                found.append(
                    _compare_several(session, piece, parts[piece.name], stream, interrupt)
                    if piece.name in parts
                    else _compare_one(session, piece, recorded[piece.name], stream, interrupt)
                )
        if globals_:
            set_session(session, {}, interrupt)
            names = {"KSNAPSHOT_DATABASES": ",".join(map(_quoted, (p.name for p in databases)))}
            source = replace(_source(server, databases[0], {}), options=names)
            with open_dump(source, interrupt) as dump, globals_.open() as stored:
                again = _read(_stream(dump, GLOBALS_ENDING), interrupt)
                roles = compare_globals(
                    b"".join(iter(lambda: stored.read(1 << 16), b"")),
                    again,
                    first_role=first_role(databases),
                )
                others += roles.faults
                unproved += roles.unproved
    except (SourceFailedError, SourceRefusedError) as error:
        raise TargetFailedError(f"the restored databases cannot be dumped: {error}") from error
    for item in found:
        unproved += item.unproved
    tables = tuple(table for item in found for table in item.tables)
    rest = [sentence for item in found for sentence in item.rest]
    assert info
    weighed = weigh(rest, others=others, tables=tables, dumped=objects[0], restored=info)
    return Comparison(
        method="; ".join(dict.fromkeys(item.method for item in found)),
        tables=tables,
        faults=weighed.faults,
        unproved=tuple(dict.fromkeys((*unproved, *weighed.unproved))),
    )


def _source(server: Connection, piece: StoredDump, options: Mapping[str, str]) -> RestoredSource:
    left_out = {DATABASES.variable, PARALLELISM.variable}
    kept = {name: text for name, text in options.items() if name not in left_out}
    if own := options.get(PG_DUMP_OPTIONS.variable):
        kept[PG_DUMP_OPTIONS.variable] = without_snapshot(own)
    return RestoredSource(connection=replace(server, database=piece.name), options=kept, numbers={})


def _stream(dump: Dump, ending: str) -> DumpStream:
    found = next((stream for stream in dump.streams if stream.ending == ending), None)
    if found is None:
        raise TargetFailedError(f"the restored databases give no object with the ending {ending}")
    return found


def _compare_one(
    session: Session,
    piece: StoredDump,
    recorded: Fingerprint | None,
    stream: DumpStream,
    interrupt: Interrupt,
) -> _Found:
    assert isinstance(stream, DatabaseStream)
    # The schemas that functions find names in are those of the account that dumped.
    stream = replace(stream, path=tuple(piece.metadata.get("search_path") or ()))
    is_custom = piece.ending == CUSTOM_ENDING
    is_repeatable = is_custom or stream.scanner() is not None
    is_known = recorded is not None and recorded.algorithm == ALGORITHM
    method = _RECORDED if is_known else _CUSTOM if is_custom else _READ_AGAIN
    with _as_script(session, stream.open(interrupt), interrupt, is_custom=is_custom) as reader:
        again = scan(reader, ScriptScanner(PLAIN_FORM))
    if recorded is None or not is_known:
        with _as_script(session, piece.open(), interrupt, is_custom=is_custom) as reader:
            recorded = scan(reader, ScriptScanner(PLAIN_FORM))
    tables = compare_tables(recorded, again, piece.name)
    rest = []
    if is_repeatable and recorded.rest != again.rest:
        rest.append(describe_rest(piece.name))
    if not settings_of(piece) and (rest or not all(table.good for table in tables)):
        raise NotDrillableError(
            "the backup is older than drills, and does not say by which settings it was dumped, "
            f"such as the time zone: {piece.name!r} differs when it is dumped by others, which "
            "may be no fault of it"
        )
    unproved = () if is_repeatable else (_UNREPEATABLE.format(name=piece.name),)
    return _Found(method=method, tables=tables, rest=rest, unproved=unproved)


def _compare_several(
    session: Session,
    piece: StoredDump,
    parts: Sequence[DrilledObject],
    stream: DumpStream,
    interrupt: Interrupt,
) -> _Found:
    """What was found of a database that is in several objects."""
    assert isinstance(stream, DatabaseStream)
    stream = replace(stream, path=tuple(piece.metadata.get("search_path") or ()))
    compared = compare_parts(session.at(piece.name), parts, stream, interrupt)
    is_repeatable = stream.scanner() is not None
    return _Found(
        method=_RECORDED if is_recorded(parts) else _READ_AGAIN,
        tables=compared.tables,
        rest=compared.rest,
        unproved=() if is_repeatable else (_UNREPEATABLE.format(name=piece.name),),
    )


@contextmanager
def _as_script(
    session: Session,
    opening: AbstractContextManager[Reader],
    interrupt: Interrupt,
    *,
    is_custom: bool,
) -> Iterator[Reader]:
    with ExitStack() as opened:
        reader = opened.enter_context(opening)
        if is_custom:
            reader = opened.enter_context(as_script(session, reader, interrupt))
        yield reader


def _read(stream: DumpStream, interrupt: Interrupt) -> bytes:
    with stream.open(interrupt) as reader:
        return b"".join(iter(lambda: reader.read(1 << 16), b""))


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
