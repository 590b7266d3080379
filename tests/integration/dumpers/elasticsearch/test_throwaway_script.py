"""What a drill's script makes of an image whose configuration it may not read."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dumpers.contract.drill.server import DRILL_FOLDER
from dumpers.engines.elasticsearch.throwaway import DRILL_SERVER
from tests.testbed.toolchain import scratch

_NOBODY = 65534


@pytest.fixture
def home() -> Iterator[Path]:
    """An image's OpenSearch that ends at once."""
    folder = scratch.make("search-image")
    folder.chmod(0o755)
    for name in ("bin", "lib", "config"):
        (folder / "image" / name).mkdir(parents=True)
    program = folder / "image" / "bin" / "opensearch"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    (folder / "image" / "lib" / "opensearch-3.1.0.jar").touch()
    (folder / "shared").mkdir()
    (folder / "shared").chmod(0o777)
    yield folder
    scratch.remove(folder)


def run(home: Path) -> subprocess.CompletedProcess[str]:
    script = DRILL_SERVER.script.replace(f"folder={DRILL_FOLDER}", f"folder={home}/shared")
    script = script.replace("/usr/share/opensearch", f"{home}/image")
    uid = _NOBODY if os.geteuid() == 0 else None
    return subprocess.run(
        ["/bin/sh", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        user=uid,
        env={"PATH": "/usr/bin:/bin"},
    )


def test_what_cannot_be_read_is_written_anew_and_told(home: Path) -> None:
    (home / "image" / "agent").mkdir()
    (home / "image" / "agent" / "opensearch-agent.jar").touch()
    (home / "image" / "config" / "jvm.options").write_text("-Xms1g\n")
    (home / "image" / "config").chmod(0)
    try:
        done = run(home)
    finally:
        (home / "image" / "config").chmod(0o755)
    assert "left out: what cannot be read" in done.stderr
    options = (home / "shared" / "config" / "jvm.options").read_text()
    assert "-javaagent:agent/opensearch-agent.jar" in options
    assert "security.manager" not in options
    logged = (home / "shared" / "config" / "log4j2.properties").read_text()
    assert "rootLogger.appenderRef.console.ref = console" in logged


def test_the_images_own_configuration_stays(home: Path) -> None:
    own = home / "image" / "config"
    (own / "jvm.options").write_text("-Xms1g\n-XX:HeapDumpPath=data\n")
    (own / "log4j2.properties").write_text("status = error\n")
    (own / "opensearch.yml").write_text("cluster.name: other\n")
    assert run(home).stderr == ""
    made = home / "shared" / "config"
    assert (made / "jvm.options").read_text() == "-Xms1g\n"
    assert (made / "log4j2.properties").read_text() == "status = error\n"
    assert "cluster.name: drill\n" in (made / "opensearch.yml").read_text()
