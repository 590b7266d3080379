"""Dumping what a drill has restored once more, and comparing that with what was dumped."""

import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from dumpers.contract.connection import Connection, DumpSource, RestoredSource
from dumpers.contract.fingerprint import Fingerprint
from dumpers.engines.drilling.protocol import Comparison, DrilledObject, TableVerdict
from dumpers.engines.drilling.rescanning import compare_tables, describe_rest, scan, weigh
from dumpers.engines.mysql.drill.prepare import databases_of
from dumpers.engines.mysql.options import chooses_rows, without_connection
from dumpers.engines.mysql.output.fingerprint import DUMP_FORM
from dumpers.engines.mysql.parallel.parts import is_part, shares_of
from dumpers.engines.mysql.parallel.plan import Share
from dumpers.engines.mysql.plan import ACROSS, FOLDS
from dumpers.engines.mysql.spec import MYSQLDUMP_OPTIONS, PER_TABLE
from dumpers.engines.protocol import Dump, FingerprintedStream, SourceInfo
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


class Open(Protocol):
    """Opens a dump of a source, dealt out to streams as `dealt` says."""

    def __call__(
        self,
        job: DumpSource,
        interrupt: Interrupt,
        *,
        dealt: Mapping[str, Sequence[Share]],
    ) -> AbstractContextManager[Dump]:
        """See DumpEngine.open."""
        ...


_Place = tuple[str, tuple[str, ...]]
_QUOTED = re.compile(r"`((?:[^`]|``)*)`")

_RECORDED = "dumped again, and compared by the digests that were taken as the dump passed"
_READ_AGAIN = (
    "dumped again, and compared by digests of the stored objects, which were read once more"
)
_UNPROVED = (
    "accounts and their rights: the backup does not hold them, and the accounts that views and "
    "programs run as were made for the drill"
)
_UNREPEATABLE = "all but the rows of tables: with the options of the dump no two dumps are alike"


def compare(
    open_dump: Open,
    server: Connection,
    objects: Sequence[DrilledObject],
    options: Mapping[str, str],
    interrupt: Interrupt,
) -> Comparison:
    """See DrilledEngine: the databases are dumped by the code that has dumped them, to nowhere."""
    again = _dump_again(open_dump, server, objects, options, interrupt)
    tables: list[TableVerdict] = []
    rest: list[str] = []
    others: list[str] = []
    methods: list[str] = []
    for item in objects:
        stored, recorded = item.stored, item.fingerprint
        found = again.found.pop((stored.name, stored.part), None)
        if found is None:
            others.append(f"{_shown(stored.name, stored.part)} is not there any more")
            continue
        is_known = recorded is not None and recorded.algorithm == ALGORITHM
        methods.append(_RECORDED if is_known else _READ_AGAIN)
        if recorded is None or not is_known:
            with stored.open() as reader:
                recorded = scan(reader, ScriptScanner(DUMP_FORM))
        tables += compare_tables(recorded, found, stored.name, shown=_readable)
        if again.is_repeatable and recorded.rest != found.rest:
            rest.append(describe_rest(_shown(stored.name, stored.part)))
    others += [f"{_shown(*place)} was not dumped, and is there" for place in again.found]
    if rest or others or not all(table.good for table in tables):
        _check_comparable(objects, options)
    weighed = weigh(rest, others=others, tables=tables, dumped=objects[0], restored=again.info)
    return Comparison(
        method="; ".join(dict.fromkeys(methods)),
        tables=tuple(tables),
        faults=weighed.faults,
        unproved=(
            _UNPROVED,
            *weighed.unproved,
            *(() if again.is_repeatable else (_UNREPEATABLE,)),
        ),
    )


def options_again(objects: Sequence[DrilledObject], options: Mapping[str, str]) -> dict[str, str]:
    """The options by which the restored server is dumped as the dumped one was."""
    pieces = [item.stored for item in objects]
    changed = dict(options)
    # How it was dealt out is known from its objects.
    changed.pop(PARALLELISM.variable, None)
    if options.get(DATABASES.variable) or len(databases_of(pieces)) > 1:
        # The server has no others.
        changed[DATABASES.variable] = "*"
    if _is_old(objects, options) and any(
        piece.part and piece.part != ACROSS and not is_part(piece) for piece in pieces
    ):
        changed[PER_TABLE.variable] = "true"
    if own := options.get(MYSQLDUMP_OPTIONS.variable):
        changed[MYSQLDUMP_OPTIONS.variable] = shlex.join(without_connection(shlex.split(own)))
    return changed


def _is_old(objects: Sequence[DrilledObject], options: Mapping[str, str]) -> bool:
    """Whether the backup is older than drills, and does not say by which options it was made."""
    is_marked = any(
        item.fingerprint is not None or FOLDS in item.stored.metadata for item in objects
    )
    return not options and not is_marked


def _check_comparable(objects: Sequence[DrilledObject], options: Mapping[str, str]) -> None:
    """Raise NotDrillableError where what differs may be no fault of the backup."""
    if _is_old(objects, options):
        raise NotDrillableError(
            "the backup is older than drills, and does not say by which options it was dumped: it "
            "differs when it is dumped without any, which may be no fault of it"
        )
    if chooses_rows(shlex.split(options.get(MYSQLDUMP_OPTIONS.variable, ""))):
        raise NotDrillableError(
            f"the backup holds the rows that {MYSQLDUMP_OPTIONS.variable} chose by a condition or "
            "a moment, and that chooses others where they were restored, which may be no fault of "
            "the backup"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Again:
    """What the restored server gives: whether two dumps of this kind are alike, and what it is."""

    found: dict[_Place, Fingerprint]
    is_repeatable: bool
    info: SourceInfo


def _dump_again(
    open_dump: Open,
    server: Connection,
    objects: Sequence[DrilledObject],
    options: Mapping[str, str],
    interrupt: Interrupt,
) -> _Again:
    """Read all objects in one go."""
    pieces = [item.stored for item in objects]
    names = databases_of(pieces)
    source = RestoredSource(
        connection=replace(server, database=names[0] if names else ""),
        options=options_again(objects, options),
        numbers={},
    )
    found: dict[_Place, Fingerprint] = {}
    is_repeatable = True
    try:
        with open_dump(source, interrupt, dealt=shares_of(pieces)) as dump:
            info = dump.info
            for stream in dump.streams:
                own = stream.scanner() if isinstance(stream, FingerprintedStream) else None
                is_repeatable = is_repeatable and own is not None
                with stream.open(interrupt) as reader:
                    place = stream.name, stream.part
                    found[place] = scan(reader, own or ScriptScanner(DUMP_FORM))
    except (SourceFailedError, SourceRefusedError) as error:
        raise TargetFailedError(f"the restored databases cannot be dumped: {error}") from error
    return _Again(found=found, is_repeatable=is_repeatable, info=info)


def _readable(name: str) -> str:
    """A table's name as people write it."""
    parts = _QUOTED.findall(name)
    return ".".join(part.replace("``", "`") for part in parts) or name


def _shown(name: str, part: Sequence[str]) -> str:
    return ".".join((name, *part))
