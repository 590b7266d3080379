import io
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from dumpers.contract.jobs import DumpJob
from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.protocol import SourceInfo
from dumpers.engines.registry import ENGINES
from dumpers.engines.simple_stream import SimpleStream
from dumpers.runs.notes import judge, with_learned_notes
from tests.unit.dumpers.contract.test_jobs import ENV

KNOWN = Note(code=NoteCode.STANDBY, text="from a standby")
LEARNED = Note(code=NoteCode.TOOL_WARNING, text="pg_dump: warning: odd", objects=("shop",))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Noted(SimpleStream):
    def notes(self) -> Sequence[Note]:
        return (LEARNED,)


def test_what_streams_learn_is_added_to_what_was_known() -> None:
    job = DumpJob.from_env(ENV | {"KSNAPSHOT_ACCEPT": "tool-warning"}, ENGINES)
    given = {"name": "shop", "ending": ".sql", "estimate": 0}
    opener = lambda _: nullcontext(io.BytesIO())  # noqa: E731
    silent = SimpleStream(**given, opener=opener)  # type: ignore[arg-type]
    noted = _Noted(**given, opener=opener)  # type: ignore[arg-type]
    info = SourceInfo(server_version="18", tool_version="18", estimate=0, notes=(KNOWN,))
    assert with_learned_notes(info, [silent], job) == info
    found = with_learned_notes(info, [silent, noted], job)
    assert found.notes == (KNOWN, LEARNED)
    assert [note.accepted for note in judge(found.notes, job)] == [False, True]
