"""Where the stored bytes of a backup come from: URLs of the store, or a Job that sends them."""

import contextlib
import time
from collections.abc import Callable
from typing import Protocol

from controller.client.fetch.asking import Asking
from controller.client.fetch.http import Target, say_done
from controller.client.fetch.port_forward import PortForward
from controller.client.jobs.follow import JobRef, pods_of
from controller.client.jobs.progress import newest_pod
from controller.kube.client import JOBS, KubeError, NotFoundError, UnavailableError
from controller.manifests.verb_job import PRESIGN, SEND
from controller.model.objects import name_of
from controller.runs.job_status import end_of
from dumpers.contract.fetch.offer import DONE, Offer
from dumpers.runtime.errors import BackupDamagedError
from dumpers.storage.errors import StoreAwayError

# URLs are renewed when so much of their time is left.
_MARGIN_SHARE, _MARGIN_SECONDS = 0.1, 60.0


class Source(Protocol):
    """A backup's objects, by their places in the offer."""

    @property
    def offer(self) -> Offer:
        """What is offered."""

    def target(self, place: int) -> Target:
        """Where an object can be read now; StoreAwayError where that may be known later."""

    def renew(self) -> None:
        """Make other targets, as these are refused."""

    def close(self) -> None:
        """End what was started."""


class Presigned:
    """Objects by URLs, which are renewed before their time is over."""

    def __init__(
        self, asking: Asking, backup: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._asking = asking
        self._clock = clock
        self.offer = self._ask(backup)

    def target(self, place: int) -> Target:
        """The URL of an object."""
        if self._clock() >= self._until:
            self.renew()
        return Target(url=self.offer.objects[place].place, ca=self.offer.ca)

    def renew(self) -> None:
        """Have new URLs signed."""
        self.offer = _same(self.offer, self._ask(self.offer.backup))

    def close(self) -> None:
        """Do nothing: its Jobs have ended."""

    def _ask(self, backup: str) -> Offer:
        began = self._clock()
        offer, _ = self._asking.ask(PRESIGN, backup)
        self._until = began + offer.seconds - min(_MARGIN_SECONDS, offer.seconds * _MARGIN_SHARE)
        return offer


class Forwarded:
    """Objects that a Job sends over a port-forward; what breaks is made anew."""

    def __init__(self, asking: Asking, backup: str) -> None:
        self._asking = asking
        self._kubectl = asking.connection.kubectl
        self._forward: PortForward | None = None
        self.offer, self._job = asking.ask(SEND, backup)

    def target(self, place: int) -> Target:
        """The address of an object on this machine's loopback."""
        try:
            forward = self._lead()
        except UnavailableError as error:
            raise StoreAwayError(str(error)) from error
        return self._target(forward, self.offer.objects[place].place)

    def renew(self) -> None:
        """Start another Job."""
        self._stop()
        offer, self._job = self._asking.ask(SEND, self.offer.backup)
        self.offer = _same(self.offer, offer)

    def close(self) -> None:
        """Tell the Job that it is done; it is deleted where it cannot be told."""
        if self._forward is None or not say_done(self._target(self._forward, DONE)):
            delete(self._asking, self._job)
        self._unlead()

    def _lead(self) -> PortForward:
        if self._forward is not None and self._forward.is_up:
            return self._forward
        self._unlead()
        if not self._is_running():
            self.renew()
        job = self._job
        pod = newest_pod(pods_of(self._kubectl, job.namespace, job.name))
        if pod is None:
            raise UnavailableError(f"the Job {job.name} has no pod")
        self._forward = PortForward(self._kubectl, job.namespace, name_of(pod), self.offer.port)
        return self._forward

    def _is_running(self) -> bool:
        try:
            return end_of(self._kubectl.get(JOBS, self._job.namespace, self._job.name)) is None
        except NotFoundError:
            return False

    def _target(self, forward: PortForward, path: str) -> Target:
        return Target(
            url=f"http://127.0.0.1:{forward.port}{path}",
            headers={"Authorization": f"Bearer {self.offer.token}"},
            is_local=True,
        )

    def _stop(self) -> None:
        self._unlead()
        delete(self._asking, self._job)

    def _unlead(self) -> None:
        if self._forward is not None:
            self._forward.close()
            self._forward = None


def delete(asking: Asking, job: JobRef) -> None:
    """Delete a Job that has nothing to do any more; without the right to, it ends by itself."""
    with contextlib.suppress(KubeError):
        asking.connection.kubectl.delete(JOBS, job.namespace, job.name, uid=job.uid)


def _same(before: Offer, offer: Offer) -> Offer:
    """The new offer; BackupDamagedError where it is of other objects than the one before."""
    facts = [
        [(item.key, item.size, item.sha256, item.source_sha256) for item in each.objects]
        for each in (before, offer)
    ]
    if before.backup != offer.backup or facts[0] != facts[1]:
        raise BackupDamagedError(
            f"the manifest of the backup {before.backup} changed while it was fetched"
        )
    return offer
