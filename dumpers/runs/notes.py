"""The notes of a run, from where they are found to its log and manifest."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

from dumpers.contract.jobs import DumpJob
from dumpers.contract.notes import Note
from dumpers.engines.protocol import DumpStream, NotedStream, SourceInfo
from dumpers.repository.records import NoteRecord
from dumpers.runtime.log import fields

_LOG = logging.getLogger(__name__)


def log_notes(notes: Sequence[Note], job: DumpJob) -> None:
    """Log each note, as a warning unless the job accepts it."""
    for note, judged in zip(notes, judge(notes, job), strict=True):
        line = fields(code=note.code, note=str(note), accepted=judged.accepted)
        _LOG.log(logging.INFO if judged.accepted else logging.WARNING, "note", extra=line)


def with_learned_notes(
    source: SourceInfo, streams: Sequence[DumpStream], job: DumpJob
) -> SourceInfo:
    """Log what the streams learned while they were read, and add it to the source's notes."""
    learned = [
        note for stream in streams if isinstance(stream, NotedStream) for note in stream.notes()
    ]
    log_notes(learned, job)
    return replace(source, notes=(*source.notes, *learned))


def judge(notes: Iterable[Note], job: DumpJob) -> tuple[NoteRecord, ...]:
    """The notes as the manifest holds them: whether the job accepts each is decided here alone."""
    return tuple(
        NoteRecord(
            code=note.code,
            text=note.text,
            objects=note.objects,
            accepted=note.code in job.accepted,
        )
        for note in notes
    )
