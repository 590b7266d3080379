"""Both sides of the exchange in one process, over a real socket."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Self

import pytest
from msgspec.structs import replace

from dumpers.runs.restore.exchange.fetching import ReaderConnection
from dumpers.runs.restore.exchange.messages import Offer, Piece, Planned, Verdict, failed_verdict
from dumpers.runs.restore.exchange.serving import Listener
from dumpers.runs.restore.exchange.talk import Talk, hear_out
from dumpers.runtime.errors import (
    BackupDamagedError,
    ConfigurationError,
    InterruptedRunError,
    KsnapshotError,
    StorageFailedError,
    TargetFailedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader

BODIES = [b"", b"x" * 3_000_000, b"short"]
OFFER = Offer(
    version=1,
    backup="r1",
    began="2026-01-02T03:04:05Z",
    engine="mysql",
    server_version="8",
    request="{}",
    plan_only=False,
    pieces=tuple(
        Piece(name=str(place), part=(), ending=".sql", size=len(body), metadata={"n": place})
        for place, body in enumerate(BODIES)
    ),
)
PLANNED = Planned(
    plan_only=False, target="t", server_version="8", actions=("a",), creates=(), notes=(), size=1
)
GOOD = Verdict(succeeded=True, exit_code=0, reason="Succeeded", message="")


class Broken:
    """Gives some bytes, then fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.source = io.BytesIO(b"x" * 300_000)

    def read(self, size: int = -1, /) -> bytes:
        if data := self.source.read(size):
            return data
        raise self.error


def open_body(place: int) -> AbstractContextManager[Reader]:
    return nullcontext(io.BytesIO(BODIES[place]))


class Reading:
    """The reader's side, in a thread of its own."""

    def __init__(
        self, folder: Path, open_piece: Callable[[int], AbstractContextManager[Reader]]
    ) -> None:
        self.interrupt = Interrupt(work="restore")
        self.talk: Talk | None = None
        self.error: KsnapshotError | None = None
        self.listener = Listener(str(folder))
        self._open_piece = open_piece
        self._listens = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listens.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with self.listener:
                self._listens.set()
                self.listener.serve(self._open_piece)
                self.talk = hear_out(
                    self.listener, OFFER, interrupt=self.interrupt, client_seconds=30
                )
        except KsnapshotError as error:
            self.error = error


@contextmanager
def client(folder: Path, interrupt: Interrupt | None = None) -> Iterator[ReaderConnection]:
    with ReaderConnection(str(folder), interrupt or Interrupt(), seconds=30) as connection:
        yield connection


def read_all(reader: Reader) -> bytes:
    found = io.BytesIO()
    while block := reader.read(100_000):
        found.write(block)
    assert reader.read() == b""
    return found.getvalue()


def test_a_backup_passes_and_the_verdict_returns(tmp_path: Path) -> None:
    with Reading(tmp_path, open_body) as reading:
        with client(tmp_path) as connection:
            offer = connection.ask()
            assert offer == OFFER
            pieces = connection.pieces(offer)
            assert [piece.metadata for piece in pieces] == [{"n": 0}, {"n": 1}, {"n": 2}]
            for piece, body in zip(pieces, BODIES, strict=True):
                with piece.open() as reader:
                    assert read_all(reader) == body
            # Several at a time, and once more.
            with pieces[1].open() as one, pieces[2].open() as other:
                assert one.read(10) == b"x" * 10
                assert read_all(other) == BODIES[2]
                assert read_all(one) == BODIES[1][10:]
            connection.tell(PLANNED)
            assert connection.give(GOOD)
        reading.end()
        assert reading.talk == Talk(planned=PLANNED, verdict=GOOD)
        assert reading.listener.served.whole == {0, 1, 2}
        assert reading.listener.served.bytes_sent == 2 * 3_000_000 + 2 * 5


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BackupDamagedError("k is damaged"), BackupDamagedError),
        (StorageFailedError("away"), StorageFailedError),
        (LookupError("hunter2"), KsnapshotError),
    ],
)
def test_a_piece_without_an_end_raises_the_readers_error(
    tmp_path: Path, error: Exception, kind: type[KsnapshotError]
) -> None:
    with (
        Reading(tmp_path, lambda _: nullcontext(Broken(error))) as reading,
        client(tmp_path) as connection,
    ):
        [piece, *_] = connection.pieces(connection.ask())
        with piece.open() as reader, pytest.raises(kind) as raised:
            read_all(reader)
        assert "hunter2" not in str(raised.value)
        with pytest.raises(kind):
            reader.read()
        assert connection.give(failed_verdict(raised.value, partial=True))
        reading.end()
        assert reading.talk is not None
        assert reading.talk.verdict.reason == kind.reason
        assert reading.listener.served.whole == set()


def test_a_piece_that_is_left_is_not_whole(tmp_path: Path) -> None:
    with Reading(tmp_path, open_body) as reading, client(tmp_path) as connection:
        pieces = connection.pieces(connection.ask())
        with pieces[1].open() as reader:
            reader.read(1)
        assert connection.give(GOOD)
        reading.end()
        assert (reading.listener.served.begun, reading.listener.served.whole) == ({1}, set())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([], "the target was not changed"),
        ([PLANNED], "the target may hold a part of the backup"),
    ],
)
def test_a_client_that_ends_early_is_a_verdict(
    tmp_path: Path, said: list[Planned], words: str
) -> None:
    with Reading(tmp_path, open_body) as reading:
        with client(tmp_path) as connection:
            connection.ask()
            for planned in said:
                connection.tell(planned)
        reading.end()
        assert reading.talk is not None
        verdict = reading.talk.verdict
        assert (verdict.succeeded, verdict.reason) == (False, "TargetFailed")
        assert words in verdict.message
        assert verdict.target_partial == bool(said)


def test_a_client_that_cannot_begin_says_so(tmp_path: Path) -> None:
    with Reading(tmp_path, open_body) as reading:
        with client(tmp_path) as connection:
            connection.give_at_once(failed_verdict(ConfigurationError("no host")))
        reading.end()
        assert reading.talk is not None
        assert (reading.talk.planned, reading.talk.verdict.message) == (None, "no host")


def test_a_reader_that_has_to_stop_stops_the_client(tmp_path: Path) -> None:
    interrupt = Interrupt(work="restore")
    with Reading(tmp_path, open_body) as reading, client(tmp_path, interrupt) as connection:
        connection.ask()
        connection.tell(PLANNED)
        reading.interrupt.cancel("SIGTERM")
        with pytest.raises(InterruptedRunError, match="stopped by SIGTERM"):
            interrupt.sleep(30)
        assert connection.give(failed_verdict(InterruptedRunError("rolled back"), partial=False))
        reading.end()
        assert reading.talk is not None
        assert reading.talk.verdict.message == "rolled back"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        # Whom the reader has stopped knows that it was stopped; the reader knows by what.
        (failed_verdict(InterruptedRunError("rolled back"), partial=True), "DeadlineExceeded"),
        (failed_verdict(TargetFailedError("disk full"), partial=True), "TargetFailed"),
        (GOOD, "Succeeded"),
    ],
)
def test_the_deadline_is_the_reason_of_a_client_that_it_stopped(
    tmp_path: Path, said: Verdict, reason: str
) -> None:
    interrupt = Interrupt(work="restore")
    reading = Reading(tmp_path, open_body)
    reading.interrupt = Interrupt(0.5, work="restore")
    with reading, client(tmp_path, interrupt) as connection:
        connection.ask()
        connection.tell(PLANNED)
        with pytest.raises(InterruptedRunError, match="close to the job's deadline"):
            interrupt.sleep(30)
        assert connection.give(said)
        reading.end()
        assert reading.talk is not None
        assert reading.talk.verdict == replace(said, reason=reason)


def test_a_reader_that_ends_stops_the_client(tmp_path: Path) -> None:
    interrupt = Interrupt(work="restore")
    with Listener(str(tmp_path)) as listener:

        def leave() -> None:
            listener.wait_for_client(Interrupt(), seconds=30)[0].close()

        threading.Thread(target=leave).start()
        with client(tmp_path) as connection, pytest.raises(TargetFailedError):
            connection.ask()
    with Reading(tmp_path, open_body) as reading, client(tmp_path, interrupt) as connection:
        connection.ask()
        reading.listener.__exit__(None, None, None)
        with pytest.raises(InterruptedRunError, match="the end of the container that reads"):
            interrupt.sleep(30)


def test_who_never_comes_is_named(tmp_path: Path) -> None:
    with Listener(str(tmp_path)) as listener, pytest.raises(TargetFailedError, match="not come"):
        listener.wait_for_client(Interrupt(), seconds=0.05)
    (tmp_path / "empty").mkdir()
    with (
        pytest.raises(TargetFailedError, match="is not there"),
        ReaderConnection(str(tmp_path / "empty"), Interrupt(), seconds=0.05),
    ):
        pass


def test_a_reader_that_failed_before_leaves_its_reason(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError), Listener(str(tmp_path)):
        raise ConfigurationError("no bucket")
    with (
        pytest.raises(TargetFailedError, match="no bucket"),
        ReaderConnection(str(tmp_path), Interrupt(), seconds=30),
    ):
        pass


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(TargetFailedError, match="must be a volume"),
        Listener(str(tmp_path / "missing")),
    ):
        pass
