"""Accounts of Elasticsearch's own security: the least of the docs, and such as see only a part."""

import json
from collections.abc import Iterable

import pytest

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.elasticsearch.engine import ENGINE
from dumpers.runtime.errors import SourceRefusedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.elasticsearch.conftest import (
    Dump,
    Secured,
    dump,
    job,
    unwrapped,
)
from tests.integration.dumpers.elasticsearch.worlds import create
from tests.testbed.databases.search import SearchServer


def fill(server: SearchServer) -> None:
    """Tenants, half of them of one, an index with an alias and one without."""
    tenants = {
        f"{number}": json.dumps({"who": "mine" if number % 2 else "other", "secret": number})
        for number in range(100)
    }
    server.bulk("tenants", tenants)
    create(server, "shop-a", aliases=True)
    server.bulk("shop-a", {"1": '{"n":1}'})
    server.bulk("shop-b", {"1": '{"n":1}'})
    server.ask("PUT", "/_template/old", {"index_patterns": ["old-*"], "order": 7})


def found(notes: Iterable[Note], code: NoteCode) -> list[tuple[str, ...]]:
    """The objects of the notes of one kind."""
    return [note.objects for note in notes if note.code is code]


def documents(parts: Dump) -> dict[str, int]:
    counted = parts["data"][1]["documents"]
    assert isinstance(counted, dict)
    return counted


def test_the_least_rights_are_enough(secured: Secured) -> None:
    server = secured.server
    fill(server)
    if server.name == "elasticsearch-6":
        server.ask("PUT", "/_ingest/pipeline/p", {"processors": []})
        server.ask("PUT", "/_ilm/policy/mine", {"policy": {"phases": {}}})
    source, parts = dump(secured.job("least"))
    _, whole = dump(secured.job(server.user))
    assert parts.keys() == whole.keys()
    for name in parts.keys() - {"data", "index", "settings", "analyzer"}:
        assert parts[name][0] == whole[name][0]
    assert sorted(parts["data"][0].splitlines()) == sorted(whole["data"][0].splitlines())
    usual = {NoteCode.GLOBALS, NoteCode.NOT_CHOSEN, NoteCode.NOT_CONSISTENT}
    assert {note.code for note in source.notes} <= usual
    [globals_] = found(source.notes, NoteCode.GLOBALS)
    assert "users and roles" in globals_
    assert [*unwrapped(parts["alias"][0])] == ["shop-a"]


@pytest.mark.parametrize("patterns", ["", "tenants"])
@pytest.mark.parametrize(
    ("user", "count", "words"),
    [("documents", 50, "document-level"), ("fields", 100, "field-level")],
)
def test_what_a_role_hides_is_noted(
    secured: Secured, user: str, count: int, words: str, patterns: str
) -> None:
    fill(secured.server)
    source, parts = dump(secured.job(user, KSNAPSHOT_INDICES=patterns))
    assert documents(parts)["tenants"] == count
    every = ("shop-a", "shop-b", "tenants")
    assert found(source.notes, NoteCode.ROW_SECURITY) == [("tenants",) if patterns else every]
    assert any(words in note.text for note in source.notes)


def test_one_role_that_hides_nothing_is_enough(secured: Secured) -> None:
    fill(secured.server)
    source, parts = dump(secured.job("both", KSNAPSHOT_INDICES="tenants"))
    assert documents(parts) == {"tenants": 100}
    assert {note.code for note in source.notes} <= {NoteCode.NOT_CONSISTENT}


@pytest.mark.parametrize("user", ["shop", "looker"])
def test_indices_that_an_account_may_not_read(secured: Secured, user: str) -> None:
    fill(secured.server)
    source, parts = dump(secured.job(user))
    assert documents(parts) == {"shop-a": 1, "shop-b": 1}
    assert found(source.notes, NoteCode.UNREADABLE) == [("tenants",)]
    source, parts = dump(secured.job(user, KSNAPSHOT_INDICES="shop-*"))
    assert documents(parts) == {"shop-a": 1, "shop-b": 1}
    assert {note.code for note in source.notes} <= {NoteCode.NOT_CONSISTENT}
    source, _ = dump(secured.job(user, KSNAPSHOT_INDICES="*,-tenants"))
    assert found(source.notes, NoteCode.UNREADABLE) == []
    with pytest.raises(SourceRefusedError, match="tenants"):
        dump(secured.job(user, KSNAPSHOT_INDICES="shop-a,tenants"))


def test_parts_that_an_account_may_not_read(secured: Secured) -> None:
    fill(secured.server)
    source, parts = dump(secured.job("few", KSNAPSHOT_INDICES="shop-a"))
    assert documents(parts) == {"shop-a": 1}
    [missing] = found(source.notes, NoteCode.UNREADABLE)
    assert "ingest pipelines" in missing
    assert "pipeline" not in parts


def test_a_cluster_without_indices(secured: Secured) -> None:
    _, parts = dump(secured.job("least"))
    assert documents(parts) == {}
    assert [*unwrapped(parts["index"][0])] == []


# The bare distribution cannot keep keys.
@pytest.mark.parametrize("secured", ["elasticsearch-6"], indirect=True)
def test_a_key_whose_roles_are_not_said(secured: Secured) -> None:
    server = secured.server
    fill(server)
    role = {"names": ["*"], "privileges": ["read", "view_index_metadata", "monitor"]}
    limited = {"cluster": ["all"], "index": [{**role, "query": {"term": {"who.keyword": "mine"}}}]}
    made = server.ask(
        "POST", "/_security/api_key", {"name": "half", "role_descriptors": {"half": limited}}
    )
    key = f"{made['id']}:{made['api_key']}"
    source, parts = dump(
        job(server, ELASTICSEARCH_API_KEY=key, ELASTICSEARCH_CA_FILE=secured.ca_file)
    )
    assert documents(parts)["tenants"] == 50
    unknown, fewer = found(source.notes, NoteCode.ROW_SECURITY)
    assert unknown == ()
    # What has nested fields counts more documents than there are, so nobody can tell.
    assert fewer == ("shop-b", "tenants")


@pytest.mark.parametrize("user", ["least", "refresher"])
def test_documents_that_are_shown_on_request_only(secured: Secured, user: str) -> None:
    server = secured.server
    create(server, "quiet", refresh_interval="-1")
    server.ask("PUT", "/quiet/_doc/1", '{"n":1}')
    source, parts = dump(secured.job(user))
    stale = found(source.notes, NoteCode.NOT_DUMPED)
    if user == "refresher":
        assert documents(parts) == {"quiet": 1}
        assert stale == []
    else:
        assert documents(parts) == {"quiet": 0}
        assert stale == [("quiet",)]


def test_a_dump_leaves_no_trace(secured: Secured) -> None:
    fill(secured.server)
    with ENGINE.open(secured.job("least"), Interrupt()):
        pass
    stats = secured.server.ask("GET", "/_nodes/stats/indices/search")
    [node] = stats["nodes"].values()
    assert node["indices"]["search"]["open_contexts"] == 0
