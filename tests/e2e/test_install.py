"""A stranger installs by charts/ksnapshot/README.md alone, typing what stands there."""

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.demo import images
from tests.demo.objects import from_secret, secret, service, stateful_set
from tests.demo.world import BUCKET
from tests.disaster.guide import commands_of
from tests.e2e.conftest import Stage
from tests.e2e.tenant import type_command
from tests.paths import REPOSITORY
from tests.testbed.toolchain.tools import tool

_PAGE = REPOSITORY / "charts" / "ksnapshot" / "README.md"
# The page's namespaces; its own of ksnapshot is taken by the stage.
_CONTROL, _WATCHED, _DATABASE = "ksnapshot-readme", "production", "database"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """Somebody with a clone of the project, keys of a bucket, and the rights of an admin."""

    folder: Path
    helm_values: Mapping[str, str]
    """What differs here from anywhere else: where images come from, and how long a pass waits."""

    def type(self, command: str) -> str:
        """What the command prints, once it has worked."""
        command = re.sub(r"namespace ksnapshot\b", f"namespace {_CONTROL}", command)
        # The page says what to put in its place where the store is not AWS.
        endpoint = f"--set s3.endpoint={self.helm_values['s3.endpoint']}"
        command = command.replace("--set s3.region=eu-west-3", endpoint)
        if command.startswith("helm install"):
            command += "".join(f" --set {name}={text}" for name, text in self.helm_values.items())
        done = type_command(command, self.folder)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def stranger(stage: Stage, tmp_path: Path) -> Iterator[Stranger]:
    """There is a database that nobody has ever annotated, and no namespace of ksnapshot."""
    kube = stage.kube
    namespaces = [_CONTROL, _WATCHED]
    kube.run("delete", "namespace", *namespaces, "--ignore-not-found", "--wait=true")
    kube.run("create", "namespace", _WATCHED)
    login = {
        "POSTGRES_USER": "shop",
        "POSTGRES_PASSWORD": secrets.token_hex(16),
        "POSTGRES_DB": "shop",
    }
    container = {
        "name": "database",
        "image": images.names()[images.DATABASE],
        "env": from_secret("login", login),
    }
    labels = {"app": _DATABASE}
    kube.apply(
        secret("login", _WATCHED, login),
        service(_DATABASE, _WATCHED, labels, 5432),
        stateful_set(_DATABASE, _WATCHED, labels, container, service=_DATABASE),
    )
    (tmp_path / "bin").mkdir()
    for name in ("kubectl", "helm"):
        (tmp_path / "bin" / name).symlink_to(tool(name))
    (tmp_path / "kubeconfig").symlink_to(kube.cluster.kubeconfig)
    (tmp_path / "charts").symlink_to(REPOSITORY / "charts")
    keys = f"{stage.world.store_key}\nAWS_SECRET_ACCESS_KEY={stage.world.store_secret}\n"
    (tmp_path / "keys.env").write_text(f"AWS_ACCESS_KEY_ID={keys}")
    names = images.names()
    repository, _, tag = names[images.CONTROLLER].rpartition(":")
    of_here = {
        "image.repository": repository,
        "image.tag": tag,
        "dumperImages.postgresql.v16": names[images.POSTGRESQL],
        "controller.pollIntervalSeconds": "1",
        "s3.endpoint": stage.world.endpoint,
    }
    yield Stranger(folder=tmp_path, helm_values=of_here)
    kube.run("delete", "namespace", *namespaces, "--wait=false")


def test_the_commands_of_the_page_lead_to_a_backup(stage: Stage, stranger: Stranger) -> None:
    section = _PAGE.read_text().partition("\n## Install\n")[2].partition("\n## ")[0]
    commands = commands_of(re.sub("^   ", "", section, flags=re.MULTILINE))
    namespace, keys, install, prove, annotate, look, back_up = commands
    for command in (namespace, keys, install, prove, annotate):
        stranger.type(command)
    stage.kube.wait("a board", lambda: "wanted, Annotated" in _board(stranger, look), seconds=60)
    stranger.type(back_up)
    stage.kube.wait(
        "a backup", lambda: "last run: succeeded" in _board(stranger, look), seconds=120
    )
    assert any(key.endswith("/manifest.json") for key in stage.store.objects(BUCKET))
    [uninstall] = re.findall(r"^`(helm uninstall [^`]+)`", section, re.MULTILINE)
    stranger.type(uninstall)
    assert stage.kube.list("cronjobs", _CONTROL, "app.kubernetes.io/managed-by=ksnapshot")


def _board(stranger: Stranger, command: str) -> str:
    """What the page's look shows; empty as long as there is nothing to look at."""
    try:
        return stranger.type(command)
    except AssertionError as error:
        if "NotFound" not in str(error):
            raise
        return ""
