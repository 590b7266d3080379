import base64
from typing import Any

import pytest

from controller.model.kinds import CONFIG_MAP, SECRET
from controller.model.objects import ObjectRef
from controller.model.status import ReadFailure, Reason, Rejected
from controller.model.view import SecretData
from controller.workloads.credentials.login import references, resolve, resolve_for_restores
from tests.fakes.worlds import owner, pod, request

Document = dict[str, Any]
S, T = ObjectRef(kind=SECRET, name="s"), ObjectRef(kind=SECRET, name="t")
C = ObjectRef(kind=CONFIG_MAP, name="c")
MISSING, NO_SOURCE = Reason.CREDENTIALS_MISSING, Reason.CREDENTIAL_SOURCE_MISSING
UNSUPPORTED = Reason.CREDENTIAL_SOURCE_UNSUPPORTED
FROM_S: Document = {"envFrom": [{"secretRef": {"name": "s"}}]}


def secret(**values: str) -> SecretData:
    return SecretData(data={k: base64.b64encode(v.encode()).decode() for k, v in values.items()})


def env(**values: str) -> Document:
    return {"env": [{"name": name, "value": value} for name, value in values.items()]}


def key(name: str, at: str, **more: Any) -> Document:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": "s", "key": at, **more}}}


def pods(container: Document, **spec: Any) -> tuple[Document, ...]:
    return (pod(owner()) | {"spec": {"containers": [{"name": "database"} | container], **spec}},)


def login(
    engine: str, container: Document, contents: dict[ObjectRef, Any] | None = None, **says: str
) -> Any:
    """User, password and database (or API key) as `u:p@d`, or the reason of a rejection."""
    found = resolve(pods(container), request(engine, **says), contents or {})
    if isinstance(found, Rejected):
        return found.reason
    prefix = engine.upper()
    left = {name.removeprefix(f"{prefix}_"): text for name, text in found.items()}
    assert all(left.values())
    parts = [left.pop(name, "") for name in ("USERNAME", "PASSWORD", "DATABASE")]
    return left.get("API_KEY") or "{}:{}@{}".format(*parts)


OFFICIAL = {"POSTGRES_USER": "u", "POSTGRES_PASSWORD": "p", "POSTGRES_DB": "d"}
MYSQL = {"MYSQL_USER": "u", "MYSQL_PASSWORD": "p", "MYSQL_DATABASE": "d"}


@pytest.mark.parametrize(
    ("engine", "container", "expected"),
    [
        # What 0.6.0 could back up it takes as 0.6.0 did, whatever else is there.
        ("postgresql", env(**OFFICIAL), "u:p@d"),
        (
            "postgresql",
            env(
                POSTGRESQL_USERNAME="x",
                POSTGRESQL_PASSWORD="x",
                POSTGRESQL_DATABASE="x",
                POSTGRESQL_POSTGRES_PASSWORD="x",
                POSTGRES_PASSWORD_FILE="/nowhere",
                **OFFICIAL,
            ),
            "u:p@d",
        ),
        ("mysql", env(**MYSQL), "u:p@d"),
        ("mysql", env(MYSQL_USER="u", MYSQL_DATABASE="d"), "u:@d"),
        (
            "mysql",
            env(
                MARIADB_USER="x",
                MARIADB_PASSWORD="x",
                MARIADB_DATABASE="x",
                MYSQL_ROOT_PASSWORD="x",
                MYSQL_ALLOW_EMPTY_PASSWORD="1",
                **MYSQL,
            ),
            "u:p@d",
        ),
        ("mysql", env(MYSQL_USER="u", MYSQL_ROOT_PASSWORD="r", MYSQL_DATABASE="d"), "u:@d"),
        # PostgreSQL: the image's defaults, Bitnami's and Red Hat's names.
        ("postgresql", env(POSTGRES_PASSWORD="p"), "postgres:p@postgres"),
        ("postgresql", env(POSTGRES_USER="u", POSTGRES_PASSWORD="p"), "u:p@u"),
        ("postgresql", env(POSTGRES_DB="d", POSTGRES_PASSWORD="p"), "postgres:p@d"),
        ("postgresql", env(POSTGRES_USER="", POSTGRES_PASSWORD="p"), "postgres:p@postgres"),
        (
            "postgresql",
            env(POSTGRESQL_USERNAME="u", POSTGRESQL_PASSWORD="p", POSTGRESQL_DATABASE="d"),
            "u:p@d",
        ),
        (
            "postgresql",
            env(POSTGRESQL_USER="u", POSTGRESQL_PASSWORD="p", POSTGRESQL_DATABASE="d"),
            "u:p@d",
        ),
        (
            "postgresql",
            env(POSTGRES_USER="u", POSTGRES_PASSWORD="p", POSTGRES_DATABASE="d"),
            "u:p@d",
        ),
        (
            "postgresql",
            env(POSTGRESQL_POSTGRES_PASSWORD="p", POSTGRES_DATABASE="d"),
            "postgres:p@d",
        ),
        ("postgresql", env(POSTGRES_POSTGRES_PASSWORD="p"), "postgres:p@postgres"),
        ("postgresql", env(POSTGRES_USER="u", POSTGRES_DB="d"), MISSING),
        ("postgresql", {}, MISSING),
        # MySQL and MariaDB: root, with or without a password.
        ("mysql", env(MYSQL_ROOT_PASSWORD="p", MYSQL_DATABASE="d"), "root:p@d"),
        ("mysql", env(MYSQL_PASSWORD="x", MYSQL_ROOT_PASSWORD="p", MYSQL_DATABASE="d"), "root:p@d"),
        ("mysql", env(MYSQL_ALLOW_EMPTY_PASSWORD="yes", MYSQL_DATABASE="d"), "root:@d"),
        ("mysql", env(MARIADB_ALLOW_EMPTY_ROOT_PASSWORD="1", MARIADB_DATABASE="d"), "root:@d"),
        ("mysql", env(MARIADB_USER="u", MARIADB_PASSWORD="p", MARIADB_DATABASE="d"), "u:p@d"),
        ("mysql", env(MARIADB_ROOT_PASSWORD="p", MYSQL_DATABASE="d"), "root:p@d"),
        (
            "mysql",
            env(MARIADB_ROOT_USER="admin", MARIADB_ROOT_PASSWORD="p", MARIADB_DATABASE="d"),
            "admin:p@d",
        ),
        ("mysql", env(MYSQL_USER="u", MARIADB_PASSWORD="p", MARIADB_DATABASE="d"), "u:p@d"),
        ("mysql", env(MYSQL_USER="u", MYSQL_PASSWORD="p"), MISSING),
        ("mysql", env(MYSQL_DATABASE="d"), MISSING),
        # Elasticsearch and OpenSearch.
        ("elasticsearch", {}, ":@"),
        ("elasticsearch", env(ELASTIC_PASSWORD="p"), "elastic:p@"),
        ("elasticsearch", env(ELASTIC_USERNAME="u", ELASTIC_PASSWORD="p"), "u:p@"),
        ("elasticsearch", env(ELASTICSEARCH_PASSWORD="p"), "elastic:p@"),
        ("elasticsearch", env(ELASTIC_USERNAME="u"), ":@"),
        ("elasticsearch", env(OPENSEARCH_INITIAL_ADMIN_PASSWORD="p"), "admin:p@"),
        ("elasticsearch", env(OPENSEARCH_PASSWORD="p"), "admin:p@"),
        # ClickHouse.
        ("clickhouse", {}, ":@"),
        ("clickhouse", env(CLICKHOUSE_DB="d"), ":@d"),
        ("clickhouse", env(CLICKHOUSE_USER="u", CLICKHOUSE_PASSWORD="p"), "u:p@"),
        ("clickhouse", env(CLICKHOUSE_USER="u"), "u:@"),
        ("clickhouse", env(CLICKHOUSE_PASSWORD="p", CLICKHOUSE_DB="d"), "default:p@d"),
        ("clickhouse", env(CLICKHOUSE_ADMIN_USER="u", CLICKHOUSE_ADMIN_PASSWORD="p"), "u:p@"),
        ("clickhouse", env(CLICKHOUSE_ADMIN_PASSWORD="p"), "default:p@"),
    ],
)
def test_the_login_is_the_one_that_the_image_makes(
    engine: str, container: Document, expected: Any
) -> None:
    assert login(engine, container) == expected


@pytest.mark.parametrize(
    ("container", "contents", "expected"),
    [
        (FROM_S, {S: secret(**OFFICIAL)}, "u:p@d"),
        # An empty value hides what envFrom gave.
        (FROM_S | {"env": [{"name": "POSTGRES_DB"}]}, {S: secret(**OFFICIAL)}, "u:p@u"),
        (
            {"envFrom": [{"prefix": "POSTGRES_", "secretRef": {"name": "s"}}]},
            {S: secret(USER="u", PASSWORD="p", DB="d")},
            "u:p@d",
        ),
        (env(NAME="shop", **OFFICIAL | {"POSTGRES_DB": "$(NAME)-$$1"}), {}, "u:p@shop-$1"),
        (
            {"env": [key("P", "k"), *env(**OFFICIAL | {"POSTGRES_PASSWORD": "$(P)!"})["env"]]},
            {S: secret(k="p")},
            "u:p!@d",
        ),
        # An optional reference that leads nowhere leaves what envFrom gave, as the kubelet does.
        (
            {
                "envFrom": [{"configMapRef": {"name": "c"}}],
                "env": [key("POSTGRES_DB", "none", optional=True)],
            },
            {S: None, C: SecretData(data=OFFICIAL)},
            "u:p@d",
        ),
        ({"env": [key("POSTGRES_PASSWORD", "k")]}, {S: None}, NO_SOURCE),
        ({"env": [key("POSTGRES_PASSWORD", "k")]}, {S: secret()}, NO_SOURCE),
        (
            {"env": [key("POSTGRES_PASSWORD", "k")]},
            {S: ReadFailure(Reason.FORBIDDEN, "403")},
            Reason.FORBIDDEN,
        ),
        (
            {"env": [key("POSTGRES_PASSWORD", "k")]},
            {S: SecretData(data={"k": "//4="})},
            Reason.CREDENTIAL_NOT_TEXT,
        ),
        # What is not used need not be there, nor be text.
        (FROM_S | env(**OFFICIAL), {S: None}, "u:p@d"),
        (FROM_S | env(**OFFICIAL), {S: SecretData(data={"POSTGRES_PASSWORD": "/w=="})}, "u:p@d"),
        (
            {
                "env": [
                    *env(**OFFICIAL)["env"],
                    {"name": "X", "valueFrom": {"resourceFieldRef": {}}},
                    {"name": "POSTGRESQL_USERNAME", "valueFrom": {"resourceFieldRef": {}}},
                ]
            },
            {},
            "u:p@d",
        ),
        (
            {"env": [{"name": "POSTGRES_PASSWORD", "valueFrom": {"resourceFieldRef": {}}}]},
            {},
            UNSUPPORTED,
        ),
    ],
)
def test_its_parts_come_from_wherever_the_container_takes_them(
    container: Document, contents: dict[ObjectRef, Any], expected: Any
) -> None:
    assert login("postgresql", container, contents) == expected


MOUNT = {"volumeMounts": [{"name": "v", "mountPath": "/run/secrets"}]}
OF_S = {"name": "v", "secret": {"secretName": "s"}}
AT_P = {"POSTGRES_PASSWORD_FILE": "/run/secrets/p"}
FILE = env(**AT_P) | MOUNT


@pytest.mark.parametrize(
    ("container", "volume", "contents", "expected"),
    [
        (FILE, OF_S, {S: secret(p="secret\n")}, "postgres:secret@postgres"),
        (
            MOUNT | env(**{f"{name}_FILE": f"/run/secrets/{name}" for name in OFFICIAL}),
            OF_S,
            {S: secret(**OFFICIAL)},
            "u:p@d",
        ),
        # The variable wins over its file, which then is not looked into.
        (MOUNT | env(**OFFICIAL, **AT_P), OF_S, {S: None}, "u:p@d"),
        (
            MOUNT | env(POSTGRES_PASSWORD="", **AT_P),
            OF_S,
            {S: secret(p="x")},
            "postgres:x@postgres",
        ),
        (
            MOUNT | env(DIR="/run/secrets", POSTGRES_PASSWORD_FILE="$(DIR)/p"),
            OF_S,
            {S: secret(p="x")},
            "postgres:x@postgres",
        ),
        (FILE, {"name": "v", "csi": {}}, {}, UNSUPPORTED),
        (env(**AT_P), OF_S, {}, UNSUPPORTED),
        (
            FILE,
            {"name": "v", "secret": {"secretName": "s", "optional": True}},
            {S: None},
            MISSING,
        ),
        # Where to look must be known before anything is read.
        (MOUNT | FROM_S, OF_S, {S: secret(**AT_P)}, UNSUPPORTED),
    ],
)
def test_a_file_stands_for_a_variable(
    container: Document, volume: Document, contents: dict[ObjectRef, Any], expected: Any
) -> None:
    wanted = request()
    found = resolve(pods(container, volumes=[volume]), wanted, contents)
    if isinstance(found, Rejected):
        assert found.reason is expected
        assert found.reason is not UNSUPPORTED or "POSTGRES_PASSWORD_FILE" in found.message
        return
    user, password, database = found.values()
    assert f"{user}:{password}@{database}" == expected


BY_SECRET = {"credentials_secret": "t"}
OTHERS = env(POSTGRES_USER="cu", POSTGRES_PASSWORD="cp", POSTGRES_DB="cd")


@pytest.mark.parametrize(
    ("engine", "container", "content", "expected"),
    [
        # The job's names, the container's, plain ones.
        (
            "postgresql",
            OTHERS,
            secret(POSTGRESQL_USERNAME="u", POSTGRESQL_PASSWORD="p", POSTGRESQL_DATABASE="d"),
            "u:p@d",
        ),
        ("postgresql", OTHERS, secret(**OFFICIAL), "u:p@d"),
        ("postgresql", OTHERS, secret(username="u", password="p", database="d"), "u:p@d"),
        # CloudNativePG's.
        ("postgresql", {}, secret(user="u", password="p", dbname="d", host="h"), "u:p@d"),
        ("mysql", {}, secret(username="u", password="p", database="d"), "u:p@d"),
        # The database falls back to the container's, the user too, a password never.
        ("postgresql", OTHERS, secret(username="u", password="p"), "u:p@cd"),
        ("postgresql", OTHERS, secret(password="p"), "cu:p@cd"),
        ("postgresql", {}, secret(password="p"), "postgres:p@postgres"),
        ("postgresql", env(POSTGRES_USER="cu"), secret(username="u", password="p"), "u:p@cu"),
        ("postgresql", OTHERS, secret(username="u"), NO_SOURCE),
        ("postgresql", OTHERS, secret(username="u", password=""), NO_SOURCE),
        ("postgresql", OTHERS, secret(database="d"), "cu:cp@d"),
        ("postgresql", OTHERS, secret(pass_word="p"), NO_SOURCE),
        ("postgresql", OTHERS, None, NO_SOURCE),
        ("postgresql", OTHERS, ReadFailure(Reason.FORBIDDEN, "403"), Reason.FORBIDDEN),
        ("postgresql", OTHERS, SecretData(data={"password": "/w=="}), Reason.CREDENTIAL_NOT_TEXT),
        ("postgresql", {}, secret(POSTGRESQL_POSTGRES_PASSWORD="p"), "postgres:p@postgres"),
        ("mysql", env(MYSQL_DATABASE="cd"), secret(MYSQL_ROOT_PASSWORD="p"), "root:p@cd"),
        ("mysql", env(MYSQL_DATABASE="cd"), secret(password="p"), "root:p@cd"),
        ("mysql", env(**MYSQL), secret(password="x"), "u:x@d"),
        ("mysql", env(**MYSQL), secret(user="x"), NO_SOURCE),
        ("mysql", env(**MYSQL), secret(user="x", password=""), "x:@d"),
        ("mysql", {}, secret(user="u", password="p"), MISSING),
        ("mysql", {}, secret(**{"api-key": "k"}), NO_SOURCE),
        # A password that the container hides is no hindrance.
        (
            "postgresql",
            env(POSTGRES_USER="cu", POSTGRES_PASSWORD_FILE="/vault/p"),
            secret(password="p"),
            "cu:p@cu",
        ),
        # ECK names the user by the key; an API key stands alone.
        ("elasticsearch", {}, secret(elastic="p"), "elastic:p@"),
        ("elasticsearch", {}, secret(username="u", password="p"), "u:p@"),
        ("elasticsearch", env(OPENSEARCH_PASSWORD="x"), secret(password="p"), "admin:p@"),
        ("elasticsearch", {}, secret(password="p"), "elastic:p@"),
        ("elasticsearch", env(ELASTIC_PASSWORD="x"), secret(api_key="k"), "k"),
        ("elasticsearch", {}, secret(**{"api-key": "k", "username": "u", "password": "p"}), "k"),
        ("elasticsearch", env(ELASTIC_PASSWORD="x"), secret(other="x"), NO_SOURCE),
        ("clickhouse", {}, secret(password="p"), "default:p@"),
        ("clickhouse", env(CLICKHOUSE_DB="d"), secret(username="u", password="p"), "u:p@d"),
    ],
)
def test_a_named_secret_holds_the_login(
    engine: str, container: Document, content: Any, expected: Any
) -> None:
    assert login(engine, container, {T: content}, **BY_SECRET) == expected


def test_the_annotation_names_the_database_before_anything_else() -> None:
    contents = {T: secret(username="u", password="p", database="d")}
    assert login("postgresql", OTHERS, contents, database="x", **BY_SECRET) == "u:p@x"
    assert login("postgresql", OTHERS, database="x") == "cu:cp@x"
    assert login("mysql", env(MYSQL_ROOT_PASSWORD="p"), database="x") == "root:p@x"
    assert login("elasticsearch", {}, database="x") == ":@"


def test_a_container_that_is_not_there_is_told_and_nothing_is_read_for_it() -> None:
    wanted = request(container="other")
    assert references(pods(FROM_S), wanted) == ()
    found = resolve(pods(FROM_S), wanted, {})
    assert isinstance(found, Rejected)
    assert found.reason is Reason.CONTAINER_MISSING


def test_what_has_to_be_read_is_known_before() -> None:
    container = MOUNT | {
        "env": [
            key("P", "k"),
            key("OTHER", "secret-of-others"),
            *env(POSTGRES_USER="$(P)", POSTGRES_DB="d", **AT_P)["env"],
        ]
    }
    volumes = [{"name": "v", "secret": {"secretName": "t"}}]
    found = {
        item.ref: item.keys for item in references(pods(container, volumes=volumes), request())
    }
    assert found == {S: {"k"}, T: {"p"}}


def test_a_named_secret_is_read_with_every_key_that_may_count() -> None:
    found = references(pods({}), request("elasticsearch", **BY_SECRET))
    assert [item.ref for item in found] == [T]
    assert {"elastic", "api-key", "username", "password", "ELASTICSEARCH_API_KEY"} < found[0].keys


@pytest.mark.parametrize(
    ("container", "says", "told"),
    [
        ({}, {}, "sets none of POSTGRES_PASSWORD, "),
        ({}, {"credentials_secret": "t"}, "Secret/t does not exist"),
        (FILE, {}, "POSTGRES_PASSWORD_FILE: it leads to the volume 'v' (csi)"),
        (MOUNT | env(POSTGRES_PASSWORD_FILE="/x"), {}, "a path on which no volume is mounted"),
    ],
)
def test_a_rejection_names_what_is_missing(
    container: Document, says: dict[str, str], told: str
) -> None:
    volumes = [{"name": "v", "csi": {}}]
    found = resolve(pods(container, volumes=volumes), request(**says), {T: None})
    assert isinstance(found, Rejected)
    assert told in found.message


def test_no_secret_shows_in_a_message() -> None:
    hidden = {"password": base64.b64encode(b"hidden\xff").decode()}
    for content in (SecretData(data=hidden), secret(username="hidden", password="")):
        found = resolve(pods({}), request(**BY_SECRET), {T: content})
        assert isinstance(found, Rejected)
        assert "hidden" not in repr(found)
        assert hidden["password"] not in repr(found)


WRITER = {ObjectRef(kind=SECRET, name="w"): secret(username="w", password="x", dbname="other")}


@pytest.mark.parametrize(
    ("engine", "held", "expected"),
    [
        (
            "postgresql",
            secret(username="w", password="x", dbname="other"),
            {"POSTGRESQL_USERNAME": "w", "POSTGRESQL_PASSWORD": "x"},
        ),
        # Only the user may come from the container.
        (
            "postgresql",
            secret(password="x"),
            {"POSTGRESQL_USERNAME": "u", "POSTGRESQL_PASSWORD": "x"},
        ),
        ("elasticsearch", secret(**{"api-key": "k"}), {"ELASTICSEARCH_API_KEY": "k"}),
        # As for dumps, but a Secret that names only a database is no login.
        ("postgresql", secret(dbname="other"), NO_SOURCE),
        ("postgresql", secret(username="w"), NO_SOURCE),
        ("postgresql", secret(password="a\0b"), Reason.CREDENTIAL_NOT_TEXT),
        ("postgresql", None, NO_SOURCE),
        ("postgresql", ReadFailure(Reason.FORBIDDEN, "no"), Reason.FORBIDDEN),
    ],
)
def test_login_of_restores(engine: str, held: Any, expected: Any) -> None:
    wanted = request(engine, restore_credentials_secret="w")
    contents = {ObjectRef(kind=SECRET, name="w"): held}
    found = resolve_for_restores(pods(env(**OFFICIAL)), wanted, contents)
    assert (found.reason if isinstance(found, Rejected) else found) == expected
    if isinstance(found, Rejected) and found.reason is NO_SOURCE and held:
        assert "restore-credentials-secret" in found.message


def test_the_login_of_restores_is_none_of_the_dumps() -> None:
    wanted = request(restore_credentials_secret="w")
    container = pods(env(**OFFICIAL))
    assert [item.ref.name for item in references(container, wanted)] == ["w"]
    found = resolve(container, wanted, WRITER)
    assert isinstance(found, dict)
    assert found["POSTGRESQL_USERNAME"] == "u"
    assert resolve_for_restores(container, request(), {}) == {}
