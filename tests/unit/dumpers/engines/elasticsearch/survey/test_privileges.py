"""What roles hide, by the answers of Elasticsearch and OpenSearch."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from dumpers.engines.elasticsearch.indices import Index
from dumpers.engines.elasticsearch.survey import privileges

INDICES = (Index(name="tenants"), Index(name="orders"), Index(name=".ds-logs-1", stream="logs"))
EVERY = tuple(index.name for index in INDICES)
READ: Mapping[str, Any] = {"names": ["*"], "privileges": ["read"]}


def group(*names: str, **more: object) -> Mapping[str, Any]:
    return {"names": [*names], "privileges": ["read", "view_index_metadata"], **more}


@pytest.mark.parametrize(
    ("groups", "documents", "fields"),
    [
        ([READ], (), ()),
        ([{"names": ["*"], "privileges": ["all"]}], (), ()),
        ([group("*", query=["{}"])], EVERY, ()),
        ([group("ten*", query='{"match_all":{}}')], ("tenants",), ()),
        ([group("*", query=["{}"]), group("orders")], ("tenants", ".ds-logs-1"), ()),
        # A role that does not let read does not show what another one hides.
        ([group("*", query=["{}"]), {"names": ["*"], "privileges": ["monitor"]}], EVERY, ()),
        ([group("logs", query=["{}"])], (".ds-logs-1",), ()),
        ([group("/ord.*/", query=["{}"])], ("orders",), ()),
        # What cannot be understood is taken to mean the index.
        ([group("/ord(/", query=["{}"])], EVERY, ()),
        ([group("/~([.].*)/", query=["{}"]), group("/~([.].*)/")], EVERY, ()),
        ([group("t?nants", query=["{}"]), group("orders")], ("tenants",), ()),
        ([group("*", field_security=[{"grant": ["a"]}])], (), EVERY),
        ([group("*", field_security=[{"grant": ["*"], "except": ["a"]}])], (), EVERY),
        ([group("*", field_security=[{"grant": ["*"]}])], (), ()),
        ([group("*", field_security=[{"grant": ["a"]}, {"grant": ["*"]}])], (), ()),
        ([group("*", field_security={"grant": ["a"]}), group("tenants")], (), EVERY[1:]),
        ([], (), ()),
    ],
)
def test_what_elasticsearch_hides(
    groups: Sequence[Mapping[str, Any]], documents: Sequence[str], fields: Sequence[str]
) -> None:
    found = privileges.of_elasticsearch({"indices": groups})
    assert found.without_documents(INDICES) == documents
    assert found.without_fields(INDICES) == fields


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        ([group("*")], ()),
        ([group("orders")], ("tenants", ".ds-logs-1")),
        ([READ], EVERY),
        ([READ, {"names": ["*"], "privileges": ["manage"]}], ()),
        ([{"names": ["*"], "privileges": ["indices:data/read/search"]}], EVERY),
    ],
)
def test_what_is_not_certain(groups: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    found = privileges.of_elasticsearch({"indices": groups}).doubtful(INDICES)
    assert tuple(index.name for index in found) == names


def test_a_key_may_do_what_it_and_its_owner_may() -> None:
    own = {"role": {"indices": [group("orders", query="{}")]}}
    owner = [{"role": {"indices": [group("tenants", field_security={"grant": ["a"]})]}}]
    answer = {"api_keys": [{"role_descriptors": own, "limited_by": owner}]}
    key, limit = privileges.of_key(answer)
    assert key.without_documents(INDICES) == ("orders",)
    assert limit.without_fields(INDICES) == ("tenants",)
    # A key without roles of its own may do what its owner may.
    assert (
        len(privileges.of_key({"api_keys": [{"role_descriptors": {}, "limited_by": owner}]})) == 1
    )


@pytest.mark.parametrize("answer", [{}, {"api_keys": []}, {"api_keys": [{"id": "x"}]}])
def test_a_key_of_which_nothing_is_said(answer: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match="not said"):
        privileges.of_key(answer)


def test_what_opensearch_hides_adds_up() -> None:
    roles = {
        "all": {"index_permissions": [{"index_patterns": ["*"]}]},
        "half": {"index_permissions": [{"index_patterns": ["ten*"], "dls": "{}"}]},
        "masked": {"index_permissions": [{"index_patterns": ["ord*"], "masked_fields": ["a"]}]},
        "other": {"index_permissions": [{"index_patterns": ["*"], "fls": ["~a"]}]},
    }
    found = privileges.of_opensearch(roles, ["all", "half", "masked"])
    assert found.without_documents(INDICES) == ("tenants",)
    assert found.without_fields(INDICES) == ("orders",)
    with pytest.raises(KeyError):
        privileges.of_opensearch(roles, ["unknown"])
