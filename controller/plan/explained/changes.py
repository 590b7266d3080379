"""Why the objects of a workload were kept, changed or deleted: names of fields, no values."""

from collections.abc import Iterator

from controller.manifests.overlay import field_changes
from controller.model.kinds import CRONJOB
from controller.model.names import GONE_SINCE
from controller.model.objects import annotations_of
from controller.plan.changes import Action, ApplyResult, Change
from controller.plan.explained.decision import Decision, Verdict
from controller.settings.settings import Settings

_SHOWN = 12


def change_decisions(result: ApplyResult, settings: Settings) -> Iterator[Decision]:
    """Explain what became of each object of a workload's plan, in the plan's order."""
    plan = result.workload_plan
    state = _state(result)
    if not plan.cronjob:
        yield Decision(workload=plan.workload, about=CRONJOB, verdict=Verdict.REJECTED, why=state)
    elif all(change.name != plan.cronjob for change in plan.changes):
        yield Decision(
            workload=plan.workload,
            about=f"{CRONJOB}/{plan.cronjob}",
            verdict=Verdict.KEPT,
            why=f"{state}{_until_deletion(result, settings)}",
        )
    for change in plan.changes:
        is_done = change in result.done
        why = _why(change, state)
        if not is_done:
            why = f"{_trouble(result)}; {why}"
        yield Decision(
            workload=plan.workload,
            about=f"{change.kind}/{change.name}",
            verdict=Verdict(change.action.value) if is_done else Verdict.NOT_WRITTEN,
            why=why,
        )


def _state(result: ApplyResult) -> str:
    status = result.status
    message = f": {status.message}" if status.message else ""
    return f"{status.state}, {status.reason}{message}"


def _until_deletion(result: ApplyResult, settings: Settings) -> str:
    """When a CronJob goes whose workload is gone; empty where nothing says that it is."""
    since = annotations_of(result.cronjob or {}).get(GONE_SINCE)
    if since is None:
        return ""
    return (
        f"; gone since {since}, deleted once {settings.gone_passes} passes in a row and "
        f"{settings.gone_grace} s have found it so, and no Job of it runs"
    )


def _why(change: Change, state: str) -> str:
    match change.action:
        case Action.CREATE:
            return f"nothing of that name is there; {state}"
        case Action.DELETE:
            return state
        case Action.UPDATE:
            paths = [item.path for item in field_changes(change.before, change.after)]
            more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
            return f"differs in {', '.join(paths[:_SHOWN])}{more}; {state}"


def _trouble(result: ApplyResult) -> str:
    """Why a change was not carried out."""
    if result.failed:
        return "a write failed"
    return "the same write was reverted before, the process ends, or another replica leads"
