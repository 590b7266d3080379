"""Classes that could never be right end the controller at start, each fault with its path."""

import json
from typing import Any

import pytest

from controller.workloads.classes.checking import check_classes
from controller.workloads.classes.keys import IN_CLASSES, OWN_KEYS
from controller.workloads.request import ANNOTATIONS
from dumpers.runtime.errors import ConfigurationError
from tests.fakes.recipients import RECIPIENTS
from tests.fakes.worlds import settings

GOOD = {"schedule": "0 3 * * *"}
FULL: dict[str, Any] = {
    "schedule": "H H(1-5) * * *",
    "timezone": "Europe/Paris",
    "encryption-enabled": True,
    "encryption-recipient": RECIPIENTS[0],
    "compression": "zstd",
    "verify": "read-back",
    "accept": "standby",
    "retention": "keep-daily=14",
    "verify-schedule": "@weekly-random",
    "verify-sample": "1/7",
    "drill-schedule": "none",
    "deadline-seconds": 7200,
    "retries": 0,
    "resources": {"limits": {"memory": "1Gi"}},
    "log-level": "debug",
}


def faults_of(classes: dict[str, Any], *watched: str, **env: str) -> tuple[str, ...]:
    try:
        check_classes(settings(*watched, CLASSES=json.dumps(classes), **env))
    except ConfigurationError as error:
        return error.faults
    return ()


def test_a_class_may_hold_every_annotation_that_is_not_about_one_database() -> None:
    assert FULL.keys() <= IN_CLASSES.keys()
    assert faults_of({"gold": FULL}) == ()


def test_what_is_the_workloads_own_are_annotations_all() -> None:
    assert {item.key for item in ANNOTATIONS} >= OWN_KEYS


@pytest.mark.parametrize("key", sorted(OWN_KEYS))
def test_what_is_about_one_database_is_in_no_class(key: str) -> None:
    own = "is always the workload's own, so that no class can hold it: leave it out"
    assert faults_of({"gold": GOOD | {key: "x"}}) == (f"classes.gold.{key}: {own}",)
    assert faults_of({"gold": GOOD | {"allow": [key]}}) == (f"classes.gold.allow: {key} {own}",)


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"schedule": "0 3 * *"}, "classes.gold.schedule: is '0 3 * *': "),
        ({"schedule": "0 3 * * 7"}, "classes.gold.schedule: is '0 3 * * 7': "),
        ({"schedule": None}, "classes.gold.schedule: must be set, or be in classes.gold.allow"),
        ({"timezone": "Mars/Olympus"}, "classes.gold.timezone: is 'Mars/Olympus': "),
        ({"retention": "keep-dayly=3"}, "classes.gold.retention: is 'keep-dayly=3': "),
        (
            {"compression": "lzma"},
            "classes.gold.compression: is 'lzma': must be one of: gzip, zstd",
        ),
        ({"verify": "twice"}, "classes.gold.verify: is 'twice': must be one of: none, read-back"),
        ({"accept": "nonsense"}, "classes.gold.accept: is 'nonsense': "),
        ({"verify-schedule": "daily"}, "classes.gold.verify-schedule: is 'daily': "),
        ({"verify-sample": "2"}, "classes.gold.verify-sample: is '2': must be a share"),
        ({"drill-schedule": "never"}, "classes.gold.drill-schedule: is 'never': "),
        ({"deadline-seconds": 59}, "classes.gold.deadline-seconds: is '59': must be a whole"),
        ({"retries": 21}, "classes.gold.retries: is '21': must be a whole number from 0 to 20"),
        ({"retries": True}, "classes.gold.retries: is 'true': must be a whole number"),
        ({"log-level": "trace"}, "classes.gold.log-level: is 'trace': must be one of"),
        (
            {"resources": {"limits": {"gpu": 1}}},
            'classes.gold.resources: is \'{"limits": {"gpu": 1}}\': must give quantities',
        ),
        ({"resources": "1Gi"}, "classes.gold.resources: is '1Gi': must be a JSON object"),
        (
            {"encryption-enabled": "yes"},
            "classes.gold.encryption-enabled: is 'yes': must be true or false",
        ),
        (
            {"encryption-enabled": True},
            (
                "classes.gold.encryption-enabled: is true, but neither "
                "classes.gold.encryption-recipient nor encryption.recipient names a recipient"
            ),
        ),
        (
            {"encryption-recipient": "age1hunter2"},
            "classes.gold.encryption-recipient: is refused (its value is not shown): ",
        ),
        ({"shedule": "@daily"}, "classes.gold.shedule: is no annotation: did you mean schedule?"),
        ({"timeZone": "UTC"}, "classes.gold.timeZone: is no annotation: did you mean timezone?"),
        ({"xyz": "1"}, "classes.gold.xyz: is no annotation: a class may hold schedule, timezone"),
        ({"x\ny": "1"}, "classes.gold.x\\ny: is no annotation: a class may hold"),
        ({"allow": ["retentoin"]}, "classes.gold.allow: retentoin is no annotation: did you mean"),
        (
            {"namespaces": ["shop-*"], "defaultFor": {"namespaces": ["demo"]}},
            (
                "classes.gold.defaultFor.namespaces: fits demo, which is not in "
                "classes.gold.namespaces"
            ),
        ),
    ],
)
def test_a_wrong_class_is_refused_with_its_path(entry: dict[str, Any], fault: str) -> None:
    (found,) = faults_of({"good": GOOD, "gold": GOOD | entry})
    assert found.startswith(fault)
    assert "hunter2" not in found


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ({"schedule": "0 * * * *"}, ""),
        ({"schedule": "*/30 * * * *"}, "schedule: is '*/30 * * * *', by which two runs may begin"),
        ({"schedule": "H/20 * * * *"}, "schedule: is 'H/20 * * * *', by which two runs may begin"),
        ({"schedule": "@hourly-random"}, ""),
        ({"verify-schedule": "@every 59m"}, "verify-schedule: is '@every 59m', by which"),
        ({"verify-schedule": "none"}, ""),
        ({"drill-schedule": "0,5 4 * * *"}, "drill-schedule: is '0,5 4 * * *', by which"),
        # As the operator has it of all.
        ({"verify-schedule": "*/10 * * * *"}, ""),
        ({"drill-schedule": "*/10 * * * *"}, "drill-schedule: is '*/10 * * * *', by which"),
        ({"verify-schedule": "sometimes"}, "verify-schedule: is 'sometimes': "),
    ],
)
def test_no_class_runs_more_often_than_workloads_may(entry: dict[str, Any], wrong: str) -> None:
    env = {"LIMITS_MIN_INTERVAL_SECONDS": "3600", "VERIFY_SCHEDULE": "*/10 * * * *"}
    found = faults_of({"gold": GOOD | entry}, **env)
    assert len(found) == bool(wrong)
    assert "".join(found).startswith(wrong and f"classes.gold.{wrong}")
    assert "by which" not in wrong or found[0].endswith("limits.minIntervalSeconds asks for 3600")


def test_every_fault_is_told_at_once() -> None:
    bad = {"retries": "many", "timezone": "Mars", "host": "x", "allow": ["port"]}
    faults = faults_of({"gold": bad, "silver": {"schedule": "daily"}}, CLASS_REQUIRED="true")
    assert [fault.partition(": ")[0] for fault in faults] == [
        "classes.gold.retries",
        "classes.gold.timezone",
        "classes.gold.host",
        "classes.gold.allow",
        "classes.gold.schedule",
        "classes.silver.schedule",
    ]


def test_that_every_workload_must_have_a_class_needs_one() -> None:
    assert faults_of({}) == ()
    (fault,) = faults_of({}, CLASS_REQUIRED="true")
    assert fault == "classRequired: is true, but there is no class: add one to classes"


@pytest.mark.parametrize(
    ("entry", "env", "wrong"),
    [
        ({"encryption-enabled": "true"}, {"DEFAULT_ENCRYPTION_RECIPIENT": RECIPIENTS[0]}, ""),
        ({"encryption-enabled": "true", "encryption-recipient": RECIPIENTS[1]}, {}, ""),
        ({"encryption-enabled": "true", "allow": ["encryption-recipient"]}, {}, ""),
        ({"encryption-enabled": "false"}, {}, ""),
        (
            {"encryption-enabled": "false"},
            {"ENCRYPTION_ENFORCED": "true", "DEFAULT_ENCRYPTION_RECIPIENT": RECIPIENTS[0]},
            "classes.gold.encryption-enabled: encryption.enforced is true",
        ),
        (
            {"encryption-recipient": RECIPIENTS[1]},
            {"ENCRYPTION_ENFORCED": "true", "DEFAULT_ENCRYPTION_RECIPIENT": RECIPIENTS[0]},
            "classes.gold.encryption-recipient: encryption.enforced is true",
        ),
        (
            {"encryption-enabled": "true"},
            {"ENCRYPTION_ENFORCED": "true", "DEFAULT_ENCRYPTION_RECIPIENT": RECIPIENTS[0]},
            "",
        ),
    ],
)
def test_encryption_of_a_class_and_of_all(
    entry: dict[str, Any], env: dict[str, str], wrong: str
) -> None:
    found = faults_of({"gold": GOOD | entry}, **env)
    assert (len(found), "".join(found).startswith(wrong)) == (bool(wrong), True)


@pytest.mark.parametrize(
    ("one", "other", "rivals"),
    [
        ({"namespaces": ["demo"]}, {"namespaces": ["*"]}, True),
        ({"namespaces": ["demo"]}, {"namespaces": ["other"]}, False),
        ({"labels": {"tier": "gold"}}, {"namespaces": ["*"]}, False),
        ({"labels": {"tier": "gold"}}, {"labels": {"tier": "gold"}}, True),
        ({"labels": {"tier": "gold"}}, {"labels": {"tier": "gold", "a": "b"}}, True),
        ({"labels": {"tier": "gold"}}, {"labels": {"tier": "silver"}}, False),
        ({"labels": {"tier": "gold"}}, {"labels": {"a": "b"}}, False),
        (
            {"labels": {"tier": "gold"}, "namespaces": ["demo"]},
            {"labels": {"tier": "gold"}, "namespaces": ["other"]},
            False,
        ),
    ],
)
def test_two_defaults_that_are_sure_to_meet_are_refused(
    one: dict[str, Any], other: dict[str, Any], *, rivals: bool
) -> None:
    classes = {"one": GOOD | {"defaultFor": one}, "other": GOOD | {"defaultFor": other}}
    wanted = (
        (
            "classes.other.defaultFor: in namespace demo classes.one.defaultFor fits the same "
            "workloads: leave one of them out, or add labels"
        ),
    )
    assert faults_of(classes, "demo", "other") == (wanted if rivals else ())
    assert faults_of(dict(reversed(classes.items())), "demo", "other") == (wanted if rivals else ())
