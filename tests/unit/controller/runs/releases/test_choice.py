"""Which runs may begin: never more than allowed, none lost, in the order they came due."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.names import AWAITS_RELEASE
from controller.model.objects import Json
from controller.runs.releases.choice import Limits, Run, begin_runs, due_since, is_waiting

SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
MANUAL = {"cronjob.kubernetes.io/instantiate": "manual"}


def job(name: str, what: str = "waits", due: str = "", **annotations: str) -> dict[str, Any]:
    """A Job that `waits`, `runs`, has `ended`, or was `stopped` by hand."""
    texts = {**annotations} | ({SCHEDULED: due} if due else {})
    if what == "waits":
        texts[AWAITS_RELEASE] = "true"
    conditions = [{"type": "Complete", "status": "True"}] if what == "ended" else []
    return {
        "metadata": {
            "name": name,
            "annotations": texts,
            "creationTimestamp": "2026-01-01T12:00:00Z",
        },
        "spec": {"suspend": what in {"waits", "stopped"}},
        "status": {"conditions": conditions},
    }


def runs(text: str) -> list[Run]:
    """Runs such as `3@a:waits`: name, which is its due minute, host, and state."""
    found = []
    for word in text.split():
        name, _, rest = word.partition("@")
        host, _, state = rest.partition(":")
        more = MANUAL if state == "asked" else {}
        is_held = state == "held"
        state = "waits" if state in {"asked", "held"} else state or "waits"
        due = f"2026-01-01T03:{int(name):02}:00Z"
        made = job(name, state, due)
        made["metadata"]["annotations"] |= more
        found.append(Run(job=made, host=host, is_held=is_held))
    return found


def begun(runs: list[Run], limits: Limits, refused: str = "") -> list[Json]:
    """The Jobs that begin; those of these names cannot."""
    found: list[Json] = []

    def begin(run: Run) -> bool:
        if run.job["metadata"]["name"] in refused.split():
            return False
        found.append(run.job)
        return True

    begin_runs(runs, limits, begin)
    return found


@pytest.mark.parametrize(
    ("total", "per_host", "text", "chosen"),
    [
        (0, 0, "", ""),
        # Without a limit whatever still waits begins.
        (0, 0, "2@a 1@a 3@b:runs", "1 2"),
        (2, 0, "3@a 1@b 2@c", "1 2"),
        (2, 0, "3@a 1@b:runs 2@c:ended", "3"),
        (2, 0, "3@a 1@b:runs 2@c:runs", ""),
        # A host without a place lets others pass.
        (0, 1, "1@a 2@a 3@b 4@b:runs", "1"),
        (3, 1, "1@a 2@a 3@b 4@c 5@d", "1 3 4"),
        (3, 1, "1@a:runs 2@a 3@b", "3"),
        # A host that nobody knows is no host.
        (0, 1, "1@ 2@", "1 2"),
        # Who asks for a run gets it, and it counts.
        (1, 1, "1@a 2@a:asked 3@b", "2"),
        (1, 0, "1@a:runs 2@a:asked 3@b", "2"),
        (2, 0, "1@a 2@a:asked 3@b", "2 1"),
        # Held back by a restore, or suspended: neither begins nor counts.
        (1, 0, "1@a:held 2@b", "2"),
        # Stopped by hand while it ran.
        (1, 0, "1@a:stopped 2@b", "2"),
        # More than allowed already, as when a limit is new.
        (1, 0, "1@a:runs 2@b:runs 3@c", ""),
    ],
)
def test_the_choice(total: int, per_host: int, text: str, chosen: str) -> None:
    found = begun(runs(text), Limits(total=total, per_host=per_host))
    assert " ".join(item["metadata"]["name"] for item in found) == chosen


@pytest.mark.parametrize(
    ("total", "per_host", "refused", "chosen"),
    [(1, 0, "1", "2"), (2, 0, "1 3", "2 4"), (0, 1, "1", "2 4"), (0, 0, "1", "2 3 4")],
)
def test_a_job_that_cannot_begin_keeps_its_place_from_nobody(
    total: int, per_host: int, refused: str, chosen: str
) -> None:
    limits = Limits(total=total, per_host=per_host)
    found = begun(runs("1@a 2@a 3@a 4@b"), limits, refused)
    assert " ".join(item["metadata"]["name"] for item in found) == chosen


def test_a_job_of_which_only_metadata_is_known_counts_as_if_it_ran() -> None:
    known = job("1", due="2026-01-01T03:00:00Z")
    unread = {"metadata": {"name": "2", "annotations": {AWAITS_RELEASE: "true"}}}
    both = [Run(job=known, host="a"), Run(job=unread, host="b")]
    assert begun(both, Limits(total=1, per_host=0)) == []
    assert begun(both, Limits(total=2, per_host=0)) == [known]


@pytest.mark.parametrize(
    ("due", "since"),
    [
        ("2026-01-01T03:00:00+01:00", "2026-01-01T03:00:00+01:00"),
        ("", "2026-01-01T12:00:00+00:00"),
        ("soon", "2026-01-01T12:00:00+00:00"),
        ("2026-01-01T03:00:00", "2026-01-01T12:00:00+00:00"),
    ],
)
def test_since_when_a_job_is_due(due: str, since: str) -> None:
    assert due_since(job("1", due=due)).isoformat() == since


def test_what_says_how_many() -> None:
    assert Limits(total=0, per_host=0).describe() == ""
    assert Limits(total=4, per_host=2).describe() == "at most 4 at once, 2 of one database host"


@given(st.data())
def test_forty_jobs_never_run_in_more_than_four_places_and_none_is_lost(
    data: st.DataObject,
) -> None:
    limits = Limits(total=4, per_host=2)
    hosts = [data.draw(st.sampled_from("abcd")) for _ in range(40)]
    every = runs(" ".join(f"{name}@{host}" for name, host in enumerate(hosts)))
    running: list[Run] = []
    began: list[int] = []
    for _ in range(200):
        by_name = {run.job["metadata"]["name"]: run for run in every}
        for chosen in begun(every, limits):
            assert is_waiting(chosen)
            chosen["spec"]["suspend"] = False
            del chosen["metadata"]["annotations"][AWAITS_RELEASE]
            running.append(by_name[chosen["metadata"]["name"]])
            began.append(int(chosen["metadata"]["name"]))
        assert len(running) <= 4
        assert max(Counter(run.host for run in running).values(), default=0) <= 2
        ending = data.draw(st.integers(0, len(running)))
        for run in running[:ending]:
            run.job["status"]["conditions"] = [{"type": "Failed", "status": "True"}]
        running = running[ending:]
        if len(began) == 40:
            break
        # Not all places stay taken for ever.
        if running and not ending:
            done = running.pop(0)
            done.job["status"]["conditions"] = [{"type": "Complete", "status": "True"}]
    assert sorted(began) == [*range(40)]
    for host in "abcd":
        of_host = [name for name in began if hosts[name] == host]
        assert of_host == sorted(of_host)
