import pytest

from dumpers.contract.storages.location import S3Location
from dumpers.runtime.errors import InterruptedRunError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage import run_storage
from dumpers.storage.rate_limit import OnSent
from dumpers.storage.run_storage import RunStorage


class Bucket:
    """A bucket of which only the pace matters."""

    def __init__(self, _: S3Location, pace: OnSent | None) -> None:
        self.pace = pace


def test_a_wait_for_bandwidth_ends_with_the_interrupt_of_the_storage_that_sends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_storage, "open_bucket", Bucket)
    interrupt = Interrupt()
    scope = interrupt.child()
    location = S3Location(bucket="b", path="", max_bandwidth=1 << 20)
    with RunStorage(location, run="r", interrupt=interrupt) as storage:
        paced, unstopped = storage.with_interrupt(scope).bucket.pace, storage.bucket.pace
        assert paced is not None
        assert unstopped is not None
        scope.cancel("the failure of another stream")
        with pytest.raises(InterruptedRunError, match="the failure of another stream"):
            paced(1 << 16)
        unstopped(1 << 10)


def test_without_a_limit_no_bucket_is_paced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_storage, "open_bucket", Bucket)
    interrupt = Interrupt()
    location = S3Location(bucket="b", path="")
    with RunStorage(location, run="r", interrupt=interrupt) as storage:
        assert storage.with_interrupt(interrupt.child()).bucket is storage.bucket
        assert storage.bucket.pace is None
