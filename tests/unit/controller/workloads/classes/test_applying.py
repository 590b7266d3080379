"""The values of a class lie beneath the workload's own, as far as the class allows those."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.names import PREFIX
from controller.model.status import Reason, Rejected
from controller.workloads.classes.applying import has_classes, with_class
from controller.workloads.classes.choice import Place
from controller.workloads.classes.keys import IN_CLASSES
from controller.workloads.request import ANNOTATIONS, Request, parse_request
from tests.fakes.recipients import RECIPIENTS
from tests.fakes.worlds import asks, settings

GOLD: dict[str, Any] = {
    "schedule": "0 4 * * *",
    "timezone": "Europe/Paris",
    "retention": "keep-last=3,keep-daily=14",
    "encryption-enabled": "true",
    "encryption-recipient": RECIPIENTS[0],
    "resources": {"limits": {"memory": "1Gi"}},
}
TEXTS = st.sampled_from([*map(str, GOLD.values()), "keep-daily=14,keep-last=3", "0", "none"])
HERE = Place(namespace="demo")


def classed(gold: dict[str, Any], schedule: str = "", **own: str) -> dict[str, str] | Rejected:
    """The annotations of a workload of the class, without a schedule unless one is given."""
    values = asks(**({"schedule": schedule, "class": "gold"} | own))
    if not values[PREFIX + "schedule"]:
        del values[PREFIX + "schedule"]
    found = with_class(values, HERE, settings(CLASSES=json.dumps({"gold": gold})))
    return found if isinstance(found, Rejected) else dict(found)


def request(gold: dict[str, Any], schedule: str = "", **own: str) -> Request:
    values = classed(gold, schedule, **own)
    assert not isinstance(values, Rejected), values
    found = parse_request(values, settings())
    assert isinstance(found, Request), found
    return found


def test_a_class_says_all_that_is_not_about_one_database() -> None:
    found = request(GOLD)
    assert found.backup_class == "gold"
    assert (found.schedule, found.time_zone) == ("0 4 * * *", "Europe/Paris")
    assert (found.retention, found.recipient) == ("keep-last=3,keep-daily=14", RECIPIENTS[0])
    assert found.resources == '{"limits":{"memory":"1Gi"}}'
    assert (found.deadline, found.retries) == (14400, 2)


def test_what_the_class_allows_the_workload_sets_itself() -> None:
    allows = GOLD | {"allow": ["schedule", "deadline-seconds"]}
    found = request(allows, "@hourly", deadline_seconds="60")
    assert (found.schedule, found.deadline, found.time_zone) == ("@hourly", 60, "Europe/Paris")


@pytest.mark.parametrize(
    ("own", "named"),
    [
        (
            {"retention": "keep-last=1"},
            (
                f"{PREFIX}retention, which is 'keep-last=1' (the class says "
                "'keep-last=3,keep-daily=14'): remove it"
            ),
        ),
        (
            {"retries": "0"},
            f"{PREFIX}retries, which is '0' (the class says nothing of it): remove it",
        ),
        (
            {"encryption_enabled": ""},
            f"{PREFIX}encryption-enabled, which is empty (the class says 'true'): remove it",
        ),
        (
            {"encryption_recipient": RECIPIENTS[1], "verify": "none"},
            (
                f"{PREFIX}encryption-recipient, which is refused (its value is not shown), nor "
                f"{PREFIX}verify, which is 'none' (the class says nothing of it): remove them"
            ),
        ),
        (
            {"resources": '{"limits": {"memory": "9Gi"}}'},
            (
                f'{PREFIX}resources, which is \'{{"limits": {{"memory": "9Gi"}}}}\' '
                '(the class says \'{"limits": {"memory": "1Gi"}}\'): remove it'
            ),
        ),
    ],
)
def test_what_the_class_does_not_allow_is_named(own: dict[str, str], named: str) -> None:
    found = classed(GOLD | {"allow": ["timezone"]}, **own)
    message = (
        f"the class gold does not allow the annotation {named}; its workloads may set timezone"
    )
    assert found == Rejected(Reason.NOT_ALLOWED_BY_CLASS, message)


@pytest.mark.parametrize(
    "own",
    [
        {"timezone": "Europe/Paris"},
        {"timezone": ""},
        {"retention": "keep-daily=14,keep-last=3"},
        {"resources": '{"limits":{"memory":"1Gi"}}'},
        {"encryption_enabled": "true"},
        {"encryption_recipient": RECIPIENTS[0]},
        {"retries": ""},
    ],
)
def test_the_same_value_and_an_empty_one_need_no_leave(own: dict[str, str]) -> None:
    assert request(GOLD, **own) == request(GOLD)


@pytest.mark.parametrize(
    ("own", "field", "value"),
    [
        ({"host": "db.example"}, "host", "db.example"),
        ({"database": "shop"}, "database", "shop"),
        ({"credentials_secret": "login"}, "credentials_secret", "login"),
        ({"port": "5433"}, "port", 5433),
        ({"suspend": "true"}, "suspend", True),
        ({"backup_now": "1"}, "backup_now", "1"),
    ],
)
def test_what_is_about_the_database_is_always_its_own(
    own: dict[str, str], field: str, value: object
) -> None:
    assert getattr(request(GOLD, **own), field) == value


def test_without_classes_nothing_is_looked_at() -> None:
    values = asks(retention="keep-last=1")
    assert not has_classes(values, settings())
    assert with_class(values, HERE, settings()) is values
    assert has_classes(asks(**{"class": "gold"}), settings())
    assert has_classes(values, settings(CLASS_REQUIRED="true"))


@given(
    own=st.dictionaries(st.sampled_from([item.key for item in ANNOTATIONS]), st.text() | TEXTS),
    allow=st.sets(st.sampled_from([*IN_CLASSES])),
)
def test_no_value_but_an_allowed_one_goes_past_the_class(
    own: dict[str, str], allow: set[str]
) -> None:
    found = classed(GOLD | {"allow": sorted(allow)}, **(own | {"class": "gold"}))
    if isinstance(found, Rejected):
        assert len(found.message) <= 1024
        return
    plain = classed(GOLD)
    assert not isinstance(plain, Rejected)
    for key, record in IN_CLASSES.items():
        mine, theirs = found.get(record.name), plain.get(record.name)
        if key not in allow and mine != theirs:
            assert mine
            assert theirs
            assert record.read(mine) == record.read(theirs)
