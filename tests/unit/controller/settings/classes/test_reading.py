"""Classes: what is read of them, and what is refused with its path."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.settings.classes.reading import parse_classes
from controller.settings.settings import Settings
from dumpers.runtime.errors import ConfigurationError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
MEMBERS = st.sampled_from(["namespaces", "allow", "defaultFor", "schedule", "resources", "", "é"])
KEY = "AGE-SECRET-KEY-1QQQSECRETSECRETSECRET"


def faults_of(value: object) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        parse_classes(json.dumps(value))
    return caught.value.faults


def test_by_default_there_is_none() -> None:
    settings = Settings.from_env({"WATCH_NAMESPACES": "a"})
    assert (settings.classes, settings.class_required) == ({}, False)


def test_what_the_chart_gives_is_read() -> None:
    entry = {
        "schedule": "@daily",
        "timezone": "",
        "retention": None,
        "encryption-enabled": True,
        "deadline-seconds": 7200,
        "retries": 3.0,
        "resources": {"limits": {"memory": "1Gi"}},
        "namespaces": ["shop-*", "shop-*", "lab"],
        "allow": ["schedule"],
        "defaultFor": {"labels": {"tier": "gold"}, "namespaces": []},
    }
    found = parse_classes(json.dumps({"gold": entry, "plain": {"schedule": "@weekly"}}))
    gold, plain = found["gold"], found["plain"]
    assert gold.name == "gold"
    assert gold.values == {
        "schedule": "@daily",
        "encryption-enabled": "true",
        "deadline-seconds": "7200",
        "retries": "3",
        "resources": '{"limits": {"memory": "1Gi"}}',
    }
    assert gold.namespaces == ("shop-*", "lab")
    assert gold.allow == frozenset({"schedule"})
    assert gold.default is not None
    assert (gold.default.namespaces, gold.default.labels) == ((), {"tier": "gold"})
    assert not any((plain.namespaces, plain.allow, plain.default))


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ([], "classes.gold: must be an object, such as"),
        ("@daily", "classes.gold: must be an object, such as"),
        ({"schedule": ["@daily"]}, "classes.gold.schedule: must be a text, as the annotation"),
        ({"retries": 1.5}, "classes.gold.retries: must be a text, as the annotation"),
        ({"namespaces": "shop"}, "classes.gold.namespaces: must be a list of namespaces"),
        ({"namespaces": []}, "classes.gold.namespaces: must be a list of namespaces"),
        ({"namespaces": ["Shop"]}, "classes.gold.namespaces: 'Shop' must be a namespace"),
        ({"namespaces": [1]}, "classes.gold.namespaces: '1' must be a namespace"),
        ({"allow": "schedule"}, "classes.gold.allow: must be a list of annotations"),
        ({"allow": [1]}, "classes.gold.allow: must be a list of annotations"),
        ({"defaultFor": True}, "classes.gold.defaultFor: must hold namespaces or labels, or both"),
        ({"defaultFor": {}}, "classes.gold.defaultFor: must hold namespaces or labels, or both"),
        (
            {"defaultFor": {"labels": {}}},
            "classes.gold.defaultFor: must hold namespaces or labels, or both",
        ),
        (
            {"defaultFor": {"label": {"tier": "gold"}}},
            "classes.gold.defaultFor: must hold namespaces or labels, or both",
        ),
        (
            {"defaultFor": {"labels": ["tier"]}},
            "classes.gold.defaultFor.labels: must be an object of labels",
        ),
        (
            {"defaultFor": {"labels": {"tier": True}}},
            "classes.gold.defaultFor.labels: tier must have the value of a label, as text in",
        ),
        (
            {"defaultFor": {"labels": {"a b": "c"}}},
            "classes.gold.defaultFor.labels: 'a b' must be the key of a label",
        ),
        (
            {"defaultFor": {"namespaces": "*"}},
            "classes.gold.defaultFor.namespaces: must be a list of namespaces",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_path(entry: Any, fault: str) -> None:
    (found,) = faults_of({"gold": entry, "good": {"schedule": "@daily"}})
    assert found.startswith(fault)


def test_every_fault_is_told_at_once() -> None:
    faults = faults_of({"gold": {"allow": 1, "namespaces": 2}, "a": 3, "No Name": {}})
    assert [fault.partition(": ")[0] for fault in faults] == [
        "classes.gold.namespaces",
        "classes.gold.allow",
        "classes.a",
        "classes",
    ]
    assert faults[-1].startswith("classes: 'No Name' is the name of a class: it must be a Kuber")


@pytest.mark.parametrize("text", ["[]", "gold", '"gold"', "{", "[" * 10_000])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"CLASSES is .*: it must be a JSON object"):
        Settings.from_env({"WATCH_NAMESPACES": "a", "CLASSES": text})


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"gold": {"encryption-recipient": KEY}}, "classes.gold: "),
        ({"gold": {KEY: "x"}}, "classes.gold: "),
        ({KEY: {}}, "classes: "),
        ({KEY.lower(): {}}, "classes: "),
    ],
)
def test_a_private_key_is_never_shown(value: object, path: str) -> None:
    (fault,) = faults_of(value)
    assert fault.startswith(f"{path}must never hold a private key")
    assert "SECRETSECRET" not in fault.upper()


@given(value=st.dictionaries(st.text(), st.dictionaries(MEMBERS, JSON) | JSON))
def test_any_value_is_read_or_refused(value: dict[str, Any]) -> None:
    try:
        found = parse_classes(json.dumps(value))
    except ConfigurationError as error:
        assert all(fault.startswith("classes") for fault in error.faults)  # noqa: PT017
    else:
        assert list(found) == list(value)
