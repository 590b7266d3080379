"""What the server gives of documents: all that was sent, a part of it, or something made anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.elasticsearch.client import Server
from dumpers.engines.elasticsearch.indices import Index
from dumpers.engines.elasticsearch.product import Product
from dumpers.engines.elasticsearch.survey.listing import Listing, expressions
from dumpers.runtime.interrupt import Interrupt

_KEPT = frozenset(("", "stored"))
_VECTORS = ("dense_vector", "sparse_vector", "rank_vectors")
_SYNTHETIC = (
    "the server makes the _source of these indices anew from its own fields, so it need not be "
    "what was once sent: the order of values, their spelling and doubles may be gone"
)
_PARTLY = (
    "the mappings of these indices leave fields out of _source, so they are not in the dump: "
    "index the documents anew from where they came"
)
_WITHOUT = (
    "these indices keep no _source, so their documents are not in the dump; settings and mappings "
    "are: index the documents anew from where they came"
)
_MOVED = (
    "the server may keep vectors apart from _source, so these fields may stand elsewhere in it "
    "than they were sent"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Names of indices whose documents do not come as they were sent, sorted.

    Those `without` have none to give, `partly` ones lack fields, `synthetic` ones are made anew.
    `vectors` are full names of fields.
    """

    without: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()
    synthetic: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[Note, ...]:
        """A note of each kind that there is."""
        kinds = (
            (NoteCode.NOT_DUMPED, _WITHOUT, self.without),
            (NoteCode.NOT_DUMPED, _PARTLY, self.partly),
            (NoteCode.ALTERED, _SYNTHETIC, self.synthetic),
            (NoteCode.ALTERED, _MOVED, self.vectors),
        )
        return tuple(
            Note(code=code, text=text, objects=objects) for code, text, objects in kinds if objects
        )


def read_sources(
    server: Server,
    product: Product,
    listing: Listing,
    kept: Sequence[Index],
    interrupt: Interrupt,
) -> Sources:
    """Ask for the mappings' words on `_source` and for fields that hold vectors."""
    read = [index for index in kept if index.is_read]
    query = {
        "filter_path": "*.mappings._source,*.mappings.*._source",
        "expand_wildcards": "all",
    }
    listed: dict[str, Any] = {}
    for target in listing.targets:
        listed |= server.json("GET", f"/{target}/_mapping", query=query, interrupt=interrupt)
    found = sort_out(listed, read)
    if not product.leaves_vectors_out:
        return found
    return Sources(
        without=found.without,
        partly=found.partly,
        synthetic=found.synthetic,
        vectors=_vectors(server, listing, read, interrupt),
    )


def sort_out(mappings: Mapping[str, Any], read: Sequence[Index]) -> Sources:
    """Read which indices have no whole `_source` out of their mappings and settings."""
    without, partly, synthetic = [], [], []
    for index in sorted(read, key=lambda index: index.name):
        source = _source(mappings.get(index.name, {}).get("mappings", {}))
        mode = source.get("mode") or index.source_mode
        if source.get("enabled") is False or mode == "disabled":
            without.append(index.name)
        elif mode not in _KEPT:
            synthetic.append(index.name)
        elif source.get("excludes") or source.get("includes"):
            partly.append(index.name)
    return Sources(without=tuple(without), partly=tuple(partly), synthetic=tuple(synthetic))


def _source(mappings: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a mapping says of `_source`; with types it is one level below."""
    source: Mapping[str, Any] = mappings.get("_source") or next(
        (item["_source"] for item in mappings.values() if "_source" in item), {}
    )
    return source


def _vectors(
    server: Server, listing: Listing, read: Sequence[Index], interrupt: Interrupt
) -> tuple[str, ...]:
    # A read block on one index makes the server refuse this question about any.
    blocked = [index.name for index in listing.indices if index.blocked]
    every = sorted(index.name for index in listing.indices if not index.problem)
    query = {
        "fields": "*",
        "types": ",".join(_VECTORS),
        "include_unmapped": "true",
        "filter_path": "indices,fields.*.*.type,fields.*.*.indices",
        "expand_wildcards": "open,hidden",
    }
    names = {index.name for index in read}
    found: set[str] = set()
    for target in expressions(blocked, every):
        listed = server.json("GET", f"/{target}/_field_caps", query=query, interrupt=interrupt)
        for field, kinds in listed.get("fields", {}).items():
            for kind in kinds.keys() & {*_VECTORS}:
                # All of them where it does not say which.
                owners = kinds[kind].get("indices") or listed.get("indices", ())
                found |= {f"{owner}.{field}" for owner in names.intersection(owners)}
    return tuple(sorted(found))
