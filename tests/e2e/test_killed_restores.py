"""Restores beside and by a swap in which something is killed: the live database is never worse.

`KSNAPSHOT_FAULTS=all` tries many moments, otherwise a few by `KSNAPSHOT_FAULT_SEED`.
"""

import json
import os
import random
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dumpers.runs.restore.client import READER_SECONDS
from dumpers.runs.restore.reader import CLIENT_SECONDS
from dumpers.runtime.errors import ExitCode
from tests.demo.command import Command
from tests.demo.world import CONTROL, SHOP
from tests.e2e.conftest import Stage
from tests.e2e.ledger_kinds import CHANGED, KINDS, STORED, Kind
from tests.e2e.ledgers import Ledger
from tests.e2e.looks import Looks, Watcher
from tests.e2e.processes_in_pods import processes_of
from tests.e2e.test_command import done
from tests.e2e.test_postgresql import condition
from tests.testbed.toolchain.processes import wait_until

# Moments of each ledger, and ledgers of each kind of server, which are restored beside each other;
# of one that has no swap, a single one.
_ALL, _SOME = (16, 2), (2, 1)
_SCHEDULE = "0 3 1 1 *"
BESIDE, SWAP = "beside", "swap"
# As long as nobody kills the database itself.
_LONGEST_REFUSAL = 2.0
# Of two processes that have not met yet, one waits so long for the other.
_LONGEST_END = max(READER_SECONDS, CLIENT_SECONDS) + 60
# A kill at once of both processes, as of a node that is lost.
READER, CLIENT, POD, BOTH, SERVER = "reader", "client", "pod", "both", "database"
KILLS = (READER, CLIENT, POD, BOTH, SERVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A restore with its two processes; without them it was over before they were seen."""

    job: str
    pod: str
    processes: Mapping[str, int]
    began: float

    @property
    def is_over(self) -> bool:
        return not any(Path(f"/proc/{pid}").exists() for pid in self.processes.values())

    def ends_within(self, seconds: float) -> bool:
        """Wait so long, counted from its beginning; whether it has ended by then."""
        until, pause = self.began + seconds, threading.Event()
        while not self.is_over and time.monotonic() < until:
            pause.wait(0.02)
        return self.is_over


@dataclass(slots=True, kw_only=True)
class Rig:
    """A ledger with a backup of its old state, while its live one is the new one."""

    stage: Stage
    ledger: Ledger
    watcher: Watcher
    command: Command
    key: Path
    stored: str
    changed: str
    seconds: dict[str, float] = field(default_factory=dict)
    """How long the last restore took that nothing ended, by its mode."""
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def modes(self) -> tuple[str, ...]:
        return (BESIDE, SWAP) if self.ledger.kind.swaps else (BESIDE,)

    @property
    def name(self) -> str:
        return f"{SHOP}/{self.ledger.name}"

    def start(self, mode: str) -> Running:
        """Start a restore by the command; returns once reader and client run."""
        told = self.command.run(
            *("restore", self.name, f"--{mode}", "--yes", "-i", self.key, "--detach", "-o", "json")
        )
        job = json.loads(done(told).out)["job"]
        [pod] = self.stage.kube.wait("its pod", lambda: self.stage.world.pods_of(job))
        pod_name = str(pod["metadata"]["name"])
        processes = self._processes(pod_name)
        return Running(job=job, pod=pod_name, processes=processes, began=time.monotonic())

    def _processes(self, pod: str) -> Mapping[str, int]:
        """Wait for reader and client; empty where both have ended before they were seen."""
        pause = threading.Event()
        while True:
            for _ in range(20):
                found = processes_of(pod)
                if found.keys() >= {"restore", "load"}:
                    return found
                pause.wait(0.03)
            now = self.stage.kube.get("pod", pod, CONTROL)
            if now is None or now["status"]["phase"] in {"Succeeded", "Failed"}:
                return {}

    def uncut(self, mode: str) -> None:
        """A restore that nothing ends, and all that it leaves."""
        began = time.time()
        running = self.start(mode)
        assert running.ends_within(600)
        self.seconds[mode] = time.monotonic() - running.began
        assert condition(self.stage, running.job)["type"] == "Complete", self.told(running)
        live = self.ledger.digest()
        if mode == BESIDE:
            assert live == self.changed
            [copy] = self.left()
            assert self.ledger.digest(copy) == self.stored
        else:
            assert live == self.stored
            self.watcher.wait()
            looks = self.watcher.since(began)
            assert looks.states == {CHANGED, STORED}
            self.check(looks, is_limited=True)
        self.clear(is_swapped=mode == SWAP)

    def killed(self, mode: str, kill: str, place: float) -> str:
        """Kill at a moment, and look at all that is there then; what had become of it.

        Empty where the restore was faster than the last one, and had ended by then.
        """
        began = time.time()
        running = self.start(mode)
        was_over = running.ends_within(place * self.seconds[mode])
        if not was_over:
            self._kill(running, kill)
        elif running.processes:
            self.seconds[mode] = time.monotonic() - running.began
        ended = f"both processes to end, with a {mode} whose {kill} was killed at {place:.3f}"
        wait_until(lambda: running.is_over, seconds=_LONGEST_END, what=ended)
        end = condition(self.stage, running.job)
        self.ledger.wait()
        told = self.told(running)
        live = self.ledger.digest()
        is_swapped = live == self.stored
        assert live == self.changed or (mode == SWAP and is_swapped), (mode, kill, place, told)
        # Nothing of an earlier one stood in its way.
        for word in (f'"exit_code":{int(ExitCode.TARGET_REFUSED)},', '"exit_code":2,'):
            assert word not in told, told
        self.watcher.wait()
        self.check(self.watcher.since(began), is_limited=was_over or kill != SERVER)
        left = self.left()
        if end["type"] != "Complete" and not self.ledger.kind.marks:
            for name in left:
                self.ledger.drop(name)
        self.clear(is_swapped=is_swapped)
        if was_over:
            return ""
        outcome = "succeeded" if end["type"] == "Complete" else "failed"
        state = "new live" if is_swapped else "old live"
        return f"{outcome}, {state}, {len(left)} left"

    def clear(self, *, is_swapped: bool) -> None:
        """Take back and drop what a restore left, by the command alone."""
        if is_swapped:
            done(self.command.run("restore", self.name, "--undo", "--yes"))
            assert self.ledger.digest() == self.changed
        if self.left():
            done(self.command.run("restore", self.name, "--forget", "--yes"))
        assert self.left() == set()
        assert self.ledger.digest() == self.changed

    def left(self) -> set[str]:
        """The databases beside the live one."""
        return self.ledger.databases() - {"ledger"}

    def check(self, looks: Looks, *, is_limited: bool) -> None:
        """What was seen is whole; it is counted."""
        assert looks.wrong == []
        self.counts["looks"] += len(looks.looks)
        self.counts["refused"] += looks.refused
        if is_limited:
            milliseconds = round(looks.longest_gap * 1000)
            self.counts["longest gap, ms"] = max(self.counts["longest gap, ms"], milliseconds)
            assert looks.longest_gap <= _LONGEST_REFUSAL, looks.longest_gap

    def told(self, running: Running) -> str:
        """What the restore's pod says of its end; empty where it is gone."""
        pod = self.stage.kube.get("pod", running.pod, CONTROL)
        found = (pod or {}).get("status", {}).get("containerStatuses", [])
        ends = (item["state"].get("terminated") or {} for item in found)
        return "\n".join(str(end.get("message")) for end in ends)

    def _kill(self, running: Running, kill: str) -> None:
        if kill == SERVER:
            self.ledger.kill()
        elif kill == POD:
            gone = ["--grace-period=0", "--force", "--ignore-not-found"]
            self.stage.kube.run("delete", "pod", running.pod, "-n", CONTROL, *gone)
        else:
            victims = {READER: ("restore",), CLIENT: ("load",), BOTH: ("restore", "load")}[kill]
            for victim in victims:
                with suppress(ProcessLookupError):
                    os.kill(running.processes[victim], signal.SIGKILL)


@pytest.fixture
def rigs(stage: Stage, tmp_path: Path) -> Iterator[Sequence[Rig]]:
    """Ledgers of each kind of server."""
    key = tmp_path / "key.txt"
    key.write_text(f"{stage.world.identity}\n")
    _, ledgers = plan()
    made = [
        _made(stage, kind, number, key)
        for kind in KINDS
        for number in range(ledgers if kind.swaps else 1)
    ]
    with ExitStack() as open_, ThreadPoolExecutor(len(made)) as pool:
        yield list(pool.map(open_.enter_context, made))


@contextmanager
def _made(stage: Stage, kind: Kind, number: int, key: Path) -> Iterator[Rig]:
    layout = stage.kube.cluster.layout
    assert layout is not None
    ledger = Ledger(
        world=stage.world,
        kind=kind,
        number=number,
        folder=layout.folder / f"ledger-{kind.process}-{number}",
        password=secrets.token_hex(16),
    )
    watcher = Watcher(ledger=ledger)
    ledger.deploy()
    try:
        ledger.fill()
        stored = ledger.digest()
        stage.world.annotate(_SCHEDULE, ledger.name, kind.engine, **kind.annotations)
        cronjob = str(stage.world.cronjob(_SCHEDULE, ledger.name)["metadata"]["name"])
        code, result = stage.world.dump(cronjob)
        assert code == ExitCode.DONE, result.message
        ledger.change()
        with watcher.watching():
            yield Rig(
                stage=stage,
                ledger=ledger,
                watcher=watcher,
                command=Command(cluster=stage.kube.cluster),
                key=key,
                stored=stored,
                changed=ledger.digest(),
            )
    finally:
        ledger.remove()


def plan() -> tuple[int, int]:
    """Moments of each ledger, and ledgers of each kind of server."""
    return _ALL if os.environ.get("KSNAPSHOT_FAULTS") == "all" else _SOME


def moments(count: int, seed: str, modes: Sequence[str]) -> Iterator[tuple[str, str, float]]:
    """Modes, what is killed, and when, as a part of the restore: spread, and more at its end."""
    dice = random.Random(seed)
    # Five kills and two modes: each comes with each, and a few moments are of several kinds.
    order = dice.sample(KILLS, len(KILLS))
    kills = [order[number % len(order)] for number in range(count)]
    # Two that have not met yet wait minutes for each other, which the few leave to the many.
    earliest = 0.0 if count > _SOME[0] else 0.25
    places = [
        earliest + (1 - earliest) * (number + dice.random()) / count for number in range(count)
    ]
    dice.shuffle(places)
    for number, (kill, place) in enumerate(zip(kills, places, strict=True)):
        mode = modes[number % len(modes)]
        # What a swap does beyond a copy is at its end.
        late = mode == SWAP and number % 4 == 1
        yield mode, kill, 0.7 + 0.29 * place if late else place


@pytest.mark.timeout(7200)
def test_whatever_is_killed_the_live_database_is_never_worse(
    rigs: Sequence[Rig], capsys: pytest.CaptureFixture[str]
) -> None:
    seed = os.environ.get("KSNAPSHOT_FAULT_SEED", "1")
    count, _ = plan()

    def tell(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}", end="", flush=True)

    with ThreadPoolExecutor(len(rigs)) as pool:
        runs = [pool.submit(kill_at_moments, rig, count, seed, tell) for rig in rigs]
        for run in as_completed(runs):
            if error := run.exception():
                # The others go on, which takes its time.
                tell(f"FAILED: {error}")
    for run in runs:
        run.result()


def kill_at_moments(rig: Rig, count: int, seed: str, tell: Callable[[str], None]) -> None:
    """One restore for each moment, and one after them that nothing ends."""
    for mode in rig.modes:
        rig.uncut(mode)
    tell(f"{rig.name}: uncut restores took {rig.seconds}; seed {seed}")
    ends: Counter[str] = Counter()
    for number, (mode, kill, place) in enumerate(
        moments(count, f"{seed}-{rig.name}", rig.modes), 1
    ):
        # A restore that was over before its moment came says how long they take now.
        end = ""
        while not end:
            end = rig.killed(mode, kill, place)
        tell(f"{rig.name} {number}/{count} {mode}, {kill} at {place:.2f}: {end}")
        ends[end] += 1
    rig.uncut(rig.modes[-1])
    tell(f"{rig.name}: {count} moments, 0 bad: {dict(ends)}; {dict(rig.counts)}")
