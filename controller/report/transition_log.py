"""Writes one log line for each transition."""

import logging
from typing import assert_never

from controller.report.proof_ends import DrillFinished, VerificationFinished
from controller.report.transitions import (
    ObjectWritten,
    RunFinished,
    StatusChanged,
    Transition,
    WorkloadForgotten,
    WorkloadOverdue,
)
from dumpers.contract.drill.result import Outcome
from dumpers.runtime.log import fields

_log = logging.getLogger(__name__)


def log_transition(transition: Transition) -> None:
    """Log a transition, as a warning where somebody may have to do something."""
    match transition:
        case ObjectWritten():
            line = fields(
                action=transition.action,
                kind=transition.kind,
                name=transition.name,
                workload=transition.workload,
            )
            _log.info("object written", extra=line)
        case StatusChanged():
            line = fields(
                workload=transition.workload,
                cronjob=transition.cronjob,
                state=transition.after.state,
                reason=transition.after.reason,
                why=transition.after.message,
            )
            level = logging.INFO if transition.is_calm else logging.WARNING
            _log.log(level, "workload status changed", extra=line)
        case RunFinished():
            line = fields(
                workload=transition.workload,
                cronjob=transition.cronjob,
                job=transition.job,
                succeeded=transition.succeeded,
                reason=transition.reason,
                why=transition.message,
                notes=transition.notes,
            )
            level = logging.INFO if transition.succeeded else logging.WARNING
            _log.log(level, "run finished", extra=line)
        case VerificationFinished():
            line = fields(
                workload=transition.workload,
                cronjob=transition.cronjob,
                job=transition.job,
                succeeded=transition.succeeded,
                reason=transition.reason,
                why=transition.message,
                verified=transition.verified,
                damaged=transition.damaged,
            )
            level = logging.INFO if transition.succeeded else logging.WARNING
            _log.log(level, "verification finished", extra=line)
        case DrillFinished():
            line = fields(
                workload=transition.workload,
                cronjob=transition.cronjob,
                job=transition.job,
                outcome=transition.outcome,
                reason=transition.reason,
                why=transition.message,
                backup=transition.backup,
                tables=transition.tables,
                differing=transition.differing,
                seconds=transition.seconds,
            )
            level = logging.WARNING if transition.outcome is Outcome.FAILED else logging.INFO
            _log.log(level, "drill finished", extra=line)
        case WorkloadOverdue():
            line = fields(
                workload=transition.workload,
                cronjob=transition.cronjob,
                due=transition.due,
                last_success=transition.last_success,
                reason=transition.reason,
                why=transition.message,
            )
            _log.warning("workload overdue", extra=line)
        case WorkloadForgotten():
            line = fields(workload=transition.workload, cronjob=transition.cronjob)
            _log.info("workload forgotten", extra=line)
        case _:
            assert_never(transition)
