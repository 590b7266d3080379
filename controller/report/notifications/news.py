"""Which of the changes of a pass are news to people, and of what; pure.

The end of a run is a change of what a CronJob has written on it, from before a pass to after it. So
no restart of the controller tells anything twice.
"""

from typing import NamedTuple

from controller.report.notifications.messages import About, Affected
from controller.report.proof_ends import (
    DrillFinished,
    ProofBefore,
    ProofFinished,
    VerificationFinished,
)
from controller.report.transitions import RunFinished, Transition, WorkloadOverdue
from controller.runs.causes.failure_causes import FailureCause, failure_cause
from controller.runs.due import seconds_of
from controller.settings.choices import Occasion

_LONGEST = 300


class News(NamedTuple):
    """What happened to one workload; equal occasions of one cause are told together."""

    occasion: Occasion
    cause: FailureCause
    affected: Affected
    about: About = About.BACKUP


def news_of(transition: Transition, slack: int) -> News | None:
    """What of a change is news; None where nothing is. `slack` is in seconds, as of `due_at`.

    A run that fails is, unless the one before failed for the same cause. A good run is where the
    one before failed, or was waited for. The cause of a recovery is that of the failure. So it is
    with what proves backups, whose failure has a cause of its own where it speaks against one.
    """
    match transition:
        case WorkloadOverdue():
            cause = _cause(succeeded=not transition.reason, reason=transition.reason)
            return News(Occasion.OVERDUE, cause, _affected(transition, transition.due))
        case RunFinished():
            return _of_run(transition, slack)
        case VerificationFinished():
            return _of_proof(transition, About.VERIFICATION, is_good=transition.succeeded)
        case DrillFinished():
            # One that was not possible is neither; nor is a good one of an older backup than that
            # which is in doubt.
            is_good = transition.succeeded and not transition.in_doubt
            return _of_proof(transition, About.DRILL, is_good=is_good)
    return None


def _of_run(run: RunFinished, slack: int) -> News | None:
    earlier = FailureCause.NONE
    if run.before is not None:
        earlier = _cause(succeeded=run.before.succeeded, reason=run.before.reason)
    if run.succeeded:
        is_news = earlier is not FailureCause.NONE or _was_overdue(run, slack)
        return News(Occasion.RECOVERY, earlier, _affected(run, run.finished)) if is_news else None
    cause = _cause(succeeded=False, reason=run.reason)
    if cause is earlier:
        return None
    return News(Occasion.FAILURE, cause, _affected(run, run.finished))


def _of_proof(proof: ProofFinished, about: About, *, is_good: bool) -> News | None:
    before = proof.before
    earlier = _cause_before(before) if before and before.has_failed else FailureCause.NONE
    if is_good:
        was_bad = FailureCause.BACKUP if before and before.in_doubt else earlier
        if was_bad is FailureCause.NONE:
            return None
        return News(Occasion.RECOVERY, was_bad, _affected(proof, proof.finished), about)
    if not proof.has_failed:
        return None
    cause = _cause(succeeded=False, reason=proof.reason)
    if proof.is_against:
        cause = FailureCause.BACKUP
    if cause is earlier:
        return None
    return News(Occasion.FAILURE, cause, _affected(proof, proof.finished), about)


def _cause_before(before: ProofBefore) -> FailureCause:
    if before.is_against:
        return FailureCause.BACKUP
    return _cause(succeeded=False, reason=before.reason)


def _was_overdue(run: RunFinished, slack: int) -> bool:
    finished = seconds_of(run.finished)
    return run.due is not None and finished is not None and run.due + slack <= finished


def _cause(*, succeeded: bool, reason: str) -> FailureCause:
    if succeeded:
        return FailureCause.NONE
    cause = failure_cause(reason)
    return FailureCause.OTHER if cause is FailureCause.NONE else cause


def _affected(transition: RunFinished | WorkloadOverdue | ProofFinished, at: str) -> Affected:
    is_good = not isinstance(transition, WorkloadOverdue) and transition.succeeded
    message = transition.message
    short = message if len(message) <= _LONGEST else message[:_LONGEST] + "…"
    return Affected(
        workload=transition.workload,
        cronjob=transition.cronjob,
        reason="" if is_good else transition.reason,
        message="" if is_good else short,
        at=at,
    )
