"""Databases in the cluster whose data outlives their pods, to be killed during restores."""

import os
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

from tests.demo.objects import USER
from tests.demo.world import SHOP, World
from tests.e2e.ledger_kinds import DATABASE, Kind
from tests.e2e.processes_in_pods import processes_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One database of a kind, in a StatefulSet that keeps its data on the node."""

    world: World
    kind: Kind
    number: int
    folder: Path
    password: str = field(repr=False)

    @property
    def name(self) -> str:
        """The StatefulSet's."""
        return f"ledger-{self.kind.process}-{self.number}"

    @property
    def pod(self) -> str:
        return f"{self.name}-0"

    def deploy(self) -> None:
        """Bring the server up, empty."""
        kind, kube = self.kind, self.world.kube
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        os.chown(self.folder, USER, USER)
        login = dict(zip(kind.variables, ("shop", self.password, DATABASE), strict=True))
        self.world.deploy(
            self.name,
            kind.image,
            port=kind.port,
            login=login,
            ready=["bash", "-c", kind.ready],
            command=["bash", "-c", kind.start] if kind.start else (),
            folder=str(self.folder),
            # Of several at a time these would take more of a small machine than the restores.
            probe_seconds=5,
        )
        assert kube.get("statefulset", self.name, SHOP) is not None

    def remove(self) -> None:
        """Take the server away with all that it holds."""
        self.world.kube.run("delete", "statefulset", self.name, "-n", SHOP, "--wait=true")
        self.world.kube.run("delete", "pod", self.pod, "-n", SHOP, "--ignore-not-found")
        shutil.rmtree(self.folder, ignore_errors=True)

    def fill(self) -> None:
        self.sql(self.kind.fill)

    def change(self) -> None:
        """Change something everywhere, so that no part of one state looks like the other."""
        self.sql(self.kind.change)

    def sql(self, text: str, database: str = DATABASE) -> str:
        return self._shell(f"{self.kind.client} {database}", stdin=text).strip()

    def drop(self, database: str) -> None:
        self.sql(f"DROP DATABASE {database}")

    def databases(self) -> set[str]:
        """All of the server that are not its own."""
        return set(self.sql(self.kind.databases).split("\n"))

    def digest(self, database: str = DATABASE) -> str:
        """The sha256 of what the stock tool dumps, less what differs each time."""
        dump = f"{self.kind.dump} {database}"
        return self._shell(rf"{dump} | grep -Ev '^\\(un)?restrict ' | sha256sum")

    def kill(self) -> None:
        """SIGKILL for the server; its StatefulSet brings a new pod up with the same data."""
        killed = processes_of(self.pod)
        # The first process takes the others of its container along.
        os.kill(killed[self.kind.process], signal.SIGKILL)
        # A pod of its own, as a container that ends again and again has to wait.
        self.world.kube.run("delete", "pod", self.pod, "-n", SHOP, "--wait=true")

    def wait(self) -> None:
        """Wait until it answers."""
        rollout = ["rollout", "status", "-n", SHOP, f"statefulset/{self.name}", "--timeout=180s"]
        self.world.kube.run(*rollout)

    def _shell(self, script: str, *, stdin: str | None = None) -> str:
        _, password, _ = self.kind.variables
        first = f'set -euo pipefail; HOST=127.0.0.1 PASSWORD="${password}"'
        command = ["bash", "-c", f"{first}; {script}"]
        return self.world.kube.execute(self.pod, SHOP, *command, stdin=stdin)
