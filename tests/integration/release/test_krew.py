"""The archive and the manifest for krew, as a release publishes them."""

import hashlib
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from dumpers.runtime.version import VERSION
from release import krew
from tests import libyaml
from tests.paths import REPOSITORY


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return krew.build(tmp_path_factory.mktemp("krew"))


def test_the_manifest_names_the_archive_beside_it(made: tuple[Path, Path]) -> None:
    archive, manifest = made
    document = libyaml.read(manifest.read_text())
    assert (document["apiVersion"], document["kind"]) == (
        "krew.googlecontainertools.github.com/v1alpha2",
        "Plugin",
    )
    assert document["metadata"]["name"] == "ksnapshot"
    assert document["spec"]["version"] == f"v{VERSION}"
    assert "$" not in manifest.read_text()
    (platform,) = document["spec"]["platforms"]
    assert platform["uri"].endswith(f"/v{VERSION}/{archive.name}")
    assert platform["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    # What krew's index refuses: https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/
    assert len(document["spec"]["shortDescription"]) <= 50
    assert re.fullmatch(r"[\w-]+", document["metadata"]["name"])


def test_the_program_in_the_archive_runs(made: tuple[Path, Path], tmp_path: Path) -> None:
    archive, manifest = made
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    (platform,) = libyaml.read(manifest.read_text())["spec"]["platforms"]
    program = tmp_path / platform["bin"]
    assert program.stat().st_mode & 0o111 == 0o111
    done = subprocess.run(
        [sys.executable, "-I", program, "--version"], capture_output=True, text=True, check=True
    )
    assert VERSION in done.stdout
    assert (tmp_path / "LICENSE").read_bytes() == (REPOSITORY / "LICENSE").read_bytes()


def test_it_has_the_same_bytes_whenever_it_is_built(
    made: tuple[Path, Path], tmp_path: Path
) -> None:
    again, _ = krew.build(tmp_path)
    assert again.read_bytes() == made[0].read_bytes()
