import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.kinds import CONFIG_MAP, SECRET
from controller.model.objects import ObjectRef
from controller.model.status import ReadFailure, Reason, Rejected
from controller.model.view import SecretData
from controller.workloads.credentials.container_env import Value, expand, references, variables

Document = dict[str, Any]
S, T = ObjectRef(kind=SECRET, name="s"), ObjectRef(kind=SECRET, name="t")
C = ObjectRef(kind=CONFIG_MAP, name="c")
POD: Document = {
    "metadata": {
        "name": "db-0",
        "namespace": "demo",
        "uid": "u-1",
        "labels": {"app": "db", "a.b/c": "d"},
        "annotations": {"note": "n"},
    },
    "spec": {"nodeName": "node-1", "serviceAccountName": "sa"},
}


def secret(**values: str) -> SecretData:
    return SecretData(data={k: base64.b64encode(v.encode()).decode() for k, v in values.items()})


def config(**values: str) -> SecretData:
    return SecretData(data=values)


def plain(**values: str) -> list[Document]:
    return [{"name": name, "value": value} for name, value in values.items()]


def key(name: str, at: str, *, of: str = "s", kind: str = "secret", **more: Any) -> Document:
    return {"name": name, "valueFrom": {f"{kind}KeyRef": {"name": of, "key": at, **more}}}


def field(name: str, path: str) -> Document:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def of(container: Document, name: str = "X", pod: Document = POD, **contents: Any) -> Value | None:
    """The variable's value with s, t and c as given, Rejected reduced to its reason."""
    known = {ref: contents[ref.name] for ref in (S, T, C) if ref.name in contents}
    found = variables(pod, container, {name}, known).get(name)
    return found.reason if isinstance(found, Rejected) else found


KNOWN = {"VAR_A": "A", "VAR_B": "B", "VAR_C": "C", "VAR_REF": "$(VAR_A)", "VAR_EMPTY": ""}


# The table of Kubernetes' third_party/forked/golang/expansion/expand_test.go.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(VAR_A)", "A"),
        ("$(VAR_A)-$(VAR_A)", "A-A"),
        ("$(VAR_A)-1", "A-1"),
        ("___$(VAR_B)___", "___B___"),
        ("___$(VAR_C)", "___C"),
        ("$(VAR_A)_$(VAR_B)_$(VAR_C)", "A_B_C"),
        ("$$(VAR_B)_$(VAR_A)", "$(VAR_B)_A"),
        ("$$(VAR_A)_$$(VAR_B)", "$(VAR_A)_$(VAR_B)"),
        ("f000-$$VAR_A", "f000-$VAR_A"),
        ("foo\\$(VAR_C)bar", "foo\\Cbar"),
        ("foo\\\\$(VAR_C)bar", "foo\\\\Cbar"),
        ("foo\\\\\\\\$(VAR_A)bar", "foo\\\\\\\\Abar"),
        ("$(VAR_A$(VAR_B))", "$(VAR_A$(VAR_B))"),
        ("$(VAR_A$(VAR_B)", "$(VAR_A$(VAR_B)"),
        ("$(VAR_REF)", "$(VAR_A)"),
        ("%%$(VAR_REF)--$(VAR_REF)%%", "%%$(VAR_A)--$(VAR_A)%%"),
        ("foo$(VAR_EMPTY)bar", "foobar"),
        ("foo$(VAR_Awhoops!", "foo$(VAR_Awhoops!"),
        ("f00__(VAR_A)__", "f00__(VAR_A)__"),
        ("$?_boo_$!", "$?_boo_$!"),
        ("$VAR_A", "$VAR_A"),
        ("$(VAR_DNE)", "$(VAR_DNE)"),
        ("$$$$$$(BIG_MONEY)", "$$$(BIG_MONEY)"),
        ("$$$$$$(VAR_A)", "$$$(VAR_A)"),
        ("$$$$$$$(GOOD_ODDS)", "$$$$(GOOD_ODDS)"),
        ("$$$$$$$(VAR_A)", "$$$A"),
        ("$VAR_A)", "$VAR_A)"),
        ("${VAR_A}", "${VAR_A}"),
        ("$(VAR_B)_______$(A", "B_______$(A"),
        ("$(VAR_C)_______$(", "C_______$("),
        ("$(VAR_A)foobarzab$", "Afoobarzab$"),
        ("foo-\\$(VAR_A", "foo-\\$(VAR_A"),
        ("--$($($($($--", "--$($($($($--"),
        ("$($($($($--foo$(", "$($($($($--foo$("),
        ("foo0--$($($($(", "foo0--$($($($("),
        ("$(foo$$var)", "$(foo$$var)"),
        ("\n", "\n"),
        ("$£FOO", "$£FOO"),
        ("prefix-$€-suffix", "prefix-$€-suffix"),
        ("$中文", "$中文"),
        # Not in that table.
        ("$()$(A$$", "$()$(A$"),
        ("$(VAR_A)$$", "A$"),
    ],
)
def test_values_expand_as_the_kubelet_expands_them(text: str, expected: str) -> None:
    assert expand(text, KNOWN.get) == expected


@given(st.text(alphabet="$()AB£", max_size=40))
def test_escaping_every_dollar_keeps_a_value_as_it_is(text: str) -> None:
    assert expand(text.replace("$", "$$"), KNOWN.get) == text


def test_a_long_value_expands_in_one_go() -> None:
    assert expand("$(" * 60_000, KNOWN.get) == "$(" * 60_000


@pytest.mark.parametrize(
    ("container", "contents", "expected"),
    [
        ({}, {}, None),
        ({"env": plain(X="x")}, {}, "x"),
        ({"env": [*plain(X="x"), *plain(X="y")]}, {}, "y"),
        # The API server drops an empty value.
        ({"env": [{"name": "X"}]}, {}, ""),
        ({"env": [{"name": "X"}], "envFrom": [{"secretRef": {"name": "s"}}]}, {"s": None}, ""),
        # Expansion: what stands before, envFrom included, and what that refers to in turn.
        ({"env": plain(A="a", X="$(A)b")}, {}, "ab"),
        ({"env": plain(X="$(A)b", A="a")}, {}, "$(A)b"),
        ({"env": [*plain(A="1", X="$(A)"), *plain(A="2")]}, {}, "1"),
        ({"env": [*plain(X="1"), *plain(X="$(X)2")]}, {}, "12"),
        ({"env": plain(A="a", B="$(A)b", X="$(B)c")}, {}, "abc"),
        ({"env": [key("A", "k"), *plain(X="<$(A)>")]}, {"s": secret(k="$(B)")}, "<$(B)>"),
        (
            {"envFrom": [{"configMapRef": {"name": "c"}}], "env": plain(X="$(A)!")},
            {"c": config(A="a")},
            "a!",
        ),
        ({"env": [{"name": "A"}, *plain(X="<$(A)>")]}, {}, "<>"),
        (
            {"env": [key("A", "k", optional=True), *plain(X="<$(A)>")]},
            {"s": None},
            "<$(A)>",
        ),
        ({"env": plain(A="$(X)", X="$(A)")}, {}, "$(X)"),
        # What one refers to matters as much as it does.
        ({"env": [key("A", "k"), *plain(X="$(A)")]}, {"s": None}, Reason.CREDENTIAL_SOURCE_MISSING),
        (
            {"env": [field("A", "status.podIP"), *plain(X="$(A)")]},
            {},
            Reason.CREDENTIAL_SOURCE_UNSUPPORTED,
        ),
        ({"env": [key("A", "k"), *plain(X="x")]}, {"s": None}, "x"),
        # Other references.
        ({"env": [key("X", "k")]}, {"s": secret(k="x")}, "x"),
        ({"env": [key("X", "k", of="c", kind="configMap")]}, {"c": config(k="x")}, "x"),
        ({"env": [key("X", "k")]}, {"s": secret()}, Reason.CREDENTIAL_SOURCE_MISSING),
        ({"env": [key("X", "k")]}, {"s": ReadFailure(Reason.FORBIDDEN, "403")}, Reason.FORBIDDEN),
        ({"env": [key("X", "k")]}, {}, Reason.UNAVAILABLE),
        # An optional one that leads nowhere leaves what there was.
        ({"env": [key("X", "k", optional=True)]}, {"s": None}, None),
        ({"env": [*plain(X="x"), key("X", "k", optional=True)]}, {"s": secret()}, "x"),
        (
            {
                "envFrom": [{"configMapRef": {"name": "c"}}],
                "env": [key("X", "k", optional=True)],
            },
            {"s": None, "c": config(X="from")},
            "from",
        ),
        (
            {"env": [key("X", "k", optional=True)]},
            {"s": ReadFailure(Reason.FORBIDDEN, "403")},
            Reason.FORBIDDEN,
        ),
        # envFrom: later wins, the Secret of an entry before its ConfigMap, prefixes in front.
        ({"envFrom": [{"secretRef": {"name": "s"}}]}, {"s": secret(X="x")}, "x"),
        (
            {"envFrom": [{"secretRef": {"name": "s"}}, {"configMapRef": {"name": "c"}}]},
            {"s": secret(X="x"), "c": config(X="y")},
            "y",
        ),
        (
            {"envFrom": [{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "s"}}]},
            {"s": secret(X="x"), "c": config(X="y")},
            "x",
        ),
        (
            {"envFrom": [{"configMapRef": {"name": "c"}, "secretRef": {"name": "s"}}]},
            {"s": secret(X="x"), "c": config(X="y")},
            "y",
        ),
        ({"envFrom": [{"prefix": "X", "secretRef": {"name": "s"}}]}, {"s": secret(X="x")}, None),
        (
            {"envFrom": [{"prefix": "P_", "secretRef": {"name": "s"}}], "env": plain(X="$(P_X)")},
            {"s": secret(X="x")},
            "x",
        ),
        ({"envFrom": [{"secretRef": {"name": "s"}}]}, {"s": secret(X="$(A)")}, "$(A)"),
        (
            {"envFrom": [{"secretRef": {"name": "s"}}]},
            {"s": None},
            Reason.CREDENTIAL_SOURCE_MISSING,
        ),
        ({"envFrom": [{"secretRef": {"name": "s", "optional": True}}]}, {"s": None}, None),
        # Only what is needed is looked into.
        ({"envFrom": [{"secretRef": {"name": "s"}}], "env": plain(X="x")}, {"s": None}, "x"),
        (
            {"envFrom": [{"secretRef": {"name": "s"}}, {"configMapRef": {"name": "c"}}]},
            {"s": None, "c": config(X="x")},
            "x",
        ),
        # Fields that stay as they are while the pod runs.
        ({"env": [field("X", "metadata.name")]}, {}, "db-0"),
        ({"env": [field("X", "metadata.namespace")]}, {}, "demo"),
        ({"env": [field("X", "metadata.uid")]}, {}, "u-1"),
        ({"env": [field("X", "metadata.labels['a.b/c']")]}, {}, "d"),
        ({"env": [field("X", "metadata.labels['none']")]}, {}, ""),
        ({"env": [field("X", "metadata.annotations['note']")]}, {}, "n"),
        ({"env": [field("X", "spec.nodeName")]}, {}, "node-1"),
        ({"env": [field("X", "spec.serviceAccountName")]}, {}, "sa"),
        ({"env": [field("X", "status.podIP")]}, {}, Reason.CREDENTIAL_SOURCE_UNSUPPORTED),
        (
            {"env": [{"name": "X", "valueFrom": {"resourceFieldRef": {"resource": "cpu"}}}]},
            {},
            Reason.CREDENTIAL_SOURCE_UNSUPPORTED,
        ),
        (
            {"env": [{"name": "X", "valueFrom": {"fileKeyRef": {"key": "k"}}}]},
            {},
            Reason.CREDENTIAL_SOURCE_UNSUPPORTED,
        ),
        # What Services add is known to the pod only.
        ({"env": plain(X="$(DB_SERVICE_HOST)")}, {}, Reason.CREDENTIAL_SOURCE_UNSUPPORTED),
        ({"env": plain(X="$(DB_PORT_5432_TCP_ADDR)")}, {}, Reason.CREDENTIAL_SOURCE_UNSUPPORTED),
        ({"env": plain(DB_PORT="1", X="$(DB_PORT)")}, {}, "1"),
        # What no variable can hold.
        ({"env": plain(X="a\0b")}, {}, Reason.CREDENTIAL_NOT_TEXT),
        ({"env": plain(X="a\ud800b")}, {}, Reason.CREDENTIAL_NOT_TEXT),
        ({"env": [key("X", "k")]}, {"s": secret(k="a\0b")}, Reason.CREDENTIAL_NOT_TEXT),
        (
            {"env": [key("X", "k")]},
            {"s": SecretData(data={"k": "//4="})},
            Reason.CREDENTIAL_NOT_TEXT,
        ),
        ({"env": [key("X", "k")]}, {"s": SecretData(data={"k": "?"})}, Reason.CREDENTIAL_NOT_TEXT),
    ],
)
def test_a_variable_is_what_the_container_gets(
    container: Document, contents: dict[str, Any], expected: Any
) -> None:
    assert of(container, **contents) == expected


def test_without_service_links_an_unknown_reference_stays_as_it_stands() -> None:
    pod = POD | {"spec": {"enableServiceLinks": False}}
    assert of({"env": plain(X="$(DB_SERVICE_HOST)")}, pod=pod) == "$(DB_SERVICE_HOST)"
    found = of({"env": plain(X="$(KUBERNETES_SERVICE_HOST)")}, pod=pod)
    assert found is Reason.CREDENTIAL_SOURCE_UNSUPPORTED


def test_only_what_a_variable_depends_on_is_read() -> None:
    container = {
        "envFrom": [{"configMapRef": {"name": "c"}}, {"prefix": "P_", "secretRef": {"name": "t"}}],
        "env": [
            key("A", "a"),
            key("OTHER", "secret-of-others"),
            *plain(X="$(A)$(P_B)$(A)"),
            key("A", "later"),
            key("Y", "y", optional=True),
        ],
    }
    found = sorted(references(container, {"X", "Y"}))
    expected = [(S, "a"), (C, "P_B"), (C, "Y"), (T, "B"), (S, "y")]
    assert found == sorted(expected)


def test_a_long_chain_and_a_growing_one_end() -> None:
    long = plain(A0="x", **{f"A{n}": f"$(A{n - 1})" for n in range(1, 3000)})
    assert of({"env": [*long, *plain(X="$(A2999)")]}) == "x"
    growing = plain(A0="xx", **{f"A{n}": f"$(A{n - 1})" * 8 for n in range(1, 60)})
    assert of({"env": [*growing, *plain(X="$(A59)")]}) is Reason.CREDENTIAL_SOURCE_UNSUPPORTED
    empty = [{"name": "A0"}, *growing[1:], *plain(X="$(A59)")]
    assert of({"env": empty}) == ""


def test_no_value_shows_in_a_message() -> None:
    for content in (SecretData(data={"k": "aGlkZGVu/w=="}), secret(k="hidden\0")):
        found = variables(POD, {"env": [key("X", "k")]}, {"X"}, {S: content})
        assert "hidden" not in repr(found)
        assert content.data["k"] not in repr((found, content))
