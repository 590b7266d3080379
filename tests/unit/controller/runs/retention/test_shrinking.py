import pytest

from controller.model.names import SIZE_ACCEPTED
from controller.runs.history import FAILED, SUCCEEDED, PastRun
from controller.runs.results import result_annotations
from controller.runs.retention.shrinking import is_shrunk, shrunk_runs
from dumpers.contract.names import ACCEPT
from dumpers.contract.result import DumpResult
from tests.fakes.worlds import Document, job


def _runs(*sizes: int, source: bool = False) -> tuple[PastRun, ...]:
    """A history, newest first; a size of -1 stands for a run that failed."""
    return tuple(
        PastRun(
            finished=f"2026-01-{len(sizes) - age:02}T03:00:09Z",
            outcome=FAILED if size < 0 else SUCCEEDED,
            reason="",
            seconds=1.0,
            # Stored, nothing changes.
            bytes=1000 if source else max(size, 0),
            source_bytes=size if source and size > 0 else 0,
        )
        for age, size in enumerate(sizes)
    )


@pytest.mark.parametrize(
    ("sizes", "shrunk"),
    [
        ((), False),
        ((100,), False),
        # Too few to know what is usual.
        ((10, 100, 100), False),
        ((10, 100, 100, 100), True),
        ((50, 100, 100, 100), False),
        ((49, 100, 100, 100), True),
        # It grows and shrinks in small steps.
        ((52, 100, 90, 80, 70, 60, 50, 40), False),
        # A single outlier does not count for what is usual.
        ((100, 100, 5000, 100, 100), False),
        ((5000, 100, 100, 100), False),
        # It stays, however often the small size comes back.
        ((10, 10, 10, 100, 100, 100), True),
        ((10,) * 20 + (100,) * 7, True),
        ((100, 10, 10, 100, 100, 100), False),
        # Failed runs and those without a size do not count.
        ((10, -1, -1, 100, 100, 100), True),
        ((-1, 100, 100, 100, 100), False),
        ((0, 100, 100, 100), False),
        ((10, 0, 0, 0), False),
        # Only the seven newest that are not shrunk.
        ((31, *(60,) * 7, *(100,) * 7), False),
    ],
)
def test_a_run_is_shrunk_by_what_is_usual(sizes: tuple[int, ...], *, shrunk: bool) -> None:
    assert is_shrunk(_runs(*sizes)) is shrunk


def test_what_left_the_database_counts_before_what_was_stored() -> None:
    assert is_shrunk(_runs(10, 100, 100, 100, source=True))
    # Of the first runs nobody knows it.
    mixed = (*_runs(10, source=True), *_runs(1000, 1000, 1000))
    assert not is_shrunk(mixed)


def test_a_size_is_fine_once_it_was_accepted() -> None:
    history = _runs(10, 10, 100, 100, 100)
    assert is_shrunk(history)
    assert not is_shrunk(history, "2026-01-05T12:00:00Z")
    # Only those up to then.
    assert is_shrunk(history, "2026-01-03T12:00:00Z")
    assert shrunk_runs(history) == (True, True, False, False, False)
    # Afterwards the small size is the usual one, and a smaller one is told again.
    later = (*_runs(2, 10, 10, 10, 10, 100, 100, 100),)
    assert is_shrunk(later, "2026-01-05T12:00:00Z")


def _cronjob(**annotations: str) -> Document:
    # It says so by now, whatever its runs were told.
    env = [{"name": ACCEPT, "value": "shrunk"}]
    pod = {"spec": {"containers": [{"name": "job", "env": env}]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "c", "uid": "u", "annotations": annotations},
        "spec": {"jobTemplate": {"spec": {"template": pod}}},
    }


def _pod(*, succeeded: bool, size_accepted: bool) -> Document:
    code = 0 if succeeded else 11
    told = DumpResult(
        succeeded=succeeded, exit_code=code, reason="", message="", size_accepted=size_accepted
    )
    ended = {"exitCode": code, "message": told.to_json()}
    return {"status": {"containerStatuses": [{"name": "job", "state": {"terminated": ended}}]}}


@pytest.mark.parametrize(
    ("how", "told", "marked"),
    [
        ("Complete", True, True),
        # It began before its workload said so, and its manifest does not say it either.
        ("Complete", False, False),
        # Its pod is gone, and what the run was told with it.
        ("Complete", None, False),
        # What failed left no backup.
        ("Failed", True, False),
    ],
)
def test_a_run_that_was_told_that_its_size_is_right_is_marked_with_its_result(
    how: str, *, told: bool | None, marked: bool
) -> None:
    cronjob = _cronjob()
    done = job(cronjob, ended="2026-01-02T03:00:00Z", how=how)
    pods = () if told is None else (_pod(succeeded=how == "Complete", size_accepted=told),)
    found = result_annotations(cronjob, (done,), {"job-run-1": pods})
    assert (found.get(SIZE_ACCEPTED) == "2026-01-02T03:00:00Z") == marked
    # Once only: a steady pass writes nothing.
    assert result_annotations(_cronjob(**found), (done,), {"job-run-1": pods}) == {}
