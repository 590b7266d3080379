"""The dumper's image itself, run as its container would be: read-only, as 65532."""

import gzip
import json
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.demo import images
from tests.integration.dumpers.mysql.conftest import Case
from tests.integration.dumpers.mysql.worlds import fill, fingerprint
from tests.testbed.dumper import storage_env
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain import scratch
from tests.testbed.toolchain.require import require_command, require_root

# Arguments: the root file system, then the container's environment and command.
_CONTAINER = """
root=$1; shift
mount --bind "$root" "$root" && mount -o remount,ro,bind "$root" || exit 99
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp" || exit 99
exec /usr/sbin/chroot --userspec=65532:65532 "$root" /usr/bin/env -i "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    root: Path
    env: dict[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()

    def run(self, env: dict[str, str], *command: str) -> "subprocess.CompletedProcess[str]":
        words = [f"{name}={value}" for name, value in {**self.env, **env}.items()]
        # A mount namespace of its own: what is mounted goes with the process.
        apart = ["unshare", "--mount", "--", "sh", "-c", _CONTAINER, "sh", str(self.root)]
        return subprocess.run(
            [*apart, *words, *(command or self.entrypoint)],
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    require_root()
    require_command("debootstrap", "debootstrap")
    require_command("buildah", "buildah")
    folder = scratch.make("image")
    root = folder / "root"
    root.mkdir()
    with tarfile.open(images.build(images.MYSQL)[images.MYSQL]) as archive:
        [entry] = _document(archive, "index.json")["manifests"]
        manifest = _document(archive, _blob(entry))
        config = _document(archive, _blob(manifest["config"]))["config"]
        for layer in manifest["layers"]:
            packed = archive.extractfile(_blob(layer))
            assert packed
            unpack = ["tar", "--extract", "--gzip", "--file=-", f"--directory={root}"]
            subprocess.run(unpack, input=packed.read(), check=True)
    yield Image(
        root=root,
        env=dict(item.split("=", 1) for item in config["Env"]),
        entrypoint=tuple(config["Entrypoint"]),
    )
    scratch.remove(folder)


def _blob(entry: dict[str, Any]) -> str:
    return "blobs/" + str(entry["digest"]).replace(":", "/")


def _document(archive: tarfile.TarFile, name: str) -> dict[str, Any]:
    member = archive.extractfile(name)
    assert member is not None
    found: dict[str, Any] = json.load(member)
    return found


def test_the_image_has_the_clients_of_both(image: Image) -> None:
    for name in ("mysql", "mysqldump", "mariadb", "mariadb-dump"):
        said = image.run({}, name, "--version")
        assert said.returncode == 0, said.stderr
        assert ("mariadb" in said.stdout.lower()) == name.startswith("mariadb")


def test_the_image_dumps_every_server(image: Image, case: Case, s3: S3Server, bucket: str) -> None:
    database = case.database()
    fill(case.server, database)
    env = {**storage_env(s3, bucket), **case.env(database), "HOSTNAME": "pod"}
    del env["KSNAPSHOT_ENGINE"]
    ended = image.run({**env, "KSNAPSHOT_TERMINATION_LOG": "/tmp/result"})
    assert ended.returncode == 0, ended.stderr
    [key] = [key for key in s3.objects(bucket) if key.endswith(".sql.gz")]
    copy = case.load(gzip.decompress(s3.read(bucket, key)))
    assert fingerprint(case.server, copy) == fingerprint(case.server, database)
