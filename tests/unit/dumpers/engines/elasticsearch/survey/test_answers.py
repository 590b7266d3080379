"""Limits, sources, index expressions and what belongs to a cluster, by servers' answers."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.engines.elasticsearch.indices import Index
from dumpers.engines.elasticsearch.survey import left_out, listing
from dumpers.engines.elasticsearch.survey.limits import Limits, parse_limits, refreshes_soon
from dumpers.engines.elasticsearch.survey.sources import sort_out

_DAY = 86_400.0


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({}, Limits()),
        ({"defaults": {"search": {"max_keep_alive": "24h"}}}, Limits()),
        (
            {"persistent": {"search": {"max_keep_alive": "1m", "max_open_scroll_context": "7"}}},
            Limits(
                keep_alive=60.0,
                scrolls=7,
                settings=("search.max_keep_alive", "search.max_open_scroll_context"),
            ),
        ),
        (
            {
                "defaults": {"search": {"max_keep_alive": "24h", "max_open_pit_context": "300"}},
                "persistent": {"search": {"max_keep_alive": "1d"}},
                "transient": {"search": {"max_keep_alive": "500ms", "max_open_pit_context": "0"}},
            },
            Limits(
                keep_alive=0.5,
                points=0,
                settings=("search.max_keep_alive", "search.max_open_pit_context"),
            ),
        ),
        ({"defaults": {"point_in_time": {"max_keep_alive": "30s"}}}, Limits(keep_alive=30.0)),
        (
            {"defaults": {"point_in_time": {"max_keep_alive": "20s", "init.keep_alive": "30s"}}},
            Limits(keep_alive=20.0, points=0),
        ),
        ({"defaults": {"search": {"max_keep_alive": "soon"}}}, Limits(keep_alive=_DAY)),
        (
            {"persistent": {"action": {"search": {"shard_count": {"limit": "1"}}}}},
            Limits(shards=1, settings=("action.search.shard_count.limit",)),
        ),
        (
            {"defaults": {"action": {"search": {"shard_count": {"limit": f"{2**63 - 1}"}}}}},
            Limits(shards=2**63 - 1),
        ),
        (
            {"defaults": {"cluster": {"default.index.refresh_interval": "2m"}}},
            Limits(refreshes=False),
        ),
    ],
)
def test_limits(answer: Mapping[str, Any], expected: Limits) -> None:
    assert parse_limits(answer) == expected


@pytest.mark.parametrize(
    ("interval", "soon"),
    [("1s", True), ("60s", True), ("100ms", True), ("61s", False), ("1h", False), ("-1", False)],
)
def test_how_soon_documents_are_seen(interval: str, soon: bool) -> None:  # noqa: FBT001
    assert refreshes_soon(interval) is soon


@pytest.mark.parametrize(
    ("mapping", "mode", "kind"),
    [
        ({}, "", ""),
        ({"_source": {"enabled": False}}, "", "without"),
        ({"doc": {"_source": {"enabled": False}}}, "", "without"),
        ({"_source": {"mode": "disabled"}}, "", "without"),
        ({"_source": {"excludes": ["a"]}}, "", "partly"),
        ({"_source": {"includes": ["a"]}}, "", "partly"),
        ({"_source": {"mode": "synthetic"}}, "", "synthetic"),
        ({}, "synthetic", "synthetic"),
        ({}, "anything new", "synthetic"),
        ({}, "stored", ""),
        ({"_source": {"mode": "stored"}}, "synthetic", ""),
    ],
)
def test_sources(mapping: Mapping[str, Any], mode: str, kind: str) -> None:
    found = sort_out({"a": {"mappings": mapping}}, [Index(name="a", source_mode=mode)])
    kinds = {"without": found.without, "partly": found.partly, "synthetic": found.synthetic}
    assert {name: names for name, names in kinds.items() if names} == (
        {kind: ("a",)} if kind else {}
    )
    codes = {"without": NoteCode.NOT_DUMPED, "partly": NoteCode.NOT_DUMPED}
    assert [note.code for note in found.notes] == (
        [codes.get(kind, NoteCode.ALTERED)] if kind else []
    )


def test_expressions_leave_out_what_nobody_may_ask_about() -> None:
    assert listing.expressions([], []) == ("_all",)
    assert listing.expressions(["a%b", "c"], []) == ("*,-a%25b,-c",)
    assert listing.expressions(["b"], ["a", "b", "c"], by_names=True) == ["a,c"]
    names = [f"{number}-{'é' * 80}" for number in range(60)]
    found = listing.expressions(names[:30], names)
    assert len(found) > 1
    assert max(map(len, found)) <= listing.PATH_BYTES
    assert [name for text in found for name in text.split(",")] == [
        quote(name, safe="") for name in names[30:]
    ]


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        (".ds-logs-web-2026.01.02-000001", "logs-web"),
        (".ds-logs-000001", "logs"),
        (".ds-logs", ""),
        ("logs-000001", ""),
    ],
)
def test_a_stream_by_the_name_of_its_index(name: str, stream: str) -> None:
    found = listing._unlisted(name, "why")
    assert (found.stream, found.is_own) == (stream, name.startswith(".") and not stream)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({}, []),
        ({"enrich": {"policies": {"users": {}, ".own": {}}}}, ["it users"]),
        ({"enrich": {"policies": [{"id": "users"}, {}]}}, ["it users"]),
        ({"enrich": []}, []),
    ],
)
def test_names_in_a_clusters_state(state: Mapping[str, Any], expected: Sequence[str]) -> None:
    assert [*left_out.named(state, {"it": "enrich.policies"})] == expected


def test_hidden_indices_and_failure_stores() -> None:
    log = Index(name=".ds-logs-000001", stream="logs")
    store = Index(name=".fs-logs-000001", failures_of="logs", hidden=True)
    every = (log, store, Index(name=".own"), Index(name="secret", hidden=True), Index(name="a"))
    [note] = left_out.hidden(every, [log])
    assert (note.code, note.objects) == (NoteCode.NOT_CHOSEN, (".own", "secret"))
    [note] = left_out.failures(every, [log])
    assert (note.code, note.objects) == (NoteCode.NOT_DUMPED, (".fs-logs-000001",))
    assert left_out.failures(every, []) == ()
    assert left_out.hidden([log], [log]) == ()
