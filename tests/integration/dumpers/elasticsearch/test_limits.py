"""Limits that a cluster sets: nothing is asked for that it has to refuse."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dumpers.contract.notes import NoteCode
from tests.integration.dumpers.elasticsearch.conftest import dump, job
from tests.integration.dumpers.elasticsearch.worlds import create
from tests.testbed.databases.search import SearchServer

_SOME = pytest.mark.parametrize(
    "server", ["elasticsearch-6", "elasticsearch-9", "opensearch-3"], indirect=True
)
_ALL = pytest.mark.parametrize(
    "server",
    ["elasticsearch-6", "elasticsearch-7", "elasticsearch-9", "opensearch-1", "opensearch-3"],
    indirect=True,
)
DOCUMENTS = 500


@pytest.fixture
def limited(server: SearchServer) -> Iterator[SearchServer]:
    """A cluster whose own settings are put back afterwards."""
    yield server
    made = server.ask("GET", "/_cluster/settings?flat_settings=true")["persistent"]
    set_limits(server, dict.fromkeys(made))


def set_limits(server: SearchServer, settings: Mapping[str, str | None]) -> None:
    server.ask("PUT", "/_cluster/settings", {"persistent": settings})


def fill(server: SearchServer, *, shards: int, **settings: Any) -> None:
    create(server, "many", shards=shards, **settings)
    server.bulk("many", {f"{number}": f'{{"n":{number}}}' for number in range(DOCUMENTS)})


def assert_whole(server: SearchServer, **changes: str) -> list[NoteCode]:
    """Every document is dumped once; the codes of the dump's notes."""
    source, parts = dump(job(server, **changes))
    numbers = [json.loads(line)["_source"]["n"] for line in parts["data"][0].splitlines()]
    assert sorted(numbers) == [*range(DOCUMENTS)]
    return [note.code for note in source.notes]


@_ALL
@pytest.mark.parametrize("window", [100, 1])
def test_a_small_result_window(server: SearchServer, window: int) -> None:
    fill(server, shards=1, max_result_window=window)
    assert assert_whole(server) == []


@_ALL
def test_few_slices(server: SearchServer) -> None:
    settings: dict[str, Any] = {"max_slices_per_scroll": 1}
    if server.name == "opensearch-3":
        settings["max_slices_per_pit"] = 1
    fill(server, shards=3, **settings)
    scrolled = server.name in {"elasticsearch-6", "opensearch-1", "opensearch-3"}
    assert assert_whole(server) == ([NoteCode.NOT_CONSISTENT] if scrolled else [])


@_SOME
@pytest.mark.parametrize("kept", ["20s", "40s"])
def test_contexts_are_kept_for_a_short_time(limited: SearchServer, kept: str) -> None:
    settings = {"search.default_keep_alive": "10s", "search.max_keep_alive": kept}
    if limited.name == "opensearch-3":
        settings["point_in_time.max_keep_alive"] = kept
    set_limits(limited, settings)
    fill(limited, shards=2)
    assert NoteCode.UNREADABLE not in assert_whole(limited, ELASTICDUMP_LIMIT="50")


@_ALL
def test_few_contexts(limited: SearchServer) -> None:
    settings = {"search.max_open_scroll_context": "1"}
    if limited.name == "opensearch-3":
        settings["search.max_open_pit_context"] = "1"
    set_limits(limited, settings)
    fill(limited, shards=3)
    assert_whole(limited, ELASTICDUMP_LIMIT="20")


@_SOME
def test_searches_that_are_cut_short_by_default(limited: SearchServer) -> None:
    set_limits(limited, {"search.default_search_timeout": "1nanos"})
    fill(limited, shards=2)
    assert_whole(limited)


@_SOME
def test_an_index_must_be_named_to_be_deleted(limited: SearchServer) -> None:
    set_limits(limited, {"action.destructive_requires_name": "true"})
    fill(limited, shards=1)
    source, _ = dump(job(limited))
    [note] = source.notes
    assert note.code is NoteCode.GLOBALS
    assert note.objects == ("cluster setting action.destructive_requires_name",)
    assert assert_whole(limited, KSNAPSHOT_INDICES="many") == []


@_ALL
def test_a_search_may_ask_few_shards(limited: SearchServer) -> None:
    set_limits(limited, {"action.search.shard_count.limit": "1"})
    fill(limited, shards=3)
    assert NoteCode.NOT_CONSISTENT in assert_whole(limited)
