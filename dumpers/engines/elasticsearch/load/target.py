"""The cluster that a restore loads into, and what it has already."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dumpers.contract.connection import Connection
from dumpers.engines.elasticsearch import login
from dumpers.engines.elasticsearch.client import Server, path_of
from dumpers.engines.elasticsearch.indices import Index
from dumpers.engines.elasticsearch.product import NO_PIPELINE, Product
from dumpers.engines.elasticsearch.survey.listing import list_indices
from dumpers.runtime.errors import (
    RESTORE_ERRORS,
    SourceRefusedError,
    TargetFailedError,
    TargetRefusedError,
)
from dumpers.runtime.interrupt import Interrupt

_OK = 200
_NOT_FOUND = 404
_EMPTY = b"{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A cluster, by whichever of its nodes answers."""

    server: Server
    product: Product
    interrupt: Interrupt

    def ask(self, method: str, path: str, body: bytes = b"", **query: str) -> Any:
        """The answer to a request that may be repeated."""
        return self.server.json(method, path, body=body, query=query, interrupt=self.interrupt)

    def send(self, method: str, path: str, content: object, **query: str) -> Any:
        """The same, of content that is to be JSON."""
        return self.ask(method, path, json.dumps(content).encode(), **query)

    def exists(self, path: str) -> bool:
        """Whether the server has what a path names; the side's error where it does not say."""
        answer, body = self.server.http.whole("GET", path, interrupt=self.interrupt)
        if answer.status == _NOT_FOUND or (answer.status == _OK and body.strip() == _EMPTY):
            return False
        if answer.status == _OK:
            return True
        self.server.check_answer(answer, body)
        return True

    def count(self, name: str) -> int:
        """The documents of an index or data stream, all of its shards asked."""
        if self.product.has_search_pipelines:
            # A count would go through the index's own one, which may hide some or be gone.
            path = path_of(name, "_search")
            answer = self.ask(
                "GET", path, size="0", track_total_hits="true", search_pipeline=NO_PIPELINE
            )
            counted = answer["hits"]["total"]["value"]
        else:
            answer = self.ask("GET", path_of(name, "_count"))
            counted = answer["count"]
        if answer["_shards"]["failed"]:
            raise TargetFailedError(f"{self.server.where} could not count all shards of {name}")
        return int(counted)


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """What a cluster has: indices by name, data streams, and aliases with the indices behind them.

    An alias has the attributes by which each index is behind it.
    """

    indices: Mapping[str, Index]
    streams: frozenset[str]
    aliases: Mapping[str, Mapping[str, Mapping[str, Any]]]

    @property
    def names(self) -> frozenset[str]:
        """All names that nothing new may have."""
        return frozenset(self.indices) | self.streams | frozenset(self.aliases)

    def aliases_of(self, index: str) -> Mapping[str, Mapping[str, Any]]:
        """The aliases that lead to an index, with their attributes."""
        return {name: behind[index] for name, behind in self.aliases.items() if index in behind}


def find_target(connection: Connection, interrupt: Interrupt) -> Target:
    """Log in, and find out which product it is."""
    server, product = login.connect(connection, errors=RESTORE_ERRORS, interrupt=interrupt)
    return Target(server=server, product=product, interrupt=interrupt)


def look_around(to: Target) -> There:
    """Read what the cluster has; TargetRefusedError where this account may not see all of it."""
    try:
        listing = list_indices(to.server, to.product, to.interrupt, unseen=True)
    except SourceRefusedError as error:
        raise TargetRefusedError(str(error)) from error
    interrupt = to.interrupt
    aliases: dict[str, dict[str, Mapping[str, Any]]] = {}
    for target in listing.targets:
        query = {"expand_wildcards": "all", "filter_path": "*.aliases"}
        found: Mapping[str, Any] = {}
        if listing.indices:
            found = to.server.json("GET", f"/{target}", query=query, interrupt=interrupt)
        for index, said in found.items():
            for name, attributes in said.get("aliases", {}).items():
                aliases.setdefault(name, {})[index] = attributes
    streams = frozenset(index.stream for index in listing.indices if index.stream)
    if to.product.has_stream_aliases:
        for stream in sorted(streams):
            answer = to.ask("GET", path_of(stream, "_alias"))
            for name, attributes in answer.get(stream, {}).get("aliases", {}).items():
                aliases.setdefault(name, {})[stream] = attributes
    return There(
        indices={index.name: index for index in listing.indices}, streams=streams, aliases=aliases
    )
