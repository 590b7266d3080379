"""Comparing a restored node with what is stored: documents in any order, and all around them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from dumpers.contract.connection import Connection
from dumpers.engines.drilling.protocol import Comparison, DrilledObject, TableVerdict
from dumpers.engines.elasticsearch import login
from dumpers.engines.elasticsearch.client import Server, path_of
from dumpers.engines.elasticsearch.drill.definitions import differences
from dumpers.engines.elasticsearch.drill.document_digests import Digest, DocumentDigests
from dumpers.engines.elasticsearch.drill.stored_documents import contradictions, parts, undumped
from dumpers.engines.elasticsearch.elasticdump_lines import IndexAnswer, aliases, portable
from dumpers.engines.elasticsearch.indices import Index, Pattern
from dumpers.engines.elasticsearch.load import templates
from dumpers.engines.elasticsearch.load.contents import DATA, Contents, read_contents
from dumpers.engines.elasticsearch.load.documents import lines, lines_of
from dumpers.engines.elasticsearch.load.target import find_target
from dumpers.engines.elasticsearch.product import Product
from dumpers.engines.elasticsearch.read.cursor import IndexRead
from dumpers.engines.elasticsearch.read.documents import PARALLEL, Tally, documents
from dumpers.engines.elasticsearch.spec import LIMIT
from dumpers.engines.elasticsearch.survey.listing import list_indices
from dumpers.engines.elasticsearch.survey.scope import Scope, survey
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import (
    DUMP_ERRORS,
    SourceFailedError,
    SourceRefusedError,
    TargetFailedError,
    TargetRefusedError,
)
from dumpers.runtime.interrupt import Interrupt

_METHOD = (
    "digests of all documents of each index, in any order, of what is stored against a dump of "
    "what was restored; settings, mappings, aliases, templates, pipelines, policies and scripts"
)
_OF_STREAMS = (
    "settings and mappings of data streams come from their templates, which are compared, and not "
    "from the backup's indices"
)
# OpenSearch writes them by itself, about the searches that it has answered.
_OWN_REPORTS = "top_queries-"
_UNDUMPED = (
    "documents of these indices: only their settings and mappings are in the backup, and its notes "
    "say why"
)


def compare(
    server: Connection,
    objects: Sequence[DrilledObject],
    options: Mapping[str, str],
    interrupt: Interrupt,
) -> Comparison:
    """See DrilledEngine.compare."""
    contents = read_contents([item.stored for item in objects])
    try:
        found, product = login.connect(server, errors=DUMP_ERRORS, interrupt=interrupt)
        comparison = _Comparison(
            server=found,
            product=product,
            contents=contents,
            most=int(options.get(LIMIT.variable) or LIMIT.default),
            interrupt=interrupt,
        )
        comparison.run(server)
    except (SourceFailedError, SourceRefusedError) as error:
        raise TargetFailedError(str(error)) from error
    _compare_cluster(server, contents, comparison, interrupt)
    return Comparison(
        method=_METHOD,
        tables=tuple(comparison.tables),
        faults=tuple(comparison.faults),
        unproved=tuple(comparison.unproved),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comparison:
    """One restored node against one backup; `tables`, `faults` and `unproved` grow."""

    server: Server
    product: Product
    contents: Contents
    most: int
    interrupt: Interrupt
    tables: list[TableVerdict] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unproved: list[str] = field(default_factory=list)
    undumped: list[str] = field(default_factory=list)

    def run(self, login_: Connection) -> None:
        """Compare all indices and data streams."""
        self.server.ask("POST", "/_refresh", interrupt=self.interrupt)
        scope = self._scope(login_)
        streams = {index.name: index.stream for index in scope.chosen if index.stream}
        restored = DocumentDigests(name_of=lambda name: streams.get(name, name))
        with documents(list(self._reads(scope)), Tally(), self.interrupt) as reader:
            restored.add(lines_of(reader))
        stored = DocumentDigests(name_of=self._shown)
        data = self.contents.pieces.get(DATA)
        if data is not None:
            try:
                stored.add(lines(data))
            except ValueError as error:
                raise TargetRefusedError(f"this is no dump of documents: {error}") from error
        shown = {index.shown_name: index for index in scope.chosen}
        wanted = dict.fromkeys(self._shown(name) for name in self.contents.found)
        for name in wanted:
            self._judge(name, shown, stored.found, restored.found)
        self.faults.extend(contradictions(self.contents, stored.found))
        more = [
            name
            for name in shown
            if name not in wanted
            and not (self.product.is_opensearch and name.startswith(_OWN_REPORTS))
        ]
        self.faults.extend(f"{name} is not in the backup" for name in more)
        if any(name in self.contents.streams.values() for name in wanted):
            self.unproved.append(_OF_STREAMS)
        if self.undumped:
            self.unproved.append(f"{_UNDUMPED}: {abbreviate(self.undumped)}")

    def _shown(self, name: str) -> str:
        """The data stream of an index of the backup, or the index itself."""
        return self.contents.streams.get(name, name)

    def _scope(self, login_: Connection) -> Scope:
        """What of the node is compared: all but its own, and what the backup has of those."""
        names = {self._shown(name) for name in self.contents.found}
        there = list_indices(self.server, self.product, self.interrupt).indices
        own = {index.shown_name for index in there if index.is_own} & names
        patterns = [Pattern(text=name) for name in sorted(own)]
        if any(not index.is_own for index in there):
            patterns.append(Pattern(text="*"))
        return survey(self.server, self.product, login_, patterns, self.interrupt)

    def _reads(self, scope: Scope) -> Iterator[IndexRead]:
        for index in scope.read:
            yield IndexRead(
                server=self.server,
                product=self.product,
                index=index,
                limits=scope.limits,
                most=self.most,
                parallel=PARALLEL,
            )

    def _judge(
        self,
        name: str,
        shown: Mapping[str, Index],
        stored: Mapping[str, Digest],
        restored: Mapping[str, Digest],
    ) -> None:
        if name not in shown:
            self.tables.append(TableVerdict(name=name, rows=None, good=False, why="it is missing"))
            return
        dumped, there = stored.get(name, Digest()), restored.get(name, Digest())
        why = self._miscounted(name, dumped.count)
        if not why and dumped.count != there.count:
            why = f"{there.count} documents, and {dumped.count} in the backup"
        elif not why and dumped != there:
            why = f"{there.count} documents as in the backup, but not the same ones"
        closed = name in self.contents.closed
        if closed and not shown[name].closed:
            why = why or "it is open, and was closed"
        missing = undumped(self.contents, name) if self._is_counted or not dumped.count else ()
        self.undumped.extend(missing)
        is_known = bool(why) or len(missing) < parts(self.contents, name)
        rows = there.count if is_known and not closed else None
        self.tables.append(TableVerdict(name=name, rows=rows, good=not why, why=why))
        if name in self.contents.streams.values():
            self._compare_stream(name)
            return
        answer = msgspec.json.decode(
            portable(self.server.ask("GET", path_of(name), interrupt=self.interrupt)),
            type=dict[str, IndexAnswer],
        )
        self.faults.extend(differences(name, self.contents.found[name], answer[name]))

    @property
    def _is_counted(self) -> bool:
        """Whether the dump says how many documents it read of each index."""
        data = self.contents.pieces.get(DATA)
        return data is not None and "documents" in data.metadata

    def _miscounted(self, name: str, stored: int) -> str:
        """Why the stored documents are not as many as the dump says; empty if they are."""
        said = sum(
            count for index, count in self.contents.documents.items() if self._shown(index) == name
        )
        if not self._is_counted or said == stored:
            return ""
        return f"{stored} documents are stored, and the dump had {said}"

    def _compare_stream(self, name: str) -> None:
        """The aliases of a data stream; older releases have none."""
        if not self.product.has_stream_aliases:
            return
        answer = self.server.ask("GET", path_of(name, "_alias"), interrupt=self.interrupt)
        shape = dict[str, IndexAnswer]
        there = msgspec.json.decode(aliases(answer), type=shape).get(name, IndexAnswer())
        text = self.contents.texts.get("alias", b"{}")
        wanted = msgspec.json.decode(text, type=shape).get(name, IndexAnswer())
        self.faults.extend(
            differences(
                name, IndexAnswer(aliases=wanted.aliases), IndexAnswer(aliases=there.aliases)
            )
        )


def _compare_cluster(
    server: Connection, contents: Contents, comparison: _Comparison, interrupt: Interrupt
) -> None:
    """Templates, pipelines, policies and scripts, as a restore compares them."""
    states = [
        (path, state)
        for path, _, state in templates.compare(find_target(server, interrupt), contents)
    ]
    comparison.faults.extend(f"{path} is missing" for path, state in states if state == "missing")
    comparison.faults.extend(
        f"{path} is another one than in the backup" for path, state in states if state == "other"
    )
