"""What is in the project's images, as they are built for the cluster."""

import json
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dumpers.runtime.version import VERSION
from tests.demo import images
from tests.paths import REPOSITORY
from tests.testbed.cluster.images import base_image
from tests.testbed.toolchain.require import require_command, require_root

_OURS = (images.CONTROLLER, *images.DUMPERS)
# Name to its budget in MiB.
BUDGETS = {
    name: int(budget)
    for name, budget in re.findall(
        r"^\| `([\w-]+)` \| \d+ MiB \| (\d+) MiB \|$",
        (REPOSITORY / "images" / "README.md").read_text(),
        re.MULTILINE,
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    layers: tuple[int, ...]
    """Bytes of each as a registry stores it, the base's first."""
    config: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Image":
        with tarfile.open(path) as archive:
            (entry,) = _document(archive, "index.json")["manifests"]
            manifest = _document(archive, _blob(entry))
            return cls(
                layers=tuple(layer["size"] for layer in manifest["layers"]),
                config=_document(archive, _blob(manifest["config"]))["config"],
            )


def _blob(entry: dict[str, Any]) -> str:
    return "blobs/" + str(entry["digest"]).replace(":", "/")


def _document(archive: tarfile.TarFile, name: str) -> dict[str, Any]:
    member = archive.extractfile(name)
    assert member is not None
    document: dict[str, Any] = json.load(member)
    return document


@pytest.fixture(params=_OURS)
def name(request: pytest.FixtureRequest) -> str:
    require_root()
    require_command("debootstrap", "debootstrap")
    require_command("buildah", "buildah")
    return str(request.param)


@pytest.fixture
def image(name: str) -> Image:
    return Image.read(images.build(name)[name])


def test_it_keeps_its_budget(name: str, image: Image) -> None:
    assert set(BUDGETS) == set(_OURS)
    of_base = len(Image.read(base_image()).layers)
    added = sum(image.layers[of_base:])
    assert 0 < added <= BUDGETS[name] << 20


def test_it_says_what_it_is(name: str, image: Image) -> None:
    labels = image.config["Labels"]
    said = {
        key.removeprefix("org.opencontainers.image."): value
        for key, value in labels.items()
        if key.startswith("org.opencontainers.image.")
    }
    engine = images.DUMPERS.get(name)
    assert said.pop("title") == (f"ksnapshot-dumper-{engine}" if engine else "ksnapshot")
    assert said.pop("description")
    source = "https://github.com/clickandmortar/ksnapshot"
    assert said == {
        "version": VERSION,
        "licenses": "MIT",
        "vendor": "Click & Mortar",
        "url": source,
        "source": source,
        "documentation": f"{source}/blob/main/README.md",
    }


def test_it_runs_as_nobody_and_without_a_shell(image: Image) -> None:
    assert image.config["User"] == "65532:65532"
    program, *arguments = image.config["Entrypoint"]
    assert program == "/opt/ksnapshot/bin/python"
    assert arguments in (["-m", "controller"], ["-m", "dumpers"])
