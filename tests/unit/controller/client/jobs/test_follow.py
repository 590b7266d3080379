"""Following a Job in a cluster that goes through given states, one at each look."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from controller.client.jobs.follow import Follower, JobRef
from controller.client.jobs.progress import JobEnd, Outcome
from controller.kube.client import (
    Document,
    ForbiddenError,
    KubeError,
    NotFoundError,
    UnavailableError,
)
from dumpers.contract.result import PART, DumpResult
from tests.fakes.followed_job import (
    DONE,
    FAILED,
    MESSAGE,
    RUNNING,
    Cluster,
    Log,
    State,
    job,
    pod,
    stamped,
    waiting,
)


@dataclass(slots=True)
class Seen:
    """What a person saw."""

    lines: list[str] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)


def follow(
    cluster: Cluster, seen: Seen, pause: Callable[[float], None] = lambda _: None, **job: Any
) -> JobEnd:
    return Follower(
        kubectl=cluster,
        job=JobRef(namespace="control", name="j", uid="u", **job),
        on_line=lambda container, text: seen.lines.append(f"{container}: {text}"),
        on_wait=seen.waits.append,
        on_event=seen.events.append,
        pause=pause,
        silence=0.01,
    ).follow()


def test_from_no_pod_to_its_result() -> None:
    log = Log([stamped(1, "one"), stamped(2, "two")])
    cluster = Cluster(
        [
            (job(), []),
            (job(), [pod(phase="Pending")]),
            (job(), [pod(phase="Pending", job=waiting("ContainerCreating"))]),
            (job(), [pod(job=RUNNING)]),
            (job(), [pod(job=DONE)]),
        ],
        opened={"j-aaaaa/job": [log]},
    )
    seen = Seen()
    end = follow(cluster, seen)
    assert end == JobEnd(outcome=Outcome.SUCCEEDED, exit_code=0, message=MESSAGE)
    assert seen.lines == ["job: one", "job: two"]
    assert seen.waits == [
        "waits for a pod",
        "pod j-aaaaa: waits for a node",
        "pod j-aaaaa: its container is being made",
    ]
    assert log.closed.is_set()


def test_lines_of_one_moment_are_all_shown() -> None:
    log = Log([stamped(1, "one"), stamped(1, "two"), stamped(1, "three")])
    cluster = Cluster(
        [(job(), [pod(job=RUNNING)]), (job(), [pod(job=DONE)])], opened={"j-aaaaa/job": [log]}
    )
    seen = Seen()
    follow(cluster, seen)
    assert seen.lines == ["job: one", "job: two", "job: three"]


@pytest.mark.parametrize(
    ("pods", "events", "shown"),
    [
        (
            [pod(phase="Pending", job=waiting("ImagePullBackOff", "no such image"))],
            [],
            "the pod does not start: ImagePullBackOff: no such image",
        ),
        (
            [pod(phase="Pending", job=RUNNING, client=waiting("ErrImagePull", "no such image"))],
            [],
            "the pod does not start: ErrImagePull: no such image",
        ),
        (
            [],
            [
                {
                    "reason": "FailedCreate",
                    "message": 'pods "j-x" is forbidden: exceeded quota: small',
                    "involvedObject": {"kind": "Job", "uid": "u"},
                }
            ],
            "no pod can be made: QuotaExceeded: ",
        ),
        (
            [
                {
                    "metadata": {"name": "j-aaaaa"},
                    "status": {
                        "phase": "Pending",
                        "conditions": [
                            {"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}
                        ],
                    },
                }
            ],
            [],
            "the pod does not start: Unschedulable: 0/3 nodes",
        ),
        # Without the right to read Events.
        ([], ForbiddenError("no"), "waits for a pod"),
    ],
)
def test_why_it_does_not_begin(
    pods: list[Document], events: list[Document] | KubeError, shown: str
) -> None:
    cluster = Cluster([(job(), pods), (NotFoundError("gone"), [])], events=events)
    seen = Seen()
    end = follow(cluster, seen, containers=("job", "client"))
    assert end.outcome is Outcome.GONE
    assert seen.waits[0].startswith(shown)


def test_a_log_that_breaks_goes_on_without_doubles() -> None:
    broken = Log([stamped(1, "one"), stamped(2, "two")], UnavailableError("connection reset"))
    again = Log([stamped(2, "two"), stamped(3, "three")])
    running: State = (job(), [pod(job=RUNNING)])
    cluster = Cluster(
        [running, running, running, (job(), [pod(job=DONE)])],
        opened={"j-aaaaa/job": [broken, again]},
    )
    seen = Seen()
    assert follow(cluster, seen).outcome is Outcome.SUCCEEDED
    assert seen.lines == ["job: one", "job: two", "job: three"]
    assert seen.events == ["the log broke off, opening it again: connection reset"]
    assert cluster.since == ["", "2026-01-01T03:00:02.123456789Z"]


def test_a_try_that_failed_is_told_and_the_next_one_followed() -> None:
    first, second = pod("j-aaaaa", "Failed", job=FAILED), pod("j-bbbbb", job=RUNNING)
    cluster = Cluster(
        [
            (job(), [first]),
            (job(), [first]),
            (job(), [first]),
            (job(), [first, second]),
            (job(), [first, pod("j-bbbbb", job=DONE)]),
        ],
        opened={
            "j-aaaaa/job": [Log([stamped(1, "first")])],
            "j-bbbbb/job": [Log([stamped(2, "second")])],
        },
    )
    seen = Seen()
    assert follow(cluster, seen).outcome is Outcome.SUCCEEDED
    assert seen.lines == ["job: first", "job: second"]
    assert seen.events == ["pod j-aaaaa failed (exit code 20); Kubernetes decides on another try"]


def of_shard(index: int, state: Document, phase: str = "Running", **others: Document) -> Document:
    made = pod(f"j-{index}-aaaaa", phase, job=state, **others)
    made["metadata"]["annotations"] = {"batch.kubernetes.io/job-completion-index": str(index)}
    return made


STORED = DumpResult(succeeded=True, exit_code=0, reason="", message="", outcome=PART).to_json()
STORED_SHARD: Document = {"terminated": {"exitCode": 0, "message": STORED}}


def test_pods_of_shards_are_followed_one_after_another_and_the_last_one_tells() -> None:
    of, part = of_shard, STORED_SHARD
    cluster = Cluster(
        [
            (job(), [of(0, RUNNING), of(1, RUNNING)]),
            (job(), [of(0, RUNNING), of(1, part, "Succeeded")]),
            (job(), [of(0, RUNNING), of(1, part, "Succeeded")]),
            (job("Complete"), [of(0, DONE, "Succeeded"), of(1, part, "Succeeded")]),
        ],
        opened={
            "j-1-aaaaa/job": [Log([stamped(1, "second")])],
            "j-0-aaaaa/job": [Log([stamped(2, "first")])],
        },
    )
    seen = Seen()
    end = follow(cluster, seen)
    assert (end.outcome, end.message) == (Outcome.SUCCEEDED, MESSAGE)
    assert sorted(seen.lines) == ["job: first", "job: second"]
    assert seen.events == ["pod j-1-aaaaa has stored shard 2; the run goes on"]


def test_a_job_whose_pods_all_left_the_backup_to_another_made_none() -> None:
    complete = job("Complete") | {"spec": {"completions": 2}}
    pods = [of_shard(index, STORED_SHARD, "Succeeded") for index in (0, 1)]
    end = follow(Cluster([(complete, pods)]), Seen())
    assert (end.outcome, end.reason) == (Outcome.FAILED, "ManifestMissing")
    # Of a pod that is gone nothing says so.
    assert follow(Cluster([(complete, pods[:1])]), Seen()).outcome is Outcome.SUCCEEDED


SILENT: Document = {"terminated": {"exitCode": 0, "message": ""}}


@pytest.mark.parametrize(
    "state", [STORED_SHARD, FAILED, SILENT], ids=["stored", "failed", "without a word"]
)
def test_a_sidecar_beside_a_shard_that_ended_does_not_end_the_run(state: Document) -> None:
    lingering = of_shard(1, state, proxy=RUNNING)
    cluster = Cluster(
        [
            (job(), [of_shard(0, RUNNING), lingering]),
            (job(), [of_shard(0, RUNNING), lingering]),
            (job("Complete"), [of_shard(0, DONE, "Succeeded"), lingering]),
        ]
    )
    end = follow(cluster, Seen())
    assert (end.outcome, end.message) == (Outcome.SUCCEEDED, MESSAGE)


@pytest.mark.parametrize(
    ("states", "end"),
    [
        # The container speaks for itself.
        (
            [(job("Failed", "PodFailurePolicy"), [pod(phase="Failed", job=FAILED)])],
            JobEnd(
                outcome=Outcome.FAILED,
                exit_code=20,
                message="no login",
                reason="Error",
                why="the dump ended with exit code 20 and left no result",
            ),
        ),
        # Its pods are gone: the Job's own word.
        (
            [(job("Failed", "BackoffLimitExceeded"), [])],
            JobEnd(outcome=Outcome.FAILED, reason="BackoffLimitExceeded", why="the Job's own"),
        ),
        ([(job("Complete"), [])], JobEnd(outcome=Outcome.SUCCEEDED, exit_code=0)),
        # Another Job has its name.
        ([(job(uid="other"), [])], JobEnd(outcome=Outcome.GONE)),
        ([(NotFoundError("gone"), [])], JobEnd(outcome=Outcome.GONE)),
        # A sidecar keeps the pod: the result is known all the same.
        (
            [(job(), [pod(job=DONE, proxy=RUNNING)])],
            JobEnd(outcome=Outcome.SUCCEEDED, exit_code=0, message=MESSAGE),
        ),
    ],
)
def test_how_it_ended(
    states: list[tuple[Document | KubeError, list[Document]]], end: JobEnd
) -> None:
    assert follow(Cluster(states), Seen()) == end


def test_a_result_of_another_container_than_the_logs() -> None:
    cluster = Cluster(
        [(job(), [pod(job=DONE, client=RUNNING)]), (job(), [pod(job=DONE, client=FAILED)])],
        opened={
            "j-aaaaa/job": [Log([stamped(1, "reads")])],
            "j-aaaaa/client": [Log([stamped(1, "loads")])],
        },
    )
    seen = Seen()
    end = follow(cluster, seen, containers=("job", "client"), result_container="client")
    assert (end.outcome, end.exit_code, end.message) == (Outcome.FAILED, 20, "no login")
    assert sorted(seen.lines) == ["client: loads", "job: reads"]


def test_a_job_deleted_while_its_log_is_silent_ends_it() -> None:
    silent = Log([stamped(1, "one")], silent=True)
    cluster = Cluster(
        [(job(), [pod(job=RUNNING)]), (NotFoundError("gone"), [])],
        opened={"j-aaaaa/job": [silent]},
    )
    seen = Seen()
    assert follow(cluster, seen).outcome is Outcome.GONE
    assert seen.lines == ["job: one"]
    assert silent.closed.is_set()


def test_an_api_server_that_is_away_for_a_while_is_waited_for() -> None:
    away: State = (UnavailableError("refused"), [])
    cluster = Cluster([*[away] * 5, (job("Complete"), [])])
    seen = Seen()
    assert follow(cluster, seen).outcome is Outcome.SUCCEEDED
    assert len(seen.events) == 5
    with pytest.raises(UnavailableError):
        follow(Cluster([away]), Seen())
    with pytest.raises(ForbiddenError):
        follow(Cluster([(ForbiddenError("no"), [])]), Seen())
