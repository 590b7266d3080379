"""Operators as processes, watched from outside: memory, CPU, and the API server's audit log."""

import bisect
import contextlib
import json
import re
import shlex
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psutil

from benchmarks.world import Install, World
from tests.testbed.cluster.apiserver import WRITES, AuditEvent, parse_audit
from tests.testbed.toolchain import processes
from tests.testbed.toolchain.processes import NotReadyError, Server

_SAMPLE_SECONDS = 0.1
_LOOK_SECONDS = 1.0
# No operator is at work for this long without a request, and all of them pause for longer.
_SILENCE = 20.0
_PATIENCE = 1800.0
# The kernel counts CPU time in hundredths of a second.
_TICK = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """How to start one. What has no pass lines in its log has silences between its requests."""

    name: str
    command: Sequence[str]
    folder: Path
    env: Mapping[str, str]
    logs_passes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What one pass cost; CPU in seconds, `requests` by verb and resource."""

    seconds: float
    operator_cpu: float
    server_cpu: float
    requests: Mapping[str, int]
    writes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was seen of an operator in a world; memory in bytes.

    `converged` is how many seconds after its start the last CronJob or Secret was made. `peak` is
    of its whole life, `steady` of the passes after that, `idle` the median between these.
    """

    operator: str
    workloads: int
    pods: int
    cronjobs: int
    secrets: int
    converged: float
    peak: int
    steady: int
    idle: int
    first: Pass
    passes: Sequence[Pass]


def ours(checkout: Path, sleep: int) -> Operator:
    """The controller of that checkout."""
    env = {
        "POLL_INTERVAL_SECONDS": str(sleep),
        # Five pauses, as with the defaults: so a pass has the same share of them to read again.
        "CREDENTIALS_REFRESH_SECONDS": str(sleep * 5),
        "HTTP_PORT": str(processes.free_port()),
        "STATUS_PAGE_LISTEN": f"127.0.0.1:{processes.free_port()}",
        # As its image sets it.
        "MALLOC_ARENA_MAX": "1",
    }
    command = [sys.executable, "-m", "controller", "run"]
    return Operator(name=checkout.name, command=command, folder=checkout, env=env, logs_passes=True)


def other(command: str) -> Operator:
    """Any operator that takes the same environment."""
    return Operator(
        name="other",
        command=shlex.split(command),
        folder=Path.cwd(),
        env={},
        logs_passes=False,
    )


def run(operator: Operator, world: World, passes: int) -> Run:
    """Let it converge in a control namespace of its own, then watch that many passes more.

    Raises NotReadyError, with the end of its log, when it ends early or takes too long.
    """
    install = world.install()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        audit = _Audit(file=world.audit_log, user=install.user)
        began = time.time()
        server = processes.start(
            operator.name,
            operator.command,
            log=log,
            env={**operator.env, **_environment(world, install)},
            cwd=operator.folder,
        )
        try:
            with _watch(server, world) as usage:
                while True:
                    time.sleep(_LOOK_SECONDS)
                    _check(server, began)
                    audit.read()
                    spans = _logged(log) if operator.logs_passes else _audited(audit.events)
                    converged = _converged(audit.events, world.workloads)
                    steady = [span for span in spans if converged and span.start > converged]
                    if len(steady) >= passes:
                        break
        finally:
            server.stop()
    assert converged is not None
    steady = steady[:passes]
    result = Run(
        operator=operator.name,
        workloads=world.workloads,
        pods=world.pods,
        cronjobs=len(world.api.list("batch/v1", "CronJob", install.control)),
        secrets=len(world.api.list("v1", "Secret", install.control)),
        converged=converged - began,
        peak=usage.peak(began, steady[-1].end),
        steady=usage.peak(steady[0].start, steady[-1].end),
        idle=usage.idle(steady),
        first=_cost(spans[0], audit.events, usage),
        passes=[_cost(span, audit.events, usage) for span in steady],
    )
    _clear(world, install)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """From when to when a pass went, in seconds since the epoch."""

    start: float
    end: float


@dataclass(slots=True, kw_only=True)
class _Audit:
    """What one user asked from now on."""

    file: Path
    user: str
    events: list[AuditEvent] = field(default_factory=list)
    _read: int = 0

    def __post_init__(self) -> None:
        self._read = self.file.stat().st_size

    def read(self) -> None:
        with self.file.open("rb") as log:
            log.seek(self._read)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        lines = whole.decode().splitlines()
        # Most lines may be others'; parsing them would take the CPU from what is measured.
        parsed = parse_audit(line for line in lines if self.user in line)
        self.events += (event for event in parsed if event.user == self.user)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    time: float
    rss: int
    operator_cpu: float
    server_cpu: float


@dataclass(slots=True, kw_only=True)
class _Usage:
    """Samples of an operator, with its children, and of the API server with its etcd."""

    samples: list[_Sample] = field(default_factory=list)

    def between(self, start: float, end: float) -> Sequence[_Sample]:
        """The samples of that time and the ones next to it, so that there are two or more."""
        low = bisect.bisect_right(self.samples, start, key=lambda item: item.time)
        high = bisect.bisect_left(self.samples, end, key=lambda item: item.time)
        return self.samples[max(0, low - 1) : high + 1]

    def peak(self, start: float, end: float) -> int:
        return max(item.rss for item in self.between(start, end))

    def idle(self, spans: Sequence[_Span]) -> int:
        times = [span.start - _LOOK_SECONDS for span in spans]
        return round(statistics.median(self.between(at, at)[0].rss for at in times))


@contextlib.contextmanager
def _watch(server: Server, world: World) -> Iterator[_Usage]:
    root, others = psutil.Process(server.pid), [psutil.Process(pid) for pid in world.pids]
    usage, done = _Usage(), threading.Event()

    def sample() -> None:
        while not done.wait(_SAMPLE_SECONDS):
            # Any process may end between being listed and being asked.
            with contextlib.suppress(psutil.NoSuchProcess):
                family = [root, *root.children(recursive=True)]
                usage.samples.append(
                    _Sample(
                        time=time.time(),
                        rss=sum(process.memory_info().rss for process in family),
                        operator_cpu=sum(map(_cpu, family)),
                        server_cpu=sum(map(_cpu, others)),
                    )
                )

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield usage
    finally:
        done.set()
        sampler.join()


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _cost(span: _Span, events: Sequence[AuditEvent], usage: _Usage) -> Pass:
    mine = [event for event in events if span.start - _TICK <= event.received <= span.end + _TICK]
    samples = usage.between(span.start - _TICK, span.end + _TICK)
    first, last = samples[0], samples[-1]
    return Pass(
        seconds=span.end - span.start,
        operator_cpu=last.operator_cpu - first.operator_cpu,
        server_cpu=last.server_cpu - first.server_cpu,
        requests=dict(Counter(f"{event.verb} {event.resource}" for event in mine)),
        writes=sum(event.verb in WRITES for event in mine),
    )


def _logged(log: Path) -> list[_Span]:
    """The passes that our controller's log tells."""
    spans = []
    for text in log.read_text(errors="replace").splitlines():
        if re.search('"message": "pass( finished)?"', text) and text.endswith("}"):
            line = json.loads(text)
            end = datetime.fromisoformat(line["time"]).timestamp()
            spans.append(_Span(start=end - line["seconds"], end=end))
    return spans


def _audited(events: Sequence[AuditEvent]) -> list[_Span]:
    """The passes that silences set apart: each from its first request to its last answer."""
    spans: list[_Span] = []
    for event in sorted(events, key=lambda item: item.received):
        if spans and event.received - spans[-1].end < _SILENCE:
            end = max(event.answered, spans[-1].end)
            spans[-1] = _Span(start=spans[-1].start, end=end)
        else:
            spans.append(_Span(start=event.received, end=event.answered))
    return [span for span in spans if time.time() - span.end > _SILENCE]


def _converged(events: Sequence[AuditEvent], workloads: int) -> float | None:
    """When the last CronJob or Secret was made; None as long as CronJobs are missing."""
    made = {"cronjobs": [0.0], "secrets": [0.0]}
    for event in events:
        if event.verb == "create" and event.resource in made and event.code == 201:
            made[event.resource].append(event.answered)
    return max(map(max, made.values())) if len(made["cronjobs"]) > workloads else None


def _environment(world: World, install: Install) -> dict[str, str]:
    return {
        "MODE": "local",
        "KUBECONFIG": str(install.kubeconfig),
        "WATCH_NAMESPACES": ",".join(world.namespaces),
        "CONTROL_NAMESPACE": install.control,
        # As the chart sets them: its Roles are for the ConfigMaps and the Lease of these names.
        "INSTANCE_NAME": install.control,
        "DEPLOYMENT_NAME": f"{install.control}-ksnapshot",
    }


def _check(server: Server, began: float) -> None:
    if not server.running() or time.time() - began > _PATIENCE:
        raise NotReadyError(f"{server.name} ended or took too long:\n{server.tail()}")


def _clear(world: World, install: Install) -> None:
    """Leave the API server as it was, for whoever is measured next."""
    for version, kind in (("batch/v1", "CronJob"), ("v1", "Secret")):
        path = world.api.path(version, kind, install.control)
        world.api.request("DELETE", path, seconds=120)
