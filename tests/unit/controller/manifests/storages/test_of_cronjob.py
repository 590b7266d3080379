"""The dump CronJob as if it wrote to one of its storages alone, and who reads what of it."""

import copy
import json

import pytest

from controller.manifests.cronjob import build_cronjob
from controller.manifests.overlay import overlay
from controller.manifests.storages.of_cronjob import (
    is_only_read,
    of_storage,
    storages_of,
    why_not_used,
)
from controller.manifests.storages.sources import WRITER, pruner_account, reader_account
from controller.manifests.verb_job import container_of, store_variables
from controller.model.objects import Json
from controller.settings.settings import Settings
from tests.fakes.worlds import settings
from tests.unit.controller.manifests.storages.test_storage_env import (
    DEFINED,
    PLACES,
    READERS,
    how,
    kubelet,
    read,
    spec,
)


def cronjob(storage: str, where: Settings) -> Json:
    return overlay(None, build_cronjob(spec(storage, where), where, "cluster", None))


@pytest.mark.parametrize("storage", ["main", "off-site", "main,off-site,cosi", "cosi,bare,main"])
@pytest.mark.parametrize("name", [*PLACES])
def test_a_job_has_the_place_of_one_storage_alone(storage: str, name: str) -> None:
    where = how()
    made = cronjob(storage, where)
    before = copy.deepcopy(made)
    found = of_storage(made, name, where)
    assert made == before
    assert storages_of(found) == (name,)
    env = store_variables(container_of(found), {"OWN": "x"}, WRITER)
    assert read(env) == {name: PLACES[name]}
    given = kubelet(env)
    assert (given["OWN"], given["HTTPS_PROXY"]) == ("x", "p")
    assert given["KSNAPSHOT_WORKLOAD"] == "demo/db"
    assert len({item["name"] for item in env}) == len(env)
    assert not [item for item in env if item["name"].startswith("STORAGE_")]


def test_the_only_storage_is_the_cronjob_as_it_is() -> None:
    made = cronjob("off-site", how())
    assert of_storage(made, "off-site", how()) is made


def test_what_users_changed_in_the_cronjob_holds() -> None:
    where = how()
    made = copy.deepcopy(cronjob("main,off-site", where))
    for item in container_of(made)["env"]:
        if item["name"] == "STORAGE_OFF_SITE__PATH":
            item["value"] = "moved"
    env = store_variables(container_of(of_storage(made, "off-site", where)), {}, WRITER)
    assert read(env)["off-site"].path == "moved"


def test_a_storage_that_is_defined_no_more_is_read_from_the_cronjob() -> None:
    made = cronjob("main,off-site", how())
    found = of_storage(made, "off-site", settings())
    env = store_variables(container_of(found), {}, WRITER)
    assert read(env) == {"off-site": PLACES["off-site"]}


def test_a_name_that_begins_as_another_one_does() -> None:
    defined = {"a": {"bucket": "first"}, "a--b": {"bucket": "second"}}
    where = settings(STORAGES=json.dumps(defined))
    made = cronjob("main,a,a--b", where)
    for name, item in defined.items():
        env = store_variables(container_of(of_storage(made, name, where)), {}, WRITER)
        assert {key: place.bucket for key, place in read(env).items()} == {name: item["bucket"]}
        assert [item["name"] for item in env if "__" in item["name"]] == []


@pytest.mark.parametrize(
    ("name", "keys"), [("main", "reading-id"), ("off-site", "far-reader"), ("cosi", "cosi-id")]
)
def test_who_reads_has_its_own_keys_in_each(name: str, keys: str) -> None:
    where = how(**READERS)
    found = of_storage(cronjob("bare,main,off-site,cosi", where), name, where)
    env = store_variables(container_of(found), {}, reader_account(where))
    assert read(env)[name].access_key == keys


def test_who_deletes_has_its_own_keys_in_each() -> None:
    deleting = {**DEFINED, "off-site": {**DEFINED["off-site"], "pruneSecret": "may-delete"}}
    where = settings(STORAGES=json.dumps(deleting))
    found = of_storage(cronjob("main,off-site", where), "off-site", where)
    env = {
        item["name"]: item
        for item in store_variables(container_of(found), {}, pruner_account(where))
    }
    source = env["BACKEND_S3_ACCESS_KEY"]["valueFrom"]["secretKeyRef"]
    assert source == {"name": "may-delete", "key": "AWS_ACCESS_KEY_ID"}


def test_which_storages_a_workload_has() -> None:
    defined = {
        "near": {"bucket": "near-bucket"},
        "old": {"bucket": "old-bucket", "accessMode": "ReadOnly"},
        "others": {"bucket": "others-bucket", "namespaces": ["other"]},
    }
    where = settings(STORAGES=json.dumps(defined))
    made = cronjob("main,near", where)
    assert [why_not_used(made, name, where) for name in ("main", "near", "old")] == ["", "", ""]
    for name in ("others", "none"):
        assert f"the storage {name} is not there, or not for namespace demo" in why_not_used(
            made, name, where
        )
    assert [is_only_read(name, where) for name in ("main", "old", "none")] == [False, True, False]
