import pytest

from controller.client.restore.options import (
    Address,
    OptionError,
    login_of_keys,
    parse_address,
    parse_list,
    parse_names,
    parse_secret_key,
)
from controller.manifests.reading.identity import SecretKey
from dumpers.contract.engine_spec import Role
from dumpers.engines.registry import ENGINES

POSTGRESQL = next(engine for engine in ENGINES if engine.type == "postgresql")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db.example:5432/shop", Address(host="db.example", port="5432", database="shop")),
        ("db.example", Address(host="db.example")),
        ("db.example/shop", Address(host="db.example", database="shop")),
        (":5433", Address(port="5433")),
        ("/a/b:c", Address(database="a/b:c")),
        ("[fd00::1]:5432/x", Address(host="fd00::1", port="5432", database="x")),
        ("10.0.0.1", Address(host="10.0.0.1")),
    ],
)
def test_addresses(text: str, expected: Address) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize("text", ["", "/", ":", "db:x", "db:0", "db:65536", "fd00::1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(OptionError, match="--to"):
        parse_address(text)


def test_names() -> None:
    assert parse_names(["a:b", "c:d:e"]) == {"a": "b", "c": "d:e"}
    for wrong in (["a"], [":b"], ["a:"], ["a:b", "a:c"], ["a:c", "b:c"]):
        with pytest.raises(OptionError, match="--as"):
            parse_names(wrong)


def test_lists() -> None:
    assert parse_list(["a, b", "c,,a"]) == ("a", "b", "c")
    assert parse_list([]) == ()


@pytest.mark.parametrize(
    ("text", "keys", "expected"),
    [("s", ["k"], "k"), ("s/k", ["k", "other"], "k")],
)
def test_the_key_of_an_identity(text: str, keys: list[str], expected: str) -> None:
    assert parse_secret_key(text, keys) == SecretKey(secret="s", key=expected)


@pytest.mark.parametrize(("text", "keys"), [("s", ["a", "b"]), ("s", []), ("s/c", ["a"])])
def test_an_identity_that_cannot_be_told(text: str, keys: list[str]) -> None:
    with pytest.raises(OptionError, match="--identity-secret s"):
        parse_secret_key(text, keys)


def test_a_login_is_known_by_its_keys() -> None:
    found = login_of_keys("writer", ["username", "password", "database"], POSTGRESQL)
    assert {role: place.key for role, place in found.items()} == {
        Role.USERNAME: "username",
        Role.PASSWORD: "password",
    }
    with pytest.raises(OptionError, match="its keys are token, of which none is a login's"):
        login_of_keys("writer", ["token"], POSTGRESQL)
