"""Which class a workload has, and who may use which."""

import json
from typing import Any

import pytest

from controller.model.names import PREFIX
from controller.model.status import Reason, RejectedError
from controller.workloads.classes.choice import Place, choose_class
from tests.fakes.worlds import asks, settings

DAILY = {"schedule": "@daily"}
CLASSES: dict[str, Any] = {
    "gold": DAILY | {"namespaces": ["shop-*", "demo"], "defaultFor": {"labels": {"tier": "gold"}}},
    "silver": DAILY | {"defaultFor": {"namespaces": ["shop-*"]}},
    "eu": DAILY | {"defaultFor": {"labels": {"region": "eu"}, "namespaces": ["shop-*"]}},
    "lab": DAILY | {"namespaces": ["lab"]},
}


def chosen(
    namespace: str, labels: dict[str, str] | None = None, named: str | None = None, **env: str
) -> tuple[str, str]:
    """Name of the class and why; empty for none."""
    values = asks() | ({} if named is None else {PREFIX + "class": named})
    how = settings(CLASSES=json.dumps(CLASSES), **env)
    found = choose_class(values, Place(namespace=namespace, labels=labels or {}), how)
    return (found.backup_class.name, found.why) if found else ("", "")


@pytest.mark.parametrize(
    ("namespace", "labels", "named", "wanted"),
    [
        ("other", {}, None, ("", "")),
        ("other", {}, "", ("", "")),
        ("other", {}, "silver", ("silver", "the annotation class names it")),
        ("shop-a", {}, None, ("silver", "it is the default of workloads of namespace shop-a")),
        ("shop-a", {}, "", ("silver", "it is the default of workloads of namespace shop-a")),
        ("shop-a", {}, "gold", ("gold", "the annotation class names it")),
        (
            "shop-a",
            {"tier": "gold", "app": "db"},
            None,
            ("gold", "it is the default of workloads with the labels tier=gold"),
        ),
        ("shop-a", {"tier": "gold", "region": "eu"}, "silver", ("silver", "the annotation class")),
        ("other", {"tier": "gold"}, None, ("", "")),
        ("demo", {"region": "eu"}, None, ("", "")),
        ("demo", {"tier": "silver"}, None, ("", "")),
    ],
)
def test_the_class_of_a_workload(
    namespace: str, labels: dict[str, str], named: str | None, wanted: tuple[str, str]
) -> None:
    name, why = chosen(namespace, labels, named)
    assert name == wanted[0]
    assert why.startswith(wanted[1])
    assert bool(why) == bool(name)


@pytest.mark.parametrize(
    ("namespace", "named", "reason", "message"),
    [
        (
            "other",
            "golden",
            Reason.CLASS_INVALID,
            "'golden': there is no such class for namespace other, which may use eu, silver",
        ),
        (
            "other",
            "gold",
            Reason.CLASS_INVALID,
            "'gold': that class is not for namespace other, which may use eu, silver",
        ),
        (
            "lab",
            "Gold!",
            Reason.CLASS_INVALID,
            "'Gold!': must be a Kubernetes name",
        ),
        ("lab", "AGE-SECRET-KEY-1QQQSECRET", Reason.CLASS_INVALID, "refused (its value"),
    ],
)
def test_a_class_that_cannot_be_had(
    namespace: str, named: str, reason: Reason, message: str
) -> None:
    with pytest.raises(RejectedError) as caught:
        chosen(namespace, named=named)
    rejected = caught.value.rejected
    assert rejected.reason is reason
    assert rejected.message.startswith(f"the annotation {PREFIX}class is {message}")
    assert "QQQSECRET" not in rejected.message


def test_two_defaults_are_nobodys_to_choose_from() -> None:
    with pytest.raises(RejectedError, match="default for it: eu, gold") as caught:
        chosen("shop-a", {"tier": "gold", "region": "eu"})
    assert caught.value.rejected.reason is Reason.CLASS_AMBIGUOUS


def test_where_a_class_is_required_one_is_named_or_the_default() -> None:
    assert chosen("shop-a", CLASS_REQUIRED="true")[0] == "silver"
    assert chosen("lab", named="lab", CLASS_REQUIRED="true")[0] == "lab"
    with pytest.raises(RejectedError, match="namespace lab may use eu, lab, silver") as caught:
        chosen("lab", CLASS_REQUIRED="true")
    assert caught.value.rejected.reason is Reason.CLASS_MISSING
