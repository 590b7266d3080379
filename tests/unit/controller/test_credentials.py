import base64
from typing import Any

import pytest

from controller.credentials import CONFIG_MAP, SECRET, container_of, references, resolve
from controller.reasons import Failed, Reason, Rejected
from controller.view import Content, ObjectRef
from dumpers.engines import find
from tests.unit.controller.worlds import owner, pod

FOUND = find("postgresql")
assert FOUND
ENGINE = FOUND
WANTED = ENGINE.source_variables
USER, PASSWORD, NAME = "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"
S, C = ObjectRef(kind=SECRET, name="s"), ObjectRef(kind=CONFIG_MAP, name="c")
ENV = {USER: "u", PASSWORD: "p", NAME: "d"}


def secret(**values: str) -> Content:
    return Content(data={k: base64.b64encode(v.encode()).decode() for k, v in values.items()})


def literal(**values: str) -> list[dict[str, Any]]:
    return [{"name": key, "value": value} for key, value in (ENV | values).items()]


def key(name: str, at: str, *, kind: str = "secret", **more: Any) -> dict[str, Any]:
    object_name = "s" if kind == "secret" else "c"
    source = {f"{kind}KeyRef": {"name": object_name, "key": at, **more}}
    return {"name": name, "valueFrom": source}


def result(container: dict[str, Any], contents: dict[ObjectRef, Any] | None = None) -> Any:
    found = resolve(container, ENGINE, contents or {})
    if isinstance(found, Rejected):
        return found.reason
    return tuple(found[f"POSTGRESQL_{n}"] for n in ("USERNAME", "PASSWORD", "DATABASE"))


ALL_IN_SECRET = secret(**{USER: "su", PASSWORD: "sp", NAME: "sd"})
SECRET_REF = {"secretRef": {"name": "s"}}
CONFIG_REF = {"configMapRef": {"name": "c"}}


@pytest.mark.parametrize(
    ("container", "contents", "expected"),
    [
        ({"env": literal()}, {}, ("u", "p", "d")),
        ({"env": [*literal(), {"name": USER, "value": "later"}]}, {}, ("later", "p", "d")),
        ({"env": literal(POSTGRES_USER="")}, {}, Reason.CREDENTIALS_MISSING),
        ({"env": [*literal(), key(USER, "k")]}, {S: secret(k="x")}, ("x", "p", "d")),
        (
            {"env": [*literal(), key(USER, "k", kind="configMap")]},
            {C: Content(data={"k": "x"})},
            ("x", "p", "d"),
        ),
        ({"env": [*literal(), key(USER, "k")]}, {S: None}, Reason.CREDENTIAL_SOURCE_MISSING),
        ({"env": [*literal(), key(USER, "k")]}, {S: secret()}, Reason.CREDENTIAL_SOURCE_MISSING),
        (
            {"env": [*literal(), key(USER, "k")]},
            {S: Failed(Reason.FORBIDDEN, "403")},
            Reason.FORBIDDEN,
        ),
        ({"env": [*literal(), key("OTHER", "k")]}, {}, ("u", "p", "d")),
        (
            {"env": [*literal(), {"name": USER, "valueFrom": {"fieldRef": {}}}]},
            {},
            Reason.CREDENTIAL_SOURCE_UNSUPPORTED,
        ),
        ({"env": [*literal(), {"name": "X", "valueFrom": {"fieldRef": {}}}]}, {}, ("u", "p", "d")),
        ({"envFrom": [SECRET_REF]}, {S: ALL_IN_SECRET}, ("su", "sp", "sd")),
        (
            {"envFrom": [SECRET_REF, CONFIG_REF]},
            {S: ALL_IN_SECRET, C: Content(data={USER: "cu"})},
            ("cu", "sp", "sd"),
        ),
        (
            {"envFrom": [SECRET_REF | CONFIG_REF]},
            {S: ALL_IN_SECRET, C: Content(data={USER: "cu"})},
            ("cu", "sp", "sd"),
        ),
        (
            {"envFrom": [CONFIG_REF, SECRET_REF]},
            {S: ALL_IN_SECRET, C: Content(data={USER: "cu"})},
            ("su", "sp", "sd"),
        ),
        ({"envFrom": [SECRET_REF], "env": literal()}, {S: ALL_IN_SECRET}, ("u", "p", "d")),
        (
            {"envFrom": [SECRET_REF | {"prefix": "P_"}]},
            {S: ALL_IN_SECRET},
            Reason.CREDENTIALS_MISSING,
        ),
        ({"envFrom": [SECRET_REF]}, {S: None}, Reason.CREDENTIAL_SOURCE_MISSING),
        (
            {"envFrom": [{"secretRef": {"name": "s", "optional": True}}], "env": literal()},
            {S: None},
            ("u", "p", "d"),
        ),
        # A missing optional reference leaves it unset, and hides what envFrom gave.
        (
            {"envFrom": [SECRET_REF], "env": [key(USER, "none", optional=True)]},
            {S: ALL_IN_SECRET},
            Reason.CREDENTIALS_MISSING,
        ),
        (
            {"env": [*literal(), key(PASSWORD, "k")]},
            {S: Content(data={"k": base64.b64encode(b"\xff\xfe").decode()})},
            Reason.CREDENTIAL_NOT_TEXT,
        ),
        # What is not used need not be text.
        (
            {"envFrom": [SECRET_REF], "env": literal()},
            {S: Content(data={PASSWORD: "/w=="})},
            ("u", "p", "d"),
        ),
        ({"env": literal(POSTGRES_USER="$(NAME)")}, {}, Reason.CREDENTIAL_SOURCE_UNSUPPORTED),
        ({"env": literal(POSTGRES_PASSWORD="a$$b")}, {}, Reason.CREDENTIAL_SOURCE_UNSUPPORTED),
        ({"env": literal(POSTGRES_PASSWORD="a$b")}, {}, ("u", "a$b", "d")),
        ({"envFrom": [SECRET_REF]}, {S: secret(**ENV | {USER: "$(N)"})}, ("$(N)", "p", "d")),
    ],
)
def test_variables_are_resolved_as_the_container_gets_them(
    container: dict[str, Any], contents: dict[ObjectRef, Any], expected: Any
) -> None:
    assert result(container, contents) == expected


def test_only_what_matters_is_read() -> None:
    container = {
        "envFrom": [CONFIG_REF, SECRET_REF | {"prefix": "P_"}],
        "env": [key(PASSWORD, "k"), key("OTHER", "secret-of-others")],
    }
    found = {item.ref: item.keys for item in references(container, WANTED)}
    assert found == {C: WANTED, S: frozenset({"k"})}


def test_no_secret_shows_in_a_message_or_a_repr() -> None:
    bad = Content(data={"k": base64.b64encode(b"hidden\xff").decode()})
    container = {"env": [*literal(), key(PASSWORD, "k")]}
    assert "hidden" not in repr(resolve(container, ENGINE, {S: bad}))
    assert "hidden" not in repr(bad)
    assert bad.data["k"] not in repr(bad)


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ([{"name": "a"}, {"name": "b", "env": literal()}], "b"),
        ([{"name": "a"}, {"name": "b", "envFrom": [SECRET_REF]}], "b"),
        ([{"name": "a", "env": literal()}, {"name": "b", "envFrom": [SECRET_REF]}], "a"),
        ([{"name": "a"}, {"name": "b"}], "a"),
    ],
)
def test_the_container(containers: list[dict[str, Any]], expected: str) -> None:
    item = pod(owner()) | {"spec": {"containers": containers}}
    assert container_of((item,), ENGINE)["name"] == expected
