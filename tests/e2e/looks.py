"""Looks at a database every 20 ms, by the stock client in a pod of the cluster."""

import itertools
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.demo import images
from tests.demo.kube import Kube
from tests.demo.objects import from_secret
from tests.demo.world import SHOP
from tests.e2e.ledger_kinds import CHANGED, DATABASE, STORED
from tests.e2e.ledgers import Ledger
from tests.testbed.toolchain.tools import tool

# One client after the other, each asked again and again until it ends; what it says gets the time.
_LOOP = r"""
exec {never}<> <(:)
while :; do
  { while printf '%s\n' "$LOOK"; do read -rt 0.02 -u $never; [ $? -gt 128 ] || exit; done; } \
    2>/dev/null | CLIENT 2>&1 \
    | while IFS= read -r line; do printf '%s %s\n' "$EPOCHREALTIME" "$line"; done
done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen, in seconds since 1970."""

    at: float
    seen: str

    @property
    def is_whole(self) -> bool:
        return self.seen in {STORED, CHANGED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What a watcher has seen for a while."""

    looks: Sequence[Look]
    refusals: Sequence[str]

    @property
    def refused(self) -> int:
        """Looks that got no answer."""
        return sum(not look.is_whole for look in self.looks)

    @property
    def wrong(self) -> list[str]:
        """What is neither of the two states, nor a refusal: empty, missing, or mixed."""
        return [
            look.seen
            for look in self.looks
            if not look.is_whole and not any(words in look.seen for words in self.refusals)
        ]

    @property
    def states(self) -> set[str]:
        return {look.seen for look in self.looks if look.is_whole}

    @property
    def longest_gap(self) -> float:
        """The longest time between two looks that got an answer."""
        times = [look.at for look in self.looks if look.is_whole]
        return max((after - before for before, after in itertools.pairwise(times)), default=0.0)


@dataclass(slots=True, kw_only=True)
class Watcher:
    """Looks at a ledger from a pod of its own, as long as the context lasts."""

    ledger: Ledger
    _looks: list[Look] = field(default_factory=list)

    @property
    def pod(self) -> str:
        return f"watch-{self.ledger.name}"

    @contextmanager
    def watching(self) -> Iterator["Watcher"]:
        self._deploy()
        command = [str(tool("kubectl")), f"--kubeconfig={self._kube.cluster.kubeconfig}"]
        command += ["logs", "--follow", "-n", SHOP, self.pod]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        ) as process:
            thread = threading.Thread(target=self._read, args=(process,), daemon=True)
            thread.start()
            self._kube.wait("the first look", lambda: self._looks, seconds=60)
            try:
                yield self
            finally:
                process.kill()
                thread.join()
                gone = ["--grace-period=0", "--force", "--ignore-not-found"]
                self._kube.run("delete", "pod", self.pod, "-n", SHOP, *gone)

    def since(self, began: float) -> Looks:
        """What was seen from a time on, with the last look before it."""
        looks = [*self._looks]
        first = next((n for n, look in enumerate(looks) if look.at >= began), len(looks))
        return Looks(looks=looks[max(first - 1, 0) :], refusals=self.ledger.kind.refusals)

    def wait(self) -> None:
        """Wait until a look that began after now was answered."""
        now = time.time()
        self._kube.wait(
            "a look", lambda: self._looks[-1].is_whole and self._looks[-1].at > now, seconds=60
        )

    @property
    def _kube(self) -> Kube:
        return self.ledger.world.kube

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            moment, _, seen = line.rstrip("\n").partition(" ")
            if seen.strip():
                self._looks.append(Look(at=float(moment), seen=seen))

    def _deploy(self) -> None:
        kind, kube = self.ledger.kind, self._kube
        _, password, _ = kind.variables
        client = f"{kind.client} {DATABASE}"
        [variable] = from_secret(f"{self.ledger.name}-login", [password])
        container = {
            "name": "watch",
            "image": images.names()[kind.image],
            "command": ["bash", "-c", _LOOP.replace("CLIENT", client)],
            "env": [
                {**variable, "name": "PASSWORD"},
                {"name": "HOST", "value": f"{self.ledger.name}.{SHOP}.svc.cluster.local"},
                {"name": "LOOK", "value": kind.look},
            ],
        }
        kube.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": self.pod, "namespace": SHOP},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
            }
        )
        kube.run("wait", "-n", SHOP, "--for=condition=Ready", f"pod/{self.pod}", "--timeout=60s")
