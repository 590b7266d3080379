"""What a restore is given of the storages of its workload, so that it may fall over to the next."""

from typing import Any

import pytest

from controller.manifests.restore_job import CLIENT, RestoreJob, Target, build_restore_job
from controller.manifests.storages.every_storage import every_store_variables
from controller.manifests.storages.sources import reader_account
from controller.manifests.verb_job import VerbJob, container_of, store_variables
from controller.model import names
from controller.model.objects import Json
from controller.settings.settings import Settings
from dumpers.contract.restore.request import RestoreRequest
from dumpers.engines.registry import ENGINES
from tests.unit.controller.manifests.storages.test_of_cronjob import cronjob
from tests.unit.controller.manifests.storages.test_storage_env import (
    OBJECTS,
    PLACES,
    READERS,
    how,
    kubelet,
    read,
)

WANTED = VerbJob(name="j", verb="restore", deadline=60, keep=60)


def variables_of(storage: str, where: Settings) -> list[Json]:
    dump = container_of(cronjob(storage, where))
    return every_store_variables(dump, {"OWN": "x"}, reader_account(where))


@pytest.mark.parametrize(
    ("storage", "env", "keys"),
    [
        ("main,off-site", {}, ["near-id", "far-reader"]),
        ("main,off-site", READERS, ["reading-id", "far-reader"]),
        ("off-site,main", READERS, ["far-reader", "reading-id"]),
        ("off-site,main", {"READER_SERVICE_ACCOUNT_NAME": "reader"}, ["far-reader", None]),
        ("cosi,bare,main", READERS, ["cosi-id", None, "reading-id"]),
        ("main,cosi", {}, ["near-id", "cosi-id"]),
    ],
)
def test_each_storage_is_read_with_its_readers_keys(
    storage: str, env: dict[str, str], keys: list[str | None]
) -> None:
    made = variables_of(storage, how(**env))
    found = read(made)
    assert list(found) == storage.split(",")
    assert [place.access_key for place in found.values()] == keys
    assert [place.bucket for place in found.values()] == [PLACES[name].bucket for name in found]
    assert found[storage.partition(",")[0]].path == PLACES[storage.partition(",")[0]].path
    assert kubelet(made)["OWN"] == "x"
    assert len({item["name"] for item in made}) == len(made)


@pytest.mark.parametrize("storage", ["main", "off-site"])
def test_one_storage_is_as_ever(storage: str) -> None:
    where = how(**READERS)
    dump = container_of(cronjob(storage, where))
    account = reader_account(where)
    assert every_store_variables(dump, {}, account) == store_variables(dump, {}, account)


def test_a_readers_secret_that_is_missing_keeps_no_restore_from_the_first_storage() -> None:
    without = {name: data for name, data in OBJECTS.items() if name != "far-reading"}
    given = kubelet(variables_of("main,off-site", how()), without)
    assert "STORAGE_OFF_SITE__S3_ACCESS_KEY" not in given
    assert given["BACKEND_S3_ACCESS_KEY"] == "near-id"


def test_a_readers_bucket_info_takes_the_place_of_that_of_dumps() -> None:
    where = how()
    dump = container_of(cronjob("main,cosi", where))
    account: Any = reader_account(where)
    account.of_storages["cosi"] = "granted-to-readers"
    env = {item["name"]: item for item in every_store_variables(dump, {}, account)}
    source = env["STORAGE_COSI__S3_BUCKET_INFO"]["valueFrom"]["secretKeyRef"]
    assert source["name"] == "granted-to-readers"


def test_the_client_of_a_restore_is_given_no_storage() -> None:
    where = how(**READERS)
    made = cronjob("main,off-site,cosi", where)
    engine = next(item for item in ENGINES if item.type == "postgresql")
    asked = RestoreJob(backup="latest", request=RestoreRequest(), identity=None, requested_by="")
    job = build_restore_job(made, engine, Target(cronjob=made), asked, WANTED)
    pod = job["spec"]["template"]["spec"]
    env = {item["name"]: item["env"] for item in pod["containers"]}
    assert list(read(env[names.CONTAINER])) == ["main", "off-site", "cosi"]
    known = str(env[CLIENT])
    assert [text for text in ("BACKEND_", "STORAGE", "far", "granted") if text in known] == []
