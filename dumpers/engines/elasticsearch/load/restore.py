"""Restoring a backup into a search cluster, in each mode; and counting its documents."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from dumpers.contract.connection import Connection
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.elasticsearch.client import path_of
from dumpers.engines.elasticsearch.elasticdump_lines import IndexAnswer
from dumpers.engines.elasticsearch.load import exchange, requests, templates
from dumpers.engines.elasticsearch.load.contents import Contents, Item, in_place
from dumpers.engines.elasticsearch.load.documents import check_counts, load_documents
from dumpers.engines.elasticsearch.load.plan import Prepared, prepare
from dumpers.engines.elasticsearch.load.target import Target, There, find_target
from dumpers.engines.elasticsearch.survey.listing import list_indices
from dumpers.engines.names import abbreviate
from dumpers.engines.protocol import WHOLE, Restored, StoredDump
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.interrupt import Interrupt


def load_backup(
    target: Connection,
    pieces: Sequence[StoredDump],
    interrupt: Interrupt,
    request: RestoreRequest = WHOLE,
) -> Restored:
    """Load a backup, or the part that is asked for.

    There is no transaction: a load that fails leaves what came so far, and the error says so.
    Nothing that is live is touched before all documents are there, counted.
    """
    prepared = prepare(target, pieces, interrupt, request)
    to, contents, items = prepared.target, prepared.contents, prepared.items
    notes: list[str] = []
    own = abbreviate([item.own for item in items])
    if request.mode is RestoreMode.EMPTY:
        left = f"The cluster is partly filled: {own}: empty it first"
    else:
        left = f"nothing that was live is touched; {own} may hold a part: forget it"
    with _told(left):
        if templates.are_asked(request, items):
            notes += templates.make_missing(to, contents, request)
        _load(prepared, request)
    if request.mode is RestoreMode.SWAP:
        return _swap(prepared, notes)
    if request.mode is RestoreMode.OVERWRITE:
        _overwrite(prepared, notes)
    elif request.mode is RestoreMode.EMPTY:
        with _told(left):
            notes += _finish(to, contents, items, prepared.there)
    else:
        _close(to, items)
    return Restored(
        notes=tuple(notes),
        creates=tuple(
            (item.name, item.live if request.mode is RestoreMode.OVERWRITE else item.own)
            for item in items
        ),
    )


def count_documents(target: Connection, interrupt: Interrupt) -> Mapping[str, int]:
    """Count the documents of every index and data stream that is not the server's own."""
    to = find_target(target, interrupt)
    names = {
        index.shown_name
        for index in list_indices(to.server, to.product, interrupt).indices
        if not index.is_own and index.is_read
    }
    return {name: to.count(name) for name in sorted(names)}


def _load(prepared: Prepared, request: RestoreRequest) -> None:
    """Make what is loaded and fill it; its counts are those of the backup."""
    to, contents, items = prepared.target, prepared.contents, prepared.items
    for item in items:
        if item.stream:
            to.ask("PUT", path_of("_data_stream", item.own))
            continue
        body = requests.creation(
            item.answer,
            to.product,
            managed=request.mode is RestoreMode.EMPTY,
            plain=item.was_stream,
        )
        to.ask("PUT", path_of(item.own), body)
    written = load_documents(to, contents, items)
    for item in items:
        # What is to be cloned or copied gets its settings where it ends.
        moves_on = request.mode is RestoreMode.OVERWRITE and item.is_beside
        if not item.stream and not moves_on:
            to.ask("PUT", path_of(item.own, "_settings"), requests.afterwards(item.answer))
    check_counts(to, contents, items, written)


def _finish(to: Target, contents: Contents, items: Sequence[Item], there: There) -> Sequence[str]:
    """Aliases of what is restored under its live name, and closing; notes on aliases left alone."""
    found: dict[str, IndexAnswer] = {
        item.live: item.answer for item in items if not item.was_stream
    }
    streams = msgspec.json.decode(contents.texts.get("alias", b"{}"), type=dict[str, IndexAnswer])
    for item in items:
        if item.was_stream and item.name in streams:
            found[item.live] = streams[item.name]
    own = {item.live for item in items}
    notes, free = list[str](), dict[str, IndexAnswer]()
    for name, answer in found.items():
        aliases = msgspec.json.decode(answer.aliases, type=dict[str, msgspec.Raw])
        for alias in sorted(aliases):
            others = sorted(there.aliases.get(alias, {}).keys() - own)
            if others or alias in there.indices:
                notes.append(
                    f"the alias {alias} of the backup was left as it is"
                    + (f", leading to {abbreviate(others)}" if others else ", an index")
                )
                del aliases[alias]
        free[name] = IndexAnswer(aliases=msgspec.Raw(msgspec.json.encode(aliases)))
    actions = requests.aliases(free)
    if actions:
        to.ask("POST", "/_aliases", actions)
    _close(to, [in_place(item) for item in items])
    return notes


def _close(to: Target, items: Sequence[Item]) -> None:
    for item in items:
        if item.closed:
            to.ask("POST", path_of(item.own, "_close"))


def _swap(prepared: Prepared, notes: list[str]) -> Restored:
    to, items = prepared.target, prepared.items
    beside = [item for item in items if item.is_beside]
    names = abbreviate([item.own for item in beside])
    with _told(f"the whole backup is in {names}"):
        kept = exchange.swap(to, beside, prepared.there)
    for item in items:
        if policy := requests.lifecycle(item.answer):
            try:
                to.ask("PUT", path_of(item.own, "_settings"), policy)
            except KsnapshotError as error:
                notes.append(f"{item.own} is under no policy: {error}")
    new = [item for item in items if not item.is_beside]
    with _told(f"{names} have changed places"):
        notes += _finish(to, prepared.contents, new, prepared.there)
    return Restored(
        notes=tuple(notes),
        creates=tuple((item.name, item.own) for item in items),
        kept=kept,
    )


def _overwrite(prepared: Prepared, notes: list[str]) -> None:
    """Replace one after the other, by what was loaded beside; its name may be an alias."""
    to, there = prepared.target, prepared.there
    done: list[str] = []
    for item in prepared.items:
        left = [each.own for each in prepared.items if each.is_beside and each.live not in done]
        told = f"replaced so far: {abbreviate(done) or 'none'}; loaded beside: {abbreviate(left)}"
        with _told(told):
            if item.live in there.aliases and item.is_beside:
                exchange.swap(to, [item], there)
                _settle(to, item, item.own)
                for old in there.aliases[item.live]:
                    to.ask("DELETE", path_of(old))
                notes.append(f"{item.live} is an alias of {item.own}, as it was one before")
            elif item.is_beside:
                if item.was_stream:
                    exchange.replace_stream(to, item)
                else:
                    exchange.replace_index(to, item, there)
                    _settle(to, item, item.live)
                to.ask(
                    "DELETE",
                    path_of("_data_stream", item.own) if item.stream else path_of(item.own),
                )
            elif not item.stream:
                _settle(to, item, item.live)
        done.append(item.live)
    plain = [item for item in prepared.items if item.live not in there.aliases]
    with _told(f"all are replaced: {abbreviate(done)}"):
        notes += _finish(to, prepared.contents, plain, there)


def _settle(to: Target, item: Item, name: str) -> None:
    """Give an index the settings that it is to have in the end."""
    to.ask("PUT", path_of(name, "_settings"), requests.afterwards(item.answer))
    if policy := requests.lifecycle(item.answer):
        to.ask("PUT", path_of(name, "_settings"), policy)


@contextmanager
def _told(text: str) -> Iterator[None]:
    """Put behind every error what the cluster holds now."""
    try:
        yield
    except KsnapshotError as error:
        raise type(error)(f"{error}. {text}") from error
