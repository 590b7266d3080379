"""Counting documents as this account finds them, many indices by one request."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from dumpers.engines.elasticsearch.client import DeniedError, Server, path_of
from dumpers.engines.elasticsearch.indices import Index
from dumpers.engines.elasticsearch.product import NO_PIPELINE, Product
from dumpers.engines.elasticsearch.survey.listing import joined
from dumpers.runtime.interrupt import Interrupt

_AT_A_TIME = 500
_FORBIDDEN = 403
_EVERYTHING = {"size": 0, "track_total_hits": True}
# Their parts are documents of their own, which the server counts and no search finds.
_PARTED = re.compile(rb'"type":"(?:nested|semantic_text|semantic)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What an account finds: documents by index, and names of the indices that it may not search.

    `unknown` are those that were asked about in vain.
    """

    documents: Mapping[str, int] = field(default_factory=dict)
    denied: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()


def count(server: Server, indices: Sequence[Index], interrupt: Interrupt) -> Counts:
    """Search everything in each of these indices, without taking a hit."""
    documents: dict[str, int] = {}
    denied = set()
    for index, answer in _searches(server, indices, interrupt):
        total = _total(answer)
        if answer.get("status") == _FORBIDDEN:
            denied.add(index.name)
        elif total is not None:
            documents[index.name] = total
    unknown = (index.name for index in indices if index.name not in documents.keys() | denied)
    return Counts(documents=documents, denied=frozenset(denied), unknown=tuple(unknown))


def fewer(
    server: Server,
    product: Product,
    indices: Sequence[Index],
    found: Mapping[str, int],
    interrupt: Interrupt,
) -> Sequence[str]:
    """Names of the indices in which fewer documents were found than the server counts.

    It has counted before and counts again, so that documents that are deleted meanwhile do not
    matter. Parts of documents are counted, too, so indices that have any are not judged.
    """
    lacking = [
        index.name
        for index in indices
        if not index.frozen and found.get(index.name, index.documents) < index.documents
    ]
    again = _documents(server, product, lacking, interrupt)
    still = [name for name in lacking if found[name] < again.get(name, 0)]
    parted = _parted(server, still, interrupt)
    return [name for name in still if name not in parted]


def _searches(
    server: Server, indices: Sequence[Index], interrupt: Interrupt
) -> Iterator[tuple[Index, Mapping[str, Any]]]:
    """Each index with the answer to a search for everything, without a hit.

    A cluster may refuse requests that name their indices in the body
    (`rest.action.multi.allow_explicit_index`): then each is asked by itself. So is each that has a
    search pipeline of its own.
    """
    together = True
    plain = [index for index in indices if not index.pipeline]
    for start in range(0, len(plain), _AT_A_TIME):
        some = plain[start : start + _AT_A_TIME]
        body = "".join(
            f"{json.dumps({'index': index.name})}\n{json.dumps(_EVERYTHING)}\n" for index in some
        )
        if together:
            try:
                answer = server.json("POST", "/_msearch", body=body.encode(), interrupt=interrupt)
                yield from zip(some, answer.get("responses", ()), strict=False)
                continue
            except server.errors.refused:
                together = False
        yield from ((index, _search(server, index, interrupt)) for index in some)
    for index in indices:
        if index.pipeline:
            yield index, _search(server, index, interrupt)


def _search(server: Server, index: Index, interrupt: Interrupt) -> Mapping[str, Any]:
    """The answer to a search of one index, empty where there is none."""
    path = path_of(index.name, "_search") + "?size=0&track_total_hits=true"
    if index.pipeline:
        path += f"&search_pipeline={NO_PIPELINE}"
    try:
        body = server.if_there(path, interrupt=interrupt)
    except DeniedError:
        return {"status": _FORBIDDEN}
    except server.errors.refused:
        return {}
    found: Mapping[str, Any] = json.loads(body) if body is not None else {}
    return found


def _total(answer: Mapping[str, Any]) -> int | None:
    """The number of documents in a search's answer, None if not all of its shards gave theirs."""
    shards = answer.get("_shards") or {}
    if answer.get("timed_out") or shards.get("successful") != shards.get("total", -1):
        return None
    total = (answer.get("hits") or {}).get("total")
    return total["value"] if isinstance(total, Mapping) else total


def _documents(
    server: Server, product: Product, names: Sequence[str], interrupt: Interrupt
) -> Mapping[str, int]:
    query = {"format": "json", "h": "index,docs.count"}
    if product.lists_hidden:
        query["expand_wildcards"] = "all"
    found: dict[str, int] = {}
    for some in joined(names):
        rows = server.json("GET", f"/_cat/indices/{some}", query=query, interrupt=interrupt)
        found |= {row["index"]: int(row.get("docs.count") or 0) for row in rows}
    return found


def _parted(server: Server, names: Sequence[str], interrupt: Interrupt) -> frozenset[str]:
    """Of these indices, those whose documents may have parts, by their mappings."""
    found: set[str] = set()
    for some in joined(names):
        body = server.ask("GET", f"/{some}/_mapping", interrupt=interrupt)
        mappings = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        found |= {name for name, mapping in mappings.items() if _PARTED.search(bytes(mapping))}
    return frozenset(found)
