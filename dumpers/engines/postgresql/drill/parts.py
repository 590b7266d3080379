"""Comparing a database that was dumped by several streams with what was restored of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from dumpers.contract.fingerprint import Fingerprint, TableDigest
from dumpers.engines.drilling.protocol import DrilledObject, TableVerdict
from dumpers.engines.drilling.rescanning import compare_tables, describe_rest, scan
from dumpers.engines.postgresql.catalog.patterns import literal
from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.drill.pieces import PieceDigests, judge_pieces
from dumpers.engines.postgresql.fingerprint import PLAIN_FORM
from dumpers.engines.postgresql.names import in_encoding
from dumpers.engines.postgresql.parallel.conversation import Conversation
from dumpers.engines.postgresql.parallel.parts import is_part
from dumpers.engines.postgresql.parallel.plan import Piece
from dumpers.engines.postgresql.parallel.script import copy_out, head_of, settings_statement
from dumpers.engines.postgresql.parallel.streams import section_arguments
from dumpers.engines.postgresql.parallel.tables import Table, read_tables, tables_query
from dumpers.engines.postgresql.streams import DatabaseStream
from dumpers.engines.script_scanner import ScriptScanner
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.fingerprint import ALGORITHM

_AS_UTF8 = "SET client_encoding = 'UTF8'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Verdicts on all tables, and sentences on sections that differ otherwise."""

    tables: Sequence[TableVerdict]
    rest: Sequence[str]


@dataclass(kw_only=True)
class _Taken:
    """The tables whose rows the dump has by COPY of its own, with the digests of their pieces."""

    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    digests: dict[str, list[TableDigest]] = field(default_factory=dict)


def parts_of(objects: Sequence[DrilledObject]) -> Mapping[str, Sequence[DrilledObject]]:
    """The databases that are in several objects, with those in the order of a load."""
    found: dict[str, list[DrilledObject]] = {}
    for item in sorted(objects, key=lambda item: item.stored.part):
        if is_part(item.stored):
            found.setdefault(item.stored.name, []).append(item)
    return found


def compare_parts(
    session: Session,
    parts: Sequence[DrilledObject],
    whole: DatabaseStream,
    interrupt: Interrupt,
) -> Compared:
    """Dump the session's database section by section, and its cut tables by the same cuts.

    `whole` is its stream. What stands around the rows of COPY is of our own making, and names of
    tables and columns are in the digests of their rows.
    """
    recorded = [_recorded(item) for item in parts]
    taken = _Taken()
    for item, fingerprint in zip(parts, recorded, strict=True):
        for (schema, name), (shown, digest) in zip(
            item.stored.metadata.get("tables") or (), fingerprint.tables.items(), strict=False
        ):
            taken.names[shown] = (schema, name)
            taken.digests.setdefault(shown, []).append(digest)
    tables: list[TableVerdict] = []
    rest: list[str] = []
    for item, fingerprint in zip(parts, recorded, strict=True):
        if "tables" in item.stored.metadata:
            continue
        section = str(item.stored.metadata.get("section"))
        arguments = section_arguments(section, [*taken.names.values()], whole.encoding)
        stream = replace(whole, arguments=[*whole.arguments, *arguments])
        with stream.open(interrupt) as reader:
            again = scan(reader, ScriptScanner(PLAIN_FORM))
        tables += compare_tables(fingerprint, again, whole.name)
        if stream.scanner() is not None and fingerprint.rest != again.rest:
            rest.append(describe_rest(f"{whole.name} ({section})"))
    tables += _compare_taken(session, taken, whole, interrupt)
    return Compared(tables=tables, rest=rest)


def is_recorded(parts: Sequence[DrilledObject]) -> bool:
    """Whether the dump has recorded digests of all parts that this version can compare."""
    return all(item.fingerprint and item.fingerprint.algorithm == ALGORITHM for item in parts)


def _recorded(item: DrilledObject) -> Fingerprint:
    if item.fingerprint is not None and item.fingerprint.algorithm == ALGORITHM:
        return item.fingerprint
    with item.stored.open() as reader:
        return scan(reader, ScriptScanner(PLAIN_FORM))


def _compare_taken(
    session: Session, taken: _Taken, whole: DatabaseStream, interrupt: Interrupt
) -> Iterator[TableVerdict]:
    with _reading(session, whole, interrupt) as conversation:
        for shown, (schema, name) in taken.names.items():
            dumped, full = taken.digests[shown], f"{whole.name}.{shown}"
            table = _find(conversation, schema, name, interrupt)
            if table is None:
                yield TableVerdict(name=full, rows=None, good=False, why="it is not there")
                continue
            digests = PieceDigests(
                head=in_encoding(head_of(table), whole.encoding),
                counts=[piece.rows or 0 for piece in dumped],
            )
            script = f"RESET client_encoding;\n{copy_out(table, Piece(oid=table.oid))}"
            with conversation.read_out(in_encoding(script, whole.encoding), interrupt) as reader:
                while block := reader.read():
                    digests.update(block)
            yield judge_pieces(full, dumped, digests.end())


@contextmanager
def _reading(
    session: Session, whole: DatabaseStream, interrupt: Interrupt
) -> Iterator[Conversation]:
    quoting = "--quote-all-identifiers" in whole.arguments
    others = {"quote_all_identifiers": "on" if quoting else "off"}
    with Conversation(session, interrupt) as conversation:
        row_security = "--enable-row-security" in whole.arguments
        statement = settings_statement(row_security=row_security, others=others)
        conversation.ask(f"{statement};", interrupt)
        yield conversation


def _find(conversation: Conversation, schema: str, name: str, interrupt: Interrupt) -> Table | None:
    condition = f"n.nspname = {literal(schema)} AND c.relname = {literal(name)}"
    text = conversation.ask(f"{_AS_UTF8};\n{tables_query(condition)};", interrupt)
    return next(iter(read_tables(text)), None)
