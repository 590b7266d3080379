"""Which container of a CronJob dumps, and where to, also where somebody changed it by hand."""

from typing import Any

import pytest

from controller.manifests.verb_job import container_of
from controller.model.objects import Json
from controller.workloads.storages.dump_container import dump_container, literal_of, storages_in
from dumpers.runtime.errors import ConfigurationError

OTHER: Json = {"name": "proxy", "env": [{"name": "KSNAPSHOT_STORAGES", "value": "x"}]}


def cronjob(*containers: Json) -> Json:
    pod = {"containers": [*containers]}
    job = {"spec": {"template": {"spec": pod}}}
    return {"metadata": {"name": "cj"}, "spec": {"jobTemplate": job}}


def container(*env: dict[str, Any]) -> Json:
    return {"name": "job", "env": [*env]}


def test_the_container_is_found_beside_others() -> None:
    dump = container()
    assert dump_container(cronjob(OTHER, dump)) is dump
    assert container_of(cronjob(OTHER, dump)) is dump


@pytest.mark.parametrize("item", [cronjob(OTHER), cronjob(), {"metadata": {"name": "cj"}}])
def test_a_container_that_somebody_removed_is_named(item: Json) -> None:
    assert dump_container(item) is None
    with pytest.raises(ConfigurationError, match="the CronJob cj has no container 'job'"):
        container_of(item)


@pytest.mark.parametrize(
    ("env", "names"),
    [
        ((), ("main",)),
        (({"name": "KSNAPSHOT_STORAGES", "value": ""},), ("main",)),
        (({"name": "KSNAPSHOT_STORAGES", "value": "a,b"},), ("a", "b")),
        # As the job reads it.
        (({"name": "KSNAPSHOT_STORAGES", "value": "a, b"},), ("a", "b")),
        (({"name": "OTHER", "value": "a"},), ("main",)),
    ],
)
def test_the_storages_are_those_that_the_job_reads(
    env: tuple[dict[str, Any], ...], names: tuple[str, ...]
) -> None:
    assert storages_in(container(*env)) == names


def test_a_value_of_a_secret_is_none_that_stands_there() -> None:
    source = {"secretKeyRef": {"name": "s", "key": "k"}}
    found = container({"name": "A", "valueFrom": source}, {"name": "B", "value": "b"})
    assert [literal_of(found, name) for name in "ABC"] == ["", "b", ""]
