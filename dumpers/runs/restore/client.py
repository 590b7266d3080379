"""The client of a restore: loads what the reader serves into the target, and says how it went.

A dump is code, so this runs in a container that has neither the store's keys nor the identity.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from dumpers.contract.restore.jobs import LoadJob
from dumpers.contract.restore.request import RestoreRequest
from dumpers.contract.restore.result import RestoreResult
from dumpers.engines.protocol import Engine, Restored, RestorePlan, StoredDump
from dumpers.runs.restore.exchange.fetching import ReaderConnection
from dumpers.runs.restore.exchange.messages import (
    Offer,
    Planned,
    Verdict,
    failed_verdict,
    state_of_target,
)
from dumpers.runtime.errors import (
    ConfigurationError,
    KsnapshotError,
    TargetFailedError,
    TargetRefusedError,
    frames_of,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.streams.reader import Reader

_LOG = logging.getLogger(__name__)

# How long the reader may take to listen: its image may not be there yet.
READER_SECONDS = 300.0


def load(
    job: LoadJob, reader: ReaderConnection, *, engine: Engine, interrupt: Interrupt
) -> RestoreResult:
    """Restore what the reader offers into the job's target, or only plan it.

    The verdict goes to the reader, whose result is that of the restore; this is the client's own.
    What fails is not raised: the result says whether the target may be partial.
    """
    began = time.monotonic()
    offer = reader.ask()
    work = _Load(job=job, offer=offer, pieces=reader.pieces(offer))
    planned, verdict = work.do(reader, engine, interrupt)
    is_heard = reader.give(verdict)
    if verdict.succeeded and not is_heard:
        verdict = failed_verdict(
            TargetFailedError(
                "the backup is restored, but the container that reads it ended before it heard "
                "so: its result says that the restore failed"
            ),
            target=job.target,
        )
    return RestoreResult(
        succeeded=verdict.succeeded,
        exit_code=verdict.exit_code,
        reason=verdict.reason,
        message=verdict.message,
        backup=offer.backup,
        began=offer.began,
        engine=job.engine.type,
        target=job.target,
        server_version=planned.server_version if planned else "",
        restored=verdict.restored,
        kept=verdict.kept,
        notes=verdict.notes,
        seconds=round(time.monotonic() - began, 3),
        target_partial=verdict.target_partial,
    )


def refuse(folder: str, error: ConfigurationError, interrupt: Interrupt) -> None:
    """Tell the reader, if it is there, that this client cannot begin."""
    with (
        suppress(KsnapshotError),
        ReaderConnection(folder, interrupt, seconds=READER_SECONDS) as reader,
    ):
        reader.give_at_once(failed_verdict(error))


@dataclass(slots=True, kw_only=True)
class _Load:
    job: LoadJob
    offer: Offer
    pieces: Sequence[StoredDump]
    is_loading: bool = False
    is_partial: bool = False

    def do(
        self, reader: ReaderConnection, engine: Engine, interrupt: Interrupt
    ) -> tuple[Planned | None, Verdict]:
        """Plan, tell the plan, and carry it out; what fails becomes the verdict."""
        planned = None
        try:
            request, plan_only = self._agree()
            pieces = [replace(piece, open=self._noting(piece)) for piece in self.pieces]
            plan = self._plan(engine, pieces, interrupt, request)
            planned = self._planned(plan, plan_only=plan_only)
            reader.tell(planned)
            if plan_only:
                return planned, self._good(Restored(notes=plan.notes, creates=plan.creates))
            _LOG.info("loading", extra=fields(target=self.job.target, actions=plan.actions))
            self.is_loading = True
            restored = engine.restore(self.job.connection, pieces, interrupt, request)
            # An engine may say once more what its plan said.
            notes = tuple(dict.fromkeys((*plan.notes, *restored.notes)))
            return planned, self._good(replace(restored, notes=notes))
        except Exception as error:  # noqa: BLE001  the reader has to hear of every end
            return planned, self._bad(error)

    def _plan(
        self,
        engine: Engine,
        pieces: Sequence[StoredDump],
        interrupt: Interrupt,
        request: RestoreRequest,
    ) -> RestorePlan:
        plan = engine.plan_restore(self.job.connection, pieces, interrupt, request)
        if request.parallelism == 1 or self.job.engine.restores_by_sessions:
            return plan
        note = f"{self.job.engine.title} is restored by one session: --parallelism is left aside"
        return replace(plan, notes=(*plan.notes, note))

    def _agree(self) -> tuple[RestoreRequest, bool]:
        """What is asked for, by the two containers' environments together."""
        job, offer = self.job, self.offer
        if offer.engine != job.engine.type:
            raise ConfigurationError(
                f"the backup is one of {offer.engine}, and this container's image is for "
                f"{job.engine.type}: restore it into a database of its own kind"
            )
        asked, default = RestoreRequest.from_json(offer.request), RestoreRequest()
        # Not as a set: a request with names has no hash.
        if job.request not in (default, asked) and asked != default:
            raise ConfigurationError(
                "the two containers were asked for different restores: give both the same request"
            )
        request = asked if job.request == default else job.request
        return request, job.plan_only or offer.plan_only

    def _noting(self, piece: StoredDump) -> "_Opener":
        return _Opener(self, piece)

    def _planned(self, plan: RestorePlan, *, plan_only: bool) -> Planned:
        return Planned(
            plan_only=plan_only,
            target=self.job.target,
            server_version=plan.server_version,
            actions=plan.actions,
            creates=plan.creates,
            notes=plan.notes,
            size=plan.size,
        )

    def _good(self, restored: Restored) -> Verdict:
        return Verdict(
            succeeded=True,
            exit_code=0,
            reason="Succeeded",
            message="",
            target=self.job.target,
            restored=restored.creates,
            kept=restored.kept,
            notes=restored.notes,
        )

    def _bad(self, error: Exception) -> Verdict:
        """The verdict for an error; the target's own errors say themselves what is left of it."""
        if not isinstance(error, KsnapshotError):
            shown = fields(kind=type(error).__name__, where=frames_of(error))
            _LOG.error("internal error", extra=shown)
        verdict = failed_verdict(error, target=self.job.target, partial=self.is_partial)
        if isinstance(error, TargetFailedError | TargetRefusedError):
            return verdict
        state = state_of_target(partial=self.is_partial)
        return Verdict(
            succeeded=False,
            exit_code=verdict.exit_code,
            reason=verdict.reason,
            message=f"{verdict.message}; {state}",
            target=verdict.target,
            target_partial=verdict.target_partial,
        )


@dataclass(frozen=True, slots=True)
class _Opener:
    """Opens a piece, and notes that the target may have been changed from then on."""

    work: _Load
    piece: StoredDump

    @contextmanager
    def __call__(self) -> Iterator[Reader]:
        self.work.is_partial = self.work.is_loading
        with self.piece.open() as reader:
            yield reader
