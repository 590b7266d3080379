"""What is said of objects that were stored, by whoever stored them."""

from collections.abc import Sequence
from dataclasses import replace

from dumpers.contract.jobs import DumpJob
from dumpers.contract.notes import codes_of
from dumpers.contract.result import DumpResult
from dumpers.repository.catalogue import rfc3339
from dumpers.repository.extent import Extent
from dumpers.repository.keys import Run
from dumpers.repository.records import NoteRecord, ObjectRecord
from dumpers.runtime.errors import ExitCode


def result_of_objects(
    job: DumpJob,
    run: Run,
    objects: Sequence[ObjectRecord],
    *,
    server_version: str,
    tool_version: str,
    seconds: float,
) -> DumpResult:
    """The result of a job that stored these objects of a run, whether they are all of it or not."""
    return DumpResult(
        succeeded=True,
        exit_code=ExitCode.DONE,
        reason="Succeeded",
        message="",
        engine=job.engine.type,
        server_version=server_version,
        tool_version=tool_version,
        keys=tuple(item.key for item in objects),
        key_count=len(objects),
        source_bytes=sum(item.source_size for item in objects),
        stored_bytes=sum(item.size for item in objects),
        seconds=round(seconds, 3),
        record=run.record_prefix,
        verified=job.verify,
    )


def result_of_backup(
    result: DumpResult, job: DumpJob, notes: Sequence[NoteRecord], extent: Extent | None
) -> DumpResult:
    """The result of a job by which a backup exists, with its notes and those beside it.

    `extent` is None where the backups cannot be listed.
    """
    return replace(
        result,
        notes=codes_of(notes),
        accepted=codes_of(notes, accepted=True),
        oldest_backup=rfc3339(extent.oldest) if extent else "",
        backups=extent.count if extent else 0,
        size_accepted=job.size_accepted,
    )
