import json
import tarfile
from pathlib import Path

import pytest

from tests.testbed.cluster import images
from tests.testbed.toolchain import cache
from tests.testbed.toolchain.require import require_command, require_root


@pytest.fixture(autouse=True)
def _possible() -> None:
    require_root()
    require_command("debootstrap", "debootstrap")
    require_command("buildah", "buildah")


def test_an_image_is_built_once_for_the_same_inputs(tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(
        "ARG BASE\nFROM ${BASE}\nCOPY app /app\nRUN python3 /app/main.py > /said\n"
    )
    app = tmp_path / "app"
    app.mkdir()
    (app / "main.py").write_text("print('hello')")
    (tmp_path / "unrelated").write_text("1")
    name = "localhost/ksnapshot-testbed-self-test:1"

    def build() -> Path:
        return images.build(name, dockerfile, tmp_path, ["app"])

    mounts = Path("/proc/mounts").read_text()
    first = build()
    assert Path("/proc/mounts").read_text() == mounts
    (tmp_path / "unrelated").write_text("2")
    assert build() == first
    with tarfile.open(first) as archive:
        member = archive.extractfile("index.json")
        assert member is not None
        [manifest] = json.load(member)["manifests"]
    assert manifest["annotations"]["org.opencontainers.image.ref.name"] == name
    (app / "main.py").write_text("print('bye')")
    second = build()
    assert second != first
    assert not first.exists()
    assert cache.root() in second.parents


def test_a_failed_build_says_why(tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("ARG BASE\nFROM ${BASE}\nRUN echo the reason >&2; exit 3\n")
    with pytest.raises(images.ImageError, match="the reason"):
        images.build("localhost/ksnapshot-testbed-broken:1", dockerfile, tmp_path, [])
