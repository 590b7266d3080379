"""The user's command, as a person runs it on their own machine."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.demo.world import CONTROL
from tests.paths import REPOSITORY
from tests.testbed.cluster.one_node import Cluster
from tests.testbed.toolchain.tools import tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a verb ended."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit code {self.code}\n{self.out}\n{self.err}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`ksnapshot`, with the rights of the cluster's kubeconfig and its kubectl."""

    cluster: Cluster

    def run(self, *words: str | Path, seconds: float = 600) -> Ended:
        """Run a verb to its end; nobody answers its questions."""
        done = subprocess.run(
            [sys.executable, "-m", "controller", *map(str, words)],
            cwd=REPOSITORY,
            env={
                **os.environ,
                "KUBECONFIG": str(self.cluster.kubeconfig),
                "KSNAPSHOT_KUBECTL": str(tool("kubectl")),
                "KSNAPSHOT_NAMESPACE": CONTROL,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        return Ended(code=done.returncode, out=done.stdout, err=done.stderr)
