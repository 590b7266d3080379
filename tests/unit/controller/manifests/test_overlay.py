import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.manifests.overlay import field_changes, overlay, same_quantity
from controller.model.objects import DELETE, DELETE_ENTRY

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
KEYS = st.sampled_from(["a", "b", "spec", "env", "limits", "securityContext", "data"])
JSON = st.recursive(
    SCALARS, lambda inner: st.dictionaries(KEYS, inner) | st.lists(inner, max_size=3), max_leaves=12
)
OBJECTS = st.dictionaries(KEYS, JSON)


@given(OBJECTS, OBJECTS)
def test_what_was_written_once_needs_no_second_write(
    existing: dict[str, Any], desired: dict[str, Any]
) -> None:
    before = copy.deepcopy((existing, desired))
    once = overlay(existing, desired)
    assert overlay(once, desired) == once
    assert (existing, desired) == before


@given(OBJECTS)
def test_an_object_does_not_differ_from_itself(item: dict[str, Any]) -> None:
    assert list(field_changes(item, copy.deepcopy(item))) == []


def test_changes_name_the_single_field_and_the_order() -> None:
    before = {"a": 1, "env": [{"name": "x", "value": "1"}, {"name": "y"}]}
    after = {"b": 2, "env": [{"name": "y"}, {"name": "x", "value": "2"}]}
    found = {item.path: (item.before, item.after) for item in field_changes(before, after)}
    assert found == {
        "a": (1, None),
        "b": (None, 2),
        "env[order]": (["x", "y"], ["y", "x"]),
        "env[x].value": ("1", "2"),
    }


@pytest.mark.parametrize(
    ("existing", "desired", "expected"),
    [
        ({"a": 1, "theirs": 2}, {"a": 3}, {"a": 3, "theirs": 2}),
        ({"a": 1}, {"a": None}, {}),
        ({"a": 1, "theirs": {"b": 2}}, {"a": DELETE, "theirs": {"b": DELETE}}, {"theirs": {}}),
        ({}, {"spec": {"a": DELETE}}, {"spec": {}}),
        (
            {"volumes": [{"name": "ca", "secret": {}}, {"name": "theirs"}]},
            {"volumes": [{"name": "ca", **DELETE_ENTRY}, {"name": "never", **DELETE_ENTRY}]},
            {"volumes": [{"name": "theirs"}]},
        ),
        ({"env": [{"name": "x"}]}, {"env": [{"name": "y"}]}, {"env": [{"name": "y"}]}),
        (
            {"containers": [{"name": "side"}, {"name": "job", "image": "1", "tty": True}]},
            {"containers": [{"name": "job", "image": "2"}]},
            {"containers": [{"name": "side"}, {"name": "job", "image": "2", "tty": True}]},
        ),
        (
            {"securityContext": {"privileged": True}},
            {"securityContext": {"runAsNonRoot": True}},
            {"securityContext": {"runAsNonRoot": True}},
        ),
        (
            {"volumes": [{"name": "tmp", "hostPath": {}}, {"name": "theirs"}]},
            {"volumes": [{"name": "tmp", "emptyDir": {}}]},
            {"volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "theirs"}]},
        ),
        (
            {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}},
            {"resources": {"limits": {"cpu": "1000m", "memory": "2Gi"}}},
            {"resources": {"limits": {"cpu": "1", "memory": "2Gi"}}},
        ),
        (
            {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}, "theirs": 1},
            {"resources": {"limits": {"memory": "2Gi"}}},
            {"resources": {"limits": {"memory": "2Gi"}}, "theirs": 1},
        ),
        (
            {"affinity": {"podAffinity": {}, "nodeAffinity": {"a": 1, "b": 2}}},
            {"affinity": {"nodeAffinity": {"a": 1}}},
            {"affinity": {"nodeAffinity": {"a": 1}}},
        ),
    ],
)
def test_ours_is_replaced_and_the_rest_stays(existing: Any, desired: Any, expected: Any) -> None:
    assert overlay(existing, desired) == expected


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("1", "1000m", True),
        (1, "1", True),
        ("1Gi", "1024Mi", True),
        ("1G", "1Gi", False),
        ("0.5", "500m", True),
        ("1e3", "1k", True),
        ("nonsense", "nonsense", True),
        ("nonsense", "1", False),
    ],
)
def test_quantities(left: Any, right: Any, *, same: bool) -> None:
    assert same_quantity(left, right) is same


def test_null_that_an_older_api_server_shows_is_nothing_to_write() -> None:
    claim = {"metadata": {"creationTimestamp": None}, "spec": {"volumeMode": "Filesystem"}}
    existing = {"volumes": [{"name": "a", "ephemeral": {"volumeClaimTemplate": claim}}]}
    wanted = {"metadata": {}, "spec": {"volumeMode": "Filesystem"}}
    desired = {"volumes": [{"name": "a", "ephemeral": {"volumeClaimTemplate": wanted}}]}
    assert overlay(existing, desired) is existing
    labelled = {**claim, "metadata": {"labels": {"a": "b"}}}
    existing = {"volumes": [{"name": "a", "ephemeral": {"volumeClaimTemplate": labelled}}]}
    assert overlay(existing, desired) == desired


def test_init_containers_of_others_stay() -> None:
    theirs, ours = {"name": "theirs"}, {"name": "server", "image": "b"}
    existing = {"initContainers": [theirs, {"name": "server", "image": "a", "tty": False}]}
    made = overlay(existing, {"initContainers": [ours]})
    assert made == {"initContainers": [theirs, {"name": "server", "image": "b", "tty": False}]}
