from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controller.loop.pass_state import PassState
from controller.model import names
from controller.model.names import PREFIX
from controller.model.status import Reason, Rejected, State
from controller.workloads.annotations import Annotation, is_enabled
from controller.workloads.request import ANNOTATIONS, Request, parse_request
from controller.workloads.services.roles import ServerRole
from dumpers.runtime.log import LogLevel
from tests.fakes.recipients import ED25519, RECIPIENTS
from tests.fakes.worlds import CONTROL, DB, asks, cluster, one_pass, settings, small

OPERATORS, SECOND, WORKLOADS = RECIPIENTS
NUMBERS = st.one_of(
    st.integers().map(str),
    st.integers(min_value=2**31 - 2, max_value=2**70).map(str),
    st.integers(min_value=1, max_value=5000).map(lambda digits: "9" * digits),
    st.floats().map(str),
    st.sampled_from(["1e999", "-0", "+1", "0x10", "1_000", "\u0661", "NaN"]),
)
HUGE = st.text(min_size=1, max_size=3).map(lambda text: text * 90_000)
JSONS = st.sampled_from(
    [
        "{}",
        "[]",
        "{" * 1000,
        '{"limits": []}',
        '{"limits": {"cpu": "1e99999"}}',
        '{"limits": {"cpu": -1}}',
        '{"limits": {"memory": NaN}}',
        '{"limits": {"nvidia.com/gpu": 1}}',
        '{"requests": {"cpu": ' + "9" * 1900 + "}}",
    ]
)
KEY_BODY = "QQPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQQPZRY9X8GF2TVDW0S3JN54KH"
KEY_SHAPES = st.sampled_from(
    [
        "AGE-SECRET-KEY-1{}",
        "age-secret-key-1{}\n",
        "AGE-SECRET-KEY-PQ-1{}",
        " AGE-SECRET-\nKEY-1{}",
        "AGE-PLUGIN-YUBIKEY-1{}",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY----- {}",
        "# created: now\n# public key: age1\nAGE-SECRET-KEY-1{}",
    ]
)
BESIDE = st.sampled_from(["", ",", " ", "\n", f"{OPERATORS},", f"{ED25519} "]) | st.text(max_size=9)
TEXTS = st.text() | NUMBERS | JSONS | HUGE
DEFAULT_ON = {"DEFAULT_ENCRYPTION_ENABLED": "true", "DEFAULT_ENCRYPTION_RECIPIENT": OPERATORS}


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({"type": "oracle"}, Reason.TYPE_INVALID),
        ({"type": ""}, Reason.TYPE_INVALID),
        ({"type": "PostgreSQL"}, Reason.TYPE_INVALID),
        ({"version": "9.6"}, Reason.VERSION_INVALID),
        ({"schedule": ""}, Reason.SCHEDULE_INVALID),
        ({"schedule": "0 3 * * 7"}, Reason.SCHEDULE_INVALID),
        ({"timezone": "Mars/Olympus"}, Reason.TIME_ZONE_INVALID),
        ({"encryption_enabled": "true"}, Reason.RECIPIENT_MISSING),
        ({"encryption_recipient": "age1\n"}, Reason.RECIPIENT_INVALID),
        ({"type": "elasticsearch", "elasticsearch_limit": "0"}, Reason.ANNOTATION_INVALID),
        ({"type": "elasticsearch", "elasticsearch_limit": "many"}, Reason.ANNOTATION_INVALID),
        ({"suspend": "yes"}, Reason.ANNOTATION_INVALID),
        ({"deadline_seconds": "59"}, Reason.ANNOTATION_INVALID),
        ({"deadline_seconds": "1h"}, Reason.ANNOTATION_INVALID),
        ({"retries": "-1"}, Reason.ANNOTATION_INVALID),
        ({"retries": "21"}, Reason.ANNOTATION_INVALID),
        ({"log_level": "trace"}, Reason.ANNOTATION_INVALID),
        ({"log_level": "DEBUG"}, Reason.ANNOTATION_INVALID),
        ({"resources": "memory: 1Gi"}, Reason.ANNOTATION_INVALID),
        ({"resources": '{"memory": "1Gi"}'}, Reason.ANNOTATION_INVALID),
        ({"resources": '{"limits": {"memory": "1 GB"}}'}, Reason.ANNOTATION_INVALID),
        ({"resources": '{"limits": {"gpu": "1"}}'}, Reason.ANNOTATION_INVALID),
        ({"credentials_secret": "Not_A_Name"}, Reason.ANNOTATION_INVALID),
        ({"database": "a\nb"}, Reason.ANNOTATION_INVALID),
        ({"container": "a/b"}, Reason.ANNOTATION_INVALID),
        ({"service": "a.b"}, Reason.ANNOTATION_INVALID),
        ({"host": "a,b"}, Reason.ANNOTATION_INVALID),
        ({"host": "/var/run"}, Reason.ANNOTATION_INVALID),
        ({"host": "-o"}, Reason.ANNOTATION_INVALID),
        ({"port": "0"}, Reason.ANNOTATION_INVALID),
        ({"port": "65536"}, Reason.ANNOTATION_INVALID),
        ({"read_from": "standby"}, Reason.ANNOTATION_INVALID),
        ({"type": "elasticsearch", "read_from": "replica"}, Reason.ANNOTATION_INVALID),
        ({"type": "clickhouse", "read_from": "primary"}, Reason.ANNOTATION_INVALID),
    ],
)
def test_a_bad_value_is_rejected_with_its_reason(extra: dict[str, str], reason: Reason) -> None:
    found = parse_request(asks(**extra), settings())
    assert isinstance(found, Rejected)
    assert found.reason is reason
    *_, key = extra
    assert PREFIX + key.replace("_", "-") in found.message or reason is Reason.RECIPIENT_MISSING


@pytest.mark.parametrize(
    ("extra", "field", "value"),
    [
        ({}, "suspend", None),
        ({"suspend": "true"}, "suspend", True),
        ({"suspend": "false"}, "suspend", False),
        ({}, "log_level", None),
        ({"log_level": "debug"}, "log_level", LogLevel.DEBUG),
        ({}, "deadline", 14400),
        ({"deadline_seconds": "3600"}, "deadline", 3600),
        ({}, "retries", 2),
        ({"retries": "0"}, "retries", 0),
        (
            {"resources": '{"limits": {"memory": "1Gi", "cpu": 1}}'},
            "resources",
            '{"limits":{"cpu":"1","memory":"1Gi"}}',
        ),
        ({"type": "elasticsearch"}, "numbers", (("ELASTICDUMP_LIMIT", 1000),)),
        (
            {"type": "elasticsearch", "elasticsearch_limit": "250"},
            "numbers",
            (("ELASTICDUMP_LIMIT", 250),),
        ),
        ({"elasticsearch_limit": "ignored here"}, "numbers", ()),
        ({}, "port", 5432),
        ({"type": "mysql"}, "port", 3306),
        ({"type": "clickhouse", "version": "ignored here"}, "port", 8123),
        ({"type": "elasticsearch", "port": "9201"}, "port", 9201),
        ({"host": "2001:db8::1"}, "host", "2001:db8::1"),
        ({"host": "db.example.com."}, "host", "db.example.com."),
        ({"credentials_secret": "db.backup"}, "credentials_secret", "db.backup"),
        ({"database": "Büro"}, "database", "Büro"),
        ({}, "read_from", ServerRole.PRIMARY),
        ({"read_from": ""}, "read_from", ServerRole.PRIMARY),
        ({"type": "mysql", "read_from": "replica"}, "read_from", ServerRole.REPLICA),
        ({"type": "elasticsearch"}, "read_from", None),
        ({"group": "shop"}, "group", "shop"),
    ],
)
def test_a_good_value_is_taken(extra: dict[str, str], field: str, value: Any) -> None:
    found = parse_request(asks(**extra), settings())
    assert isinstance(found, Request)
    assert getattr(found, field) == value


@pytest.mark.parametrize(
    ("type_", "version", "setting"),
    [
        ("mysql", "", "MYSQL_DUMPER_IMAGE_8"),
        ("mysql", "8", "MYSQL_DUMPER_IMAGE_8"),
        ("mysql", "8.4", "MYSQL_DUMPER_IMAGE_8"),
        ("mysql", "5.7", "MYSQL_DUMPER_IMAGE_5_7"),
        ("postgresql", "", "POSTGRESQL_DUMPER_IMAGE_16"),
        ("postgresql", "13", "POSTGRESQL_DUMPER_IMAGE_16"),
        ("elasticsearch", "9", "ELASTICSEARCH_DUMPER_IMAGE"),
        ("clickhouse", "", "CLICKHOUSE_DUMPER_IMAGE"),
    ],
)
def test_type_and_version_choose_the_image(type_: str, version: str, setting: str) -> None:
    found = parse_request(asks(type=type_, version=version), settings())
    assert isinstance(found, Request)
    assert found.image.setting == setting


@pytest.mark.parametrize(
    ("extra", "overruled"),
    [
        ({}, False),
        ({"encryption_enabled": "true"}, False),
        ({"encryption_enabled": "false"}, True),
        ({"encryption_enabled": ""}, True),
        ({"encryption_recipient": "age1theirs"}, True),
    ],
)
def test_enforced_encryption_cannot_be_changed(extra: dict[str, str], *, overruled: bool) -> None:
    enforced = settings(
        ENCRYPTION_ENFORCED="true", DEFAULT_ENCRYPTION_RECIPIENT=f"{OPERATORS},{SECOND}"
    )
    found = parse_request(asks(**extra), enforced)
    assert isinstance(found, Request)
    assert (found.recipient, found.overruled) == (f"{OPERATORS},{SECOND}", overruled)


@pytest.mark.parametrize(
    ("extra", "env", "recipient"),
    [
        ({}, {}, ""),
        ({}, DEFAULT_ON, OPERATORS),
        ({"encryption_enabled": ""}, DEFAULT_ON, ""),
        ({"encryption_enabled": "false"}, DEFAULT_ON, ""),
        ({"encryption_enabled": "yes"}, DEFAULT_ON, ""),
        ({"encryption_enabled": "true", "encryption_recipient": WORKLOADS}, {}, WORKLOADS),
        ({"encryption_recipient": WORKLOADS}, DEFAULT_ON, WORKLOADS),
        ({"encryption_recipient": ""}, DEFAULT_ON, OPERATORS),
        ({"encryption_recipient": WORKLOADS}, {}, ""),
    ],
)
def test_encryption(extra: dict[str, str], env: dict[str, str], recipient: str) -> None:
    found = parse_request(asks(**extra), settings(**env))
    assert isinstance(found, Request)
    assert found.recipient == recipient


def test_empty_and_absent_optional_values_are_the_same_request() -> None:
    plain = parse_request(asks(), settings())
    assert parse_request(asks(timezone="", version=""), settings()) == plain
    assert parse_request(asks(timezone="Etc/UTC", version="16"), settings()) == plain


@pytest.mark.parametrize("annotation", ANNOTATIONS, ids=lambda item: item.key)
@pytest.mark.parametrize("type_", ["mysql", "elasticsearch", "clickhouse"])
def test_no_annotation_shows_a_private_key(annotation: Annotation[object], type_: str) -> None:
    key = "AGE-SECRET-KEY-1QQQSECRETSECRETSECRET"
    for text in (key, key.lower(), f"{key}\n", f"0 3 * * {key}", f'{{"{key}": 1}}'):
        found = parse_request(asks(type=type_) | {annotation.name: text}, settings())
        if isinstance(found, Rejected):
            assert "SECRETSECRET" not in found.message.upper()
        else:
            assert not annotation.hidden


@pytest.mark.parametrize("value", ["", "True", "yes", "1", " true"])
def test_only_exactly_true_enables(value: str) -> None:
    assert not is_enabled(asks(enabled=value))


@pytest.mark.parametrize("annotation", ANNOTATIONS, ids=lambda item: item.key)
@given(text=TEXTS, type_=st.sampled_from(["mysql", "postgresql", "elasticsearch", "clickhouse"]))
def test_any_text_is_a_request_or_a_rejection_that_names_it(
    annotation: Annotation[object], text: str, type_: str
) -> None:
    found = parse_request(asks(type=type_) | {annotation.name: text}, settings(**DEFAULT_ON))
    assert isinstance(found, Request | Rejected)
    if isinstance(found, Rejected):
        assert len(found.message) <= 1024
        assert annotation.name in found.message


@given(
    values=st.dictionaries(st.sampled_from([item.name for item in ANNOTATIONS]), TEXTS, min_size=1)
)
@example({PREFIX + "resources": "{}"})
def test_any_annotations_of_one_workload_leave_the_others_alone(values: dict[str, str]) -> None:
    api = cluster(*small(), *small(name="other")[1:])
    memory = PassState()
    one_pass(api, memory=memory)
    kept = {key: item for key, item in api.items.items() if DB in key[2] and key[1] == CONTROL}
    assert len(kept) == 2
    for item in small(asks() | values, name="other")[1:3]:
        api.put(item)
    result = one_pass(api, memory=memory)
    assert {key: api.items[key] for key in kept} == kept
    reasons = {item.status.reason for item in result.results}
    assert Reason.INTERNAL_ERROR not in reasons
    told = {item.workload_plan.workload: item.status.state for item in result.results}
    assert told["demo/db"] is State.WANTED
    assert names.cronjob_name("postgresql", "demo/other") in {key[2] for key in api.items}


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("type", Reason.TYPE_INVALID),
        ("version", Reason.VERSION_INVALID),
        ("schedule", Reason.SCHEDULE_INVALID),
        ("timezone", Reason.TIME_ZONE_INVALID),
        ("encryption_recipient", Reason.RECIPIENT_INVALID),
    ],
)
def test_no_value_is_longer_than_anybody_needs(key: str, reason: Reason) -> None:
    found = parse_request(asks(**{key: "1," * 100_000}), settings(**DEFAULT_ON))
    assert isinstance(found, Rejected)
    assert found.reason is reason
    assert len(found.message) <= 1024


@given(before=BESIDE, shape=KEY_SHAPES, behind=BESIDE)
def test_a_private_key_is_refused_and_never_shown(before: str, shape: str, behind: str) -> None:
    value = before + shape.format(KEY_BODY) + behind
    enforced = {"ENCRYPTION_ENFORCED": "true", "DEFAULT_ENCRYPTION_RECIPIENT": OPERATORS}
    for how in (settings(), settings(**DEFAULT_ON), settings(**enforced)):
        found = parse_request(asks(encryption_recipient=value), how)
        assert isinstance(found, Rejected)
        assert found.reason is Reason.RECIPIENT_INVALID
        assert "treat the private key as leaked" in found.message
        for part in (KEY_BODY, KEY_BODY[:8], KEY_BODY.lower()):
            assert part not in repr(found)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (OPERATORS[:-1], "has 61 characters"),
        (f"{OPERATORS[:-1]}q", "checksum does not fit"),
        (f"{OPERATORS}, {SECOND[:-1]}q", "recipient 2 of 2 is not an age recipient: its checksum"),
        (f"{ED25519} Doe, Alice", "recipient 2 of 2 is not an age recipient"),
        ("age1pq1" + "q" * 1900, "post-quantum"),
        ("ssh-dss AAAA", "ssh-dss"),
        ("github:alice", "github.com"),
        (" , ", "holds none"),
        (",".join(["hunter2"] * 1000), "and 997 more"),
        (f"{OPERATORS}\n", "line end"),
    ],
)
def test_a_wrong_recipient_is_rejected_now_and_not_shown(value: str, why: str) -> None:
    found = parse_request(asks(encryption_recipient=value), settings())
    assert isinstance(found, Rejected)
    assert (found.reason, why in found.message) == (Reason.RECIPIENT_INVALID, True)
    assert "hunter2" not in found.message
    assert len(found.message) < 1024


def test_a_typo_in_a_recipient_that_is_ignored_stops_no_backup() -> None:
    how = settings(ENCRYPTION_ENFORCED="true", DEFAULT_ENCRYPTION_RECIPIENT=OPERATORS)
    found = parse_request(asks(encryption_recipient="age1typo"), how)
    assert isinstance(found, Request)
    assert (found.recipient, found.overruled) == (OPERATORS, True)
