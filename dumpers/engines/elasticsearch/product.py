"""Which server it is, by what it says of itself, and what follows from that."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_OLDEST_ELASTICSEARCH, _OLDEST_OPENSEARCH = (6, 8), (1, 0)
# The newest major releases that all of this was tried with.
_TRIED = {"Elasticsearch": 9, "OpenSearch": 3}

# What a search of OpenSearch's says that is to go through no pipeline, as the pipeline's name.
NO_PIPELINE = "_none"


class Flavour(StrEnum):
    """The two that grew apart at 7.10."""

    ELASTICSEARCH = "Elasticsearch"
    OPENSEARCH = "OpenSearch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A server's flavour and release."""

    flavour: Flavour
    version: str

    def __str__(self) -> str:
        return f"{self.flavour} {self.version}"

    @property
    def number(self) -> tuple[int, ...]:
        """The release's numbers, which compare."""
        found = _NUMBER.match(self.version)
        return tuple(int(part) for part in found[0].split(".")) if found else ()

    @property
    def is_opensearch(self) -> bool:
        """Whether it is OpenSearch, whatever release it may claim to be compatible with."""
        return self.flavour is Flavour.OPENSEARCH

    @property
    def problem(self) -> str:
        """Why it cannot be dumped; empty if it can."""
        oldest = _OLDEST_OPENSEARCH if self.is_opensearch else _OLDEST_ELASTICSEARCH
        if self.number >= oldest:
            return ""
        return f"the oldest release that is dumped is {'.'.join(map(str, oldest))}"

    @property
    def note(self) -> str:
        """A note on a release that is newer than all tested ones; empty for others."""
        if self.number[0] <= _TRIED[self.flavour]:
            return ""
        return f"{self} is newer than what this version was tried with"

    @property
    def has_points_in_time(self) -> bool:
        """Whether an index can be read at one moment, in slices of a shard.

        Elasticsearch has slices of them since 7.15, OpenSearch points in time since 2.4.
        https://github.com/elastic/elasticsearch/pull/74457
        """
        return self.number >= ((2, 4) if self.is_opensearch else (7, 15))

    @property
    def order(self) -> str:
        """The cheapest sort that gives every document of a shard a place of its own.

        OpenSearch has no `_shard_doc` before 3.3 and goes through all documents for it since. Its
        `_doc` is of one shard: documents of two can be equal in it, and `search_after` loses some.
        So a slice is never of more than one shard.
        """
        return "_doc" if self.is_opensearch else "_shard_doc"

    @property
    def slices_by_number(self) -> bool:
        """Whether a slice within a shard holds documents that lie side by side in the shard.

        Elasticsearch's slices do. OpenSearch takes every n-th document, and for each unpacks a
        block that holds its neighbours too: as many times as there are slices.
        """
        return not self.is_opensearch

    @property
    def leaves_vectors_out(self) -> bool:
        """Whether `_source` comes without vectors unless they are asked for."""
        return not self.is_opensearch and self.number >= (9, 2)

    @property
    def has_types(self) -> bool:
        """Whether documents have a `_type`."""
        return not self.is_opensearch and self.number < (7,)

    @property
    def has_composable_templates(self) -> bool:
        """Whether there are index and component templates."""
        return self.is_opensearch or self.number >= (7, 8)

    @property
    def has_stream_aliases(self) -> bool:
        """Whether data streams have aliases of their own, which their indices do not show."""
        return not self.is_opensearch and self.number >= (7, 14)

    @property
    def has_search_pipelines(self) -> bool:
        """Whether searches may go through pipelines, which hide or change what they find."""
        return self.is_opensearch and self.number >= (2, 9)

    @property
    def lists_hidden(self) -> bool:
        """Whether lists of indices leave out hidden ones unless they are asked for."""
        return self.is_opensearch or self.number >= (7, 7)


def identify(root: Mapping[str, Any]) -> Product | None:
    """Read what a server answers to `GET /`; None if it is neither."""
    version = root.get("version")
    if not isinstance(version, Mapping):
        return None
    number = version.get("number")
    if not isinstance(number, str) or not _NUMBER.match(number):
        return None
    opensearch = version.get("distribution") == "opensearch" or "OpenSearch" in str(
        root.get("tagline", "")
    )
    return Product(
        flavour=Flavour.OPENSEARCH if opensearch else Flavour.ELASTICSEARCH, version=number
    )
