"""What a restore will do to its cluster, checked and told before anything is changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dumpers.contract.connection import Connection
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.elasticsearch.load import templates
from dumpers.engines.elasticsearch.load.checks import check_target, check_templates
from dumpers.engines.elasticsearch.load.contents import (
    DATA,
    Contents,
    Item,
    choose,
    in_place,
    read_contents,
)
from dumpers.engines.elasticsearch.load.exchange import aliases_to_move, clones
from dumpers.engines.elasticsearch.load.target import Target, There, find_target, look_around
from dumpers.engines.names import abbreviate
from dumpers.engines.protocol import RestorePlan, StoredDump
from dumpers.runtime.interrupt import Interrupt

_STAGED = frozenset((RestoreMode.SWAP, RestoreMode.OVERWRITE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A cluster and what is to be loaded into it, held against each other."""

    target: Target
    contents: Contents
    items: tuple[Item, ...]
    there: There
    notes: tuple[str, ...]


def prepare(
    connection: Connection,
    pieces: Sequence[StoredDump],
    interrupt: Interrupt,
    request: RestoreRequest,
) -> Prepared:
    """Check all that can be known beforehand; raises as Engine.plan_restore does."""
    contents = read_contents(pieces)
    chosen = choose(contents, request)
    to = find_target(connection, interrupt)
    there = look_around(to)
    known = templates.read_templates(to)
    items = tuple(_placed(item, request, there, known) for item in chosen)
    notes = check_target(to, contents, items, there, request)
    check_templates(items, known)
    return Prepared(target=to, contents=contents, items=items, there=there, notes=tuple(notes))


def plan_restore(
    target: Connection,
    pieces: Sequence[StoredDump],
    interrupt: Interrupt,
    request: RestoreRequest,
) -> RestorePlan:
    """See Engine.plan_restore."""
    prepared = prepare(target, pieces, interrupt, request)
    items, to = prepared.items, prepared.target
    ends = RestoreMode.OVERWRITE
    return RestorePlan(
        server_version=str(to.product),
        actions=tuple(_actions(prepared, request)),
        creates=tuple(
            (item.name, item.live if request.mode is ends else item.own) for item in items
        ),
        # Documents lie in one object, which is read whole.
        size=sum(piece.size for piece in pieces),
        notes=(*prepared.notes, *_notes(prepared, request)),
    )


def _placed(
    item: Item, request: RestoreRequest, there: There, known: Sequence[templates.Template]
) -> Item:
    """An item as it is loaded: nothing goes beside what is not there.

    Under another name, a data stream is one only where a template of the cluster makes it one.
    """
    if request.mode in _STAGED and item.live not in there.names:
        return in_place(item)
    if item.was_stream and item.own != item.name:
        makes = any(each.makes_streams for each in templates.applying(known, item.own))
        return replace(item, stream=makes)
    return item


def _actions(prepared: Prepared, request: RestoreRequest) -> Iterator[str]:
    items, there = prepared.items, prepared.there
    if templates.are_asked(request, items):
        yield "create templates, pipelines, policies and scripts of the backup that are missing"
    for item in items:
        what = "data stream" if item.stream else "index"
        yield f"create the {what} {item.own} and load {_documents(prepared, item)} into it"
    yield "compare the numbers of documents with the backup's"
    beside = [item for item in items if item.is_beside]
    if request.mode is RestoreMode.SWAP:
        for item in beside:
            for alias, behind in aliases_to_move(item, there).items():
                yield (
                    f"let the alias {alias} lead to {item.own} instead of "
                    f"{abbreviate(sorted(behind))}, all aliases in one step"
                )
    elif request.mode is RestoreMode.OVERWRITE:
        for item in beside:
            yield _replacing(prepared, item)
    if request.mode is not RestoreMode.BESIDE:
        yield "let the aliases of the backup lead to what was restored, where nothing has them"


def _replacing(prepared: Prepared, item: Item) -> str:
    if item.live in prepared.there.aliases:
        return (
            f"let the alias {item.live} lead to {item.own}, and delete "
            f"{abbreviate(sorted(prepared.there.aliases[item.live]))}"
        )
    how = "a clone" if clones(prepared.target) and not item.was_stream else "a copy"
    return (
        f"delete {item.live}, make it anew as {how} of {item.own} and delete that: there is an "
        f"instant without {item.live}"
    )


def _documents(prepared: Prepared, item: Item) -> str:
    if DATA not in prepared.contents.pieces or item.closed:
        return "no documents"
    counts = [prepared.contents.documents.get(part) for part in item.parts]
    known = [count for count in counts if count is not None]
    return f"{sum(known)} documents" if known else "its documents"


def _notes(prepared: Prepared, request: RestoreRequest) -> Iterator[str]:
    items = prepared.items
    for item in items:
        if item.was_stream and not item.stream:
            yield (
                f"{item.own} is an index, not a data stream: no template of the cluster makes one "
                "of this name"
            )
    if request.mode is RestoreMode.BESIDE:
        yield "no alias leads to what is loaded beside, and no policy moves or deletes it"
    if not templates.are_asked(request, items):
        yield "templates, pipelines, policies and scripts are not restored: ask for globals"
        return
    other = [
        path
        for path, _, state in templates.compare(prepared.target, prepared.contents)
        if state == "other"
    ]
    if other:
        replaced = request.mode is RestoreMode.OVERWRITE and request.globals
        end = "are replaced" if replaced else "stay as they are"
        yield f"these are others than in the backup, and {end}: {abbreviate(other)}"
