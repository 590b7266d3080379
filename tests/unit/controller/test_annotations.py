import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.annotations import ANNOTATIONS, Request, enabled, read
from controller.names import PREFIX
from controller.reasons import Reason, Rejected
from tests.unit.controller.worlds import asks, settings

DEFAULT_ON = {"DEFAULT_ENCRYPTION_ENABLED": "true", "DEFAULT_ENCRYPTION_RECIPIENT": "age1op"}


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
    ],
)
def test_a_bad_value_is_rejected_with_its_reason(extra: dict[str, str], reason: Reason) -> None:
    found = read(asks(**extra), settings())
    assert isinstance(found, Rejected)
    assert found.reason is reason


@pytest.mark.parametrize(
    ("extra", "env", "recipient"),
    [
        ({}, {}, ""),
        ({}, DEFAULT_ON, "age1op"),
        ({"encryption_enabled": ""}, DEFAULT_ON, ""),
        ({"encryption_enabled": "false"}, DEFAULT_ON, ""),
        ({"encryption_enabled": "yes"}, DEFAULT_ON, ""),
        ({"encryption_enabled": "true", "encryption_recipient": "age1w"}, {}, "age1w"),
        ({"encryption_recipient": "age1w"}, DEFAULT_ON, "age1w"),
        ({"encryption_recipient": ""}, DEFAULT_ON, "age1op"),
        ({"encryption_recipient": "age1w"}, {}, ""),
    ],
)
def test_encryption(extra: dict[str, str], env: dict[str, str], recipient: str) -> None:
    found = read(asks(**extra), settings(**env))
    assert isinstance(found, Request)
    assert found.recipient == recipient


def test_empty_and_absent_optional_values_are_the_same_request() -> None:
    plain = read(asks(), settings())
    assert read(asks(timezone="", version=""), settings()) == plain
    assert read(asks(timezone="Etc/UTC", version="16"), settings()) == plain


@pytest.mark.parametrize("value", ["", "True", "yes", "1", " true"])
def test_only_exactly_true_enables(value: str) -> None:
    assert not enabled(asks(enabled=value))


@given(st.dictionaries(st.sampled_from([PREFIX + item.key for item in ANNOTATIONS]), st.text()))
def test_any_text_is_a_request_or_a_rejection(values: dict[str, str]) -> None:
    found = read(asks() | values, settings())
    assert isinstance(found, Request | Rejected)
    if isinstance(found, Rejected):
        assert len(found.message) <= 1024


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
    found = read(asks(**{key: "1," * 100_000}), settings(**DEFAULT_ON))
    assert isinstance(found, Rejected)
    assert found.reason is reason
    assert len(found.message) <= 1024
