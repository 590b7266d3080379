"""Which of several replicas acts: the one that holds a Lease, for as long as it renews it.

Not by the client library's `leaderelection`: that of kubernetes 36 locks by an annotation of a
ConfigMap only, goes by the wall clock, starts the work in a thread that nothing stops when the lead
is lost, and cannot give the lead back.
"""

import logging
import math
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from threading import Event, Lock, Thread
from typing import Protocol
from uuid import uuid4

from controller.kube.client import LEASES, ConflictError, Kube, KubeError, NotFoundError
from controller.loop.lease import (
    Move,
    Sighting,
    claim_of,
    claimed,
    next_move,
    released,
    sighting_of,
)
from controller.model.objects import Json
from controller.settings.settings import Settings
from dumpers.runtime.log import fields

# The proportions of Kubernetes' own controllers: of 15 s the leader trusts a renewal for 10, and
# renews every 2.
_TRUSTED = 2 / 3
_PAUSE = 2 / 15
# In seconds. Together shorter than what a pod has left to end in behind its last write.
_LONGEST_REQUEST, _LAST_ROUND = 10.0, 4.0
_log = logging.getLogger(__name__)
# Also counts the time for which a machine is suspended, where it can.
_read_clock: Callable[[], float] = partial(
    time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
)


class Leadership(Protocol):
    """What passes and their writes ask.

    A term is a time of leading without a gap. The served term is the one that was taken up last:
    once it has ended, nothing is allowed in its name, even if this replica leads again.
    """

    def start(self) -> None:
        """Begin to try for the lead."""

    def release(self) -> None:
        """Give the lead up for good; no write may be under way."""

    def take_up(self, seconds: float) -> bool:
        """Wait for the lead, so many seconds at most, and serve its term; whether there is one."""

    def leads(self) -> bool:
        """Whether the served term goes on."""

    def follows(self) -> bool:
        """Whether another replica leads, as far as is known."""

    def seconds_left(self) -> float:
        """How long a write of the served term may take that begins now; 0: it must not begin."""


class Alone:
    """The leadership of a replica that is the only one: it always acts."""

    def start(self) -> None:
        """See Leadership."""

    def release(self) -> None:
        """See Leadership."""

    def take_up(self, seconds: float) -> bool:  # noqa: ARG002  see Leadership
        """See Leadership."""
        return True

    def leads(self) -> bool:
        """See Leadership."""
        return True

    def follows(self) -> bool:
        """See Leadership."""
        return False

    def seconds_left(self) -> float:
        """See Leadership."""
        return math.inf


class Leader:
    """A replica that leads while it holds the Lease, which a thread renews.

    The deadline counts from before a renewal was sent, by a clock that only runs forward, and is
    shorter than the time that others wait: whoever was replaced knows it before it is. `kube` must
    be a connection of its own, without a limit of writes.
    """

    def __init__(
        self,
        kube: Kube,
        settings: Settings,
        *,
        identity: str = "",
        clock: Callable[[], float] = _read_clock,
    ) -> None:
        self._kube, self._clock = kube, clock
        self._identity = identity or f"{socket.gethostname()}_{uuid4()}"
        self._namespace, self._name = settings.control_namespace, lease_name(settings)
        self._seconds = settings.lease_seconds
        # The Lease as this replica wrote it last, None where it has to be read first.
        self._own: Json | None = None
        self._seen: Sighting | None = None
        self._complaint = ""
        self._lock = Lock()
        self._term = self._served = 0
        self._deadline = -math.inf
        self._gained, self._ending = Event(), Event()
        self._thread = Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """See Leadership."""
        self._thread.start()

    def take_up(self, seconds: float) -> bool:
        """See Leadership."""
        self._gained.wait(seconds)
        self._gained.clear()
        with self._lock:
            self._served = self._term
        return self.leads()

    def leads(self) -> bool:
        """See Leadership."""
        return self.seconds_left() > 0

    def follows(self) -> bool:
        """See Leadership."""
        seen = self._seen
        if seen is None or seen.claim.holder in {"", self._identity}:
            return False
        return not seen.is_over(self._clock())

    def seconds_left(self) -> float:
        """See Leadership."""
        with self._lock:
            if self._served != self._term:
                return 0.0
            return max(0.0, self._deadline - self._clock())

    def release(self) -> None:
        """See Leadership; another takes the Lease at once, unless a request for it hangs."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(_LAST_ROUND)
        held = self._end_term()
        if self._own is None or not held or self._thread.is_alive():
            return
        try:
            self._kube.replace(LEASES, self._namespace, released(self._own, datetime.now(UTC)))
        except KubeError as error:
            _log.warning("lease not released", extra=fields(why=str(error)))

    def round(self) -> None:
        """Renew the Lease, or take it, or see who has it."""
        why = ""
        try:
            try:
                self._act(self._own or self._read())
            except (ConflictError, NotFoundError):
                # Somebody else has written or removed it: what is there now counts.
                self._own = None
                self._act(self._read())
        except ConflictError:
            # Another one was faster; the next round sees it.
            self._end_term()
        except KubeError as error:
            why = str(error)
        if why and why != self._complaint:
            _log.warning("lease not renewed", extra=fields(name=self._name, why=why))
        self._complaint = why

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self.round()
            except Exception:  # noqa: BLE001  without a thread this replica would never lead again
                _log.exception("a fault of the controller")
            self._ending.wait(self._seconds * _PAUSE)

    def _read(self) -> Json | None:
        try:
            return self._kube.get(LEASES, self._namespace, self._name)
        except NotFoundError:
            return None

    def _act(self, lease: Json | None) -> None:
        """Do what the Lease, as it was just read or written, asks for; None is no Lease."""
        now = self._clock()
        claim = claim_of(lease, self._seconds) if lease else None
        if claim:
            self._seen = sighting_of(claim, self._seen, now)
        move = next_move(claim, self._seen, self._identity, now)
        if move is Move.WAIT:
            self._end_term()
            return
        body = claimed(
            lease,
            self._identity,
            self._seconds,
            namespace=self._namespace,
            name=self._name,
            now=datetime.now(UTC),
        )
        sent = self._clock()
        write = self._kube.create if move is Move.CREATE else self._kube.replace
        self._own = write(LEASES, self._namespace, body)
        self._seen = Sighting(claim=claim_of(self._own, self._seconds), since=self._clock())
        self._extend_term(sent + self._seconds * _TRUSTED)

    def _extend_term(self, deadline: float) -> None:
        """Lead until then; a term that had ended before is followed by a new one."""
        with self._lock:
            if self._deadline <= self._clock():
                self._term += 1
                self._gained.set()
            self._deadline = deadline

    def _end_term(self) -> bool:
        """Lead no more, at once; whether it was so until now."""
        with self._lock:
            was, self._deadline = self._deadline > self._clock(), -math.inf
        return was


def lease_name(settings: Settings) -> str:
    """The name of the Lease, one for each install."""
    return f"{settings.deployment_name}-leader"


def request_seconds(settings: Settings) -> float:
    """How long one request for the Lease may take: a second one must still be in time."""
    return min(_LONGEST_REQUEST, settings.lease_seconds * _TRUSTED / 2)
