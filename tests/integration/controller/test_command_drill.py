"""`ksnapshot drill` on a real API server: what it makes, and with which rights."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.model import names
from tests.integration.controller.command import KEY, Command, Json, installed
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.cluster.kubeapi import Identity


@pytest.fixture(scope="module")
def command(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    with installed(apiserver, tmp_path_factory.mktemp("home"), workloads=2) as made:
        (made.home / "key.txt").write_text(f"{KEY}\n")
        yield made


@pytest.fixture(scope="module")
def admin(command: Command) -> Identity:
    return command.admin("ada")


@pytest.fixture(autouse=True)
def clean(command: Command) -> Iterator[None]:
    yield
    command.delete_jobs()


def made(command: Command) -> Json:
    (job,) = command.jobs()
    return job


def pod_of(job: Json) -> Json:
    found: Json = job["spec"]["template"]["spec"]
    return found


def test_it_makes_a_job_with_the_chosen_image_and_no_key_of_the_database(
    command: Command, admin: Identity
) -> None:
    done = command.run(
        "drill", command.owner, "--backup", "3f9c0a51b2d4", "--image", "r/pg:16", identity=admin
    )
    assert done.returncode == 0, done.stderr
    job = made(command)
    assert done.stdout == f"started {job['metadata']['name']}\n"
    assert "logs --job" in done.stderr
    assert job["metadata"]["labels"][names.COMPONENT_LABEL] == names.DRILL
    assert job["metadata"]["annotations"][names.CRONJOB] == command.cronjob()["metadata"]["name"]
    pod = pod_of(job)
    assert [item["name"] for item in pod["containers"]] == ["job", "client"]
    (server,) = pod["initContainers"]
    assert (server["image"], server["restartPolicy"]) == ("docker.io/r/pg:16", "Always")
    assert names.secret_name(command.cronjob()["metadata"]["name"]) not in str(job)
    env = {item["name"]: item.get("value") for item in pod["containers"][0]["env"]}
    assert env["KSNAPSHOT_BACKUP"] == "3f9c0a51b2d4"
    assert env["KSNAPSHOT_REQUESTED_BY"] == "ada"


def test_a_key_of_yours_lives_as_long_as_the_job(command: Command, admin: Identity) -> None:
    key = str(Path(command.home) / "key.txt")
    done = command.run("drill", command.owner, "--image", "r/pg:16", "-i", key, identity=admin)
    assert done.returncode == 0, done.stderr
    job = made(command)
    assert not job["spec"].get("suspend")
    secret = command.world.secrets()[job["metadata"]["name"]]
    assert secret["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
    readers = [
        item["name"]
        for item in (*pod_of(job)["containers"], *pod_of(job)["initContainers"])
        if "identity" in {mount["name"] for mount in item["volumeMounts"]}
    ]
    assert readers == ["job"]
    assert KEY not in str(job)


def test_what_cannot_begin_leaves_nothing(command: Command, admin: Identity) -> None:
    key = str(Path(command.home) / "key.txt")
    for words, code, said in (
        ((), 6, "--image"),
        (("--image", "x", "-i", key, "--identity-secret", "x/y"), 2, "not both"),
        (("--image", "x", "--identity-secret", "none"), 3, "none"),
    ):
        done = command.run("drill", command.owner, *words, identity=admin)
        assert (done.returncode, said in done.stderr) == (code, True), done.stderr
        assert "Traceback" not in done.stderr
    without = command.admin("bob", without="secrets")
    done = command.run("drill", command.owner, "--image", "x", "-i", key, identity=without)
    assert done.returncode == 4, done.stderr
    assert command.jobs() == []
