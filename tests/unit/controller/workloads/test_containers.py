from typing import Any

import pytest

from controller.model.status import Reason, RejectedError
from controller.workloads.containers import container_of
from tests.fakes.worlds import owner, pod, request

Document = dict[str, Any]
FROM: Document = {"envFrom": [{"secretRef": {"name": "s"}}]}


def sets(*names: str) -> Document:
    return {"env": [{"name": name, "value": "x"} for name in names]}


def listens(*ports: int) -> Document:
    return {"ports": [{"containerPort": port} for port in ports]}


def among(*containers: Document) -> tuple[Document, ...]:
    """Containers called a, b, c …, an init container with all the variables beside them."""
    named = [{"name": name} | item for name, item in zip("abcd", containers, strict=False)]
    init = [{"name": "init"} | sets("POSTGRES_USER", "MYSQL_USER", "ELASTIC_PASSWORD")]
    return (pod(owner()) | {"spec": {"containers": named, "initContainers": init}},)


@pytest.mark.parametrize(
    ("engine", "containers", "expected"),
    [
        # As 0.6.0 told them apart: its variables, or any envFrom.
        ("postgresql", [{}, sets("POSTGRES_DB")], "b"),
        ("postgresql", [{}, FROM], "b"),
        ("postgresql", [{}, sets("POSTGRES_USER"), FROM], "a"),
        ("mysql", [{}, sets("MYSQL_PASSWORD")], "b"),
        ("mysql", [sets("POSTGRES_USER"), sets("MYSQL_USER")], "b"),
        # It tells better than what is newer.
        ("postgresql", [sets("POSTGRES_PASSWORD_FILE"), sets("POSTGRES_DB")], "b"),
        ("mysql", [sets("MYSQL_ROOT_PASSWORD"), FROM], "b"),
        # Other images' names, and files.
        ("postgresql", [{}, sets("POSTGRESQL_PASSWORD")], "b"),
        ("postgresql", [{}, sets("POSTGRES_PASSWORD_FILE")], "b"),
        ("mysql", [{}, sets("MARIADB_ROOT_PASSWORD")], "b"),
        ("mysql", [{}, sets("MYSQL_ALLOW_EMPTY_PASSWORD")], "b"),
        ("elasticsearch", [{}, sets("ELASTIC_PASSWORD")], "b"),
        ("elasticsearch", [FROM, sets("OPENSEARCH_INITIAL_ADMIN_PASSWORD_FILE")], "b"),
        ("clickhouse", [{}, sets("CLICKHOUSE_DB")], "b"),
        # The port where the variables do not tell: an exporter has the password, too.
        ("mysql", [sets("MYSQL_ROOT_PASSWORD"), sets("MYSQL_ROOT_PASSWORD") | listens(3306)], "b"),
        ("clickhouse", [{}, listens(9000), listens(9000, 8123)], "c"),
        ("elasticsearch", [{}, listens(9200)], "b"),
        # The first.
        ("postgresql", [{}, {}], "a"),
        ("elasticsearch", [{}, FROM], "a"),
        ("clickhouse", [{}, listens(8123), listens(8123)], "a"),
        ("elasticsearch", [{}, sets("ELASTIC_PASSWORD"), sets("ELASTIC_PASSWORD")], "a"),
    ],
)
def test_the_container(engine: str, containers: list[Document], expected: str) -> None:
    assert container_of(among(*containers), request(engine))["name"] == expected


def test_the_annotation_decides() -> None:
    pods = among(sets("POSTGRES_USER"), {})
    assert container_of(pods, request(container="b"))["name"] == "b"


def test_a_container_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(RejectedError, match=r"these containers: a, b$") as caught:
        container_of(among({}, {}), request(container="c"))
    assert caught.value.rejected.reason is Reason.CONTAINER_MISSING
