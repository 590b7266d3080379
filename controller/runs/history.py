"""The last runs of a workload, kept in one bounded annotation of its CronJob, newest first.

An annotation that somebody edited is no history: the next run begins a new one.
"""

import math
import re
from collections.abc import Iterable

import msgspec

from controller.model.names import HISTORY
from controller.model.objects import Json, annotations_of
from controller.runs.restorable import folder_of
from dumpers.contract.result import PARTIAL, PARTIAL_REASON, DumpResult

SUCCEEDED, FAILED = "succeeded", "failed"
MAX_RUNS = 30
# All annotations of an object may have 256 KiB together, and every pass reads them.
MAX_BYTES = 6000
_MAX_NOTES = 16
_MAX_WORD = 64
_MAX_NUMBER = 2**53
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]{8,20}(Z|[+-]\d\d:\d\d)", re.ASCII)


class PastRun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one run ended; `finished` is RFC 3339, `bytes` are those stored, `notes` are codes.

    `seconds` and `source_bytes`, which left the dump tool, are 0 where no dumper measured them.
    `backup` is the id of what it left, empty where it left none or nobody said it.
    """

    finished: str
    outcome: str
    reason: str
    seconds: float
    bytes: int
    source_bytes: int = 0
    notes: tuple[str, ...] = ()
    backup: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it left a backup."""
        return self.outcome == SUCCEEDED

    @property
    def told(self) -> str:
        """The outcome as people read it: PARTIAL where some of its storages lack the backup.

        Runs are counted and kept by `outcome`, by which a partial one is good.
        """
        return PARTIAL if self.is_good and self.reason == PARTIAL_REASON else self.outcome


_parse = msgspec.json.Decoder(tuple[PastRun, ...]).decode


def past_run(finished: str, result: DumpResult) -> PastRun:
    """Shorten a run's result to what its history keeps."""
    return PastRun(
        finished=finished,
        outcome=SUCCEEDED if result.succeeded else FAILED,
        reason=_word(result.reason),
        # Python's JSON knows numbers that others do not.
        seconds=round(result.seconds, 1) if math.isfinite(result.seconds) else 0.0,
        bytes=_count(result.stored_bytes),
        source_bytes=_count(result.source_bytes),
        notes=tuple(map(_word, result.notes[:_MAX_NOTES])),
        backup=_backup(result),
    )


def history_of(cronjob: Json) -> tuple[PastRun, ...]:
    """The runs that a CronJob records, newest first; empty where the annotation was edited."""
    try:
        runs = _parse(annotations_of(cronjob).get(HISTORY, "[]"))
    except (ValueError, TypeError, RecursionError):
        return ()
    return runs if all(map(_is_of_ours, runs)) else ()


def history_with(
    known: Iterable[PastRun], new: Iterable[PastRun], superseded: Iterable[str]
) -> str | None:
    """Write a history with runs added; None if it records all of them already.

    `superseded` are the ends of earlier records of the same runs, which had not really ended then.
    """
    known, outdated = tuple(known), set(superseded)
    ends = {(run.finished, run.outcome) for run in known}
    added = [run for run in new if (run.finished, run.outcome) not in ends]
    if not added:
        return None
    kept = [run for run in known if run.finished not in outdated]
    # Stable: of runs that ended in one second the later one of `new` comes first.
    ordered = sorted([*reversed(added), *kept], key=lambda run: run.finished, reverse=True)
    texts: list[str] = []
    size = len("[]")
    for run in ordered[:MAX_RUNS]:
        text = msgspec.json.encode(run).decode()
        size += len(text.encode()) + len(",")
        if size > MAX_BYTES:
            break
        texts.append(text)
    return f"[{','.join(texts)}]"


def _is_of_ours(run: PastRun) -> bool:
    return (
        bool(_MOMENT.fullmatch(run.finished))
        and run.outcome in {SUCCEEDED, FAILED}
        and min(run.seconds, run.bytes, run.source_bytes) >= 0
        and len(run.notes) <= _MAX_NOTES
        and all(len(word) <= _MAX_WORD for word in (run.reason, run.backup, *run.notes))
    )


def _backup(result: DumpResult) -> str:
    """The id of the backup that a good run left."""
    folder = folder_of(result.record)
    return _word(folder.id) if folder and result.succeeded else ""


def _count(number: int) -> int:
    return min(max(int(number), 0), _MAX_NUMBER)


def _word(text: str) -> str:
    """Bound a word; half a surrogate pair, which JSON may smuggle in, has no UTF-8 form."""
    return text[:_MAX_WORD].encode("utf-8", "replace").decode()
