"""Sending a backup's documents, and counting what arrived."""

import json
from collections.abc import Iterator, Mapping, Sequence

from dumpers.engines.elasticsearch.client import Patience, path_of
from dumpers.engines.elasticsearch.load.bulk import Bulk, bodies
from dumpers.engines.elasticsearch.load.contents import DATA, Contents, Item
from dumpers.engines.elasticsearch.load.target import Target
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import TargetFailedError, TargetRefusedError
from dumpers.streams.reader import Reader

_BLOCK = 1 << 17
_BUSY = 429
_SHOWN = 10
_ONLY_ERRORS = {"filter_path": "errors,items.*.status,items.*.error", "pipeline": "_none"}


def load_documents(to: Target, contents: Contents, items: Sequence[Item]) -> Mapping[str, int]:
    """Send the documents of these items; how many, by where they went.

    All of the backup is read, also where a part is chosen: only so is it known to be whole.
    """
    data = contents.pieces.get(DATA)
    if data is None:
        return {}
    bulk = Bulk(
        product=to.product,
        names=dict.fromkeys(contents.found, "")
        | {part: item.own for item in items for part in item.parts},
        streams=frozenset(item.own for item in items if item.stream),
    )
    try:
        for name, body in bodies(lines(data), bulk):
            _send(to, name, body)
    except ValueError as error:
        raise TargetRefusedError(f"this is no dump of documents: {error}") from error
    return bulk.written


def check_counts(
    to: Target, contents: Contents, items: Sequence[Item], written: Mapping[str, int]
) -> None:
    """Raise TargetFailedError if an index has another number of documents than was dumped."""
    if DATA not in contents.pieces:
        return
    dumped = contents.documents
    wrong = []
    for item in sorted(items, key=lambda item: item.own):
        counts = [int(dumped[part]) for part in item.parts if part in dumped]
        # What could not be read has no documents in the backup, and its block is back by now.
        if item.closed or not (counts or item.own in written):
            continue
        to.ask("POST", path_of(item.own, "_refresh"))
        there, sent = to.count(item.own), written.get(item.own, 0)
        wanted = sum(counts) if counts else None
        if not there == sent == (sent if wanted is None else wanted):
            wrong.append(f"{item.own}: {wanted} dumped, {sent} sent, {there} there")
    if wrong:
        raise TargetFailedError(
            f"{to.server.where} has not as many documents as the dump: {'; '.join(wrong[:_SHOWN])}"
        )


def lines(piece: StoredDump) -> Iterator[bytes]:
    """The lines of a piece; the last one only once the piece's end is proven."""
    with piece.open() as reader:
        yield from lines_of(reader)


def lines_of(reader: Reader) -> Iterator[bytes]:
    """The lines of what is read, without their ends."""
    rest: list[bytes] = []
    while block := reader.read(_BLOCK):
        first, *others = bytes(block).split(b"\n")
        rest.append(first)
        if not others:
            continue
        yield b"".join(rest)
        yield from others[:-1]
        rest = [others[-1]]
    if any(rest):
        yield b"".join(rest)


def _send(to: Target, name: str, body: bytes) -> None:
    """Send documents until all are taken; those that a busy server turned away, once more."""
    patience = Patience(interrupt=to.interrupt)
    while True:
        answer = to.server.json(
            "POST",
            path_of(name, "_bulk"),
            query=_ONLY_ERRORS,
            body=body,
            interrupt=to.interrupt,
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
