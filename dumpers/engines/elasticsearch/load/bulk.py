"""Lines of a dump as bodies of bulk requests, without looking into documents."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from dumpers.engines.elasticsearch.product import Product
from dumpers.engines.elasticsearch.read.pages import without_surrogates

# What a request holds before it is sent, however few documents that are.
BULK_BYTES = 4 << 20
_SOURCE = b'"_source":'
NO_TEXT = msgspec.Raw(b"")


class Document(msgspec.Struct):
    """A line of a dump; what of it is Raw stays as it is."""

    index: str = msgspec.field(name="_index")
    id: msgspec.Raw = msgspec.field(name="_id")
    source: msgspec.Raw = msgspec.field(name="_source", default=NO_TEXT)
    type: str = msgspec.field(name="_type", default="_doc")
    routing: msgspec.Raw = msgspec.field(name="_routing", default=NO_TEXT)
    version: int | None = msgspec.field(name="_version", default=None)


_DOCUMENT = msgspec.json.Decoder(Document)


@dataclass(slots=True, kw_only=True)
class Bulk:
    """Lines of a dump made into the lines of a bulk request.

    `names` says for each index of the dump where its documents go, and is empty for one that is
    passed over. `streams` are those of them that are data streams. `written` counts documents by
    where they go.
    """

    product: Product
    names: Mapping[str, str]
    streams: frozenset[str] = frozenset()
    written: dict[str, int] = field(default_factory=dict)

    def lines(self, line: bytes) -> tuple[str, bytes]:
        """Where a document goes, and its two lines; both are empty for one that is passed over.

        ValueError where a line is none, has no document, or is of an index that nothing else names.
        """
        found, source = read_document(line)
        target = self.names.get(found.index)
        if target is None:
            raise ValueError(f"a line is of {found.index}, which the dump does not define")
        if not target:
            return "", b""
        is_stream = target in self.streams
        self.written[target] = self.written.get(target, 0) + 1
        about = b'"_id":' + bytes(found.id)
        if self.product.has_types:
            about += b',"_type":' + json.dumps(found.type).encode()
        if bytes(found.routing):
            about += b',"routing":' + bytes(found.routing)
        if found.version is not None and not is_stream:
            about += b',"version":%d,"version_type":"external"' % found.version
        action = b"create" if is_stream else b"index"
        return target, b'{"%s":{%s}}\n%s\n' % (action, about, source)


def read_document(line: bytes) -> tuple[Document, bytes]:
    """A document and its source as it is; ValueError where a line is none or has no source."""
    text = line
    try:
        try:
            found = _DOCUMENT.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            text = without_surrogates(line)
            found = _DOCUMENT.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"a line is no document: {error}") from error
    source = bytes(found.source)
    if not source:
        raise ValueError(f"a line of {found.index} has no _source")
    if text is not line:
        place = text.index(_SOURCE + source) + len(_SOURCE)
        source = line[place : place + len(source)]
    return found, source


def bodies(lines: Iterator[bytes], bulk: Bulk) -> Iterator[tuple[str, bytes]]:
    """Bodies of bulk requests, each for one index or data stream, behind its name.

    None of them names it again: a cluster may forbid that
    (`rest.action.multi.allow_explicit_index`).
    """
    body, target = bytearray(), ""
    for line in lines:
        goes, added = bulk.lines(line)
        if body and added and goes != target:
            yield target, bytes(body)
            body = bytearray()
        target = goes or target
        body += added
        if len(body) >= BULK_BYTES:
            yield target, bytes(body)
            body = bytearray()
    if body:
        yield target, bytes(body)
