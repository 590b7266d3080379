"""Writes one log line for each decision of a pass, where the debug level asks for them."""

import logging
from collections.abc import Iterable

from controller.plan.changes import ApplyResult
from controller.plan.context import PlanContext
from controller.plan.explained.changes import change_decisions
from controller.plan.explained.choices import choices
from controller.plan.explained.decision import Decision
from controller.settings.settings import Settings
from dumpers.runtime.log import fields

_log = logging.getLogger(__name__)


def log_choices(context: PlanContext) -> None:
    """Log why the pods, Services and logins of a namespace were chosen, or were not."""
    if _log.isEnabledFor(logging.DEBUG):
        _log_all(choices(context))


def log_changes(result: ApplyResult, settings: Settings) -> None:
    """Log why the objects of a workload were kept, changed or deleted."""
    if _log.isEnabledFor(logging.DEBUG):
        _log_all(change_decisions(result, settings))


def _log_all(decisions: Iterable[Decision]) -> None:
    for decision in decisions:
        line = fields(
            workload=decision.workload,
            about=decision.about,
            verdict=decision.verdict,
            why=decision.why,
        )
        _log.debug("decision", extra=line)
