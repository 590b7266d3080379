"""What of a cluster is dumped, and what is not: a few questions before anything is read."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dumpers.contract.connection import Connection
from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.elasticsearch import indices
from dumpers.engines.elasticsearch.client import Server, path_of
from dumpers.engines.elasticsearch.indices import Index, Pattern
from dumpers.engines.elasticsearch.product import Product
from dumpers.engines.elasticsearch.survey import counts, left_out, security, sources
from dumpers.engines.elasticsearch.survey.limits import Limits, read_limits
from dumpers.engines.elasticsearch.survey.listing import joined, list_indices
from dumpers.engines.elasticsearch.survey.texts import Text, read_texts
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import SourceFailedError, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt

_LEFT_OUT = "to dump the others, leave it out by the annotation indices, or name none"
_STALE = (
    "these indices make new documents visible seldom or on request only (refresh_interval), which "
    "this account may not make: what was written since the last refresh is not in the dump: grant "
    "it maintenance on them (OpenSearch: indices:admin/refresh), or refresh them"
)
_NOTHING = "these patterns were to leave something out, and nothing here fits them"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a dump holds: `chosen` indices, of which `read` with their documents, and `texts`."""

    chosen: tuple[Index, ...]
    read: tuple[Index, ...]
    texts: tuple[Text, ...]
    limits: Limits
    notes: tuple[Note, ...]


def survey(
    server: Server,
    product: Product,
    login: Connection,
    patterns: Sequence[Pattern],
    interrupt: Interrupt,
) -> Scope:
    """Find out what is there under what was asked for, and what of it can be dumped.

    What nobody named and cannot be read is left out with a note. Raises SourceRefusedError where
    something named is not there or cannot be read, SourceFailedError where it may come back.
    """
    widely = not patterns or any(pattern.is_wide for pattern in patterns)
    listing = list_indices(server, product, interrupt, unseen=widely)
    _check_there(server, patterns, listing.indices, interrupt)
    chosen: Sequence[Index] = indices.choose(patterns, listing.indices)
    account = security.read_account(server, product, login, interrupt)
    chosen = security.readable(server, account, chosen, interrupt)
    found = counts.Counts()
    if account.counts:
        able = [index for index in chosen if index.is_read]
        found = counts.count(server, able, interrupt)
        chosen = [
            replace(index, problem=security.DENIED) if index.name in found.denied else index
            for index in chosen
        ]
    _check_named(server, patterns, chosen)
    kept = tuple(index for index in chosen if not index.problem)
    of_sources = sources.read_sources(server, product, listing, kept, interrupt)
    read = tuple(index for index in kept if index.is_read and index.name not in of_sources.without)
    fewer = counts.fewer(server, product, read, found.documents, interrupt)
    streams = frozenset(indices.by_stream(kept))
    texts, unreadable = read_texts(server, product, streams, interrupt)
    limits = read_limits(server, interrupt)
    notes = [
        *_unread(chosen),
        *security.notes(account, read, fewer, found.unknown),
        *of_sources.notes,
        *_refresh(server, read, limits, interrupt),
        *left_out.needs(kept),
        *unreadable,
        *left_out.failures(listing.indices, kept),
        *_nothing_left_out(patterns, listing.indices),
    ]
    if indices.asks_for_all(patterns):
        notes += left_out.hidden(listing.indices, chosen)
        notes += left_out.of_cluster(server, product, limits, interrupt, secured=account.is_secured)
    return Scope(chosen=kept, read=read, texts=texts, limits=limits, notes=tuple(notes))


def _check_there(
    server: Server, patterns: Sequence[Pattern], existing: Sequence[Index], interrupt: Interrupt
) -> None:
    """Raise SourceRefusedError with the cure where a pattern is an alias, which is not dumped."""
    for pattern in indices.unmatched(patterns, existing):
        if pattern.is_wide:
            continue
        body = server.if_granted(path_of("_alias", pattern.text), interrupt)
        found = sorted(json.loads(body)) if body is not None else []
        if found:
            raise SourceRefusedError(
                f"{server.where}: {pattern.text!r} is an alias: name by the annotation indices "
                f"what it stands for, its aliases come with it: {abbreviate(found)}"
            )


def _check_named(server: Server, patterns: Sequence[Pattern], chosen: Sequence[Index]) -> None:
    """Raise an error where something that was named cannot be read; closed indices are noted."""
    for index in chosen:
        if index.closed or not indices.is_named(patterns, index):
            continue
        why = index.problem or index.unread
        if why:
            kind = SourceFailedError if index.health == "red" else SourceRefusedError
            raise kind(
                f"{server.where}: {index.shown_name!r} was asked for by name and cannot be dumped: "
                f"{why}; {_LEFT_OUT}"
            )


def _unread(chosen: Sequence[Index]) -> Iterator[Note]:
    """Notes on indices that are left out, wholly or with their documents, one for each reason."""
    for problem in dict.fromkeys(index.problem for index in chosen if index.problem):
        names = tuple(index.name for index in chosen if index.problem == problem)
        text = f"these indices are not in the dump: {problem}"
        yield Note(code=NoteCode.UNREADABLE, text=text, objects=names)
    rest = [index for index in chosen if not index.problem]
    for reason in dict.fromkeys(index.unread for index in rest if index.unread):
        names = tuple(index.name for index in rest if index.unread == reason)
        text = f"of these indices only settings and mappings are in the dump: {reason}"
        yield Note(code=NoteCode.UNREADABLE, text=text, objects=names)


def _refresh(
    server: Server, read: Sequence[Index], limits: Limits, interrupt: Interrupt
) -> Iterator[Note]:
    """Make all documents visible where the server does not soon; a note where it refuses."""
    usual = limits.refreshes
    stale = [
        index.name for index in read if not (usual if index.refreshes is None else index.refreshes)
    ]
    for some in joined(stale):
        try:
            server.ask("POST", f"/{some}/_refresh", interrupt=interrupt)
        except SourceRefusedError:
            yield Note(code=NoteCode.NOT_DUMPED, text=_STALE, objects=tuple(stale))
            return


def _nothing_left_out(patterns: Sequence[Pattern], existing: Sequence[Index]) -> Iterator[Note]:
    idle = [
        f"-{pattern.text}"
        for pattern in patterns
        if pattern.leaves_out and not any(pattern.matches(index) for index in existing)
    ]
    if idle:
        yield Note(code=NoteCode.NOTHING_MATCHED, text=_NOTHING, objects=tuple(idle))
