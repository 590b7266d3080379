"""Loading a dump: templates, then indices, then documents, then aliases; and counting."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from dumpers.contract.connection import Connection
from dumpers.contract.restoring import RestoreRequest
from dumpers.engines.elasticsearch import login
from dumpers.engines.elasticsearch.client import Patience, Server, path_of
from dumpers.engines.elasticsearch.elasticdump_lines import IndexAnswer, unwrap
from dumpers.engines.elasticsearch.load import requests
from dumpers.engines.elasticsearch.load.bulk import Bulk, bodies
from dumpers.engines.elasticsearch.product import Product
from dumpers.engines.elasticsearch.survey.listing import list_indices
from dumpers.engines.names import abbreviate
from dumpers.engines.protocol import WHOLE, Restored, RestorePlan, StoredDump
from dumpers.runtime.errors import (
    RESTORE_ERRORS,
    KsnapshotError,
    TargetFailedError,
    TargetRefusedError,
)
from dumpers.runtime.interrupt import Interrupt

_BLOCK = 1 << 17
_BUSY = 429
_SHOWN = 10
_ONLY_ERRORS = {"filter_path": "errors,items.*.status,items.*.error", "pipeline": "_none"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    server: Server
    product: Product
    interrupt: Interrupt

    def ask(self, method: str, path: str, body: bytes = b"", **query: str) -> Any:
        """The answer to a request that may be repeated."""
        return self.server.json(method, path, body=body, query=query, interrupt=self.interrupt)


def load_backup(
    target: Connection,
    pieces: Sequence[StoredDump],
    interrupt: Interrupt,
    request: RestoreRequest = WHOLE,  # noqa: ARG001
) -> Restored:
    """Load a backup into a cluster that has none of its indices and data streams.

    There is no transaction: a load that fails leaves what came so far, and the error says so.
    """
    server, product = login.connect(target, errors=RESTORE_ERRORS, interrupt=interrupt)
    to = _Target(server=server, product=product, interrupt=interrupt)
    by_name = {piece.name: piece for piece in pieces}
    texts = {name: _text(piece) for name, piece in by_name.items() if name != "data"}
    found = msgspec.json.decode(texts.get("index", b"{}"), type=dict[str, IndexAnswer])
    streams = requests.data_streams(texts.get("data_stream", b"{}"))
    own = {name: index for name, index in found.items() if name not in streams}
    _check_free(to, [*own, *dict.fromkeys(streams.values())])
    notes = _templates(to, texts)
    try:
        for name, index in own.items():
            to.ask("PUT", path_of(name), requests.creation(index, product))
        for name in dict.fromkeys(streams.values()):
            to.ask("PUT", path_of("_data_stream", name))
        written = _load(to, by_name["data"], streams) if "data" in by_name else {}
        for name, index in own.items():
            to.ask("PUT", path_of(name, "_settings"), requests.afterwards(index))
        _count(to, by_name.get("data"), streams, written)
        actions = requests.aliases({**own, **_aliases_of_streams(texts, streams)})
        if actions:
            to.ask("POST", "/_aliases", actions)
        for name in by_name["index"].metadata.get("closed", []) if "index" in by_name else []:
            to.ask("POST", path_of(name, "_close"))
    except KsnapshotError as error:
        if not isinstance(error, TargetFailedError | TargetRefusedError):
            raise
        raise type(error)(f"{error}. The cluster is partly filled: empty it first") from error
    return Restored(notes=tuple(notes))


def count_documents(target: Connection, interrupt: Interrupt) -> Mapping[str, int]:
    """Count the documents of every index and data stream that is not the server's own."""
    server, product = login.connect(target, errors=RESTORE_ERRORS, interrupt=interrupt)
    to = _Target(server=server, product=product, interrupt=interrupt)
    names = {
        index.shown_name
        for index in list_indices(server, product, interrupt).indices
        if not index.is_own and index.is_read
    }
    return {name: _counted(to, name) for name in sorted(names)}


def _aliases_of_streams(
    texts: Mapping[str, bytes], streams: Mapping[str, str]
) -> Mapping[str, IndexAnswer]:
    names = set(streams.values())
    found = msgspec.json.decode(texts.get("alias", b"{}"), type=dict[str, IndexAnswer])
    return {name: answer for name, answer in found.items() if name in names}


def _text(piece: StoredDump) -> bytes:
    """The JSON object that a piece of one line holds."""
    with piece.open() as reader:
        whole = b"".join(iter(lambda: reader.read(_BLOCK), b""))
    try:
        return unwrap(whole)
    except ValueError as error:
        raise TargetRefusedError(f"the part {piece.name} is not as dumps are: {error}") from error


def _lines(piece: StoredDump) -> Iterator[bytes]:
    """The lines of a piece; the last one only once the piece's end is proven."""
    with piece.open() as reader:
        rest: list[bytes] = []
        while block := reader.read(_BLOCK):
            first, *others = block.split(b"\n")
            rest.append(first)
            if not others:
                continue
            yield b"".join(rest)
            yield from others[:-1]
            rest = [others[-1]]
        if any(rest):
            yield b"".join(rest)


def _check_free(to: _Target, names: Sequence[str]) -> None:
    there = {
        name
        for index in list_indices(to.server, to.product, to.interrupt).indices
        for name in (index.name, index.shown_name)
    }
    taken = [name for name in names if name in there]
    if taken:
        raise TargetRefusedError(
            f"{to.server.where} has these already: {abbreviate(taken)}: restore into another "
            "cluster, or delete them"
        )


def _templates(to: _Target, texts: Mapping[str, bytes]) -> list[str]:
    """Create templates and pipelines of the whole cluster; return notes on refused ones."""
    notes: list[str] = []
    for path, body in requests.requests(texts, to.product):
        try:
            to.ask("PUT", path, body)
        except TargetRefusedError as error:
            notes.append(f"{path} was not taken: {error}")
    return notes


def _load(to: _Target, piece: StoredDump, streams: Mapping[str, str]) -> Mapping[str, int]:
    bulk = Bulk(product=to.product, streams=streams)
    try:
        for body, _ in bodies(_lines(piece), bulk):
            _send(to, body)
    except ValueError as error:
        raise TargetRefusedError(f"this is no dump of documents: {error}") from error
    return bulk.written


def _send(to: _Target, body: bytes) -> None:
    """Send documents until all are taken; those that a busy server turned away, once more."""
    patience = Patience(interrupt=to.interrupt)
    while True:
        answer = to.server.json(
            "POST", "/_bulk", query=_ONLY_ERRORS, body=body, interrupt=to.interrupt
        )
        if not answer["errors"]:
            return
        results = [next(iter(item.values())) for item in answer["items"]]
        bad = [item for item in results if "error" in item and item["status"] != _BUSY]
        if bad:
            first = json.dumps(bad[0]["error"])[:500]
            raise TargetFailedError(
                f"{to.server.where} refuses {len(bad)} of {len(results)} documents of one request, "
                f"the first because of {first}"
            )
        busy = [place for place, item in enumerate(results) if "error" in item]
        if not patience.wait():
            raise TargetFailedError(f"{to.server.where} has been too busy for ten minutes")
        body = _pairs(body, busy)


def _pairs(body: bytes, places: Sequence[int]) -> bytes:
    """The documents at these places of a bulk request, each of which is two lines."""
    lines = body.split(b"\n")
    return b"".join(b"%s\n%s\n" % (lines[2 * place], lines[2 * place + 1]) for place in places)


def _count(
    to: _Target, data: StoredDump | None, streams: Mapping[str, str], written: Mapping[str, int]
) -> None:
    """Raise TargetFailedError if an index has another number of documents than was dumped."""
    if data is None:
        return
    dumped: dict[str, int] = {}
    for name, count in data.metadata.get("documents", {}).items():
        target = streams.get(name, name)
        dumped[target] = dumped.get(target, 0) + int(count)
    wrong = []
    for name in sorted({*written, *dumped}):
        to.ask("POST", path_of(name, "_refresh"))
        there, wanted = _counted(to, name), written.get(name, 0)
        if not there == wanted == dumped.get(name, wanted):
            wrong.append(f"{name}: {dumped.get(name)} dumped, {wanted} sent, {there} there")
    if wrong:
        raise TargetFailedError(
            f"{to.server.where} has not as many documents as the dump: {'; '.join(wrong[:_SHOWN])}"
        )


def _counted(to: _Target, name: str) -> int:
    return int(to.ask("GET", path_of(name, "_count"))["count"])


def plan_restore(
    target: Connection,
    pieces: Sequence[StoredDump],
    interrupt: Interrupt,
    request: RestoreRequest,
) -> RestorePlan:
    """See Engine.plan_restore."""
    raise NotImplementedError


def undo_swap(target: Connection, kept: Sequence[tuple[str, str]], interrupt: Interrupt) -> None:
    """See Engine.undo."""
    raise NotImplementedError


def forget_restored(target: Connection, names: Sequence[str], interrupt: Interrupt) -> None:
    """See Engine.forget."""
    raise NotImplementedError
