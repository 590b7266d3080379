import base64
from typing import Any

import pytest

from controller.model.kinds import CONFIG_MAP, SECRET
from controller.model.objects import ObjectRef
from controller.model.status import ReadFailure, Reason, RejectedError
from controller.model.view import SecretData
from controller.workloads.credentials import mounted_files

Document = dict[str, Any]
S, T = ObjectRef(kind=SECRET, name="s"), ObjectRef(kind=SECRET, name="t")
C = ObjectRef(kind=CONFIG_MAP, name="c")


def secret(**values: str) -> SecretData:
    return SecretData(data={k: base64.b64encode(v.encode()).decode() for k, v in values.items()})


KNOWN = {
    S: secret(password="from s\n\n", user="u"),
    T: secret(password="from t"),
    C: SecretData(data={"password": "from c\r\n"}),
}
PATH = "/run/secrets/password"


def read(
    volume: Document,
    path: str = PATH,
    *,
    mount: Document | None = None,
    contents: dict[ObjectRef, Any] | None = None,
) -> str | Reason:
    container = {"volumeMounts": [{"name": "v", "mountPath": "/run/secrets"} | (mount or {})]}
    pod = {"spec": {"volumes": [{"name": "other", "emptyDir": {}}, {"name": "v"} | volume]}}
    known = KNOWN if contents is None else contents
    try:
        return mounted_files.text_of_files(mounted_files.files(pod, container, path), known)
    except RejectedError as error:
        return error.rejected.reason


OF_S: Document = {"secret": {"secretName": "s"}}
ITEMS = [{"key": "user", "path": "login/name"}]


def projected(*sources: Document) -> Document:
    return {"projected": {"sources": list(sources)}}


@pytest.mark.parametrize(
    ("volume", "path", "expected"),
    [
        (OF_S, PATH, "from s"),
        (OF_S, "/run//secrets/./password", "from s"),
        (OF_S, "//run/secrets/password", "from s"),
        ({"configMap": {"name": "c"}}, PATH, "from c\r"),
        ({"secret": {"secretName": "s", "items": ITEMS}}, "/run/secrets/login/name", "u"),
        (
            {"secret": {"secretName": "s", "items": ITEMS}},
            PATH,
            Reason.CREDENTIAL_SOURCE_MISSING,
        ),
        (OF_S, "/run/secrets/none", Reason.CREDENTIAL_SOURCE_MISSING),
        (OF_S, "/run/secrets", Reason.CREDENTIAL_SOURCE_MISSING),
        (
            projected({"secret": {"name": "s", "items": ITEMS}}, {"configMap": {"name": "c"}}),
            PATH,
            "from c\r",
        ),
        (
            projected({"secret": {"name": "s", "items": ITEMS}}, {"configMap": {"name": "c"}}),
            "/run/secrets/login/name",
            "u",
        ),
        # A later source of a projected volume writes over an earlier one.
        (projected({"secret": {"name": "s"}}, {"secret": {"name": "t"}}), PATH, "from t"),
        (projected({"secret": {"name": "t"}}, {"secret": {"name": "s"}}), PATH, "from s"),
        (
            projected({"downwardAPI": {"items": [{"path": "password"}]}}),
            PATH,
            Reason.CREDENTIAL_SOURCE_UNSUPPORTED,
        ),
        (
            projected({"serviceAccountToken": {"path": "token"}}),
            PATH,
            Reason.CREDENTIAL_SOURCE_MISSING,
        ),
        ({"csi": {"driver": "d"}}, PATH, Reason.CREDENTIAL_SOURCE_UNSUPPORTED),
        ({"hostPath": {"path": "/"}}, PATH, Reason.CREDENTIAL_SOURCE_UNSUPPORTED),
        ({"emptyDir": {"medium": "Memory"}}, PATH, Reason.CREDENTIAL_SOURCE_UNSUPPORTED),
        (OF_S, "/etc/password", Reason.CREDENTIAL_SOURCE_UNSUPPORTED),
        (OF_S, "/run/secrets-of-others/password", Reason.CREDENTIAL_SOURCE_UNSUPPORTED),
        (OF_S, "password", Reason.CREDENTIAL_SOURCE_UNSUPPORTED),
    ],
)
def test_a_path_leads_to_a_key(volume: Document, path: str, expected: str | Reason) -> None:
    assert read(volume, path) == expected


@pytest.mark.parametrize(
    ("mount", "path", "expected"),
    [
        ({"mountPath": "/run/secrets/"}, PATH, "from s"),
        ({"mountPath": "/"}, "/password", "from s"),
        ({"mountPath": "/etc/pw", "subPath": "password"}, "/etc/pw", "from s"),
        ({"mountPath": "/etc", "subPath": "."}, "/etc/password", "from s"),
        ({"subPathExpr": "$(X)"}, PATH, Reason.CREDENTIAL_SOURCE_UNSUPPORTED),
    ],
)
def test_the_mount_tells_the_path_inside_the_volume(
    mount: Document, path: str, expected: str | Reason
) -> None:
    assert read(OF_S, path, mount=mount) == expected


def test_the_longest_mount_path_counts() -> None:
    container = {
        "volumeMounts": [
            {"name": "a", "mountPath": "/run"},
            {"name": "b", "mountPath": "/run/secrets"},
            {"name": "a", "mountPath": "/run/sec"},
        ]
    }
    volumes = [{"name": "a", "emptyDir": {}}, {"name": "b"} | OF_S]
    found = mounted_files.files({"spec": {"volumes": volumes}}, container, PATH)
    assert mounted_files.text_of_files(found, KNOWN) == "from s"


@pytest.mark.parametrize(
    ("volume", "contents", "expected"),
    [
        (OF_S, {S: None}, Reason.CREDENTIAL_SOURCE_MISSING),
        (OF_S, {S: ReadFailure(Reason.FORBIDDEN, "403")}, Reason.FORBIDDEN),
        (OF_S, {S: SecretData(data={"password": "/w=="})}, Reason.CREDENTIAL_NOT_TEXT),
        ({"secret": {"secretName": "s", "optional": True}}, {S: None}, ""),
        ({"secret": {"secretName": "s", "optional": True}}, {S: secret()}, ""),
        (
            projected({"secret": {"name": "t"}}, {"secret": {"name": "s", "optional": True}}),
            {S: None, T: KNOWN[T]},
            "from t",
        ),
        (
            projected({"secret": {"name": "t"}}, {"secret": {"name": "s"}}),
            {S: secret(), T: KNOWN[T]},
            "from t",
        ),
        (
            projected({"secret": {"name": "t"}}, {"secret": {"name": "s"}}),
            {S: None, T: KNOWN[T]},
            Reason.CREDENTIAL_SOURCE_MISSING,
        ),
    ],
)
def test_what_is_missing_stands_in_the_way_only_where_it_is_required(
    volume: Document, contents: dict[ObjectRef, Any], expected: str | Reason
) -> None:
    assert read(volume, contents=contents) == expected
