"""What a backup of a cluster holds, which part is asked for, and under which names it goes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.elasticsearch import indices
from dumpers.engines.elasticsearch.elasticdump_lines import IndexAnswer, unwrap
from dumpers.engines.elasticsearch.indices import Index
from dumpers.engines.elasticsearch.load import requests
from dumpers.engines.names import abbreviate
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import SourceRefusedError, TargetRefusedError

DATA = "data"
_BLOCK = 1 << 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """All of a backup: indices, the data stream of each of those that has one, and other texts.

    `server` is the product and release that was dumped, empty where the backup does not say.
    """

    pieces: Mapping[str, StoredDump]
    texts: Mapping[str, bytes]
    found: Mapping[str, IndexAnswer]
    streams: Mapping[str, str]
    closed: frozenset[str]
    server: str = ""

    @property
    def documents(self) -> Mapping[str, int]:
        """How many documents of each index were dumped."""
        data = self.pieces.get(DATA)
        return data.metadata.get("documents", {}) if data is not None else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An index or a data stream that is restored.

    `parts` are its indices in the backup, `answer` the definition of the last of them. `live` is
    its name in the end, `own` the one under which it is loaded. `stream`: it is loaded into a data
    stream.
    """

    name: str
    parts: tuple[str, ...]
    answer: IndexAnswer
    live: str
    own: str
    was_stream: bool = False
    stream: bool = False
    closed: bool = False

    @property
    def is_beside(self) -> bool:
        """Whether it is loaded under another name than the live one's."""
        return self.own != self.live


def read_contents(pieces: Sequence[StoredDump]) -> Contents:
    """Read all of a backup but its documents; TargetRefusedError where it is not as dumps are."""
    by_name = {piece.name: piece for piece in pieces}
    texts = {name: _text(piece) for name, piece in by_name.items() if name != DATA}
    about = by_name["index"].metadata if "index" in by_name else {}
    return Contents(
        pieces=by_name,
        texts=texts,
        found=msgspec.json.decode(texts.get("index", b"{}"), type=dict[str, IndexAnswer]),
        streams=requests.data_streams(texts.get("data_stream", b"{}")),
        closed=frozenset(about.get("closed", ())),
        server=about.get("server", ""),
    )


def choose(contents: Contents, request: RestoreRequest) -> tuple[Item, ...]:
    """Hold a request against a backup; TargetRefusedError for what the backup has not."""
    if request.databases or request.partitions:
        raise TargetRefusedError(
            "a search cluster has neither databases nor partitions: choose indices and data "
            "streams as tables"
        )
    existing = [
        Index(
            name=name,
            stream=contents.streams.get(name, ""),
            hidden=str(answer.settings.get("index", {}).get("hidden", "false")) == "true",
        )
        for name, answer in contents.found.items()
    ]
    chosen: Sequence[Index] = existing
    if request.tables:
        patterns = indices.parse_index_patterns("the restore's tables", ",".join(request.tables))
        try:
            chosen = indices.choose(patterns, existing)
        except SourceRefusedError as error:
            unknown = indices.unmatched(patterns, existing)
            raise TargetRefusedError(
                "the backup has not these indices that were asked for: "
                f"{abbreviate([pattern.text for pattern in unknown])}"
            ) from error
    return tuple(_items(contents, request, chosen))


def _items(contents: Contents, request: RestoreRequest, chosen: Sequence[Index]) -> Iterator[Item]:
    names = dict(request.names or {})
    shown = dict.fromkeys(index.shown_name for index in chosen)
    unknown = [old for old in names if old not in shown]
    if unknown:
        raise TargetRefusedError(
            f"the chosen part of the backup has not these, which are to get other names: "
            f"{abbreviate(unknown)}"
        )
    for name in shown:
        parts = tuple(index.name for index in chosen if index.shown_name == name)
        was_stream = any(contents.streams.get(part) == name for part in parts)
        live = own = names.get(name, name)
        if request.mode is RestoreMode.BESIDE:
            live, own = name, names.get(name, f"{name}{request.suffix}")
        elif request.mode is not RestoreMode.EMPTY:
            own = f"{live}{request.suffix}"
        yield Item(
            name=name,
            parts=parts,
            answer=contents.found[max(parts) if was_stream else name],
            live=live,
            own=own,
            was_stream=was_stream,
            stream=was_stream,
            closed=name in contents.closed,
        )


def in_place(item: Item) -> Item:
    """The item, loaded under its live name."""
    return replace(item, own=item.live)


def _text(piece: StoredDump) -> bytes:
    """The JSON object that a piece of one line holds."""
    with piece.open() as reader:
        whole = b"".join(iter(lambda: reader.read(_BLOCK), b""))
    try:
        return unwrap(whole)
    except ValueError as error:
        raise TargetRefusedError(f"the part {piece.name} is not as dumps are: {error}") from error
