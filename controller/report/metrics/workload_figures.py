"""The figures of one workload, from its CronJob alone and since when a run of it goes on.

An annotation that somebody edited gives no figure, and never an error.
"""

from collections.abc import Iterator, Mapping

from controller.model.names import LAST_PROOF, LAST_RESULT, LAST_SUCCESS, SIZE_ACCEPTED, type_in
from controller.model.objects import Json, annotations_of, name_of, recorded
from controller.report.metrics import families
from controller.report.metrics.family import Family
from controller.report.metrics.figure import Figure, Figures, number, plain
from controller.report.metrics.proof_figures import drill_figures, verification_figures
from controller.runs.causes.failure_causes import failure_cause
from controller.runs.due import last_success_of, seconds_of, suspended_since
from controller.runs.history import PastRun, history_of
from controller.runs.releases.host import host_of
from controller.runs.restorable import restorable_of
from controller.runs.results import finished_at
from controller.runs.retention.shrinking import is_shrunk
from dumpers.contract.notes import NoteCode

_EARLIER_RUNS = 7
_LONGEST_WORD = 64
_EVERY_NOTE = frozenset(map(str, NoteCode))


def workload_figures(
    cronjob: Json, running: str, due: int | None, slack: int, drill_deadline: int
) -> Figures:
    """Collect what a CronJob shows; `running` is RFC 3339, and empty where no run goes on.

    `due` is when its next good run must have ended, in seconds since the epoch; `slack` is how many
    seconds after its end what proves its backups may be recorded, and `drill_deadline` how many a
    drill may take.
    """
    figures = (
        *_figures(cronjob, running, due),
        *verification_figures(cronjob, slack),
        *drill_figures(cronjob, drill_deadline, slack),
    )
    return {family: figure for family, figure in figures if figure}


def labels_of_workload(workload: str, cronjob: str) -> tuple[str, str, str]:
    """The values of the labels that all series of a workload have."""
    namespace, _, name = workload.partition("/")
    return namespace, name, cronjob


def _figures(
    cronjob: Json, running: str, due: int | None
) -> Iterator[tuple[Family, Figure | None]]:
    history = history_of(cronjob)
    success, result = recorded(cronjob, LAST_SUCCESS), recorded(cronjob, LAST_RESULT)
    yield families.LAST_SUCCESS, plain(last_success_of(cronjob))
    yield families.DUE, plain(due)
    yield families.RUNNING_SINCE, plain(seconds_of(running))
    yield families.SUSPENDED_SINCE, plain(suspended_since(cronjob))
    if finished_at(result) is not None:
        yield families.LAST_ATTEMPT, plain(finished_at(result))
        yield families.LAST_DURATION, number(result.get("seconds"))
        yield families.LAST_STATUS, _status(cronjob, result)
        yield families.CONSECUTIVE_FAILURES, plain(_failures(history, result))
    if finished_at(success) is not None:
        # A dumper of 0.6.0 leaves no sizes.
        yield families.LAST_SOURCE, number(success.get("source_bytes"))
        yield families.LAST_STORED, number(success.get("stored_bytes"))
        notes = success.get("notes")
        codes = set(map(str, notes)) if isinstance(notes, list) else set()
        yield families.NOTES, plain(len(codes))
        yield families.NEW_NOTES, plain(len(codes - _known_notes(history)))
        restorable = restorable_of(success, recorded(cronjob, LAST_PROOF))
        yield families.FIRST_RESTORABLE, plain(seconds_of(restorable and restorable.oldest))
        accepted = annotations_of(cronjob).get(SIZE_ACCEPTED, "")
        yield families.SHRUNK, plain(is_shrunk(history, accepted))


def _status(cronjob: Json, result: Mapping[str, object]) -> Figure:
    succeeded = result.get("succeeded") is True
    reason = str(result.get("reason", ""))[:_LONGEST_WORD]
    type_ = type_in(name_of(cronjob))
    cause = failure_cause("Succeeded" if succeeded else reason)
    return (type_, host_of(cronjob), reason, str(cause)), float(succeeded)


def _failures(history: tuple[PastRun, ...], result: Mapping[str, object]) -> int:
    """Count the runs that failed since the last good one, as far as they are recorded."""
    if result.get("succeeded") is True:
        return 0
    failed = next((place for place, run in enumerate(history) if run.is_good), len(history))
    return max(failed, 1)


def _known_notes(history: tuple[PastRun, ...]) -> frozenset[str]:
    """The codes that all of the seven good runs before the last one had; all codes without any.

    So what is new is told for a week of daily runs, not for one night.
    """
    good = [run for run in history if run.is_good]
    before = [set(run.notes) for run in good[1 : 1 + _EARLIER_RUNS]]
    if not before:
        return _EVERY_NOTE
    return frozenset(set.intersection(*before))
