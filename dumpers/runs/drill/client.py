"""The client of a drill: restores what the reader serves into the throwaway server, and compares.

Then it asks the user's own checks there. A dump is code, so this runs in a container that has
neither the store's keys nor the identity.
"""

import dataclasses
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from dumpers.contract.drill.jobs import RehearseJob
from dumpers.contract.drill.result import DrillResult
from dumpers.contract.restore.request import RestoreRequest
from dumpers.engines.drilling.protocol import (
    DrilledEngine,
    DrilledObject,
    LoadingEngine,
)
from dumpers.engines.protocol import Engine, StoredDump
from dumpers.runs.drill.checking import ask_checks
from dumpers.runs.drill.failures import judge_restore, server_failure, unfit
from dumpers.runs.drill.patience import SERVER_SECONDS, wait_for_server
from dumpers.runs.drill.result import result_of
from dumpers.runs.drill.sentences import what_differs, what_does_not_hold
from dumpers.runs.restore.exchange.fetching import ReaderConnection
from dumpers.runs.restore.exchange.messages import (
    Offer,
    Planned,
    Rehearsal,
    Verdict,
    failed_verdict,
)
from dumpers.runtime.errors import (
    ConfigurationError,
    DrillCheckFailedError,
    DrillDiffersError,
    DrillServerFailedError,
    KsnapshotError,
    NotDrillableError,
    SourceFailedError,
    SourceRefusedError,
    TargetFailedError,
    TargetRefusedError,
    frames_of,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields

_LOG = logging.getLogger(__name__)


def rehearse(
    job: RehearseJob,
    reader: ReaderConnection,
    *,
    engine: Engine,
    interrupt: Interrupt,
    server_seconds: float = SERVER_SECONDS,
) -> DrillResult:
    """Try the backup that the reader offers on the job's server, and give the reader the verdict.

    The reader's result is that of the drill; this is the client's own. What fails is not raised,
    except what ends the reader before it offers anything.
    """
    began = time.monotonic()
    try:
        offer = reader.ask()
    except NotDrillableError as error:
        return not_drilled(job, error)
    work = _Rehearsal(job=job, reader=reader, offer=offer, interrupt=interrupt)
    verdict = work.do(engine, server_seconds=server_seconds)
    if not reader.give(verdict) and verdict.succeeded:
        lost = TargetFailedError(
            "the backup is good, but the container that reads it ended before it heard so: its "
            "result says that the drill failed"
        )
        verdict = replace(failed_verdict(lost), rehearsal=verdict.rehearsal)
    return _result(job, offer, verdict, began)


def not_drilled(job: RehearseJob, error: NotDrillableError) -> DrillResult:
    """The result where the reader offers nothing, as no drill can be made here."""
    return _result(job, None, failed_verdict(error), time.monotonic())


@dataclass(slots=True, kw_only=True)
class _Rehearsal:
    job: RehearseJob
    reader: ReaderConnection
    offer: Offer
    interrupt: Interrupt
    found: Rehearsal = field(default_factory=Rehearsal)

    def do(self, engine: Engine, *, server_seconds: float) -> Verdict:
        """Wait for the server, restore, compare, check; what fails becomes the verdict."""
        try:
            drilled, objects = self._agree(engine)
            self._begin(engine, server_seconds)
            self._restore(engine, drilled, objects)
            self._compare(drilled, objects)
            self._check(engine, objects)
        except Exception as error:  # noqa: BLE001  the reader has to hear of every end
            if not isinstance(error, KsnapshotError):
                shown = fields(kind=type(error).__name__, where=frames_of(error))
                _LOG.error("internal error", extra=shown)
            return replace(failed_verdict(error), rehearsal=self.found)
        return Verdict(
            succeeded=True, exit_code=0, reason="Succeeded", message="", rehearsal=self.found
        )

    def _agree(self, engine: Engine) -> tuple[DrilledEngine, tuple[DrilledObject, ...]]:
        """The engine as one that drills, and what it drills, by both containers' environments."""
        job, offer = self.job, self.offer
        if offer.engine != job.engine.type:
            raise ConfigurationError(
                f"the backup is one of {offer.engine}, and this container's image is for "
                f"{job.engine.type}: give the drill the images of the backup's engine"
            )
        drilling = offer.drilling
        if drilling is None:
            raise ConfigurationError(
                "the container that reads the backup was started for a restore: start it by `drill`"
            )
        if not isinstance(engine, DrilledEngine):
            raise ConfigurationError(f"this version makes no drills of {job.engine.title}")
        pieces = self.reader.pieces(offer)
        return engine, tuple(
            DrilledObject(
                stored=stored,
                fingerprint=fingerprint,
                server_version=offer.server_version,
                tool_version=drilling.tool_version,
            )
            for stored, fingerprint in zip(pieces, drilling.fingerprints, strict=True)
        )

    def _begin(self, engine: Engine, seconds: float) -> None:
        began = time.monotonic()
        wait_for_server(engine, self.job.connection, self.interrupt, seconds=seconds)
        self.found = replace(self.found, start_seconds=_since(began))
        _LOG.info("server answers", extra=fields(seconds=self.found.start_seconds))

    def _restore(
        self, engine: Engine, drilled: DrilledEngine, objects: Sequence[DrilledObject]
    ) -> None:
        began, server = time.monotonic(), self.job.connection
        pieces: Sequence[StoredDump] = [item.stored for item in objects]
        try:
            wanted = drilled.prepare_drill(server, objects, self.interrupt) or RestoreRequest()
            if isinstance(drilled, LoadingEngine):
                pieces = drilled.objects_to_load(server, objects, self.interrupt)
            plan = engine.plan_restore(server, pieces, self.interrupt, wanted)
        except TargetRefusedError as error:
            raise unfit(error) from error
        except TargetFailedError as error:
            raise server_failure(error) from error
        self.found = replace(
            self.found, server_version=plan.server_version, unproved=tuple(plan.notes)
        )
        self.reader.tell(
            Planned(
                plan_only=False,
                target="the throwaway server",
                server_version=plan.server_version,
                actions=plan.actions,
                creates=plan.creates,
                notes=plan.notes,
                size=plan.size,
            )
        )
        try:
            restored = engine.restore(server, pieces, self.interrupt, wanted)
        except (TargetFailedError, TargetRefusedError) as error:
            assert self.offer.drilling
            options = self.offer.drilling.options
            raise judge_restore(error, engine, server, options, self.interrupt) from error
        finally:
            self.found = replace(self.found, restore_seconds=_since(began))
        self.found = replace(self.found, unproved=_together(self.found.unproved, restored.notes))

    def _compare(self, drilled: DrilledEngine, objects: Sequence[DrilledObject]) -> None:
        assert self.offer.drilling
        began, server = time.monotonic(), self.job.connection
        options = self.offer.drilling.options
        try:
            result = drilled.compare(server, objects, options, self.interrupt)
        except (
            *(SourceFailedError, SourceRefusedError),
            *(TargetFailedError, TargetRefusedError),
        ) as error:
            raise server_failure(error) from error
        finally:
            self.found = replace(self.found, compare_seconds=_since(began))
        self.found = replace(
            self.found,
            method=result.method,
            tables=result.tables,
            faults=result.faults,
            unproved=_together(self.found.unproved, result.unproved),
            is_compared=bool(result.method),
        )
        if result.faults or not all(table.good for table in result.tables):
            raise DrillDiffersError(what_differs(result))
        if not result.good:
            raise DrillServerFailedError("nothing of the backup was compared: it is not judged")

    def _check(self, engine: Engine, objects: Sequence[DrilledObject]) -> None:
        if not self.job.checks:
            return
        began, server = time.monotonic(), self.job.connection
        checks = ask_checks(engine, server, objects, self.job.checks, self.interrupt)
        self.found = replace(self.found, checks=checks, check_seconds=_since(began))
        if not all(check.good for check in checks):
            raise DrillCheckFailedError(what_does_not_hold(checks))


def _together(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)


def _result(job: RehearseJob, offer: Offer | None, verdict: Verdict, began: float) -> DrillResult:
    return dataclasses.replace(
        result_of(verdict),
        backup=offer.backup if offer else "",
        began=offer.began if offer else "",
        engine=job.engine.type,
        seconds=_since(began),
    )
