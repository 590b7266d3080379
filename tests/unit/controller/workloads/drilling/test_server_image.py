"""The image of a drill's throwaway server."""

import json

import pytest

from controller.model.status import Reason, Rejected
from controller.workloads.drilling.asked import check_default
from controller.workloads.drilling.server_image import choose_image, full_name, is_allowed
from dumpers.engines.registry import ENGINES
from dumpers.runtime.errors import ConfigurationError
from tests.fakes.worlds import settings

_BY_TYPE = {engine.type: engine for engine in ENGINES}


def chosen(
    engine: str, own: str = "", version: str = "", images: dict[str, str] | None = None
) -> str | Rejected:
    how = settings(DRILL_IMAGES=json.dumps(images or {}))
    return choose_image(_BY_TYPE[engine], own, version, how)


@pytest.mark.parametrize(
    ("engine", "version", "images", "image"),
    [
        ("postgresql", "16.4 (Debian 16.4-1.pgdg12+1)", {"postgresql": "r/pg:{major}"}, "r/pg:16"),
        ("postgresql", "17beta1", {"postgresql": "r/pg:{major}"}, "r/pg:17"),
        ("mysql", "MySQL 8.4.3", {"mysql": "r/mysql:{major}.{minor}"}, "r/mysql:8.4"),
        (
            "mysql",
            "MariaDB 11.4.2",
            {"mysql": "r/mysql:{version}", "mariadb": "r/mariadb:{version}"},
            "r/mariadb:11.4.2",
        ),
        ("mysql", "MariaDB 11.4.2", {"mysql": "r/both:1"}, "r/both:1"),
        ("elasticsearch", "OpenSearch 2.11.0", {"opensearch": "r/os:{version}"}, "r/os:2.11.0"),
        ("clickhouse", "ClickHouse 24.8.14.39", {"clickhouse": "ch:{version}"}, "ch:24.8.14.39"),
        # What asks for no version needs none.
        ("postgresql", "", {"postgresql": "r/pg:16"}, "r/pg:16"),
    ],
)
def test_the_operators_image_is_filled_with_the_servers_version(
    engine: str, version: str, images: dict[str, str], image: str
) -> None:
    assert chosen(engine, "docker.io/library/postgres:15", version, images) == image


def test_a_version_that_no_dump_has_told_yet_is_waited_for() -> None:
    found = chosen("postgresql", "postgres:16", "", {"postgresql": "r/pg:{major}"})
    assert isinstance(found, Rejected)
    assert found.reason is Reason.ANNOTATED
    # Another image than the operator's never takes its place.
    assert "once a backup has told" in found.message


def test_a_version_without_the_part_that_is_asked_for_is_named() -> None:
    found = chosen("postgresql", "", "16", {"postgresql": "r/pg:{major}.{minor}"})
    assert isinstance(found, Rejected)
    assert found.reason is Reason.DRILL_IMAGE_MISSING
    assert "{minor} in r/pg:{major}.{minor}, and its server is of version 16" in found.message


@pytest.mark.parametrize(
    ("own", "image"),
    [
        ("postgres:16", "docker.io/library/postgres:16"),
        ("postgres", "docker.io/library/postgres:latest"),
        ("docker.io/postgres:16", "docker.io/library/postgres:16"),
        ("docker.io/library/postgres:16@sha256:0123", "docker.io/library/postgres:16@sha256:0123"),
        ("postgis/postgis:16-3.4", "docker.io/postgis/postgis:16-3.4"),
    ],
)
def test_without_one_it_is_the_workloads_own_where_that_is_allowed(own: str, image: str) -> None:
    assert chosen("postgresql", own) == image


@pytest.mark.parametrize(
    "own",
    [
        "registry.example/postgres:16",
        "tenant/postgres:16",
        "postgres.example:5000/postgres:16",
        "postgres:5000/evil:1",
        "",
    ],
)
def test_any_other_image_is_a_finding_that_names_it(own: str) -> None:
    found = chosen("postgresql", own, "16.4")
    assert isinstance(found, Rejected)
    assert found.reason is Reason.DRILL_IMAGE_MISSING
    assert own in found.message


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("postgres", "docker.io/library/postgres:latest"),
        ("postgres:16", "docker.io/library/postgres:16"),
        ("postgis/postgis:16", "docker.io/postgis/postgis:16"),
        ("localhost/postgres:16", "localhost/postgres:16"),
        ("registry:5000/postgres", "registry:5000/postgres:latest"),
        ("ghcr.io/a/b@sha256:01", "ghcr.io/a/b@sha256:01"),
    ],
)
def test_patterns_are_of_full_names(image: str, name: str) -> None:
    assert full_name(image) == name


def test_a_star_stands_for_anything_and_all_else_for_itself() -> None:
    assert is_allowed("r.example/a/b:1", ["r.example/*:1"])
    assert is_allowed("postgres:16", ["*"])
    assert not is_allowed("rxexample/a:1", ["r.example/a:1"])
    assert not is_allowed("r.example/a:12", ["r.example/a:1"])
    assert not is_allowed("evil.example/docker.io/library/postgres:1", ["docker.io/library/*"])


def test_an_operators_schedule_that_kubernetes_refuses_ends_the_process() -> None:
    check_default(settings(DRILL_SCHEDULE="@weekly-random"))
    with pytest.raises(ConfigurationError, match="DRILL_SCHEDULE is 'sometimes'"):
        check_default(settings(DRILL_SCHEDULE="sometimes"))
