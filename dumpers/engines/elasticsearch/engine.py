"""Dumping Elasticsearch and OpenSearch: documents at one moment an index, and all around them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from dumpers.contract.connection import DumpSource
from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.elasticsearch import indices, login
from dumpers.engines.elasticsearch.client import Server, path_of
from dumpers.engines.elasticsearch.drill.compare import compare
from dumpers.engines.elasticsearch.drill.prepare import prepare_drill
from dumpers.engines.elasticsearch.elasticdump_lines import (
    aliases,
    object_line,
    portable,
    string_line,
)
from dumpers.engines.elasticsearch.indices import Index
from dumpers.engines.elasticsearch.load.exchange import forget_restored, undo_swap
from dumpers.engines.elasticsearch.load.plan import plan_restore
from dumpers.engines.elasticsearch.load.restore import count_documents, load_backup
from dumpers.engines.elasticsearch.product import Product
from dumpers.engines.elasticsearch.read.cursor import IndexRead, read_at_once
from dumpers.engines.elasticsearch.read.documents import PARALLEL, Tally, documents
from dumpers.engines.elasticsearch.spec import INDICES, LIMIT, VERSIONS
from dumpers.engines.elasticsearch.survey.scope import Scope, survey
from dumpers.engines.elasticsearch.survey.texts import Text
from dumpers.engines.protocol import Dump, DumpStream, Engine, SourceInfo
from dumpers.engines.simple_stream import SimpleStream
from dumpers.runtime.errors import DUMP_ERRORS, KsnapshotError
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.version import VERSION
from dumpers.streams.reader import IterReader, Reader

ENDING = ".jsonl"
# What is on disk is packed, by about this much.
_PACKED = 4
_SCROLLED = (
    "read by scroll, as this release has no points in time, the cluster allows too few, or a "
    "search pipeline of an index is in the way: each shard of these indices is of its own moment, "
    "a little apart"
)


@contextmanager
def open_dump(job: DumpSource, interrupt: Interrupt) -> Iterator[Dump]:
    """Look at the cluster and choose its indices; streams share nothing but the connections."""
    patterns = indices.parse_index_patterns(INDICES.variable, job.options.get(INDICES.variable, ""))
    server, product = login.connect(job.connection, errors=DUMP_ERRORS, interrupt=interrupt)
    scope = survey(server, product, job.connection, patterns, interrupt)
    info = SourceInfo(
        server_version=str(product),
        tool_version=f"ksnapshot {VERSION}",
        estimate=_PACKED * sum(index.size for index in scope.read),
        notes=(*_notes(product, scope), *scope.notes),
        metadata={"indices": len(scope.chosen)},
    )
    reads = [
        IndexRead(
            server=server,
            product=product,
            index=index,
            limits=scope.limits,
            most=job.numbers[LIMIT.variable],
            parallel=PARALLEL,
            versions=job.options.get(VERSIONS.variable) == "true",
        )
        for index in scope.read
    ]
    chosen = scope.chosen
    yield Dump(
        info=info,
        streams=[
            _about(server, chosen, "settings", "/_settings", line=string_line, shape=portable),
            _about(server, chosen, "analyzer", "/_settings", line=string_line, shape=portable),
            DocumentStream(estimate=info.estimate, reads=reads),
            # Behind the documents: what is written meanwhile may bring new fields, which a restore
            # has to map as they were, and not by whichever document comes first.
            _about(
                server,
                chosen,
                "index",
                "",
                line=string_line,
                shape=portable,
                facts={"server": str(product)},
            ),
            _about(server, chosen, "mapping", "/_mapping", line=object_line, shape=bytes),
            _about(
                server,
                chosen,
                "alias",
                "?filter_path=*.aliases",
                line=string_line,
                shape=aliases,
                more=_stream_aliases(product, chosen),
            ),
            *map(_text, scope.texts),
        ],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentStream:
    """The stream of all documents of all open indices; `tally` counts what was written."""

    estimate: int
    reads: Sequence[IndexRead]
    tally: Tally = field(default_factory=Tally)
    name: str = "data"
    part: tuple[str, ...] = ()
    ending: str = ENDING
    concurrency_group: str = ""

    def open(self, interrupt: Interrupt) -> AbstractContextManager[Reader]:
        """Read all documents, index after index."""
        return documents(self.reads, self.tally, interrupt)

    def metadata(self) -> Mapping[str, Any]:
        """Return the number of documents of each index."""
        return self.tally.metadata()

    def can_retry(self, _error: KsnapshotError) -> bool:
        """Return False: the next run of the job reads everything anew."""
        return False


class _Elasticsearch:
    """Dumps, restores and drills of Elasticsearch and OpenSearch."""

    open = staticmethod(open_dump)
    plan_restore = staticmethod(plan_restore)
    restore = staticmethod(load_backup)
    undo = staticmethod(undo_swap)
    forget = staticmethod(forget_restored)
    inspect = staticmethod(count_documents)
    prepare_drill = staticmethod(prepare_drill)
    compare = staticmethod(compare)


ENGINE: Engine = _Elasticsearch()


def _about(
    server: Server,
    chosen: Sequence[Index],
    name: str,
    path: str,
    *,
    line: Callable[[Iterator[bytes]], Iterator[bytes]],
    shape: Callable[[bytes], bytes],
    more: Sequence[str] = (),
    facts: Mapping[str, str] = MappingProxyType({}),
) -> DumpStream:
    """The stream of the server's answers about each index at `path`, `shape`d, in one line.

    `more` are paths of further answers, `facts` further metadata.
    """
    closed = [index.name for index in chosen if index.closed]
    paths = (*(path_of(index.name) + path for index in chosen), *more)

    @contextmanager
    def open_(interrupt: Interrupt) -> Iterator[Reader]:
        answers = (shape(server.ask("GET", one, interrupt=interrupt)) for one in paths)
        yield IterReader(line(answers))

    return SimpleStream(
        name=name,
        ending=ENDING,
        estimate=0,
        known_metadata={
            "indices": len(chosen),
            **({"closed": closed} if closed else {}),
            **facts,
        },
        opener=open_,
    )


def _stream_aliases(product: Product, chosen: Sequence[Index]) -> Sequence[str]:
    """The paths at which the server gives the aliases of data streams."""
    if not product.has_stream_aliases:
        return ()
    return [path_of(stream, "_alias") for stream in indices.by_stream(chosen)]


def _text(text: Text) -> DumpStream:
    """The stream of a text that was read already; its kind may be unknown to elasticdump."""

    @contextmanager
    def open_(_: Interrupt) -> Iterator[Reader]:
        yield IterReader(string_line([text.body]))

    return SimpleStream(
        name=text.name,
        ending=ENDING,
        estimate=len(text.body),
        known_metadata={"count": text.count},
        opener=open_,
    )


def _notes(product: Product, scope: Scope) -> Iterator[Note]:
    """Notes on how this release is read."""
    if product.note:
        yield Note(code=NoteCode.TOOL_WARNING, text=product.note)
    several = tuple(
        index.name
        for index in scope.read
        if index.shards > 1 and not read_at_once(product, index, scope.limits)
    )
    if several:
        yield Note(code=NoteCode.NOT_CONSISTENT, text=_SCROLLED, objects=several)
