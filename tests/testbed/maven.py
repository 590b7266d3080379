"""Files from Maven Central."""

import subprocess
from pathlib import Path

from tests.testbed import packages


def jar(artifact: str, target: Path) -> Path:
    """The jar of an artifact (`group:name:version`), brought into a folder; RuntimeError."""
    maven = packages.command("mvn", "maven")
    command = [maven, "-q", "-B", "dependency:copy", "-Dmdep.useBaseVersion=true"]
    command += [f"-Dartifact={artifact}", f"-DoutputDirectory={target}"]
    done = subprocess.run(command, cwd=target, capture_output=True, text=True, check=False)
    # Maven's own exit status and output say little: what counts is whether the file came.
    found = list(target.glob("*.jar"))
    if len(found) != 1:
        raise RuntimeError(f"{artifact} did not come: {(done.stdout + done.stderr)[-1500:]}")
    return found[0]
