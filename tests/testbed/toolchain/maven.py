"""Files from Maven Central."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.testbed.toolchain import cache, packages

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>testbed</groupId><artifactId>testbed</artifactId><version>1</version>
<dependencies><dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>
<version>{version}</version></dependency></dependencies></project>"""


def jar(artifact: str, target: Path) -> Path:
    """The file of an artifact, brought into an empty folder; RuntimeError.

    `group:name:version` is a jar, `group:name:version:zip` a file of another ending.
    """
    command = ["dependency:copy", "-Dmdep.useBaseVersion=true"]
    command += [f"-Dartifact={artifact}", f"-DoutputDirectory={target}"]
    said = _maven(command, target)
    # Maven's own exit status and output say little: what counts is whether the file came.
    found = [path for path in target.iterdir() if path.is_file()]
    if len(found) != 1:
        raise RuntimeError(f"{artifact} did not come: {said}")
    return found[0]


def classpath(artifact: str, target: Path) -> None:
    """The jar of `group:name:version` and all that it depends on, into a folder; RuntimeError."""
    group, name, version = artifact.split(":")
    pom = target / "pom.xml"
    pom.write_text(_POM.format(group=group, name=name, version=version))
    said = _maven(["dependency:copy-dependencies", f"-DoutputDirectory={target}"], target)
    pom.unlink()
    if not any(target.glob(f"{name}-*.jar")):
        raise RuntimeError(f"{artifact} did not come: {said}")


def _maven(arguments: Sequence[str], folder: Path) -> str:
    command = [packages.command("mvn", "maven"), "-q", "-B", *arguments]
    # Its store of files is not made for several at a time.
    with cache.lock("maven"):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr)[-1500:]
