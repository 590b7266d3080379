"""The client's work with an engine that has no database, and what the reader makes of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dumpers.contract.connection import Connection
from dumpers.contract.engine_spec import EngineSpec
from dumpers.contract.restore.jobs import LoadJob
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.contract.restore.result import RestoreResult
from dumpers.engines.mysql.spec import SPEC as MYSQL
from dumpers.engines.postgresql.spec import SPEC as POSTGRESQL
from dumpers.engines.protocol import Restored, RestorePlan, StoredDump
from dumpers.runs.restore.client import load
from dumpers.runs.restore.exchange.messages import Verdict
from dumpers.runtime.errors import (
    ExitCode,
    InterruptedRunError,
    KsnapshotError,
    StorageFailedError,
    TargetFailedError,
    TargetRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from tests.unit.dumpers.runs.restore.exchange.test_exchange import (
    BODIES,
    Reading,
    client,
    open_body,
    read_all,
)

PLAN = RestorePlan(
    server_version="8.4", actions=("create shop",), creates=(("shop", "shop_restored"),), size=3
)
FAULT = (
    "internal error (LookupError): see the pod's log, and report it; the target may hold a part of "
    "the backup"
)
SWAP = RestoreRequest(mode=RestoreMode.SWAP)


@dataclass(kw_only=True)
class Engine:
    """Does in `planning` and `loading` what a test wants."""

    planning: Callable[[Sequence[StoredDump]], object] = lambda _: None
    loading: Callable[[Sequence[StoredDump]], object] = lambda _: None
    requests: list[RestoreRequest] = field(default_factory=list)

    def plan_restore(
        self,
        target: Connection,
        pieces: Sequence[StoredDump],
        interrupt: Interrupt,
        request: RestoreRequest,
    ) -> RestorePlan:
        self.planning(pieces)
        return PLAN

    def restore(
        self,
        target: Connection,
        pieces: Sequence[StoredDump],
        interrupt: Interrupt,
        request: RestoreRequest = SWAP,
    ) -> Restored:
        self.requests.append(request)
        self.loading(pieces)
        return Restored(creates=PLAN.creates, kept=(("shop", "shop_kept"),), notes=("note",))

    def open(self, *_: object) -> object:
        raise NotImplementedError

    def undo(self, *_: object) -> None:
        raise NotImplementedError

    def forget(self, *_: object) -> None:
        raise NotImplementedError

    def inspect(self, *_: object) -> Mapping[str, int]:
        raise NotImplementedError


def run(
    folder: Path,
    engine: Engine,
    *,
    request: RestoreRequest | None = None,
    plan_only: bool = False,
    spec: EngineSpec = MYSQL,
) -> tuple[RestoreResult, Verdict]:
    job = LoadJob(
        engine=spec,
        connection=Connection(host="db", port=3306, database="shop"),
        exchange=str(folder),
        request=request or RestoreRequest(),
        plan_only=plan_only,
    )
    interrupt = Interrupt(work="restore")
    with Reading(folder, open_body) as reading, client(folder, interrupt) as connection:
        result = load(job, connection, engine=engine, interrupt=interrupt)  # type: ignore[arg-type]
        reading.end()
        assert reading.talk is not None
        return result, reading.talk.verdict


def read(pieces: Sequence[StoredDump]) -> None:
    for piece, body in zip(pieces, BODIES, strict=True):
        with piece.open() as reader:
            assert read_all(reader) == body


def read_and_raise(error: Exception) -> Callable[[Sequence[StoredDump]], object]:
    def loading(pieces: Sequence[StoredDump]) -> None:
        read(pieces)
        raise error

    return loading


def raising(error: Exception) -> Callable[[Sequence[StoredDump]], object]:
    def loading(pieces: Sequence[StoredDump]) -> None:
        raise error

    return loading


def test_what_the_engine_did_is_the_verdict(tmp_path: Path) -> None:
    engine = Engine(loading=read)
    result, verdict = run(tmp_path, engine, request=SWAP)
    assert engine.requests == [SWAP]
    assert (result.succeeded, result.exit_code, result.target) == (True, 0, "db:3306/shop")
    assert (verdict.restored, verdict.kept) == (PLAN.creates, (("shop", "shop_kept"),))
    assert (verdict.notes, verdict.target_partial) == (("note",), False)


def test_a_request_may_have_new_names(tmp_path: Path) -> None:
    request = RestoreRequest(mode=RestoreMode.BESIDE, names={"shop": "shop_old"}, by="a-job")
    engine = Engine(loading=read)
    result, _ = run(tmp_path, engine, request=request)
    assert (result.succeeded, engine.requests) == (True, [request])


def test_a_plan_is_not_carried_out(tmp_path: Path) -> None:
    engine = Engine(loading=raising(LookupError()))
    result, verdict = run(tmp_path, engine, plan_only=True)
    assert (result.succeeded, engine.requests) == (True, [])
    assert verdict.restored == PLAN.creates


@pytest.mark.parametrize(
    ("engine", "partial", "reason", "words"),
    [
        (
            Engine(planning=raising(TargetRefusedError("it is not empty"))),
            False,
            "TargetRefused",
            "it is not empty",
        ),
        (
            Engine(planning=read_and_raise(StorageFailedError("away"))),
            False,
            "StorageFailed",
            "away; the target was not changed",
        ),
        (
            Engine(loading=raising(InterruptedRunError("stopped"))),
            False,
            "Interrupted",
            "stopped; the target was not changed",
        ),
        (
            Engine(loading=read_and_raise(InterruptedRunError("stopped"))),
            True,
            "Interrupted",
            "stopped; the target may hold a part of the backup",
        ),
        # The engine knows better than anybody else, and says it itself.
        (
            Engine(loading=read_and_raise(TargetFailedError("rolled back, all is as it was"))),
            True,
            "TargetFailed",
            "rolled back, all is as it was",
        ),
        (
            Engine(loading=read_and_raise(LookupError("hunter2"))),
            True,
            "InternalError",
            FAULT,
        ),
    ],
    ids=["plan", "store in plan", "before", "middle", "target", "fault"],
)
def test_a_failure_says_what_is_left(
    tmp_path: Path, engine: Engine, *, partial: bool, reason: str, words: str
) -> None:
    result, verdict = run(tmp_path, engine)
    for ended in (result, verdict):
        assert (ended.succeeded, ended.reason, ended.message) == (False, reason, words)
        assert ended.target_partial is partial
        assert ended.exit_code != ExitCode.DONE


def test_a_backup_of_another_engine_is_refused(tmp_path: Path) -> None:
    result, _ = run(tmp_path, Engine(), spec=POSTGRESQL)
    assert result.exit_code == ExitCode.CONFIGURATION
    assert "the backup is one of mysql" in result.message


def test_a_reader_that_is_gone_is_no_success(tmp_path: Path) -> None:
    job = LoadJob(
        engine=MYSQL,
        connection=Connection(host="db", port=1),
        exchange=str(tmp_path),
        request=RestoreRequest(),
        plan_only=False,
    )
    interrupt = Interrupt(work="restore")
    with Reading(tmp_path, open_body) as reading, client(tmp_path, interrupt) as connection:

        def leave(_: Sequence[StoredDump]) -> None:
            reading.listener.__exit__(None, None, None)
            with pytest.raises(KsnapshotError):
                interrupt.sleep(30)

        engine = Engine(loading=leave)
        result = load(job, connection, engine=engine, interrupt=interrupt)  # type: ignore[arg-type]
    assert not result.succeeded
    assert "the backup is restored, but the container that reads it ended" in result.message
    assert result.target == "db:1"
