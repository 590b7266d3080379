"""Dumping Elasticsearch and OpenSearch: documents at one moment an index, and all around them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from dumpers.contract.connection import Connection
from dumpers.contract.jobs import DumpJob
from dumpers.engines.elasticsearch import client, indices, survey
from dumpers.engines.elasticsearch.client import Server, path_of
from dumpers.engines.elasticsearch.elasticdump_lines import object_line, portable, string_line
from dumpers.engines.elasticsearch.indices import Index
from dumpers.engines.elasticsearch.load import restore as restoring
from dumpers.engines.elasticsearch.product import Product
from dumpers.engines.elasticsearch.read.cursor import IndexRead
from dumpers.engines.elasticsearch.read.documents import Tally, documents
from dumpers.engines.elasticsearch.spec import INDICES, LIMIT, VERSIONS
from dumpers.engines.elasticsearch.survey import Text
from dumpers.engines.protocol import DumpStream, Engine, SourceInfo, StoredDump
from dumpers.runtime.errors import DUMP_ERRORS
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.version import VERSION
from dumpers.streams.reader import IterReader, Reader

ENDING = ".jsonl"
# Slices of one index that are read at a time: enough to keep a server busy while pages travel.
PARALLEL = 4
# What is on disk is packed, by about this much.
_PACKED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found(SourceInfo):
    """A source with what the streams are made from."""

    server: Server = field(repr=False)
    product: Product
    chosen: tuple[Index, ...]
    texts: tuple[Text, ...]
    most: int
    versions: bool


class _Elasticsearch:
    def preflight(self, job: DumpJob, interrupt: Interrupt) -> SourceInfo:
        patterns = indices.read(INDICES.variable, job.options.get(INDICES.variable, ""))
        server, product = client.connect(job.connection, errors=DUMP_ERRORS, interrupt=interrupt)
        every = survey.indices(server, product, interrupt)
        chosen = indices.choose(patterns, every)
        survey.check(chosen)
        streams = frozenset(indices.by_stream(chosen))
        texts, missing = survey.texts(server, product, streams, interrupt)
        notes = (*survey.notes(server, product, chosen, every, interrupt), *missing)
        if product.note:
            notes = (product.note, *notes)
        if not product.has_points_in_time:
            notes = ("read by scroll, each shard as of its own moment", *notes)
        return _Found(
            server_version=str(product),
            tool_version=f"ksnapshot {VERSION}",
            estimate=_PACKED * sum(index.size for index in chosen),
            notes=notes,
            metadata={"indices": len(chosen)},
            server=server,
            product=product,
            chosen=chosen,
            texts=texts,
            most=job.numbers[LIMIT.variable],
            versions=job.options.get(VERSIONS.variable) == "true",
        )

    @contextmanager
    def streams(self, source: SourceInfo) -> Iterator[Sequence[DumpStream]]:
        assert isinstance(source, _Found)
        yield [
            _about(source, "index", "", string_line, portable),
            _about(source, "settings", "/_settings", string_line, portable),
            _about(source, "analyzer", "/_settings", string_line, portable),
            _data(source),
            _about(source, "mapping", "/_mapping", object_line, bytes),
            _about(source, "alias", "/_alias", string_line, _with_aliases),
            *(_text(text) for text in source.texts),
        ]

    def restore(
        self, target: Connection, pieces: Sequence[StoredDump], interrupt: Interrupt
    ) -> tuple[str, ...]:
        return restoring.restore(target, pieces, interrupt=interrupt)

    def inspect(self, target: Connection, interrupt: Interrupt) -> Mapping[str, int]:
        return restoring.inspect(target, interrupt=interrupt)


ENGINE: Engine = _Elasticsearch()


def _data(source: _Found) -> DumpStream:
    """All documents of all indices."""
    wanted = [
        IndexRead(
            server=source.server,
            product=source.product,
            index=index,
            most=source.most,
            parallel=PARALLEL,
            versions=source.versions,
        )
        for index in source.chosen
        if not index.closed
    ]
    tally = Tally()

    def open_(interrupt: Interrupt) -> AbstractContextManager[Reader]:
        return documents(wanted, tally, interrupt)

    return DumpStream(
        name="data", ending=ENDING, estimate=source.estimate, open=open_, metadata=tally.metadata
    )


def _about(
    source: _Found,
    name: str,
    path: str,
    line: Callable[[Iterator[bytes]], Iterator[bytes]],
    shape: Callable[[bytes], bytes],
) -> DumpStream:
    """What the server says of each index, in one line."""
    closed = [index.name for index in source.chosen if index.closed]
    metadata = {"indices": len(source.chosen), **({"closed": closed} if closed else {})}

    @contextmanager
    def open_(interrupt: Interrupt) -> Iterator[Reader]:
        answers = (
            shape(source.server.ask("GET", path_of(index.name) + path, interrupt=interrupt))
            for index in source.chosen
        )
        yield IterReader(line(answers))

    return DumpStream(name=name, ending=ENDING, estimate=0, open=open_, metadata=lambda: metadata)


def _text(text: Text) -> DumpStream:
    """What is there already. Data streams and pipelines are no types of elasticdump."""

    @contextmanager
    def open_(_: Interrupt) -> Iterator[Reader]:
        yield IterReader(string_line([text.body]))

    return DumpStream(
        name=text.name,
        ending=ENDING,
        estimate=len(text.body),
        open=open_,
        metadata=lambda: {"count": text.count},
    )


def _with_aliases(body: bytes) -> bytes:
    """What `GET /<index>/_alias` says, nothing of an index without any: elasticdump stops at it."""
    return body if any(item["aliases"] for item in json.loads(body).values()) else b"{}"
