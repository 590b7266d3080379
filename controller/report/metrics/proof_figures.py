"""The figures of what proves a workload's backups, from its dump CronJob alone."""

from collections.abc import Iterator

from controller.model.objects import Json
from controller.report.metrics import proof_families as families
from controller.report.metrics.family import Family
from controller.report.metrics.figure import Figure, number, plain
from controller.runs.due import seconds_of
from controller.runs.proving.drills import drill_due, failed_drill_of, last_drill_of
from controller.runs.proving.verifications import last_verification_of, verification_due


def verification_figures(cronjob: Json, slack: int) -> Iterator[tuple[Family, Figure | None]]:
    """The figures of what verifies its backups by a schedule; all are None without one."""
    yield families.VERIFY_DUE, plain(verification_due(cronjob, slack))
    last = last_verification_of(cronjob)
    if last is None:
        return
    yield families.VERIFY_LAST_SUCCESS, plain(seconds_of(last.last_success))
    yield families.VERIFY_LAST_ATTEMPT, plain(seconds_of(last.finished))
    yield families.VERIFY_LAST_STATUS, ((last.reason,), float(last.succeeded))
    yield families.VERIFY_DAMAGED, plain(last.damaged)
    yield families.VERIFY_OLDEST_UNREAD, plain(seconds_of(last.oldest_unread))


def drill_figures(
    cronjob: Json, deadline: int, slack: int
) -> Iterator[tuple[Family, Figure | None]]:
    """The figures of its drills; all are None before the first one and without a schedule.

    `deadline` is how many seconds a drill may take.
    """
    yield families.DRILL_DUE, plain(drill_due(cronjob, deadline, slack))
    last = last_drill_of(cronjob)
    if last is None:
        return
    yield families.DRILL_LAST_SUCCESS, plain(seconds_of(last.last_success))
    yield families.DRILL_LAST_ATTEMPT, plain(seconds_of(last.finished))
    if last.succeeded or failed_drill_of(cronjob):
        yield families.DRILL_LAST_STATUS, ((last.reason,), float(last.succeeded))
    yield families.DRILL_NOT_DRILLABLE, plain(last.is_impossible)
    yield families.DRILL_IN_DOUBT, plain(last.in_doubt)
    yield families.DRILL_DURATION, number(last.seconds)
    yield families.DRILL_START, number(last.start_seconds)
    yield families.DRILL_RESTORE, number(last.restore_seconds)
    yield families.DRILL_COMPARE, number(last.compare_seconds)
    yield families.DRILL_DATA_AGE, number(last.age_seconds)
    if last.tables:
        yield families.DRILL_TABLES, plain(last.tables)
        yield families.DRILL_DIFFERING, plain(last.differing)
